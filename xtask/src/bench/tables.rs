//! The tables of a report, in Markdown: a row for each server, in the order of measuring.

use super::cases::{ALONE, Ask, Case};
use super::report::{Report, Sample, Value, YARDSTICK};

/// A column: its title, and what it says of a server.
struct Column<'a> {
    title: String,
    cell: Box<dyn Fn(&str) -> String + 'a>,
}

/// The floor, and the other server with a small language: they have columns where they were
/// measured.
const RAW: &str = "raw epoll";
const H2O: &str = "h2o+mruby";

/// The table of one case.
pub(super) fn table_of(report: &Report, case: &Case) -> String {
    let columns = match case.whole {
        Some(yardstick) => columns_of_speed(report, case, yardstick),
        None => columns_of_cost(report, case),
    };
    let titles: Vec<&str> = columns.iter().map(|c| c.title.as_str()).collect();
    let mut text = format!(
        "### {}\n\n| server | {} |\n|---|",
        case.name,
        titles.join(" | ")
    );
    text.push_str(&"---|".repeat(columns.len()));
    text.push('\n');
    for server in report.servers_of(case.name) {
        let cells: Vec<String> = columns.iter().map(|c| (c.cell)(server)).collect();
        text.push_str(&format!("| {server} | {} |\n", cells.join(" | ")));
    }
    text
}

fn columns_of_speed<'a>(report: &'a Report, case: &'a Case, yardstick: &'a str) -> Vec<Column<'a>> {
    let number = |title, value, digits| number(report, case, title, value, digits);
    let ratio = |value| ratio(report, case, yardstick, value);
    vec![
        number("requests per second", Sample::per_second, 0),
        ratio(Sample::per_second),
        number("median latency, µs", Sample::p50_us, 0),
        number("99 %, µs", Sample::p99_us, 0),
        ratio(Sample::p99_us),
        number("CPU per request, µs", Sample::cpu_per_request_us, 2),
        errors(report, case),
    ]
}

fn columns_of_cost<'a>(report: &'a Report, case: &'a Case) -> Vec<Column<'a>> {
    let number = |title, value, digits| number(report, case, title, value, digits);
    let cost = |yardstick| ratio(report, case, yardstick, Sample::cpu_per_request_us);
    let measured = report.servers_of(case.name);
    let mut columns = vec![
        number("CPU per request, µs", Sample::cpu_per_request_us, 2),
        cost(YARDSTICK),
    ];
    if measured.contains(&RAW) {
        columns.push(cost(RAW));
    }
    if measured.contains(&H2O) && matches!(case.ask, Ask::Streams(_)) {
        columns.push(cost(H2O));
    }
    if case.crowd > 0 {
        columns.push(ratio_to_alone(report, case));
    }
    columns.extend([
        number("requests per second", Sample::per_second, 0),
        number("median latency, µs", Sample::p50_us, 0),
    ]);
    if case.connections == 1 {
        // With more of them it says what requests per second say.
        columns.push(ratio(report, case, YARDSTICK, Sample::p50_us));
    }
    columns.extend([number("99 %, µs", Sample::p99_us, 0), errors(report, case)]);
    columns
}

fn number<'a>(
    report: &'a Report,
    case: &'a Case,
    title: &str,
    value: Value,
    digits: usize,
) -> Column<'a> {
    Column {
        title: title.to_owned(),
        cell: Box::new(move |server| {
            format!("{:.digits$}", report.middle(case.name, server, value))
        }),
    }
}

/// A number beside that of another server in the same rounds.
fn ratio<'a>(report: &'a Report, case: &'a Case, yardstick: &'a str, value: Value) -> Column<'a> {
    Column {
        title: format!("to {yardstick}"),
        cell: Box::new(move |server| {
            said(report.ratio((case.name, server), (case.name, yardstick), value))
        }),
    }
}

/// The cost beside that of the same server without the crowd, in the same rounds.
fn ratio_to_alone<'a>(report: &'a Report, case: &'a Case) -> Column<'a> {
    Column {
        title: "to itself without the crowd".to_owned(),
        cell: Box::new(move |server| {
            let value = Sample::cpu_per_request_us;
            said(report.ratio((case.name, server), (ALONE, server), value))
        }),
    }
}

