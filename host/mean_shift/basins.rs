//! Where new points come to over the fit's, and what weighs on them there.
//!
//! What leaves out a part of the Gaussian leaves out little beside the weight of a point. A point of the fit has that much: itself. A new
//! one may have less, and then what is left out may be all that moves it. So these begin with a step over all that is
//! in reach of f32, which leads nearly all of them among the points, where they go on as the others do. How far the way of the
//! others is off is not looked at where it is not taken: it need not serve there.

use std::ops::ControlFlow;

use gpu::layout::gather_columns;

use super::fit::Clustering;
use super::fitted::Fitted;
use super::iterate::{Ends, Iteration, Queries};
use super::labels::extents;
use super::options::{Method, WeightFunction};
use super::path::Way;
use super::{MeanShift, near};
use crate::error::Result;

/// Less than the sum of weights of a query that has support (`Weight::LEAST`, 2^-68), and than f32 tells beside it.
const NOTHING: f64 = 1.0 / (1_u128 << 90) as f64;

/// Some of the new points, and which.
struct Asked {
    queries: Queries,
    which: Vec<usize>,
}

impl Asked {
    fn all(queries: Queries) -> Self {
        let which = (0..queries.m as usize).collect();
        Self { queries, which }
    }

    fn is_empty(&self) -> bool {
        self.which.is_empty()
    }
}

impl Clustering {
    /// The modes that queries come to; -1 for those without a point in reach.
    pub(super) fn basins_of(&self, queries: Queries) -> Result<Vec<i32>> {
        let Fitted { options, prepared, .. } = &*self.fitted;
        let field = &prepared.field;
        let mut labels = vec![-1; queries.m as usize];
        let mut label = |ends: Ends, which: &[usize]| -> Result<()> {
            let supports = field.device.download_first(&ends.details, which.len())?;
            let nearest = self.nearest_modes(&ends.queries, None)?;
            for ((&i, mode), support) in which.iter().zip(nearest).zip(supports) {
                labels[i] = if support > 0.0 { mode } else { -1 };
            }
            Ok(())
        };
        let all = self.in_reach(queries)?;
        if all.is_empty() {
            return Ok(labels);
        }
        let mut way = options.choose_above(&field.device, prepared, &all.queries, self.least())?;
        // Of weights that end nothing that counts is left out.
        if matches!(way, Way::AllPairs(_) | Way::InOrder(_)) || self.least() == 0.0 {
            label(options.climb_by(&mut way, prepared, all.queries, &mut going_on)?, &all.which)?;
            return Ok(labels);
        }
        let [enough, little] = self.parted(&mut way, &all)?;
        if !enough.is_empty() {
            label(options.climb_by(&mut way, prepared, enough.queries, &mut going_on)?, &enough.which)?;
        }
        if little.is_empty() {
            return Ok(labels);
        }
        let once = options.clone().max_iterations(1);
        let first = near::climb(&once, field, little.queries, Some(self.far_reach()?), &mut going_on)?;
        let supports = field.device.download_first(&first.details, little.which.len())?;
        let reached = self.those(&Asked { queries: first.queries, which: little.which }, |i| supports[i] > 0.0)?;
        if reached.is_empty() {
            return Ok(labels);
        }
        let left = options.max_iterations - 1;
        if left == 0 {
            let nearest = self.nearest_modes(&reached.queries, None)?;
            reached.which.iter().zip(nearest).for_each(|(&i, mode)| labels[i] = mode);
            return Ok(labels);
        }
        let [enough, little] = self.parted(&mut way, &reached)?;
        let rest = options.clone().max_iterations(left);
        if !enough.is_empty() {
            label(rest.climb_by(&mut way, prepared, enough.queries, &mut going_on)?, &enough.which)?;
        }
        // Between points that are far apart.
        if !little.is_empty() {
            label(near::climb(&rest, field, little.queries, Some(self.far_reach()?), &mut going_on)?, &little.which)?;
        }
        Ok(labels)
    }

    /// sum_j v_j w(|q - x_j| / h) for each query.
    pub(super) fn sums_at(&self, queries: Queries) -> Result<Vec<f32>> {
        let Fitted { options, prepared, .. } = &*self.fitted;
        let field = &prepared.field;
        let of_all = options.accuracy == 0.0 || matches!(options.method, Method::Fused | Method::Composed { .. });
        if of_all {
            let sums = field.step_once(&field.columns, &queries)?.sums;
            return field.device.download_first(&sums, queries.m as usize);
        }
        let mut all = vec![0.0; queries.m as usize];
        let Asked { queries, which } = self.in_reach(queries)?;
        if which.is_empty() {
            return Ok(all);
        }
        let sums = self.sums_in_reach(queries)?;
        which.into_iter().zip(sums).for_each(|(i, sum)| all[i] = sum);
        Ok(all)
    }

