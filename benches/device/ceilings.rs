//! What a device can do at most, by the kernels of `gpu/ceilings.rs`.

use cuda_std::launch::Kernel;
use gpu::ceilings::{MMA_FLOPS, MMA_WORDS, STEPS, ceiling_copy, ceiling_ex2, ceiling_fma, ceiling_mma, half_pair};
use modeseek::{Buffer, Device};

use super::args::Effort;
use super::memory::{MARGIN, poisoned};
use super::opened::Opened;
use super::results::{Check, Results, Row, Work};
use super::subject::Measured;
use super::timing::{self, Member};
use super::{Outcome, caught, larger};
use crate::measure::{random, spread};

/// A launch should take so long that its start and its end do not count.
const LAUNCH_S: f64 = 5e-3;

/// Threads that a multiprocessor holds, elements of a thread's chains, and how often the device is filled.
const FILLING: usize = 2048 * 24 * 4;

/// Elements where there are no multiprocessors, and where things are only tried.
const ELEMENTS: usize = 1 << 20;
const TRIED: usize = 4096;

/// Elements that are compared, where the oracle takes its time.
const CHECKED: usize = 4096;

/// Memory that is copied: so many last-level caches, or so many bytes where that is more.
const CACHES: usize = 4;
const COPIED: usize = 256 << 20;

/// Measures all of them, in passes.
pub fn run(opened: &Opened, effort: &Effort, results: &mut Results) -> Outcome<()> {
    // Chosen in the first pass: the samples of all passes are of the same work.
    let mut repeats = [None; LIMITS.len()];
    for pass in 0..effort.passes {
        for (limit, repeats) in LIMITS.into_iter().zip(&mut repeats) {
            if effort.wants(limit.case()) {
                let row = results.row(limit.case(), "modeseek", opened.name);
                if let Some(why) = effort.over() {
                    row.not_reached(why);
                } else if !row.is_closed()
                    && let Err(why) = caught(|| measure(opened, limit, repeats, pass == 0, effort, row))
                {
                    row.fail(&why.to_string());
                }
                results.write()?;
            }
        }
    }
    Ok(())
}

/// One pass of one of them.
fn measure(
    opened: &Opened,
    limit: Limit,
    repeats: &mut Option<u32>,
    check: bool,
    effort: &Effort,
    row: &mut Row,
) -> Outcome<()> {
    if let Some(why) = opened.lost() {
        return Err(format!("the device was lost before: {why}").into());
    }
    let len = elements(&opened.device, limit, effort.tried)?;
    let (needed, free) = (8 * len as u128 + MARGIN, opened.device.details()?.free_bytes as u128);
    if needed > free {
        row.left_out = Some(format!("needs {needed} bytes of memory, and {free} are free"));
        return Ok(());
    }
    let mut measured = Ceiling::new(&opened.device, limit, len)?;
    match *repeats {
        Some(chosen) => measured.repeats = chosen,
        None if effort.tried => {}
        None => measured.calibrate()?,
    }
    *repeats = Some(measured.repeats);
    row.precision = Some(if limit == Limit::Mma { "f16" } else { "f32" });
    row.timer = Some(opened.timer);
    row.work = Some(measured.work());
    row.more.insert("elements".to_owned(), len.into());
    row.more.insert("repeats".to_owned(), measured.repeats.into());
    if check {
        let check = measured.check()?;
        let passed = check.passed;
        row.check = Some(check);
        if !passed {
            return Err("its result is wrong".into());
        }
    }
    let mut members = [Member::new(Box::new(measured))];
    timing::sample(&mut members, effort);
    let [member] = members;
    row.samples_s.push(member.result?);
    Ok(())
}

