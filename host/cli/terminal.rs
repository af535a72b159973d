//! What a terminal is given to show.

use std::borrow::Cow;

/// A text in one line, whose control characters are shown and not obeyed: names of columns and files may have any.
pub fn line(text: &str) -> Cow<'_, str> {
    shown(text, |_| false)
}

/// A text in lines, as a compiler's log is, whose other control characters are shown and not obeyed.
pub fn lines(text: &str) -> Cow<'_, str> {
    shown(text, |letter| letter == '\n' || letter == '\t')
}

fn shown(text: &str, obeyed: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_shown = |letter: char| letter.is_control() && !obeyed(letter);
    if !text.contains(is_shown) {
        return text.into();
    }
    let mut all = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_shown(letter) { all.extend(letter.escape_default()) } else { all.push(letter) }
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(line("größe, 大きさ, \"a\\b\""), "größe, 大きさ, \"a\\b\"");
        assert_eq!(line("\u{1b}[2Ja\nb\u{9b}\r\u{7f}"), "\\u{1b}[2Ja\\nb\\u{9b}\\r\\u{7f}");
        assert_eq!(lines("a\n\tb\u{1b}"), "a\n\tb\\u{1b}");
    }
}
