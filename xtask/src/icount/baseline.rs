//! What was counted before, in `bench/icount.txt`: a name and a number in each line.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// How far a number may be from the one before, in thousandths: batches differ a little from run
/// to run, and another compiler moves everything by some percent.
const TOLERANCE_PERMILLE: u64 = 50;

const HEADER: &str = "\
# Instructions of the server for one request, by callgrind. `cargo xtask icount` compares with
# them, `cargo xtask icount --write` replaces them.
";

/// Numbers by name.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    before: BTreeMap<String, u64>,
    now: BTreeMap<String, u64>,
}

/// How a number stands to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There was none.
    New,
    /// Near it: so many thousandths more.
    Near(i64),
    /// Less than is allowed without saying so.
    Better,
    /// More than is allowed.
    Worse,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("not in the baseline"),
            Self::Near(permille) => write!(f, "{:+.1} %", *permille as f64 / 10.0),
            Self::Better => f.write_str("fewer than the baseline: write it anew"),
            Self::Worse => f.write_str("MORE THAN THE BASELINE"),
        }
    }
}

impl Baseline {
    /// Reads the file; one that is not there has nothing in it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("{}: {e}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut before = BTreeMap::new();
        for (place, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = line
                .split_once(' ')
                .and_then(|(name, number)| Some((name.to_owned(), number.trim().parse().ok()?)));
            let Some((name, number)) = number else {
                return Err(format!(
                    "line {} is not a name and a number: {line}",
                    place + 1
                ));
            };
            before.insert(name, number);
        }
        Ok(Self {
            now: before.clone(),
            before,
        })
    }

    pub(super) fn compare(&self, name: &str, counted: u64) -> Verdict {
        let Some(&before) = self.before.get(name) else {
            return Verdict::New;
        };
        let permille = (counted as i64 - before as i64) * 1000 / before.max(1) as i64;
        match permille.unsigned_abs() > TOLERANCE_PERMILLE {
            false => Verdict::Near(permille),
            true if permille < 0 => Verdict::Better,
            true => Verdict::Worse,
        }
    }

    pub(super) fn set(&mut self, name: &str, counted: u64) {
        self.now.insert(name.to_owned(), counted);
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        fs::write(path, self.text()).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn text(&self) -> String {
        let lines = self
            .now
            .iter()
            .map(|(name, number)| format!("{name} {number}\n"));
        std::iter::once(HEADER.to_owned()).chain(lines).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_with_those_before() {
        let baseline = Baseline::parse("# x\n\na 1000\nb 7\n").expect("a good text");
        for (name, counted, expected) in [
            ("a", 1000, Verdict::Near(0)),
            ("a", 1050, Verdict::Near(50)),
            ("a", 1051, Verdict::Worse),
            ("a", 950, Verdict::Near(-50)),
            ("a", 949, Verdict::Better),
            ("c", 1, Verdict::New),
        ] {
            assert_eq!(
                baseline.compare(name, counted),
                expected,
                "{name} {counted}"
            );
        }
    }

    #[test]
    fn what_was_not_counted_stays_as_it_was() {
        let mut baseline = Baseline::parse("a 1000\nb 7\n").expect("a good text");
        baseline.set("b", 8);
        assert_eq!(baseline.text(), format!("{HEADER}a 1000\nb 8\n"));
        Baseline::parse(&baseline.text()).expect("it reads what it writes");
        let error = Baseline::parse("a 1\nb\n").expect_err("no number");
        assert!(error.starts_with("line 2 "), "{error}");
    }
}
