//! `cargo xtask ci`: everything that must hold before a change lands, cheapest first.
//!
//! The steps that compile select the same packages with the same profile, so nothing is built
//! twice: features are unified over the whole workspace in each of them. Lints run member by
//! member all the same, because a feature that a member forgot to ask for is hidden as long as a
//! neighbour asks for it.

use std::process::Command;

use clap::Args;

use crate::shell::{Steps, cargo};
use crate::{loom, tidy, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Leaves out the mutations of the loom models and the documentation.
    #[arg(long)]
    fast: bool,
}

/// Runs the steps in order and stops at the first that fails.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut steps = Steps::default();
    let outcome = all(options, &mut steps);
    println!("\n{}", steps.summary());
    outcome
}

fn all(options: &Options, steps: &mut Steps) -> Result<(), String> {
    steps.command("fmt", &mut cargo(&["fmt", "--all", "--check"]))?;
    steps.step("tidy", tidy::run)?;
    for member in workspace::members()? {
        steps.command(
            &format!("clippy {}", member.name),
            &mut clippy(&member.name),
        )?;
    }
    if !options.fast {
        steps.command("docs", &mut docs())?;
    }
    let units = ["--lib", "--bins", "--examples"];
    steps.command("tests", &mut test(&units))?;
    steps.command("doc tests", &mut test(&["--doc"]))?;
    steps.command("end-to-end tests", &mut test(&["--test", "*"]))?;
    let models_only = options.fast;
    steps.step("loom", || loom::run(&loom::Options { models_only }))
}

fn clippy(member: &str) -> Command {
    cargo(&[
        "clippy",
        "--quiet",
        "-p",
        member,
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

fn test(what: &[&str]) -> Command {
    let mut command = cargo(&["test", "--workspace"]);
    command.args(what);
    command
}

fn docs() -> Command {
    let mut command = cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}
