//! The same points, given in every way that there is.

use modeseek::data::Blobs;
use modeseek::{Bandwidth, Clustering, Error, MeanShift, Points, ToPoints};
use nalgebra::{DMatrix, Matrix3xX, SMatrix};

use crate::{DEVICE, fixed, refused};

/// Multiples of 1/8, which f32 holds.
const ROWS: [[f64; 3]; 6] =
    [[0.0, 1.0, 0.125], [0.5, 1.0, 0.25], [9.0, -4.0, 3.0], [9.5, -4.25, 3.0], [0.25, 1.5, 0.0], [40.0, 40.0, 40.0]];

fn estimator() -> MeanShift {
    fixed(1.5)
}

#[track_caller]
fn same(points: &(impl ToPoints + ?Sized), expected: &Clustering) {
    let found = estimator().fit(points).unwrap();
    assert_eq!((&found.labels, &found.modes, &found.shifts), (&expected.labels, &expected.modes, &expected.shifts));
}

#[test]
fn every_way_to_give_points_is_the_same() {
    let expected = estimator().fit(&Points::from_rows(ROWS.as_flattened(), 3).unwrap()).unwrap();
    assert_eq!(expected.labels, [0, 0, 1, 1, 0, 2]);
    let narrow = ROWS.map(|row| row.map(|x| x as f32));
    // f64: an array, a slice, vectors of arrays and of vectors, a slice of vectors, a matrix whose columns are points.
    let vectors: Vec<Vec<f64>> = ROWS.iter().map(|row| row.to_vec()).collect();
    same(&ROWS, &expected);
    same(&ROWS[..], &expected);
    same(&ROWS.to_vec(), &expected);
    same(&vectors, &expected);
    same(&vectors[..], &expected);
    same(&DMatrix::from_column_slice(3, 6, ROWS.as_flattened()), &expected);
    // The same in f32.
    let vectors: Vec<Vec<f32>> = narrow.iter().map(|row| row.to_vec()).collect();
    same(&Points::from_rows(narrow.as_flattened(), 3).unwrap(), &expected);
    same(&narrow, &expected);
    same(&narrow[..], &expected);
    same(&narrow.to_vec(), &expected);
    same(&vectors, &expected);
    same(&vectors[..], &expected);
    same(&DMatrix::from_column_slice(3, 6, narrow.as_flattened()), &expected);
    // Slices of a row each.
    let slices = ROWS.each_ref().map(|row| row.as_slice());
    same(&slices, &expected);
    same(&slices[..], &expected);
    same(&slices.to_vec(), &expected);
    // Matrices of known sizes, views of larger ones, and what has other strides.
    same(&Matrix3xX::from_column_slice(ROWS.as_flattened()), &expected);
    same(&SMatrix::<f64, 3, 6>::from_column_slice(ROWS.as_flattened()), &expected);
    let mut larger = DMatrix::from_element(5, 8, 77.0);
    larger.view_mut((1, 2), (3, 6)).copy_from_slice(ROWS.as_flattened());
    same(&larger.view((1, 2), (3, 6)), &expected);
    same(&larger.fixed_view::<3, 6>(1, 2), &expected);
    // A matrix of rows, transposed.
    same(&DMatrix::from_row_slice(6, 3, ROWS.as_flattened()).transpose(), &expected);
}

/// A matrix that was not transposed is another set: three points of six coordinates.
#[test]
fn columns_are_points_and_not_rows() {
    let found = fixed(100.0).fit(&DMatrix::from_row_slice(6, 3, ROWS.as_flattened())).unwrap();
    assert_eq!((found.labels.len(), found.modes[0].position.len()), (3, 6));
}

/// f64 keeps what f32 would lose: points far from the origin, whose differences are small.
#[test]
fn f64_far_from_the_origin_keeps_its_digits() {
    let far = ROWS.map(|row| row.map(|x| 1e9 + x / 64.0));
    let found = fixed(1.5 / 64.0).fit(&far).unwrap();
    assert_eq!(found.labels, [0, 0, 1, 1, 0, 2]);
    assert!((found.modes[2].position[0] - (1e9 + 40.0 / 64.0)).abs() <= 1e-6);
    assert!(fixed(1.5 / 64.0).fit(&far.map(|row| row.map(|x| x as f32))).unwrap().modes.len() < 3, "f32 holds no such");
}

/// New points are taken as points are, and counted from the fit's centre, not from their own.
#[test]
fn new_points_may_be_given_in_another_way() {
    let found = estimator().fit(&ROWS).unwrap();
    let one_by_one: Vec<f64> = ROWS.iter().flat_map(|row| found.transform(&[*row]).unwrap().remove(0)).collect();
    let together = found.transform(&ROWS.map(|row| row.map(|x| x as f32)).to_vec()).unwrap().concat();
    for (one, other) in one_by_one.iter().zip(&together) {
        crate::near(*one, *other, 1e-5);
    }
}

/// What is told without a fit is what a fit has, by every rule; and what a fit refuses is refused.
#[test]
fn a_bandwidth_can_be_asked_for_alone() {
    let rows = Blobs { points: 300, clusters: 3, dimensions: 3, seed: 2 }.generate().unwrap().rows;
    let points: Vec<&[f32]> = rows.chunks(3).collect();
    let weights: Vec<f64> = (0..300).map(|i| f64::from(i % 4)).collect();
    for bandwidth in [
        Bandwidth::Fixed(2.0),
        Bandwidth::PerDimension(vec![1.0, 2.0, 4.0]),
        Bandwidth::default(),
        Bandwidth::Scott,
        Bandwidth::MeanNeighbour { k: 5 },
        Bandwidth::Neighbours { k: 9 },
    ] {
        let estimator = MeanShift::new().on(&DEVICE).bandwidth(bandwidth);
        for estimator in [estimator.clone().sample_weights(weights.clone()), estimator] {
            assert_eq!(estimator.estimate_bandwidth(&points).unwrap(), estimator.fit(&points).unwrap().bandwidth);
        }
    }
    refused(fixed(-1.0).estimate_bandwidth(&points), &["the bandwidth is -1"]);
    refused(fixed(1.0).estimate_bandwidth(&[[f64::NAN]]), &["NaN"]);
    let wrong = MeanShift::new().on(&DEVICE).bandwidth(Bandwidth::PerDimension(vec![1.0]));
    assert!(matches!(wrong.estimate_bandwidth(&points), Err(Error::BandwidthLength { .. })));
}

/// Whoever looks into an error, or writes a table, has the crates whose types these are in the versions that fit.
#[test]
fn the_crates_of_the_librarys_types_come_with_it() {
    use modeseek::data::{Target, table};
    use modeseek::{arrow_schema, cpu_executor, cuda_std, gpu, ptx_interpreter};

    let told = |error: &Error| match error {
        Error::Launch(cuda_std::launch::LaunchError::Block { .. }) => "a block",
        Error::Kernel(cpu_executor::Fault::Panic { .. }) => "a panic",
        Error::Interpreted(ptx_interpreter::LaunchError::Fault(_)) => "a fault",
        _ => "another",
    };
    assert_eq!(told(&Error::NoPoints), "another");
    let _ = modeseek::WeightFunction::Own(&gpu::cauchy::STEPS);
    let schema: arrow_schema::SchemaRef = table(Vec::new()).schema();
    let folder = tempfile::tempdir().unwrap();
    Target::new(&folder.path().join("none.csv")).unwrap().write(&schema, |_| Ok(())).unwrap();
}
