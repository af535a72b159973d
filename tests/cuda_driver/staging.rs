//! Copies to the device that nobody waits for.

use modeseek::Device;

use crate::has_ptx;
use crate::shared_memory::{CHILD, again_whole};

/// Bytes of a copy, of which the pinned memory holds one and not two; and of one that is too large for it.
const SMALL: usize = 40_000;
const LARGE: usize = 100_000;

#[test]
fn copies_are_waited_for_where_pinned_memory_is_full() {
    if std::env::var_os(CHILD).is_some() {
        return copy();
    }
    if !has_ptx() {
        return;
    }
    let log = again_whole("staging::copies_are_waited_for_where_pinned_memory_is_full", "works");
    let kinds: String = log
        .lines()
        .filter_map(|line| match line {
            "wait for a stream" => Some('w'),
            _ if line.ends_with("to the device") => Some('u'),
            _ if line.ends_with("to the host") => Some('d'),
            _ => None,
        })
        .collect();
    // The second and the third wait for the one before; the large one is waited for; each copy to the host is, and leaves
    // the pinned memory empty.
    assert_eq!(kinds, ["u", "wu", "wu", "uw", "dw", "dw", "dw", "dw", "u", "dw"].concat(), "{log}");
}

fn copy() {
    let device = Device::cuda(0).expect("the stand-in works");
    let values = |len: usize, seed: u8| (0..len).map(|i| (i % 251) as u8 ^ seed).collect::<Vec<_>>();
    let all = [values(SMALL, 1), values(SMALL, 2), values(SMALL, 3), values(LARGE, 4)];
    let buffers: Vec<_> = all.iter().map(|values| device.upload(values).unwrap()).collect();
    for (buffer, values) in buffers.iter().zip(&all) {
        assert_eq!(&device.download(buffer).unwrap(), values);
    }
    let last = device.upload(&all[1]).unwrap();
    assert_eq!(device.download(&last).unwrap(), all[1]);
}
