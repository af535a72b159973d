// The blocked matrix product in CUDA C++: the algorithm of gpu/matmul_blocked.rs on a GPU, with the same names,
// parameters and shapes, so that it can be launched in the place of ours: blocks of 16 S x 16 S cells, S x 2 S a thread,
// two stages of slices of 8 in shared memory, of which the next one is fetched into registers meanwhile, and operands one row
// ahead of the multiplications. A slice is two parameters, its address and its length; the lengths are not looked at here.

constexpr unsigned THREADS = 128, SLICE = 8, PAD = 4;

__device__ __forceinline__ bool in_quads(const float* start, unsigned apart) {
    return reinterpret_cast<size_t>(start) % 16 == 0 && apart % 4 == 0;
}

template <unsigned S> struct Block {
    static constexpr unsigned SIDE = 16 * S, QUADS = S / 4, A_ROW = SIDE + PAD, ROW = 2 * SIDE + PAD, STAGE = SLICE * ROW;

    // A thread's quads of the next slice; one behind the last row or column is moved to it.
    const float *a[QUADS], *b[QUADS];
    unsigned columns[QUADS];
    size_t apart;
    bool whole;

    // Row and place in the row of the q-th quad of A and of B that thread t moves.
    static __device__ unsigned a_row(unsigned t, unsigned q) { return (t + q * THREADS) / 2 % SIDE; }
    static __device__ unsigned a_place(unsigned t, unsigned q) {
        return (t + q * THREADS) / (2 * SIDE) * 2 + (t + q * THREADS) % 2;
    }
    static __device__ unsigned b_row(unsigned t, unsigned q) { return (t + q * THREADS) / (4 * S); }
    static __device__ unsigned b_place(unsigned t, unsigned q) { return (t + q * THREADS) % (4 * S); }

    __device__ __forceinline__ Block(const float* a0, const float* b0, unsigned row0, unsigned column0, unsigned m,
                                     unsigned n, unsigned k, unsigned t) {
        whole = in_quads(a0, k) && in_quads(b0, n);
        apart = size_t(SLICE) * n;
#pragma unroll
        for (unsigned q = 0; q < QUADS; ++q) {
            a[q] = a0 + size_t(min(row0 + a_row(t, q), m - 1)) * k + 4 * a_place(t, q);
            const unsigned column = column0 + 4 * b_place(t, q);
            b[q] = b0 + size_t(b_row(t, q)) * n + (whole ? min(column, n - 4) : column);
            columns[q] = n > column ? n - column : 0;
        }
    }

    __device__ __forceinline__ void fetch(unsigned left, unsigned t, float (&from_a)[QUADS][4], float (&from_b)[QUADS][4]) {
        if (whole && left >= SLICE) {
#pragma unroll
            for (unsigned q = 0; q < QUADS; ++q) {
                const float4 x = *reinterpret_cast<const float4*>(a[q]), y = *reinterpret_cast<const float4*>(b[q]);
                from_a[q][0] = x.x, from_a[q][1] = x.y, from_a[q][2] = x.z, from_a[q][3] = x.w;
                from_b[q][0] = y.x, from_b[q][1] = y.y, from_b[q][2] = y.z, from_b[q][3] = y.w;
            }
        } else {
#pragma unroll
            for (unsigned q = 0; q < QUADS; ++q)
#pragma unroll
                for (unsigned lane = 0; lane < 4; ++lane) {
                    from_a[q][lane] = 4 * a_place(t, q) + lane < left ? a[q][lane] : 0.0f;
                    from_b[q][lane] = b_row(t, q) < left && lane < columns[q] ? b[q][lane] : 0.0f;
                }
        }
#pragma unroll
        for (unsigned q = 0; q < QUADS; ++q) a[q] += SLICE, b[q] += apart;
    }

    static __device__ __forceinline__ void store(float* stage, unsigned t, const float (&from_a)[QUADS][4],
                                                 const float (&from_b)[QUADS][4]) {
#pragma unroll
        for (unsigned q = 0; q < QUADS; ++q) {
#pragma unroll
            for (unsigned lane = 0; lane < 4; ++lane)
                stage[(4 * a_place(t, q) + lane) * ROW + a_row(t, q)] = from_a[q][lane];
            *reinterpret_cast<float4*>(&stage[b_row(t, q) * ROW + A_ROW + 4 * b_place(t, q)]) =
                make_float4(from_b[q][0], from_b[q][1], from_b[q][2], from_b[q][3]);
        }
    }

    static __device__ __forceinline__ void take(float* to, const float* from) {
        const float4 four = *reinterpret_cast<const float4*>(from);
        to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
    }

    // A row of a stage, from the thread's first row and column of the tile on.
    static __device__ __forceinline__ void load(const float* at, unsigned row, unsigned column, float (&a)[S],
                                                float (&b)[2 * S]) {
#pragma unroll
        for (unsigned half = 0; half < QUADS; ++half) take(&a[4 * half], at + row + 32 * half);
#pragma unroll
        for (unsigned q = 0; q < 2 * QUADS; ++q) take(&b[4 * q], at + A_ROW + column + 16 * q);
    }

    static __device__ __forceinline__ void multiply(const float (&a)[S], const float (&b)[2 * S],
                                                    float (&sums)[S][2 * S]) {
#pragma unroll
        for (unsigned r = 0; r < S; ++r)
#pragma unroll
            for (unsigned column = 0; column < 2 * S; ++column)
                sums[r][column] = fmaf(a[r], b[column], sums[r][column]);
    }
};