/// As many elements as fill the device, or exceed its caches.
fn elements(device: &Device, limit: Limit, tried: bool) -> Outcome<usize> {
    let details = device.details()?;
    let filling = details.multiprocessors.map_or(ELEMENTS, |count| count as usize * FILLING);
    Ok(match limit {
        // Not a multiple of what a block copies.
        Limit::Copy if tried => TRIED + 7,
        _ if tried => TRIED,
        Limit::Copy => (CACHES * details.l2_bytes.unwrap_or(0)).max(COPIED) / 4,
        // A processor emulates the products, and has no use for more.
        Limit::Mma if device.machine() != cuda_std::machine::MachineKind::Gpu => TRIED,
        // Four cells a thread, where the chains have 24.
        Limit::Mma => (filling / 6).next_multiple_of(TRIED),
        Limit::Fma | Limit::Ex2 => filling.next_multiple_of(TRIED),
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    Copy,
    Fma,
    Ex2,
    Mma,
}

const LIMITS: [Limit; 4] = [Limit::Copy, Limit::Fma, Limit::Ex2, Limit::Mma];

impl Limit {
    fn kernel(self) -> &'static Kernel {
        match self {
            Self::Copy => &ceiling_copy::KERNEL,
            Self::Fma => &ceiling_fma::KERNEL,
            Self::Ex2 => &ceiling_ex2::KERNEL,
            Self::Mma => &ceiling_mma::KERNEL,
        }
    }

    fn case(self) -> &'static str {
        match self {
            Self::Copy => "ceiling/copy",
            Self::Fma => "ceiling/fma",
            Self::Ex2 => "ceiling/ex2",
            Self::Mma => "ceiling/mma",
        }
    }

    /// The most repeats of a launch whose result is still exact.
    fn most_repeats(self) -> u32 {
        match self {
            Self::Copy => 1,
            Self::Mma => 2048,
            Self::Fma | Self::Ex2 => 1 << 22,
        }
    }
}

/// A kernel with its data.
struct Ceiling {
    device: Device,
    limit: Limit,
    values: Vec<f32>,
    input: Buffer<f32>,
    /// The matrices of products, as numbers and as words.
    matrices: [Vec<f32>; 2],
    words: [Buffer<u32>; 2],
    out: Buffer<f32>,
    repeats: u32,
}

impl Ceiling {
    fn new(device: &Device, limit: Limit, len: usize) -> Outcome<Self> {
        let values = match limit {
            Limit::Copy => random(len, 1),
            // Whole numbers, whose sums with others are exact.
            Limit::Fma => (0..len).map(|i| (i % 1009 + 1) as f32).collect(),
            Limit::Ex2 => random(len, 2).iter().map(|x| x.abs()).collect(),
            Limit::Mma => Vec::new(),
        };
        // Multiples of 1/8 from -1 to 1, which f16 holds exactly.
        let eighths = |seed| random(2 * MMA_WORDS, seed).iter().map(|x| (x * 8.0).round() / 8.0).collect::<Vec<f32>>();
        let matrices = [eighths(3), eighths(4)];
        let words = matrices.each_ref().map(|matrix| {
            let words: Vec<u32> = matrix.chunks(2).map(|pair| half_pair(pair[0], pair[1])).collect();
            device.upload(&words)
        });
        let [a, b] = words;
        let (input, out) = (device.upload(&values)?, poisoned(device, len)?);
        let repeats = if limit == Limit::Copy { 1 } else { STEPS };
        Ok(Self { device: device.clone(), limit, values, input, matrices, words: [a?, b?], out, repeats })
    }

    /// Repeats within the kernel so that a launch is not too short.
    fn calibrate(&mut self) -> Outcome<()> {
        if self.limit == Limit::Mma && self.device.machine() != cuda_std::machine::MachineKind::Gpu {
            self.repeats = 1;
        }
        // A driver compiles a kernel before its first launch, which takes longer than any launch.
        self.device.load(self.limit.kernel())?;
        self.time(1)?;
        while self.repeats * 2 <= self.limit.most_repeats() && self.time(1)? < LAUNCH_S {
            self.repeats *= 2;
        }
        Ok(())
    }

