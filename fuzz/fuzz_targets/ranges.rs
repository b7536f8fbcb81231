//! What a `Range` selects of a file.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_proto::fuzzing::content::ranges_of(data));
