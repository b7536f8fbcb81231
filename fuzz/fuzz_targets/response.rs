//! Responses come back as they were meant.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_proto::fuzzing::response_comes_back(data));
