//! What is computed from a file's columns, and written beside labels.

use modeseek::{Assignment, Bandwidth, Clustering, Form, MeanShift, Points, Seeding};

use crate::{Folder, ROWS, csv, last_column};

fn points() -> Points {
    Points::from_rows(&ROWS.map(|(_, x, y, ..)| [x, y]).concat(), 2).unwrap()
}

fn fit(estimator: MeanShift) -> Clustering {
    let device = modeseek::executor::DeviceChoice::Cpu.open(Default::default()).unwrap();
    estimator.on(&device).fit(&points()).unwrap()
}

/// A column of numbers of a file with names.
fn column(text: &str, name: &str) -> Vec<f64> {
    let at = text.lines().next().unwrap().split(',').position(|found| found == name).unwrap();
    text.lines().skip(1).map(|line| line.split(',').nth(at).unwrap().parse().unwrap()).collect()
}

#[test]
fn weights_and_bandwidths_of_columns_are_the_librarys() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    let (weights, bandwidths) = (ROWS.map(|row| row.3), ROWS.map(|row| row.4));
    let estimator = MeanShift::new().bandwidth(Bandwidth::PerPoint(bandwidths.to_vec())).sample_weights(weights);
    let expected = fit(estimator);
    let report = folder.json("in.csv --columns x,y --weights w --bandwidth column:h -o out.csv");
    assert_eq!(last_column(&folder.read("out.csv")), expected.labels);
    let found = report["clusters"].as_array().unwrap();
    assert_eq!(found.len(), expected.modes.len());
    for (found, mode) in found.iter().zip(&expected.modes) {
        assert_eq!(found["weight"], mode.weight);
        // The last digit is the parser's.
        let apart = |c: usize| (found["mode"][c].as_f64().unwrap() - mode.position[c]).abs();
        assert!(apart(0) <= 1e-14 && apart(1) <= 1e-14, "{found}");
    }
    assert_eq!(report["clusters"][0]["weight"], 5.0);
}

#[test]
fn density_and_distances_are_the_librarys() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    let expected = fit(MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)));
    folder.run("in.csv --columns x,y --bandwidth 1 -o out.csv --density --distances");
    let text = folder.read("out.csv");
    assert_eq!(column(&text, "density"), expected.density(&points()).unwrap());
    let distances = expected.transform(&points()).unwrap();
    for mode in 0..3 {
        let of_mode: Vec<f64> = distances.iter().map(|row| row[mode]).collect();
        assert_eq!(column(&text, &format!("distance_{mode}")), of_mode);
    }
}

#[test]
fn other_points_are_labelled_as_by_the_library() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    // In another order of columns, and one of them far from all.
    folder.write("new.csv", "y,x\n0.5,0.5\n9.5,1\n4.9,0\n500,500\n");
    let new = [[0.5, 0.5], [1.0, 9.5], [0.0, 4.9], [500.0, 500.0]];
    let expected = fit(MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)));
    for (by, assignment) in [("basin", Assignment::Basin), ("nearest", Assignment::NearestMode)] {
        folder.run(&format!(
            "in.csv --columns x,y --bandwidth 1 --predict new.csv --predicted out.csv --predict-by {by} --density"
        ));
        let text = folder.read("out.csv");
        assert!(text.starts_with("y,x,label,density\n0.5,0.5,"), "{text}");
        let labels: Vec<i32> = column(&text, "label").into_iter().map(|label| label as i32).collect();
        assert_eq!(labels, expected.predict(&new, assignment).unwrap(), "{by}");
        assert_eq!(column(&text, "density"), expected.density(&new).unwrap(), "{by}");
    }
}

