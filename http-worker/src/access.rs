//! What is told of each request when it is over, for whoever keeps a log.
//!
//! A record is begun when the head of a request is known, goes with the request, and is given to
//! the [`AccessLog`] when the last byte of the answer is with the socket, or when it never will be.
//! Without a log none is made. All moments are those of the worker's turns: what begins and ends in
//! one turn took no time.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_proto::{Exchange, RequestHead, RequestId, Version};

use crate::limits::{
    LOGGED_HOST_BYTES, LOGGED_METHOD_BYTES, LOGGED_REFERER_BYTES, LOGGED_TARGET_BYTES,
    LOGGED_USER_AGENT_BYTES,
};

/// The status of a request that got no answer, in logs only: what nginx calls it.
pub const NO_ANSWER_STATUS: u16 = 499;

/// Why there is no answer, or only a part of one, unless something better is known.
pub(crate) const CLIENT_LEFT: &str = "the client has left";

/// Why an answer is the worker's 500.
pub(crate) const NOT_ANSWERED: &str = "the application gave no answer";

/// Why an answer ends in the middle.
pub(crate) const NOT_FINISHED: &str = "the application did not finish its answer";

/// Why a connection, or a stream, was reset while it had something to be read.
pub(crate) const NOT_READ: &str = "the client did not read";

/// Why an answer is cut at its end.
pub(crate) const TOO_SHORT: &str = "the answer lacks declared bytes";

/// Why an answer that is a file ends in the middle.
pub(crate) const CHANGED: &str = "the file has become shorter";

/// Why nothing more is said: the worker was told to end at once.
pub(crate) const STOPPED: &str = "the server has stopped";

/// Takes what is told of requests. Lives on the worker's thread, so it must not wait for anything:
/// what it cannot take at once it drops.
pub trait AccessLog: Send + fmt::Debug {
    /// A request is over.
    fn record(&mut self, record: Box<AccessRecord>);
}

/// What a worker tells of requests, and to whom.
#[derive(Debug, Default)]
pub struct Reporting {
    /// Takes a record of each request.
    pub log: Option<Box<dyn AccessLog>>,
    /// Answers name their request in `X-Request-Id`, unless the application does that.
    pub sends_id: bool,
    /// A request is called as its client says in `X-Request-Id`.
    pub takes_id: bool,
}

impl Reporting {
    /// Whether records are to be made.
    pub(crate) fn is_on(&self) -> bool {
        self.log.is_some() || self.sends_id
    }
}

/// What is told of one request. Owned, and of bounded size.
#[derive(Debug)]
pub struct AccessRecord {
    /// What the request is called.
    pub id: RequestId,
    /// When its head was complete, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Who asked.
    pub peer: SocketAddr,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
    /// Absent when the request was not understood so far.
    pub version: Option<Version>,
    /// That of the answer; [`NO_ANSWER_STATUS`] if there was none.
    pub status: u16,
    /// Bytes of the body of the answer that were given to the socket, framing included; in HTTP/2
    /// those given to the engine, without framing.
    pub body_bytes: u64,
    /// What went wrong, if something did.
    pub failure: Option<&'static str>,
    texts: Vec<u8>,
    ends: [u16; TEXTS_COUNT],
    moments: Moments,
    /// Where in the output of its connection the body of its answer begins and ends.
    body_start: Option<u64>,
    end: Option<u64>,
}

/// How many texts a record has, one behind the other.
const TEXTS_COUNT: usize = 5;

const _: () = assert!(
    LOGGED_METHOD_BYTES
        + LOGGED_TARGET_BYTES
        + LOGGED_HOST_BYTES
        + LOGGED_REFERER_BYTES
        + LOGGED_USER_AGENT_BYTES
        <= u16::MAX as usize
);

#[derive(Clone, Copy, Debug)]
struct Moments {
    begun: Instant,
    complete: Instant,
    taken: Option<Instant>,
    answered: Option<Instant>,
    over: Instant,
}

/// How long each leg of a request took. A leg that was not gone is absent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Legs {
    /// From the first byte of the request to its end; to the end of the head, if the body crosses
    /// in pieces.
    pub parse: Duration,
    /// Until the other shore took it, the wait for a berth included.
    pub queue: Option<Duration>,
    /// Until the first part of its answer was here.
    pub tx: Option<Duration>,
    /// Until the last byte of the answer was given to the socket.
    pub write: Option<Duration>,
    /// From the first byte of the request on.
    pub total: Duration,
}

impl AccessRecord {
    /// A record of a request of which nothing is known.
    pub(crate) fn new(id: RequestId, peer: SocketAddr, begun: Instant, now: Instant) -> Box<Self> {
        Box::new(Self {
            id,
            unix_ms: 0,
            peer,
            is_tls: false,
            version: None,
            status: 0,
            body_bytes: 0,
            failure: None,
            texts: Vec::new(),
            ends: [0; TEXTS_COUNT],
            moments: Moments {
                begun,
                complete: now,
                taken: None,
                answered: None,
                over: now,
            },
            body_start: None,
            end: None,
        })
    }

