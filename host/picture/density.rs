//! Many points as how many there are about each pixel, on a logarithmic scale.

use image::{Rgba, RgbaImage};

use super::axes::Axes;
use super::drawing::Shape;
use super::palette;

/// Pixels of the drawing for one cell that points are counted in.
const CELL: f64 = 2.0;

/// Counts the points of each cell of the axes' area: its colour is the mean of theirs, and the darker the more there are.
pub(super) fn image(axes: &Axes, places: &[[f64; 2]], labels: &[i32]) -> Shape {
    let (columns, rows) = ((axes.area.width / CELL) as u32, (axes.area.height / CELL) as u32);
    let mut cells = vec![Cell::default(); columns as usize * rows as usize];
    for (place, &label) in places.iter().zip(labels) {
        let (x, y) = axes.place(place[0], place[1]);
        let (column, row) = ((x - axes.area.x) / CELL, (y - axes.area.y) / CELL);
        if (0.0..f64::from(columns)).contains(&column) && (0.0..f64::from(rows)).contains(&row) {
            cells[row as usize * columns as usize + column as usize].add(label);
        }
    }
    let most = cells.iter().map(|cell| cell.count).max().unwrap_or(0);
    let pixels = RgbaImage::from_fn(columns, rows, |x, y| Rgba(cells[(y * columns + x) as usize].colour(most)));
    Shape::Image { at: axes.area, pixels }
}

/// The points of a cell.
#[derive(Clone, Default)]
struct Cell {
    count: u32,
    sum: [u64; 3],
}

impl Cell {
    fn add(&mut self, label: i32) {
        let colour = palette::colour(label);
        self.count += 1;
        for (sum, value) in self.sum.iter_mut().zip(colour) {
            *sum += u64::from(value);
        }
    }

    /// Nothing where there is no point; a pale tone for one; the full colour on the way; nearly black for the most.
    fn colour(&self, most: u32) -> [u8; 4] {
        if self.count == 0 {
            return [0; 4];
        }
        let t = if most > 1 { f64::from(self.count).ln() / f64::from(most).ln() } else { 0.5 };
        let mean = self.sum.map(|sum| sum as f64 / f64::from(self.count));
        let tone = mean.map(|value| {
            if t < 0.6 {
                255.0 + (value - 255.0) * (0.3 + t / 0.6 * 0.7)
            } else {
                value * (1.0 - (t - 0.6) / 0.4 * 0.75)
            }
        });
        [tone[0].round() as u8, tone[1].round() as u8, tone[2].round() as u8, 255]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::drawing::Rect;

    #[test]
    fn more_points_are_darker() {
        let area = Rect { x: 0.0, y: 0.0, width: 20.0, height: 20.0 };
        let axes = Axes { area, x: (0.0, 10.0), y: (0.0, 10.0), by_factor: false };
        // 1, 10 and 100 points in a row of cells, none elsewhere.
        let places: Vec<[f64; 2]> = (0..111)
            .map(|i| {
                [
                    if i < 1 {
                        0.5
                    } else if i < 11 {
                        3.5
                    } else {
                        6.5
                    },
                    5.5,
                ]
            })
            .chain([[f64::NAN, 5.0], [99.0, 5.0]])
            .collect();
        let Shape::Image { pixels, .. } = image(&axes, &places, &[0; 113]) else { panic!("an image") };
        assert_eq!(pixels.dimensions(), (10, 10));
        let light = |x: u32| pixels[(x, 4)].0[..3].iter().map(|&value| u32::from(value)).sum::<u32>();
        assert!(light(0) > light(3) && light(3) > light(6), "{} {} {}", light(0), light(3), light(6));
        assert_eq!(pixels.pixels().filter(|pixel| pixel[3] > 0).count(), 3);
    }
}