fn errors<'a>(report: &'a Report, case: &'a Case) -> Column<'a> {
    Column {
        title: "errors".to_owned(),
        cell: Box::new(move |server| {
            let samples = report.samples_of(case.name, server);
            let errors: u64 = samples.map(|sample| sample.counted.errors()).sum();
            errors.to_string()
        }),
    }
}

fn said(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::super::report::tests::{report, sample};
    use super::*;

    fn case(name: &str) -> &'static Case {
        let selection = cases::select(&[name.to_owned()]).expect("there");
        selection.cases[0]
    }

    /// The table of samples: server, round, CPU time, requests.
    fn table(name: &str, samples: &[(&str, u32, u64, u64)]) -> String {
        let samples: Vec<Sample> = samples
            .iter()
            .map(|(server, round, cpu_us, requests)| {
                sample((name, server), *round, *cpu_us, *requests)
            })
            .collect();
        table_of(&report(&samples), case(name))
    }

    #[test]
    fn cost_is_told_with_its_ratio() {
        let table = table(
            "hello-64",
            &[
                (YARDSTICK, 0, 800, 100),
                ("a", 0, 400, 100),
                ("a", 1, 800, 100),
                (YARDSTICK, 1, 1600, 100),
            ],
        );
        assert_eq!(
            table,
            "### hello-64\n\n\
             | server | CPU per request, µs | to nginx+lua | requests per second \
             | median latency, µs | 99 %, µs | errors |\n\
             |---|---|---|---|---|---|---|\n\
             | nginx+lua | 12.00 | 1.00 | 100 | 5 | 9 | 2 |\n\
             | a | 6.00 | 0.50 | 100 | 5 | 9 | 2 |\n"
        );
    }

    #[test]
    fn the_floor_has_a_column_where_it_was_measured() {
        let table = table("hello-64", &[("a", 0, 900, 100), (RAW, 0, 600, 100)]);
        assert!(table.contains("| to nginx+lua | to raw epoll |"), "{table}");
        assert!(table.contains("| a | 9.00 | - | 1.50 | 100 |"), "{table}");
    }

    #[test]
    fn many_streams_are_held_against_h2o_too() {
        let rows = [("a", 0, 600, 100), (H2O, 0, 800, 100)];
        let streams = table("h2-hello-8x32", &rows);
        assert!(
            streams.contains("| a | 6.00 | - | 0.75 | 100 |"),
            "{streams}"
        );
        let one = table("body-64k", &rows);
        assert!(!one.contains("to h2o"), "{one}");
    }

    #[test]
    fn one_connection_is_held_against_the_yardstick_in_latency_too() {
        let table = table("hello-1", &[("a", 0, 600, 100), (YARDSTICK, 0, 800, 100)]);
        let row = "| a | 6.00 | 0.75 | 100 | 5 | 1.00 | 9 | 1 |";
        assert!(table.contains(row), "{table}");
    }

    #[test]
    fn a_crowd_is_held_against_the_same_server_without_it() {
        let name = "hello-64-of-15000";
        let samples = [
            sample((ALONE, "a"), 0, 500, 100),
            sample((name, "a"), 0, 600, 100),
            // Twice as slow a machine.
            sample((ALONE, "a"), 1, 1000, 100),
            sample((name, "a"), 1, 1200, 100),
        ];
        let table = table_of(&report(&samples), case(name));
        assert!(table.contains("| to itself without the crowd |"), "{table}");
        assert!(table.contains("| a | 9.00 | - | 1.20 | 100 |"), "{table}");
    }

    #[test]
    fn with_the_whole_machine_speed_and_lateness_are_compared_within_a_round() {
        let case = case("machine-hello");
        let of_case = |server, round, requests, late| {
            let mut sample = sample((case.name, server), round, 1_000, requests);
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
        let table = table_of(&report, case);
        let row = "| a | 225 | 1.50 | 5 | 30 | 2.00 | 5.00 | 2 |";
        assert!(table.contains(row), "{table}");
    }

    #[test]
    fn without_the_yardstick_there_is_no_ratio() {
        let table = table("hello-64", &[("a", 0, 400, 100)]);
        assert!(table.contains("| a | 4.00 | - | 100 |"), "{table}");
    }
}
