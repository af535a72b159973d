//! What a fit says of points that it has not seen.

use modeseek::{Assignment, Bandwidth, Clustering, Distance, Form, Merging, Method, WeightFunction};

use crate::{fixed, flat, near};

const PAIRS: [[f64; 2]; 4] = [[0.0, 0.0], [0.0, 2.0], [10.0, 0.0], [10.0, 2.0]];

#[track_caller]
fn distances(found: &Clustering, point: [f64; 2], expected: [f64; 2]) {
    let row = &found.transform(&[point]).unwrap()[0];
    assert_eq!(row.len(), 2);
    near(row[0], expected[0], 1e-5);
    near(row[1], expected[1], 1e-5);
}

/// Modes at (0, 1) and (10, 1); the point is 3 and 4 away from the first, 7 and 4 from the second.
#[test]
fn distances_to_modes_by_hand() {
    let point = [3.0, 5.0];
    let fit = |distance| flat(4.0).distance(distance).fit(&PAIRS).unwrap();
    distances(&fit(Distance::L2), point, [5.0, 65.0_f64.sqrt()]);
    distances(&fit(Distance::L1), point, [7.0, 11.0]);
    distances(&fit(Distance::Lp(3.0)), point, [91.0_f64.cbrt(), 407.0_f64.cbrt()]);
    // The Gaussian's coordinates have another scale inside.
    distances(&fixed(1.5).fit(&PAIRS).unwrap(), point, [5.0, 65.0_f64.sqrt()]);
    // Over bandwidths of dimensions: (3 / 2, 4 / 4) and (7 / 2, 4 / 4).
    let each = flat(1.0).bandwidth(Bandwidth::PerDimension(vec![2.0, 4.0])).fit(&PAIRS).unwrap();
    distances(&each, point, [3.25_f64.sqrt(), 13.25_f64.sqrt()]);
    let each = fixed(1.0).bandwidth(Bandwidth::PerDimension(vec![1.0, 2.0])).fit(&PAIRS).unwrap();
    distances(&each, point, [13.0_f64.sqrt(), 53.0_f64.sqrt()]);
    // 1 - cos: modes along both axes; the point is at the angle whose cosine is 3/5 from the first.
    let rays = [[1.0, 0.0], [7.0, 0.0], [0.0, 2.0], [0.0, 3.0]];
    let cosine = fixed(0.1).distance(Distance::Cosine).fit(&rays).unwrap();
    let place = |k: usize| cosine.modes[k].position.clone();
    assert_eq!((place(0), place(1)), (vec![0.0, 1.0], vec![1.0, 0.0]));
    distances(&cosine, [3.0, 4.0], [0.2, 0.4]);
    distances(&cosine, [-30.0, -40.0], [1.8, 1.6]);
}

#[test]
fn the_nearest_mode_by_hand() {
    for estimator in [fixed(2.0), flat(4.0), flat(4.0).merging(Merging::Densest)] {
        let found = estimator.fit(&PAIRS).unwrap();
        let new = [[4.9, 1.0], [5.1, 1.0], [4.9, -1000.0], [1e6, 0.0]];
        assert_eq!(found.predict(&new, Assignment::NearestMode).unwrap(), [0, 1, 0, 1]);
    }
}

/// A new point goes where it climbs, which need not be the nearest mode; one with nothing in reach goes nowhere.
#[test]
fn the_basin_by_hand() {
    let line = [[-0.5], [0.0], [0.5], [1.0], [6.0], [6.0]];
    let found = flat(3.0).fit(&line).unwrap();
    assert_eq!(found.labels, [0, 0, 0, 0, 1, 1]);
    let new = [[3.2], [3.9], [-3.4], [8.9], [9.1], [-100.0]];
    // From 3.2 go 0.5, 1 and both at 6, within 3 of it, to 3.375, which sees the same: a mode to which no point of the
    // data climbs, and which is nearer to 6 than to 0.25. From 3.9 go 1 and both at 6 to 4.33, which sees 6 alone.
    assert_eq!(found.predict(&new, Assignment::Basin).unwrap(), [1, 1, 0, 1, -1, -1]);
    assert_eq!(found.predict(&new, Assignment::NearestMode).unwrap(), [1, 1, 0, 1, 1, 0]);
}

