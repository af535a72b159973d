//! Input that makes no sense: the error names what is wrong, and says what to do.

use modeseek::executor::Counts;
use modeseek::{
    Assignment, Bandwidth, Clustering, Device, Distance, Error, Form, MeanShift, Points, Result, Seeding, ToPoints,
};
use nalgebra::DMatrix;

use crate::{DEVICE, fixed, flat, refused};

const FOUR: [[f64; 2]; 4] = [[0.0, 0.0], [0.1, 0.2], [9.0, 9.0], [9.1, 8.9]];

#[test]
fn coordinates_that_are_no_numbers_are_named() {
    for (bad, word) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        for (row, column) in [(0, 1), (3, 0), (3, 1)] {
            let mut points = FOUR;
            points[row][column] = bad;
            let what = [&format!("coordinate {column} of point {row} is {word}"), "remove such points or fill the gap"];
            let is = |error| matches!(error, Error::NotFinite { row: r, column: c, .. } if (r, c) == (row, column));
            assert!(is(refused(fixed(1.0).fit(&points), &what)));
            assert!(is(refused(fixed(1.0).fit(&points.map(|row| row.to_vec()).to_vec()), &what)));
            assert!(is(refused(fixed(1.0).fit(&points.map(|row| row.map(|x| x as f32))), &what)));
            let columns = DMatrix::from_column_slice(2, 4, points.as_flattened());
            assert!(is(refused(fixed(1.0).fit(&columns), &what)));
        }
    }
    // An f64 that f32 does not hold is a number all the same, as long as it is near the others.
    let far = fixed(1.0).fit(&[[1e300, 0.0], [1e300, 1.0]]).unwrap();
    assert_eq!(far.modes[0].position[0], 1e300);
}

/// Everything that a clustering can be asked of new points.
fn ask(found: &Clustering, points: &(impl ToPoints + ?Sized)) -> [Result<()>; 4] {
    [
        found.predict(points, Assignment::NearestMode).map(drop),
        found.predict(points, Assignment::Basin).map(drop),
        found.transform(points).map(drop),
        found.density(points).map(drop),
    ]
}

/// New points and seeds are looked at as points are.
#[test]
fn queries_are_checked_like_points() {
    let found = flat(1.0).fit(&FOUR).unwrap();
    let none: [[f64; 2]; 0] = [];
    for answer in ask(&found, &[[0.0, f64::NAN]]) {
        assert!(matches!(refused(answer, &["coordinate 1 of point 0 is NaN"]), Error::NotFinite { .. }));
    }
    for answer in ask(&found, &none) {
        assert!(matches!(refused(answer, &["there are no points; give at least one"]), Error::NoPoints));
    }
    for answer in ask(&found, &[[1.0, 2.0, 3.0]]) {
        let error = refused(answer, &["the new points have 3 coordinates", "the points 2"]);
        assert!(matches!(error, Error::Dimensions { found: 3, expected: 2, .. }));
    }
    let seeds = Points::from_rows(&[1.0, 2.0, 3.0], 1).unwrap();
    let error = refused(
        flat(1.0).seeding(Seeding::At(seeds)).fit(&FOUR),
        &["the seeds have 1 coordinate, and", "the points 2"],
    );
    assert!(matches!(error, Error::Dimensions { found: 1, expected: 2, .. }));
}

