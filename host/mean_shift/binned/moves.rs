//! Iterations over a binned field.

use gpu::binned::{blur_1, blur_2, blur_3, climb_1, climb_2, climb_3};
use gpu::binned_many::{blur_4, blur_5, climb_4, climb_5};
use gpu::retire::begin;

use super::blocks::Table;
use super::field::Field;
use super::grid::{FEW_DIMENSIONS, Grid};
use super::met::{Looks, Met};
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::MeanShift;
use crate::mean_shift::iterate::{Ends, Queries, Run, Watch};
use crate::mean_shift::labels::Columns;
use crate::mean_shift::rounds::Rounds;

/// Iterations of a query in one launch, between which nobody is told of them.
const AT_ONCE: u32 = 16;

impl Field {
    /// One launch of up to `rounds` iterations of each query that has not come to rest, up to `limit` in all.
    pub fn climb(
        &self,
        device: &Device,
        queries: &mut Queries,
        details: &mut Buffer<f32>,
        state: &mut Buffer<u32>,
        (rounds, limit, tolerance): (u32, u32, f32),
    ) -> Result<()> {
        let Grid { d, nodes: [x, y, z, u, v], low, spacing, .. } = self.grid;
        let (inverse, low) = (1.0 / spacing, low.map(|low| low as f64));
        let (nodes, Queries { columns, m, stride, .. }) = (&self.nodes, queries);
        let Table { slots, keys } = self.read();
        let (m, stride) = (*m, *stride);
        macro_rules! climb {
            ($kernel:ident) => {
                $kernel::launch(
                    nodes, slots, keys, columns, details, state, m, stride, rounds, limit, tolerance, x, y, z, inverse,
                    low[0], low[1], low[2],
                )
            };
        }
        if d > FEW_DIMENSIONS {
            let (lows, (patches, count)) = (&self.low, self.patches());
            macro_rules! climb {
                ($kernel:ident) => {
                    $kernel::launch(
                        nodes, lows, patches, columns, details, state, m, stride, rounds, limit, tolerance, count, x,
                        y, z, u, v, inverse,
                    )
                };
            }
            return device.launch(if d == 4 { climb!(climb_4) } else { climb!(climb_5) });
        }
        device.launch(match d {
            1 => climb!(climb_1),
            2 => climb!(climb_2),
            _ => climb!(climb_3),
        })
    }

    /// Moves queries over the field, all of whose nodes are stored, until each rests.
    pub fn climb_all(&self, device: &Device, options: &MeanShift, queries: Queries, watch: Watch<'_>) -> Result<Ends> {
        climb_by(device, options, queries, watch, |queries, details, state, iterations| {
            self.climb(device, queries, details, state, iterations)
        })
    }

    /// [`climb_all`](Self::climb_all) of a field that may be stored in blocks: those that queries come to are added.
    pub fn climb_anywhere(
        &mut self,
        device: &Device,
        options: &MeanShift,
        queries: Queries,
        watch: Watch<'_>,
    ) -> Result<Ends> {
        let d = self.grid.d as u32;
        climb_by(device, options, queries, watch, |queries, details, state, iterations| {
            loop {
                self.climb(device, queries, details, state, iterations)?;
                // Those that wait for a block go on where they are.
                if !self.follow_queries(device, queries.as_columns(d))? {
                    return Ok(());
                }
            }
        })
    }

