//! The Lua environment of one thread, as the program that embeds it sees it.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http_proto::Witness;
use shuttle_core::{Doorbell, NoBell, Sleep};
use tx_runtime::Budget;

use crate::api;
use crate::blocking::Blocking;
use crate::clock;
use crate::config::HttpControl;
use crate::errors::LuaFault;
use crate::fibers::Fibers;
use crate::host::HttpHost;
use crate::limits::FIBERS_PER_TURN_COUNT;
use crate::raw::{self, Called, Kind, Thread, Vm};
use crate::realm::{self, Realm};
use crate::stats::{EnvStats, Serving};

/// How `io:write`, `io:close` and the unpinning of strings work: the stages of the protocol page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// `close` sleeps until the shuttle is home, and the fiber unpins.
    One,
    /// `close` sleeps until the shuttle is home, and the dispatcher unpins: the drawing.
    Two,
    /// `close` never sleeps: a worker that has the shuttle is told by the shared word.
    Three,
    /// Neither does `write` while there is room: a worker that has the shuttle finds what was
    /// appended to it.
    #[default]
    Four,
}

impl Stage {
    pub(crate) fn from_number(number: f64) -> Option<Self> {
        match number as i64 {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            3 => Some(Self::Three),
            4 => Some(Self::Four),
            _ => None,
        }
    }
}

/// What an [`Env`] starts with.
#[derive(Default)]
pub struct EnvOptions {
    /// The program's arguments: `arg[0]` is the name of the program file, `arg[1]` and so on are
    /// its own.
    pub args: Vec<String>,
    /// Told every step of every request, for the proof of the drawing. May block the thread.
    pub witness: Option<Box<dyn Witness>>,
    /// The stage, until a program configures another.
    pub stage: Stage,
    /// Ends the sleep of this thread: rung when another thread has finished blocking work. Absent:
    /// nobody is rung, and who waits goes on in the next turn.
    pub doorbell: Option<Arc<dyn Doorbell>>,
}

impl std::fmt::Debug for EnvOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvOptions")
            .field("args", &self.args)
            .field("witness", &self.witness.is_some())
            .field("stage", &self.stage)
            .field("doorbell", &self.doorbell.is_some())
            .finish()
    }
}

/// A compiled Lua program that has not been started.
#[derive(Debug)]
#[must_use]
pub struct Chunk {
    thread: Thread,
}

/// Where the main program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MainStatus {
    /// No program was started.
    NotStarted,
    /// It runs, or waits.
    Running,
    /// It came to its end. What it configured goes on.
    Finished,
    /// It ended with an error.
    Failed(LuaFault),
}

/// What one [`Env::turn`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Shuttles and hails that were taken.
    pub arrived: usize,
    /// Switches into fibers.
    pub ran: usize,
    /// There is more to do at once, or it is likely, because something arrived: do not sleep.
    pub is_busy: bool,
    /// There is more to do at once, whether or not anything arrives: not even a look that costs a
    /// system call is due before.
    pub has_more: bool,
    /// When to turn again if nothing rings before.
    pub next_deadline: Option<Instant>,
}

/// LuaJIT, its fibers and the HTTP side of one thread.
///
/// There is one at a time on a thread, and it stays there. Its loop is: [`turn`](Self::turn); if
/// the thread has nothing to do, [`prepare_sleep`](Self::prepare_sleep), sleep until the doorbell
/// of the links rings or [`next_deadline`](Self::next_deadline) comes, and [`woke`](Self::woke).
///
/// Dropping it ends the fibers of the pool. If others are suspended, or strings are lent, or
/// requests are open, what they need is leaked: a suspended fiber cannot be unwound from outside.
pub struct Env {
    realm: Rc<Realm>,
    main: Rc<RefCell<MainStatus>>,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env")
            .field("main", &*self.main.borrow())
            .finish_non_exhaustive()
    }
}

