//! The ways of some points to their modes.

use super::drawing::{Drawing, Mark, Shape};
use super::numbers::count;
use super::palette::{self, INK};
use super::scatter::Scatter;
use super::scene::Scene;
use crate::mean_shift::{Clustering, Frames};
use crate::points::Points;

/// The ways that [`frames`](crate::MeanShift::frames) has followed, over the data: from a disc to a mode, in the colour of
/// the cluster.
///
/// ```
/// use modeseek::picture::{Scatter, trace};
/// use modeseek::{Bandwidth, MeanShift, Points};
///
/// let points = Points::from_rows(&[0.0, 0.0, 0.5, 0.2, 9.0, 9.0, 9.1, 8.8], 2)?;
/// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0));
/// let (clustering, frames) = (estimator.fit(&points)?, estimator.frames(&points, 4)?);
/// let drawing = trace(&points, &clustering, &frames, &Scatter::default());
/// assert!(drawing.to_svg().contains("The ways of 4 points"));
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Panics
/// If the clustering or the frames are of other points.
pub fn trace(points: &Points, clustering: &Clustering, frames: &Frames, options: &Scatter<'_>) -> Drawing {
    let scene = Scene::new(points, clustering, frames, options);
    let (followed, steps) = (frames.followed.len(), frames.positions.len() - 1);
    let what = if frames.of_points { "point" } else { "seed" };
    let (ways, of) = (if followed == 1 { "way" } else { "ways" }, count(followed, what));
    let title = format!("The {ways} of {of} in {}", count(steps, "iteration"));
    let mut drawing = scene.background(options.title.unwrap_or(&title), true);
    for (k, &label) in scene.labels.iter().enumerate() {
        let colour = if frames.of_points { palette::colour(label) } else { INK };
        let through: Vec<_> = scene.frames.iter().map(|frame| scene.axes.place(frame[k][0], frame[k][1])).collect();
        let at = through[0];
        drawing.add(Shape::Line { through, width: 1.6, colour });
        drawing.add(Shape::Marker { at, radius: 3.0, mark: Mark::Disc, fill: colour });
    }
    scene.mark_modes(&mut drawing);
    drawing
}
