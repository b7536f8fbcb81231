//! Which site a path belongs to.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_proto::fuzzing::site_of_path(data));
