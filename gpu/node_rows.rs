//! Rows of a field's nodes, as a processor takes them: four neighbours along x, all their words at a time.
//!
//! A thread has two kinds of vectors. What a place has of its own, its splines, is computed for L places in lanes ([`Splines`]);
//! then, place after place, what is done with the nodes about it is done to whole rows, whose lanes are words. Which of them is a
//! mass and which a moment, tables say ([`Words`]) that are read from memory: of constants the compiler would see that some lanes
//! are 0 and others 1, and take the vector to pieces. docs/performance/fields-and-tiles.md has what that took, and what else was tried.

use core::ops::Range;

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

use crate::lanes::{load_some, seen_anew, unseen};
use crate::many::{MANY_WORDS, MOST, tap};
use crate::spline::{TAPS, locate, offsets, weights};
use crate::spread::{WORDS, rounded};

/// Numbers that begin a line of the caches: a vector that is written as a whole, and read in parts, would wait if it lay across two.
#[repr(align(64))]
struct Line<const R: usize>([f32; R]);

/// What each of R words of a row stands for.
#[repr(C, align(64))]
pub(crate) struct Words<const R: usize> {
    /// What a mass of 1 adds that is where the second node is: 1 to masses, and to moments along x how far it is behind the node.
    unit: [f32; R],
    /// In moments along x, how far the node is behind the second.
    behind: [f32; R],
    /// 1 in moments along an axis.
    moments: [[f32; R]; MOST],
}

/// Those of nodes of four words, in one to three dimensions.
pub(crate) static FEW: Words<{ WORDS * TAPS }> = Words::new();

/// Those of nodes of eight.
pub(crate) static MANY: Words<{ MANY_WORDS * TAPS }> = Words::new();

impl<const R: usize> Words<R> {
    const fn new() -> Self {
        let mut words = Self { unit: [0.0; R], behind: [0.0; R], moments: [[0.0; R]; MOST] };
        let (mut x, of_node) = (0, R / TAPS);
        while x < TAPS {
            words.unit[of_node * x] = 1.0;
            words.unit[of_node * x + 1] = 1.0 - x as f32;
            words.behind[of_node * x + 1] = x as f32 - 1.0;
            let mut c = 0;
            while c < MOST && 1 + c < of_node {
                words.moments[c][of_node * x + 1 + c] = 1.0;
                c += 1;
            }
            x += 1;
        }
        words
    }

    /// The table, of which the compiler does not know what is in it.
    #[inline(always)]
    fn unseen(&'static self) -> &'static Self {
        // SAFETY: the address is that of the table.
        unsafe { &*unseen(self) }
    }

    /// Adds a number to the moments along an axis.
    #[inline(always)]
    fn add_moment<M: Machine>(&self, c: usize, number: f32, mut row: [f32; R]) -> [f32; R] {
        for k in 0..R {
            // Without fused multiply-adds, the product is the same for each node.
            let word = if let MachineKind::Baseline = M::KIND { k % (R / TAPS) } else { k };
            row[k] = M::mul_add(self.moments[c][word], number, row[k]);
        }
        row
    }
}

/// A number of each of four nodes, in all words of the node.
#[inline(always)]
fn of_nodes<const R: usize>(numbers: [f32; TAPS]) -> [f32; R] {
    let mut row = [0.0; R];
    for k in 0..R {
        row[k] = numbers[k / (R / TAPS)];
    }
    row
}

/// The splines of L places.
pub(crate) struct Splines<const D: usize, const L: usize> {
    /// How far each is behind the second of the nodes that it touches.
    behind: [[f32; L]; D],
    /// The weights of the four.
    along: [[[f32; L]; TAPS]; D],
}

/// That of one place.
#[derive(Clone, Copy)]
pub(crate) struct Spline<const D: usize> {
    pub behind: [f32; D],
    pub along: [[f32; TAPS]; D],
}

impl<const D: usize, const L: usize> Splines<D, L> {
    #[inline(always)]
    pub fn new<M: Machine>(behind: [[f32; L]; D]) -> Self {
        let mut along = [[[0.0; L]; TAPS]; D];
        for c in 0..D {
            for lane in 0..L {
                let of = weights::<M>(behind[c][lane]);
                for k in 0..TAPS {
                    along[c][k][lane] = of[k];
                }
            }
        }
        Self { behind, along }
    }

