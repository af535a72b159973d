//! The cases: `benches/cases.json`, which peers in other languages read, too.

use serde_json::{Map, Value};

use super::Outcome;

const CASES: &str = include_str!("../cases.json");

/// What a kernel works on. `n` points of `d` dimensions; `m`, `k`, `n` of a product; `m` queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One blurring step of n points.
    Step { n: usize, d: usize },
    /// m x k times k x n.
    Product { m: usize, k: usize, n: usize },
    /// Distances of m points to n.
    Pairwise { m: usize, n: usize, d: usize },
    /// m x n weights times n points.
    Reduce { m: usize, n: usize, d: usize },
}

/// A case of a kernel, and what it is tried with.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub shape: Shape,
    pub tried: Shape,
}

/// A whole clustering.
#[derive(Clone, Debug)]
pub struct Run {
    pub name: String,
    pub n: usize,
    pub d: usize,
    /// As many iterations; or else until converged.
    pub iterations: Option<usize>,
}

/// The kinds of cases that are kernels, in the order in which they are measured.
pub const KINDS: [&str; 4] = ["step", "product", "pairwise", "reduce"];

/// All cases of kernels.
pub fn kernels() -> Outcome<Vec<Case>> {
    let mut cases = Vec::new();
    for kind in KINDS {
        for entry in entries(kind)? {
            let (name, shape) = (name(&entry)?, shape(kind, &entry)?);
            cases.push(Case { name, shape, tried: shape_of_tried(kind, &entry)? });
        }
    }
    Ok(cases)
}

/// All whole clusterings.
pub fn runs(tried: bool) -> Outcome<Vec<Run>> {
    let run = |entry: Map<String, Value>| {
        let sizes = if tried { replaced(&entry) } else { entry.clone() };
        let iterations = sizes.contains_key("iterations").then(|| number(&sizes, "iterations")).transpose()?;
        Ok(Run { name: name(&entry)?, n: number(&sizes, "n")?, d: number(&sizes, "d")?, iterations })
    };
    entries("run")?.into_iter().map(run).collect()
}

fn entries(kind: &str) -> Outcome<Vec<Map<String, Value>>> {
    let all: Value = serde_json::from_str(CASES)?;
    let entries = all[kind].as_array().ok_or_else(|| format!("cases.json has no list {kind}"))?;
    let object =
        |entry: &Value| entry.as_object().cloned().ok_or_else(|| format!("{kind}: {entry} is no object").into());
    entries.iter().map(object).collect()
}

fn name(entry: &Map<String, Value>) -> Outcome<String> {
    let name = entry.get("case").and_then(Value::as_str);
    Ok(name.ok_or_else(|| format!("{entry:?} has no name"))?.to_owned())
}

fn number(entry: &Map<String, Value>, key: &str) -> Outcome<usize> {
    let number = entry.get(key).and_then(Value::as_u64).filter(|number| *number > 0);
    Ok(number.ok_or_else(|| format!("{entry:?} has no size {key}"))? as usize)
}

/// An entry with the sizes that it is tried with.
fn replaced(entry: &Map<String, Value>) -> Map<String, Value> {
    let mut replaced = entry.clone();
    if let Some(Value::Object(tried)) = entry.get("tried") {
        replaced.extend(tried.clone());
    }
    replaced
}

fn shape_of_tried(kind: &str, entry: &Map<String, Value>) -> Outcome<Shape> {
    shape(kind, &replaced(entry))
}

fn shape(kind: &str, entry: &Map<String, Value>) -> Outcome<Shape> {
    let size = |key| number(entry, key);
    Ok(match kind {
        "step" => Shape::Step { n: size("n")?, d: size("d")? },
        "product" => Shape::Product { m: size("m")?, k: size("k")?, n: size("n")? },
        "pairwise" => Shape::Pairwise { m: size("m")?, n: size("n")?, d: size("d")? },
        "reduce" => Shape::Reduce { m: size("m")?, n: size("n")?, d: size("d")? },
        other => return Err(format!("there are no cases of kind {other}").into()),
    })
}

impl Shape {
    /// The size that a probe makes smaller: the points of a step, else the rows of the output.
    pub fn rows(self) -> usize {
        match self {
            Self::Step { n, .. } => n,
            Self::Product { m, .. } | Self::Pairwise { m, .. } | Self::Reduce { m, .. } => m,
        }
    }

    /// The same with so many rows.
    pub fn with_rows(self, rows: usize) -> Self {
        match self {
            Self::Step { d, .. } => Self::Step { n: rows, d },
            Self::Product { k, n, .. } => Self::Product { m: rows, k, n },
            Self::Pairwise { n, d, .. } => Self::Pairwise { m: rows, n, d },
            Self::Reduce { n, d, .. } => Self::Reduce { m: rows, n, d },
        }
    }

    /// With which power of the rows the work grows.
    pub fn power(self) -> i32 {
        if let Self::Step { .. } = self { 2 } else { 1 }
    }
}
