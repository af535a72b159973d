//! Models that are kept: they say what the fit says, and no file is taken for one that is none.

use modeseek::data::{Blobs, Shape, Standardization};
use modeseek::{Assignment, Bandwidth, Clustering, Distance, Error, Form, MeanShift, Method, Model, WeightFunction};
use sha2::{Digest, Sha256};

use crate::{DEVICE, fixed, flat, refused};

/// Four clusters, and points between and far from them.
fn points(n: usize, d: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let rows = |points, clusters, shape: Shape| {
        let rows = shape.generate(&Blobs { points, clusters, dimensions: d, seed: 5 }).unwrap().rows;
        rows.chunks(d).map(<[f32]>::to_vec).collect::<Vec<_>>()
    };
    let mut new = rows(40, 1, Shape::Uniform);
    new.push(vec![1e6; d]);
    (rows(n, 4, Shape::Blobs), new)
}

fn saved(model: &Model) -> Vec<u8> {
    let mut file = Vec::new();
    model.save(&mut file).unwrap();
    file
}

fn load(file: &[u8]) -> Result<Model, Error> {
    Model::load(&DEVICE, file)
}

/// Everything that may be asked, to the last bit; or why not.
fn asked(model: &Model, new: &[Vec<f32>]) -> String {
    let labels = [Assignment::Basin, Assignment::NearestMode].map(|by| model.predict(new, by).unwrap());
    let density = model.density(new).map_err(|error| error.to_string());
    format!("{labels:?} {:?} {density:?} {:?}", model.transform(new).unwrap(), model.modes())
}

#[track_caller]
fn says_the_same(found: &Clustering, new: &[Vec<f32>]) -> Model {
    let model = found.model();
    let columns: Vec<_> = (0..model.dimensions()).map(|c| format!("column \"{c}\"")).collect();
    let model = model.with_columns(columns).unwrap();
    let file = saved(&model);
    let loaded = load(&file).unwrap();
    assert_eq!(asked(&loaded, new), asked(&model, new));
    let bandwidths = |model: &Model| (model.bandwidth(), model.bandwidth_per_dimension().map(<[f64]>::to_vec));
    assert_eq!(bandwidths(&loaded), bandwidths(&model));
    assert_eq!((loaded.points(), loaded.dimensions()), (model.points(), model.dimensions()));
    assert_eq!(loaded.columns(), model.columns());
    // What was loaded is saved as it was.
    assert_eq!(saved(&loaded), file);
    loaded
}

#[test]
fn every_weight_and_distance_is_kept() {
    for d in [1, 2, 3, 7] {
        let (rows, new) = points(300, d);
        for weight in WeightFunction::ALL {
            let h = if weight == WeightFunction::Gaussian { 2.5 } else { 6.0 };
            for distance in [Distance::L2, Distance::L1, Distance::Lp(2.7)] {
                for form in [Form::Blurring, Form::Standard] {
                    let estimator = fixed(h).weight(weight).distance(distance).form(form);
                    says_the_same(&estimator.fit(&rows).unwrap(), &new);
                }
            }
            let cosine = fixed(0.01).weight(weight).distance(Distance::Cosine);
            says_the_same(&cosine.fit(&rows).unwrap(), &new);
        }
    }
}

#[test]
fn every_bandwidth_and_sample_weight_is_kept() {
    for d in [1, 2, 6] {
        let (rows, new) = points(300, d);
        let each = (0..300).map(|i| 2.0 + f64::from(i % 7) / 7.0).collect::<Vec<_>>();
        let weights = (0..300).map(|i| f64::from(i % 5) * 0.7e9).collect::<Vec<_>>();
        for weight in [WeightFunction::Gaussian, WeightFunction::Flat] {
            for bandwidth in [
                Bandwidth::PerDimension((0..d).map(|c| 2.0 + 0.3 * c as f64).collect()),
                Bandwidth::PerPoint(each.clone()),
                Bandwidth::Neighbours { k: 60 },
                Bandwidth::Matched,
                Bandwidth::Scott,
            ] {
                let estimator = MeanShift::new().on(&DEVICE).bandwidth(bandwidth).weight(weight);
                says_the_same(&estimator.fit(&rows).unwrap(), &new);
                says_the_same(&estimator.sample_weights(weights.clone()).fit(&rows).unwrap(), &new);
            }
        }
    }
}

