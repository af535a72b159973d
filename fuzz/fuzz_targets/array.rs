//! Any bytes as numpy's array: no header makes the reader take memory that the file does not fill.
#![no_main]

include!("read.rs");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read(bytes, Format::Npy));
