//! The estimator as its user meets it: what goes in, what comes out, and what is refused.

mod bad_input;
mod bandwidths;
mod cancelling;
mod conflicts;
mod degenerate;
mod density;
mod extremes;
mod inputs;
mod labelling;
mod light;
mod meeting;
mod models;
mod new_points;
mod shares;

use std::sync::LazyLock;

use modeseek::{Bandwidth, Clustering, Device, Error, Form, MeanShift, Result, WeightFunction};

/// With nothing of what was measured for whoever runs the tests.
static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::processor().unwrap().without_tuning());

/// Gaussian, blurring, of this bandwidth.
fn fixed(h: f64) -> MeanShift {
    MeanShift::new().on(&DEVICE).bandwidth(Bandwidth::Fixed(h))
}

/// The flat weight in the standard form: by hand, a mean of what is within h.
fn flat(h: f64) -> MeanShift {
    fixed(h).weight(WeightFunction::Flat).form(Form::Standard)
}

/// The error, which says all of these words; in the manner of the program's other errors, in one sentence or two
/// without a full stop at the end.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, words: &[&str]) -> Error {
    let error = result.expect_err("this is to be refused");
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert!(!message.ends_with('.') && !message.contains('\n'), "{message:?}");
    error
}

#[track_caller]
fn near(found: f64, expected: f64, apart: f64) {
    assert!((found - expected).abs() <= apart, "{found}, not {expected}");
}

/// The modes' positions along a line.
fn places(found: &Clustering) -> Vec<f64> {
    found.modes.iter().map(|mode| mode.position[0]).collect()
}
