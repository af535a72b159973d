//! Small kernels for the tests, and the way to run them.
#![allow(dead_code)] // each test program uses a part of it

pub mod planted;

use ptx_interpreter::{Argument, Gpu, Grid, LaunchError, Module, ParseErrorKind, Report};

/// Registers that every kernel of the tests may use.
const REGISTERS: &str = ".reg .pred %p<16>; .reg .b16 %h<16>; .reg .b32 %r<64>; .reg .b64 %rd<64>;";

/// A module with one kernel `k`; `outside` stands before it.
pub fn module_text(outside: &str, parameters: &str, body: &str) -> String {
    format!(
        ".version 8.0\n.target sm_90a\n.address_size 64\n{outside}\n.visible .entry k({parameters})\n{{\n{REGISTERS}\n{body}\nret;\n}}\n"
    )
}

/// Parses, with the error in full.
pub fn parse(text: &str) -> Module {
    Module::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Line, column and kind of what is wrong with a text.
pub fn error(text: &str) -> (u32, u32, ParseErrorKind) {
    let error = Module::parse(text).expect_err("the text is wrong");
    (error.line, error.column, error.kind)
}

/// An error in the one instruction of a kernel, which starts its line.
pub fn instruction_error(code: &str) -> String {
    let text = module_text("", ".param .u64 x", code);
    let (line, column, kind) = error(&text);
    assert_eq!((line, column), (8, 1), "{kind}");
    kind.to_string()
}

/// Lines of a text that carry a mark.
pub fn marked_lines(text: &str, mark: &str) -> Vec<u32> {
    text.lines().enumerate().filter(|(_, line)| line.contains(mark)).map(|(at, _)| at as u32 + 1).collect()
}

/// Runs `body` once for one thread; `input` comes at `%rd1`, `output` words go to `%rd2`.
pub fn evaluate(body: &str, input: &[u64], output: usize) -> Vec<u64> {
    let text = module_text(
        "",
        ".param .u64 input, .param .u64 output",
        &format!("ld.param.u64 %rd1, [input];\nld.param.u64 %rd2, [output];\n{body}"),
    );
    let module = parse(&text);
    let mut gpu = Gpu::new();
    let (from, to) = (gpu.alloc_from(input), gpu.alloc::<u64>(output));
    let arguments = [Argument::U64(from.address()), Argument::U64(to.address())];
    gpu.launch(&module, "k", Grid::linear(1, 1), &arguments).unwrap_or_else(|error| panic!("{error}\n{text}"));
    gpu.read(&to).expect("every output is written")
}

/// Runs kernel `k` with one buffer of `words` zeros, and gives back what it holds.
pub fn run_on_buffer(text: &str, seed: u64, grid: Grid, words: usize) -> (Result<Report, LaunchError>, Vec<u32>) {
    let module = parse(text);
    let mut gpu = Gpu::with_seed(seed);
    let buffer = gpu.alloc_from(&vec![0u32; words]);
    let result = gpu.launch(&module, "k", grid, &[Argument::U64(buffer.address())]);
    let values = gpu.read(&buffer).expect("the buffer was initialised");
    (result, values)
}
