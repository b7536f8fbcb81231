//! The Lua blocks of the documentation run, and so do the programs in examples/.
//!
//! A fence says what its block is: `lua app` is a whole program that serves; `lua handler` is the
//! body of `function(req, io)`; `lua script` is a program that ends by itself.

use std::path::{Path, PathBuf};

use crate::client::Client;
use crate::forms::upload;
use crate::harness::{Server, Setup, certificate, eventually, run};
use crate::program::program;

const SETUP: Setup = Setup {
    threads: 1,
    https: false,
    http2: false,
};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// One fenced block.
#[derive(Debug, PartialEq)]
struct Block {
    kind: String,
    line: usize,
    text: String,
}

/// Fences that start with ```` ```lua KIND ````; the line is where the block's text begins.
fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in markdown.lines().enumerate() {
        let fence = line.trim_start();
        match &mut open {
            Some(block) if fence.starts_with("```") => {
                let _ = block;
                found.extend(open.take());
            }
            Some(block) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {
                let kind = fence.strip_prefix("```lua ").map(str::trim);
                open = kind.map(|kind| Block {
                    kind: kind.to_owned(),
                    line: at + 2,
                    text: String::new(),
                });
            }
        }
    }
    found
}

#[test]
fn fences_are_found() {
    let text =
        "a\n```lua app\nx = 1\n```\n```lua\nnot run\n```\n```sh\nls\n```\n```lua script\ny\n```";
    let block = |kind: &str, line, text: &str| Block {
        kind: kind.into(),
        line,
        text: text.into(),
    };
    assert_eq!(
        blocks(text),
        [block("app", 3, "x = 1\n"), block("script", 12, "y\n")]
    );
}

fn markdown_files() -> Vec<PathBuf> {
    let mut files = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                files.push(path);
            }
        }
    }
    files.retain(|path| path.exists());
    files.sort();
    files
}

#[test]
fn every_lua_block_of_the_documentation_runs() {
    let mut count = 0;
    for file in markdown_files() {
        for block in blocks(&std::fs::read_to_string(&file).unwrap()) {
            println!("{}:{}: {}", file.display(), block.line, block.kind);
            run_block(&block);
            count += 1;
        }
    }
    println!("{count} blocks ran");
}

fn run_block(block: &Block) {
    match block.kind.as_str() {
        "app" => {
            let server = Server::start(&block.text, SETUP);
            let status = first_answer(&server);
            assert!(status < 500, "{status}: {}", server.log());
            assert_eq!(server.stop(), 0);
        }
        "handler" => {
            let server = Server::start(&program(&[("/", &block.text)]), SETUP);
            let status = first_answer(&server);
            assert!(status < 500, "{status}: {}", server.log());
        }
        "script" => {
            let (code, log) = run(&[], Some(&block.text));
            assert_eq!(code, 0, "{log}");
        }
        other => panic!(
            "line {}: a block is app, handler or script, not {other:?}",
            block.line
        ),
    }
}

/// The status of `GET /`; the rest of the answer may take for ever.
fn first_answer(server: &Server) -> u16 {
    let mut client = server.connect();
    client.get("/");
    client.head().status
}

fn example(name: &str) -> Server {
    let path = root().join("examples").join(name);
    Server::start_file(&path, SETUP, &[], tempfile::tempdir().unwrap())
}

#[test]
fn example_hello() {
    let server = example("hello.lua");
    assert_eq!(server.get("/there"), "Hello from /there\n");
    assert_eq!(server.stop(), 0);
}

#[test]
fn example_streaming() {
    let server = example("streaming.lua");
    let mut client = server.connect();
    client.get("/");
    client.head();
    assert_eq!(client.part(), "The head and a first part,\n");
    assert_eq!(client.part(), "then another part,\n");
    assert_eq!(client.part(), "and the last one.\n");
    assert_eq!(client.chunk(), None);
    assert_eq!(server.stop(), 0);
}

#[test]
fn example_echo() {
    let server = example("echo.lua");
    let mut client = server.connect();
    client.post("/", b"some text");
    assert_eq!(client.response().text(), "some text");
    let seen: serde_json::Value =
        serde_json::from_str(&server.get("/inspect?a=b")).expect("JSON comes back");
    assert_eq!(seen["query"], "a=b");
    assert_eq!(seen["headers"]["host"], "localhost");
}

