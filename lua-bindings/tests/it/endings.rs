//! Cancellation and the end of a response, together with bodies that arrive in pieces and with what
//! was appended and not sent.

use lua_bindings::{MainStatus, Stage};

use crate::check::{Play, check_at};
use crate::world::World;

/// Says in the log how it ended.
const TELL: &str = "io:on_close(function(_, how) log.info('told %s', how) end)\n";

/// In stage 4.
fn told(handler: &str, script: &str) -> String {
    check_at(Stage::Four, &format!("{TELL}{handler}"), script)
}

fn position(text: &str, what: &str) -> usize {
    text.find(what)
        .unwrap_or_else(|| panic!("no {what} in\n{text}"))
}

#[test]
fn done_is_when_the_worker_has_written_everything() {
    // Two parts are appended while the first is with the worker; the close is behind them.
    let handler = "io:write('a') fiber.sleep(0.001) io:write('b') io:write(('c'):rep(2000))\n\
                   io:close() log.info('closed')";
    let mut play = Play::begin(World::new(Stage::Four), &format!("{TELL}{handler}"));
    play.run("GET /\nturn\nlook\npass 1");
    assert!(play.text().contains("INFO lua: closed\n"));
    play.run("pass 1000\ncontinue 1\nturn");
    let text = play.text();
    assert!(text.contains("1 finds + \"b\" + \"c*2000\"\n"), "{text}");
    assert!(!text.contains("told"), "{text}");
    play.run("continue 1\nturn");
    let text = play.end();
    assert!(
        position(&text, "MUST-CLOSE in time") < position(&text, "told done"),
        "{text}"
    );
    assert_eq!(text.matches("told").count(), 1, "{text}");
}

#[test]
fn what_came_home_too_late_is_no_end() {
    // The shuttle is on its way home when the rest is appended: it leaves with it again.
    let handler = "io:write('a') while not G.go do fiber.sleep(0.001) end\n\
                   io:write('b') io:close()\n\
                   log.info('closed')";
    let mut play = Play::begin(World::new(Stage::Four), &format!("{TELL}{handler}"));
    play.run("GET /\nturn\nlook");
    play.late_close(1);
    play.run("turn");
    assert!(play.text().contains("closed") && !play.text().contains("told"));
    play.run("look\npass 1000");
    assert!(!play.text().contains("told"), "{}", play.text());
    let text = play.end();
    assert!(
        position(&text, "+ \"b\"") < position(&text, "told done"),
        "{text}"
    );
    assert_eq!(text.matches("told").count(), 1, "{text}");
}

#[test]
fn r4_what_came_home_too_late_is_let_go_if_the_client_left_meanwhile() {
    let handler = "io:write('a') while not G.go do fiber.sleep(0.001) end\n\
                   io:write(('b'):rep(2000)) END";
    for (end, is_given_up) in [
        ("io:close()", false),
        ("return { body = ('c'):rep(2000) }", false),
        ("while not G.enough do pcall(fiber.sleep, 100) end", true),
    ] {
        let handler = format!("{TELL}{}", handler.replace("END", end));
        let mut play = Play::begin(World::new(Stage::Four), &handler);
        play.run("GET /\nturn\nlook");
        play.late_close(1);
        play.run("gone 1\nturn");
        if is_given_up {
            assert_eq!(play.world.env.pins(), 1);
            start(&mut play, "httpng.shutdown(1)");
            play.world.asked.borrow_mut().stopped = true;
            play.run("pass 1100");
            assert_eq!(play.world.env.pins(), 0);
            start(&mut play, "G.enough = true");
            play.run("pass 10");
        }
        play.run("look");
        let text = play.end();
        assert!(text.ends_with("1 Release\n"), "{end}: {text}");
        assert_eq!(text.matches("told gone").count(), 1, "{end}: {text}");
    }
}

#[test]
fn done_is_at_once_when_the_worker_needs_nobody() {
    let handler = "io:write('x', true) fiber.sleep(1)";
    let text = told(handler, "GET /\nturn\nlook\npass 1000");
    assert!(
        text.starts_with("INFO lua: told done\n1 Answer 200 (1) \"x\"\n"),
        "{text}"
    );
}

