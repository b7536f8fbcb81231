//! What handlers can do, step by step.

use crate::check::{Play, check, check_at};
use crate::world::World;
use lua_bindings::Stage;

/// Both sides go on until everything rests.
fn auto(handler: &str) -> String {
    check(handler, "GET /\nauto")
}

#[test]
fn hello() {
    assert_eq!(
        auto("return {status = 200, body = 'x'}"),
        "1 Answer 200 (1) \"x\"\n"
    );
}

#[test]
fn a_returned_table_has_its_defaults() {
    assert_eq!(auto("return {}"), "1 Answer 200 (0) \"\"\n");
    assert_eq!(
        auto("return {status = 'x', body = {}}"),
        "1 Answer 200 (0) \"\"\n"
    );
    assert_eq!(
        auto("return {status = 404, body = 12.5}"),
        "1 Answer 404 (4) \"12.5\"\n"
    );
    assert_eq!(
        auto("io.headers.a = 'b' return {body = 'x'}"),
        "1 Answer 200 (1) \"x\"\n"
    );
}

#[test]
fn a_returned_length_is_the_true_one() {
    let text = auto("return {headers = {['Content-Length'] = '99'}, body = 'four'}");
    assert_eq!(text, "1 Answer 200 (4) \"four\"\n");
}

#[test]
fn a_returned_table_may_be_an_object() {
    let text = auto(
        "return setmetatable({}, {__index = function(_, k)\n\
         return ({status = 201, body = 'made', headers = {a = 'b'}})[k] end})",
    );
    assert_eq!(text, "1 Answer 201 [a: b] (4) \"made\"\n");
}

#[test]
fn a_returned_object_that_raises_is_an_error_of_the_handler() {
    let text = auto("return setmetatable({}, {__index = function() error('no', 0) end})");
    assert_eq!(
        text,
        "ERROR lua_bindings: User handler for \"/\" failed with error \"no\"\n\
         1 Answer 500 [content-type: text/plain; charset=utf-8] \
         [vary: Accept] (28) \"Path handler execution \
         error\"\n"
    );
}

#[test]
fn a_body_is_copied_up_to_1023_bytes_and_lent_from_1024() {
    assert_eq!(
        auto("return {body = ('a'):rep(1023)}"),
        "1 Answer 200 (1023) \"a*1023\"\n"
    );
    assert_eq!(
        auto("return {body = ('a'):rep(1024)}"),
        "1 Write 200 (1024) \"\" lent \"a*1024\" last\n1 Release\n"
    );
}

#[test]
fn several_writes() {
    let text = auto(
        "local r = {io:write_header(201, {a = 1}, 'one'), io:write('two'),\n\
         io:write('three', true)}\n\
         for i = 1, 3 do log.info('%s', r[i]) end\n\
         log.info('%s %s', io:write('more'), io:is_closed())",
    );
    assert_eq!(
        text,
        "1 Write 201 [a: 1] \"one\"\n\
         1 Write 201 [a: 1] \"two\"\n\
         INFO lua: false\nINFO lua: false\nINFO lua: true\nINFO lua: true true\n\
         1 Write 201 [a: 1] \"three\" last\n\
         1 Release\n"
    );
}

#[test]
fn the_first_write_sends_the_headers_of_io() {
    let text = auto("io.headers['X-A'] = 'b' io:write('one') return {status = 404, body = 'two'}");
    assert_eq!(
        text,
        "1 Write 200 [X-A: b] \"one\"\n1 Write 200 [X-A: b] \"two\" last\n1 Release\n"
    );
    let text = auto("io.headers = {b = 2} io:write('x', true)");
    assert_eq!(text, "1 Answer 200 [b: 2] (1) \"x\"\n");
}

