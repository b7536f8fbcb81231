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
}

const fn get(name: &'static str, path: &'static str, connections: usize, bytes: usize) -> Case {
    Case {
        name,
        path,
        tls: false,
        connections,
        ask: Ask::Get,
        answer_bytes: bytes,
        whole: None,
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

/// The cases whose name begins with one of `wanted`, or all of them when nothing is wanted.
pub(super) fn select(wanted: &[String]) -> Result<Vec<&'static Case>, String> {
    for name in wanted {
        if !CASES
            .iter()
            .any(|case| case.name.starts_with(name.as_str()))
        {
            let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
            return Err(format!("no case `{name}`: there are {}", names.join(", ")));
        }
    }
    let is_wanted = |case: &&Case| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|name| case.name.starts_with(name.as_str()))
    };
    Ok(CASES.iter().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &[&str]) -> Result<Vec<&'static str>, String> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        Ok(select(&wanted)?.into_iter().map(|case| case.name).collect())
    }

    #[test]
    fn nothing_wanted_is_everything() {
        assert_eq!(names(&[]).expect("all").len(), CASES.len());
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
