// The fused mean-shift step in CUDA C++: the algorithm of gpu/shift.rs, for d = 1, 2, 3, 4 and the same
// five weights, and that of gpu/shift_wide.rs for the Gaussian, with the same names, parameters and shapes,
// so that it can be launched in the place of ours. A slice is two parameters, its address and its length; the lengths are not looked at here, nor are
// marks, nor boxes: these are the kernels of points without any, over all pairs.
//
// A thread holds 4 queries in registers; the block's threads share tiles of 1024 points in shared
// memory; the inner loop takes 4 points at a time. The two approximations are written out: the option
// --use_fast_math would choose them too, but costs the Gaussian one more instruction a pair.

constexpr int LANES = 4;
constexpr unsigned TILE = 1024;

// The cells of a run's state: gpu/progress.rs.
enum : unsigned { ACTIVE, ITERATION, FARTHEST, ARRIVED, HISTORY = 8 };

template <int D> struct Row;
template <> struct Row<1> { float c[1]; };
template <> struct __align__(8) Row<2> { float c[2]; };
template <> struct __align__(16) Row<3> { float c[3]; };
template <> struct __align__(16) Row<4> { float c[4]; };

struct Gaussian {
    static __device__ __forceinline__ float of(float squared) {
        float weight;
        asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(weight) : "f"(-squared));
        return weight;
    }
};

struct Triangular {
    static __device__ __forceinline__ float of(float squared) {
        float distance;
        asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(distance) : "f"(squared));
        return fmaxf(1.0f - distance, 0.0f);
    }
};

struct Flat {
    static __device__ __forceinline__ float of(float squared) { return squared <= 1.0f ? 1.0f : 0.0f; }
};

struct Epanechnikov {
    static __device__ __forceinline__ float of(float squared) { return fmaxf(1.0f - squared, 0.0f); }
};

struct Biweight {
    static __device__ __forceinline__ float of(float squared) {
        const float root = fmaxf(1.0f - squared, 0.0f);
        return root * root;
    }
};

// What a tile adds: sums[c] += sum_j w_j (x_jc - q_c), total += sum_j w_j.
template <class W, int D>
__device__ __forceinline__ void pull(const Row<D>* tile, unsigned len, const float (&queries)[D][LANES],
                                     float (&sums)[D][LANES], float (&totals)[LANES]) {
#pragma unroll 4
    for (unsigned j = 0; j < len; ++j) {
        const Row<D> x = tile[j];
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane) {
            float difference[D];
            float squared = 0.0f;
#pragma unroll
            for (int c = 0; c < D; ++c) {
                difference[c] = x.c[c] - queries[c][lane];
                squared = c == 0 ? difference[c] * difference[c] : fmaf(difference[c], difference[c], squared);
            }
            const float weight = W::of(squared);
            totals[lane] += weight;
#pragma unroll
            for (int c = 0; c < D; ++c) sums[c][lane] = fmaf(weight, difference[c], sums[c][lane]);
        }
    }
}

// As ours: rounded, and in one and two dimensions without a branch to a subroutine, off by two units in the last place at most.
template <int D> __device__ __forceinline__ float quotient(float a, float b) {
    if (D > 2) return a / b;
    float quotient;
    asm("div.approx.ftz.f32 %0, %1, %2;" : "=f"(quotient) : "f"(a), "f"(b));
    return quotient;
}

// a + b c, each rounded: at a query's end the compiler would make one operation of two that are two in ours, and other bits.
__device__ __forceinline__ float plus(float a, float b, float c) { return __fadd_rn(a, __fmul_rn(b, c)); }

// Other blocks touch the cells in the same launch: accesses must not be ones that a race makes meaningless.
__device__ __forceinline__ unsigned load(const unsigned* cell) { return *static_cast<const volatile unsigned*>(cell); }
__device__ __forceinline__ void store(unsigned* cell, unsigned value) { *static_cast<volatile unsigned*>(cell) = value; }

