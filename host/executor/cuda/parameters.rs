//! Arguments as the driver takes them.

use cuda_std::launch::Arg;

/// The words that a launch passes: a slice is its address and its length, the rest one word each. A
/// scalar of fewer bytes stands in its word's first ones.
pub(super) fn parameters(args: &[Arg]) -> Vec<[u8; 8]> {
    let mut words = Vec::with_capacity(2 * args.len());
    for arg in args {
        match arg {
            Arg::Scalar { bytes, .. } => words.push(*bytes),
            Arg::Pointer(region) => words.push(region.address.to_ne_bytes()),
            Arg::Slice(region) => {
                words.push(region.address.to_ne_bytes());
                words.push((region.len as u64).to_ne_bytes());
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use cuda_std::launch::Region;

    use super::*;

    /// The bytes of parameters, as the driver reads them: so many from the start of each word.
    fn read(args: &[Arg], sizes: &[usize]) -> Vec<Vec<u8>> {
        let words = parameters(args);
        assert_eq!(words.len(), sizes.len());
        words.iter().zip(sizes).map(|(word, size)| word[..*size].to_vec()).collect()
    }

    #[test]
    fn scalars_of_every_size_stand_at_the_start_of_their_words() {
        let args = [
            Arg::scalar(0x12_u8),
            Arg::scalar(-2_i16),
            Arg::scalar(0x1234_5678_u32),
            Arg::scalar(1.5_f32),
            Arg::scalar(0x1234_5678_9abc_def0_u64),
            Arg::scalar(-0.1_f64),
            Arg::scalar([1_u8, 2, 3]),
        ];
        let expected = [
            vec![0x12],
            (-2_i16).to_ne_bytes().to_vec(),
            0x1234_5678_u32.to_ne_bytes().to_vec(),
            1.5_f32.to_ne_bytes().to_vec(),
            0x1234_5678_9abc_def0_u64.to_ne_bytes().to_vec(),
            (-0.1_f64).to_ne_bytes().to_vec(),
            vec![1, 2, 3],
        ];
        assert_eq!(read(&args, &[1, 2, 4, 4, 8, 8, 3]), expected);
    }

    #[test]
    fn slices_are_two_parameters_and_pointers_one() {
        let region = |address, len| Region { address, len, owner: 1 };
        let args = [
            Arg::Slice(region(0x7000_0000_0100, 3)),
            Arg::scalar(7_u32),
            Arg::Pointer(region(0x7000_0000_0200, 5)),
            Arg::Slice(region(4, 0)),
        ];
        let words = parameters(&args).into_iter().map(u64::from_ne_bytes).collect::<Vec<_>>();
        assert_eq!(words, [0x7000_0000_0100, 3, 7_u64.to_le(), 0x7000_0000_0200, 4, 0]);
        assert!(parameters(&[]).is_empty());
    }
}
