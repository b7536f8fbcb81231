//! Heads: the same however they are cut, and as others read them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_proto::fuzzing::head(data));
