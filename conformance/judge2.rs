//! Cases of HTTP/2, and whether what a server said is what a case expects. Included by the tests of
//! the worker and by those of the whole server.
//!
//! A line is a frame: its kind (or `0xNN`) with flags behind dots, the stream, and the payload in
//! words: hexadecimal digits, `'text'`, `16384*61` for so many of a byte, `@GET:/a` for the four
//! pseudo-header fields of a request, and `name=value` for a field, both as literals (RFC 7541
//! section 6.2.2). `GET 1 /path` and `POST 1` are whole requests and their beginnings, `PREFACE`
//! the preface.
//!
//! What is expected: `GOAWAY REASON`, or a reason alone, which a stream may be told as well
//! (section 5.4.1 allows both). Else, in any order, `200=1` (the status of stream 1), `done=1` (it
//! was ended), `body=1:text` and `bytes=1:7` (ended, with this body or so much of it),
//! `part=1:text` (not ended), `acks=2` and `pongs=0` (how many), `pong=hex`; and `open`: another
//! request is answered.

use super::frames::{
    ACK, END_HEADERS, END_STREAM, Ear, frame, get, literal, post, preface, reason,
};

const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 0x20;

/// The stream of the request that is asked behind a case to see whether the connection is open.
const LAST: u32 = 0x0fff_ffff;

/// One case of `http2.txt`.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) input: Vec<u8>,
    expected: String,
}

/// All cases, in their order.
pub(crate) fn cases() -> Vec<Case> {
    let text = include_str!("http2.txt");
    let mut cases = Vec::new();
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .peekable();
    while let Some(name) = lines.next() {
        let name = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let name = name.expect("a case begins with its name").to_owned();
        let is_bare = lines.next_if_eq(&"bare").is_some();
        let mut input = Vec::new();
        if !is_bare {
            input.extend(preface());
            input.extend(frame(4, 0, 0, &[]));
        }
        let expected = loop {
            let line = lines.next().expect("a case ends with what is expected");
            match line.strip_prefix("=> ") {
                Some(expected) => break expected.to_owned(),
                None => input.extend(line_of(line)),
            }
        };
        cases.push(Case {
            name,
            input,
            expected,
        });
    }
    cases
}

fn line_of(line: &str) -> Vec<u8> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let mut kind = words.next().expect("a kind").split('.');
    let name = kind.next().expect("a kind");
    let Some(stream) = words.next() else {
        assert_eq!(name, "PREFACE");
        return preface();
    };
    let stream = number(stream);
    match name {
        "GET" => return get(stream, words.next().unwrap_or("/a")),
        "POST" => return post(stream, words.next().unwrap_or("/echo")),
        _ => {}
    }
    let flags = kind.map(flag).fold(0, |flags, flag| flags | flag);
    let payload: Vec<u8> = words.flat_map(word).collect();
    frame(kind_of(name), flags, stream, &payload)
}

fn number(text: &str) -> u32 {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.expect("a number")
}

fn kind_of(name: &str) -> u8 {
    const NAMES: [&str; 10] = [
        "DATA",
        "HEADERS",
        "PRIORITY",
        "RST_STREAM",
        "SETTINGS",
        "PUSH_PROMISE",
        "PING",
        "GOAWAY",
        "WINDOW_UPDATE",
        "CONTINUATION",
    ];
    let kind = NAMES.iter().position(|known| *known == name);
    let kind = kind.map_or_else(|| number(name), |kind| kind as u32);
    u8::try_from(kind).expect("a byte")
}

fn flag(name: &str) -> u8 {
    match name {
        "end" => END_STREAM,
        "ack" => ACK,
        "heads" => END_HEADERS,
        "padded" => PADDED,
        "priority" => HAS_PRIORITY,
        other => u8::try_from(number(other)).expect("a byte"),
    }
}

/// The bytes of one word of a payload.
fn word(word: &str) -> Vec<u8> {
    if let Some(request) = word.strip_prefix('@') {
        let (method, path) = request.split_once(':').expect("a method and a path");
        let pseudo = [
            (":method", method),
            (":scheme", "http"),
            (":path", path),
            (":authority", "h"),
        ];
        return pseudo.iter().flat_map(|(n, v)| literal(n, v)).collect();
    }
    if let Some(text) = word.strip_prefix('\'') {
        return text.trim_end_matches('\'').as_bytes().to_vec();
    }
    if let Some((name, value)) = word.split_once('=') {
        return literal(name, value);
    }
    if let Some((number, byte)) = word.split_once('*') {
        return hex(byte).repeat(count(number));
    }
    hex(word)
}

fn count(text: &str) -> usize {
    text.parse().expect("a number")
}

fn hex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

impl Case {
    /// Whether the connection serves another request afterwards.
    pub(crate) fn stays(&self) -> bool {
        self.expected.ends_with("open")
    }

    /// What tells that: another request.
    pub(crate) fn last() -> Vec<u8> {
        get(LAST, "/last")
    }

    /// Whether the server said what is expected, so far.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn judge(&self, got: &[u8]) -> Result<(), String> {
        let mut ear = Ear::default();
        ear.hear(got);
        let wrong = |what: &str| Err(format!("{}: {what}, got {}", self.name, ear.told()));
        if let Some(code) = self.expected.strip_prefix("GOAWAY ") {
            return match ear.goaway.map(reason) {
                Some(told) if told == code => Ok(()),
                _ => wrong(&self.expected),
            };
        }
        let mut told = ear.resets.iter().map(|(_, code)| reason(*code));
        let told_alone = told.any(|told| told == self.expected)
            || ear.goaway.map(reason) == Some(self.expected.as_str());
        if told_alone {
            return Ok(());
        }
        // NO_ERROR only asks that the rest of a body is kept (section 8.1).
        let is_error = |code: u32| code != 0;
        let has_error =
            ear.goaway.is_some_and(is_error) || ear.resets.iter().any(|(_, code)| is_error(*code));
        match self.expected.split(' ').find(|token| !is_met(&ear, token)) {
            Some(token) => wrong(token),
            None if has_error => wrong("it is an error"),
            None => Ok(()),
        }
    }
}

fn is_met(ear: &Ear, token: &str) -> bool {
    let Some((what, value)) = token.split_once('=') else {
        // Its body may have no window.
        return token == "open" && ear.statuses.contains_key(&LAST);
    };
    let (stream, text) = value.split_once(':').unwrap_or((value, ""));
    let stream = || number(stream);
    let body = || ear.bodies.get(&stream()).map_or(&[][..], Vec::as_slice);
    let is_ended = || ear.ended.contains(&stream());
    match what {
        "done" => is_ended(),
        "body" => is_ended() && body() == text.as_bytes(),
        "bytes" => is_ended() && body().len() == count(text),
        "part" => !is_ended() && body() == text.as_bytes(),
        "acks" => ear.acks == count(value),
        "pongs" => ear.pongs.len() == count(value),
        "pong" => ear.pongs.contains(&hex(value)),
        status => ear.statuses.get(&stream()).copied() == status.parse().ok(),
    }
}
