//! What a fit costs beside its arithmetic: copies, waits, memory; counted by the device itself.

mod counting;

use std::sync::{Arc, Mutex};

use counting::{Account, counting};
use modeseek::data::Blobs;
use modeseek::{
    Assignment, Bandwidth, Clustering, Device, Distance, Form, MeanShift, Merging, Method, Points, Seeding,
    WeightFunction,
};

/// Clouds, n points in all, and the same clouds for every n.
fn clouds(n: usize, dimensions: usize) -> Points {
    let blobs = Blobs { points: n, clusters: 4, dimensions, seed: 14 };
    Points::from_rows(&blobs.generate().unwrap().rows, dimensions).unwrap()
}

/// A fit, what it did, and the most memory that it held.
fn counted(
    (device, account): &(Device, Arc<Mutex<Account>>),
    estimator: &MeanShift,
    points: &Points,
) -> (Clustering, Account) {
    let before = {
        let mut account = account.lock().unwrap();
        account.peak = account.held;
        account.clone()
    };
    let found = estimator.clone().on(device).fit(points).unwrap();
    let account = account.lock().unwrap().since(&before);
    (found, account)
}

/// So many iterations over all pairs, however soon all points rest.
fn exactly(iterations: usize) -> MeanShift {
    MeanShift::new().bandwidth(Bandwidth::Fixed(2.5)).tolerance(0.0).max_iterations(iterations).method(Method::Fused)
}

/// Estimators of every kind, for points without weights.
fn kinds() -> Vec<(&'static str, MeanShift)> {
    let base = exactly(4);
    let standard = base.clone().form(Form::Standard);
    let seeded = standard.clone().seeding(Seeding::Random { count: 20, seed: 1 });
    vec![
        ("blurring", base.clone()),
        ("standard", standard.clone()),
        ("densest", standard.clone().merging(Merging::Densest)),
        ("bins", standard.clone().seeding(Seeding::Bins { min_frequency: 1 })),
        ("bins, basin", standard.clone().seeding(Seeding::Bins { min_frequency: 1 }).assignment(Assignment::Basin)),
        ("at", standard.clone().seeding(Seeding::At(clouds(9, 2)))),
        ("random", standard.clone().seeding(Seeding::Random { count: 20, seed: 1 })),
        ("random, basin", seeded.assignment(Assignment::Basin)),
        ("share", standard.clone().seeding(Seeding::Share { share: 0.1, confidence: 0.9, seed: 1 })),
        ("L1", base.clone().distance(Distance::L1)),
        ("cosine", standard.clone().distance(Distance::Cosine).bandwidth(Bandwidth::Fixed(0.05))),
        ("quantile", base.clone().bandwidth(Bandwidth::Quantile { quantile: 0.1, sample: None, seed: 0 })),
        ("sample", base.clone().bandwidth(Bandwidth::Quantile { quantile: 0.3, sample: Some(100), seed: 0 })),
        ("Scott", base.clone().bandwidth(Bandwidth::Scott)),
        ("neighbours", base.clone().bandwidth(Bandwidth::Neighbours { k: 30 })),
        ("flat", base.clone().weight(WeightFunction::Flat)),
        ("tiles", base.clone().method(Method::Tiles)),
        ("tiles, standard", standard.clone().method(Method::Tiles)),
        ("field", base.clone().method(Method::Field).accuracy(0.01)),
        ("field, standard", standard.clone().method(Method::Field).accuracy(0.01)),
        ("composed", base.method(Method::Composed { batch: 64 })),
    ]
}

/// Sixteen times as many points: as many copies and waits, and of those that grow only the points, the labels and
/// what became of each query.
#[test]
fn crossings_do_not_depend_on_the_number_of_points() {
    let device = counting();
    for (name, estimator) in kinds() {
        let [few, many] = [200, 3200].map(|n| counted(&device, &estimator, &clouds(n, 2)));
        assert_eq!((few.0.iterations, many.0.iterations), (4, 4), "{name}");
        let crossings = |account: &Account| (account.writes.len(), account.reads.len(), account.waits);
        if name.starts_with("tiles") {
            // Points are put in order again when they have moved far, with a few numbers each time.
            let (few, many) = (crossings(&few.1), crossings(&many.1));
            assert!(many.0 <= few.0 + 3 * 4 && many.1 <= few.1 + 2 * 4 && many.2 == few.2, "{name}: {few:?} {many:?}");
        } else {
            assert_eq!(crossings(&few.1), crossings(&many.1), "{name}");
        }
        let large = |sizes: &[usize]| sizes.iter().filter(|&&bytes| bytes > 3200).count();
        // The points. (The composed method, which has no support of its own, is given one for each.)
        assert_eq!(large(&many.1.writes), 1 + usize::from(name == "composed"), "{name}");
        // Labels, and what became of the queries.
        assert!(large(&many.1.reads) <= 2, "{name}: {:?}", many.1.reads);
        let counts = many.0.counts;
        assert_eq!(counts.uploads as usize, many.1.writes.len(), "{name}");
        assert_eq!(counts.downloads as usize, many.1.reads.len(), "{name}");
    }
}

