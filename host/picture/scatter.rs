//! A clustering as a picture: points coloured by label, modes, the bandwidth, and who is who.

use std::borrow::Cow;

use super::axes::{self, Axes};
use super::density;
use super::drawing::{Anchor, Drawing, Mark, Rect, Shape};
use super::letters;
use super::numbers::{self, count};
use super::palette::{self, INK, MODE, NOISE};
use super::plane::Plane;
use crate::data::Standardization;
use crate::mean_shift::Clustering;
use crate::points::Points;

/// More points than this are shown as how many there are about each pixel.
const MOST_MARKERS: usize = 20_000;

/// Clusters that the legend names.
const NAMED: usize = 12;

/// Bandwidths of dimensions that the title names.
const NAMED_BANDWIDTHS: usize = 4;

/// Modes that are marked: the largest.
pub(super) const MOST_MODES: usize = 500;

/// What a picture of a clustering shows beside the points. See [`scatter`].
///
/// ```
/// use modeseek::picture::{Scatter, scatter};
/// use modeseek::{Bandwidth, MeanShift, Points};
///
/// let points = Points::from_rows(&[0.0, 0.0, 0.5, 0.2, 9.0, 9.0, 9.1, 8.8], 2)?;
/// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&points)?;
/// let names = ["east".to_owned(), "north".to_owned()];
/// let svg = scatter(&points, &clustering, &Scatter { names: &names, title: Some("Houses"), ..Scatter::default() })
///     .to_svg();
/// assert!(svg.contains("Houses") && svg.contains("east") && svg.contains("north"));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scatter<'a> {
    /// The names of the points' columns; those that there are not are named by number.
    pub names: &'a [String],
    /// Instead of the points' number, the clusters' and the bandwidth: what stands above.
    pub title: Option<&'a str>,
    /// How columns were brought to one scale: where the axes are columns, they have the units of before.
    pub standardization: Option<&'a Standardization>,
}

impl Scatter<'_> {
    /// Where points are seen; directions have no unit.
    pub(super) fn plane(&self, points: &Points, clustering: &Clustering) -> Plane {
        let plane = Plane::of(points, self.names);
        match self.standardization {
            Some(of) if !clustering.is_of_directions() => plane.unstandardized(of),
            _ => plane,
        }
    }
}

/// The picture's width and height.
pub const SIZE: (u32, u32) = (960, 640);

/// Where the axes of a picture of points lie: the legend is to the right.
pub(super) const AREA: Rect = Rect { x: 72.0, y: 44.0, width: 660.0, height: 540.0 };

/// A clustering of points, on the plane that [`Plane::of`] says. With the cosine distance the points are seen as
/// directions: on the unit sphere.
///
/// ```
/// use modeseek::picture::{SIZE, Scatter, scatter};
/// use modeseek::{Bandwidth, MeanShift, Points};
///
/// let points = Points::from_rows(&[0.0, 0.0, 0.5, 0.2, 9.0, 9.0, 9.1, 8.8], 2)?;
/// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&points)?;
/// let drawing = scatter(&points, &clustering, &Scatter::default());
/// assert_eq!((drawing.width, drawing.height), SIZE);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Panics
/// If the clustering is of other points: of more, or of fewer.
pub fn scatter(points: &Points, clustering: &Clustering, options: &Scatter<'_>) -> Drawing {
    let Clustering { labels, .. } = clustering;
    assert_eq!(labels.len(), points.len(), "a label for each point");
    let points = &*as_seen(points, clustering);
    let plane = options.plane(points, clustering);
    let places = plane.of_points(points);
    let modes = modes_on(&plane, clustering);
    let reach = reach_on(&plane, clustering);

    let mut drawing = Drawing::new(SIZE.0, SIZE.1);
    let (x, y) = ranges(places.iter().chain(&modes));
    let unit = plane.unit();
    let one_scale = axes::one_scale(x, y, unit).filter(|_| !plane.is_line());
    // The ring is to be seen whole; one that is wider than the points is left out.
    let wide = [(x.1 / 2.0 - x.0 / 2.0) / unit[0], (y.1 / 2.0 - y.0 / 2.0) / unit[1]];
    let reach = reach.filter(|&(across, up)| {
        let ring = [across / unit[0] / 2.0, up / unit[1] / 2.0];
        match one_scale {
            // On scales of their own along each axis.
            None if !plane.is_line() => ring[0] <= wide[0] && ring[1] <= wide[1],
            _ => wide == [0.0; 2] || ring[0].max(ring[1]) <= wide[0].max(wide[1]),
        }
    });
    let ends = match (reach, modes.first()) {
        (Some((rx, _)), Some(&[mx, my])) if plane.is_line() => vec![[mx - rx, my], [mx + rx, my]],
        (Some((rx, ry)), Some(&[mx, my])) => vec![[mx - rx, my - ry], [mx + rx, my + ry]],
        _ => Vec::new(),
    };
    let (x, y) = ranges(places.iter().chain(&modes).chain(&ends));
    let axes = Axes::fitting(AREA, x, y, one_scale);
    axes.draw(&mut drawing, [&plane.names[0], &plane.names[1]]);
    if places.len() > MOST_MARKERS {
        drawing.add(density::image(&axes, &places, labels));
    } else {
        markers(&mut drawing, &axes, &places, labels);
    }
    if let (Some(reach), Some(&[x, y])) = (reach, modes.first()) {
        bandwidth(&mut drawing, &axes, [x, y], reach, plane.is_line());
    }
    for [x, y] in modes.iter().take(MOST_MODES).rev() {
        mode(&mut drawing, axes.place(*x, *y), if modes.len() > 40 { 0.5 } else { 1.0 });
    }
    let title = options.title.map_or_else(|| title(clustering), str::to_owned);
    drawing.write((AREA.x, 26.0), letters::fitted(&title, 16.0, f64::from(SIZE.0) - 90.0), 16.0, Anchor::Start);
    legend(&mut drawing, clustering, reach.is_some());
    drawing
}

