//! The limits of httpng that this server does not have, by their ids.

use std::time::Duration;

use crate::check::{Play, check};
use crate::world::World;
use lua_bindings::Stage;

fn auto(handler: &str) -> String {
    check(handler, "GET /\nauto")
}

const ERROR_PAGE: &str = "1 Answer 500 [content-type: text/plain; charset=utf-8] \
    [vary: Accept] (28) \
                          \"Path handler execution error\"\n";

/// R39.
#[test]
fn l1_headers_and_bodies_arrive_as_they_were_sent() {
    let text = check(
        "return {body = json.encode({req.body, req.headers['user-agent'], req.host})}",
        "POST / user-agent:curl | hello\nauto",
    );
    let body = "[\\\"hello\\\",\\\"curl\\\",\\\"example.org\\\"]";
    assert_eq!(text, format!("1 Answer 200 (30) \"{body}\"\n"));
}

#[test]
fn l2_a_number_or_true_is_answered_500() {
    for value in [
        "42",
        "true",
        "false",
        "function() end",
        "coroutine.create(print)",
        "io.write",
    ] {
        let text = auto(&format!("return {value}"));
        let log =
            "ERROR lua_bindings: User handler for \"/\" failed with error \"a handler returns";
        assert!(
            text.starts_with(log) && text.ends_with(ERROR_PAGE),
            "{value}: {text}"
        );
    }
    assert_eq!(auto("return 'a string'"), "1 Answer 200 (0) \"\"\n");
}

#[test]
fn l3_rubbish_headers_are_errors() {
    let cases = [
        (
            "return {headers = 'str'}",
            "the returned headers is not a table",
        ),
        (
            "return {headers = {'a', 'b'}}",
            "the returned headers are invalid",
        ),
        (
            "return {headers = {[{}] = 'a'}}",
            "the returned headers are invalid",
        ),
        (
            "return {status = 1e9}",
            "the returned HTTP code 1000000000 is not the status",
        ),
        (
            "return {status = 101}",
            "the returned HTTP code 101 is not the status",
        ),
        ("io:write_header(200, 'str')", "headers is not a table"),
        ("io:write_header(200, {'a'})", "headers are invalid"),
    ];
    for (handler, message) in cases {
        let text = auto(handler);
        assert!(
            text.contains(message) && text.ends_with(ERROR_PAGE),
            "{handler}: {text}"
        );
    }
    let text = auto("return {headers = {a = true, b = {}, c = {'1', 2}}}");
    let fields: Vec<&str> = text.matches("[a: ]").chain(text.matches("[c: ")).collect();
    assert_eq!(fields.len(), 3, "{text}");
}

#[test]
fn l4_r9_two_fibers_on_one_io_take_turns() {
    // Two fibers and the handler write at the same time; each part arrives whole, in order.
    let handler = "local function writer(name)\n\
                   local f = fiber.new(function()\n\
                     for i = 1, 3 do io:write(name .. i .. (name):rep(2000)) end end)\n\
                   f:set_joinable(true) return f end\n\
                   local a, b = writer('a'), writer('b')\n\
                   for i = 1, 3 do io:write('h' .. i) end\n\
                   a:join() b:join()";
    let text = check(handler, "GET /\nauto");
    let parts: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("1 Write 200 \""))
        .map(|rest| {
            rest.trim_start_matches("\" lent \"")
                .chars()
                .take(2)
                .collect()
        })
        .collect();
    assert_eq!(
        parts,
        ["h1", "h2", "a1", "b1", "h3", "a2", "b2", "a3", "b3"],
        "{text}"
    );
}

