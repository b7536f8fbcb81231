//! Workers that are owned together: those that serve, or those that are to end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_worker::{Command, Embedded, WorkerHandle, WorkerStats};
use shuttle_core::Doorbell;

use super::Tally;

/// Some workers. A thread is joined here, its sockets are closed by it.
#[derive(Default)]
pub(super) struct Crew {
    pub(super) threads: Vec<WorkerHandle>,
    /// A part of the Lua thread's loop, and what wakes that when it sleeps there.
    pub(super) embedded: Option<(Box<Embedded>, Arc<dyn Doorbell>)>,
}

impl Crew {
    pub(super) fn is_empty(&self) -> bool {
        self.threads.is_empty() && self.embedded.is_none()
    }

    /// How many threads of their own they are.
    pub(super) fn threads_count(&self) -> usize {
        self.threads.len()
    }

    /// How many listen.
    pub(super) fn size(&self) -> usize {
        self.threads_count().max(1)
    }

    fn has_ended_thread(&self) -> bool {
        self.threads.iter().any(WorkerHandle::is_finished)
    }

    /// Whether one is lost. Known as soon as its shore is left, which wakes the Lua thread.
    pub(super) fn has_left_thread(&self) -> bool {
        self.threads.iter().any(WorkerHandle::has_left)
    }

    pub(super) fn command_all(&self, command: impl Fn() -> Command) {
        for worker in &self.threads {
            worker.command(command());
        }
        if let Some((worker, _)) = &self.embedded {
            worker.command(command());
        }
    }

    /// Gives each one a command of its own, in their order.
    pub(super) fn command_each(&self, commands: impl IntoIterator<Item = Command>) {
        let mut commands = commands.into_iter();
        for (worker, command) in self.threads.iter().zip(&mut commands) {
            worker.command(command);
        }
        if let (Some((worker, _)), Some(command)) = (&self.embedded, commands.next()) {
            worker.command(command);
        }
    }

    /// One step of the embedded one, if there is one that has not ended.
    pub(super) fn turn(&mut self, timeout: Option<Duration>) -> Option<io::Result<usize>> {
        let (worker, _) = self.embedded.as_mut()?;
        (!worker.is_finished()).then(|| worker.turn(timeout))
    }

    pub(super) fn count_into(&self, tally: &mut Tally) {
        for stats in self.stats() {
            tally.add(&stats.snapshot());
        }
    }

    /// The counters of each.
    pub(super) fn stats(&self) -> Vec<Arc<WorkerStats>> {
        let threads = self.threads.iter().map(WorkerHandle::stats);
        let embedded = self.embedded.iter().map(|(worker, _)| worker.stats());
        threads.chain(embedded).collect()
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.threads.len() + usize::from(self.embedded.is_some())
    }

    /// Parts with the threads beyond the first `kept` (which there are), and with the embedded one.
    pub(super) fn split_off(&mut self, kept: usize) -> Self {
        Self {
            threads: self.threads.split_off(kept),
            embedded: self.embedded.take(),
        }
    }

    /// Takes in all of another.
    pub(super) fn join_with(&mut self, other: Self) {
        self.threads.extend(other.threads);
        if other.embedded.is_some() {
            self.embedded = other.embedded;
        }
    }

    /// Takes leave of those that have ended; what they counted is added to `past`. Whether the
    /// embedded one was among them.
    pub(super) fn reap(&mut self, past: &mut Tally) -> bool {
        if self.has_ended_thread() {
            let workers = std::mem::take(&mut self.threads);
            let (ended, alive): (Vec<_>, Vec<_>) =
                workers.into_iter().partition(WorkerHandle::is_finished);
            self.threads = alive;
            for worker in ended {
                past.add(&worker.stats().snapshot());
                join(worker);
            }
        }
        let ended = self.embedded.take_if(|(worker, _)| worker.is_finished());
        if let Some((worker, _)) = &ended {
            past.add(&worker.stats().snapshot());
        }
        ended.is_some()
    }

    /// Ends workers that never served, and waits for them. Their links must be gone: a worker
    /// without its other shore has nothing to wait for.
    pub(super) fn dismiss(self) {
        self.threads
            .iter()
            .for_each(|worker| worker.command(Command::Stop));
        self.threads.into_iter().for_each(join);
    }
}

/// Takes leave of a worker that has ended. Its failure concerns nobody here any more but the log.
fn join(worker: WorkerHandle) {
    if let Err(error) = worker.join() {
        log::error!("a worker ended with an error: {error}");
    }
}
