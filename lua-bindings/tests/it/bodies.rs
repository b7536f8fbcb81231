//! `req:read`, `req:pieces`, `req.body` and `req.trailers`, for bodies that follow in pieces and
//! for those that came whole.

use proptest::prelude::*;

use crate::check::{Play, check};
use crate::world::World;
use lua_bindings::Stage;

/// Reads all and answers with what it saw.
const READ_ALL: &str = "local seen = {} \
     repeat local piece, why = req:read() seen[#seen + 1] = tostring(piece or why) until not piece \
     return { body = table.concat(seen, ',') .. ' ' .. json.encode(req.trailers or {'none'}) }";

#[test]
fn pieces_are_read_as_they_arrive() {
    let script = "STREAM /\n turn\n piece 1 abc\n turn\n look\n piece 1 de\n turn\n look\n\
                  last 1 f\n turn\n look";
    assert_eq!(
        check(READ_ALL, script),
        "1 body WantBody\n\
         1 body WantBody\n\
         1 body Release\n\
         1 Answer 200 (26) \"abc,de,f,nil {\"x-sum\":\"7\"}\"\n"
            .replace("{\"x-sum\":\"7\"}", "{\\\"x-sum\\\":\\\"7\\\"}")
    );
}

#[test]
fn a_body_that_came_whole_is_read_alike() {
    let text = check(READ_ALL, "POST / | abc\nauto");
    assert_eq!(text, "1 Answer 200 (10) \"abc,nil []\"\n");
    let text = check(READ_ALL, "GET /\nauto");
    assert_eq!(text, "1 Answer 200 (6) \"nil []\"\n");
}

#[test]
fn at_most_so_many_bytes_are_given_at_once() {
    let handler = "local a = { req:read(2), req:read(2), req:read(100) } \
                   return { body = table.concat(a, ',') }";
    let whole = check(handler, "POST / | abcde\nauto");
    assert_eq!(whole, "1 Answer 200 (7) \"ab,cd,e\"\n");
    let streamed = check(handler, "STREAM /\nlast 1 abcde\nauto");
    assert_eq!(streamed, format!("1 body Release\n{whole}"));
    for wrong in ["0", "-1", "'x'", "{}", "0/0"] {
        let handler = format!("return {{ body = select(2, pcall(req.read, req, {wrong})) }}");
        let text = check(&handler, "POST / | abc\nauto");
        let expected = "req:read: the number of bytes is not a positive number";
        assert!(text.contains(expected), "{wrong}: {text}");
    }
}

#[test]
fn a_loop_over_pieces_ends_with_the_body_or_raises() {
    let handler = "local n = 0 for piece in req:pieces() do n = n + #piece end \
                   return { body = tostring(n) }";
    let script = "STREAM /\nturn\npiece 1 abc\nturn\nlook\nlast 1 de\nauto";
    assert_eq!(
        check(handler, script),
        "1 body WantBody\n1 body Release\n1 Answer 200 (1) \"5\"\n"
    );
    let script = "STREAM /\nturn\npiece 1 abc\nturn\nlook\nfault 1 malformed\nauto";
    let text = check(handler, script);
    assert!(text.contains("1 Answer 400 "), "{text}");
    assert!(text.contains("INFO"), "{text}");
    assert!(!text.contains("ERROR"), "{text}");
}

#[test]
fn req_body_waits_for_the_whole() {
    let handler = "return { body = req.body .. '!' .. req.body .. tostring(req:read()) }";
    let script = "STREAM /\nturn\npiece 1 abc\nturn\nlook\nlast 1 de\nauto";
    assert_eq!(
        check(handler, script),
        "1 body WantBody\n1 body Release\n1 Answer 200 (14) \"abcde!abcdenil\"\n"
    );
}

#[test]
fn req_body_is_bounded_and_the_client_told_413() {
    let handler = "return { body = tostring(#req.body) }";
    let program = "local httpng = require 'httpng' httpng.cfg { max_body_len = 5, handler = \
                   function(req) HANDLER end }"
        .replace("HANDLER", handler);
    for (pieces, expected) in [
        ("piece 1 abc\nturn\nlook\nlast 1 de", "1 Answer 200 "),
        ("piece 1 abc\nturn\nlook\nlast 1 def", "1 Answer 413 "),
        ("piece 1 abcdef\nturn\nlook", "1 Answer 413 "),
    ] {
        let mut play = Play::begin_program(World::new(Stage::Three), &program);
        play.run("STREAM /\nturn");
        play.run(pieces);
        let text = play.end();
        assert!(text.contains(expected), "{pieces}: {text}");
        assert!(!text.contains("ERROR"), "{text}");
    }
}

