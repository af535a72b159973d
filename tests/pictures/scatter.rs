//! Points and their clusters: axes, units, legends, and a picture for any points.

use modeseek::data::{Blobs, Standard, Standardization};
use modeseek::picture::{Animation, Scatter, Shape, palette, scatter, trace};
use modeseek::{Bandwidth, Device, Distance, MeanShift, Points};

use crate::{clustered, show, texts};

#[test]
fn the_lectures_picture() {
    let (points, clustering) = clustered(1500, 6, 2, MeanShift::new().bandwidth(Bandwidth::Fixed(2.5)));
    let names = ["width".to_owned(), "height".to_owned()];
    let drawing = scatter(&points, &clustering, &Scatter { names: &names, ..Scatter::default() });
    show(&drawing, "lecture");
    let texts = texts(&drawing);
    for text in ["1500 points, 6 clusters, bandwidth 2.5", "width", "height", "0: 250 points", "modes", "bandwidth"] {
        assert!(texts.contains(&text), "{text:?} is not among {texts:?}");
    }
    // A marker for each point, two for each mode and the legend's, six for the clusters there.
    let markers = drawing.shapes.iter().filter(|shape| matches!(shape, Shape::Marker { .. })).count();
    assert_eq!(markers, 1500 + 2 * 6 + 2 + 6);
    let pixels = drawing.to_pixels();
    for label in 0..6 {
        let colour = palette::colour(label);
        assert!(pixels.pixels().any(|pixel| pixel.0 == colour), "no pixel has the colour of cluster {label}");
    }
}

/// Columns that were brought to one scale are shown in their own units, with a round ring; so are moving ones.
#[test]
fn standardized_columns_have_their_units() {
    let rows: Vec<f64> = (0..400)
        .flat_map(|i| {
            let (side, angle) = (f64::from(i % 2), f64::from(i));
            [1.2 + 0.6 * side + 0.05 * angle.sin(), 5000.0 - 2000.0 * side + 160.0 * angle.cos()]
        })
        .collect();
    for standard in [Standard::ZScore, Standard::MinMax] {
        let scale = Standardization::of(standard, &rows, 2);
        let mut scaled = rows.clone();
        scale.apply(&mut scaled);
        let points = Points::from_rows(&scaled, 2).unwrap();
        let device = Device::processor().unwrap();
        let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(0.15)).on(&device);
        let clustering = estimator.fit(&points).unwrap();
        assert_eq!(clustering.modes.len(), 2);
        let options = Scatter { standardization: Some(&scale), ..Scatter::default() };
        let drawing = scatter(&points, &clustering, &options);
        let texts = texts(&drawing);
        for text in ["1.2", "1.8", "3000", "5000"] {
            assert!(texts.contains(&text), "{text:?} is not among {texts:?}");
        }
        let ring = drawing.shapes.iter().find_map(|shape| match shape {
            Shape::Ring { radii, .. } => Some(*radii),
            _ => None,
        });
        let (across, up) = ring.expect("the bandwidth is drawn");
        assert!((across / up - 1.0).abs() < 1e-6, "{across} {up}");
        // In the middle of the picture, not in a corner of it.
        let markers = drawing.shapes.iter().filter_map(|shape| match shape {
            Shape::Marker { at, .. } if at.0 < 720.0 => Some(at.0),
            _ => None,
        });
        let (low, high) = markers.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
        assert!(high - low > 250.0, "{low} {high}");

        let frames = estimator.frames(&points, 100).unwrap();
        let page = Animation::new(&device, &points, &clustering, &frames, &options).unwrap().page();
        let range = page.split("\"y\":[").nth(1).and_then(|rest| rest.split(']').next()).expect("a range");
        let (low, high) = range.split_once(',').expect("two ends");
        let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
        assert!((2000.0..3000.0).contains(&low) && (5000.0..6500.0).contains(&high), "{low} {high}");
    }
}

/// Columns of which one extends over 25 times as much as the other have a scale each, whatever the bandwidth: on one, they
/// would be a line.
#[test]
fn columns_of_other_sizes_have_other_scales() {
    for (wide, bandwidth, fills) in
        [(20.0, 5.0, true), (20.0, 50.0, true), (20.0, 500.0, true), (70.0, 50.0, true), (200.0, 50.0, false)]
    {
        let rows: Vec<f64> =
            (0..400).flat_map(|i| [wide * f64::from(i * 7 % 20) / 19.0, 2000.0 * f64::from(i) / 399.0]).collect();
        let points = Points::from_rows(&rows, 2).unwrap();
        let device = Device::processor().unwrap();
        let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(bandwidth)).on(&device);
        let clustering = estimator.fit(&points).unwrap();
        let drawing = scatter(&points, &clustering, &Scatter::default());
        let markers = drawing.shapes.iter().filter_map(|shape| match shape {
            Shape::Marker { at, .. } if at.0 < 720.0 => Some(at.0),
            _ => None,
        });
        let (low, high) = markers.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
        // The ring about the largest mode takes some of the room; on one scale these were less than 20 pixels.
        assert_eq!(high - low > 100.0, fills, "{wide} wide, bandwidth {bandwidth}: {low} to {high}");
    }
}

