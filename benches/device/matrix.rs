//! Matrix products.

use modeseek::reference;
use modeseek::{Buffer, Device};

use super::cases::Shape;
use super::memory::{gather, poisoned, sets};
use super::results::Check;
use super::subject::{Measured, bytes};
use super::{Outcome, larger};
use crate::families::matmul::{PRODUCTS, Product as Launch};
use crate::measure::{ROUNDING, random, spread, wide};

/// Rows and columns of the product that are compared with the oracle where there are many.
const CHECKED: (usize, usize) = (32, 64);

struct Set {
    a: Buffer<f32>,
    b: Buffer<f32>,
    c: Buffer<f32>,
    /// What the oracle says of the cells that are compared.
    expected: Vec<f64>,
}

/// C = A B.
pub struct Product {
    device: Device,
    launch: Launch,
    sizes: [usize; 3],
    sets: Vec<Set>,
    next: usize,
}

/// Relative l2 error: |found - expected| / |expected|.
pub fn relative_l2(found: &[f32], expected: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut found.iter().zip(expected).map(|(found, expected)| f64::from(*found) - expected));
    apart / norm(&mut expected.iter().copied())
}

impl Product {
    /// By the kernel of that number in [`PRODUCTS`].
    pub fn new(device: &Device, kernel: usize, [m, k, n]: [usize; 3], most_sets: usize) -> Outcome<Self> {
        let (_, launch) = *PRODUCTS.get(kernel).ok_or("there is no such product")?;
        let count = sets(device, bytes(Shape::Product { m, k, n }), most_sets)?;
        let sets = (0..count as u64).map(|number| Set::new(device, [m, k, n], 40 + 2 * number));
        let sets = sets.collect::<Outcome<_>>()?;
        Ok(Self { device: device.clone(), launch, sizes: [m, k, n], sets, next: 0 })
    }

    fn launch(&mut self, number: usize) -> Result<(), modeseek::Error> {
        let [m, k, n] = self.sizes.map(|size| size as u32);
        let Set { a, b, c, .. } = &mut self.sets[number];
        self.device.launch((self.launch)(self.device.machine(), a, b, c, [m, n, k]))
    }
}

impl Set {
    fn new(device: &Device, [m, k, n]: [usize; 3], seed: u64) -> Outcome<Self> {
        let (a, b) = (random(m * k, seed), random(k * n, seed + 1));
        let (rows, columns) = (spread(m, CHECKED.0), spread(n, CHECKED.1));
        let some_rows: Vec<f32> = rows.iter().flat_map(|i| &a[i * k..][..k]).copied().collect();
        let some_columns: Vec<f32> =
            (0..k).flat_map(|l| columns.iter().map(move |j| (l, *j))).map(|(l, j)| b[l * n + j]).collect();
        let expected = reference::matmul(&wide(&some_rows), &wide(&some_columns), rows.len(), columns.len(), k);
        let (a, b) = (device.upload(&a)?, device.upload(&b)?);
        Ok(Self { a, b, c: poisoned(device, m * n)?, expected })
    }
}

impl Measured for Product {
    fn check(&mut self) -> Outcome<Check> {
        let [m, k, n] = self.sizes;
        let (rows, columns) = (spread(m, CHECKED.0), spread(n, CHECKED.1));
        let ranges: Vec<_> = rows.iter().map(|i| i * n..(i + 1) * n).collect();
        let mut error = 0.0;
        for number in 0..self.sets.len() {
            self.sets[number].c = poisoned(&self.device, m * n)?;
            self.launch(number)?;
            let found = gather(&self.device, &self.sets[number].c, &ranges)?;
            let found: Vec<f32> = found.chunks(n).flat_map(|row| columns.iter().map(|j| row[*j])).collect();
            error = larger(error, relative_l2(&found, &self.sets[number].expected));
        }
        // Sums of k terms of either sign: their roundings grow as they do, with the square root.
        Ok(Check::new("f64 oracle", "relative l2", error, 2.0 * ROUNDING * (k as f64).sqrt()))
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        let device = self.device.clone();
        let took = device.timed(|_| {
            (0..repeats).try_for_each(|_| {
                self.next = (self.next + 1) % self.sets.len();
                self.launch(self.next)
            })
        })?;
        Ok(took.as_secs_f64())
    }
}
