//! The estimator against results that others computed: see tests/golden/README.md.
//!
//! Clusterings are compared as that page says: labels up to renumbering, positions within 1e-3 bandwidth.

// `!(apart <= limit)` is what fails on NaN.
#![allow(clippy::neg_cmp_op_on_partial_ord)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use modeseek::{
    Assignment, Bandwidth, Clustering, Device, Distance, Form, MeanShift, Merging, Points, Seeding, WeightFunction,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// With nothing of what was measured for whoever runs the tests.
static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::processor().unwrap().without_tuning());

/// How far positions may be off, in bandwidths.
const APART: f64 = 1e-3;

/// The files of a folder, by name.
fn files<T: DeserializeOwned>(folder: &str) -> Vec<T> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    paths.iter().map(read).collect()
}

/// Rows of float32, which is what the files hold.
fn points(rows: &[f64], d: usize) -> Points {
    let rows: Vec<f32> = rows.iter().map(|&x| x as f32).collect();
    Points::from_rows(&rows, d).unwrap()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Whether this is no more; a NaN is not.
fn within(found: f64, most: f64) -> bool {
    found <= most
}

/// That a map carries one list of labels into the other, one to one, with -1 to itself; or where none does.
fn renumbered(ours: &[i32], theirs: &[i32]) -> Result<(), String> {
    assert_eq!(ours.len(), theirs.len());
    let (mut to, mut from) = (BTreeMap::from([(-1, -1)]), BTreeMap::from([(-1, -1)]));
    for (i, (&ours, &theirs)) in ours.iter().zip(theirs).enumerate() {
        if *to.entry(ours).or_insert(theirs) != theirs || *from.entry(theirs).or_insert(ours) != ours {
            return Err(format!("label {i} is {ours}, theirs {theirs}"));
        }
    }
    Ok(())
}

/// Fails with all that was wrong, not with the first of it.
#[track_caller]
fn none_wrong(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[derive(Deserialize)]
struct Set {
    name: String,
    d: usize,
    data: Vec<f64>,
    sample_weight: Option<Vec<f64>>,
    new_points: Vec<f64>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    bandwidth: f64,
    bin_seeding: bool,
    min_bin_freq: u32,
    cluster_all: bool,
    max_iter: usize,
    seeds: Option<Vec<f64>>,
    n_seeds: usize,
    n_iter_range: [usize; 2],
    cluster_centers: Vec<f64>,
    labels: Vec<i32>,
    predictions: Vec<i32>,
}

/// scikit-learn's options in our words.
fn as_scikit_learn(set: &Set, run: &Run) -> MeanShift {
    let mut estimator = MeanShift::new()
        .on(&DEVICE)
        .bandwidth(Bandwidth::Fixed(run.bandwidth))
        .weight(WeightFunction::Flat)
        .form(Form::Standard)
        .merging(Merging::Densest)
        // It makes one step more than it says.
        .max_iterations(run.max_iter + 1);
    if let Some(weights) = &set.sample_weight {
        estimator = estimator.sample_weights(weights.clone());
    }
    if !run.cluster_all {
        estimator = estimator.reach(1.0);
    }
    match &run.seeds {
        Some(seeds) => estimator.seeding(Seeding::At(points(seeds, set.d))),
        None if run.bin_seeding => estimator.seeding(Seeding::Bins { min_frequency: run.min_bin_freq }),
        None => estimator,
    }
}

/// What is not as scikit-learn found it.
fn compare(set: &Set, run: &Run) -> Result<(), String> {
    let data = points(&set.data, set.d);
    let found = as_scikit_learn(set, run).fit(&data).map_err(|error| error.to_string())?;
    let centres: Vec<&[f64]> = run.cluster_centers.chunks(set.d).collect();
    if found.modes.len() != centres.len() {
        return Err(format!("{} clusters, not {}", found.modes.len(), centres.len()));
    }
    // By position, not by label: scikit-learn may have clusters without points.
    let mut number = BTreeMap::new();
    for (k, mode) in found.modes.iter().enumerate() {
        let apart = |theirs: &[f64]| distance(&mode.position, theirs) / run.bandwidth;
        let nearest = (0..centres.len()).min_by(|&a, &b| apart(centres[a]).total_cmp(&apart(centres[b]))).unwrap();
        if !within(apart(centres[nearest]), APART) {
            return Err(format!("centre {k} is {} bandwidths from the nearest of theirs", apart(centres[nearest])));
        }
        number.insert(k as i32, nearest as i32);
    }
    number.insert(-1, -1);
    let carried: Vec<i32> = found.labels.iter().map(|label| number[label]).collect();
    if let Some(at) = (0..carried.len()).find(|&i| carried[i] != run.labels[i]) {
        return Err(format!("label {at} is {}, not {}", carried[at], run.labels[at]));
    }
    compare_seeds(set, run, &found)?;
    compare_predictions(set, run, &found, &number)
}

fn compare_seeds(set: &Set, run: &Run, found: &Clustering) -> Result<(), String> {
    // Where every point is one, weights do not make seeds of one point several.
    if found.queries.len() != run.n_seeds {
        return Err(format!("{} seeds, not {}", found.queries.len(), run.n_seeds));
    }
    let steps = found.iterations.saturating_sub(1);
    if !(run.n_iter_range[0]..=run.n_iter_range[1]).contains(&steps) {
        return Err(format!("{}: n_iter would be {steps}, not in {:?}", set.name, run.n_iter_range));
    }
    Ok(())
}

/// scikit-learn predicts the nearest centre, even where the fit would have said -1; our predictions keep to the
/// reach that the fit had.
fn compare_predictions(set: &Set, run: &Run, found: &Clustering, number: &BTreeMap<i32, i32>) -> Result<(), String> {
    let new = points(&set.new_points, set.d);
    let ours = found.predict(&new, Assignment::NearestMode).map_err(|error| error.to_string())?;
    for (i, point) in set.new_points.chunks(set.d).enumerate() {
        let nearest = distance(point, &run.cluster_centers[run.predictions[i] as usize * set.d..][..set.d]);
        let within = run.cluster_all || nearest <= run.bandwidth;
        let expected = if within { run.predictions[i] } else { -1 };
        if number[&ours[i]] != expected {
            return Err(format!("prediction {i} is {}, not {expected}", number[&ours[i]]));
        }
    }
    Ok(())
}

#[test]
fn clusters_are_scikit_learns() {
    let sets: Vec<Set> = files("scikit_learn");
    let runs: usize = sets.iter().map(|set| set.runs.len()).sum();
    assert!(sets.len() >= 16 && runs >= 75, "{} files, {runs} runs", sets.len());
    let mut wrong = Vec::new();
    for set in &sets {
        for (at, run) in set.runs.iter().enumerate() {
            if let Err(why) = compare(set, run) {
                wrong.push(format!("{}, run {at}: {why}", set.name));
            }
        }
    }
    none_wrong(&wrong);
}

#[derive(Deserialize)]
struct Setting {
    name: String,
    d: usize,
    metric: String,
    p: f64,
    bandwidth_is: String,
    data: Vec<f64>,
    sample_weight: Option<Vec<f64>>,
    point_bandwidths: Option<Vec<f64>>,
    queries: Option<Vec<f64>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bandwidths {
    One(f64),
    Each(Vec<f64>),
}

#[derive(Deserialize)]
struct Case {
    weight: String,
    form: String,
    bandwidth: Bandwidths,
    steps: usize,
    labels: Option<Vec<i32>>,
    ends: Vec<f64>,
    support: Vec<f64>,
}

/// A setting's options in our words.
fn as_defined(setting: &Setting, case: &Case) -> MeanShift {
    let weight = match case.weight.as_str() {
        "gaussian" => WeightFunction::Gaussian,
        "triangular" => WeightFunction::Triangular,
        "flat" => WeightFunction::Flat,
        "epanechnikov" => WeightFunction::Epanechnikov,
        "biweight" => WeightFunction::Biweight,
        other => panic!("{other}"),
    };
    let distance = match setting.metric.as_str() {
        "l1" => Distance::L1,
        "l2" => Distance::L2,
        "lp" => Distance::Lp(setting.p),
        "cosine" => Distance::Cosine,
        other => panic!("{other}"),
    };
    let bandwidth = match (&case.bandwidth, &setting.point_bandwidths) {
        (Bandwidths::One(h), None) => Bandwidth::Fixed(*h),
        (Bandwidths::One(h), Some(each)) => Bandwidth::PerPoint(each.iter().map(|own| h * own).collect()),
        (Bandwidths::Each(each), _) => Bandwidth::PerDimension(each.clone()),
    };
    let form = if case.form == "blurring" { Form::Blurring } else { Form::Standard };
    // The standard form's ends are those of steps without end: in f32 a step of 1e-6 is as good as none.
    let (tolerance, most) = if form == Form::Blurring { (0.0, case.steps) } else { (1e-6, 400) };
    let mut estimator = MeanShift::new()
        .on(&DEVICE)
        .bandwidth(bandwidth)
        .weight(weight)
        .distance(distance)
        .form(form)
        .tolerance(tolerance)
        .max_iterations(most);
    if let Some(weights) = &setting.sample_weight {
        estimator = estimator.sample_weights(weights.clone());
    }
    estimator
}

/// How far two positions are apart, in the smallest bandwidth that a query meets.
fn apart(setting: &Setting, case: &Case, a: &[f64], b: &[f64]) -> f64 {
    match (&case.bandwidth, &setting.point_bandwidths) {
        (Bandwidths::One(h), None) => distance(a, b) / h,
        (Bandwidths::One(h), Some(each)) => distance(a, b) / (h * each.iter().copied().fold(f64::INFINITY, f64::min)),
        (Bandwidths::Each(each), _) => {
            a.iter().zip(b).zip(each).map(|((a, b), h)| ((a - b) / h).powi(2)).sum::<f64>().sqrt()
        }
    }
}

/// Ends so near each other are one mode here, so that the modes tell where each query ended.
const TOGETHER: f64 = 1e-4;

/// Where each point ended is where the definition puts it, and so is its label.
fn compare_ends(setting: &Setting, case: &Case) -> Result<(), String> {
    let (data, estimator) = (points(&setting.data, setting.d), as_defined(setting, case));
    let theirs: Vec<&[f64]> = case.ends.chunks(setting.d).collect();
    let fine = estimator.clone().merging(Merging::Chains { radius: TOGETHER });
    let found = fine.fit(&data).map_err(|error| error.to_string())?;
    for (i, &label) in found.labels.iter().enumerate() {
        let end = &found.modes[usize::try_from(label).map_err(|_| format!("point {i} has no end"))?].position;
        let apart = apart(setting, case, end, theirs[i]);
        if !within(apart, APART) {
            return Err(format!("point {i} ended {apart} bandwidths away from {:?}", theirs[i]));
        }
    }
    let Some(labels) = &case.labels else { return Ok(()) };
    let found = estimator.fit(&data).map_err(|error| error.to_string())?;
    renumbered(&found.labels, labels)?;
    match (&case.bandwidth, setting.bandwidth_is.as_str(), setting.metric.as_str()) {
        (Bandwidths::One(h), "scalar", "l2") => compare_supports(setting, case, *h, &found),
        _ => Ok(()),
    }
}

/// The density at the ends is the support over what makes it integrate to 1 in the plane.
fn compare_supports(setting: &Setting, case: &Case, h: f64, found: &Clustering) -> Result<(), String> {
    assert_eq!(setting.d, 2);
    let pi = std::f64::consts::PI;
    let integral = match case.weight.as_str() {
        "gaussian" => 2.0 * pi,
        "flat" => pi,
        "epanechnikov" => pi / 2.0,
        _ => pi / 3.0,
    };
    let n = (setting.data.len() / 2) as f64;
    let total = setting.sample_weight.as_ref().map_or(n, |weights| weights.iter().sum());
    let density = found.density(&points(&case.ends, 2)).map_err(|error| error.to_string())?;
    for (i, (density, support)) in density.iter().zip(&case.support).enumerate() {
        let expected = support / (total * h * h * integral);
        // f32 sums of up to 90 terms.
        if !within((density / expected - 1.0).abs(), 2e-5) {
            return Err(format!("the density at end {i} is {density}, not {expected}"));
        }
    }
    Ok(())
}

/// Queries that are not the points: as seeds, and as new points.
fn compare_queries(setting: &Setting, case: &Case, queries: &[f64]) -> Result<(), String> {
    let (data, estimator) = (points(&setting.data, setting.d), as_defined(setting, case));
    let labels = case.labels.as_ref().expect("the standard form has labels");
    let seeds = points(queries, setting.d);
    let found = estimator.clone().seeding(Seeding::At(seeds.clone())).fit(&data).map_err(|error| error.to_string())?;
    let modes = labels.iter().max().unwrap() + 1;
    if found.modes.len() as i32 != modes {
        return Err(format!("{} modes from the seeds, not {modes}", found.modes.len()));
    }
    let predicted = estimator.fit(&data).and_then(|found| found.predict(&seeds, Assignment::Basin));
    renumbered(&predicted.map_err(|error| error.to_string())?, labels)?;
    for mode in &found.modes {
        let ends = case.ends.chunks(setting.d).zip(labels).filter(|(_, label)| **label >= 0);
        let nearest = ends.map(|(end, _)| apart(setting, case, &mode.position, end)).fold(f64::INFINITY, f64::min);
        if !within(nearest, APART) {
            return Err(format!("the mode {:?} is {nearest} bandwidths from every end", mode.position));
        }
    }
    Ok(())
}

#[test]
fn ends_are_as_defined() {
    let settings: Vec<Setting> = files("definitions");
    let cases: usize = settings.iter().map(|setting| setting.cases.len()).sum();
    assert!(settings.len() >= 8 && cases >= 44, "{} files, {cases} cases", settings.len());
    let mut wrong = Vec::new();
    for setting in &settings {
        assert!(["scalar", "per_dimension", "per_point"].contains(&setting.bandwidth_is.as_str()));
        for case in &setting.cases {
            let compared = match &setting.queries {
                Some(queries) => compare_queries(setting, case, queries),
                None => compare_ends(setting, case),
            };
            if let Err(why) = compared {
                wrong.push(format!("{}, {}, {}: {why}", setting.name, case.weight, case.form));
            }
        }
    }
    none_wrong(&wrong);
}

#[derive(Deserialize)]
struct Estimates {
    cases: Vec<Estimate>,
}

#[derive(Deserialize)]
struct Estimate {
    name: String,
    dimensions: usize,
    rows: Vec<f64>,
    quantiles: Vec<(f64, f64)>,
}

/// The whole way through a fit; tests/conformance/bandwidth.rs looks at the estimates by themselves.
#[test]
fn bandwidths_are_scikit_learns() {
    let estimates: Estimates = serde_json::from_str(include_str!("golden/bandwidth.json")).unwrap();
    assert!(estimates.cases.len() >= 9);
    for case in &estimates.cases {
        for &(quantile, expected) in &case.quantiles {
            let bandwidth = Bandwidth::Quantile { quantile, sample: None, seed: 0 };
            let estimator = MeanShift::new().on(&DEVICE).bandwidth(bandwidth).max_iterations(1);
            let found = estimator.fit(&points(&case.rows, case.dimensions)).unwrap();
            let what = format!("{}, quantile {quantile}: {}", case.name, found.bandwidth);
            if expected > 0.0 {
                assert!((found.bandwidth / expected - 1.0).abs() <= 1e-6, "{what}, not {expected}");
            } else {
                // scikit-learn gives 0 here, which is no bandwidth: we say so, and take a larger neighbourhood.
                assert!(found.bandwidth > 0.0 && found.notes.iter().any(|note| note.contains("neighbour")), "{what}");
            }
        }
    }
}
