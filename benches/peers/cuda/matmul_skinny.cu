// The matrix product for few columns in CUDA C++: the algorithm of gpu/matmul_skinny.rs on a GPU, with the same name,
// parameters and shapes, so that it can be launched in the place of ours: a warp splits four rows of A over its lanes,
// reads B's slice from shared memory, and its lanes' sums meet by shuffles that halve what a lane holds. A slice is two
// parameters, its address and its length; the lengths are not looked at here.

constexpr unsigned WARPS = 4, THREADS = 32 * WARPS, CELLS = 12288 - 16, ROWS = 4, COLUMNS = 16, PAIR = 2;
constexpr unsigned STEP = 32 * 4, ALL = 0xffffffff;

__device__ __forceinline__ void quads(const float* const (&rows)[ROWS], unsigned l, unsigned end, bool whole,
                                      float (&values)[ROWS][4]) {
#pragma unroll
    for (unsigned r = 0; r < ROWS; ++r)
#pragma unroll
        for (unsigned lane = 0; lane < 4; ++lane) values[r][lane] = 0.0f;
    if (whole) {
        if (l >= end) return;
#pragma unroll
        for (unsigned r = 0; r < ROWS; ++r) {
            const float4 quad = *reinterpret_cast<const float4*>(rows[r] + l);
            values[r][0] = quad.x, values[r][1] = quad.y, values[r][2] = quad.z, values[r][3] = quad.w;
        }
    } else {
#pragma unroll
        for (unsigned lane = 0; lane < 4; ++lane)
#pragma unroll
            for (unsigned r = 0; r < ROWS; ++r)
                if (l + lane < end) values[r][lane] = rows[r][l + lane];
    }
}

// Adds the sums of lanes that differ in one bit: those with it keep the second half, the others the first.
template <unsigned N>
__device__ __forceinline__ void halve(const float* first, const float* second, float* sums, unsigned lane, unsigned bit) {
    const bool upper = lane & bit;
#pragma unroll
    for (unsigned i = 0; i < N; ++i) {
        const float keep = upper ? second[i] : first[i], give = upper ? first[i] : second[i];
        sums[i] = keep + __shfl_xor_sync(ALL, give, bit);
    }
}

extern "C" __global__ void __launch_bounds__(128) matmul_skinny(const float* __restrict__ a, size_t,
                                                                const float* __restrict__ b, size_t,
                                                                float* __restrict__ c, size_t, unsigned m, unsigned n,
                                                                unsigned k) {
    __shared__ __align__(16) float tile[CELLS + 16];
    const unsigned t = threadIdx.x, warp = t / 32, lane = t % 32, staged = (n + PAIR - 1) / PAIR * PAIR;
    const unsigned across = staged + 1, most = CELLS / (across * STEP) * STEP;
    // As many groups of rows as the grid leaves a warp.
    const unsigned taken = WARPS * ROWS, groups = ((m + taken - 1) / taken + gridDim.x - 1) / gridDim.x;
    const unsigned row0 = blockIdx.x * groups * taken;
    const bool whole = reinterpret_cast<size_t>(a) % 16 == 0 && k % 4 == 0;
    for (unsigned l0 = 0;;) {
        const unsigned depth = (min(most, k - l0) + STEP - 1) / STEP * STEP, left = k - l0;
        // Elements in the order of B, from one of the thread's to its next without a division.
        const unsigned down = THREADS / staged, right = THREADS % staged;
        unsigned l = t / staged, column = t % staged;
#pragma unroll 8
        while (l < depth) {
            tile[(l / 4 * across + column) * 4 + l % 4] =
                l < left && column < n ? b[size_t(l0 + l) * n + column] : 0.0f;
            l += down, column += right;
            if (column >= staged) ++l, column -= staged;
        }
        __syncthreads();
        for (unsigned group = 0; group < groups; ++group) {
            const unsigned i = row0 + (group * WARPS + warp) * ROWS;
            if (i >= m) break;
            for (unsigned first = 0; first < n; first += COLUMNS) {
                const float* rows[ROWS];
#pragma unroll
                for (unsigned r = 0; r < ROWS; ++r) rows[r] = a + size_t(min(i + r, m - 1)) * k + l0;
                const float* part = tile + 4 * first + 4 * lane * across;
                float sums[ROWS][COLUMNS] = {}, ahead[ROWS][4];
                quads(rows, 4 * lane, left, whole, ahead);
                for (unsigned at = 4 * lane; at < depth; at += STEP) {
                    float now[ROWS][4];
#pragma unroll
                    for (unsigned r = 0; r < ROWS; ++r)
#pragma unroll
                        for (unsigned e = 0; e < 4; ++e) now[r][e] = ahead[r][e];
                    quads(rows, at + STEP, left, whole, ahead);
#pragma unroll
                    for (unsigned pair = 0; pair < COLUMNS / PAIR; ++pair) {
                        if (pair * PAIR >= n - first) continue;
#pragma unroll
                        for (unsigned offset = 0; offset < PAIR; ++offset) {
                            const unsigned column = pair * PAIR + offset;
                            const float4 quad = *reinterpret_cast<const float4*>(part + 4 * column);
#pragma unroll
                            for (unsigned r = 0; r < ROWS; ++r) {
                                float sum = sums[r][column];
                                sum = fmaf(now[r][0], quad.x, sum), sum = fmaf(now[r][1], quad.y, sum);
                                sum = fmaf(now[r][2], quad.z, sum), sum = fmaf(now[r][3], quad.w, sum);
                                sums[r][column] = sum;
                            }
                        }
                    }
                    part += STEP * across;
                }
                float even[16], odd[16], one[16], eight[8], four[4], two[2];
                halve<16>(sums[0], sums[2], even, lane, 16);
                halve<16>(sums[1], sums[3], odd, lane, 16);
                halve<16>(even, odd, one, lane, 8);
                halve<8>(one, one + 8, eight, lane, 4);
                halve<4>(eight, eight + 4, four, lane, 2);
                halve<2>(four, four + 2, two, lane, 1);
                const unsigned row = i + lane / 16 * 2 + lane / 8 % 2, column0 = first + lane % 8 * 2;
#pragma unroll
                for (unsigned offset = 0; offset < 2; ++offset)
                    if (row < m && column0 + offset < n) {
                        float* cell = c + size_t(row) * n + column0 + offset;
                        *cell = (l0 > 0 ? *cell : 0.0f) + two[offset];
                    }
            }
        }
        l0 += depth;
        if (l0 >= k) break;
        __syncthreads();
    }
}
