//! Points that gather, as a picture that moves: a GIF, or a page that plays in any browser without a network.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame};
use serde::Serialize;

use super::drawing::{end_of, unwritable};
use super::palette;
use super::scatter::{Scatter, as_seen, reach_on};
use super::scene::Scene;
use super::svg::{base64, escaped};
use crate::error::{Error, Result};
use crate::executor::Device;
use crate::files::write_whole;
use crate::mean_shift::{Bandwidth, Clustering, Frames, MeanShift};
use crate::points::Points;

/// How long a frame stays, as in the lecture.
const STAY: Duration = Duration::from_millis(500);

/// How long the last one stays.
const LAST: Duration = Duration::from_millis(2000);

/// The density's cells, to the right and down.
const CELLS: (usize, usize) = (66, 54);

/// Points that the density is made of, at most.
const SAMPLE: usize = 20_000;

/// The page, but for its data.
const PAGE: &str = include_str!("animation.html");

/// What an animation is saved as, which its file's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Gif,
    Html,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        match end_of(path).as_deref() {
            Some("gif") => Ok(Self::Gif),
            Some("html" | "htm") => Ok(Self::Html),
            _ => Err(Error::PictureName { path: path.to_owned(), ends: ".gif or .html" }),
        }
    }
}

/// The points that [`MeanShift::frames`] has followed, frame by frame.
///
/// ```
/// use modeseek::picture::{Animation, Scatter};
/// use modeseek::{Bandwidth, Device, MeanShift, Points};
///
/// let device = Device::processor()?;
/// let points = Points::from_rows(&[0.0, 0.0, 0.5, 0.2, 9.0, 9.0, 9.1, 8.8], 2)?;
/// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&device);
/// let (clustering, frames) = (estimator.fit(&points)?, estimator.frames(&points, 4)?);
/// let animation = Animation::new(&device, &points, &clustering, &frames, &Scatter::default())?;
/// assert!(animation.page().contains("<html"));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Animation {
    scene: Scene,
    /// Of the data on the plane: cells from the upper left, 255 where it is largest.
    density: Vec<u8>,
}

impl Animation {
    /// Checks that a file's name is that of an animation: before it is made.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use modeseek::picture::Animation;
    ///
    /// assert!(Animation::check(Path::new("gathering.gif")).is_ok());
    /// assert!(Animation::check(Path::new("gathering.mp4")).is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::PictureName`].
    pub fn check(path: &Path) -> Result<()> {
        Format::of(path).map(|_| ())
    }

    /// Frames of a clustering's points, on the plane that [`Plane::of`](super::Plane::of) says, and the density of the data there.
    ///
    /// ```
    /// # use modeseek::picture::{Animation, Scatter};
    /// # use modeseek::{Bandwidth, Device, MeanShift, Points};
    /// # let device = Device::processor()?;
    /// # let points = Points::from_rows(&[0.0, 0.0, 0.5, 0.2, 9.0, 9.0, 9.1, 8.8], 2)?;
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&device);
    /// let clustering = estimator.fit(&points)?;
    /// // At most 100 of the points are followed.
    /// let frames = estimator.frames(&points, 100)?;
    /// let options = Scatter { title: Some("two pairs"), ..Scatter::default() };
    /// let animation = Animation::new(&device, &points, &clustering, &frames, &options)?;
    /// assert!(animation.page().contains("two pairs"));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports.
    ///
    /// # Panics
    /// If the clustering or the frames are of other points.
    pub fn new(
        device: &Device,
        points: &Points,
        clustering: &Clustering,
        frames: &Frames,
        options: &Scatter<'_>,
    ) -> Result<Self> {
        let scene = Scene::new(points, clustering, frames, options);
        let density = density(device, points, clustering, &scene)?;
        Ok(Self { scene, density })
    }

    /// Saves it as what the file's name ends with: `.gif` or `.html`.
    ///
    /// ```
    /// # use modeseek::picture::{Animation, Scatter};
    /// # use modeseek::{Bandwidth, Device, MeanShift, Points};
    /// # let device = Device::processor()?;
    /// # let points = Points::from_rows(&[0.0, 0.0, 0.5, 0.2, 9.0, 9.0, 9.1, 8.8], 2)?;
    /// # let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&device);
    /// # let (clustering, frames) = (estimator.fit(&points)?, estimator.frames(&points, 4)?);
    /// # let animation = Animation::new(&device, &points, &clustering, &frames, &Scatter::default())?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("gathering.html");
    /// animation.save(&path)?;
    /// assert_eq!(std::fs::read_to_string(&path).unwrap(), animation.page());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::PictureName`], [`Error::WriteFile`].
    pub fn save(&self, path: &Path) -> Result<()> {
        match Format::of(path)? {
            Format::Gif => write_whole(path, |out| self.write_gif(out)),
            Format::Html => write_whole(path, |out| out.write_all(self.page().as_bytes()).map_err(Error::Output)),
        }
    }

    fn write_gif(&self, out: &mut dyn Write) -> Result<()> {
        let mut encoder = GifEncoder::new_with_speed(out, 10);
        encoder.set_repeat(Repeat::Infinite).map_err(unwritable)?;
        let last = self.scene.frames.len() - 1;
        for frame in 0..=last {
            let title = format!("{} — iteration {frame} of {last}", self.scene.title);
            let mut drawing = self.scene.background(&title, !self.scene.of_points);
            self.scene.draw(&mut drawing, frame, frame == last);
            let delay = Delay::from_saturating_duration(if frame == last { LAST } else { STAY });
            encoder.encode_frame(Frame::from_parts(drawing.to_pixels(), 0, 0, delay)).map_err(unwritable)?;
        }
        Ok(())
    }

    /// The page, with everything in it.
    ///
    /// ```
    /// # use modeseek::picture::{Animation, Scatter};
    /// # use modeseek::{Bandwidth, Device, MeanShift, Points};
    /// # let device = Device::processor()?;
    /// # let points = Points::from_rows(&[0.0, 0.0, 0.5, 0.2, 9.0, 9.0, 9.1, 8.8], 2)?;
    /// # let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&device);
    /// # let (clustering, frames) = (estimator.fit(&points)?, estimator.frames(&points, 4)?);
    /// # let animation = Animation::new(&device, &points, &clustering, &frames, &Scatter::default())?;
    /// // It plays offline: nothing is fetched.
    /// assert!(!animation.page().contains("src=\"http"));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn page(&self) -> String {
        let Scene { axes, plane, frames, labels, behind, modes, title, of_points } = &self.scene;
        // Parts of 65535 of the axes' area: finer than any screen.
        let packed = |places: &[[f64; 2]]| {
            let part = |value: f64, from: f64, length: f64| ((value - from) / length * 65535.0).clamp(0.0, 65535.0);
            let area = axes.area;
            let words = places.iter().flat_map(|place| {
                let (x, y) = axes.place(place[0], place[1]);
                [part(x, area.x, area.width) as u16, part(y, area.y, area.height) as u16]
            });
            base64(&words.flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
        };
        let colour = |label: i32| {
            let [r, g, b, _] = if *of_points { palette::colour(label) } else { palette::INK };
            format!("#{r:02x}{g:02x}{b:02x}")
        };
        let mut colours: Vec<String> = Vec::new();
        let indices: Vec<usize> = labels
            .iter()
            .map(|&label| {
                let colour = colour(label);
                colours.iter().position(|known| *known == colour).unwrap_or_else(|| {
                    colours.push(colour);
                    colours.len() - 1
                })
            })
            .collect();
        let data = PageData {
            frames: frames.iter().map(|frame| packed(frame)).collect(),
            behind: if *of_points { String::new() } else { packed(behind) },
            modes: packed(modes),
            colours,
            indices,
            density: base64(&self.density),
            cells: [CELLS.0, CELLS.1],
            size: [axes.area.width, axes.area.height].map(|length| (2.0 * length).round() as u32),
            x: [axes.x.0, axes.x.1],
            y: [axes.y.0, axes.y.1],
            names: [&plane.names[0], &plane.names[1]],
            stay: STAY.as_millis() as u64,
        };
        let data = serde_json::to_string(&data).expect("numbers and texts can always be written");
        // Nothing in a text may end the script.
        let data = data.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        PAGE.replace("{{title}}", &escaped(title)).replace("{{data}}", &data)
    }
}

