//! Request lines, targets, Host, field lines.

use super::{Case, check, check_field};
use crate::h1::{Engine, Event, Limits};
use crate::head::{Fields, RequestHead};

const PLAIN: &str = "GET / 1.1 @a keep / end";

const REQUEST_LINES: &[Case] = &[
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    (b"GET / HTTP/1.0\r\n\r\n", "GET / 1.0 @ close / end / done"),
    // Any token is a method: what it means is the application's.
    (
        b"PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "PROPFIND /x 1.1 @a keep / end",
    ),
    (
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        "get / 1.1 @a keep / end",
    ),
    (
        b"M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1\r\nHost: a\r\n\r\n",
        "M-SEARCH!#$%&\\'*+.^_`|~ / 1.1 @a keep / end",
    ),
    // RFC 9110 section 2.5: later minor versions are read as the highest that is known.
    (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", PLAIN),
    (b"GET / HTTP/1.9\r\nHost: a\r\n\r\n", PLAIN),
    (
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "505 VersionUnsupported / done",
    ),
    (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "505 VersionUnsupported / done",
    ),
    (b"GET / HTTP/0.9\r\n\r\n", "505 VersionUnsupported / done"),
    (b"GET / HTTP/3.0\r\n\r\n", "505 VersionUnsupported / done"),
    (b"GET / HTTP/1.1.1\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP/11\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP/1\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP/1.\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP/1,1\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP/+1.1\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / http/1.1\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP /1.1\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTTP/1.1\t\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET / HTPP/1.1\r\nHost: a\r\n\r\n", "400 Version / done"),
    (b"GET /\r\n", "400 Http09 / done"),
    (b"GET /\r\nHost: a\r\n\r\n", "400 Http09 / done"),
    (b"POST /\r\n", "400 RequestLine / done"),
    (b"GET\r\n", "400 RequestLine / done"),
    (b"GET HTTP/1.1\r\nHost: a\r\n\r\n", "400 RequestLine / done"),
    (b"G\0T / HTTP/1.1\r\n\r\n", "400 Method / done"),
    (b"GE(T / HTTP/1.1\r\n\r\n", "400 Method / done"),
    (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 Method / done"),
    (
        b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nx",
        "501 MethodNotImplemented / done",
    ),
    (
        b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
        "405 MethodNotAllowed / done",
    ),
    (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 NotHttp / done"),
    (b"\x16\x03\x01\x02\x00\x01\x00", "400 NotHttp / done"),
    (b"\0", "400 NotHttp / done"),
    (b"\x80", "400 NotHttp / done"),
    (b"", ""),
    (b"GET", "in head"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r", "in head"),
];

#[test]
fn request_lines() {
    check(REQUEST_LINES);
}

const LINE_ENDS: &[Case] = &[
    (b"GET / HTTP/1.1\nHost: a\n\n", "400 LineEnd / done"),
    (b"GET / HTTP/1.1\nHost: a\r\n\r\n", "400 LineEnd / done"),
    (b"GET / HTTP/1.1\r\nHost: a\n\r\n", "400 LineEnd / done"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\n", "400 LineEnd / done"),
    (
        b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "400 LineEnd / done",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX:\n\r\n",
        "400 LineEnd / done",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \n\r\n",
        "400 LineEnd / done",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b \n\r\n",
        "400 LineEnd / done",
    ),
    (b"GET / HTTP/1.1\rHost: a\r\n\r\n", "400 Version / done"),
    (b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "400 Version / done"),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "400 FieldValue / done",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
        "400 FieldValue / done",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX:\r \r\n\r\n",
        "400 FieldValue / done",
    ),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\rX\n", "400 LineEnd / done"),
    (b"\n", "400 LineEnd / done"),
    (b"\rGET / HTTP/1.1\r\n\r\n", "400 LineEnd / done"),
    (b"\r\n\nGET / HTTP/1.1\r\n\r\n", "400 LineEnd / done"),
    // RFC 9112 section 2.2: a client may end a body with a CRLF too many.
    (b"\r\n", "in head"),
    (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / 1.1 @a keep / end / GET / 1.1 @a keep / end",
    ),
];

#[test]
fn line_ends() {
    check(LINE_ENDS);
}

const TARGETS: &[Case] = &[
    (
        b"GET /a/b;c=d/%7Ee?f=g&h/i?j HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/b;c=d/%7Ee?f=g&h/i?j 1.1 @a keep / end",
    ),
    (
        b"GET //a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET //a/../b 1.1 @a keep / end",
    ),
    // Browsers send these bare.
    (
        b"GET /a?{b}|c^\"d` HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a?{b}|c^\\\"d` 1.1 @a keep / end",
    ),
    // And these they encode.
    (
        b"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
        "400 Target / done",
    ),
    (
        b"GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n",
        "400 Target / done",
    ),
    (b"GET /<a HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET /a> HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET  HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (
        b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
        "400 Target / done",
    ),
    (
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "400 Target / done",
    ),
    (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400 Target / done"),
    (
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * 1.1 @a keep / end",
    ),
    (
        b"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
        "OPTIONS * 1.1 @ keep / end",
    ),
    (
        b"OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n",
        "400 Target / done",
    ),
    // Absolute form: its authority wins, Host has to be there and to be one all the same.
    (
        b"GET http://b:8/c HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://b:8/c 1.1 @b:8 keep / end",
    ),
    (
        b"GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET HTTPS://b 1.1 @b keep / end",
    ),
    (
        b"GET http://b?c HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://b?c 1.1 @b keep / end",
    ),
    (
        b"GET http://b/ HTTP/1.0\r\n\r\n",
        "GET http://b/ 1.0 @b close / end / done",
    ),
    (b"GET http://b/ HTTP/1.1\r\n\r\n", "400 HostMissing / done"),
    (
        b"GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n",
        "400 Host / done",
    ),
    (
        b"GET http://b/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "400 HostRepeated / done",
    ),
    (
        b"GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n",
        "400 Target / done",
    ),
    (
        b"GET http://:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "400 Target / done",
    ),
    (
        b"GET http://u:p@b/ HTTP/1.1\r\nHost: b\r\n\r\n",
        "400 Target / done",
    ),
    (
        b"GET http://b:x/ HTTP/1.1\r\nHost: b\r\n\r\n",
        "400 Target / done",
    ),
    (
        b"GET http:/b HTTP/1.1\r\nHost: b\r\n\r\n",
        "400 Target / done",
    ),
    (
        b"GET ftp://b/ HTTP/1.1\r\nHost: b\r\n\r\n",
        "400 Target / done",
    ),
    (
        b"GET ://b/ HTTP/1.1\r\nHost: b\r\n\r\n",
        "400 Target / done",
    ),
];

#[test]
fn targets() {
    check(TARGETS);
}

const GOOD_HOSTS: &[&str] = &[
    "a",
    "A.b-c_d~e",
    "a.",
    "a:",
    "a:0",
    "a:80",
    "a:65535",
    "a:00080",
    "127.0.0.1:3300",
    "%41",
    "[::1]",
    "[::1]:80",
    "[2001:db8::7]",
    "[::ffff:1.2.3.4]",
    "[v1.a:b]",
    "a!$&'()*+,;=b",
    "1.2.3",
    "xn--bcher-kva.example",
];

const BAD_HOSTS: &[&str] = &[
    "",
    ":80",
    "a b",
    "a\tb",
    "u@a",
    "u:p@a",
    "a/",
    "a/b",
    "http://a",
    "a?b",
    "a#b",
    "a\\b",
    "a:b",
    "a:-1",
    "a:+1",
    "a:65536",
    "a:99999999999999999999",
    "a:80:80",
    "a: 80",
    "::1",
    "[::1",
    "::1]",
    "[]",
    "[::1]a",
    "[::1]]",
    "[[::1]]",
    "[1.2.3.4]",
    "[::1%eth0]",
    "[::1%25eth0]",
    "[v.a]",
    "[v1.]",
    "[vg.a]",
    "[v1a]",
    "[12345::]",
    "%",
    "%4",
    "%4g",
    "a%",
    "a<b",
    "a>b",
    "a\"b",
    "a|b",
    "a^b",
    "a`b",
    "{a}",
    "a,b c",
    "\u{e4}",
];

const HOST_COUNTS: &[Case] = &[
    (b"GET / HTTP/1.1\r\n\r\n", "400 HostMissing / done"),
    (b"GET / HTTP/1.1\r\nX: y\r\n\r\n", "400 HostMissing / done"),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "400 HostRepeated / done",
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n",
        "400 HostRepeated / done",
    ),
    (
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
        "400 HostRepeated / done",
    ),
    (b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "400 Host / done"),
    (
        b"GET / HTTP/1.0\r\nHost:\r\n\r\n",
        "GET / 1.0 @ close / end / done",
    ),
    (
        b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / 1.0 @a close / end / done",
    ),
    (b"GET / HTTP/1.1\r\nHost:\t a \t\r\n\r\n", PLAIN),
    (b"GET / HTTP/1.1\r\nHost:a\r\n\r\n", PLAIN),
];

#[test]
fn hosts() {
    for host in GOOD_HOSTS {
        let input = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let expected = format!("GET / 1.1 @{} keep / end", host.escape_default());
        check(&[(input.into_bytes().leak(), expected.leak())]);
    }
    for host in BAD_HOSTS {
        let input = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        check(&[(input.into_bytes().leak(), "400 Host / done")]);
    }
    check(HOST_COUNTS);
}

#[test]
fn field_lines() {
    check_field(&[
        ("X:y", PLAIN),
        ("X:", PLAIN),
        ("X: \t ", PLAIN),
        ("X: \u{e4} \u{1f680}", PLAIN),
        ("X: a\tb", PLAIN),
        ("!#$%&'*+-.^_`|~09azAZ: y", PLAIN),
        ("X : y", "400 FieldName / done"),
        ("X\t: y", "400 FieldName / done"),
        (" X: y", "400 FieldName / done"),
        ("\tX: y", "400 FieldName / done"),
        // A folded line (RFC 9112 section 5.2) begins with space too.
        ("X: y\r\n z", "400 FieldName / done"),
        ("X: y\r\n\tz: 1", "400 FieldName / done"),
        ("X", "400 FieldName / done"),
        (": y", "400 FieldName / done"),
        ("X(: y", "400 FieldName / done"),
        ("X\u{e4}: y", "400 FieldName / done"),
        ("X\0: y", "400 FieldName / done"),
        ("X\x7f: y", "400 FieldName / done"),
        ("\"X\": y", "400 FieldName / done"),
        ("X[]: y", "400 FieldName / done"),
        ("X: \0", "400 FieldValue / done"),
        ("X: a\0b", "400 FieldValue / done"),
        ("X: a\x01b", "400 FieldValue / done"),
        ("X: a\x0bb", "400 FieldValue / done"),
        ("X: a\x1bb", "400 FieldValue / done"),
        ("X: a\x7fb", "400 FieldValue / done"),
    ]);
    // Before the first field.
    check(&[
        (
            b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "400 FieldName / done",
        ),
        (
            b"GET / HTTP/1.1\r\n\tHost: a\r\n\r\n",
            "400 FieldName / done",
        ),
        (
            b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n",
            "400 FieldName / done",
        ),
        (b"GET / HTTP/1.1\r\n: a\r\n\r\n", "400 FieldName / done"),
    ]);
}

/// Reads one head.
fn head_of(input: &[u8]) -> RequestHead {
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let step = Engine::new(Limits::default()).poll(input, &mut head, &mut trailers);
    assert!(matches!(step.event, Event::Head(_)), "{step:?}");
    head
}

#[test]
fn parts_of_a_head() {
    let head = head_of(
        b"GET /a%20b?c=d?e HTTP/1.1\r\nHOST: Example.org:81\r\nCookie: a=b\r\nX-Y:\r\n\
          cookie:  c=d \r\n\r\n",
    );
    assert_eq!(head.path(), b"/a%20b");
    assert_eq!(head.query(), Some(&b"c=d?e"[..]));
    assert_eq!(head.authority(), b"Example.org:81");
    assert_eq!(head.host(), b"Example.org");
    let fields: Vec<_> = head.fields().collect();
    let expected: [(&[u8], &[u8]); 4] = [
        (b"host", b"Example.org:81"),
        (b"cookie", b"a=b"),
        (b"x-y", b""),
        (b"cookie", b"c=d"),
    ];
    assert_eq!(fields, expected);
    assert_eq!(head.field(b"Cookie"), Some(&b"a=b"[..]));
    assert_eq!(
        head.field_all(b"cookie").collect::<Vec<_>>(),
        [b"a=b", b"c=d"]
    );
    assert_eq!(head.field(b"cooki"), None);

    let cases: &[(&[u8], &str, Option<&str>, &str)] = &[
        (
            b"GET /? HTTP/1.1\r\nHost: [::1]:8\r\n\r\n",
            "/",
            Some(""),
            "[::1]",
        ),
        (
            b"GET http://b?c HTTP/1.1\r\nHost: a\r\n\r\n",
            "/",
            Some("c"),
            "b",
        ),
        (
            b"GET http://b:8 HTTP/1.1\r\nHost: a\r\n\r\n",
            "/",
            None,
            "b",
        ),
        (
            b"OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
            "*",
            None,
            "b",
        ),
        (
            b"OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "/",
            None,
            "b",
        ),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", None, "a"),
        (b"GET / HTTP/1.0\r\n\r\n", "/", None, ""),
    ];
    for (input, path, query, host) in cases {
        let head = head_of(input);
        assert_eq!(head.path(), path.as_bytes());
        assert_eq!(head.query(), query.map(str::as_bytes));
        assert_eq!(head.host(), host.as_bytes());
    }
}