    #[inline(always)]
    pub fn of_lane(&self, lane: usize) -> Spline<D> {
        let mut spline = Spline { behind: [0.0; D], along: [[0.0; TAPS]; D] };
        for c in 0..D {
            spline.behind[c] = self.behind[c][lane];
            for k in 0..TAPS {
                spline.along[c][k] = self.along[c][k][lane];
            }
        }
        spline
    }
}

/// A lane of each.
#[inline(always)]
pub(crate) fn of_lane<T: Copy + Default, const D: usize, const L: usize>(of: &[[T; L]; D], lane: usize) -> [T; D] {
    let mut one = [T::default(); D];
    for c in 0..D {
        one[c] = of[c][lane];
    }
    one
}

/// [`locate`] in lanes.
#[inline(always)]
pub(crate) fn locate_each<const L: usize>(x: [f32; L], inverse: f64, low: f64, nodes: u32) -> ([u32; L], [f32; L]) {
    let (mut first, mut behind) = ([0; L], [0.0; L]);
    for lane in 0..L {
        (first[lane], behind[lane]) = locate(x[lane], inverse, low, nodes);
    }
    (first, behind)
}

/// Adds a point of this factor to the sums of the nodes about it, `strides` apart along each axis, the first of which has its words
/// at `sums`.
///
/// # Safety
/// The sums of all of them may be read and written, and nobody else touches them.
#[inline(always)]
unsafe fn add_point<M: Machine, const D: usize, const R: usize>(
    words: &'static Words<R>,
    (spline, strides): (&Spline<D>, [usize; D]),
    factor: f32,
    sums: *mut u64,
) {
    let words = words.unseen();
    let mut from = [[0.0; TAPS]; D];
    for c in 0..D {
        from[c] = offsets(spline.behind[c]);
    }
    let along_x: [f32; R] = of_nodes(spline.along[0]);
    // What a mass of 1 adds to the words of a row, of which moments along y change the most often.
    let unit = words.add_moment::<M>(0, spline.behind[0], words.unit);
    let (of_y, of_z) = (if D > 1 { TAPS } else { 1 }, if D > 2 { TAPS } else { 1 });
    for outer in 0..TAPS.pow(D as u32 - 1) / (of_y * of_z) {
        let (mut unit, mut behind) = (unit, 0_usize);
        for c in 3..D {
            let k = tap(outer, c - 2);
            unit = words.add_moment::<M>(c, -from[c][k], unit);
            behind = behind.wrapping_add(strides[c].wrapping_mul(k));
        }
        for z in 0..of_z {
            let (mut unit, mut behind) = (unit, behind);
            if D > 2 {
                unit = words.add_moment::<M>(2, -from[2][z], unit);
                behind = behind.wrapping_add(strides[2].wrapping_mul(z));
            }
            for y in 0..of_y {
                let (mut unit, mut behind, mut weight) = (unit, behind, factor);
                if D > 1 {
                    unit = words.add_moment::<M>(1, -from[1][y], unit);
                    behind = behind.wrapping_add(strides[1].wrapping_mul(y));
                }
                // In the order of axes, as a GPU multiplies them: sums are the same to the bit.
                for c in 1..D {
                    let k = match c {
                        1 => y,
                        2 => z,
                        _ => tap(outer, c - 2),
                    };
                    weight *= spline.along[c][k];
                }
                // SAFETY: the caller's promise.
                unsafe { add_row::<M, R>(weight, &along_x, &unit, sums.add(behind * (R / TAPS))) };
            }
        }
    }
}

/// Adds to the sums of a row of nodes: to each word what a mass of 1 adds, times its weights.
///
/// # Safety
/// As for [`add_point`], of the row.
#[inline(always)]
unsafe fn add_row<M: Machine, const R: usize>(weight: f32, along_x: &[f32; R], unit: &[f32; R], sums: *mut u64) {
    let mut values = Line([0.0; R]);
    for k in 0..R {
        values.0[k] = weight * along_x[k] * unit[k];
    }
    // SAFETY: the caller's promise; the address is that of the values.
    unsafe {
        // From memory where LLVM would else take sums and values for one another's lanes; which takes longer was measured.
        let direct = M::KIND == MachineKind::Avx512 || R > WORDS * TAPS;
        let values = if direct { &values } else { &*unseen(&values) };
        let cells = sums.cast::<[u64; R]>();
        let mut words = cells.read();
        for k in 0..R {
            words[k] = words[k].wrapping_add(rounded::<M>(values.0[k]));
        }
        cells.write(words);
    }
}

/// Adds points of columns `stride` apart, each with `scale` times its factor, to the sums of nodes, L points at a time.
/// `axis` says how many nodes an axis has, and where its first is; `find` where the first node that a point touches is, and how
/// far apart nodes are along each axis; what it does not find is left out.
///
/// # Safety
/// `columns` has those points. The sums of all nodes about what is found may be read and written, and nobody else touches them.
#[inline(always)]
pub(crate) unsafe fn add_points<M: Machine, const D: usize, const R: usize, const L: usize>(
    words: &'static Words<R>,
    (columns, stride, points): (&[f32], usize, Range<usize>),
    (factors, scale): (&[f32], f32),
    (inverse, axis): (f64, impl Fn(usize) -> (u32, f64)),
    find: impl Fn([u32; D]) -> Option<(usize, [usize; D])>,
    sums: *mut u64,
) {
    let mut i = points.start;
    while i < points.end {
        let count = (points.end - i).min(L);
        let (mut first, mut behind) = ([[0; L]; D], [[0.0; L]; D]);
        for c in 0..D {
            // SAFETY: the caller's promise.
            let x = unsafe { load_some(columns, c * stride + i, count) };
            let (nodes, low) = axis(c);
            (first[c], behind[c]) = locate_each(x, inverse, low, nodes);
        }
        let splines = Splines::new::<M>(behind);
        let (splines, first) = (seen_anew::<L, _>(&splines), seen_anew::<L, _>(&first));
        for lane in 0..count {
            let Some((node, strides)) = find(of_lane(first, lane)) else { continue };
            let factor = scale * if factors.is_empty() { 1.0 } else { factors[i + lane] };
            // SAFETY: the caller's promise.
            unsafe {
                let sums = sums.add(node * (R / TAPS));
                add_point::<M, D, R>(words, (&splines.of_lane(lane), strides), factor, sums);
            }
        }
        i += count;
    }
}

/// A sum of rows along one axis.
#[derive(Clone, Copy)]
struct Along<const R: usize> {
    /// Of the rows, weighted.
    rows: [f32; R],
    /// And weighted with how far each is from the place.
    far: [f32; R],
}

impl<const R: usize> Along<R> {
    const ZERO: Self = Self { rows: [0.0; R], far: [0.0; R] };

