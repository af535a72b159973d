// The matrix product on tensor cores in CUDA C++: the algorithm of gpu/matmul_tensor.rs, with the same names, parameters and
// shapes, so that it can be launched in the place of ours: 128 x 128 cells of C a block, 64 x 64 a warp, both by the rows of
// words that `round_rows` makes, three stages of tiles that are copied meanwhile. Instructions that CUDA C++ has no words
// for are PTX. A slice is two parameters, its address and its length; the lengths are not looked at here.

constexpr unsigned SIDE = 128, DEPTH = 16, WORDS = 4, PIECES = DEPTH / WORDS, PIECE = 16, THREADS = 128, WARP = 64;
constexpr unsigned STAGES = 3, TILE = SIDE * DEPTH * 4;

// Before compute 8.0 there are no such instructions.
#if __CUDA_ARCH__ >= 800

struct Bf16 {
    static __device__ __forceinline__ void multiply(const unsigned (&a)[4], const unsigned* b, float (&c)[4]) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                     "{%0, %1, %2, %3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

struct Tf32 {
    static __device__ __forceinline__ void multiply(const unsigned (&a)[4], const unsigned* b, float (&c)[4]) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                     "{%0, %1, %2, %3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

__device__ __forceinline__ void ldmatrix(unsigned at, unsigned (&words)[4]) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(at)
                 : "memory");
}

// Begins this thread's copies of a tile; two rows' pieces fill all banks, so pairs of rows trade theirs.
__device__ __forceinline__ void copy_tile(unsigned to, const unsigned* from, size_t width) {
    const unsigned row = threadIdx.x / PIECES, piece = threadIdx.x % PIECES;
    const unsigned place = row * PIECES + (piece ^ row / 2 % PIECES);
#pragma unroll
    for (unsigned i = 0; i < SIDE * PIECES / THREADS; ++i) {
        const unsigned further = i * THREADS / PIECES;
        const unsigned at = to + ((place ^ further / 2 % PIECES) + i * THREADS) * PIECE;
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                     :
                     : "r"(at), "l"(from + (row + further) * width + piece * WORDS)
                     : "memory");
    }
}

template <class Operand>
__device__ __forceinline__ void product(const unsigned* a, const unsigned* b, float* __restrict__ c, unsigned m, unsigned n,
                                        unsigned width) {
    __shared__ __align__(16) unsigned stages[STAGES][2 * SIDE * DEPTH];
    const unsigned base = static_cast<unsigned>(__cvta_generic_to_shared(stages));
    const unsigned row0 = blockIdx.y * SIDE, column0 = blockIdx.x * SIDE;
    a += size_t(row0) * width, b += size_t(column0) * width;
    const unsigned t = threadIdx.x, warp = t / 32, lane = t % 32, row = lane % 8, matrix = lane / 8;
    const auto place = [&](unsigned warp, unsigned lower, unsigned right) {
        return (warp * WARP + lower * 8 + row) * PIECES * PIECE + (right ^ row / 2) * PIECE;
    };
    // Of A the matrices are upper and lower, left and right; of Bt left and right, upper and lower.
    const unsigned a_place = place(warp / 2, matrix % 2, matrix / 2);
    const unsigned b_place = TILE + place(warp % 2, matrix / 2, matrix % 2);
    const unsigned tiles = width / DEPTH;
    const auto begin = [&](unsigned tile, unsigned stage) {
        if (tile < tiles) {
            copy_tile(base + stage * 2 * TILE, a + size_t(tile) * DEPTH, width);
            copy_tile(base + stage * 2 * TILE + TILE, b + size_t(tile) * DEPTH, width);
        }
        asm volatile("cp.async.commit_group;" ::: "memory");
    };
    float sums[4][8][4] = {};
    begin(0, 0);
    begin(1, 1);
    unsigned stage = 0, next = STAGES - 1;
    for (unsigned tile = 0; tile < tiles; ++tile) {
        asm volatile("cp.async.wait_group %0;" : : "n"(STAGES - 2) : "memory");
        __syncthreads();
        begin(tile + STAGES - 1, next);
#pragma unroll
        for (unsigned half = 0; half < 2; ++half) {
            const unsigned at = base + stage * 2 * TILE, turned = half * 2 * PIECE;
            unsigned left[4][4];
#pragma unroll
            for (unsigned r = 0; r < 4; ++r) ldmatrix(at + (a_place ^ turned) + r * 16 * PIECES * PIECE, left[r]);
#pragma unroll
            for (unsigned pair = 0; pair < 4; ++pair) {
                unsigned right[4];
                ldmatrix(at + (b_place ^ turned) + pair * 16 * PIECES * PIECE, right);
#pragma unroll
                for (unsigned r = 0; r < 4; ++r) {
                    Operand::multiply(left[r], right, sums[r][2 * pair]);
                    Operand::multiply(left[r], right + 2, sums[r][2 * pair + 1]);
                }
            }
        }
        stage = stage + 1 == STAGES ? 0 : stage + 1;
        next = next + 1 == STAGES ? 0 : next + 1;
    }
    // Half of the rows after the other goes through shared memory, so that neighbouring threads write neighbours.
    constexpr unsigned APART = SIDE + 8;
    float* cells = reinterpret_cast<float*>(stages);
    for (unsigned half = 0; half < 2; ++half) {
        __syncthreads();
        if (warp / 2 == half) {
            const unsigned first = lane / 4 * APART + warp % 2 * WARP + lane % 4 * 2;
#pragma unroll
            for (unsigned r = 0; r < 4; ++r)
#pragma unroll
                for (unsigned pair = 0; pair < 8; ++pair)
#pragma unroll
                    for (unsigned i = 0; i < 4; ++i)
                        cells[first + (r * 16 + i / 2 * 8) * APART + pair * 8 + i % 2] = sums[r][pair][i];
        }
        __syncthreads();
        for (unsigned r = 0; r < WARP; ++r) {
            const unsigned i = row0 + half * WARP + r, column = column0 + t;
            if (i < m && column < n) c[size_t(i) * n + column] = cells[r * APART + t];
        }
    }
}

#define KERNEL(name, Operand)                                                                                     \
    extern "C" __global__ void __launch_bounds__(128) name(const unsigned* a, size_t, const unsigned* b, size_t, \
                                                           float* c, size_t, unsigned m, unsigned n,             \
                                                           unsigned width) {                                     \
        product<Operand>(a, b, c, m, n, width);                                                                  \
    }

KERNEL(matmul_bf16, Bf16)
KERNEL(matmul_tf32, Tf32)

#endif
