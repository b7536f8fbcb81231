//! Everything that fuzzing has kept, once more: each file of `fuzz/corpus` through the function of
//! its target.

use std::path::Path;

use http_proto::fuzzing;

/// Runs all inputs of one target.
fn check(target: &str, run: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let files = std::fs::read_dir(root.join(target)).expect("the corpus of the target");
    let mut count = 0;
    for file in files {
        let path = file.expect("a file").path();
        let input = std::fs::read(&path).expect("it can be read");
        let outcome = std::panic::catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "{}", path.display());
        count += 1;
    }
    assert!(count > 0, "{target} has no inputs");
}

#[test]
fn heads() {
    check("head", fuzzing::head);
}

#[test]
fn chunked_bodies() {
    check("chunked", fuzzing::chunked_body);
}

#[test]
fn sessions() {
    check("session", fuzzing::session);
}

/// The second reader itself is of `cargo xtask fuzz`; what it was tried with is tried here too.
#[test]
fn sessions_of_the_second_reader() {
    check("second_reader", fuzzing::head);
    check("second_reader", fuzzing::session);
}

#[test]
fn paths_of_sites() {
    check("sites", fuzzing::site_of_path);
}

#[test]
fn responses() {
    check("response", fuzzing::response_comes_back);
}

#[test]
fn names_of_files() {
    check("file_name", fuzzing::content::file_name_of);
}

#[test]
fn ranges() {
    check("ranges", fuzzing::content::ranges_of);
}
