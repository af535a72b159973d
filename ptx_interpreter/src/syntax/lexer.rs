//! PTX text to tokens.

use crate::error::{LineIndex, ParseErrorKind, ParseResult};

/// One token. `Dot` is a modifier or directive: a dot and the word that follows it without a gap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind<'a> {
    Word(&'a str),
    Dot(&'a str),
    Integer(u64),
    /// A decimal with a point, as written: a version or a float.
    Decimal(&'a str),
    Float32(u32),
    Float64(u64),
    Text(&'a str),
    Mark(char),
    End,
}

impl std::fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Word(word) => write!(f, "`{word}`"),
            Kind::Dot(word) => write!(f, "`.{word}`"),
            Kind::Integer(value) => write!(f, "`{value}`"),
            Kind::Decimal(text) => write!(f, "`{text}`"),
            Kind::Float32(bits) => write!(f, "`0f{bits:08X}`"),
            Kind::Float64(bits) => write!(f, "`0d{bits:016X}`"),
            Kind::Text(text) => write!(f, "\"{text}\""),
            Kind::Mark(mark) => write!(f, "`{mark}`"),
            Kind::End => write!(f, "the end of the text"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Splits `text` into tokens; the last one is `End`.
pub(crate) fn tokens<'a>(text: &'a str, lines: &LineIndex) -> ParseResult<Vec<Token<'a>>> {
    let mut lexer = Lexer { text, lines, at: 0 };
    let mut out = Vec::with_capacity(text.len() / 4);
    loop {
        lexer.skip_blank()?;
        let start = lexer.at;
        let kind = lexer.next_kind()?;
        out.push(Token { kind, start: start as u32, end: lexer.at as u32 });
        if kind == Kind::End {
            return Ok(out);
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

struct Lexer<'a, 'l> {
    text: &'a str,
    lines: &'l LineIndex,
    at: usize,
}

impl<'a> Lexer<'a, '_> {
    fn byte(&self, ahead: usize) -> u8 {
        *self.text.as_bytes().get(self.at + ahead).unwrap_or(&0)
    }

    fn fail<T>(&self, at: usize, kind: ParseErrorKind) -> ParseResult<T> {
        Err(self.lines.error(at as u32, kind))
    }

    fn skip_blank(&mut self) -> ParseResult<()> {
        loop {
            let rest = &self.text[self.at..];
            if self.byte(0).is_ascii_whitespace() {
                self.at += 1;
            } else if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(within) = rest.strip_prefix("/*") {
                // The star that opens it does not close it: `/*/` goes on.
                match within.find("*/") {
                    Some(end) => self.at += end + 4,
                    None => {
                        return self.fail(self.at, ParseErrorKind::Unterminated("this comment"));
                    }
                }
            } else {
                return Ok(());
            }
        }
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.at < self.text.len() && accept(self.byte(0)) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn next_kind(&mut self) -> ParseResult<Kind<'a>> {
        if self.at == self.text.len() {
            return Ok(Kind::End);
        }
        let first = self.byte(0);
        match first {
            b'0'..=b'9' => self.number(),
            b'.' if is_word(self.byte(1)) => Ok(self.dotted()),
            b'"' => self.string(),
            b'%' | b'_' | b'$' | b'a'..=b'z' | b'A'..=b'Z' => Ok(self.word()),
            b',' | b';' | b':' | b'{' | b'}' | b'(' | b')' | b'[' | b']' | b'<' | b'>' | b'@' | b'!' | b'|' | b'+'
            | b'-' | b'=' => {
                self.at += 1;
                Ok(Kind::Mark(first as char))
            }
            _ => {
                let character = self.text[self.at..].chars().next().unwrap_or('\0');
                self.fail(self.at, ParseErrorKind::Character(character))
            }
        }
    }

    fn word(&mut self) -> Kind<'a> {
        let start = self.at;
        self.at += 1;
        self.take_while(is_word);
        Kind::Word(&self.text[start..self.at])
    }

    /// A modifier may hold `::`, as in `.shared::cta` and `.L2::128B`.
    fn dotted(&mut self) -> Kind<'a> {
        self.at += 1;
        let start = self.at;
        self.take_while(is_word);
        while self.byte(0) == b':' && self.byte(1) == b':' && is_word(self.byte(2)) {
            self.at += 2;
            self.take_while(is_word);
        }
        Kind::Dot(&self.text[start..self.at])
    }

    fn string(&mut self) -> ParseResult<Kind<'a>> {
        let open = self.at;
        self.at += 1;
        let start = self.at;
        while self.at < self.text.len() && self.byte(0) != b'"' {
            self.at += if self.byte(0) == b'\\' { 2 } else { 1 };
        }
        if self.at >= self.text.len() {
            self.at = self.text.len();
            return self.fail(open, ParseErrorKind::Unterminated("this string"));
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        Ok(Kind::Text(text))
    }

    fn number(&mut self) -> ParseResult<Kind<'a>> {
        let start = self.at;
        let digits = self.take_while(is_word);
        if self.byte(0) == b'.' && self.byte(1).is_ascii_digit() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return self.decimal(start);
        }
        if digits.bytes().all(|b| b.is_ascii_digit() || b == b'e') && digits.contains('e') {
            return self.decimal(start);
        }
        let malformed = || ParseErrorKind::Number(digits.to_owned());
        let parsed = if let Some(hex) = digits.strip_prefix("0f").or(digits.strip_prefix("0F")) {
            (hex.len() == 8).then(|| u32::from_str_radix(hex, 16).ok().map(Kind::Float32)).flatten()
        } else if let Some(hex) = digits.strip_prefix("0d").or(digits.strip_prefix("0D")) {
            (hex.len() == 16).then(|| u64::from_str_radix(hex, 16).ok().map(Kind::Float64)).flatten()
        } else {
            integer(digits).map(Kind::Integer)
        };
        match parsed {
            Some(kind) => Ok(kind),
            None => self.fail(start, malformed()),
        }
    }

    fn decimal(&mut self, start: usize) -> ParseResult<Kind<'a>> {
        if self.byte(0) == b'.' {
            self.at += 1;
            self.take_while(|b| b.is_ascii_alphanumeric());
        }
        if self.text[..self.at].ends_with('e') && matches!(self.byte(0), b'+' | b'-') {
            self.at += 1;
            self.take_while(|b| b.is_ascii_digit());
        }
        let text = &self.text[start..self.at];
        if text.parse::<f64>().is_err() {
            return self.fail(start, ParseErrorKind::Number(text.to_owned()));
        }
        Ok(Kind::Decimal(text))
    }
}

