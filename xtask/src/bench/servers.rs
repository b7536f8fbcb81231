//! The servers that are compared: which are here, how each is started, what each cannot do.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::cases::{Ask, Case};
use super::process::{Running, Scratch, free_port};
use crate::workspace::{root, stdout_of, target_dir};

/// How long a server may take until it listens.
const START_MAX: Duration = Duration::from_secs(10);

/// What one right answer may take, in seconds, before the case is given up for that server.
const CHECK_SECS: &str = "5";

/// Where distributions put nginx's loadable modules.
const NGINX_MODULES: &[&str] = &[
    "/usr/lib/nginx/modules",
    "/usr/lib64/nginx/modules",
    "/usr/share/nginx/modules",
    "/etc/nginx/modules",
];

/// The kinds of server that have one processor, in the order of the tables.
const KINDS: &[Kind] = &[
    Kind::Httpng { threads: 0, tx: 1 },
    Kind::Httpng { threads: 1, tx: 1 },
    Kind::Httpng { threads: 2, tx: 1 },
    Kind::Nginx { workers: 1 },
    Kind::Node,
    Kind::H2o,
];

/// Those that have the whole machine.
const WHOLE_KINDS: &[Kind] = &[
    Kind::Httpng { threads: 0, tx: 1 },
    Kind::Httpng { threads: 1, tx: 1 },
    Kind::Httpng { threads: 0, tx: 2 },
    Kind::Nginx { workers: 2 },
];

#[derive(Clone, Copy)]
enum Kind {
    Httpng { threads: u8, tx: u8 },
    Nginx { workers: u8 },
    Node,
    H2o,
}

/// A server that listens.
pub(super) struct Server {
    name: String,
    port: u16,
    /// Clear text with HTTP/2: the same port, where a server can tell them apart.
    http2_port: u16,
    tls_port: u16,
    running: Running,
    /// Cases it answered wrongly, with what was wrong.
    unable: HashMap<&'static str, String>,
}

impl Server {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn cpu_time(&self) -> Result<Duration, String> {
        self.running
            .cpu_time()
            .map_err(|e| format!("{}: {e}", self.name))
    }

    pub(super) fn url(&self, case: &Case) -> String {
        let (scheme, port) = match (case.tls, case.ask) {
            (true, _) => ("https", self.tls_port),
            (false, Ask::Streams(_)) => ("http", self.http2_port),
            (false, _) => ("http", self.port),
        };
        format!("{scheme}://127.0.0.1:{port}{}", case.path)
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
        scratch: &Scratch,
        cpus: Option<&str>,
        wanted: &[String],
        whole: bool,
    ) -> Result<Self, String> {
        let certificate = Certificate::make(scratch)?;
        make_files(scratch)?;
        let loops = if whole { loops_per_us()? } else { 1.0 };
        let surroundings = Surroundings {
            scratch,
            certificate,
            cpus,
            loops,
        };
        let mut fleet = Self {
            servers: Vec::new(),
            absent: Vec::new(),
        };
        for kind in if whole { WHOLE_KINDS } else { KINDS } {
            let name = kind.name();
            if !wanted.is_empty() && !wanted.iter().any(|w| name.starts_with(w.as_str())) {
                continue;
            }
            match kind.start(&name, &surroundings) {
                Ok(server) => fleet.servers.push(server),
                Err(why) => fleet.absent.push(format!("{name}: {why}")),
            }
        }
        if fleet.servers.is_empty() {
            return Err(format!("no server to measure: {}", fleet.absent.join("; ")));
        }
        Ok(fleet)
    }

    /// Asks every server once; one that answers wrongly is left out of this case.
    pub(super) fn check(&mut self, case: &Case) {
        for server in &mut self.servers {
            if let Err(why) = ask_once(server, case) {
                server.unable.insert(case.name, why);
            }
        }
    }