    #[inline(always)]
    fn add<M: Machine>(&mut self, weight: f32, from: f32, row: [f32; R]) {
        let far = weight * from;
        for k in 0..R {
            self.rows[k] = M::mul_add(weight, row[k], self.rows[k]);
            self.far[k] = M::mul_add(far, row[k], self.far[k]);
        }
    }

    /// The sum, whose moments along axis `c` count from the place: by what the masses are from there.
    #[inline(always)]
    fn sum<M: Machine>(self, words: &Words<R>, c: usize) -> [f32; R] {
        let mut sum = [0.0; R];
        for k in 0..R {
            sum[k] = M::mul_add(words.moments[c][k], self.far[k - k % (R / TAPS)], self.rows[k]);
        }
        sum
    }
}

/// What W words of the nodes about a place come to, the first of which has its words at `nodes`: the sum of weights, and the weighted
/// sums of how far points are from the place along each axis. Axis after axis is summed over, from y on, so that a row takes two
/// multiply-adds a word.
///
/// # Safety
/// All of them may be read.
#[inline(always)]
pub(crate) unsafe fn read_place<M: Machine, const D: usize, const W: usize, const R: usize>(
    words: &'static Words<R>,
    (spline, strides): (&Spline<D>, [usize; D]),
    nodes: *const f32,
) -> [f32; W] {
    const { assert!(R == W * TAPS) };
    let words = words.unseen();
    let mut from = [[0.0; TAPS]; D];
    for c in 0..D {
        from[c] = offsets(spline.behind[c]);
    }
    // Sums along an axis that there is not are their only row.
    macro_rules! along {
        ($c:literal, $k:ident, $row:expr) => {{
            if D > $c {
                let mut along = Along::<R>::ZERO;
                for $k in 0..TAPS {
                    along.add::<M>(spline.along[$c.min(D - 1)][$k], from[$c.min(D - 1)][$k], $row);
                }
                along.sum::<M>(words, $c)
            } else {
                let $k = 0;
                $row
            }
        }};
    }
    let at = |c: usize, k: usize| if c < D { strides[c].wrapping_mul(k) } else { 0 };
    let sums = along!(
        4,
        v,
        along!(
            3,
            u,
            along!(
                2,
                z,
                along!(1, y, {
                    let behind = at(1, y).wrapping_add(at(2, z)).wrapping_add(at(3, u)).wrapping_add(at(4, v));
                    // SAFETY: the caller's promise.
                    unsafe { nodes.add(behind * W).cast::<[f32; R]>().read() }
                })
            )
        )
    );
    let far = words.add_moment::<M>(0, -spline.behind[0], words.behind);
    let mut line = Line([0.0; R]);
    for k in 0..R {
        line.0[k] = M::mul_add(far[k], sums[k - k % W], sums[k]);
    }
    // SAFETY: the address is that of the sums.
    let sums = unsafe { &(*unseen(&line)).0 };
    let mut node = [0.0; W];
    for x in 0..TAPS {
        for word in 0..W {
            node[word] = M::mul_add(spline.along[0][x], sums[x * W + word], node[word]);
        }
    }
    node
}
