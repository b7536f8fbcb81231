//! The servers that are compared: which are here, which answer a case, what each cannot do.

use std::collections::HashMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::cases::{Ask, Case};
use super::kinds::{KINDS, Kind, Ports, Tls, WHOLE_KINDS, installed, read};
use super::process::Running;
use super::surroundings::Surroundings;
use crate::workspace::stdout_of;

/// How long a server may take until it listens.
pub(super) const START_MAX: Duration = Duration::from_secs(10);

/// What one right answer may take, in seconds, before the case is given up for that server.
const CHECK_SECS: &str = "5";

/// A server that listens.
pub(super) struct Server {
    name: String,
    kind: Kind,
    ports: Ports,
    running: Running,
    /// Cases it answered wrongly, with what was wrong.
    unable: HashMap<&'static str, String>,
}

impl Server {
    fn start(kind: Kind, surroundings: &Surroundings<'_>) -> Result<Self, String> {
        let prepared = kind.prepare(surroundings, Tls::Too)?;
        let mut running = prepared.start(surroundings.cpus)?;
        wait_until_it_listens(&mut running, prepared.ports.http1, &prepared.log)?;
        Ok(Self {
            name: kind.name(),
            kind,
            ports: prepared.ports,
            running,
            unable: HashMap::new(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it speaks HTTP/1 in clear text.
    pub(super) fn port(&self) -> u16 {
        self.ports.http1
    }

    pub(super) fn running(&self) -> &Running {
        &self.running
    }

    pub(super) fn cpu_time(&self) -> Result<Duration, String> {
        self.running
            .cpu_time()
            .map_err(|e| format!("{}: {e}", self.name))
    }

    pub(super) fn url(&self, case: &Case) -> String {
        let (scheme, port) = match (case.tls, case.ask) {
            (true, _) => ("https", self.ports.tls),
            (false, Ask::Streams(_)) => ("http", self.ports.http2),
            (false, _) => ("http", self.ports.http1),
        };
        format!("{scheme}://127.0.0.1:{port}{}", case.path)
    }

    /// Whether it was made for such a case at all. The floor was made for one.
    fn is_for(&self, case: &Case) -> bool {
        self.kind != Kind::Raw || case.is_plain_hello()
    }
}

/// The servers that are up, and why the others are not.
pub(super) struct Fleet {
    servers: Vec<Server>,
    absent: Vec<String>,
}

impl Fleet {
    /// Starts every server that is installed and wanted: those for cases that have the `whole`
    /// machine, or the others.
    pub(super) fn start(
        surroundings: &Surroundings<'_>,
        wanted: &[String],
        whole: bool,
    ) -> Result<Self, String> {
        let mut fleet = Self {
            servers: Vec::new(),
            absent: Vec::new(),
        };
        for kind in wanted_of(if whole { WHOLE_KINDS } else { KINDS }, wanted) {
            match Server::start(kind, surroundings) {
                Ok(server) => fleet.servers.push(server),
                Err(why) => fleet.absent.push(format!("{}: {why}", kind.name())),
            }
        }
        if fleet.servers.is_empty() {
            return Err(format!("no server to measure: {}", fleet.absent.join("; ")));
        }
        Ok(fleet)
    }

    /// Asks every server once; one that answers wrongly is left out of this case.
    pub(super) fn check(&mut self, case: &Case) {
        for server in self.servers.iter_mut().filter(|s| s.is_for(case)) {
            if let Err(why) = ask_once(server, case) {
                server.unable.insert(case.name, why);
            }
        }
    }

    /// The servers that answer this case rightly.
    pub(super) fn able(&self, case: &Case) -> impl Iterator<Item = &Server> {
        self.servers
            .iter()
            .filter(|server| server.is_for(case) && !server.unable.contains_key(case.name))
    }

    /// What was not measured, and why.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut lines = self.absent.clone();
        for server in &self.servers {
            let mut unable: Vec<_> = server.unable.iter().collect();
            unable.sort();
            lines.extend(
                unable
                    .iter()
                    .map(|(case, why)| format!("{} {case}: {why}", server.name)),
            );
        }
        lines
    }
}

/// Those whose names begin with one of `wanted`, or all when nothing is wanted.
pub(super) fn wanted_of(kinds: &[Kind], wanted: &[String]) -> impl Iterator<Item = Kind> {
    let is_wanted = |kind: &Kind| {
        let name = kind.name();
        wanted.is_empty() || wanted.iter().any(|w| name.starts_with(w.as_str()))
    };
    kinds.iter().copied().filter(is_wanted)
}

fn wait_until_it_listens(running: &mut Running, port: u16, log: &Path) -> Result<(), String> {
    let deadline = Instant::now() + START_MAX;
    loop {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        let ended = running.has_ended();
        if ended || Instant::now() > deadline {
            let why = if ended {
                "ended at once"
            } else {
                "does not listen"
            };
            return Err(format!("{why}: {}", last_word(log)));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// What it said last, to say why it did not start.
pub(super) fn last_word(log: &Path) -> String {
    let said = read(log).unwrap_or_default();
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    last.unwrap_or("no word").to_owned()
}

/// One request with curl: the status and the length of the body must be right.
fn ask_once(server: &Server, case: &Case) -> Result<(), String> {
    let mut curl = installed("curl")?;
    curl.args(["-sk", "--max-time", CHECK_SECS, "-o", "/dev/null"])
        .args(["-w", "%{http_code} %{size_download}"]);
    match case.ask {
        Ask::Post(bytes) => {
            curl.args(["-H", "expect:", "--data-binary"])
                .arg("x".repeat(bytes));
        }
        Ask::Streams(_) => {
            curl.arg("--http2-prior-knowledge");
        }
        Ask::Get | Ask::Pipeline(_) => {}
    }
    let got = stdout_of(curl.arg(server.url(case)))?;
    let want = format!("200 {}", case.answer_bytes);
    if got.trim() == want {
        Ok(())
    } else {
        Err(format!("answers `{got}`, not `{want}`"))
    }
}