#[test]
fn what_was_read_in_pieces_is_not_given_as_a_whole() {
    let handler = "req:read(1) return { body = tostring(select(2, pcall(function() \
                   return req.body end))) .. tostring(req:keep().method) }";
    for script in ["POST / | abc\nauto", "STREAM /\nlast 1 abc\nauto"] {
        let text = check(handler, script);
        assert!(text.contains("was read in piecesPOST"), "{text}");
    }
}

#[test]
fn each_fault_has_a_name_and_an_answer_of_its_own() {
    let cases = [
        ("closed", 400),
        ("silent", 408),
        ("too large", 413),
        ("malformed", 400),
    ];
    for (fault, status) in cases {
        let script = format!("STREAM /\nturn\npiece 1 a\nturn\nlook\nfault 1 {fault}\nauto");
        let text = check(READ_ALL, &script);
        let expected = format!("\"a,{fault} [\\\"none\\\"]\"");
        assert!(text.contains(&expected), "{text}");
        for handler in [
            "return { body = req.body }",
            "while assert(req:read()) do end",
            "for _ in req:pieces() do end",
        ] {
            let text = check(handler, &script);
            let expected = format!("1 Answer {status} ");
            assert!(text.contains(&expected), "{handler}: {text}");
        }
    }
    // Another mistake is one all the same.
    let handler = "req:read() req:read() error('mine')";
    let text = check(
        handler,
        "STREAM /\nturn\npiece 1 a\nturn\nlook\nfault 1 closed\nauto",
    );
    assert!(
        text.contains("1 Answer 500 ") && text.contains("ERROR"),
        "{text}"
    );
}

#[test]
fn r42_the_client_may_leave_while_a_piece_is_waited_for() {
    for pieces in 0..3 {
        let piece = "piece 1 a\nturn\nlook\n".repeat(pieces);
        let script = format!("STREAM /\nturn\n{piece}gone 1\nturn\nlook\nfault 1 closed\nauto");
        let text = check(READ_ALL, &script);
        assert!(text.contains("closed ["), "{text}");
        assert!(text.contains("1 body Release"), "{text}");
    }
}

#[test]
fn a_timeout_may_be_tried_again() {
    let handler = "local a, b = req:read(nil, 0.5) local c = req:read(nil, 10) \
                   return { body = tostring(a) .. b .. c }";
    let script = "STREAM /\nturn\npass 499\nlook\npass 1\nlook\nlast 1 abc\nauto";
    assert_eq!(
        check(handler, script),
        "1 body Release\n1 Answer 200 (13) \"niltimeoutabc\"\n"
    );
    let handler = "return { body = select(2, pcall(req.read, req, 1, 'x')) }";
    let text = check(handler, "POST / | abc\nauto");
    assert!(text.contains("the timeout is not a number"), "{text}");
}

#[test]
fn who_does_not_read_gives_the_shuttle_back() {
    let release = "1 body Release\n";
    let answer = "1 Answer 200 (2) \"ok\"\n";
    let handler = "return { body = 'ok' }";
    let before = check(handler, "STREAM /\npiece 1 abc\nauto");
    assert_eq!(before, format!("{answer}{release}"));
    let after = check(handler, "STREAM /\nturn\nlook\npiece 1 abc\nauto");
    assert_eq!(after, format!("{answer}{release}"));
    let failed = check("error('x', 0)", "STREAM /\npiece 1 abc\nauto");
    assert!(
        failed.contains(release) && failed.contains("1 Answer 500"),
        "{failed}"
    );
    // While the end of a long answer is waited for, the body is not kept.
    let handler = "io:write('x') io:write('y')";
    let text = check(
        handler,
        "STREAM /\nturn\nlook\npiece 1 abc\nturn\nlook\nauto",
    );
    assert!(text.contains(release), "{text}");
}

