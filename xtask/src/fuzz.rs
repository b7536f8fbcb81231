//! `cargo xtask fuzz`: the targets of `fuzz/`, one after the other.
//!
//! cargo-fuzz wants unstable flags of the compiler; `RUSTC_BOOTSTRAP` lets the stable one take
//! them. No sanitizer: the code under test forbids `unsafe`, and what it must not do it asserts.

use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::shell::Steps;
use crate::workspace::root;

/// Longest input that is tried: several requests fit.
const INPUT_MAX_BYTES: usize = 600;

#[derive(Args)]
pub(crate) struct Options {
    /// Which targets; all of them when none is named.
    targets: Vec<String>,
    /// Seconds for each. 0 replays the corpus and tries nothing new.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Stops at the first target that finds something; the input lies in `fuzz/artifacts`.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut targets = options.targets.clone();
    if targets.is_empty() {
        targets = all(&root())?;
    }
    let mut steps = Steps::default();
    let mut outcome = Ok(());
    for target in &targets {
        outcome = outcome.and_then(|()| steps.command(target, &mut command(target, options)));
    }
    println!("\n{}", steps.summary());
    outcome
}

fn all(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let names = files.filter_map(|file| file.ok()?.path().file_stem()?.to_str().map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

fn command(target: &str, options: &Options) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["fuzz", "run", "--sanitizer", "none", target, "--"]);
    command.arg(format!("-max_len={INPUT_MAX_BYTES}"));
    command.arg("-dict=fuzz/http.dict");
    command.arg(match options.seconds {
        0 => "-runs=0".to_owned(),
        seconds => format!("-max_total_time={seconds}"),
    });
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_corpus_and_every_corpus_a_target() {
        let mut corpora: Vec<String> = std::fs::read_dir(root().join("fuzz/corpus"))
            .expect("corpora")
            .filter_map(|folder| folder.ok()?.file_name().into_string().ok())
            .collect();
        corpora.sort();
        assert_eq!(corpora, all(&root()).expect("targets"));
    }
}
