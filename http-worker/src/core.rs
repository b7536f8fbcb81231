//! The loop: one bounded turn at a time.
//!
//! A turn takes home what the other shore sent and writes it out, goes on with connections that
//! were left in the middle, waits, and serves what the kernel reports. Nothing in it calls back
//! into something that is being changed: what leads to more work is put in a list and done next.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError};
use http_proto::Exchange;
use mio::event::Event;
use mio::{Events, Poll, Registry};
use shuttle_core::{Shuttle, Sleep, WorkerShore};
use slab::Slab;

use crate::accept::{Doors, WAKE};
use crate::clock::Clock;
use crate::config::WorkerConfig;
use crate::conn::Fate;
use crate::context::Cx;
use crate::control::Command;
use crate::limits::{
    ARRIVALS_PER_TURN_COUNT, COMMANDS_PER_TURN_COUNT, EVENTS_PER_TURN_COUNT, UNFLUSHED_COUNT,
};
use crate::line::Line;
use crate::stats::WorkerStats;
use crate::token::ConnToken;

mod crowd;
mod ending;
mod pressure;

use crowd::Crowd;
use ending::Stage;

/// When the other shore is told of what was sent to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flush {
    /// When nothing more is to be read, or enough has gathered: for a thread of its own.
    Lazily,
    /// Before each wait and each return: the caller may be the other shore.
    EachTurn,
}

/// The parts a [`Core`] is made of.
pub(crate) struct Parts {
    pub(crate) config: WorkerConfig,
    pub(crate) poll: Poll,
    /// Another handle of it.
    pub(crate) registry: Registry,
    pub(crate) doors: Doors,
    pub(crate) commands: Receiver<Command>,
    pub(crate) stats: Arc<WorkerStats>,
    pub(crate) alive: Arc<()>,
    pub(crate) shore: WorkerShore<Exchange>,
    pub(crate) clock: Clock,
}

/// A running worker.
pub(crate) struct Core {
    /// Fields are dropped in order: this one before the shore is left.
    _alive: Arc<()>,
    poll: Poll,
    events: Events,
    doors: Doors,
    commands: Receiver<Command>,
    conns: Slab<Line>,
    /// Connections accepted so far, for their tokens.
    accepted: usize,
    cx: Cx,
    clock: Clock,
    stage: Stage,
    /// Who may come in, and who has to make room.
    crowd: Crowd,
    /// When those who do not read may have to give up their berths.
    press_at: Instant,
    /// The bell rang: there may be commands.
    was_woken: bool,
    /// How much the last look at the kernel found.
    found_count: usize,
    /// Connections whose shuttles came home in this turn.
    answered: Vec<ConnToken>,
    /// More shuttles may have come home than were taken.
    has_more_arrivals: bool,
    /// The last look found no shuttle that had come home.
    is_all_taken: bool,
}