    fn sums_in_reach(&self, queries: Queries) -> Result<Vec<f32>> {
        let Fitted { options, prepared, .. } = &*self.fitted;
        let field = &prepared.field;
        let mut way = options.choose_above(&field.device, prepared, &queries, self.least())?;
        if let Way::AllPairs(_) | Way::InOrder(_) = way {
            let sums = field.step_once(&field.columns, &queries)?.sums;
            return field.device.download_first(&sums, queries.m as usize);
        }
        let mut sums = self.first_sums(&mut way, &queries)?;
        let enough = self.enough(&way);
        let little = self.those(&Asked::all(queries), |i| f64::from(sums[i]) < enough)?;
        if !little.is_empty() {
            let once = options.clone().max_iterations(1);
            let first = near::climb(&once, field, little.queries, Some(self.far_reach()?), &mut going_on)?;
            let exact = field.device.download_first(&first.details, little.which.len())?;
            little.which.iter().zip(exact).for_each(|(&i, sum)| sums[i] = sum);
        }
        Ok(sums)
    }

    /// The queries that are not so far from the box about the points that no weight reaches them: a field's box need not go
    /// there.
    fn in_reach(&self, queries: Queries) -> Result<Asked> {
        let Fitted { options, prepared, .. } = &*self.fitted;
        let (device, d) = (&prepared.field.device, prepared.field.d);
        let unknown = matches!(options.weight, WeightFunction::Own(_));
        if unknown || options.bandwidth.is_of_points() || self.is_of_directions() {
            return Ok(Asked::all(queries));
        }
        // A little more, for roundings.
        let reach = self.far_reach()? * options.weight.scale() * 1.001;
        let boxed: Vec<(f64, f64)> =
            extents(device, prepared.columns())?.into_iter().map(|(low, high)| (low - reach, high + reach)).collect();
        let asked = extents(device, queries.as_columns(d))?;
        if boxed.iter().zip(asked).all(|(within, asked)| within.0 <= asked.0 && asked.1 <= within.1) {
            return Ok(Asked::all(queries));
        }
        let (columns, stride) = (device.download(&queries.columns)?, queries.stride as usize);
        let inside = |i: usize| {
            let at = |c: usize| f64::from(columns[c * stride + i]);
            boxed.iter().enumerate().all(|(c, (low, high))| (*low..=*high).contains(&at(c)))
        };
        self.those(&Asked::all(queries), inside)
    }

    /// The least weight of a point, as sums have it, beside which little is left out; of other weights than the Gaussian
    /// nothing that counts is.
    fn least(&self) -> f64 {
        let Fitted { options, prepared, .. } = &*self.fitted;
        if options.weight == WeightFunction::Gaussian { options.factors_of(prepared).1 } else { 0.0 }
    }

    /// The sum of weights from which on a way serves to find labels.
    fn enough(&self, way: &Way) -> f64 {
        match way {
            Way::Field(..) => self.least(),
            // A hundredth of a point's weight is still a hundred times what was left out.
            _ => 0.01 * self.least(),
        }
    }

    /// Those for which a way serves, and the others.
    fn parted(&self, way: &mut Way, all: &Asked) -> Result<[Asked; 2]> {
        let (sums, enough) = (self.first_sums(way, &all.queries)?, self.enough(way));
        let serves = |i: usize| f64::from(sums[i]) >= enough;
        Ok([self.those(all, serves)?, self.those(all, |i| !serves(i))?])
    }

    /// The sums of weights at queries, as a way finds them.
    fn first_sums(&self, way: &mut Way, queries: &Queries) -> Result<Vec<f32>> {
        let Fitted { options, prepared, .. } = &*self.fitted;
        let (m, once) = (queries.m, options.clone().max_iterations(1));
        let copy = self.picked(queries, &(0..m).collect::<Vec<_>>())?;
        let ends = once.climb_by(way, prepared, copy, &mut going_on)?;
        prepared.field.device.download_first(&ends.details, m as usize)
    }

    /// How far f32 reaches, in bandwidths.
    fn far_reach(&self) -> Result<f64> {
        let Fitted { options, prepared, .. } = &*self.fitted;
        MeanShift { accuracy: NOTHING, ..options.clone() }.reach_of(&prepared.field)
    }

    /// Those of some queries that are meant, by their places there.
    fn those(&self, of: &Asked, meant: impl Fn(usize) -> bool) -> Result<Asked> {
        let ids: Vec<u32> = (0..of.queries.m).filter(|&i| meant(i as usize)).collect();
        let which = ids.iter().map(|&i| of.which[i as usize]).collect();
        Ok(Asked { queries: self.picked(&of.queries, &ids)?, which })
    }

    /// Copies of some queries.
    fn picked(&self, queries: &Queries, ids: &[u32]) -> Result<Queries> {
        let field = &self.fitted.prepared.field;
        let (count, stride) = (ids.len(), Queries::stride_of(ids.len()));
        let mut columns = field.device.zeros(field.d as usize * stride)?;
        if count > 0 {
            let ids = field.device.upload(ids)?;
            let sizes = (count as u32, field.d, queries.stride, stride as u32);
            let from = &queries.columns;
            let call = gather_columns::launch(from, &ids, &mut columns, sizes.0, sizes.1, sizes.2, sizes.3);
            field.device.launch(call)?;
        }
        Ok(Queries::new(columns, count, stride))
    }
}

/// A watch that lets queries climb to their ends.
fn going_on(_: Iteration) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
