//! Mean-shift filtering of an image: every pixel climbs in position and colour at once.
//!
//! Of an image whose pixel j stands at p_j and has the colour c_j, scaled as weight.rs says over the range bandwidth, a
//! query begins at each pixel as (p, c) and moves until it rests:
//!
//! ```text
//! w_j  = W(|c_j - c|^2)                    where |p_j - p| <= h_s, else 0
//! p'   = p + sum_j w_j (p_j - p) / sum_j w_j
//! c'   = c + sum_j w_j (c_j - c) / sum_j w_j
//! ```
//!
//! What is kept is the colour that it comes to. Source: Comaniciu and Meer, Mean shift: a robust approach toward feature
//! space analysis (2002), section 4.1; with the flat weight it is theirs: the product of two uniform kernels
//! (equation 35), a disc of pixels and a ball of colours.
//!
//! Only pixels of the disc are looked at, row by row, each row as far as the disc reaches there. On a processor a
//! thread takes sixteen neighbours of a row at a time; on a GPU one, as its neighbours do the same a pixel further.
//!
//! Operations for a pixel of the disc, flat: 4 subtractions, 4 multiplications or fused ones, 2 comparisons and a
//! selection, 6 additions or fused ones: 17. An iteration looks at pi h_s^2 pixels.
//!
//! [`unite_pixels`] then joins neighbours whose colours ended near each other, in the forest of components.rs.

use cuda_std::prelude::*;

use crate::components::Forest;
use crate::lanes;
use crate::share::each;
use crate::weight::{Flat, Gaussian, Weight};

/// Floats behind the last pixel of a plane, so that no thread's lanes cross its end.
pub const PAD: usize = 16;

/// The bit of a pixel's count of iterations that says that it had not come to rest.
pub const MOVING: u32 = 1 << 31;

/// Pixels of a row that a thread takes at a time.
const fn taken(lanes: usize) -> usize {
    if lanes > 4 { PAD } else { 1 }
}

/// What a query's window sums to: weights, differences in x and y, and in three colours.
type Sums<const N: usize> = [[f32; N]; 6];

/// Where a query is, and the image about it.
struct Window<'a> {
    pixels: &'a [f32],
    plane: usize,
    width: u32,
    at: [f32; 2],
    colour: [f32; 3],
    radius2: f32,
}

impl Window<'_> {
    /// Adds the pixels `first..=last` of a row, dy below the query.
    ///
    /// All of a lane's work is one loop: LLVM makes vectors of it, which it does not of a loop for each operation.
    ///
    /// # Safety
    /// The pixels are in the image, and the planes have [`PAD`] floats behind it.
    #[inline(always)]
    unsafe fn add_row<M: Machine, W: Weight, const N: usize>(
        &self,
        sums: &mut Sums<N>,
        (row, first, last): (u32, u32, u32),
        dy: f32,
    ) {
        let [l, a, b] = self.colour;
        let (base, dy2) = (row as usize * self.width as usize, dy * dy);
        let mut column = first;
        while column <= last {
            let (from, here) = (column as f32 - self.at[0], (last - column) as f32);
            let place = base + column as usize;
            // SAFETY: the caller's promise.
            let [ls, as_, bs] = unsafe {
                [
                    lanes::load::<N>(self.pixels, place),
                    lanes::load::<N>(self.pixels, self.plane + place),
                    lanes::load::<N>(self.pixels, 2 * self.plane + place),
                ]
            };
            for lane in 0..N {
                let (l, a, b) = (ls[lane] - l, as_[lane] - a, bs[lane] - b);
                let dx = from + lane as f32;
                let weight = W::of::<M>(M::mul_add(b, b, M::mul_add(a, a, l * l)));
                let weight = if M::mul_add(dx, dx, dy2) <= self.radius2 { weight } else { 0.0 };
                let weight = if lane as f32 <= here { weight } else { 0.0 };
                sums[0][lane] += weight;
                sums[1][lane] = M::mul_add(weight, dx, sums[1][lane]);
                sums[2][lane] = M::mul_add(weight, dy, sums[2][lane]);
                sums[3][lane] = M::mul_add(weight, l, sums[3][lane]);
                sums[4][lane] = M::mul_add(weight, a, sums[4][lane]);
                sums[5][lane] = M::mul_add(weight, b, sums[5][lane]);
            }
            column += N as u32;
        }
    }
}