#[test]
fn every_way_of_labelling_is_kept() {
    let (rows, new) = points(3000, 2);
    let standard = fixed(2.5).form(Form::Standard);
    for estimator in [
        fixed(2.5).method(Method::Composed { batch: 100 }),
        fixed(2.5).method(Method::Field).accuracy(1e-3),
        fixed(2.5).method(Method::Tiles).tolerance(1e-5),
        standard.clone().method(Method::Fused).accuracy(0.0),
        standard.clone().relaxation(1.5).max_iterations(3),
        standard.clone().assignment(Assignment::NearestMode).reach(1.5),
        standard.minimum_size(2),
        // All clusters too small: there is no mode at all.
        fixed(2.5).minimum_size(3000),
    ] {
        says_the_same(&estimator.fit(&rows).unwrap(), &new);
    }
    // Far from the origin, a point alone, and many that are one.
    let far = [[1e9 + 0.25], [1e9 + 0.5], [1e9 + 9.0]];
    says_the_same(&fixed(1.0).fit(&far).unwrap(), &[vec![1e9]]);
    says_the_same(&fixed(1.0).fit(&[[3.0, 4.0]]).unwrap(), &[vec![3.0, 4.5]]);
    says_the_same(&flat(1.0).fit(&[[3.0]; 50]).unwrap(), &[vec![3.0], vec![5.0]]);
}

#[test]
fn a_scale_is_kept() {
    let model = fixed(1.0).fit(&[[0.0, 1.0], [0.1, 1.0], [9.0, 1.0]]).unwrap().model();
    let scale = Standardization { offsets: vec![0.1 + 0.2, -1e300], scales: vec![1.0 / 3.0, 1e-300] };
    let scaled = model.clone().with_standardization(scale.clone()).unwrap();
    assert_eq!(load(&saved(&scaled)).unwrap().standardization(), Some(&scale));
    for (offsets, scales) in [
        (vec![0.0], vec![1.0, 1.0]),
        (vec![0.0, 0.0], vec![1.0]),
        (vec![0.0, 0.0], vec![1.0, 0.0]),
        (vec![0.0, f64::NAN], vec![1.0, 1.0]),
        (vec![0.0, 0.0], vec![1.0, f64::INFINITY]),
    ] {
        refused(
            model.clone().with_standardization(Standardization { offsets, scales }),
            &["standardization", "finite"],
        );
    }
    refused(model.clone().with_columns(["x".to_owned()]), &["the number of columns' names is 1"]);
    refused(model.with_columns(vec!["x".to_owned(); 3]), &["the number of columns' names is 3"]);
}

#[test]
fn a_weight_of_ones_own_is_not_kept() {
    let own = fixed(1.0).weight(WeightFunction::Own(&gpu::cauchy::STEPS)).fit(&[[0.0], [9.0]]).unwrap();
    let mut file = Vec::new();
    refused(own.model().save(&mut file), &["a file of a model is not defined", "one's own", "fit again"]);
    assert!(file.is_empty());
}

/// A file of every kind of numbers.
fn whole() -> Vec<u8> {
    let bandwidth = Bandwidth::PerPoint(vec![1.0, 1.1, 1.0, 1.2]);
    let estimator = MeanShift::new().on(&DEVICE).bandwidth(bandwidth).sample_weights([1.0, 2.0, 1.0, 3.0]);
    saved(&estimator.fit(&[[0.0, 0.0], [0.1, 0.2], [9.0, 9.0], [9.1, 8.9]]).unwrap().model())
}

#[test]
fn files_that_are_no_models() {
    let whole = whole();
    refused(load(b""), &["this is no model that can be read", "begin"]);
    refused(load(b"x,y\n1,2\n3,4\n5,6\n"), &["begin"]);
    refused(load(b"modeseek field\0\0 and more of it"), &["begin"]);
    refused(load(&whole[..16]), &["early"]);
    for length in 16..whole.len() {
        refused(load(&whole[..length]), &["no model"]);
    }
    for at in 20..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        refused(load(&changed), &["cut or changed"]);
    }
    let mut newer = whole;
    newer[16] = 2;
    refused(load(&newer), &["of version 2, and this program reads 1"]);
}

/// With a checksum that fits, as nobody but whoever writes such a file by hand has it.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 32);
    bytes.extend(Sha256::digest(&bytes));
    bytes
}

/// The file with another word in its header.
fn with(whole: &[u8], old: &str, new: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(whole[20..28].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&whole[28..28 + length]).unwrap();
    assert!(header.contains(old), "{old} is not in {header}");
    let header = header.replacen(old, new, 1);
    let parts = [&whole[..20], &(header.len() as u64).to_le_bytes(), header.as_bytes(), &whole[28 + length..]];
    sealed(parts.concat())
}

