//! One connection that speaks HTTP/2 (RFC 9113): the crate `h2` polled by hand.
//!
//! Above it nobody knows: requests travel in the same shuttles as those of HTTP/1, one trip for
//! each stream. Whatever happens (an event of the socket, a shuttle that came home, a timer) ends
//! in [`Conn::drive`]: the engine takes in what was read, all streams that have something to do
//! are served, the engine says what came of it, and all of that leaves with one write. Then it
//! is computed what the connection waits for.
//!
//! * [`engine`] is the crate, told our limits.
//! * [`pipe`] are the bytes between socket and engine, [`ready`] the list of streams with work.
//! * [`files`] answers from folders without the other shore.
//! * [`intake`] makes requests of streams, [`upload`] carries bodies that cross in pieces, and
//!   [`answer`] gives answers to the engine.
//! * [`turns`] says which answer goes first.
//! * [`budget`] counts the frames that cost us something and bring nothing; [`life`] asks a client
//!   that is silent whether it is there.
//! * [`holding`] reckons what it takes in memory, and [`pressure`] gives up berths of clients that
//!   do not read, when others need them.
//! * [`ending`] is every way in which a stream or the connection ends.
//!
//! # Bounds
//! A stream takes an answer only as far as the client's windows and the connection's buffer admit;
//! the rest stays in its shuttle. What the engine holds is bounded by the windows that we give and
//! by what we hand to it in one round; while the socket is full nothing is handed over, and the
//! engine reads no frame that it would have to answer.

mod answer;
mod budget;
mod compress;
mod ending;
mod engine;
mod fields;
mod files;
mod frames;
mod holding;
mod intake;
mod life;
mod pipe;
mod pressure;
mod ready;
mod report;
mod room;
mod stream;
mod turns;
mod upload;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http_proto::Exchange;
use mio::Interest;
use mio::event::Event;
use shuttle_core::{Shuttle, Worker};
use slab::Slab;

use self::budget::Budget;
use self::ending::Parting;
use self::engine::Engine;
pub(crate) use self::fields::Texts;
use self::life::Life;
use self::pipe::{Io, Pipe};
use self::ready::Ready;
use self::stream::{Place, Stream};
use self::turns::Turns;
use crate::conn::{Fate, Pace};
use crate::context::Cx;
use crate::guests::Guest;
use crate::limits::{DRAIN_IDLE_MS, HTTP2_ROUNDS_PER_TURN_COUNT};
use crate::socket::{Socket, is_reset};
use crate::token::ConnToken;
use crate::transport::{Broken, Transport};

/// How long a connection without streams may stay when the worker ends.
const PARTING: Duration = Duration::from_millis(DRAIN_IDLE_MS);

/// A connection that was begun as one of HTTP/1 and turned out to be one of HTTP/2.
pub(crate) struct Turned {
    pub(crate) token: ConnToken,
    pub(crate) guest: Guest,
    pub(crate) transport: Transport,
    pub(crate) socket: Socket,
    pub(crate) peer: SocketAddr,
    pub(crate) local: Option<SocketAddr>,
    /// Everything received, from the preface on.
    pub(crate) input: Vec<u8>,
    pub(crate) watches_writes: bool,
}

