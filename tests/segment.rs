//! Segmentation of images from end to end.

use image::{Rgb, RgbImage};
use modeseek::executor::CpuOptions;
use modeseek::segment::Segment;
use modeseek::{Device, WeightFunction};

/// Numbers that look random, and are the same everywhere.
fn noise(x: u32, y: u32) -> u8 {
    let mut bits = x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b);
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x2c1b_3c6d);
    ((bits >> 24) % 24) as u8
}

/// A disc and a bar on a ground, with noise.
fn picture(width: u32, height: u32) -> (RgbImage, Vec<u8>) {
    let thing = |x: u32, y: u32| {
        let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        if (u - 0.3).hypot(v - 0.4) < 0.2 {
            1
        } else {
            u8::from((0.6..0.85).contains(&u) && (0.2..0.9).contains(&v)) * 2
        }
    };
    let colour = |x, y| [[40, 90, 160], [200, 60, 40], [220, 200, 90]][usize::from(thing(x, y))];
    let image = RgbImage::from_fn(width, height, |x, y| Rgb(colour(x, y).map(|value: u8| value + noise(x, y))));
    (image, (0..height).flat_map(|y| (0..width).map(move |x| thing(x, y))).collect())
}

#[test]
fn things_are_told_apart_and_noise_goes() {
    let (image, truth) = picture(120, 100);
    for weight in [WeightFunction::Flat, WeightFunction::Gaussian] {
        let found = Segment::new(6.0, 12.0).weight(weight).run(&image).unwrap();
        assert_eq!(found.regions.len(), 3, "{weight:?}");
        let agreement = modeseek::agreement::adjusted_rand_index(&found.labels, &truth);
        assert!(agreement >= 0.98, "{weight:?}: {agreement}");
        assert_eq!(found.regions.iter().map(|region| region.size).sum::<u32>(), 120 * 100);
        assert!(found.regions.is_sorted_by_key(|region| std::cmp::Reverse(region.size)));
        // Within the ground, far from borders, colours are nearly one.
        let spread = |image: &RgbImage| {
            let values = (85..99).flat_map(|y| (2..40).map(move |x| (x, y))).map(|(x, y)| i32::from(image[(x, y)][1]));
            values.clone().max().unwrap() - values.min().unwrap()
        };
        assert!(spread(&found.filtered) * 3 <= spread(&image), "{weight:?}: {}", spread(&found.filtered));
        let segments = found.segments();
        let colours: std::collections::BTreeSet<[u8; 3]> = segments.pixels().map(|pixel| pixel.0).collect();
        assert_eq!(colours.len(), 3);
        let borders = found.borders(&image);
        let drawn = borders.pixels().filter(|pixel| pixel.0 == [255, 0, 255]).count();
        assert!((150..900).contains(&drawn), "{drawn} pixels of borders");
        assert_eq!(found.moving, 0);
    }
}

#[test]
fn any_size_is_segmented() {
    for (width, height) in [(1, 1), (1, 50), (50, 1), (2, 2), (17, 3)] {
        let (image, _) = picture(width, height);
        for spatial in [1.0, 8.0, 256.0] {
            let found = Segment::new(spatial, 12.0).run(&image).unwrap();
            assert_eq!(found.labels.len() as u32, width * height);
            assert_eq!(found.segments().dimensions(), (width, height));
            assert!(found.labels.iter().all(|&label| (label as usize) < found.regions.len()));
        }
    }
    // A pixel alone rests in its first iteration, which may be its last.
    assert_eq!(Segment::new(8.0, 12.0).max_iterations(1).run(&picture(1, 1).0).unwrap().moving, 0);
    let constant = RgbImage::from_pixel(40, 30, Rgb([10, 200, 30]));
    let found = Segment::new(8.0, 12.0).run(&constant).unwrap();
    assert_eq!((found.regions.len(), found.filtered), (1, constant));
}

#[test]
fn small_regions_stay_if_wanted() {
    let image = RgbImage::from_fn(30, 30, |x, y| Rgb(if (x, y) == (15, 15) { [255, 0, 0] } else { [30, 30, 30] }));
    let regions = |least| Segment::new(4.0, 10.0).minimum_size(least).run(&image).unwrap().regions;
    assert_eq!((regions(1).len(), regions(2).len()), (2, 1));
    let found = Segment::new(4.0, 10.0).minimum_size(1_000_000).run(&picture(60, 50).0).unwrap();
    assert_eq!(found.regions.len(), 1);
}

#[test]
fn workers_agree_to_the_bit() {
    let (image, _) = picture(90, 70);
    let segment = |workers| {
        let workers = std::num::NonZero::new(workers);
        let device = Device::processor_with(CpuOptions { workers, machine: None }).unwrap();
        Segment::new(5.0, 8.0).on(&device).run(&image).unwrap()
    };
    let (one, three) = (segment(1), segment(3));
    assert_eq!((one.labels, one.filtered, one.iterations), (three.labels, three.filtered, three.iterations));
}

#[test]
fn senseless_options_are_refused() {
    let (image, _) = picture(4, 4);
    let run = |segment: Segment| segment.run(&image).unwrap_err();
    for error in [
        run(Segment::new(0.5, 12.0)),
        run(Segment::new(f64::NAN, 12.0)),
        run(Segment::new(1e9, 12.0)),
        run(Segment::new(8.0, 0.0)),
        run(Segment::new(8.0, -1.0)),
        run(Segment::new(8.0, 12.0).tolerance(-1.0)),
        run(Segment::new(8.0, 12.0).max_iterations(0)),
        run(Segment::new(8.0, 12.0).merge_radius(f64::INFINITY)),
        run(Segment::new(8.0, 12.0).weight(WeightFunction::Triangular)),
    ] {
        assert!(error.is_usage(), "{error}");
    }
    for (image, words) in [
        (RgbImage::new(0, 7), "the number of pixels is 0, but must be at least 1"),
        (RgbImage::new(8193, 8192), "a number of pixels of 67117056 is more than the kernels can count (67108864)"),
    ] {
        let error = Segment::new(8.0, 12.0).run(&image).unwrap_err();
        assert_eq!(error.to_string(), words);
    }
}
