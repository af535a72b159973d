//! Queries that may begin anywhere: new points, seeds that were given, and points of the fit that weigh nothing.
//!
//! What leaves out a part of the Gaussian leaves out little beside the weight of a point. A point that has a weight has that much: itself.
//! These may have less, and then what is left out may be all that moves them. So those that have begin with a step over all that is
//! in reach of f32, which leads nearly all of them among the points, where they go on as the others do. How far the way of the
//! others is off is not looked at where it is not taken: it need not serve there.

use gpu::layout::gather_columns;

use super::builder::MeanShift;
use super::iterate::{Ends, Field, Iteration, Queries, Watch};
use super::near::{self, First};
use super::options::{Seeding, WeightFunction};
use super::path::Way;
use super::prepare::Prepared;
use crate::error::Result;
use crate::executor::Device;

/// Some of the queries, and which.
pub(super) struct Asked {
    pub queries: Queries,
    pub which: Vec<usize>,
}

impl Asked {
    pub fn all(queries: Queries) -> Self {
        let which = (0..queries.m as usize).collect();
        Self { queries, which }
    }

    pub fn is_empty(&self) -> bool {
        self.which.is_empty()
    }

    /// Those of them that are meant, by their places among these.
    pub fn those(&self, field: &Field, meant: impl Fn(usize) -> bool) -> Result<Self> {
        let ids: Vec<u32> = (0..self.queries.m).filter(|&i| meant(i as usize)).collect();
        let which = ids.iter().map(|&i| self.which[i as usize]).collect();
        Ok(Self { queries: self.queries.picked(&field.device, field.d, &ids)?, which })
    }
}

impl Queries {
    /// Copies of some.
    pub fn picked(&self, device: &Device, d: u32, ids: &[u32]) -> Result<Self> {
        let (count, stride) = (ids.len(), Self::stride_of(ids.len()));
        let mut columns = device.zeros(d as usize * stride)?;
        if count > 0 {
            let ids = device.upload(ids)?;
            let sizes = (count as u32, d, self.stride, stride as u32);
            let from = &self.columns;
            device.launch(gather_columns::launch(from, &ids, &mut columns, sizes.0, sizes.1, sizes.2, sizes.3))?;
        }
        Ok(Self::new(columns, count, stride))
    }
}

impl MeanShift {
    /// The least weight of a point, as sums have it, beside which little is left out; of other weights than the Gaussian
    /// nothing that counts is.
    pub(super) fn least(&self, prepared: &Prepared) -> f64 {
        if self.weight == WeightFunction::Gaussian { self.factors_of(prepared).1 } else { 0.0 }
    }

    /// [`least`](Self::least), where some of a fit's queries may have less; else 0. Bins are about points.
    pub(super) fn needed(&self, prepared: &Prepared, queries: &Queries) -> f64 {
        let given = matches!(self.seeding, Seeding::At(_)) && !queries.at_points;
        if given || prepared.field.weightless { self.least(prepared) } else { 0.0 }
    }

    /// [`climb_by`](Self::climb_by) of queries that may begin anywhere. Whoever watches is told of some of them after the others.
    pub(super) fn climb_from_anywhere(
        &self,
        way: &mut Way,
        prepared: &Prepared,
        queries: Queries,
        watch: Watch<'_>,
    ) -> Result<Ends> {
        // Of weights that end nothing that counts is left out.
        if matches!(way, Way::AllPairs(_) | Way::InOrder(_)) || self.least(prepared) == 0.0 {
            return self.climb_by(way, prepared, queries, watch);
        }
        let field = &prepared.field;
        let [enough, little] = self.parted(way, prepared, Asked::all(queries))?;
        if little.is_empty() {
            return self.climb_by(way, prepared, enough.queries, watch);
        }
        let mut parts = Parts::new(self, field, enough.which.len() + little.which.len());
        if !enough.is_empty() {
            parts.add(&enough.which, self.climb_by(way, prepared, enough.queries, watch)?, 0)?;
        }
        let far = Some(self.far_reach(field)?);
        let once = self.clone().max_iterations(1);
        let first = near::climb(&once, field, little.queries, far, watch)?;
        let supports = field.device.download_first(&first.details, little.which.len())?;
        let places = first.queries.picked(&field.device, field.d, &(0..first.queries.m).collect::<Vec<_>>())?;
        parts.add(&little.which, first, 0)?;
        let reached = Asked { queries: places, which: little.which }.those(field, |i| supports[i] > 0.0)?;
        let left = self.max_iterations - 1;
        if !reached.is_empty() && left > 0 {
            let rest = self.clone().max_iterations(left);
            let mut watch = |iteration: Iteration| watch(Iteration { number: 1 + iteration.number, ..iteration });
            let [enough, little] = self.parted(way, prepared, reached)?;
            if !enough.is_empty() {
                parts.add(&enough.which, rest.climb_by(way, prepared, enough.queries, &mut watch)?, 1)?;
            }
            // Between points that are far apart.
            if !little.is_empty() {
                parts.add(&little.which, near::climb(&rest, field, little.queries, far, &mut watch)?, 1)?;
            }
        }
        parts.ends()
    }

