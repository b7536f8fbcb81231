//! Folders as handlers, through the whole server.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::client::{Client, Response};
use crate::harness::{SETUPS, Server, Setup, eventually, run};

/// With and without threads, with and without TLS.
const WAYS: [Setup; 4] = [SETUPS[0], SETUPS[1], SETUPS[3], SETUPS[4]];

/// A folder `www` beside a file that nobody may get.
fn site() -> TempDir {
    let files = tempfile::tempdir().unwrap();
    let www = files.path().join("www");
    fs::create_dir_all(www.join("dir/deep")).unwrap();
    fs::create_dir_all(www.join("empty")).unwrap();
    fs::create_dir_all(www.join(".git")).unwrap();
    fs::create_dir_all(www.join(".well-known")).unwrap();
    let put = |name: &str, content: &[u8]| fs::write(www.join(name), content).unwrap();
    fs::write(files.path().join("secret"), "SECRET").unwrap();
    put("a.txt", b"hello");
    put("dir/index.html", b"<p>index");
    put("dir/deep/file", b"deep");
    put("odd \u{e4}%3f?#.txt", b"odd");
    put(".git/config", b"SECRET");
    put(".well-known/security.txt", b"known");
    put("app.js", b"plain");
    put("app.js.br", b"brotli");
    put("app.js.zst", b"zstandard");
    put("app.js.gz", b"gzip");
    put("big.bin", &big());
    let link = |target: &Path, name: &str| {
        std::os::unix::fs::symlink(target, www.join(name)).unwrap();
    };
    link(Path::new("a.txt"), "in.txt");
    link(Path::new("../secret"), "out.txt");
    link(&files.path().join("secret"), "absolute.txt");
    link(Path::new(".."), "up");
    link(Path::new("/"), "root");
    files
}

fn big() -> Vec<u8> {
    (0..750_000_u32).flat_map(u32::to_be_bytes).collect()
}

fn program(files: &TempDir) -> String {
    let www = files.path().join("www").display().to_string();
    format!(
        "local httpng, json = require('httpng'), require('json')
         httpng.cfg {{
             sites = {{ {{ path = '/static', handler = '{www}' }} }},
             handler = function(req)
                 if req.path == '/stats' then return {{ body = json.encode(httpng.stats()) }} end
                 return {{ body = 'lua ' .. req.path }}
             end,
         }}"
    )
}

/// One request for a path, with more fields (`|` ends each).
fn ask(client: &mut Client, method: &str, target: &str, fields: &str) -> Response {
    let fields = fields.replace('|', "\r\n");
    client.send(format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"
    ));
    if method == "HEAD" {
        let (head, body) = (client.head(), Vec::new());
        return Response { head, body };
    }
    client.response()
}

