//! A Lua thread: loads the program, runs it, sleeps when nobody can run, ends in good order.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_proto::drawing::Witness;
use lua_bindings::{Env, EnvOptions, EnvStats, HttpControl as _, LuaFault, MainStatus, Turn};
use shuttle_core::{Doorbell, Sleep};
use tx_runtime::Reactor;

use crate::bells::TxBell;
use crate::clock;
use crate::demo;
use crate::drawing::Shore;
use crate::exit::Exit;
use crate::limits;
use crate::signals::{self, StopFlag};
use crate::supervisor::{self, Overrides, Supervisor};
use crate::team::Seat;
use crate::watchdog::{Busy, Watchdog};

/// Which Lua program runs.
#[derive(Clone, Debug)]
pub enum Program {
    /// A file, with what it gets as `...`.
    File(PathBuf, Vec<String>),
    /// A text inside this binary: its name in messages, the text, its arguments.
    Text(&'static str, String, Vec<String>),
}

impl Program {
    /// The built-in demo.
    pub fn demo() -> Self {
        let args = vec![demo::PAGE.to_owned()];
        Self::Text(demo::PROGRAM_NAME, demo::PROGRAM.to_owned(), args)
    }

    /// What messages call it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path, _) => path.display().to_string(),
            Self::Text(name, ..) => (*name).to_owned(),
        }
    }
}

/// Takes the bell that wakes the Lua thread, to ring it when the stop flag goes up.
pub type BellTaker = Box<dyn FnOnce(Arc<dyn Doorbell>)>;

/// How the Lua thread runs.
pub struct Options {
    /// What runs.
    pub program: Program,
    /// What the command line decides for it.
    pub overrides: Overrides,
    /// Is given the bell that wakes this thread, before anything runs.
    pub on_bell: Option<BellTaker>,
    /// How long running requests may go on after the stop flag is up.
    pub drain_timeout: Duration,
    /// A fiber that runs this long without yielding is reported; zero: never.
    pub stuck_after: Duration,
}

/// Why the Lua thread ended: the exit code, and the one line for the user when it is a failure.
#[derive(Debug)]
pub struct Ending {
    /// The meaning.
    pub exit: Exit,
    /// The line.
    pub message: Option<String>,
}

impl Ending {
    fn done() -> Self {
        Self {
            exit: Exit::Done,
            message: None,
        }
    }

    /// All is well, and this is what was asked for.
    fn said(message: String) -> Self {
        Self {
            exit: Exit::Done,
            message: Some(message),
        }
    }

    /// A failure with the line that says what and where.
    pub fn failed(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: Some(message.into()),
        }
    }
}

/// Runs the program on this thread until it ends or `stop` is up and what was begun is finished.
/// One call per thread.
pub fn run(options: Options, stop: StopFlag) -> Ending {
    match Tx::new(options, stop) {
        Ok(mut tx) => tx.run(),
        Err(ending) => ending,
    }
}

/// The loop and what it goes through.
struct Tx {
    env: Env,
    supervisor: Supervisor,
    reactor: Reactor,
    stop: StopFlag,
    drain_timeout: Duration,
    /// Once the stop flag was seen.
    drain: Option<Drain>,
    name: String,
    is_check: bool,
    _watchdog: Watchdog,
}

impl Tx {
    fn new(options: Options, stop: StopFlag) -> Result<Self, Ending> {
        let Options {
            program,
            overrides,
            on_bell,
            drain_timeout,
            stuck_after,
        } = options;
        let refused = |what: &str, error: io::Error| {
            Ending::failed(Exit::Environment, format!("{what}: {error}"))
        };
        let reactor = Reactor::new().map_err(|error| refused("cannot make a poll", error))?;
        let bell = TxBell::new(reactor.doorbell());
        if let Some(watch) = &overrides.watch {
            watch.add_bell(Arc::clone(&bell) as Arc<dyn Doorbell>);
        }
        if let Some(take) = on_bell {
            take(Arc::clone(&bell) as Arc<dyn Doorbell>);
        }
        let (is_check, seat) = (overrides.check, overrides.seat);
        let witness = overrides
            .watch
            .as_ref()
            .map(|watch| watch.witness(Shore::Tx));
        let supervisor = Supervisor::new(overrides, Arc::clone(&bell));
        let env = load(&program, witness, bell, &supervisor)?;
        let stats = env.stats();
        let look = {
            let stats = stats.clone();
            move || {
                stats.running_since().map(|since| Busy {
                    since,
                    fiber: stats.running_fiber(),
                })
            }
        };
        let name = seat.thread_name("watchdog");
        let watchdog = Watchdog::start(name, stuck_after, look, move || who(&stats, seat))
            .map_err(|error| refused("cannot start the watchdog", error))?;
        Ok(Self {
            env,
            supervisor,
            reactor,
            stop,
            drain_timeout,
            drain: None,
            name: program.name(),
            is_check,
            _watchdog: watchdog,
        })
    }

