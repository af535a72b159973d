//! Calls: where the frames of what is called lie, and what may be called.

mod support;

use ptx_interpreter::Grid;
use support::{module_text, run_on_buffer};

/// Runs one thread, with the address of four words of zeros at `%rd1`.
fn words(outside: &str, body: &str) -> Vec<u32> {
    let text = module_text(outside, ".param .u64 data", &format!("ld.param.u64 %rd1, [data];\n{body}"));
    let (result, words) = run_on_buffer(&text, 0, Grid::linear(1, 1), 4);
    result.unwrap_or_else(|error| panic!("{error}\n{text}"));
    words
}

#[test]
fn variables_of_a_callee_are_aligned_whatever_its_caller_has() {
    let g = ".func (.param .b32 out) g() { .local .align 8 .b8 b[8]; .reg .b32 %x; .reg .b64 %a;
        mov.u64 %a, b; st.local.u64 [%a], 7; ld.local.u32 %x, [b]; st.param.b32 [out], %x; ret; }";
    let body = ".local .b8 a[1]; st.local.u8 [a], 5; { .param .b32 back; call (back), g; ld.param.b32 %r1, [back]; }
        ld.local.u8 %r2, [a]; st.global.v2.u32 [%rd1], {%r1, %r2};";
    assert_eq!(words(g, body), [7, 5, 0, 0]);
}

#[test]
fn parameters_of_a_callee_are_aligned_whatever_its_caller_has() {
    let g = ".func (.param .b32 out) g(.param .b32 in) { .reg .b32 %x; .reg .b64 %a;
        mov.u64 %a, in; ld.param.u32 %x, [%a]; st.param.b32 [out], %x; ret; }";
    let body = "{ .param .b32 back; .param .b32 there; .param .b8 odd; st.param.b32 [there], 7; st.param.b8 [odd], 5;
        call (back), g, (there); ld.param.b32 %r1, [back]; ld.param.u8 %r2, [odd]; }
        st.global.v2.u32 [%rd1], {%r1, %r2};";
    assert_eq!(words(g, body), [7, 5, 0, 0]);
}

/// What a function needs is there, whoever holds its address.
#[test]
fn functions_are_called_through_tables() {
    let outside = ".shared .align 4 .b8 own[4];
        .func g() { .reg .b32 %x; st.shared.u32 [own], 7; ret; }
        .global .u64 table[1] = { g };
        .global .u64 tables[1] = { table };";
    let body = "mov.u64 %rd2, tables; ld.global.u64 %rd2, [%rd2]; ld.global.u64 %rd2, [%rd2];
        kind: .callprototype _ ();
        call %rd2, (), kind; st.global.u32 [%rd1], 7;";
    assert_eq!(words(outside, body), [7, 0, 0, 0]);
}