#[test]
fn files_of_every_size_and_kind() {
    for setup in WAYS {
        let files = site();
        let server = Server::start(&program(&files), setup);
        let mut client = server.connect();
        let mut get = |path: &str| {
            let response = ask(&mut client, "GET", path, "");
            let kind = response.head.field("content-type").unwrap_or("").to_owned();
            (response.head.status, kind, response.body)
        };
        let text = "text/plain; charset=utf-8".to_owned();
        assert_eq!(get("/static/a.txt"), (200, text.clone(), b"hello".to_vec()));
        assert_eq!(get("/static/in.txt").2, b"hello");
        let page = "text/html; charset=utf-8".to_owned();
        assert_eq!(get("/static/dir/"), (200, page, b"<p>index".to_vec()));
        let octets = "application/octet-stream".to_owned();
        assert_eq!(
            get("/static/dir/deep/file"),
            (200, octets.clone(), b"deep".to_vec())
        );
        assert_eq!(
            get("/static/odd%20%C3%A4%253f%3f%23.txt"),
            (200, text.clone(), b"odd".to_vec())
        );
        assert_eq!(get("/static/.well-known/security.txt").2, b"known");
        assert!(get("/static/big.bin") == (200, octets, big()), "{setup:?}");
        for nothing in [
            "/static/none",
            "/static/empty/",
            "/static/",
            "/static/a.txt/",
            "/static/a.txt/x",
        ] {
            assert_eq!(
                get(nothing),
                (404, text.clone(), b"not found".to_vec()),
                "{nothing}"
            );
        }
        assert_eq!(get("/staticx").2, b"lua /staticx");
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn a_folder_without_its_slash_sends_the_client_to_the_one_with_it() {
    let files = site();
    let server = Server::start(&program(&files), SETUPS[1]);
    let mut client = server.connect();
    for (asked, expected) in [
        ("/static", "/static/"),
        ("/static/dir?a=b", "/static/dir/?a=b"),
        ("/static//dir/deep", "/static/dir/deep/"),
    ] {
        let response = ask(&mut client, "GET", asked, "");
        assert_eq!(response.head.status, 301, "{asked}");
        assert_eq!(response.head.field("location"), Some(expected));
    }
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    for setup in WAYS {
        let files = site();
        let server = Server::start(&program(&files), setup);
        let mut client = server.connect();
        let first = ask(&mut client, "GET", "/static/a.txt", "");
        let tag = first.head.field("etag").unwrap().to_owned();
        let date = first.head.field("last-modified").unwrap().to_owned();
        let mut status =
            |fields: &str| ask(&mut client, "GET", "/static/a.txt", fields).head.status;
        assert_eq!(status(&format!("If-None-Match: {tag}|")), 304);
        assert_eq!(status(&format!("If-Modified-Since: {date}|")), 304);
        assert_eq!(status(&format!("If-Match: {tag}|")), 200);
        assert_eq!(status("If-Match: \"other\"|"), 412);
        fs::write(files.path().join("www/a.txt"), "hallo!").unwrap();
        assert_eq!(status(&format!("If-None-Match: {tag}|")), 200);
        assert_eq!(status(&format!("If-Match: {tag}|")), 412);
        let body = ask(&mut client, "GET", "/static/a.txt", "").text();
        assert_eq!(body, "hallo!");
    }
}

#[test]
fn ranges_of_small_and_large_files() {
    for setup in WAYS {
        let files = site();
        let server = Server::start(&program(&files), setup);
        let mut client = server.connect();
        let mut range = |path: &str, range: &str| {
            ask(&mut client, "GET", path, &format!("Range: bytes={range}|"))
        };
        let part = range("/static/a.txt", "1-3");
        assert_eq!((part.head.status, part.text()), (206, "ell".to_owned()));
        assert_eq!(part.head.field("content-range"), Some("bytes 1-3/5"));
        let part = range("/static/big.bin", "1000000-2999999");
        assert!(part.body == big()[1_000_000..], "{setup:?}");
        let none = range("/static/a.txt", "5-");
        assert_eq!(none.head.status, 416);
        assert_eq!(none.head.field("content-range"), Some("bytes */5"));
        let many = range("/static/big.bin", "0-0,1000000-1999999,-1");
        let kind = many.head.field("content-type").unwrap();
        let boundary = kind
            .strip_prefix("multipart/byteranges; boundary=")
            .unwrap();
        let head = |place: &str| {
            format!(
                "--{boundary}\r\nContent-Type: application/octet-stream\r\n\
                 Content-Range: bytes {place}/3000000\r\n\r\n"
            )
        };
        let mut expected = head("0-0").into_bytes();
        expected.extend_from_slice(&big()[..1]);
        expected.extend_from_slice(format!("\r\n{}", head("1000000-1999999")).as_bytes());
        expected.extend_from_slice(&big()[1_000_000..2_000_000]);
        expected.extend_from_slice(format!("\r\n{}", head("2999999-2999999")).as_bytes());
        expected.extend_from_slice(&big()[2_999_999..]);
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert!(many.body == expected, "{setup:?}");
    }
}

#[test]
fn compressed_siblings_are_sent_to_those_who_take_them() {
    let files = site();
    let server = Server::start(&program(&files), SETUPS[1]);
    let mut client = server.connect();
    let mut tags = Vec::new();
    for (accepts, expected, coding) in [
        ("", "plain", None),
        (
            "Accept-Encoding: gzip, deflate, br, zstd|",
            "brotli",
            Some("br"),
        ),
        ("Accept-Encoding: gzip, zstd;q=0.9|", "gzip", Some("gzip")),
        ("Accept-Encoding: zstd|", "zstandard", Some("zstd")),
        ("Accept-Encoding: identity, br;q=0.1|", "plain", None),
    ] {
        let response = ask(&mut client, "GET", "/static/app.js", accepts);
        assert_eq!(response.text(), expected, "{accepts}");
        assert_eq!(response.head.field("content-encoding"), coding);
        assert_eq!(response.head.field("vary"), Some("Accept-Encoding"));
        let kind = response.head.field("content-type");
        assert_eq!(kind, Some("text/javascript; charset=utf-8"));
        tags.push(response.head.field("etag").unwrap().to_owned());
        let head = ask(&mut client, "HEAD", "/static/app.js", accepts);
        assert_eq!(head.head.show(), response.head.show());
    }
    assert_eq!(tags[0], tags[4]);
    tags.truncate(4);
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "each representation has its own tag");
    let part = ask(
        &mut client,
        "GET",
        "/static/app.js",
        "Accept-Encoding: br|Range: bytes=0-1|",
    );
    assert_eq!((part.head.status, part.text()), (206, "br".to_owned()));
    assert_eq!(part.head.field("content-range"), Some("bytes 0-1/6"));
}

/// Targets that try to get out of the folder, or into what is hidden in it.
const ATTEMPTS: &[&str] = &[
    "/static/../secret",
    "/static/../../secret",
    "/static/dir/../../secret",
    "/static/..",
    "/static/%2e%2e/secret",
    "/static/%2E%2E/secret",
    "/static/.%2e/secret",
    "/static/..%2fsecret",
    "/static/..%2Fsecret",
    "/static/%2e%2e%2fsecret",
    "/static/dir%2f..%2f..%2fsecret",
    "/static/..%5csecret",
    "/static/..\\secret",
    "/static/dir\\..\\..\\secret",
    "/static/%252e%252e/secret",
    "/static/%252e%252e%252fsecret",
    "/static/..;/secret",
    "/static/.../secret",
    "/static/%c0%ae%c0%ae/secret",
    "/static/..%c0%afsecret",
    "/static/..%00/secret",
    "/static/a.txt%00",
    "/static/%00/../../secret",
    "/static//../../secret",
    "/static/./../secret",
    "/static/%2f/secret",
    "/static/out.txt",
    "/static/absolute.txt",
    "/static/up/secret",
    "/static/root/etc/passwd",
    "/static/.git/config",
    "/static/%2egit/config",
    "/static/.git/",
    "/static/dir/../.git/config",
    "http://h/static/../secret",
    "http://h/static/%2e%2e/secret",
    "/static/%",
    "/static/%2",
    "/static/%zz",
];

#[test]
fn no_target_leads_out_of_the_folder() {
    let files = site();
    let www = files.path().join("www").display().to_string();
    let alone = format!("require('httpng').cfg {{ handler = '{www}' }}");
    for (program, prefix) in [(program(&files), "/static"), (alone, "")] {
        let server = Server::start(&program, SETUPS[1]);
        for attempt in ATTEMPTS {
            let target = attempt.replace("/static", prefix);
            let mut client = server.connect();
            let response = ask(&mut client, "GET", &target, "Connection: close|");
            let text = response.text();
            let is_refused = [400, 404].contains(&response.head.status);
            // What is not below the site belongs to somebody else.
            assert!(
                is_refused || text.starts_with("lua "),
                "{target}: {}",
                response.show()
            );
            assert!(
                !text.contains("SECRET") && !text.contains("root:"),
                "{target}: {text}"
            );
        }
        let mut client = server.connect();
        let response = ask(&mut client, "GET", &format!("{prefix}/a.txt"), "");
        assert_eq!(response.text(), "hello");
    }
}

#[test]
fn lua_is_not_asked_and_answers_are_counted() {
    let files = site();
    let server = Server::start(&program(&files), SETUPS[1]);
    let mut client = server.connect();
    for _ in 0..10 {
        ask(&mut client, "GET", "/static/a.txt", "");
    }
    ask(&mut client, "GET", "/static/none", "");
    let refused = ask(&mut client, "POST", "/static/a.txt", "Content-Length: 0|");
    assert_eq!(refused.head.status, 405);
    assert_eq!(refused.head.field("allow"), Some("GET, HEAD, OPTIONS"));
    let options = ask(&mut client, "OPTIONS", "/static/a.txt", "");
    assert_eq!(
        options.head.show(),
        "HTTP/1.1 204 No Content | allow: GET, HEAD, OPTIONS"
    );
    let stats: serde_json::Value = serde_json::from_str(&server.get("/stats")).unwrap();
    assert_eq!(stats["requests"], 1, "{stats}");
    assert_eq!(stats["responses"], 13);
    assert_eq!(stats["errors"], 2);
}

#[test]
fn folders_on_reload() {
    let files = site();
    let at = |name: &str| files.path().join(name).display().to_string();
    let program = format!(
        "local httpng = require('httpng')
         local function try(options)
             local ok, why = pcall(httpng.cfg, options)
             return ok and 'ok' or why:gsub('^[^:]*:%d+: ', '')
         end
         local function lua() return {{ body = 'lua' }} end
         local results = {{}}
         local function handler(req)
             if req.path == '/results' then return {{ body = table.concat(results, '\\n') }} end
             if req.path == '/swap' then
                 local swapped = {{ {{ path = '/f', handler = '{dir}' }} }}
                 return {{ body = try {{ sites = swapped, handler = handler }} }}
             end
             return {{ body = 'lua ' .. req.path }}
         end
         local function sites(f, l)
             local list = {{ {{ path = '/f', handler = f }}, {{ path = '/l', handler = l }} }}
             return {{ sites = list, handler = handler }}
         end
         results[1] = try(sites('{none}', lua))
         results[2] = try(sites('{www}', lua))
         results[3] = try(sites(lua, lua))
         results[4] = try(sites('{www}', '{www}'))
         results[5] = try(sites('{none}', lua))
         results[6] = try(sites({{ folder = '{www}', index = 'a/b' }}, lua))
         local folder = {{ folder = '{www}', index = 'a.txt', cache_control = 'no-store' }}
         results[7] = try(sites(folder, lua))",
        www = at("www"),
        dir = at("www/dir"),
        none = at("none"),
    );
    let server = Server::start(&program, SETUPS[1]);
    let cannot = |why: &str| format!("site \"/f\": the folder {why}");
    let missing = format!(
        "{} cannot be served: No such file or directory (os error 2)",
        at("none")
    );
    let bad_index = format!(
        "{} cannot be served: the name of its index is no name of a file",
        at("www")
    );
    assert_eq!(
        server.get("/results"),
        [
            &cannot(&missing),
            "ok",
            "replacing file handler with Lua handler is not supported",
            "replacing Lua handler with file handler is not supported",
            &cannot(&missing),
            &cannot(&bad_index),
            "ok"
        ]
        .join("\n")
    );
    let mut client = server.connect();
    let index = ask(&mut client, "GET", "/f/", "");
    assert_eq!(
        (index.head.field("cache-control"), index.text()),
        (Some("no-store"), "hello".into())
    );
    assert_eq!(server.get("/swap"), "ok");
    assert_eq!(ask(&mut client, "GET", "/f/", "").text(), "<p>index");
}

#[test]
fn sites_come_and_go_and_no_request_is_lost() {
    for setup in [SETUPS[0], SETUPS[1], SETUPS[2]] {
        let files = site();
        let www = files.path().join("www").display().to_string();
        let program = format!(
            "local httpng, fiber = require('httpng'), require('fiber')
             local function handler(req) return {{ body = 'lua ' .. req.path }} end
             httpng.cfg {{ handler = handler, threads = {threads} }}
             while true do
                 fiber.sleep(0)
                 httpng.cfg {{ threads = {threads}, handler = handler,
                               sites = {{ {{ path = '/static', handler = '{www}' }} }} }}
                 fiber.sleep(0)
                 httpng.cfg {{ handler = handler, threads = {threads} }}
             end",
            threads = setup.threads,
        );
        let server = Server::start(&program, setup);
        let mut seen = [0, 0];
        let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for _ in 0..100 {
            for client in &mut clients {
                client.send("GET /static/a.txt HTTP/1.1\r\nHost: h\r\n\r\n".repeat(4));
            }
            for _ in 0..4 {
                for client in &mut clients {
                    let response = client.response();
                    assert_eq!(response.head.status, 200, "{setup:?}: {}", response.show());
                    seen[usize::from(response.text() == "hello")] += 1;
                }
            }
        }
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?} of one kind only");
    }
}