#[test]
fn two_fibers_may_read_one_body() {
    let handler = "local seen = {} \
         local function reader() for piece in req:pieces() do seen[#seen + 1] = piece end end \
         local other = fiber.create(reader) other:set_joinable(true) reader() other:join() \
         table.sort(seen) return { body = table.concat(seen, ',') }";
    let script = "STREAM /\nturn\npiece 1 a\nturn\nlook\npiece 1 b\nturn\nlook\nlast 1 c\nauto";
    let text = check(handler, script);
    assert!(text.contains("1 Answer 200 (5) \"a,b,c\"\n"), "{text}");
}

#[test]
fn a_cancelled_reader_leaves_the_body_to_others() {
    let handler = "local other = fiber.create(function() req:read() end) fiber.yield() \
                   other:cancel() fiber.yield() return { body = req:read() }";
    let text = check(handler, "STREAM /\nturn\nlast 1 abc\nauto");
    assert!(text.contains("1 Answer 200 (3) \"abc\"\n"), "{text}");
}

#[test]
fn a_request_that_is_over_has_no_body() {
    let handler = "G.old = G.old or {} G.old[#G.old + 1] = req \
                   local a, b = G.old[1]:read() return { body = tostring(a) .. tostring(b) }";
    let script = "POST / | abc\nauto\nPOST / | def\nauto";
    let text = check(handler, script);
    assert!(text.ends_with("2 Answer 200 (9) \"nilclosed\"\n"), "{text}");
}

#[test]
fn a_body_that_left_with_its_request_is_no_empty_body() {
    // The other fiber looks while the answer, which is lent, is with the worker.
    let handler = "fiber.create(function() fiber.yield() fiber.yield() \
                   local _, why = req:read() local ok, err = pcall(function() return req.body end) \
                   log.info('%s %s %s', why, ok, err) end) \
                   return { body = ('x'):rep(3000) }";
    let text = check(handler, "POST / | abc\nturn\nlook\nturn\nauto");
    assert!(text.contains("closed true abc"), "{text}");
}

#[test]
fn reading_and_writing_at_once() {
    let handler = "for piece in req:pieces() do io:write(piece) end io:close()";
    let script = "STREAM /\nturn\npiece 1 a\nturn\nlook\ncontinue 1\npiece 1 b\nturn\nlook\n\
                  continue 1\nlast 1 c\nturn\nlook\nauto";
    let text = check(handler, script);
    assert!(
        text.contains("\"a\"\n") && text.contains("\"b\"\n"),
        "{text}"
    );
}

#[test]
fn a_worker_that_is_lost_loses_the_body() {
    for pieces in 0..2 {
        let mut play = Play::begin(World::new(Stage::Three), READ_ALL);
        play.run("STREAM /\nturn");
        play.run(&"piece 1 a\nturn\nlook\n".repeat(pieces));
        play.lose_worker();
        play.run("turn\npass 1\nturn");
        assert_eq!(play.world.env.open_requests(), 0);
    }
}

/// What happens to a body: pieces of some length, and how it ends.
fn lives() -> impl Strategy<Value = (Vec<u8>, Option<&'static str>, usize)> {
    let ending = prop_oneof![
        3 => Just(None),
        1 => Just(Some("closed")),
        1 => Just(Some("too large")),
    ];
    (proptest::collection::vec(0..5_u8, 0..6), ending, 1..4_usize)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever the pieces are and however they are read, what is read is what was sent, then the
    /// end or the fault, and everything goes home.
    #[test]
    fn what_is_read_is_what_was_sent((pieces, fault, n) in lives(), is_early in any::<bool>()) {
        let handler = format!(
            "local all = '' repeat local piece, why = req:read({n}) all = all .. (piece or \
             ('.' .. tostring(why))) until not piece return {{ body = all }}"
        );
        let mut script = String::from("STREAM /\n");
        let mut sent = String::new();
        if !is_early {
            script += "turn\n";
        }
        for len in pieces {
            let letters = "abcdefgh".chars().cycle().skip(sent.len());
            let text: String = letters.take(len.into()).collect();
            script += &format!("piece 1 {text}\nturn\nlook\n");
            sent += &text;
        }
        match fault {
            Some(name) => script += &format!("fault 1 {name}\nauto"),
            None => script += "last 1 z\nauto",
        }
        let end = fault.map_or_else(|| "z.nil".to_owned(), |name| format!(".{name}"));
        let text = check(&handler, &script);
        let expected = format!("\"{sent}{end}\"\n");
        prop_assert!(text.ends_with(&expected), "{script}\n{text}");
    }
}
