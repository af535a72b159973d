//! Points on their way: frames, and the ways as lines.

use modeseek::picture::{Animation, Mark, Scatter, Shape, trace};
use modeseek::{Bandwidth, Device, Form, MeanShift, Points, Seeding};

use crate::{clustered, gathering, lecture, show};

/// The first frame is the data, the last is where a fit ends, and each is one iteration behind the one before.
#[test]
fn frames_are_the_iterations() {
    for estimator in [lecture(), lecture().form(Form::Standard)] {
        let (points, clustering, frames) = gathering(estimator.clone(), 2);
        assert!(frames.converged && frames.of_points && frames.followed.iter().copied().eq(0..1500));
        assert_eq!(frames.positions.len(), clustering.iterations + 1);
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-4);
        for (position, row) in frames.frame(0).zip(points.centred_rows().chunks_exact(2)) {
            assert!(close(position, &points.uncentred(row)), "{position:?}");
        }
        // The naive oracle's first iteration of the blurring form, and of the standard form: the same, as queries begin
        // at the points.
        let rows: Vec<f64> = points.centred_rows().chunks_exact(2).flat_map(|row| points.uncentred(row)).collect();
        for (i, position) in frames.frame(1).enumerate().step_by(97) {
            let (mut sum, mut total) = ([0.0; 2], 0.0);
            for row in rows.chunks_exact(2) {
                let squared = (row[0] - rows[2 * i]).powi(2) + (row[1] - rows[2 * i + 1]).powi(2);
                let weight = (-squared / (2.0 * 2.5 * 2.5)).exp();
                total += weight;
                sum = [sum[0] + weight * row[0], sum[1] + weight * row[1]];
            }
            assert!(close(position, &sum.map(|sum| sum / total)), "{i}: {position:?}");
        }
        for (position, &label) in frames.frame(clustering.iterations).zip(&clustering.labels) {
            let mode = &clustering.modes[label as usize].position;
            assert!((position[0] - mode[0]).hypot(position[1] - mode[1]) <= 0.5, "{position:?} is not at {mode:?}");
        }
    }
}

#[test]
fn some_points_or_seeds_are_followed() {
    let (points, _) = clustered(1500, 6, 3, lecture());
    let frames = lecture().frames(&points, 10).unwrap();
    assert_eq!(frames.followed, (0..10).map(|k| k * 150).collect::<Vec<_>>());
    let seeds = lecture().form(Form::Standard).seeding(Seeding::Random { count: 20, seed: 1 });
    let frames = seeds.max_iterations(3).frames(&points, 100).unwrap();
    assert_eq!((frames.followed.len(), frames.of_points, frames.positions.len()), (20, false, 4));
    assert_eq!(lecture().max_iterations(1).frames(&points, 5).unwrap().positions.len(), 2);
    let error = lecture().tolerance(-1.0).frames(&points, 5).unwrap_err();
    assert!(error.is_usage(), "{error}");
}

/// More pairs than are worth finding the near ones: tiles, from whose steps frames are made all the same.
#[test]
fn frames_of_many_points() {
    let (points, clustering) = clustered(20_000, 6, 2, lecture());
    let frames = lecture().frames(&points, 50).unwrap();
    assert!(frames.converged);
    for (position, &i) in frames.frame(frames.positions.len() - 1).zip(&frames.followed) {
        let mode = &clustering.modes[clustering.labels[i] as usize].position;
        assert!((position[0] - mode[0]).hypot(position[1] - mode[1]) <= 0.5, "{position:?} is not at {mode:?}");
    }
}

#[test]
fn ways_are_drawn() {
    let (points, clustering) = clustered(1500, 6, 2, lecture());
    let frames = lecture().frames(&points, 60).unwrap();
    let drawing = trace(&points, &clustering, &frames, &Scatter::default());
    show(&drawing, "trace");
    let steps = frames.positions.len();
    let ways = drawing.shapes.iter().filter(|shape| match shape {
        Shape::Line { through, .. } => through.len() == steps && steps > 3,
        _ => false,
    });
    assert_eq!(ways.count(), 60);
}

/// Of many points some are shown, which need not be those about a mode.
#[test]
fn modes_far_from_what_is_shown_are_on_the_picture() {
    // Four points far from the others, none of which is followed or among those behind.
    let place = |i: u32| if i % 4 == 1 && i > 19_983 { [100.0; 2] } else { [f64::from(i).cos(), f64::from(i).sin()] };
    let points = Points::from_rows(&(0..20_000).flat_map(place).collect::<Vec<f64>>(), 2).unwrap();
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0));
    let (clustering, frames) = (estimator.fit(&points).unwrap(), estimator.frames(&points, 200).unwrap());
    assert_eq!(clustering.modes.last().unwrap().size, 4);
    assert!(frames.followed.iter().all(|i| i % 4 == 0));
    let drawing = trace(&points, &clustering, &frames, &Scatter::default());
    let crosses = drawing.shapes.iter().filter_map(|shape| match shape {
        Shape::Marker { at, mark: Mark::Cross(_), .. } => Some(*at),
        _ => None,
    });
    let crosses: Vec<_> = crosses.collect();
    assert_eq!(crosses.len(), 2 * clustering.modes.len());
    for (x, y) in crosses {
        assert!((72.0..=732.0).contains(&x) && (44.0..=584.0).contains(&y), "{x} {y}");
    }
    let device = Device::processor().unwrap();
    let page = Animation::new(&device, &points, &clustering, &frames, &Scatter::default()).unwrap().page();
    let data = page.split_once("const data = ").unwrap().1;
    let data = serde_json::Deserializer::from_str(data).into_iter::<serde_json::Value>().next().unwrap().unwrap();
    for axis in ["x", "y"] {
        assert!(data[axis][1].as_f64().unwrap() > 100.0, "{axis}: {}", data[axis]);
    }
}
