//! `cargo xtask soak`: mixed load for a long time, while the server reloads itself every second.
//!
//! Clients ask, stream, upload, leave in the middle, read slowly and send rubbish. What must hold
//! in the end: nobody got a wrong answer, the counters of what is open are back to nothing, and
//! memory and descriptors have not grown. The first quarter of the time is for warming up.

mod clients;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::workspace::{root, target_dir};
use clients::{Clients, ask};

#[derive(Args)]
pub(crate) struct Options {
    /// How long, in minutes.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Clients that ask at the same time.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=256))]
    clients: u32,
    /// Where random choices begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Uses the httpng that is already built.
    #[arg(long)]
    no_build: bool,
}

/// How often the server is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What memory may grow by after warming up, in percent of what it was, and in KiB on top: the
/// allocator keeps what a burst of large bodies needed.
const GROWTH_MAX_PERCENT: u64 = 15;
const GROWTH_MAX_KIB: u64 = 8 * 1024;

/// Time in which open requests, pins and shuttles have to come back to nothing at the end.
const SETTLE: Duration = Duration::from_secs(20);

/// One look at the server.
struct Look {
    rss_kib: u64,
    descriptors: usize,
    lua_kib: u64,
}

/// Starts the server, loads it, judges.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    if !options.no_build {
        crate::bench::build()?;
    }
    let mut server = Server::start()?;
    let clients = Clients::start(server.port, options.clients, options.seed);
    let looks = watch(&mut server, &clients, options.minutes);
    let report = clients.finish();
    println!("{report}");
    let looks = looks?;
    let mut faults = report.faults();
    faults.extend(settle(&server).err());
    faults.extend(judge(&looks));
    faults.extend(server.end().err());
    match faults.as_slice() {
        [] => {
            println!("nothing grew and nothing was lost");
            Ok(())
        }
        faults => Err(faults.join("; ")),
    }
}

/// Looks at the server until the time is over.
fn watch(server: &mut Server, clients: &Arc<Clients>, minutes: f64) -> Result<Vec<Look>, String> {
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(minutes * 60.0);
    let mut looks = Vec::new();
    while Instant::now() < end {
        thread::sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now())));
        if let Ok(Some(status)) = server.child.try_wait() {
            return Err(format!("the server ended: {status}, see {}", server.log));
        }
        let look = server.look()?;
        println!(
            "{:>5} s  rss {} KiB  lua {} KiB  descriptors {}  {}",
            began.elapsed().as_secs(),
            look.rss_kib,
            look.lua_kib,
            look.descriptors,
            clients.tally(),
        );
        looks.push(look);
    }
    Ok(looks)
}

/// Whether memory has grown after warming up: medians of the second and of the last quarter.
fn judge(looks: &[Look]) -> Option<String> {
    if looks.len() < 8 {
        println!("too short to judge memory: that takes 8 looks, 10 s each");
        return None;
    }
    let quarter = looks.len() / 4;
    let median = |part: &[Look]| {
        let mut sizes: Vec<u64> = part.iter().map(|look| look.rss_kib).collect();
        sizes.sort_unstable();
        sizes[sizes.len() / 2]
    };
    let before = median(&looks[quarter..2 * quarter]);
    let after = median(&looks[looks.len() - quarter..]);
    let allowed = before + before * GROWTH_MAX_PERCENT / 100 + GROWTH_MAX_KIB;
    println!("rss: {before} KiB in the second quarter, {after} KiB in the last");
    (after > allowed).then(|| format!("memory grew from {before} to {after} KiB"))
}

/// Waits until nothing is open but the request that asks.
fn settle(server: &Server) -> Result<(), String> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let stats = server.stats()?;
        let count = |name: &str| stats[name].as_u64().unwrap_or(u64::MAX);
        let is_settled = count("open_requests") == 1
            && count("pins") == 0
            && count("shuttles") == 1
            && count("connections") == 1;
        if is_settled {
            println!("settled: {stats}");
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("something stayed open: {stats}"));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The server under test.
struct Server {
    child: Child,
    port: u16,
    log: String,
}

impl Server {
    fn start() -> Result<Self, String> {
        let port = crate::bench::free_port()?;
        let folder = target_dir().join("soak");
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let log = folder.join("httpng.log");
        let file = fs::File::create(&log).map_err(|e| e.to_string())?;
        let child = Command::new(target_dir().join("release/httpng"))
            .arg(root().join("bench/soak.lua"))
            // Handlers that fail on purpose would fill the disk.
            .args(["--log-level", "off"])
            .env("SOAK_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(|e| format!("cannot start httpng: {e}"))?;
        let log = log.display().to_string();
        let server = Self { child, port, log };
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.stats().is_err() {
            if Instant::now() > deadline {
                return Err(format!("the server does not answer, see {}", server.log));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn stats(&self) -> Result<serde_json::Value, String> {
        let text = ask(self.port, "/stats").map_err(|e| format!("/stats: {e}"))?;
        serde_json::from_str(&text).map_err(|e| format!("/stats: {e}: {text}"))
    }

    fn look(&self) -> Result<Look, String> {
        let proc = Path::new("/proc").join(self.child.id().to_string());
        let status = fs::read_to_string(proc.join("status")).map_err(|e| e.to_string())?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        // A thread that is to end may reset the question: then the next one answers.
        let stats = self.stats().or_else(|_| self.stats())?;
        Ok(Look {
            rss_kib: number.and_then(|number| number.parse().ok()).unwrap_or(0),
            descriptors: fs::read_dir(proc.join("fd")).map_or(0, Iterator::count),
            lua_kib: stats["lua_bytes"].as_f64().unwrap_or(0.0) as u64 / 1024,
        })
    }

    /// Ends it as an operator would.
    fn end(&mut self) -> Result<(), String> {
        let sent = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        sent.map_err(|e| format!("kill: {e}"))?;
        let status = self.child.wait().map_err(|e| e.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a good end there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
