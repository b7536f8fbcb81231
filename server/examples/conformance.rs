//! Asks any server the cases of `conformance/cases.txt` and prints where it differs.
//!
//! ```sh
//! cargo run -p server --example conformance -- 127.0.0.1:8080
//! ```
//!
//! The server has to answer with the path it was asked for, as `conformance/nginx.conf` has it for
//! nginx with its Lua module; nobody waits longer for it than a second.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "it prints a comparison"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

#[path = "../../conformance/judge.rs"]
mod judge;

use judge::{Case, cases};

/// What is silent for so long says nothing more.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks for the end; whether it is answered tells whether the connection stayed.
const LAST: &[u8] = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

fn main() -> ExitCode {
    let Some(addr) = std::env::args().nth(1).and_then(|addr| addr.parse().ok()) else {
        eprintln!("usage: conformance ADDRESS:PORT");
        return ExitCode::from(2);
    };
    let cases = cases();
    let mut same = 0;
    println!("| case | expected | got |\n|---|---|---|");
    for case in &cases {
        let got = ask(addr, case);
        if agrees(case, &got) {
            same += 1;
        } else {
            println!("| {} | {} | {} |", case.name, case.expected, told(&got));
        }
    }
    println!("\n{same} of {} as expected", cases.len());
    ExitCode::SUCCESS
}

fn ask(addr: SocketAddr, case: &Case) -> Vec<u8> {
    let mut got = Vec::new();
    let Ok(mut socket) = TcpStream::connect_timeout(&addr, PATIENCE) else {
        return got;
    };
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    // A server may have closed before it has everything.
    let _ = socket.write_all(&case.input);
    if case.stays {
        let _ = socket.write_all(LAST);
    }
    // Silence, and a reset, are ends too.
    let _ = socket.read_to_end(&mut got);
    got
}

fn agrees(case: &Case, got: &[u8]) -> bool {
    let Ok(end) = case.judge(got) else {
        return false;
    };
    let rest = String::from_utf8_lossy(&got[end..]);
    rest.ends_with("/last") == case.stays && (case.stays || rest.is_empty())
}

/// The status lines of what came.
fn told(got: &[u8]) -> String {
    let text = String::from_utf8_lossy(got);
    let lines = text
        .lines()
        .filter_map(|line| line.find("HTTP/1.").map(|at| &line[at..]));
    let statuses: Vec<&str> = lines.filter_map(|line| line.split(' ').nth(1)).collect();
    match (statuses.as_slice(), got) {
        ([], []) => "nothing".to_owned(),
        ([], _) => "no status line".to_owned(),
        (statuses, _) => statuses.join(" "),
    }
}
