//! Any bytes as text: the delimiter and the header are found out, and rows are read or refused.
#![no_main]

include!("read.rs");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read(bytes, Format::Csv));
