//! What a device is, and how long the driver takes to make its code ready.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cuda_std::launch::Kernel;
use gpu::{axes, binned, cells, components, gaussian, layout, order, retire, scan, smooth, spread, tally};
use modeseek::executor::DeviceChoice;
use serde_json::{Value, json};

use super::opened::Opened;
use super::{Outcome, caught};

/// The kernels of the main job, `modeseek --points 100000`, each a module of its own.
static JOB: [&Kernel; 28] = [
    &layout::to_columns::KERNEL,
    &axes::column_extents::KERNEL,
    &spread::spread_2::KERNEL,
    &spread::settle::KERNEL,
    &smooth::smooth_2_x::KERNEL,
    &smooth::smooth_2_y::KERNEL,
    &layout::gather_columns::KERNEL,
    &retire::begin::KERNEL,
    &gaussian::shift_gaussian_2::KERNEL,
    &binned::climb_2::KERNEL,
    &binned::blur_2::KERNEL,
    &cells::claim_cells::KERNEL,
    &components::component_leaders::KERNEL,
    &components::link_leaders::KERNEL,
    &components::unite_l2::KERNEL,
    &components::component_roots::KERNEL,
    &scan::scan_sums::KERNEL,
    &scan::scan_block::KERNEL,
    &scan::scan_runs::KERNEL,
    &components::component_numbers::KERNEL,
    &axes::largest_magnitude::KERNEL,
    &tally::tally_few::KERNEL,
    &tally::tally_means::KERNEL,
    &order::group_keys::KERNEL,
    &order::sort_runs::KERNEL,
    &order::label_groups::KERNEL,
    &order::permute_groups::KERNEL,
    &order::relabel::KERNEL,
];

/// A process that loads them all and is not done by then is ended.
const CHILD_LIMIT: Duration = Duration::from_secs(60);

const MEASURED: &str = "Seconds to make each kernel of the main job ready, one after another in a new process after the device was \
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

/// Loads them in three new processes.
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

/// Loads every kernel, and prints the seconds of each as one object.
pub fn print_loads(choice: DeviceChoice) -> Outcome<()> {
    let start = Instant::now();
    let opened = Opened::new(choice)?;
    let mut seconds = BTreeMap::from([("open device", start.elapsed().as_secs_f64())]);
    for kernel in JOB {
        seconds.insert(kernel.name, opened.device.load(kernel)?.as_secs_f64());
    }
    let all = seconds.iter().filter(|(what, _)| **what != "open device").map(|(_, seconds)| seconds).sum();
    seconds.insert("all kernels", all);
    println!("{}", serde_json::to_string(&seconds)?);
    Ok(())
}
