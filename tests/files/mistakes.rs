//! What is wrong with a file is said in a line: where, and what to do. Nothing is written then.

use crate::{Folder, csv};

#[test]
fn files_that_cannot_be_opened() {
    let folder = Folder::new();
    folder.refuses("none.csv", 1, &["none.csv", "cannot be read", "No such file"]);
    folder.refuses("none.csv --stream --bandwidth 1", 1, &["none.csv", "cannot be read", "No such file"]);
    folder.refuses("- --stream --bandwidth 1", 2, &["it is read twice"]);
    std::fs::create_dir(folder.path("folder.csv")).unwrap();
    folder.refuses("folder.csv", 1, &["folder.csv", "directory"]);
    folder.write("data.docx", "1,2\n");
    folder.refuses("data.docx", 2, &["data.docx", "--format"]);
    folder.refuses("- --format parquet", 2, &["standard input", "write it to a file"]);
    folder.write("a.npy.gz", "");
    folder.refuses("a.npy.gz", 2, &["unpack it"]);
}

/// Before anything is read or done: the points' file is not there either.
#[test]
fn other_points_that_cannot_be_read() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder.csv")).unwrap();
    let run = "none.csv --bandwidth 1 --predicted out.csv --predict";
    folder.refuses(&format!("{run} new.csv"), 1, &["new.csv", "cannot be read", "No such file"]);
    folder.refuses(&format!("{run} folder.csv"), 1, &["folder.csv", "cannot be read", "directory"]);
    let run = "none.csv --bandwidth 1 --form standard --seeds-file";
    folder.refuses(&format!("{run} seeds.csv"), 1, &["seeds.csv", "cannot be read", "No such file"]);
    folder.refuses(&format!("{run} folder.csv"), 1, &["folder.csv", "cannot be read", "directory"]);
}

/// That there are weights, whichever, is known before they are read.
#[test]
fn weights_exclude_options_before_anything_is_read() {
    let folder = Folder::new();
    for command in ["", "sweep"] {
        let run = format!("{command} none.csv --weights w --method composed");
        folder.refuses(&run, 2, &["--method composed here is not possible", "no --weights"]);
    }
}

#[test]
fn files_without_points() {
    let folder = Folder::new();
    for (text, arguments, words) in [
        ("", "", ["no rows", "in.csv"]),
        ("\n\n", "", ["no rows", "in.csv"]),
        ("x,y\n", "", ["no rows", "in.csv"]),
        ("a,b\nc,d\n", "", ["no column that holds numbers: a (line 2 has \"c\")", "; clustering needs at least one"]),
        ("a,b\n1,2,3\n", "--delimiter ;", ["only one column was found: is --delimiter right?", "\"1,2,3\""]),
        ("x^y\n1^2\n", "", ["only one column was found: is --delimiter right?", "\"1^2\""]),
        ("x,w\na,1\n", "--weights w", ["besides weights and bandwidths: x (line 2", "; clustering needs at least one"]),
        ("x,y\n,1\nNA,2\n", "--columns x,y", ["the value is missing", "--missing drop"]),
    ] {
        folder.write("in.csv", text);
        folder.refuses(&format!("in.csv {arguments} -o out.csv"), 1, &words);
    }
    folder.refuses("in.csv --columns x,y --missing drop", 1, &["no row without a missing value"]);
}

