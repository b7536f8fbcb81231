//! The sink behind the `log` facade: one line per message on standard error.
//!
//! ```text
//! 2026-11-22T11:02:59.120Z INFO  httpng: listening on http://0.0.0.0:3300
//! ```

use std::io::Write as _;

use log::LevelFilter;

pub mod access;

/// Installs the sink for the whole process. A second call changes nothing: one process, one log.
/// With `names_threads` each line says which thread it comes from.
pub fn install(level: LevelFilter, names_threads: bool) {
    let installed = env_logger::Builder::new()
        .filter_level(level)
        .format(move |out, record| {
            let target = short_target(record.target());
            let time = out.timestamp_millis();
            let thread = std::thread::current();
            let thread = thread.name().filter(|_| names_threads).unwrap_or_default();
            let gap = if thread.is_empty() { "" } else { " " };
            writeln!(
                out,
                "{time} {:<5} {thread}{gap}{target}: {}",
                record.level(),
                one_line(record.args())
            )
        })
        .try_init();
    drop(installed);
}

/// The crate of a module path: readers look for the part of the program, not for the file.
fn short_target(target: &str) -> &str {
    target.split("::").next().unwrap_or(target)
}

/// A message keeps its line breaks (tracebacks are meant to be read) but each further line is
/// indented, so that a line that starts with a time is always a new message: a handler that logs
/// what a client sent must not let the client forge log lines.
fn one_line(message: &std::fmt::Arguments<'_>) -> String {
    let text = message.to_string();
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\n    "),
            '\t' => shown.push('\t'),
            other if other.is_control() => shown.extend(other.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
