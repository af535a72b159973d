//! Models that a run keeps, and what other runs make of them.

use std::process::Stdio;

use modeseek::{Assignment, Device, Model};

use crate::{Folder, csv};

/// Three clusters at 0, 10 along x and 10 along y; one of the points is beyond all.
const NEW: &str = "y,x,note\n0.5,0.5,a\n9.5,1,b\n0,4.9,c\n500,500,d\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    folder.write("new.csv", NEW);
    folder
}

#[test]
fn a_later_run_says_what_the_first_would_have() {
    let folder = folder();
    for (options, by) in [
        ("--bandwidth 1", "basin"),
        ("--bandwidth 1 --form standard --kernel flat", "nearest"),
        ("--bandwidth 0.4,0.6 --standardize zscore", "basin"),
        ("--standardize minmax --weights w", "nearest"),
        ("--bandwidth 1 --weights w --distance l1", "basin"),
        ("--bandwidth column:h", "basin"),
        ("--bandwidth 1 --assign nearest --reach 2", "nearest"),
        ("--distance cosine --bandwidth 0.1", "basin"),
    ] {
        let of_points = options.contains("column:") || options.contains("l1") || options.contains("cosine");
        // Of directions the origin has none.
        let rows =
            if options.contains("cosine") { "in.csv --columns y,x --missing drop" } else { "in.csv --columns x,y" };
        if options.contains("cosine") {
            folder.write("in.csv", csv().replace("a,0,0,", "a,,0,"));
        }
        let more = if of_points { "--distances" } else { "--density --distances" };
        let first = format!(
            "{rows} {options} --save a.model --predict new.csv --predicted first.csv --predict-by {by} {more} --quiet"
        );
        folder.run(&first);
        folder.run(&format!("predict a.model new.csv --by {by} {more} -o later.csv --quiet"));
        assert_eq!(folder.read("later.csv"), folder.read("first.csv"), "{options}");
        assert!(folder.read("later.csv").starts_with("y,x,note,label,"), "{options}");
        // Saved twice, it is the same file.
        folder.run(&format!("{rows} {options} --save b.model --quiet"));
        assert!(std::fs::read(folder.path("a.model")).unwrap() == std::fs::read(folder.path("b.model")).unwrap());
    }
}

#[test]
fn generated_points_are_kept_too() {
    let folder = folder();
    folder.run("--points 600 --dim 3 --save a.model -o points.csv --form standard");
    folder.run("predict a.model points.csv -o again.csv --quiet");
    let (before, after) = (folder.read("points.csv"), folder.read("again.csv"));
    let labels = |text: &str| -> Vec<String> {
        text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().to_owned()).collect()
    };
    assert_eq!(labels(&after), labels(&before));
}

#[test]
fn what_became_of_the_points_is_told() {
    let folder = folder();
    folder.run("in.csv --columns x,y --bandwidth 1 --save a.model");
    let text = folder.run("predict a.model new.csv -o out.csv");
    assert_eq!(
        text,
        "model       12 points, 2 dimensions, 3 clusters, bandwidth 1: a.model\n\
         data        4 points (x, y) of new.csv\n\
         labels      2 of 3 clusters; none for 1 point\n"
    );
    let told = folder.json("predict a.model new.csv -o out.csv");
    assert_eq!(told["sizes"], serde_json::json!([2, 1, 0]));
    assert_eq!((&told["noise"], &told["points"], &told["fitted"]), (&1.into(), &4.into(), &12.into()));
    assert_eq!((&told["source"], &told["bandwidth"], &told["dropped"]), (&"new.csv".into(), &1.0.into(), &0.into()));
    // The table takes standard output, and what is told goes beside it.
    let output = folder.command("predict a.model new.csv -o -").output().unwrap();
    assert!(output.stdout.starts_with(b"y,x,note,label\n0.5,0.5,a,"), "{output:?}");
    assert!(output.stderr.starts_with(b"model "), "{output:?}");
    folder.write("gap.csv", "x,y\n0,0\n,1\n");
    let text = folder.run("predict a.model gap.csv --missing drop -o out.csv");
    assert!(text.contains("1 point (x, y) of gap.csv; 1 row left out, with missing values\n"), "{text}");
    // As it is noted of points that are clustered.
    folder.write("years.csv", "2019,2020\n1.5,2\n");
    let years = "predict a.model years.csv --columns x0,x1 -o out.csv";
    assert!(folder.run(years).contains("\nnote        the first line (\"2019\", \"2020\") was taken for values"));
    assert_eq!(folder.json(years)["notes"].as_array().unwrap().len(), 1);
}