/// The points themselves, as new ones, are labelled as they were.
#[test]
fn points_are_predicted_as_they_were_labelled() {
    let blobs = modeseek::data::Blobs { points: 300, clusters: 4, dimensions: 3, seed: 5 };
    let rows = blobs.generate().unwrap().rows;
    let points = modeseek::Points::from_rows(&rows, 3).unwrap();
    for weight in WeightFunction::ALL {
        let h = if weight == WeightFunction::Gaussian { 2.5 } else { 6.0 };
        for distance in [Distance::L2, Distance::L1] {
            let estimator = fixed(h).weight(weight).distance(distance).form(Form::Standard);
            let found = estimator.fit(&points).unwrap();
            assert_eq!(found.predict(&points, Assignment::Basin).unwrap(), found.labels, "{weight:?} {distance:?}");
            let found = estimator.merging(Merging::Densest).fit(&points).unwrap();
            let predicted = found.predict(&points, Assignment::NearestMode).unwrap();
            assert_eq!(predicted, found.labels, "{weight:?} {distance:?}");
        }
    }
}

/// A clustering that is cloned, or asked twice, says the same.
#[test]
fn asking_changes_nothing() {
    let found = fixed(2.0).form(Form::Standard).fit(&PAIRS).unwrap();
    let copy = found.clone();
    let ask = |found: &Clustering| {
        let basins = found.predict(&PAIRS, Assignment::Basin).unwrap();
        (basins, found.transform(&PAIRS).unwrap(), found.density(&PAIRS).unwrap())
    };
    let first = ask(&found);
    assert_eq!(first, ask(&copy));
    drop(found);
    assert_eq!(first, ask(&copy));
}

/// With the cosine distance modes are directions, though the ends that they are the means of lie apart.
#[test]
fn distances_to_directions_are_angles() {
    let noise = |i: usize| ((i as f64 * 12.9898).sin() * 43758.5453).rem_euclid(1.0);
    let points: Vec<[f64; 3]> = (0..300).map(|i| [0, 1, 2].map(|c| noise(3 * i + c) * 4.0 - 1.0)).collect();
    let estimator = flat(0.05).distance(Distance::Cosine).assignment(Assignment::NearestMode);
    for form in [Form::Standard, Form::Blurring] {
        let found = estimator.clone().form(form).fit(&points).unwrap();
        assert!(found.modes.len() > 3, "{}", found.modes.len());
        let distances = found.transform(&points).unwrap();
        for ((point, row), &label) in points.iter().zip(&distances).zip(&found.labels) {
            let length = point.iter().map(|x| x * x).sum::<f64>().sqrt();
            for (mode, &distance) in found.modes.iter().zip(row) {
                let cosine = point.iter().zip(&mode.position).map(|(x, y)| x * y).sum::<f64>() / length;
                near(distance, 1.0 - cosine, 1e-5);
            }
            let nearest = row.iter().copied().fold(f64::INFINITY, f64::min);
            near(row[label as usize], nearest, 1e-6);
        }
    }
}

/// Points far away, most of them even, take no digits from one that is near.
#[test]
fn new_points_are_rounded_about_the_fit() {
    let found = fixed(2.0).fit(&[[0.0, 0.0], [0.1, 0.0], [10.0, 10.0], [10.1, 10.0]]).unwrap();
    let alone = (found.transform(&[[9.0, 9.0]]).unwrap(), found.density(&[[9.0, 9.0]]).unwrap());
    let label = found.predict(&[[9.0, 9.0]], Assignment::Basin).unwrap();
    for far in [1e9, 1e15] {
        let beside = [[9.0, 9.0], [far, 0.0], [far, far]];
        assert_eq!(found.transform(&beside).unwrap()[0], alone.0[0]);
        assert_eq!(found.density(&beside).unwrap()[0], alone.1[0]);
        assert_eq!(found.predict(&beside, Assignment::Basin).unwrap(), [label[0], -1, -1]);
        let view = nalgebra::DMatrix::from_columns(&beside.map(|row| nalgebra::DVector::from_row_slice(&row)));
        assert_eq!(found.transform(&view).unwrap()[0], alone.0[0]);
    }
}

