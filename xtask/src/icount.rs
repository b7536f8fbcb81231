//! `cargo xtask icount`: how many instructions of its own the server spends on a request.
//!
//! Time shakes with the machine; instructions of the same binary hardly do. So they are what a
//! change is held against: `bench/icount.txt` has the numbers of the last one that moved them on
//! purpose. The kernel's share is not in them. valgrind's callgrind counts; what it is told to
//! leave out is the start, warming up (LuaJIT compiles meanwhile) and the end.

mod baseline;
mod client;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use self::baseline::{Baseline, Verdict};
use self::client::{Ask, Client};
use crate::bench::{build, free_port};
use crate::workspace::{root, target_dir};

/// A server under valgrind takes some seconds until it listens.
const START_MAX: Duration = Duration::from_secs(60);

/// How often it is looked whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// So many requests before the counting begins.
const WARM_UP_COUNT: usize = 4000;

/// What is asked, over how many connections, and how often.
struct Scenario {
    name: &'static str,
    ask: Ask,
    connections: usize,
    /// Requests that are counted.
    count: usize,
    threads: u8,
}

const fn get(name: &'static str, path: &'static str, connections: usize, count: usize) -> Scenario {
    Scenario {
        name,
        ask: Ask::Get(path),
        connections,
        count,
        threads: 0,
    }
}

/// All of them, in the order of the table. Each sends one request on every connection, and the
/// next when all have been answered: so batches hardly depend on who is quicker. (One connection
/// alone does: how often the server falls asleep is up to the client.)
const SCENARIOS: &[Scenario] = &[
    get("hello-64", "/hello", 64, 16_000),
    Scenario {
        threads: 1,
        ..get("hello-64-threads-1", "/hello", 64, 16_000)
    },
    get("fields-64", "/fields?a=1", 64, 16_000),
    Scenario {
        ask: Ask::Pipeline("/hello", 16),
        ..get("pipeline-16", "/hello", 16, 16_000)
    },
    get("body-64k", "/64k", 16, 1600),
    get("file-1k", "/files/1k", 64, 16_000),
    Scenario {
        ask: Ask::Post("/echo", 16 * 1024),
        ..get("echo-16k", "/echo", 16, 3200)
    },
    get("stream-64x16k", "/stream", 4, 160),
    get("ticks-1000x16", "/ticks", 4, 160),
];

#[derive(Args)]
pub(crate) struct Options {
    /// Only the scenarios whose name begins so.
    #[arg(long)]
    only: Option<String>,
    /// Writes what was counted as the new baseline.
    #[arg(long)]
    write: bool,
}

/// Counts, prints, and compares with the baseline.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    for program in ["valgrind", "callgrind_control"] {
        if !is_installed(program) {
            return Err(format!("{program} is not installed (Debian: valgrind)"));
        }
    }
    build()?;
    let folder = target_dir().join("icount");
    make_files(&folder)?;
    let path = root().join("bench/icount.txt");
    let mut baseline = Baseline::read(&path)?;
    let mut worse = Vec::new();
    println!("instructions per request, the server's own");
    for scenario in SCENARIOS {
        let wanted = options.only.as_deref().unwrap_or("");
        if !scenario.name.starts_with(wanted) {
            continue;
        }
        let counted = count(scenario, &folder)?;
        let verdict = baseline.compare(scenario.name, counted);
        println!("{:<20} {counted:>9}  {verdict}", scenario.name);
        if verdict == Verdict::Worse {
            worse.push(scenario.name);
        }
        baseline.set(scenario.name, counted);
    }
    if options.write {
        return baseline.write(&path);
    }
    if worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} cost more than bench/icount.txt allows; if that is meant: cargo xtask icount --write",
        worse.join(", ")
    ))
}

/// What the server serves from a folder.
fn make_files(folder: &Path) -> Result<(), String> {
    let name = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder).map_err(name)?;
    fs::write(folder.join("1k"), "x".repeat(1024)).map_err(name)
}

