//! Kernels whose loops the driver's compiler is to leave as they are.
//!
//! It unrolls what LLVM has left, by four and more, also where a loop is soon done, and then compiles for as long again.
//! PTX has a pragma against that; from Rust there is no way to write it.

use std::collections::BTreeSet;

/// What stands in the PTX for a kernel of `#[kernel(rolled)]` or `#[kernel(small)]`, before its name.
const MARKER: &str = "// cuda_std.rolled ";

/// Between an entry's parameters and its body it is about all loops in it.
const PRAGMA: &str = ".pragma \"nounroll\";\n";

/// The text, with the pragma for each kernel that is marked, and without the marks.
pub(crate) fn rolled(text: &str) -> String {
    let marked: BTreeSet<&str> = text.lines().filter_map(|line| line.trim().strip_prefix(MARKER)).collect();
    let (mut out, mut is_marked) = (String::with_capacity(text.len()), false);
    for line in text.lines().filter(|line| !line.trim().starts_with(MARKER)) {
        if let Some((_, rest)) = line.split_once(".entry ") {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            is_marked = name.is_some_and(|name| marked.contains(name));
        } else if line.trim() == "{" && is_marked {
            out.push_str(PRAGMA);
            is_marked = false;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ptx::{Ptx, split};

    fn module(marker: &str, pragma: &str) -> String {
        let body = "{\n.reg .b32 %r<2>;\n{\nret;\n}\n}\n";
        format!(
            ".version 7.0\n// cuda_std.kernel a gpu::a\n// cuda_std.kernel ab gpu::a\n{marker}\
             .visible .entry a(\n.param .u32 p0\n)\n{pragma}{body}.visible .entry ab(\n\n)\n{body}"
        )
    }

    #[test]
    fn the_pragma_is_for_kernels_that_are_marked_alone() {
        let found = rolled(&module("// cuda_std.rolled a\n", ""));
        assert_eq!(found, module("", PRAGMA));
        assert_eq!(rolled(&module("", "")), module("", ""));
    }

    #[test]
    fn an_entry_with_the_pragma_is_one_item() {
        let text = module("", PRAGMA);
        let ptx = Ptx::read(&text).unwrap();
        assert_eq!(ptx.entries(), ["a", "ab"]);
        let [family] = &split(&ptx)[..] else { panic!("one family") };
        assert!(family.text.contains(")\n.pragma \"nounroll\";\n{\n"), "{}", family.text);
    }
}
