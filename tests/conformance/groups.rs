//! Groups of points, and what is near them, against plain computations in order.

use modeseek::mean_shift::Masses;
use modeseek::mean_shift::labels::{
    self, NOISE, count_within, nearest, nearest_of_supported, occupied_bins, order, relabel, tally,
};
use modeseek::{Device, Error};

use crate::check::{assert_close, is_interpreted, random};
use crate::labels::{Set, distance};

pub fn scan(device: &Device) {
    let sizes: &[usize] =
        if is_interpreted(device) { &[1, 65, 20_000] } else { &[1, 63, 64, 65, 16_384, 16_385, 300_001] };
    for &n in sizes {
        let values: Vec<u32> = (0..n).map(|i| (i * i % 7) as u32).collect();
        let mut buffer = device.upload(&values).unwrap();
        let total = labels::scan(device, &mut buffer).unwrap();
        let mut sum = 0;
        let expected: Vec<u32> = values
            .iter()
            .map(|value| {
                sum += value;
                sum - value
            })
            .collect();
        assert_eq!(device.download(&buffer).unwrap(), expected, "n = {n}");
        assert_eq!(device.download(&total).unwrap(), [sum]);
    }
    let mut nothing = device.zeros(0).unwrap();
    let total = labels::scan(device, &mut nothing).unwrap();
    assert_eq!(device.download(&total).unwrap(), [0]);
}

/// Sizes, weights and means in f64.
fn tally_in_order(ids: &[u32], count: usize, set: &Set, weights: &[f32]) -> (Vec<u32>, Vec<f64>, Vec<f64>) {
    let (mut sizes, mut totals, mut means) = (vec![0; count], vec![0.0; count], vec![0.0; count * set.d]);
    for i in 0..set.n {
        let group = ids[i] as usize;
        if group < count {
            let weight = f64::from(weights[i]);
            sizes[group] += 1;
            totals[group] += weight;
            for c in 0..set.d {
                means[group * set.d + c] += weight * f64::from(set.row(i)[c]);
            }
        }
    }
    for (group, total) in totals.iter().enumerate() {
        means[group * set.d..][..set.d].iter_mut().for_each(|mean| *mean /= total);
    }
    (sizes, totals, means)
}

pub fn tally_of_groups(device: &Device) {
    let sizes: &[usize] = if is_interpreted(device) { &[1, 500] } else { &[1, 500, 20_000] };
    for &n in sizes {
        for d in [1, 2, 5, 64] {
            let set = Set::new(device, random(n * d, 21).iter().map(|x| x * 300.0).collect(), d);
            for count in [1, 7.min(n), n] {
                // Every group has a point; every eleventh point has none.
                let id = |i: usize| if i >= count && i % 11 == 3 { NOISE } else { (i * 5 % n % count) as u32 };
                let ids: Vec<u32> = (0..n).map(|i| if i < count { i as u32 } else { id(i) }).collect();
                let on_device = device.upload(&ids).unwrap();
                let weights: Vec<f32> = random(n, 22).iter().map(|w| w.abs() * 50.0 + 0.1).collect();
                let buffer = device.upload(&weights).unwrap();
                for weights in [None, Some(&weights)] {
                    let ones = vec![1.0; n];
                    let (sizes, totals, means) = tally_in_order(&ids, count, &set, weights.unwrap_or(&ones));
                    let given = weights.map(|_| &buffer);
                    let found = tally(device, &on_device, count, set.columns(), given).unwrap();
                    let what = format!("{count} groups of {n} in {d}");
                    assert_eq!(device.download(&found.sizes).unwrap(), sizes, "{what}");
                    for (found, total) in device.download(&found.totals).unwrap().iter().zip(&totals) {
                        assert!((found - total).abs() <= 1e-9 * total, "{what}: {found} is not {total}");
                    }
                    // A rounding to f32 of what is right to 2^-40 of the largest coordinate.
                    let tolerance = |k: usize| means[k].abs() * 2f64.powi(-24) + 300.0 * 2f64.powi(-35);
                    assert_close(&device.download(&found.means).unwrap(), &means, tolerance, &what);
                }
            }
        }
    }
}

