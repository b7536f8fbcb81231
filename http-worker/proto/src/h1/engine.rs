//! The reading half: which part of a message comes next, and what it means.

use std::ops::Range;

use super::chunk::{self, ChunkLine};
use super::{Limits, RequestBody, RequestFacts, parse, trailer};
use crate::error::{PeerError, PeerErrorKind};
use crate::head::{Fields, RequestHead};
use crate::limits::{CHUNK_OVERHEAD_MAX_BYTES, STREAMED_BODY_MAX_BYTES};

/// Reads the requests of one connection.
///
/// The verb is [`poll`](Self::poll), to be called with all bytes that were received and not yet
/// consumed, until it answers [`Event::NeedMore`]. How the bytes were split by the network makes
/// no difference to the events, except that a body comes in other pieces.
///
/// ```
/// use http_proto::h1::{Engine, Event, Limits};
/// use http_proto::{Fields, RequestHead};
///
/// let input = b"POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\nhi";
/// let (mut engine, mut at) = (Engine::new(Limits::default()), 0);
/// let (mut head, mut trailers, mut body) = (RequestHead::default(), Fields::default(), vec![]);
/// loop {
///     let unread = &input[at..];
///     let step = engine.poll(unread, &mut head, &mut trailers);
///     match step.event {
///         Event::Head(facts) => assert!(facts.keep_alive),
///         Event::Body(range) => body.extend_from_slice(&unread[range]),
///         Event::End => break, // answer it, then poll for the next request
///         Event::ExpectContinue => { /* send 100 Continue */ }
///         Event::NeedMore => panic!("the request is complete"),
///         Event::Error(error) => panic!("{error}"), // send it, and close
///     }
///     at += step.consumed;
/// }
/// assert_eq!((head.path(), &body[..]), (&b"/a"[..], &b"hi"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    limits: Limits,
    state: State,
    /// Of the request being read, or of the last one until the next head is complete.
    facts: RequestFacts,
    /// Bytes at the front of the input that are known to hold no line end that has not been
    /// looked at. A head that comes byte by byte is parsed once per line, not once per byte.
    scanned: usize,
    empty_lines: usize,
    /// The bound of this request's body, if it is not that of the limits.
    body_max_bytes: Option<u64>,
    body_bytes: u64,
    /// By how much the frames of this body's chunks outweigh what was in them.
    overhead_bytes: u64,
}

/// What is expected next.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum State {
    /// Empty lines, then a head.
    Head,
    /// Whatever follows a head that was told: how long its body may be is known now.
    Told,
    /// A body whose sender may wait for `100 Continue`; nothing of it has come.
    Expecting,
    /// Bytes of a body with a length.
    Body { left: u64 },
    /// The line that announces a chunk.
    ChunkLine,
    /// Bytes of a chunk.
    Chunk { left: u64 },
    /// The CRLF after a chunk.
    ChunkEnd,
    /// Trailer fields and the empty line.
    Trailers,
    /// Nothing: the end is to be told.
    End,
    /// Nothing ever: what comes is thrown away.
    Done,
}

/// What [`Engine::poll`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many bytes of the input are done with. They may be forgotten once the event has been
    /// handled: a body's range is among them.
    pub consumed: usize,
    /// What they mean.
    pub event: Event,
}

/// Something that happened to a connection's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more is in these bytes; poll again when there are others.
    NeedMore,
    /// A request begins, its head is in the `RequestHead` that was given to `poll`.
    Head(RequestFacts),
    /// The client waits for `100 Continue` before it sends the body. Told once, after `Head`,
    /// and not at all when some of the body is there already. It may be answered later, when the
    /// body is wanted, or with a final status instead.
    ExpectContinue,
    /// A piece of the body: this range of the input.
    Body(Range<usize>),
    /// The request is complete. Trailers that came are in the `Fields` given to `poll`.
    End,
    /// The request cannot be served. Nothing is read after this: the rest is thrown away.
    Error(PeerError),
}