#[test]
fn shapes_that_are_none_are_named() {
    let ragged = vec![vec![0.0, 1.0], vec![2.0, 3.0], vec![4.0], vec![]];
    let error = refused(fixed(1.0).fit(&ragged), &["row 2 has 1 value, and", "the first has 2", "the same length"]);
    assert!(matches!(error, Error::RaggedRow { row: 2, found: 1, expected: 2 }));
    refused(fixed(1.0).fit(&ragged[..3]), &["row 2 has 1 value, and"]);

    let no_rows: Vec<Vec<f64>> = Vec::new();
    let no_arrays: Vec<[f32; 3]> = Vec::new();
    for error in [
        refused(fixed(1.0).fit(&no_rows), &["there are no points; give at least one"]),
        refused(fixed(1.0).fit(&no_arrays), &["there are no points"]),
        refused(fixed(1.0).fit(&DMatrix::<f64>::zeros(2, 0)), &["there are no points"]),
        refused(Points::from_rows::<f64>(&[], 2), &["there are no points"]),
    ] {
        assert!(matches!(error, Error::NoPoints));
    }
    let no_columns: Vec<Vec<f64>> = vec![Vec::new(); 3];
    for error in [
        refused(fixed(1.0).fit(&no_columns), &["no coordinates; give at least one dimension"]),
        refused(fixed(1.0).fit(&DMatrix::<f64>::zeros(0, 3)), &["no coordinates"]),
        refused(fixed(1.0).fit(&[[0.0_f64; 0]; 3]), &["no coordinates"]),
        refused(Points::from_rows(&[1.0], 0), &["no coordinates"]),
    ] {
        assert!(matches!(error, Error::NoDimensions));
    }
    let error = refused(Points::from_rows(&[1.0, 2.0, 3.0], 2), &["3 values do not make rows of 2", "incomplete"]);
    assert!(matches!(error, Error::IncompleteRow { values: 3, dimensions: 2 }));
}

#[test]
fn sample_weights_that_are_none_are_named() {
    let say = "give one finite number of at least 0 for each of the 4 points, not all 0";
    for (weights, what) in [
        (vec![1.0, 2.0, -0.5, 1.0], "sample weight 2 is -0.5"),
        (vec![f64::NAN, 1.0, 1.0, 1.0], "sample weight 0 is NaN"),
        (vec![1.0, 1.0, 1.0, f64::INFINITY], "sample weight 3 is inf"),
        (vec![0.0; 4], "all sample weights are 0"),
        (vec![1.0; 3], "there are 3 sample weights"),
        (vec![1.0; 5], "there are 5 sample weights"),
        (Vec::new(), "there are 0 sample weights"),
    ] {
        for estimator in [fixed(1.0), flat(1.0), MeanShift::new().on(&DEVICE)] {
            let error = refused(estimator.sample_weights(weights.clone()).fit(&FOUR), &[what, say]);
            assert!(matches!(error, Error::SampleWeights { points: 4, .. }));
        }
    }
}

#[test]
fn bandwidths_that_are_none_are_named() {
    let with = |bandwidth| MeanShift::new().on(&DEVICE).bandwidth(bandwidth).fit(&FOUR);
    for h in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-31, 1e31] {
        refused(with(Bandwidth::Fixed(h)), &["the bandwidth is", "must be"]);
        let error = refused(
            with(Bandwidth::PerDimension(vec![1.0, h])),
            &["bandwidth of dimension 1 is", "must be between 1e-30 and 1e30"],
        );
        assert!(matches!(error, Error::BandwidthValue { at: 1, .. }));
        let error = refused(
            with(Bandwidth::PerPoint(vec![1.0, 1.0, h, 1.0])),
            &["bandwidth of point 2 is", "must be between 1e-30 and 1e30"],
        );
        assert!(matches!(error, Error::BandwidthValue { at: 2, .. }));
    }
    for length in [0, 1, 3] {
        let what = format!("{length} bandwidths were given, one for each dimension, but there are 2");
        refused(with(Bandwidth::PerDimension(vec![1.0; length])), &[&what]);
        let what = format!("{length} bandwidths were given, one for each point, but there are 4");
        refused(with(Bandwidth::PerPoint(vec![1.0; length])), &[&what]);
    }
    for quantile in [0.0, -0.3, 1.01, f64::NAN] {
        let quantile = Bandwidth::Quantile { quantile, sample: None, seed: 0 };
        refused(with(quantile), &["the bandwidth's quantile is", "above 0 and at most 1"]);
    }
    let none = Bandwidth::Quantile { quantile: 0.3, sample: Some(0), seed: 0 };
    refused(with(none), &["the bandwidth's sample is 0", "at least 1 point"]);
    for k in [0, 5] {
        for bandwidth in [Bandwidth::Neighbours { k }, Bandwidth::MeanNeighbour { k }] {
            let error = refused(with(bandwidth), &[&format!("asks for neighbour {k}"), "from 1 to 4"]);
            assert!(matches!(error, Error::Neighbour { .. }));
        }
    }
    // So far apart that the weights' ratio leaves f32, or for the Gaussian what it is where it is cut off.
    let apart = |smallest, largest| Bandwidth::PerPoint(vec![smallest, largest, 1.0, 1.0]);
    for (estimator, bandwidths) in
        [(flat(1.0), apart(1e-9, 1e9)), (fixed(1.0), apart(1e-9, 1e9)), (fixed(1.0), apart(1e-3, 1e3))]
    {
        let words =
            ["lie too far apart for 2 dimensions", "the power of -2 - 2", "clamp them to ", "or use one bandwidth"];
        let error = refused(estimator.clone().bandwidth(bandwidths).fit(&FOUR), &words);
        let Error::BandwidthRatio { smallest, largest, range, .. } = error else { panic!("{error}") };
        assert!(smallest < range.start && range.start < 1.0 && 1.0 < range.end && range.end < largest, "{range:?}");
        // What it says serves.
        let clamped = apart(range.start, range.end);
        estimator.bandwidth(clamped).fit(&FOUR).unwrap();
    }
    // So small that f32 cannot tell positions that far from the centre.
    let error = refused(with(Bandwidth::Fixed(1e-7)), &["too far for a bandwidth of 1e-7", "use a larger bandwidth"]);
    assert!(matches!(error, Error::Extent { .. }));
    refused(with(Bandwidth::PerDimension(vec![1.0, 1e-7])), &["too far for a bandwidth of 1e-7"]);
}

