//! The message of a panicked fiber reaches the log with its name.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Mutex;
use std::time::Instant;

use log::{LevelFilter, Log, Metadata, Record};
use tx_runtime::{Budget, spawn, turn};

struct Kept(Mutex<Vec<String>>);

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        assert!(!line.contains("unspeakable"), "the logger panics");
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

#[test]
fn a_panic_is_logged_with_the_name_of_its_fiber() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(LevelFilter::Trace);
    spawn("clumsy", || panic!("dropped {} things", 3)).unwrap();
    turn(Instant::now(), Budget { fibers: 10 });
    let line = "ERROR fiber 1 (clumsy) panicked: dropped 3 things";
    assert_eq!(*KEPT.0.lock().unwrap(), [line]);

    let again = spawn("unspeakable", || panic!("and so is its logger")).unwrap();
    let other = spawn("other", || {}).unwrap();
    turn(Instant::now(), Budget { fibers: 10 });
    assert!(again.join(None).is_err() && other.join(None).is_ok());
}
