//! Which file a path names, below the folder of a site.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_proto::fuzzing::content::file_name_of(data));
