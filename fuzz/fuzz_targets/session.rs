//! Pipelined requests with their bodies: the same however they are cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_proto::fuzzing::session(data));
