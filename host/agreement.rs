//! How far two labellings of the same points agree.

use std::collections::HashMap;
use std::hash::Hash;

/// The adjusted Rand index: 1 for the same partition whatever its labels, about 0 for chance.
///
/// Source: Hubert and Arabie, Comparing partitions, Journal of Classification 2 (1985), equation 5.
/// Two labellings that both put everything into one cluster, or every point into its own, agree: 1.
///
/// ```
/// use modeseek::agreement::adjusted_rand_index;
///
/// // What clusters are called does not matter.
/// assert_eq!(adjusted_rand_index(&[0, 0, 1, 1], &['b', 'b', 'a', 'a']), 1.0);
/// assert!(adjusted_rand_index(&[0, 0, 1, 1], &[0, 1, 0, 1]) < 0.0);
/// ```
///
/// # Panics
/// If the labellings differ in length.
pub fn adjusted_rand_index<A: Copy + Eq + Hash, B: Copy + Eq + Hash>(a: &[A], b: &[B]) -> f64 {
    assert_eq!(a.len(), b.len(), "two labellings of the same points have the same length");
    let pairs = |count: u64| count as f64 * (count as f64 - 1.0) / 2.0;
    let mut both: HashMap<(A, B), u64> = HashMap::new();
    for (&a, &b) in a.iter().zip(b) {
        *both.entry((a, b)).or_default() += 1;
    }
    let mut rows: HashMap<A, u64> = HashMap::new();
    let mut columns: HashMap<B, u64> = HashMap::new();
    for (&(a, b), &count) in &both {
        *rows.entry(a).or_default() += count;
        *columns.entry(b).or_default() += count;
    }
    // Sums of whole numbers below 2^53 are exact, in whatever order a map gives them.
    let together: f64 = both.values().map(|&count| pairs(count)).sum();
    let in_rows: f64 = rows.values().map(|&count| pairs(count)).sum();
    let in_columns: f64 = columns.values().map(|&count| pairs(count)).sum();
    let all = pairs(a.len() as u64);
    let expected = if all > 0.0 { in_rows * in_columns / all } else { 0.0 };
    let most = (in_rows + in_columns) / 2.0;
    if most == expected { 1.0 } else { (together - expected) / (most - expected) }
}

#[cfg(test)]
mod tests {
    use super::adjusted_rand_index;

    /// The examples in scikit-learn's documentation of `adjusted_rand_score`.
    #[test]
    fn known_values() {
        for (a, b, index) in [
            ([0, 0, 1, 1], [0, 0, 1, 1], 1.0),
            ([0, 0, 1, 1], [1, 1, 0, 0], 1.0),
            ([0, 0, 1, 2], [0, 0, 1, 1], 4.0 / 7.0),
            ([0, 0, 0, 0], [0, 1, 2, 3], 0.0),
            ([0, 0, 1, 1], [0, 1, 0, 1], -0.5),
        ] {
            let found = adjusted_rand_index(&a, &b);
            assert!((found - index).abs() < 1e-12, "{a:?} {b:?}: {found}");
        }
        assert_eq!(adjusted_rand_index(&[0], &[7]), 1.0);
        assert_eq!(adjusted_rand_index::<u32, u32>(&[], &[]), 1.0);
    }
}
