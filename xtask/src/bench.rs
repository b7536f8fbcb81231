//! `cargo xtask bench`: what a request costs, beside other servers, in one run.
//!
//! Absolute numbers of two runs cannot be compared: the machine changes under them. So all servers
//! are up during the whole run, each round loads one after another with the same case, and what is
//! reported are medians over the rounds and ratios within a round. The cost is the CPU time of the
//! server's whole process tree, which the load generator's own share of the machine cannot hide.

mod cases;
mod h2load;
mod load;
mod machine;
mod process;
mod report;
mod servers;

use std::time::Duration;

use clap::Args;

use crate::workspace::root;
use cases::Case;
use load::Load;
pub(crate) use process::free_port;
use report::{Report, Sample};
use servers::Fleet;

#[derive(Args)]
pub(crate) struct Options {
    /// One round of one second: shows that everything works, measures little.
    #[arg(long)]
    quick: bool,
    /// Only these cases, by name or by the beginning of a name, separated by commas.
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// Only these servers, by name or by the beginning of a name, separated by commas.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// How often each server is measured with each case.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long one measurement lasts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Measures the httpng that is already built.
    #[arg(long)]
    no_build: bool,
    /// Processors of the servers, as taskset understands them.
    #[arg(long, default_value = "0")]
    server_cpus: String,
    /// Processors of the load generator.
    #[arg(long, default_value = "1")]
    load_cpus: String,
}

/// How long a server is loaded before its first measurement with a case.
const WARM_UP: Duration = Duration::from_secs(1);

/// Builds httpng, measures, prints the tables and writes them to `target/bench`.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let cases = cases::select(&options.cases)?;
    let load = Load::find(&options.load_cpus)?;
    if !options.no_build {
        build()?;
    }
    let scratch = process::Scratch::new()?;
    let pins = machine::can_pin().then_some(options.server_cpus.as_str());
    let about = machine::describe(pins, &options.load_cpus);
    println!("{about}");
    let (rounds, seconds) = if options.quick {
        (1, 1)
    } else {
        (options.rounds, options.seconds)
    };
    let mut report = Report::new(about, rounds, seconds);
    for whole in [false, true] {
        let cases: Vec<&Case> = cases.iter().copied().filter(of_kind(whole)).collect();
        if !cases.is_empty() {
            let pins = pins.filter(|_| !whole);
            let fleet = Fleet::start(&scratch, pins, &options.servers, whole)?;
            measure(fleet, &load, &cases, &scratch, &mut report)?;
        }
    }
    for line in &report.missing {
        println!("missing: {line}");
    }
    let folder = report.write(&cases)?;
    println!("written to {}", folder.display());
    Ok(())
}

/// Whether a case has the whole machine, or has not.
fn of_kind(whole: bool) -> impl Fn(&&Case) -> bool {
    move |case| case.whole.is_some() == whole
}

/// All rounds of these cases, with servers that are up all the time.
fn measure(
    mut fleet: Fleet,
    load: &Load,
    cases: &[&Case],
    scratch: &process::Scratch,
    report: &mut Report,
) -> Result<(), String> {
    let seconds = Duration::from_secs(u64::from(report.seconds));
    for case in cases {
        fleet.check(case);
        for round in 0..report.rounds {
            measure_round(&fleet, load, case, (round, seconds), scratch, report)?;
        }
        println!("{}", report.table_of(case));
    }
    report.missing.extend(fleet.missing());
    Ok(())
}

/// Every server once, beginning with another one in each round.
fn measure_round(
    fleet: &Fleet,
    load: &Load,
    case: &Case,
    (round, time): (u32, Duration),
    scratch: &process::Scratch,
    report: &mut Report,
) -> Result<(), String> {
    let able: Vec<_> = fleet.able(case).collect();
    for turn in 0..able.len() {
        let server = able[(turn + round as usize) % able.len()];
        if round == 0 {
            load.run(server, case, WARM_UP, scratch)?;
        }
        let before = server.cpu_time()?;
        let result = load.run(server, case, time, scratch)?;
        let cpu = server.cpu_time()?.saturating_sub(before);
        report.add(Sample::new(server.name(), case.name, round, cpu, result));
    }
    Ok(())
}

pub(crate) fn build() -> Result<(), String> {
    let mut cargo = crate::shell::cargo(&["build", "--release", "-p", "server"]);
    let status = cargo
        .current_dir(root())
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("httpng does not build".to_owned())
    }
}
