//! What the program tells its caller when it ends: one number, each with one meaning.

use std::process::ExitCode;

/// Why the program ended. The numbers are part of the interface and stand in `httpng --help`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// The program finished, or the server was asked to stop and served what it had begun.
    Done,
    /// The Lua program could not be loaded, or its main fiber ended with an error.
    ProgramFailed,
    /// The command line makes no sense. clap uses the same number by itself.
    Usage,
    /// The machine refused something: an address, a certificate, a thread, a file to draw into.
    Environment,
    /// The drain timeout passed while requests were still running; they were cut.
    DrainCut,
    /// A second signal ended the server at once; its number is inside.
    Signalled(i32),
}

impl Exit {
    /// The number for `exit(2)`. Shells show 128 + n for a program ended by signal n, and so do we.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::ProgramFailed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::DrainCut => 4,
            Self::Signalled(signal) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table of exit codes as `--help` shows it.
pub const EXIT_CODES_HELP: &str = "\
Exit codes:
  0    the program finished, or SIGINT/SIGTERM came and every running request was served
  1    the Lua program could not be loaded or failed
  2    wrong usage
  3    the machine refused: address in use, unreadable certificate, no thread, ...
  4    the drain timeout passed and running requests were cut
  130  a second SIGINT ended the server at once (143 for SIGTERM)";
