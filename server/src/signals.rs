//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once. SIGUSR1 and
//! SIGHUP: access logs are opened anew. A SIGHUP that was ignored when the program began stays so.
//!
//! A thread of its own waits for them. A Lua thread may be in a loop that never yields, so
//! neither the second signal nor the bound of the drain may depend on it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use shuttle_core::Doorbell;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator;

use crate::exit::Exit;
use crate::logging::access::Hub;

/// Whether the server has been asked to end, and by which signal. Cheap to clone; any thread.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicI32>);

/// No signal: another Lua thread of this process has failed.
const FAILURE: i32 = -1;

impl StopFlag {
    /// Asks for an end as this signal does. Returns whether a signal had asked before.
    pub fn ask(&self, signal: i32) -> bool {
        self.0.swap(signal, Ordering::SeqCst) > 0
    }

    /// Asks the other Lua threads for an end, because one has failed, unless somebody has asked
    /// before.
    pub fn fail(&self) {
        let (order, known) = (Ordering::SeqCst, Ordering::SeqCst);
        // Whoever has asked before goes on to be the reason.
        let _ = self.0.compare_exchange(0, FAILURE, order, known);
    }

    /// The signal that came, or what [`name`] knows as one, if it is to end.
    pub fn asked(&self) -> Option<i32> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }
}

/// Starts the thread that waits for signals. `wake` is rung when the first one came; `hard_limit`
/// later the process ends by itself, whatever the Lua threads do.
///
/// # Errors
/// When the handlers cannot be installed or the thread cannot be started.
pub fn watch(
    flag: StopFlag,
    wake: Arc<dyn Doorbell>,
    hard_limit: Duration,
    logs: Hub,
) -> io::Result<()> {
    let mut signals = iterator::Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    if !is_hangup_ignored() {
        signals.add_signal(SIGHUP)?;
    }
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if matches!(signal, SIGUSR1 | SIGHUP) {
                    reopen(&logs, signal);
                    continue;
                }
                if flag.ask(signal) {
                    end_now(Exit::Signalled(signal), "a second signal: ending at once");
                }
                wake.ring();
                end_later(hard_limit);
            }
        })?;
    Ok(())
}

/// Whether whoever started the program wants it to outlive the terminal, as nohup(1) does. Known
/// only where the kernel tells it in a file.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

/// Opens access logs anew. Where there is none, SIGHUP keeps its usual meaning: the terminal has
/// gone.
fn reopen(logs: &Hub, signal: i32) {
    if !logs.reopen() && signal == SIGHUP {
        // It ends the process, so there is nobody to hear of a failure but the log.
        if let Err(error) = signal_hook::low_level::emulate_default_handler(SIGHUP) {
            log::error!("SIGHUP has no effect: {error}");
        }
    }
}

/// The name that people use.
pub fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        FAILURE => "another Lua thread has failed",
        _ => "a signal",
    }
}

/// Ends the process after a while, unless it has ended by then.
fn end_later(limit: Duration) {
    let spawned = std::thread::Builder::new()
        .name("last resort".to_owned())
        .spawn(move || {
            std::thread::sleep(limit);
            end_now(
                Exit::DrainCut,
                "the drain timeout passed and a fiber does not yield: ending",
            );
        });
    if let Err(error) = spawned {
        log::error!("the drain timeout cannot be enforced from outside: {error}");
    }
}

/// No destructors, no joining: somebody decided that now means now.
fn end_now(exit: Exit, message: &str) {
    log::warn!("{message}");
    signal_hook::low_level::exit(i32::from(exit.code()));
}
