//! Formats: what is written can be read again, and says the same.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, Int32Array};
use modeseek::data::{Carry, Missing, ReadOptions, Reader, Source, Table, Target, table};

use crate::{Folder, csv, last_column};

/// Labels of [`ROWS`] with `--bandwidth 1`: the heaviest first.
const LABELS: [i32; 12] = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];

const OPTIONS: &str = "--columns x,y --weights w --bandwidth 1";

#[test]
fn every_format_is_written_and_read_again() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    for name in ["a.csv", "a.tsv", "a.parquet", "a.arrow", "a.feather", "a.csv.gz", "a.tsv.zst"] {
        folder.run(&format!("in.csv {OPTIONS} -o {name}"));
        folder.run(&format!("{name} {OPTIONS} -o again.csv"));
        let again = folder.read("again.csv");
        assert_eq!(last_column(&again), LABELS, "{name}");
        // The columns that were there are kept as they were, and a name that is taken is not taken twice.
        let mut lines = again.lines();
        assert_eq!(lines.next(), Some("name,x,y,w,h,label,other-label"), "{name}");
        assert_eq!(lines.next(), Some("a,0,0,1,1,0,0"), "{name}");
        assert_eq!(lines.nth(5), Some("g,10,0.25,1,1.5,1,1"), "{name}");
    }
}

#[test]
fn text_is_kept_to_the_letter() {
    let folder = Folder::new();
    folder.write("in.csv", "id;x;y\n007;1.50;\"2\"\n\"a;b\";1.0;2e0\n");
    folder.run("in.csv --columns x,y --bandwidth 1 -o out.csv");
    assert_eq!(folder.read("out.csv"), "id,x,y,label\n007,1.50,2,0\na;b,1.0,2e0,0\n");
}

#[test]
fn arrays_are_written_and_read_again() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    folder.run(&format!("in.csv {OPTIONS} -o labels.npy --centres modes.npy"));
    folder.run(&format!("in.csv {OPTIONS} -o all.npz --density"));
    // The labels are an array of their own, of 12 integers; the modes one of 3 x 2.
    let header = |name| String::from_utf8_lossy(&std::fs::read(folder.path(name)).unwrap()[..128]).into_owned();
    assert!(header("labels.npy").contains("'<i4'") && header("labels.npy").contains("(12, )"));
    assert!(header("modes.npy").contains("'<f8'") && header("modes.npy").contains("(3, 2, )"));
    let modes = folder.json("modes.npy --bandwidth 1");
    assert_eq!((&modes["points"], &modes["dimensions"]), (&3.into(), &2.into()));
    assert_eq!(modes["clusters"].as_array().unwrap().len(), 3);
    // Arrays of one axis are columns.
    let again = folder.json("all.npz --bandwidth 1");
    assert_eq!(again["columns"].to_string(), r#"["x","y","w","h","label","density"]"#);
    folder.run(&format!("all.npz {OPTIONS} -o again.csv"));
    let again = folder.read("again.csv");
    assert!(again.starts_with("x,y,w,h,label,density,other-label\n0,0,1,1,0,"), "{again}");
    assert_eq!(last_column(&again), LABELS);
    assert_eq!(folder.json(&format!("all.npz {OPTIONS} --stream"))["points"], 12);
    let x = folder.json("all.npz --array x --bandwidth 1");
    assert_eq!((&x["points"], &x["dimensions"]), (&12.into(), &1.into()));
}

/// A table has columns of one name, an archive no arrays: the second is called as a new column would be.
#[test]
fn columns_of_one_name_are_arrays_of_two() {
    let folder = Folder::new();
    folder.write("in.csv", "x,x,y,x\n1,2,3,4\n5,6,7,8\n");
    for name in ["out.csv", "out.parquet", "out.arrow", "out.npz"] {
        folder.run(&format!("in.csv --bandwidth 1 -o {name}"));
    }
    let columns = &folder.json("out.npz --bandwidth 1")["columns"];
    assert_eq!(columns.to_string(), r#"["x","other-x","y","other-other-x","label"]"#);
    for (name, values) in [("x", [1.0, 5.0]), ("other-x", [2.0, 6.0]), ("other-other-x", [4.0, 8.0])] {
        assert_eq!(array(&folder, "out.npz", name).rows, values, "{name}");
    }
}

/// A file of one array, as numpy writes it.
fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(values);
    file
}