template <unsigned S>
__device__ __forceinline__ void matmul_blocked(const float* __restrict__ a, const float* __restrict__ b,
                                               float* __restrict__ c, unsigned m, unsigned n, unsigned k) {
    using Cells = Block<S>;
    __shared__ __align__(16) float memory[2][Cells::STAGE];
    const unsigned t = threadIdx.x, across = (n + Cells::SIDE - 1) / Cells::SIDE;
    const unsigned row0 = blockIdx.x / across * Cells::SIDE, column0 = blockIdx.x % across * Cells::SIDE;
    const unsigned warp = t / 32, lane = t % 32;
    const unsigned x = lane / 2 % 2 + lane / 16 * 2, y = lane % 2 + lane / 4 % 4 * 2;
    const unsigned row = warp / 2 * 8 * S + 4 * y, own = warp % 2 * 8 * S + 4 * x;
    float sums[S][2 * S] = {}, from_a[Cells::QUADS][4], from_b[Cells::QUADS][4];
    float a_even[S], b_even[2 * S], a_odd[S], b_odd[2 * S];
    Cells cells(a, b, row0, column0, m, n, k, t);
    cells.fetch(k, t, from_a, from_b);
    Cells::store(memory[0], t, from_a, from_b);
    __syncthreads();
    Cells::load(memory[0], row, own, a_even, b_even);
    unsigned now = 0;
    for (unsigned left = k; left > 0;) {
        left = left > SLICE ? left - SLICE : 0;
        cells.fetch(left, t, from_a, from_b);
#pragma unroll
        for (unsigned l = 0; l < SLICE; l += 2) {
            Cells::load(memory[now] + (l + 1) * Cells::ROW, row, own, a_odd, b_odd);
            Cells::multiply(a_even, b_even, sums);
            if (l + 2 == SLICE) {
                now ^= 1;
                Cells::store(memory[now], t, from_a, from_b);
                __syncthreads();
            }
            Cells::load(memory[now] + (l + 2) % SLICE * Cells::ROW, row, own, a_even, b_even);
            Cells::multiply(a_odd, b_odd, sums);
        }
    }
    const bool quads = in_quads(c, n);
#pragma unroll
    for (unsigned r = 0; r < S; ++r) {
        const unsigned i = row0 + row + r / 4 * 32 + r % 4;
#pragma unroll
        for (unsigned q = 0; q < 2 * Cells::QUADS; ++q) {
            const unsigned column = column0 + own + 16 * q;
            if (i >= m || column >= n) continue;
            float* cell = c + size_t(i) * n + column;
            const float* four = &sums[r][4 * q];
            if (quads) {
                *reinterpret_cast<float4*>(cell) = make_float4(four[0], four[1], four[2], four[3]);
            } else {
#pragma unroll
                for (unsigned at = 0; at < 4; ++at)
                    if (column + at < n) cell[at] = four[at];
            }
        }
    }
}

#define KERNEL(name, S)                                                                                               \
    extern "C" __global__ void __launch_bounds__(128) name(const float* a, size_t, const float* b, size_t, float* c, \
                                                           size_t, unsigned m, unsigned n, unsigned k) {             \
        matmul_blocked<S>(a, b, c, m, n, k);                                                                          \
    }

KERNEL(matmul_blocked_128, 8)
KERNEL(matmul_blocked_64, 4)
