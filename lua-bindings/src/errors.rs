//! What can go wrong on the Lua side, as the embedding program sees it.

use std::fmt;

use crate::raw::Failure;

/// An error of a Lua program, or of getting it to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LuaFault {
    line: String,
    traceback: String,
}

impl LuaFault {
    /// A fault that has no Lua traceback.
    pub(crate) fn plain(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            traceback: String::new(),
        }
    }

    /// What happened and where, in one line.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The Lua traceback; empty if there is none (the program did not compile, a file could not be
    /// read).
    #[must_use]
    pub fn traceback(&self) -> &str {
        &self.traceback
    }
}

impl fmt::Display for LuaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::error::Error for LuaFault {}

impl From<Failure> for LuaFault {
    fn from(failure: Failure) -> Self {
        Self {
            line: one_line(&failure.message),
            traceback: failure.traceback,
        }
    }
}

/// The first line of a message.
pub(crate) fn one_line(message: &str) -> String {
    let mut lines = message.lines();
    let first = lines.next().unwrap_or("an error without a message");
    if lines.next().is_some() {
        format!("{first} ...")
    } else {
        first.to_owned()
    }
}
