//! How queries move over a binned field, whatever it is stored as (binned.rs, binned_many.rs).

use cuda_std::{atomic, prelude::*};

use crate::moves_processor::{blur_lanes, climb_lanes};
use crate::node_rows::Spline;
use crate::progress;
use crate::share::each;
use crate::shift::end_blurring;
use crate::spline::locate;

/// A field of D dimensions, as steps are read from it.
pub(crate) trait Field<const D: usize>: Copy {
    /// Where a node is stored.
    type At: Copy;
    /// The words of a node.
    type Node: Copy + Default + AsRef<[f32]>;

    /// How many nodes axis `c` has, and where its first is, in spacings.
    fn axis(&self, c: usize) -> (u32, f64);

    /// Nodes per unit of scaled coordinates.
    fn inverse(&self) -> f64;

    /// Where a node is, from which three more are held along each axis; `None` if it is not stored.
    fn find(&self, first: [u32; D]) -> Option<Self::At>;

    /// The sum of weights, and the step in spacings, at a place: `s` behind the second of the nodes it touches, the first of
    /// which is `at`.
    fn read<M: Machine>(&self, at: Self::At, s: [f32; D]) -> (f32, [f32; D]);

    /// A processor's: what the words of the nodes about a place come to (node_rows.rs).
    ///
    /// # Safety
    /// [`find`](Self::find) gave the place.
    unsafe fn read_rows<M: Machine>(&self, at: Self::At, spline: &Spline<D>) -> Self::Node;
}

/// Moves queries until each rests: what `climb` in binned.rs says, for m of them, in columns `stride` apart.
///
/// # Safety
/// All threads of the launch call it; every length is as `climb` requires.
#[inline(always)]
pub(crate) unsafe fn climb_over<M: Machine, F: Field<D>, const D: usize, const L: usize>(
    field: F,
    (mut queries, mut details): (DisjointMut<f32>, DisjointMut<f32>),
    state: *mut u32,
    (m, stride): (u32, u32),
    (rounds, limit, tolerance): (u32, u32, f32),
) {
    let (stride, m) = (stride as usize, m as usize);
    // SAFETY: the caller's promises.
    let (still, most) = unsafe {
        if L > 4 {
            climb_lanes::<M, F, D, L>(
                &field,
                (&mut queries, &mut details),
                state,
                (m, stride),
                (rounds, limit, tolerance),
            )
        } else {
            climb_each::<M, F, D>(&field, (&mut queries, &mut details), state, (m, stride), (rounds, limit, tolerance))
        }
    };
    // SAFETY: the launch has checked the length of `state`, whose cells threads change atomically only.
    unsafe {
        if still > 0 {
            atomic::fetch_add(state.add(progress::KEPT), still);
        }
        if most > 0 {
            atomic::fetch_max(state.add(progress::FARTHEST), most);
        }
        thread::sync_threads();
        if thread::thread_idx_x() == 0 && progress::is_last_block(state) {
            // Where all queries rest, nobody has said how many there were.
            let said = atomic::exchange(state.add(progress::FARTHEST), 0);
            let before = atomic::load(state.add(progress::ITERATION));
            let iterations = if said > before { said } else { before };
            let kept = atomic::exchange(state.add(progress::KEPT), 0);
            atomic::store(state.add(progress::ITERATION), iterations);
            atomic::store(state.add(progress::ACTIVE), kept);
            atomic::store(state.add(progress::ARRIVED), 0);
        }
    }
}

