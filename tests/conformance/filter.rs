//! Filtering of images: the kernels against plain computations in f64.

use gpu::filter::{MOVING, PAD, filter_flat, filter_gaussian, unite_pixels};
use gpu::layout::STRIDE;
use modeseek::{Device, WeightFunction};

use crate::check::{ROUNDING, is_interpreted, random};

/// An image: three planes of scaled colours.
struct Image {
    width: usize,
    height: usize,
    plane: usize,
    colours: Vec<f32>,
}

impl Image {
    fn new(width: usize, height: usize, colour: impl Fn(usize, usize) -> [f32; 3]) -> Self {
        let plane = (width * height + PAD).next_multiple_of(STRIDE);
        // What stands behind the pixels is finite, and counts nowhere.
        let mut colours = vec![1e3; 3 * plane];
        for i in 0..width * height {
            for (c, value) in colour(i % width, i / width).into_iter().enumerate() {
                colours[c * plane + i] = value;
            }
        }
        Self { width, height, plane, colours }
    }

    fn colour(&self, i: usize) -> [f64; 3] {
        [0, 1, 2].map(|c| f64::from(self.colours[c * self.plane + i]))
    }

    /// Where pixel i comes to; after how many iterations, as the kernel tells it; and how near to a jump it came on its way: a pixel at the
    /// edge of the disc, a colour at the bandwidth, a step at the tolerance. The definition, over all pixels.
    fn climb(&self, i: usize, options: &Options) -> ([f64; 3], u32, f64) {
        let start = [(i % self.width) as f64, (i / self.width) as f64];
        let mut at = start;
        let (mut colour, mut margin) = (self.colour(i), f64::INFINITY);
        let scale = options.weight.steps().scale;
        for done in 1..=options.limit {
            let (mut total, mut sums) = (0.0, [0.0; 5]);
            for j in 0..self.width * self.height {
                let there = [(j % self.width) as f64, (j / self.width) as f64];
                let (dx, dy) = (there[0] - at[0], there[1] - at[1]);
                let distance = dx.hypot(dy);
                // At its own pixel a query's distances are exact on every machine; a whole place that it came to later is whole
                // here, and a rounding beside it there.
                if at != start {
                    margin = margin.min((distance - options.radius).abs());
                }
                if dx * dx + dy * dy > options.radius * options.radius {
                    continue;
                }
                let other = self.colour(j);
                let apart = [0, 1, 2].map(|c| other[c] - colour[c]);
                let range = apart.iter().map(|x| x * x).sum::<f64>().sqrt();
                if options.weight == WeightFunction::Flat {
                    margin = margin.min((range - 1.0).abs());
                }
                let weight = options.weight.weight(range / scale);
                total += weight;
                for (sum, value) in sums.iter_mut().zip([dx, dy, apart[0], apart[1], apart[2]]) {
                    *sum += weight * value;
                }
            }
            let step = sums.map(|sum| sum / total);
            at = [at[0] + step[0], at[1] + step[1]];
            for c in 0..3 {
                colour[c] += step[2 + c];
            }
            let (space, range) = (step[0].hypot(step[1]) / options.radius * scale, step[2..].iter().map(|x| x * x));
            let moved = (space * space + range.sum::<f64>()).sqrt();
            if step != [0.0; 5] {
                margin = margin.min((moved - options.tolerance).abs() * options.radius);
            }
            if moved <= options.tolerance {
                return (colour, done, margin);
            }
        }
        (colour, options.limit | MOVING, margin)
    }
}

struct Options {
    weight: WeightFunction,
    radius: f64,
    limit: u32,
    tolerance: f64,
}

fn filtered(device: &Device, image: &Image, options: &Options) -> (Vec<f32>, Vec<u32>) {
    let n = image.width * image.height;
    let pixels = device.upload(&image.colours).unwrap();
    let (mut out, mut iterations) = (device.zeros(3 * image.plane).unwrap(), device.zeros(n).unwrap());
    let [width, height, plane] = [image.width, image.height, image.plane].map(|size| size as u32);
    let scale = options.weight.steps().scale;
    let (radius, space) = (options.radius as f32, (scale / options.radius).powi(2) as f32);
    let (limit, tolerance) = (options.limit, (options.tolerance * options.tolerance) as f32);
    let (out_, counts) = (&mut out, &mut iterations);
    device
        .launch(match options.weight {
            WeightFunction::Flat => {
                filter_flat::launch(&pixels, out_, counts, width, height, plane, radius, space, limit, tolerance)
            }
            _ => filter_gaussian::launch(&pixels, out_, counts, width, height, plane, radius, space, limit, tolerance),
        })
        .unwrap();
    (device.download(&out).unwrap(), device.download(&iterations).unwrap())
}