#[test]
fn write_header_without_headers_takes_those_of_io_and_nil_means_none() {
    assert_eq!(
        auto("io.headers.a = 1 io:write_header(203) io:close()"),
        "1 Write 203 [a: 1] \"\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
    assert_eq!(
        auto("io.headers.a = 1 io:write_header('203.7', nil, nil, true)"),
        "1 Answer 203 (0) \"\"\n"
    );
}

#[test]
fn what_is_no_string_is_an_empty_part() {
    let text = auto("io:write(nil) io:write({}) io:write(true) io:write(12) io:close()");
    assert_eq!(
        text,
        "1 Write 200 \"\"\n1 Write 200 \"12\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn close_without_anything_is_an_empty_200() {
    assert_eq!(
        auto("io.headers.a = 'b' io:close() io:close()"),
        "1 Answer 200 (0) \"\"\n"
    );
}

#[test]
fn content_length_of_a_streamed_response_is_kept() {
    let text = auto("io:write_header(200, {['content-length'] = 4}, 'ab') io:write('cd', true)");
    assert_eq!(
        text,
        "1 Write 200 (4) \"ab\"\n1 Write 200 (4) \"cd\" last\n1 Release\n"
    );
}

#[test]
fn mistakes_are_told_in_httpngs_words() {
    let cases = [
        ("io:write()", "Not enough parameters"),
        ("io.write()", "Not enough parameters"),
        ("io:write_header()", "Not enough parameters"),
        ("io.close()", "Not enough parameters"),
        ("io.write({}, 'x')", "shuttle is invalid"),
        ("io.write(nil, 'x')", "shuttle is invalid"),
        ("io:write_header('a')", "HTTP code is not an integer"),
        ("io:write_header({})", "HTTP code is not an integer"),
        ("io:write_header(200, 'str')", "headers is not a table"),
        ("io:write_header(200, {'a'})", "headers are invalid"),
        (
            "io:write_header(200) io:write_header(200)",
            "Handler has already written header",
        ),
        (
            "io:write('x') io:write_header(200)",
            "Handler has already written header",
        ),
        (
            "io:write_header(99)",
            "HTTP code 99 is not the status of a final response",
        ),
        (
            "io:write_header(1e300)",
            "HTTP code 9223372036854775807 is not the status",
        ),
        (
            "io:write_header(0/0)",
            "HTTP code -1 is not the status of a final response",
        ),
    ];
    for (call, message) in cases {
        let handler = format!("local ok, err = pcall(function()\n{call}\nend) log.info('%s', err)");
        let text = auto(&handler);
        let expected = format!("INFO lua: program:6: {message}");
        assert!(text.contains(&expected), "{call}\n{text}");
    }
}

#[test]
fn a_handler_that_fails_answers_500_and_is_logged_with_its_place() {
    let text = auto("error('oops')");
    assert_eq!(
        text,
        "ERROR lua_bindings: User handler for \"/\" failed with error \
         \"program:5: oops\"\n\
         1 Answer 500 [content-type: text/plain; charset=utf-8] \
         [vary: Accept] (28) \"Path handler execution \
         error\"\n"
    );
}

#[test]
fn any_value_can_be_an_error() {
    for value in [
        "nil",
        "{}",
        "setmetatable({}, {__tostring = function() error('x') end})",
        "42",
    ] {
        let text = auto(&format!("error({value}, 0)"));
        assert!(
            text.starts_with("ERROR lua_bindings: User handler"),
            "{value}: {text}"
        );
        assert!(text.contains("1 Answer 500"), "{value}: {text}");
    }
}

#[test]
fn an_error_after_the_head_ends_the_response() {
    let text = auto("io:write('one') error('oops', 0)");
    assert_eq!(
        text,
        "ERROR lua_bindings: User handler for \"/\" failed with error \"oops\"\n\
         1 Write 200 \"one\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
}

#[test]
fn a_stack_overflow_is_an_error_of_the_handler() {
    let text = auto("local function f() return 1 + f() end return f()");
    assert!(text.contains("stack overflow"), "{text}");
    assert!(text.contains("1 Answer 500"), "{text}");
}

#[test]
fn a_handler_may_sleep_and_others_go_on() {
    let text = check(
        "fiber.sleep(tonumber(req.path:sub(2))) return {body = req.path}",
        "GET /3\nGET /1\nGET /2\nturn\nlook\npass 1000\nlook\npass 1000\nlook\npass 1000\nlook",
    );
    assert_eq!(
        text,
        "2 Answer 200 (2) \"/1\"\n3 Answer 200 (2) \"/2\"\n1 Answer 200 (2) \"/3\"\n"
    );
}

#[test]
fn request_1_reads_what_it_likes_while_the_shuttle_is_away() {
    let text = check(
        "io:write('a') log.info('%s %s %s', req.method, req.body, req.headers.x) io:close()",
        "POST / x:y | body\nauto",
    );
    assert!(text.starts_with("INFO lua: POST body y\n"), "{text}");
}

#[test]
fn stage_1_and_2_close_sleeps_until_the_shuttle_is_home() {
    for stage in [Stage::One, Stage::Two] {
        let text = check_at(
            stage,
            "io:write('one') log.info('closing') io:close() log.info('closed')",
            "GET /\nturn\nlook\ncontinue 1\nturn\nlook",
        );
        assert_eq!(
            text,
            "INFO lua: closing\n1 Write 200 \"one\"\nINFO lua: closed\n1 Close\n1 Release\n"
        );
    }
}

#[test]
fn stage_3_close_never_sleeps() {
    let handler = "io:write('one') io:close() log.info('closed') fiber.sleep(1)";
    let in_time = check(handler, "GET /\nturn\nlook\ncontinue 1\npass 1000");
    assert_eq!(
        in_time,
        "INFO lua: closed\n1 Write 200 \"one\"\n1 MUST-CLOSE in time\n1 Release\n"
    );
    let handler = "io:write('one') fiber.sleep(1) io:close() log.info('closed')";
    let lucky = check(handler, "GET /\nturn\nlook\ncontinue 1\npass 1000\nlook");
    assert_eq!(
        lucky,
        "1 Write 200 \"one\"\nINFO lua: closed\n1 Close\n1 Release\n"
    );
}

#[test]
fn stage_3_too_late_the_dispatcher_closes() {
    // The worker's Continue is on its way when the handler closes.
    let handler = "io:write('one') while not G.go do fiber.sleep(0.001) end io:close()\n\
                   log.info('closed') fiber.sleep(1)";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /\nturn\nlook");
    play.late_close(1);
    play.run("pass 2000\nlook\nclosed 1");
    assert_eq!(
        play.end(),
        "1 Write 200 \"one\"\nINFO lua: closed\n1 Close\n1 Release\n"
    );
}

#[test]
fn the_dispatcher_unpins_on_continue() {
    let handler = "io:write(('a'):rep(2000)) fiber.sleep(1)";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /\nturn\nlook");
    assert_eq!(play.world.env.pins(), 1);
    play.run("continue 1\nturn");
    assert_eq!(play.world.env.pins(), 0);
    play.end();
}

#[test]
fn stage_1_the_fiber_unpins() {
    let handler = "io:write(('a'):rep(2000)) fiber.sleep(1) io:write('b') fiber.sleep(1)";
    let mut play = Play::begin(World::new(Stage::One), handler);
    play.run("GET /\nturn\nlook\ncontinue 1\nturn");
    assert_eq!(play.world.env.pins(), 1);
    play.run("pass 1000");
    assert_eq!(play.world.env.pins(), 0);
    play.end();
}

/// R2.
#[test]
fn a_panic_of_ours_costs_one_request() {
    use http_proto::Mark;
    let streaming = "io:write(('a'):rep(2000)) io:write('b') return {}";
    for (mark, handler) in [
        (Mark::FillRequestTable, "return {body = 'ok'}"),
        (Mark::FillHeadAndCopy, "return {body = 'ok'}"),
        (Mark::FillHead, "return {body = ('x'):rep(5000)}"),
        (Mark::CallWrite, "io:write('x') return {}"),
        (Mark::FillBody, streaming),
        (Mark::ExitHandler, streaming),
        (Mark::ExitSleeps, streaming),
        (Mark::SetMustClose, "io:write('a') io:close()"),
        (Mark::AskToFree, streaming),
    ] {
        let mut play = Play::begin(World::that_panics_at(mark), handler);
        play.run("GET /\nauto");
        let first = play.text().to_owned();
        assert!(first.contains("ERROR"), "{mark:?}: it is logged\n{first}");
        play.run("GET /\nauto");
        let both = play.end();
        let second = &both[first.len()..];
        assert!(
            !second.contains("ERROR") && second.contains("2 "),
            "{mark:?}\n{both}"
        );
    }
}

/// What a handler does not name is not made for it; what it can see in another way is.
#[test]
fn a_handler_gets_what_it_can_see_of_req_and_io() {
    for (handler, expected) in [
        ("function() return {body = 'none'} end", "none"),
        ("function(req) return {body = req.path} end", "/"),
        ("function(_, io) io:write('io', true) end", "io"),
        ("function(...) return {body = select('#', ...)} end", "2"),
        (
            "function(req, ...) return {body = type((...))} end",
            "table",
        ),
        (
            "function(a, b, c) return {body = type(b) .. type(c)} end",
            "tablenil",
        ),
        (
            "setmetatable({}, {__call = function(_, req) return {body = req.path} end})",
            "/",
        ),
        (
            "coroutine.wrap(function(req) return {body = req.path} end)",
            "/",
        ),
    ] {
        let world = World::new(Stage::Three);
        let mut play = Play::begin_program(
            world,
            &format!("require('httpng').cfg{{ handler = {handler} }}"),
        );
        play.run("GET /\nauto");
        let text = play.end();
        assert!(
            text.contains(&format!("\"{expected}\"")),
            "{handler}: {text}"
        );
    }
}