#[test]
fn values_that_are_none() {
    let folder = Folder::new();
    for (text, arguments, words) in [
        ("x,y\n1,2\n3,four\n", "--columns x,y", ["line 3", "column y", "\"four\" is not a number"]),
        ("x,y\n1,2\n3,\n", "", ["line 3", "column y", "missing"]),
        ("x,y\n1,2\n3,inf\n", "", ["line 3", "column y", "infinite"]),
        ("x,w\n1,0\n3,-2\n", "--weights w", ["line 3", "column w", "-2 is not a sample weight, which is 0 or more"]),
        ("x,h\n1,1\n3,0\n", "--bandwidth column:h", ["line 3", "column h", "0 is not a bandwidth, which is above 0"]),
        ("x,y\n1,2\n3\n", "", ["line 3", "1 field, and", "have 2"]),
        ("x,y\n1,2\n3,4,5\n", "", ["line 3", "3 fields", "have 2"]),
        ("1,b\n3,c\n", "--columns #2", ["line 1", "\"b\"", "--header yes"]),
        ("1,,3\n4,5,6\n", "", ["line 1", "column x1: the value is missing; --missing drop", "say --header yes"]),
        ("x,x\n3,4\n", "--columns x", ["several columns", "\"x\"", "#2"]),
        ("x,y\n3,4\n", "--columns z", ["no column \"z\"", "it has \"x\", \"y\"", "in.csv"]),
        ("x,y\n3,4\n", "--weights z", ["no column \"z\"", "it has \"x\", \"y\"", "in.csv"]),
        ("x,y\n3,4\n", "--columns 2", ["no column \"2\"", "it has \"x\", \"y\"; by number it is '#2'", "in.csv"]),
        ("name,2019\na,4\n", "--columns 2019", ["no column \"2019\"", "it has \"x0\"", "say --header yes"]),
    ] {
        folder.write("in.csv", text);
        let code = if words[0].contains("column") { 2 } else { 1 };
        folder.refuses(&format!("in.csv {arguments} -o out.csv"), code, &words);
    }
    folder.write("in.csv", "x,y,z\n1,2,a\n3,,b\n4,5,c\n");
    let report = folder.json("in.csv --missing drop --bandwidth 1 -o out.csv");
    assert_eq!((&report["points"], &report["dropped"]), (&2.into(), &1.into()));
    assert_eq!(report["left_out"][0]["column"], "z");
    assert_eq!(folder.read("out.csv"), "x,y,z,label\n1,2,a,0\n4,5,c,1\n");
}

/// An estimate is of what the points are, which may be more than kernels compute with.
#[test]
fn bandwidths_that_are_estimated_too_large() {
    let folder = Folder::new();
    folder.write("in.csv", "x\n0\n1e38\n3e37\n");
    for rule in ["third", "quantile", "scott", "silverman"] {
        folder.refuses(&format!("in.csv --bandwidth {rule}"), 1, &["the bandwidth estimated", "scale the data first"]);
    }
}

/// A quote that nothing closes would take the rest of the file for one field.
#[test]
fn quotes_that_nothing_closes() {
    let folder = Folder::new();
    // Also far behind the lines that are looked at first.
    for lines in [1, 10_000] {
        let points = "1,1,a\n".repeat(lines);
        folder.write("in.csv", format!("x,y,name\n{points}2,2,\"b\n3,3,c\n50,50,d\n"));
        let line = format!("in.csv, line {}", lines + 2);
        for arguments in ["", "--stream", "--columns x,y"] {
            folder.refuses(&format!("in.csv --bandwidth 1 {arguments} -o out.csv"), 1, &[&line, "a quote opens"]);
        }
    }
    folder.write("in.csv", "x,y,name\n1,1,5\" pipe\n2,2,\"two\nlines\"\n3,3,c\n");
    assert_eq!(folder.json("in.csv --bandwidth 1")["points"], 3);
}

/// Lines are those that an editor shows, whatever they end on, and though some are empty.
#[test]
fn lines_that_end_on_two_bytes_are_counted() {
    let folder = Folder::new();
    for (text, line) in [("x,y\r\n1,2\r\n3,\r\n", "line 3"), ("x,y\r\n\r\n1,2\r\n\r\n3,4\r\n5,\r\n", "line 6")] {
        folder.write("in.csv", text);
        folder.refuses("in.csv --bandwidth 1", 1, &[line, "column y", "missing"]);
        folder.write("in.csv", text.replace("\r\n", "\n"));
        folder.refuses("in.csv --bandwidth 1", 1, &[line, "column y", "missing"]);
    }
    folder.write("in.csv", "x,y\r\n1,2\r\n3,four\r\n");
    assert_eq!(folder.json("in.csv --bandwidth 1")["left_out"][0]["why"], "line 3 has \"four\"");
}

