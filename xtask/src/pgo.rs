//! `cargo xtask pgo`: a release that was optimised with what it does under load.
//!
//! Three builds in one: one that counts which way each branch goes, a run of it under the loads of
//! `icount`, and the release that knows. It wants `llvm-profdata` of a version that can read what
//! rustc writes: `rustup component add llvm-tools`, or LLVM's own package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::icount;
use crate::shell::cargo;
use crate::workspace::{root, stdout_of, target_dir};

#[derive(Args)]
pub(crate) struct Options {
    /// How often the loads are repeated.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
}

/// Builds, loads, builds, and says where the result is.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let profdata = profdata()?;
    let host = host()?;
    let folder = target_dir().join("pgo");
    let raw = folder.join("raw");
    // What an earlier run left counts branches of another program.
    let _ = fs::remove_dir_all(&raw);
    fs::create_dir_all(&raw).map_err(|e| format!("{}: {e}", raw.display()))?;
    let counting = build(
        &host,
        "counting",
        &format!("-Cprofile-generate={}", raw.display()),
    )?;
    for threads in [0, 1] {
        icount::load(&counting, threads, options.rounds, &folder)?;
    }
    let merged = folder.join("merged.profdata");
    let mut merge = Command::new(&profdata);
    merge.arg("merge").arg("-o").arg(&merged).arg(&raw);
    stdout_of(&mut merge)?;
    let flags = format!("-Cprofile-use={}", merged.display());
    let built = build(&host, "release", &flags)?;
    println!("optimised for its loads: {}", built.display());
    Ok(())
}

/// Builds the server with these flags in a folder of its own, and for the host by name: so the
/// flags do not reach build scripts, which would write profiles too.
fn build(host: &str, name: &str, flags: &str) -> Result<PathBuf, String> {
    let folder = target_dir().join("pgo").join(name);
    let mut command = cargo(&["build", "--release", "-p", "server", "--target", host]);
    command
        .arg("--target-dir")
        .arg(&folder)
        .env("RUSTFLAGS", flags)
        .current_dir(root());
    let status = command
        .status()
        .map_err(|e| format!("cannot start cargo: {e}"))?;
    if !status.success() {
        return Err(format!("the build for {name}: {status}"));
    }
    Ok(folder.join(host).join("release").join("httpng"))
}

/// What rustc calls this kind of machine.
fn host() -> Result<String, String> {
    let text = stdout_of(Command::new("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc -vV does not name its host".to_owned())
}

/// The tool that merges profiles: the toolchain's own, or the newest that is installed.
fn profdata() -> Result<PathBuf, String> {
    let sysroot = stdout_of(Command::new("rustc").args(["--print", "sysroot"]))?;
    let own = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(host()?)
        .join("bin/llvm-profdata");
    if own.exists() {
        return Ok(own);
    }
    let versions = (15..100).rev().flat_map(|version| {
        [
            format!("llvm-profdata-{version}"),
            format!("/usr/lib/llvm-{version}/bin/llvm-profdata"),
        ]
    });
    let mut names = versions.chain(["llvm-profdata".to_owned()]);
    names.find(|name| runs(name)).map(PathBuf::from).ok_or_else(|| {
        "llvm-profdata is missing: rustup component add llvm-tools, or install LLVM's package of \
         the version that rustc -vV names"
            .to_owned()
    })
}

fn runs(name: &str) -> bool {
    let mut command = Command::new(name);
    command.arg("--version").stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
