//! The program's pictures: files that are written, and commands that are refused.

use std::path::Path;
use std::process::{Command, Output};

use image::{Rgb, RgbImage, Rgba, RgbaImage};

fn modeseek(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modeseek"));
    command.current_dir(folder).args(words).args(["--device", "cpu"]).output().unwrap()
}

#[track_caller]
fn done(folder: &Path, words: &[&str]) -> String {
    let output = modeseek(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One line on standard error, with this word, and the exit code.
#[track_caller]
fn refused(folder: &Path, words: &[&str], code: i32, word: &str) {
    let output = modeseek(folder, words);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
    assert!(error.contains(word), "{words:?}: {word:?} is not in {error}");
    assert!(code == 2 || error.trim_end().lines().count() == 1, "{error}");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_picture_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--points=300", "--plot=a.png", "--animate=b.html", "--trace=c.svg", "--traced=20"];
    assert!(done(folder.path(), &words).contains("clusters"));
    done(folder.path(), &["--points=300", "--dim=3", "--bandwidth=6", "--plot=d.svg", "--animate=e.gif"]);
    assert_eq!(names(folder.path()), ["a.png", "b.html", "c.svg", "d.svg", "e.gif"]);
    assert_eq!(image::open(folder.path().join("a.png")).unwrap().to_rgb8().dimensions(), modeseek::picture::SIZE);
    let svg = std::fs::read_to_string(folder.path().join("d.svg")).unwrap();
    assert!(svg.contains("first principal component"));
}

#[test]
fn columns_name_the_axes() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40).map(|i| format!("{},{}\n", i % 2 * 9, i / 2 % 5)).collect();
    std::fs::write(folder.path().join("points.csv"), format!("girth,height\n{rows}")).unwrap();
    done(folder.path(), &["points.csv", "--bandwidth=2", "--plot=a.svg"]);
    let svg = std::fs::read_to_string(folder.path().join("a.svg")).unwrap();
    assert!(svg.contains(">girth</text>") && svg.contains(">height</text>") && svg.contains("40 points, 2 clusters"));
}

#[test]
fn what_cannot_be_drawn_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (points, path) = ("--points=100", folder.path());
    refused(path, &[points, "--plot=a.jpg"], 2, ".png or .svg");
    refused(path, &[points, "--trace=a.gif"], 2, ".png or .svg");
    refused(path, &[points, "--animate=a.png"], 2, ".gif or .html");
    refused(path, &[points, "--trace=a.png", "--traced=0"], 2, "--traced");
    refused(path, &[points, "--traced=5"], 2, "--traced without --trace is not possible");
    refused(path, &["a.csv", "--stream", "--bandwidth=1", "--traced=5"], 2, "--traced without --trace");
    refused(path, &[points, "--plot=none/a.png"], 1, "folder");
    assert_eq!(names(path), [""; 0]);
}