#[test]
fn files_of_every_kind_are_labelled() {
    let folder = folder();
    folder.run("in.csv --columns x,y --bandwidth 1 --save a.model");
    folder.run("--points 50 --save b.model -o points.npz");
    for format in ["parquet", "arrow", "npz", "npy"] {
        folder.run(&format!("predict b.model points.npz -o labels.{format}"));
        assert!(folder.path(&format!("labels.{format}")).exists());
    }
    // Text without names goes by those that it is given.
    folder.write("plain.csv", "0.5,0.5\n1,9.5\n");
    folder.refuses("predict a.model plain.csv -o labels.csv", 2, &["plain.csv has no column \"x\"", "\"x0\""]);
    folder.run("predict a.model plain.csv --columns x0,x1 -o labels.csv");
    assert_eq!(folder.read("labels.csv"), "x0,x1,label\n0.5,0.5,0\n1,9.5,1\n");
    // Other names are said.
    folder.write("named.tsv", "north\teast\n0.5\t0.5\n9.5\t1\n");
    folder.refuses("predict a.model named.tsv -o out.tsv", 2, &["named.tsv", "\"x\""]);
    folder.run("predict a.model named.tsv --columns east,north -o out.tsv");
    assert_eq!(folder.read("out.tsv"), "north\teast\tlabel\n0.5\t0.5\t0\n9.5\t1\t1\n");
    let mut child = folder.command("predict a.model - --format csv -o piped.csv");
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), NEW.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(folder.read("piped.csv").lines().count(), 5);
}

/// Columns of an array are numbers: those that were chosen are chosen again. Names have an order, in whichever they are said.
#[test]
fn columns_are_those_of_the_fit() {
    let folder = folder();
    // Each as a table with names, and as one array.
    for (name, points, seed) in [("train", 300, 4), ("new", 60, 5)] {
        folder.run(&format!("--points {points} --dim 3 --seed {seed} -o {name}.csv --quiet"));
        let text = folder.read(&format!("{name}.csv"));
        let lines = text.lines().skip(1).map(|line| line.split(',').take(3));
        let values: Vec<f64> = lines.flatten().map(|x| x.parse().unwrap()).collect();
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({points}, 3), }}");
        let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        npy.extend(format!("{header:<117}\n").as_bytes());
        npy.extend(values.iter().flat_map(|x| x.to_le_bytes()));
        folder.write(&format!("{name}.npy"), npy);
    }
    for columns in ["#3,#1,#2", "x2,x0", "#2"] {
        let fit = format!("train.npy --columns {columns} --bandwidth 2.5 --save a.model --quiet");
        folder.run(&format!("{fit} --predict new.npy --predicted first.csv --distances"));
        folder.run("predict a.model new.npy -o later.csv --distances");
        assert_eq!(folder.read("later.csv"), folder.read("first.csv"), "{columns}");
    }
    let label = |file: &str| crate::last_column(&folder.read(file));
    folder.run("train.csv --columns x0,x1,x2 --bandwidth 2.5 --save named.model");
    folder.run("predict named.model new.csv -o once.csv");
    folder.run("predict named.model new.csv --columns x2,x0,x1 -o other.csv");
    assert_eq!(label("other.csv"), label("once.csv"));
    // Of an array they are taken in order, and it is said for what, if for anything.
    assert!(!folder.run("predict named.model new.npy -o array.csv").contains("note"));
    assert_eq!(label("array.csv"), label("once.csv"));
    folder.write("plain.csv", folder.read("train.csv").replacen("x0,x1,x2", "a,b,c", 1));
    folder.run("plain.csv --columns a,b,c --bandwidth 2.5 --save plain.model");
    let text = folder.run("predict plain.model new.npy -o array.csv");
    assert!(text.contains("note        new.npy has no names: its columns are taken for a, b, c, in order\n"), "{text}");
    assert_eq!(label("array.csv"), label("once.csv"));
    // A model through a pipe.
    let model = std::fs::File::open(folder.path("plain.model")).unwrap();
    let output = folder.command("predict - new.npy -o piped.csv").stdin(model).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(label("piped.csv"), label("once.csv"));
}

