//! Samples, their medians and ratios, and the tables made of them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::cases::Case;
use super::load::Counted;
use super::machine::About;
use crate::workspace::target_dir;

/// The server whose cost is 1 in the column of ratios.
const YARDSTICK: &str = "nginx+lua";

/// One measurement: one server, one case, one round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sample {
    server: String,
    case: &'static str,
    round: u32,
    /// Processor time of the server's process tree.
    cpu_us: u64,
    #[serde(flatten)]
    counted: Counted,
}

impl Sample {
    pub(super) fn new(
        server: &str,
        case: &'static str,
        round: u32,
        cpu: Duration,
        counted: Counted,
    ) -> Self {
        let cpu_us = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        Self {
            server: server.to_owned(),
            case,
            round,
            cpu_us,
            counted,
        }
    }

    fn cpu_per_request_us(&self) -> f64 {
        self.cpu_us as f64 / self.counted.requests.max(1) as f64
    }

    fn per_second(&self) -> f64 {
        self.counted.requests as f64 * 1e6 / self.counted.micros.max(1) as f64
    }
}

/// Everything one run found.
#[derive(Serialize)]
pub(super) struct Report {
    machine: About,
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    pub(super) missing: Vec<String>,
    samples: Vec<Sample>,
}

impl Report {
    pub(super) fn new(machine: About, rounds: u32, seconds: u32) -> Self {
        Self {
            machine,
            rounds,
            seconds,
            missing: Vec::new(),
            samples: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// The table of one case in Markdown: a row for each server, in the order of measuring.
    pub(super) fn table_of(&self, case: &Case) -> String {
        match case.whole {
            Some(yardstick) => self.table_of_speed(case, yardstick),
            None => self.table_of_cost(case),
        }
    }

    fn table_of_speed(&self, case: &Case, yardstick: &str) -> String {
        let mut text = format!("### {}\n\n", case.name);
        text.push_str(&format!(
            "| server | requests per second | to {yardstick} | median latency, µs | 99 %, µs | \
             to {yardstick} | CPU per request, µs | errors |\n|---|---|---|---|---|---|---|---|\n",
        ));
        for server in self.servers_of(case) {
            let samples: Vec<&Sample> = self.samples_of(case, server).collect();
            let middle = |value: &dyn Fn(&Sample) -> f64| {
                median(samples.iter().map(|sample| value(sample)).collect())
            };
            let late = |sample: &Sample| sample.counted.p99_us as f64;
            let ratio = |value: &dyn Fn(&Sample) -> f64| {
                let ratio = self.ratio_to(case, server, yardstick, value);
                ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
            };
            let errors: u64 = samples.iter().map(|sample| sample.counted.errors()).sum();
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "| {server} | {:.0} | {} | {:.0} | {:.0} | {} | {:.2} | {errors} |",
                middle(&Sample::per_second),
                ratio(&Sample::per_second),
                middle(&|sample| sample.counted.p50_us as f64),
                middle(&late),
                ratio(&late),
                middle(&Sample::cpu_per_request_us),
            );
        }
        text
    }

    fn table_of_cost(&self, case: &Case) -> String {
        let mut text = format!("### {}\n\n", case.name);
        text.push_str("| server | CPU per request, µs | to nginx+lua | requests per second ");
        text.push_str(
            "| median latency, µs | 99 %, µs | errors |\n|---|---|---|---|---|---|---|\n",
        );
        for server in self.servers_of(case) {
            let samples: Vec<&Sample> = self.samples_of(case, server).collect();
            let middle = |value: &dyn Fn(&Sample) -> f64| {
                median(samples.iter().map(|sample| value(sample)).collect())
            };
            let errors: u64 = samples.iter().map(|sample| sample.counted.errors()).sum();
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "| {server} | {:.2} | {} | {:.0} | {:.0} | {:.0} | {errors} |",
                middle(&Sample::cpu_per_request_us),
                self.ratio(case, server)
                    .map_or_else(|| "-".to_owned(), |r| format!("{r:.2}")),
                middle(&Sample::per_second),
                middle(&|sample| sample.counted.p50_us as f64),
                middle(&|sample| sample.counted.p99_us as f64),
            );
        }
        text
    }

    /// The median, over the rounds, of this server's cost divided by the yardstick's in that round.
    fn ratio(&self, case: &Case, server: &str) -> Option<f64> {
        self.ratio_to(case, server, YARDSTICK, &Sample::cpu_per_request_us)
    }