/// Groups whose weights are far apart, one of which has none, as precise as each would be alone.
pub fn tally_of_light_groups(device: &Device) {
    let n = 500;
    for d in [1, 3] {
        let set = Set::new(device, random(n * d, 25).iter().map(|x| x * 300.0).collect(), d);
        for count in [5, 250] {
            let ids: Vec<u32> = (0..n).map(|i| (i % count) as u32).collect();
            let size = |i: usize| [1.0, 2_f32.powi(-37), 2_f32.powi(-80), 2_f32.powi(-121), 0.0][i % count % 5];
            let weights: Vec<f32> = random(n, 26).iter().enumerate().map(|(i, w)| (w.abs() + 0.1) * size(i)).collect();
            let (_, totals, means) = tally_in_order(&ids, count, &set, &weights);
            let (on_device, buffer) = (device.upload(&ids).unwrap(), device.upload(&weights).unwrap());
            let found = tally(device, &on_device, count, set.columns(), Some(&buffer)).unwrap();
            let (found_totals, found_means) =
                (device.download(&found.totals).unwrap(), device.download(&found.means).unwrap());
            for group in 0..count {
                let what = format!("group {group} of {count} in {d}");
                let (total, found) = (totals[group], found_totals[group]);
                assert!((found - total).abs() <= total * 2f64.powi(-26), "{what}: {found:e} is not {total:e}");
                // The first point, where there is no weight.
                let mean = |c: usize| if total > 0.0 { means[group * d + c] } else { f64::from(set.row(group)[c]) };
                for c in 0..d {
                    let found = f64::from(found_means[group * d + c]);
                    assert!((found - mean(c)).abs() <= 300.0 * 2f64.powi(-24), "{what}: {found} is not {}", mean(c));
                }
            }
        }
    }
}

/// Points on one spot have it as their mean, to the bit, and points of no weight have a mean, too.
pub fn means_of_spots(device: &Device) {
    let rows: Vec<f32> = (0..300).flat_map(|i| [[0.1, -77.7], [1e-3, 3.3], [5.0, 0.0]][i % 3]).collect();
    let set = Set::new(device, rows, 2);
    let ids = device.upload(&(0..300).map(|i| i % 3).collect::<Vec<u32>>()).unwrap();
    let weights: Vec<f32> = (0..300).map(|i| if i % 3 == 2 { 0.0 } else { 0.3 + i as f32 }).collect();
    let weights = device.upload(&weights).unwrap();
    for weights in [None, Some(&weights)] {
        let groups = tally(device, &ids, 3, set.columns(), weights).unwrap();
        let expected = [0.1, -77.7, 1e-3, 3.3, 5.0, 0.0];
        // Products with weights are exact, but their sums are rounded to f64 once.
        assert_eq!(device.download(&groups.means).unwrap(), expected);
        assert_eq!(device.download(&groups.sizes).unwrap(), [100; 3]);
    }
    // All of it zero.
    let set = Set::new(device, vec![0.0; 40], 4);
    let ids = device.upload(&[0_u32; 10]).unwrap();
    let groups = tally(device, &ids, 1, set.columns(), None).unwrap();
    assert_eq!(device.download(&groups.means).unwrap(), [0.0; 4]);
    assert_eq!(device.download(&groups.totals).unwrap(), [10.0]);
}

