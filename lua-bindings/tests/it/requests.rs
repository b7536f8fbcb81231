//! `req`: its fields and methods.

use crate::check::check;

fn show(expression: &str, request: &str) -> String {
    let handler = format!("return {{body = json.encode({expression})}}");
    let text = check(&handler, &format!("{request}\nauto"));
    let body = text
        .split_once(") \"")
        .unwrap_or_else(|| panic!("{text}"))
        .1;
    body.trim_end().trim_end_matches('"').replace("\\\"", "\"")
}

#[test]
fn the_target_is_split_and_not_decoded() {
    let fields = "{req.path, req.query, req.method, req.host}";
    assert_eq!(
        show(fields, "GET /a%20b/../c?x=1?y"),
        r#"["/a%20b/../c","x=1?y","GET","example.org"]"#
    );
    assert_eq!(show("{req.query == nil}", "GET /a"), "[true]");
    assert_eq!(show("{req.query}", "GET /a?"), r#"[""]"#);
}

#[test]
fn facts_of_the_connection() {
    assert_eq!(
        show(
            "{req.https == nil, req.is_websocket, req.version_major, req.version_minor}",
            "GET /"
        ),
        "[true,false,1,1]"
    );
    assert_eq!(
        show(
            "{req.peer.host, req.peer.port, req.peer.family, req.peer.type}",
            "GET /"
        ),
        r#"["192.0.2.7",4000,"AF_INET","SOCK_STREAM"]"#
    );
    assert_eq!(
        show(
            "{req.ouraddr.host, req.ouraddr.port, req.ouraddr.family}",
            "GET /"
        ),
        r#"["2001:db8::1",80,"AF_INET6"]"#
    );
    assert_eq!(
        show(
            "{req.is_websocket}",
            "GET / Connection:keep-alive,Upgrade upgrade:WebSocket"
        ),
        "[true]"
    );
}

#[test]
fn a_body_is_always_a_string() {
    assert_eq!(show("{req.body}", "GET /"), r#"[""]"#);
    assert_eq!(show("{req.body}", "POST / | a b c"), r#"["a b c"]"#);
}

#[test]
fn headers_are_a_table() {
    let show_all = "(function() local n = {} for k, v in pairs(req.headers) do\n\
                    n[#n + 1] = k .. '=' .. v end table.sort(n) return n end)()";
    assert_eq!(
        show(show_all, "GET / A:1 b:2"),
        r#"["a=1","b=2","host=example.org:8080"]"#
    );
    assert_eq!(
        show("{rawequal(req.headers, req.headers), type(req)}", "GET /"),
        r#"[true,"table"]"#
    );
}

#[test]
fn repeated_headers_keep_their_meaning_and_all_can_be_had() {
    let request = "GET / cookie:a=1 x:1 accept:a cookie:b=2 accept:b x:2";
    assert_eq!(
        show(
            "{req.headers.cookie, req.headers.accept, req.headers.x}",
            request
        ),
        r#"["a=1; b=2","a, b","2"]"#
    );
    assert_eq!(show("req:header_values('X')", request), r#"["1","2"]"#);
    assert_eq!(show("req:header_values('none')", request), "[]");
}

#[test]
fn other_fields_belong_to_the_handler() {
    assert_eq!(
        show(
            "(function() req.user = 'me' return {req.user, req.none == nil} end)()",
            "GET /"
        ),
        r#"["me",true]"#
    );
}

/// What `req` says to others when its handler is over and the next one runs.
#[track_caller]
fn check_later(handler: &str, later: &str) {
    let shown = "log.info('%s %s %s %s', req.method, req.path, tostring(req.query), req.body)";
    let handler = format!(
        "if not G.first then G.first = true {handler} return {{}} end\n\
         local req = {later}\n\
         {shown}\n\
         return {{}}"
    );
    let text = check(&handler, "POST /first | hello\nauto\nGET /second?x\nauto");
    assert!(text.contains("INFO lua: POST /first nil hello"), "{text}");
}

#[test]
fn who_got_a_request_from_its_handler_may_read_it_later() {
    // A fiber that outlives the handler.
    check_later(
        "fiber.new(function() fiber.sleep(0) G.req = req end)",
        "G.req",
    );
    check_later(
        "G.fiber = fiber.create(function() fiber.sleep(0) G.path = req.path G.req = req end)",
        "G.path == '/first' and G.req",
    );
    // A queue that a fiber reads later, whoever that is.
    check_later(
        "G.queue = fiber.channel(1) G.queue:put(req)",
        "G.queue:get()",
    );
    check_later(
        "G.queue = fiber.channel(1) G.queue:put({ req })",
        "G.queue:get()[1]",
    );
    // A table, by a handler that gave way.
    check_later("G.req = req fiber.sleep(0)", "G.req");
    // By its own word.
    check_later("G.req = req:keep()", "G.req");
}

#[test]
fn a_handler_that_fails_leaves_its_request_to_others_as_well() {
    let handler = "if not G.first then\n\
                     G.first = true\n\
                     fiber.new(function() fiber.sleep(0) G.req = req end)\n\
                     error('on purpose')\n\
                   end\n\
                   return {body = G.req.path .. tostring(G.req.https)}";
    let text = check(handler, "GET /first\nauto\nGET /second\nauto");
    assert!(text.contains("\"/firstnil\""), "{text}");
}
