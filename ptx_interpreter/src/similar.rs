//! Names that somebody may have meant.

const MOST: usize = 5;

/// The names nearest to `name` first; all that are near, or else the first few.
pub(crate) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut ranked: Vec<(usize, &str)> = known.map(|other| (distance(name, other), other)).collect();
    ranked.sort();
    let near = |(distance, other): &&(usize, &str)| {
        *distance <= 2 + name.len() / 4 || other.contains(name) || name.contains(other)
    };
    let close: Vec<String> = ranked.iter().filter(near).take(MOST).map(|(_, other)| (*other).to_owned()).collect();
    if close.is_empty() { ranked.iter().take(MOST).map(|(_, other)| (*other).to_owned()).collect() } else { close }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
