//! Whatever bytes a file has, reading it ends in rows or in an error: no panic, no memory for what is not there.

#[cfg(target_os = "linux")]
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};
use modeseek::data::{Carry, Format, ReadOptions, Reader, Source, Table, Target, table};
use modeseek::{Bandwidth, MeanShift};
use proptest::collection::vec;
use proptest::prelude::*;

/// Reads a file to its end, whatever comes of it.
fn read(path: &Path, format: Format) {
    let source = Source::new(path, Some(format)).unwrap();
    for carry in [Carry::Nothing, Carry::AsTheyWere] {
        let Ok(mut reader) = Reader::open(&source, &ReadOptions::default(), carry) else { continue };
        while let Ok(Some(chunk)) = reader.next_chunk() {
            assert_eq!(chunk.rows.len() % reader.coordinates().len(), 0);
        }
    }
    if let Ok(table) = Table::read(&source, &ReadOptions::default(), Carry::AsNumbers) {
        assert_eq!(table.carried.iter().map(|part| part.num_rows()).sum::<usize>(), table.count());
    }
}

/// A whole file of a format.
fn whole(format: Format) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("a.{}", format.name()));
    let numbers =
        |from: f64| Arc::new(Float64Array::from_iter_values((0..20).map(|i| from + f64::from(i)))) as ArrayRef;
    let mut columns = vec![("x".to_owned(), numbers(0.5)), ("y".to_owned(), numbers(100.0))];
    if !matches!(format, Format::Npy | Format::Npz) {
        columns.push(("name".to_owned(), Arc::new(StringArray::from_iter_values((0..20).map(|i| format!("n{i}"))))));
    }
    let rows = table(columns);
    Target::new(&path).unwrap().write(&rows.schema(), |sink| sink.write(&rows)).unwrap();
    std::fs::read(path).unwrap()
}

/// What happens to a file: bytes are changed, and it is cut.
fn damaged(whole: &[u8], changes: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for &(at, value) in changes {
        let at = at % bytes.len();
        bytes[at] = value;
    }
    bytes.truncate(whole.len() - cut % whole.len());
    bytes
}

/// The most memory that this process has had.
#[cfg(target_os = "linux")]
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

/// Names of columns of which a header alone has heard would take 4 GB.
#[cfg(target_os = "linux")]
#[test]
fn a_header_alone_takes_no_memory() {
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 20000000), }\n";
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.bytes());
    array.extend([0; 64]);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("points.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&array).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let before = most_memory();
    for (name, bytes) in [("in.npy", &array), ("in.npz", &archive.finish().unwrap().into_inner())] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = Reader::open(&Source::new(&path, None).unwrap(), &ReadOptions::default(), Carry::Nothing);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("cut off: 8 values of 20000000"), "{error}");
    }
    let taken = most_memory() - before;
    // Other tests of this process take some too.
    assert!(taken < 1 << 29, "{taken} bytes");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Numbers of few letters, so that much of it is nearly text of numbers.
    #[test]
    fn text(text in "[#0-9a-c,;\t .\"\r\nNAe+-]{0,200}") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        std::fs::write(&path, text).unwrap();
        read(&path, Format::Csv);
    }

    #[test]
    fn headers_of_arrays(
        kind in "[<>|=]?[fiubcOSUV][0-9]{0,3}",
        order in "True|False|0|None",
        shape in "[0-9]{0,21}(,[ ]?[0-9]{0,21}){0,3}",
        version in 0_u8..5,
        rest in vec(any::<u8>(), 0..100),
    ) {
        let text = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            0 | 1 => bytes.extend((text.len() as u16).to_le_bytes()),
            _ => bytes.extend((text.len() as u32).to_le_bytes()),
        }
        bytes.extend(text.bytes());
        bytes.extend(rest);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.npy");
        std::fs::write(&path, bytes).unwrap();
        read(&path, Format::Npy);
    }

    #[test]
    fn damaged_files(
        format in 0_usize..6,
        changes in vec((any::<usize>(), any::<u8>()), 0..6),
        cut in prop_oneof![Just(0_usize), any::<usize>()],
    ) {
        let format = Format::ALL[format];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in");
        std::fs::write(&path, damaged(&whole(format), &changes, cut)).unwrap();
        read(&path, format);
    }

    #[test]
    fn damaged_fields(changes in vec((any::<usize>(), any::<u8>()), 0..6), cut in any::<usize>()) {
        let device = modeseek::Device::processor().unwrap();
        let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&device);
        let mut field = estimator.field(2).unwrap();
        field.add(&[0.0, 0.0, 3.0, 1.0]).unwrap();
        let mut bytes = Vec::new();
        field.save(&mut bytes).unwrap();
        let damaged = damaged(&bytes, &changes, cut);
        // What is not as it was written is found out.
        prop_assert_eq!(estimator.load_field(&damaged[..]).is_ok(), damaged == bytes);
    }
}