/// A connection.
pub(crate) struct Conn {
    token: ConnToken,
    /// Counts it among those of its address.
    _guest: Guest,
    pipe: Rc<RefCell<Pipe>>,
    engine: Engine,
    peer: SocketAddr,
    local: Option<SocketAddr>,
    https: bool,
    streams: Slab<Stream>,
    ready: Ready,
    /// Empty; taken in exchange for the list of what is ready.
    spare_list: Vec<usize>,
    /// Whole requests that wait for a berth: place and ticket, first come first served.
    waiting: VecDeque<(usize, u64)>,
    /// Requests for files that were not opened yet, in their order.
    asked: VecDeque<(usize, u64)>,
    /// Streams with cargo that the client's windows, or the round, did not admit.
    feeding: Turns,
    /// Bytes given to the engine that may still be there or in the pipe.
    handed: usize,
    budget: Budget,
    life: Life,
    /// The most streams there were at a time, those of which the engine has not told included; and
    /// what it was last weighed with.
    most_streams: usize,
    weight: usize,
    /// How much may still be compressed in this turn, and the streams that wait for the next.
    compress_left: usize,
    put_off: Vec<usize>,
    /// It stands in the queue for a berth.
    is_waiting: bool,
    /// It was first in that queue and a berth is free.
    has_turn: bool,
    /// It is in the list of those to be driven again.
    is_again: bool,
    /// The client was asked to begin no more streams.
    is_leaving: bool,
    /// How it ends, once the engine has.
    parting: Option<Parting>,
    /// Since when there is no stream, or since when it waits for the end.
    since: Instant,
    /// How slow the client is with what waits for the socket.
    pace: Pace,
    /// What was last told to the kernel: whether writability is of interest.
    watches_writes: bool,
}

impl Conn {
    pub(crate) fn new(turned: Turned, cx: &Cx) -> Self {
        let Turned {
            token,
            guest,
            transport,
            socket,
            peer,
            local,
            input,
            watches_writes,
        } = turned;
        let https = transport.is_tls();
        let mut budget = Budget::new(cx.now);
        budget.scan(&input);
        let pipe = Pipe::new(transport, socket, Arc::clone(&cx.stats), input);
        let pipe = Rc::new(RefCell::new(pipe));
        let handshake = engine::builder(cx).handshake(Io(Rc::clone(&pipe)));
        Self {
            token,
            _guest: guest,
            pipe,
            engine: Engine::Opening(Box::new(handshake)),
            peer,
            local,
            https,
            streams: Slab::new(),
            ready: Ready::new(),
            spare_list: Vec::new(),
            waiting: VecDeque::new(),
            asked: VecDeque::new(),
            feeding: Turns::default(),
            handed: 0,
            budget,
            life: Life::new(cx.now),
            most_streams: 0,
            weight: 0,
            compress_left: 0,
            put_off: Vec::new(),
            is_waiting: false,
            has_turn: false,
            is_again: false,
            is_leaving: false,
            parting: None,
            since: cx.now,
            pace: Pace::default(),
            watches_writes,
        }
    }

    pub(crate) fn token(&self) -> ConnToken {
        self.token
    }

    /// Since when it has nothing to do but wait for its client to ask for something.
    pub(crate) fn awaits_request_since(&self) -> Option<Instant> {
        let asks = self.streams.is_empty() && self.parting.is_none();
        asks.then_some(self.since)
    }

    /// Takes note of what the kernel says, and serves the connection.
    pub(crate) fn on_event(&mut self, event: &Event, cx: &mut Cx) -> Fate {
        if is_reset(event) {
            log::debug!("{} reset its connection", self.peer);
            return Fate::Over;
        }
        if self.pipe.borrow_mut().socket.note(event) {
            self.pipe.borrow_mut().socket.has_fin = true;
        }
        self.drive(cx)
    }

    /// Takes a shuttle that came home for the stream in `place`; the answer is given by the next
    /// [`drive`](Self::drive).
    ///
    /// # Errors
    /// The shuttle, if no request here waits for it.
    pub(crate) fn take_home(
        &mut self,
        shuttle: Shuttle<Worker, Exchange>,
        place: usize,
    ) -> Result<(), Shuttle<Worker, Exchange>> {
        match self.streams.get_mut(place) {
            Some(stream) if stream.waits_for(shuttle.berth()) => {
                stream.place = Place::Home(shuttle);
            }
            Some(stream) => stream.take_body_home(shuttle)?,
            None => return Err(shuttle),
        }
        self.ready.note(place);
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
        self.board_waiting(cx);
        self.has_turn = false;
        self.drive(cx)
    }