/// The colour that each pixel comes to, and after how many iterations, with [`MOVING`] where no step was small enough to
/// rest.   One thread a pixel.
///
/// `pixels` and `out` are 3 x plane, row by row: coordinate c of the pixel at (x, y) is at c plane + y width + x. What
/// stands behind the last pixel of a plane is finite, and counts nowhere.
/// `space` is the square of what a pixel counts, scaled, and a query rests where its squared step is `tolerance` at
/// most.
#[kernel(
    instances(filter_flat<Flat>, filter_gaussian<Gaussian>),
    threads = 32..=1024,
    grid = (width * height).div_ceil(block.x),
    require(
        plane >= width * height + PAD,
        pixels.len() >= 3 * plane,
        out.len() >= 3 * plane,
        iterations.len() >= width * height,
        radius >= 0.0,
        limit < MOVING as usize,
    ),
)]
pub unsafe fn filter<W: Weight>(
    pixels: &[f32],
    mut out: DisjointMut<f32>,
    mut iterations: DisjointMut<u32>,
    width: u32,
    height: u32,
    plane: u32,
    radius: f32,
    space: f32,
    limit: u32,
    tolerance: f32,
) {
    const N: usize = taken(Machine::LANES);
    let index = thread::index_1d() as u32;
    if index >= width * height {
        return;
    }
    let (i, plane) = (index as usize, plane as usize);
    let radius2 = radius * radius;
    let colour = [pixels[i], pixels[plane + i], pixels[2 * plane + i]];
    let at = [(index % width) as f32, (index / width) as f32];
    let mut window = Window { pixels, plane, width, at, colour, radius2 };
    let (mut done, mut moving) = (0, MOVING);
    while done < limit {
        let mut sums = [[0.0; N]; 6];
        let [x, y] = window.at;
        // Rounded down; what is a little too far above does not count.
        let mut row = (y - radius).max(0.0) as u32;
        let last_row = ((y + radius) as u32).min(height - 1);
        while row <= last_row {
            let dy = row as f32 - y;
            let rest = radius2 - dy * dy;
            if rest >= 0.0 {
                // A little more than the disc, whatever the machine's root rounds to.
                let half = <Machine as cuda_std::Machine>::sqrt(rest) + 1e-2;
                let first = (x - half).max(0.0) as u32;
                let last = ((x + half) as u32).min(width - 1);
                // SAFETY: rows and columns are those of the image, and the launch has checked the planes.
                unsafe { window.add_row::<Machine, W, N>(&mut sums, (row, first, last), dy) };
            }
            row += 1;
        }
        done += 1;
        let weight = lanes::sum(sums[0]);
        // Nothing is near: it stays where it is.
        if weight <= W::LEAST {
            moving = 0;
            break;
        }
        let inverse = 1.0 / weight;
        let step = [lanes::sum(sums[1]) * inverse, lanes::sum(sums[2]) * inverse];
        let mut squared = space * (step[0] * step[0] + step[1] * step[1]);
        for c in 0..3 {
            let change = lanes::sum(sums[3 + c]) * inverse;
            window.colour[c] += change;
            squared += change * change;
        }
        window.at = [x + step[0], y + step[1]];
        if squared <= tolerance {
            moving = 0;
            break;
        }
    }
    for c in 0..3 {
        // SAFETY: cells i are those of the thread with that index.
        unsafe { out.write(c * plane + i, window.colour[c]) };
    }
    // SAFETY: as above.
    unsafe { iterations.write(i, done | moving) };
}

/// Unites each pixel with those of its eight neighbours whose squared difference in colour is `limit` at most, in
/// `parents`, where at first each is its own.
#[kernel(
    threads = 32..=1024,
    grid = (width * height).div_ceil(block.x * Machine::LANES),
    require(colours.len() >= 3 * plane, plane >= width * height, parents.len() >= width * height),
)]
pub unsafe fn unite_pixels(colours: &[f32], parents: *mut u32, width: u32, height: u32, plane: u32, limit: f32) {
    let plane = plane as usize;
    // SAFETY: the launch has checked the length; parents are touched atomically only.
    let forest = unsafe { Forest::new(parents, (width * height) as usize) };
    each::<Machine>((width * height) as usize, |i| {
        let (x, y) = (i as u32 % width, i as u32 / width);
        // The neighbours behind it in the order of rows: the others look from their side.
        for neighbour in 0..4 {
            // To the right; below to the left, below, and below to the right.
            let (dx, dy) = if neighbour == 0 { (1, 0) } else { (neighbour - 2, 1) };
            let there = x.wrapping_add_signed(dx);
            if there < width && y + dy < height {
                let j = (y + dy) as usize * width as usize + there as usize;
                let mut squared = 0.0;
                for c in 0..3 {
                    let apart = colours[c * plane + i] - colours[c * plane + j];
                    squared += apart * apart;
                }
                if squared <= limit {
                    forest.join(i as u32, j as u32);
                }
            }
        }
    });
}
