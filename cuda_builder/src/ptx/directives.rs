//! What the driver's compiler is told of a kernel: to leave its loops as they are, and how many registers it may take.
//!
//! It unrolls what LLVM has left, by four and more, also where a loop is soon done, and then compiles for as long again; and it
//! saves registers where they would hide waits. PTX has directives against that; from Rust there is no way to write them.

use std::collections::BTreeMap;

/// What stands in the PTX for a kernel of `#[kernel(rolled)]` or `#[kernel(small)]`, before its name.
const ROLLED: &str = "// cuda_std.rolled ";

/// And for an instance with `registers(…)`, before its name and their number.
const REGISTERS: &str = "// cuda_std.registers ";

/// Between an entry's parameters and its body it is about all loops in it.
const PRAGMA: &str = ".pragma \"nounroll\";\n";

/// The text, with the directives of each kernel that is marked, and without the marks.
pub(crate) fn directives(text: &str) -> String {
    let mut wanted: BTreeMap<&str, String> = BTreeMap::new();
    for mark in text.lines().map(str::trim) {
        if let Some((name, most)) = mark.strip_prefix(REGISTERS).and_then(|rest| rest.split_once(' ')) {
            wanted.entry(name).or_default().insert_str(0, &format!(".maxnreg {most}\n"));
        } else if let Some(name) = mark.strip_prefix(ROLLED) {
            wanted.entry(name).or_default().push_str(PRAGMA);
        }
    }
    let (mut out, mut own) = (String::with_capacity(text.len()), None);
    for line in text.lines().filter(|line| ![ROLLED, REGISTERS].iter().any(|mark| line.trim().starts_with(mark))) {
        if let Some((_, rest)) = line.split_once(".entry ") {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            own = name.and_then(|name| wanted.get(name));
        } else if line.trim() == "{"
            && let Some(lines) = own.take()
        {
            out.push_str(lines);
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
    fn directives_are_for_kernels_that_are_marked_alone() {
        let found = directives(&module("// cuda_std.rolled a\n", ""));
        assert_eq!(found, module("", PRAGMA));
        let found = directives(&module("// cuda_std.rolled a\n// cuda_std.registers a 72\n", ""));
        assert_eq!(found, module("", &format!(".maxnreg 72\n{PRAGMA}")));
        assert_eq!(directives(&module("", "")), module("", ""));
    }

    #[test]
    fn an_entry_with_directives_is_one_item() {
        let text = module("", &format!(".maxnreg 72\n{PRAGMA}"));
        let ptx = Ptx::read(&text).unwrap();
        assert_eq!(ptx.entries(), ["a", "ab"]);
        let [family] = &split(&ptx)[..] else { panic!("one family") };
        assert!(family.text.contains(")\n.maxnreg 72\n.pragma \"nounroll\";\n{\n"), "{}", family.text);
    }
}
