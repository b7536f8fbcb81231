//! Stage 4 and the low-latency API: writes that do not wait, windows, timeouts, knowledge of what
//! was sent.

use crate::check::check_at;
use lua_bindings::Stage;

/// In stage 4, with `say` for one line of the log.
fn check(handler: &str, script: &str) -> String {
    let prelude = "local function say(...)
        local words = {}
        for i = 1, select('#', ...) do words[i] = tostring((select(i, ...))) end
        log.info('%s', table.concat(words, ' '))
    end\n";
    check_at(Stage::Four, &format!("{prelude}{handler}"), script)
}

fn auto(handler: &str) -> String {
    check(handler, "GET /\nauto")
}

#[test]
fn writes_do_not_wait_and_leave_together() {
    let text = auto(
        "say(io:write_header(201, {a = 1}, 'one '), io:write('two '), io:write('three'))\n\
         say(io:write(('x'):rep(2000)), io:write(' end', true), io:write('more'), io:is_closed())",
    );
    assert_eq!(
        text,
        "INFO lua: false false false\nINFO lua: false true true true\n\
         1 Write 201 [a: 1] \"\" + \"one two three\" + \"x*2000\" + \" end\"\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn what_is_complete_at_once_is_an_answer() {
    assert_eq!(auto("io:write('x', true)"), "1 Answer 200 (1) \"x\"\n");
    assert_eq!(auto("io:close()"), "1 Answer 200 (0) \"\"\n");
    assert_eq!(
        auto("io:write(('x'):rep(2000), true)"),
        "1 Write 200 (2000) \"\" lent \"x*2000\" last\n1 Release\n"
    );
    assert_eq!(
        auto("return {body = ('x'):rep(2000)}"),
        "1 Write 200 (2000) \"\" lent \"x*2000\" last\n1 Release\n"
    );
}

#[test]
fn what_a_handler_returns_is_the_last_part() {
    assert_eq!(
        auto("io:write('one ') return {body = 'two'}"),
        "1 Write 200 \"\" + \"one two\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
    assert_eq!(
        auto("io:write('one') fiber.sleep(0) return {}"),
        "1 Write 200 \"\" + \"one\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn an_error_after_the_first_part_ends_the_response() {
    let text = auto("io:write('one') error('no', 0)");
    assert_eq!(
        text,
        "ERROR lua_bindings: User handler for \"/\" failed with error \"no\"\n\
         1 Write 200 \"\" + \"one\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn what_was_too_late_is_sent_again_and_the_close_with_it() {
    // The worker has said Continue before the handler goes on; the dispatcher has not looked.
    let handler = "io:write('one') fiber.sleep(1) io:write('two') io:write(('x'):rep(2000))\n\
                   fiber.sleep(1) io:write('three') io:close()";
    let text = check(
        handler,
        "GET /\nturn\nlook\ncontinue 1\nturn\npass 1000\nlook\ncontinue 1\nturn\npass 1000\nlook",
    );
    assert_eq!(
        text,
        "1 Write 200 \"\" + \"one\"\n\
         1 Write 200 \"\" + \"two\" + \"x*2000\"\n\
         1 Write 200 \"\" + \"three\"\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn a_worker_finds_what_was_appended_while_it_was_sending() {
    let handler = "io:write('one') fiber.sleep(1) io:write('two') fiber.sleep(1) io:write('three')";
    let text = check(
        handler,
        "GET /\nturn\nlook\npass 1000\ncontinue 1\npass 1000\ncontinue 1\nturn",
    );
    assert_eq!(
        text,
        "1 Write 200 \"\" + \"one\"\n1 finds + \"two\"\n1 finds + \"three\"\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn r12_strings_are_let_go_as_they_are_sent() {
    let handler = "local pins = function() return httpng.stats().pins end\n\
                   io:write(('a'):rep(2000)) io:write(('b'):rep(2000)) say(pins())\n\
                   say(io:wait(1500)) say(pins()) say(io:wait(2000)) say(pins())\n\
                   say(io:wait(0)) say(pins())";
    let text = check(
        handler,
        "GET /\nturn\nlook\ntake 1 1999\nturn\ntake 1 1\nturn\ntake 1 2000\nturn",
    );
    assert_eq!(
        text,
        "INFO lua: 2\n1 Write 200 \"\" + \"a*2000\" + \"b*2000\"\n\
         INFO lua: nil\nINFO lua: 2\nINFO lua: nil\nINFO lua: 1\nINFO lua: nil\nINFO lua: 0\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn a_full_window_makes_the_writer_wait_until_there_is_room() {
    let handler = "io.send_window = 100\n\
                   io:write(('a'):rep(60)) io:write(('b'):rep(40)) say('full')\n\
                   io:write(('c'):rep(50)) say('room') io:write(('d'):rep(500)) say('alone')";
    let text = check(
        handler,
        "GET /\nturn\nlook\ntake 1 49\nturn\ntake 1 1\nturn\ncontinue 1\nturn\ncontinue 1\n\
         turn\nlook",
    );
    assert_eq!(
        text,
        "INFO lua: full\n1 Write 200 \"\" + \"a*60b*40\"\nINFO lua: room\n\
         1 finds + \"c*50\"\nINFO lua: alone\n1 Write 200 \"\" + \"d*500\"\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

/// The window is a bound: bytes accepted and not sent are never more, unless one part is.
#[test]
fn a_client_that_takes_nothing_costs_its_window_and_no_more() {
    let handler = "io.send_window = 300000\n\
                   for i = 1, 100 do local r = io:write(('x'):rep(10000), 0)\n\
                   if r then say(i, httpng.cancelled(r), httpng.headers_were_sent(r),\n\
                   httpng.body_bytes_sent(r)) break end end\n\
                   local s = io:get_send_stats() say(s.current, s.sent, s.cancelled)\n\
                   say(httpng.stats().pins)";
    let text = auto(handler);
    assert!(
        text.starts_with(
            "INFO lua: 31 false true 0\nINFO lua: 300000 0 false\nINFO lua: 30\n1 Write"
        ),
        "{text}"
    );
}

#[test]
fn small_parts_wait_together_up_to_their_bound() {
    let handler = "local count = 0\n\
                   while not io:write(('x'):rep(16), 0) do count = count + 1 end say(count)";
    assert!(auto(handler).starts_with("INFO lua: 1024\n1 Write 200 \"\" + \"x*16384\"\n"));
}

#[test]
fn a_timeout_sends_nothing_and_spoils_nothing() {
    let handler = "io.send_window = 10\n\
                   io:write('0123456789') local r = io:write('late', 2)\n\
                   say(httpng.cancelled(r), httpng.headers_were_sent(r),\n\
                   httpng.body_bytes_sent(r))\n\
                   io.send_timeout = 1 r = io:write('late too') say(type(r))\n\
                   io:write(' end', true)";
    let text = check(
        handler,
        "GET /\nturn\nlook\npass 2000\npass 1000\ncontinue 1\nturn",
    );
    assert_eq!(
        text,
        "1 Write 200 \"\" + \"0123456789\"\nINFO lua: false true 0\nINFO lua: table\n\
         1 Write 200 \"\" last + \" end\"\n1 Release\n"
    );
}

#[test]
fn results_are_of_the_new_manner_where_a_timeout_says_so() {
    let handler = "say(io.send_window, io.send_timeout)\n\
                   say(io:write_header(200, {}, 5), io:write('a', 5), io:write('b'))\n\
                   io.send_timeout = 7 say(io:write('c'), io:write('d', false), io.send_timeout)\n\
                   io.send_timeout = nil io.send_window = 1e9\n\
                   say(io.send_timeout, io.send_window)\n\
                   say(io:write('e', true))\n\
                   local r = io:write('f', 0) say(type(r), httpng.cancelled(r))";
    let text = auto(handler);
    assert_eq!(
        text,
        "INFO lua: 1048576 30\nINFO lua: nil nil false\nINFO lua: nil false 7\n\
         INFO lua: 30 1048576\nINFO lua: true\nINFO lua: table false\n\
         1 Write 200 \"\" + \"abcde\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn the_decoders() {
    let text = auto(
        "say(httpng.cancelled(nil), httpng.cancelled(false), httpng.cancelled(true))\n\
         say(httpng.headers_were_sent(nil), httpng.headers_were_sent(false),\n\
         httpng.headers_were_sent(true))\n\
         say(pcall(httpng.body_bytes_sent, nil))\n\
         say(pcall(io.wait, io)) say(pcall(io.wait, io, 'x'))\n\
         say(pcall(function() io.send_window = {} end))\n\
         say(pcall(function() io.send_timeout = 'x' end))",
    );
    assert_eq!(
        text,
        "INFO lua: nil false true\nINFO lua: true true nil\n\
         INFO lua: false there is no send result, everything was accepted\n\
         INFO lua: false Not enough parameters\nINFO lua: false position is not a number\n\
         INFO lua: false program:15: send_window is not a number\n\
         INFO lua: false program:16: send_timeout is not a number\n\
         1 Answer 200 (0) \"\"\n"
    );
}

#[test]
fn r4_a_client_that_leaves_ends_every_wait() {
    let handler = "io.send_window = 10\n\
                   io:write('0123456789')\n\
                   local done = fiber.channel(2)\n\
                   fiber.create(function() done:put({io:wait(11, 100)}) end)\n\
                   local w = io:write('more', 100) say(httpng.cancelled(w))\n\
                   say(httpng.cancelled(done:get()[1]))\n\
                   say(io:write('x'), io:get_send_stats().cancelled)";
    for script in [
        "GET /\nturn\nlook\ngone 1\nturn\nclosed 1\nturn",
        "GET /\nturn\nlook\nleave 1\nclosed 1\nturn",
    ] {
        let text = check(handler, script);
        assert_eq!(
            text,
            "1 Write 200 \"\" + \"0123456789\"\nINFO lua: true\nINFO lua: true\n\
             INFO lua: true true\n1 Release\n",
            "{script}"
        );
    }
}

#[test]
fn l4_r9_writers_take_turns_and_a_smaller_part_does_not_overtake() {
    let handler = "io.send_window = 100\n\
                   io:write(('a'):rep(100))\n\
                   local done = fiber.channel(3)\n\
                   for _, part in ipairs({('b'):rep(90), 'c', 'd'}) do\n\
                   fiber.create(function() io:write(part) done:put(part:sub(1, 1)) end) end\n\
                   say(done:get()) say(done:get()) say(done:get())";
    let text = check(
        handler,
        "GET /\nturn\nlook\ntake 1 80\nturn\ntake 1 10\nturn\ncontinue 1\nturn\ncontinue 1\nturn",
    );
    assert_eq!(
        text,
        "1 Write 200 \"\" + \"a*100\"\nINFO lua: b\n1 finds + \"b*90\"\nINFO lua: c\n\
         INFO lua: d\n1 finds + \"cd\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
}

/// Another fiber fills every room there is: who waits for less is told when it was so.
#[test]
fn waiting_does_not_starve_beside_a_writer() {
    let handler = "io.send_window = 100\n\
                   io:write(('a'):rep(100))\n\
                   fiber.create(function() for i = 1, 3 do io:write(('b'):rep(100)) end end)\n\
                   say(io:wait(0, 100)) say(io:wait(250, 100)) io:wait(-50)\n\
                   local s = io:get_send_stats() say(s.current, s.sent)";
    let text = check(
        handler,
        "GET /\nturn\nlook\ntake 1 99\nturn\ntake 1 1\nturn\ncontinue 1\nturn\ntake 1 99\nturn\n\
         take 1 1\nturn\ncontinue 1\nturn\ntake 1 49\nturn\ntake 1 1\nturn",
    );
    assert!(
        text.starts_with("1 Write 200 \"\" + \"a*100\"\nINFO lua: nil\n1 finds + \"b*100\"\n"),
        "{text}"
    );
    assert!(
        text.contains("INFO lua: nil\nINFO lua: 300 250\n"),
        "{text}"
    );
}

#[test]
fn wait_times_out_and_ends_with_the_response() {
    let handler = "io:write('0123456789')\n\
                   local r = io:wait(10, 1) say(httpng.cancelled(r), httpng.body_bytes_sent(r))\n\
                   say(io:wait(-10, 0)) io:close()\n\
                   r = io:wait(11, 100) say(httpng.cancelled(r), httpng.body_bytes_sent(r))\n\
                   local s = io:get_send_stats() say(s.current, s.sent, s.cancelled)";
    let text = check(handler, "GET /\nturn\nlook\npass 1000\ncontinue 1\nturn");
    assert_eq!(
        text,
        "1 Write 200 \"\" + \"0123456789\"\nINFO lua: false 0\nINFO lua: nil\n\
         1 MUST-CLOSE in time\nINFO lua: false 10\nINFO lua: 10 10 false\n1 Release\n"
    );
}

#[test]
fn r10_l5_waking_a_writer_that_waits_for_room_changes_nothing() {
    let handler = "io.send_window = 10\n\
                   io:write('0123456789')\n\
                   local me = fiber.self()\n\
                   fiber.create(function() for _ = 1, 3 do fiber.sleep(1) me:wakeup() end end)\n\
                   io:write('next') say('sent')";
    let text = check(
        handler,
        "GET /\nturn\nlook\npass 5000\ncontinue 1\nturn\nlook",
    );
    assert_eq!(
        text,
        "1 Write 200 \"\" + \"0123456789\"\nINFO lua: sent\n1 Write 200 \"\" + \"next\"\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn a_cancelled_writer_gives_its_place_up() {
    let handler = "io.send_window = 10\n\
                   io:write('0123456789')\n\
                   local big = fiber.create(function() io:write('cancelled') end)\n\
                   local next = fiber.create(function() io:write('next') say('next') end)\n\
                   big:cancel() fiber.sleep(10)";
    let text = check(handler, "GET /\nturn\nlook\ncontinue 1\nturn\nlook");
    assert!(
        text.contains("INFO lua: next\n1 Write 200 \"\" + \"next\"\n"),
        "{text}"
    );
}

#[test]
fn l6_a_kept_io_knows_nothing_and_sends_nothing() {
    let handler = "if G.io then local io = G.io\n\
                   local s = io:get_send_stats() say(s.current, s.sent, s.cancelled)\n\
                   say(httpng.cancelled(io:write('x', 1)), httpng.cancelled(io:wait(1, 1)))\n\
                   io.send_window = 1 end G.io = io return {body = 'x'}";
    let text = check(handler, "GET /\nauto\nGET /\nauto");
    assert_eq!(
        text,
        "1 Answer 200 (1) \"x\"\nINFO lua: 0 0 true\nINFO lua: true true\n2 Answer 200 (1) \"x\"\n"
    );
}

/// The stage may change while a response is on its way.
#[test]
fn a_reload_with_another_stage_loses_nothing() {
    let handler = "io:write('one') io:write('two')\n\
                   httpng.cfg { stage = 3, handler = function() end }\n\
                   io:write('three') io:write('four')";
    assert_eq!(
        auto(handler),
        "1 Write 200 \"\" + \"onetwo\"\n1 Write 200 \"three\"\n1 Write 200 \"four\"\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn the_defaults_are_options() {
    let handler = "if not G.set then G.set = true\n\
                   httpng.cfg { default_send_window = 10, default_send_timeout = 0,\n\
                   handler = G.handler } return {} end";
    let program = format!(
        "G.handler = function(req, io) log.info('%s %s', io.send_window, io.send_timeout)\n\
         log.info('%s', tostring(io:write('0123456789')))\n\
         log.info('%s', type(io:write('x'))) end\n{handler}"
    );
    let text = check(&program, "GET /\nauto\nGET /\nauto");
    assert_eq!(
        text,
        "1 Answer 200 (0) \"\"\nINFO lua: 10 0\nINFO lua: nil\nINFO lua: table\n\
         2 Write 200 \"\" + \"0123456789\"\n2 MUST-CLOSE in time\n2 Release\n"
    );
}
