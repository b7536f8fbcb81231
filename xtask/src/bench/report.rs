//! Samples, their medians and ratios, and the files made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::cases::Selection;
use super::load::Counted;
use super::machine::About;
use super::memory::{self, Found};
use super::{plot, tables};
use crate::workspace::target_dir;

/// The server whose cost is 1 in the column of ratios.
pub(super) const YARDSTICK: &str = "nginx+lua";

/// One measurement: one server, one case, one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) server: String,
    pub(super) case: String,
    pub(super) round: u32,
    /// Processor time of the server's process tree.
    cpu_us: u64,
    #[serde(flatten)]
    pub(super) counted: Counted,
}

impl Sample {
    pub(super) fn new(
        server: &str,
        case: &str,
        round: u32,
        cpu: Duration,
        counted: Counted,
    ) -> Self {
        let cpu_us = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        Self {
            server: server.to_owned(),
            case: case.to_owned(),
            round,
            cpu_us,
            counted,
        }
    }

    pub(super) fn cpu_per_request_us(&self) -> f64 {
        self.cpu_us as f64 / self.counted.requests.max(1) as f64
    }

    pub(super) fn per_second(&self) -> f64 {
        self.counted.requests as f64 * 1e6 / self.counted.micros.max(1) as f64
    }

    pub(super) fn p50_us(&self) -> f64 {
        self.counted.p50_us as f64
    }

    pub(super) fn p99_us(&self) -> f64 {
        self.counted.p99_us as f64
    }
}

/// A number of a sample.
pub(super) type Value = fn(&Sample) -> f64;

/// Everything one run found.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) machine: About,
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    pub(super) missing: Vec<String>,
    pub(super) samples: Vec<Sample>,
    /// Empty where it was not asked for, and in files that are older than it.
    #[serde(default)]
    pub(super) memory: Vec<Found>,
}

impl Report {
    pub(super) fn new(machine: About, rounds: u32, seconds: u32) -> Self {
        Self {
            machine,
            rounds,
            seconds,
            missing: Vec::new(),
            samples: Vec::new(),
            memory: Vec::new(),
        }
    }

    /// What an earlier run has written.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let named = |e: String| format!("{}: {e}", path.display());
        let text = fs::read_to_string(path).map_err(|e| named(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| named(e.to_string()))
    }

    pub(super) fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// Says once what could not be measured.
    pub(super) fn miss(&mut self, line: String) {
        if !self.missing.contains(&line) {
            self.missing.push(line);
        }
    }

    /// The median of a number over the rounds.
    pub(super) fn middle(&self, case: &str, server: &str, value: Value) -> f64 {
        median(self.samples_of(case, server).map(value).collect())
    }

    /// The median, over the rounds, of this server's number divided by another's in that round, or
    /// by its own with another case.
    pub(super) fn ratio(
        &self,
        (case, server): (&str, &str),
        (other_case, other_server): (&str, &str),
        value: Value,
    ) -> Option<f64> {
        let mut ratios = Vec::new();
        for sample in self.samples_of(case, server) {
            let mut others = self.samples_of(other_case, other_server);
            let other = others.find(|other| other.round == sample.round)?;
            ratios.push(value(sample) / value(other));
        }
        (!ratios.is_empty()).then(|| median(ratios))
    }

    /// The servers with samples of a case, in the order of measuring.
    pub(super) fn servers_of(&self, case: &str) -> Vec<&str> {
        let mut servers: Vec<&str> = Vec::new();
        for sample in self.samples.iter().filter(|sample| sample.case == case) {
            if !servers.contains(&sample.server.as_str()) {
                servers.push(&sample.server);
            }
        }
        servers
    }

    pub(super) fn samples_of<'a>(
        &'a self,
        case: &'a str,
        server: &'a str,
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |s| s.case == case && s.server == server)
    }

    /// Writes all samples as JSON, all tables as Markdown and the ratios as a drawing; gives the
    /// folder.
    pub(super) fn write(&self, selection: &Selection) -> Result<PathBuf, String> {
        let folder = target_dir().join("bench");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|e| e.to_string())?;
        let json = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        // The drawing of an earlier run does not belong to this one's tables.
        let _ = fs::remove_file(folder.join(DRAWING));
        let mut files = vec![
            (format!("{}.json", now.as_secs()), json),
            ("latest.md".to_owned(), self.markdown(selection)),
        ];
        files.extend(plot::svg(self).map(|svg| (DRAWING.to_owned(), svg)));
        for (name, text) in files {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(folder)
    }

    fn markdown(&self, selection: &Selection) -> String {
        let Self {
            machine,
            rounds,
            seconds,
            ..
        } = self;
        let mut text = format!("{machine}\n\nMedians of {rounds} rounds of {seconds} s.\n\n");
        for case in &selection.cases {
            text.push_str(&tables::table_of(self, case));
            text.push('\n');
        }
        if !self.memory.is_empty() {
            text.push_str(&memory::table(&self.memory));
            text.push('\n');
        }
        for line in &self.missing {
            text.push_str(&format!("- missing: {line}\n"));
        }
        text
    }
}

/// The ratios of the last run, drawn.
const DRAWING: &str = "latest.svg";

/// The middle value, or the mean of the two in the middle; zero of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::machine;
    use super::*;

    pub(in super::super) fn sample(
        (case, server): (&str, &str),
        round: u32,
        cpu_us: u64,
        requests: u64,
    ) -> Sample {
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
        Sample::new(server, case, round, Duration::from_micros(cpu_us), counted)
    }

    pub(in super::super) fn report(samples: &[Sample]) -> Report {
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
            sample(("c", YARDSTICK), 0, 800, 100),
            sample(("c", "a"), 0, 400, 100),
            sample(("c", "a"), 1, 800, 100),
            sample(("c", YARDSTICK), 1, 1600, 100),
        ]);
        let ratio =
            |server, other| report.ratio(("c", server), ("c", other), Sample::cpu_per_request_us);
        assert_eq!(ratio("a", YARDSTICK), Some(0.5));
        assert_eq!(ratio("a", "nobody"), None);
        assert_eq!(ratio("nobody", "a"), None);
    }

    #[test]
    fn what_is_missing_is_said_once() {
        let mut report = report(&[]);
        report.miss("a: b".to_owned());
        report.miss("a: b".to_owned());
        assert_eq!(report.missing, ["a: b"]);
    }

    #[test]
    fn a_report_is_read_back_also_one_from_before_there_was_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.json");
        let mut json =
            serde_json::to_value(report(&[sample(("c", "a"), 0, 400, 100)])).expect("JSON");
        json.as_object_mut().expect("an object").remove("memory");
        fs::write(&path, json.to_string()).expect("writes");
        let back = Report::read(&path).expect("reads");
        assert_eq!(back.servers_of("c"), ["a"]);
        assert_eq!(back.middle("c", "a", Sample::cpu_per_request_us), 4.0);
        fs::write(&path, "{}").expect("writes");
        let error = Report::read(&path).err().expect("no report");
        assert!(error.contains("run.json"), "{error}");
    }
}