// Ends an iteration of the blurring form: the last block to come here notes its largest shift, and whether
// there is another.
__device__ __forceinline__ void end_blurring(unsigned* state, float farthest, float tolerance, unsigned active) {
    if (load(state + FARTHEST) < __float_as_uint(farthest)) atomicMax(state + FARTHEST, __float_as_uint(farthest));
    __syncthreads();
    if (threadIdx.x != 0) return;
    __threadfence();
    if (atomicAdd(state + ARRIVED, 1) + 1 != gridDim.x) return;
    __threadfence();
    const unsigned largest = load(state + FARTHEST), iteration = load(state + ITERATION);
    store(state + HISTORY + iteration, largest);
    store(state + ITERATION, iteration + 1);
    store(state + ACTIVE, largest <= __float_as_uint(tolerance) ? 0 : active);
    store(state + FARTHEST, 0);
    store(state + ARRIVED, 0);
}

// Whether this block is the last of those with its queries, which share out the points: gpu/slices.rs.
__device__ __forceinline__ bool is_last(unsigned* arrived) {
    __shared__ bool last;
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        last = atomicAdd(arrived + blockIdx.x, 1) + 1 == gridDim.y;
        if (last) {
            __threadfence();
            store(arrived + blockIdx.x, 0);
        }
    }
    __syncthreads();
    return last;
}

template <class W, int D>
__device__ __forceinline__ void shift(const float* __restrict__ all_queries, const float* __restrict__ points,
                                      float* __restrict__ next, float* __restrict__ details, unsigned* state, unsigned n,
                                      unsigned stride, unsigned query_stride, unsigned limit, float tolerance,
                                      float relaxation, float* partial, unsigned* arrived, unsigned slice) {
    __shared__ Row<D> tile[TILE];
    const unsigned active = load(state + ITERATION) < limit ? load(state + ACTIVE) : 0;
    if (blockIdx.x * blockDim.x * LANES >= active) return;
    const unsigned first = (blockIdx.x * blockDim.x + threadIdx.x) * LANES;
    const unsigned from = first < query_stride ? first : 0;
    float queries[D][LANES], sums[D][LANES] = {}, totals[LANES] = {};
    for (int c = 0; c < D; ++c)
        for (int lane = 0; lane < LANES; ++lane) queries[c][lane] = all_queries[c * query_stride + from + lane];
    const unsigned start = blockIdx.y * slice, end = start + min(slice, n - start);
    for (unsigned j0 = start; j0 < end; j0 += TILE) {
        const unsigned len = min(TILE, end - j0);
        for (unsigned j = threadIdx.x; j < len; j += blockDim.x) {
            Row<D> x;
            for (int c = 0; c < D; ++c) x.c[c] = points[c * stride + j0 + j];
            tile[j] = x;
        }
        __syncthreads();
        float tile_sums[D][LANES] = {}, tile_totals[LANES] = {};
        pull<W, D>(tile, len, queries, tile_sums, tile_totals);
        for (int lane = 0; lane < LANES; ++lane) {
            totals[lane] += tile_totals[lane];
            for (int c = 0; c < D; ++c) sums[c][lane] += tile_sums[c][lane];
        }
        __syncthreads();
    }
    if (slice < n) {
        // For each slice D + 1 columns of queries, which begin at multiples of 16 bytes.
        const auto at = [&](unsigned s, int c) {
            return reinterpret_cast<float4*>(partial + (size_t(s) * (D + 1) + c) * query_stride + first);
        };
        if (first < active) {
            for (int c = 0; c < D; ++c) *at(blockIdx.y, c) = make_float4(sums[c][0], sums[c][1], sums[c][2], sums[c][3]);
            *at(blockIdx.y, D) = make_float4(totals[0], totals[1], totals[2], totals[3]);
        }
        if (!is_last(arrived)) return;
        for (int lane = 0; lane < LANES; ++lane) {
            totals[lane] = 0.0f;
            for (int c = 0; c < D; ++c) sums[c][lane] = 0.0f;
        }
        for (unsigned s = 0; first < active && s < gridDim.y; ++s) {
            for (int c = 0; c < D; ++c) {
                const float4 more = *at(s, c);
                sums[c][0] += more.x, sums[c][1] += more.y, sums[c][2] += more.z, sums[c][3] += more.w;
            }
            const float4 more = *at(s, D);
            totals[0] += more.x, totals[1] += more.y, totals[2] += more.z, totals[3] += more.w;
        }
    }
    float farthest = 0.0f;
    for (int lane = 0; lane < LANES; ++lane) {
        if (first + lane >= active) continue;
        float squared = 0.0f;
        for (int c = 0; c < D; ++c) {
            const float step = totals[lane] > 0.0f ? quotient<D>(sums[c][lane], totals[lane]) : 0.0f * totals[lane];
            squared = plus(squared, step, step);
            next[c * query_stride + first + lane] = plus(queries[c][lane], relaxation, step);
        }
        details[first + lane] = totals[lane];
        details[query_stride + first + lane] = squared;
        farthest = squared <= farthest ? farthest : squared;
    }
    // A negative tolerance stands for the standard form, whose iterations another kernel ends.
    if (tolerance >= 0.0f) end_blurring(state, farthest, tolerance, active);
}

