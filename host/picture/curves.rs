//! Curves over a line of numbers: the weight functions, and what a sweep of bandwidths finds.

use super::axes::Axes;
use super::drawing::{Anchor, Colour, Drawing, Place, Rect, Shape};
use super::letters;
use super::palette::{COLOURS, INK};
use crate::mean_shift::WeightFunction;

/// Places that a curve runs through.
const STEPS: usize = 400;

/// How wide the line at a marked number is.
const MARKED: f64 = 1.5;

/// A curve and its name.
///
/// ```
/// use modeseek::picture::Curve;
///
/// let through = (0..10).map(|x| [f64::from(x), f64::from(x * x)]).collect();
/// let parabola = Curve { name: "x²".to_owned(), through };
/// assert_eq!(parabola.through[3], [3.0, 9.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Curve {
    /// What it is.
    pub name: String,
    /// Its places, from left to right.
    pub through: Vec<[f64; 2]>,
}

/// Curves over common axes, in colours of their own, with their names to the right.
///
/// ```
/// use modeseek::picture::{Curve, Rect, curves};
///
/// let line = Curve { name: "y = x".to_owned(), through: vec![[0.0, 0.0], [1.0, 1.0]] };
/// let area = Rect { x: 70.0, y: 40.0, width: 300.0, height: 200.0 };
/// let drawing = curves("A line", ["x", "y"], &[line], area, (500, 300));
/// assert!(drawing.to_svg().contains("A line"));
/// ```
pub fn curves(title: &str, names: [&str; 2], curves: &[Curve], area: Rect, size: (u32, u32)) -> Drawing {
    let mut drawing = Drawing::new(size.0, size.1);
    drawing.write((area.x, area.y - 18.0), title, 16.0, Anchor::Start);
    plot(&mut drawing, names, curves, area, None);
    drawing
}

/// Draws curves over axes of their own, from one number to another, or as far as the curves go.
///
/// ```
/// use modeseek::picture::{Curve, Drawing, Rect, plot};
///
/// let line = Curve { name: "y = x".to_owned(), through: vec![[0.0, 0.0], [1.0, 1.0]] };
/// let mut drawing = Drawing::new(500, 300);
/// let before = drawing.shapes.len();
/// // Over the numbers from 0 to 2, though the curve ends at 1.
/// plot(&mut drawing, ["x", "y"], &[line], Rect { x: 70.0, y: 40.0, width: 300.0, height: 200.0 }, Some((0.0, 2.0)));
/// assert!(drawing.shapes.len() > before);
/// ```
pub fn plot(drawing: &mut Drawing, names: [&str; 2], curves: &[Curve], area: Rect, from_to: Option<(f64, f64)>) {
    plot_as(drawing, names, curves, area, &Look { from_to, ..Look::default() });
}

/// How curves are drawn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look<'a> {
    /// From which number to which, if not as far as the curves go.
    pub from_to: Option<(f64, f64)>,
    /// Whether a factor is a length along the first axis.
    pub by_factor: bool,
    /// The highest number that the second axis is to have: curves that go beyond are cut at the frame, which says up to
    /// what number they go.
    pub highest: Option<f64>,
    /// A number of the first axis that is marked by a line, and what it is.
    pub marked: Option<(f64, &'a str)>,
}

