//! Which columns are coordinates: those that are left out are named, and what may not be meant is noted.

use crate::Folder;

#[test]
fn columns_that_are_left_out_are_named() {
    let folder = Folder::new();
    folder.write("in.csv", "name,x,y\na,1,2\nb,3,four\n");
    let said = folder.run("in.csv --bandwidth 1");
    assert!(said.contains("left out of the coordinates: name (line 2 has \"a\"), y (line 3 has \"four\")"), "{said}");
    // Nobody who names columns asked for the others.
    assert!(!folder.run("in.csv --bandwidth 1 --columns x").contains("not numbers"));
    let streamed = folder.json("in.csv --bandwidth 1 --stream");
    assert_eq!(streamed["left_out"][1]["why"], "line 3 has \"four\"");
    folder.run("in.csv --bandwidth 1 -o out.parquet");
    let report = folder.json("out.parquet --bandwidth 1");
    assert_eq!(
        (&report["left_out"][0]["column"], &report["left_out"][0]["why"]),
        (&"name".into(), &"its type is Utf8".into())
    );
    let swept = folder.run("sweep in.csv --from 1 --to 2 --steps 2");
    assert!(swept.starts_with("left out of the coordinates: name"), "{swept}");
}

/// A field that was mistyped takes its column from the coordinates, which is not to go unnoticed.
#[test]
fn columns_of_numbers_that_are_left_out_are_noted() {
    let folder = Folder::new();
    let note = |y: &str, line: usize, numbers: usize, fields: usize| {
        format!(
            "column \"y\" was left out of the coordinates, though {numbers} of its first {fields} values are numbers: \
             line {line} has {y:?}; naming it in --columns makes that an error"
        )
    };
    for (text, expected) in [
        ("x,y\n1,2\n3,1.2.3\n4,5\n", Some(note("1.2.3", 3, 2, 3))),
        // Half of those that are not missing.
        ("x,y\n1,\n3,-\n4,5\n5,NA\n", Some(note("-", 3, 1, 2))),
        ("x,y\n1,a\n3,-\n4,5\n", None),
        ("x,y\n1,a\n3,b\n", None),
        ("x,y\n1,\n3,NA\n", None),
        ("x,y,z\n1,2,3\n3,-,a\n", Some(note("-", 3, 1, 2) + "; likewise left out: \"z\"")),
    ] {
        folder.write("in.csv", text);
        for more in ["", " --stream"] {
            let notes = folder.json(&format!("in.csv --bandwidth 0.5{more}"))["notes"].to_string();
            let found = expected.as_ref().map(|note| notes.contains(&serde_json::json!(note).to_string()));
            assert!(found != Some(false) && (found.is_some() || !notes.contains("left out")), "{text:?}: {notes}");
        }
        let report = folder.run("in.csv --bandwidth 0.5");
        let swept = folder.run("sweep in.csv --from 1 --to 2 --steps 2");
        for (said, begins) in [(&report, "note        "), (&swept, "note: ")] {
            let line = expected.as_ref().map(|note| said.contains(&format!("\n{begins}{note}\n")));
            assert_ne!(line, Some(false), "{said}");
        }
    }
    folder.refuses("in.csv --bandwidth 0.5 --columns x,y", 1, &["line 3, column y: \"-\" is not a number"]);
    // What nobody takes for coordinates is none: columns beside those that are named, and weights.
    folder.write("in.csv", "x,y,w\n1,2,1\n3,1.2.3,2\n");
    assert!(!folder.run("in.csv --bandwidth 1 --columns x").contains("left out"));
    folder.refuses("in.csv --bandwidth 1 --weights y", 1, &["\"1.2.3\" is not a number"]);
}

/// One column of another unit decides alone what is near: which is said, unless a scale or a bandwidth was chosen.
#[test]
fn columns_of_other_scales_are_noted() {
    let folder = Folder::new();
    let row = |i: u32| format!("{i},{},{},7\n", i * i % 7, 1000 * (i * i % 11));
    folder.write("in.csv", format!("age,rooms,value,one\n{}", (0..20).map(row).collect::<String>()));
    let noted = |arguments: &str| folder.json(arguments)["notes"].to_string().contains("--standardize zscore");
    let notes = folder.json("in.csv")["notes"].to_string();
    let note = r#"column \"value\" is 500 times as wide as the others are by their median, and decides the clusters"#;
    assert!(notes.contains(note), "{notes}");
    assert!(folder.run("sweep in.csv --steps 2").contains("note: column \"value\""));
    for chosen in [
        "--standardize zscore",
        "--bandwidth 500",
        "--bandwidth 5,3,500,1",
        "--bandwidth scott",
        "--columns age,rooms",
        "--distance cosine",
    ] {
        assert!(!noted(&format!("in.csv {chosen}")), "{chosen}");
    }
    assert!(noted("in.csv --bandwidth quantile"));
}

