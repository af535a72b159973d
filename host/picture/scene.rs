//! What moving pictures have in common: points on their way over a plane that stays.

use super::axes::{self, Axes};
use super::drawing::{Anchor, Drawing, Mark, Shape};
use super::palette::{self, INK, NOISE};
use super::plane::Plane;
use super::scatter::{AREA, MOST_MODES, Scatter, as_seen, mode, modes_on, ranges};
use super::{SIZE, letters};
use crate::mean_shift::{Clustering, Frames};
use crate::points::Points;

/// Data points that are shown behind what moves over them.
const BEHIND: usize = 5_000;

/// Points on their way, on a plane.
#[derive(Debug)]
pub(super) struct Scene {
    pub plane: Plane,
    pub axes: Axes,
    /// Frame by frame, where each of those that are followed is.
    pub frames: Vec<Vec<[f64; 2]>>,
    /// Their labels; of seeds, which belong to none, -1.
    pub labels: Vec<i32>,
    /// The data behind them, where it stays.
    pub behind: Vec<[f64; 2]>,
    pub modes: Vec<[f64; 2]>,
    pub title: String,
    /// Whether what moves are the points.
    pub of_points: bool,
}

impl Scene {
    /// Frames of a clustering's points, on the plane of the first.
    pub fn new(points: &Points, clustering: &Clustering, frames: &Frames, options: &Scatter<'_>) -> Self {
        let points = &*as_seen(points, clustering);
        let plane = options.plane(points, clustering);
        let followed = |frame: usize| {
            frames.frame(frame).zip(&frames.followed).map(|(position, &i)| plane.of_position(position, i)).collect()
        };
        let placed: Vec<Vec<[f64; 2]>> = (0..frames.positions.len()).map(followed).collect();
        let label = |&i: &usize| if frames.of_points { clustering.labels[i] } else { -1 };
        let labels = frames.followed.iter().map(label).collect();
        let behind = plane.of_some(points, BEHIND);
        let line = plane.is_line();
        let modes = modes_on(&plane, clustering);
        // Of many points some are shown, and modes may be of others.
        let (x, y) = ranges(placed.iter().flatten().chain(&behind).chain(&modes));
        let axes = Axes::fitting(AREA, x, y, axes::one_scale(x, y, plane.unit()).filter(|_| !line));
        let clusters = clustering.modes.len();
        let title = options.title.map_or_else(
            || {
                let (some, s) = if clusters == 1 { ("cluster", "") } else { ("clusters", "s") };
                let what = if frames.of_points { "points gather" } else { "seeds climb" };
                format!("{what}: {clusters} {some}, mode{s} marked")
            },
            str::to_owned,
        );
        Self { plane, axes, frames: placed, labels, behind, modes, title, of_points: frames.of_points }
    }

    /// A drawing with the axes, and the data faintly behind if that is said.
    pub fn background(&self, title: &str, behind: bool) -> Drawing {
        let mut drawing = Drawing::new(AREA.width as u32 + 100, SIZE.1);
        self.axes.draw(&mut drawing, [&self.plane.names[0], &self.plane.names[1]]);
        drawing.write((AREA.x, 26.0), letters::fitted(title, 16.0, AREA.width), 16.0, Anchor::Start);
        if behind {
            for [x, y] in &self.behind {
                let mut fill = NOISE;
                fill[3] = 90;
                let at = self.axes.place(*x, *y);
                drawing.add(Shape::Marker { at, radius: 2.0, mark: Mark::Disc, fill });
            }
        }
        drawing
    }

    /// What moves, where it is in a frame, and the modes if that is said.
    pub fn draw(&self, drawing: &mut Drawing, frame: usize, modes: bool) {
        let radius = if self.labels.len() > 2000 { 2.2 } else { 3.4 };
        for (place, &label) in self.frames[frame].iter().zip(&self.labels) {
            let at = self.axes.place(place[0], place[1]);
            let mut fill = if self.of_points { palette::colour(label) } else { INK };
            fill[3] = 190;
            drawing.add(Shape::Marker { at, radius, mark: palette::mark(label), fill });
        }
        if modes {
            self.mark_modes(drawing);
        }
    }

    /// The modes.
    pub fn mark_modes(&self, drawing: &mut Drawing) {
        for [x, y] in self.modes.iter().take(MOST_MODES).rev() {
            mode(drawing, self.axes.place(*x, *y), 0.8);
        }
    }
}