#[test]
fn weights_and_bandwidths_that_make_no_sense() {
    let folder = Folder::new();
    folder.write("in.csv", "x,w\n1,1\n2,-1\n");
    folder.refuses("in.csv --columns x --weights w", 1, &["line 3, column w: -1 is not a sample weight"]);
    folder.refuses("in.csv --columns x --bandwidth column:w", 1, &["line 3, column w: -1 is not a bandwidth"]);
    folder.refuses("--bandwidth column:w", 2, &["give a file"]);
    folder.write("none.csv", "x,w\n1,0\n2,0\n");
    for more in ["", "--standardize zscore", "--standardize minmax"] {
        folder.refuses(&format!("none.csv --weights w --bandwidth 1 {more}"), 1, &["all sample weights are 0"]);
    }
}

#[test]
fn binary_files_that_are_not_what_they_say() {
    let folder = Folder::new();
    folder.write("in.csv", b"\x00\x01\x02\x03");
    folder.refuses("in.csv", 1, &["not text", "--format"]);
    folder.write("in.csv", b"x,y\n1,2\n\xff,3\n");
    folder.refuses(
        "in.csv --columns x,y",
        1,
        &["in.csv", "line 3", "not UTF-8; convert it", "iconv -f latin1 -t utf8"],
    );
    for mark in [[0xff, 0xfe], [0xfe, 0xff]] {
        folder.write("in.csv", [&mark[..], b"x\0\n\x001\0\n\0"].concat());
        folder.refuses("in.csv", 1, &["in.csv is text in UTF-16", "iconv -f utf16 -t utf8"]);
    }
    folder.write("real.csv", csv());
    folder.run("real.csv --columns x,y --bandwidth 1 -o whole.parquet");
    folder.run("real.csv --columns x,y --bandwidth 1 -o whole.arrow");
    folder.run("real.csv --columns x,y --bandwidth 1 -o whole.npz");
    folder.run("real.csv --columns x,y --bandwidth 1 --centres whole.npy");
    for name in ["whole.parquet", "whole.arrow", "whole.npz", "whole.npy"] {
        let whole = std::fs::read(folder.path(name)).unwrap();
        let cut = name.replace("whole", "cut");
        for length in [0, 5, whole.len() / 2, whole.len() - 8] {
            folder.write(&cut, &whole[..length]);
            folder.refuses(&format!("{cut} --columns #1 --bandwidth 1"), 1, &[&cut, "file that can be read"]);
        }
        folder.write(&cut, [b"something else".repeat(20), vec![0; 64]].concat());
        folder.refuses(&format!("{cut} --bandwidth 1"), 1, &[&cut, "file that can be read"]);
    }
    // What one meets when a name has a wrong extension, or a download failed.
    let npy = std::fs::read(folder.path("whole.npy")).unwrap();
    for (name, bytes, words) in [
        (
            "in.npy",
            b"x,y\n1,2\n3,4\n5,6\n7,8\n9,10\n".to_vec(),
            "not begin as an NPY file; if it is text, say --format csv",
        ),
        ("in.npy", b"x,y\n".to_vec(), "not begin as an NPY file; if it is text"),
        ("in.npy", Vec::new(), "in.npy is no npy file that can be read: it is empty"),
        ("in.npy", npy[..5].to_vec(), "cut off within its header"),
        ("in.npy", npy[..9].to_vec(), "cut off within its header"),
        ("in.npy", npy[..40].to_vec(), "cut off within its header"),
        ("in.npz", Vec::new(), "in.npz is no npz file that can be read: it is empty"),
        ("in.npz", b"x,y\n1,2\n".to_vec(), "it is no ZIP archive, as NPZ files are, or it is cut off"),
    ] {
        folder.write(name, bytes);
        folder.refuses(&format!("{name} --bandwidth 1"), 1, &[words]);
    }
    folder.write("in.npy", csv());
    folder.run("in.npy --format csv --columns x,y --bandwidth 1");
    folder.write("cut.csv.gz", b"\x1f\x8b\x08\x00\x00");
    folder.refuses("cut.csv.gz", 1, &["cut.csv.gz", "cannot be read"]);
    folder.write("cut.csv.zst", b"not zstd at all");
    folder.refuses("cut.csv.zst", 1, &["cut.csv.zst", "cannot be read"]);
}