pub fn order_of_groups(device: &Device) {
    let counts: &[usize] = if is_interpreted(device) { &[1, 17, 70] } else { &[1, 2, 16, 17, 33, 1000, 4099] };
    for &count in counts {
        for (d, minimum) in [(1, 1), (2, 2), (3, 4)] {
            // Few sizes and few positions, so that there are ties of every kind.
            let sizes: Vec<usize> = (0..count).map(|g| g * 7 % 5 + 1).collect();
            let at = |g: usize, c: usize| if c + 1 < d { (g * 3 % 4) as f32 } else { -((g * 13 % 29) as f32) };
            let ids: Vec<u32> = (0..count).flat_map(|g| vec![g as u32; sizes[g]]).collect();
            let rows = ids.iter().flat_map(|&g| (0..d).map(move |c| at(g as usize, c))).collect();
            let set = Set::new(device, rows, d);
            let on_device = device.upload(&ids).unwrap();
            let groups = tally(device, &on_device, count, set.columns(), None).unwrap();
            let found = order(device, &groups, minimum).unwrap();

            let mut expected: Vec<usize> = (0..count).filter(|&g| sizes[g] >= minimum).collect();
            let position = |g: usize| (0..d).map(|c| at(g, c)).collect::<Vec<f32>>();
            expected.sort_by(|&a, &b| {
                sizes[b].cmp(&sizes[a]).then(position(a).partial_cmp(&position(b)).unwrap()).then(a.cmp(&b))
            });
            let mut label_of = vec![NOISE; count];
            expected.iter().enumerate().for_each(|(label, &g)| label_of[g] = label as u32);
            assert_eq!(device.download(&found.label_of).unwrap(), label_of, "{count} groups in {d}");
            assert_eq!(found.groups.count, expected.len());
            let means: Vec<f32> = expected.iter().flat_map(|&g| position(g)).collect();
            assert_eq!(device.download(&found.groups.means).unwrap(), means);
            let kept: Vec<u32> = expected.iter().map(|&g| sizes[g] as u32).collect();
            assert_eq!(device.download(&found.groups.sizes).unwrap(), kept);
            let labels = device.download(&relabel(device, &on_device, &found.label_of).unwrap()).unwrap();
            let renamed: Vec<u32> = ids.iter().map(|&g| label_of[g as usize]).collect();
            assert_eq!(labels, renamed);
        }
    }
}

/// Weights, not sizes, decide where there are weights.
pub fn order_by_weight(device: &Device) {
    let set = Set::new(device, vec![1.0, 1.0, 2.0, 3.0], 1);
    let ids = device.upload(&[0_u32, 0, 1, NOISE]).unwrap();
    let weights = device.upload(&[0.25_f32, 0.5, 0.875, 9.0]).unwrap();
    let groups = tally(device, &ids, 2, set.columns(), Some(&weights)).unwrap();
    let found = order(device, &groups, 1).unwrap();
    assert_eq!(device.download(&found.groups.totals).unwrap(), [0.875, 0.75]);
    assert_eq!(device.download(&found.groups.sizes).unwrap(), [1, 2]);
    let labels = relabel(device, &ids, &found.label_of).unwrap();
    assert_eq!(device.download(&labels).unwrap(), [1, 1, 0, NOISE]);
}

pub fn nearest_modes(device: &Device) {
    let set = Set::new(device, vec![0.5], 1);
    let error = nearest(device, set.columns(), &device.zeros(0).unwrap(), 0, 2.0, None).unwrap_err();
    assert!(matches!(error, Error::Undefined { what: "the nearest mode", .. }), "{error}");
    for (m, k, d) in [(1, 1, 1), (33, 3, 2), (70, 9, 3), (300, 5, 5), (40, 13, 64)] {
        let set = Set::new(device, random(m * d, 31), d);
        let mut modes = random(k * d, 32);
        // The last mode repeats the first: it is never the nearest.
        modes.copy_within(..d, (k - 1) * d);
        let buffer = device.upload(&modes).unwrap();
        for p in [1.0, 2.0, 3.0] {
            let limit = 0.4 * (d as f64).powf(1.0 / f64::from(p));
            let (ids, distances) = nearest(device, set.columns(), &buffer, k, p, None).unwrap();
            let (limited, _) = nearest(device, set.columns(), &buffer, k, p, Some(limit)).unwrap();
            let (ids, limited) = (device.download(&ids).unwrap(), device.download(&limited).unwrap());
            let distances = device.download(&distances).unwrap();
            for i in 0..m {
                let all: Vec<f64> = modes.chunks(d).map(|mode| distance(set.row(i), mode, p)).collect();
                let least = all.iter().copied().fold(f64::INFINITY, f64::min);
                let found = all[ids[i] as usize];
                assert!(found <= least * (1.0 + 1e-5), "{i}: {found} is not the least, {least}");
                assert!((ids[i] as usize) < (k - 1).max(1), "{i}: of equals the first");
                let powered = least.powf(f64::from(p));
                let error = (f64::from(distances[i]) - powered).abs();
                assert!(error <= 1e-4 * powered + 1e-30, "{i}: {} is not {powered}", distances[i]);
                if (least / limit - 1.0).abs() > 1e-4 {
                    assert_eq!(limited[i], if least <= limit { ids[i] } else { NOISE });
                }
            }
        }
    }
}

