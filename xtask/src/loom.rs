//! `cargo xtask loom`: every interleaving of shuttle-core's models, then every mutation caught.
//!
//! A model that cannot fail proves nothing. So `shuttle-core/mutations.txt` names deliberate
//! mistakes, each switched on by `--cfg mutate="name"`, with the test that must catch it. A
//! mutation that does not build, or whose filter matches no test, or that every test survives, is
//! an error; they are three different ones.
//!
//! The models have a target folder of their own, because `--cfg loom` changes every crate below
//! shuttle-core. A mutation changes shuttle-core only: it is added by a wrapper around `rustc`
//! that cargo applies to members of the workspace, so that loom itself is built once for all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::shell::cargo;
use crate::workspace::{root, target_dir};

#[derive(Args)]
pub(crate) struct Options {
    /// Runs the models and leaves out the mutations.
    #[arg(long)]
    pub(crate) models_only: bool,
}

/// Switches per model beyond the forced ones: more finds no known bug and takes minutes.
const PREEMPTIONS_MAX_COUNT: &str = "2";

/// A mutated model that runs longer has neither passed nor failed.
const MUTATION_MAX: Duration = Duration::from_secs(300);

/// How often a running test is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One line of `mutations.txt`.
#[derive(Debug, PartialEq, Eq)]
struct Mutation {
    name: String,
    /// Substring of the names of the tests of which one must fail.
    filter: String,
    /// What is broken, for the reader.
    broken: String,
}

/// What became of one mutation.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// This many of the tests failed.
    Caught(usize),
    /// All of this many tests passed.
    Survived(usize),
    /// The filter matches no test.
    NoTest,
    /// It does not compile, so it shows nothing.
    DoesNotBuild,
    /// The tests ran into the time limit.
    TooLong,
    /// The tests died without telling which of them failed.
    Died,
}

/// Runs all models, then all mutations unless told not to.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut command = loom_cargo(None)?;
    command.args(["--", "--nocapture"]).env("LOOM_LOG", "off");
    let status = command
        .status()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if !status.success() {
        return Err("a model fails".to_owned());
    }
    if options.models_only {
        Ok(())
    } else {
        mutations()
    }
}

fn mutations() -> Result<(), String> {
    let path = root().join("shuttle-core/mutations.txt");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mutations = parse(&text)?;
    let mut table = Vec::new();
    for mutation in &mutations {
        let began = Instant::now();
        let verdict = try_mutation(mutation)?;
        println!(
            "{}: {verdict:?} in {:.1} s",
            mutation.name,
            began.elapsed().as_secs_f64()
        );
        table.push((mutation, verdict));
    }
    println!("\n{}", render(&table));
    let missed = table
        .iter()
        .filter(|(_, verdict)| !matches!(verdict, Verdict::Caught(_)))
        .count();
    if missed == 0 {
        Ok(())
    } else {
        Err(format!("{missed} mutations are not caught"))
    }
}

/// `name | test filter | what is broken`; empty lines and lines that begin with `#` are comments.
fn parse(text: &str) -> Result<Vec<Mutation>, String> {
    let mut mutations: Vec<Mutation> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parts: Vec<&str> = line.splitn(3, '|').map(str::trim).collect();
        let [name, filter, broken] = parts[..] else {
            return Err(format!(
                "mutations.txt:{}: not `name | filter | what`",
                index + 1
            ));
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || filter.is_empty() || broken.is_empty() || !name.chars().all(plain) {
            return Err(format!(
                "mutations.txt:{}: an empty part or an odd name",
                index + 1
            ));
        }
        if mutations.iter().any(|known| known.name == name) {
            return Err(format!(
                "mutations.txt:{}: `{name}` stands there twice",
                index + 1
            ));
        }
        let [name, filter, broken] = [name, filter, broken].map(str::to_owned);
        mutations.push(Mutation {
            name,
            filter,
            broken,
        });
    }
    if mutations.is_empty() {
        Err("mutations.txt: no mutation".to_owned())
    } else {
        Ok(mutations)
    }
}

fn try_mutation(mutation: &Mutation) -> Result<Verdict, String> {
    let mut command = loom_cargo(Some(&mutation.name))?;
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Ok(Verdict::DoesNotBuild);
    }
    let executables = test_executables(&String::from_utf8_lossy(&output.stdout));
    let verdicts = executables
        .iter()
        .map(|executable| run_filtered(executable, mutation))
        .collect::<Result<Vec<Verdict>, String>>()?;
    Ok(sum_up(verdicts))
}

/// One verdict for all the test programs of the crate.
fn sum_up(verdicts: Vec<Verdict>) -> Verdict {
    let (mut failed, mut passed) = (0, 0);
    for verdict in verdicts {
        match verdict {
            Verdict::Caught(count) => failed += count,
            Verdict::Survived(count) => passed += count,
            Verdict::NoTest => {}
            bad => return bad,
        }
    }
    match (failed, passed) {
        (0, 0) => Verdict::NoTest,
        (0, passed) => Verdict::Survived(passed),
        (failed, _) => Verdict::Caught(failed),
    }
}

