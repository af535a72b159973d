//! Columns of lists of numbers, as embeddings are kept, and of decimals, as databases keep prices.

use std::sync::Arc;

use arrow_array::types::{Decimal256Type, Float32Type, Float64Type};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, Decimal128Array, Decimal256Array, FixedSizeListArray, Float64Array, ListArray,
};
use modeseek::data::{Carry, ReadOptions, Source, Table, Target, table};

use crate::Folder;

const NAMES: [&str; 2] = ["in.parquet", "in.arrow"];

/// An integer of 256 bits.
type Long = <Decimal256Type as ArrowPrimitiveType>::Native;

fn write(folder: &Folder, name: &str, columns: &[(&str, ArrayRef)]) {
    let rows = table(columns.iter().map(|(name, array)| ((*name).to_owned(), array.clone())).collect());
    Target::new(&folder.path(name)).unwrap().write(&rows.schema(), |sink| sink.write(&rows)).unwrap();
}

/// Lists, of which each row says how many there are.
fn lists(rows: impl IntoIterator<Item = Vec<f64>>) -> ArrayRef {
    let rows = rows.into_iter().map(|row| Some(row.into_iter().map(Some).collect::<Vec<_>>()));
    Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows))
}

/// Lists of two numbers.
fn pairs(rows: [Option<[f32; 2]>; 3]) -> ArrayRef {
    let rows = rows.map(|row| row.map(|row| row.map(Some)));
    Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, 2))
}

fn read(folder: &Folder, name: &str, coordinates: &[&str]) -> Table {
    let coordinates = coordinates.iter().map(|&name| name.to_owned()).collect();
    let options = ReadOptions { coordinates, ..ReadOptions::default() };
    Table::read(&Source::new(&folder.path(name), None).unwrap(), &options, Carry::Nothing).unwrap()
}

#[test]
fn lists_are_columns() {
    let folder = Folder::new();
    for name in NAMES {
        let columns = [
            ("x", Arc::new(Float64Array::from(vec![0.0, 0.5, 9.0])) as ArrayRef),
            ("tags", lists([vec![1.0], vec![], vec![2.0, 3.0]])),
            ("emb", pairs([Some([1.0, 2.0]), Some([1.5, 2.5]), Some([7.0, 8.0])])),
            ("vec", lists([vec![3.0, 4.0], vec![3.5, 4.5], vec![5.0, 6.0]])),
        ];
        write(&folder, name, &columns);
        let all = read(&folder, name, &[]);
        assert_eq!(all.names, ["x", "emb_0", "emb_1", "vec_0", "vec_1"], "{name}");
        assert_eq!(all.rows[5..], [0.5, 1.5, 2.5, 3.5, 4.5, 9.0, 7.0, 8.0, 5.0, 6.0], "{name}");
        assert_eq!(all.left_out.len(), 1);
        assert!(all.left_out[0].to_string().contains("not of one length"), "{}", all.left_out[0]);
        // By the column's name, by the place's, by the number.
        assert_eq!(read(&folder, name, &["vec"]).names, ["vec_0", "vec_1"]);
        let some = read(&folder, name, &["emb_1", "vec", "#1"]);
        assert_eq!(some.names, ["emb_1", "vec_0", "vec_1", "x"], "{name}");
        assert_eq!(some.rows[..4], [2.0, 3.0, 4.0, 0.0], "{name}");
        folder.refuses(&format!("{name} --columns tags"), 1, &["column tags", "not of one length"]);
        folder.refuses(&format!("{name} --columns vec,vec_1"), 2, &["\"vec_1\" is among the coordinates twice"]);
        // What is written has the lists as they were.
        folder.run(&format!("{name} --columns emb --bandwidth 0.9 -o out.parquet"));
        assert_eq!(read(&folder, "out.parquet", &["emb", "label"]).rows[6..], [7.0, 8.0, 1.0], "{name}");
    }
}

#[test]
fn lists_that_have_no_value() {
    let folder = Folder::new();
    for name in NAMES {
        write(&folder, name, &[("emb", pairs([Some([1.0, 2.0]), None, Some([7.0, 8.0])]))]);
        folder.refuses(name, 1, &["row 1, column emb_0: the value is missing"]);
        assert_eq!(folder.json(&format!("{name} --missing drop --bandwidth 1"))["points"], 2, "{name}");
    }
}

/// Which are read in parts, of which the first rows said how long lists are.
#[test]
fn lists_of_many_rows() {
    let folder = Folder::new();
    let rows = |last: Vec<f64>| (0..70_000).map(|row| vec![f64::from(row), -1.0]).chain([last]);
    for name in NAMES {
        write(&folder, name, &[("vec", lists(rows(vec![5.0, 7.0])))]);
        let expected: Vec<f64> = rows(vec![5.0, 7.0]).flatten().collect();
        assert!(read(&folder, name, &[]).rows == expected, "{name}");
        write(&folder, name, &[("vec", lists(rows(vec![5.0])))]);
        let words = ["row 70000, column vec: 1 number, and the rows before have 2", "--columns"];
        folder.refuses(&format!("{name} --bandwidth 1"), 1, &words);
    }
}

#[test]
fn decimals_are_numbers() {
    let folder = Folder::new();
    for name in NAMES {
        let (short, long) = (Decimal128Array::from(vec![Some(5), Some(-125), None]), [15, 3, -7].map(Long::from_i128));
        let columns = [
            ("price", Arc::new(short.with_precision_and_scale(9, 2).unwrap()) as ArrayRef),
            ("x", Arc::new(Decimal256Array::from(long.to_vec()).with_precision_and_scale(60, 1).unwrap())),
        ];
        write(&folder, name, &columns);
        assert_eq!(read(&folder, name, &["x"]).rows, [1.5, 0.3, -0.7], "{name}");
        folder.refuses(name, 1, &["row 2, column price: the value is missing"]);
        folder.run(&format!("{name} --missing drop --bandwidth 9 -o out.csv"));
        assert_eq!(folder.read("out.csv"), "price,x,label\n0.05,1.5,0\n-1.25,0.3,0\n", "{name}");
    }
}