/// An archive of arrays: names, types, shapes, bytes.
fn npz(arrays: &[(&str, &str, &str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, kind, shape, values) in arrays {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&npy(kind, shape, values)).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Arrays of one axis and as long are columns: np.savez(x=x, y=y). Others are not, and which is meant has to be said.
#[test]
fn arrays_of_an_archive_are_columns() {
    let folder = Folder::new();
    let x: Vec<u8> = [0.5_f32, 1.5, 9.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    // More than f64 tells apart.
    let id: Vec<u8> = [9_007_199_254_740_993_i64, 2, 3].iter().flat_map(|id| id.to_le_bytes()).collect();
    let (half, name) = (&[0x00, 0x3c, 0, 0, 0, 0x40][..], &[0; 24][..]);
    let columns: [(&str, &str, &str, &[u8]); 4] = [
        ("x", "<f4", "(3,)", &x),
        ("id", "<i8", "(3,)", &id),
        ("X", "<f2", "(3,)", half),
        ("name", "<U2", "(3,)", name),
    ];
    folder.write("in.npz", npz(&columns));
    let report = folder.json("in.npz --bandwidth 1e16");
    assert_eq!(report["columns"].to_string(), r#"["x","id","X"]"#);
    assert_eq!(report["left_out"][0].to_string(), r#"{"column":"name","why":"its type is <U2"}"#);
    folder.run("in.npz --columns X,x --bandwidth 1 -o out.csv");
    assert_eq!(folder.read("out.csv"), "x,id,X,label\n0.5,9007199254740993,1,0\n1.5,2,0,0\n9,3,2,1\n");
    folder.refuses("in.npz --columns name", 1, &["in.npz, column name: it holds <U2"]);
    folder.refuses("in.npz --columns z", 2, &["no column \"z\""]);
    folder.refuses("in.npz --array z", 2, &["in.npz has no array \"z\"; it has \"x\", \"id\", \"X\", \"name\""]);
    folder.write("text.npz", npz(&[("a", "<U2", "(3,)", name), ("b", "<U2", "(3,)", name)]));
    folder.refuses("text.npz", 1, &["text.npz has no column that holds numbers"]);
    folder.write("cut.npz", npz(&[("x", "<f4", "(3,)", &x[..9]), ("id", "<i8", "(3,)", &id)]));
    folder.refuses("cut.npz", 1, &["cut off: 2 values of 3"]);
    folder.write("objects.npz", npz(&[("a", "|O", "(3,)", name)]));
    folder.refuses("objects.npz", 1, &["its values are of type '|O'; give integers or floating-point numbers"]);
    folder.write("none.npz", npz(&[]));
    folder.refuses("none.npz", 1, &["it has no arrays"]);
    for (shape, word) in [("(1, 3)", "x (3), y (1 x 3)"), ("(2,)", "x (3), y (2)"), ("()", "x (3), y ()")] {
        let two: [(&str, &str, &str, &[u8]); 2] = [("x", "<f4", "(3,)", &x), ("y", "<f4", shape, &x)];
        folder.write("two.npz", npz(&two));
        folder.refuses("two.npz", 2, &["two.npz has arrays", word, "--array"]);
        assert_eq!(folder.json("two.npz --array x --bandwidth 1")["points"], 3);
    }
    let points: [(&str, &str, &str, &[u8]); 2] = [("X", "<f4", "(1, 3)", &x), ("y", "<f4", "(3,)", &x)];
    folder.write("points.npz", npz(&points));
    assert_eq!(folder.json("points.npz --bandwidth 1")["dimensions"], 3);
}

/// An array of an archive, without what is missing.
fn array(folder: &Folder, archive: &str, name: &str) -> Table {
    let options = ReadOptions { array: Some(name.to_owned()), missing: Missing::Drop, ..ReadOptions::default() };
    Table::read(&Source::new(&folder.path(archive), None).unwrap(), &options, Carry::Nothing).unwrap()
}

/// An array of numpy has no value for one that is missing but NaN, so integers are not integers then.
#[test]
fn missing_integers_are_missing_in_arrays_too() {
    let folder = Folder::new();
    let rows = table(vec![
        ("x".to_owned(), Arc::new(Float64Array::from(vec![0.0, 1.0, 2.0, 3.0])) as ArrayRef),
        ("id".to_owned(), Arc::new(Int32Array::from(vec![Some(7), None, Some(9), None]))),
    ]);
    let target = Target::new(&folder.path("in.parquet")).unwrap();
    target.write(&rows.schema(), |sink| sink.write(&rows)).unwrap();
    folder.run("in.parquet --columns x --bandwidth 1 -o out.npz");
    let ids = array(&folder, "out.npz", "id");
    assert_eq!((ids.rows, ids.dropped), (vec![7.0, 9.0], 2));
}

/// What numpy itself wrote: of every type, in both orders, in both byte orders.
#[test]
fn arrays_of_every_type_are_read() {
    let folder = Folder::new();
    let values = [[1.0, 2.0], [3.0, 4.0], [100.0, 101.0]];
    let array = |kind: &str, fortran: bool, bytes: Vec<u8>| {
        let order = if fortran { "True" } else { "False" };
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': (3, 2), }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(bytes);
        file
    };
    let rows: Vec<f64> = values.concat();
    // The rows in 16 bits, as numpy gives them: np.float16(x).view(np.uint16).
    let half: [u16; 6] = [0x3c00, 0x4000, 0x4200, 0x4400, 0x5640, 0x5650];
    let columns: Vec<f64> = (0..2).flat_map(|c| values.iter().map(move |row| row[c])).collect();
    macro_rules! bytes {
        ($values:expr, $type:ty, $to:ident) => {
            $values.iter().flat_map(|&x| (x as $type).$to()).collect()
        };
    }
    for (kind, fortran, bytes) in [
        ("<f8", false, bytes!(rows, f64, to_le_bytes)),
        ("<f8", true, bytes!(columns, f64, to_le_bytes)),
        (">f8", false, bytes!(rows, f64, to_be_bytes)),
        ("<f4", false, bytes!(rows, f32, to_le_bytes)),
        ("<f4", true, bytes!(columns, f32, to_le_bytes)),
        ("<f2", false, half.iter().flat_map(|bits| bits.to_le_bytes()).collect()),
        (">f2", false, half.iter().flat_map(|bits| bits.to_be_bytes()).collect()),
        ("|i1", false, bytes!(rows, i8, to_le_bytes)),
        ("|u1", true, bytes!(columns, u8, to_le_bytes)),
        ("<i2", false, bytes!(rows, i16, to_le_bytes)),
        ("<u2", false, bytes!(rows, u16, to_le_bytes)),
        (">i4", false, bytes!(rows, i32, to_be_bytes)),
        ("<u4", false, bytes!(rows, u32, to_le_bytes)),
        ("<i8", false, bytes!(rows, i64, to_le_bytes)),
        ("<u8", true, bytes!(columns, u64, to_le_bytes)),
    ] {
        folder.write("in.npy", array(kind, fortran, bytes));
        folder.run("in.npy --bandwidth 5 --kernel flat -o out.csv --centres centres.csv");
        let centres = folder.read("centres.csv");
        let rows: Vec<Vec<f64>> =
            centres.lines().skip(1).map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect();
        let expected = [[0.0, 2.0, 2.0, 2.0, 3.0, 2.0, 3.0], [1.0, 1.0, 1.0, 100.0, 101.0, 100.0, 101.0]];
        for (found, expected) in rows.concat().iter().zip(expected.concat()) {
            assert!((found - expected).abs() <= 1e-4, "{kind} {fortran}: {centres}");
        }
        assert_eq!(rows.len(), 2, "{kind} {fortran}");
    }
}

#[test]
fn standard_input_and_output_are_streams_of_text() {
    let folder = Folder::new();
    let mut program = folder
        .command(&format!("- {OPTIONS} -o -"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(csv().as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(last_column(std::str::from_utf8(&output.stdout).unwrap()), LABELS);
    // The report makes room.
    assert!(String::from_utf8_lossy(&output.stderr).contains("of standard input"));
}

/// What gzip or zstd made is told by its first bytes where no name tells.
#[test]
fn compressed_streams_are_unpacked() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    for name in ["a.csv.gz", "a.csv.zst"] {
        folder.run(&format!("in.csv {OPTIONS} -o {name}"));
        let packed = std::fs::read(folder.path(name)).unwrap();
        folder.write("other.csv", &packed);
        assert_eq!(folder.json(&format!("other.csv {OPTIONS}"))["points"], 12, "{name}");
        let piped = folder
            .command(&format!("- {OPTIONS} --json"))
            .stdin(std::fs::File::open(folder.path(name)).unwrap())
            .output()
            .unwrap();
        assert!(piped.status.success(), "{name}: {}", String::from_utf8_lossy(&piped.stderr));
        let report: serde_json::Value = serde_json::from_slice(&piped.stdout).unwrap();
        assert_eq!(report["points"], 12, "{name}");
        folder.write("other.csv", &packed[..packed.len() / 2]);
        folder.refuses(&format!("other.csv {OPTIONS}"), 1, &["other.csv", "cannot be read"]);
    }
}

/// A pipe that has a name is a stream too: it cannot be begun anew to see whether it is a file of Arrow's.
#[cfg(unix)]
#[test]
fn named_pipes_are_streams() {
    let folder = Folder::new();
    let rows = table(vec![("x".to_owned(), Arc::new(Float64Array::from(vec![0.5, 9.0])) as ArrayRef)]);
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &rows.schema()).unwrap();
    writer.write(&rows).unwrap();
    folder.write("in.arrows", writer.into_inner().unwrap());
    folder.write("in.csv", "x\n0.5\n9\n");
    for name in ["in.arrows", "in.csv"] {
        let pipe = folder.path(&format!("pipe-{name}"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let bytes = std::fs::read(folder.path(name)).unwrap();
        std::thread::scope(|scope| {
            // Whether anybody reads to the end is seen below.
            scope.spawn(|| std::fs::write(&pipe, bytes));
            let read = Table::read(&Source::new(&pipe, None).unwrap(), &ReadOptions::default(), Carry::Nothing);
            assert_eq!(read.unwrap().rows, [0.5, 9.0], "{name}");
        });
    }
}

/// Parts are as short as rows are long, though one column of them be a coordinate.
#[test]
fn parts_of_wide_tables_are_short() {
    /// Numbers of a part at most.
    const MOST: usize = 1 << 22;
    let (n, d) = (1 << 16, 128);
    let folder = Folder::new();
    let column = Arc::new(Float32Array::from(vec![1.0; n])) as ArrayRef;
    let rows = table((0..d).map(|c| (format!("x{c}"), column.clone())).collect());
    for (name, carry) in [("in.npy", Carry::Nothing), ("in.parquet", Carry::AsTheyWere), ("in.arrow", Carry::AsNumbers)]
    {
        let target = Target::new(&folder.path(name)).unwrap();
        target.write(&rows.schema(), |sink| sink.write(&rows)).unwrap();
        let options = ReadOptions { coordinates: vec!["x0".to_owned()], ..ReadOptions::default() };
        let mut reader = Reader::open(&Source::new(&folder.path(name), None).unwrap(), &options, carry).unwrap();
        assert_eq!(reader.next_chunk().unwrap().unwrap().rows.len(), MOST / d, "{name}");
    }
}

/// What a progress bar shows: of every format, how much is to be read, and how much was.
#[test]
fn bytes_are_counted() {
    let folder = Folder::new();
    folder.run("--points 20000 --bandwidth 2.5 -o a.parquet");
    for name in ["a.csv", "a.tsv.gz", "a.csv.zst", "a.npy", "a.npz", "a.arrow", "b.parquet"] {
        folder.run(&format!("a.parquet --columns x0,x1 --bandwidth 2.5 -o {name}"));
    }
    for name in ["a.csv", "a.tsv.gz", "a.csv.zst", "a.npy", "a.npz", "a.arrow", "a.parquet", "b.parquet"] {
        let source = Source::new(&folder.path(name), None).unwrap();
        let length = folder.path(name).metadata().unwrap().len();
        assert_eq!((source.bytes(), source.bytes_read()), (Some(length), 0), "{name}");
        let coordinates = if name.ends_with(".npy") { Vec::new() } else { vec!["x0".to_owned()] };
        let options = ReadOptions { coordinates, ..ReadOptions::default() };
        let mut reader = Reader::open(&source, &options, Carry::Nothing).unwrap();
        while reader.next_chunk().unwrap().is_some() {}
        let (read, wanted) = (source.bytes_read(), source.bytes().unwrap());
        // Buffers may reach beyond what is wanted, or be filled twice, and headers of pages are not counted.
        assert!(read as f64 >= 0.95 * wanted as f64 && read <= length + 0x4000, "{name}: {read} of {wanted}");
        // Of files of columns, one column is less than all.
        let some = name.ends_with(".npz") || name.ends_with(".parquet");
        assert_eq!(wanted < length, some, "{name}: {wanted} of {length}");
    }
}