/// Parquet has compressions that are not read here. A file is made to say that it has one, by another footer behind its
/// own: nothing that writes it is here either.
#[test]
fn compressions_that_are_not_read_are_named() {
    use parquet::basic::CompressionCodec;
    use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
    let folder = Folder::new();
    folder.write("in.csv", csv());
    folder.run("in.csv --columns x,y --bandwidth 1 -o in.parquet");
    let whole = std::fs::read(folder.path("in.parquet")).unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(whole.clone())).unwrap();
    for (codec, name) in [(CompressionCodec::BROTLI, "Brotli"), (CompressionCodec::LZO, "LZO")] {
        let groups = metadata.row_groups().iter().map(|group| {
            let columns = group.columns().iter().cloned();
            let columns = columns.map(|column| column.into_builder().set_compression_codec(codec).build().unwrap());
            group.clone().into_builder().set_column_metadata(columns.collect()).build().unwrap()
        });
        let other = ParquetMetaData::new(metadata.file_metadata().clone(), groups.collect());
        let mut bytes = whole.clone();
        ParquetMetaDataWriter::new(&mut bytes, &other).finish().unwrap();
        folder.write("other.parquet", bytes);
        folder.refuses("other.parquet --columns x,y --bandwidth 1", 1, &["other.parquet", name, "zstd"]);
    }
}

/// Headers that promise what is not there, or say what cannot be: no memory is taken for their words.
#[test]
fn hostile_arrays() {
    let folder = Folder::new();
    let array = |header: &str| {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend([0; 64]);
        file
    };
    for (header, word) in [
        ("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }", "file that can be read"),
        ("{'descr': '<c16', 'fortran_order': False, 'shape': (2, 2), }", "<c16"),
        ("{'descr': '<U8', 'fortran_order': False, 'shape': (2, 2), }", "<U8"),
        ("{'descr': [('a', '<f8'), ('b', '<f8')], 'fortran_order': False, 'shape': (2,), }", "type"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2, 2), }", "3 axes"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", "0 axes"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2), }", "no rows"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (5, 0), }", "no columns"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2), }", "cut off"),
        ("{'descr': '<f8', 'fortran_order': True, 'shape': (1000000000000, 2), }", "cut off"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4000000000), }", "memory"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551615, 18446744073709551615), }", "in.npy"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2), }", "file that can be read"),
        ("{'descr': '<f8'}", "file that can be read"),
        ("__import__('os').system('true')", "file that can be read"),
        ("{{{{{{{{", "file that can be read"),
    ] {
        folder.write("in.npy", array(header));
        folder.refuses("in.npy --bandwidth 1", 1, &["in.npy", word]);
    }
}

/// Of generated points, the memory that they need besides themselves is asked for too.
#[test]
fn points_that_memory_does_not_hold() {
    let folder = Folder::new();
    // A matrix of 2 TB.
    folder.refuses("--shape stretched --dim 500000 --points 10 --clusters 1", 1, &["memory", "--dim"]);
}

