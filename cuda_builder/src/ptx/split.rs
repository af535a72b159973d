//! Cuts PTX: one text for each family of kernels, to be kept and read; and of those one module for each kernel, so that
//! the driver compiles at load only what a run needs.

use std::collections::{BTreeMap, BTreeSet};

use super::{ItemKind, Marker, Ptx};

/// The PTX of one family.
///
/// ```
/// # const TEXT: &str = ".version 7.0\n.target sm_75\n.address_size 64\n// cuda_std.kernel k gpu::scan\n\
/// #     .visible .entry k()\n{\nret;\n}\n";
/// use cuda_builder::ptx::{FamilyText, Ptx, split};
///
/// let [FamilyText { family, entries, text }] = &split(&Ptx::read(TEXT)?)[..] else { panic!("one family") };
/// assert_eq!((family.as_str(), &entries[..]), ("scan", &["k".to_owned()][..]));
/// // It is a module of its own.
/// assert_eq!(Ptx::read(text)?.entries(), ["k"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyText {
    /// The family's name.
    pub family: String,
    /// Its entries, in the order of the text.
    pub entries: Vec<String>,
    /// A whole module.
    pub text: String,
}

/// Splits a module by family, in the order of the families' names.
///
/// A family's module holds its entries and whatever they refer to, however indirectly. Declarations that are
/// repeated word for word are kept once: each kernel of a family declares the dynamic shared memory anew.
/// A variable that two families use becomes two, one in each module: kernels of different families share memory
/// only through their arguments. Debug sections are dropped, since they refer to labels of entries in other modules; `.file` and `.loc`
/// lines, which are all that a profiler needs to show sources, are kept.
///
/// ```
/// use cuda_builder::ptx::{Ptx, split};
///
/// let text = ".version 7.0\n.target sm_75\n.address_size 64\n\
///             // cuda_std.kernel a gpu::scan\n// cuda_std.kernel b gpu::radix\n\
///             .visible .entry a()\n{\nret;\n}\n.visible .entry b()\n{\nret;\n}\n";
/// let families: Vec<String> = split(&Ptx::read(text)?).into_iter().map(|module| module.family).collect();
/// assert_eq!(families, ["radix", "scan"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn split(ptx: &Ptx<'_>) -> Vec<FamilyText> {
    let mut families: BTreeMap<&str, BTreeSet<&Marker>> = BTreeMap::new();
    for marker in ptx.markers() {
        families.entry(marker.family()).or_default().insert(marker);
    }
    families.into_iter().map(|(family, markers)| family_text(ptx, family, &markers)).collect()
}

/// Cuts a module further: each kernel by itself, with its family's name, in the order of the kernels' names.
///
/// Kernels that refer to the same variable, which may be written, stay together.
///
/// ```
/// use cuda_builder::ptx::{Ptx, cut};
///
/// let text = ".version 7.0\n.target sm_75\n.address_size 64\n\
///             // cuda_std.kernel a gpu::scan\n// cuda_std.kernel b gpu::scan\n\
///             .visible .entry a()\n{\nret;\n}\n.visible .entry b()\n{\nret;\n}\n";
/// let entries: Vec<_> = cut(&Ptx::read(text)?).into_iter().map(|module| module.entries).collect();
/// assert_eq!(entries, [["a"], ["b"]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cut(ptx: &Ptx<'_>) -> Vec<FamilyText> {
    let variables = |marker: &Marker| -> BTreeSet<usize> {
        let is_kept = |index: &usize| matches!(ptx.items[*index].kind, ItemKind::Variable { shared: false, .. });
        ptx.closure(&marker.entry).into_iter().filter(is_kept).collect()
    };
    let mut groups: Vec<(BTreeSet<usize>, BTreeSet<&Marker>)> = Vec::new();
    for marker in ptx.markers().iter().collect::<BTreeSet<_>>() {
        let (mut used, mut members) = (variables(marker), BTreeSet::from([marker]));
        let (joined, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(others, _)| !others.is_disjoint(&used));
        groups = apart;
        for (others, more) in joined {
            used.extend(others);
            members.extend(more);
        }
        groups.push((used, members));
    }
    let texts = groups.into_iter().filter_map(|(_, members)| {
        let family = members.first()?.family();
        Some(family_text(ptx, family, &members))
    });
    texts.collect()
}

fn family_text(ptx: &Ptx<'_>, family: &str, markers: &BTreeSet<&Marker>) -> FamilyText {
    let wanted: BTreeSet<usize> = markers.iter().flat_map(|m| ptx.closure(&m.entry)).collect();
    let mut head = String::from("// Kernels written in Rust, compiled by cuda_builder. Do not edit.\n");
    let (mut body, mut entries, mut seen, mut codes) = (String::new(), Vec::new(), BTreeSet::new(), 0);
    for (index, item) in ptx.items.iter().enumerate() {
        let mut text = tidy(item.text);
        if let (ItemKind::Entry { .. }, Some(entry)) = (item.kind, item.name) {
            // The text is checked in: names of parameters are an entry's own and need not have its name in front.
            text = text.replace(&format!("{entry}_param_"), "p");
        }
        match item.kind {
            ItemKind::Header => head += &format!("{text}\n"),
            ItemKind::File => body += &format!("\n{text}\n"),
            ItemKind::Section => {}
            _ => {
                let pragma = item.kind == ItemKind::Other && item.name.is_none();
                if (wanted.contains(&index) || pragma) && seen.insert(text.clone()) {
                    if item.is_code() {
                        text = relabelled(&text, codes);
                        codes += 1;
                    }
                    body += &format!("\n{text}\n");
                    if matches!(item.kind, ItemKind::Entry { .. }) {
                        entries.extend(item.name.map(str::to_owned));
                    }
                }
            }
        }
    }
    head.push('\n');
    for Marker { entry, module_path } in markers {
        head += &format!("{}{entry} {module_path}\n", super::MARKER);
    }
    FamilyText { family: family.to_owned(), entries, text: head + &body }
}

/// The text with labels numbered by its place in the family. LLVM numbers them by the place in the crate, and then a kernel
/// that is added to one family would change the text of all that follow.
fn relabelled(text: &str, code: usize) -> String {
    let mut parts = text.split(LABEL);
    let mut relabelled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        relabelled += &format!("{LABEL}{code}{rest}");
    }
    relabelled
}

/// What a label begins with, before the number of its entry or function.
const LABEL: &str = "$L__BB";

/// The text without spaces at line ends, so that a checked-in copy passes whitespace checks, and without indentation,
/// so that it is small.
fn tidy(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}
