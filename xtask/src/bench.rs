//! `cargo xtask bench`: what a request costs, beside other servers, in one run.
//!
//! Absolute numbers of two runs cannot be compared: the machine changes under them. So all servers
//! are up during the whole run, each round loads one after another with the same case, and what is
//! reported are medians over the rounds and ratios within a round. The cost is the CPU time of the
//! server's whole process tree, which the load generator's own share of the machine cannot hide.

mod cases;
mod client;
mod crowd;
mod h2load;
mod kinds;
mod load;
mod machine;
mod memory;
mod plot;
mod process;
mod report;
mod servers;
mod surroundings;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::workspace::root;
use cases::Case;
use crowd::Crowd;
use load::Load;
pub(crate) use process::free_port;
use report::{Report, Sample};
use servers::{Fleet, Server};
use surroundings::Surroundings;

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
    /// Measures nothing: draws the ratios of an earlier run, beside its file.
    #[arg(long, value_name = "FILE.json")]
    plot: Option<PathBuf>,
}

/// How long a server is loaded before its first measurement with a case.
const WARM_UP: Duration = Duration::from_secs(1);

/// Builds httpng, measures, prints the tables and writes them to `target/bench`; or draws what was
/// measured before.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    match &options.plot {
        Some(json) => draw(json),
        None => measure_all(options),
    }
}

fn draw(json: &Path) -> Result<(), String> {
    let named = |e: &str| format!("{}: {e}", json.display());
    let drawing = plot::svg(&Report::read(json)?);
    let drawing = drawing.ok_or_else(|| named("nothing was measured beside nginx+lua"))?;
    let path = json.with_extension("svg");
    fs::write(&path, drawing).map_err(|e| format!("{}: {e}", path.display()))?;
    println!("drawn to {}", path.display());
    Ok(())
}

fn measure_all(options: &Options) -> Result<(), String> {
    let selection = cases::select(&options.cases)?;
    let find = || Load::find(&options.load_cpus);
    let load = (!selection.cases.is_empty()).then(find).transpose()?;
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
    if let Some(load) = &load {
        let wanted = (&selection.cases[..], &options.servers[..]);
        load_all(load, wanted, &scratch, pins, &mut report)?;
    }
    if selection.memory {
        let around = Surroundings::make(&scratch, None, false)?;
        memory::measure(&around, &options.servers, &mut report);
        println!("{}", memory::table(&report.memory));
    }
    for line in &report.missing {
        println!("missing: {line}");
    }
    let folder = report.write(&selection)?;
    println!("written to {}", folder.display());
    Ok(())
}

/// First the cases that have a processor for each side, then those with the whole machine.
fn load_all(
    load: &Load,
    (cases, servers): (&[&Case], &[String]),
    scratch: &process::Scratch,
    pins: Option<&str>,
    report: &mut Report,
) -> Result<(), String> {
    for whole in [false, true] {
        let of_kind = |case: &&Case| case.whole.is_some() == whole;
        let cases: Vec<&Case> = cases.iter().copied().filter(of_kind).collect();
        if !cases.is_empty() {
            let around = Surroundings::make(scratch, pins.filter(|_| !whole), whole)?;
            let fleet = Fleet::start(&around, servers, whole)?;
            measure(fleet, load, &cases, &around, report)?;
        }
    }
    Ok(())
}

/// All rounds of these cases, with servers that are up all the time.
fn measure(
    mut fleet: Fleet,
    load: &Load,
    cases: &[&Case],
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<(), String> {
    for case in cases {
        fleet.check(case);
        let (crowd, why) = crowd::admitted(case.crowd, around.open_files);
        report
            .missing
            .extend(why.map(|why| format!("{}: {why}", case.name)));
        let turn = Turn {
            load,
            case,
            crowd,
            scratch: around.scratch,
        };
        for round in 0..report.rounds {
            measure_round(&fleet, &turn, round, report)?;
        }
        println!("{}", tables::table_of(report, case));
    }
    report.missing.extend(fleet.missing());
    Ok(())
}

/// Every server once, beginning with another one in each round.
fn measure_round(
    fleet: &Fleet,
    turn: &Turn<'_>,
    round: u32,
    report: &mut Report,
) -> Result<(), String> {
    let able: Vec<_> = fleet.able(turn.case).collect();
    for place in 0..able.len() {
        let server = able[(place + round as usize) % able.len()];
        if round == 0 {
            turn.load.run(server, turn.case, WARM_UP, turn.scratch)?;
        }
        if turn.case.crowd > 0 {
            turn.measure_with_crowd(server, round, report)?;
        } else {
            turn.measure_once(server, turn.case.name, round, report)?;
        }
    }
    Ok(())
}

/// What every server is given when it is its turn.
struct Turn<'a> {
    load: &'a Load,
    case: &'a Case,
    /// How many of the case's crowd this machine admits.
    crowd: usize,
    scratch: &'a process::Scratch,
}

impl Turn<'_> {
    fn measure_once(
        &self,
        server: &Server,
        name: &str,
        round: u32,
        report: &mut Report,
    ) -> Result<(), String> {
        let time = Duration::from_secs(u64::from(report.seconds));
        let before = server.cpu_time()?;
        let result = self.load.run(server, self.case, time, self.scratch)?;
        let cpu = server.cpu_time()?.saturating_sub(before);
        report.add(Sample::new(server.name(), name, round, cpu, result));
        Ok(())
    }

    /// Without the crowd, and with it. A server that takes no such crowd is left out.
    fn measure_with_crowd(
        &self,
        server: &Server,
        round: u32,
        report: &mut Report,
    ) -> Result<(), String> {
        self.measure_once(server, cases::ALONE, round, report)?;
        match Crowd::gather(server.port(), self.crowd) {
            Ok(crowd) => {
                server.running().wait_until_quiet()?;
                self.measure_once(server, self.case.name, round, report)?;
                drop(crowd);
            }
            Err(why) => report.miss(format!("{} {}: {why}", server.name(), self.case.name)),
        }
        // It is not the next one's fault what closing them costs.
        server.running().wait_until_quiet()
    }
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
