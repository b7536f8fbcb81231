//! Bytes in, bytes and the fate of the connection out; every input also in two pieces.

use super::world::check;

#[test]
fn a_request_is_answered_and_the_connection_stays() {
    check(
        "GET /a?b HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 2||/a<open>",
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    check(
        "GET /a HTTP/1.1|Host: h||GET /parts HTTP/1.1|Host: h||HEAD /c HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 2||/a\
         HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|one|4| two|0||\
         HTTP/1.1 200 OK|Content-Length: 2||<open>",
    );
}

#[test]
fn bodies_come_whole() {
    check(
        "POST /echo HTTP/1.1|Host: h|Content-Length: 5||helloPOST /echo HTTP/1.1|Host: h|\
         Transfer-Encoding: chunked||3|abc|2|de|0||",
        "HTTP/1.1 200 OK|Content-Length: 5||helloHTTP/1.1 200 OK|Content-Length: 5||abcde<open>",
    );
}

#[test]
fn http_1_0_closes_unless_asked_to_stay() {
    check(
        "GET /a HTTP/1.0||",
        "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||/a<end>",
    );
    check(
        "GET /a HTTP/1.0|Connection: keep-alive||",
        "HTTP/1.1 200 OK|Content-Length: 2|Connection: keep-alive||/a<open>",
    );
    check(
        "GET /parts HTTP/1.0|Connection: keep-alive||",
        "HTTP/1.1 200 OK|Connection: close||one two<end>",
    );
}

#[test]
fn either_side_may_ask_for_the_end() {
    check(
        "GET /a HTTP/1.1|Host: h|Connection: close||GET /b HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||/a<end>",
    );
    check(
        "GET /bye HTTP/1.1|Host: h||GET /b HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 3|Connection: close||bye<end>",
    );
}

#[test]
fn responses_without_a_body() {
    check(
        "GET /204 HTTP/1.1|Host: h||",
        "HTTP/1.1 204 No Content||<open>",
    );
    check(
        "GET /nothing HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 0||<open>",
    );
    check(
        "HEAD /parts HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||<open>",
    );
    check(
        "HEAD /echo HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 0||<open>",
    );
}

#[test]
fn closing_ends_a_streamed_body() {
    check(
        "GET /close HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|one|0||<open>",
    );
}

#[test]
fn a_lent_body_follows_its_head() {
    check(
        "GET /large HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 1048576||[1048576 x]<open>",
    );
}

#[test]
fn a_declared_length_is_kept() {
    check(
        "GET /long HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 2||fo<open>",
    );
    check(
        "GET /short HTTP/1.1|Host: h||",
        "HTTP/1.1 200 OK|Content-Length: 10||four<end>",
    );
}

#[test]
fn no_answer_is_answered_500() {
    check(
        "GET /mute HTTP/1.1|Host: h||GET /a HTTP/1.1|Host: h||",
        "HTTP/1.1 500 Internal Server Error|Content-Length: 14|\
         Content-Type: text/plain; charset=utf-8|Vary: Accept||Internal error\
         HTTP/1.1 200 OK|Content-Length: 2||/a<open>",
    );
}

/// What the worker answers itself: the head of it and the end of the connection.
fn check_early(input: &str, status: &str, text: &str) {
    check(
        input,
        &format!(
            "HTTP/1.1 {status}|Content-Type: text/plain; charset=utf-8|Vary: Accept|\
             Content-Length: {}|Connection: close||{text}<end>",
            text.len(),
        ),
    );
}

#[test]
fn what_is_wrong_is_answered_by_the_worker() {
    check_early(
        "GET / HTTP/1.1||",
        "400 Bad Request",
        "the Host header field is missing",
    );
    check_early(
        "POST / HTTP/1.1|Host: h|Content-Length: 1048577||",
        "413 Content Too Large",
        "request entity is too large",
    );
    check_early(
        "GET / HTTP/3.0|Host: h||",
        "505 HTTP Version Not Supported",
        "this HTTP version is not supported",
    );
}

#[test]
fn an_early_error_waits_for_what_was_asked_before() {
    check(
        "GET /a HTTP/1.1|Host: h||GET / HTTP/1.1||",
        "HTTP/1.1 200 OK|Content-Length: 2||/a\
         HTTP/1.1 400 Bad Request|Content-Type: text/plain; charset=utf-8|Vary: Accept|\
         Content-Length: 32|Connection: close||the Host header field is missing<end>",
    );
}

#[test]
fn a_body_is_invited_when_it_is_wanted() {
    let expected = "HTTP/1.1 100 Continue||HTTP/1.1 200 OK|Content-Length: 2||hi<open>";
    let mut world = super::world::World::new(super::world::Setup::default());
    let client = world.connect();
    let head =
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    world.ask(client, head);
    assert_eq!(world.text(client), "HTTP/1.1 100 Continue||<open>");
    world.ask(client, "hi");
    super::world::respond(&mut world);
    assert_eq!(
        world.text(client),
        expected.replace("HTTP/1.1 100 Continue||", "")
    );
    check_early(
        "POST / HTTP/1.1|Host: h|Content-Length: 1048577|Expect: 100-continue||",
        "413 Content Too Large",
        "request entity is too large",
    );
}

#[test]
fn an_invitation_waits_for_the_answers_before_it() {
    let mut world = super::world::World::new(super::world::Setup::default());
    let client = world.connect();
    world.ask(
        client,
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n\
         POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(world.text(client), "<open>");
    world.answer(200, "first");
    let expected = "HTTP/1.1 200 OK|Content-Length: 5||firstHTTP/1.1 100 Continue||<open>";
    assert_eq!(world.text(client), expected);
}
