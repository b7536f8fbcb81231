//! Has the linker show Lua's functions to C modules (cjson, lpeg, ...), which look them up there.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-rdynamic");
}
