//! `--draw FILE`: every request, drawn as it went.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http_proto::drawing::{Mark, Witness, render};

use super::{Shore, Watch};
use crate::limits;

/// A file that gets the drawing of each request when that request is over: its shuttle was freed
/// and its fiber, if it got one, has ended.
pub struct DrawFile(Arc<Mutex<State>>);

struct State {
    file: File,
    drawn: u64,
    open: HashMap<u64, Vec<Mark>>,
}

impl DrawFile {
    /// Makes the file anew. Blocks on the file system, as every witness of it does later.
    ///
    /// # Errors
    /// The system's.
    pub fn create(path: &Path) -> io::Result<Self> {
        let state = State {
            file: File::create(path)?,
            drawn: 0,
            open: HashMap::new(),
        };
        Ok(Self(Arc::new(Mutex::new(state))))
    }
}

impl Watch for DrawFile {
    fn witness(&self, _shore: Shore) -> Box<dyn Witness> {
        Box::new(Pencil(Arc::clone(&self.0)))
    }
}

struct Pencil(Arc<Mutex<State>>);

impl Witness for Pencil {
    fn mark(&mut self, mark: Mark, worker_ticket: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if mark == Mark::RequestArrives {
            // The worker may use a ticket again; what is left of its last request ends here.
            state.finish(worker_ticket);
            state.bound();
        }
        let marks = state.open.entry(worker_ticket).or_default();
        marks.push(mark);
        if is_over(marks) {
            state.finish(worker_ticket);
        }
    }
}

/// Freed, its body's shuttle too, and no fiber of it still runs.
fn is_over(marks: &[Mark]) -> bool {
    let seen = |mark| marks.contains(&mark);
    seen(Mark::FreeShuttle)
        && (seen(Mark::FreeBodyShuttle) || !seen(Mark::AllocateBodyShuttle))
        && (seen(Mark::ExitFiber) || !seen(Mark::ShuttleToFiber))
}

impl State {
    fn finish(&mut self, ticket: u64) {
        let Some(marks) = self.open.remove(&ticket) else {
            return;
        };
        self.drawn += 1;
        let title = format!("httpng, request {}", self.drawn);
        if let Err(error) = writeln!(self.file, "{}", render(&title, &marks)) {
            log::error!("a drawing is lost: {error}");
        }
    }
}

impl State {
    /// Requests that the worker answers by itself never come to an end here: now and then what
    /// has gathered is written out.
    fn bound(&mut self) {
        if self.open.len() >= limits::DRAWINGS_OPEN_MAX_COUNT {
            self.finish_all();
        }
    }

    fn finish_all(&mut self) {
        let mut tickets: Vec<_> = self.open.keys().copied().collect();
        tickets.sort_unstable();
        for ticket in tickets {
            self.finish(ticket);
        }
    }
}

impl Drop for State {
    /// Requests that were cut by the end of the program are worth seeing too.
    fn drop(&mut self) {
        self.finish_all();
    }
}

#[cfg(test)]
mod tests;
