//! Where a body ends: Content-Length, Transfer-Encoding, chunks, trailers.

use super::{Case, check, check_field};

const CONTENT_LENGTHS: &[(&str, &str)] = &[
    ("Content-Length: 00", "GET / 1.1 @a keep / end"),
    ("content-LENGTH:\t0\t", "GET / 1.1 @a keep / end"),
    ("Content-Length:", "400 ContentLength / done"),
    ("Content-Length: +5", "400 ContentLength / done"),
    ("Content-Length: -5", "400 ContentLength / done"),
    ("Content-Length: 5 5", "400 ContentLength / done"),
    ("Content-Length: 5;", "400 ContentLength / done"),
    ("Content-Length: 5.0", "400 ContentLength / done"),
    ("Content-Length: 0x5", "400 ContentLength / done"),
    ("Content-Length: 1e1", "400 ContentLength / done"),
    ("Content-Length: \"5\"", "400 ContentLength / done"),
    ("Content-Length: 5, 5", "400 ContentLength / done"),
    ("Content-Length: 5,", "400 ContentLength / done"),
    ("Content-Length: ,5", "400 ContentLength / done"),
    ("Content-Length: \u{665}", "400 ContentLength / done"),
    (
        "Content-Length: 0\r\nContent-Length: 0",
        "400 ContentLengthRepeated / done",
    ),
    (
        "Content-Length: 5\r\nContent-Length: 6",
        "400 ContentLengthRepeated / done",
    ),
    (
        "Content-Length: 6\r\nX: y\r\nCONTENT-LENGTH: 6",
        "400 ContentLengthRepeated / done",
    ),
    // Numbers without end are numbers: too large, not malformed.
    (
        "Content-Length: 18446744073709551615",
        "GET / 1.1 @a keep length=18446744073709551615 / 413 BodyTooLarge / done",
    ),
    (
        "Content-Length: 18446744073709551616",
        "GET / 1.1 @a keep length=18446744073709551615 / 413 BodyTooLarge / done",
    ),
    (
        "Content-Length: 99999999999999999999999999999999",
        "GET / 1.1 @a keep length=18446744073709551615 / 413 BodyTooLarge / done",
    ),
    ("Content_Length: 5", "GET / 1.1 @a keep / end"),
];

#[test]
fn content_lengths() {
    check(&[
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST / 1.1 @a keep length=5 / \"hello\" / end",
        ),
        (
            b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
            "POST / 1.0 @ close length=5 / \"hello\" / end / done",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
            "POST / 1.1 @a keep length=5 / \"hell\" / in body",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST / 1.1 @a keep / end",
        ),
        // RFC 9112 section 6.3: a request without both has no body.
        (
            b"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / 1.1 @a keep / end",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET",
            "GET / 1.1 @a keep length=3 / \"abc\" / end / in head",
        ),
    ]);
    check_field(CONTENT_LENGTHS);
}

const EMPTY: &str = "GET / 1.1 @a keep chunked / in body";

const TRANSFER_CODINGS: &[(&str, &str)] = &[
    ("Transfer-Encoding: chunked", EMPTY),
    ("transfer-encoding:CHUNKED", EMPTY),
    (
        "Transfer-Encoding: gzip, chunked",
        "501 TransferCodingUnknown / done",
    ),
    (
        "Transfer-Encoding: x;a=b, chunked",
        "501 TransferCodingUnknown / done",
    ),
    (
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "501 TransferCodingUnknown / done",
    ),
    (
        "Transfer-Encoding: identity, chunked",
        "501 TransferCodingUnknown / done",
    ),
    ("Transfer-Encoding: gzip", "400 TransferCoding / done"),
    ("Transfer-Encoding: identity", "400 TransferCoding / done"),
    ("Transfer-Encoding: xchunked", "400 TransferCoding / done"),
    ("Transfer-Encoding: chunkedx", "400 TransferCoding / done"),
    (
        "Transfer-Encoding: chunked chunked",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chunked, chunked",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chunked, gzip",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chunked, identity",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chunked;a=b",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chunked ; a",
        "400 TransferCoding / done",
    ),
    ("Transfer-Encoding: chunked,", "400 TransferCoding / done"),
    ("Transfer-Encoding: , chunked", "400 TransferCoding / done"),
    ("Transfer-Encoding: chunked, ", "400 TransferCoding / done"),
    ("Transfer-Encoding:", "400 TransferCoding / done"),
    (
        "Transfer-Encoding: \"chunked\"",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chun\u{212a}ed",
        "400 TransferCoding / done",
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "400 LengthAndCoding / done",
    ),
    (
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "400 LengthAndCoding / done",
    ),
    (
        "Content-Length: 5\r\nTransfer-Encoding: gzip, chunked",
        "400 LengthAndCoding / done",
    ),
    ("Transfer-Encoding : chunked", "400 FieldName / done"),
    ("Transfer-Encoding: \x0bchunked", "400 FieldValue / done"),
    ("X: y\nTransfer-Encoding: chunked", "400 LineEnd / done"),
    ("Transfer-Encoding:\r\n chunked", "400 FieldName / done"),
];