/// What a point is asked with decides by which way it climbs, and not where to: far out a field has no more of the Gaussian.
#[test]
fn labels_do_not_depend_on_what_is_asked_with_them() {
    let line: Vec<[f64; 1]> = (0..3000).map(|i| [f64::from(i) / 1500.0 - 1.0]).collect();
    let found = fixed(1.0).fit(&line).unwrap();
    for far in [3.0, 8.0, 9.0, 9.5, 30.0] {
        let few = found.predict(&[[far], [0.0]], Assignment::Basin).unwrap();
        let many: Vec<[f64; 1]> = std::iter::once([far]).chain((0..20_000).map(|i| [f64::from(i) * 1e-4])).collect();
        let many = found.predict(&many, Assignment::Basin).unwrap();
        assert_eq!(many[0], few[0], "{far}");
        assert!(many[1..].iter().all(|&label| label == 0), "{far}");
        assert_eq!(few[0], if far < 10.0 { 0 } else { -1 }, "{far}");
    }
}

/// A map that is mostly far from all points, and where some lie alone: by a field as by all pairs, in every dimension that has fields.
#[test]
fn maps_are_labelled_as_by_all_pairs() {
    for (d, h) in [(1, 0.3), (2, 1.0), (3, 2.0), (4, 5.0), (5, 14.0)] {
        let blobs = modeseek::data::Blobs { points: 4000, clusters: 4, dimensions: d, seed: 14 };
        let mut rows: Vec<f64> = blobs.generate().unwrap().rows.iter().map(|&x| f64::from(x)).collect();
        // Two by themselves, whose middle is nearly out of reach of both.
        rows.extend((0..2 * d).map(|c| if c == d { 45.0 + 6.0 * h } else { 45.0 }));
        let fit = |method| {
            let estimator = fixed(h).form(Form::Standard).method(method);
            estimator.fit(&modeseek::Points::from_rows(&rows, d).unwrap()).unwrap()
        };
        let (found, exact) = (fit(Method::Field), fit(Method::Fused));
        assert_eq!(found.path.name, "field", "d = {d}: {}", found.path.reason);
        assert_eq!(found.modes.len(), exact.modes.len());
        let fraction = |i: usize, c: usize| (i as f64 * (0.618_034 + 0.173_205 * c as f64)).fract();
        let mut map: Vec<Vec<f64>> =
            (0..6000).map(|i| (0..d).map(|c| 120.0 * fraction(i, c) - 60.0).collect()).collect();
        map.push((0..d).map(|c| if c == 0 { 45.0 + 2.9 * h } else { 45.0 }).collect());
        let (labels, known) =
            (found.predict(&map, Assignment::Basin).unwrap(), exact.predict(&map, Assignment::Basin).unwrap());
        let apart: Vec<usize> = (0..map.len()).filter(|&i| labels[i] != known[i]).collect();
        // On a ridge between two modes rounding decides.
        assert!(apart.len() <= 5, "d = {d}: {} differ, {:?}", apart.len(), &apart[..apart.len().min(8)]);
        // One that no weight reaches changes nothing of the others.
        map.push(vec![-3e5; d]);
        let beside = found.predict(&map, Assignment::Basin).unwrap();
        assert_eq!((&beside[..labels.len()], beside[labels.len()]), (&labels[..], -1), "d = {d}");
        let out = known.iter().filter(|&&label| label < 0).count();
        eprintln!("d = {d}: {out} of {} out of reach, {} differ", known.len(), apart.len());
        assert!(out < known.len());
    }
}
