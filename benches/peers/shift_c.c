/* The peer of the fused Gaussian step for d = 2: the same arithmetic, written by hand in C.
 *
 *   x'_i = x_i + sum_j w_ij (x_j - x_i) / sum_j w_ij,   w_ij = 2^-|x_i - x_j|^2,   moved = max_i |x'_i - x_i|^2
 *
 * Queries stand in HELD vectors; points are broadcast from memory. The exponential is the polynomial of
 * cuda_std/src/machine.rs, operation by operation, and sums run within tiles and then over tiles, as in
 * gpu/shift.rs. A vector of pairs costs 18 vector operations: 2 sub, mul and fma for the distance; min, 3 sub,
 * 5 fma, shift and add for the exponential; add and 2 fma for the sums.
 *
 *   cc -O3 -mavx2 -mfma -pthread shift_c.c      eight lanes
 *   cc -O3 -march=native -pthread shift_c.c     sixteen lanes, where the processor has AVX-512
 *
 * Not with -ffast-math: it would cancel the rounding by 1.5 * 2^23.
 *
 *   shift_c shift POINTS N THREADS REPEATS OUT   N points (all x, then all y; raw f32), REPEATS steps of them
 *   shift_c peak THREADS REPEATS                 REPEATS times 2^20 rounds of 12 independent vector fma
 *
 * Both print the seconds that the repeats took, and the lanes of a vector.
 */
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __AVX512F__
typedef __m512 Vector;
typedef __m512i Bits;
#define V(name) _mm512_##name
#define ADD_BITS _mm512_add_epi32
#define SHIFT_BITS _mm512_slli_epi32
#define TO_BITS _mm512_castps_si512
#define FROM_BITS _mm512_castsi512_ps
#else
typedef __m256 Vector;
typedef __m256i Bits;
#define V(name) _mm256_##name
#define ADD_BITS _mm256_add_epi32
#define SHIFT_BITS _mm256_slli_epi32
#define TO_BITS _mm256_castps_si256
#define FROM_BITS _mm256_castsi256_ps
#endif

enum { LANES = sizeof(Vector) / sizeof(float), HELD = 2, TILE = 1024 };

typedef struct {
    const float *x, *y;
    float *next_x, *next_y;
    int n, first, end; /* this thread's queries */
    float moved;
} Part;

static inline Vector exp2_minus(Vector x) {
    const Vector round = V(set1_ps)(12582912.0f);
    x = V(min_ps)(x, V(set1_ps)(126.0f));
    Vector shifted = V(sub_ps)(round, x);
    Vector fraction = V(sub_ps)(V(sub_ps)(round, shifted), x);
    Vector power = V(set1_ps)(0.0013264727f);
    power = V(fmadd_ps)(power, fraction, V(set1_ps)(0.009671513f));
    power = V(fmadd_ps)(power, fraction, V(set1_ps)(0.055507336f));
    power = V(fmadd_ps)(power, fraction, V(set1_ps)(0.24022242f));
    power = V(fmadd_ps)(power, fraction, V(set1_ps)(0.693147f));
    power = V(fmadd_ps)(power, fraction, V(set1_ps)(1.0f));
    return FROM_BITS(ADD_BITS(TO_BITS(power), SHIFT_BITS(TO_BITS(shifted), 23)));
}

/* The points lie in memory that is padded with zeros to a multiple of HELD * LANES. */
static void step(void *argument) {
    Part *part = argument;
    const float *x = part->x, *y = part->y;
    float moved = 0.0f;
    for (int i = part->first; i < part->end; i += HELD * LANES) {
        Vector qx[HELD], qy[HELD], sum_x[HELD], sum_y[HELD], total[HELD];
        for (int h = 0; h < HELD; h++) {
            qx[h] = V(loadu_ps)(x + i + h * LANES);
            qy[h] = V(loadu_ps)(y + i + h * LANES);
            sum_x[h] = sum_y[h] = total[h] = V(setzero_ps)();
        }
        for (int j0 = 0; j0 < part->n; j0 += TILE) {
            int end = j0 + TILE < part->n ? j0 + TILE : part->n;
            Vector tile_x[HELD], tile_y[HELD], tile_total[HELD];
            for (int h = 0; h < HELD; h++) tile_x[h] = tile_y[h] = tile_total[h] = V(setzero_ps)();
            for (int j = j0; j < end; j++) {
                Vector px = V(set1_ps)(x[j]), py = V(set1_ps)(y[j]);
                for (int h = 0; h < HELD; h++) {
                    Vector dx = V(sub_ps)(px, qx[h]), dy = V(sub_ps)(py, qy[h]);
                    Vector weight = exp2_minus(V(fmadd_ps)(dy, dy, V(mul_ps)(dx, dx)));
                    tile_total[h] = V(add_ps)(tile_total[h], weight);
                    tile_x[h] = V(fmadd_ps)(weight, dx, tile_x[h]);
                    tile_y[h] = V(fmadd_ps)(weight, dy, tile_y[h]);
                }
            }
            for (int h = 0; h < HELD; h++) {
                sum_x[h] = V(add_ps)(sum_x[h], tile_x[h]);
                sum_y[h] = V(add_ps)(sum_y[h], tile_y[h]);
                total[h] = V(add_ps)(total[h], tile_total[h]);
            }
        }
        for (int h = 0; h < HELD; h++) {
            Vector dx = V(div_ps)(sum_x[h], total[h]), dy = V(div_ps)(sum_y[h], total[h]);
            V(storeu_ps)(part->next_x + i + h * LANES, V(add_ps)(qx[h], dx));
            V(storeu_ps)(part->next_y + i + h * LANES, V(add_ps)(qy[h], dy));
            float squared[LANES];
            V(storeu_ps)(squared, V(fmadd_ps)(dy, dy, V(mul_ps)(dx, dx)));
            for (int lane = 0; lane < LANES; lane++)
                if (i + h * LANES + lane < part->n && !(squared[lane] <= moved)) moved = squared[lane];
        }
    }
    part->moved = moved;
}

