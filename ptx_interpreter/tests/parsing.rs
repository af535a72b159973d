//! The parser: places of errors, the corpus, and texts that are damaged in every way.

mod support;

use proptest::prelude::*;
use ptx_interpreter::{Argument, Gpu, Grid, Module, ParseErrorKind};
use std::path::{Path, PathBuf};
use support::module_text;

fn error(text: &str) -> (u32, u32, ParseErrorKind) {
    let error = Module::parse(text).expect_err("the text is wrong");
    (error.line, error.column, error.kind)
}

/// An error in the one instruction of a kernel, which starts its line.
fn instruction_error(code: &str) -> String {
    let text = module_text("", ".param .u64 x", code);
    let (line, column, kind) = error(&text);
    assert_eq!((line, column), (8, 1), "{kind}");
    kind.to_string()
}

#[test]
fn unknown_instructions_are_named() {
    assert!(instruction_error("frobnicate.b32 %r1, %r2;").starts_with("unknown instruction `frobnicate.b32`"));
    assert!(instruction_error("tcgen05.commit;").contains("`tcgen05.commit`"));
    assert!(instruction_error("add.s32.weird %r1, %r2, %r3;").contains("modifier `.weird`"));
    assert!(instruction_error("add.cc.u16 %h1, %h2, %h3;").contains("unknown instruction `add.cc.u16`"));
    assert!(instruction_error("add.rn %r1, %r2, %r3;").contains("lacks a type"));
    assert!(instruction_error("shfl.bfly.b32 %r1, %r2, 1, 31;").contains("`.sync`"));
    for wait in ["cp.async.wait_group;", "cp.async.wait_group %r1;", "cp.async.wait_group -1;"] {
        assert!(instruction_error(wait).contains("a number of groups"), "{wait}");
    }
    for alone in ["cp.async.commit_group 0;", "cp.async.wait_all 0;"] {
        assert!(instruction_error(alone).contains("it takes none"), "{alone}");
    }
}

/// Hardware that lacks an instruction would have it refused by the driver.
#[test]
fn instructions_that_the_target_lacks_are_refused() {
    let of_target = |target: &str, code: &str| {
        let text = module_text("", ".param .u64 x", code).replace(".target sm_90a", &format!(".target {target}"));
        Module::parse(&text).map(|_| ()).map_err(|error| error.kind)
    };
    for (code, oldest) in [
        ("cp.async.commit_group;", "sm_80"),
        ("redux.sync.add.s32 %r1, %r2, -1;", "sm_80"),
        ("cvt.rn.bf16x2.f32 %r1, %r1, %r2;", "sm_80"),
        ("min.NaN.f32 %r1, %r2, %r3;", "sm_80"),
        ("add.rn.bf16x2 %r1, %r2, %r3;", "sm_90"),
        ("griddepcontrol.wait;", "sm_90"),
        ("fence.proxy.async;", "sm_90"),
        ("fence.acquire.gpu;", "sm_90"),
        ("min.relu.s32 %r1, %r2, %r3;", "sm_90"),
        ("min.xorsign.abs.f32 %r1, %r2, %r3;", "sm_86"),
        ("cvt.rna.tf32.f32 %r1, %r2;", "sm_80"),
        ("cvt.rn.tf32.f32 %r1, %r2;", "sm_90"),
        ("cvt.rn.satfinite.tf32.f32 %r1, %r2;", "sm_100"),
        ("red.global.add.noftz.bf16x2 [%rd1], %r1;", "sm_90"),
        ("ld.global.v4.f64 {%rd1, %rd2, %rd3, %rd4}, [%rd5];", "sm_100"),
        ("st.global.v4.u64 [%rd5], {%rd1, %rd2, %rd3, %rd4};", "sm_100"),
        ("wgmma.fence.sync.aligned;", "sm_90a"),
    ] {
        assert_eq!(of_target(oldest, code), Ok(()));
        let refused = of_target("sm_75", code).unwrap_err();
        let name = code.split([' ', ';']).next().unwrap();
        let text = format!("`{name}` needs {oldest}, and the module is for sm_75; compile for that, or do without");
        assert_eq!(refused.to_string(), text);
        // What a later GPU has of it: all but what is of one architecture.
        assert_eq!(of_target("sm_120", code).is_ok(), oldest != "sm_90a");
    }
    assert!(matches!(of_target("sm_90", "wgmma.fence.sync.aligned;"), Err(ParseErrorKind::Target { .. })));
    for code in ["min.f32 %r1, %r2, %r3;", "tanh.approx.f32 %r1, %r2;", "ex2.approx.f32 %r1, %r2;"] {
        assert_eq!(of_target("sm_75", code), Ok(()));
    }
    // No GPU: what it has is not known.
    assert_eq!(of_target("nothing", "redux.sync.add.s32 %r1, %r2, -1;"), Ok(()));
}

