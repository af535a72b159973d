//! Pictures of whole clusterings: what is on them, and that there is one for any points.

use modeseek::data::Blobs;
use modeseek::picture::{Scatter, Shape, palette, scatter, weight_functions};
use modeseek::{Bandwidth, Clustering, Distance, MeanShift, Points};

/// Points of so many clusters, and what a fit makes of them.
fn clustered(points: usize, clusters: usize, dimensions: usize, estimator: MeanShift) -> (Points, Clustering) {
    let blobs = Blobs { points, clusters, dimensions, seed: 14 };
    let points = Points::from_rows(&blobs.generate().unwrap().rows, dimensions).unwrap();
    let clustering = estimator.fit(&points).unwrap();
    (points, clustering)
}

/// The texts on a drawing.
fn texts(drawing: &modeseek::picture::Drawing) -> Vec<&str> {
    let text = |shape| if let &Shape::Text { ref text, .. } = shape { Some(text.as_str()) } else { None };
    drawing.shapes.iter().filter_map(text).collect()
}

/// Writes drawings where a person can look at them, if MODESEEK_PICTURES names a folder.
fn show(drawing: &modeseek::picture::Drawing, name: &str) {
    if let Ok(folder) = std::env::var("MODESEEK_PICTURES") {
        for end in ["png", "svg"] {
            drawing.save(&std::path::Path::new(&folder).join(format!("{name}.{end}"))).unwrap();
        }
    }
}

#[test]
fn the_lectures_picture() {
    let (points, clustering) = clustered(1500, 6, 2, MeanShift::new().bandwidth(Bandwidth::Fixed(2.5)));
    let names = ["width".to_owned(), "height".to_owned()];
    let drawing = scatter(&points, &clustering, &Scatter { names: &names, title: None });
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
fn the_weight_functions() {
    let drawing = weight_functions(2.5);
    show(&drawing, "kernels");
    assert_eq!(texts(&drawing).iter().filter(|text| text.contains(':')).count(), 5);
}