#define KERNEL(name, W, D)                                                                                         \
    extern "C" __global__ void name##_##D(const float* queries, size_t, const float* points, size_t, const float*, \
                                          size_t, float* next, size_t, float* sums, size_t, unsigned* state,       \
                                          unsigned n, unsigned stride, unsigned query_stride, unsigned,            \
                                          unsigned limit, float tolerance, float relaxation, const float*, size_t, \
                                          const float*, size_t, unsigned, float, float* partial,                   \
                                          unsigned* arrived, unsigned slice) {                                     \
        shift<W, D>(queries, points, next, sums, state, n, stride, query_stride, limit, tolerance, relaxation,     \
                    partial, arrived, slice);                                                                      \
    }
#define KERNELS(name, W) KERNEL(name, W, 1) KERNEL(name, W, 2) KERNEL(name, W, 3) KERNEL(name, W, 4)

KERNELS(shift_gaussian, Gaussian)
KERNELS(shift_triangular, Triangular)
KERNELS(shift_flat, Flat)
KERNELS(shift_epanechnikov, Epanechnikov)
KERNELS(shift_biweight, Biweight)

// For 5 to 32 dimensions, padded to D: gpu/shift_wide.rs. A thread holds QUERIES queries and a tile's sums in
// registers; sums of all tiles are in `next`, or, of several slices, where those meet.
constexpr unsigned WIDE_TILE = 128;

// The gap puts the neighbours that a quarter of a warp stores at once into different banks.
template <int D> struct __align__(16) WideRow {
    float4 quads[D / 4];
    float4 gap;
};

template <class W, int D, int QUERIES>
__device__ __forceinline__ void pull_wide(const WideRow<D>* tile, unsigned len, const float (&queries)[D][QUERIES],
                                          float (&sums)[D][QUERIES], float (&totals)[QUERIES]) {
    for (unsigned j = 0; j < len; ++j) {
        float x[D];
#pragma unroll
        for (int q = 0; q < D / 4; ++q) {
            const float4 quad = tile[j].quads[q];
            x[4 * q] = quad.x, x[4 * q + 1] = quad.y, x[4 * q + 2] = quad.z, x[4 * q + 3] = quad.w;
        }
#pragma unroll
        for (int lane = 0; lane < QUERIES; ++lane) {
            float squared = 0.0f;
#pragma unroll
            for (int c = 0; c < D; ++c) {
                const float difference = x[c] - queries[c][lane];
                squared = c == 0 ? difference * difference : fmaf(difference, difference, squared);
            }
            const float weight = W::of(squared);
            totals[lane] += weight;
#pragma unroll
            for (int c = 0; c < D; ++c) sums[c][lane] = fmaf(weight, x[c], sums[c][lane]);
        }
    }
}

