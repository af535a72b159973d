//! Files of Parquet and Arrow that hold what others do not, or are not what they seem.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Date32Array, Float64Array, ListArray, RecordBatch, Time32SecondArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use modeseek::data::{Target, table};

use crate::Folder;

fn numbers() -> RecordBatch {
    table(vec![("x".to_owned(), Arc::new(Float64Array::from(vec![0.5, 9.0])) as ArrayRef)])
}

fn arrow_file(rows: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &rows.schema()).unwrap();
    writer.write(rows).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

/// Runs the program, which fails, with these bytes on its standard input; what it says.
fn of_pipe(folder: &Folder, bytes: &[u8], arguments: &str, code: i32) -> String {
    let mut command = folder.command(arguments);
    let mut program = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may be refused before all of it is read.
    let _read_or_not = program.stdin.take().unwrap().write_all(bytes);
    let output = program.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
    said
}

/// Neither text nor numpy's archives have a form for them: whoever waits for a long run is not told at its end.
#[test]
fn columns_that_a_format_does_not_hold() {
    let folder = Folder::new();
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), Some([Some(2)])]);
    let columns: [(&str, ArrayRef); 3] = [
        ("Date32", Arc::new(Date32Array::from(vec![1, 2]))),
        ("Time32", Arc::new(Time32SecondArray::from(vec![5, 6]))),
        ("List", Arc::new(lists)),
    ];
    folder.write("x.csv", "x\n1\n2\n");
    for (kind, column) in columns {
        let rows = numbers();
        let both = table(vec![("x".to_owned(), rows.column(0).clone()), ("other".to_owned(), column)]);
        for name in ["in.parquet", "in.arrow"] {
            Target::new(&folder.path(name)).unwrap().write(&both.schema(), |sink| sink.write(&both)).unwrap();
            let words = ["column other of", kind, "text has no form for it; write Parquet or Arrow"];
            // Before it is found that no fit has such a bandwidth.
            folder.refuses(&format!("{name} --bandwidth 1e-30 -o out.csv"), 2, &words);
            folder.refuses(&format!("{name} --bandwidth 1e-30 --stream -o out.tsv"), 2, &words);
            folder.refuses(&format!("x.csv --bandwidth 1e-30 --predict {name} --predicted out.csv.gz"), 2, &words);
            let words = ["column other of", kind, "it holds numbers, one a row; write .parquet or .arrow, or .npy"];
            folder.refuses(&format!("{name} --bandwidth 1e-30 -o out.npz"), 2, &words);
            folder.refuses(&format!("x.csv --bandwidth 1e-30 --predict {name} --predicted out.npz"), 2, &words);
            folder.run(&format!("{name} --bandwidth 1 -o out.parquet"));
            folder.run(&format!("{name} --bandwidth 1 -o out.npy"));
        }
        let mut stream = StreamWriter::try_new(Vec::new(), &both.schema()).unwrap();
        stream.write(&both).unwrap();
        let piped = "- --format arrow --bandwidth 1e-30 -o out.csv";
        let said = of_pipe(&folder, &stream.into_inner().unwrap(), piped, 2);
        assert!(said.contains("text has no form for it"), "{said}");
    }
}

/// A file of Arrow's is read from its end, which a pipe does not have; and Feather was another format once.
#[test]
fn files_that_are_no_streams() {
    let folder = Folder::new();
    let said = of_pipe(&folder, &arrow_file(&numbers()), "- --format arrow --bandwidth 1", 1);
    assert!(said.contains("it is an Arrow file, which is read from its end; write it to a file first"), "{said}");
    folder.write("old.feather", [&b"FEA1"[..], &[0; 64], &b"FEA1"[..]].concat());
    folder.refuses("old.feather", 1, &["old.feather", "it is Feather of version 1, and only version 2 is read"]);
}

/// No memory is taken for parts that are said to be longer than the file, or where it is not.
#[test]
fn arrow_files_whose_parts_are_not_there() {
    let folder = Folder::new();
    let whole = arrow_file(&numbers());
    let size = arrow_ipc::reader::read_footer_length(whole[whole.len() - 10..].try_into().unwrap()).unwrap();
    let from = whole.len() - 10 - size;
    let footer = arrow_ipc::root_as_footer(&whole[from..whole.len() - 10]).unwrap();
    let block = *footer.recordBatches().unwrap().get(0);
    // As it stands there: where the part begins, and how long what describes it and what it holds are.
    let [begins, length] = [block.offset(), block.bodyLength()].map(i64::to_le_bytes);
    let row = [&begins[..], &i64::from(block.metaDataLength()).to_le_bytes(), &length].concat();
    let at = from + whole[from..].windows(row.len()).position(|bytes| bytes == row).unwrap();
    for (place, damaged) in
        [(16, 1 << 40), (16, i64::MAX), (16, -8), (0, whole.len() as i64), (0, i64::MIN), (8, i32::MAX.into())]
    {
        let mut bytes = whole.clone();
        bytes[at + place..][..8].copy_from_slice(&i64::to_le_bytes(damaged));
        folder.write("in.arrow", bytes);
        folder.refuses(
            "in.arrow --bandwidth 1",
            1,
            &["in.arrow", "a part of it is said to be where the file has ended"],
        );
    }
    for size in [i32::MAX, whole.len() as i32] {
        let mut bytes = whole.clone();
        bytes[whole.len() - 10..whole.len() - 6].copy_from_slice(&size.to_le_bytes());
        folder.write("in.arrow", bytes);
        folder.refuses("in.arrow --bandwidth 1", 1, &["in.arrow", "its end is not whole"]);
    }
}

/// What a file of Arrow's says how long packed values are is not believed where memory does not hold as much.
#[test]
fn arrow_buffers_that_are_said_to_be_long() {
    let folder = Folder::new();
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..1000).map(|i| f64::from(i % 2))));
    let rows = table(vec![("x".to_owned(), values)]);
    for (compression, mark) in
        [(CompressionType::LZ4_FRAME, [0x04, 0x22, 0x4d, 0x18]), (CompressionType::ZSTD, [0x28, 0xb5, 0x2f, 0xfd])]
    {
        let options = || IpcWriteOptions::default().try_with_compression(Some(compression)).unwrap();
        let mut file = FileWriter::try_new_with_options(Vec::new(), &rows.schema(), options()).unwrap();
        let mut stream = StreamWriter::try_new_with_options(Vec::new(), &rows.schema(), options()).unwrap();
        file.write(&rows).unwrap();
        stream.write(&rows).unwrap();
        for whole in [file.into_inner().unwrap(), stream.into_inner().unwrap()] {
            folder.write("in.arrow", &whole);
            folder.run("in.arrow --bandwidth 0.5");
            // Its 8000 bytes, and what they are packed as.
            let place = [&8000_u64.to_le_bytes()[..], &mark].concat();
            let at = whole.windows(place.len()).position(|bytes| bytes == place).unwrap();
            let mut damaged = whole;
            damaged[at..at + 8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
            folder.write("in.arrow", damaged);
            let said =
                ["in.arrow", ": a batch of it takes 1.0 EiB of memory", "or has to be written in smaller batches"];
            folder.refuses("in.arrow --bandwidth 0.5", 1, &said);
        }
    }
}
