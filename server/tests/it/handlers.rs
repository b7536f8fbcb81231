//! What a handler may return, raise or send, right and wrong; what the client gets of it.

use crate::harness::{PLAIN, SETUPS, Server};
use crate::program::program;

const HANDLER_ERROR: &str = "HTTP/1.1 500 Internal Server Error | \
     content-length: 28 | content-type: text/plain; charset=utf-8 | vary: Accept || \
     Path handler execution error";

/// One route each: the handler's body and the whole answer (date and server left out).
const ANSWERS: &[(&str, &str)] = &[
    (
        "return { body = 'plain' }",
        "HTTP/1.1 200 OK | content-length: 5 || plain",
    ),
    (
        "return { status = 404, headers = { ['x-y'] = 'z' }, body = 'none' }",
        "HTTP/1.1 404 Not Found | content-length: 4 | x-y: z || none",
    ),
    ("return {}", "HTTP/1.1 200 OK | content-length: 0 || "),
    ("return nil", "HTTP/1.1 200 OK | content-length: 0 || "),
    ("local x = 1", "HTTP/1.1 200 OK | content-length: 0 || "),
    ("io:close()", "HTTP/1.1 200 OK | content-length: 0 || "),
    (
        "return { body = 42 }",
        "HTTP/1.1 200 OK | content-length: 2 || 42",
    ),
    (
        "return { body = {} }",
        "HTTP/1.1 200 OK | content-length: 0 || ",
    ),
    (
        "return { status = 'many', body = 'x' }",
        "HTTP/1.1 200 OK | content-length: 1 || x",
    ),
    (
        "return 'a string'",
        "HTTP/1.1 200 OK | content-length: 0 || ",
    ),
    // L2: the process of httpng died of these.
    ("return 42", HANDLER_ERROR),
    ("return true", HANDLER_ERROR),
    ("return function() end", HANDLER_ERROR),
    ("error('on purpose')", HANDLER_ERROR),
    ("error({ a = 1 })", HANDLER_ERROR),
    ("error()", HANDLER_ERROR),
    ("local function f() return f() + 1 end f()", HANDLER_ERROR),
    (
        "return setmetatable({}, { __index = function() error('trap') end })",
        HANDLER_ERROR,
    ),
    // A status that is no status.
    ("return { status = 99 }", HANDLER_ERROR),
    ("return { status = 1000 }", HANDLER_ERROR),
    // L3 and rubbish headers.
    ("return { headers = 'str', body = 'x' }", HANDLER_ERROR),
    (
        "return { headers = { 'a', 'b' }, body = 'x' }",
        HANDLER_ERROR,
    ),
    ("io:write_header(200, 'str')", HANDLER_ERROR),
    ("io:write_header('many')", HANDLER_ERROR),
    // L9: a header value with a line break never leaves.
    (
        "return { headers = { a = 'x\\r\\nSet-Cookie: evil=1' }, body = 'x' }",
        HANDLER_ERROR,
    ),
    (
        "return { headers = { ['a\\r\\nb'] = 'x' }, body = 'x' }",
        HANDLER_ERROR,
    ),
    ("io:write_header(200, { a = 'x\\ny' }, 'x')", HANDLER_ERROR),
    // Statuses without a body.
    (
        "return { status = 204, body = 'ignored' }",
        "HTTP/1.1 204 No Content || ",
    ),
    (
        "return { status = 304, body = 'ignored' }",
        "HTTP/1.1 304 Not Modified | content-length: 7 || ",
    ),
    // Numbers become text, as everywhere in Lua. L10: the text outlives the call.
    (
        "io:write_header(203, { ['x-n'] = 12345 }, '1') io:wait(0) io:write(2)",
        "HTTP/1.1 203 Non-Authoritative Information | transfer-encoding: chunked | x-n: 12345 \
         || 12",
    ),
    (
        "io:write('a') io:write('') io:write(nil) io:write('b')",
        FRAMED_AB,
    ),
    (
        "io:write('a') return { status = 500, body = 'b' }",
        FRAMED_AB,
    ),
    ("io:write('a') io:write('b') error('late')", FRAMED_AB),
    (
        "io:write('ab') io:close() error('very late')",
        "HTTP/1.1 200 OK | FRAMED || ab",
    ),
    (
        "io.headers['x-late'] = 'yes' io:write('ab')",
        "HTTP/1.1 200 OK | FRAMED | x-late: yes || ab",
    ),
    (
        "io:write_header(200, nil, 'a')
         local ok, message = pcall(io.write_header, io, 200)
         return { body = tostring(message):match('Handler has already written header') and 'b' }",
        FRAMED_AB,
    ),
];