/// An iteration reads a few cells once: no point is read back for it.
#[test]
fn an_iteration_reads_a_few_cells() {
    let device = counting();
    let points = clouds(3000, 2);
    for form in [Form::Blurring, Form::Standard] {
        // Moving on for ever: flat ends after few steps, the Gaussian in f32 does not before these.
        let [few, many] = [2, 7].map(|iterations| counted(&device, &exactly(iterations).form(form), &points));
        assert_eq!((few.0.iterations, many.0.iterations), (2, 7));
        assert_eq!(few.1.writes, many.1.writes);
        assert_eq!(few.1.waits, many.1.waits);
        // At most one look an iteration, at the cells of the iterations so far.
        let more = many.1.reads.len() - few.1.reads.len();
        assert!(more <= 5, "{form:?}: {more} reads more");
        let (few, many): (usize, usize) = (few.1.reads.iter().sum(), many.1.reads.iter().sum());
        assert!(many - few <= 5 * (8 + 7) * 4, "{form:?}: {} bytes more", many - few);
    }
}

/// The prediction is kept, and is no wild guess.
#[test]
fn memory_is_predicted() {
    let device = counting();
    let mut wrong = Vec::new();
    for (n, d) in [(33, 1), (500, 2), (3000, 3), (2049, 5), (700, 33)] {
        let points = clouds(n, d);
        let weights: Vec<f64> = (0..n).map(|i| 1.0 + (i % 3) as f64).collect();
        for (name, estimator) in kinds() {
            let mut far = estimator.bandwidth_for(d, name);
            if name == "at" {
                far = far.seeding(Seeding::At(clouds(9, d)));
            }
            for (weighted, estimator) in [(false, far.clone()), (true, far.sample_weights(weights.clone()))] {
                let serves = match name {
                    "bins" | "bins, basin" => d <= MeanShift::MOST_BIN_DIMENSIONS,
                    "field" | "field, standard" => d <= 3,
                    _ => true,
                };
                if estimator.check().is_err() || !serves {
                    continue;
                }
                let (found, account) = counted(&device, &estimator, &points);
                let (predicted, peak) = (found.memory.0 as usize, account.peak);
                // It adds up the needs of phases that follow one another, of which each gives most of its own back.
                // How many bins are occupied is not known before: all points may have one each. The constant is for
                // the cells of 4 iterations, and for columns of few points, which have whole lanes.
                let most = if name.starts_with("bins") { 8 } else { 5 };
                if !(peak <= predicted && predicted <= most * peak + 8192) {
                    wrong.push(format!("{name}, {n} x {d}, weighted {weighted}: {predicted} for {peak}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} predictions:\n{}", wrong.len(), wrong.join("\n"));
}

/// An estimator of [`kinds`] for another dimension.
trait ForDimensions {
    fn bandwidth_for(self, d: usize, name: &str) -> Self;
}

impl ForDimensions for MeanShift {
    /// A bandwidth that was given grows with the distances.
    fn bandwidth_for(self, d: usize, name: &str) -> Self {
        match name {
            "quantile" | "sample" | "Scott" | "neighbours" | "cosine" => self,
            _ => self.bandwidth(Bandwidth::Fixed(2.5 * (d as f64).sqrt())),
        }
    }
}

/// Four times the points, four times the memory; and twice the dimensions no more than twice.
#[test]
fn memory_is_of_the_order_of_the_points() {
    let device = counting();
    for form in [Form::Blurring, Form::Standard] {
        let peak = |n, d| {
            let estimator = exactly(2).form(form).bandwidth_for(d, "");
            let (found, account) = counted(&device, &estimator, &clouds(n, d));
            (found.memory.0 as f64, account.peak as f64)
        };
        let (small, large, wide) = (peak(2048, 8), peak(8192, 8), peak(2048, 16));
        for (small, large, wide) in [(small.0, large.0, wide.0), (small.1, large.1, wide.1)] {
            assert!(large <= 4.1 * small, "{form:?}: {large} for 4 times the points of {small}");
            assert!(wide <= 2.0 * small, "{form:?}: {wide} for twice the dimensions of {small}");
        }
        // A row of distances for each point would be 8192^2 floats.
        assert!(large.1 < 0.02 * 4.0 * 8192.0 * 8192.0, "{form:?}: {}", large.1);
    }
}
