//! The load of HTTP/2: `h2load` of nghttp2, so many streams at once on each connection.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::cases::Case;
use super::load::Counted;
use super::process::{Scratch, pinned};
use super::servers::Server;
use crate::workspace::stdout_of;

/// `Err` says how to get h2load when it is not here.
pub(super) fn find() -> Result<(), String> {
    let mut probe = Command::new("h2load");
    probe
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let found = probe.status().map(|_| ());
    found.map_err(|_| "h2load is not installed (Debian: apt-get install nghttp2-client)".to_owned())
}

/// Loads one server with one case for so long, whole seconds.
pub(super) fn run(
    server: &Server,
    case: &Case,
    streams: usize,
    time: Duration,
    scratch: &Scratch,
    cpus: Option<&str>,
) -> Result<Counted, String> {
    find()?;
    let log = scratch.path("h2load.log");
    // h2load appends.
    let _ = fs::remove_file(&log);
    let mut h2load = Command::new("h2load");
    h2load
        .args(["-t1", &format!("-c{}", case.connections)])
        .args([
            &format!("-m{streams}"),
            &format!("--duration={}", time.as_secs()),
        ])
        .arg(format!("--log-file={}", log.display()))
        .arg(server.url(case));
    let output = stdout_of(&mut pinned(&h2load, cpus))?;
    let times = fs::read_to_string(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    parse(&output, &times, time).ok_or_else(|| format!("h2load reported nothing:\n{output}"))
}

/// Reads the report, and the times of single requests: lines of start, status, microseconds.
fn parse(output: &str, times: &str, time: Duration) -> Option<Counted> {
    let requests = line(output, "requests: ")?;
    let statuses = line(output, "status codes: ")?;
    let traffic = line(output, "traffic: ")?;
    let mut micros: Vec<u64> = times
        .lines()
        .filter_map(|line| line.split('\t').nth(2)?.parse().ok())
        .collect();
    micros.sort_unstable();
    let at = |percent: usize| micros.get(micros.len() * percent / 100).copied();
    let done = number(requests, "done")?;
    let bytes = traffic.split(['(', ')']).nth(1)?.parse().ok()?;
    Some(Counted {
        requests: done,
        bytes,
        micros: u64::try_from(time.as_micros()).ok()?,
        non_2xx: done.saturating_sub(number(statuses, "2xx")?),
        connect_errors: 0,
        read_errors: number(requests, "errored")?,
        write_errors: 0,
        timeouts: number(requests, "timeout")?,
        p50_us: at(50).unwrap_or(0),
        p99_us: at(99).unwrap_or(0),
    })
}

fn line<'a>(output: &'a str, start: &str) -> Option<&'a str> {
    output.lines().find_map(|line| line.strip_prefix(start))
}

/// The number before a word, in a list of such pairs.
fn number(list: &str, word: &str) -> Option<u64> {
    let mut pairs = list.split(", ").filter_map(|pair| pair.split_once(' '));
    pairs.find(|(_, what)| *what == word)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_read() {
        let output = "starting benchmark...\n\n\
            finished in 2.00s, 5.00 req/s, 1.65MB/s\n\
            requests: 10 total, 12 started, 10 done, 9 succeeded, 1 failed, 2 errored, 3 timeout\n\
            status codes: 9 2xx, 0 3xx, 1 4xx, 0 5xx\n\
            traffic: 4.95MB (5195576) total, 120.81KB (123712) headers (space savings 96.67%), \
            1.65MB (1731856) data\n";
        let times: String = (1..=100).map(|i| format!("1700\t200\t{i}\n")).collect();
        let counted = parse(output, &times, Duration::from_secs(2)).expect("a report");
        assert_eq!((counted.requests, counted.bytes), (10, 5_195_576));
        assert_eq!((counted.non_2xx, counted.errors()), (1, 6));
        assert_eq!((counted.p50_us, counted.p99_us), (51, 100));
        assert_eq!(counted.micros, 2_000_000);
        assert_eq!(parse("nothing", "", Duration::ZERO), None);
    }
}
