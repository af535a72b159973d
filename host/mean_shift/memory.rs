//! How much device memory a fit takes, before it takes any.

use super::builder::MeanShift;
use super::composed;
use super::iterate::Queries;
use super::labels::count;
use super::near;
use super::options::{Form, Method, Seeding};
use super::seeds::enough;
use super::slices;
use crate::bytes::Bytes;
use crate::error::Result;
use crate::executor::Device;

/// The most queries of a fit of n points.
fn queries(options: &MeanShift, n: usize) -> usize {
    // Labels by basin move every point in the end, whatever the seeds.
    if options.form == Form::Blurring || options.basin() { n } else { seeds(options, n) }
}

/// The most seeds of n points.
fn seeds(options: &MeanShift, n: usize) -> usize {
    match &options.seeding {
        Seeding::At(points) => points.len(),
        &Seeding::Random { count, .. } => count.min(n),
        &Seeding::Share { share, confidence, .. } => enough(share, confidence).min(n),
        Seeding::EveryPoint | Seeding::Bins { .. } => n,
    }
}

/// The most bytes that a fit of n points of d dimensions holds on the device at a time, without a batch's
/// distances: O(n d).
///
/// The points by rows and by columns and their marks; in the blurring form two buffers of queries, in the
/// standard form three (queries, next, ends); then labels: the hash tables of `labels` (two of 2 n slots
/// rounded up to a power of two, in turn), some numbers a query and a point; and what an estimate of the
/// bandwidth takes.
pub fn bytes(options: &MeanShift, n: usize, d: usize) -> u128 {
    let stride = Queries::stride_of(n) as u128;
    let seeds = queries(options, n);
    let m = Queries::stride_of(seeds) as u128;
    let d = d as u128;
    let field = stride * d * 2 + stride * 4;
    let queries = match options.form {
        Form::Blurring => m * d * 2 + m * 3,
        Form::Standard => m * d * 3 + m * 7,
    };
    let table = (2 * m).next_power_of_two().max(32);
    let labels = table * 4 + m * 8 + m * (d + 6) * 3 + stride * 4;
    let estimate = stride * (d + 4);
    let tiles = if options.method == Method::Tiles { near::bytes(n, seeds, d as usize) } else { 0 };
    (field + queries + labels + estimate + options.max_iterations as u128) * 4 + tiles
}

/// Checks that a fit's memory is there; what it is, and the composed method's batch, which is made smaller
/// where memory is short.
///
/// # Errors
/// [`Error::Memory`](crate::Error::Memory); [`Error::TooMany`](crate::Error::TooMany) for sizes that kernels, which count
/// in 32 bits, cannot count: n x d may be larger, since elements are counted in 64.
pub fn reserve(options: &MeanShift, device: &Device, n: usize, d: usize) -> Result<(Bytes, Option<usize>)> {
    count(n, "a number of points")?;
    count(d, "a number of dimensions")?;
    let mut fixed = bytes(options, n, d);
    let what = format!("{n} points of {d} dimensions");
    let Method::Composed { batch } = options.method else {
        // Of weights that are all the same points are not marked.
        let marked: &[bool] = match (options.bandwidth.is_of_points(), options.sample_weights.is_some()) {
            _ if options.method == Method::Tiles => &[],
            (true, _) => &[true],
            (false, true) => &[false, true],
            (false, false) => &[false],
        };
        // Of a norm it is the exponent that counts.
        let norm = options.distance.norm(1.0, 1.0);
        let of_slices = |m| slices::bytes(device.machine(), (n, m, d), norm, marked);
        fixed += of_slices(queries(options, n)).max(of_slices(seeds(options, n)));
        device.reserve(fixed, &what, "use fewer points")?;
        return Ok((Bytes(fixed), None));
    };
    device.reserve(fixed + composed::bytes(n, d, 1), &what, "use fewer points, or the fused method")?;
    let batch = fitting(batch.min(n), device.available()? as u128, fixed + composed::bytes(n, d, 0), n as u128 * 4);
    Ok((Bytes(fixed + composed::bytes(n, d, batch)), Some(batch)))
}

