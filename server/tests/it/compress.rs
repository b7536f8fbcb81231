//! Answers that are compressed, as a program of Lua asks for it.

use std::io::Read;

use crate::client::Client;
use crate::harness::{SETUPS, Server, eventually};
use crate::program::program_with;

const WORDS: &str = "to be or not to be, ";

const OPTIONS: &str = "compress = { min_bytes = 100 },";

const WHOLE: &str = "
    return { headers = { ['content-type'] = 'text/plain', etag = '\"v1\"' },
        body = ('to be or not to be, '):rep(500) }";

/// Large strings, which are lent; how far it got is asked in bytes of the handler.
const LONG: &str = "
    io:write_header(200, { ['content-type'] = 'application/json' })
    for n = 1, 40 do
        io:write(('%07d '):format(n):rep(8192))
    end
    io:wait(40 * 65536)
    kept.sent = io:get_send_stats().sent
    io:close()";

const STREAM: &str = "
    io:write_header(200, { ['content-type'] = 'text/event-stream' })
    io:write('first ')
    wait('second')
    io:write('second ')
    wait('end')
    io:close()";

fn ask(client: &mut Client, path: &str, coding: &str) {
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\n\r\n"
    ));
}

/// What can be decoded of a body.
fn decoded(coding: &str, bytes: &[u8]) -> String {
    let mut decoder: Box<dyn Read + '_> = match coding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(bytes)),
        "br" => Box::new(brotli::Decompressor::new(bytes, 4096)),
        _ => Box::new(zstd::Decoder::new(bytes).unwrap()),
    };
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = decoder.read(&mut piece) {
        text.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(text).unwrap()
}

const CODINGS: [&str; 3] = ["br", "zstd", "gzip"];

#[test]
fn whole_and_long_answers_decode_to_what_the_handler_gave() {
    let routes = [
        ("/whole", WHOLE),
        ("/long", LONG),
        ("/sent", "return { body = tostring(kept.sent) }"),
        (
            "/off",
            "return { body = ('x'):rep(500),
                headers = { ['content-type'] = 'text/css', ['cache-control'] = 'no-transform' } }",
        ),
    ];
    for setup in SETUPS {
        let server = Server::start(&program_with(OPTIONS, &routes), setup);
        let mut client = server.connect();
        for coding in CODINGS {
            ask(&mut client, "/whole", coding);
            let response = client.response();
            let head = &response.head;
            assert_eq!(head.field("content-encoding"), Some(coding), "{setup:?}");
            assert_eq!(head.field("vary"), Some("Accept-Encoding"));
            assert_eq!(head.field("etag"), Some("W/\"v1\""));
            let length = response.body.len().to_string();
            assert_eq!(head.field("content-length"), Some(length.as_str()));
            assert!(response.body.len() < 500);
            assert_eq!(decoded(coding, &response.body), WORDS.repeat(500));

            ask(&mut client, "/long", coding);
            let response = client.response();
            assert_eq!(response.head.field("content-encoding"), Some(coding));
            let parts = (1..=40).map(|n| format!("{n:07} ").repeat(8192));
            assert!(
                decoded(coding, &response.body) == parts.collect::<String>(),
                "{setup:?}"
            );
            assert_eq!(server.get("/sent"), (40 * 65536).to_string());
        }
        for (path, coding, vary) in [
            ("/whole", "identity", Some("Accept-Encoding")),
            ("/off", "gzip", None),
            ("/sent", "gzip", None),
        ] {
            ask(&mut client, path, coding);
            let response = client.response();
            assert_eq!(response.head.field("content-encoding"), None, "{path}");
            assert_eq!(response.head.field("vary"), vary, "{path}");
        }
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn each_write_can_be_read_at_once_and_who_leaves_frees_the_encoder() {
    for setup in SETUPS {
        let server = Server::start(&program_with(OPTIONS, &[("/", STREAM)]), setup);
        for coding in CODINGS {
            let mut client = server.connect();
            ask(&mut client, "/", coding);
            assert_eq!(client.head().field("content-encoding"), Some(coding));
            let mut body = client.chunk().unwrap();
            assert_eq!(decoded(coding, &body), "first ", "{setup:?}");
            server.get("/open/second");
            while decoded(coding, &body) != "first second " {
                body.extend(client.chunk().unwrap());
            }
            assert!(!server.get("/stats").contains("\"encoder_bytes\":0"));
            if coding == "gzip" {
                drop(client);
            }
            server.get("/open/end");
        }
        eventually("the encoders are gone", || {
            server.get("/stats").contains("\"encoder_bytes\":0")
        });
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn curl_decodes_what_it_asked_for() {
    let curl = || std::process::Command::new("curl");
    let Ok(version) = curl().arg("--version").output() else {
        println!("curl is not installed: skipped");
        return;
    };
    if !String::from_utf8_lossy(&version.stdout).contains("libz") {
        println!("curl cannot decode gzip: skipped");
        return;
    }
    let server = Server::start(&program_with(OPTIONS, &[("/", WHOLE)]), SETUPS[0]);
    let url = format!("http://{}/", server.addr);
    let got = curl()
        .args([
            "-sS",
            "--compressed",
            "--max-time",
            "20",
            "-w",
            "|%{size_download}",
        ])
        .arg(&url)
        .output()
        .unwrap();
    let text = String::from_utf8(got.stdout).unwrap();
    let (text, size) = text.rsplit_once('|').unwrap();
    assert_eq!(text, WORDS.repeat(500));
    assert!(size.parse::<usize>().unwrap() < 500, "{size}");
    assert_eq!(server.stop(), 0);
}
