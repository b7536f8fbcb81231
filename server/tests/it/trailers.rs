//! What handlers send behind the bodies of their answers.

use crate::client::Client;
use crate::harness::{SETUPS, Server, eventually};
use crate::program::program_with;

const ROUTES: [(&str, &str); 9] = [
    (
        "/returned",
        "return { body = 'all', trailers = { digest = 'x', list = { 'a', 'b' } } }",
    ),
    (
        "/pinned",
        "return { body = ('y'):rep(100000), trailers = { digest = 'x' } }",
    ),
    (
        "/written",
        "io:write('one ')
         fiber.sleep(0)
         io:write('two')
         assert(io:set_trailers { digest = 'x' } == false)
         io:close()
         assert(io:set_trailers { digest = 'y' } == true)",
    ),
    (
        "/last",
        "io:set_trailers { digest = 'x' }
         io:write_header(200, { ['content-type'] = 'text/plain' })
         io:write('one ')
         io:write('two', true)",
    ),
    (
        "/left",
        "io:write('one two')
         io:set_trailers { digest = 'wrong', more = '1' }
         io:set_trailers { digest = 'x' }",
    ),
    (
        "/finished",
        "io:write('one ')
         return { body = 'two', trailers = { digest = 'x' } }",
    ),
    (
        "/taken-back",
        "io:write('one two')
         io:set_trailers { digest = 'x' }
         io:set_trailers(nil)",
    ),
    (
        "/long",
        "for _ = 1, 40 do io:write(('z'):rep(50000)) end
         io:set_trailers { digest = 'x' }",
    ),
    ("/plain", "return { body = 'plain' }"),
];

/// Body or its length, the announcement, and the trailers.
fn ask(client: &mut Client, path: &str) -> String {
    client.get(path);
    client.trailers.clear();
    let response = client.response();
    let text = response.text();
    let text = match text.len() {
        0..100 => text,
        len => format!("{len} bytes"),
    };
    let announced = response.head.field("trailer").unwrap_or("-");
    format!("{text} | {announced} | {}", client.trailers.join(", "))
}

fn check(server: &Server) {
    let mut client = server.connect();
    // Each is followed by one without, by the same shuttle.
    let mut expect = |path: &str, expected: &str| {
        let setup = server.setup;
        let got = ask(&mut client, path);
        // Tables have no order.
        let got = got.replace("list, digest", "digest, list");
        let got = got.replace("list: a, list: b, digest: x", "digest: x, list: a, list: b");
        assert_eq!(got, expected, "{setup:?} {path}");
        assert_eq!(
            ask(&mut client, "/plain"),
            "plain | - | ",
            "{setup:?} {path}"
        );
    };
    let returned = "all | digest, list | digest: x, list: a, list: b";
    expect("/returned", returned);
    expect("/pinned", "100000 bytes | digest | digest: x");
    expect("/written", "one two | - | digest: x");
    expect("/last", "one two | digest | digest: x");
    expect("/left", "one two | - | digest: x");
    expect("/finished", "one two | - | digest: x");
    expect("/taken-back", "one two | - | ");
    expect("/long", "2000000 bytes | - | digest: x");
    eventually("pins are back", || {
        let counters: serde_json::Value = serde_json::from_str(&server.get("/stats")).unwrap();
        counters["pins"] == 0
    });
}

#[test]
fn they_follow_every_kind_of_body() {
    for setup in SETUPS {
        for stage in 1..=4 {
            let options = format!("stage = {stage},");
            check(&Server::start(&program_with(&options, &ROUTES), setup));
        }
    }
}

#[test]
fn they_follow_what_is_compressed() {
    let routes = [
        (
            "/returned",
            "return {
                 headers = { ['content-type'] = 'text/plain' },
                 body = ('y'):rep(100000),
                 trailers = { digest = 'x' },
             }",
        ),
        (
            "/written",
            "io:write_header(200, { ['content-type'] = 'text/plain' })
             for _ = 1, 40 do io:write(('z'):rep(50000)) end
             io:set_trailers { digest = 'x' }",
        ),
    ];
    for setup in SETUPS {
        let server = Server::start(&program_with("compress = true,", &routes), setup);
        let mut client = server.connect();
        for path in ["/returned", "/written"] {
            client.send(format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
            ));
            client.trailers.clear();
            let response = client.response();
            let coding = response.head.field("content-encoding");
            assert_eq!(coding, Some("gzip"), "{setup:?} {path}");
            assert_eq!(client.trailers, ["digest: x"], "{setup:?} {path}");
        }
    }
}

/// A handler that fails does not vouch for what it has sent.
#[test]
fn they_are_not_sent_for_a_handler_that_failed() {
    let routes = [
        (
            "/before",
            "io:set_trailers { digest = 'x' }
             error('no')",
        ),
        (
            "/after",
            "io:write('one')
             io:set_trailers { digest = 'x' }
             error('no')",
        ),
        (
            "/wrong",
            "io:write('one')
             return { body = 'two', trailers = { ['content-length'] = '1' } }",
        ),
        (
            "/wrong-whole",
            "return { body = 'two', trailers = { ['set-cookie'] = '1' } }",
        ),
    ];
    for setup in SETUPS {
        let server = Server::start(&program_with("", &routes), setup);
        let mut client = server.connect();
        let failed = "Path handler execution error | - | ";
        assert_eq!(ask(&mut client, "/before").replace('\n', ""), failed);
        assert_eq!(ask(&mut client, "/after"), "one | - | ");
        assert_eq!(ask(&mut client, "/wrong"), "one | - | ");
        let wrong =
            "the returned trailers are invalid: \"content-length\": the field has no meaning";
        server.wait_line(wrong);
        assert_eq!(ask(&mut client, "/wrong-whole").replace('\n', ""), failed);
        server.wait_line("the returned trailers are invalid: \"set-cookie\"");
    }
}

/// The message names the call, and what is wrong with which field.
#[test]
fn what_cannot_be_sent_is_an_error_of_the_call() {
    let call = "local _, why = pcall(io.set_trailers, io, {}) return { body = tostring(why) }";
    let route = |argument: &str| call.replace("{})", &format!("{argument})"));
    let routes = [
        ("/number", route("1")),
        ("/cookie", route("{ ['set-cookie'] = 'a=b' }")),
        ("/line", route("{ sum = 'a\\r\\nb: c' }")),
    ];
    let routes = routes.each_ref().map(|(path, body)| (*path, body.as_str()));
    let server = Server::start(&program_with("", &routes), SETUPS[0]);
    let said = |path: &str, expected: &str| {
        let said = server.get(path);
        assert!(said.starts_with("io:set_trailers: "), "{said}");
        assert!(said.ends_with(expected), "{said}");
    };
    said("/number", "trailers is not a table");
    said(
        "/cookie",
        "\"set-cookie\": the field has no meaning behind a body",
    );
    said("/line", "\"sum\": the field value has a control character");
}
