//! Reads PTX as far as splitting and checking it need: top-level items, their names, what they refer to.

mod directives;
mod split;
pub(crate) mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use self::tokens::{Kind, Token, code_tokens, tokens};
pub(crate) use directives::directives;
pub use split::{FamilyText, cut, split};

/// How a kernel is marked: the comment that `#[kernel]` leaves in the PTX.
const MARKER: &str = "// cuda_std.kernel ";

/// Text that is not PTX as the scanner knows it.
///
/// ```
/// use cuda_builder::ptx::Ptx;
///
/// let malformed = Ptx::read(".target sm_75\n").unwrap_err();
/// assert_eq!(malformed.to_string(), "line 1 of the PTX: there is no `.version` line");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the PTX: {what}")]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
    /// What was wrong.
    pub what: String,
}

/// A kernel that the sources declare.
///
/// ```
/// use cuda_builder::ptx::{Marker, Ptx};
///
/// // The comment that `#[kernel]` leaves.
/// let ptx = Ptx::read(".version 7.0\n// cuda_std.kernel k gpu::scan\n")?;
/// let expected = Marker { entry: "k".to_owned(), module_path: "gpu::scan".to_owned() };
/// assert_eq!(ptx.markers(), [expected]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marker {
    /// The name of its entry in the PTX.
    pub entry: String,
    /// The Rust module it stands in, as in `gpu::mean_shift`.
    pub module_path: String,
}

impl Marker {
    /// The family: the first segment after the crate's name, or the crate's name where there is none.
    ///
    /// ```
    /// use cuda_builder::ptx::Marker;
    ///
    /// let of = |path: &str| Marker { entry: "k".to_owned(), module_path: path.to_owned() };
    /// assert_eq!(of("gpu::labels::scan").family(), "labels");
    /// // Kernels at the crate's root.
    /// assert_eq!(of("gpu").family(), "gpu");
    /// ```
    pub fn family(&self) -> &str {
        let mut segments = self.module_path.split("::");
        let krate = segments.next().unwrap_or_default();
        segments.next().unwrap_or(krate)
    }
}

/// What a top-level item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// `.version`, `.target`, `.address_size`.
    Header,
    Entry {
        visible: bool,
    },
    Function {
        external: bool,
    },
    Variable {
        external: bool,
        shared: bool,
    },
    /// `.file`: the name of a source file that `.loc` lines count from.
    File,
    /// `.section`: debug information beyond lines.
    Section,
    Other,
}

/// One top-level statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) kind: ItemKind,
    pub(crate) name: Option<&'a str>,
    pub(crate) text: &'a str,
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
}

impl Item<'_> {
    pub(crate) fn is_code(&self) -> bool {
        matches!(self.kind, ItemKind::Entry { .. } | ItemKind::Function { .. })
    }
}

/// A PTX module, read.
///
/// ```
/// use cuda_builder::ptx::Ptx;
///
/// let ptx = Ptx::read(".version 7.8\n.target sm_90\n.address_size 64\n.visible .entry k()\n{\nret;\n}\n")?;
/// assert_eq!((ptx.version(), ptx.entries()), ((7, 8), vec!["k"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Ptx<'a> {
    pub(crate) items: Vec<Item<'a>>,
    markers: Vec<Marker>,
    version: (u32, u32),
}

impl<'a> Ptx<'a> {
    /// Reads a module.
    ///
    /// ```
    /// use cuda_builder::ptx::Ptx;
    ///
    /// assert!(Ptx::read(".version 7.0\n.target sm_75\n").is_ok());
    /// // A body that does not end.
    /// assert!(Ptx::read(".version 7.0\n.visible .entry k()\n{\nret;\n").is_err());
    /// ```
    ///
    /// # Errors
    /// [`Malformed`] where a statement does not end, or the version is missing.
    pub fn read(source: &'a str) -> Result<Self, Malformed> {
        let items = items(source)?;
        let version = items
            .iter()
            .find_map(|item| parse_version(item.text))
            .ok_or_else(|| Malformed { line: 1, what: "there is no `.version` line".to_owned() })?;
        let markers = tokens(source).iter().filter_map(marker).collect();
        Ok(Self { items, markers, version })
    }

