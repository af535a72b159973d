//! Splits PTX into words, strings and punctuation, and sets comments aside.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, number, directive, register or opcode: `.reg`, `%tid.x`, `ld.global.b32`, `0f3F800000`.
    Word,
    /// A quoted string, with its quotes.
    Text,
    /// A comment, with its slashes.
    Comment,
    /// Any other single character.
    Mark(u8),
}

/// One token and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) start: usize,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(crate) fn is(&self, mark: u8) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// The tokens of `source`, comments included.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            line += usize::from(bytes[at] == b'\n');
            at += 1;
            continue;
        }
        let (kind, length) = token_at(source, at);
        let text = &source[at..at + length];
        found.push(Token { kind, text, start: at, line });
        line += text.bytes().filter(|&b| b == b'\n').count();
        at += length;
    }
    found
}

/// The tokens of `source` that mean something to the assembler.
pub(crate) fn code_tokens(source: &str) -> Vec<Token<'_>> {
    let mut all = tokens(source);
    all.retain(|token| token.kind != Kind::Comment);
    all
}

fn token_at(source: &str, at: usize) -> (Kind, usize) {
    let rest = &source[at..];
    let first = rest.as_bytes()[0];
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if let Some(within) = rest.strip_prefix("/*") {
        // The star that opens it does not close it: `/*/` goes on.
        return (Kind::Comment, within.find("*/").map_or(rest.len(), |end| end + 4));
    }
    if first == b'"' {
        return (Kind::Text, rest[1..].find('"').map_or(rest.len(), |end| end + 2));
    }
    let word = rest.bytes().take_while(|&b| is_word(b)).count();
    if word > 0 {
        return (Kind::Word, word);
    }
    // A character outside ASCII may stand in a path only, but must not be cut in two anywhere.
    (Kind::Mark(first), rest.chars().next().map_or(1, char::len_utf8))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'%' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_hide_what_they_hold() {
        let source = "a /* { ; */ \"} // no\" // ; {\n@!%p1 bra $L;";
        let texts: Vec<_> = code_tokens(source).iter().map(|t| t.text).collect();
        assert_eq!(texts, ["a", "\"} // no\"", "@", "!", "%p1", "bra", "$L", ";"]);
        assert_eq!(code_tokens(source)[2].line, 2);
        let texts: Vec<_> = code_tokens("a /*/ { */ b /**/ c").iter().map(|t| t.text).collect();
        assert_eq!(texts, ["a", "b", "c"]);
    }
}