#[test]
fn weight_functions_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let plot = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modeseek"));
        command.current_dir(folder.path()).arg("plot-kernel").args(words).output().unwrap()
    };
    assert!(plot(&["-o", "a.svg", "--bandwidth", "1.5"]).status.success());
    assert!(std::fs::read_to_string(folder.path().join("a.svg")).unwrap().contains("bandwidth 1.5"));
    for words in [&["-o", "a.svg", "--bandwidth", "-1"][..], &["-o", "a.txt"], &[]] {
        assert_eq!(plot(words).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn a_sweep_is_a_table_a_picture_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let common = ["sweep", "--points=600", "--from=1", "--to=30", "--steps=12"];
    let text = done(folder.path(), &[&common[..], &["--plot=a.png"]].concat());
    assert!(text.lines().count() == 14 && text.contains("suggested: --bandwidth"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&done(folder.path(), &[&common[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["found"].as_array().unwrap().len(), 12);
    assert!(json["suggested"].as_f64().unwrap() > 1.0);
    // What is said of a table's columns and rows.
    std::fs::write(folder.path().join("in.csv"), "x,name,2019\n1,a,3\n2,b,\n9,c,4\n").unwrap();
    let table = ["sweep", "in.csv", "--missing=drop", "--from=1", "--to=2", "--steps=3"];
    let text = done(folder.path(), &table);
    for part in ["name", "1 row left out, with missing values", "note: "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&done(folder.path(), &[&table[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["columns"], serde_json::json!(["x", "2019"]));
    assert_eq!((&json["left_out"][0]["column"], json["dropped"].as_u64()), (&"name".into(), Some(1)));
    assert!(json["notes"][0].as_str().unwrap().contains("2019"), "{json}");
    std::fs::remove_file(folder.path().join("in.csv")).unwrap();
    // Without a range it is found out.
    assert!(done(folder.path(), &["sweep", "--points=300", "--steps=3"]).contains("stability"));
    // Where most points would be clusters of their own it ends, unless it is told how far to go.
    let many = ["sweep", "--points=6000", "--shape=uniform", "--kernel=flat", "--steps=20"];
    let text = done(folder.path(), &many);
    let ends = text.lines().nth_back(1).unwrap();
    assert!(text.lines().count() < 22 && ends.contains("were not tried: --from H does"), "{text}");
    let text = done(folder.path(), &[&many[..], &["--from=0.6"]].concat());
    assert!(text.lines().count() == 22 && !text.contains("not tried"), "{text}");
    refused(folder.path(), &["sweep", "--from=2", "--to=1"], 2, "--to");
    // An end that was not given is not blamed, but asked for.
    refused(
        folder.path(),
        &["sweep", "--points=300", "--from=3000"],
        2,
        "guessed for --to, but must be below it: give --to",
    );
    refused(
        folder.path(),
        &["sweep", "--points=300", "--to=1e-9"],
        2,
        "guessed for --from, but must be above it: give",
    );
    refused(folder.path(), &["sweep", "--steps=1"], 2, "--steps");
    refused(folder.path(), &["sweep", "--bandwidth=2"], 2, "--from");
    refused(folder.path(), &["sweep", "--form=standard", "--seeds-file=none.csv"], 2, "--seeds-file for a sweep");
    refused(folder.path(), &["sweep", "--plot=a.txt"], 2, ".png or .svg");
    refused(folder.path(), &["sweep", "none.csv"], 1, "none.csv");
    assert_eq!(names(folder.path()), ["a.png"]);
}

#[test]
fn an_image_is_segmented() {
    let folder = tempfile::tempdir().unwrap();
    let image = RgbImage::from_fn(48, 32, |x, y| {
        let noise = (x * 7 + y * 13) as u8 % 9;
        Rgb(if x < 20 { [200 + noise, 40, 30] } else { [20, 60 + noise, 180] })
    });
    image.save(folder.path().join("photo.png")).unwrap();
    let words =
        ["segment", "photo.png", "--spatial=5", "-o=s.png", "--filtered=f.jpg", "--borders=b.bmp", "--labels=l.png"];
    let text = done(folder.path(), &words);
    assert!(text.contains("48 x 32 pixels") && text.contains("regions     2,"), "{text}");
    let labels = image::open(folder.path().join("l.png")).unwrap().to_luma16();
    // The larger region is number 0.
    assert_eq!((labels[(40, 10)].0, labels[(3, 10)].0), ([0], [1]));
    let json: serde_json::Value =
        serde_json::from_str(&done(folder.path(), &["segment", "photo.png", "--kernel=gaussian", "--json"])).unwrap();
    assert_eq!((json["regions"].as_u64(), json["width"].as_u64()), (Some(2), Some(48)));
}

/// Through pipes, with what the file has and the pixels do not told beside.
#[test]
fn an_image_may_be_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let image =
        RgbaImage::from_fn(24, 16, |x, _| Rgba([if x < 8 { 250 } else { 10 }, 40, 90, if x == 2 { 0 } else { 255 }]));
    image.save(folder.path().join("photo.png")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_modeseek"))
        .args(["segment", "-", "-o", "-", "--device", "cpu"])
        .stdin(std::fs::File::open(folder.path().join("photo.png")).unwrap())
        .output()
        .unwrap();
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{report}");
    assert_eq!(image::load_from_memory(&output.stdout).unwrap().width(), 24);
    for part in ["standard input: 24 x 16 pixels", "regions     2,", "note        transparency is ignored"] {
        assert!(report.contains(part), "{report}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&done(folder.path(), &["segment", "photo.png", "--json"])).unwrap();
    assert_eq!(json["notes"].as_array().unwrap().len(), 1);
}

/// A PNG has 65,536 shades of grey: no fewer regions are made of more pixels that all differ.
#[test]
fn more_regions_than_labels_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image =
        RgbImage::from_fn(260, 256, |x, y| Rgb([(x * 97 % 256) as u8, (y * 59 % 256) as u8, (x * y % 251) as u8]));
    image.save(folder.path().join("photo.png")).unwrap();
    let words = ["segment", "photo.png", "--spatial=1", "--range=0.1", "--min-region=1", "--labels=l.png", "-o=s.png"];
    refused(folder.path(), &words, 1, "a PNG of 16 bits");
    refused(folder.path(), &words, 1, "--min-region");
    // Nor is anything else written.
    assert_eq!(names(folder.path()), ["photo.png"]);
}

#[test]
fn bad_images_and_options_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    RgbImage::new(4, 4).save(path.join("photo.png")).unwrap();
    let whole = std::fs::read(path.join("photo.png")).unwrap();
    std::fs::write(path.join("half.png"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(path.join("text.png"), "no image").unwrap();
    std::fs::write(path.join("empty.jpg"), "").unwrap();
    for (image, word) in
        [("none.png", "none.png"), ("half.png", "half.png"), ("text.png", "not a PNG"), ("empty.jpg", "empty")]
    {
        refused(path, &["segment", image], 1, word);
    }
    refused(path, &["segment", "."], 1, "cannot be read");
    refused(path, &["segment", "photo.png", "--spatial=0"], 2, "--spatial");
    refused(path, &["segment", "photo.png", "--range=nan"], 2, "--range");
    refused(path, &["segment", "photo.png", "--iterations=0"], 2, "--iterations");
    refused(path, &["segment", "photo.png", "-o=a.webp"], 2, ".png, .jpg or .bmp");
    refused(path, &["segment", "photo.png", "--labels=a.jpg"], 2, "16 bits");
    refused(path, &["segment", "photo.png", "-o=none/a.png"], 1, "folder");
    refused(path, &["segment"], 2, "IMAGE");
    refused(path, &["photo.png"], 2, "of an image: `modeseek segment photo.png`");
    assert_eq!(names(path), ["empty.jpg", "half.png", "photo.png", "text.png"]);
}

/// Points of three clusters: so large, and so far from the origin.
fn three_clusters(folder: &Path, name: &str, size: f64, offset: f64) {
    let rows = (0..300).map(|i| {
        let (x, y) = [(0.0, 0.0), (5.0, 8.0), (10.0, 2.0)][i % 3];
        // Spread evenly over a disc.
        let (turn, radius) = (i as f64 * 2.4, (i as f64 / 300.0).sqrt());
        format!("{},{}\n", offset + size * (x + radius * turn.cos()), offset + size * (y + radius * turn.sin()))
    });
    std::fs::write(folder.join(name), format!("x,y\n{}", rows.collect::<String>())).unwrap();
}

/// However small or large the numbers are, the report says them, and what a sweep suggests can be given.
#[test]
fn numbers_of_any_size_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    three_clusters(path, "small.csv", 1e-6, 0.0);
    let report = done(path, &["small.csv", "--bandwidth=scott"]);
    assert!(report.contains("e-6 (Scott") && report.contains("e-6)") && !report.contains("0.000"), "{report}");
    assert!(done(path, &["small.csv", "--bandwidth=1e-6"]).contains("bandwidth 1e-6,"));
    let table = done(path, &["sweep", "small.csv", "--steps=12"]);
    assert!(!table.contains("0.000000"), "{table}");
    let suggested = table.split("--bandwidth ").nth(1).unwrap().split(',').next().unwrap();
    let report = done(path, &["small.csv", "--bandwidth", suggested]);
    assert!(report.contains("clusters    3 found"), "{suggested}: {report}");

    three_clusters(path, "large.csv", 1e30, 0.0);
    let report = done(path, &["large.csv", "--bandwidth=5e29,1e30"]);
    assert!(report.contains("bandwidth 5.0000e29, 1.0000e30 (given"), "{report}");
    assert!(report.lines().all(|line| line.len() < 200), "{report}");
    three_clusters(path, "fine.csv", 1e-3, 1e6);
    let report = done(path, &["fine.csv", "--bandwidth=1e-3"]);
    assert!(report.contains("(1000000.00"), "{report}");
}

/// Columns that f32 does not hold but in another scale, up to the largest numbers that there are.
#[test]
fn columns_of_any_size_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (how, size) in [("zscore", 1e41), ("zscore", 1e-300), ("minmax", 1.5e308)] {
        let rows: String =
            (0..60).map(|i| format!("{:e},{:e}\n", size * f64::from(i % 3 - 1), size / f64::from(1 + i % 2))).collect();
        std::fs::write(path.join("in.csv"), format!("x,y\n{rows}")).unwrap();
        let standardize = format!("--standardize={how}");
        let fit = ["in.csv", &standardize, "--bandwidth=0.5", "-q"];
        done(path, &[&fit[..], &["--plot=a.svg", "--animate=b.html", "--trace=c.svg"]].concat());
        for name in ["a.svg", "b.html", "c.svg"] {
            let text = std::fs::read_to_string(path.join(name)).unwrap();
            for no_number in ["NaN", "\"inf", "-inf", ":null", "[null", ",null"] {
                assert!(!text.contains(no_number), "{how} {size:e}: {no_number} in {name}");
            }
        }
    }
}

/// Points that are alone are clusters, as many as the bandwidth makes of them: what leaves them out is named.
#[test]
fn outliers_of_a_sweep_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    three_clusters(path, "in.csv", 1.0, 0.0);
    let mut text = std::fs::read_to_string(path.join("in.csv")).unwrap();
    for pair in 0..20 {
        // Two beside each other, farther each time, so that each bandwidth joins others.
        let (one, apart) = (f64::from(100 * (pair + 1)), 1.2 * 1.08_f64.powi(pair));
        text += &format!("{one},0\n{},0\n", one + apart);
    }
    std::fs::write(path.join("in.csv"), text).unwrap();
    let sweep = ["sweep", "in.csv", "--from=0.6", "--to=1.4", "--steps=5"];
    let told = done(path, &sweep);
    assert!(told.contains("no stretch") && told.contains("or --min-size 5, which leaves outliers out"), "{told}");
    let told = done(path, &[&sweep[..], &["--min-size=5"]].concat());
    assert!(told.contains("suggested: --bandwidth"), "{told}");
    let told = done(path, &["sweep", "in.csv", "--from=50000", "--to=90000", "--steps=2", "--min-size=5"]);
    assert!(told.contains("no stretch") && !told.contains("outliers"), "{told}");
}

/// A mean of the dimensions' bandwidths is none of theirs.
#[test]
fn titles_name_the_bandwidths_of_dimensions() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["--points=300", "--bandwidth=2,2000", "--plot=a.svg"]);
    let svg = std::fs::read_to_string(folder.path().join("a.svg")).unwrap();
    assert!(svg.contains(", bandwidths 2, 2000</text>"), "{svg}");
}