/// One part, or several; of a file, or of a pipe.
#[test]
fn tables_are_labelled_in_parts() {
    let folder = folder();
    folder.run("in.csv --columns x,y --bandwidth 1 --standardize zscore --save a.model");
    folder.run("predict a.model new.csv -o new.arrow");
    for options in
        ["new.csv -o FILE.csv --distances", "new.arrow -o FILE.parquet", "new.csv -o FILE.arrow --by nearest --density"]
    {
        let [whole, parts] =
            ["whole", "parts"].map(|name| format!("predict a.model {}", options.replace("FILE", name)));
        let told = folder.json(&whole);
        assert_eq!(folder.json(&format!("{parts} --stream")), told, "{options}");
        let written =
            |name: &str| std::fs::read(folder.path(&options.split(' ').nth(2).unwrap().replace("FILE", name)));
        assert!(written("parts").unwrap() == written("whole").unwrap(), "{options}");
    }
    let mut child = folder
        .command("predict a.model - --format csv --stream -o -")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), NEW.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    folder.run("predict a.model new.csv -o whole.csv");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), folder.read("whole.csv"));
    // 2,240,000 coordinates, of which the first part has 2,097,152; what is wrong behind it leaves nothing.
    folder.run("--points 70000 --dim 32 --bandwidth 10 -o points.arrow --save b.model");
    folder.run("predict b.model points.arrow -o whole.csv --by nearest");
    let told = folder.run("predict b.model points.arrow -o parts.csv --by nearest --stream");
    assert!(told.contains("70000 points"), "{told}");
    let parts = folder.read("parts.csv");
    assert!(parts == folder.read("whole.csv"));
    folder.write("wrong.csv", format!("{parts}1,2,3\n"));
    folder.refuses("predict b.model wrong.csv -o parts.csv --by nearest --stream", 1, &["wrong.csv", "70002"]);
    assert!(folder.read("parts.csv") == parts);
}

#[test]
fn the_library_reads_what_the_program_keeps() {
    let folder = folder();
    folder.run("in.csv --columns x,y --bandwidth 0.5 --standardize zscore --save a.model");
    folder.run("predict a.model new.csv -o out.csv");
    let device = Device::processor().unwrap();
    let model = Model::load(&device, std::fs::File::open(folder.path("a.model")).unwrap()).unwrap();
    assert_eq!(model.columns(), ["x", "y"]);
    let mut rows = [0.5, 0.5, 1.0, 9.5, 4.9, 0.0, 500.0, 500.0];
    model.standardization().unwrap().apply(&mut rows);
    let rows: Vec<[f64; 2]> = rows.chunks(2).map(|row| [row[0], row[1]]).collect();
    let labels = crate::last_column(&folder.read("out.csv"));
    assert_eq!(labels, model.predict(&rows, Assignment::Basin).unwrap());
}

