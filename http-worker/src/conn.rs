//! One connection: its socket, what is read from it, the trips of its requests, and what is to be
//! written.
//!
//! Whatever happens (an event of the socket, a shuttle that came home, a timer) ends in
//! [`Conn::drive`], which takes in, answers and gives out for as long as anything moves, and then
//! computes from the state it finds what the connection waits for: which events
//! ([`interest`](Conn::interest)), and how long ([`wait`](Conn::wait)). Neither is kept by hand.

mod body;
mod ending;
mod gear;
mod holding;
mod input;
mod more;
mod opening;
mod outbox;
mod pace;
mod report;
mod room;
mod trips;
mod upload;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_proto::Exchange;
use http_proto::content::ErrorForm;
use http_proto::h1::{Engine, Phase};
use mio::Interest;
use mio::event::Event;
use shuttle_core::{Shuttle, Worker};

pub(crate) use self::body::BodyTrip;
use self::ending::End;
pub(crate) use self::gear::Spares;
use self::opening::Opening;
use self::outbox::Outbox;
pub(crate) use self::pace::{Pace, Rule};
use self::trips::Trip;
pub(crate) use self::trips::makes_sense;
use self::upload::Upload;
pub(crate) use self::upload::length_of;
use crate::accept::Accepted;
use crate::access::AccessRecord;
use crate::bodies::Standing;
use crate::context::{Cx, Incoming};
use crate::guests::Guest;
use crate::limits::{
    BODIES_WAIT_MS, COMPRESS_TURN_BYTES, DRAIN_IDLE_MS, FILE_TURN_BYTES, LOOKS_PER_TURN_COUNT,
};
use crate::socket::{Socket, is_reset};
use crate::token::ConnToken;
use crate::transport::{Broken, Transport};

/// How long a connection rests before a worker that ends closes it.
const PARTING: Duration = Duration::from_millis(DRAIN_IDLE_MS);

/// How long a body waits for room.
const BODIES_WAIT: Duration = Duration::from_millis(BODIES_WAIT_MS);

/// Whether the connection is still there after it was served.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// It waits for something.
    Stays,
    /// It is over: say farewell and forget it.
    Over,
    /// It turned out to speak HTTP/2: make it one that does, and serve that.
    Turns,
}

/// What a connection waits for, which decides how long it may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wait {
    Handshake,
    Head,
    Body,
    /// Room in memory for a body.
    Room,
    /// The other shore: as long as it likes.
    Trip,
    /// The client, to read.
    Reader,
    /// The next request.
    Idle,
    /// The client, to close.
    Linger,
}

/// A connection.
pub(crate) struct Conn {
    token: ConnToken,
    transport: Transport,
    peer: SocketAddr,
    /// Counts it among those of its address for as long as it lives.
    guest: Guest,
    local: Option<SocketAddr>,
    socket: Socket,
    engine: Engine,
    /// Which protocol it speaks.
    opening: Opening,
    /// Received and not consumed: a piece of a head, or requests that may not be read yet.
    input: Vec<u8>,
    /// The request being received, or complete and waiting.
    incoming: Option<Box<Incoming>>,
    /// When the first byte of the head came that is not complete.
    begun: Option<Instant>,
    /// How an error in the request that is received is told.
    form: ErrorForm,
    /// What is told of the request that is received.
    record: Option<Box<AccessRecord>>,
    /// The body that is received while its request is with the other shore.
    upload: Option<Box<Upload>>,
    /// Requests that are not answered to the end, in their order.
    trips: VecDeque<Trip>,
    outbox: Outbox,
    /// How much of files may still be sent in this turn.
    file_bytes: usize,
    /// How much may still be compressed in this turn.
    compress_left: usize,
    /// How the connection ends when everything is written, once that is decided.
    end: Option<End>,
    /// Set while lingering: how many more bytes are thrown away.
    linger_bytes: Option<usize>,
    /// No request was begun yet.
    is_fresh: bool,
    /// Which limits the parser was told.
    limits_version: usize,
    /// It stands in the queue for a berth.
    is_waiting: bool,
    /// It was first in that queue and a berth is free.
    has_turn: bool,
    /// It is in the list of those to be driven again.
    is_again: bool,
    /// How often it may still look, in this turn, for what was appended to its shuttles.
    looks_left: usize,
    /// What it waits for, and since when.
    wait: Wait,
    since: Instant,
    /// How fast the body of a request comes, and how fast the client reads.
    pace_in: Pace,
    pace_out: Pace,
    /// Until when time was paid for tiny chunks.
    forgiven_at: Instant,
    /// How it stands with room for the body that it receives.
    standing: Standing,
    /// What it was last weighed with.
    weight: usize,
    /// What was last told to the kernel: whether writability is of interest.
    watches_writes: bool,
}

