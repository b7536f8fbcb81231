//! What the reader of mutations and of test results makes of good and bad input.

use super::*;

#[test]
fn a_line_of_mutations_has_three_parts() {
    let text = "# comment\n\nbell_no_recheck | loom_sleep | sleeps without looking again | ever\n";
    let expected = Mutation {
        name: "bell_no_recheck".to_owned(),
        filter: "loom_sleep".to_owned(),
        broken: "sleeps without looking again | ever".to_owned(),
    };
    assert_eq!(parse(text), Ok(vec![expected]));
}

#[test]
fn bad_mutations_are_errors_with_their_line() {
    for bad in [
        "a | b",
        "a | | c",
        "a b | c | d",
        "a\" | c | d",
        "a | b | c\na | b | c",
    ] {
        let error = parse(bad).expect_err(bad);
        assert!(error.starts_with("mutations.txt:"), "{error}");
    }
    assert_eq!(
        parse("# none\n"),
        Err("mutations.txt: no mutation".to_owned())
    );
}

#[test]
fn failing_passing_and_missing_tests_are_told_apart() {
    let tail = "0 ignored; 0 measured; 7 filtered out; finished in 0.00s\n";
    let failed = format!("running 2 tests\n\ntest result: FAILED. 1 passed; 1 failed; {tail}");
    let passed = format!("test result: ok. 3 passed; 0 failed; {tail}");
    let none = format!("running 0 tests\n\ntest result: ok. 0 passed; 0 failed; {tail}");
    assert_eq!(judge(&failed, "loom_trip"), Verdict::Caught(1));
    assert_eq!(judge(&passed, "loom_trip"), Verdict::Survived(3));
    assert_eq!(judge(&none, "loom_trip"), Verdict::NoTest);
    let last_words = "thread 'tests::loom_trip::close' (7) panicked at src/ring.rs:1:1:\n";
    let aborted = format!("running 1 test\n\n{last_words}thread caused non-unwinding panic.\n");
    assert_eq!(judge(&aborted, "loom_trip"), Verdict::Caught(1));
    assert_eq!(judge(&aborted, "loom_pins"), Verdict::Died);
    assert_eq!(judge("running 1 test\n", "loom_trip"), Verdict::Died);
}

#[test]
fn one_failing_test_program_is_enough_and_a_broken_one_is_no_catch() {
    assert_eq!(
        sum_up(vec![Verdict::NoTest, Verdict::Caught(2)]),
        Verdict::Caught(2)
    );
    assert_eq!(
        sum_up(vec![Verdict::Survived(1), Verdict::NoTest]),
        Verdict::Survived(1)
    );
    assert_eq!(
        sum_up(vec![Verdict::NoTest, Verdict::NoTest]),
        Verdict::NoTest
    );
    assert_eq!(
        sum_up(vec![Verdict::Caught(1), Verdict::TooLong]),
        Verdict::TooLong
    );
    assert_eq!(sum_up(Vec::new()), Verdict::NoTest);
}

#[test]
fn test_programs_are_found_among_the_messages() {
    let messages = concat!(
        "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":true},\"executable\":\"t/a\"}\n",
        "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":false},\"executable\":\"t/b\"}\n",
        "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":true},\"executable\":null}\n",
        "not json\n",
    );
    assert_eq!(test_executables(messages), [PathBuf::from("t/a")]);
}

#[test]
fn the_table_names_what_was_not_caught() {
    let mutation = &parse("early_free | loom_trip | frees too early").expect("good")[0];
    let text = render(&[(mutation, Verdict::Survived(1))]);
    assert_eq!(
        text,
        "early_free  SURVIVED  by loom_trip: frees too early\n"
    );
}

#[cfg(unix)]
#[test]
fn the_wrapper_adds_the_cfg_behind_the_arguments() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = wrapper(folder.path(), "early_free").expect("written");
    let output = Command::new(path)
        .args(["echo", "x"])
        .output()
        .expect("runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "x --cfg mutate=\"early_free\"\n"
    );
}