fn count(scenario: &Scenario, folder: &Path) -> Result<u64, String> {
    let named = |e: String| format!("{}: {e}", scenario.name);
    let log = folder.join(format!("{}.log", scenario.name));
    let out = folder.join(format!("{}.callgrind", scenario.name));
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--instr-atstart=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(target_dir().join("release/httpng"));
    let server = Served::start(&mut valgrind, scenario.threads, folder, log).map_err(named)?;
    let mut client = Client::connect(server.port, scenario.connections, &scenario.ask)
        .map_err(|e| named(e.to_string()))?;
    let mut ask = |count: usize| client.ask(count).map_err(|e| named(e.to_string()));
    ask(WARM_UP_COUNT.min(scenario.count))?;
    server.switch("on").map_err(named)?;
    let asked = ask(scenario.count)?;
    server.switch("off").map_err(named)?;
    drop(client);
    let log = server.log.clone();
    server.end().map_err(named)?;
    let text = fs::read_to_string(&log).map_err(|e| named(e.to_string()))?;
    let all = collected(&text)
        .ok_or_else(|| named(format!("nothing was counted; see {}", log.display())))?;
    Ok(all / asked as u64)
}

/// Puts the loads of all scenarios on a server, one after another and so often, without counting.
pub(crate) fn load(
    program: &Path,
    threads: u8,
    rounds: usize,
    folder: &Path,
) -> Result<(), String> {
    make_files(folder)?;
    let mut plain = Command::new(program);
    let log = folder.join(format!("threads-{threads}.log"));
    let server = Served::start(&mut plain, threads, folder, log)?;
    for scenario in SCENARIOS {
        let named = |e: std::io::Error| format!("{}: {e}", scenario.name);
        let client = Client::connect(server.port, scenario.connections, &scenario.ask);
        client
            .and_then(|mut client| client.ask(scenario.count * rounds))
            .map_err(named)?;
    }
    server.end()
}

/// A running server, perhaps under another program.
struct Served {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Served {
    /// Adds what the server is told to `command`, and starts it.
    fn start(
        command: &mut Command,
        threads: u8,
        folder: &Path,
        log: PathBuf,
    ) -> Result<Self, String> {
        let port = free_port()?;
        let complaints = fs::File::create(&log).map_err(|e| e.to_string())?;
        let child = command
            .args(["--threads", &threads.to_string()])
            .arg(root().join("bench/icount.lua"))
            .arg(port.to_string())
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(complaints)
            .spawn()
            .map_err(|e| format!("cannot start {command:?}: {e}"))?;
        let server = Self { child, port, log };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&self) -> Result<(), String> {
        let deadline = Instant::now() + START_MAX;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > deadline {
                return Err(format!("it does not listen; see {}", self.log.display()));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Begins to count, or ends it.
    fn switch(&self, on: &str) -> Result<(), String> {
        let status = Command::new("callgrind_control")
            .args(["-i", on, &self.child.id().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("callgrind_control: {status}")),
            Err(e) => Err(format!("callgrind_control: {e}")),
        }
    }

    /// Ends it in good order.
    fn end(mut self) -> Result<(), String> {
        let ended = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        ended.map_err(|e| format!("kill: {e}"))?;
        self.child.wait().map_err(|e| e.to_string())?;
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number in valgrind's line `Collected : N`.
fn collected(log: &str) -> Option<u64> {
    let line = log
        .lines()
        .rev()
        .find(|line| line.contains("Collected :"))?;
    line.split_whitespace().last()?.parse().ok()
}

fn is_installed(program: &str) -> bool {
    let asked = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_in_a_log_is_taken() {
        let log = "==7== Events    : Ir\n==7== Collected : 123\n==7== \n==7== I   refs:      123\n";
        assert_eq!(collected(log), Some(123));
        assert_eq!(collected("==7== nothing"), None);
    }

    #[test]
    fn names_are_different() {
        let mut names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
    }
}