impl Conn {
    /// # Errors
    /// The TLS configuration is of no use.
    pub(crate) fn new(
        accepted: Accepted,
        guest: Guest,
        token: ConnToken,
        cx: &Cx,
    ) -> Result<Self, rustls::Error> {
        let Accepted {
            stream,
            peer,
            local,
            tls,
            http2,
        } = accepted;
        let transport = Transport::new(stream, tls)?;
        Ok(Self {
            token,
            wait: if transport.is_tls() {
                Wait::Handshake
            } else {
                Wait::Head
            },
            transport,
            peer,
            guest,
            local,
            socket: Socket::default(),
            engine: Engine::new(cx.h1_limits()),
            opening: Opening::of(http2),
            input: Vec::new(),
            incoming: None,
            begun: None,
            form: ErrorForm::Text,
            record: None,
            upload: None,
            trips: VecDeque::new(),
            outbox: Outbox::default(),
            file_bytes: 0,
            compress_left: 0,
            end: None,
            linger_bytes: None,
            is_fresh: true,
            limits_version: cx.limits_version,
            is_waiting: false,
            has_turn: false,
            is_again: false,
            looks_left: 0,
            since: cx.now,
            pace_in: Pace::default(),
            pace_out: Pace::default(),
            forgiven_at: cx.now,
            standing: Standing::default(),
            weight: 0,
            watches_writes: false,
        })
    }

    /// Lets the poll watch it, and starts its clock.
    ///
    /// # Errors
    /// The system cannot watch one more.
    pub(crate) fn register(&mut self, cx: &mut Cx) -> std::io::Result<()> {
        let interest = self.interest();
        cx.registry
            .register(&mut self.transport.stream, self.token.into(), interest)?;
        self.set_deadline(cx);
        Ok(())
    }

    pub(crate) fn token(&self) -> ConnToken {
        self.token
    }

    /// Takes note of what the kernel says, and serves the connection.
    pub(crate) fn on_event(&mut self, event: &Event, cx: &mut Cx) -> Fate {
        if is_reset(event) {
            return self.on_reset();
        }
        if self.socket.note(event) {
            self.on_fin(cx);
        }
        self.drive(cx)
    }

    /// Takes a shuttle that came home for it; the answer is given by the next
    /// [`drive`](Self::drive).
    ///
    /// # Errors
    /// The shuttle, if no request here waits for it.
    pub(crate) fn take_home(
        &mut self,
        shuttle: Shuttle<Worker, Exchange>,
    ) -> Result<(), Shuttle<Worker, Exchange>> {
        let berth = shuttle.berth();
        if let Some(trip) = self.trips.iter_mut().find(|trip| trip.waits_for(berth)) {
            trip.take_home(shuttle);
            return Ok(());
        }
        match &mut self.upload {
            Some(upload) if upload.body.waits_for(berth) => upload.body.take_home(shuttle),
            _ => return Err(shuttle),
        }
        Ok(())
    }

