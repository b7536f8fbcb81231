//! What must hold for any bytes, as plain functions that panic when it does not.
//!
//! Fuzz targets and property tests call them; nothing else does.

pub mod content;
mod paths;

use std::fmt::Write as _;

pub use paths::site_of_path;

use crate::exchange::{Exchange, Leg, Side};
use crate::h1::{
    Encoder, Engine, Event, Framing, Limits, Outlook, Phase, RequestBody, RequestFacts, chunk_head,
    chunk_tail, last_chunk,
};
use crate::head::token::{is_token, is_value, survey_target};
use crate::head::{Fields, RequestHead, ResponseHead, Version};

/// Feeds the pieces to an engine, as a connection that keeps what was not consumed, and writes
/// down what it tells: one line an event, the pieces of a body as one.
///
/// `100 Continue` is left out: whether it is due depends on when bytes come.
#[must_use]
pub fn transcript<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: Limits) -> String {
    let mut session = Session::new(limits);
    for piece in pieces {
        session.receive(piece);
    }
    session.finish()
}

/// The same, all at once, by a connection that asks after each head whether that is all.
#[must_use]
pub fn short_transcript(input: &[u8], limits: Limits) -> String {
    let mut session = Session::new(limits);
    session.asks_for_end = true;
    session.receive(input);
    session.finish()
}

/// The events of `input` do not depend on how the network cut it: `cuts` are places to cut,
/// taken modulo its length.
pub fn any_split(input: &[u8], cuts: &[u16]) {
    let limits = small_limits();
    let whole = transcript([input], limits);
    let mut places: Vec<usize> = cuts
        .iter()
        .map(|&cut| usize::from(cut) % (input.len() + 1))
        .collect();
    places.sort_unstable();
    let mut rest = (input, 0);
    let mut pieces = Vec::with_capacity(places.len() + 1);
    for place in places {
        let (piece, after) = rest.0.split_at(place - rest.1);
        pieces.push(piece);
        rest = (after, place);
    }
    pieces.push(rest.0);
    assert_eq!(
        transcript(pieces, limits),
        whole,
        "{:?}",
        input.escape_ascii().to_string()
    );
    assert_eq!(transcript(input.chunks(1), limits), whole);
    assert_eq!(short_transcript(input, limits), whole);
}

/// The events of a session whose first three bytes say where the network cuts the rest.
pub fn session(data: &[u8]) {
    let (cuts, input) = data.split_at(data.len().min(3));
    let cuts: Vec<u16> = cuts.iter().map(|&cut| u16::from(cut)).collect();
    any_split(input, &cuts);
}

/// The same for the body of a request that comes in chunks: `data` is what follows its head, but
/// for the first byte, which is one place to cut.
pub fn chunked_body(data: &[u8]) {
    let mut input = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let head_len = input.len() as u16;
    let (cut, body) = data.split_at(data.len().min(1));
    input.extend_from_slice(body);
    let cut = cut.first().map_or(0, |&cut| head_len + u16::from(cut));
    any_split(&input, &[head_len, cut]);
}

/// A head, alone in its bytes: others agree with it, and it is told as one piece or byte by byte.
pub fn head(input: &[u8]) {
    taken_by_others(input);
    let limits = Limits::default();
    let whole = transcript([input], limits);
    assert_eq!(transcript(input.chunks(1), limits), whole);
}

/// What an engine takes, a reader that knows nothing of it takes too, and finds the same in it.
/// The other direction is not asked for: we refuse more.
pub fn taken_by_others(input: &[u8]) {
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let mut engine = Engine::new(Limits::default());
    let step = engine.poll(input, &mut head, &mut trailers);
    let Event::Head(_) = step.event else { return };
    // Empty lines and later minor versions are more than the other reader takes.
    if input.starts_with(b"\r") || !has_usual_version(input) {
        return;
    }
    let mut room = [httparse::EMPTY_HEADER; crate::limits::FIELDS_MAX_COUNT];
    let mut other = httparse::Request::new(&mut room);
    let len = match other.parse(input) {
        Ok(httparse::Status::Complete(len)) => len,
        other => panic!("{other:?} for {:?}", input.escape_ascii().to_string()),
    };
    assert_eq!(len, step.consumed, "the head ends elsewhere");
    assert_eq!(other.method.map(str::as_bytes), Some(head.method()));
    assert_eq!(other.path.map(str::as_bytes), Some(head.target()));
    assert_eq!(other.headers.len(), head.fields().len());
    for (theirs, (name, value)) in other.headers.iter().zip(head.fields()) {
        assert!(theirs.name.as_bytes().eq_ignore_ascii_case(name));
        assert_eq!(theirs.value, value);
    }
}