/// A row of another file is what it is, whatever rows are beside it.
#[test]
fn rows_far_away_change_no_others() {
    let folder = Folder::new();
    folder.write("in.csv", "x,y\n0,0\n0.1,0\n10,10\n10.1,10\n");
    let fit = "in.csv --bandwidth 2 -q";
    let near = "x,y\n0,0\n9,9\n";
    let far = format!("{near}999999999,0\n999999999,0\n999999999,0\n");
    let predicted = |rows: &str| {
        folder.write("new.csv", rows);
        folder.run(&format!("{fit} --predict new.csv --predicted - --distances --density"))
    };
    let (alone, beside) = (predicted(near), predicted(&far));
    assert_eq!(alone.lines().collect::<Vec<_>>(), beside.lines().take(3).collect::<Vec<_>>());
    let seeded = |rows: &str| {
        folder.write("seeds.csv", rows);
        folder.run(&format!("{fit} --form standard --seeds-file seeds.csv --centres -"))
    };
    let (alone, beside) = (seeded(near), seeded(&far));
    assert_eq!(column(&beside, "size"), [2.0, 2.0]);
    for name in ["mode_x", "mode_y"] {
        // Sums over ends have so many bits in all.
        let pairs = column(&alone, name).into_iter().zip(column(&beside, name));
        pairs.for_each(|(alone, beside)| assert!((alone - beside).abs() < 1e-8, "{name}: {beside} instead of {alone}"));
    }
}

#[test]
fn seeds_of_a_file_are_the_librarys() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    folder.write("seeds.csv", "x,y\n0.5,0.5\n9,1\n");
    let seeds = Points::from_rows(&[0.5, 0.5, 9.0, 1.0], 2).unwrap();
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard).seeding(Seeding::At(seeds));
    let expected = fit(estimator);
    let report = folder.json("in.csv --columns x,y --bandwidth 1 --form standard --seeds-file seeds.csv -o out.csv");
    assert_eq!(last_column(&folder.read("out.csv")), expected.labels);
    assert_eq!((report["queries"].as_u64(), report["clusters"].as_array().unwrap().len()), (Some(2), 2));
    // Read as the points are: with their marks, of which one file alone would say nothing.
    folder.write("marks.csv", "x;y\n0,5;0,5\n9,0;1,0\n");
    let marks = "--delimiter ; --decimal , --bandwidth 1 --form standard --seeds-file marks.csv --centres -";
    folder.write("in2.csv", "x;y\n0,5;0,5\n9;1\n");
    let centres = folder.run(&format!("in2.csv {marks} -q"));
    let rounded = |name| column(&centres, name).iter().map(|mode| format!("{mode:.3}")).collect::<Vec<_>>();
    assert_eq!(
        (rounded("mode_x"), rounded("mode_y")),
        (vec!["0.500".into(), "9.000".into()], vec!["0.500".into(), "1.000".into()])
    );
    // Labels are of the nearest mode, so that there can be a reach.
    let near = folder.json("in.csv --columns x,y --bandwidth 1 --form standard --seeds-file seeds.csv --reach 0.001");
    assert!(near["noise"].as_u64() > report["noise"].as_u64(), "{near}");
}

#[test]
fn a_scale_is_undone_in_what_is_written() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    for how in ["zscore", "minmax"] {
        folder.run(&format!(
            "in.csv --columns x,y --standardize {how} --bandwidth 0.2 -o out.csv --centres centres.csv --density"
        ));
        let centres = folder.read("centres.csv");
        let mut rows: Vec<(f64, f64)> =
            column(&centres, "centre_x").into_iter().zip(column(&centres, "centre_y")).collect();
        rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-5;
        for (found, expected) in rows.iter().zip([(0.125, 0.125), (0.125, 10.125), (10.125, 0.125)]) {
            assert!(near(found.0, expected.0) && near(found.1, expected.1), "{how}: {rows:?}");
        }
        // A density is one over an area of the data: the sum over a grid of cells around, times the cell, is about 1.
        let density = column(&folder.read("out.csv"), "density");
        assert!(density.iter().all(|&density| density > 1e-3 && density < 1.0), "{how}: {density:?}");
    }
}

/// Of columns whose squares, or whose range, are infinite.
#[test]
fn a_scale_may_be_any_that_numbers_have() {
    let folder = Folder::new();
    for (how, values) in [
        ("zscore", [-1e200, 1e200, 3e200]),
        ("zscore", [-1e-200, 1e-200, 3e-200]),
        ("zscore", [-1e308, 0.0, 1e308]),
        ("minmax", [-1e308, 0.0, 1e308]),
    ] {
        folder.write("in.csv", format!("x,y\n{:e},0\n{:e},0\n{:e},0\n", values[0], values[1], values[2]));
        folder.run(&format!("in.csv --standardize {how} --bandwidth 0.1 --centres centres.csv"));
        let mut modes = column(&folder.read("centres.csv"), "mode_x");
        modes.sort_by(f64::total_cmp);
        assert_eq!(modes.len(), 3, "{how} {values:?}: {modes:?}");
        let near = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 1e-5 * values[2];
        assert!(modes.iter().zip(&values).all(near), "{how} {values:?}: {modes:?}");
    }
}

