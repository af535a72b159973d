//! What the system does not let a run do, or not any more.
#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Output, Stdio};

use crate::{Folder, csv};

/// Runs the program within a limit of the shell's.
fn within(limit: &str, folder: &Folder, arguments: &str) -> (Option<i32>, String) {
    let program = folder.command(arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")]).arg(program.get_program());
    let output = shell.args(program.get_args()).current_dir(folder.path("")).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_full_disk() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    symlink("/dev/full", folder.path("full.csv")).unwrap();
    folder.refuses("in.csv --columns x,y --bandwidth 1 -o full.csv", 1, &["full.csv", "No space left"]);
}

/// A signal would end the program in the midst of its temporary.
#[test]
fn files_that_may_not_be_so_large() {
    let folder = Folder::new();
    let (code, said) = within("-f 8", &folder, "--points 2000 --bandwidth 2 -q -o out.csv");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("out.csv cannot be written: File too large") && said.lines().count() == 1, "{said}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

/// A link is of one file with what it names, though that is not there yet.
#[test]
fn links_to_where_results_go() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    std::fs::create_dir(folder.path("other")).unwrap();
    for (name, target) in [("link.csv", "out.csv"), ("other/link.csv", "../link.csv")] {
        symlink(target, folder.path(name)).unwrap();
        for (one, two) in [("out.csv", name), (name, "out.csv"), (name, "./link.csv")] {
            let run = format!("in.csv --columns x,y --bandwidth 1 -o {one} --centres {two}");
            folder.refuses(&run, 2, &[two, "would have two results"]);
        }
    }
    // What has a name of its own is another file.
    folder.run("in.csv --columns x,y --bandwidth 1 -q -o other/link.csv --centres centres.csv");
    assert_eq!(folder.names(), ["centres.csv", "in.csv", "link.csv", "other", "out.csv"]);
}

/// 25 million distances are 100 MB; and once more, as they come from the device. They were five times as much.
#[test]
fn distances_take_little_more_than_themselves() {
    let folder = Folder::new();
    symlink("/dev/null", folder.path("null.arrow")).unwrap();
    let distances = "--points 5000 --shape uniform --bandwidth 1e-4 --threads 1 -q --distances -o null.arrow";
    let (code, said) = within("-v 500000", &folder, distances);
    assert_eq!(code, Some(0), "{said}");
    // Where there is not as much, that is told.
    let (code, said) = within("-v 300000", &folder, distances);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("are needed for the distances to all modes"), "{said}");
}

/// Text that begins so and goes on with so many times the other, compressed.
fn packed(begins: &str, goes_on: &str, times: usize) -> Vec<u8> {
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packed.write_all(begins.as_bytes()).unwrap();
    let block = goes_on.repeat(1000);
    (0..times / 1000).for_each(|_| packed.write_all(block.as_bytes()).unwrap());
    packed.finish().unwrap()
}

/// A small file may unpack to a line of any length, and to a quote that stays open.
#[test]
fn rows_that_do_not_end() {
    let folder = Folder::new();
    for begins in ["x,y\n1,2\n3,4\n5,6\n", "x,y\n1,2\n3,4\n\n5,\""] {
        folder.write("in.csv.zst", packed(begins, "1", 300_000_000));
        for stream in ["", "--stream"] {
            let (code, said) = within("-v 1500000", &folder, &format!("in.csv.zst --bandwidth 1 --threads 1 {stream}"));
            assert_eq!(code, Some(1), "{said}");
            assert!(
                said.contains("line 5: a row goes on for more than 256.0 MiB") && said.lines().count() == 1,
                "{said}"
            );
        }
    }
}

/// Columns that are kept beside the coordinates are held by a library that ends the process where there is no memory.
#[test]
fn tables_that_memory_does_not_hold() {
    let folder = Folder::new();
    let row = format!("1.5,{}\n", "a".repeat(200));
    folder.write("in.csv.zst", packed("x,name\n", &row, 3_000_000));
    let (code, said) = within("-v 400000", &folder, "in.csv.zst --bandwidth 1 --threads 1 -q -o out.csv");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("which the host's memory does not hold; say --stream") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(folder.names(), ["in.csv.zst"]);
}