/// [`plot`], in another manner.
pub(crate) fn plot_as(drawing: &mut Drawing, names: [&str; 2], curves: &[Curve], area: Rect, look: &Look<'_>) {
    let (x, y) = super::scatter::ranges(curves.iter().flat_map(|curve| &curve.through));
    let x = look.from_to.unwrap_or(x);
    let top = look.highest.map_or(y.1, |highest| y.1.min(highest));
    let mut axes = Axes::about(area, x, (y.0.min(0.0), top));
    // A number alone keeps the neighbours that it got.
    if x.0 != x.1 {
        axes.x = x;
    } else if look.by_factor {
        axes.x = (x.0 / 2.0, x.1 * 2.0);
    }
    axes.by_factor = look.by_factor;
    // A curve above 0 stands on the axis.
    axes.y.0 = if y.0 >= 0.0 { 0.0 } else { axes.y.0 };
    let axes = axes.with_room();
    axes.draw(drawing, names);
    let mut legend = Legend { left: area.x + area.width + 20.0, at: area.y + 10.0 };
    if let Some((number, _)) = look.marked {
        let at = axes.place(number, axes.y.0).0;
        drawing.add(Shape::Line {
            through: vec![(at, area.y), (at, area.y + area.height)],
            width: MARKED,
            colour: INK,
        });
    }
    for (k, curve) in curves.iter().enumerate() {
        let colour = COLOURS[k % COLOURS.len()];
        let places: Vec<Place> = curve.through.iter().map(|[x, y]| axes.place(*x, *y)).collect();
        let below = below(&places, area.y);
        if let (true, Some(&(left, top))) = (y.1 > axes.y.1, below.iter().flatten().find(|place| place.1 <= area.y)) {
            let largest = format!("up to {}", super::numbers::short(y.1));
            drawing.write((left + 8.0, top + 14.0), largest, 12.0, Anchor::Start);
        }
        for through in below {
            drawing.add(Shape::Line { through, width: 2.5, colour });
        }
        legend.curve(drawing, &curve.name, colour);
    }
    if let Some((_, name)) = look.marked {
        legend.marked(drawing, name);
    }
}

/// Where the next line of a legend goes.
struct Legend {
    left: f64,
    at: f64,
}

impl Legend {
    fn marked(&mut self, drawing: &mut Drawing, name: &str) {
        let x = self.left + 11.0;
        let through = vec![(x, self.at - 7.0), (x, self.at + 7.0)];
        self.line(drawing, name, Shape::Line { through, width: MARKED, colour: INK });
    }

    fn curve(&mut self, drawing: &mut Drawing, name: &str, colour: Colour) {
        let through = vec![(self.left, self.at), (self.left + 22.0, self.at)];
        self.line(drawing, name, Shape::Line { through, width: 3.0, colour });
    }

    fn line(&mut self, drawing: &mut Drawing, name: &str, sign: Shape) {
        drawing.add(sign);
        let room = f64::from(drawing.width) - self.left - 40.0;
        let name = letters::fitted(name, 13.0, room);
        drawing.write((self.left + 30.0, self.at + 4.5), name, 13.0, Anchor::Start);
        self.at += 22.0;
    }
}

/// The parts of a line that are not above `top`, as far as to where it leaves.
fn below(places: &[Place], top: f64) -> Vec<Vec<Place>> {
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    for (at, &(x, y)) in places.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| places[before]);
        if let Some((from, height)) = before.filter(|before| (before.1 < top) != (y < top)) {
            part.push((from + (x - from) * (top - height) / (y - height), top));
        }
        if y >= top {
            part.push((x, y));
        } else if !part.is_empty() {
            parts.push(std::mem::take(&mut part));
        }
    }
    parts.extend((!part.is_empty()).then_some(part));
    parts
}