    /// Moves points over the field that has been built of them, and is again for each iteration, until they rest; or until they have
    /// met in few places.
    pub fn blur_all(
        &mut self,
        device: &Device,
        options: &MeanShift,
        (mut points, d): (Queries, u32),
        factors: &Buffer<f32>,
        watch: Watch<'_>,
    ) -> Result<(Ends, Met)> {
        let mut sums = device.zeros(2 * points.stride as usize)?;
        let mut run = Run::new(device, options, watch)?;
        device.launch(begin::launch(&mut device.room(points.m as usize)?, &mut run.state, points.m))?;
        let limit = run.limit as u32;
        // Points may leave their nodes in each iteration, and then need others before the next.
        let mut rounds =
            if self.tightens(device) { Rounds::of_one_step(device, run.limit) } else { Rounds::new(device, run.limit) };
        let ahead = rounds.are_ahead(points.m, points.m);
        let (mut looks, mut met) = (Looks::new(device), None);
        while met.is_none() {
            let steps = |mut numbers: std::ops::Range<usize>| {
                numbers.try_for_each(|number| {
                    let state = &mut run.state;
                    if number > 0 {
                        self.add(device, points.as_columns(d), factors, (&mut *state, limit))?;
                        self.smooth(device, false, (&mut *state, limit))?;
                    }
                    self.blur(device, &mut points, &mut sums, (&mut *state, limit), options.scaled_tolerance())
                })
            };
            if rounds.has_more() {
                // SAFETY: every step but the first, which is never recorded, is the same, of buffers that live as long as the
                // loop; where nodes change, nothing is recorded.
                unsafe { rounds.queue(steps) }?;
            }
            if !run.look_behind(device, &rounds, ahead)? {
                break;
            }
            self.follow_points(device, points.as_columns(d))?;
            // What is queued ahead has not been heard of: points so few are not worth it.
            if !ahead {
                met = looks.look(device, self, options, (points.as_columns(d), factors), run.done)?;
            }
        }
        drop(rounds);
        Ok((run.ends(points, sums), Met { places: met, bytes: looks.bytes }))
    }

    /// One iteration of the blurring form.
    fn blur(
        &self,
        device: &Device,
        points: &mut Queries,
        sums: &mut Buffer<f32>,
        (state, limit): (&mut Buffer<u32>, u32),
        tolerance: f32,
    ) -> Result<()> {
        let Grid { d, nodes: [x, y, z, u, v], low, spacing, .. } = self.grid;
        let (inverse, low) = (1.0 / spacing, low.map(|low| low as f64));
        let (nodes, Queries { columns, m, stride, .. }) = (&self.nodes, points);
        let Table { slots, keys } = self.read();
        let (m, stride) = (*m, *stride);
        macro_rules! blur {
            ($kernel:ident) => {
                $kernel::launch(
                    nodes, slots, keys, columns, sums, state, m, stride, limit, tolerance, x, y, z, inverse, low[0],
                    low[1], low[2],
                )
            };
        }
        if d > FEW_DIMENSIONS {
            let (lows, (patches, count)) = (&self.low, self.patches());
            macro_rules! blur {
                ($kernel:ident) => {
                    $kernel::launch(
                        nodes, lows, patches, columns, sums, state, m, stride, limit, tolerance, count, x, y, z, u, v,
                        inverse,
                    )
                };
            }
            return device.launch(if d == 4 { blur!(blur_4) } else { blur!(blur_5) });
        }
        device.launch(match d {
            1 => blur!(blur_1),
            2 => blur!(blur_2),
            _ => blur!(blur_3),
        })
    }
}

/// Moves queries by rounds of `climb`, which takes how many iterations it may make, in a launch and in all, and the
/// tolerance, until each rests.
fn climb_by(
    device: &Device,
    options: &MeanShift,
    mut queries: Queries,
    watch: Watch<'_>,
    mut climb: impl FnMut(&mut Queries, &mut Buffer<f32>, &mut Buffer<u32>, (u32, u32, f32)) -> Result<()>,
) -> Result<Ends> {
    let mut details = device.zeros(3 * queries.stride as usize)?;
    let mut run = Run::new(device, options, watch)?;
    device.launch(begin::launch(&mut device.room(queries.m as usize)?, &mut run.state, queries.m))?;
    for round in 1.. {
        // No query is ahead of the others when the host looks.
        let limit = (run.limit as u32).min(round * AT_ONCE);
        climb(&mut queries, &mut details, &mut run.state, (AT_ONCE, limit, options.scaled_tolerance()))?;
        if !run.look(device, limit as usize)? {
            break;
        }
    }
    Ok(run.ends(queries, details))
}

impl Queries {
    /// As labels take them.
    pub fn as_columns(&self, d: u32) -> Columns<'_> {
        Columns { values: &self.columns, n: self.m as usize, d: d as usize, stride: self.stride as usize }
    }
}
