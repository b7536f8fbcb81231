//! What goes behind the body of a response.

use super::client2::Client2;
use super::world::{Setup, World, check, respond};

#[test]
fn behind_chunks() {
    check(
        "GET /trailed/close HTTP/1.1|Host: h||GET /a HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|one|0|Sum: 3|sum: 4||\
         HTTP/1.1 200 OK|Content-Length: 2||/a<open>",
    );
    check(
        "GET /trailed/write HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|one|4| two|0|Sum: 3|sum: 4||<open>",
    );
}

/// The length of a whole answer is not told, for only chunks have a place for trailers.
#[test]
fn whole_answers() {
    check(
        "GET /trailed/whole HTTP/1.1|Host: h||GET /trailed/empty HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|all|0|Sum: 3|sum: 4||\
         HTTP/1.1 200 OK|Transfer-Encoding: chunked||0|Sum: 3|sum: 4||<open>",
    );
}

/// Each is followed by a response of the same shuttle, in which nothing is left of them.
#[test]
fn where_there_is_no_place() {
    check(
        "GET /trailed/length HTTP/1.1|Host: h||GET /close HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 3||all\
         HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|one|0||<open>",
    );
    check(
        "HEAD /trailed/whole HTTP/1.1|Host: h||GET /trailed/204 HTTP/1.1|Host: h||\
         GET /close HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||HTTP/1.1 204 No Content||\
         HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|one|0||<open>",
    );
    check(
        "GET /trailed/whole HTTP/1.0|Connection: keep-alive||",
        "HTTP/1.1 200 OK|Content-Length: 3|Connection: keep-alive||all<open>",
    );
    check(
        "GET /trailed/write HTTP/1.0||",
        "HTTP/1.1 200 OK|Connection: close||one two<end>",
    );
}

fn check2(method: &str, path: &str, expected: &str) {
    let mut world = World::new(Setup::default());
    let mut client = Client2::new(&mut world);
    // By the same shuttle, with nothing left of the first.
    for (path, expected) in [
        (path, expected),
        ("/a", "200 | content-length: 2 || /a<end>"),
    ] {
        let method = if path == "/a" { "GET" } else { method };
        let call = client.begin(method, path, &[], true);
        client.settle(&mut world);
        while !world.held.is_empty() {
            respond(&mut world);
            client.settle(&mut world);
        }
        assert_eq!(client.text(call), expected, "{method} {path}");
    }
    world.check_balance();
}

#[test]
fn behind_streams() {
    check2("GET", "/trailed/close", "200 || one<sum: 3><sum: 4><end>");
    check2(
        "GET",
        "/trailed/write",
        "200 || one two<sum: 3><sum: 4><end>",
    );
    check2("GET", "/trailed/whole", "200 || all<sum: 3><sum: 4><end>");
    check2("GET", "/trailed/empty", "200 || <sum: 3><sum: 4><end>");
    // As in HTTP/1, a length that was declared is the end.
    let length = "200 | content-length: 3 || all<end>";
    check2("GET", "/trailed/length", length);
    check2("HEAD", "/trailed/whole", "200 || <end>");
    check2("GET", "/trailed/204", "204 || <end>");
}

/// They wait until the client's windows have let the body pass.
#[test]
fn behind_closed_windows() {
    let large = "200 || [1048576 x]<sum: 3><sum: 4><end>";
    check2("GET", "/trailed/large", large);
    let mut world = World::new(Setup::default());
    let mut client = Client2::new(&mut world);
    let call = client.get(&mut world, "/trailed/large");
    client.holds.push(call);
    respond(&mut world);
    client.settle(&mut world);
    client.reset(call);
    client.settle(&mut world);
    respond(&mut world);
    let next = client.get(&mut world, "/close");
    while !world.held.is_empty() {
        respond(&mut world);
        client.settle(&mut world);
    }
    assert_eq!(client.text(next), "200 || one<end>");
    world.check_balance();
}