#[test]
fn mistakes_with_models() {
    let folder = folder();
    folder.run("in.csv --columns x,y --bandwidth 1 --save a.model");
    let whole = std::fs::read(folder.path("a.model")).unwrap();
    folder.write("cut.model", &whole[..whole.len() - 9]);
    folder.write("three.csv", "a,b,c\n1,2,3\n");
    folder.write("words.csv", "x,y\none,two\n");
    folder.write("empty.csv", "x,y\n");
    folder.write("gaps.csv", "x,y\n,1\n");
    folder.write("points", csv());
    for (arguments, code, words) in [
        ("predict none.model new.csv -o out.csv", 1, &["none.model cannot be read", "No such file"] as &[_]),
        ("predict new.csv in.csv -o out.csv", 1, &["new.csv is no model that can be read: it does not begin as one"]),
        ("predict cut.model new.csv -o out.csv", 1, &["cut.model is no model that can be read", "cut or changed"]),
        ("predict a.model none.csv -o out.csv", 1, &["none.csv", "cannot be read"]),
        ("predict a.model new.csv -o new.csv", 2, &["new.csv is read"]),
        ("predict a.model new.csv -o a.model", 2, &["a.model", "extension"]),
        ("predict a.model new.csv -o none/out.csv", 1, &["none/out.csv cannot be written", "make its folder first"]),
        (
            "predict a.model three.csv --columns a,b,c -o out.csv",
            1,
            &["the new points have 3 coordinates, and the points 2"],
        ),
        ("predict a.model words.csv -o out.csv", 1, &["words.csv", "one"]),
        ("predict a.model new.csv -o out.npz --stream", 2, &["--stream into numpy's formats", ".parquet"]),
        ("predict a.model none.csv -o out.csv --stream", 1, &["none.csv", "cannot be read"]),
        ("predict a.model words.csv -o out.csv --stream", 1, &["words.csv", "one"]),
        ("predict a.model empty.csv -o out.csv --stream", 1, &["empty.csv has no rows"]),
        ("predict a.model gaps.csv -o out.csv --stream", 1, &["gaps.csv", "missing"]),
        ("predict a.model gaps.csv -o out.csv --stream --missing drop", 1, &["gaps.csv", "missing"]),
        (
            "predict a.model three.csv --columns a,b,c -o out.csv --stream",
            1,
            &["the new points have 3 coordinates, and the points 2"],
        ),
        ("predict a.model new.csv -o out.npy --density", 2, &["--density or --distances in an NPY file"]),
        ("in.csv --columns x,y --bandwidth 1 --save -", 2, &["--save is -"]),
        ("in.csv --columns x,y --bandwidth 1 --save /dev/stdout", 2, &["--save is /dev/stdout", "nothing else stands"]),
        ("in.csv --columns x,y --bandwidth 1 --save b.csv", 2, &["--save is b.csv", "-o writes a table of labels"]),
        ("in.csv --columns x,y --bandwidth 1 --save b.png", 2, &["--save is b.png", "--plot a picture"]),
        ("points --format csv --columns x,y --bandwidth 1 --save points", 2, &["points is read"]),
        ("in.csv --columns x,y --bandwidth 1 --save b.model --report b.model", 2, &["b.model would have two results"]),
        ("predict - - --format csv -o out.csv", 2, &["a model and a table from standard input"]),
        (
            "predict new.csv a.model -o out.csv",
            2,
            &["a.model: its extension", "it is a model, by which `modeseek predict a.model"],
        ),
        ("a.model", 2, &["it is a model, by which `modeseek predict a.model FILE` labels points"]),
        ("in.csv --columns x,y --bandwidth 1 --save none/a.model", 1, &["none/a.model cannot be written"]),
        ("in.csv --columns x,y --bandwidth 1 --stream --save b.model", 2, &["--stream with --save"]),
    ] {
        folder.refuses(arguments, code, words);
    }
    folder.run("in.csv --columns x,y --bandwidth column:h --save h.model");
    // Before anything is read.
    folder.refuses(
        "predict h.model words.csv -o out.csv --density",
        1,
        &["a density is not defined for bandwidths of points"],
    );
    // What a run with mistakes would have replaced still stands.
    assert!(whole == std::fs::read(folder.path("a.model")).unwrap());
}
