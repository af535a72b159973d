//! Options that make no sense, by themselves or beside others.

use modeseek::{
    Assignment, Bandwidth, Distance, Error, Form, MeanShift, Merging, Method, Points, Seeding, WeightFunction,
};

use crate::{fixed, flat, refused};

const FOUR: [[f64; 2]; 4] = [[1.0, 1.0], [1.1, 1.2], [9.0, 2.0], [9.1, 1.9]];

#[track_caller]
fn wrong(estimator: MeanShift, words: &[&str]) {
    // The check by itself, and as part of a fit.
    assert!(matches!(refused(estimator.check(), words), Error::Option { .. }));
    let error = refused(estimator.fit(&FOUR), words);
    assert!(matches!(error, Error::Option { .. }) && error.is_usage(), "{error:?}");
}

#[test]
fn senseless_values_are_named() {
    for tolerance in [-1e-3, f64::NAN, f64::INFINITY] {
        wrong(fixed(1.0).tolerance(tolerance), &["the tolerance is", "zero or a positive, finite number"]);
    }
    wrong(fixed(1.0).max_iterations(0), &["the number of iterations is 0", "between 1 and 1000000"]);
    wrong(fixed(1.0).max_iterations(1_000_001), &["the number of iterations is 1000001", "between 1 and 1000000"]);
    for relaxation in [0.0, -1.0, 2.0, f64::NAN] {
        wrong(flat(1.0).relaxation(relaxation), &["the relaxation is", "above 0 and below 2"]);
    }
    wrong(fixed(1.0).merging(Merging::Chains { radius: 1e31 }), &["the merging radius is", "up to 1e30"]);
    for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        wrong(
            fixed(1.0).merging(Merging::Chains { radius }),
            &["the merging radius is", "positive number of bandwidths, up to 1e30"],
        );
        let near = flat(1.0).assignment(Assignment::NearestMode);
        wrong(near.reach(radius), &["the reach is", "positive, finite"]);
    }
    for p in [0.5, 5.01, 64.0, f64::NAN, f64::INFINITY] {
        wrong(fixed(1.0).distance(Distance::Lp(p)), &["the norm's exponent is", "from 1 to 5"]);
    }
    for accuracy in [1e-6, -1.0, 0.02, f64::NAN] {
        wrong(
            fixed(1.0).accuracy(accuracy),
            &["the accuracy is", "from 1e-5 to 0.01 bandwidths, or 0, which is exact"],
        );
    }
    wrong(fixed(1.0).minimum_size(0), &["the smallest size of a cluster is 0", "at least 1"]);
    wrong(fixed(1.0).method(Method::Composed { batch: 0 }), &["the batch is 0", "at least 1"]);
    wrong(
        flat(1.0).seeding(Seeding::Bins { min_frequency: 0 }),
        &["the least number of points in a bin is 0", "at least 1"],
    );
    wrong(flat(1.0).seeding(Seeding::Random { count: 0, seed: 0 }), &["the number of seeds is 0", "at least 1"]);
    for bad in [0.0, 1.0, -0.1, f64::NAN] {
        let seeding = |share, confidence| Seeding::Share { share, confidence, seed: 0 };
        wrong(flat(1.0).seeding(seeding(bad, 0.9)), &["the share of points is", "above 0 and below 1"]);
        wrong(flat(1.0).seeding(seeding(0.1, bad)), &["the confidence is", "above 0 and below 1"]);
    }
    // What is just allowed.
    for estimator in [
        fixed(1.0).tolerance(0.0).max_iterations(1),
        flat(1.0).relaxation(1.999),
        fixed(1.0).distance(Distance::Lp(1.0)),
        fixed(1.0).distance(Distance::Lp(5.0)),
    ] {
        assert!(estimator.fit(&FOUR).is_ok(), "{estimator:?}");
    }
}

#[track_caller]
fn conflict(estimator: MeanShift, words: &[&str]) {
    let error = refused(estimator.fit(&FOUR), words);
    assert!(matches!(error, Error::Conflict { .. }) && error.is_usage(), "{error:?}");
}

