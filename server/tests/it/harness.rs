//! Starts the binary with a Lua program and watches what it says.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::client::Client;

/// Nothing on loopback takes this long; reaching it means that something is lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How a server of a test is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Setup {
    pub(crate) threads: u16,
    pub(crate) https: bool,
    pub(crate) http2: bool,
}

impl Setup {
    /// A new connection to `addr`.
    pub(crate) fn connect(self, addr: SocketAddr) -> Client {
        match (self.https, self.http2) {
            (false, false) => Client::tcp(addr),
            (true, false) => Client::tls(addr),
            (false, true) => Client::tcp2(addr),
            (true, true) => Client::tls2(addr),
        }
    }

    /// The version of HTTP that its clients speak.
    pub(crate) fn version(self) -> &'static str {
        if self.http2 { "2.0" } else { "1.1" }
    }
}

const fn setup(threads: u16, https: bool, http2: bool) -> Setup {
    Setup {
        threads,
        https,
        http2,
    }
}

/// HTTP/1 in every way to serve: for what HTTP/2 has not.
pub(crate) const HTTP1: [Setup; 6] = [
    SETUPS[0], SETUPS[1], SETUPS[2], SETUPS[3], SETUPS[4], SETUPS[5],
];

/// Every way to serve that the tests go through.
pub(crate) const SETUPS: [Setup; 9] = [
    setup(0, false, false),
    setup(1, false, false),
    setup(2, false, false),
    setup(0, true, false),
    setup(1, true, false),
    setup(2, true, false),
    setup(0, false, true),
    setup(1, true, true),
    setup(2, false, true),
];

/// Plain HTTP for the three thread models: for what does not depend on the transport.
pub(crate) const PLAIN: [Setup; 3] = [SETUPS[0], SETUPS[1], SETUPS[2]];

/// Lines of a child's standard error, as they come.
#[derive(Default)]
struct Lines {
    lines: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Lines {
    fn follow(self: &Arc<Self>, source: impl std::io::Read + Send + 'static) {
        let lines = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n') {
                let Ok(line) = line else { break };
                lines
                    .lines
                    .lock()
                    .unwrap()
                    .0
                    .push(String::from_utf8_lossy(&line).into_owned());
                lines.changed.notify_all();
            }
            lines.lines.lock().unwrap().1 = true;
            lines.changed.notify_all();
        });
    }

    fn wait(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut held = self.lines.lock().unwrap();
        loop {
            if let Some(line) = held.0.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !held.1 && !left.is_zero(),
                "no line with {text:?} in {:#?}",
                held.0
            );
            held = self.changed.wait_timeout(held, left).unwrap().0;
        }
    }
}

/// One running binary. Dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    lines: Arc<Lines>,
    pub(crate) addr: SocketAddr,
    pub(crate) setup: Setup,
    _files: tempfile::TempDir,
}

impl Server {
    /// Starts `program` (Lua text) on a free port of 127.0.0.1 and waits until it listens.
    pub(crate) fn start(program: &str, setup: Setup) -> Self {
        Self::start_with(program, setup, &[])
    }

    /// The same, with more options for the command line.
    pub(crate) fn start_with(program: &str, setup: Setup, options: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("app.lua");
        std::fs::write(&path, program).unwrap();
        Self::start_file(&path, setup, options, files)
    }

    /// The same for a file that stands in `files` or elsewhere.
    pub(crate) fn start_file(
        path: &Path,
        setup: Setup,
        options: &[&str],
        files: tempfile::TempDir,
    ) -> Self {
        let mut command = listening(setup);
        command.args(options);
        Self::launch(command, Some(path), setup, files)
    }

    /// The built-in demo.
    pub(crate) fn start_demo(setup: Setup) -> Self {
        Self::launch(listening(setup), None, setup, tempfile::tempdir().unwrap())
    }

    /// A program that listens where it says itself, with arguments of its own.
    pub(crate) fn start_own_listen(
        path: &Path,
        setup: Setup,
        args: &[&str],
        files: tempfile::TempDir,
    ) -> Self {
        let mut command = httpng();
        command.args(["--threads", &setup.threads.to_string()]);
        command.arg(path).args(args);
        Self::launch_as_is(command, None, setup, files)
    }

    /// A program that says itself where it listens and how many threads serve.
    pub(crate) fn start_own_cfg(path: &Path, setup: Setup, files: tempfile::TempDir) -> Self {
        Self::launch_as_is(httpng(), Some(path), setup, files)
    }

    /// A program (Lua text) that says itself how many threads serve; plain HTTP.
    pub(crate) fn start_own_threads(program: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("app.lua");
        std::fs::write(&path, program).unwrap();
        let mut command = httpng();
        command.args(["--listen", "127.0.0.1:0"]);
        Self::launch_as_is(command, Some(&path), PLAIN[0], files)
    }

    /// A program (Lua text) that says itself where it listens, with these options; plain HTTP.
    pub(crate) fn start_free_listen(program: &str, options: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("app.lua");
        std::fs::write(&path, program).unwrap();
        let mut command = httpng();
        command.args(options);
        Self::launch_as_is(command, Some(&path), PLAIN[1], files)
    }

    /// The same, with so many descriptors at most, and HTTPS if wanted.
    pub(crate) fn start_free(program: &str, https: bool, descriptors: u32) -> Self {
        let setup = setup(0, https, false);
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("app.lua");
        std::fs::write(&path, program).unwrap();
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        let plain = listening(setup);
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(plain.get_program());
        command.args(plain.get_args());
        Self::launch_as_is(command, Some(&path), setup, files)
    }