    /// True the first time until the next [`drive`](Self::drive): to list it only once.
    pub(crate) fn list(&mut self) -> bool {
        !std::mem::replace(&mut self.is_again, true)
    }

    /// It was first in the queue for a berth, and one is free.
    pub(crate) fn on_turn(&mut self, cx: &mut Cx) -> Fate {
        self.is_waiting = false;
        self.has_turn = true;
        let fate = self.drive(cx);
        self.has_turn = false;
        fate
    }

    /// The worker ends: looks for a request that is there already, and else is over when idle.
    pub(crate) fn on_drain(&mut self) {
        self.socket.has_input = true;
    }

    /// Takes in, answers and gives out for as long as something moves.
    pub(crate) fn drive(&mut self, cx: &mut Cx) -> Fate {
        self.is_again = false;
        self.file_bytes = FILE_TURN_BYTES;
        self.compress_left = COMPRESS_TURN_BYTES;
        self.looks_left = LOOKS_PER_TURN_COUNT;
        match self.advance(cx) {
            Ok(()) if self.opening == Opening::Http2 => Fate::Turns,
            Ok(()) => self.settle_down(cx),
            Err(broken) => self.on_broken(&broken, cx),
        }
    }

    fn advance(&mut self, cx: &mut Cx) -> Result<(), Broken> {
        if self.linger_bytes.is_some() {
            return self.linger(cx);
        }
        let mut may_read = true;
        loop {
            let mut moved = self.take_in(&mut may_read, cx)?;
            moved |= self.answer(cx);
            moved |= self.give_out(cx)?;
            if !moved || self.is_at_rest(may_read) {
                return Ok(());
            }
        }
    }

    /// Nothing is here that could move: it need not be tried. The usual end of a round.
    fn is_at_rest(&self, may_read: bool) -> bool {
        !(may_read && self.socket.has_input)
            && self.input.is_empty()
            && self.incoming.is_none()
            && self.upload.is_none()
            && self.outbox.is_empty()
            && !self.socket.is_over
            && self.end.is_none()
            && self.trips.iter().all(Trip::is_away)
    }

    /// Computes what the connection waits for, after everything that could be done was done.
    fn settle_down(&mut self, cx: &mut Cx) -> Fate {
        if self.end_if_due(cx) == Fate::Over || self.hold(cx) == Fate::Over {
            return Fate::Over;
        }
        let reads_on = self.socket.has_input && self.wants_input(cx);
        let sends_on = self.outbox.is_file_first() && !self.socket.is_full;
        let goes_on = reads_on || sends_on || self.is_cut_short();
        if goes_on && self.list() {
            cx.again.push_back(self.token);
        }
        if let Err(e) = self.watch(cx) {
            log::warn!("a connection of {} cannot be watched: {e}", self.peer);
            return Fate::Over;
        }
        self.set_deadline(cx);
        Fate::Stays
    }

    /// The events that matter now. Reading is always among them: that is how a client's leaving
    /// is noticed at once, also when nothing is to be read.
    fn interest(&self) -> Interest {
        if self.socket.is_full {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        }
    }

    /// Tells the kernel what matters, if it is something else than before.
    fn watch(&mut self, cx: &Cx) -> std::io::Result<()> {
        let interest = self.interest();
        if interest.is_writable() != self.watches_writes {
            self.watches_writes = interest.is_writable();
            let stream = &mut self.transport.stream;
            cx.registry
                .reregister(stream, self.token.into(), interest)?;
        }
        Ok(())
    }