/* Twelve independent chains, enough to cover the latency of two units; as an array they would stay in
 * memory. The empty asm has each step neither folded nor hoisted. */
static void peak(void *result) {
    const Vector half = V(set1_ps)(0.5f);
    Vector a = half, b = half, c = half, d = half, e = half, f = half;
    Vector g = half, h = half, i = half, j = half, k = half, l = half;
#define FMA(chain) chain = V(fmadd_ps)(chain, half, half); __asm__ volatile("" : "+v"(chain))
    for (int round = 0; round < 1 << 20; round++) {
        FMA(a); FMA(b); FMA(c); FMA(d); FMA(e); FMA(f);
        FMA(g); FMA(h); FMA(i); FMA(j); FMA(k); FMA(l);
    }
    Vector sum = V(add_ps)(V(add_ps)(V(add_ps)(a, b), V(add_ps)(c, d)), V(add_ps)(V(add_ps)(e, f), V(add_ps)(g, h)));
    V(storeu_ps)(result, V(add_ps)(sum, V(add_ps)(V(add_ps)(i, j), V(add_ps)(k, l))));
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A thread's part of all repeats. */
typedef struct {
    void (*body)(void *);
    char *argument;
    int repeats, threads;
    atomic_int *arrived;
} Share;

/* Threads meet behind each repeat, as those of a kernel do, and look for each other meanwhile: the system would take
 * a good part of a short step to wake them. */
static void *all_repeats(void *argument) {
    const Share *share = argument;
    for (int r = 1; r <= share->repeats; r++) {
        share->body(share->argument);
        atomic_fetch_add(share->arrived, 1);
        for (int turn = 0; atomic_load(share->arrived) < r * share->threads; turn++)
            if (turn > 1000) sched_yield();
    }
    return NULL;
}

/* Repeats the body for each argument, the first on this thread; the seconds that it took. */
static double run(void (*body)(void *), char *arguments, size_t size, int threads, int repeats) {
    atomic_int arrived = 0;
    pthread_t others[threads];
    Share shares[threads];
    double start = seconds();
    for (int t = 0; t < threads; t++) {
        shares[t] = (Share){body, arguments + t * size, repeats, threads, &arrived};
        if (t && pthread_create(&others[t], NULL, all_repeats, &shares[t])) abort();
    }
    all_repeats(&shares[0]);
    for (int t = 1; t < threads; t++) pthread_join(others[t], NULL);
    return seconds() - start;
}

static float *zeros(size_t count) {
    float *values = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
    if (!values) abort();
    memset(values, 0, count * sizeof(float));
    return values;
}

static int time_shift(char **words) {
    int n = atoi(words[1]), threads = atoi(words[2]), repeats = atoi(words[3]);
    int block = HELD * LANES, blocks = (n + block - 1) / block;
    size_t padded = (size_t)blocks * block;
    float *points = zeros(2 * padded), *next = zeros(2 * padded);
    FILE *in = fopen(words[0], "rb");
    if (!in || fread(points, sizeof(float), n, in) != (size_t)n ||
        fread(points + padded, sizeof(float), n, in) != (size_t)n)
        return 1;
    fclose(in);
    Part parts[threads];
    for (int t = 0; t < threads; t++) {
        int first = (int)((long)blocks * t / threads) * block, end = (int)((long)blocks * (t + 1) / threads) * block;
        parts[t] = (Part){points, points + padded, next, next + padded, n, first, end, 0.0f};
    }
    double took = run(step, (char *)parts, sizeof(Part), threads, repeats);
    FILE *out = fopen(words[4], "wb");
    if (!out || fwrite(next, sizeof(float), n, out) != (size_t)n ||
        fwrite(next + padded, sizeof(float), n, out) != (size_t)n || fclose(out))
        return 1;
    printf("%.9f %d\n", took, LANES);
    return 0;
}

int main(int count, char **words) {
    if (count == 7 && !strcmp(words[1], "shift")) return time_shift(words + 2);
    if (count != 4 || strcmp(words[1], "peak")) return 2;
    int threads = atoi(words[2]), repeats = atoi(words[3]);
    Vector results[threads];
    printf("%.9f %d\n", run(peak, (char *)results, sizeof(Vector), threads, repeats), LANES);
    return 0;
}
