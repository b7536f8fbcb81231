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