/// What has no support, or lies where f32 holds no power of the distance, is near no mode.
pub fn nearest_of_few(device: &Device) {
    let far = [0.0, 9.0, 1e20, -1e30, f32::NAN, 1e20, 9.0, 0.0];
    let set = Set::new(device, far.to_vec(), 1);
    let modes = device.upload(&[-1.0_f32, 8.0]).unwrap();
    let support = device.upload(&[1.0_f32, 0.0, 1.0, 1.0, 1.0, 0.0, f32::MIN_POSITIVE, 0.0]).unwrap();
    for p in [1.0, 2.0, 3.0] {
        let near = if p == 1.0 { [0, 1, 0, 0, NOISE, 0, 1, 0] } else { [0, 1, NOISE, NOISE, NOISE, NOISE, 1, 0] };
        let (ids, _) = nearest(device, set.columns(), &modes, 2, p, None).unwrap();
        assert_eq!(device.download(&ids).unwrap(), near, "{p}");
        let (ids, _) = nearest_of_supported(device, set.columns(), &support, &modes, 2, p, None).unwrap();
        let [a, _, b, c, e, _, f, _] = near;
        assert_eq!(device.download(&ids).unwrap(), [a, NOISE, b, c, e, NOISE, f, NOISE], "{p}");
    }
}

pub fn counts_within(device: &Device) {
    for (m, n, d) in [(1, 1, 1), (33, 7, 2), (70, 130, 3), (45, 39, 4), (40, 65, 64)] {
        let (queries, points) = (Set::new(device, random(m * d, 33), d), Set::new(device, random(n * d, 34), d));
        for p in [1.0, 2.0, 3.0] {
            let radius = 0.8 * (d as f64).powf(1.0 / f64::from(p));
            let found = count_within(device, queries.columns(), points.columns(), None, p, radius).unwrap();
            for (i, &found) in device.download(&found).unwrap().iter().enumerate() {
                let within = |margin: f64| {
                    let near = |j: &usize| distance(queries.row(i), points.row(*j), p) <= radius * margin;
                    (0..n).filter(near).count() as u32
                };
                assert!((within(1.0 - 1e-5)..=within(1.0 + 1e-5)).contains(&found), "{i}: {found}");
            }
        }
    }
    // What is at the radius counts.
    let set = Set::new(device, vec![0.0, 3.0, 5.0, 8.0], 1);
    let found = count_within(device, set.columns(), set.columns(), None, 2.0, 3.0).unwrap();
    assert_eq!(device.download(&found).unwrap(), [2, 3, 3, 2]);
    // Masses are added up: whole weights exactly, times the factor.
    let weights = device.upload(&[5.0_f32, 0.0, 2.0, 1.0]).unwrap();
    let masses = Masses::of(device, &weights, 8.0).unwrap();
    assert_eq!((masses.mass(8.0), masses.mass(0.0)), (masses.total, 1));
    let found = count_within(device, set.columns(), set.columns(), Some(&masses), 2.0, 3.0).unwrap();
    assert_eq!(device.download(&found).unwrap(), [5.0, 7.0, 3.0, 3.0].map(|weight| masses.mass(weight)));
    // So they are in more dimensions than a thread holds: the same line, in five.
    let rows = [0.0, 3.0, 5.0, 8.0].iter().flat_map(|&x| [x, 0.0, 0.0, 0.0, 0.0]).collect();
    let set = Set::new(device, rows, 5);
    let found = count_within(device, set.columns(), set.columns(), Some(&masses), 2.0, 3.0).unwrap();
    assert_eq!(device.download(&found).unwrap(), [5.0, 7.0, 3.0, 3.0].map(|weight| masses.mass(weight)));
}