    /// The PTX version: (7, 8) for `.version 7.8`.
    ///
    /// ```
    /// use cuda_builder::ptx::Ptx;
    ///
    /// assert_eq!(Ptx::read(".version 8.3\n")?.version(), (8, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// The kernels that the sources declare, in the order of their markers.
    ///
    /// ```
    /// use cuda_builder::ptx::Ptx;
    ///
    /// assert!(Ptx::read(".version 7.0\n")?.markers().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn markers(&self) -> &[Marker] {
        &self.markers
    }

    /// The names of the entries, in the order of the text.
    ///
    /// ```
    /// use cuda_builder::ptx::Ptx;
    ///
    /// let text = ".version 7.0\n.visible .entry b()\n{\nret;\n}\n.visible .entry a()\n{\nret;\n}\n";
    /// assert_eq!(Ptx::read(text)?.entries(), ["b", "a"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn entries(&self) -> Vec<&'a str> {
        let entries = self.items.iter().filter(|i| matches!(i.kind, ItemKind::Entry { .. }));
        entries.filter_map(|item| item.name).collect()
    }

    /// The indices of the items that `root` refers to, however indirectly, with itself.
    pub(crate) fn closure(&self, root: &str) -> BTreeSet<usize> {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, item) in self.items.iter().enumerate() {
            if let Some(name) = item.name {
                by_name.entry(name).or_default().push(index);
            }
        }
        let mut reached = BTreeSet::new();
        let mut pending = by_name.get(root).cloned().unwrap_or_default();
        while let Some(index) = pending.pop() {
            if reached.insert(index) {
                let words = code_tokens(self.items[index].text);
                pending.extend(words.iter().filter_map(|w| by_name.get(w.text)).flatten());
            }
        }
        reached
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.strip_prefix(".version")?.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn marker(token: &Token<'_>) -> Option<Marker> {
    let mut words = token.text.strip_prefix(MARKER)?.split_whitespace();
    Some(Marker { entry: words.next()?.to_owned(), module_path: words.next()?.to_owned() })
}

fn items(source: &str) -> Result<Vec<Item<'_>>, Malformed> {
    let tokens = code_tokens(source);
    let mut rest = tokens.as_slice();
    let mut found = Vec::new();
    while let Some(first) = rest.first() {
        let length = item_length(rest)?;
        let (item, after) = rest.split_at(length);
        let text = &source[first.start..item[length - 1].end()];
        found.push(Item { kind: item_kind(item), name: item_name(item), text, line: first.line });
        rest = after;
    }
    Ok(found)
}

/// How many tokens the item at the head of `tokens` has.
fn item_length(tokens: &[Token<'_>]) -> Result<usize, Malformed> {
    let first = tokens[0];
    if ends_with_its_line(first.text) {
        return Ok(tokens.iter().take_while(|t| t.line == first.line).count());
    }
    let is_section = first.text == ".section";
    let (mut depth, mut is_code, mut is_pragma) = (0_usize, false, false);
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Mark(b'(' | b'{' | b'[') => depth += 1,
            Kind::Mark(close @ (b')' | b'}' | b']')) => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| Malformed { line: token.line, what: format!("`{}` closes nothing", token.text) })?;
                if depth == 0 && close == b'}' && (is_code || is_section) {
                    return Ok(index + 1);
                }
            }
            // Of an entry, between its parameters and its body.
            Kind::Mark(b';') if depth == 0 && is_pragma => is_pragma = false,
            Kind::Mark(b';') if depth == 0 => return Ok(index + 1),
            Kind::Word if depth == 0 => {
                is_pragma |= is_code && token.text == ".pragma";
                is_code |= matches!(token.text, ".entry" | ".func");
            }
            _ => {}
        }
    }
    Err(Malformed { line: first.line, what: format!("`{}` has no end", first.text) })
}

/// Directives that have no semicolon.
pub(crate) fn ends_with_its_line(directive: &str) -> bool {
    matches!(directive, ".version" | ".target" | ".address_size" | ".file" | ".loc")
}

fn item_kind(item: &[Token<'_>]) -> ItemKind {
    // Linkage and state space stand before anything in brackets.
    let head: Vec<_> = item.iter().take_while(|t| !t.is(b'(') && !t.is(b'{') && !t.is(b'[')).map(|t| t.text).collect();
    let has = |word: &str| head.contains(&word);
    match item[0].text {
        ".version" | ".target" | ".address_size" => ItemKind::Header,
        ".file" => ItemKind::File,
        ".section" => ItemKind::Section,
        _ if has(".entry") => ItemKind::Entry { visible: has(".visible") },
        _ if has(".func") => ItemKind::Function { external: has(".extern") },
        _ if [".global", ".const", ".shared", ".tex"].into_iter().any(has) => {
            ItemKind::Variable { external: has(".extern"), shared: has(".shared") }
        }
        _ => ItemKind::Other,
    }
}

fn item_name<'a>(item: &[Token<'a>]) -> Option<&'a str> {
    let place = |word: &str| item.iter().position(|t| t.text == word);
    let after = match item_kind(item) {
        ItemKind::Entry { .. } => place(".entry")? + 1,
        ItemKind::Function { .. } => {
            let next = place(".func")? + 1;
            // What a function returns stands in brackets before its name.
            let returns = item.get(next)?.is(b'(');
            if returns { next + item[next..].iter().position(|t| t.is(b')'))? + 1 } else { next }
        }
        ItemKind::Variable { .. } => {
            item.iter().position(|t| t.is(b'[') || t.is(b'=') || t.is(b';'))?.checked_sub(1)?
        }
        ItemKind::Other => place(".alias")? + 1,
        ItemKind::Header | ItemKind::File | ItemKind::Section => return None,
    };
    item.get(after).map(|token| token.text)
}

#[cfg(test)]
mod tests;
