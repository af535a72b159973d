//! What a kernel says to the driver's compiler: which loops it is to leave as they are, and how many registers it may take.
//!
//! It unrolls what LLVM has left, by four and more, also where a loop is soon done, and then compiles for as long again. And it
//! chooses how many registers a thread has without knowing how many threads are to be on a multiprocessor: what is one above a
//! limit has a block less there, and what is far below waits for what it could have loaded before.
//! PTX has words for both; from Rust there is no way to write them.

use std::collections::BTreeMap;

/// What stands in the PTX for a kernel of `#[kernel(rolled)]` or `#[kernel(small)]`, before its name.
const ROLLED: &str = "// cuda_std.rolled ";

/// The same of `#[kernel(registers = 168)]`, before its name and the number.
const REGISTERS: &str = "// cuda_std.registers ";

/// Between an entry's parameters and its body it is about all loops in it.
const PRAGMA: &str = ".pragma \"nounroll\";\n";

/// The text, with the directives for each kernel that is marked, and without the marks.
pub(crate) fn directives(text: &str) -> String {
    let mut wanted = BTreeMap::<&str, String>::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix(ROLLED) {
            wanted.entry(name).or_default().push_str(PRAGMA);
        } else if let Some((name, number)) = line.strip_prefix(REGISTERS).and_then(|mark| mark.split_once(' ')) {
            wanted.entry(name).or_default().insert_str(0, &format!(".maxnreg {number}\n"));
        }
    }
    let (mut out, mut here) = (String::with_capacity(text.len()), None);
    for line in text.lines() {
        if line.trim().starts_with(ROLLED) || line.trim().starts_with(REGISTERS) {
            continue;
        }
        if let Some((_, rest)) = line.split_once(".entry ") {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            here = name.and_then(|name| wanted.get(name));
        } else if line.trim() == "{"
            && let Some(directives) = here.take()
        {
            out.push_str(directives);
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

    fn module(marks: &str, words: &str) -> String {
        let body = "{\n.reg .b32 %r<2>;\n{\nret;\n}\n}\n";
        format!(
            ".version 7.0\n// cuda_std.kernel a gpu::a\n// cuda_std.kernel ab gpu::a\n{marks}\
             .visible .entry a(\n.param .u32 p0\n)\n{words}{body}.visible .entry ab(\n\n)\n{body}"
        )
    }

    #[test]
    fn directives_are_for_kernels_that_are_marked_alone() {
        assert_eq!(directives(&module("// cuda_std.rolled a\n", "")), module("", PRAGMA));
        assert_eq!(directives(&module("// cuda_std.registers a 168\n", "")), module("", ".maxnreg 168\n"));
        assert_eq!(directives(&module("", "")), module("", ""));
    }

    #[test]
    fn a_kernel_may_have_both() {
        let both = module("", &format!(".maxnreg 64\n{PRAGMA}"));
        for marks in
            ["// cuda_std.rolled a\n// cuda_std.registers a 64\n", "// cuda_std.registers a 64\n// cuda_std.rolled a\n"]
        {
            assert_eq!(directives(&module(marks, "")), both);
        }
    }

    #[test]
    fn an_entry_with_directives_is_one_item() {
        let text = module("", &format!(".maxnreg 64\n{PRAGMA}"));
        let ptx = Ptx::read(&text).unwrap();
        assert_eq!(ptx.entries(), ["a", "ab"]);
        let [family] = &split(&ptx)[..] else { panic!("one family") };
        assert!(family.text.contains(")\n.maxnreg 64\n.pragma \"nounroll\";\n{\n"), "{}", family.text);
    }
}
