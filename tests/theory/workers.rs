//! The same bits for any number of workers.

use std::num::NonZero;

use modeseek::executor::CpuOptions;
use modeseek::{Assignment, Device, Distance, Form, Merging, Method, Seeding};

use super::{Set, bits, estimators, scalar};

fn workers(count: usize) -> Device {
    Device::processor_with(CpuOptions { workers: NonZero::new(count), ..CpuOptions::default() }).unwrap()
}

/// More points than a block takes, so that there is something to share.
fn many(d: usize) -> Set {
    let set = Set::clouds(d);
    let rows = (0..12).flat_map(|k| set.map(|c, x| x + f64::from(k) * 0.03125 * (c as f64 - 0.5)).rows).collect();
    Set { rows, d }
}

#[test]
fn results_do_not_depend_on_workers() {
    let devices = [1, 2, 5].map(workers);
    for d in [2, 5] {
        let set = many(d);
        let weights: Vec<f64> = (0..set.len()).map(|i| 0.3 + (i % 7) as f64 / 3.0).collect();
        let mut all: Vec<_> = estimators(d).into_iter().map(|(what, estimator, _)| (what, estimator)).collect();
        let standard = scalar(1.0 + d as f64 / 4.0).form(Form::Standard).max_iterations(30);
        let bins = standard.clone().seeding(Seeding::Bins { min_frequency: 2 });
        all.extend([
            ("weighted".to_owned(), standard.clone().sample_weights(weights.clone())),
            ("weighted, densest".to_owned(), standard.clone().merging(Merging::Densest).sample_weights(weights)),
            ("bins, basin".to_owned(), bins.assignment(Assignment::Basin)),
            ("cosine".to_owned(), scalar(0.05).distance(Distance::Cosine)),
            ("composed".to_owned(), scalar(1.25).method(Method::Composed { batch: 100 })),
        ]);
        for (what, estimator) in all {
            let fit = |device| bits(&estimator.clone().max_iterations(12).on(device).fit(&set.points()).unwrap());
            let one = fit(&devices[0]);
            for device in &devices[1..] {
                assert!(fit(device) == one, "{what}, d = {d}: other bits on {device:?}");
            }
        }
    }
}

/// And twice the same on the same device.
#[test]
fn results_do_not_depend_on_the_run() {
    let (device, set) = (workers(2), many(2));
    let estimator = scalar(1.25).form(Form::Standard).on(&device);
    let one = bits(&estimator.fit(&set.points()).unwrap());
    for _ in 0..5 {
        assert!(bits(&estimator.fit(&set.points()).unwrap()) == one);
    }
}
