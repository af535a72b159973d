//! How often the host launches and waits in a fit of few points.

use serde_json::Value;

use crate::{Outcome, clusters, has_ptx, report, run};

/// Labels, four lists about the modes, and what became of the queries: asked for one after the other, then waited for.
const RESULTS: usize = 6;

/// What a run of so many iterations at most asked of the driver.
struct Asked {
    report: Value,
    /// How many launches each graph had that was launched.
    graphs: Vec<usize>,
    /// Looks at how far a run is that were asked for before they were waited for, which the results are, too.
    looks: usize,
    /// Copies that were waited for at once, of which a look may be one.
    copies: usize,
}

fn asked(args: &[&str], iterations: usize) -> Asked {
    let iterations = iterations.to_string();
    let outcome = run("works", "cuda", &[args, &["--tolerance", "0", "--iterations", &iterations]].concat());
    let lines = |start: &str| outcome.log.lines().filter_map(|line| line.strip_prefix(start)).collect::<Vec<_>>();
    let nodes = |line: &&str| line.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    Asked {
        graphs: lines("graph of ").iter().map(nodes).collect(),
        looks: lines("wait for an event").len() - RESULTS,
        copies: lines("wait for a stream").len(),
        report: report(&outcome),
    }
}

/// Both forms, and how many launches a step has.
const FORMS: [(&[&str], usize); 2] =
    [(&[], 1), (&["--form", "standard", "--kernel", "triangular", "--bandwidth", "8"], 2)];

/// Up to eight steps are launched, of which the kernels are loaded; the rest is one graph, no longer than the iterations ask
/// for.
#[test]
fn a_short_fit_is_launches_or_a_graph_and_one_look_behind_each() {
    if !has_ptx() {
        return;
    }
    for (form, launches) in FORMS {
        let least = asked(form, 1).copies;
        for (iterations, steps) in [(1, None), (5, None), (8, None), (9, Some(2)), (12, Some(4)), (16, Some(8))] {
            let Asked { report, graphs, looks, copies } = asked(form, iterations);
            assert_eq!(report["iterations"], iterations, "{form:?}");
            let expected: Vec<_> = steps.map(|steps| steps * launches).into_iter().collect();
            // The one look of launches alone is a copy; with a graph behind them there are two, of which neither is.
            let (further, fewer) = if steps.is_some() { (2, 1) } else { (0, 0) };
            assert_eq!((graphs, looks, copies), (expected, further, least - fewer), "{form:?} {iterations}");
        }
    }
}

/// The same graph is launched for each eight iterations more, and the host looks once for each launch, at the one before.
#[test]
fn longer_fits_launch_one_graph_again() {
    if !has_ptx() {
        return;
    }
    for (form, launches) in FORMS {
        let [short, long] = [16, 40].map(|iterations| asked(form, iterations));
        let made = long.report["iterations"].as_u64().expect("a number") as usize;
        assert!(made > 24, "{form:?}: {made} iterations need more than two rounds");
        // Eight steps first; where all points rest before the limit, a graph or two more than it took were under way.
        let (least, most) = ((made - 8).div_ceil(8), ((made - 8).div_ceil(8) + 1).min(4));
        assert!((least..=most).contains(&long.graphs.len()), "{form:?}: {:?} for {made} iterations", long.graphs);
        assert!(long.graphs.iter().all(|&nodes| nodes == 8 * launches), "{form:?}: {:?}", long.graphs);
        assert!((least + 1..=most + 1).contains(&long.looks), "{form:?}: {} looks", long.looks);
        // Nothing else is waited for in an iteration.
        assert_eq!((short.looks, long.copies), (2, short.copies), "{form:?}");
        let counts =
            |key: &str| long.report[key].as_u64().expect("a number") - short.report[key].as_u64().expect("a number");
        assert_eq!(counts("launches") as usize, long.graphs.len() - short.graphs.len(), "{form:?}");
        assert_eq!(counts("downloads") as usize, long.graphs.len() - short.graphs.len(), "{form:?}");
    }
}

/// However many iterations are queued at a time, the result is the processor's, which looks after each.
#[test]
fn queued_iterations_are_those_of_a_processor() {
    if !has_ptx() {
        return;
    }
    for (form, _) in FORMS {
        for iterations in [1, 4, 9, 18, 40] {
            let gpu = asked(form, iterations).report;
            let iterations = iterations.to_string();
            let args = [form, &["--tolerance", "0", "--iterations", &iterations]].concat();
            let cpu = report(&run("works", "cpu", &args));
            assert_eq!(clusters(&gpu).len(), clusters(&cpu).len(), "{form:?} {iterations}");
            assert_eq!(gpu["adjusted_rand_index"], cpu["adjusted_rand_index"], "{form:?} {iterations}");
            // In f32, points may rest exactly an iteration earlier on one of them.
            let made = |report: &Value| report["iterations"].as_u64().expect("a number");
            assert!(made(&gpu).abs_diff(made(&cpu)) <= 3, "{form:?}: {} or {}", made(&gpu), made(&cpu));
        }
    }
}

/// Where launches cannot be recorded after all, they are made one by one, with the same result.
#[test]
fn a_recording_that_fails_costs_time_alone() {
    if !has_ptx() {
        return;
    }
    for (form, launches) in FORMS {
        let args = [form, &["--tolerance", "0", "--iterations", "16"]].concat();
        let [works, fails] = ["works", "recording-fails"].map(|behaviour| run(behaviour, "cuda", &args));
        assert!(!fails.log.contains("graph of "), "{form:?}: {}", fails.log);
        let plain = |outcome: &Outcome| outcome.log.matches("plain launch of shift_").count();
        assert_eq!((plain(&works), plain(&fails)), (8, 16), "{form:?} of {launches} launches a step");
        let [works, fails] = [works, fails].map(|outcome| report(&outcome));
        assert_eq!(works["clusters"], fails["clusters"], "{form:?}");
        assert_eq!(works["last_shift"], fails["last_shift"], "{form:?}");
    }
}
