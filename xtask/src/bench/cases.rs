//! The cases: what is asked, over how many connections, and what a right answer is.

/// What the load generator sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// One GET at a time on each connection.
    Get,
    /// One POST at a time with a body of so many bytes.
    Post(usize),
    /// So many GETs at once on each connection.
    Pipeline(usize),
    /// HTTP/2, so many GETs at once on each connection.
    Streams(usize),
}

/// One row of work.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) tls: bool,
    pub(super) connections: usize,
    pub(super) ask: Ask,
    /// Length of the body of a right answer.
    pub(super) answer_bytes: usize,
    /// Servers and load have the whole machine, and what counts is speed, beside that of the server
    /// of this name. Absent: a processor each, and what counts is cost.
    pub(super) whole: Option<&'static str>,
    /// Other connections that are open meanwhile, each idle after one request. Each server is
    /// measured without them as well, just before.
    pub(super) crowd: usize,
}

impl Case {
    /// One small answer at a time, in clear text, whatever the number of connections.
    pub(super) fn is_plain_hello(&self) -> bool {
        self.path == "/hello" && !self.tls && self.ask == Ask::Get
    }
}

/// What is measured without the crowd beside a case with one; in the samples only.
pub(super) const ALONE: &str = "hello-64-of-64";

/// Not a load: starts, and resident memory.
pub(super) const MEMORY: &str = "memory";

const fn get(name: &'static str, path: &'static str, connections: usize, bytes: usize) -> Case {
    Case {
        name,
        path,
        tls: false,
        connections,
        ask: Ask::Get,
        answer_bytes: bytes,
        whole: None,
        crowd: 0,
    }
}

const fn whole(yardstick: &'static str, case: Case) -> Case {
    Case {
        whole: Some(yardstick),
        ..case
    }
}

const KIB: usize = 1024;

/// All of them, in the order of the tables.
pub(super) const CASES: &[Case] = &[
    get("hello-1", "/hello", 1, 14),
    get("hello-64", "/hello", 64, 14),
    Case {
        crowd: 15_000,
        ..get("hello-64-of-15000", "/hello", 64, 14)
    },
    get("hello-512", "/hello", 512, 14),
    Case {
        tls: true,
        ..get("hello-tls-64", "/hello", 64, 14)
    },
    get("body-64k", "/64k", 64, 64 * KIB),
    get("body-1m", "/1m", 16, KIB * KIB),
    get("file-1k", "/files/1k", 64, KIB),
    get("file-1m", "/files/1m", 16, KIB * KIB),
    get("stream-64x16k", "/stream", 16, KIB * KIB),
    get("ticks-1000x16", "/ticks", 16, 16 * 1000),
    get("ticks-flushed-1000x16", "/ticks-flushed", 16, 16 * 1000),
    Case {
        ask: Ask::Post(16 * KIB),
        ..get("echo-16k", "/echo", 64, 16 * KIB)
    },
    Case {
        ask: Ask::Pipeline(16),
        ..get("pipeline-16", "/hello", 64, 14)
    },
    Case {
        ask: Ask::Streams(32),
        ..get("h2-hello-8x32", "/hello", 8, 14)
    },
    Case {
        ask: Ask::Streams(32),
        tls: true,
        ..get("h2-hello-tls-8x32", "/hello", 8, 14)
    },
    Case {
        ask: Ask::Streams(8),
        ..get("h2-64k-8x8", "/64k", 8, 64 * KIB)
    },
    Case {
        ask: Ask::Streams(8),
        tls: true,
        ..get("h2-64k-tls-8x8", "/64k", 8, 64 * KIB)
    },
    whole(
        "nginx+lua workers=2",
        get("machine-hello", "/hello", 64, 14),
    ),
    whole("httpng threads=0", get("machine-lua20", "/lua20", 16, 14)),
    whole("httpng threads=0", get("machine-lua100", "/lua100", 16, 14)),
];

/// What is measured in a run.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) cases: Vec<&'static Case>,
    pub(super) memory: bool,
}

/// What has a name that begins with one of `wanted`, or everything when nothing is wanted.
pub(super) fn select(wanted: &[String]) -> Result<Selection, String> {
    let names = || CASES.iter().map(|case| case.name).chain([MEMORY]);
    for beginning in wanted {
        if !names().any(|name| name.starts_with(beginning.as_str())) {
            let names: Vec<&str> = names().collect();
            return Err(format!(
                "no case `{beginning}`: there are {}",
                names.join(", ")
            ));
        }
    }
    let is_wanted = |name: &str| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|beginning| name.starts_with(beginning.as_str()))
    };
    Ok(Selection {
        cases: CASES.iter().filter(|case| is_wanted(case.name)).collect(),
        memory: is_wanted(MEMORY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &[&str]) -> Result<Vec<&'static str>, String> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let selection = select(&wanted)?;
        let names = selection.cases.iter().map(|case| case.name);
        Ok(names.chain(selection.memory.then_some(MEMORY)).collect())
    }

    #[test]
    fn nothing_wanted_is_everything() {
        assert_eq!(names(&[]).expect("all").len(), CASES.len() + 1);
    }

    #[test]
    fn memory_can_be_asked_for_alone_and_left_out() {
        assert_eq!(names(&["memory"]).expect("alone"), [MEMORY]);
        assert_eq!(names(&["hello-1"]).expect("without"), ["hello-1"]);
    }

    #[test]
    fn the_floor_is_for_small_answers_one_at_a_time() {
        let plain = CASES.iter().filter(|case| case.is_plain_hello());
        let plain: Vec<_> = plain
            .filter(|c| c.whole.is_none())
            .map(|c| c.name)
            .collect();
        assert_eq!(
            plain,
            ["hello-1", "hello-64", "hello-64-of-15000", "hello-512"]
        );
    }

    #[test]
    fn a_beginning_selects() {
        assert_eq!(names(&["hello-tls", "body"]).expect("three").len(), 3);
        assert!(
            names(&["goodbye"])
                .expect_err("unknown")
                .contains("hello-64")
        );
    }
}