/// Densities are of the data's units, however large the product of the columns' scales is.
#[test]
fn densities_of_columns_of_any_scale() {
    let folder = Folder::new();
    let densities = |scales: [f64; 4]| {
        let line = |x: [f64; 4]| (0..4).map(|c| format!("{:e}", x[c] * scales[c])).collect::<Vec<_>>().join(",");
        let rows = [[1.0, 2.0, 1.0, 1.0], [2.0, 1.0, 3.0, 3.0], [2.0, 2.0, 0.0, 1.0]].map(line).join("\n");
        folder.write("in.csv", format!("a,b,c,d\n{rows}\n"));
        folder.run("in.csv --standardize zscore --bandwidth 1 -o out.csv --density -q");
        column(&folder.read("out.csv"), "density")
    };
    let plain = densities([1.0; 4]);
    for (found, plain) in densities([1e200, 1e200, 1e-200, 1e-200]).into_iter().zip(plain) {
        assert!((found / plain - 1.0).abs() < 1e-5, "{found}, not {plain}");
    }
    folder.write("in.csv", "x,y\n1e-200,2e-200\n2e-200,1e-200\n");
    let run = "in.csv --standardize zscore --bandwidth 1 -o none.csv --density";
    folder.refuses(run, 1, &["a density is not defined where f64 does not hold it"]);
}

#[test]
fn generated_points_are_written_with_what_they_were_made_for() {
    let folder = Folder::new();
    folder.run("--points 100 --clusters 2 --dim 3 -o out.csv --report report.json");
    let text = folder.read("out.csv");
    assert!(text.starts_with("x0,x1,x2,cluster,label\n"));
    assert_eq!(text.lines().count(), 101);
    let report: serde_json::Value = serde_json::from_str(&folder.read("report.json")).unwrap();
    assert_eq!(report["parameters"]["points"], serde_json::json!(["100"]));
    assert_eq!((&report["source"], &report["seed"]), (&"generated".into(), &14.into()));
    // The file is clustered as the points were, its column of true clusters left aside.
    let again = folder.json("out.csv --columns x0,x1,x2 --bandwidth 2.5");
    for c in 0..3 {
        let [found, made] = [&again, &report].map(|report| report["clusters"][0]["mode"][c].as_f64().unwrap());
        assert!((found - made).abs() <= 1e-5, "{found} {made}");
    }
    assert!(again["true_clusters"].is_null() && again["adjusted_rand_index"].is_null());
}

#[test]
fn a_file_has_its_own_default_bandwidth() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    let report = folder.json("in.csv --columns x,y");
    assert!(report["bandwidth_from"].as_str().unwrap().contains("quantile"), "{report}");
    assert_eq!(folder.names(), ["in.csv"]);
}

/// Of a file nothing says how many points there would be if they were generated.
#[test]
fn parameters_are_those_of_the_run() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    let names = |arguments: &str| -> Vec<String> {
        let report = folder.json(arguments);
        report["parameters"].as_object().unwrap().keys().cloned().collect()
    };
    let of_points = ["clusters", "dim", "points", "shape"].map(str::to_owned);
    let has = |names: &[String], name: &str| names.iter().any(|found| found == name);
    let of_file = names("in.csv --columns x,y --bandwidth 1");
    assert!(!of_points.iter().any(|name| of_file.contains(name)) && !has(&of_file, "seed"), "{of_file:?}");
    assert!(
        ["bandwidth", "columns", "file", "kernel", "tolerance"].iter().all(|name| has(&of_file, name)),
        "{of_file:?}"
    );
    // A seed is of random seeds, too.
    assert!(has(&names("in.csv --columns x,y --bandwidth 1 --form standard --seeding random"), "seed"));
    let generated = names("--points 30 --clusters 3");
    assert!(of_points.iter().all(|name| generated.contains(name)) && has(&generated, "seed"), "{generated:?}");
    for (arguments, name, value) in [
        ("--points 30", "bandwidth", "2.5"),
        ("in.csv --columns x,y", "bandwidth", "matched"),
        ("in.csv --columns x,y --bandwidth scott", "bandwidth", "scott"),
        ("in.csv --columns x,y", "form", "blurring"),
        ("in.csv --columns x,y --stream --bandwidth 1", "form", "standard"),
    ] {
        assert_eq!(folder.json(arguments)["parameters"][name], serde_json::json!([value]), "{arguments}");
    }
}

