//! The worker on its own thread, as a user has it, and the example.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::thread::spawn;

use http_proto::Exchange;
use shuttle_core::{Sleep, ThreadBell, TxEnd, link};

use crate::{Command, Listener, Worker, WorkerConfig};

/// Answers with the path until the worker has left.
fn serve(tx: TxEnd<Exchange>, bell: &ThreadBell) {
    let mut shore = tx.land();
    while !shore.worker_has_left() {
        while let Some(mut shuttle) = shore.recv() {
            let path = shuttle.request.path().to_vec();
            shuttle.answer(200, &[], &path).unwrap();
            shore.send(shuttle);
        }
        if shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
        }
        shore.woke();
    }
}

fn ask(stream: &mut TcpStream, path: &str) -> String {
    // In one piece: without that the client's own kernel would hold the pieces back.
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut got = Vec::new();
    while !got.trim_ascii_end().ends_with(path.as_bytes()) {
        let mut buffer = [0; 1000];
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(got).unwrap().trim_end().to_owned()
}

#[test]
fn a_worker_on_its_own_thread_serves_drains_and_ends() {
    let listener = Listener::plain("127.0.0.1:0".parse().unwrap(), true).unwrap();
    let addr = listener.socket.local_addr().unwrap();
    let config = WorkerConfig {
        listeners: vec![listener],
        ..WorkerConfig::default()
    };
    let (worker, bell) = Worker::new(config).unwrap();
    let tx_bell = Arc::new(ThreadBell::new());
    let (end, tx) = link(16, tx_bell.clone(), bell);
    let tx = spawn(move || serve(tx, &tx_bell));
    let handle = worker.spawn(end).unwrap();
    let mut streams: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(addr).unwrap()).collect();
    for round in 0..50 {
        for stream in &mut streams {
            let text = ask(stream, &format!("/{round}"));
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        }
    }
    handle.command(Command::Drain {
        deadline_ms: Some(5000),
    });
    let stats = handle.stats();
    handle.join().unwrap();
    tx.join().unwrap();
    let stats = stats.snapshot();
    assert_eq!((stats.requests, stats.travelling, stats.open), (200, 0, 0));
    assert_eq!(streams[0].read(&mut [0]).unwrap(), 0);
}

/// Ends the process also when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().expect("it runs until it is killed");
        self.0.wait().expect("it was killed");
    }
}

#[test]
fn the_example_serves() {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join("examples").join("plain_rust");
    if !path.exists() {
        // Built by `cargo test`, but not by `cargo test --lib`.
        return;
    }
    let mut process = Process::new(path);
    let child = process
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut line = String::new();
    let out = running.0.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    let addr = line.trim().rsplit(' ').next().unwrap();
    let mut stream = TcpStream::connect(addr).unwrap();
    let text = ask(&mut stream, "/there");
    assert!(text.ends_with("Hello from /there"), "{text}");
    let source = include_str!("../../examples/plain_rust.rs");
    assert!(source.lines().count() < 40, "it is meant to be short");
}