/// The points as they are shown: as directions, where modes are such.
pub(super) fn as_seen<'a>(points: &'a Points, clustering: &Clustering) -> Cow<'a, Points> {
    if clustering.is_of_directions() { Cow::Owned(as_directions(points)) } else { Cow::Borrowed(points) }
}

/// Where modes are; on a line, in the middle of the spread across it.
pub(super) fn modes_on(plane: &Plane, clustering: &Clustering) -> Vec<[f64; 2]> {
    let places = clustering.modes.iter().map(|mode| plane.of_position(&mode.position, 0));
    places.map(|[x, y]| [x, if plane.is_line() { 0.5 } else { y }]).collect()
}

/// How far the bandwidth reaches along the axes; that of directions is no length.
pub(super) fn reach_on(plane: &Plane, clustering: &Clustering) -> Option<(f64, f64)> {
    let Clustering { bandwidth, bandwidth_per_dimension, .. } = clustering;
    if clustering.is_of_directions() { None } else { plane.reach(*bandwidth, bandwidth_per_dimension.as_deref()) }
}

/// Points over their lengths; one at the origin stays there.
fn as_directions(points: &Points) -> Points {
    let rows: Vec<f64> = points
        .centred_rows()
        .chunks_exact(points.dimensions())
        .flat_map(|row| {
            let row = points.uncentred(row);
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.into_iter().map(move |x| if length > 0.0 { x / length } else { 0.0 })
        })
        .collect();
    Points::from_rows(&rows, points.dimensions()).unwrap_or_else(|_| points.clone())
}

/// The smallest and the largest number along each axis.
pub(super) fn ranges<'a>(places: impl Iterator<Item = &'a [f64; 2]>) -> ((f64, f64), (f64, f64)) {
    let nothing = (f64::INFINITY, f64::NEG_INFINITY);
    let wider = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
    let found = places.fold((nothing, nothing), |(x, y), place| (wider(x, place[0]), wider(y, place[1])));
    if found.0.0 <= found.0.1 { found } else { ((0.0, 1.0), (0.0, 1.0)) }
}

/// The points; small clusters over large ones, noise below all.
fn markers(drawing: &mut Drawing, axes: &Axes, places: &[[f64; 2]], labels: &[i32]) {
    let radius = match places.len() {
        0..1000 => 3.6,
        1000..5000 => 2.8,
        _ => 2.0,
    };
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&i| labels[i]);
    for i in order {
        let mut fill = palette::colour(labels[i]);
        fill[3] = 200;
        let [x, y] = places[i];
        drawing.add(Shape::Marker { at: axes.place(x, y), radius, mark: palette::mark(labels[i]), fill });
    }
}