/// The test programs among cargo's messages.
fn test_executables(messages: &str) -> Vec<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect()
}

/// Runs the matching tests of one program; what they print is kept beside the wrapper.
fn run_filtered(executable: &Path, mutation: &Mutation) -> Result<Verdict, String> {
    let path = target_dir().join(format!("loom/mutations/{}.log", mutation.name));
    let log = fs::File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let complaints = log.try_clone().map_err(|e| e.to_string())?;
    let mut child = Command::new(executable)
        .arg(&mutation.filter)
        .current_dir(root().join("shuttle-core"))
        .env("LOOM_MAX_PREEMPTIONS", PREEMPTIONS_MAX_COUNT)
        .env("RUST_BACKTRACE", "0")
        .stdout(log)
        .stderr(complaints)
        .spawn()
        .map_err(|e| format!("cannot run {}: {e}", executable.display()))?;
    let deadline = Instant::now() + MUTATION_MAX;
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if Instant::now() > deadline {
            child.kill().map_err(|e| e.to_string())?;
            child.wait().map_err(|e| e.to_string())?;
            return Ok(Verdict::TooLong);
        }
        thread::sleep(LOOK_EVERY);
    }
    let text = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(judge(&String::from_utf8_lossy(&text), &mutation.filter))
}

/// Reads what the standard test harness, and a panicking test, print.
fn judge(output: &str, filter: &str) -> Verdict {
    let Some(result) = output
        .lines()
        .find_map(|line| line.strip_prefix("test result: "))
    else {
        // A panic while another one unwinds ends the whole program: no result, but its last words.
        let is_last_word = |line: &str| {
            let thread = line
                .strip_prefix("thread '")
                .and_then(|rest| rest.split_once('\''));
            thread.is_some_and(|(name, rest)| name.contains(filter) && rest.contains("panicked at"))
        };
        let panicked = output.lines().any(is_last_word);
        return if panicked {
            Verdict::Caught(1)
        } else {
            Verdict::Died
        };
    };
    let count = |what: &str| {
        let before = result.split(what).next().unwrap_or("");
        before
            .split_whitespace()
            .next_back()
            .and_then(|n| n.parse::<usize>().ok())
            .unwrap_or(0)
    };
    match (count(" failed"), count(" passed")) {
        (0, 0) => Verdict::NoTest,
        (0, passed) => Verdict::Survived(passed),
        (failed, _) => Verdict::Caught(failed),
    }
}

fn render(table: &[(&Mutation, Verdict)]) -> String {
    let width = table
        .iter()
        .map(|(mutation, _)| mutation.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (mutation, verdict) in table {
        let outcome = match verdict {
            Verdict::Caught(_) => "caught",
            Verdict::Survived(_) => "SURVIVED",
            Verdict::NoTest => "NO TEST",
            Verdict::DoesNotBuild => "NO BUILD",
            Verdict::TooLong => "TOO LONG",
            Verdict::Died => "DIED",
        };
        let Mutation {
            name,
            filter,
            broken,
        } = mutation;
        text.push_str(&format!(
            "{name:width$}  {outcome:<8}  by {filter}: {broken}\n"
        ));
    }
    text
}

/// `cargo test` of shuttle-core under loom, mutated or not.
fn loom_cargo(mutation: Option<&str>) -> Result<Command, String> {
    let target = target_dir().join("loom");
    let mut command = cargo(&[
        "test",
        "-p",
        "shuttle-core",
        "--release",
        "--lib",
        "--tests",
    ]);
    command
        .current_dir(root())
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("LOOM_MAX_PREEMPTIONS", PREEMPTIONS_MAX_COUNT);
    if let Some(name) = mutation {
        command.env("RUSTC_WORKSPACE_WRAPPER", wrapper(&target, name)?);
    }
    Ok(command)
}

/// A program that is `rustc` with one more `--cfg`. Its path is part of what cargo remembers of a
/// build, so each mutation has its own objects and a second run builds nothing.
#[cfg(unix)]
fn wrapper(target: &Path, name: &str) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt;

    let folder = target.join("mutations");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let path = folder.join(name);
    let script = format!("#!/bin/sh\nexec \"$@\" --cfg 'mutate=\"{name}\"'\n");
    let unchanged = fs::read_to_string(&path).is_ok_and(|old| old == script);
    if !unchanged {
        let write = fs::write(&path, script)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)));
        write.map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(path)
}

#[cfg(not(unix))]
fn wrapper(_target: &Path, _name: &str) -> Result<PathBuf, String> {
    Err("mutations need a Unix shell".to_owned())
}

#[cfg(test)]
mod tests;