/// Whether the length is known depends on how much was written when the worker looked.
const FRAMED_AB: &str = "HTTP/1.1 200 OK | FRAMED || ab";

#[test]
fn l2_l3_l9_l11_every_answer_is_right_and_nobody_dies() {
    let paths: Vec<_> = (0..ANSWERS.len()).map(|i| format!("/{i}")).collect();
    let routes: Vec<_> = paths
        .iter()
        .zip(ANSWERS)
        .map(|(path, (body, _))| (path.as_str(), *body))
        .collect();
    for setup in SETUPS {
        let server = Server::start(&program(&routes), setup);
        let mut client = server.connect();
        for (path, (body, expected)) in paths.iter().zip(ANSWERS) {
            client.get(path);
            let mut shown = client.response().show();
            if expected.contains("FRAMED") {
                // One part and the end: a worker that sees both at once knows the length.
                shown = shown.replace("transfer-encoding: chunked", "FRAMED");
                shown = shown.replace("content-length: 2", "FRAMED");
            }
            assert_eq!(shown, *expected, "{setup:?}: {body}");
        }
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn an_error_is_logged_with_site_and_traceback() {
    let server = Server::start(&program(&[("/", "local x = nil\n return x.y")]), PLAIN[1]);
    assert!(server.get("/").contains("Path handler execution error"));
    server.wait_line("User handler for \"");
    server.wait_line("attempt to index local 'x'");
    server.wait_line("stack traceback");
}

/// R39, L1.
#[test]
fn request_fields_are_what_was_sent() {
    let show = "
        local names = {}
        for name in pairs(req.headers) do names[#names + 1] = name end
        table.sort(names)
        local shown = {}
        for _, name in ipairs(names) do shown[#shown + 1] = name .. '=' .. req.headers[name] end
        return { body = table.concat({ req.method, req.path, tostring(req.query), req.host,
            ('%.1f'):format(req.version_major + req.version_minor / 10),
            tostring(req.https), tostring(req.is_websocket), req.peer.host, req.peer.family,
            tostring(req.ouraddr.port), req.body, table.concat(shown, ' ') }, '|') }";
    for setup in SETUPS {
        let server = Server::start(&program(&[("/p", show)]), setup);
        let mut client = server.connect();
        client.send(
            "PROPFIND /p?q=%20&r HTTP/1.1\r\nHost: example.org:99\r\nX-A: 1\r\nx-b:  two \r\n\
             Cookie: a=1\r\nCookie: b=2\r\nContent-Length: 3\r\n\r\nabc",
        );
        let https = if setup.https { "true" } else { "nil" };
        let shown = client.response().text();
        let expected = format!(
            "PROPFIND|/p|q=%20&r|example.org|{}|{https}|false|127.0.0.1|AF_INET|{}|abc|",
            setup.version(),
            server.addr.port()
        );
        let fields = shown
            .strip_prefix(&expected)
            .unwrap_or_else(|| panic!("{shown}"));
        assert!(
            fields.contains("x-a=1") && fields.contains("x-b=two"),
            "{fields}"
        );
        assert!(
            fields.contains("cookie=a=1; b=2"),
            "a split cookie is whole again: {fields}"
        );
    }
}
