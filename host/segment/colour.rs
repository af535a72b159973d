//! Colours: sRGB, as files hold them, and CIE Lab, in which equal distances look about equally far.
//!
//! Sources: IEC 61966-2-1 for sRGB; CIE 15 for Lab, with D65 as white.

/// White, D65, as XYZ.
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];

/// From linear sRGB to XYZ.
const TO_XYZ: [[f64; 3]; 3] = [
    [0.412_456_4, 0.357_576_1, 0.180_437_5],
    [0.212_672_9, 0.715_152_2, 0.072_175_0],
    [0.019_333_9, 0.119_192_0, 0.950_304_1],
];

/// From XYZ to linear sRGB.
const FROM_XYZ: [[f64; 3]; 3] = [
    [3.240_454_2, -1.537_138_5, -0.498_531_4],
    [-0.969_266_0, 1.876_010_8, 0.041_556_0],
    [0.055_643_4, -0.204_025_9, 1.057_225_2],
];

/// Where the cube root of Lab gives way to a line.
const DELTA: f64 = 6.0 / 29.0;

/// The linear value of each of sRGB's 256: what a whole image looks up.
pub(super) fn linear_values() -> [f64; 256] {
    std::array::from_fn(|value| {
        let v = value as f64 / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    })
}

/// A colour of sRGB in Lab: lightness from 0 to 100, and two axes from green to red and from blue to yellow.
///
/// ```
/// use modeseek::segment::colour::lab;
///
/// let [lightness, green_red, blue_yellow] = lab([255, 255, 255]);
/// assert!((lightness - 100.0).abs() < 0.01 && green_red.abs() < 0.01 && blue_yellow.abs() < 0.01);
/// ```
pub fn lab(rgb: [u8; 3]) -> [f32; 3] {
    lab_of(rgb, &linear_values())
}

/// [`lab`], with the table of linear values.
pub(super) fn lab_of(rgb: [u8; 3], linear: &[f64; 256]) -> [f32; 3] {
    let [r, g, b] = rgb.map(|value| linear[usize::from(value)]);
    let root = |k: usize| {
        let [x, y, z] = TO_XYZ[k];
        let t = (x * r + y * g + z * b) / WHITE[k];
        if t > DELTA.powi(3) { t.cbrt() } else { t / (3.0 * DELTA * DELTA) + 4.0 / 29.0 }
    };
    let (x, y, z) = (root(0), root(1), root(2));
    [(116.0 * y - 16.0) as f32, (500.0 * (x - y)) as f32, (200.0 * (y - z)) as f32]
}

/// A colour of Lab in sRGB; one that sRGB does not have becomes its neighbour at the border.
///
/// ```
/// use modeseek::segment::colour::{lab, rgb};
///
/// assert_eq!(rgb(lab([12, 200, 99])), [12, 200, 99]);
/// ```
pub fn rgb(lab: [f32; 3]) -> [u8; 3] {
    let [l, a, b] = lab.map(f64::from);
    let y = (l + 16.0) / 116.0;
    let cube = |t: f64| if t > DELTA { t.powi(3) } else { 3.0 * DELTA * DELTA * (t - 4.0 / 29.0) };
    let xyz = [WHITE[0] * cube(y + a / 500.0), WHITE[1] * cube(y), WHITE[2] * cube(y - b / 200.0)];
    FROM_XYZ.map(|row| {
        let v: f64 = row.iter().zip(&xyz).map(|(a, b)| a * b).sum();
        let v = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v * 255.0).round().clamp(0.0, 255.0) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values by Lindbloom's colour calculator, D65.
    #[test]
    fn known_colours() {
        for (rgb, expected) in [
            ([255, 255, 255], [100.0, 0.0, 0.0]),
            ([0, 0, 0], [0.0, 0.0, 0.0]),
            ([255, 0, 0], [53.24, 80.09, 67.20]),
            ([0, 255, 0], [87.73, -86.18, 83.18]),
            ([0, 0, 255], [32.30, 79.19, -107.86]),
            ([128, 128, 128], [53.59, 0.0, 0.0]),
        ] {
            let found = lab(rgb);
            for c in 0..3 {
                assert!((f64::from(found[c]) - expected[c]).abs() <= 0.02, "{rgb:?}: {found:?}, not {expected:?}");
            }
        }
    }

    #[test]
    fn there_and_back() {
        for r in (0..=255).step_by(15) {
            for g in (0..=255).step_by(17) {
                for b in (0..=255).step_by(15) {
                    assert_eq!(rgb(lab([r, g, b])), [r, g, b]);
                }
            }
        }
        assert_eq!(rgb([200.0, 0.0, 0.0]), [255; 3]);
        assert_eq!(rgb([-20.0, 0.0, 0.0]), [0; 3]);
    }
}