#[test]
fn l5_r10_waking_the_handler_does_not_give_it_the_shuttle() {
    let handler = "local me = fiber.self()\n\
                   local waker = fiber.create(function()\n\
                     while not G.done do me:wakeup() fiber.yield() end end)\n\
                   for i = 1, 3 do io:write(i .. ('x'):rep(2000)) end\n\
                   G.done = true log.info('%s', waker:status())";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    // The waker yields for ever, so the turns are counted here.
    play.run("GET /");
    for number in 1..=3 {
        play.some_turns();
        play.run("look");
        play.some_turns();
        play.run("look");
        if number < 3 {
            play.run("continue 1");
        }
    }
    let text = play.end();
    let parts = text.lines().filter(|line| line.contains("lent")).count();
    assert_eq!(parts, 3, "{text}");
    assert!(
        text.contains("lent \"2x*2000\"") && text.contains("lent \"3x*2000\""),
        "{text}"
    );
}

#[test]
fn l5_r10_cancelling_the_handler_does_not_give_it_the_shuttle() {
    let handler = "G.me = fiber.self()\n\
                   fiber.create(function() fiber.sleep(1) G.me:cancel() end)\n\
                   io:write(('a'):rep(2000)) io:write(('b'):rep(2000))";
    let text = check(
        handler,
        "GET /\nturn\nlook\npass 2000\nlook\ncontinue 1\nturn\nlook",
    );
    assert_eq!(
        text,
        "1 Write 200 \"\" lent \"a*2000\"\n\
         ERROR lua_bindings: User handler for \"/\" failed with error \"fiber is cancelled\"\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn l5_a_cancelled_waiter_lets_the_next_one_through() {
    let handler = "io:write(('a'):rep(2000))\n\
                   local w = fiber.create(function() io:write('never') end)\n\
                   local v = fiber.new(function() io:write('later') end) v:set_joinable(true)\n\
                   fiber.yield() w:cancel() v:join() io:write('end')";
    let text = check(handler, "GET /\nauto");
    assert_eq!(
        text,
        "1 Write 200 \"\" lent \"a*2000\"\n1 Write 200 \"later\"\n1 Write 200 \"end\"\n\
         1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn l4_r9_who_runs_first_does_not_overtake_who_waits() {
    // The second fiber is ahead in the run queue when the shuttle comes home to the first one.
    let handler = "io:write('one')\n\
                   local a = fiber.create(function() io:write('two') end)\n\
                   local t = fiber.clock()\n\
                   local b = fiber.new(function()\n\
                     while fiber.clock() == t do fiber.yield() end io:write('three') end)\n\
                   a:set_joinable(true) b:set_joinable(true) a:join() b:join()";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /");
    play.some_turns();
    play.run("look\ncontinue 1");
    play.world.jump(Duration::from_millis(1));
    let text = play.end();
    let order: Vec<usize> = ["one", "two", "three"]
        .iter()
        .map(|part| text.find(part).expect(part))
        .collect();
    assert!(order.is_sorted(), "{text}");
}

#[test]
fn l5_who_is_cancelled_as_the_shuttle_comes_home_wakes_the_next() {
    // So many fibers run that the cancelled one has not when the shuttle comes.
    let handler = "io:write(('a'):rep(2000))\n\
                   local w = fiber.create(function() io:write('never') end)\n\
                   local v = fiber.create(function() io:write('later') end)\n\
                   v:set_joinable(true)\n\
                   fiber.create(function() fiber.sleep(1) w:cancel() end)\n\
                   for i = 1, 2000 do fiber.create(fiber.sleep, 1) end\n\
                   v:join()";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /\nturn\nlook");
    play.world.jump(Duration::from_secs(1));
    play.run("continue 1\nturn\nlook");
    let text = play.end();
    assert!(text.contains("later") && !text.contains("never"), "{text}");
}

#[test]
fn l6_r11_an_io_that_outlives_its_request_is_inert() {
    let handler = "if G.io then\n\
                     log.info('%s %s %s', G.io:write('x'), G.io:write_header(200),\n\
                       G.io:is_closed())\n\
                     G.io:close()\n\
                     log.info('%s', select(2, pcall(function() return G.req.path end)))\n\
                     log.info('%s', G.kept.path)\n\
                   end\n\
                   G.io, G.req = io, req\n\
                   G.kept = G.kept or req:keep()\n\
                   if G.second then G.req = nil end G.second = true\n\
                   return {body = 'ok'}";
    let text = check(handler, "GET /first\nauto\nGET /second\nauto");
    assert_eq!(
        text,
        "1 Answer 200 (2) \"ok\"\n\
         INFO lua: true true true\n\
         INFO lua: /first\n\
         INFO lua: /first\n\
         2 Answer 200 (2) \"ok\"\n"
    );
    let handler = "local old = G.old G.old = req\n\
                   if old then error(select(2, pcall(function() return old.path end)), 0) end\n\
                   return {}";
    let text = check(handler, "GET /\nauto\nGET /\nauto");
    assert!(
        text.contains("the request is over, and its field 'path' was not read"),
        "{text}"
    );
}

#[test]
fn l7_l8_a_websocket_that_is_not_there_is_an_error_of_the_handler() {
    let text = auto("local ws = io:upgrade_to_websocket() ws:send_text('x')");
    assert!(
        text.contains("upgrade_to_websocket") && text.ends_with(ERROR_PAGE),
        "{text}"
    );
}

#[test]
fn l9_cr_lf_and_nul_never_leave() {
    for bad in ["a\\r\\nb", "a\\nb", "a\\0b", "a\\rb"] {
        let text = auto(&format!("return {{headers = {{['X-A'] = '{bad}'}}}}"));
        let message = "the returned headers are invalid: \"X-A\": the field value has";
        assert!(
            text.contains(message) && text.ends_with(ERROR_PAGE),
            "{bad}: {text}"
        );
        let text = auto(&format!(
            "io:write_header(200, {{['X-A'] = {{'ok', '{bad}'}}}})"
        ));
        let message = "program:5: headers are invalid: \"X-A\", value 2 of its list:";
        assert!(
            text.contains(message) && text.ends_with(ERROR_PAGE),
            "{bad}: {text}"
        );
        let text = auto(&format!("return {{headers = {{['{bad}'] = 'x'}}}}"));
        assert!(
            text.contains("the field name is not a token"),
            "{bad}: {text}"
        );
    }
}

#[test]
fn l10_r12_numbers_in_headers_are_copied_before_anything_can_collect_them() {
    let handler = "io:write_header(200, {['X-N'] = 12345.5}) collectgarbage() collectgarbage()";
    let text = auto(handler);
    assert!(
        text.starts_with("1 Write 200 [X-N: 12345.5] \"\"\n"),
        "{text}"
    );
}

#[test]
fn l10_r12_a_lent_string_outlives_its_variable() {
    let handler = "io:write(('z'):rep(5000)) for i = 1, 20 do collectgarbage() end fiber.sleep(1)";
    let text = check(handler, "GET /\nturn\nlook\npass 500");
    assert!(
        text.starts_with("1 Write 200 \"\" lent \"z*5000\"\n"),
        "{text}"
    );
}

#[test]
fn l11_r6_returning_nothing_ends_the_response() {
    assert_eq!(auto("return nil"), "1 Answer 200 (0) \"\"\n");
    assert_eq!(auto(""), "1 Answer 200 (0) \"\"\n");
    assert_eq!(
        auto("io:write('x') return nil"),
        "1 Write 200 \"x\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn l12_a_client_that_left_is_known_at_once() {
    let handler = "fiber.sleep(1) log.info('%s', io:is_closed())\n\
                   log.info('%s %s', io:write_header(200), io:write('x')) io:close()";
    let text = check(handler, "GET /\nturn\ngone 1\nturn\npass 1000\nlook");
    assert_eq!(text, "INFO lua: true\nINFO lua: true true\n1 Release\n");
}

/// R4.
#[test]
fn l12_a_waiting_writer_is_woken_when_the_client_leaves() {
    let handler = "io:write(('x'):rep(3000)) log.info('%s', io:write('y')) log.info('awake')";
    let text = check(
        handler,
        "GET /\nturn\nlook\ngone 1\nturn\nclosed 1\nturn\nlook",
    );
    assert_eq!(
        text,
        "1 Write 200 \"\" lent \"x*3000\"\nINFO lua: true\nINFO lua: awake\n1 Release\n"
    );
}

#[test]
fn l13_a_handler_can_be_cancelled() {
    let handler = "G.me = fiber.self() fiber.create(function() fiber.sleep(1) G.me:cancel() end)\n\
                   while true do fiber.sleep(100) end";
    let text = check(handler, "GET /\nturn\npass 1000\nlook");
    assert!(
        text.contains("failed with error \"fiber is cancelled\""),
        "{text}"
    );
    assert!(text.ends_with(ERROR_PAGE), "{text}");
}

#[test]
fn l13_a_kept_fiber_of_a_handler_never_reaches_the_next_request() {
    let handler = "if G.old then G.old:cancel() log.info('%s', G.old:status()) end\n\
                   G.old = fiber.self() fiber.sleep(0.001) return {body = 'ok'}";
    let text = check(handler, "GET /\npass 10\nlook\nGET /\npass 10\nlook");
    assert_eq!(
        text,
        "1 Answer 200 (2) \"ok\"\nINFO lua: dead\n2 Answer 200 (2) \"ok\"\n"
    );
}

#[test]
fn the_thread_of_a_handler_that_is_over_can_be_resumed_without_harm() {
    let handler = "local old = G.co G.co = coroutine.running()\n\
                   G.f = G.f or fiber.create(function() G.fco = coroutine.running() end)\n\
                   if old then\n\
                     log.info('%s', select(2, coroutine.resume(G.co)))\n\
                     for i = 1, 3 do coroutine.resume(old, 1, 2) coroutine.resume(G.fco, i) end\n\
                   end\n\
                   fiber.create(function(a) G.sum = (G.sum or 0) + a end, 7)\n\
                   fiber.sleep(0.001)\n\
                   return {body = tostring(G.sum)}";
    let script = "GET /\nGET /\npass 10\nlook\nGET /\nGET /\nGET /\npass 10\nlook";
    let text = check(handler, script);
    let bodies: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once("Answer 200 ("))
        .map(|both| both.1)
        .collect();
    assert_eq!(bodies.len(), 5, "{text}");
    assert_eq!(bodies[4], "2) \"35\"", "{text}");
}

#[test]
fn l14_one_request_more_than_berths_waits_at_the_worker() {
    let mut play = Play::begin(World::new(Stage::Three), "fiber.sleep(1) return {}");
    for _ in 0..64 {
        play.run("GET /");
    }
    assert!(play.world.worker().board().is_none());
    play.run("pass 1000\nlook");
    assert!(play.world.worker().board().is_some());
    play.end();
}

#[test]
fn r8_continue_and_gone_in_either_order() {
    let handler = "io:write('one') io:write('two') io:write('three')";
    for script in [
        "GET /\nturn\nlook\ncontinue 1\ngone 1\nturn\nlook",
        "GET /\nturn\nlook\ngone 1\ncontinue 1\nturn\nlook",
        "GET /\nturn\nlook\ngone 1\nturn\ncontinue 1\nturn\nlook",
        "GET /\nturn\nlook\ngone 1\nclosed 1\nturn\nlook",
        "GET /\ngone 1\nturn\nlook",
    ] {
        let text = check(handler, script);
        assert!(text.ends_with("1 Release\n"), "{script}\n{text}");
    }
}

#[test]
fn api_gap_several_set_cookies() {
    let text = auto("return {headers = {['Set-Cookie'] = {'a=1', 'b=2'}}}");
    assert_eq!(
        text,
        "1 Answer 200 [Set-Cookie: a=1] [Set-Cookie: b=2] (0) \"\"\n"
    );
}

#[test]
fn api_gap_methods_of_any_length() {
    let text = check("return {body = req.method}", "PROPFIND /\nauto");
    assert_eq!(text, "1 Answer 200 (8) \"PROPFIND\"\n");
}