#[test]
fn example_forms() {
    let folder = tempfile::tempdir().unwrap();
    let path = root().join("examples/forms.lua");
    let text = std::fs::read_to_string(path).unwrap();
    let kept = folder.path().display().to_string();
    let server = Server::start(&text.replacen("= ...", &format!("= '{kept}'"), 1), SETUP);
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nCookie: visits=7\r\n\r\n");
    let page = client.response();
    assert!(page.text().contains("You were here 7 times before."));
    let cookie = page.head.field("set-cookie");
    assert_eq!(
        cookie,
        Some("visits=8; Max-Age=86400; HttpOnly; SameSite=Lax")
    );
    client.send(upload("/upload", 5));
    assert_eq!(
        client.response().text(),
        format!(
            "\"Two files\"\na.txt: 3 bytes, kept as {kept}/upload-1\n\
             b.txt: 5 bytes, kept as {kept}/upload-2\n"
        )
    );
    assert_eq!(
        std::fs::read(folder.path().join("upload-2")).unwrap(),
        b"xxxxx"
    );
    client.send(upload("/upload", 600_000));
    let refused = client.response();
    assert_eq!(refused.head.status, 413);
    assert_eq!(
        refused.text(),
        "the form: the file 'file' has more than 524288 bytes\n"
    );
    let found = server.get("/search?q=a+%26+b");
    assert_eq!(found, "Nothing was found for \"a & b\".\n");
    client.post("/json", b"[1, 2");
    assert_eq!(client.response().head.status, 400);
    client.post("/json", b"[1, 2]");
    assert_eq!(client.response().text(), "table\n");
    assert_eq!(server.stop(), 0);
}

#[test]
fn example_upload() {
    let server = example("upload.lua");
    let mut client = server.connect();
    client.post("/", &vec![b'x'; 3_000_000]);
    let seen: serde_json::Value =
        serde_json::from_str(&client.response().text()).expect("JSON comes back");
    assert_eq!(seen["size"], 3_000_000);
}

#[test]
fn example_duplex() {
    let server = example("duplex.lua");
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.head();
    for word in ["one", "two"] {
        client.send(format!("3\r\n{word}\r\n"));
        assert_eq!(client.part(), word.to_uppercase());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.chunk(), None);
}

#[test]
fn example_chat() {
    let server = example("chat.lua");
    let mut listeners: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for listener in &mut listeners {
        listener.get("/");
        listener.head();
        assert_eq!(listener.part(), "Welcome.\n");
    }
    let mut speaker = server.connect();
    for text in ["hello all", "and again"] {
        speaker.post("/", text.as_bytes());
        assert_eq!(speaker.response().head.status, 202);
        for listener in &mut listeners {
            assert_eq!(listener.part(), format!("{text}\n"));
        }
    }
}

/// The newest number that a line of the ticker begins with, and how many lines there were.
fn ticks(client: &mut Client, until: impl Fn(u64, u64) -> bool) -> (u64, u64) {
    let (mut newest, mut count) = (0, 0);
    while !until(newest, count) {
        for line in client.part().lines() {
            let number: u64 = line.split(' ').next().unwrap().parse().unwrap();
            assert!(number > newest, "{number} after {newest}");
            (newest, count) = (number, count + 1);
        }
    }
    (newest, count)
}

/// A fast client gets every tick. One that reads nothing for a while gets what fits into its
/// sockets, and then the newest: what lies between was dropped, not kept for it.
#[test]
fn example_ticker_drops_what_a_slow_client_missed() {
    let server = example("ticker.lua");
    let mut fast = server.connect();
    let mut slow = server.connect_narrow();
    for (client, name) in [(&mut fast, "fast"), (&mut slow, "slow")] {
        client.get(&format!("/?{name}"));
        client.head();
    }
    // What was sent to the slow one, and what was dropped for it.
    let counts = || -> (u64, u64) {
        let clients = server.get("/clients");
        let line = clients.lines().find(|line| line.starts_with("slow"));
        let words: Vec<_> = line.expect("it was begun").split(' ').collect();
        (words[1].parse().unwrap(), words[3].parse().unwrap())
    };
    let more = |client: &mut Client| ticks(client, |_, count| count >= 200).0;
    let mut sent = 0;
    while sent == 0 || sent != counts().0 {
        sent = counts().0;
        more(&mut fast);
    }
    let newest = more(&mut fast);
    let (caught_up, count) = ticks(&mut slow, |number, _| number >= newest);
    assert!(count + 200 <= caught_up, "{count} ticks up to {caught_up}");
    eventually("the dropped ones are counted", || counts().1 >= 200);
}

#[test]
fn example_https_without_and_with_its_arguments() {
    let path = root().join("examples/https.lua");
    let (code, log) = run(&[path.to_str().unwrap()], None);
    assert_eq!(code, 1);
    assert!(log.contains("usage: httpng https.lua"), "{log}");
    let made = certificate();
    let (cert, key) = (made.cert.to_str().unwrap(), made.key.to_str().unwrap());
    let (code, log) = run(&["--check", path.to_str().unwrap(), cert, key], None);
    assert_eq!(code, 0, "{log}");
}

#[test]
fn example_static() {
    let server = example("static.lua");
    assert!(server.get("/").contains("This page is a file."));
    assert!(server.get("/style.css").starts_with("body {"));
    assert!(server.get("/time").trim().parse::<u64>().is_ok());
    assert_eq!(server.get("/none"), "not found");
    assert_eq!(server.stop(), 0);
}

#[test]
fn every_example_is_tested() {
    let mut names: Vec<_> = std::fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".lua"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "chat.lua",
            "duplex.lua",
            "echo.lua",
            "forms.lua",
            "hello.lua",
            "https.lua",
            "static.lua",
            "streaming.lua",
            "ticker.lua",
            "upload.lua",
        ]
    );
}