    fn work(&self) -> Work {
        let len = self.out.len() as f64;
        let steps = len * f64::from(self.repeats);
        match self.limit {
            Limit::Copy => Work { bytes: Some(8.0 * len), ..Work::default() },
            Limit::Fma => Work { flops: Some(2.0 * steps), ..Work::default() },
            Limit::Ex2 => Work { exponentials: Some(steps), ..Work::default() },
            // A warp has 128 cells.
            Limit::Mma => Work { flops: Some(steps / 128.0 * MMA_FLOPS as f64), ..Work::default() },
        }
    }

    fn launch(&mut self) -> Result<(), modeseek::Error> {
        let Self { device, limit, input, words: [a, b], out, repeats, .. } = self;
        device.launch(match limit {
            Limit::Copy => ceiling_copy::launch(&*input, out),
            Limit::Fma => ceiling_fma::launch(&*input, out, 1.0, 1.0, *repeats),
            Limit::Ex2 => ceiling_ex2::launch(&*input, out, *repeats),
            Limit::Mma => ceiling_mma::launch(&*a, &*b, out, *repeats),
        })
    }

    /// The largest error of all elements whose right value is known exactly.
    fn exact_error(&self, found: &[f32]) -> f64 {
        let repeats = f64::from(self.repeats);
        let product = self.product();
        let expected = |i: usize| match self.limit {
            Limit::Copy => f64::from(self.values[i]),
            Limit::Mma => repeats * product[i % product.len()],
            _ => f64::from(self.values[i]) + repeats,
        };
        found.iter().enumerate().map(|(i, found)| (f64::from(*found) - expected(i)).abs()).fold(0.0, larger)
    }

    /// (A_0 + A_1) (B_0 + B_1 + B_2 + B_3), 16 x 8, where a row of A and a column of B have 16 elements.
    fn product(&self) -> Vec<f64> {
        let [a, b] = &self.matrices;
        let sum = |matrix: &[f32], size: usize, at: usize| -> f64 {
            matrix.chunks(size).map(|part| f64::from(part[at])).sum()
        };
        let cell = |row: usize, column: usize| -> f64 {
            (0..16).map(|k| sum(a, 256, row * 16 + k) * sum(b, 128, column * 16 + k)).sum()
        };
        (0..16).flat_map(|row| (0..8).map(move |column| cell(row, column))).collect()
    }

    /// The largest error of some exponentials of exponentials, after which all tend to the same number.
    fn exponential_error(&self, found: &[f32]) -> f64 {
        let expected = |x: f32| (0..self.repeats.min(256)).fold(f64::from(x), |x, _| (-x).exp2());
        let error = |i: usize| (f64::from(found[i]) - expected(self.values[i])).abs();
        let all_written = found.iter().map(|x| if *x > 0.0 && *x <= 1.0 { 0.0 } else { f64::NAN }).fold(0.0, larger);
        larger(all_written, spread(found.len(), CHECKED).into_iter().map(error).fold(0.0, larger))
    }
}

impl Measured for Ceiling {
    fn check(&mut self) -> Outcome<Check> {
        self.out = poisoned(&self.device, self.out.len())?;
        self.launch()?;
        let found = self.device.download(&self.out)?;
        if self.limit == Limit::Ex2 {
            // What a step adds is 2^-22 at most, and a step makes of earlier errors at most ln 2 times as much.
            let limit = 2.0_f64.powi(-22) / (1.0 - std::f64::consts::LN_2);
            return Ok(Check::new("f64 oracle", "largest error", self.exponential_error(&found), limit));
        }
        Ok(Check::new("f64 oracle", "largest error", self.exact_error(&found), 0.0))
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        let device = self.device.clone();
        let took = device.timed(|_| (0..repeats).try_for_each(|_| self.launch()))?;
        Ok(took.as_secs_f64())
    }
}
