//! Types of columns: integers that come in go out as they were.

use std::io::Read;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::DataType;
use modeseek::data::{Carry, ReadOptions, Source, Table, Target, table};

use crate::Folder;

/// 2^53 + 1, the first integer that no number of 64 bits with a fraction is.
const LONG: i64 = 9_007_199_254_740_993;

fn write(folder: &Folder, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let rows = table(columns.into_iter().map(|(name, array)| (name.to_owned(), array)).collect());
    Target::new(&folder.path(name)).unwrap().write(&rows.schema(), |sink| sink.write(&rows)).unwrap();
}

/// All columns of a file that has a column x.
fn columns(folder: &Folder, name: &str) -> RecordBatch {
    let options = ReadOptions { coordinates: vec!["x".to_owned()], ..ReadOptions::default() };
    let table = Table::read(&Source::new(&folder.path(name), None).unwrap(), &options, Carry::AsTheyWere).unwrap();
    table.carried[0].clone()
}

fn types(rows: &RecordBatch) -> Vec<(String, DataType)> {
    rows.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

/// An array's bytes in an archive.
fn entry(folder: &Folder, archive: &str, name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(folder.path(archive)).unwrap()).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(&format!("{name}.npy")).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[track_caller]
fn check_entry(folder: &Folder, archive: &str, name: &str, kind: &str, values: [u64; 2]) {
    let bytes = entry(folder, archive, name);
    assert!(String::from_utf8_lossy(&bytes[..128]).contains(kind), "{name}");
    assert!(bytes.ends_with(&values.map(u64::to_le_bytes).concat()), "{name}");
}

#[test]
fn integers_of_columns_are_integers_of_arrays() {
    let folder = Folder::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", Arc::new(Float64Array::from(vec![0.5, 1.5]))),
        ("id", Arc::new(Int64Array::from(vec![LONG, -2]))),
        ("hash", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
    ];
    write(&folder, "in.parquet", columns);
    folder.run("in.parquet --columns x --bandwidth 1 -o out.npz");
    check_entry(&folder, "out.npz", "id", "'<i8'", [LONG as u64, -2_i64 as u64]);
    check_entry(&folder, "out.npz", "hash", "'<u8'", [u64::MAX, 0]);
}

/// Whichever of its columns are coordinates.
#[test]
fn columns_of_text_have_the_type_of_their_values() {
    let folder = Folder::new();
    folder.write("in.csv", format!("x,id,share,name,code,gap\n1,{LONG},0.5,a,01067,\n2,-7,2,b,10115,3\n"));
    let expected = [
        ("x", DataType::Int64),
        ("id", DataType::Int64),
        ("share", DataType::Float64),
        ("name", DataType::Utf8),
        ("code", DataType::Utf8),
        ("gap", DataType::Int64),
        ("label", DataType::Int32),
    ];
    let expected = expected.map(|(name, kind)| (name.to_owned(), kind));
    for coordinates in ["x", "x,share", "x,id"] {
        for name in ["out.parquet", "out.arrow"] {
            folder.run(&format!("in.csv --columns {coordinates} --bandwidth 1e14 -o {name}"));
            let rows = columns(&folder, name);
            assert_eq!(types(&rows), expected, "{name}, {coordinates}");
            assert_eq!(rows.column(1).as_primitive::<Int64Type>().values()[..], [LONG, -7]);
            assert_eq!(rows.column(4).as_string::<i32>().value(0), "01067");
            let gap = rows.column(5).as_primitive::<Int64Type>();
            assert!(gap.is_null(0) && gap.value(1) == 3);
        }
        folder.run(&format!("in.csv --columns {coordinates} --bandwidth 1e14 -o out.npz"));
        check_entry(&folder, "out.npz", "id", "'<i8'", [LONG as u64, -7_i64 as u64]);
        check_entry(&folder, "out.npz", "gap", "'<f8'", [f64::NAN.to_bits(), 3.0_f64.to_bits()]);
    }
    // No part knows what the others hold.
    folder.run("in.csv --columns x --bandwidth 1 --stream -o out.parquet");
    let rows = columns(&folder, "out.parquet");
    let kinds: Vec<_> = types(&rows).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds[..2], [DataType::Float64, DataType::Utf8]);
    assert!(rows.column(5).is_null(0) && rows.column(5).as_string::<i32>().value(1) == "3");
}

/// An empty field of text is none, whether it is read as a whole or in parts.
#[test]
fn empty_fields_of_text_are_null() {
    let folder = Folder::new();
    folder.write("in.csv", "x,name,none\n1,a,\n2,,\n3, ,\n");
    for stream in ["", "--stream"] {
        for name in ["out.parquet", "out.arrow"] {
            folder.run(&format!("in.csv --columns x --bandwidth 1 {stream} -o {name}"));
            let rows = columns(&folder, name);
            let texts = |at: usize| rows.column(at).as_string::<i32>().iter().collect::<Vec<_>>();
            assert_eq!((texts(1), texts(2)), (vec![Some("a"), None, None], vec![None; 3]), "{name} {stream}");
        }
    }
    folder.run("in.csv --columns x --bandwidth 1 -o out.csv");
    assert!(folder.read("out.csv").starts_with("x,name,none,label\n1,a,,"));
}

/// As pandas has categories.
#[test]
fn numbers_of_a_dictionary_are_numbers() {
    let folder = Folder::new();
    let numbers = |keys: Vec<i32>, values: Vec<i64>| -> ArrayRef {
        Arc::new(DictionaryArray::new(Int32Array::from(keys), Arc::new(Int64Array::from(values))))
    };
    for name in ["in.parquet", "in.arrow"] {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("x", numbers(vec![1, 0, 1], vec![50, 5])),
            ("id", numbers(vec![0, 1, 0], vec![LONG, 2])),
            ("name", Arc::new(["a", "b", "a"].into_iter().collect::<DictionaryArray<Int32Type>>())),
        ];
        write(&folder, name, columns);
        folder.run(&format!("{name} --columns x --bandwidth 1 -o out.csv"));
        assert_eq!(
            folder.read("out.csv"),
            format!("x,id,name,label\n5,{LONG},a,0\n50,2,b,1\n5,{LONG},a,0\n"),
            "{name}"
        );
        folder.run(&format!("{name} --columns x --bandwidth 1 -o out.npz"));
        check_entry(&folder, "out.npz", "id", "'<i8'", [2, LONG as u64]);
        assert_eq!(folder.json(&format!("{name} --bandwidth 1e14"))["columns"].to_string(), r#"["x","id"]"#);
    }
}
