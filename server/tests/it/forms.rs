//! Forms over sockets: files are written and removed while the server serves.

use crate::harness::{PLAIN, SETUPS, Server};
use crate::leavers::nothing_is_left;
use crate::program::program;

/// Two files and a field, as a browser sends them.
pub(crate) fn upload(path: &str, size: usize) -> Vec<u8> {
    let file = |name: &str, len: usize| {
        let head = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        format!(
            "--XX\r\n{head}\r\nContent-Type: text/plain\r\n\r\n{}\r\n",
            "x".repeat(len)
        )
    };
    let title = "--XX\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nTwo files\r\n";
    let body = format!(
        "{title}{}{}--XX--\r\n",
        file("a.txt", 3),
        file("b.txt", size)
    );
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/form-data; boundary=XX\r\n\r\n{body}"
    )
    .into()
}

#[test]
fn files_of_a_form_come_and_go() {
    let routes = [
        (
            "/form",
            "local form, why = req:form()
             if not form then return { status = 400, body = why } end
             kept.path = form[3][2].path
             local content = form[3][2]:read()
             local text = '%s %s %d %d'
             return { body = text:format(form.title, form.file.filename, #form, #content) }",
        ),
        (
            "/exists",
            "local file = io_open(kept.path) if file then file:close() end
             return { body = tostring(file ~= nil) }",
        ),
    ];
    let text = format!("local io_open = io.open\n{}", program(&routes));
    for setup in SETUPS {
        let server = Server::start(&text, setup);
        for size in [0, 1, 700_000] {
            let mut client = server.connect();
            client.send(upload("/form", size));
            let answer = client.response().text();
            assert_eq!(answer, format!("Two files a.txt 3 {size}"), "{setup:?}");
        }
        nothing_is_left(&server);
        assert_eq!(server.get("/exists"), "false", "{setup:?}");
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn several_cookies_leave_as_lines_of_their_own() {
    let routes = [(
        "/cookies",
        "return { headers = { ['set-cookie'] = { 'a=1', 'b=2; Path=/' } } }",
    )];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        let mut client = server.connect();
        client.get("/cookies");
        let response = client.response();
        let fields = response.head.fields.iter();
        let cookies: Vec<&str> = fields
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(cookies, ["a=1", "b=2; Path=/"], "{setup:?}");
    }
}
