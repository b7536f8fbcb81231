//! Forms over sockets: files are written and removed while the server serves.

use std::io::{Read as _, Write as _};

use crate::harness::{PLAIN, SETUPS, Server, eventually};
use crate::leavers::{nothing_is_left, resident_kib};
use crate::program::{program, program_with};

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

/// Bytes that differ from place to place.
fn content(len: usize) -> Vec<u8> {
    let numbers = (0u32..).flat_map(|n| n.to_string().into_bytes());
    numbers.take(len).collect()
}

/// Sends a form with a file of so many bytes, of which only the first `sent` are.
fn pour(socket: &mut std::net::TcpStream, path: &str, file: &[u8], sent: usize) {
    let head = "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"l\"\r\n\r\n";
    let tail = "\r\n--XX--\r\n";
    let length = head.len() + file.len() + tail.len();
    let start = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/form-data; boundary=XX\r\n\r\n{head}"
    );
    socket.write_all(start.as_bytes()).unwrap();
    socket.write_all(&file[..sent]).unwrap();
    if sent == file.len() {
        socket.write_all(tail.as_bytes()).unwrap();
    }
}

/// Where `/save` puts the files is in front.
const STREAMING: &[(&str, &str)] = &[
    (
        "/save",
        "kept.begun = true
         local form, why, status = req:form()
         kept.why = tostring(why)
         if not form then return { status = status, body = why } end
         local ok, problem = form.f:save(target)
         return { body = ok and tostring(form.f.size) or problem }",
    ),
    ("/begun", "return { body = tostring(kept.begun) }"),
    ("/why", "return { body = tostring(kept.why) }"),
];

#[test]
fn a_large_file_goes_to_the_disk_in_constant_memory_where_bodies_stream() {
    const LEN: usize = 24 * 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("kept");
    let file = content(LEN);
    for setup in PLAIN {
        let streaming = program_with("stream = true, max_body_len = 65536,", STREAMING);
        let text = format!("local target = '{}'\n{streaming}", target.display());
        let server = Server::start(&text, setup);
        assert_eq!(server.get("/begun"), "nil");
        let before = resident_kib(server.pid());
        let mut socket = std::net::TcpStream::connect(server.addr).unwrap();
        pour(&mut socket, "/save", &file, LEN);
        let mut answer = [0; 1024];
        let count = socket.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(answer.ends_with(&LEN.to_string()), "{setup:?}: {answer}");
        if let (Some(before), Some(after)) = (before, resident_kib(server.pid())) {
            let most = before + 12 * 1024;
            assert!(after < most, "{setup:?}: {before} KiB grew to {after} KiB");
        }
        assert!(std::fs::read(&target).unwrap() == file, "{setup:?}");
        drop(socket);
        nothing_is_left(&server);
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_form_leaves_nothing() {
    let file = content(1024 * 1024);
    const CLOSED: &str = "the request body is not complete: closed";
    for (options, whys) in [
        ("", &[CLOSED][..]),
        // Its handler is cancelled before it hears why, or hears it first.
        ("cancel_on_disconnect = true,", &["nil", CLOSED]),
    ] {
        for setup in PLAIN {
            let options = format!("stream = true, {options}");
            let server = Server::start(&program_with(&options, STREAMING), setup);
            let mut socket = std::net::TcpStream::connect(server.addr).unwrap();
            pour(&mut socket, "/save", &file, 700_000);
            eventually("it is being read", || server.get("/begun") == "true");
            drop(socket);
            nothing_is_left(&server);
            let why = server.get("/why");
            assert!(whys.contains(&why.as_str()), "{setup:?}: {why}");
            assert_eq!(server.stop(), 0, "{setup:?}");
        }
    }
}