    /// Serves everything that has something to do, for as long as anything moves.
    pub(crate) fn drive(&mut self, cx: &mut Cx) -> Fate {
        self.is_again = false;
        self.take_breath();
        let result = match self.parting {
            Some(_) => self.linger(cx),
            None => self.advance(cx),
        };
        match result {
            Ok(()) => self.settle_down(cx),
            Err(broken) => self.on_broken(&broken, cx),
        }
    }

    fn advance(&mut self, cx: &mut Cx) -> Result<(), Broken> {
        let mut may_read = true;
        self.pipe.borrow_mut().prepare(cx);
        self.note_those_without_room(cx);
        for _ in 0..HTTP2_ROUNDS_PER_TURN_COUNT {
            self.pipe.borrow_mut().flush()?;
            if std::mem::take(&mut may_read) {
                self.read(cx)?;
            }
            self.board_waiting(cx);
            self.poll_engine(cx);
            self.refuse_malformed(cx);
            self.check_pipe()?;
            self.see_room();
            let moved = self.serve_ready(cx) | self.feed_all(cx) | self.open_files(cx);
            // What was given to the engine leaves with its next poll. With nothing given, all that
            // it said is in the pipe.
            if !moved && (!self.pipe.borrow_mut().flush()? || self.feeding.is_empty()) {
                return Ok(());
            }
        }
        self.go_on_later(cx);
        Ok(())
    }

    /// After the engine has said what it had to say, what waits is in the pipe, unless the socket
    /// is full.
    fn see_room(&mut self) {
        let pipe = self.pipe.borrow();
        if !pipe.socket.is_full {
            self.handed = pipe.waiting_bytes();
        }
    }

    /// What the engine found out about the transport while it wrote.
    fn check_pipe(&self) -> Result<(), Broken> {
        self.pipe.borrow_mut().broken.take().map_or(Ok(()), Err)
    }

    fn go_on_later(&mut self, cx: &mut Cx) {
        if self.list() {
            cx.again.push_back(self.token);
        }
    }

    /// Reads once, if the engine has taken what was there.
    fn read(&mut self, cx: &mut Cx) -> Result<(), Broken> {
        let pipe = &mut *self.pipe.borrow_mut();
        if !pipe.socket.has_input || pipe.socket.is_over || !pipe.is_drained() {
            return Ok(());
        }
        // Taken out so that the context is free while the bytes are looked at.
        let mut buffers = std::mem::take(&mut cx.read);
        let result = pipe.transport.read(&mut buffers, &cx.stats).map(|input| {
            pipe.socket.has_input = !input.is_drained;
            pipe.socket.is_over = input.is_over || (input.is_drained && pipe.socket.has_fin);
            if !input.bytes.is_empty() {
                pipe.put(input.bytes, cx);
                self.budget.scan(input.bytes);
                self.life.note(cx.now);
            }
        });
        cx.read = buffers;
        result
    }

    /// Lets the engine take in what was read, begin streams, and say what it has to say.
    fn poll_engine(&mut self, cx: &mut Cx) {
        if let Engine::Opening(_) = self.engine {
            self.open();
        }
        if self.budget.is_spent(cx.now) {
            self.refuse_to_go_on(cx);
        }
        // It is polled after everything that could wake it.
        let mut waker = Context::from_waker(Waker::noop());
        loop {
            let may_begin = self.may_begin();
            let Engine::Open(engine) = &mut self.engine else {
                return;
            };
            let polled = if may_begin {
                engine.poll_accept(&mut waker)
            } else {
                let closed = engine.poll_closed(&mut waker);
                closed.map(|end| end.err().map(Err))
            };
            match polled {
                Poll::Pending if may_begin => return self.pipe.borrow_mut().note_asked(None),
                Poll::Pending => return,
                Poll::Ready(Some(Ok((request, respond)))) => self.on_request(request, respond, cx),
                Poll::Ready(Some(Err(e))) => return self.on_engine_end(Some(&e), cx),
                Poll::Ready(None) => return self.on_engine_end(None, cx),
            }
        }
    }