/// Every pixel comes to where the oracle says, but for those that came so near to a jump that rounding decides.
#[track_caller]
fn agrees(device: &Device, image: &Image, options: &Options, what: &str) {
    let n = image.width * image.height;
    let (found, iterations) = filtered(device, image, options);
    let mut compared = 0;
    for i in 0..n {
        let (colour, done, margin) = image.climb(i, options);
        if margin < 1e-4 {
            continue;
        }
        compared += 1;
        assert_eq!(iterations[i], done, "{what}: iterations of pixel {i}");
        for c in 0..3 {
            let error = (f64::from(found[c * image.plane + i]) - colour[c]).abs();
            // Roundings of each iteration's sums, of colours up to 10 and of the weights' arguments.
            let tolerance = 2000.0 * ROUNDING * f64::from(done & !MOVING);
            assert!(error <= tolerance, "{what}: colour {c} of pixel {i} is off by {error:e} > {tolerance:e}");
        }
    }
    assert!(compared * 2 >= n, "{what}: only {compared} of {n} pixels are far from a jump");
}

pub fn filtered_images(device: &Device) {
    let sizes: &[(usize, usize, f64)] = if is_interpreted(device) {
        &[(1, 1, 3.0), (1, 9, 2.3), (9, 1, 2.7), (11, 7, 2.2)]
    } else {
        &[(1, 1, 3.0), (1, 40, 5.0), (40, 1, 5.0), (7, 6, 1.0), (33, 29, 4.0), (48, 20, 9.5), (20, 12, 100.0)]
    };
    for weight in [WeightFunction::Flat, WeightFunction::Gaussian] {
        for &(width, height, radius) in sizes {
            // Two halves with noise, far apart for a weight of a bandwidth of 1.
            let noise = random(3 * width * height, 41);
            let image = Image::new(width, height, |x, y| {
                let i = y * width + x;
                let base = if 2 * x < width { 0.0 } else { 4.0 };
                [0, 1, 2].map(|c| base + 0.45 * noise[3 * i + c])
            });
            for limit in [1, 2, 40] {
                let options = Options { weight, radius, limit, tolerance: 1e-3 };
                agrees(device, &image, &options, &format!("{weight:?}, {width} x {height}, {radius}, {limit}"));
            }
        }
    }
}

/// An image of one colour stays as it is, to the bit, at its borders too: every pixel's position moves, its colour not.
pub fn filtered_constants(device: &Device) {
    for weight in [WeightFunction::Flat, WeightFunction::Gaussian] {
        for (width, height) in [(1, 1), (13, 5), (1, 20)] {
            let image = Image::new(width, height, |_, _| [0.1, -7.7, 3.3]);
            let options = Options { weight, radius: 2.0, limit: 30, tolerance: 1e-3 };
            let (found, iterations) = filtered(device, &image, &options);
            for i in 0..width * height {
                let colour = [0, 1, 2].map(|c| found[c * image.plane + i]);
                assert_eq!(colour, [0.1, -7.7, 3.3], "{weight:?}, {width} x {height}");
                assert!((1..=30).contains(&iterations[i]), "no pixel is moving after 30");
            }
        }
    }
}

/// Regions by a flood that begins at each pixel in turn.
fn flooded(image: &Image, limit: f32) -> Vec<u32> {
    let (width, height) = (image.width as i64, image.height as i64);
    let mut region = vec![u32::MAX; image.width * image.height];
    for start in 0..region.len() {
        let mut stack = vec![start];
        while let Some(i) = stack.pop() {
            if region[i] != u32::MAX {
                continue;
            }
            region[i] = start as u32;
            let (x, y) = (i as i64 % width, i as i64 / width);
            for (dx, dy) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))) {
                let (nx, ny) = (x + dx, y + dy);
                if (0..width).contains(&nx) && (0..height).contains(&ny) {
                    let j = (ny * width + nx) as usize;
                    let squared = (0..3).map(|c| (image.colour(i)[c] - image.colour(j)[c]).powi(2)).sum::<f64>();
                    if squared <= f64::from(limit) {
                        stack.push(j);
                    }
                }
            }
        }
    }
    region
}

pub fn united_pixels(device: &Device) {
    let sizes: &[(usize, usize)] = if is_interpreted(device) {
        &[(1, 1), (1, 9), (9, 1), (14, 11)]
    } else {
        &[(1, 1), (1, 70), (70, 1), (64, 50), (301, 97)]
    };
    for &(width, height) in sizes {
        for levels in [2.0, 3.0, 6.0] {
            // Few levels: whole numbers, which are compared exactly.
            let noise = random(width * height, 43);
            let image = Image::new(width, height, |x, y| [(noise[y * width + x] * levels).floor(), 1.0, -1.0]);
            let n = width * height;
            let colours = device.upload(&image.colours).unwrap();
            let own: Vec<u32> = (0..n as u32).collect();
            let mut parents = device.upload(&own).unwrap();
            let [width, height, plane] = [width, height, image.plane].map(|size| size as u32);
            device.launch(unite_pixels::launch(&colours, &mut parents, width, height, plane, 0.25)).unwrap();
            let parents = device.download(&parents).unwrap();
            let root = |mut i: u32| {
                while parents[i as usize] != i {
                    assert!(parents[i as usize] < i, "a parent is smaller");
                    i = parents[i as usize];
                }
                i
            };
            let found: Vec<u32> = own.iter().map(|&i| root(i)).collect();
            assert_eq!(found, flooded(&image, 0.25), "{width} x {height}, {levels} levels");
        }
    }
}