/// Where a connection is, for choosing how long to wait.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between requests, with nothing of the next one.
    Idle,
    /// In a head.
    Head,
    /// In a body.
    Body,
    /// No request will be read any more.
    Done,
}

/// What one part of the message led to.
pub(super) enum Turn {
    /// Wait for more bytes, done with this many.
    Wait(usize),
    /// Look on, done with this many.
    Go(usize),
    /// Tell it, done with this many.
    Tell(usize, Event),
}

impl Engine {
    /// An engine for a new connection. Limits beyond the fixed bounds are brought back to them.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: limits.clamped(),
            state: State::Head,
            facts: RequestFacts::default(),
            scanned: 0,
            empty_lines: 0,
            body_max_bytes: None,
            body_bytes: 0,
            overhead_bytes: 0,
        }
    }

    /// Changes the limits for what is read from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits.clamped();
    }

    /// Sets how long the body of the request may be whose [`Event::Head`] was told last, whatever
    /// the limits say. To be called before the next [`poll`](Self::poll): a declared length beyond
    /// it is refused there. Never more than [`STREAMED_BODY_MAX_BYTES`].
    pub fn set_body_max(&mut self, bytes: u64) {
        self.body_max_bytes = Some(bytes.min(STREAMED_BODY_MAX_BYTES));
    }

    /// After an [`Event::Head`]: whether that was all of its request. Then it is over, as if
    /// [`poll`](Self::poll) had told [`Event::End`], which it does not tell any more. Spares the
    /// usual request, which has no body, a second step.
    pub fn end_if_bodyless(&mut self) -> bool {
        if self.state != State::Told || self.facts.body != RequestBody::None {
            return false;
        }
        self.forget_head();
        let _ = self.end();
        true
    }

    /// Forgives so many bytes of what frames of chunks outweigh their data by, for time that has
    /// passed: who sends a byte now and then may do so for ever.
    pub fn forgive(&mut self, bytes: u64) {
        self.overhead_bytes = self.overhead_bytes.saturating_sub(bytes);
    }

    fn body_max_bytes(&self) -> u64 {
        self.body_max_bytes.unwrap_or(self.limits.body_max_bytes)
    }

    /// Looks at `input`, which has to begin with the first byte not yet consumed, and says what
    /// is there. `head` and `trailers` are those of the request being read: they are filled by
    /// the step that tells `Head`, and `End`, and must be given to no other step in between.
    pub fn poll(&mut self, input: &[u8], head: &mut RequestHead, trailers: &mut Fields) -> Step {
        let mut at = 0;
        loop {
            match self.turn(&input[at..], head, trailers) {
                Ok(Turn::Go(consumed)) => at += consumed,
                Ok(Turn::Wait(consumed)) => {
                    return Step {
                        consumed: at + consumed,
                        event: Event::NeedMore,
                    };
                }
                Ok(Turn::Tell(consumed, event)) => {
                    return Step {
                        consumed: at + consumed,
                        event: moved(event, at),
                    };
                }
                Err(error) => {
                    self.state = State::Done;
                    return Step {
                        consumed: input.len(),
                        event: Event::Error(error),
                    };
                }
            }
        }
    }

    /// How many bytes of a body the next [`poll`](Self::poll) of so many bytes can tell at most:
    /// for those who have to find room for them first.
    #[must_use]
    pub fn body_at_most(&self, input_len: usize) -> usize {
        match (self.state, self.facts.body) {
            (State::Body { left } | State::Chunk { left }, _) => at_most(input_len, left),
            (State::Told | State::Expecting, RequestBody::Length(length)) => {
                match length <= self.body_max_bytes() {
                    true => at_most(input_len, length),
                    false => 0,
                }
            }
            (State::Told | State::Expecting, RequestBody::Chunked)
            | (State::ChunkLine | State::ChunkEnd, _) => input_len,
            _ => 0,
        }
    }

    fn turn(
        &mut self,
        input: &[u8],
        head: &mut RequestHead,
        trailers: &mut Fields,
    ) -> Result<Turn, PeerError> {
        match self.state {
            State::Head => self.head(input, head, trailers),
            State::Told => self.begin_body(),
            State::Expecting => Ok(self.expecting(input)),
            State::Body { left } => Ok(self.body(input, left)),
            State::ChunkLine => self.chunk_line(input),
            State::Chunk { left } => Ok(self.chunk(input, left)),
            State::ChunkEnd => self.chunk_end(input),
            State::Trailers => self.trailers(input, trailers),
            State::End => Ok(self.end()),
            State::Done => Ok(Turn::Wait(input.len())),
        }
    }

    fn head(
        &mut self,
        input: &[u8],
        head: &mut RequestHead,
        trailers: &mut Fields,
    ) -> Result<Turn, PeerError> {
        let skipped = parse::skip_empty_lines(input, &mut self.empty_lines)?;
        let input = &input[skipped..];
        if skipped > 0 {
            self.scanned = 0;
        }
        if !self.is_worth_parsing(input) {
            return Ok(Turn::Wait(skipped));
        }
        // A new request begins: the facts of the last one must not shape the answer to an error.
        self.facts = RequestFacts::default();
        let Some(len) = parse::head(input, &self.limits, head, &mut self.facts)? else {
            self.scanned = input.len();
            return Ok(Turn::Wait(skipped));
        };
        trailers.clear();
        self.state = State::Told;
        self.body_max_bytes = None;
        Ok(Turn::Tell(skipped + len, Event::Head(self.facts)))
    }

    /// Whether there can be something new in a head: a line has ended, or a limit was reached.
    fn is_worth_parsing(&mut self, input: &[u8]) -> bool {
        let seen = self.scanned.min(input.len());
        self.scanned = input.len();
        let fresh = &input[seen..];
        !fresh.is_empty()
            && (seen == 0
                || input.len() >= self.limits.head_max_bytes
                || input.len() > self.limits.request_line_max_bytes + 1
                || memchr::memchr(b'\n', fresh).is_some())
    }

    fn begin_body(&mut self) -> Result<Turn, PeerError> {
        if let RequestBody::Length(length) = self.facts.body
            && length > self.body_max_bytes()
        {
            return Err(PeerErrorKind::BodyTooLarge.into());
        }
        self.forget_head();
        self.state = match self.facts.body {
            RequestBody::None => State::End,
            _ if self.facts.expects_continue => State::Expecting,
            RequestBody::Length(left) => State::Body { left },
            RequestBody::Chunked => State::ChunkLine,
        };
        Ok(Turn::Go(0))
    }

    fn forget_head(&mut self) {
        self.scanned = 0;
        self.empty_lines = 0;
        self.body_bytes = 0;
        self.overhead_bytes = 0;
    }

    fn expecting(&mut self, input: &[u8]) -> Turn {
        self.state = match self.facts.body {
            RequestBody::Length(left) => State::Body { left },
            RequestBody::Chunked | RequestBody::None => State::ChunkLine,
        };
        // RFC 9110 section 10.1.1: not needed when some of the body has come.
        if input.is_empty() {
            Turn::Tell(0, Event::ExpectContinue)
        } else {
            Turn::Go(0)
        }
    }

    fn body(&mut self, input: &[u8], left: u64) -> Turn {
        if input.is_empty() {
            return Turn::Wait(0);
        }
        let here = at_most(input.len(), left);
        let left = left - here as u64;
        self.state = if left == 0 {
            State::End
        } else {
            State::Body { left }
        };
        Turn::Tell(here, Event::Body(0..here))
    }

    fn chunk_line(&mut self, input: &[u8]) -> Result<Turn, PeerError> {
        let Some(ChunkLine { size, len }) = chunk::line(input)? else {
            return Ok(Turn::Wait(0));
        };
        // Refused before its bytes come. The limit may have been lowered meanwhile.
        if size > self.body_max_bytes().saturating_sub(self.body_bytes) {
            return Err(PeerErrorKind::BodyTooLarge.into());
        }
        self.body_bytes += size;
        self.weigh_chunk(size, len)?;
        self.state = if size == 0 {
            State::Trailers
        } else {
            State::Chunk { left: size }
        };
        Ok(Turn::Go(len))
    }

    /// Counts a chunk against what its frame costs. It pays before it has come: nobody profits from
    /// that, for no other line is read before it has.
    fn weigh_chunk(&mut self, size: u64, line_len: usize) -> Result<(), PeerErrorKind> {
        const CRLF: u64 = 2;
        let frame = line_len as u64 + CRLF;
        self.overhead_bytes = (self.overhead_bytes + frame).saturating_sub(size);
        if self.overhead_bytes > CHUNK_OVERHEAD_MAX_BYTES {
            return Err(PeerErrorKind::ChunkOverhead);
        }
        Ok(())
    }

    fn chunk(&mut self, input: &[u8], left: u64) -> Turn {
        if input.is_empty() {
            return Turn::Wait(0);
        }
        let here = at_most(input.len(), left);
        let left = left - here as u64;
        self.state = if left == 0 {
            State::ChunkEnd
        } else {
            State::Chunk { left }
        };
        Turn::Tell(here, Event::Body(0..here))
    }

    fn chunk_end(&mut self, input: &[u8]) -> Result<Turn, PeerError> {
        match input {
            [b'\r', b'\n', ..] => {
                self.state = State::ChunkLine;
                Ok(Turn::Go(2))
            }
            [] | [b'\r'] => Ok(Turn::Wait(0)),
            _ => Err(PeerErrorKind::ChunkEnd.into()),
        }
    }

    fn trailers(&mut self, input: &[u8], trailers: &mut Fields) -> Result<Turn, PeerError> {
        let fresh = &input[self.scanned.min(input.len())..];
        // As with heads: only the end of a line brings something new.
        if memchr::memchr(b'\n', fresh).is_none() && !trailer::is_full(input) {
            self.scanned = input.len();
            return Ok(Turn::Wait(0));
        }
        self.scanned = input.len();
        let Some(len) = trailer::section(input, trailers)? else {
            return Ok(Turn::Wait(0));
        };
        self.scanned = 0;
        self.state = State::End;
        Ok(Turn::Go(len))
    }

    fn end(&mut self) -> Turn {
        // RFC 9112 section 9.6: what follows a request with `Connection: close` is no request.
        self.state = if self.facts.keep_alive {
            State::Head
        } else {
            State::Done
        };
        Turn::Tell(0, Event::End)
    }

    /// What is known of the request being read: for the answer to an [`Event::Error`].
    #[must_use]
    pub fn facts(&self) -> RequestFacts {
        self.facts
    }

    /// Where the connection is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Head if self.scanned == 0 && self.empty_lines == 0 => Phase::Idle,
            State::Head => Phase::Head,
            State::Done => Phase::Done,
            _ => Phase::Body,
        }
    }

    /// Reads no further request: what comes from now on is thrown away. For a connection that
    /// ends after its last answer.
    pub fn stop(&mut self) {
        self.state = State::Done;
    }

    /// The input is over. Whether it ended inside a request: RFC 9112 section 8.
    ///
    /// # Errors
    /// [`PeerErrorKind::Truncated`], for a client that can still read.
    pub fn end_of_input(&self) -> Result<(), PeerError> {
        match self.phase() {
            Phase::Idle | Phase::Done => Ok(()),
            Phase::Head | Phase::Body => Err(PeerErrorKind::Truncated.into()),
        }
    }
}

/// The smaller of the two, as what it indexes.
fn at_most(here: usize, left: u64) -> usize {
    usize::try_from(left).map_or(here, |left| left.min(here))
}

/// The ranges of events are told from the front of the input.
fn moved(event: Event, by: usize) -> Event {
    match event {
        Event::Body(range) => Event::Body(range.start + by..range.end + by),
        other => other,
    }
}
