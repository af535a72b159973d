//! Ctrl-C, and SIGTERM, in every phase: the exit code 130, one line, and nothing but what was there.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Folder;

/// Longer than anything here takes to end.
const LONG: Duration = Duration::from_secs(60);

/// Sends a signal to a program that has not ended yet.
#[track_caller]
fn send(signal: &str, program: &mut Child) {
    assert!(program.try_wait().unwrap().is_none(), "the program had ended already");
    assert!(Command::new("kill").args([signal, &program.id().to_string()]).status().unwrap().success());
}

#[track_caller]
fn interrupted(folder: &Folder, arguments: &str, times: usize, wait: impl FnOnce(&mut BufReader<ChildStderr>)) {
    ended_by("-INT", folder, arguments, times, wait);
}

/// A run that is interrupted once what is waited for has come: what it says on standard error, line by line, is given.
#[track_caller]
fn ended_by(
    signal: &str,
    folder: &Folder,
    arguments: &str,
    times: usize,
    wait: impl FnOnce(&mut BufReader<ChildStderr>),
) {
    let before = folder.names();
    let mut command = folder.command(arguments);
    // Nobody writes to its input, and nobody reads its output.
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (input, output) = (program.stdin.take(), program.stdout.take());
    let mut said = BufReader::new(program.stderr.take().unwrap());
    wait(&mut said);
    (0..times).for_each(|_| send(signal, &mut program));
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        done.send((program.wait().unwrap(), rest)).unwrap();
    });
    let (status, rest) = ended.recv_timeout(LONG).expect("the program ends");
    drop((input, output));
    assert_eq!(status.code(), Some(130), "{arguments}: {rest}");
    assert!(rest.ends_with("modeseek: interrupted; nothing was written that is not whole\n"), "{arguments}: {rest}");
    assert_eq!(folder.names(), before, "{arguments}");
}

/// Until a line of standard error has the word.
fn line_with(word: &'static str) -> impl FnOnce(&mut BufReader<ChildStderr>) {
    move |said| {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "{word:?} is never said");
        }
    }
}

