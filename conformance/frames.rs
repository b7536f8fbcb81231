//! Frames of HTTP/2 made by hand (RFC 9113 section 4.1), and an ear for those that come back.

#![allow(dead_code, reason = "tests and an example use different parts of it")]

use std::collections::BTreeMap;

/// What a client says first (section 3.4).
pub(crate) fn preface() -> Vec<u8> {
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()
}

/// The same with its SETTINGS: these entries.
pub(crate) fn begin(settings: &[u8]) -> Vec<u8> {
    let mut bytes = preface();
    bytes.extend(frame(SETTINGS, 0, 0, settings));
    bytes
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// SETTINGS_INITIAL_WINDOW_SIZE, of nothing.
pub(crate) const SHUT: &[u8] = &[0, 4, 0, 0, 0, 0];

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("a frame is short");
    let mut bytes = len.to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A whole request.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    let flags = END_STREAM | END_HEADERS;
    frame(HEADERS, flags, stream, &head(0x82, path))
}

/// The head of a request whose body is to come.
pub(crate) fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &head(0x83, path))
}

/// A field block: a method of the static table, and the path as a literal (RFC 7541).
pub(crate) fn head(method: u8, path: &str) -> Vec<u8> {
    let len = u8::try_from(path.len()).expect("a path is short");
    let mut block = vec![method, 0x86, 0x01, 1, b'h', 0x04, len];
    block.extend_from_slice(path.as_bytes());
    block
}

/// A field as a literal that no table keeps.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        field.push(u8::try_from(text.len()).expect("a field is short"));
        field.extend_from_slice(text.as_bytes());
    }
    field
}

/// Hears what the server says, in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    head: Vec<u8>,
    /// What came of the payload, and how much of it is to come.
    payload: Vec<u8>,
    left: usize,
    /// The reason of the first GOAWAY that is an error, else that of the last.
    pub(crate) goaway: Option<u32>,
    /// Stream and reason of each RST_STREAM.
    pub(crate) resets: Vec<(u32, u32)>,
    /// How many of our SETTINGS were acknowledged.
    pub(crate) acks: usize,
    /// What PINGs that want an answer had in them, and answers to ours.
    pub(crate) pings: Vec<Vec<u8>>,
    pub(crate) pongs: Vec<Vec<u8>>,
    /// By stream: what was answered, as far as the static table has it, and the body.
    pub(crate) statuses: BTreeMap<u32, u16>,
    pub(crate) bodies: BTreeMap<u32, Vec<u8>>,
    /// Which streams were ended by an answer.
    pub(crate) ended: Vec<u32>,
}

impl Ear {
    pub(crate) fn hear(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.head.len() < 9 {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                if let [a, b, c, ..] = self.head[..] {
                    self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                }
            } else {
                let (here, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.payload.extend_from_slice(here);
                self.left -= here.len();
                bytes = rest;
            }
            if self.head.len() == 9 && self.left == 0 {
                self.note();
                self.head.clear();
                self.payload.clear();
            }
        }
    }

    fn note(&mut self) {
        let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
        let (kind, flags, stream) = (self.head[3], self.head[4], word(&self.head[5..]));
        let is_ack = flags & ACK != 0;
        match kind {
            GOAWAY if self.goaway.is_none_or(|code| code == 0) => {
                self.goaway = Some(word(&self.payload[4..8]));
            }
            RST_STREAM => self.resets.push((stream, word(&self.payload[..4]))),
            SETTINGS if is_ack => self.acks += 1,
            PING if is_ack => self.pongs.push(self.payload.clone()),
            PING => self.pings.push(self.payload.clone()),
            HEADERS => {
                // Behind what may change the size of the table.
                let mut bytes = self.payload.iter().skip_while(|byte| **byte >> 5 == 1);
                let status = bytes.next().and_then(|byte| status(*byte));
                self.statuses.extend(status.map(|status| (stream, status)));
            }
            DATA => {
                let body = self.bodies.entry(stream).or_default();
                body.extend_from_slice(&self.payload);
            }
            _ => {}
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            self.ended.push(stream);
        }
    }

    /// What came, in words.
    pub(crate) fn told(&self) -> String {
        format!(
            "GOAWAY {:?}, resets {:?}, acks {}, pongs {}, statuses {:?}, ended {:?}",
            self.goaway.map(reason),
            self.resets,
            self.acks,
            self.pongs.len(),
            self.statuses,
            self.ended,
        )
    }
}

/// A status of the static table, by the byte that names it.
fn status(index: u8) -> Option<u16> {
    const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let at = usize::from(index.checked_sub(0x88)?);
    STATUSES.get(at).copied()
}

/// Names of reasons, RFC 9113 section 7.
pub(crate) fn reason(code: u32) -> &'static str {
    match code {
        0 => "NO_ERROR",
        1 => "PROTOCOL_ERROR",
        2 => "INTERNAL_ERROR",
        3 => "FLOW_CONTROL_ERROR",
        4 => "SETTINGS_TIMEOUT",
        5 => "STREAM_CLOSED",
        6 => "FRAME_SIZE_ERROR",
        7 => "REFUSED_STREAM",
        8 => "CANCEL",
        9 => "COMPRESSION_ERROR",
        11 => "ENHANCE_YOUR_CALM",
        _ => "another reason",
    }
}
