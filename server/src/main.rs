//! The program `httpng`.

fn main() {}