template <class W, int D, int QUERIES>
__device__ __forceinline__ void shift_wide(const float* __restrict__ all_queries, const float* __restrict__ points,
                                           float* __restrict__ next, float* __restrict__ details, unsigned* state,
                                           unsigned n, unsigned d, unsigned stride, unsigned query_stride,
                                           unsigned limit, float tolerance, float relaxation,
                                           float* partial, unsigned* arrived, unsigned slice) {
    __shared__ WideRow<D> tile[WIDE_TILE];
    const unsigned active = load(state + ITERATION) < limit ? load(state + ACTIVE) : 0;
    if (blockIdx.x * blockDim.x * QUERIES >= active) return;
    const unsigned first = (blockIdx.x * blockDim.x + threadIdx.x) * QUERIES;
    const bool moves = first < active;
    float queries[D][QUERIES], totals[QUERIES] = {};
#pragma unroll
    for (unsigned c = 0; c < D; ++c)
#pragma unroll
        for (int lane = 0; lane < QUERIES; ++lane)
            queries[c][lane] = c < d ? all_queries[size_t(c) * query_stride + (moves ? first : 0) + lane] : 0.0f;
    // Of several slices each has d + 1 columns of sums.
    float* const own = slice < n ? partial + size_t(blockIdx.y) * (d + 1) * query_stride : next;
    for (unsigned c = 0; moves && c < d; ++c)
        for (int lane = 0; lane < QUERIES; ++lane) own[size_t(c) * query_stride + first + lane] = 0.0f;
    const unsigned start = blockIdx.y * slice, end = start + min(slice, n - start);
    for (unsigned j0 = start; j0 < end; j0 += WIDE_TILE) {
        const unsigned len = min(WIDE_TILE, end - j0);
        for (unsigned j = threadIdx.x; j < len; j += blockDim.x) {
#pragma unroll
            for (unsigned q = 0; q < D / 4; ++q) {
                const auto x = [&](unsigned c) { return c < d ? points[size_t(c) * stride + j0 + j] : 0.0f; };
                tile[j].quads[q] = make_float4(x(4 * q), x(4 * q + 1), x(4 * q + 2), x(4 * q + 3));
            }
        }
        __syncthreads();
        if (moves) {
            float sums[D][QUERIES] = {}, tile_totals[QUERIES] = {};
            pull_wide<W, D, QUERIES>(tile, len, queries, sums, tile_totals);
#pragma unroll
            for (int lane = 0; lane < QUERIES; ++lane) totals[lane] += tile_totals[lane];
#pragma unroll
            for (unsigned c = 0; c < D; ++c)
#pragma unroll
                for (int lane = 0; lane < QUERIES; ++lane)
                    if (c < d) own[size_t(c) * query_stride + first + lane] += sums[c][lane];
        }
        __syncthreads();
    }
    if (slice < n) {
        for (int lane = 0; moves && lane < QUERIES; ++lane) own[size_t(d) * query_stride + first + lane] = totals[lane];
        if (!is_last(arrived)) return;
        for (unsigned c = 0; moves && c <= d; ++c) {
            float collected[QUERIES] = {};
            for (unsigned s = 0; s < gridDim.y; ++s)
                for (int lane = 0; lane < QUERIES; ++lane)
                    collected[lane] += partial[(size_t(s) * (d + 1) + c) * query_stride + first + lane];
#pragma unroll
            for (int lane = 0; lane < QUERIES; ++lane) {
                totals[lane] = collected[lane];
                if (c < d) next[size_t(c) * query_stride + first + lane] = collected[lane];
            }
        }
    }
    float farthest = 0.0f, squared[QUERIES] = {};
    for (unsigned c = 0; moves && c < d; ++c) {
#pragma unroll
        for (int lane = 0; lane < QUERIES; ++lane) {
            const size_t at = size_t(c) * query_stride + first + lane;
            const float query = all_queries[at], mean = next[at] / totals[lane];
            const float step = totals[lane] > 0.0f ? mean - query : 0.0f * totals[lane];
            squared[lane] = plus(squared[lane], step, step);
            next[at] = relaxation == 1.0f && totals[lane] > 0.0f ? mean : plus(query, relaxation, step);
        }
    }
#pragma unroll
    for (int lane = 0; lane < QUERIES; ++lane) {
        if (first + lane >= active) continue;
        details[first + lane] = totals[lane];
        details[query_stride + first + lane] = squared[lane];
        farthest = squared[lane] <= farthest ? farthest : squared[lane];
    }
    if (tolerance >= 0.0f) end_blurring(state, farthest, tolerance, active);
}

#define WIDE_KERNEL(name, W, D, QUERIES)                                                                           \
    extern "C" __global__ void name##_##D(const float* queries, size_t, const float* points, size_t, float* next,  \
                                          size_t, float* sums, size_t, unsigned* state, unsigned n, unsigned d,    \
                                          unsigned stride, unsigned query_stride, unsigned, unsigned limit,        \
                                          float tolerance, float relaxation, float* partial,                       \
                                          unsigned* arrived, unsigned slice) {                                     \
        shift_wide<W, D, QUERIES>(queries, points, next, sums, state, n, d, stride, query_stride, limit,           \
                                  tolerance, relaxation, partial, arrived, slice);                                 \
    }

WIDE_KERNEL(shift_gaussian, Gaussian, 8, 4)
WIDE_KERNEL(shift_gaussian, Gaussian, 16, 2)
WIDE_KERNEL(shift_gaussian, Gaussian, 32, 2)
