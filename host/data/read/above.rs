//! What stands above a table of text: lines that begin with `#`, and empty ones.

/// What the next line of a text is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// One above the table: what stands in it behind its mark, if it has one, and where the next begins.
    Above(Option<&'a [u8]>, usize),
    /// One of the table, or nothing.
    Table,
    /// Where it ends is not known: the text goes on.
    Open,
}

impl<'a> Line<'a> {
    /// The first line of what is there of a text; `whole` if nothing follows.
    pub fn of(text: &'a [u8], whole: bool) -> Self {
        let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let line = &text[..end.unwrap_or(text.len())];
        // Tabs are delimiters, though nothing be between them.
        let is_above = line.starts_with(b"#") || line.iter().all(|&byte| byte == b' ');
        let next = match end {
            _ if !is_above => return Self::Table,
            Some(end) if text[end..].starts_with(b"\r\n") => end + 2,
            // Its other byte may follow.
            Some(end) if text[end..] == *b"\r" && !whole => return Self::Open,
            Some(end) => end + 1,
            None if !whole => return Self::Open,
            None if text.is_empty() => return Self::Table,
            None => text.len(),
        };
        Self::Above(line.strip_prefix(b"#"), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_above_a_table_are_told_from_its_own() {
        for (text, line) in [
            ("# x y\n1 2\n", Line::Above(Some(b" x y"), 6)),
            ("# x\r\n1", Line::Above(Some(b" x"), 5)),
            ("# x\r1", Line::Above(Some(b" x"), 4)),
            ("#\n", Line::Above(Some(b""), 2)),
            ("\n1", Line::Above(None, 1)),
            ("  \n1", Line::Above(None, 3)),
            ("1 # x\n", Line::Table),
            ("\t\n", Line::Table),
            ("x", Line::Table),
        ] {
            for whole in [false, true] {
                assert_eq!(Line::of(text.as_bytes(), whole), line, "{text:?}");
            }
        }
        for (text, line) in [
            ("", Line::Table),
            ("# x", Line::Above(Some(b" x"), 3)),
            ("# x\r", Line::Above(Some(b" x"), 4)),
            ("  ", Line::Above(None, 2)),
        ] {
            assert_eq!(Line::of(text.as_bytes(), true), line, "{text:?}");
            assert_eq!(Line::of(text.as_bytes(), false), Line::Open, "{text:?}");
        }
    }
}