/// What the page's script is given.
#[derive(Serialize)]
struct PageData<'a> {
    frames: Vec<String>,
    behind: String,
    modes: String,
    colours: Vec<String>,
    indices: Vec<usize>,
    density: String,
    cells: [usize; 2],
    /// Of the canvas.
    size: [u32; 2],
    x: [f64; 2],
    y: [f64; 2],
    names: [&'a str; 2],
    stay: u64,
}

/// The density of the data on the plane, a Gaussian's with the clustering's bandwidth; with a bandwidth of Scott's rule
/// where that is no length on the plane.
fn density(device: &Device, points: &Points, clustering: &Clustering, scene: &Scene) -> Result<Vec<u8>> {
    let (columns, rows) = CELLS;
    // In the scale of the points: f32 may not hold the units that their columns had before.
    let plane = scene.plane.standardized();
    let line = plane.is_line();
    let bandwidth = match reach_on(&plane, clustering) {
        Some((x, y)) if !line && x != y => Bandwidth::PerDimension(vec![x, y]),
        Some((x, _)) => Bandwidth::Fixed(x),
        None => Bandwidth::Scott,
    };
    let d = if line { 1 } else { 2 };
    let sample = plane.of_some(&as_seen(points, clustering), SAMPLE);
    let flat: Vec<f64> = sample.iter().flat_map(|place| place[..d].to_vec()).collect();
    let estimator = MeanShift::new().bandwidth(bandwidth).max_iterations(1).on(device);
    let fitted = estimator.fit(&Points::from_rows(&flat, d)?)?;
    let ((left, right), (low, high)) = (scene.axes.x, scene.axes.y);
    let [[left, low], [right, high]] = [[left, low], [right, high]].map(|corner| scene.plane.to_standardized(corner));
    let at = |k: usize, count: usize, from: f64, to: f64| from + (to - from) * (k as f64 + 0.5) / count as f64;
    let places: Vec<f64> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .flat_map(|(row, column)| [at(column, columns, left, right), at(row, rows, high, low)][..d].to_vec())
        .collect();
    let densities = fitted.density(&Points::from_rows(&places, d)?)?;
    let most = densities.iter().copied().fold(0.0, f64::max);
    Ok(densities.iter().map(|value| if most > 0.0 { (value / most * 255.0).round() as u8 } else { 0 }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_format() {
        for (name, format) in [("a.gif", Format::Gif), ("a.html", Format::Html), ("b.c/a.HTM", Format::Html)] {
            assert_eq!(Format::of(Path::new(name)).unwrap(), format);
        }
        for name in ["a", "a.png", "html", "a.gif.mp4"] {
            let error = Animation::check(Path::new(name)).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(".gif or .html"), "{error}");
        }
    }
}