/// The named weight functions over the distance, for one bandwidth.
///
/// Each is divided by its integral over the line, as the lecture's `exp(-(d / h)^2 / 2) / (h sqrt(2 pi))` and
/// `max(h - d, 0) / h^2` are: the areas below them are all 1/2. Mean shift does not see that factor.
///
/// ```
/// use modeseek::picture::weight_functions;
///
/// assert!(weight_functions(2.5).to_svg().contains("gaussian"));
/// ```
pub fn weight_functions(bandwidth: f64) -> Drawing {
    let through = |weight: WeightFunction| {
        let scale = 1.0 / (2.0 * integral(weight) * bandwidth);
        let value = |u: f64| scale * weight.weight(u);
        let mut through: Vec<[f64; 2]> =
            (0..=STEPS).map(|k| 4.0 * k as f64 / STEPS as f64).map(|u| [u * bandwidth, value(u)]).collect();
        // Some end at 1, one of them at once, which is not to look like a slope.
        let beyond = through.partition_point(|[x, _]| *x <= bandwidth);
        through.insert(beyond, [bandwidth, value(1.0 + f64::from(f32::EPSILON))]);
        through
    };
    let curve = |(name, weight): (&str, WeightFunction)| Curve { name: name.to_owned(), through: through(weight) };
    let all = [
        ("gaussian: exp(-u² / 2)", WeightFunction::Gaussian),
        ("triangular: 1 - u", WeightFunction::Triangular),
        ("flat: 1 up to u = 1", WeightFunction::Flat),
        ("epanechnikov: 1 - u²", WeightFunction::Epanechnikov),
        ("biweight: (1 - u²)²", WeightFunction::Biweight),
    ]
    .map(curve);
    let area = Rect { x: 78.0, y: 48.0, width: 600.0, height: 400.0 };
    let title = format!("Weight of a point, bandwidth {}", super::numbers::short(bandwidth));
    let names = ["distance (u = distance / bandwidth)", "weight, divided by its integral"];
    curves(&title, names, &all, area, (900, 510))
}

/// The integral of a weight from 0 on, for a bandwidth of 1.
fn integral(weight: WeightFunction) -> f64 {
    let step = 1e-4;
    (0..100_000).map(|k| weight.weight((f64::from(k) + 0.5) * step) * step).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_where_they_leave() {
        let cut = |places: &[Place]| below(places, 10.0);
        assert_eq!(cut(&[(0.0, 20.0), (1.0, 10.0), (2.0, 30.0)]), [vec![(0.0, 20.0), (1.0, 10.0), (2.0, 30.0)]]);
        assert_eq!(cut(&[(0.0, 0.0), (2.0, 20.0), (3.0, 30.0)]), [vec![(1.0, 10.0), (2.0, 20.0), (3.0, 30.0)]]);
        let twice = [vec![(0.0, 20.0), (1.0, 10.0)], vec![(3.0, 10.0), (4.0, 20.0)]];
        assert_eq!(cut(&[(0.0, 20.0), (2.0, 0.0), (4.0, 20.0)]), twice);
        assert!(cut(&[(0.0, 0.0), (1.0, 5.0)]).is_empty() && cut(&[]).is_empty());
    }

    #[test]
    fn places_above_each_other_are_drawn() {
        let area = Rect { x: 70.0, y: 40.0, width: 300.0, height: 200.0 };
        for (x, by_factor) in [(0.0, false), (3.0, false), (3.0, true)] {
            let curve = Curve { name: "upwards".to_owned(), through: vec![[x, 0.0], [x, 2.0]] };
            let mut drawing = Drawing::new(500, 300);
            plot_as(&mut drawing, ["x", "y"], &[curve], area, &Look { by_factor, ..Look::default() });
            let svg = drawing.to_svg();
            assert!(!svg.contains("NaN"), "{svg}");
            let curve = drawing.shapes.iter().find_map(|shape| match shape {
                Shape::Line { through, width: 2.5, .. } => Some(through.clone()),
                _ => None,
            });
            // The room that the second axis needs is taken from the left.
            let across = curve.unwrap()[0].0;
            assert!((70.0..370.0).contains(&across), "{across}");
        }
    }

    #[test]
    fn weights_are_the_lectures() {
        // At h = 2.5, d = 4 the Gaussian is about 0.044, and the triangular one (h - d) / h^2 at d = 1.
        let gaussian = WeightFunction::Gaussian.weight(4.0 / 2.5) / (2.0 * integral(WeightFunction::Gaussian) * 2.5);
        assert!((gaussian - 0.044).abs() < 5e-4, "{gaussian}");
        let triangular =
            WeightFunction::Triangular.weight(1.0 / 2.5) / (2.0 * integral(WeightFunction::Triangular) * 2.5);
        assert!((triangular - 1.5 / 6.25).abs() < 1e-6, "{triangular}");
    }
}
