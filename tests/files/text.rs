//! What text says of itself: delimiters, names, marks, and lines above a table.

use modeseek::data::{Carry, Decimal, ReadOptions, Reader, Source};

use crate::Folder;

#[test]
fn delimiters_and_names_are_found_out_or_said() {
    let folder = Folder::new();
    let points = |arguments: &str| {
        let report = folder.json(arguments);
        (report["points"].as_u64().unwrap(), report["columns"].to_string())
    };
    let texts = ["1,2\n3,4\n", "1;2\n3;4\n", "1\t2\r\n3\t4\r\n", "1|2\n\n3|4", "1 2\n3 4\n", "\u{feff}1,2\n3,4\n"];
    // Columns that stand below each other.
    for text in texts.into_iter().chain(["1   2\n34  4\n", "  1  2 \r\n 34 44\r\n"]) {
        folder.write("in.csv", text);
        assert_eq!(points("in.csv --bandwidth 1"), (2, r#"["x0","x1"]"#.to_owned()), "{text:?}");
    }
    folder.write("named.csv", "\u{feff}a b,\"c, d\"\n1,2\n3,4\n");
    assert_eq!(points("named.csv --bandwidth 1"), (2, r#"["a b","c, d"]"#.to_owned()));
    folder.write("aligned.txt", "x   y\n1   2\n34  5\n");
    assert_eq!(points("aligned.txt --bandwidth 1"), (2, r#"["x","y"]"#.to_owned()));
    folder.write("years.csv", "2024,2025\n1,2\n3,4\n");
    assert_eq!(points("years.csv --bandwidth 1 --header yes"), (2, r#"["2024","2025"]"#.to_owned()));
    folder.write("odd.txt", "1^2\n3^4\n");
    assert_eq!(points("odd.txt --bandwidth 1 --delimiter ^"), (2, r#"["x0","x1"]"#.to_owned()));
    folder.write("bare", "1\n2\n");
    assert_eq!(points("bare --format csv --bandwidth 1"), (2, r#"["x0"]"#.to_owned()));
}

/// Names may be numbers: what a first line is taken for is found out from the next ones, noted where it is not sure, and
/// as it is said.
#[test]
fn names_that_are_numbers() {
    let folder = Folder::new();
    let rows = |row: &dyn Fn(usize) -> String| (0..600).map(row).collect::<String>();
    let years = rows(&|i| format!("{i},{}.5,{}.25\n", i % 7, i % 5));
    let towns = rows(&|i| format!("town {i},{}.5,{}.25\n", i % 7, i % 5));
    let bare = rows(&|i| format!("{}.5,{}.25\n", i % 7, i % 5));
    let report = |arguments: &str| {
        let report = folder.json(arguments);
        let notes = report["notes"].to_string();
        let taken = ["names", "values"].into_iter().filter(|what| notes.contains(&format!("taken for {what}")));
        (report["points"].as_u64().unwrap(), report["columns"].to_string(), taken.collect::<Vec<_>>().join(" "))
    };
    for (text, n, columns, taken) in [
        (format!("id,2019,2020\n{years}"), 600, r#"["id","2019","2020"]"#, "names"),
        (format!("0,1\n{bare}"), 600, r#"["0","1"]"#, "names"),
        (format!(",0,1\n{years}"), 600, r#"["0","1"]"#, "names"),
        (format!("name,2019,2020\n{towns}"), 601, r#"["x1","x2"]"#, "values"),
        (format!("2019,2020\n{bare}"), 601, r#"["x0","x1"]"#, "values"),
        (format!("x,y\n{bare}"), 600, r#"["x","y"]"#, ""),
        (bare.clone(), 600, r#"["x0","x1"]"#, ""),
        ("0,1\n".to_owned(), 1, r#"["x0","x1"]"#, ""),
        ("5\n6\n".to_owned(), 2, r#"["x0"]"#, ""),
    ] {
        folder.write("in.csv", &text);
        let expected = (n, columns.to_owned(), taken.to_owned());
        assert_eq!(report("in.csv --bandwidth 500"), expected, "{}", text.lines().next().unwrap());
        assert_eq!(report("in.csv --bandwidth 500 --stream"), expected, "{}", text.lines().next().unwrap());
    }
    folder.write("in.csv", format!("name,2019,2020\n{towns}"));
    assert_eq!(report("in.csv --bandwidth 500 --header yes").0, 600);
    assert_eq!(report("in.csv --bandwidth 500 --header no"), (601, r#"["x1","x2"]"#.to_owned(), String::new()));
    let note = "the first line (\"name\", \"2019\", \"2020\") was taken for values; if it has names, say --header yes";
    assert!(folder.run("in.csv --bandwidth 500").contains(&format!("note        {note}")));
    assert!(
        folder
            .run("sweep in.csv --from 400 --to 500 --steps 2")
            .starts_with(&format!("left out of the coordinates: x0 (line 1 has \"name\")\nnote: {note}"))
    );
}

/// What stands between quotes may have lines of its own.
#[test]
fn delimiters_of_fields_that_go_on_in_the_next_line() {
    let folder = Folder::new();
    folder.write("in.csv", "x;y;note\n1;2;\"a\nb\"\n3;4;c\n");
    let report = folder.json("in.csv --bandwidth 1");
    assert_eq!((&report["points"], &report["columns"]), (&2.into(), &serde_json::json!(["x", "y"])));
}

/// Lines above a table that begin with `#`, as np.savetxt writes them, may have its names.
#[test]
fn lines_above_a_table_are_left_out() {
    let folder = Folder::new();
    let columns = |text: &str| {
        folder.write("in.txt", text);
        let found = ["", "--stream"].map(|how| {
            let report = folder.json(&format!("in.txt --bandwidth 0.1 {how}"));
            assert_eq!(report["points"], 2, "{text:?}");
            (report["columns"].to_string(), report["notes"].to_string().matches("begins with #").count())
        });
        assert_eq!(found[0], found[1], "{text:?}");
        found[0].clone()
    };
    // Longer than the sample.
    let long = format!("# {}\r\n", "long ".repeat(50_000));
    let (named, bare) = (r#"["x","y"]"#.to_owned(), r#"["x0","x1"]"#.to_owned());
    for (above, below, expected) in [
        ("# x y\n", "1 2\n3 4\n", (named.clone(), 0)),
        ("\u{feff}\n# x, y\r\n", "1,2\r\n3,4\r\n", (named.clone(), 0)),
        ("# made by me\n\n", "x,y\n1,2\n3,4\n", (named.clone(), 0)),
        ("# made by me\n#\n", "1,2\n3,4\n", (bare.clone(), 0)),
        (&long, "x,y\n1,2\n3,4\n", (named.clone(), 0)),
        (&"# short\n".repeat(50_000), "1,2\n3,4\n", (bare.clone(), 0)),
        // It might be a row.
        ("#5,6\n", "1,2\n3,4\n", (bare.clone(), 1)),
    ] {
        assert_eq!(columns(&format!("{above}{below}")), expected, "{:?}", above.get(..20).unwrap_or(above));
    }
    folder.write("in.csv", "# a\n\n# b\nx,y\n1,2\n\n3,\n");
    folder.refuses("in.csv --bandwidth 1", 1, &["line 7, column y"]);
    folder.write("in.csv", "# a\nx,name\n1,\"b\n");
    folder.refuses("in.csv --bandwidth 1", 1, &["line 3: a quote opens"]);
    folder.write("in.csv", "# a\n1,,3\n4,5,6\n");
    folder.refuses("in.csv --bandwidth 1", 1, &["line 2, column x1", "--header yes"]);
    folder.write("in.csv", "#f00,1\n#0f0,2\n");
    folder.refuses("in.csv --bandwidth 1", 1, &["all of its lines begin with #"]);
    folder.write("in.csv", b"# a\nx\n1\n\0");
    folder.refuses("in.csv --bandwidth 1", 1, &["byte 8 is 0x00"]);
}

/// Numbers with a decimal comma are numbers where that is said.
#[test]
fn numbers_with_a_decimal_comma() {
    let folder = Folder::new();
    folder.write("in.csv", "x;y;z\n1,5;2;9\n3,25;-4e0;NA\n");
    let commas = "in.csv --bandwidth 1 --decimal ,";
    let report = folder.json(&format!("{commas} --missing drop"));
    assert_eq!((&report["points"], &report["clusters"][0]["mode"]), (&1.into(), &serde_json::json!([1.5, 2.0, 9.0])));
    folder.run(&format!("{commas} --columns x,y -o out.csv"));
    assert_eq!(folder.read("out.csv"), "x,y,z,label\n\"1,5\",2,9,0\n\"3,25\",-4e0,NA,1\n");
    folder.run(&format!("{commas} --columns y --stream -o out.parquet"));
    folder.run(&format!("{commas} --columns y -o out.parquet"));
    assert_eq!(folder.json("out.parquet --bandwidth 0.1 --columns x")["clusters"][0]["mode"][0], 1.5);
    // Without names it is no delimiter either.
    folder.write("bare.csv", "1,5;2,5\n3,5;4,5\n");
    assert_eq!(folder.json("bare.csv --bandwidth 1 --decimal ,")["dimensions"], 2);
    let say = "numbers have a decimal point unless --decimal , is said";
    let report = folder.json("in.csv --bandwidth 1 --columns #2 --delimiter ;");
    assert_eq!(report["points"], 2);
    assert_eq!(
        folder.json("in.csv --bandwidth 1 --missing drop")["left_out"][0]["why"],
        format!("line 2 has \"1,5\"; {say}")
    );
    folder.refuses("in.csv --bandwidth 1 --columns x", 1, &["line 2, column x: \"1,5\" is not a number", say]);
    folder.write("one.csv", "x;name\n1,723;a\n");
    folder.refuses("one.csv", 1, &["one.csv has no column that holds numbers: x (line 2 has \"1,723\"; ", say]);
    folder.refuses("in.csv --decimal , --delimiter ,", 2, &["--decimal and --delimiter", "another --delimiter"]);
    folder.refuses("in.csv --decimal . --delimiter .", 2, &["--decimal and --delimiter", "another --delimiter"]);
    let wrong = folder.command("in.csv --decimal x").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("give . or a comma"));
    folder.refuses("in.npy --decimal ,", 2, &["--decimal for this format", "only text"]);
    let options = ReadOptions { decimal: Decimal::Comma, delimiter: Some(b','), ..ReadOptions::default() };
    let refused =
        Reader::open(&Source::new(&folder.path("in.csv"), None).unwrap(), &options, Carry::Nothing).unwrap_err();
    assert!(refused.is_usage() && refused.to_string().contains("give another delimiter"), "{refused}");
}

/// However long lines are, columns are found out from whole ones.
#[test]
fn lines_are_longer_than_a_sample() {
    /// Coordinates: more bytes than a sample has at first.
    const D: usize = 20_000;
    let folder = Folder::new();
    let header = (0..D).map(|c| format!("c{c}")).collect::<Vec<_>>().join(",");
    let rows: String = (0..6).map(|row| vec![format!("{row}.25"); D].join(",") + "\n").collect();
    // Between quotes the end of a line is none: this line is as long as the others.
    let quoted = format!("{},\"{}\"\n", vec!["1"; D].join(","), "text\n".repeat(D));
    for (name, text, n) in [
        ("bare.csv", rows.clone(), 6),
        ("named.csv", format!("{header}\n{rows}"), 6),
        ("one.csv", format!("{header}\n{}", rows.lines().next().unwrap()), 1),
        ("quoted.csv", quoted.repeat(2), 2),
    ] {
        folder.write(name, text);
        let source = Source::new(&folder.path(name), None).unwrap();
        let mut reader = Reader::open(&source, &ReadOptions::default(), Carry::Nothing).unwrap();
        assert_eq!(reader.coordinates().len(), D, "{name}");
        let mut values = 0;
        while let Some(chunk) = reader.next_chunk().unwrap() {
            values += chunk.rows.len();
        }
        assert_eq!(values, n * D, "{name}");
    }
}

/// A mark of the byte order does not hide that the sample, from which columns are found out, ends in the middle of a
/// line: behind a sign, or within a letter.
#[test]
fn a_sample_with_a_mark_is_cut_like_others() {
    /// Bytes of the sample.
    const SAMPLE: usize = 1 << 16;
    let folder = Folder::new();
    let long = "é".repeat(500);
    // A line's end, and how many of its bytes are the sample's last.
    for (end, within) in [(",-1.5\n", ",-".len()), ("é,-1.5\n", 1)] {
        let mut text = "\u{feff}name,x\n".to_owned();
        while text.len() + 2 * long.len() < SAMPLE {
            text += &format!("{long},-1.5\n");
        }
        text += &"n".repeat(SAMPLE - text.len() - within);
        text += end;
        text += "end,-2\n";
        folder.write("in.csv", &text);
        let source = Source::new(&folder.path("in.csv"), None).unwrap();
        let mut reader = Reader::open(&source, &ReadOptions::default(), Carry::Nothing).unwrap();
        assert_eq!(reader.coordinates(), ["x"]);
        assert_eq!(reader.next_chunk().unwrap().unwrap().rows.len(), text.lines().count() - 1);
    }
}
