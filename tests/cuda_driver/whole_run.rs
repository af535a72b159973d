//! Everything that a whole run asks of the driver, from the points to the labels, in numbers.

use std::collections::BTreeSet;

use crate::{Outcome, has_ptx, report, run_in, run_with, stand_in};

/// What a run asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// Kernels launched one by one, and how many launches each graph has that was launched.
    launches: usize,
    graphs: Vec<usize>,
    /// Copies either way, and memory that was set to zeros.
    uploads: usize,
    downloads: usize,
    clearings: usize,
    /// Waits for all that was launched, and for a copy alone.
    waits: usize,
    looks: usize,
}

impl Asked {
    fn of(log: &str) -> Self {
        let count = |start: &str| log.lines().filter(|line| line.starts_with(start)).count();
        let copies = |to: &str| log.lines().filter(|line| line.starts_with("copy of ") && line.ends_with(to)).count();
        let graphs = log.lines().filter_map(|line| line.strip_prefix("graph of ")?.split(' ').next()?.parse().ok());
        Self {
            launches: count("plain launch of "),
            graphs: graphs.collect(),
            uploads: copies("to the device"),
            downloads: copies("to the host"),
            clearings: count("clearing of "),
            waits: count("wait for a stream"),
            looks: count("wait for an event"),
        }
    }
}

fn run(args: &str) -> Outcome {
    let args: Vec<_> = ["--device", "cuda", "--json"].into_iter().chain(args.split(' ')).collect();
    run_with(&stand_in(), "works", &args)
}

/// That a row of docs/profiling.md, by what it begins with, says so: kernels loaded, and what was asked for.
#[track_caller]
fn is_told(run: &str, kernels: usize, asked: &Asked) {
    let page = include_str!("../../docs/profiling.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| {run}"))).expect("a row");
    let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
    let Asked { launches, uploads, downloads, waits, looks, .. } = asked;
    let copies = format!("{uploads}, {downloads}");
    assert_eq!([cells[1], cells[2], cells[4]], [&kernels.to_string(), &launches.to_string(), &copies], "{row}");
    assert!(cells[3].starts_with("none") && asked.graphs.is_empty(), "{row}");
    let said = [cells[5].split(':').next().unwrap(), cells[6]];
    assert_eq!(said, [&waits.to_string(), &looks.to_string()], "{row}");
}

/// The lecture's case. Up go the points, the factors of their scale (twice: they are moved too), and a few cells for each of
/// two tallies; down come one look at how far the run is and the number of components, which are waited for, as are the
/// iterations and the labels; and at the end these, four lists about the modes, and what became of the queries, which are all
/// asked for before one is waited for. What is cleared is added up to, or is a table of nothing yet.
#[test]
fn a_run_over_all_pairs() {
    if !has_ptx() {
        return;
    }
    let outcome = run("--points 1500 --iterations 5");
    let told = report(&outcome);
    assert_eq!((&told["path"]["name"], &told["iterations"]), (&"all pairs".into(), &5.into()));
    let asked = Asked::of(&outcome.log);
    let expected =
        Asked { launches: 26, graphs: vec![], uploads: 5, downloads: 8, clearings: 15, waits: 2 + 2, looks: 6 };
    assert_eq!(asked, expected);
    assert_eq!((&told["launches"], &told["uploads"], &told["downloads"]), (&26.into(), &5.into(), &8.into()));
    is_told("`--points 1500 --iterations 5`", KERNELS, &asked);
}

/// The main job's way, over a binned field.
#[test]
fn a_run_over_a_field() {
    if !has_ptx() {
        return;
    }
    let outcome = run(FIELD);
    let told = report(&outcome);
    assert_eq!((&told["path"]["name"], &told["iterations"]), (&"field".into(), &5.into()));
    let asked = Asked::of(&outcome.log);
    let expected =
        Asked { launches: 62, graphs: vec![], uploads: 8, downloads: 16, clearings: 34, waits: 4 + 2, looks: 12 };
    assert_eq!(asked, expected);
    assert_eq!((&told["launches"], &told["uploads"], &told["downloads"]), (&62.into(), &8.into(), &16.into()));
    is_told("the same with a field", FIELD_KERNELS, &asked);
}

/// Kernels that the two runs load.
const KERNELS: usize = 18;
const FIELD_KERNELS: usize = 26;

const FIELD: &str = "--points 1500 --method field --accuracy 1e-2 --iterations 5 --tolerance 0";

/// Kernels are loaded one by one, and none that is not launched: a driver compiles whole modules.
#[test]
fn no_kernel_is_loaded_that_is_not_launched() {
    if !has_ptx() {
        return;
    }
    for (args, kernels, most_bytes) in
        [("--points 1500 --iterations 5", KERNELS, 130_000), (FIELD, FIELD_KERNELS, 200_000)]
    {
        let log = run(args).log;
        let modules: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("module of ")).collect();
        let (mut bytes, mut loaded) = (0, BTreeSet::new());
        for module in &modules {
            let (size, entries) = module.split_once(" bytes with ").expect("a size and kernels");
            bytes += size.parse::<usize>().expect("a number");
            loaded.extend(entries.split(' '));
        }
        let launched: BTreeSet<_> = log.lines().filter_map(|line| line.strip_prefix("launch ")).collect();
        assert_eq!(loaded, launched, "{args}");
        assert_eq!((modules.len(), loaded.len()), (kernels, kernels), "{args}");
        assert!(bytes <= most_bytes, "{args}: {bytes} bytes");
    }
}

/// What a fit is going to launch is compiled in threads from its start, and nothing else is: the main job's field, and
/// everything about labels. With no threads every module is compiled when it is wanted, and results are the same.
#[test]
fn kernels_are_compiled_ahead() {
    if !has_ptx() {
        return;
    }
    let of = |args: &str, threads: &str| {
        let args: Vec<_> = ["--device", "cuda", "--json"].into_iter().chain(args.split(' ')).collect();
        run_in(&stand_in(), "works", &args, &[("MODESEEK_COMPILE_THREADS", threads)])
    };
    for (args, least) in [("--points 1500 --iterations 5", 14), (FIELD, 21)] {
        let [ahead, one_by_one] = ["3", "0"].map(|threads| of(args, threads));
        let words = |outcome: &Outcome, start: &str| -> BTreeSet<String> {
            let lines = outcome.log.lines().filter_map(|line| line.strip_prefix(start));
            lines.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
        };
        let linked = words(&ahead, "linked ");
        assert!(linked.len() >= least, "{args}: {} of them", linked.len());
        let launched = words(&ahead, "launch ");
        let in_vain: Vec<_> = linked.difference(&launched).collect();
        assert!(in_vain.is_empty(), "{args}: {in_vain:?}");
        assert!(words(&one_by_one, "linked ").is_empty());
        let found = |outcome: &Outcome| ["iterations", "clusters"].map(|what| report(outcome)[what].clone());
        assert_eq!(found(&ahead), found(&one_by_one), "{args}");
    }
}