fn has_usual_version(input: &[u8]) -> bool {
    let line = input
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
}

/// A response is read back as it was meant, by a reader that is not ours. `data` chooses status,
/// version, length and parts.
pub fn response_comes_back(data: &[u8]) {
    let Some((seed, body)) = data.split_first_chunk::<5>() else {
        return;
    };
    let [status, version, method, length, part] = *seed;
    let mut head = ResponseHead::default();
    let _ = head.reset(200 + u16::from(status) * 3 % 400);
    let _ = head.push(b"X-Body", body);
    if length % 3 == 0 {
        head.set_content_length(u64::from(length));
    }
    let facts = RequestFacts {
        version: if version % 2 == 0 {
            Version::Http11
        } else {
            Version::Http10
        },
        is_head: method % 4 == 0,
        keep_alive: method % 8 < 5,
        ..RequestFacts::default()
    };
    let known_length = (length % 3 == 1).then_some(body.len() as u64);
    let outlook = Outlook {
        known_length,
        must_close: false,
    };
    let parts = body.chunks(usize::from(part) + 1);
    let (out, sent, framing, keep_alive) = encode(&head, &facts, outlook, parts);
    let read = read_response(&out);
    assert_eq!(read.status, head.status());
    assert_eq!(
        read.fields,
        head.fields().len() + read.ours,
        "a field was lost or injected"
    );
    match framing {
        Framing::NoBody => assert!(read.rest.is_empty() && sent.is_empty()),
        Framing::Length(declared) => {
            assert_eq!(read.rest, sent);
            assert_eq!(read.length, Some(declared));
            assert!(sent.len() as u64 <= declared);
            assert!(!keep_alive || sent.len() as u64 == declared);
        }
        Framing::Chunked => {
            assert!(read.chunked && facts.version == Version::Http11);
            assert_eq!(unchunk(&read.rest), sent);
        }
        Framing::UntilClose => assert!(read.rest == sent && !keep_alive),
    }
}

/// Writes a whole response: the bytes, the body bytes among them, and how it went.
fn encode<'a>(
    head: &ResponseHead,
    facts: &RequestFacts,
    outlook: Outlook,
    parts: impl Iterator<Item = &'a [u8]>,
) -> (Vec<u8>, Vec<u8>, Framing, bool) {
    let (mut out, mut sent) = (Vec::new(), Vec::new());
    let mut body = Encoder::new(Some("httpng")).encode_head(head, facts, outlook, &mut out);
    let framing = body.framing();
    for part in parts {
        let admitted = body.begin_part(part.len(), &mut out);
        out.extend_from_slice(&part[..admitted]);
        sent.extend_from_slice(&part[..admitted]);
        body.end_part(&mut out);
    }
    let ending = body.finish(&mut out);
    (out, sent, framing, ending.keep_alive)
}

/// What `httparse` finds in a response.
struct ReadResponse {
    status: u16,
    fields: usize,
    /// Fields that the encoder adds by itself.
    ours: usize,
    length: Option<u64>,
    chunked: bool,
    rest: Vec<u8>,
}