    /// The sum of weights from which on a way serves.
    pub(super) fn enough(&self, way: &Way, prepared: &Prepared) -> f64 {
        self.least(prepared)
            * match way {
                // A point that is alone has its own weight, but for a field's error.
                Way::Field(..) => 0.99,
                // A hundredth of a point's weight is still a hundred times what was left out.
                _ => 0.01,
            }
    }

    /// Those for which a way serves, and the others.
    fn parted(&self, way: &mut Way, prepared: &Prepared, all: Asked) -> Result<[Asked; 2]> {
        let (sums, enough) = (self.first_sums(way, prepared, &all.queries)?, self.enough(way, prepared));
        let serves = |i: usize| f64::from(sums[i]) >= enough;
        if (0..sums.len()).all(serves) {
            let none = Queries::new(prepared.field.device.zeros(0)?, 0, 0);
            return Ok([all, Asked::all(none)]);
        }
        Ok([all.those(&prepared.field, serves)?, all.those(&prepared.field, |i| !serves(i))?])
    }

    /// The sums of weights at queries, as a way finds them.
    pub(super) fn first_sums(&self, way: &mut Way, prepared: &Prepared, queries: &Queries) -> Result<Vec<f32>> {
        let (field, m, once) = (&prepared.field, queries.m, self.clone().max_iterations(1));
        let copy = queries.picked(&field.device, field.d, &(0..m).collect::<Vec<_>>())?;
        let ends = once.climb_by(way, prepared, copy, &mut going_on)?;
        field.device.download_first(&ends.details, m as usize)
    }
}

/// A watch that lets queries climb to their ends.
pub(super) fn going_on(_: Iteration) -> std::ops::ControlFlow<()> {
    std::ops::ControlFlow::Continue(())
}

/// Ends of queries some of which go other ways than the others, or on from where they ended.
struct Parts<'a> {
    options: &'a MeanShift,
    field: &'a Field,
    m: usize,
    stride: usize,
    columns: Vec<f32>,
    details: Vec<f32>,
    history: Vec<f64>,
    cancelled: bool,
    pairs: u64,
    /// Of each part that begins.
    firsts: Vec<Option<First>>,
}

impl<'a> Parts<'a> {
    fn new(options: &'a MeanShift, field: &'a Field, m: usize) -> Self {
        let stride = Queries::stride_of(m);
        let (columns, details) = (vec![0.0; field.d as usize * stride], vec![0.0; 3 * stride]);
        let (history, firsts) = (Vec::new(), Vec::new());
        Self { options, field, m, stride, columns, details, history, cancelled: false, pairs: 0, firsts }
    }

    /// Takes the ends of these, behind so many iterations.
    fn add(&mut self, which: &[usize], ends: Ends, done: usize) -> Result<()> {
        let from = ends.queries.stride as usize;
        let spread = |to: &mut [f32], of: &[f32]| {
            for (to, of) in to.chunks_mut(self.stride).zip(of.chunks(from)) {
                which.iter().zip(of).for_each(|(&i, &value)| to[i] = value);
            }
        };
        spread(&mut self.columns, &self.field.device.download(&ends.queries.columns)?);
        let mut details = self.field.device.download(&ends.details)?;
        // Their last row are iterations, as bits.
        details[2 * from..].iter_mut().for_each(|bits| *bits = f32::from_bits(bits.to_bits() + done as u32));
        spread(&mut self.details, &details);
        self.history.resize(self.history.len().max(done + ends.history.len()), 0.0);
        for (largest, shift) in self.history[done..].iter_mut().zip(&ends.history) {
            *largest = largest.max(*shift);
        }
        self.cancelled |= ends.cancelled;
        self.pairs += ends.pairs;
        if done == 0 {
            self.firsts.push(ends.first);
        }
        Ok(())
    }

    fn ends(self) -> Result<Ends> {
        let Self { options, field, m, stride, columns, details, history, cancelled, pairs, firsts } = self;
        let tolerance = options.scaled_tolerance();
        let converged = details[stride..][..m].iter().all(|&squared| squared <= tolerance);
        // Pairs are told where each part has counted them.
        let first = firsts.into_iter().reduce(|a, b| {
            let (a, b) = (a?, b?);
            Some(First { kept: a.kept + b.kept, ideal: a.ideal + b.ideal })
        });
        let queries = Queries::new(field.device.upload(&columns)?, m, stride);
        let details = field.device.upload(&details)?;
        Ok(Ends { queries, details, history, converged, cancelled, pairs, first: first.flatten() })
    }
}