#[test]
fn operands_are_checked() {
    assert!(instruction_error("add.s32 %r1, %r2;").contains("takes 3 operands, and 2 are given"));
    assert!(instruction_error("add.s32 5, %r2, %r3;").contains("the result goes to a register"));
    assert!(instruction_error("add.s32 %r1, %r2, %r64;").contains("`%r64` is not declared here"));
    assert!(instruction_error("bra nowhere;").contains("`nowhere` is not declared here"));
    assert!(instruction_error("ld.param.u64 %rd1, [x+4];").contains("`x` has only 8 bytes"));
    assert!(instruction_error("ld.global.v2.u32 %r1, [%rd1];").contains("2 elements are needed"));
    assert!(instruction_error("mov.u32 %r1, %tid.w;").contains("`%tid` is not declared here"));
    for (copy, what) in [
        ("cp.async.ca.shared.global [%rd1], [%rd2], 5;", "the size is 4, 8 or 16"),
        ("cp.async.cg.shared.global [%rd1], [%rd2], 4;", "the size is 16; `.ca` has 4 and 8, too"),
        ("cp.async.ca.shared.global [%rd1], [%rd2], 16, 8, 9;", "it takes two addresses, a size, and perhaps"),
        ("cp.async.shared.global [%rd1], [%rd2], 16;", "lacks `.ca` or `.cg`"),
    ] {
        assert!(instruction_error(copy).contains(what), "{copy}");
    }
}