#[test]
fn options_that_exclude_each_other_are_named() {
    let bins = Seeding::Bins { min_frequency: 1 };
    let seeds = Seeding::At(Points::from_rows(&[1.0, 1.0], 2).unwrap());
    for seeding in [bins.clone(), seeds, Seeding::Random { count: 2, seed: 0 }] {
        let words = ["the blurring form with seeds is not possible", "use the standard form"];
        conflict(fixed(1.0).seeding(seeding), &words);
    }
    let relaxed = ["over-relaxation here is not possible", "only for the standard form with the 2-norm"];
    conflict(fixed(1.0).relaxation(1.5), &relaxed);
    for distance in [Distance::L1, Distance::Lp(3.0), Distance::Cosine] {
        conflict(flat(1.0).relaxation(1.5).distance(distance), &relaxed);
    }
    let reach = ["a reach with labels by basin is not possible", "assign by that"];
    conflict(fixed(1.0).reach(1.0), &reach);
    conflict(flat(1.0).reach(1.0), &reach);
    conflict(flat(1.0).merging(Merging::Densest).assignment(Assignment::Basin).reach(1.0), &reach);

    let composed = |estimator: MeanShift| estimator.method(Method::Composed { batch: 2 });
    let words = ["the composed method here is not possible", "use the fused method"];
    conflict(composed(flat(1.0)), &words);
    conflict(composed(fixed(1.0).distance(Distance::L1)), &words);
    conflict(composed(fixed(1.0).sample_weights([1.0; 4])), &words);
    for bandwidth in [
        Bandwidth::PerPoint(vec![1.0; 4]),
        Bandwidth::Neighbours { k: 2 },
        Bandwidth::PerDimension(vec![1.0; 2]),
        Bandwidth::Scott,
        Bandwidth::Silverman,
    ] {
        conflict(composed(fixed(1.0).bandwidth(bandwidth)), &words);
    }
    let own = WeightFunction::Own(&gpu::cauchy::STEPS);
    conflict(composed(fixed(1.0).weight(own)), &["weight of one's own is not possible", "use the fused method"]);

    let tiles = |estimator: MeanShift| estimator.method(Method::Tiles);
    conflict(tiles(fixed(1.0).weight(own)), &["weight of one's own is not possible", "use the fused method"]);
    for estimator in [
        fixed(1.0).distance(Distance::Lp(2.0)),
        fixed(1.0).distance(Distance::L1),
        flat(1.0).bandwidth(Bandwidth::PerDimension(vec![1.0; 2])),
        flat(1.0).bandwidth(Bandwidth::PerPoint(vec![1.0; 4])),
    ] {
        assert_eq!(tiles(estimator).fit(&FOUR).unwrap().labels, [0, 0, 1, 1]);
    }

    let words = ["more than one bandwidth with the cosine distance is not possible", "it needs a single one"];
    for bandwidth in [
        Bandwidth::PerDimension(vec![1.0; 2]),
        Bandwidth::PerPoint(vec![1.0; 4]),
        Bandwidth::Neighbours { k: 2 },
        Bandwidth::Scott,
    ] {
        conflict(fixed(1.0).bandwidth(bandwidth).distance(Distance::Cosine), &words);
    }
    let words = ["seeding by bins here is not possible", "one bandwidth in units of the data"];
    conflict(flat(1.0).distance(Distance::Cosine).seeding(bins.clone()), &words);
    conflict(flat(1.0).bandwidth(Bandwidth::PerDimension(vec![1.0; 2])).seeding(bins), &words);
}

#[track_caller]
fn undefined<T: std::fmt::Debug>(result: modeseek::Result<T>, words: &[&str]) {
    assert!(matches!(refused(result, words), Error::Undefined { .. }));
}

#[test]
fn what_is_not_defined_is_named() {
    let bins = |min_frequency| Seeding::Bins { min_frequency };
    let wide = vec![vec![1.0; 21], vec![2.0; 21]];
    undefined(flat(1.0).seeding(bins(1)).fit(&wide), &["seeding by bins is not defined beyond 20", "random seeds"]);
    assert!(flat(9.0).seeding(bins(1)).fit(&[vec![1.0; 20], vec![1.5; 20]][..]).is_ok());
    undefined(
        flat(1.0).seeding(bins(3)).fit(&FOUR),
        &["a fit without seeds is not defined", "ask for fewer (--min-bin-frequency)"],
    );
    let far = Seeding::At(Points::from_rows(&[500.0, 500.0], 2).unwrap());
    for merging in [Merging::Densest, Merging::default()] {
        let estimator = flat(1.0).seeding(far.clone()).merging(merging);
        undefined(estimator.fit(&FOUR), &["a mode is not defined where no seed", "use a larger bandwidth"]);
    }

    let density = |estimator: MeanShift| estimator.fit(&FOUR).unwrap().density(&FOUR);
    for distance in [Distance::L1, Distance::Lp(3.0), Distance::Cosine] {
        undefined(density(fixed(0.5).distance(distance)), &["a density is not defined for another distance"]);
    }
    for bandwidth in [Bandwidth::PerPoint(vec![1.0; 4]), Bandwidth::Neighbours { k: 3 }] {
        undefined(density(fixed(1.0).bandwidth(bandwidth)), &["a density is not defined for bandwidths of points"]);
    }
    let own = WeightFunction::Own(&gpu::cauchy::STEPS);
    undefined(density(fixed(1.0).weight(own)), &["a density is not defined for a weight function of one's own"]);
    // Its clusters are.
    assert_eq!(fixed(1.0).weight(own).form(Form::Standard).fit(&FOUR).unwrap().labels, [0, 0, 1, 1]);
}