/// Until the program is at work, in a phase that takes as good as for ever and says nothing.
fn a_while(_: &mut BufReader<ChildStderr>) {
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn waiting_for_input() {
    interrupted(&Folder::new(), "- --bandwidth 1 -o out.csv", 1, a_while);
}

#[test]
fn iterating() {
    let endless = "--points 30000 --bandwidth 0.3 --method fused --tolerance 0 --iterations 100000";
    interrupted(&Folder::new(), &format!("{endless} --progress -o out.csv"), 1, line_with("iteration 2"));
}

#[test]
fn estimating_a_bandwidth() {
    interrupted(&Folder::new(), "sweep --points 60000 --steps 1000 --method fused --plot out.png", 1, a_while);
}

#[test]
fn sweeping() {
    let range = "--from 0.1 --to 10 --steps 1000";
    interrupted(&Folder::new(), &format!("sweep --points 20000 {range} --method fused --plot out.png"), 1, a_while);
}

#[test]
fn drawing_frames() {
    // The fit reads a field in no time; frames are of all pairs.
    let run = "--points 60000 --bandwidth 2.5 --method field --form standard --tolerance 0.000001 --verbose";
    for picture in ["--animate out.html", "--trace out.png"] {
        interrupted(&Folder::new(), &format!("{run} {picture}"), 1, line_with("clustered"));
    }
}

#[test]
fn labelling_by_a_model() {
    let folder = Folder::new();
    let endless = "--method fused --tolerance 0 --iterations 2000";
    let one = "--form standard --seeding random --seeds 1";
    folder.run(&format!("--points 60000 --bandwidth 0.3 {one} {endless} --save a.model --quiet"));
    folder.run("--points 60000 --seed 3 --bandwidth 5 -o new.csv --quiet");
    interrupted(&folder, "predict a.model new.csv -o out.csv", 1, a_while);
}

#[test]
fn writing_to_who_does_not_read() {
    interrupted(&Folder::new(), "--points 100000 --bandwidth 2.5 --verbose -o -", 1, line_with("clustered"));
}

#[test]
fn segmenting() {
    let folder = Folder::new();
    let noise = |x: u32, y: u32| image::Rgb([x, y, x ^ y].map(|k| (k.wrapping_mul(0x9e37_79b9) >> 24) as u8));
    image::RgbImage::from_fn(2000, 2000, noise).save(folder.path("in.bmp")).unwrap();
    let slow = "--spatial 60 --range 30 --iterations 1000 --tolerance 0.0000001";
    interrupted(&folder, &format!("segment in.bmp {slow} -o out.png"), 1, a_while);
}

#[test]
fn twice_while_a_file_is_being_written() {
    let folder = Folder::new();
    let mut text = "x,y\n".to_owned();
    for i in 0..1_000_000_u32 {
        let (x, y) = (f64::from(i % 997), f64::from(i % 1009));
        text += &format!("{x},{y}\n");
    }
    folder.write("in.csv", text);
    let path = folder.path("");
    let written = |_: &mut BufReader<ChildStderr>| {
        let start = Instant::now();
        let begun = || {
            let names = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter_map(|name| name.into_string().ok()).any(|name| name.starts_with(".modeseek-"))
        };
        while !begun() {
            assert!(start.elapsed() < LONG, "no file is ever written");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    interrupted(&folder, "in.csv --stream --bandwidth 20 -o out.csv", 2, written);
    // As a scheduler ends a job.
    ended_by("-TERM", &folder, "in.csv --stream --bandwidth 20 -o out.csv", 1, written);
}

/// Whoever began the program may have told it to pass over a terminal that is gone.
#[test]
fn nohup_outlives_its_terminal() {
    let mut command = Command::new("nohup");
    command.args([env!("CARGO_BIN_EXE_modeseek"), "--points", "30000", "--bandwidth", "0.3", "--method", "fused"]);
    command.args(["--device", "cpu", "--tolerance", "0", "--iterations", "100000", "--progress"]);
    let mut program = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(program.stderr.take().unwrap());
    line_with("iteration 2")(&mut said);
    send("-HUP", &mut program);
    // Who is not ended by it goes on, and who goes on can be interrupted.
    for _ in 0..3 {
        line_with("iteration")(&mut said);
    }
    send("-INT", &mut program);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(130), "{rest}");
}

#[test]
fn who_closes_the_pipe_has_seen_enough() {
    for arguments in ["--points 100000 --bandwidth 2.5 -o -", "completions bash", "man", "doctor", "--help"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modeseek"));
        command.args(arguments.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = command.spawn().unwrap();
        drop(program.stdout.take());
        let output = program.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}: {said}");
        assert!(!said.contains("panicked") && !said.contains("roken pipe"), "{arguments}: {said}");
    }
}

/// What else was asked for is written, though nobody reads what goes to standard output.
#[test]
fn who_closes_the_pipe_leaves_the_files_whole() {
    let unread = |folder: &Folder, arguments: &str, caches: bool| {
        let mut command = folder.command(arguments);
        if caches {
            command.env("XDG_CACHE_HOME", folder.path("caches"));
        }
        let mut program = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(program.stdout.take());
        let output = program.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{arguments}");
    };
    let folder = Folder::new();
    folder.run("--points 3000 -q -o points.csv");
    let files =
        "-q -o - --report report.json --centres centres.csv --plot plot.svg --predict points.csv --predicted p.csv";
    unread(&folder, &format!("points.csv --columns x0,x1 --bandwidth 2 {files}"), false);
    assert_eq!(folder.names(), ["centres.csv", "p.csv", "plot.svg", "points.csv", "report.json"]);

    let folder = Folder::new();
    folder.run("--points 3000 -q -o points.csv");
    unread(&folder, "points.csv --columns x0,x1 --bandwidth 2 --stream -q -o - --report report.json", false);
    let report: serde_json::Value = serde_json::from_str(&folder.read("report.json")).unwrap();
    let sizes = report["clusters"].as_array().unwrap().iter().map(|cluster| cluster["size"].as_u64().unwrap());
    assert_eq!(sizes.sum::<u64>() + report["noise"].as_u64().unwrap(), 3000);

    let folder = Folder::new();
    unread(&folder, "tune --kernel flat --dim 1 --points 100 --samples 3", true);
    assert_eq!(std::fs::read_dir(folder.path("caches/modeseek/tuning")).unwrap().count(), 1);
}

/// What is said to nobody ends no run, nor keeps it from ending as it would.
#[test]
fn who_closes_standard_error_changes_nothing() {
    let folder = Folder::new();
    folder.write("empty.csv", "");
    let run = "--points 2000 --bandwidth 0.5 --method fused --iterations 3";
    for (arguments, code) in [
        (format!("{run} --progress"), 0),
        (format!("{run} --verbose"), 0),
        (format!("{run} -o -"), 0),
        ("empty.csv --bandwidth 1".to_owned(), 1),
    ] {
        let mut program = folder.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(program.stderr.take());
        let output = program.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments}");
        assert_eq!(output.stdout.is_empty(), code != 0, "{arguments}");
    }
}

/// Sends `times` interruptions, after a while, to a run that nobody hears, and waits for it.
#[track_caller]
fn interrupted_unheard(arguments: &str, stderr: impl Into<Stdio>, times: usize) {
    let folder = Folder::new();
    let mut command = folder.command(arguments);
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    drop(program.stderr.take());
    let input = program.stdin.take();
    std::thread::sleep(Duration::from_millis(500));
    (0..times).for_each(|_| send("-INT", &mut program));
    let start = Instant::now();
    let status = loop {
        match program.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() < LONG => std::thread::sleep(Duration::from_millis(10)),
            None => {
                program.kill().unwrap();
                panic!("{arguments}: the program lives on");
            }
        }
    };
    drop(input);
    assert_eq!(status.code(), Some(130), "{arguments}");
    assert_eq!(folder.names(), [""; 0], "{arguments}");
}

#[test]
fn interrupted_with_standard_error_closed() {
    // One ends by itself, the other is ended.
    interrupted_unheard(
        "--points 30000 --bandwidth 0.3 --method fused --tolerance 0 --iterations 100000",
        Stdio::piped(),
        1,
    );
    interrupted_unheard("- --bandwidth 1 -o out.csv", Stdio::piped(), 1);
}

/// As many bytes as Linux keeps for who does not read: the next is waited for.
#[test]
#[cfg(target_os = "linux")]
fn interrupted_while_nobody_reads_standard_error() {
    use std::io::Write;

    let (unread, mut full) = std::io::pipe().unwrap();
    full.write_all(&[b'.'; 1 << 16]).unwrap();
    interrupted_unheard("- --bandwidth 1 -o out.csv", full, 2);
    drop(unread);
}
