//! The command line as data in, text out.

use clap::Parser as _;

use super::{Args, TxArg};

/// Parses one command line and shows what was understood, or the first line of the complaint.
fn check(line: &str, expected: &str) {
    let words = std::iter::once("httpng").chain(line.split_whitespace());
    let shown = match Args::try_parse_from(words).and_then(Args::validated) {
        Ok(args) => show(&args),
        Err(error) => {
            format!(
                "{}: {}",
                error.exit_code(),
                error.to_string().lines().next().unwrap()
            )
        }
    };
    assert_eq!(shown, expected, "httpng {line}");
}

fn show(args: &Args) -> String {
    let mut words = vec![format!("{:?}", args.program)];
    for listen in &args.listen {
        let scheme = if listen.https { "https" } else { "http" };
        words.push(format!("{scheme}{:?}", listen.resolve().unwrap()));
    }
    words.extend(args.threads.map(|n| format!("threads={n}")));
    words.extend((args.tx != TxArg::Count(1)).then(|| format!("tx={:?}", args.tx)));
    words.push(format!(
        "{:?} {:?} {}",
        args.drain_timeout, args.stuck_after, args.log_level
    ));
    words.extend(args.check.then(|| "check".to_owned()));
    words.extend(args.access_options().map(|log| {
        let file = log
            .file
            .map_or_else(|| "stdout".into(), |file| file.display().to_string());
        format!("log={file},{:?}", log.format)
    }));
    words.extend(args.dev.then(|| "dev".to_owned()));
    words.join(" ")
}

#[test]
fn nothing_means_the_demo() {
    check("", "[] 30s 2s INFO");
}

#[test]
fn what_stands_behind_the_file_belongs_to_the_program() {
    check(
        "--threads 0 app.lua --threads 9 -x --help",
        r#"["app.lua", "--threads", "9", "-x", "--help"] threads=0 30s 2s INFO"#,
    );
    check("-- --odd.lua", r#"["--odd.lua"] 30s 2s INFO"#);
}

#[test]
fn addresses() {
    check("--listen 80", "[] http[0.0.0.0:80, [::]:80] 30s 2s INFO");
    check("--listen :0", "[] http[0.0.0.0:0, [::]:0] 30s 2s INFO");
    check(
        "--listen http://127.0.0.1:8080",
        "[] http[127.0.0.1:8080] 30s 2s INFO",
    );
    check(
        "--cert c --key k --listen https://[::1]:443 --listen 127.0.0.1:1",
        "[] https[[::1]:443] http[127.0.0.1:1] 30s 2s INFO",
    );
}

#[test]
fn nonsense_is_a_usage_error() {
    check("--bogus", "2: error: unexpected argument '--bogus' found");
    check(
        "--threads 257",
        "2: error: invalid value '257' for '--threads <N>': 257 is not in 0..=256",
    );
    check(
        "--listen ::1",
        "2: error: invalid value '::1' for '--listen <ADDRESS>': expected PORT, HOST:PORT or \
         [IPV6]:PORT, https:// may stand in front",
    );
    check(
        "--listen localhost",
        "2: error: invalid value 'localhost' for '--listen <ADDRESS>': a port from 0 to 65535 is \
         expected at the end",
    );
    check(
        "--listen https://:1",
        "2: error: an https:// address in --listen needs --cert and --key",
    );
    check(
        "--cert c --key k",
        "2: error: --cert and --key are for https:// addresses of --listen",
    );
    check(
        "--drain-timeout soon",
        "2: error: invalid value 'soon' for '--drain-timeout <SECONDS>': a number of seconds is \
         expected",
    );
}

#[test]
fn times_and_levels() {
    check(
        "--drain-timeout 0.25 --stuck-after 0 --log-level off --check a.lua",
        r#"["a.lua"] 250ms 0ns OFF check"#,
    );
    check(
        "--log-level loud",
        "2: error: invalid value 'loud' for '--log-level <LEVEL>': expected off, error, warn, \
         info, debug or trace",
    );
}

#[test]
fn times_have_bounds() {
    check("--drain-timeout 31536000", "[] 31536000s 2s INFO");
    let refused = |value: &str| {
        format!(
            "2: error: invalid value '{value}' for '--drain-timeout <SECONDS>': {value} is not \
             between 0 and 31536000 seconds"
        )
    };
    check("--drain-timeout=31536001", &refused("31536001"));
    check("--drain-timeout=-1", &refused("-1"));
    check("--drain-timeout -1", &refused("-1"));
    check("--drain-timeout=inf", &refused("inf"));
    check("--drain-timeout=NaN", &refused("NaN"));
}

#[test]
fn an_access_log_has_a_place_and_a_format() {
    check("--access-log a.log", "[] 30s 2s INFO log=a.log,Combined");
    check(
        "--access-log - --access-log-format json --dev",
        "[] 30s 2s INFO log=stdout,Json dev",
    );
    check(
        "--access-log a --access-log-format common",
        "2: error: invalid value 'common' for '--access-log-format <FORMAT>': expected combined \
         or json",
    );
    check(
        "--access-log-format json",
        "2: error: the following required arguments were not provided:",
    );
}

#[test]
fn lua_threads_have_a_number_or_are_as_many_as_processors() {
    check("--tx 1", "[] 30s 2s INFO");
    check("--tx 2", "[] tx=Count(2) 30s 2s INFO");
    check("--tx 256", "[] tx=Count(256) 30s 2s INFO");
    check("--tx auto", "[] tx=Auto 30s 2s INFO");
    for wrong in ["0", "257", "-1", "many"] {
        check(
            &format!("--tx={wrong}"),
            &format!(
                "2: error: invalid value '{wrong}' for '--tx <K>': expected auto or a number from \
                 1 to 256"
            ),
        );
    }
    check(
        "--tx 2 --draw file",
        "2: error: --draw is for one Lua thread, not for --tx",
    );
    let auto = [0, 1, 8, 300].map(|processors| TxArg::Auto.count(processors));
    assert_eq!(auto, [1, 1, 8, 256]);
    assert_eq!(TxArg::Count(3).count(1), 3);
}