/// A cosine distance wants directions.
#[test]
fn points_without_direction_are_named() {
    let estimator = fixed(0.1).distance(Distance::Cosine);
    let points = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]];
    let error = refused(
        estimator.fit(&points),
        &["point 2 (from 0) lies at the origin", "remove such points, or take another"],
    );
    assert!(matches!(error, Error::NoDirection { row: 2 }));
    let found = estimator.fit(&points[..2]).unwrap();
    refused(found.predict(&points[1..3], Assignment::NearestMode), &["point 1 (from 0) lies at the origin"]);
    let seeds = Points::from_rows(&[0.0, 0.0], 2).unwrap();
    refused(
        estimator.clone().form(Form::Standard).seeding(Seeding::At(seeds)).fit(&points[..2]),
        &["point 0 (from 0) lies"],
    );
    // The origin itself, though the centre is no number that f32 or f64 holds.
    for offset in [0.1, 0.3, 0.7] {
        let points = [[1.0 + offset, offset], [-1.0, 0.0], [0.0, 0.0], [offset, 1.0]];
        let error =
            refused(estimator.fit(&points), &["point 2 (from 0) lies at the origin, to the precision of the points"]);
        assert!(matches!(error, Error::NoDirection { row: 2 }));
        let points = [[2e3 + offset, offset], [3.0, offset], [1e-6, 0.0]];
        refused(estimator.fit(&points), &["point 2 (from 0) lies at the origin"]);
        // Small is not near, unless it is beside the others.
        assert!(estimator.fit(&[[1e-20 * offset, 1e-20], [1e-20, offset * 1e-21]]).is_ok());
        assert!(estimator.fit(&[[2e3 + offset, offset], [3.0, offset], [offset, 0.0]]).is_ok());
    }
    for h in [1e-14, 1e-20] {
        let error = refused(
            estimator.clone().bandwidth(Bandwidth::Fixed(h)).fit(&points[..2]),
            &["the bandwidth is 1e-", "1.2e-13"],
        );
        assert!(error.is_usage());
    }
    assert!(estimator.bandwidth(Bandwidth::Fixed(1.2e-13)).fit(&points[..2]).is_ok());
}

/// Whatever is refused for what the user said is refused before the device has anything to do.
#[test]
fn nothing_is_uploaded_for_what_is_refused() {
    let device = Device::processor().unwrap();
    // An option is looked at before the points.
    refused(fixed(1.0).on(&device).max_iterations(0).fit(&[[f64::NAN; 2]]), &["the number of iterations is 0"]);
    refused(fixed(0.0).on(&device).fit(&FOUR), &["the bandwidth is 0"]);
    refused(fixed(1.0).on(&device).fit(&[[f64::NAN; 2]]), &["NaN"]);
    refused(fixed(1.0).on(&device).sample_weights([1.0]).fit(&FOUR), &["1 sample weights"]);
    assert_eq!(device.counts(), Counts::default());
}