fn read_response(bytes: &[u8]) -> ReadResponse {
    let mut room = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut room);
    let len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        other => panic!("{other:?} for {:?}", bytes.escape_ascii().to_string()),
    };
    let field = |name: &str| {
        response
            .headers
            .iter()
            .find(|f| f.name == name)
            .map(|f| f.value)
    };
    let number = |digits: &[u8]| {
        std::str::from_utf8(digits)
            .ok()
            .and_then(|d| d.parse().ok())
    };
    let engine_names = [
        "Date",
        "Server",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
    ];
    ReadResponse {
        status: response.code.expect("a complete head has a status"),
        fields: response.headers.len(),
        ours: response
            .headers
            .iter()
            .filter(|f| engine_names.contains(&f.name))
            .count(),
        length: field("Content-Length").and_then(number),
        chunked: field("Transfer-Encoding") == Some(b"chunked"),
        rest: bytes[len..].to_vec(),
    }
}

/// The body of complete chunks without extensions and trailers.
fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let parsed = httparse::parse_chunk_size(bytes);
        let Ok(httparse::Status::Complete((at, size))) = parsed else {
            panic!("{parsed:?} for {:?}", bytes.escape_ascii().to_string())
        };
        let end = at + usize::try_from(size).expect("chunks of a test are small");
        body.extend_from_slice(&bytes[at..end]);
        assert!(bytes[end..].starts_with(b"\r\n"), "a chunk ends in CRLF");
        bytes = &bytes[end + 2..];
        if size == 0 {
            assert!(bytes.is_empty(), "nothing follows the last chunk");
            return body;
        }
    }
}

/// What the writing half frames as chunks, the reading half takes apart again, and a reader that
/// is not ours does too.
pub fn chunks_come_back(parts: &[&[u8]]) {
    let mut framed = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        chunk_head(part.len(), &mut framed);
        framed.extend_from_slice(part);
        chunk_tail(&mut framed);
    }
    last_chunk(&mut framed);
    let body = parts.concat();
    assert_eq!(unchunk(&framed), body);
    let mut request = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    request.extend_from_slice(&framed);
    let told = if body.is_empty() {
        String::new()
    } else {
        format!("\"{}\"\n", body.escape_ascii())
    };
    let expected = format!("PUT / 1.1 @a keep chunked\n{told}end\n");
    assert_eq!(transcript([&request[..]], Limits::default()), expected);
}

/// Whatever steps are tried, an exchange is where the legal ones among them lead, and illegal
/// ones change nothing. Each byte is a leg and whether a write is the last.
pub fn exchange_steps(steps: &[u8]) {
    let mut exchange = Exchange::default();
    let mut model = (Leg::Free, false);
    for step in steps {
        let to = Leg::ALL[usize::from(step & 0x7f) % Leg::ALL.len()];
        let last = step & 0x80 != 0;
        if matches!(exchange.leg(), Leg::Continue | Leg::Request | Leg::Body) {
            exchange.last = last;
            model.1 = last;
        }
        let allowed = allowed_by_hand(model.0, to, model.1);
        assert_eq!(exchange.advance(to).is_ok(), allowed, "{model:?} to {to:?}");
        if allowed {
            let stays = to.sender() == Side::Tx;
            model = (to, model.1 && stays);
        }
        assert_eq!((exchange.leg(), exchange.last), model);
    }
}

/// The table in other words: who may follow whom.
fn allowed_by_hand(from: Leg, to: Leg, last: bool) -> bool {
    match from {
        Leg::Free => matches!(to, Leg::Request | Leg::Body),
        Leg::Request => matches!(to, Leg::Answer | Leg::Write | Leg::Close | Leg::Release),
        Leg::Answer | Leg::Release => to == Leg::Free,
        Leg::Write => to == Leg::Closed || (to == Leg::Continue && !last),
        Leg::Continue => matches!(to, Leg::Write | Leg::Close | Leg::Closed | Leg::Release),
        Leg::Close => to == Leg::Closed,
        Leg::Closed => to == Leg::Release,
        Leg::Body => to == Leg::Release || (to == Leg::WantBody && !last),
        Leg::WantBody => to == Leg::Body,
    }
}

/// Limits that short inputs reach.
fn small_limits() -> Limits {
    Limits {
        request_line_max_bytes: 64,
        head_max_bytes: 256,
        fields_max_count: 4,
        body_max_bytes: 64,
    }
}