fn integer(digits: &str) -> Option<u64> {
    let digits = digits.strip_suffix('U').unwrap_or(digits);
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok()
    } else if let Some(binary) = digits.strip_prefix("0b").or(digits.strip_prefix("0B")) {
        u64::from_str_radix(binary, 2).ok()
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(digits, 8).ok()
    } else {
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind<'_>> {
        let lines = LineIndex::new(text);
        tokens(text, &lines).expect("the text is made of tokens").into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn numbers_of_every_base() {
        assert_eq!(
            kinds("10 0x1F 017 0b101 5U 0f3F800000 0d3FF0000000000000 7.0"),
            [
                Kind::Integer(10),
                Kind::Integer(31),
                Kind::Integer(15),
                Kind::Integer(5),
                Kind::Integer(5),
                Kind::Float32(0x3F80_0000),
                Kind::Float64(0x3FF0_0000_0000_0000),
                Kind::Decimal("7.0"),
                Kind::End,
            ]
        );
    }

    #[test]
    fn modifiers_keep_their_double_colons() {
        assert_eq!(
            kinds("ld.shared::cta.u32 $L__BB0_1: // gone"),
            [
                Kind::Word("ld"),
                Kind::Dot("shared::cta"),
                Kind::Dot("u32"),
                Kind::Word("$L__BB0_1"),
                Kind::Mark(':'),
                Kind::End,
            ]
        );
    }

    #[test]
    fn a_comment_is_not_closed_by_what_opens_it() {
        assert_eq!(
            kinds("1 /*/ 2 */ 3 /**/ 4"),
            [1, 3, 4].map(Kind::Integer).into_iter().chain([Kind::End]).collect::<Vec<_>>()
        );
        assert!(tokens("/*/", &LineIndex::new("/*/")).is_err());
    }

    #[test]
    fn places_are_named() {
        let text = "add.s32\n  #";
        let error = tokens(text, &LineIndex::new(text)).expect_err("`#` is no token");
        assert_eq!((error.line, error.column), (2, 3));
    }
}