/// What a field takes is told before it is taken: the first one's, and that of one that has to grow.
#[test]
fn fields_that_memory_does_not_hold() {
    let folder = Folder::new();
    let far = "4,789456\n";
    for (near, what) in [(1, "the nodes of a binned field"), (70_000, "the sums of a binned field")] {
        folder.write("in.csv", format!("x,y\n{}{far}", "0,0\n".repeat(near)));
        let (code, said) = within("-v 2000000", &folder, "in.csv --stream --bandwidth 1 --threads 1 -q");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("are needed for {what}; use a larger bandwidth")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// The program in a folder, run as somebody who is not the superuser, who may do everything; none, if somebody else may not
/// start it.
fn as_somebody(folder: &Folder, number: u32, arguments: &str) -> Option<Command> {
    let mut program = folder.command(arguments);
    if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        let mut somebody = Command::new("setpriv");
        let [user, group] = ["--reuid", "--regid"].map(|what| format!("{what}={number}"));
        somebody.args([&user, &group, "--clear-groups"]).arg(program.get_program());
        let mut version = Command::new(somebody.get_program());
        if !version.args(somebody.get_args()).arg("--version").output().is_ok_and(|tried| tried.status.success()) {
            eprintln!("not tried: nobody but the superuser may start {:?}", program.get_program());
            return None;
        }
        somebody.args(program.get_args()).current_dir(folder.path(""));
        program = somebody;
    }
    Some(program)
}

#[test]
fn no_permission() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    folder.write("old.csv", "");
    let allow = |name: &str, mode| std::fs::set_permissions(folder.path(name), Permissions::from_mode(mode)).unwrap();
    std::fs::create_dir_all(folder.path("caches/modeseek/tuning")).unwrap();
    for (name, mode) in [("in.csv", 0), ("old.csv", 0o644), ("caches/modeseek/tuning", 0o555), ("", 0o555)] {
        allow(name, mode);
        if name == "old.csv" {
            let superuser = std::os::unix::fs::chown(folder.path(name), Some(1), Some(1)).is_ok();
            allow(name, if superuser { 0o644 } else { 0o444 });
        }
    }
    // What may not be written is told before what is not there.
    for (arguments, file) in [
        ("in.csv --bandwidth 1", "in.csv cannot be read"),
        ("none.csv --bandwidth 1 -o out.csv", "out.csv cannot be written"),
        ("none.csv --bandwidth 1 -o old.csv", "old.csv cannot be written"),
        ("none.csv --bandwidth 1 --report out.json", "out.json cannot be written"),
        ("tune --kernel flat --dim 1 --points 100 --samples 3", ".json cannot be written"),
    ] {
        let Some(mut program) = as_somebody(&folder, 65_534, arguments) else { continue };
        let caches = folder.path("caches");
        let Output { status, stdout, stderr } = program.env("XDG_CACHE_HOME", caches).output().unwrap();
        let message = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{arguments}: {message}");
        assert!(
            message.contains(file) && message.to_lowercase().contains("permission denied"),
            "{arguments}: {message}"
        );
        assert!(!message.contains(".modeseek-") && stdout.is_empty(), "{arguments}: {message}");
    }
    assert_eq!(folder.names(), ["caches", "in.csv", "old.csv"]);
    allow("", 0o755);
    allow("caches/modeseek/tuning", 0o755);
}

/// Whom the system does not know has no home.
#[test]
fn no_folder_for_caches() {
    let folder = Folder::new();
    let tune = "tune --kernel flat --dim 1 --points 100 --samples 3";
    let Some(mut program) = as_somebody(&folder, 54_321, tune) else { return };
    if program.get_program() == env!("CARGO_BIN_EXE_modeseek") {
        eprintln!("not tried: nobody but the superuser can be whom the system does not know");
        return;
    }
    let output = program.env_remove("HOME").env_remove("XDG_CACHE_HOME").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the system names no folder for caches") && said.lines().count() == 1, "{said}");
    assert!(said.contains("set HOME, or say --dry-run") && output.stdout.is_empty(), "{said}");
}

/// A line on a terminal takes a thread, without which a run is done all the same.
#[test]
fn no_thread_to_draw_a_line() {
    let folder = Folder::new();
    folder.write("in.csv", csv());
    // No system has so much memory for a thread's stack. The interpreter takes no other.
    let (stack, program) = (1_u64 << 60, env!("CARGO_BIN_EXE_modeseek"));
    let arguments = "in.csv --columns x,y --bandwidth 1 --device interpreter -o out.csv";
    let run = format!("RUST_MIN_STACK={stack} exec '{program}' {arguments}");
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &run, "/dev/null"]).current_dir(folder.path("")).stdin(Stdio::null());
    let Ok(output) = terminal.output() else {
        eprintln!("not tried: there is no `script` here, which would be a terminal");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("clusters    3 found") && !said.contains("panicked"), "{said}");
    assert_eq!(folder.names(), ["in.csv", "out.csv"]);
}

/// Names may have characters that a terminal obeys: they are shown.
#[test]
fn control_characters_are_shown() {
    let folder = Folder::new();
    let name = "\u{1b}[2J";
    folder.write("in.csv", format!("{name},y\n1,2\n3,4\n"));
    let report = folder.run("in.csv --bandwidth 1");
    assert!(report.contains("(\\u{1b}[2J, y) of in.csv") && !report.contains(name), "{report}");
    let none = OsStr::new("\u{1b}[2J\n.csv");
    let output = folder.command("--bandwidth 1").arg(none).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("modeseek: \\u{1b}[2J\\n.csv cannot be read") && said.lines().count() == 1, "{said}");
}