pub fn bins_of_points(device: &Device) {
    let n = if is_interpreted(device) { 100 } else { 3000 };
    for (d, size, minimum, factor) in [(1, 0.25, 1, 1.0), (2, 0.3, 3, 0.5), (3, 0.5, 2, 2.0), (5, 1.0, 1, 4.0)] {
        // Halves, which are rounded to even, and coordinates between.
        let originals: Vec<f64> = random(n * d, 41)
            .iter()
            .enumerate()
            .map(|(k, x)| if k % 3 == 0 { (f64::from(*x) * 4.0).round() * size / 2.0 } else { f64::from(*x) })
            .collect();
        let centre: Vec<f64> = (0..d).map(|c| 0.5 * c as f64 - 1.0).collect();
        let scaled = |(k, x): (usize, &f64)| ((x - centre[k % d]) * factor) as f32;
        let set = Set::new(device, originals.iter().enumerate().map(scaled).collect(), d);
        let mut bins: Vec<(Vec<i64>, usize)> = Vec::new();
        for i in 0..n {
            let coordinate = |c: usize| f64::from(set.row(i)[c]) / factor + centre[c];
            let bin: Vec<i64> = (0..d).map(|c| (coordinate(c) / size).round_ties_even() as i64).collect();
            match bins.iter_mut().find(|(known, _)| *known == bin) {
                Some((_, count)) => *count += 1,
                None => bins.push((bin, 1)),
            }
        }
        bins.retain(|(_, count)| *count >= minimum);
        let on_device = device.upload(&centre).unwrap();
        let found = occupied_bins(device, set.columns(), None, factor, &on_device, size, minimum).unwrap();
        let Some(found) = found else {
            assert_eq!(bins.len(), n);
            continue;
        };
        assert_eq!(found.count, bins.len(), "d = {d}");
        let columns = device.download(&found.columns).unwrap();
        assert_eq!(columns.len(), found.stride * d);
        for (k, (bin, _)) in bins.iter().enumerate() {
            for c in 0..d {
                let expected = ((bin[c] as f64 * size - centre[c]) * factor) as f32;
                assert_eq!(columns[c * found.stride + k], expected, "d = {d}: seed {k}");
            }
        }
    }
}

/// As many bins as points: the points are the seeds; and too few points anywhere: there are none.
pub fn bins_that_fail(device: &Device) {
    let set = Set::new(device, vec![0.0, 10.0, -20.0], 1);
    let centre = device.upload(&[0.5_f64]).unwrap();
    assert!(occupied_bins(device, set.columns(), None, 1.0, &centre, 1.0, 1).unwrap().is_none());
    assert_eq!(occupied_bins(device, set.columns(), None, 1.0, &centre, 1.0, 2).unwrap().unwrap().count, 0);
    assert!(occupied_bins(device, set.columns(), None, 1.0, &centre, 0.0, 1).is_err());
}

/// A point of weight k counts as k: bins that are heavy enough are seeds, and there may be as many as weights.
pub fn bins_of_weights(device: &Device) {
    let set = Set::new(device, vec![0.0, 10.0, 0.25, -20.0], 1);
    let centre = device.upload(&[0.0_f64]).unwrap();
    let seeds = |weights: [f32; 4], minimum| {
        let sum = weights.iter().map(|&weight| f64::from(weight)).sum();
        let masses = Masses::of(device, &device.upload(&weights).unwrap(), sum).unwrap();
        let found = occupied_bins(device, set.columns(), Some(&masses), 1.0, &centre, 1.0, minimum).unwrap();
        found.map(|bins| device.download_first(&bins.columns, bins.count).unwrap())
    };
    assert_eq!(seeds([1.0, 3.0, 1.5, 0.0], 1), Some(vec![0.0, 10.0]));
    assert_eq!(seeds([1.0, 3.0, 1.5, 0.0], 3), Some(vec![10.0]));
    assert_eq!(seeds([1.0, 3.0, 1.5, 0.0], 4), Some(vec![]));
    // Three bins of a weight of 1 each, in one of which there are two points.
    assert_eq!(seeds([0.5, 1.0, 0.5, 1.0], 1), Some(vec![0.0, 10.0, -20.0]));
    // Bins of any weight, if one point is enough.
    assert_eq!(seeds([0.125, 0.25, 0.125, 0.0], 1), Some(vec![0.0, 10.0]));
}
