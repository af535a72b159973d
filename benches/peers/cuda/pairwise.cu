// Pairwise distances in CUDA C++: the algorithm of gpu/pairwise.rs on a GPU, with the same names, parameters and shapes, so
// that it can be launched in the place of ours: blocks of 64 rows and 128 columns of the output, 8 x 4 cells a thread, 16
// coordinates of both in shared memory at a time. A slice is two parameters, its address and its length; the lengths are
// not looked at here.

constexpr unsigned ROWS = 64, COLUMNS = 128, ACROSS = 32, LANES = 4, HELD = 8, THREADS = ACROSS * ROWS / HELD;
constexpr unsigned DEPTH = 16, A_APART = ROWS + 4, B_APART = COLUMNS + 4;

struct SquaredL2 {
    static __device__ __forceinline__ float add(float sum, float difference) { return fmaf(difference, difference, sum); }
    static __device__ __forceinline__ float finish(float sum) { return sum; }
};

// As ours: off by 2^-23 at most, where the rounded root is a branch to a subroutine for each pair.
struct L2 : SquaredL2 {
    static __device__ __forceinline__ float finish(float sum) {
        float root;
        asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(root) : "f"(sum));
        return root;
    }
};

struct L1 : SquaredL2 {
    static __device__ __forceinline__ float add(float sum, float difference) { return sum + fabsf(difference); }
};

// Copies `depth` coordinates of COUNT rows, from c0 on, into a tile, a coordinate a row of it. Rows behind the last one
// repeat it. Those of B that lie ACROSS each other are neighbours, since one thread computes them.
template <unsigned COUNT, unsigned APART>
__device__ __forceinline__ void stage(const float* rows, unsigned len, unsigned d, unsigned first, unsigned c0,
                                      unsigned depth, float* tile) {
    // In the order of the rows, from one of the thread's coordinates to its next without a division.
    const unsigned down = THREADS / depth, right = THREADS % depth;
    unsigned row = threadIdx.x / depth, c = threadIdx.x % depth;
#pragma unroll 4
    while (row < COUNT) {
        const unsigned place = COUNT == ROWS ? row : row % ACROSS * LANES + row / ACROSS;
        tile[c * APART + place] = rows[size_t(min(first + row, len - 1)) * d + c0 + c];
        row += down, c += right;
        if (c >= depth) ++row, c -= depth;
    }
}

template <class Metric>
__device__ __forceinline__ void pairwise(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ out,
                                         unsigned m, unsigned n, unsigned d) {
    __shared__ __align__(16) float a_tile[DEPTH * A_APART], b_tile[DEPTH * B_APART];
    const unsigned across = (n + COLUMNS - 1) / COLUMNS, x = threadIdx.x % ACROSS, y = threadIdx.x / ACROSS;
    const unsigned row0 = blockIdx.x / across * ROWS, column0 = blockIdx.x % across * COLUMNS;
    float sums[HELD][LANES] = {};
    for (unsigned c0 = 0; c0 < d;) {
        const unsigned depth = min(DEPTH, d - c0);
        stage<ROWS, A_APART>(a, m, d, row0, c0, depth, a_tile);
        stage<COLUMNS, B_APART>(b, n, d, column0, c0, depth, b_tile);
        __syncthreads();
        for (unsigned c = 0; c < depth; ++c) {
            const float4 upper = *reinterpret_cast<const float4*>(&a_tile[c * A_APART + y * HELD]);
            const float4 lower = *reinterpret_cast<const float4*>(&a_tile[c * A_APART + y * HELD + 4]);
            const float4 right = *reinterpret_cast<const float4*>(&b_tile[c * B_APART + x * LANES]);
            const float rows[HELD] = {upper.x, upper.y, upper.z, upper.w, lower.x, lower.y, lower.z, lower.w};
            const float lanes[LANES] = {right.x, right.y, right.z, right.w};
#pragma unroll
            for (unsigned r = 0; r < HELD; ++r)
#pragma unroll
                for (unsigned lane = 0; lane < LANES; ++lane)
                    sums[r][lane] = Metric::add(sums[r][lane], rows[r] - lanes[lane]);
        }
        c0 += depth;
        if (c0 < d) __syncthreads();
    }
#pragma unroll
    for (unsigned r = 0; r < HELD; ++r) {
        const unsigned i = row0 + y * HELD + r;
        if (i >= m) continue;
#pragma unroll
        for (unsigned lane = 0; lane < LANES; ++lane) {
            const unsigned j = column0 + lane * ACROSS + x;
            if (j < n) out[size_t(i) * n + j] = Metric::finish(sums[r][lane]);
        }
    }
}

#define KERNEL(name, Metric)                                                                                            \
    extern "C" __global__ void __launch_bounds__(256) name(const float* a, size_t, const float* b, size_t, float* out, \
                                                           size_t, unsigned m, unsigned n, unsigned d, float) {        \
        pairwise<Metric>(a, b, out, m, n, d);                                                                          \
    }

KERNEL(pairwise_squared_l2, SquaredL2)
KERNEL(pairwise_l2, L2)
KERNEL(pairwise_l1, L1)
