//! A function that watches, and stops.

use std::ops::ControlFlow;

use modeseek::data::Blobs;
use modeseek::{Assignment, Form, Iteration, MeanShift, Method, Points, Seeding};

use crate::fixed;

fn points() -> Points {
    let blobs = Blobs { points: 400, clusters: 4, dimensions: 2, seed: 3 };
    Points::from_rows(&blobs.generate().unwrap().rows, 2).unwrap()
}

fn kinds() -> [MeanShift; 3] {
    let slow = fixed(2.5).tolerance(0.0).max_iterations(40);
    [slow.clone(), slow.clone().form(Form::Standard), slow.method(Method::Composed { batch: 128 })]
}

/// What was reached is returned: as after so many iterations from the start, but said to be cancelled.
#[test]
fn a_cancelled_fit_returns_what_it_has() {
    for estimator in kinds() {
        let mut told = Vec::new();
        let found = estimator
            .fit_watched(&points(), |iteration| {
                told.push(iteration);
                if iteration.number == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert!(found.cancelled && !found.converged);
        // A processor has done no more than it has told of.
        assert_eq!((found.iterations, told.len(), found.shifts.len()), (2, 2, 2));
        assert!(told.iter().all(|told| told.largest_shift == found.shifts[told.number - 1]));
        let short = estimator.max_iterations(2).fit(&points()).unwrap();
        assert!(!short.cancelled && !short.converged);
        assert_eq!((&found.labels, &found.modes, &found.shifts), (&short.labels, &short.modes, &short.shifts));
        assert_eq!(found.labels.len(), 400);
        assert!(found.queries.iter().any(|query| !query.converged));
    }
}

/// A watcher that lets it go on changes nothing, and is told of every iteration once, in order.
#[test]
fn a_watcher_is_told_of_every_iteration() {
    for estimator in kinds() {
        let estimator = estimator.tolerance(1e-3);
        let mut told: Vec<Iteration> = Vec::new();
        let found = estimator
            .fit_watched(&points(), |iteration| {
                told.push(iteration);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(found.converged && !found.cancelled);
        assert!(told.iter().enumerate().all(|(at, told)| told.number == at + 1));
        assert_eq!(told.iter().map(|told| told.largest_shift).collect::<Vec<_>>(), found.shifts);
        assert_eq!(found.shifts.len(), found.iterations);
        assert_eq!(found.last_shift(), found.shifts[found.iterations - 1]);
        assert!(found.last_shift() <= 1e-3 && found.shifts[0] > 1e-3);
        let plain = estimator.fit(&points()).unwrap();
        assert_eq!((plain.labels, plain.modes), (found.labels, found.modes));
    }
}

/// Labels by basin move every point after the seeds have come to rest; who stops that has no converged result.
#[test]
fn the_points_own_way_can_be_cancelled_too() {
    let seeding = Seeding::Random { count: 3, seed: 1 };
    let estimator = fixed(2.5).form(Form::Standard).seeding(seeding).assignment(Assignment::Basin);
    let mut runs = 0;
    let found = estimator.fit_watched(&points(), |iteration| {
        runs += usize::from(iteration.number == 1);
        if runs == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let found = found.unwrap();
    assert_eq!(runs, 2);
    assert!(found.cancelled && !found.converged);
    assert!(found.queries.iter().all(|query| query.converged), "the seeds themselves had come to rest");
    let whole = estimator.fit(&points()).unwrap();
    assert!(whole.converged && !whole.cancelled);
}

/// Who stops while the seeds move is not made to wait for every point's way: labels are the nearest mode's.
#[test]
fn a_cancelled_fit_moves_no_more_points() {
    let seeding = Seeding::Random { count: 30, seed: 1 };
    let estimator = fixed(2.5).form(Form::Standard).seeding(seeding).max_iterations(50);
    for stop in [1, 2] {
        let mut told = 0;
        let basin = estimator.clone().assignment(Assignment::Basin);
        let found = basin.fit_watched(&points(), |iteration| {
            told += 1;
            if iteration.number == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let found = found.unwrap();
        assert_eq!((told, found.iterations), (stop, stop));
        assert!(found.cancelled && !found.converged);
        let nearest =
            estimator.clone().assignment(Assignment::NearestMode).max_iterations(stop).fit(&points()).unwrap();
        assert_eq!(found.labels, nearest.labels);
    }
}

/// Even where the last iteration had brought everything to rest.
#[test]
fn what_is_cancelled_is_not_converged() {
    for estimator in kinds() {
        let estimator = estimator.tolerance(1e-3);
        let last = estimator.fit(&points()).unwrap().iterations;
        let found = estimator.fit_watched(&points(), |iteration| {
            if iteration.number == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let found = found.unwrap();
        assert!(found.cancelled && !found.converged);
        assert!(found.queries.iter().all(|query| query.converged));
    }
}