impl Env {
    /// Makes the machine and opens the modules. Does not block and starts nothing.
    ///
    /// # Errors
    /// A module of ours does not load, which would be a mistake of ours.
    ///
    /// # Panics
    /// When this thread has an `Env` already.
    pub fn new(options: EnvOptions, http: Box<dyn HttpControl>) -> Result<Self, LuaFault> {
        assert!(
            realm::try_realm().is_none(),
            "one Env at a time lives on a thread"
        );
        let vm = Vm::new();
        let origin = clock::instant();
        let realm = Rc::new(Realm {
            http: HttpHost::new(&vm, options.witness),
            blocking: Blocking::new(options.doorbell.unwrap_or_else(|| Arc::new(NoBell))),
            vm,
            fibers: Fibers::default(),
            control: RefCell::new(http),
            stats: Arc::new(EnvStats::new(origin)),
            stage: Cell::new(options.stage),
            handoffs: Cell::new(0),
            origin,
        });
        let _ = realm::install(Some(Rc::clone(&realm)));
        let env = Self {
            realm,
            main: Rc::new(RefCell::new(MainStatus::NotStarted)),
        };
        api::open_all(&env.realm.vm).map_err(LuaFault::plain)?;
        env.set_args(&options.args);
        Ok(env)
    }

    fn set_args(&self, args: &[String]) {
        self.realm.vm.with_main(|stack| {
            stack.push_table(args.len(), 1);
            for (place, arg) in args.iter().enumerate() {
                stack.push_str(arg);
                stack.set_item(-2, place);
            }
            stack.set_global("arg");
        });
    }

    /// Reads and compiles a program file. A first line that begins with `#` is skipped.
    ///
    /// # Errors
    /// The file cannot be read, or is no Lua: one line that says where.
    pub fn load_file(&mut self, path: &Path) -> Result<Chunk, LuaFault> {
        let source = std::fs::read(path)
            .map_err(|error| LuaFault::plain(format!("{}: {error}", path.display())))?;
        self.load_text(&format!("@{}", path.display()), &source)
    }

    /// Compiles a program. `name` begins with `@` if it is that of a file, else with `=`.
    ///
    /// # Errors
    /// It is no Lua: one line that says where.
    pub fn load_text(&mut self, name: &str, source: &[u8]) -> Result<Chunk, LuaFault> {
        let source = without_shebang(source);
        self.realm.vm.with_main(|stack| {
            raw::load(stack, name, source)
                .map_err(|error| LuaFault::plain(crate::errors::one_line(&error)))?;
            let thread = Thread::new(stack);
            stack.move_to(&mut thread.stack(), 1);
            Ok(Chunk { thread })
        })
    }

    /// Starts a program in a fiber named `main`, which runs in the next [`turn`](Self::turn). Its
    /// arguments are `...`.
    ///
    /// # Errors
    /// There are too many fibers.
    pub fn start(&mut self, chunk: Chunk) -> Result<(), LuaFault> {
        let status = Rc::clone(&self.main);
        let realm = Rc::clone(&self.realm);
        let run = move || {
            realm.stats.resumed(&Serving::NOTHING);
            let args = push_args(chunk.thread);
            let ending = match chunk.thread.call(args, 0) {
                Called::Done => MainStatus::Finished,
                Called::Failed(failure) => MainStatus::Failed(failure.into()),
            };
            realm.vm.with_main(|stack| chunk.thread.discard(stack));
            if let Some(fiber) = tx_runtime::current() {
                realm.fibers.retire_handler(&fiber, "main");
            }
            *status.borrow_mut() = ending;
        };
        *self.main.borrow_mut() = MainStatus::Running;
        match tx_runtime::spawn("main", run) {
            Ok(_) => Ok(()),
            Err(full) => {
                let fault = LuaFault::plain(full.to_string());
                *self.main.borrow_mut() = MainStatus::Failed(fault.clone());
                Err(fault)
            }
        }
    }