#[test]
fn arrays_of_other_points_go_by_name() {
    let folder = Folder::new();
    let of = |row: (&str, f64, f64, f64, f64)| format!("{},{}\n", row.1, row.2);
    folder.write("in.csv", "x,y\n".to_owned() + &ROWS.map(of).concat());
    folder.write("other.csv", "y,label,x\n0,5,10\n");
    folder.write("named.csv", "a,b\n1,2\n3,4\n");
    for name in ["other", "named"] {
        folder.run(&format!("{name}.csv --bandwidth 1 -q -o {name}.npz"));
    }
    let fit = "in.csv --bandwidth 1 -q";
    for what in ["--predict FILE --predicted -", "--form standard --seeds-file FILE --centres -"] {
        let written = ["csv", "npz"].map(|kind| {
            let table = folder.run(&format!("{fit} {}", what.replace("FILE", &format!("other.{kind}"))));
            let labels = || last_column(&table).into_iter().map(f64::from).collect();
            if what.contains("predict") { labels() } else { column(&table, "mode_x") }
        });
        assert_eq!(written[0], written[1], "{what}");
        assert_eq!(written[0].len(), 1, "{what}");
        folder.refuses(&format!("{fit} {}", what.replace("FILE", "named.npz")), 2, &["named.npz has no column \"x\""]);
    }
}

/// Both kinds of other points are found in their files in the same way: by name, as `--columns` says, and in order.
#[test]
fn columns_of_other_points_are_found_in_one_way() {
    let folder = Folder::new();
    folder.write("named.csv", "x,y,z\n0,0,9\n0.5,0,9\n8,4,9\n");
    folder.write("twice.csv", "x,x\n0,0\n0.5,0\n8,4\n");
    folder.write("swapped.csv", "y,x,z\n4,8,9\n");
    folder.write("other.csv", "x,x\n8,4\n");
    folder.write("other.dat", "y,x\n4,8\n");
    folder.run("other.csv --columns #1,#2 --bandwidth 1 -q --centres other.npy");
    for (fit, other) in [
        ("named.csv --columns x,y", "swapped.csv"),
        ("named.csv --columns #1,#2", "other.npy"),
        ("named.csv --columns x,y", "other.npy"),
        ("twice.csv --columns #1,#2", "other.csv"),
        ("twice.csv --columns #1,#2", "twice.csv"),
        ("named.csv --columns x,y --format csv", "other.dat"),
    ] {
        let rows = if other == "twice.csv" { 3 } else { 1 };
        let run = format!("{fit} --bandwidth 1");
        let predicted = folder.run(&format!("{run} -q --predict {other} --predicted -"));
        let labels = last_column(&predicted);
        assert_eq!((labels.len(), labels.last()), (rows, Some(&1)), "{fit} {other}: {predicted}");
        let seeded = folder.json(&format!("{run} --form standard --seeds-file {other}"));
        let mode = &seeded["clusters"].as_array().unwrap().last().unwrap()["mode"];
        let apart = [8.0, 4.0].iter().zip(mode.as_array().unwrap()).map(|(x, found)| x - found.as_f64().unwrap());
        assert!(apart.map(f64::abs).fold(0.0, f64::max) <= 1e-5, "{fit} {other}: {seeded}");
    }
}

/// Standard output may be a file with something in it, which other runs wrote.
#[test]
#[cfg(unix)]
fn a_report_goes_behind_what_standard_output_holds() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    folder.write("runs.jsonl", "before\n");
    for _ in 0..2 {
        let to = std::fs::File::options().append(true).open(folder.path("runs.jsonl")).unwrap();
        let mut command = folder.command("in.csv --columns x,y --bandwidth 1 --quiet --report /dev/stdout");
        assert!(command.stdout(to).status().unwrap().success());
    }
    let text = folder.read("runs.jsonl");
    let rest = text.strip_prefix("before\n").unwrap_or_else(|| panic!("{text}"));
    let reports = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
    assert_eq!(reports.map(|report| report.unwrap()["points"].clone()).collect::<Vec<_>>(), [12, 12]);
    assert_eq!(folder.names(), ["in.csv", "runs.jsonl"]);
}