    /// Plain HTTP by one thread, with SIGHUP ignored from before the program began.
    pub(crate) fn start_ignoring_hangup(program: &str, options: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("app.lua");
        std::fs::write(&path, program).unwrap();
        let plain = listening(PLAIN[1]);
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
        command.arg(plain.get_program()).args(plain.get_args());
        command.args(options);
        Self::launch_as_is(command, Some(&path), PLAIN[1], files)
    }

    fn launch(
        mut command: Command,
        path: Option<&Path>,
        setup: Setup,
        files: tempfile::TempDir,
    ) -> Self {
        command.arg("--threads").arg(setup.threads.to_string());
        Self::launch_as_is(command, path, setup, files)
    }

    fn launch_as_is(
        command: Command,
        path: Option<&Path>,
        setup: Setup,
        files: tempfile::TempDir,
    ) -> Self {
        let mut child = with_usual_hangup(command)
            .args(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Lines::default());
        lines.follow(child.stderr.take().unwrap());
        let line = lines.wait("listening on http");
        let addr = address_in(&line);
        Self {
            child,
            lines,
            addr,
            setup,
            _files: files,
        }
    }

    /// A new connection, TLS when the setup says so.
    pub(crate) fn connect(&self) -> Client {
        self.setup.connect(self.addr)
    }

    /// A new plain connection whose sockets hold little.
    pub(crate) fn connect_narrow(&self) -> Client {
        Client::narrow(self.addr)
    }

    /// One request on a connection of its own, the body of the answer.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut client = self.connect();
        client.get(path);
        client.response().text()
    }

    /// Waits for a line of the log that contains `text`.
    pub(crate) fn wait_line(&self, text: &str) -> String {
        self.lines.wait(text)
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        self.lines.lines.lock().unwrap().0.join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal with kill(1), which is on every machine that runs these tests.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg("-s")
            .arg(name)
            .arg(self.pid().to_string())
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end of the process.
    pub(crate) fn exit_status(&mut self) -> ExitStatus {
        wait_child(&mut self.child)
    }

    /// SIGTERM, and the exit code that follows.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal("TERM");
        let status = self.exit_status();
        status
            .code()
            .unwrap_or_else(|| panic!("{status}: {}", self.log()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server ({:?})\n{}", self.setup, self.log());
        }
    }
}

/// What ignores SIGHUP hands that down, and tests may be run by something that does (`nohup`): the
/// binary begins as it does elsewhere.
fn with_usual_hangup(command: Command) -> Command {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let is_ignored = mask.is_some_and(|mask| mask & 1 != 0);
    if !is_ignored || command.get_program() != httpng().get_program() {
        return command;
    }
    let mut usual = Command::new("env");
    usual.arg("--default-signal=HUP").arg(command.get_program());
    usual.args(command.get_args());
    usual
}

/// The binary under test.
pub(crate) fn httpng() -> Command {
    Command::new(env!("CARGO_BIN_EXE_httpng"))
}

/// The binary with the options that make it listen on a free port as `setup` wants.
fn listening(setup: Setup) -> Command {
    let mut command = httpng();
    if setup.https {
        command.arg("--cert").arg(&certificate().cert);
        command.arg("--key").arg(&certificate().key);
        command.args(["--listen", "https://127.0.0.1:0"]);
    } else {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command
}

/// Repeats a question until the answer is yes, or fails with `what`.
pub(crate) fn eventually(what: &str, mut question: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !question() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::yield_now();
    }
}

/// Bounded wait for a process.
pub(crate) fn wait_child(child: &mut Child) -> ExitStatus {
    let mut status = None;
    eventually("the process ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// Runs the binary to its end: exit code and standard error.
pub(crate) fn run(options: &[&str], program: Option<&str>) -> (i32, String) {
    run_as(httpng(), options, program)
}

/// The same, by a command that ends in the binary.
pub(crate) fn run_as(
    mut command: Command,
    options: &[&str],
    program: Option<&str>,
) -> (i32, String) {
    let files = tempfile::tempdir().unwrap();
    command.args(options).current_dir(files.path());
    if let Some(program) = program {
        std::fs::write(files.path().join("app.lua"), program).unwrap();
        command.arg("app.lua");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = Arc::new(Lines::default());
    lines.follow(child.stderr.take().unwrap());
    let status = wait_child(&mut child);
    eventually("standard error ends", || lines.lines.lock().unwrap().1);
    let text = lines.lines.lock().unwrap().0.join("\n");
    (status.code().unwrap_or(-1), text)
}

pub(crate) fn address_in(line: &str) -> SocketAddr {
    let from = line.find("://").unwrap() + 3;
    let rest = &line[from..];
    let end = rest.find([' ', ',']).unwrap_or(rest.len());
    rest[..end]
        .parse()
        .unwrap_or_else(|_| panic!("no address in {line:?}"))
}

/// A self-signed certificate; the usual one is for `localhost` and 127.0.0.1 and made once.
pub(crate) struct TestCertificate {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) der: rustls::pki_types::CertificateDer<'static>,
    _files: tempfile::TempDir,
}

pub(crate) fn certificate() -> &'static TestCertificate {
    static MADE: OnceLock<TestCertificate> = OnceLock::new();
    MADE.get_or_init(|| certificate_for(&["localhost", "127.0.0.1"]))
}

/// Another one, for these names.
pub(crate) fn certificate_for(names: &[&str]) -> TestCertificate {
    let files = tempfile::tempdir().unwrap();
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    TestCertificate {
        der: make_certificate(&cert, &key, names),
        cert,
        key,
        _files: files,
    }
}

/// Writes a new self-signed certificate for these names, and its key.
pub(crate) fn make_certificate(
    cert: &Path,
    key: &Path,
    names: &[&str],
) -> rustls::pki_types::CertificateDer<'static> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(cert, made.cert.pem()).unwrap();
    std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}
