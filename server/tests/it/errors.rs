//! Errors that people can read: in the form that a client asks for, with what developers may see.

use serde_json::Value;

use crate::client::Response;
use crate::harness::{SETUPS, Server, run};

const PROGRAM: &str = r#"
local httpng = require('httpng')
httpng.cfg {
    request_id = true,
    sites = {
        { path = '/fail', handler = function() error('<b>on purpose</b>') end },
        { path = '/small', max_body_len = 3, handler = function() end },
    },
}
"#;

fn ask(server: &Server, path: &str, accept: &str) -> Response {
    let mut client = server.connect();
    client.send(request("GET", path, accept));
    client.response()
}

fn request(method: &str, path: &str, accept: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n")
}

fn field<'a>(response: &'a Response, name: &str) -> &'a str {
    response.head.field(name).unwrap_or_default()
}

/// The object that says what went wrong; it is named as the answer is.
fn object(response: &Response) -> Value {
    assert_eq!(field(response, "content-type"), "application/json");
    let object: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(object["request_id"], field(response, "x-request-id"));
    object
}

#[test]
fn errors_are_told_in_the_form_that_is_asked_for() {
    for setup in SETUPS {
        let server = Server::start(PROGRAM, setup);
        for accept in ["*/*", "text/plain", "image/png"] {
            let plain = ask(&server, "/nowhere", accept);
            assert_eq!(plain.text(), "not found", "{accept}");
            assert_eq!(field(&plain, "content-type"), "text/plain; charset=utf-8");
            let plain = ask(&server, "/fail", accept);
            assert_eq!(plain.text(), "Path handler execution error");
        }
        let json = ask(&server, "/nowhere", "application/json");
        let object_of = object(&json);
        assert_eq!(
            (&object_of["status"], &object_of["error"]),
            (&404.into(), &"not found".into())
        );
        let json = ask(&server, "/fail", "text/html;q=0.1, application/json");
        assert_eq!(json.head.status, 500);
        assert_eq!(object(&json)["details"], Value::Null, "not for the public");
        let html = ask(&server, "/fail", "text/html,*/*;q=0.8");
        assert_eq!(field(&html, "content-type"), "text/html; charset=utf-8");
        let text = html.text();
        assert!(
            text.contains("<h1>500 Internal Server Error</h1>"),
            "{text}"
        );
        assert!(!text.contains("purpose"), "{text}");
        let mut client = server.connect();
        client.send(request("HEAD", "/nowhere", "text/html"));
        let head = client.head();
        let get = ask(&server, "/nowhere", "text/html");
        assert_eq!(
            head.field("content-length"),
            Some(get.body.len().to_string().as_str())
        );
        // The worker answers this one itself.
        let mut client = server.connect();
        client.send(
            "POST /small HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\
             Content-Length: 4\r\n\r\nfour",
        );
        let json = client.response();
        assert_eq!(json.head.status, 413);
        assert_eq!(object(&json)["error"], "request entity is too large");
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn only_developers_see_why() {
    let by_option = Server::start_with(PROGRAM, SETUPS[1], &["--dev"]);
    let program = PROGRAM.replace("request_id = true", "request_id = true, development = true");
    let by_program = Server::start(&program, SETUPS[0]);
    for server in [by_option, by_program] {
        let html = ask(&server, "/fail", "text/html");
        let text = html.text();
        assert!(text.contains("&lt;b&gt;on purpose&lt;/b&gt;"), "{text}");
        assert!(text.contains("stack traceback:"), "{text}");
        let json = ask(&server, "/fail", "application/json");
        let details = object(&json)["details"].as_str().unwrap().to_owned();
        assert!(details.contains("<b>on purpose</b>"), "{details}");
        let plain = ask(&server, "/fail", "*/*").text();
        assert!(
            plain.starts_with("Path handler execution error\n\n"),
            "{plain}"
        );
    }
}

#[test]
fn options_are_checked() {
    for (options, wanted) in [
        ("access_log = 7", "access_log is not a string or a table"),
        (
            "access_log = { format = 'x' }",
            "access_log.format is not \"combined\" or \"json\"",
        ),
        (
            "access_log = { file = 7 }",
            "access_log.file is not the name of a file",
        ),
        (
            "access_log = ''",
            "access_log.file is not the name of a file",
        ),
    ] {
        let program = format!("require('httpng').cfg {{ handler = function() end, {options} }}");
        let (code, text) = run(&["--listen", "127.0.0.1:0"], Some(&program));
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(wanted), "{text}");
    }
}