    /// What it waits for now.
    fn wait(&self) -> Wait {
        if self.linger_bytes.is_some() {
            return Wait::Linger;
        }
        if self.socket.is_full {
            return Wait::Reader;
        }
        if self.transport.is_handshaking() {
            return Wait::Handshake;
        }
        match self.engine.phase() {
            _ if self.standing.waits() => Wait::Room,
            _ if self.has_complete_request() || self.owes_continue() => Wait::Trip,
            // Never while it is us who make the client wait.
            Phase::Body if self.upload.is_some() && !self.upload_waits_for_client() => Wait::Trip,
            Phase::Body => Wait::Body,
            Phase::Head => Wait::Head,
            Phase::Idle | Phase::Done if !self.trips.is_empty() => Wait::Trip,
            // Before its first request a connection has the time of a head, not that of a pause.
            Phase::Idle if self.is_fresh => Wait::Head,
            Phase::Idle | Phase::Done => Wait::Idle,
        }
    }

    /// How long that may last at all.
    fn patience(&self, cx: &Cx) -> Option<Duration> {
        match self.wait {
            _ if self.is_parting(cx) => Some(PARTING),
            Wait::Handshake | Wait::Head => Some(cx.limits.header_timeout),
            Wait::Idle => Some(cx.limits.idle_timeout),
            Wait::Linger => Some(cx.limits.linger_timeout),
            Wait::Room => Some(BODIES_WAIT),
            Wait::Trip | Wait::Body | Wait::Reader => None,
        }
    }

    /// When that will have lasted too long, should nothing move until then.
    fn deadline(&self, cx: &Cx) -> Option<Instant> {
        match self.wait {
            Wait::Body => self.pace_in.due(self.receive_rule(cx)),
            Wait::Reader => self.pace_out.due(cx.send_rule()),
            _ => self.patience(cx).map(|patience| self.since + patience),
        }
    }

    /// How fast a client must send its body. One that is read as it comes may be endless and slow
    /// (it takes no memory to speak of), so only silence counts.
    fn receive_rule(&self, cx: &Cx) -> Rule {
        let usual = cx.receive_rule();
        match self.upload {
            Some(_) => Rule { rate: 0, ..usual },
            None => usual,
        }
    }

    /// It stays only for a request that may be on its way while the worker ends.
    fn is_parting(&self, cx: &Cx) -> bool {
        cx.is_draining
            && self.engine.phase() == Phase::Idle
            && matches!(self.wait, Wait::Idle | Wait::Head)
    }

    /// Notes since when it waits for what it waits for, and sets the timer for that.
    fn set_deadline(&mut self, cx: &mut Cx) {
        let wait = self.wait();
        if wait != self.wait {
            self.wait = wait;
            self.since = cx.now;
            self.pace_in.run(wait == Wait::Body, cx.now);
            self.pace_out.run(wait == Wait::Reader, cx.now);
        }
        if let Some(at) = self.deadline(cx) {
            cx.wheel.arm(self.token.timer(), at);
        }
    }

    /// There was progress: what it waits for may take its full time again.
    fn note_progress(&mut self, wait: Wait, now: Instant) {
        if self.wait == wait {
            self.since = now;
        }
    }

    /// The timer has fired, perhaps for a deadline that has moved since.
    pub(crate) fn on_timer(&mut self, cx: &mut Cx) -> Fate {
        let Some(at) = self.deadline(cx) else {
            return Fate::Stays;
        };
        if cx.now < at {
            cx.wheel.arm(self.token.timer(), at);
            return Fate::Stays;
        }
        if self.is_parting(cx) {
            return self.drive(cx);
        }
        self.on_timeout(cx)
    }

    /// Since when it has nothing to do but wait for its client to ask for something.
    pub(crate) fn awaits_request_since(&self) -> Option<Instant> {
        let asks = matches!(self.wait, Wait::Handshake | Wait::Head | Wait::Idle);
        (asks && self.trips.is_empty()).then_some(self.since)
    }

    /// Lets go of memory that is of no use while nothing happens.
    fn relax(&mut self, cx: &mut Cx) {
        if self.input.is_empty() && self.input.capacity() != 0 {
            cx.recycle(std::mem::take(&mut self.input));
        }
        if let Some(buffer) = self.outbox.take_buffer() {
            cx.recycle(buffer);
        }
        self.lay_down_gear(cx);
    }
}