/// The thread's queries, one at a time: how many are to be moved still, and the most iterations of one.
///
/// # Safety
/// Every length is as `climb` requires.
#[inline(always)]
unsafe fn climb_each<M: Machine, F: Field<D>, const D: usize>(
    field: &F,
    (queries, details): (&mut DisjointMut<f32>, &mut DisjointMut<f32>),
    state: *mut u32,
    (m, stride): (usize, usize),
    (rounds, limit, tolerance): (u32, u32, f32),
) -> (u32, u32) {
    let spacing = M::divide_f64(1.0, field.inverse());
    let squared_spacing = (spacing * spacing) as f32;
    let (mut still, mut most) = (0, 0);
    each::<M>(m, |i| {
        // SAFETY: column position i is that of an item of this thread.
        let (before, done) = unsafe { (details.read(stride + i), details.read(2 * stride + i).to_bits()) };
        if done > 0 && before <= tolerance {
            return;
        }
        if done >= limit {
            still += 1;
            return;
        }
        let (mut first, mut s) = ([0; D], [0.0; D]);
        for c in 0..D {
            // SAFETY: as above.
            let x = unsafe { queries.read(c * stride + i) };
            let (nodes, low) = field.axis(c);
            (first[c], s[c]) = locate(x, field.inverse(), low, nodes);
        }
        let (mut iteration, end) = (done, limit.min(done + rounds));
        let (mut total, mut squared) = (0.0, f32::INFINITY);
        while iteration < end && (iteration == 0 || squared > tolerance || squared.is_nan()) {
            let Some(at) = field.find(first) else { break };
            let (sum, step) = field.read::<M>(at, s);
            (total, squared) = (sum, 0.0);
            for c in 0..D {
                squared += step[c] * step[c];
                // Across borders of cells, into neighbours that the grid has.
                let mut moved = s[c] + step[c];
                let mut cells = moved as i32;
                cells -= i32::from((cells as f32) > moved);
                let node = (first[c] as i32 + cells).clamp(0, field.axis(c).0 as i32 - 4);
                cells = node - first[c] as i32;
                moved -= cells as f32;
                (first[c], s[c]) = (node as u32, moved);
            }
            squared *= squared_spacing;
            // SAFETY: the launch has checked the length; others only raise the cell, too.
            unsafe {
                let cell = state.add(progress::HISTORY + iteration as usize);
                if atomic::load(cell) < squared.to_bits() {
                    atomic::fetch_max(cell, squared.to_bits());
                }
            }
            iteration += 1;
        }
        if iteration == done {
            // It waits for its block.
            still += 1;
            return;
        }
        for c in 0..D {
            let t = f64::from(first[c] + 1) + f64::from(s[c]) + field.axis(c).1;
            // SAFETY: as for the reads.
            unsafe { queries.write(c * stride + i, (t * spacing) as f32) };
        }
        // SAFETY: as above.
        unsafe {
            details.write(i, total);
            details.write(stride + i, squared);
            details.write(2 * stride + i, f32::from_bits(iteration));
        }
        most = if iteration > most { iteration } else { most };
        still += u32::from(squared > tolerance || squared.is_nan());
    });
    (still, most)
}

/// Moves n points, in columns `stride` apart, one step each: what `blur` in binned.rs says, where `active` of them are.
///
/// # Safety
/// All threads of the launch call it, or none; every length is as `blur` requires.
#[inline(always)]
pub(crate) unsafe fn blur_over<M: Machine, F: Field<D>, const D: usize, const L: usize>(
    field: F,
    (mut columns, mut sums): (DisjointMut<f32>, DisjointMut<f32>),
    (state, active): (*mut u32, u32),
    (n, stride): (u32, u32),
    tolerance: f32,
) {
    let (n, stride) = (n as usize, stride as usize);
    // SAFETY: the caller's promises.
    let farthest = unsafe {
        if L > 4 {
            blur_lanes::<M, F, D, L>(&field, (&mut columns, &mut sums), (n, stride))
        } else {
            blur_each::<M, F, D>(&field, (&mut columns, &mut sums), (n, stride))
        }
    };
    // SAFETY: every block of the launch is here, or none was active.
    unsafe { end_blurring(state, farthest, tolerance, active) };
}

/// The thread's points, one at a time: the largest squared step.
///
/// # Safety
/// Every length is as `blur` requires.
#[inline(always)]
unsafe fn blur_each<M: Machine, F: Field<D>, const D: usize>(
    field: &F,
    (columns, sums): (&mut DisjointMut<f32>, &mut DisjointMut<f32>),
    (n, stride): (usize, usize),
) -> f32 {
    let spacing = M::divide_f64(1.0, field.inverse()) as f32;
    let mut farthest = 0.0;
    each::<M>(n, |i| {
        let (mut first, mut s, mut at) = ([0; D], [0.0; D], [0.0; D]);
        for c in 0..D {
            // SAFETY: column position i is that of an item of this thread.
            at[c] = unsafe { columns.read(c * stride + i) };
            let (nodes, low) = field.axis(c);
            (first[c], s[c]) = locate(at[c], field.inverse(), low, nodes);
        }
        let node = field.find(first).expect("every point has a block");
        let (total, step) = field.read::<M>(node, s);
        let mut squared = 0.0;
        for c in 0..D {
            let step = step[c] * spacing;
            squared += step * step;
            // SAFETY: as above.
            unsafe { columns.write(c * stride + i, at[c] + step) };
        }
        // SAFETY: as above.
        unsafe {
            sums.write(i, total);
            sums.write(stride + i, squared);
        }
        // Written so that a NaN stays.
        farthest = if squared <= farthest { farthest } else { squared };
    });
    farthest
}
