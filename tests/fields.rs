//! Binned fields as values: saved, loaded, merged; and what cannot be.

use sha2::{Digest, Sha256};

use modeseek::{Bandwidth, DensityField, Device, Error, Form, MeanShift, Merging, Method, WeightFunction};

fn estimator() -> MeanShift {
    MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).accuracy(1e-3).on(&Device::processor().unwrap())
}

/// Two clusters, n points in all, in a row.
fn rows(n: usize) -> Vec<f64> {
    (0..n).flat_map(|i| [(i % 2) as f64 * 9.0 + (i as f64).sin(), (i as f64 * 0.7).cos()]).collect()
}

fn saved(field: &DensityField) -> Vec<u8> {
    let mut bytes = Vec::new();
    field.save(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_field_survives_a_file() {
    let mut field = estimator().field(2).unwrap();
    field.add_weighted(&rows(100), &(0..100).map(|i| 0.5 + f64::from(i % 3)).collect::<Vec<_>>()).unwrap();
    let bytes = saved(&field);
    let loaded = estimator().load_field(&bytes[..]).unwrap();
    assert_eq!((loaded.points(), loaded.weight(), loaded.nodes()), (100, field.weight(), field.nodes()));
    assert_eq!(saved(&loaded), bytes);
    assert_eq!(loaded.modes().unwrap().modes, field.modes().unwrap().modes);
    // What is added after counts as if it had been there before.
    let (mut a, mut b) = (loaded, field);
    a.add(&[30.0, -30.0]).unwrap();
    b.add(&[30.0, -30.0]).unwrap();
    assert_eq!(saved(&a), saved(&b));
}

#[test]
fn a_field_without_points_survives_a_file() {
    let loaded = estimator().load_field(&saved(&estimator().field(3).unwrap())[..]).unwrap();
    assert_eq!((loaded.points(), loaded.nodes(), loaded.dimensions()), (0, 0, 3));
    assert!(matches!(loaded.modes(), Err(Error::NoPoints)));
    assert!(matches!(loaded.shifts(&[0.0, 0.0, 0.0]), Err(Error::NoPoints)));
}

#[test]
fn what_fails_to_be_read_says_why() {
    struct Gone;

    impl std::io::Read for Gone {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }

    let error = estimator().load_field(Gone).unwrap_err();
    let Error::ReadSaved { cause: source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionReset);
    // The message has it, whoever shows what caused it would say it twice.
    assert!(std::error::Error::source(&error).is_none());
    assert_eq!(error.to_string(), format!("the field cannot be read: {source}"));
}

#[test]
fn files_that_are_no_fields_are_refused() {
    let mut field = estimator().field(2).unwrap();
    field.add(&rows(10)).unwrap();
    let whole = saved(&field);
    let refused = |bytes: &[u8]| match estimator().load_field(bytes) {
        Err(Error::UnreadableSaved { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert!(refused(b"").contains("begin"));
    assert!(refused(b"x,y\n1,2\n").contains("begin"));
    assert!(refused(&whole[..20]).contains("early"));
    assert!(refused(&whole[..whole.len() - 1]).contains("checksum"));
    for at in [24, 60, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(refused(&changed).contains("checksum"), "{at}");
    }
    // With a checksum that fits.
    let mut crowded = whole[..whole.len() - 32].to_vec();
    crowded[64..][..8].copy_from_slice(&u64::MAX.to_le_bytes());
    crowded.extend(Sha256::digest(&crowded));
    assert!(refused(&crowded).contains(&format!("{} points", u64::MAX)));
    let mut newer = whole;
    newer[16] = 9;
    assert!(refused(&newer).contains("version 9"));
}

#[test]
fn fields_over_other_grids_are_not_merged() {
    let field = |estimator: MeanShift| estimator.field(2).unwrap();
    let mut one = field(estimator());
    one.add(&rows(10)).unwrap();
    let before = saved(&one);
    for other in [estimator().bandwidth(Bandwidth::Fixed(2.0)), estimator().accuracy(1e-4)] {
        let mut other = field(other);
        other.add(&rows(4)).unwrap();
        assert!(matches!(one.merge(&other), Err(Error::OtherField { .. })));
    }
    one.merge(&field(estimator())).unwrap();
    assert_eq!(saved(&one), before);
}

#[test]
fn rows_that_cannot_be_added_leave_a_field_as_it_was() {
    let mut field = estimator().field(2).unwrap();
    field.add(&rows(10)).unwrap();
    let before = saved(&field);
    assert!(matches!(field.add(&[1.0, 2.0, 3.0]), Err(Error::IncompleteRow { values: 3, dimensions: 2 })));
    assert!(matches!(field.add(&[1.0, f64::NAN]), Err(Error::NotFinite { row: 0, column: 1, .. })));
    assert!(matches!(field.add(&[1e300, 0.0]), Err(Error::Extent { column: 0, .. })));
    assert!(matches!(field.add(&[1e6, 1e6]), Err(Error::FieldTooLarge { .. })));
    for weights in [&[1.0][..], &[-1.0, 1.0], &[f64::NAN, 1.0], &[1e9, 1.0]] {
        let error = field.add_weighted(&[1.0, 2.0, 3.0, 4.0], weights).unwrap_err();
        assert!(matches!(error, Error::SampleWeights { .. }), "{error}");
    }
    assert!(matches!(field.add_weighted::<f64>(&[], &[1.0]), Err(Error::SampleWeights { points: 0, .. })));
    field.add::<f64>(&[]).unwrap();
    assert_eq!(saved(&field), before);
}

#[test]
fn what_a_field_is_not_for_is_refused() {
    let conflict = |estimator: MeanShift, d: usize| match estimator.field(d) {
        Err(Error::Conflict { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert!(conflict(estimator(), 4).contains("3 dimensions"));
    assert!(conflict(estimator().weight(WeightFunction::Flat), 2).contains("Gaussian"));
    assert!(conflict(estimator().bandwidth(Bandwidth::Scott), 2).contains("given"));
    assert!(conflict(estimator().accuracy(0.0), 2).contains("accuracy"));
    assert!(matches!(
        estimator().bandwidth(Bandwidth::PerDimension(vec![1.0])).field(2),
        Err(Error::BandwidthLength { .. })
    ));
    for accuracy in [1e-6, 0.5, f64::NAN, -1e-3] {
        assert!(matches!(estimator().accuracy(accuracy).field(2), Err(Error::Option { option: "the accuracy", .. })));
    }
    let mut field = estimator().merging(Merging::Densest).field(2).unwrap();
    // Before anything is computed.
    assert!(matches!(field.modes(), Err(Error::Conflict { .. })));
    field.add(&rows(4)).unwrap();
    assert!(matches!(field.modes(), Err(Error::Conflict { .. })));
}

#[test]
fn a_field_that_is_asked_for_where_it_does_not_serve_is_an_error() {
    let fit = |estimator: MeanShift, d: usize| estimator.method(Method::Field).fit(&vec![vec![0.5; d]; 3]);
    for (estimator, d) in [
        (estimator(), 6),
        (estimator().weight(WeightFunction::Flat), 2),
        (estimator().form(Form::Standard).relaxation(1.5), 2),
        (estimator().bandwidth(Bandwidth::PerPoint(vec![1.0; 3])), 2),
        (estimator().accuracy(0.0), 2),
    ] {
        assert!(matches!(fit(estimator, d), Err(Error::Conflict { .. })));
    }
    assert_eq!(fit(estimator(), 2).unwrap().path.name, "field");
}

/// Small sets take all pairs, and what is too much for a field does, by themselves; each says why.
#[test]
fn the_path_that_is_chosen_says_why() {
    let path = |estimator: MeanShift, n: usize| {
        let rows = rows(n);
        let points = modeseek::Points::from_rows(&rows, 2).unwrap();
        estimator.max_iterations(1).fit(&points).unwrap().path
    };
    let few = path(estimator(), 100);
    assert_eq!((few.name, few.reason.as_str()), ("all pairs", "there are few pairs"));
    let many = path(estimator(), 5000);
    assert_eq!(many.name, "field", "{}", many.reason);
    assert!(many.sampled_error.unwrap() <= 1e-3 && many.bound.unwrap() <= 1e-3);
    assert_eq!(path(estimator().accuracy(0.0), 5000).reason, "exact steps were asked for");
    assert!(path(estimator().weight(WeightFunction::Flat), 5000).reason.contains("Gaussian"));
    let scattered = path(estimator().bandwidth(Bandwidth::Fixed(1e-4)), 5000);
    assert_eq!(scattered.name, "tiles");
    assert!(scattered.reason.contains("near points take longer than the pairs within reach"), "{}", scattered.reason);
}

/// Where most of the box about the points is empty, only blocks of nodes near them are stored, and the path says so.
#[test]
fn a_box_that_is_mostly_empty_is_stored_in_blocks() {
    let mut rows = rows(5000);
    let whole = estimator().fit(&modeseek::Points::from_rows(&rows, 2).unwrap()).unwrap().path;
    assert_eq!((whole.name, whole.blocks), ("field", None));
    rows.extend([1e6, -2e6]);
    let far = modeseek::Points::from_rows(&rows, 2).unwrap();
    for form in [Form::Blurring, Form::Standard] {
        // So far out coordinates are no better than an eighth of a bandwidth.
        let found = estimator().form(form).fit(&far).unwrap();
        let (path, blocks) = (&found.path, found.path.blocks.unwrap());
        assert_eq!((path.name, path.nodes.unwrap()), ("field", blocks * 1024), "{form:?}");
        assert!(path.reason.contains(&format!("in {blocks} blocks near points, of a box of")), "{}", path.reason);
        assert!(blocks < 40, "{form:?}: {blocks}");
        assert_eq!((found.modes.len(), found.modes[2].size), (3, 1), "{form:?}");
    }
}

/// Points may be asked for wherever they are, beside others.
#[test]
fn points_beyond_all_nodes_have_no_mode() {
    let mut field = estimator().field(2).unwrap();
    field.add(&rows(100)).unwrap();
    let labels = field.modes().unwrap().predict(&[0.0, 0.0, 1e9, 0.0, f64::MAX, -f64::MAX, 9.0, 0.0]).unwrap();
    assert_eq!((labels[1], labels[2]), (-1, -1));
    assert!(labels[0] >= 0 && labels[3] >= 0 && labels[0] != labels[3], "{labels:?}");
    assert!(matches!(estimator().field(0), Err(Error::NoDimensions)));
}

/// The box about points in three dimensions and more may have more nodes than 64 bits count.
#[test]
fn a_box_may_have_more_nodes_than_can_be_counted() {
    let plane = rows(5000);
    for d in 3..=5 {
        let mut rows: Vec<f64> = plane.chunks(2).flat_map(|row| (0..d).map(|c| row[c % 2])).collect();
        rows.extend((0..d).map(|c| if c % 2 == 0 { 2e6 } else { -2e6 }));
        let points = modeseek::Points::from_rows(&rows, d).unwrap();
        for method in [Method::Auto, Method::Field] {
            let found = estimator().method(method).fit(&points).unwrap();
            assert_eq!((found.modes.len(), found.modes[2].size), (3, 1), "{d}: {:?}", found.path);
        }
    }
}

/// On a line the whole grid always fits: points extend over no more bandwidths than a field has nodes.
#[test]
fn the_longest_line_has_a_field() {
    let rows: Vec<f64> = (0..6000).map(|i| f64::from(i % 2) * 2e6 + f64::from(i % 7)).collect();
    let estimator = estimator().accuracy(1e-5).method(Method::Field);
    let found = estimator.fit(&modeseek::Points::from_rows(&rows, 1).unwrap()).unwrap();
    assert_eq!((found.path.name, found.path.blocks, found.modes.len()), ("field", None, 2), "{}", found.path.reason);
}