#[test]
fn models_that_contradict_themselves() {
    let whole = whole();
    for (old, new, word) in [
        ("\"points\":4", "\"points\":5", "sizes"),
        ("\"points\":4", "\"points\":0", "sizes"),
        ("\"points\":4", "\"points\":1073741825", "more than the kernels can count"),
        ("\"points\":4", "\"points\":-4", "header makes no sense"),
        ("\"dimensions\":2", "\"dimensions\":0", "sizes"),
        ("\"modes\":2", "\"modes\":1073741824", "sizes"),
        ("\"Gaussian\"", "\"Lorentzian\"", "Lorentzian"),
        ("\"l2\"", "{\"lp\":7.0}", "from 1 to 5"),
        ("\"l2\"", "\"l3\"", "header makes no sense"),
        ("\"tolerance\":0.001", "\"tolerance\":-1.0", "-1"),
        ("\"max_iterations\":300", "\"max_iterations\":0", "iterations is 0"),
        ("\"accuracy\":0.0001", "\"accuracy\":1e-300", "accuracy"),
        ("\"relaxation\":1.0", "\"relaxation\":2.0", "relaxation is 2"),
        ("\"reach\":null", "\"reach\":-2.0", "reach is -2"),
        ("\"bandwidth\":", "\"bandwidth\":1e-40,\"no\":", "header makes no sense"),
        ("\"bandwidth_per_dimension\":null", "\"bandwidth_per_dimension\":[1.0,1.0]", "bandwidths"),
        ("\"bandwidth_per_point\":true", "\"bandwidth_per_point\":false", "sizes"),
        ("\"weight_unit\":2.0", "\"weight_unit\":0.0", "weights"),
        ("\"weight_unit\":2.0", "\"weight_unit\":null", "sizes"),
        ("\"factors\":[", "\"factors\":[0.0,", "scale"),
        ("\"factors\":[", "\"factors\":[1e300,1e300],\"centre\":[", "header makes no sense"),
        ("\"bandwidth\":1.0", "\"bandwidth\":2.0", "scale"),
        ("\"columns\":[]", "\"columns\":[\"x\"]", "columns"),
        ("\"standardization\":null", "\"standardization\":{\"offsets\":[0.0,0.0],\"scales\":[1.0]}", "standardization"),
        (
            "\"standardization\":null",
            "\"standardization\":{\"offsets\":[0.0,0.0],\"scales\":[1.0,0.0]}",
            "standardization",
        ),
    ] {
        refused(load(&with(&whole, old, new)), &[word]);
    }
    // As it is, and with what may be another.
    assert!(load(&with(&whole, "\"tolerance\":0.001", "\"tolerance\":0.002")).is_ok());
    let header = 28 + u64::from_le_bytes(whole[20..28].try_into().unwrap()) as usize;
    for (at, number, word) in [
        (0, f32::NAN, "points"),
        (0, 1e30, "points"),
        (8, -1.0, "weights"),
        (8, f32::INFINITY, "weights"),
        (12, f32::NAN, "bandwidths"),
        (19, -1.0, "bandwidths"),
        (20, f32::INFINITY, "modes"),
        (20, 3e38, "modes"),
        // Of two modes: sizes behind their means, then weights, then centres, of which the upper halves.
        (24, 0.0, "sizes"),
        (25, 1.0, "sizes"),
        (29, -1.0, "weights"),
        (33, f32::from_bits(0x7ff8_0000), "centres"),
    ] {
        let mut changed = whole.clone();
        changed[header + 4 * at..][..4].copy_from_slice(&number.to_le_bytes());
        refused(load(&sealed(changed)), &["contradicts itself", word]);
    }
    let long = [&whole[..20], &u64::MAX.to_le_bytes(), &whole[28..]].concat();
    refused(load(&sealed(long)), &["early"]);
}

#[test]
fn what_fails_to_be_read_or_written_says_why() {
    struct Gone;

    impl std::io::Read for Gone {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }

    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    assert!(matches!(Model::load(&DEVICE, Gone), Err(Error::ReadSaved { what: "model", .. })));
    let model = fixed(1.0).fit(&[[0.0], [9.0]]).unwrap().model();
    assert!(matches!(model.save(Gone), Err(Error::Output(_))));
}

#[test]
fn new_points_of_other_dimensions_are_refused() {
    let model = load(&saved(&fixed(1.0).fit(&[[0.0], [9.0]]).unwrap().model())).unwrap();
    refused(model.predict(&[[0.0, 1.0]], Assignment::Basin), &["the new points have 2 coordinates"]);
}

/// Whatever numbers and words a file has: it is refused, or what it says is used, and no more than said wrong.
#[test]
fn no_file_makes_a_panic() {
    let whole = whole();
    let mut random = 1_u64;
    let mut below = |end: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % end
    };
    let (mut read, mut said) = (0, 0);
    for _ in 0..4000 {
        let mut changed = whole.clone();
        for _ in 0..=below(2) {
            // Behind the version, and before the checksum.
            let at = 20 + below(whole.len() - 52);
            changed[at] = match below(3) {
                0 => changed[at] ^ 1 << below(8),
                1 => b'0' + below(10) as u8,
                _ => below(256) as u8,
            };
        }
        let Ok(model) = load(&sealed(changed)) else { continue };
        read += 1;
        let new = [[0.0, 0.1], [4.0, 5.0], [1e9, 0.0]];
        let asked = [Assignment::Basin, Assignment::NearestMode].map(|by| model.predict(&new, by).is_ok());
        said += usize::from(asked == [true; 2] && model.transform(&new).is_ok());
        drop(model.density(&new));
    }
    // A file's numbers are half of it, and most of their bits may be others.
    assert!(read > 500 && said > 500, "{read} and {said} of 4000");
}
