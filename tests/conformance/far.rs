//! Queries that are farther from all points than any weight reaches.

use modeseek::{Assignment, Bandwidth, Device, Distance, Form, MeanShift, Points, Seeding, WeightFunction};

/// Wherever the Gaussian is cut off on a machine: no support there, as beyond the end of the other weights.
pub fn queries_far_away(device: &Device) {
    let points = [[0.0], [0.5], [100.0], [100.5]];
    for weight in WeightFunction::ALL {
        for distance in [Distance::L2, Distance::L1] {
            let estimator =
                MeanShift::new().on(device).bandwidth(Bandwidth::Fixed(1.0)).weight(weight).distance(distance);
            let found = estimator.fit(&points).unwrap();
            let what = format!("{weight:?} {distance:?}");
            let predict = |points: &[[f64; 1]]| found.predict(points, Assignment::Basin).unwrap();
            assert_eq!(predict(&[[-15.0], [1e30]]), [-1, -1], "{what}");
            assert_eq!(predict(&[[-15.0], [0.25], [50.0], [100.25], [115.0]]), [-1, 0, -1, 1, -1], "{what}");
            // A seed from which nothing is seen makes no mode.
            let seeds = Seeding::At(Points::from_rows(&[-20.0, 0.25, 50.0], 1).unwrap());
            let seeded = estimator.form(Form::Standard).seeding(seeds).fit(&points).unwrap();
            assert_eq!(seeded.modes.len(), 1, "{what}");
            assert!(seeded.queries.iter().all(|query| query.converged), "{what}");
        }
    }
    // In any number of dimensions; and just within, where there is support yet.
    for d in 1..=6 {
        let point = |x: f64| (0..d).map(|c| if c == 0 { x } else { 0.0 }).collect::<Vec<_>>();
        let estimator = MeanShift::new().on(device).bandwidth(Bandwidth::Fixed(1.0));
        let found = estimator.fit(&[point(0.0), point(100.0)][..]).unwrap();
        let new = [point(-15.0), point(-9.0), point(0.0), point(91.0), point(1e20)];
        assert_eq!(found.predict(&new[..4], Assignment::Basin).unwrap(), [-1, 0, 0, 1], "d = {d}");
        assert_eq!(found.predict(&new[4..], Assignment::Basin).unwrap(), [-1], "d = {d}");
        assert_eq!(found.density(&new[..1]).unwrap(), [0.0], "d = {d}");
    }
}