    /// The servers that answer this case rightly.
    pub(super) fn able(&self, case: &Case) -> impl Iterator<Item = &Server> {
        self.servers
            .iter()
            .filter(|server| !server.unable.contains_key(case.name))
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

/// The folder with the files that are asked for.
const FILES: &str = "files";

fn make_files(scratch: &Scratch) -> Result<(), String> {
    let folder = scratch.path(FILES);
    let made = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("1k"), vec![b'x'; 1024]))
        .and_then(|()| fs::write(folder.join("1m"), vec![b'x'; 1024 * 1024]));
    made.map_err(|e| format!("{}: {e}", folder.display()))
}

/// How often the loop of `bench/work.lua` runs in a microsecond, on this machine at this time. All
/// servers are told the same number, so that their handlers do the same.
fn loops_per_us() -> Result<f64, String> {
    let mut calibration = Command::new(httpng_binary()?);
    calibration.arg(root().join("bench/calibrate.lua"));
    let said = stdout_of(&mut calibration)?;
    let number = said.trim().parse();
    number.map_err(|_| format!("bench/calibrate.lua says `{said}`"))
}

/// What every server is started with.
struct Surroundings<'a> {
    scratch: &'a Scratch,
    certificate: Certificate,
    cpus: Option<&'a str>,
    /// See [`loops_per_us`].
    loops: f64,
}

/// A self-signed certificate for 127.0.0.1.
struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    fn make(scratch: &Scratch) -> Result<Self, String> {
        let made = Self {
            certificate: scratch.path("certificate.pem"),
            key: scratch.path("key.pem"),
        };
        let mut openssl = Command::new("openssl");
        openssl
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.certificate);
        stdout_of(&mut openssl)?;
        Ok(made)
    }
}

impl Kind {
    fn name(self) -> String {
        match self {
            Self::Httpng { threads, tx: 1 } => format!("httpng threads={threads}"),
            Self::Httpng { threads, tx } => format!("httpng tx={tx} threads={threads}"),
            Self::Nginx { workers: 1 } => "nginx+lua".to_owned(),
            Self::Nginx { workers } => format!("nginx+lua workers={workers}"),
            Self::Node => "node".to_owned(),
            Self::H2o => "h2o+mruby".to_owned(),
        }
    }

    fn start(self, name: &str, surroundings: &Surroundings<'_>) -> Result<Server, String> {
        let Surroundings {
            scratch,
            certificate,
            cpus,
            loops,
        } = surroundings;
        let (port, tls_port) = (free_port()?, free_port()?);
        let http2_port = match self {
            Self::Nginx { .. } => free_port()?,
            _ => port,
        };
        let ports = [port, http2_port, tls_port];
        let mut command = self.command(surroundings, ports)?;
        command
            .env("BENCH_PORT", port.to_string())
            .env("BENCH_TLS_PORT", tls_port.to_string())
            .env("BENCH_FILES", scratch.path(FILES))
            .env("BENCH_LOOPS_PER_US", loops.to_string())
            .env("BENCH_CERTIFICATE", &certificate.certificate)
            .env("BENCH_KEY", &certificate.key);
        let log = scratch.path(&format!("{}.log", name.replace([' ', '='], "-")));
        let mut running = Running::start(&command, &log, *cpus)?;
        wait_until_it_listens(&mut running, port, &log)?;
        Ok(Server {
            name: name.to_owned(),
            port,
            http2_port,
            tls_port,
            running,
            unable: HashMap::new(),
        })
    }