    fn open(&mut self) {
        let Engine::Opening(handshake) = &mut self.engine else {
            return;
        };
        let mut waker = Context::from_waker(Waker::noop());
        match Pin::new(&mut **handshake).poll(&mut waker) {
            Poll::Pending => {}
            Poll::Ready(Ok(engine)) => {
                self.engine = Engine::Open(Box::new(engine));
                if self.is_leaving {
                    self.say_that_we_leave();
                }
            }
            Poll::Ready(Err(e)) => {
                log::debug!("{} did not begin HTTP/2: {e}", self.peer);
                self.engine = Engine::Closed;
                self.pipe.borrow_mut().drop_input();
            }
        }
    }

    /// Whether another stream may be begun: not while one waits for a berth.
    fn may_begin(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Serves the streams that were noted. True: there were some.
    fn serve_ready(&mut self, cx: &mut Cx) -> bool {
        let mut places = std::mem::take(&mut self.spare_list);
        self.ready.take(&mut places);
        let mut moved = false;
        for place in places.drain(..) {
            if self.streams.contains(place) {
                self.serve(place, cx);
                moved = true;
            }
        }
        self.spare_list = places;
        moved
    }

    /// Serves one stream, whatever it has to do.
    fn serve(&mut self, place: usize, cx: &mut Cx) {
        self.carry_body(place, cx);
        match self.streams[place].place {
            Place::Arriving(..) => self.receive(place, cx),
            Place::Home(_) | Place::More(_) if self.is_breathless(place) => self.put_off(place, cx),
            Place::Home(_) | Place::More(_) => self.answer(place, cx),
            Place::Waiting(..) | Place::Away | Place::Asked(_) => self.look_after(place, cx),
            Place::Loaded(..) | Place::Pressed(..) | Place::File(_) => self.feed_on(place, cx),
            Place::Done => {}
        }
        self.drop_if_done(place, cx);
    }

    fn drop_if_done(&mut self, place: usize, cx: &mut Cx) {
        let stream = self.streams.get(place);
        if stream.is_some_and(|stream| matches!(stream.place, Place::Done)) {
            let mut stream = self.streams.remove(place);
            stream.drop_upload(cx);
            cx.reports.tell(stream.record.take(), cx.now);
            if stream.is_listed {
                self.feeding.remove(place);
            }
            if self.streams.is_empty() {
                self.since = cx.now;
            }
        }
    }

    /// Computes what the connection waits for, after everything that could be done was done.
    fn settle_down(&mut self, cx: &mut Cx) -> Fate {
        if self.end_if_due(cx) == Fate::Over {
            return Fate::Over;
        }
        let (reads_on, is_full) = {
            let pipe = self.pipe.borrow();
            let reads_on = pipe.socket.has_input && (self.parting.is_some() || pipe.is_drained());
            (reads_on && !pipe.socket.is_over, pipe.socket.is_full)
        };
        if reads_on {
            self.go_on_later(cx);
        }
        let sent = self.pipe.borrow_mut().take_sent();
        self.pace.note(sent, cx.send_rule(), cx.now);
        self.pace.run(is_full, cx.now);
        if self.streams.is_empty() {
            for buffer in self.pipe.borrow_mut().give_up_buffers() {
                cx.recycle(buffer);
            }
        }
        self.hold(cx);
        if let Err(e) = self.watch(is_full, cx) {
            log::warn!("a connection of {} cannot be watched: {e}", self.peer);
            return Fate::Over;
        }
        self.set_deadline(cx);
        Fate::Stays
    }

    /// Tells the kernel what matters, if it is something else than before. Reading is always among
    /// it: that is how a client's leaving is noticed at once.
    fn watch(&mut self, is_full: bool, cx: &Cx) -> std::io::Result<()> {
        if is_full != self.watches_writes {
            self.watches_writes = is_full;
            let interest = if is_full {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            let stream = &mut self.pipe.borrow_mut().transport.stream;
            cx.registry
                .reregister(stream, self.token.into(), interest)?;
        }
        Ok(())
    }
}