    fn run(&mut self) -> Ending {
        loop {
            let turn = self.env.turn(clock::now());
            if let Some(ending) = self.verdict(&turn) {
                self.supervisor.end();
                return ending;
            }
            self.supervisor.keep_up();
            if let Err(error) = self.sleep(&turn) {
                return Ending::failed(Exit::Environment, format!("cannot poll: {error}"));
            }
        }
    }

    /// Lets the embedded worker do its part, and sleeps if nobody here can run.
    fn sleep(&mut self, turn: &Turn) -> io::Result<()> {
        // A worker of its own may have sent more meanwhile, and another turn costs no system call.
        // The embedded one has sent nothing since: it looks at the kernel, which may as well wait.
        let is_busy = match self.supervisor.has_embedded() {
            true => turn.has_more,
            false => turn.is_busy,
        };
        let may_sleep = !is_busy && self.env.prepare_sleep() == Sleep::MaySleep;
        let timeout = if may_sleep {
            self.timeout(turn)
        } else {
            Some(Duration::ZERO)
        };
        match self.supervisor.turn_embedded(timeout) {
            Some(served) => drop(served?),
            None if may_sleep => drop(self.reactor.wait(timeout)?),
            None => {}
        }
        if may_sleep {
            self.env.woke();
        }
        Ok(())
    }

    /// How long nobody needs this thread, if no bell rings. While it ends, or some
    /// of its workers do, it looks around often: a thread that has ended rings nothing.
    fn timeout(&self, turn: &Turn) -> Option<Duration> {
        let now = clock::now();
        let fibers = turn
            .next_deadline
            .map(|at| at.saturating_duration_since(now));
        let is_ending = self.drain.is_some() || self.supervisor.see_off();
        let ending = is_ending.then(|| Duration::from_millis(limits::STOP_POLL_MS));
        [fibers, ending].into_iter().flatten().min()
    }

    /// Whether it is over, and how.
    fn verdict(&mut self, turn: &Turn) -> Option<Ending> {
        let main = self.env.main_status();
        if let MainStatus::Failed(fault) = &main {
            // A program that was about to start again when the signal came has not failed.
            let is_late = self.drain.is_some() && fault.line().contains(supervisor::ENDING);
            if !is_late {
                return Some(self.on_fault(fault));
            }
        }
        let has_ended = main == MainStatus::Finished;
        if self.is_check && self.supervisor.was_checked() && (has_ended || !turn.is_busy) {
            return Some(Ending::said(format!(
                "{}: the configuration is valid",
                self.name
            )));
        }
        if has_ended && !self.supervisor.is_serving() && self.env.fibers() == 0 {
            return Some(if self.is_check {
                Ending::said(format!("{}: ended without httpng.cfg", self.name))
            } else {
                Ending::done()
            });
        }
        self.drain_verdict()
    }

    /// The main fiber ended with an error: nobody is served any more.
    fn on_fault(&mut self, fault: &LuaFault) -> Ending {
        if !fault.traceback().is_empty() {
            log::debug!("{}\n{}", fault.line(), fault.traceback());
        }
        let refusal = self.supervisor.refusal();
        let is_refusal = refusal.is_some_and(|refusal| fault.line().contains(&refusal));
        let exit = if is_refusal {
            Exit::Environment
        } else {
            Exit::ProgramFailed
        };
        self.supervisor.stop(None);
        Ending::failed(exit, fault.line())
    }