#[test]
fn gone_is_told_although_something_is_unsent() {
    for leaves in ["gone 1\nturn", "leave 1\nclosed 1\nturn"] {
        let handler = "io:write('a') fiber.sleep(0.001) io:write(('b'):rep(3000)) io:close()\n\
                       fiber.sleep(1)";
        let script = format!("GET /\nturn\nlook\npass 1\n{leaves}");
        let text = told(handler, &script);
        assert_eq!(text.matches("told gone").count(), 1, "{leaves}: {text}");
        assert!(!text.contains("told done"), "{leaves}: {text}");
    }
}

// Handlers that are cancelled ---------------------------------------------------------------------

/// Each waits in a way of its own.
const WAITS: &[&str] = &[
    "req:read()",
    "req:read(1, 50)",
    "for _ in req:pieces() do end",
    "local _ = req.body",
    "req:json()",
    "req:form()",
    "io:write('a') io:wait(1000, 50)",
    "io:write('a') io:wait(0, 50)",
    "io.send_window = 10 io:write('a') io:write(('b'):rep(20)) io:close() fiber.sleep(50)",
];

const FORM: &[(&str, &str)] = &[("content-type", "multipart/form-data;boundary=XX")];

#[test]
fn l13_cancel_on_disconnect_ends_every_way_to_wait() {
    for wait in WAITS {
        let handler = format!("{TELL}{wait} fiber.sleep(0) log.info('never')");
        let mut play = Play::begin_with(
            World::new(Stage::Four),
            "cancel_on_disconnect = true,",
            &handler,
        );
        play.stream("/", FORM);
        play.run("turn\nlook");
        assert!(!play.text().contains("told"), "{wait}: {}", play.text());
        play.run("gone 1\nturn\npass 2");
        let text = play.text();
        assert!(text.contains("told gone"), "{wait}: {text}");
        assert!(text.contains("was cancelled"), "{wait}: {text}");
        assert!(!text.contains("never"), "{wait}: {text}");
        let text = play.end();
        assert!(!text.contains("ERROR"), "{wait}: {text}");
    }
}

#[test]
fn l13_a_write_that_waits_for_room_answers_before_its_handler_is_cancelled() {
    let handler = "io.send_window = 10 io:write('a')\n\
                   log.info('%s', io:write(('b'):rep(20)))\n\
                   log.info('%s', select(2, pcall(fiber.sleep, 50)))";
    let options = "cancel_on_disconnect = true,";
    let mut play = Play::begin_with(World::new(Stage::Four), options, handler);
    play.run("GET /\nturn\nlook\ngone 1\npass 10");
    let text = play.end();
    let answers: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("INFO"))
        .collect();
    assert_eq!(
        answers,
        ["INFO lua: true", "INFO lua: fiber is cancelled"],
        "{text}"
    );
}

#[test]
fn others_that_wait_for_the_same_request_are_not_cancelled() {
    // They are told in the words of what they wait in.
    let handler = "local function other(name, f)\n\
                     fiber.create(function() log.info('%s: %s', name, select(2, pcall(f))) end)\n\
                   end\n\
                   io:write('a')\n\
                   other('read', function() return select(2, req:read()) end)\n\
                   other('wait', function() return httpng.cancelled(io:wait(1000, 50)) end)\n\
                   fiber.sleep(50)";
    let options = "cancel_on_disconnect = true,";
    let mut play = Play::begin_with(World::new(Stage::Four), options, handler);
    play.run("STREAM /\nturn\nlook\ngone 1\nfault 1 closed\nturn");
    let text = play.end();
    for line in ["read: closed", "wait: true"] {
        assert!(text.contains(&format!("INFO lua: {line}\n")), "{text}");
    }
}

// Handlers that are given up ----------------------------------------------------------------------

fn start(play: &mut Play, program: &str) {
    let text = format!("local httpng, fiber = require('httpng'), require('fiber') {program}");
    let chunk = play.world.env.load_text("=p", text.as_bytes()).unwrap();
    play.world.env.start(chunk).unwrap();
    play.world.some_turns();
}