/// Who reads again what a run has written, or numbers rows, clusters that too: which is said, unless columns were named.
#[test]
fn ids_and_labels_among_the_coordinates_are_noted() {
    let folder = Folder::new();
    folder.write("in.csv", "x,y\n1,2\n3,4\n9,9\n");
    folder.run("in.csv --bandwidth 1 -o out.csv");
    folder.run("in.csv --bandwidth 1 -o out.parquet");
    let note = "column \"label\" is among the coordinates; if it is an id or a label, name the others in --columns";
    for file in ["out.csv", "out.parquet", "out.parquet --stream"] {
        let notes = folder.json(&format!("{file} --bandwidth 1"))["notes"].clone();
        assert!(notes.as_array().unwrap().contains(&note.into()), "{file}: {notes}");
        assert_eq!(folder.json(&format!("{file} --bandwidth 1 --columns x,label"))["notes"], serde_json::json!([]));
    }
    folder.write("in.csv", "ID,x,Cluster\n1,2,3\n2,5,6\n");
    let notes = folder.json("in.csv --bandwidth 0.5")["notes"].to_string();
    assert!(notes.contains(r#"columns \"ID\", \"Cluster\" are among the coordinates; if they are ids"#), "{notes}");
    assert!(folder.run("sweep in.csv --from 1 --to 2 --steps 2").contains("note: columns \"ID\""));
    for name in ["Species", "class", "target", "labels"] {
        folder.write("in.csv", format!("x,{name}\n1,0\n2,1\n"));
        let notes = folder.json("in.csv --bandwidth 0.5")["notes"].to_string();
        assert!(notes.contains(&format!(r#"column \"{name}\" is among the coordinates"#)), "{notes}");
    }
    folder.write("in.csv", "identity,y,classes\n1,2,3\n2,5,6\n");
    assert!(!folder.json("in.csv --bandwidth 0.5")["notes"].to_string().contains("among the coordinates"));
}

#[test]
fn an_index_is_no_coordinate() {
    let folder = Folder::new();
    let columns = |report: &serde_json::Value| report["columns"].to_string();
    for (text, expected) in [
        (",x,y\n0,1.5,2\n1,3,4\n", r#"["x","y"]"#),
        ("\"\",\"x\"\n\"1\",1.5\n\"2\",3\n", r#"["x"]"#),
        ("Unnamed: 0,x\n7,1.5\n3,3\n", r#"["x"]"#),
        // Numbers that are not whole, two that are alike, a column that has a name, or more without one.
        (",x\n0.5,1.5\n1,3\n", r#"["","x"]"#),
        (",x\n1,1.5\n1,3\n", r#"["","x"]"#),
        ("id,x\n0,1.5\n1,3\n", r#"["id","x"]"#),
        (",x,\n0,1.5,1\n1,3,2\n", r#"["","x",""]"#),
    ] {
        folder.write("in.csv", text);
        let report = folder.json("in.csv --bandwidth 1");
        assert_eq!(columns(&report), expected, "{text}");
        assert_eq!(
            report["left_out"].as_array().unwrap().len(),
            usize::from(!expected.contains("\"\",") && !text.starts_with("id")),
            "{text}"
        );
        assert_eq!(columns(&folder.json("in.csv --bandwidth 1 --stream")), expected, "{text}");
    }
    folder.write("in.csv", ",x\n0,1.5\n1,3\n");
    let said = folder.run("in.csv --bandwidth 1");
    assert!(
        said.contains("left out of the coordinates: \"\" (it has no name, and another number in each row"),
        "{said}"
    );
    assert_eq!(columns(&folder.json("in.csv --bandwidth 1 --columns #1,x")), r#"["","x"]"#);
    folder.write("in.csv", "__index_level_0__,x\n0,1.5\n1,3\n");
    folder.run("in.csv --bandwidth 1 -o out.parquet --columns x");
    folder.write("two.csv", "__index_level_0__,x\n0,1.5\n1,3\n");
    folder.run("two.csv --bandwidth 1 -o two.arrow");
    assert_eq!(columns(&folder.json("two.arrow --bandwidth 1")), r#"["x","label"]"#);
}
