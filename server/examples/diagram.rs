//! Plays one member of the family of drawings and prints what was recorded.
//!
//! ```sh
//! cargo run -p server --example diagram -- stage2-unlucky
//! ```
//!
//! With `--drawn` behind the member nothing runs: it prints what has to happen.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints a drawing"
)]

use std::process::ExitCode;
use std::time::Duration;

use http_proto::drawing::{Member, render};

/// On loopback everything that happens at all happens much sooner.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(member) = Member::from_name(&name) else {
        let names: Vec<_> = Member::ALL.iter().map(|member| member.name()).collect();
        eprintln!("usage: diagram {} [--drawn]", names.join(" | "));
        return ExitCode::from(2);
    };
    if std::env::args()
        .nth(2)
        .is_some_and(|option| option == "--drawn")
    {
        print!("{}", render(&member.title(), &member.marks()));
        return ExitCode::SUCCESS;
    }
    httpng::logging::install(log::LevelFilter::Warn, false);
    match httpng::drawing::play(member, PATIENCE) {
        Ok(marks) => {
            print!("{}", render(&member.title(), &marks));
            ExitCode::SUCCESS
        }
        Err(complaints) => {
            eprintln!("diagram {name}: {complaints}");
            ExitCode::FAILURE
        }
    }
}