#[test]
fn transfer_codings() {
    check_field(TRANSFER_CODINGS);
    check(&[
        (
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400 TransferCodingOld / done",
        ),
        (
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
            "400 TransferCodingOld / done",
        ),
    ]);
}

/// What follows the head of a chunked request, and what is told after the head.
fn check_chunks(cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        let input =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let expected = format!("POST / 1.1 @a keep chunked / {expected}");
        let case: Case = (input.into_bytes().leak(), expected.leak());
        check(&[case]);
    }
}

const CHUNKS: &[(&str, &str)] = &[
    ("0\r\n\r\n", "end"),
    ("0000\r\n\r\n", "end"),
    ("5\r\nhello\r\n0\r\n\r\n", "\"hello\" / end"),
    (
        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        "\"hello world\" / end",
    ),
    (
        "a\r\n0123456789\r\n00A\r\n0123456789\r\n0\r\n\r\n",
        "\"01234567890123456789\" / end",
    ),
    ("3\r\n\r\n\n\r\n0\r\n\r\n", "\"\\r\\n\\n\" / end"),
    ("5\r\nhel", "\"hel\" / in body"),
    ("5\r\nhello", "\"hello\" / in body"),
    ("0\r\n", "in body"),
    (
        "0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "end / GET / 1.1 @a keep / end",
    ),
    // Sizes.
    ("\r\n", "400 ChunkSize / done"),
    ("g\r\n", "400 ChunkSize / done"),
    ("0x5\r\n", "400 ChunkSize / done"),
    ("+5\r\n", "400 ChunkSize / done"),
    ("-1\r\n", "400 ChunkSize / done"),
    (" 5\r\nhello\r\n", "400 ChunkSize / done"),
    ("5 \r\nhello\r\n", "400 ChunkSize / done"),
    ("5\t\r\nhello\r\n", "400 ChunkSize / done"),
    ("5 5\r\n", "400 ChunkSize / done"),
    ("5,\r\n", "400 ChunkSize / done"),
    (";a\r\n", "400 ChunkSize / done"),
    ("5\0\r\n", "400 ChunkSize / done"),
    ("100001\r\n", "413 BodyTooLarge / done"),
    ("ffffffffffffffff\r\n", "413 BodyTooLarge / done"),
    ("10000000000000000\r\n", "400 ChunkSize / done"),
    ("00000000000000000\r\n", "400 ChunkSize / done"),
    // Their line ends.
    ("5\nhello\r\n", "400 LineEnd / done"),
    ("5\rhello\r\n", "400 ChunkSize / done"),
    ("5;a\nhello", "400 LineEnd / done"),
    ("5\r\r\nhello", "400 ChunkSize / done"),
    // What follows a chunk.
    ("5\r\nhelloX", "\"hello\" / 400 ChunkEnd / done"),
    ("5\r\nhello\n0\r\n\r\n", "\"hello\" / 400 ChunkEnd / done"),
    ("5\r\nhello\rX", "\"hello\" / 400 ChunkEnd / done"),
    ("5\r\nhello0\r\n\r\n", "\"hello\" / 400 ChunkEnd / done"),
    ("4\r\nhello\r\n0\r\n\r\n", "\"hell\" / 400 ChunkEnd / done"),
    (
        "6\r\nhello\r\n0\r\n\r\n",
        "\"hello\\r\" / 400 ChunkEnd / done",
    ),
];

