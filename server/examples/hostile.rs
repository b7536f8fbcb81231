//! Attacks a server and prints what it cost, as a table in Markdown: `cargo xtask hostile`.

#![allow(clippy::print_stdout, reason = "an example speaks to its user")]

use std::io::{BufRead as _, BufReader, Error, Result};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[path = "../tests/it/attacks.rs"]
mod attacks;
#[path = "../tests/it/floods.rs"]
mod floods;
#[path = "../../conformance/frames.rs"]
mod frames;

use attacks::{ATTACKS, Attack, Measured, Target, measure, program};
use floods::FLOODS;

/// Seconds of patience that the server is given, and how long each attack lasts.
const PATIENCE_SECS: u32 = 5;
const LASTING: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let binary = std::env::args().nth(1);
    let binary = binary.ok_or_else(|| Error::other("usage: hostile PATH-OF-HTTPNG"))?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    // Those whose names contain this; all, when nothing is said.
    let wanted = std::env::args().nth(2).unwrap_or_default();
    for attacks in [ATTACKS, FLOODS] {
        println!("| attack | connections or requests | MiB more | others, p95 | thrown out | by |");
        println!("|---|---|---|---|---|---|");
        for attack in attacks.iter().filter(|it| it.name.contains(&wanted)) {
            println!("{}", row(attack, &run(&binary, attack)?));
        }
        println!();
    }
    Ok(())
}

/// Each attack has a server of its own.
fn run(binary: &str, attack: &Attack) -> Result<Measured> {
    let path = std::env::temp_dir().join(format!("hostile-{}.lua", std::process::id()));
    std::fs::write(&path, program(PATIENCE_SECS))?;
    let mut child = Command::new(binary)
        .args(["--listen", "127.0.0.1:0", "--threads", "1"])
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()?;
    let target = target(&mut child)?;
    let measured = measure(target, attack, attack.large, LASTING);
    child.kill()?;
    child.wait()?;
    std::fs::remove_file(&path)?;
    Ok(measured)
}

fn target(child: &mut Child) -> Result<Target> {
    let stderr = child.stderr.take().expect("it was asked for");
    let mut lines = BufReader::new(stderr).lines();
    let line = lines.find_map(|line| line.ok()?.split_once("http://").map(|(_, b)| b.to_owned()));
    let line = line.ok_or_else(|| Error::other("the server does not listen"))?;
    let addr = line.split(' ').next().unwrap_or_default();
    let addr = addr.parse().map_err(Error::other)?;
    std::thread::spawn(move || lines.count());
    let pid = child.id();
    Ok(Target { addr, pid })
}

fn row(attack: &Attack, measured: &Measured) -> String {
    let Measured {
        growth_kib, cut, ..
    } = measured;
    let out = match cut.of {
        0 => "-".to_owned(),
        of => format!("{} of {of}", cut.out),
    };
    let why = cut
        .why
        .map_or_else(|| "-".to_owned(), |why| why.to_string());
    format!(
        "| {} | {} | {:.1} | {:.0} ms | {out} | {why} |",
        attack.name,
        attack.large,
        *growth_kib as f64 / 1024.0,
        measured.p95().as_secs_f64() * 1000.0,
    )
}