/// A connection in small: what was received and not consumed, and what was told.
struct Session {
    limits: Limits,
    engine: Engine,
    unread: Vec<u8>,
    head: RequestHead,
    trailers: Fields,
    text: String,
    body: Vec<u8>,
    body_bytes: u64,
    /// Whether a head was told and its end was not.
    in_request: bool,
    /// It asks after each head whether that is all.
    asks_for_end: bool,
}

impl Session {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            engine: Engine::new(limits),
            unread: Vec::new(),
            head: RequestHead::default(),
            trailers: Fields::default(),
            text: String::new(),
            body: Vec::new(),
            body_bytes: 0,
            in_request: false,
            asks_for_end: false,
        }
    }

    fn receive(&mut self, piece: &[u8]) {
        self.unread.extend_from_slice(piece);
        loop {
            let step = self
                .engine
                .poll(&self.unread, &mut self.head, &mut self.trailers);
            assert!(
                step.consumed <= self.unread.len(),
                "more was consumed than there is"
            );
            let waits = step.event == Event::NeedMore;
            self.tell(step.event);
            self.unread.drain(..step.consumed);
            if waits {
                return;
            }
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::NeedMore | Event::ExpectContinue => {}
            Event::Head(facts) => {
                assert!(
                    !std::mem::replace(&mut self.in_request, true),
                    "a head in a request"
                );
                self.body_bytes = 0;
                self.tell_head(facts);
                if self.asks_for_end && self.engine.end_if_bodyless() {
                    self.tell(Event::End);
                }
            }
            Event::Body(range) => {
                assert!(
                    self.in_request && !range.is_empty(),
                    "an empty piece, or a stray one"
                );
                self.body_bytes += range.len() as u64;
                assert!(
                    self.body_bytes <= self.limits.body_max_bytes,
                    "beyond the limit"
                );
                self.body.extend_from_slice(&self.unread[range]);
            }
            Event::End => {
                assert!(
                    std::mem::replace(&mut self.in_request, false),
                    "an end without a head"
                );
                self.flush_body();
                self.text.push_str("end");
                for (name, value) in self.trailers.iter() {
                    let (name, value) = (name.escape_ascii(), value.escape_ascii());
                    let _ = write!(self.text, " {name}={value}");
                }
                self.text.push('\n');
            }
            Event::Error(error) => {
                self.flush_body();
                assert!(error.close && error.status >= 400);
                let _ = writeln!(self.text, "{} {:?}", error.status, error.kind);
            }
        }
    }

    fn tell_head(&mut self, facts: RequestFacts) {
        let head = &self.head;
        assert!(is_token(head.method()) && survey_target(head.target()).is_some());
        for (name, value) in head.fields() {
            assert!(is_token(name) && is_value(value) && !name.iter().any(u8::is_ascii_uppercase));
        }
        let _ = write!(
            self.text,
            "{} {} {}.{} @{}",
            head.method().escape_ascii(),
            head.target().escape_ascii(),
            head.version().major(),
            head.version().minor(),
            head.authority().escape_ascii(),
        );
        self.text
            .push_str(if facts.keep_alive { " keep" } else { " close" });
        let _ = match facts.body {
            RequestBody::None => Ok(()),
            RequestBody::Length(length) => write!(self.text, " length={length}"),
            RequestBody::Chunked => write!(self.text, " chunked"),
        };
        self.text.push_str(if facts.expects_continue {
            " expects\n"
        } else {
            "\n"
        });
    }

    fn flush_body(&mut self) {
        if !self.body.is_empty() {
            let _ = writeln!(self.text, "\"{}\"", self.body.escape_ascii());
            self.body.clear();
        }
    }

    /// The transcript, with where the connection is unless it waits for a request.
    fn finish(mut self) -> String {
        self.flush_body();
        let place = match self.engine.phase() {
            Phase::Idle => "",
            Phase::Head => "in head\n",
            Phase::Body => "in body\n",
            Phase::Done => "done\n",
        };
        self.text.push_str(place);
        self.text
    }
}