#[test]
fn chunks() {
    check_chunks(CHUNKS);
}

#[test]
fn chunk_extensions() {
    check_chunks(&[
        ("1;a\r\nx\r\n0\r\n\r\n", "\"x\" / end"),
        ("1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n", "\"x\" / end"),
        ("1 ; a = b\t; c\r\nx\r\n0\r\n\r\n", "\"x\" / end"),
        ("1;a=\"b;\\\"c\\\\\"\r\nx\r\n0\r\n\r\n", "\"x\" / end"),
        ("1;a=\"\"\r\nx\r\n0\r\n\r\n", "\"x\" / end"),
        ("1;a=\"\u{e4}\t \"\r\nx\r\n0\r\n\r\n", "\"x\" / end"),
        ("1;\r\nx", "400 ChunkExtension / done"),
        ("1; \r\nx", "400 ChunkExtension / done"),
        ("1;;a\r\nx", "400 ChunkExtension / done"),
        ("1;a=\r\nx", "400 ChunkExtension / done"),
        ("1;=b\r\nx", "400 ChunkExtension / done"),
        ("1;a b\r\nx", "400 ChunkExtension / done"),
        ("1;a \r\nx", "400 ChunkExtension / done"),
        ("1;a=\"b\r\nx", "400 ChunkExtension / done"),
        ("1;a=\"b\\\"\r\nx", "400 ChunkExtension / done"),
        ("1;a=\"b\"c\r\nx", "400 ChunkExtension / done"),
        ("1;a=\"\0\"\r\nx", "400 ChunkExtension / done"),
        ("1;a=\"\\\0\"\r\nx", "400 ChunkExtension / done"),
        ("1;a=\"\r\"\r\nx", "400 ChunkExtension / done"),
        ("1;a\rb\r\nx", "400 ChunkExtension / done"),
        ("1;a\0\r\nx", "400 ChunkExtension / done"),
    ]);
}

#[test]
fn trailers() {
    check_chunks(&[
        ("0\r\nX-Sum: 7\r\n\r\n", "end x-sum=7"),
        ("0\r\nA: 1\r\nb:2 \r\nA: 3\r\n\r\n", "end a=1 b=2 a=3"),
        ("0\r\nA: 1\r\n", "in body"),
        // Discarded: needed before the body, or not to be believed after it.
        (
            "0\r\nAuthorization: x\r\nA: 1\r\nCookie: y\r\nContent-Type: z\r\n\r\n",
            "end a=1",
        ),
        ("0\r\nConnection: close\r\n\r\n", "end"),
        (
            "0\r\nExpect: 100-continue\r\nTrailer: x\r\nIf-Match: *\r\n\r\n",
            "end",
        ),
        // Refused: another reader might merge them.
        (
            "0\r\nContent-Length: 5\r\n\r\n",
            "400 TrailerForbidden / done",
        ),
        (
            "0\r\ntransfer-encoding: chunked\r\n\r\n",
            "400 TrailerForbidden / done",
        ),
        ("0\r\nHost: b\r\n\r\n", "400 TrailerForbidden / done"),
        ("0\r\n X: y\r\n\r\n", "400 FieldName / done"),
        ("0\r\nX : y\r\n\r\n", "400 FieldName / done"),
        ("0\r\nX: y\r\n z\r\n\r\n", "400 FieldName / done"),
        ("0\r\nX: \0\r\n\r\n", "400 FieldValue / done"),
        ("0\r\nX: y\n\r\n", "400 LineEnd / done"),
        ("0\r\nX: y\r\n\n", "400 LineEnd / done"),
        ("0\r\n\n", "400 LineEnd / done"),
        ("0\r\n\rX\n", "400 LineEnd / done"),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", "400 FieldName / done"),
    ]);
}

#[test]
fn trailers_of_one_request_are_not_those_of_the_next() {
    check(&[(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: 1\r\n\r\n\
          GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / 1.1 @a keep chunked / end a=1 / GET / 1.1 @a keep / end",
    )]);
}