/// The lecture's mark of a mode: a large black x under a small magenta one.
pub(super) fn mode(drawing: &mut Drawing, at: (f64, f64), size: f64) {
    for (radius, tenths, fill) in [(11.0, 5, MODE[0]), (7.5, 4, MODE[1])] {
        drawing.add(Shape::Marker { at, radius: radius * size, mark: Mark::Cross(tenths), fill });
    }
}

/// A ring of the bandwidth about a mode; on a line, where it ends to both sides.
fn bandwidth(drawing: &mut Drawing, axes: &Axes, [x, y]: [f64; 2], reach: (f64, f64), line: bool) {
    let at = axes.place(x, y);
    let radii = axes.lengths(reach.0, reach.1);
    if line {
        let height = 30.0;
        for end in [at.0 - radii.0, at.0 + radii.0] {
            let through = vec![(end, at.1 - height), (end, at.1 + height)];
            drawing.add(Shape::Line { through, width: 1.5, colour: INK });
        }
        let through = vec![(at.0 - radii.0, at.1), (at.0 + radii.0, at.1)];
        drawing.add(Shape::Line { through, width: 1.5, colour: INK });
    } else if radii.0 < f64::from(SIZE.0) && radii.1 < f64::from(SIZE.0) {
        // Pale below, so that it is seen over points of any colour.
        drawing.add(Shape::Ring { at, radii, width: 4.0, colour: palette::WHITE });
        drawing.add(Shape::Ring { at, radii, width: 1.8, colour: INK });
    }
}

fn title(clustering: &Clustering) -> String {
    let (n, k) = (clustering.labels.len(), clustering.modes.len());
    format!("{}, {}, {}", count(n, "point"), count(k, "cluster"), bandwidth_text(clustering))
}

/// The bandwidth; where each dimension has its own, those of the first few: their mean is none of a dimension.
fn bandwidth_text(clustering: &Clustering) -> String {
    match clustering.bandwidth_per_dimension.as_deref() {
        Some(each) => {
            let shown: Vec<_> = each.iter().take(NAMED_BANDWIDTHS).map(|&h| numbers::short(h)).collect();
            format!("bandwidths {}{}", shown.join(", "), if each.len() > NAMED_BANDWIDTHS { ", …" } else { "" })
        }
        None => format!("bandwidth {}", numbers::short(clustering.bandwidth)),
    }
}

/// Who is who: colours and sizes, and what the marks are.
fn legend(drawing: &mut Drawing, clustering: &Clustering, reach: bool) {
    let (left, mut y) = (AREA.x + AREA.width + 24.0, AREA.y + 8.0);
    let room = f64::from(SIZE.0) - left - 30.0;
    let mut line = |drawing: &mut Drawing, text: String| {
        drawing.write((left + 22.0, y + 4.5), letters::fitted(&text, 13.0, room), 13.0, Anchor::Start);
        y += 22.0;
        (left + 7.0, y - 22.0)
    };
    let modes = &clustering.modes;
    for (label, found) in modes.iter().take(NAMED).enumerate() {
        let at = line(drawing, format!("{label}: {}", count(found.size, "point")));
        let (mark, fill) = (palette::mark(label as i32), palette::colour(label as i32));
        drawing.add(Shape::Marker { at, radius: 6.0, mark, fill });
    }
    if modes.len() > NAMED {
        let rest: usize = modes[NAMED..].iter().map(|mode| mode.size).sum();
        line(drawing, format!("{} more: {}", modes.len() - NAMED, count(rest, "point")));
    }
    let noise = clustering.labels.iter().filter(|&&label| label < 0).count();
    if noise > 0 {
        let at = line(drawing, format!("noise: {}", count(noise, "point")));
        drawing.add(Shape::Marker { at, radius: 6.0, mark: Mark::Disc, fill: NOISE });
    }
    if !modes.is_empty() {
        let at = line(drawing, if modes.len() == 1 { "mode" } else { "modes" }.to_owned());
        mode(drawing, at, 0.8);
    }
    if reach && !modes.is_empty() {
        let at = line(drawing, "bandwidth".to_owned());
        drawing.add(Shape::Ring { at, radii: (7.0, 7.0), width: 1.5, colour: INK });
    }
    if clustering.labels.len() > MOST_MARKERS {
        line(drawing, "dense where dark".to_owned());
    }
}