    /// Takes from the head what is told of it.
    pub(crate) fn set_head(&mut self, head: &RequestHead) {
        self.version = Some(head.version());
        let (mut referer, mut user_agent) = (None, None);
        // One walk for both; names are in lower case.
        for (name, value) in head.fields() {
            match (name.len(), name) {
                (7, b"referer") => referer = referer.or(Some(value)),
                (10, b"user-agent") => user_agent = user_agent.or(Some(value)),
                _ => {}
            }
        }
        self.set_texts([
            (head.method(), LOGGED_METHOD_BYTES),
            (head.target(), LOGGED_TARGET_BYTES),
            (head.authority(), LOGGED_HOST_BYTES),
            (referer.unwrap_or_default(), LOGGED_REFERER_BYTES),
            (user_agent.unwrap_or_default(), LOGGED_USER_AGENT_BYTES),
        ]);
    }

    /// The head was not understood, and this is what came: its first line is told as the target.
    pub(crate) fn set_line(&mut self, input: &[u8]) {
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let line = input.split(is_end).next().unwrap_or_default();
        let none = (&b""[..], 0);
        self.set_texts([none, (line, LOGGED_TARGET_BYTES), none, none, none]);
    }

    fn set_texts(&mut self, texts: [(&[u8], usize); TEXTS_COUNT]) {
        let lens = texts.map(|(text, most)| text.len().min(most));
        self.texts = Vec::with_capacity(lens.iter().sum());
        for (at, (text, _)) in texts.into_iter().enumerate() {
            self.texts.extend_from_slice(&text[..lens[at]]);
            // The bounds of all together fit, see above.
            self.ends[at] = self.texts.len() as u16;
        }
    }

    fn text(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.texts[usize::from(start)..usize::from(self.ends[at])]
    }

    /// The method; empty when the request line was not understood.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.text(0)
    }

    /// The target as it came, or the whole line that was not understood; cut at a limit.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.text(1)
    }

    /// Host and port the request is for; empty when it names none.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.text(2)
    }

    /// The value of `Referer`, or nothing.
    #[must_use]
    pub fn referer(&self) -> &[u8] {
        self.text(3)
    }

    /// The value of `User-Agent`, or nothing.
    #[must_use]
    pub fn user_agent(&self) -> &[u8] {
        self.text(4)
    }

    /// How long its legs took.
    #[must_use]
    pub fn legs(&self) -> Legs {
        let moments = self.moments;
        let between =
            |from: Option<Instant>, to: Option<Instant>| Some(to?.saturating_duration_since(from?));
        Legs {
            parse: moments.complete.saturating_duration_since(moments.begun),
            queue: between(Some(moments.complete), moments.taken),
            tx: between(moments.taken, moments.answered),
            write: between(moments.answered, Some(moments.over)),
            total: moments.over.saturating_duration_since(moments.begun),
        }
    }

    /// The request is here as a whole.
    pub(crate) fn note_complete(&mut self, now: Instant) {
        self.moments.complete = now;
    }

    /// The worker has an answer of its own.
    pub(crate) fn note_own_answer(&mut self, status: u16, now: Instant) {
        self.status = status;
        self.moments.answered = Some(now);
    }

    /// The first part of an answer has come.
    pub(crate) fn note_answer(&mut self, exchange: &Exchange, now: Instant) {
        self.note_own_answer(exchange.response.status(), now);
        // Clocks are read at the turns of two loops, so they may seem to disagree by one.
        let taken = exchange.taken_at.map(|at| at.min(now));
        self.moments.taken = taken.map(|at| at.max(self.moments.complete));
        self.blame(exchange.failure);
    }

    /// What went wrong. The first that is known of counts.
    pub(crate) fn blame(&mut self, failure: Option<&'static str>) {
        self.failure = self.failure.or(failure);
    }

    /// The head of the answer ends here in the output of the connection.
    pub(crate) fn note_body_start(&mut self, at: u64) {
        self.body_start = Some(at);
    }

    /// The answer, which has a body of so many bytes, ends here in the output of the connection.
    pub(crate) fn note_own_body(&mut self, at: u64, len: usize) {
        self.body_start = Some(at - len as u64);
    }

    /// The answer ends here in the output of the connection.
    pub(crate) fn note_end(&mut self, at: u64) {
        self.end = Some(at);
    }

    /// So much more of the body is given away.
    pub(crate) fn add_bytes(&mut self, count: u64) {
        self.body_bytes += count;
    }

    /// It is over. Of the output of the connection, `went` bytes are gone.
    pub(crate) fn close_at(&mut self, went: u64) {
        if let Some(start) = self.body_start {
            let end = self.end.map_or(went, |end| end.min(went));
            self.body_bytes = end.saturating_sub(start);
        }
    }

    /// It is over, and nothing more will be known of it.
    pub(crate) fn close(&mut self, now: Instant) {
        if self.status == 0 {
            self.status = NO_ANSWER_STATUS;
            self.blame(Some(CLIENT_LEFT));
        }
        self.moments.over = now;
    }
}
