//! The kinds of server: what each is called, and how it is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Running, Scratch, free_port};
use super::surroundings::{FILES, Surroundings};
use crate::workspace::{root, stdout_of, target_dir};

/// Where distributions put nginx's loadable modules.
const NGINX_MODULES: &[&str] = &[
    "/usr/lib/nginx/modules",
    "/usr/lib64/nginx/modules",
    "/usr/share/nginx/modules",
    "/etc/nginx/modules",
];

/// The kinds of server that have one processor, in the order of the tables.
pub(super) const KINDS: &[Kind] = &[
    Kind::Httpng { threads: 0, tx: 1 },
    Kind::Httpng { threads: 1, tx: 1 },
    Kind::Httpng { threads: 2, tx: 1 },
    Kind::Nginx { workers: 1 },
    Kind::Node,
    Kind::H2o,
    Kind::Raw,
];

/// Those that have the whole machine.
pub(super) const WHOLE_KINDS: &[Kind] = &[
    Kind::Httpng { threads: 0, tx: 1 },
    Kind::Httpng { threads: 1, tx: 1 },
    Kind::Httpng { threads: 0, tx: 2 },
    Kind::Nginx { workers: 2 },
];

/// Those whose memory is looked at.
pub(super) const MEMORY_KINDS: &[Kind] = &[
    Kind::Httpng { threads: 0, tx: 1 },
    Kind::Httpng { threads: 1, tx: 1 },
    Kind::Nginx { workers: 1 },
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Httpng {
        threads: u8,
        tx: u8,
    },
    Nginx {
        workers: u8,
    },
    Node,
    H2o,
    /// The floor: `bench/raw.c`.
    Raw,
}

/// The ports of one server.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) http1: u16,
    /// Clear text with HTTP/2: the same port, where a server can tell them apart.
    pub(super) http2: u16,
    pub(super) tls: u16,
}

/// Whether a server of the case `memory` has its port for TLS. Those under load have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    Not,
    Too,
}

/// A server with all that it needs, not started yet.
pub(super) struct Prepared {
    command: Command,
    pub(super) ports: Ports,
    pub(super) log: PathBuf,
}

impl Prepared {
    /// Starts it. Nobody has waited until it listens.
    pub(super) fn start(&self, cpus: Option<&str>) -> Result<Running, String> {
        Running::start(&self.command, &self.log, cpus)
    }
}

impl Kind {
    pub(super) fn name(self) -> String {
        match self {
            Self::Httpng { threads, tx: 1 } => format!("httpng threads={threads}"),
            Self::Httpng { threads, tx } => format!("httpng tx={tx} threads={threads}"),
            Self::Nginx { workers: 1 } => "nginx+lua".to_owned(),
            Self::Nginx { workers } => format!("nginx+lua workers={workers}"),
            Self::Node => "node".to_owned(),
            Self::H2o => "h2o+mruby".to_owned(),
            Self::Raw => "raw epoll".to_owned(),
        }
    }

    /// Ports, configuration, and a program that is there; or why it cannot be started.
    pub(super) fn prepare(
        self,
        surroundings: &Surroundings<'_>,
        tls: Tls,
    ) -> Result<Prepared, String> {
        let Surroundings {
            scratch,
            certificate,
            loops,
            ..
        } = surroundings;
        let (http1, tls_port) = (free_port()?, free_port()?);
        let http2 = match self {
            Self::Nginx { .. } => free_port()?,
            _ => http1,
        };
        let ports = Ports {
            http1,
            http2,
            tls: tls_port,
        };
        let mut command = self.command(surroundings, ports, tls)?;
        if tls == Tls::Too {
            command.env("BENCH_TLS_PORT", tls_port.to_string());
        }
        command
            .env("BENCH_PORT", http1.to_string())
            .env("BENCH_FILES", scratch.path(FILES))
            .env("BENCH_LOOPS_PER_US", loops.to_string())
            .env("BENCH_CERTIFICATE", &certificate.certificate)
            .env("BENCH_KEY", &certificate.key);
        let log = scratch.path(&format!("{}.log", self.name().replace([' ', '='], "-")));
        Ok(Prepared {
            command,
            ports,
            log,
        })
    }

    fn command(
        self,
        surroundings: &Surroundings<'_>,
        ports: Ports,
        tls: Tls,
    ) -> Result<Command, String> {
        let fill =
            |template, words: &[(&str, String)]| fill((template, tls), words, surroundings, ports);
        match self {
            Self::Httpng { threads, tx } => httpng(threads, tx),
            Self::Nginx { workers } => {
                let user = if is_root() { "user root;" } else { "" };
                let sharing = if workers > 1 { "reuseport" } else { "" };
                let words = [
                    ("@MODULES@", nginx_modules()?.to_owned()),
                    ("@USER@", user.to_owned()),
                    ("@WORKERS@", workers.to_string()),
                    ("@SHARING@", sharing.to_owned()),
                ];
                nginx(&fill("nginx.conf", &words)?, surroundings.scratch)
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
                    .arg(fill("h2o.conf", &[("@USER@", user.to_owned())])?);
                Ok(command)
            }
            Self::Raw => raw(ports.http1, surroundings.scratch),
        }
    }
}

/// Writes a template of `bench/` with its words filled in: those of all servers, and `words`.
fn fill(
    (template, tls): (&str, Tls),
    words: &[(&str, String)],
    surroundings: &Surroundings<'_>,
    ports: Ports,
) -> Result<PathBuf, String> {
    let Surroundings {
        scratch,
        certificate,
        loops,
        open_files,
        ..
    } = surroundings;
    let common = [
        ("@PORT@", ports.http1.to_string()),
        ("@HTTP2_PORT@", ports.http2.to_string()),
        ("@TLS_PORT@", ports.tls.to_string()),
        (
            "@CERTIFICATE@",
            certificate.certificate.display().to_string(),
        ),
        ("@KEY@", certificate.key.display().to_string()),
        ("@DIR@", scratch.folder().display().to_string()),
        ("@BENCH@", root().join("bench").display().to_string()),
        ("@LOOPS@", loops.to_string()),
        ("@OPEN_FILES@", open_files.to_string()),
    ];
    let text = of_ports(&read(&root().join("bench").join(template))?, tls);
    let filled = common
        .iter()
        .chain(words)
        .fold(text, |text, (word, value)| text.replace(word, value));
    let path = scratch.path(template);
    fs::write(&path, filled).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
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

pub(super) fn httpng_binary() -> Result<PathBuf, String> {
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

/// Compiles the floor, and gives what starts it.
fn raw(port: u16, scratch: &Scratch) -> Result<Command, String> {
    let binary = scratch.path("raw");
    let mut cc = installed("cc").map_err(|why| format!("cc: {why}"))?;
    cc.args(["-O2", "-o"])
        .arg(&binary)
        .arg(root().join("bench/raw.c"));
    stdout_of(&mut cc)?;
    let mut command = Command::new(binary);
    command.arg(port.to_string());
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
pub(super) fn installed(program: &str) -> Result<Command, String> {
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

pub(super) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// A configuration without its lines for TLS, if there shall be none.
fn of_ports(text: &str, tls: Tls) -> String {
    let lines = text
        .lines()
        .filter(|line| tls == Tls::Too || !line.ends_with("# TLS"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_tls_are_left_out_of_a_server_without() {
        let text = "listen 1;\nlisten 2 ssl; # TLS\n# TLS is above\n";
        assert_eq!(of_ports(text, Tls::Too), text);
        assert_eq!(of_ports(text, Tls::Not), "listen 1;\n# TLS is above\n");
    }

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
            "OPEN_FILES",
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
