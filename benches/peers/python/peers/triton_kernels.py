"""
The fused steps as Triton kernels. Importing this imports Triton.

Points come scaled by sqrt(log2 e) / h or its like, so that a weight is exp2 of what the loop sums. Keys are cut
into `splits` ranges; a program sums one range for one tile of queries and stores sum w and sum w X, which the
caller adds and divides. In a blurring step the query is among the keys, so the largest weight is 1, and there is
no running maximum to keep, as attention must.
"""

import triton
import triton.language as tl


@triton.jit
def shift_differences(
    points, sums, n, queries, per_split, D: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr
):
    """
    points: D x n, scaled by sqrt(log2 e / 2) / h.  sums: splits x (D + 1) x queries, sum w first.  D <= 5.
    Tiles are KEYS x QUERIES, so that a thread's sum over keys needs no other thread.
    """
    q = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    asked = q < queries
    first = tl.program_id(1) * per_split
    last = tl.minimum(first + per_split, n)
    x0 = tl.load(points + q, mask=asked, other=0.0)
    w_sum = tl.zeros([QUERIES], tl.float32)
    s0 = tl.zeros([QUERIES], tl.float32)
    s1 = tl.zeros([QUERIES], tl.float32)
    s2 = tl.zeros([QUERIES], tl.float32)
    s3 = tl.zeros([QUERIES], tl.float32)
    s4 = tl.zeros([QUERIES], tl.float32)
    if D > 1:
        x1 = tl.load(points + n + q, mask=asked, other=0.0)
    if D > 2:
        x2 = tl.load(points + 2 * n + q, mask=asked, other=0.0)
    if D > 3:
        x3 = tl.load(points + 3 * n + q, mask=asked, other=0.0)
    if D > 4:
        x4 = tl.load(points + 4 * n + q, mask=asked, other=0.0)
    for start in range(first, last, KEYS):
        k = start + tl.arange(0, KEYS)
        inside = k < last
        # Keys past the end are so far away that their weight is 0.
        y0 = tl.load(points + k, mask=inside, other=1e9)[:, None]
        difference = x0[None, :] - y0
        square = difference * difference
        if D > 1:
            y1 = tl.load(points + n + k, mask=inside, other=0.0)[:, None]
            difference = x1[None, :] - y1
            square += difference * difference
        if D > 2:
            y2 = tl.load(points + 2 * n + k, mask=inside, other=0.0)[:, None]
            difference = x2[None, :] - y2
            square += difference * difference
        if D > 3:
            y3 = tl.load(points + 3 * n + k, mask=inside, other=0.0)[:, None]
            difference = x3[None, :] - y3
            square += difference * difference
        if D > 4:
            y4 = tl.load(points + 4 * n + k, mask=inside, other=0.0)[:, None]
            difference = x4[None, :] - y4
            square += difference * difference
        w = tl.exp2(-square)
        w_sum += tl.sum(w, axis=0)
        s0 += tl.sum(w * y0, axis=0)
        if D > 1:
            s1 += tl.sum(w * y1, axis=0)
        if D > 2:
            s2 += tl.sum(w * y2, axis=0)
        if D > 3:
            s3 += tl.sum(w * y3, axis=0)
        if D > 4:
            s4 += tl.sum(w * y4, axis=0)
    out = sums + tl.program_id(1) * (D + 1) * queries + q
    tl.store(out, w_sum, mask=asked)
    tl.store(out + queries, s0, mask=asked)
    if D > 1:
        tl.store(out + 2 * queries, s1, mask=asked)
    if D > 2:
        tl.store(out + 3 * queries, s2, mask=asked)
    if D > 3:
        tl.store(out + 4 * queries, s3, mask=asked)
    if D > 4:
        tl.store(out + 5 * queries, s4, mask=asked)


@triton.jit
def shift_products(
    points, halves, sums, n, queries, per_split,
    D: tl.constexpr, LOW: tl.constexpr, HIGH: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr, PRECISION: tl.constexpr,
):
    """
    points: n x D, scaled by sqrt(log2 e) / h.  halves: |point|^2 / 2.  sums: splits x queries x (D + 1), sum w last.
    Columns are taken as LOW and, where HIGH > 0, HIGH more, both powers of two: 150 as 128 + 32.
    """
    q = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    asked = q < queries
    first = tl.program_id(1) * per_split
    last = tl.minimum(first + per_split, n)
    low = tl.arange(0, LOW)
    x = tl.load(points + q[:, None] * D + low[None, :], mask=asked[:, None] & (low < D)[None, :], other=0.0)
    x_half = tl.load(halves + q, mask=asked, other=0.0)
    w_sum = tl.zeros([QUERIES], tl.float32)
    s = tl.zeros([QUERIES, LOW], tl.float32)
    if HIGH > 0:
        high = LOW + tl.arange(0, HIGH)
        x_high = tl.load(points + q[:, None] * D + high[None, :], mask=asked[:, None] & (high < D)[None, :], other=0.0)
        s_high = tl.zeros([QUERIES, HIGH], tl.float32)
    for start in range(first, last, KEYS):
        k = start + tl.arange(0, KEYS)
        inside = k < last
        y = tl.load(points + k[:, None] * D + low[None, :], mask=inside[:, None] & (low < D)[None, :], other=0.0)
        # Keys past the end have a bias that makes their weight 0.
        y_half = tl.load(halves + k, mask=inside, other=1e30)
        score = tl.dot(x, tl.trans(y), input_precision=PRECISION)
        if HIGH > 0:
            y_high = tl.load(
                points + k[:, None] * D + high[None, :], mask=inside[:, None] & (high < D)[None, :], other=0.0
            )
            score = tl.dot(x_high, tl.trans(y_high), score, input_precision=PRECISION)
        w = tl.exp2(tl.minimum(score - x_half[:, None] - y_half[None, :], 0.0))
        w_sum += tl.sum(w, axis=1)
        s = tl.dot(w, y, s, input_precision=PRECISION)
        if HIGH > 0:
            s_high = tl.dot(w, y_high, s_high, input_precision=PRECISION)
    out = sums + (tl.program_id(1) * queries + q) * (D + 1)
    tl.store(out[:, None] + low[None, :], s, mask=asked[:, None] & (low < D)[None, :])
    if HIGH > 0:
        tl.store(out[:, None] + high[None, :], s_high, mask=asked[:, None] & (high < D)[None, :])
    tl.store(out + D, w_sum, mask=asked)
