//! Several endings become one, as data in, text out.

use std::sync::mpsc;
use std::time::Duration;

use super::{Outcome, Seat, Stop};
use crate::bells::TxBells;
use crate::exit::Exit;
use crate::signals::{self, StopFlag};
use crate::tx::Ending;

/// Plays endings in their order, `INDEX:CODE:MESSAGE`; `-` for no message. With `lost` one more
/// thread never ends.
fn check(endings: &str, lost: bool, expected: &str) {
    let stop = Stop {
        flag: StopFlag::default(),
        bells: TxBells::default(),
        hard_limit: Duration::ZERO,
    };
    let (tell, told) = mpsc::channel();
    for ending in endings.split(' ') {
        let fields: Vec<&str> = ending.split(':').collect();
        let index = fields[0].parse().unwrap();
        let exit = match fields[1] {
            "0" => Exit::Done,
            "1" => Exit::ProgramFailed,
            "3" => Exit::Environment,
            "4" => Exit::DrainCut,
            other => panic!("{other}"),
        };
        let message = (fields[2] != "-").then(|| fields[2].to_owned());
        let seat = Seat { index, count: 3 };
        tell.send((seat, Ending { exit, message })).unwrap();
    }
    let _held = lost.then(|| tell.clone());
    drop(tell);
    let ending = Outcome::default().wait(&told, &stop);
    let asked = stop.flag.asked().map_or("nothing", signals::name);
    let message = ending.message.unwrap_or_default();
    let shown = format!("{} {message:?}, {asked}", ending.exit.code());
    assert_eq!(shown, expected, "{endings}");
}

#[test]
fn all_is_well_when_all_are() {
    check("1:0:- 2:0:- 3:0:-", false, "0 \"\", nothing");
    check("2:0:b 1:0:a 3:0:c", false, "0 \"a\", nothing");
}

#[test]
fn the_first_failure_is_the_reason_and_ends_the_others() {
    check(
        "2:1:bad 1:4:- 3:0:-",
        false,
        "1 \"TX 2: bad\", another Lua thread has failed",
    );
    check(
        "1:0:fine 3:3:used 2:1:bad",
        false,
        "3 \"TX 3: used\", another Lua thread has failed",
    );
}

#[test]
fn whoever_does_not_give_way_is_not_waited_for() {
    check(
        "2:1:bad",
        true,
        "1 \"TX 2: bad\", another Lua thread has failed",
    );
}

#[test]
fn a_signal_that_came_before_stays_the_reason() {
    let flag = StopFlag::default();
    assert!(!flag.ask(15));
    flag.fail();
    assert_eq!(flag.asked(), Some(15));
    let flag = StopFlag::default();
    flag.fail();
    assert!(!flag.ask(15), "the first signal is not a second one");
    assert!(flag.ask(15));
}

#[test]
fn names_tell_the_thread_only_where_there_are_several() {
    let several = Seat { index: 2, count: 3 };
    assert_eq!(several.name().as_deref(), Some("TX 2"));
    assert_eq!(several.worker_name(0), "http-2.0");
    assert_eq!(several.thread_name("tx"), "tx-2");
    let alone = Seat::default();
    assert_eq!(alone.name(), None);
    assert_eq!(alone.worker_name(0), "http-0");
    assert_eq!(alone.thread_name("watchdog"), "watchdog");
}