    /// Once it is to end: first nobody new, then nobody at all.
    fn drain_verdict(&mut self) -> Option<Ending> {
        if self.drain.is_none() {
            self.drain = Some(self.begin_drain(self.cause()?));
        }
        let now = clock::now();
        let has_stopped = self.supervisor.stopped();
        let drain = self.drain.as_mut()?;
        if has_stopped || now >= drain.give_up {
            return Some(drain.ending(has_stopped));
        }
        if now >= drain.deadline && !drain.is_over {
            drain.is_over = true;
            drain.was_cut = self.env.open_requests() > 0 || self.supervisor.tally().shuttles > 0;
            self.supervisor.stop(None);
        }
        None
    }

    /// Why it is to end, if it is.
    fn cause(&self) -> Option<Cause> {
        match self.stop.asked() {
            Some(signal) => Some(Cause::Signal(signal)),
            None => self
                .supervisor
                .has_lost_worker()
                .then_some(Cause::LostWorker),
        }
    }

    fn begin_drain(&self, cause: Cause) -> Drain {
        let timeout = self.drain_timeout.as_secs_f64();
        let open = self.env.open_requests();
        log::info!("{cause}: stopping; running requests have {timeout:.1} s ({open} now)");
        self.supervisor.drain();
        let deadline = clock::now() + self.drain_timeout;
        let give_up = deadline + Duration::from_millis(limits::CUT_GRACE_MS);
        Drain {
            cause,
            deadline,
            give_up,
            is_over: false,
            was_cut: false,
        }
    }
}

/// Why the program ends.
#[derive(Clone, Copy, Debug)]
enum Cause {
    /// It was asked to.
    Signal(i32),
    /// A worker's thread has ended without having been told. What it served is gone; to go on
    /// with fewer, or with none, would look like serving.
    LostWorker,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal(signal) => signals::name(*signal),
            Self::LostWorker => "a worker thread ended by itself",
        })
    }
}

/// An orderly end that has begun.
struct Drain {
    cause: Cause,
    /// When what still runs is cut.
    deadline: Instant,
    /// When the workers are not waited for any more: a handler may hold its shuttle for ever.
    give_up: Instant,
    /// The deadline has passed and the workers were told to stop.
    is_over: bool,
    /// Something still ran then.
    was_cut: bool,
}

impl Drain {
    fn ending(&self, has_stopped: bool) -> Ending {
        if let Cause::LostWorker = self.cause {
            return Ending::failed(Exit::Environment, self.cause.to_string());
        }
        if has_stopped && !self.was_cut {
            return Ending::done();
        }
        let message = "the drain timeout passed, running requests were cut";
        Ending::failed(Exit::DrainCut, message)
    }
}

/// Who runs, for a report: the fiber, the request that it serves, and where there are several Lua
/// threads, which.
fn who(stats: &EnvStats, seat: Seat) -> String {
    let (name, request) = (stats.running_name(), stats.running_request());
    let mut text = format!("\"{name}\"");
    if !request.is_empty() {
        text.push_str(&format!(" ({request})"));
    }
    if let Some(tx) = seat.name() {
        text.push_str(&format!(" of {tx}"));
    }
    text
}

fn load(
    program: &Program,
    witness: Option<Box<dyn Witness>>,
    bell: Arc<TxBell>,
    supervisor: &Supervisor,
) -> Result<Env, Ending> {
    let failed = |fault: LuaFault| Ending::failed(Exit::ProgramFailed, fault.line());
    let (Program::File(_, args) | Program::Text(_, _, args)) = program;
    let args = std::iter::once(program.name())
        .chain(args.iter().cloned())
        .collect();
    let options = EnvOptions {
        args,
        witness,
        doorbell: Some(bell),
        ..EnvOptions::default()
    };
    let mut env = Env::new(options, Box::new(supervisor.clone())).map_err(failed)?;
    let chunk = match program {
        Program::File(path, _) => env.load_file(path),
        Program::Text(name, text, _) => env.load_text(&format!("={name}"), text.as_bytes()),
    };
    env.start(chunk.map_err(failed)?).map_err(failed)?;
    Ok(env)
}