impl Core {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            config,
            poll,
            registry,
            doors,
            commands,
            stats,
            alive,
            shore,
            clock,
        } = parts;
        let WorkerConfig {
            limits,
            guests,
            routes,
            server_name,
            witness,
            reporting,
            ..
        } = config;
        let now = clock.now();
        let mut cx = Cx::new(
            shore,
            registry,
            stats,
            limits,
            server_name.as_deref(),
            witness,
            now,
        );
        cx.replace_routes(routes);
        cx.reports.reporting = reporting;
        Self {
            _alive: alive,
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN_COUNT),
            doors,
            commands,
            conns: Slab::new(),
            accepted: 0,
            cx,
            clock,
            stage: Stage::Serving,
            crowd: Crowd::new(guests),
            press_at: now,
            was_woken: false,
            found_count: 0,
            answered: Vec::new(),
            has_more_arrivals: false,
            is_all_taken: false,
        }
    }

    /// Lets a test's time pass.
    #[cfg(test)]
    pub(crate) fn set_time(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// How many bodies stand in the queue for room.
    #[cfg(test)]
    pub(crate) fn queued_bodies_count(&self) -> usize {
        self.cx.bodies.queued_count()
    }

    pub(crate) fn stats(&self) -> Arc<WorkerStats> {
        Arc::clone(&self.cx.stats)
    }

    /// Turns until it was commanded to end.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while !self.is_finished() {
            self.turn(None, Flush::Lazily)?;
        }
        Ok(())
    }

    /// One bounded step. Says how much was handled.
    pub(crate) fn turn(&mut self, timeout: Option<Duration>, flush: Flush) -> io::Result<usize> {
        if self.is_finished() {
            return Ok(0);
        }
        self.cx.stats.turns.one();
        self.see_time();
        let mut handled = self.take_home() + self.go_on();
        let pause = self.pause(timeout, flush);
        // Whoever reads the counters while it sleeps finds them as they are.
        self.count();
        self.cx.desk.tidy_up();
        let polled = self.poll.poll(&mut self.events, pause);
        self.cx.shore.woke();
        match polled {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
            _ => {}
        }
        self.see_time();
        let seen = self.serve_events();
        self.found_count = seen;
        handled += seen + self.accept() + self.obey();
        self.doors.close_left(&self.cx.registry, self.cx.now);
        self.serve_timers();
        self.press();
        self.advance_ending();
        self.cx.wake_bodies();
        if flush == Flush::EachTurn {
            self.cx.shore.flush();
        }
        self.count();
        self.cx.desk.tidy_up();
        Ok(handled)
    }

    fn see_time(&mut self) {
        self.cx.now = self.clock.now();
        let unix = self.clock.unix(self.cx.now);
        self.cx.encoder.set_time(unix.as_secs());
        self.cx.unix_secs = unix.as_secs();
        self.cx.reports.unix = unix;
    }

    fn count(&self) {
        self.cx.stats.open.set(self.conns.len() as u64);
        self.cx
            .stats
            .travelling
            .set(u64::from(self.cx.shore.travelling()));
    }

    /// Takes shuttles home, then serves each connection that got some, once: answers that came
    /// together leave together.
    fn take_home(&mut self) -> usize {
        let mut count = 0;
        while count < ARRIVALS_PER_TURN_COUNT {
            let Some(shuttle) = self.cx.shore.recv() else {
                break;
            };
            count += 1;
            self.deliver(shuttle);
        }
        self.has_more_arrivals = count == ARRIVALS_PER_TURN_COUNT;
        self.is_all_taken = count == 0;
        if !self.answered.is_empty() && !self.commands.is_empty() {
            // What TX sent after a command was sent because of it, perhaps.
            self.was_woken = true;
            self.obey();
        }
        let mut answered = std::mem::take(&mut self.answered);
        for token in answered.drain(..) {
            self.serve(token, Line::drive);
        }
        self.answered = answered;
        self.serve_waiting();
        count
    }

    fn deliver(&mut self, shuttle: Shuttle<shuttle_core::Worker, Exchange>) {
        let owner = self.cx.owner(shuttle.berth());
        let place = self.cx.place(shuttle.berth());
        let conn = owner.and_then(|token| find(&mut self.conns, token));
        let orphan = match conn {
            None => Some(shuttle),
            Some(conn) => match conn.take_home(shuttle, place) {
                Err(shuttle) => Some(shuttle),
                Ok(()) => {
                    if conn.list() {
                        self.answered.push(conn.token());
                    }
                    None
                }
            },
        };
        if let Some(shuttle) = orphan {
            self.cx.orphan(shuttle);
        }
    }

    /// Lets those that wait for a berth have one, in their order.
    fn serve_waiting(&mut self) {
        while self.cx.has_berths_for_first() {
            let Some((token, _)) = self.cx.waiting.pop_front() else {
                break;
            };
            self.serve(token, Line::on_turn);
        }
    }

    /// Goes on with connections that have more to do, each once.
    fn go_on(&mut self) -> usize {
        self.cx.wake_bodies();
        let count = self.cx.again.len().min(EVENTS_PER_TURN_COUNT);
        for _ in 0..count {
            let Some(token) = self.cx.again.pop_front() else {
                break;
            };
            self.serve(token, Line::drive);
        }
        count
    }

    /// How long to wait for events. Before a wait the other shore is told of what it got; before
    /// another look without waiting that can be put off, if the last one found several at once:
    /// then more are likely to be there. One alone would only wait.
    fn pause(&mut self, timeout: Option<Duration>, flush: Flush) -> Option<Duration> {
        let unflushed = self.cx.shore.unflushed();
        let is_put_off = flush == Flush::Lazily
            && (1..UNFLUSHED_COUNT).contains(&unflushed)
            && self.found_count > 1;
        // Who turns this loop may be who got it, and has something to do now.
        let is_for_caller = flush == Flush::EachTurn && unflushed > 0;
        let is_asked_not_to = is_for_caller || timeout == Some(Duration::ZERO);
        if self.has_work() || is_put_off || is_asked_not_to {
            if !is_put_off {
                self.cx.shore.flush();
            }
            return Some(Duration::ZERO);
        }
        match self.cx.shore.prepare_sleep() {
            Sleep::WorkArrived => Some(Duration::ZERO),
            Sleep::MaySleep => match (timeout, self.next_deadline()) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        }
    }

    /// Something is to be done for which no event will come.
    fn has_work(&self) -> bool {
        let has_room = self.has_room();
        self.cx.has_berths_for_first()
            || self.has_more_arrivals
            || !self.cx.again.is_empty()
            || self.was_woken
            || (has_room && self.doors.is_ready())
            || self.is_drained()
            || self.is_finished()
    }

    fn next_deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.cx.wheel.next_due(),
            self.doors.retry_at(),
            self.doors.next_leave(),
            self.crowd.look_at(),
            self.next_press(),
            self.stage.deadline(),
        ];
        let first: Option<Instant> = deadlines.into_iter().flatten().min();
        first.map(|at| at.saturating_duration_since(self.cx.now))
    }

    fn serve_events(&mut self) -> usize {
        let mut count = 0;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            count += 1;
            if event.token() == WAKE {
                self.was_woken = true;
            } else if !self.doors.on_event(event.token()) {
                self.serve_event(event);
            }
        }
        self.events = events;
        count
    }

    fn serve_event(&mut self, event: &Event) {
        self.serve(event.token().into(), |conn, cx| conn.on_event(event, cx));
    }

    /// Serves a connection, if it is still there, and lets it go if that was its end.
    fn serve(&mut self, token: ConnToken, serve: impl FnOnce(&mut Line, &mut Cx) -> Fate) {
        let Some(conn) = find(&mut self.conns, token) else {
            return;
        };
        match serve(conn, &mut self.cx) {
            Fate::Stays => {}
            Fate::Over => self.conns.remove(token.index()).farewell(&mut self.cx),
            Fate::Turns => self.turn_over(token),
        }
    }

    /// Makes a connection one of HTTP/2, in the same place, and serves it.
    fn turn_over(&mut self, token: ConnToken) {
        let line = self.conns.remove(token.index());
        let place = self.conns.vacant_entry();
        debug_assert_eq!(place.key(), token.index(), "the place that was left last");
        place.insert(line.turn(&mut self.cx));
        self.serve(token, Line::drive);
    }

    fn serve_timers(&mut self) {
        while let Some(index) = self.cx.wheel.pop_due(self.cx.now) {
            let Some(conn) = self.conns.get(index as usize) else {
                continue;
            };
            self.serve(conn.token(), Line::on_timer);
        }
    }

    fn obey(&mut self) -> usize {
        if !std::mem::take(&mut self.was_woken) {
            return 0;
        }
        for count in 0..COMMANDS_PER_TURN_COUNT {
            match self.commands.try_recv() {
                Ok(command) => self.execute(command),
                Err(TryRecvError::Empty) => return count,
                Err(TryRecvError::Disconnected) => {
                    // Nobody can command it any more; when nobody can answer either, it ends.
                    if self.cx.shore.tx_has_left() {
                        self.stop();
                    }
                    return count;
                }
            }
        }
        self.was_woken = true;
        COMMANDS_PER_TURN_COUNT
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Routes(routes) => self.cx.replace_routes(routes),
            Command::Report(reporting) => self.cx.reports.reporting = *reporting,
            Command::Limits(limits) => {
                self.cx.limits = limits.clamped();
                self.cx.limits_version += 1;
            }
            Command::Listen(listener) => self.listen(listener),
            Command::ListenOnly(listening) => self.listen_only(listening),
            Command::Drain { deadline_ms } => self.drain(deadline_ms),
            Command::Stop => self.stop(),
        }
    }

    fn listen(&mut self, listener: crate::Listener) {
        if self.stage != Stage::Serving {
            return;
        }
        if let Err(e) = self.doors.add(&self.cx.registry, listener) {
            log::error!("a listener cannot be watched: {e}");
        }
    }

    fn listen_only(&mut self, listening: crate::Listening) {
        if self.stage != Stage::Serving {
            return;
        }
        let (registry, now) = (&self.cx.registry, self.cx.now);
        if let Err(e) = self.doors.replace(registry, listening, now) {
            log::error!("listeners cannot be watched, the former ones stay: {e}");
        }
    }
}

fn find(conns: &mut Slab<Line>, token: ConnToken) -> Option<&mut Line> {
    conns
        .get_mut(token.index())
        .filter(|conn| conn.token() == token)
}