/// What would run as something else, if what does not fit were passed over.
#[test]
fn what_an_instruction_does_not_have_is_refused() {
    for code in [
        // `!` is for the third predicate of a comparison.
        "selp.b32 %r1, 1, 2, !%p1;",
        "prmt.b32 %r1, %r2, 0, !%p1;",
        "fma.rn.f32 %r1, %r2, %r3, !%p1;",
        "setp.nan.s32 %p1, %r1, %r2;",
        "setp.ltu.u32 %p1, %r1, %r2;",
        "setp.lo.s32 %p1, %r1, %r2;",
        "setp.lt.b32 %p1, %r1, %r2;",
        "setp.hs.f32 %p1, %r1, %r2;",
        "setp.eq.ftz.f64 %p1, %rd1, %rd2;",
        "set.eq.u64.u32 %rd1, %r1, %r2;",
        "atom.global.inc.u64 %rd3, [%rd1], %rd2;",
        "atom.global.add.tf32 %r1, [%rd1], %r2;",
        "atom.global.min.b32 %r1, [%rd1], %r2;",
        "atom.global.and.u32 %r1, [%rd1], %r2;",
        "atom.const.add.u32 %r1, [%rd1], %r2;",
        "red.global.cas.b32 [%rd1], %r1, %r2;",
        "red.global.exch.b32 [%rd1], %r1;",
        "shfl.sync.idx.b64 %rd1, %rd2, 0, 31, -1;",
        "vote.sync.all.b32 %r1, %p1, -1;",
        "match.any.sync.b16 %r1, %h1, -1;",
        "prmt.b64 %rd1, %rd2, %rd3, 0;",
        "shf.l.wrap.b64 %rd1, %rd2, %rd3, 1;",
        "bmsk.clamp.b64 %rd1, 4, 8;",
        "szext.wrap.b32 %r1, 8, 4;",
        "min.relu.s64 %rd1, %rd2, %rd3;",
        "div.relu.s32 %r1, %r2, %r3;",
        "sqrt.full.f32 %r1, %r2;",
        "rcp.approx.f64 %rd1, %rd2;",
        "add.ftz.f64 %rd1, %rd2, %rd3;",
        "mul.sat.f64 %rd1, %rd2, %rd3;",
        "st.const.u32 [%rd1], 1;",
        "ld.reg.u32 %r1, [%rd1];",
        "ld.global.v8.b64 {%rd1, %rd2, %rd3, %rd4, %rd5, %rd6, %rd7, %rd8}, [%rd9];",
        "cvt.f32.f16x2 %r1, %r2;",
        "cvt.rn.bf16x2.f64 %r1, %rd1, %rd2;",
        "cvt.rn.satfinite.f32.f64 %r1, %rd1;",
        "cvt.rn.relu.f32.f64 %r1, %rd1;",
        "cvt.rn.sat.f16x2.f32 %r1, %r2, %r3;",
        "ret 5;",
        "exit %r1;",
        "trap 1;",
        "fence.bogus.foo;",
        "fence.proxy.bogus;",
        // What one of its loads gives afterwards may differ.
        "discard.global.L2 [%rd1], 128;",
    ] {
        instruction_error(code);
    }
    for code in [
        "fence.acq_rel.sys;",
        "fence.sc.cta;",
        "membar.gl;",
        "membar.sys;",
        "fence.proxy.alias;",
        "fence.proxy.async.global;",
        "rcp.approx.ftz.f64 %rd1, %rd2;",
        "rsqrt.approx.f64 %rd1, %rd2;",
        "atom.global.cas.b16 %h1, [%rd1], %h2, %h3;",
        "vote.sync.uni.pred %p1, !%p2, -1;",
    ] {
        Module::parse(&module_text("", "", code)).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Bits of one type are another number in another.
#[test]
fn constants_are_of_their_instructions_type() {
    for (code, ty) in [
        ("add.rn.f64 %rd1, 1.0, 0f3F800000;", ".f64"),
        ("mov.b64 %rd1, 0f3F800000;", ".b64"),
        ("add.s32 %r1, 2, 1.5;", ".s32"),
        ("add.s32 %r1, 2, 0d3FF0000000000000;", ".s32"),
        ("add.rn.f16 %h1, %h2, 1.0;", ".f16"),
        ("slct.b32.s32 %r1, 1, 2, -1.0;", ".s32"),
        ("selp.f32 %r1, 1.0, 2.0, 1.0;", ".pred"),
    ] {
        let expected = format!("`{ty}` has no such constants; write its bits as an integer");
        assert!(instruction_error(code).contains(&expected), "{code}");
    }
    for code in [
        "add.rn.f32 %r1, 1.5, 0f3F800000;",
        "add.rn.f64 %rd1, 1.5, 0d3FF0000000000000;",
        "mov.b32 %r1, 0f3F800000;",
        "mov.b64 %rd1, 0d3FF0000000000000;",
        "st.shared.v2.b32 [%rd1], {0f3F800000, %r1};",
        "match.any.sync.b32 %r1, 0f3F800000, -1;",
    ] {
        Module::parse(&module_text("", "", code)).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn places_and_kinds() {
    let (line, column, kind) = error("\n  .target sm_75");
    assert_eq!((line, column), (2, 3));
    assert!(kind.to_string().contains("`.version`"), "{kind}");
    assert!(matches!(error(".version 9.9\n").2, ParseErrorKind::NewerVersion { major: 9, minor: 9, .. }));
    assert!(matches!(error(".version 7.0\n.address_size 32\n"), (2, 15, ParseErrorKind::AddressSize(32))));
    assert!(
        matches!(error(".version 7.0\n.whatever 1\n"), (2, 1, ParseErrorKind::UnknownDirective(name)) if name == "whatever")
    );
    assert!(matches!(error(".version 7.0\n\u{e9}"), (2, 1, ParseErrorKind::Character('\u{e9}'))));
    assert!(matches!(error(".version 7.0 /* open"), (1, 14, ParseErrorKind::Unterminated(_))));
    assert!(matches!(error(".version 7.0\n.entry k() { ret;"), (2, 18, ParseErrorKind::Expected { .. })));
    assert!(matches!(
        error(".version 7.0\n.entry k() { ret; }\n.entry k() { ret; }"),
        (3, 8, ParseErrorKind::DuplicateName(_))
    ));
    assert!(matches!(error(".version 7.0\n.global .b8 big[99999999999];"), (2, 13, ParseErrorKind::Limit(_))));
    let twice = ".version 7.0\n.entry k() { .reg .b32 a;\n.reg .b32 a; }";
    assert!(matches!(error(twice), (3, 11, ParseErrorKind::DuplicateName(name)) if name == "a"));
    assert!(matches!(error(".version 7.0\n.global .b32 x = 0f12;"), (2, 18, ParseErrorKind::Number(_))));
}

/// A mask holds one symbol, so that no text makes the parser go deeper than its stack.
#[test]
fn masks_are_not_nested() {
    let initial = |value: &str| format!(".version 7.1\n.global .u64 x;\n.global .u8 y = {value};");
    assert!(Module::parse(&initial("0xff(x+4)")).is_ok());
    assert!(Module::parse(&initial("0xff00(generic(x)+4)")).is_ok());
    for value in ["1(".repeat(100_000), "1(2)".to_owned(), "-x".to_owned(), "-1(x)".to_owned()] {
        assert!(matches!(error(&initial(&value)).2, ParseErrorKind::Expected { .. }));
    }
}

/// Variables of 512 KiB each, in functions that have room for their addresses.
#[test]
fn local_memory_of_any_size_is_counted() {
    let variables: String = (0..1700).map(|i| format!(".local .b8 a{i}[524288];\n")).collect();
    let functions: String = (0..5).map(|i| format!(".func f{i}() {{\n{variables}ret; }}\n")).collect();
    let calls: String = (0..5).map(|i| format!("call f{i};\n")).collect();
    let module = Module::parse(&module_text(&functions, "", &calls)).expect("it is sound");
    assert_eq!(module.kernel("k").expect("it is there").summary().local, 5 * 1700 << 19);
}

fn ptx_files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .flat_map(|path| if path.is_dir() { ptx_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "ptx"))
        .collect();
    found.sort();
    found
}

fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let texts: Vec<String> = ptx_files(&folder)
        .into_iter()
        .map(|path| std::fs::read_to_string(path).expect("the corpus is readable"))
        .collect();
    assert!(!texts.is_empty());
    texts
}

#[test]
fn the_corpus_parses() {
    for text in corpus() {
        let module = Module::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(module.kernels().count() > 0);
    }
}

/// What the workspace's kernels compile to, where it lies in the tree.
#[test]
fn the_kernels_of_the_workspace_parse() {
    for path in ptx_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../gpu/ptx")) {
        let text = std::fs::read_to_string(&path).expect("the file is readable");
        Module::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Every beginning of a text is refused or accepted, and neither takes long.
#[test]
fn truncated_texts_do_no_harm() {
    for text in corpus() {
        for (end, _) in text.char_indices() {
            let _ = Module::parse(&text[..end]);
        }
    }
}

/// Pieces that a damaged text may gain.
const PIECES: [&str; 28] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    ";",
    ",",
    ":",
    "@",
    "!",
    "|",
    "+",
    "-",
    "0x",
    "4294967296",
    "99999999999999999999",
    "0f3F80",
    ".reg .b32 %r<4294967295>;",
    ".param",
    ".b8",
    "%r0",
    "\u{0}",
    "\"",
    "/*",
    ".shared .align 65536 .b8 z[1000000000];",
];

/// Words, and what stands between them a character at a time.
fn tokens(text: &str) -> Vec<String> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || "_$%.".contains(c);
    let mut tokens: Vec<String> = Vec::new();
    let mut joins = false;
    for character in text.chars() {
        match tokens.last_mut() {
            Some(last) if joins && in_word(character) => last.push(character),
            _ => tokens.push(character.to_string()),
        }
        joins = in_word(character);
    }
    tokens
}

/// A text of the corpus after a few edits; most keep to words, so that some texts still parse.
fn damaged() -> impl Strategy<Value = String> {
    let texts: Vec<Vec<String>> = corpus().iter().map(|text| tokens(text)).collect();
    let index = any::<prop::sample::Index>;
    (0..texts.len(), prop::collection::vec((index(), 0..16usize, index()), 1..4)).prop_map(move |(which, edits)| {
        let mut words = texts[which].clone();
        for (place, kind, other) in edits {
            let (at, from) = (place.index(words.len()), other.index(words.len()));
            let piece = PIECES[other.index(PIECES.len())].to_owned();
            match kind {
                0 => words.truncate(at.max(1)),
                1 => words[at] = piece,
                2 => words.insert(at, piece),
                3 => drop(words.drain(at..(at + 30).min(words.len()))),
                4 => drop(words.remove(at)),
                5 => words.swap(at, from),
                6 => {
                    let copy = words[from..(from + 40).min(words.len())].to_vec();
                    drop(words.splice(at..at, copy));
                }
                // A word for a word: opcodes, registers and numbers trade places.
                _ => {
                    let is_word = |word: &String| word.len() > 1;
                    let target = (at..words.len()).find(|at| is_word(&words[*at]));
                    let source = words[from..].iter().find(|word| is_word(word)).cloned();
                    if let (Some(target), Some(source)) = (target, source) {
                        words[target] = source;
                    }
                }
            }
            if words.is_empty() {
                words.push(" ".to_owned());
            }
        }
        words.concat()
    })
}

/// Runs every kernel of a module briefly, on zeros; it may fault as it likes.
fn run_briefly(module: &Module) {
    for kernel in module.kernels() {
        let mut gpu = Gpu::new();
        gpu.options.instruction_budget = 2_000;
        let arguments: Vec<Vec<u8>> = kernel.parameters().iter().map(|p| vec![0; p.size as usize]).collect();
        let arguments: Vec<Argument> = arguments.iter().map(|bytes| Argument::Bytes(bytes)).collect();
        let _ = gpu.launch(module, kernel.name(), Grid::linear(2, 40), &arguments);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_texts_do_no_harm(text in damaged()) {
        match Module::parse(&text) {
            Ok(module) => {
                let _ = module.lints();
                module.kernels().for_each(|kernel| drop(kernel.summary()));
                run_briefly(&module);
            }
            Err(error) => prop_assert!(error.line >= 1 && error.column >= 1),
        }
    }

    #[test]
    fn noise_does_no_harm(text in "\\PC{0,200}") {
        let _ = Module::parse(&text);
        let _ = Module::parse(&format!(".version 7.0\n.entry k() {{ {text} }}"));
    }
}
