//! Sums over a box of points of a weight that is a power of 1 - q, with q the scaled squared distance: by moments of the box.
//!
//! With x a point and r a query, both counted from the box's middle, and k = 1 - r.r:
//!
//! ```text
//! 1 - |x - r|^2 = k + 2 r.x - x.x
//! ```
//!
//! so that a power p of it, and x times this, are polynomials in r whose coefficients are sums over the points: moments, of their
//! factors f. In order, with x.x taken as one number wherever it stands:
//!
//! ```text
//! p = 0:  S_a = sum f x_a    F = sum f
//! p = 1:  T_ab = sum f x_a x_b (a <= b)    V_a = sum f (x.x) x_a
//! p = 2:  M_abc = sum f x_a x_b x_c (a <= b <= c)    N_ab = sum f (x.x) x_a x_b    P_a = sum f (x.x)^2 x_a
//! ```
//!
//! Those of a power have those of the lower ones in front. In the plane they are 3, 8 and 17 numbers, and cost a query 4, 20 and 56 operations,
//! where 64 points cost it 512, 576 and 640.
//!
//! What it is part of: see whole.rs; who finds the moments: boxes.rs.

use cuda_std::prelude::*;

/// Pairs (a, b) of d coordinates, a <= b.
const fn pairs(d: usize) -> usize {
    d * (d + 1) / 2
}

/// Triples of d coordinates in order.
const fn triples(d: usize) -> usize {
    d * (d + 1) * (d + 2) / 6
}

/// The most coordinates for which boxes have moments.
pub(crate) const MOST: usize = 4;

/// Which of the pairs (a, b) is, in either order: a table, for LLVM to know it where loops over coordinates are unrolled.
const fn pair_table(d: usize) -> [[usize; MOST]; MOST] {
    let (mut table, mut next, mut a) = ([[0; MOST]; MOST], 0, 0);
    while a < d {
        let mut b = a;
        while b < d {
            (table[a][b], table[b][a]) = (next, next);
            next += 1;
            b += 1;
        }
        a += 1;
    }
    table
}

/// Which of the triples (a, b, c) is, in any order.
const fn triple_table(d: usize) -> [[[usize; MOST]; MOST]; MOST] {
    let (mut table, mut next, mut a) = ([[[0; MOST]; MOST]; MOST], 0, 0);
    while a < d {
        let mut b = a;
        while b < d {
            let mut c = b;
            while c < d {
                (table[a][b][c], table[a][c][b], table[b][a][c]) = (next, next, next);
                (table[b][c][a], table[c][a][b], table[c][b][a]) = (next, next, next);
                next += 1;
                c += 1;
            }
            b += 1;
        }
        a += 1;
    }
    table
}

/// Moments of a box of points of d coordinates, for a power of 0, 1 or 2.
///
/// ```
/// use gpu::polynomial::moments;
///
/// assert_eq!([0, 1, 2].map(|power| moments(2, power)), [3, 8, 17]);
/// ```
pub const fn moments(d: usize, power: u32) -> usize {
    match power {
        0 => d + 1,
        1 => d + 1 + pairs(d) + d,
        _ => d + 1 + pairs(d) + d + triples(d) + pairs(d) + d,
    }
}

/// A box's moments.
#[derive(Clone, Copy)]
pub(crate) struct Moments(pub *const f32);

impl Moments {
    /// The sums over the box of w and of w (x - r), for a query at r from its middle.
    ///
    /// # Safety
    /// There are the moments of D coordinates for this power.
    #[inline(always)]
    pub(crate) unsafe fn sums<M: Machine, const D: usize>(self, power: u32, r: [f32; D]) -> ([f32; D], f32) {
        // SAFETY: the caller's promise, here and below.
        let at = |i: usize| unsafe { self.0.add(i).read() };
        let (pair, triple) = const { (pair_table(D), triple_table(D)) };
        let mut squared = 0.0;
        for a in 0..D {
            squared = M::mul_add(r[a], r[a], squared);
        }
        let k = 1.0 - squared;
        let (mut moved, mut total) = ([0.0; D], at(D));
        for a in 0..D {
            moved[a] = at(a);
        }
        let (t, v) = (D + 1, D + 1 + pairs(D));
        let (m, n, p) = (v + D, v + D + triples(D), v + D + triples(D) + pairs(D));
        if power == 1 {
            total = k * at(D);
            for a in 0..D {
                total = M::mul_add(2.0 * r[a], at(a), total) - at(t + pair[a][a]);
                let mut along = M::mul_add(k, at(a), -at(v + a));
                for b in 0..D {
                    along = M::mul_add(2.0 * r[b], at(t + pair[a][b]), along);
                }
                moved[a] = along;
            }
        }
        if power == 2 {
            total = k * k * at(D);
            for a in 0..D {
                // The sums of x.r x_a, of its square's x_a, and of (x.x) (x.r) x_a.
                let (mut once, mut twice, mut by_length) = (0.0, 0.0, 0.0);
                for b in 0..D {
                    once = M::mul_add(r[b], at(t + pair[a][b]), once);
                    by_length = M::mul_add(r[b], at(n + pair[a][b]), by_length);
                    let mut row = 0.0;
                    for c in 0..D {
                        row = M::mul_add(r[c], at(m + triple[a][b][c]), row);
                    }
                    twice = M::mul_add(r[b], row, twice);
                }
                let inner = M::mul_add(k, at(a), 4.0 * once) - 2.0 * at(v + a);
                moved[a] = M::mul_add(k, inner, M::mul_add(4.0, twice - by_length, at(p + a)));
                let rest = M::mul_add(4.0 * r[a], M::mul_add(k, at(a), once) - at(v + a), at(n + pair[a][a]));
                total += M::mul_add(-2.0 * k, at(t + pair[a][a]), rest);
            }
        }
        for a in 0..D {
            moved[a] = M::mul_add(-total, r[a], moved[a]);
        }
        (moved, total)
    }
}
