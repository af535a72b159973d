//! Result files: rows, written after every case, so that a program that is killed leaves what it had.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Outcome;

/// What one repeat does. Only what means something is given.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Work {
    /// Pairs of points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<f64>,
    /// Bytes that must be read and written, each once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<f64>,
    /// Additions and multiplications; a fused one counts as two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
    /// Powers of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponentials: Option<f64>,
}

/// How a result compares with what is right.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub against: &'static str,
    pub measure: &'static str,
    /// Null where it is not a number.
    pub error: f64,
    pub limit: f64,
    pub passed: bool,
}

impl Check {
    /// Passed if the error is a number within the limit.
    pub fn new(against: &'static str, measure: &'static str, error: f64, limit: f64) -> Self {
        Self { against, measure, error, limit, passed: error <= limit }
    }
}

/// What one implementation did with one case.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub case: String,
    pub implementation: String,
    pub device: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// Seconds of one repeat; a list for each pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples_s: Vec<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it was not tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// Why there is no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What only some rows have.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Row {
    /// A row to be filled.
    pub fn new(case: &str, implementation: &str, device: &'static str) -> Self {
        Self { case: case.to_owned(), implementation: implementation.to_owned(), device, ..Self::default() }
    }

    /// Whether nothing more is to be done for it.
    pub fn is_closed(&self) -> bool {
        self.left_out.is_some() || self.failed.is_some()
    }

    /// Makes it a row of what failed. Samples of an implementation that fails later tell nothing.
    pub fn fail(&mut self, why: &str) {
        self.samples_s.clear();
        self.failed = Some(one_line(why));
    }

    /// Leaves it out because the time is over, unless a pass before measured it.
    pub fn not_reached(&mut self, why: String) {
        if !self.is_closed() && self.samples_s.is_empty() {
            self.left_out = Some(why);
        }
    }

    /// The median of all samples.
    pub fn median(&self) -> Option<f64> {
        let mut samples: Vec<f64> = self.samples_s.iter().flatten().copied().collect();
        samples.sort_by(f64::total_cmp);
        samples.get(samples.len() / 2).copied()
    }

    fn line(&self) -> String {
        let said = match (&self.left_out, &self.failed, self.median()) {
            (Some(why), ..) => format!("left out: {why}"),
            (_, Some(why), _) => format!("FAILED: {why}"),
            (.., Some(median)) => format!("{:>12}  {}", seconds(median), self.rate(median)),
            _ => "not measured".to_owned(),
        };
        format!("{:<12} {:<30} {:<22} {said}", self.device, self.case, self.implementation)
    }

    fn rate(&self, seconds: f64) -> String {
        let work = self.work.unwrap_or_default();
        let units =
            [(work.pairs, "pairs"), (work.flops, "flop"), (work.exponentials, "exponentials"), (work.bytes, "bytes")];
        let rate = |(amount, unit): (Option<f64>, &str)| Some(format!("{:.3e} {unit}/s", amount? / seconds));
        units.into_iter().filter_map(rate).collect::<Vec<_>>().join("  ")
    }
}

/// Rows in the order in which they were begun, and the file that they are in.
pub struct Results {
    path: Option<PathBuf>,
    pub machine: Value,
    rows: Vec<Row>,
}

impl Results {
    /// Begins a result file: it is written at once, so that a folder that is not writable is known first.
    pub fn begin(path: Option<&Path>, machine: Value) -> Outcome<Self> {
        let results = Self { path: path.map(Path::to_path_buf), machine, rows: Vec::new() };
        results.write()?;
        Ok(results)
    }

    /// The row of an implementation, which is made if it is not there.
    pub fn row(&mut self, case: &str, implementation: &str, device: &'static str) -> &mut Row {
        let found = self.rows.iter().position(|row| row.case == case && row.implementation == implementation);
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row::new(case, implementation, device));
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// Writes the file beside its place, and then puts it there: it is whole at any time.
    pub fn write(&self) -> Outcome<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut beside = path.clone().into_os_string();
        beside.push(".part");
        // A row that was begun has nothing to tell yet.
        let rows: Vec<_> = self.rows.iter().filter(|row| row.is_closed() || !row.samples_s.is_empty()).collect();
        let text = serde_json::to_string(&json!({"machine": self.machine, "rows": rows}))?;
        let written = std::fs::write(&beside, text + "\n").and_then(|()| std::fs::rename(&beside, path));
        written.map_err(|error| format!("{} cannot be written: {error}", path.display()).into())
    }

    /// A line for each row.
    pub fn print(&self) {
        for row in &self.rows {
            println!("{}", row.line());
        }
    }

    /// Whether a row failed, or a check.
    pub fn failed(&self) -> bool {
        let wrong = |row: &Row| row.failed.is_some() || row.check.as_ref().is_some_and(|check| !check.passed);
        self.rows.iter().any(wrong)
    }
}

/// Seconds, in the unit that fits.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.3} s"),
        s if s >= 1e-3 => format!("{:.3} ms", s * 1e3),
        s => format!("{:.3} us", s * 1e6),
    }
}

/// A reason as one line of no great length: a driver's log has many.
pub fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 400 { line } else { line.chars().take(399).chain(['…']).collect() }
}