/// The most of `wanted` points at a time that fit the free memory, each with so many bytes, beside what is
/// fixed; 1 at least. An eighth is left for the kernels' code, and for memory that is given in larger pieces.
fn fitting(wanted: usize, free: u128, fixed: u128, each: u128) -> usize {
    let room = (free - free / 8).saturating_sub(fixed);
    usize::try_from(room / each).map_or(wanted, |most| wanted.min(most)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/clustering.md has the formula and its example from here.
    #[test]
    fn the_guide_says_how_much_it_is() {
        let guide = include_str!("../../docs/clustering.md");
        let blurring = MeanShift::new();
        let standard = MeanShift::new().form(Form::Standard);
        let seeds = |count| standard.clone().seeding(Seeding::Random { count, seed: 0 });
        for (n, d, m, options) in [
            (1 << 20, 2, 1 << 20, &blurring),
            (100_000, 30, 100_000, &blurring),
            (1_000_000, 2, 1_000_000, &standard),
            (64_000, 7, 32, &seeds(5)),
            (64_000, 7, 64_000, &seeds(100_000)),
        ] {
            let (t, d) = (f64::max((2 * m) as f64, 32.0).log2().ceil().exp2() as u128, d as u128);
            let [n_, m] = [n, m].map(|count| count as u128);
            let of_queries = if options.form == Form::Blurring { 5 * d + 29 } else { 6 * d + 33 };
            let numbers = n_ * (3 * d + 12) + m * of_queries + 4 * t + options.max_iterations as u128;
            assert_eq!(bytes(options, n, d as usize), 4 * numbers, "{n}, {d}, {m}");
        }
        for formula in ["n (3 d + 12) + n (5 d + 29) + 4 t", "n (3 d + 12) + m (6 d + 33) + 4 t"] {
            assert!(guide.contains(formula), "{formula}");
        }
        let take = |options: &MeanShift| Bytes(bytes(options, 1_000_000, 2));
        let [all, each, some] = [take(&blurring), take(&standard), take(&seeds(500))];
        let example = format!(
            "So 1,000,000 points of 2 dimensions take {all} in the blurring form, {each} in the standard form, and {some} with \
             500 random seeds and labels of the nearest mode."
        );
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(guide).contains(&words(&example)), "{example}");
    }

    /// Found before anything is allocated. Labels have hash tables of 2 n slots and more, which are counted too.
    #[test]
    fn what_kernels_cannot_count_is_refused() {
        let device = Device::processor().expect("a processor");
        let refused = |n, d| reserve(&MeanShift::new(), &device, n, d).expect_err("there are too many").to_string();
        let most = 1 << 30;
        for (n, d) in [(most + 1, 1), (usize::MAX / 4, 2), (u32::MAX as usize + 2, 1)] {
            assert_eq!(refused(n, d), format!("a number of points of {n} is more than the kernels can count ({most})"));
        }
        let words = format!("a number of dimensions of {} is more than the kernels can count ({most})", most + 1);
        assert_eq!(refused(1, most + 1), words);
        // More than 2^32 numbers can be counted, and are a matter of memory alone.
        let words = refused(most, 1 << 20);
        assert!(
            words.contains("of memory free") && words.contains("1073741824 points of 1048576 dimensions"),
            "{words}"
        );
    }

    #[test]
    fn batches_shrink_to_what_fits() {
        assert_eq!(fitting(1024, 1 << 30, 1000, 400), 1024);
        // 7000 of 8000 bytes, of which 1000 are taken.
        assert_eq!(fitting(1024, 8000, 1000, 400), 15);
        assert_eq!(fitting(10, 8000, 1000, 400), 10);
        assert_eq!(fitting(1024, 8000, 6500, 400), 1);
        assert_eq!(fitting(1024, 100, 6500, 400), 1);
        assert_eq!(fitting(7, u128::MAX, 0, 4), 7);
    }
}
