//! The search for k-th values by itself. What bandwidths make of it: bandwidth.rs.

use gpu::neighbours as kernels;
use modeseek::{Buffer, Device};

use crate::bandwidth::assert_near;
use crate::check::random;

/// The search itself, with boxes of tiles and queries that are far from most of them, for every instance.
pub fn neighbours_by_boxes(device: &Device) {
    let (n, m, k, none) = (1100, 70, 5, device.zeros::<u32>(0).unwrap());
    let instances = [(1, 2.0), (2, 2.0), (3, 2.0), (4, 2.0), (6, 2.0), (2, 1.0), (3, 3.0)];
    for (d, p) in instances {
        // On a line, but for a little.
        let noise = random(n * d, 91);
        let at = |i: usize, c: usize| if c == 0 { i as f32 / 1200.0 } else { noise[i * d + c] * 0.001 };
        let place = |rows: &[usize]| {
            let stride = rows.len().next_multiple_of(gpu::layout::STRIDE);
            let mut columns = vec![f32::NAN; stride * d];
            (0..d).for_each(|c| rows.iter().enumerate().for_each(|(i, &row)| columns[c * stride + i] = at(row, c)));
            (device.upload(&columns).unwrap(), rows.len() as u32, stride as u32)
        };
        let some: Vec<usize> = (0..m).map(|i| i * 15).collect();
        let (points, n32, stride) = place(&(0..n).collect::<Vec<_>>());
        let (queries, m32, query_stride) = place(&some);
        // The boxes of each of these sizes, one after another.
        let boxes_of = |columns: &Buffer<f32>, n: u32, stride: u32, sizes: &[usize]| {
            let count = |size: usize| (n as usize).div_ceil(size) * d * 2;
            let mut boxes = device.zeros::<f32>(sizes.iter().map(|&size| count(size)).sum()).unwrap();
            let mut first = 0;
            for &size in sizes {
                let mut some = boxes.slice_mut(first..first + count(size));
                let launch = gpu::boxes::boxes_of_points::launch(columns, &mut some, n, d as u32, stride, size as u32);
                device.launch(launch).unwrap();
                first += count(size);
            }
            boxes
        };
        let (lanes, instance) = (device.machine().lanes(), if p == 2.0 && d <= 4 { d } else { 0 });
        let (tile, row) = (kernels::tile_of(lanes, instance, d), kernels::row_of(lanes, instance, d, n));
        let boxes = boxes_of(&points, n32, stride, &[tile, kernels::PART, row]);
        let query_boxes = boxes_of(&queries, m32, query_stride, &[kernels::block_of(lanes)]);
        // Those behind first; and guesses, of which some are too small and others too large.
        let places = device.upload(&(0..m as u32).rev().collect::<Vec<_>>()).unwrap();
        let guess = |x: f32| move |i: usize| if i.is_multiple_of(3) { 1e-4 * x } else { 0.05 * x };
        let guesses: Vec<f32> =
            (0..query_stride as usize).map(guess(0.5)).chain((0..query_stride as usize).map(guess(1.0))).collect();
        let guesses = device.upload(&guesses).unwrap();
        let mut values = device.zeros::<f32>(m).unwrap();
        macro_rules! launch {
            ($kernel:ident) => {
                kernels::$kernel::launch(
                    &points,
                    &none,
                    &queries,
                    &guesses,
                    &places,
                    &boxes,
                    &query_boxes,
                    &mut values,
                    n32,
                    stride,
                    m32,
                    query_stride,
                    d as u32,
                    k,
                    n32,
                    p,
                )
            };
        }
        let launch = match (instance, p) {
            (1, _) => launch!(kth_value_l2_1),
            (2, _) => launch!(kth_value_l2_2),
            (3, _) => launch!(kth_value_l2_3),
            (4, _) => launch!(kth_value_l2_4),
            (_, 2.0) => launch!(kth_value_l2_any),
            (_, 1.0) => launch!(kth_value_l1_any),
            _ => launch!(kth_value_lp_any),
        };
        device.launch(launch).unwrap();
        let found = device.download(&values).unwrap();
        for (i, &row) in some.iter().enumerate() {
            let power = |j: usize| -> f64 {
                (0..d).map(|c| (f64::from(at(row, c)) - f64::from(at(j, c))).abs().powf(f64::from(p))).sum()
            };
            let mut all: Vec<f64> = (0..n).map(power).collect();
            all.sort_by(f64::total_cmp);
            let expected = all[k as usize - 1];
            assert_near(f64::from(found[m - 1 - i]), expected, 1e-4, &format!("d = {d} p = {p}: {i}"));
        }
    }
}
