//! Tests of the formats, and of what becomes of the log when it is opened anew or cannot be
//! written. Records are made by a worker, so lines of real ones are tested end to end.

use super::*;

#[test]
fn formats_have_names() {
    assert_eq!("combined".parse(), Ok(Format::Combined));
    assert_eq!("json".parse(), Ok(Format::Json));
    assert!("common".parse::<Format>().is_err());
}

#[test]
fn a_log_that_cannot_be_opened_says_where() {
    let options = AccessOptions {
        file: Some("/nowhere/access.log".into()),
        format: Format::Json,
    };
    let error = OpenLog::open(&options, &Hub::default()).unwrap_err();
    assert!(
        error.starts_with("cannot open the access log /nowhere/access.log: "),
        "{error}"
    );
}

/// A pipe without a reader: opening it would wait for one.
#[test]
fn a_pipe_that_nobody_reads_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let options = AccessOptions {
        file: Some(path),
        format: Format::Combined,
    };
    assert!(OpenLog::open(&options, &Hub::default()).is_err());
}

#[test]
fn only_files_are_opened_anew() {
    let hub = Hub::default();
    assert!(!hub.reopen(), "there is none");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let options = AccessOptions {
        file: Some(path.clone()),
        format: Format::Combined,
    };
    let log = OpenLog::open(&options, &hub).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(hub.reopen());
    hub.finish(std::time::Duration::from_secs(20));
    assert!(path.exists(), "orders are obeyed in their order");
    assert!(!hub.reopen(), "it has ended");
    assert_eq!(log.dropped(), 0);
}
