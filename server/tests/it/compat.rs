//! Programs as httpng's documentation shows them, in our words, run unchanged: what they say to
//! their clients is what it promises.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::client::Client;
use crate::harness::{PLAIN, Server, Setup, address_in, certificate_for, eventually};

fn file(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/compat").join(name)
}

fn start(name: &str, setup: Setup) -> Server {
    Server::start_file(&file(name), setup, &[], tempfile::tempdir().unwrap())
}

/// One request after another on one connection: method, target and body there, status and body
/// back.
#[track_caller]
fn check(client: &mut Client, request: &str, body: &str, expected: &str) {
    let length = body.len();
    client.send(format!(
        "{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let response = client.response();
    let text = response.text();
    assert_eq!(
        format!("{} {text}", response.head.status),
        expected,
        "{request}"
    );
}

#[test]
fn sites_are_asked_in_their_order() {
    for setup in PLAIN {
        let server = start("sites.lua", setup);
        let mut client = server.connect();
        for (path, expected) in [
            ("/shop", "200 shop"),
            ("/shop?something=0", "200 shop"),
            ("/shop/cart", "200 cart"),
            ("/shop/cart?test=1", "200 cart"),
            ("/shop/cart1", "200 shop"),
            ("/%73hop/./cart", "200 cart"),
            ("/blog/archive", "200 blog"),
            ("/", "404 not found"),
            ("/shop1", "404 not found"),
            ("//shop", "404 not found"),
            ("/SHOP", "404 not found"),
        ] {
            check(&mut client, &format!("GET {path}"), "", expected);
        }
    }
}

#[test]
fn every_way_to_answer() {
    for setup in PLAIN {
        let server = start("pages.lua", setup);
        let mut client = server.connect();
        check(&mut client, "GET /hello", "", "200 Small hello");
        check(
            &mut client,
            "POST /hello",
            "",
            "500 Unsupported HTTP method",
        );
        check(&mut client, "GET /row?id=7", "", "200 Row #7");
        check(&mut client, "GET /row?id=5001", "", "200 no such row");
        check(&mut client, "GET /row?no", "", "200 write ?id=3");
        check(&mut client, "GET /row", "", "200 no query");
        let said = "200 body=\"fname=a&lname=b\"";
        check(&mut client, "POST /form", "fname=a&lname=b", said);
        // Far more than a shuttle of that size holds.
        let body = "0123456789abcdef".repeat(64 * 1024);
        check(&mut client, "PUT /put", &body, &format!("200 {body}"));

        client.get("/large");
        let large = client.response();
        let length = large.head.field("content-length").unwrap();
        assert_eq!(length, large.body.len().to_string());
        assert!(large.text().ends_with("line 30000 of 30000\n"));

        client.get("/multi");
        let list = client.response();
        assert_eq!(list.head.field("x-custom-header"), Some("foo"));
        let text = list.text();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(
            (rows[0], rows[4999], rows[5000]),
            ("Row #1", "Row #5000", "<end of list>")
        );

        client.get("/ip");
        let said = client.response().text();
        assert_eq!(
            said,
            "127.0.0.1 AF_INET tcp -> 127.0.0.1 SOCK_STREAM number"
        );
    }
}

#[test]
fn headers_of_io_go_with_a_bare_header() {
    let server = start("chunked.lua", PLAIN[1]);
    let mut client = server.connect();
    client.get("/");
    let head = client.head();
    assert_eq!(head.field("x-req-id"), Some("abc"));
    assert_eq!(head.field("transfer-encoding"), Some("chunked"));
    assert_eq!(
        (client.part(), client.part()),
        ("some data+".into(), "some data!".into())
    );
    assert_eq!(client.chunk(), None);
}

/// R34, R35. Nobody gets anything but what one of the handlers says, whole.
#[test]
fn r34_r35_handlers_are_exchanged_under_way() {
    let server = start(
        "hot_reload.lua",
        Setup {
            threads: 2,
            https: false,
            http2: false,
        },
    );
    let mut client = server.connect();
    let mut seen = std::collections::BTreeSet::new();
    eventually("all four handlers answer", || {
        for (path, known) in [("/", ["foo", "bar"]), ("/sub/x", ["FOO", "BAR"])] {
            client.get(path);
            let response = client.response();
            assert_eq!(response.head.status, 200);
            assert!(
                known.contains(&response.text().as_str()),
                "{}",
                response.text()
            );
            seen.insert(response.text());
        }
        seen.len() == 4
    });
}

#[test]
fn a_server_that_stops_serves_again() {
    let path = file("stop_and_go.lua");
    let setup = PLAIN[1];
    let server = Server::start_own_listen(&path, setup, &[], tempfile::tempdir().unwrap());
    let mut rounds = std::collections::BTreeSet::new();
    eventually("three rounds answer", || {
        let log = server.log();
        let line = log.lines().rfind(|line| line.contains("listening on http"));
        let text = try_get(address_in(line.unwrap()));
        rounds.extend(text.filter(|text| text.starts_with("round ")));
        rounds.len() >= 3
    });
}

/// The body of an answer, unless the server was not there, or ended in the middle.
fn try_get(addr: SocketAddr) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut socket = std::net::TcpStream::connect(addr).ok()?;
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    socket.write_all(request).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

#[test]
fn plain_tls_and_names_side_by_side() {
    let (foo, bar) = (
        certificate_for(&["foo.example"]),
        certificate_for(&["bar.example"]),
    );
    let args = [&foo.cert, &foo.key, &bar.cert, &bar.key].map(|path| path.to_str().unwrap());
    let setup = PLAIN[2];
    let path = file("multilisten.lua");
    let server = Server::start_own_listen(&path, setup, &args, tempfile::tempdir().unwrap());
    let addr = |start: &str| address_in(&server.wait_line(start));
    let (plain, one, names) = (
        addr("listening on http://0.0.0.0:"),
        addr("listening on https://127.0.0.1:"),
        addr("listening on https://127.0.0.2:"),
    );
    let ask = |mut client: Client| {
        client.get("/");
        let response = client.response();
        assert_eq!(response.head.field("x-req-id"), Some("qwe"));
        response.text()
    };
    assert_eq!(
        ask(Client::tcp(SocketAddr::from((
            [127, 0, 0, 1],
            plain.port()
        )))),
        "http -"
    );
    assert_eq!(ask(Client::tls_to(one, "foo.example", &foo)), "https -");
    assert_eq!(ask(Client::tls_to(names, "foo.example", &foo)), "https -");
    assert_eq!(ask(Client::tls_to(names, "bar.example", &bar)), "https -");
}