    fn command(
        self,
        surroundings: &Surroundings<'_>,
        [port, http2_port, tls_port]: [u16; 3],
    ) -> Result<Command, String> {
        let Surroundings {
            scratch,
            certificate,
            loops,
            ..
        } = surroundings;
        let workers = match self {
            Self::Nginx { workers } => workers,
            _ => 1,
        };
        let sharing = if workers > 1 { "reuseport" } else { "" };
        let fill = |template: &str, modules: &str, user: &str| {
            let text = read(&root().join("bench").join(template))?;
            let pairs = [
                ("@PORT@", port.to_string()),
                ("@HTTP2_PORT@", http2_port.to_string()),
                ("@TLS_PORT@", tls_port.to_string()),
                (
                    "@CERTIFICATE@",
                    certificate.certificate.display().to_string(),
                ),
                ("@KEY@", certificate.key.display().to_string()),
                ("@DIR@", scratch.folder().display().to_string()),
                ("@MODULES@", modules.to_owned()),
                ("@USER@", user.to_owned()),
                ("@WORKERS@", workers.to_string()),
                ("@SHARING@", sharing.to_owned()),
                ("@BENCH@", root().join("bench").display().to_string()),
                ("@LOOPS@", loops.to_string()),
            ];
            let filled = pairs
                .iter()
                .fold(text, |text, (word, value)| text.replace(word, value));
            let path = scratch.path(template);
            fs::write(&path, filled).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok::<PathBuf, String>(path)
        };
        match self {
            Self::Httpng { threads, tx } => httpng(threads, tx),
            Self::Nginx { .. } => {
                let user = if is_root() { "user root;" } else { "" };
                nginx(&fill("nginx.conf", nginx_modules()?, user)?, scratch)
            }
            Self::Node => {
                let mut command = installed("node")?;
                command.arg(root().join("bench/node.js"));
                Ok(command)
            }
            Self::H2o => {
                let user = if is_root() { "user: root" } else { "" };
                let mut command = installed("h2o")?;
                command
                    .args(["-m", "worker", "-c"])
                    .arg(fill("h2o.conf", "", user)?);
                Ok(command)
            }
        }
    }
}

fn httpng(threads: u8, tx: u8) -> Result<Command, String> {
    let mut command = Command::new(httpng_binary()?);
    if tx > 1 {
        command.args(["--tx", &tx.to_string()]);
    }
    command
        .arg(root().join("bench/httpng.lua"))
        .env("BENCH_THREADS", threads.to_string());
    Ok(command)
}

fn httpng_binary() -> Result<PathBuf, String> {
    let binary = target_dir().join("release/httpng");
    match binary.is_file() {
        true => Ok(binary),
        false => Err("target/release/httpng is not built".to_owned()),
    }
}

fn nginx(config: &Path, scratch: &Scratch) -> Result<Command, String> {
    let mut command = installed("nginx")?;
    command
        .arg("-p")
        .arg(scratch.folder())
        .arg("-c")
        .arg(config);
    Ok(command)
}

/// The folder with both modules that Lua in nginx needs.
fn nginx_modules() -> Result<&'static str, String> {
    let holds = |folder: &str| {
        let has = |module: &str| Path::new(folder).join(module).is_file();
        has("ndk_http_module.so") && has("ngx_http_lua_module.so")
    };
    let found = NGINX_MODULES.iter().find(|folder| holds(folder));
    found
        .copied()
        .ok_or_else(|| "its Lua module is not installed".to_owned())
}

/// The program of this name, if it is on the path.
fn installed(program: &str) -> Result<Command, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if found {
        Ok(Command::new(program))
    } else {
        Err("not installed".to_owned())
    }
}

fn is_root() -> bool {
    stdout_of(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
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
            let said = read(log).unwrap_or_default();
            let last = said
                .lines()
                .rfind(|line| !line.trim().is_empty())
                .unwrap_or("no word");
            return Err(format!("{why}: {last}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_templates_is_filled() {
        let known = [
            "PORT",
            "HTTP2_PORT",
            "TLS_PORT",
            "CERTIFICATE",
            "KEY",
            "DIR",
            "MODULES",
            "USER",
            "WORKERS",
            "SHARING",
            "BENCH",
            "LOOPS",
        ]
        .map(str::to_owned);
        for template in ["nginx.conf", "h2o.conf"] {
            let text = read(&root().join("bench").join(template)).expect("there");
            let words = text.split('@').skip(1).step_by(2);
            for word in words {
                assert!(known.contains(&word.to_owned()), "{template}: {word}");
            }
        }
    }

    #[test]
    fn what_is_not_installed_is_said() {
        let error = installed("no-such-program-anywhere").expect_err("not there");
        assert_eq!(error, "not installed");
    }
}
