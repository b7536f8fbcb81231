//! The workspace's own tools: `cargo xtask ci | tidy | limits | clauses | loom | diagram | bench |
//! icount | pgo | soak | hostile | fuzz`.
//!
//! No crate of the workspace depends on this one and it depends on none of them: it looks at the
//! others from outside, as text, as `cargo metadata` and as processes.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks to its user"
)]

mod bench;
mod ci;
mod diagram;
mod fuzz;
mod hostile;
mod icount;
mod loom;
mod pgo;
mod shell;
mod soak;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The workspace's own tools.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that must hold before a change lands.
    Ci(ci::Options),
    /// The rules of the house, checked on every file.
    Tidy,
    /// Writes docs/limits.md anew from the limits in the code.
    Limits,
    /// The loom models of shuttle-core, and the mutations that each must catch.
    Loom(loom::Options),
    /// Runs one member of the family of drawings and prints what happened, in its notation.
    Diagram(diagram::Options),
    /// Writes docs/conformance.md anew from conformance/clauses.toml.
    Clauses,
    /// Attacks a release build and prints what it cost.
    Hostile,
    /// Fuzzes the parsers; needs cargo-fuzz.
    Fuzz(fuzz::Options),
    /// What a request costs, beside other servers.
    Bench(bench::Options),
    /// How many instructions a request costs, against the numbers before; needs valgrind.
    Icount(icount::Options),
    /// Builds a release that knows what it does under load; needs llvm-profdata.
    Pgo(pgo::Options),
    /// Mixed load for a long time: nothing may grow, nothing may be lost.
    Soak(soak::Options),
}

fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Ci(options) => ci::run(&options),
        Task::Tidy => tidy::run(),
        Task::Limits => tidy::write_limits_page(),
        Task::Loom(options) => loom::run(&options),
        Task::Diagram(options) => diagram::run(&options),
        Task::Clauses => tidy::write_clauses_page(),
        Task::Hostile => hostile::run(),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Icount(options) => icount::run(&options),
        Task::Pgo(options) => pgo::run(&options),
        Task::Soak(options) => soak::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
