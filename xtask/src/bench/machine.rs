//! On what machine, and with which programs, a run was made.

use std::fmt;
use std::fs;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// What a reader needs to know of the machine before believing a number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    processor: String,
    processors: usize,
    kernel: String,
    /// Who ran where.
    pinning: String,
    /// One line for each program, as it names itself.
    versions: Vec<String>,
}

impl About {
    /// One line for under a drawing: the machine, and what is compared.
    pub(super) fn brief(&self) -> String {
        let compared = self
            .versions
            .iter()
            .filter(|line| line.starts_with("nginx") || line.starts_with("httpng"));
        let mut parts = vec![format!(
            "{} x {}, Linux {}",
            self.processors, self.processor, self.kernel
        )];
        parts.extend(compared.map(|line| line.replace("nginx version: nginx/", "nginx ")));
        parts.join("; ")
    }
}

/// Looks at the machine.
pub(super) fn describe(server_cpus: Option<&str>, load_cpus: &str) -> About {
    let pinning = match server_cpus {
        Some(cpus) => format!(
            "servers on processor {cpus}, load on {load_cpus}, with taskset; \
             nobody is pinned in cases called machine- and in memory"
        ),
        None => "nothing is pinned: one processor, or no taskset".to_owned(),
    };
    let programs: [(&str, &[&str]); 6] = [
        ("rustc", &["--version"]),
        ("wrk", &["-v"]),
        ("nginx", &["-v"]),
        ("node", &["--version"]),
        ("h2o", &["--version"]),
        ("git", &["log", "-1", "--format=httpng %h"]),
    ];
    let versions = programs
        .iter()
        .filter_map(|(name, args)| version(name, args))
        .collect();
    About {
        processor: processor(),
        processors: processors(),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned()),
        pinning,
        versions,
    }
}

/// Whether servers and load can have a processor each.
pub(super) fn can_pin() -> bool {
    let mut probe = Command::new("taskset");
    probe
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    processors() >= 2 && probe.status().is_ok_and(|status| status.success())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line
        .and_then(|line| line.split_once(':'))
        .map(|(_, name)| name.trim().to_owned());
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// The first line that a program says when asked for its version, wherever it says it.
fn version(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(crate::workspace::root())
        .output();
    let output = output.ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().find(|line| !line.trim().is_empty())?.trim();
    let names_itself = line.to_lowercase().contains(program) || program == "git";
    Some(if names_itself {
        line.to_owned()
    } else {
        format!("{program} {line}")
    })
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} x {}, Linux {}",
            self.processors, self.processor, self.kernel
        )?;
        writeln!(f, "{}", self.pinning)?;
        write!(f, "{}", self.versions.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_names_the_machine_and_the_compiler() {
        let about = describe(Some("0"), "1").to_string();
        assert!(about.contains("rustc "), "{about}");
        assert!(
            about.contains("servers on processor 0, load on 1"),
            "{about}"
        );
    }
}
