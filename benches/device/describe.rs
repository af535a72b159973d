//! What a device is, and how long the driver takes to make its code ready.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cuda_std::launch::Kernel;
use gpu::{
    assign, axes, bins, biweight, cauchy, ceilings, cells, components, epanechnikov, flat, gather, gaussian, layout,
    marks, matmul, matmul_blocked, matmul_skinny, moments, neighbours, order, pairwise, reduce, retire, scan, sphere,
    step, suppress, tally, triangular, vector, weight,
};
use modeseek::executor::DeviceChoice;
use serde_json::{Value, json};

use super::opened::Opened;
use super::{Outcome, caught};

/// A kernel of each family, which is a module of the PTX.
static FAMILIES: [(&str, &Kernel); 31] = [
    ("vector", &vector::axpy::KERNEL),
    ("layout", &layout::to_columns::KERNEL),
    ("matmul", &matmul::matmul_tiled::KERNEL),
    ("matmul_blocked", &matmul_blocked::matmul_blocked_128::KERNEL),
    ("matmul_skinny", &matmul_skinny::matmul_skinny::KERNEL),
    ("pairwise", &pairwise::pairwise_l2::KERNEL),
    ("weight", &weight::weight_gaussian::KERNEL),
    ("reduce", &reduce::reduce_weighted_2::KERNEL),
    ("step", &step::step_largest::KERNEL),
    ("gaussian", &gaussian::shift_gaussian_2::KERNEL),
    ("triangular", &triangular::shift_triangular_2::KERNEL),
    ("flat", &flat::shift_flat_2::KERNEL),
    ("epanechnikov", &epanechnikov::shift_epanechnikov_2::KERNEL),
    ("biweight", &biweight::shift_biweight_2::KERNEL),
    ("cauchy", &cauchy::shift_cauchy_2::KERNEL),
    ("retire", &retire::retire::KERNEL),
    ("sphere", &sphere::to_sphere::KERNEL),
    ("marks", &marks::marks::KERNEL),
    ("neighbours", &neighbours::kth_value_l2_2::KERNEL),
    ("gather", &gather::gather::KERNEL),
    ("moments", &moments::column_moments::KERNEL),
    ("axes", &axes::column_extents::KERNEL),
    ("cells", &cells::claim_cells::KERNEL),
    ("components", &components::component_leaders::KERNEL),
    ("scan", &scan::scan_block::KERNEL),
    ("tally", &tally::tally_many::KERNEL),
    ("order", &order::sort_runs::KERNEL),
    ("assign", &assign::nearest_l2::KERNEL),
    ("suppress", &suppress::suppress_l2::KERNEL),
    ("bins", &bins::claim_bins::KERNEL),
    ("ceilings", &ceilings::ceiling_copy::KERNEL),
];

/// A process that loads all families and is not done by then is ended.
const CHILD_LIMIT: Duration = Duration::from_secs(60);

const MEASURED: &str = "Seconds to make the module of each family ready, each in a new process after the device was \
    opened. cold: the driver's cache of compiled code is off (CUDA_CACHE_DISABLE=1). fill: with a cache of its own, \
    empty before. warm: the same again, with what the process before left there.";

/// The device's details; unless `brief`, also how long its code takes to load.
pub fn machine(opened: &Opened, brief: bool) -> Outcome<Value> {
    let mut machine = opened.machine()?;
    if !brief {
        machine["loads"] = match (opened.name, caught(|| loads(opened))) {
            ("cpu", _) => json!({"left_out": "a processor's code is part of the program"}),
            (_, Ok(loads)) => loads,
            (_, Err(why)) => json!({"failed": why.to_string()}),
        };
    }
    Ok(machine)
}

/// Loads every family in three new processes.
fn loads(opened: &Opened) -> Outcome<Value> {
    if opened.name == "cpu" {
        return Ok(Value::Null);
    }
    let cache = tempfile::tempdir()?;
    let device = opened.typed();
    Ok(json!({
        "measured": MEASURED,
        "cold_s": child(&device, None)?,
        "fill_s": child(&device, Some(cache.path()))?,
        "warm_s": child(&device, Some(cache.path()))?,
    }))
}

/// What `device loads` prints in a new process, with this cache of compiled code or none.
fn child(device: &str, cache: Option<&Path>) -> Outcome<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["loads", "--device", device]).stdin(Stdio::null()).stdout(Stdio::piped());
    match cache {
        Some(folder) => command.env("CUDA_CACHE_PATH", folder).env_remove("CUDA_CACHE_DISABLE"),
        None => command.env("CUDA_CACHE_DISABLE", "1"),
    };
    let mut child = command.spawn()?;
    let start = Instant::now();
    // What it prints fits into the pipe, so that it never waits for this process to read.
    while child.try_wait()?.is_none() {
        if start.elapsed() > CHILD_LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(format!("loading the kernels took more than {} s", CHILD_LIMIT.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("a process that loads the kernels ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Loads every family, and prints the seconds of each as one object.
pub fn print_loads(choice: DeviceChoice) -> Outcome<()> {
    let start = Instant::now();
    let opened = Opened::new(choice)?;
    let mut seconds = BTreeMap::from([("open device", start.elapsed().as_secs_f64())]);
    for (family, kernel) in &FAMILIES {
        seconds.insert(family, opened.device.load(kernel)?.as_secs_f64());
    }
    println!("{}", serde_json::to_string(&seconds)?);
    Ok(())
}