    /// Where the main program is.
    #[must_use]
    pub fn main_status(&self) -> MainStatus {
        self.main.borrow().clone()
    }

    /// Takes what arrived, runs fibers, rings the workers. Bounded work; does not block. To be
    /// called outside of fibers.
    pub fn turn(&mut self, now: Instant) -> Turn {
        let realm = &self.realm;
        let arrived = realm.http.drain(realm);
        realm.http.start_closers(realm);
        realm.stats.turn_begins(now);
        let turn = tx_runtime::turn(
            now,
            Budget {
                fibers: FIBERS_PER_TURN_COUNT,
            },
        );
        realm.stats.turn_ends();
        let has_waiting = !turn.runnable && realm.http.take_waiting();
        let has_closers = realm.http.start_closers(realm);
        realm.http.flush();
        let has_more = turn.runnable || has_waiting || has_closers;
        Turn {
            arrived,
            ran: turn.ran,
            is_busy: arrived > 0 || has_more,
            has_more,
            next_deadline: turn.next_deadline,
        }
    }

    /// To be asked before each sleep: whether the thread may sleep until its doorbell rings.
    pub fn prepare_sleep(&mut self) -> Sleep {
        self.realm.http.prepare_sleep()
    }

    /// To be told after each sleep.
    pub fn woke(&mut self) {
        self.realm.http.woke();
    }

    /// When a sleeping fiber wants to go on.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        tx_runtime::next_deadline()
    }

    /// Counters that any thread may read.
    #[must_use]
    pub fn stats(&self) -> Arc<EnvStats> {
        Arc::clone(&self.realm.stats)
    }

    /// How many requests have arrived and are not over.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.realm.http.open_count()
    }

    /// How many fibers are alive, without those of the pool that have no request.
    #[must_use]
    pub fn fibers(&self) -> usize {
        self.realm.fibers_count()
    }

    /// How many fibers wait for blocking work that other threads do. They ring the doorbell.
    #[must_use]
    pub fn blocking_work(&self) -> usize {
        self.realm.blocking.waiting_count()
    }

    /// How many Lua strings are lent to workers.
    #[must_use]
    pub fn pins(&self) -> usize {
        self.realm.http.pins_count()
    }

    /// Takes over the TX ends of workers that the embedding program started without Lua asking for
    /// them.
    pub fn land(&mut self, ends: Vec<shuttle_core::TxEnd<http_proto::Exchange>>) {
        self.realm.http.land(ends);
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        self.realm.http.close();
        let now = clock::instant();
        // The fibers of the pool end as soon as they run.
        for _ in 0..2 {
            let _ = tx_runtime::turn(
                now,
                Budget {
                    fibers: FIBERS_PER_TURN_COUNT,
                },
            );
        }
        let is_quiet = self.realm.http.has_no_fibers()
            && self.realm.fibers.ids().is_empty()
            && self.realm.http.open_count() == 0
            && self.realm.http.pins_count() == 0
            && *self.main.borrow() != MainStatus::Running;
        if !is_quiet {
            std::mem::forget(Rc::clone(&self.realm));
        }
        let _ = realm::install(None);
    }
}

/// Pushes the program's own arguments; how many there are.
fn push_args(thread: Thread) -> i32 {
    let mut stack = thread.stack();
    if stack.push_global("arg") != Kind::Table {
        stack.pop(1);
        return 0;
    }
    let table = stack.top();
    let count = stack.raw_len(table);
    if !stack.reserve(i32::try_from(count).unwrap_or(i32::MAX)) {
        stack.pop(1);
        return 0;
    }
    for place in 1..=count {
        let _ = stack.raw_item(table, place);
    }
    stack.remove(table);
    count as i32
}

/// The source without a first line that begins with `#`; its line end stays, so that lines keep
/// their numbers.
fn without_shebang(source: &[u8]) -> &[u8] {
    if source.first() != Some(&b'#') {
        return source;
    }
    let end = source
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(source.len());
    &source[end..]
}
