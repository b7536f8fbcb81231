//! The worker on its own thread, as a user has it, and the example.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::thread::spawn;
use std::time::Duration;

use http_proto::{Exchange, Leg};
use shuttle_core::{Sleep, ThreadBell, TxEnd, link};

use super::world::LARGE;
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

/// R23.
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

/// Answers in every way there is, by the number in the path, until the worker has left and all
/// is home.
fn serve_variously(tx: TxEnd<Exchange>, bell: &ThreadBell) {
    let mut shore = tx.land();
    while !shore.worker_has_left() {
        while let Some(mut shuttle) = shore.recv() {
            shuttle.unpin();
            let number = usize::from(*shuttle.request.path().last().unwrap());
            match (shuttle.leg(), number % 5) {
                (Leg::Closed, _) => shuttle.advance(Leg::Release).unwrap(),
                (_, 0) if shuttle.leg() == Leg::Continue => shuttle.advance(Leg::Close).unwrap(),
                (Leg::Continue, _) => shuttle.write(b"more", number % 2 == 0).unwrap(),
                (_, 0 | 1) => shuttle.write(b"part", false).unwrap(),
                (_, 2) => {
                    shuttle.write(b"", true).unwrap();
                    shuttle.lend_static(&LARGE);
                }
                _ => shuttle.answer(200, &[], b"answer").unwrap(),
            }
            if shuttle.client_gone() && shuttle.leg() == Leg::Write {
                shuttle.last = true;
            }
            let berth = shuttle.berth();
            let is_part = shuttle.leg() == Leg::Write && !shuttle.last;
            shore.send(shuttle);
            if is_part && number % 3 == 0 {
                let _ = shore.must_close(berth);
            }
        }
        while shore.hailed().is_some() {}
        if shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
        }
        shore.woke();
    }
}

/// Asks and leaves: at once, after a little, by FIN or by reset.
fn come_and_go(addr: SocketAddr, seed: usize) {
    for round in 0..250 {
        let number = seed.wrapping_mul(31).wrapping_add(round * 7);
        let mut stream = TcpStream::connect(addr).unwrap();
        let letter = char::from(b'a' + u8::try_from(number % 26).unwrap());
        let request = format!("GET /{letter} HTTP/1.1\r\nHost: h\r\n\r\n");
        // The worker may have gone first; then there is nothing to be written to.
        let _ = stream.write_all(request.repeat(1 + number % 3).as_bytes());
        if !number.is_multiple_of(4) {
            let _ = stream.read(&mut vec![0; number % 4 * 1000]);
        }
        if number.is_multiple_of(2) {
            socket2::SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
        }
    }
}

#[test]
fn a_thousand_clients_leave_at_random_and_nothing_stays_out() {
    let listener = Listener::plain("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let addr = listener.socket.local_addr().unwrap();
    let config = WorkerConfig {
        listeners: vec![listener],
        ..WorkerConfig::default()
    };
    let (worker, bell) = Worker::new(config).unwrap();
    let tx_bell = Arc::new(ThreadBell::new());
    let (end, tx) = link(8, tx_bell.clone(), bell);
    let tx = spawn(move || serve_variously(tx, &tx_bell));
    let handle = worker.spawn(end).unwrap();
    let clients: Vec<_> = (0..4)
        .map(|seed| spawn(move || come_and_go(addr, seed)))
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    handle.command(Command::Drain {
        deadline_ms: Some(10_000),
    });
    let stats = handle.stats();
    handle.join().unwrap();
    tx.join().unwrap();
    let stats = stats.snapshot();
    assert_eq!(
        (stats.accepted, stats.open, stats.travelling),
        (1000, 0, 0),
        "{stats:?}"
    );
    assert_eq!(stats.body_bytes_held, 0);
}

/// Ends the process also when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().expect("it runs until it is killed");
        self.0.wait().expect("it was killed");
    }
}

/// Starts an example, asks it once, and looks how long its source is.
fn check_example(name: &str, source: &str) {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join("examples").join(name);
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
    assert!(source.lines().count() < 40, "it is meant to be short");
}

#[test]
fn the_examples_serve() {
    check_example("plain_rust", include_str!("../../examples/plain_rust.rs"));
    check_example("one_thread", include_str!("../../examples/one_thread.rs"));
}
