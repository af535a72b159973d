// The tiled matrix product in CUDA C++: the algorithm of gpu/matmul.rs, `matmul_tiled`, with the same
// name, parameters and shapes, so that it can be launched in the place of ours: tiles of 64 x 16 and
// 16 x 64 in shared memory, 4 x 4 cells of C in the registers of each thread of a 16 x 16 block. A slice is
// two parameters, its address and its length; the lengths are not looked at here.

constexpr unsigned SIDE = 16, ROWS = 4, LANES = 4, TILE_K = 16, TILE_M = SIDE * ROWS, TILE_N = SIDE * LANES;

extern "C" __global__ void matmul_tiled(const float* __restrict__ a, size_t, const float* __restrict__ b,
                                        size_t, float* __restrict__ c, size_t, unsigned m, unsigned n,
                                        unsigned k) {
    __shared__ __align__(16) float a_tile[TILE_K][TILE_M];
    __shared__ __align__(16) float b_tile[TILE_K][TILE_N];
    const unsigned x = threadIdx.x, y = threadIdx.y, rank = y * SIDE + x;
    const unsigned row0 = blockIdx.y * TILE_M, column0 = blockIdx.x * TILE_N;
    float sums[ROWS][LANES] = {};
    for (unsigned l0 = 0; l0 < k; l0 += TILE_K) {
#pragma unroll
        for (unsigned at = rank; at < TILE_M * TILE_K; at += SIDE * SIDE) {
            const unsigned row = row0 + at / TILE_K, l = l0 + at % TILE_K;
            a_tile[at % TILE_K][at / TILE_K] = row < m && l < k ? a[(size_t)row * k + l] : 0.0f;
        }
#pragma unroll
        for (unsigned at = rank; at < TILE_K * TILE_N; at += SIDE * SIDE) {
            const unsigned l = l0 + at / TILE_N, column = column0 + at % TILE_N;
            b_tile[at / TILE_N][at % TILE_N] = l < k && column < n ? b[(size_t)l * n + column] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (unsigned l = 0; l < TILE_K; ++l) {
            const float4 left = *reinterpret_cast<const float4*>(&a_tile[l][y * ROWS]);
            const float4 right = *reinterpret_cast<const float4*>(&b_tile[l][x * LANES]);
            const float rows[ROWS] = {left.x, left.y, left.z, left.w};
            const float lanes[LANES] = {right.x, right.y, right.z, right.w};
#pragma unroll
            for (unsigned r = 0; r < ROWS; ++r)
#pragma unroll
                for (unsigned lane = 0; lane < LANES; ++lane)
                    sums[r][lane] = fmaf(rows[r], lanes[lane], sums[r][lane]);
        }
        __syncthreads();
    }
#pragma unroll
    for (unsigned r = 0; r < ROWS; ++r)
#pragma unroll
        for (unsigned lane = 0; lane < LANES; ++lane) {
            const unsigned row = row0 + y * ROWS + r, column = column0 + x * LANES + lane;
            if (row < m && column < n) c[(size_t)row * n + column] = sums[r][lane];
        }
}