    /// The same for any number, and beside any other server.
    fn ratio_to(
        &self,
        case: &Case,
        server: &str,
        yardstick: &str,
        value: &dyn Fn(&Sample) -> f64,
    ) -> Option<f64> {
        let mut ratios = Vec::new();
        for sample in self.samples_of(case, server) {
            let mut others = self.samples_of(case, yardstick);
            let other = others.find(|other| other.round == sample.round)?;
            ratios.push(value(sample) / value(other));
        }
        (!ratios.is_empty()).then(|| median(ratios))
    }

    fn servers_of(&self, case: &Case) -> Vec<&str> {
        let of_case = self
            .samples
            .iter()
            .filter(|s| s.case == case.name && s.round == 0);
        of_case.map(|sample| sample.server.as_str()).collect()
    }

    fn samples_of<'a>(&'a self, case: &Case, server: &str) -> impl Iterator<Item = &'a Sample> {
        let name = case.name;
        self.samples
            .iter()
            .filter(move |s| s.case == name && s.server == server)
    }

    /// Writes all samples as JSON and all tables as Markdown; gives the folder.
    pub(super) fn write(&self, cases: &[&Case]) -> Result<PathBuf, String> {
        let folder = target_dir().join("bench");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|e| e.to_string())?;
        let json = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        let files = [
            (format!("{}.json", now.as_secs()), json),
            ("latest.md".to_owned(), self.markdown(cases)),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(folder)
    }

    fn markdown(&self, cases: &[&Case]) -> String {
        let Self {
            machine,
            rounds,
            seconds,
            ..
        } = self;
        let mut text = format!("{machine}\n\nMedians of {rounds} rounds of {seconds} s.\n\n");
        for case in cases {
            text.push_str(&self.table_of(case));
            text.push('\n');
        }
        for line in &self.missing {
            text.push_str(&format!("- missing: {line}\n"));
        }
        text
    }
}

/// The middle value, or the mean of the two in the middle; zero of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{cases, machine};
    use super::*;

    fn sample(server: &str, round: u32, cpu_us: u64, requests: u64) -> Sample {
        let counted = Counted {
            requests,
            bytes: 0,
            micros: 1_000_000,
            non_2xx: 0,
            connect_errors: 0,
            read_errors: 0,
            write_errors: 0,
            timeouts: 1,
            p50_us: 5,
            p99_us: 9,
        };
        Sample::new(
            server,
            "hello-64",
            round,
            Duration::from_micros(cpu_us),
            counted,
        )
    }

    fn case() -> &'static Case {
        cases::select(&["hello-64".to_owned()]).expect("there")[0]
    }

    fn report(samples: &[Sample]) -> Report {
        let mut report = Report::new(machine::describe(None, "1"), 2, 1);
        samples
            .iter()
            .cloned()
            .for_each(|sample| report.add(sample));
        report
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round ran on a machine twice as slow: the ratio does not see it.
        let report = report(&[
            sample(YARDSTICK, 0, 800, 100),
            sample("a", 0, 400, 100),
            sample("a", 1, 800, 100),
            sample(YARDSTICK, 1, 1600, 100),
        ]);
        assert_eq!(report.ratio(case(), "a"), Some(0.5));
        let table = report.table_of(case());
        assert!(
            table.contains("| a | 6.00 | 0.50 | 100 | 5 | 9 | 2 |"),
            "{table}"
        );
    }

    #[test]
    fn with_the_whole_machine_speed_and_lateness_are_compared_within_a_round() {
        let case = cases::select(&["machine-hello".to_owned()]).expect("there")[0];
        let of_case = |server, round, requests, late| {
            let mut sample = sample(server, round, 1_000, requests);
            sample.case = case.name;
            sample.counted.p99_us = late;
            sample
        };
        let yardstick = case.whole.expect("the whole machine");
        let report = report(&[
            of_case("a", 0, 300, 20),
            of_case(yardstick, 0, 200, 10),
            of_case("a", 1, 150, 40),
            of_case(yardstick, 1, 100, 20),
        ]);
        let table = report.table_of(case);
        let row = "| a | 225 | 1.50 | 5 | 30 | 2.00 | 5.00 | 2 |";
        assert!(table.contains(row), "{table}");
    }

    #[test]
    fn without_the_yardstick_there_is_no_ratio() {
        let table = report(&[sample("a", 0, 400, 100)]).table_of(case());
        assert!(table.contains("| a | 4.00 | - | 100 |"), "{table}");
    }
}
