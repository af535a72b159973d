//! Where new points come to over the fit's, and what weighs on them there: they may be anywhere (anywhere.rs).

use super::anywhere::{Asked, going_on};
use super::fitted::Fitted;
use super::iterate::{Queries, Watch};
use super::labels::extents;
use super::near;
use super::options::{Method, WeightFunction};
use super::path::Way;
use crate::error::Result;

impl Fitted {
    /// The modes that queries come to; -1 for those without a point in reach.
    pub(super) fn basins_of(&self, queries: Queries, watch: Watch<'_>) -> Result<Vec<i32>> {
        let Fitted { options, prepared, .. } = self;
        let field = &prepared.field;
        let mut labels = vec![-1; queries.m as usize];
        let Asked { queries, which } = self.in_reach(queries)?;
        if which.is_empty() {
            return Ok(labels);
        }
        let mut way = options.choose_above(&field.device, prepared, &queries, options.least(prepared))?;
        let ends = options.climb_from_anywhere(&mut way, prepared, queries, watch)?;
        let supports = field.device.download_first(&ends.details, which.len())?;
        let nearest = self.nearest_modes(&ends.queries, None)?;
        for ((i, mode), support) in which.into_iter().zip(nearest).zip(supports) {
            labels[i] = if support > 0.0 { mode } else { -1 };
        }
        Ok(labels)
    }

    /// sum_j v_j w(|q - x_j| / h) for each query.
    pub(super) fn sums_at(&self, queries: Queries) -> Result<Vec<f32>> {
        let Fitted { options, prepared, .. } = self;
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
        let Fitted { options, prepared, .. } = self;
        let field = &prepared.field;
        let mut way = options.choose_above(&field.device, prepared, &queries, options.least(prepared))?;
        if let Way::AllPairs(_) | Way::InOrder(_) = way {
            let sums = field.step_once(&field.columns, &queries)?.sums;
            return field.device.download_first(&sums, queries.m as usize);
        }
        let mut sums = options.first_sums(&mut way, prepared, &queries)?;
        let enough = options.enough(&way, prepared);
        let little = Asked::all(queries).those(field, |i| f64::from(sums[i]) < enough)?;
        if !little.is_empty() {
            let once = options.clone().max_iterations(1);
            let far = Some(options.far_reach(field)?);
            let first = near::climb(&once, field, little.queries, far, &mut going_on)?;
            let exact = field.device.download_first(&first.details, little.which.len())?;
            little.which.iter().zip(exact).for_each(|(&i, sum)| sums[i] = sum);
        }
        Ok(sums)
    }

    /// The queries that are not so far from the box about the points that no weight reaches them: a field's box need not go
    /// there.
    fn in_reach(&self, queries: Queries) -> Result<Asked> {
        let Fitted { options, prepared, .. } = self;
        let (field, device, d) = (&prepared.field, &prepared.field.device, prepared.field.d);
        let unknown = matches!(options.weight, WeightFunction::Own(_));
        if unknown || options.bandwidth.is_of_points() || self.is_of_directions() {
            return Ok(Asked::all(queries));
        }
        // A little more, for roundings.
        let reach = options.far_reach(field)? * options.weight.scale() * 1.001;
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
        Asked::all(queries).those(field, inside)
    }
}
