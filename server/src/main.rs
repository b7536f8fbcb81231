//! The program `httpng`.

#![forbid(unsafe_code)]

fn main() {}