#[test]
fn l13_what_is_given_up_lets_go_of_its_body_and_of_what_was_appended() {
    for wait in WAITS {
        for (has_piece, is_home) in [(false, false), (true, false), (false, true)] {
            // It ignores everything that it is told, for a while.
            let handler = format!(
                "{TELL}io:write('first') fiber.sleep(0.001) io:write(('x'):rep(2000))\n\
                 for _ = 1, 20 do pcall(function() {wait} end) end log.info('enough')"
            );
            let mut play = Play::begin(World::new(Stage::Four), &handler);
            play.stream("/", FORM);
            play.run("turn\nlook");
            if has_piece {
                play.run("piece 1 abc\npass 1");
            } else if is_home {
                play.run("continue 1\npass 1");
            } else {
                play.run("pass 1");
            }
            start(&mut play, "httpng.shutdown(1)");
            play.world.asked.borrow_mut().stopped = true;
            play.run("pass 900");
            assert_eq!(play.world.env.main_status(), MainStatus::Running, "{wait}");
            play.run("pass 200\npass 10");
            play.run("auto");
            play.run("pass 1000");
            let text = play.text();
            assert!(text.contains("told gone"), "{wait}: {text}");
            assert_eq!(
                play.world.env.main_status(),
                MainStatus::Finished,
                "{wait}: {text}"
            );
            assert_eq!(play.world.env.fibers(), 0, "{wait}: {text}");
            let text = play.end();
            assert!(!text.contains("ERROR"), "{wait}: {text}");
        }
    }
}

#[test]
fn l13_a_body_is_let_go_at_once_although_the_shuttle_is_away() {
    let handler = "fiber.create(function() log.info('read: %s', req:read())\n\
                     local piece, why repeat piece, why = req:read() until not piece\n\
                     log.info('read: %s', why)\n\
                   end)\n\
                   io:write('a') while not G.enough do pcall(fiber.sleep, 100) end";
    for (piece, is_held) in [("piece 1 abc\nturn", false), ("", true)] {
        let mut play = Play::begin(World::new(Stage::Four), handler);
        play.run("STREAM /\nturn\nlook");
        play.run(piece);
        if is_held {
            // It comes when nobody wants it any more.
            start(&mut play, "httpng.shutdown(1)");
            play.run("pass 1100\npiece 1 abc\nturn\nlook");
        } else {
            play.run("look\npiece 1 def\nturn\nlook");
            start(&mut play, "httpng.shutdown(1)");
            play.run("pass 1100\nlook\npiece 1 ghi\nturn\nlook");
            assert!(play.text().contains("read: abc"), "{}", play.text());
        }
        let text = play.text();
        assert!(text.contains("read: closed"), "{text}");
        assert!(text.ends_with("1 body Release\n"), "{text}");
        play.world.asked.borrow_mut().stopped = true;
        start(&mut play, "G.enough = true");
        play.run("pass 10");
        play.end();
    }
    // A piece that nobody read.
    let handler = "io:write('a') while not G.enough do pcall(fiber.sleep, 100) end";
    let mut play = Play::begin(World::new(Stage::Four), handler);
    play.run("STREAM /\nturn\nlook\npiece 1 abc\nturn");
    start(&mut play, "httpng.shutdown(1)");
    play.run("pass 1100\nlook");
    assert!(play.text().ends_with("1 body Release\n"), "{}", play.text());
    play.world.asked.borrow_mut().stopped = true;
    start(&mut play, "G.enough = true");
    play.run("pass 10");
    play.end();
}

#[test]
fn a_handler_that_ends_when_it_is_given_up_is_no_error() {
    for is_away in [false, true] {
        let mut play = Play::begin(World::new(Stage::Four), "io:write('a') fiber.sleep(100)");
        play.run("GET /\nturn\nlook");
        if !is_away {
            play.run("continue 1\nturn");
        }
        start(&mut play, "httpng.shutdown(1)");
        play.world.asked.borrow_mut().stopped = true;
        play.run("pass 1100");
        let text = play.end();
        assert!(
            text.contains("was cancelled: its client has left"),
            "{text}"
        );
        assert!(!text.contains("ERROR"), "{text}");
    }
}

#[test]
fn l13_what_is_given_up_lends_nothing_any_more() {
    // In stage 1 the fiber itself would let go of the string, with its next write.
    let handler = "io:write(('x'):rep(2000)) fiber.sleep(100)";
    let mut play = Play::begin(World::new(Stage::One), handler);
    play.run("GET /\nturn\nlook\ncontinue 1\nturn");
    assert_eq!(play.world.env.pins(), 1);
    start(&mut play, "httpng.shutdown(1)");
    play.run("pass 1100\nlook");
    assert_eq!(play.world.env.pins(), 0);
    assert!(play.text().ends_with("1 Release\n"), "{}", play.text());
    assert!(!play.text().contains("ERROR"), "{}", play.text());
    play.world.asked.borrow_mut().stopped = true;
    play.end();
}