#[test]
fn a_file_that_shrinks_cuts_its_client_and_nobody_else() {
    for setup in WAYS {
        let files = site();
        let path = files.path().join("www/huge");
        fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
        let server = Server::start(&program(&files), setup);
        let mut client = server.connect();
        client.get("/static/huge");
        let head = client.head();
        assert_eq!(head.field("content-length"), Some("67108864"));
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1 << 20).unwrap();
        assert!(client.rest().len() < 64 << 20, "{setup:?}");
        server.wait_line("a file has become shorter while it was sent");
        let mut other = server.connect();
        assert_eq!(ask(&mut other, "GET", "/static/a.txt", "").text(), "hello");
    }
}

/// KiB of memory that a process holds.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn large_files_take_no_memory_and_keep_nobody_waiting() {
    for setup in WAYS {
        let files = site();
        let path = files.path().join("www/huge");
        fs::File::create(&path).unwrap().set_len(256 << 20).unwrap();
        let server = Server::start(&program(&files), setup);
        let mut other = server.connect();
        assert_eq!(ask(&mut other, "GET", "/static/a.txt", "").text(), "hello");
        let before = resident(server.pid());
        // Those do not read, so that all that can be sent to them has been.
        let mut idle: Vec<_> = (0..16).map(|_| server.connect()).collect();
        for client in &mut idle {
            client.get("/static/huge");
            assert_eq!(client.head().status, 200);
        }
        assert_eq!(ask(&mut other, "GET", "/lua", "").text(), "lua /lua");
        let part = ask(
            &mut other,
            "GET",
            "/static/huge",
            "Range: bytes=0-33554431|",
        );
        assert_eq!(part.body.len(), 32 << 20);
        if let (Some(before), Some(after)) = (before, resident(server.pid())) {
            assert!(
                after < before + 24 * 1024,
                "{setup:?}: {before} KiB, then {after}"
            );
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_before_anything_starts() {
    let program = "require('httpng').cfg { listen = 0, handler = '/no/such/folder' }";
    for options in [&["--check"][..], &[]] {
        let (code, log) = run(options, Some(program));
        assert_ne!(code, 0, "{log}");
        let expected = "site \"/\": the folder /no/such/folder cannot be served: \
                        No such file or directory (os error 2)";
        assert!(log.contains(expected), "{log}");
    }
}

#[test]
fn without_a_free_descriptor_a_file_is_503_and_lua_goes_on() {
    let files = site();
    let server = Server::start_free(&program(&files), false, 40);
    let mut client = server.connect();
    let mut status = |target: &str| ask(&mut client, "GET", target, "").head.status;
    assert_eq!(status("/lua"), 200);
    let others: Vec<_> = (0..64).map(|_| server.connect()).collect();
    eventually("all descriptors are taken", || {
        status("/static/a.txt") == 503
    });
    assert_eq!(status("/lua"), 200);
    drop(others);
    eventually("some are free again", || status("/static/a.txt") == 200);
}