#[test]
fn results_that_would_do_harm_or_nothing() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    let fit = "in.csv --columns x,y --bandwidth 1";
    folder.refuses(&format!("{fit} -o in.csv"), 2, &["in.csv is read, and cannot be written too"]);
    folder.refuses(&format!("{fit} -o ./in.csv"), 2, &["./in.csv is read, and cannot be written too"]);
    folder.refuses(&format!("{fit} --report in.csv"), 2, &["in.csv is read, and cannot be written too"]);
    folder.write("seeds.csv", "x,y\n1,2\n");
    let seeded = format!("{fit} --form standard --seeds-file seeds.csv");
    folder.refuses(&format!("{seeded} -o seeds.csv"), 2, &["seeds.csv is read, and cannot be written too"]);
    folder.refuses(&format!("{fit} --plot a.png --trace a.png"), 2, &["a.png would have two results"]);
    folder.refuses(&format!("{fit} -o out.csv --report out.csv"), 2, &["out.csv would have two results"]);
    folder.refuses(&format!("{fit} -o out.csv --centres out.csv"), 2, &["out.csv would have two results"]);
    folder.refuses(&format!("{fit} -o out.csv --centres ./out.csv"), 2, &["./out.csv would have two results"]);
    folder.refuses(
        &format!("{fit} -o {}/out.csv --centres out.csv", folder.path("").display()),
        2,
        &["out.csv would have two results"],
    );
    image::RgbImage::new(4, 3).save(folder.path("in.png")).unwrap();
    folder.refuses("segment in.png -o in.png", 2, &["in.png is read, and cannot be written too"]);
    folder.refuses("segment in.png -o out.png --filtered ./out.png", 2, &["./out.png would have two results"]);
    folder.refuses(&format!("{fit} -o out.csv --density --distance l1"), 2, &["--density with another distance"]);
    for bandwidth in ["each-neighbour:3", "column:h"] {
        let density = format!("in.csv --columns x,y --bandwidth {bandwidth} -o out.csv --density");
        folder.refuses(&density, 2, &["--density with bandwidths of points"]);
    }
    for (file, seeds, predict) in [("-", "-", "in.csv"), ("-", "seeds.csv", "-"), ("in.csv", "-", "-"), ("-", "-", "-")]
    {
        let seeded = format!("{file} --bandwidth 1 --form standard --seeds-file {seeds}");
        let run = format!("{seeded} --predict {predict} --predicted out.csv");
        folder.refuses(&run, 2, &["reading two tables from standard input is not possible"]);
    }
    folder.refuses(&format!("{fit} -o - --centres -"), 2, &["writing two tables to standard output is not possible"]);
    folder.refuses(&format!("{fit} -o out.docx"), 2, &["out.docx", "another extension"]);
    folder.refuses(&format!("{fit} -o out.npy.gz"), 2, &["compressed"]);
    folder.refuses(&format!("{fit} --density"), 2, &["--output"]);
    folder.refuses(&format!("{fit} -o out.npy --density"), 2, &[".npz"]);
    folder.refuses(&format!("{fit} -o none/out.csv"), 1, &["none/out.csv"]);
    // Before anything is read: whoever waits for a long run is not told at its end.
    for option in ["-o none/out.csv", "--report none/out.json", "--plot none/out.png", "--centres none/out.csv"] {
        folder.refuses(&format!("absent.csv --bandwidth 1 {option}"), 1, &["none/out", "make its folder first"]);
    }
    std::fs::create_dir(folder.path("there.csv")).unwrap();
    folder.refuses("absent.csv --bandwidth 1 -o there.csv", 1, &["there.csv", "name a file in it"]);
    folder.refuses("sweep absent.csv --plot none/out.png", 1, &["none/out.png"]);
    folder.refuses("segment absent.png -o none/out.png", 1, &["none/out.png"]);
    folder.refuses("in.csv --delimiter , --format npy", 2, &["only text"]);
    folder.refuses("in.csv --array a", 2, &[".npz"]);
    folder.refuses(&format!("{fit} --seeds-file in.csv"), 2, &["--form standard"]);
    assert_eq!(folder.read("in.csv"), csv());
}
