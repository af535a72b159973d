//! Curves: the weight functions, and what a sweep finds.

use modeseek::picture::{Shape, palette, weight_functions};
use modeseek::sweep::{self, Sweep};
use modeseek::{Device, Error, MeanShift};

use crate::{clustered, lecture, show, texts};

#[test]
fn the_weight_functions() {
    let drawing = weight_functions(2.5);
    show(&drawing, "kernels");
    assert_eq!(texts(&drawing).iter().filter(|text| text.contains(':')).count(), 5);
    for name in ["distance (u = distance / bandwidth)", "weight, divided by its integral"] {
        assert!(texts(&drawing).contains(&name), "{name:?} is not among {:?}", texts(&drawing));
    }
    // The flat weight, the third of those named, ends upright.
    let flat = drawing.shapes.iter().find_map(|shape| match shape {
        Shape::Line { through, colour, .. } if *colour == palette::COLOURS[2] && through.len() > 2 => Some(through),
        _ => None,
    });
    let falls = flat.unwrap().windows(2).filter(|pair| (pair[0].1 - pair[1].1).abs() > 1.0).collect::<Vec<_>>();
    assert!(falls.len() == 1 && (falls[0][0].0 - falls[0][1].0).abs() < 1e-9, "{falls:?}");
}

#[test]
fn a_sweep_finds_the_lectures_clusters() {
    let (points, _) = clustered(1500, 6, 2, lecture());
    let device = Device::processor().unwrap();
    let all = sweep::bandwidths(0.5, 40.0, 24).unwrap();
    let sweep = Sweep::new(&device, &points, &MeanShift::new(), &all, |_| Ok(())).unwrap();
    let stopped = Sweep::new(&device, &points, &MeanShift::new(), &all, |_| Err(Error::NoPoints)).unwrap_err();
    assert!(matches!(stopped, Error::NoPoints), "{stopped}");
    let drawing = sweep.picture();
    show(&drawing, "sweep");
    // What is suggested is marked, in both halves, on an axis where a factor is a length; how far a curve goes that does
    // not fit is said.
    let most = sweep.found.iter().map(|found| found.clusters).max().unwrap();
    for text in ["suggested", &format!("up to {most}"), "0.5", "1", "2", "5", "10", "20"] {
        assert!(texts(&drawing).contains(&text), "{text:?} is not among {:?}", texts(&drawing));
    }
    let lines = |shape: &Shape| match shape {
        Shape::Line { through, colour, .. } => Some((through.clone(), *colour)),
        _ => None,
    };
    let lines: Vec<_> = drawing.shapes.iter().filter_map(lines).collect();
    let (left, width) = (78.0, 640.0);
    let place = left + width * (sweep.suggested.unwrap() / 0.5).ln() / 80_f64.ln();
    let marks = lines.iter().filter(|(through, _)| {
        through.len() == 2
            && through.iter().all(|at| (at.0 - place).abs() < 1e-6)
            && through[1].1 - through[0].1 > 200.0
    });
    assert_eq!(marks.count(), 2);
    let curve = lines.iter().find(|(through, colour)| through.len() > 3 && *colour == palette::COLOURS[0]).unwrap();
    assert_eq!(curve.0[0].1, 48.0, "the curve begins at the upper side of its frame");
    assert_eq!(sweep.found.len(), 24);
    let suggested = sweep.suggested.unwrap();
    let near = sweep
        .found
        .iter()
        .min_by(|a, b| (a.bandwidth / suggested).ln().abs().total_cmp(&(b.bandwidth / suggested).ln().abs()));
    assert_eq!(near.unwrap().clusters, 6, "at {suggested}");
    assert!(sweep.found[0].clusters > 6 && sweep.found[23].clusters == 1);
    assert!(serde_json::to_string(&sweep).unwrap().contains("\"stability\":"));
}