#[test]
fn many_dimensions_show_their_components() {
    let (points, clustering) = clustered(2000, 9, 5, MeanShift::new().bandwidth(Bandwidth::Fixed(6.0)));
    let drawing = scatter(&points, &clustering, &Scatter::default());
    show(&drawing, "components");
    assert!(texts(&drawing).iter().any(|text| text.starts_with("first principal component (")));
}

#[test]
fn many_points_are_an_image() {
    let (points, clustering) = clustered(300_000, 8, 2, MeanShift::new().bandwidth(Bandwidth::Fixed(2.5)));
    let drawing = scatter(&points, &clustering, &Scatter::default());
    show(&drawing, "dense");
    assert!(drawing.shapes.iter().any(|shape| matches!(shape, Shape::Image { .. })));
    assert!(drawing.shapes.len() < 200, "{} shapes", drawing.shapes.len());
    assert!(drawing.to_svg().len() < 1 << 20);
}

#[test]
fn any_clustering_has_a_picture() {
    let fixed = |h| MeanShift::new().bandwidth(Bandwidth::Fixed(h));
    for (rows, dimensions, estimator) in [
        (vec![3.0], 1, fixed(1.0)),
        (vec![3.0, 3.0, 9.0, 11.0], 1, fixed(1.0)),
        (vec![5.0; 8], 2, fixed(1.0)),
        (vec![1e12, 0.0, 1e12 + 1e6, 1.0], 2, MeanShift::new().bandwidth(Bandwidth::PerDimension(vec![1e5, 0.1]))),
        (vec![1.0; 9], 3, fixed(1.0)),
        (vec![0.0, 0.0, 0.5, 0.5, 9.0, 9.0], 2, fixed(1.0).minimum_size(2)),
        (vec![0.0, 1.0, 0.1, 1.0, 5.0, 0.1], 2, fixed(0.05).distance(Distance::Cosine)),
    ] {
        let points = Points::from_rows(&rows, dimensions).unwrap();
        let clustering = estimator.fit(&points).unwrap();
        let drawing = scatter(&points, &clustering, &Scatter::default());
        show(&drawing, &format!("any-{}-{dimensions}", rows.len()));
        let (pixels, svg) = (drawing.to_pixels(), drawing.to_svg());
        assert!(pixels.pixels().any(|pixel| pixel.0 != palette::WHITE));
        for no_number in ["NaN", "inf"] {
            assert!(!svg.contains(no_number), "{rows:?}: {no_number} in the SVG");
        }
    }
}

#[test]
fn one_is_not_several() {
    let points = Points::from_rows(&[1.0, 2.0], 2).unwrap();
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).max_iterations(1);
    let clustering = estimator.fit(&points).unwrap();
    assert!(texts(&scatter(&points, &clustering, &Scatter::default())).contains(&"1 point, 1 cluster, bandwidth 1"));
    let frames = estimator.frames(&points, 10).unwrap();
    let drawing = trace(&points, &clustering, &frames, &Scatter::default());
    assert!(texts(&drawing).contains(&"The way of 1 point in 1 iteration"), "{:?}", texts(&drawing));
}

/// What is far from the origin is drawn as what is near it: points do not fall on one line, and numbers have room.
#[test]
fn points_far_from_the_origin_are_told_apart() {
    const LEGEND: f64 = 735.0;
    let blobs = Blobs { points: 300, clusters: 3, dimensions: 2, seed: 14 };
    let rows = blobs.generate().unwrap().rows;
    for (name, scale, offset) in [("near", 1.0, 0.0), ("far", 1.0, 1.7e9), ("fine", 1e-3, 1e6)] {
        let rows: Vec<f64> = rows.iter().map(|&x| f64::from(x) * scale + offset).collect();
        let points = Points::from_rows(&rows, 2).unwrap();
        let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(2.5 * scale));
        let (clustering, frames) = (estimator.fit(&points).unwrap(), estimator.frames(&points, 300).unwrap());
        let options = Scatter::default();
        let (plot, ways) = (scatter(&points, &clustering, &options), trace(&points, &clustering, &frames, &options));
        for (drawing, kind) in [(&plot, "plot"), (&ways, "trace")] {
            show(drawing, &format!("{name}-{kind}"));
            let places = drawing.shapes.iter().filter_map(|shape| match shape {
                Shape::Marker { at, .. } => Some(*at),
                _ => None,
            });
            let (across, up): (Vec<f64>, Vec<f64>) = places.filter(|at| at.0 < LEGEND).unzip();
            for (axis, places) in [("x", across), ("y", up)] {
                let (low, high) = places.iter().fold((1e9_f64, -1e9_f64), |(low, high), &x| (low.min(x), high.max(x)));
                assert!(high - low > 200.0, "{name}, {kind}: {axis} from {low} to {high}");
            }
            assert_eq!(texts(drawing).contains(&"+1.7e9"), name == "far", "{:?}", texts(drawing));
        }
    }
}
