//! What one request costs here: nanoseconds to read a head, to write one, and to walk an
//! exchange. `cargo run --release -p http-proto --example micro`
//!
//! Each figure is the best of several rounds: others on the machine only ever add to it.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use http_proto::h1::{Encoder, Engine, Event, Limits, Outlook, RequestFacts};
use http_proto::{Exchange, Fields, Leg, RequestHead, ResponseHead};

/// What the load generator wrk sends.
const WRK: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:3300\r\n\r\n";

/// What a browser sends for a page.
const BROWSER: &[u8] = b"GET /articles/2026/a-ferry-runs?utm_source=feed&page=2 HTTP/1.1\r\n\
Host: www.example.org\r\n\
Connection: keep-alive\r\n\
Cache-Control: max-age=0\r\n\
sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n\
sec-ch-ua-mobile: ?0\r\n\
sec-ch-ua-platform: \"Linux\"\r\n\
Upgrade-Insecure-Requests: 1\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/130.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Sec-Fetch-Site: none\r\n\
Sec-Fetch-Mode: navigate\r\n\
Sec-Fetch-User: ?1\r\n\
Sec-Fetch-Dest: document\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes\r\n\
\r\n";

/// A form of 11 bytes.
const POST: &[u8] = b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world";

const ROUNDS: usize = 20;
const TIMES: u32 = 50_000;

/// Prints the nanoseconds of one call, the best round of many.
fn measure(name: &str, mut once: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..TIMES).for_each(|_| once());
            start.elapsed()
        })
        .min()
        .expect("there are rounds");
    println!(
        "{name:48} {:7.1} ns",
        best.as_secs_f64() * 1e9 / f64::from(TIMES)
    );
}

fn read(engine: &mut Engine, input: &[u8], head: &mut RequestHead, trailers: &mut Fields) {
    let mut at = 0;
    loop {
        let step = engine.poll(black_box(&input[at..]), head, trailers);
        at += step.consumed;
        match step.event {
            Event::End => return,
            Event::Error(_) | Event::NeedMore => panic!("a good request"),
            _ => {}
        }
    }
}

fn main() {
    let mut engine = Engine::new(Limits::default());
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    for (name, input) in [("wrk", WRK), ("browser", BROWSER), ("small POST", POST)] {
        let name = format!("read a request: {name}, {} bytes", input.len());
        measure(&name, || read(&mut engine, input, &mut head, &mut trailers));
    }
    read(&mut engine, BROWSER, &mut head, &mut trailers);
    measure("find a field by name among 16", || {
        black_box(head.field(black_box(b"cookie")));
    });

    let encoder = Encoder::new(Some("httpng"));
    let facts = RequestFacts {
        keep_alive: true,
        ..RequestFacts::default()
    };
    let mut response = ResponseHead::default();
    let mut out = Vec::new();
    let hello = Outlook {
        known_length: Some(13),
        must_close: false,
    };
    measure("say a head: 200 and a content type", || {
        response.reset(black_box(200)).expect("a status");
        response
            .push(b"content-type", black_box(b"text/plain"))
            .expect("a field");
    });
    measure("write a whole response: 200, 1 field, 13 bytes", || {
        out.clear();
        let mut body = encoder.encode_head(black_box(&response), &facts, hello, &mut out);
        let admitted = body.begin_part(13, &mut out);
        out.extend_from_slice(&b"Hello, World!"[..admitted]);
        body.end_part(&mut out);
        black_box(body.finish(&mut out));
    });
    for name in [
        "cache-control",
        "etag",
        "last-modified",
        "vary",
        "set-cookie",
        "x-request-id",
    ] {
        response
            .push(name.as_bytes(), b"a value of some length")
            .expect("a field");
    }
    measure("write a head: 200, 7 fields, chunked", || {
        out.clear();
        black_box(encoder.encode_head(black_box(&response), &facts, Outlook::default(), &mut out));
    });

    let mut exchange = Exchange::default();
    measure("an exchange there and back: three legs", || {
        for leg in [Leg::Request, Leg::Answer, Leg::Free] {
            exchange.advance(black_box(leg)).expect("a legal trip");
        }
    });
    measure("an exchange cleared", || exchange.clear(black_box(65_536)));
}
