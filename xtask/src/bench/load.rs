//! The load: `wrk`, one thread, told by `bench/wrk.lua` what to send and how to report; for HTTP/2
//! `h2load`.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cases::{Ask, Case};
use super::process::{Scratch, pinned};
use super::servers::Server;
use super::{h2load, machine};
use crate::workspace::{root, stdout_of};

/// What wrk counted in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counted {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) micros: u64,
    pub(super) non_2xx: u64,
    pub(super) connect_errors: u64,
    pub(super) read_errors: u64,
    pub(super) write_errors: u64,
    pub(super) timeouts: u64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
}

impl Counted {
    /// Everything that was not a right answer.
    pub(super) fn errors(&self) -> u64 {
        let network = self.connect_errors + self.read_errors + self.write_errors;
        network + self.non_2xx + self.timeouts
    }
}

/// The load generator.
pub(super) struct Load {
    cpus: Option<String>,
}

impl Load {
    /// `Err` says how to get wrk when it is not here.
    pub(super) fn find(cpus: &str) -> Result<Self, String> {
        let mut probe = Command::new("wrk");
        probe.arg("-v").stdout(Stdio::null()).stderr(Stdio::null());
        probe
            .status()
            .map_err(|_| "wrk is not installed (Debian: apt-get install wrk)")?;
        Ok(Self {
            cpus: machine::can_pin().then(|| cpus.to_owned()),
        })
    }

    /// Loads one server with one case for so long, whole seconds.
    pub(super) fn run(
        &self,
        server: &Server,
        case: &Case,
        time: Duration,
        scratch: &Scratch,
    ) -> Result<Counted, String> {
        let cpus = self.cpus.as_deref().filter(|_| case.whole.is_none());
        if let Ask::Streams(streams) = case.ask {
            return h2load::run(server, case, streams, time, scratch, cpus);
        }
        let mut wrk = Command::new("wrk");
        wrk.args([
            "-t1",
            &format!("-c{}", case.connections),
            &format!("-d{}s", time.as_secs()),
        ])
        .args(["--timeout", "10s", "-s"])
        .arg(root().join("bench/wrk.lua"))
        .args([&server.url(case), "--"])
        .args(words(case.ask));
        let output = stdout_of(&mut pinned(&wrk, cpus))?;
        parse(&output).ok_or_else(|| format!("wrk reported nothing:\n{output}"))
    }
}

fn words(ask: Ask) -> Vec<String> {
    match ask {
        Ask::Get | Ask::Streams(_) => vec!["plain".to_owned()],
        Ask::Post(bytes) => vec!["post".to_owned(), bytes.to_string()],
        Ask::Pipeline(count) => vec!["pipeline".to_owned(), count.to_string()],
    }
}

/// Finds the line that `bench/wrk.lua` prints at the end.
fn parse(output: &str) -> Option<Counted> {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("BENCH "))?;
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_script_is_found_among_the_others() {
        let output = "Running 1s test\nBENCH {\"requests\":10,\"bytes\":5,\"micros\":1000000,\
                      \"non_2xx\":1,\"connect_errors\":2,\"read_errors\":3,\"write_errors\":4,\
                      \"timeouts\":5,\"p50_us\":7,\"p99_us\":8}\n";
        let counted = parse(output).expect("a line");
        assert_eq!(
            (counted.requests, counted.errors(), counted.p99_us),
            (10, 15, 8)
        );
        assert_eq!(parse("Running 1s test\n"), None);
    }
}
