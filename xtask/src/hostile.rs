//! `cargo xtask hostile`: attacks a release build and prints what it cost, as in docs/hostile.md.

use crate::shell::{Steps, cargo};
use crate::workspace::target_dir;

/// Builds the server, then lets its example attack it.
pub(crate) fn run() -> Result<(), String> {
    let mut steps = Steps::default();
    let build = [
        "build",
        "--release",
        "-p",
        "server",
        "--bins",
        "--example",
        "hostile",
    ];
    steps.command("build", &mut cargo(&build))?;
    let binary = target_dir().join("release/httpng");
    let mut attack = cargo(&[
        "run",
        "--release",
        "-q",
        "-p",
        "server",
        "--example",
        "hostile",
    ]);
    attack.arg("--").arg(binary);
    steps.command("attack", &mut attack)
}
