//! The parser: places of errors, the corpus, and texts that are damaged in every way.

mod support;

use proptest::prelude::*;
use ptx_interpreter::{Argument, Gpu, Grid, Module, ParseErrorKind};
use std::path::{Path, PathBuf};
use support::{error, module_text};

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
    assert_eq!(module.kernel("k").expect("it is there").summary().local, (5 * 1700) << 19);
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
