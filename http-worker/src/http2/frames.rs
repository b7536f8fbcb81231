//! Reads the heads of frames on their way to the engine, to know what is wrong with them by the
//! letter of RFC 9113. The engine finds what is wrong too, but nearly everything is a
//! PROTOCOL_ERROR to it; a client that is told FRAME_SIZE_ERROR or COMPRESSION_ERROR knows where to
//! look.
//!
//! Frames with field blocks are given to it alone, so that what it complains of is the last thing
//! it got. If that is such a frame and its head is right, the block is decoded once more, by
//! another decoder: if that fails it is COMPRESSION_ERROR.

use std::borrow::Cow;

use h2::Reason;
use http_proto::h2::PREFACE;
use loona_hpack::Decoder;
use loona_hpack::decoder::DecoderError;

use crate::limits::{
    HTTP2_BLOCK_KEPT_BYTES, HTTP2_FRAME_MAX_BYTES, HTTP2_OPEN_TRACKED_COUNT, HTTP2_TABLE_BYTES,
};

/// Length, kind, flags, stream: RFC 9113 section 4.1.
const HEAD_BYTES: usize = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 0x20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// One entry of SETTINGS.
const SETTING_BYTES: usize = 6;
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];

#[derive(Debug)]
pub(super) struct Frames {
    /// The head of a frame, or an entry of SETTINGS, of which so many bytes are here.
    part: [u8; HEAD_BYTES],
    have: usize,
    /// Bytes of the payload until the next head, and of what kind it is.
    left: usize,
    kind: u8,
    flags: u8,
    /// The stream whose field block goes on in the next frame.
    continues: Option<u32>,
    block: Block,
    /// The last piece was one of a field block.
    is_block: bool,
    /// The field block is the second one of its stream, or a later one.
    is_trailer: bool,
    /// Something came that is an error and that the engine passes over.
    has_passed_over: bool,
    /// The first frame has come.
    has_begun: bool,
    backlog: Backlog,
    /// What is wrong in the last piece.
    wrong: Option<Reason>,
    streams: Streams,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            part: [0; HEAD_BYTES],
            have: 0,
            left: PREFACE.len(),
            kind: u8::MAX,
            flags: 0,
            continues: None,
            block: Block::default(),
            is_block: false,
            is_trailer: false,
            has_passed_over: false,
            has_begun: false,
            backlog: Backlog::default(),
            wrong: None,
            streams: Streams::default(),
        }
    }

    /// How many of these bytes, the next from the client, the engine gets at once.
    pub(super) fn next_piece(&mut self, bytes: &[u8]) -> usize {
        if self.kind == u8::MAX && self.have == 0 {
            // The engine has taken in whole frames, and goes on.
            self.wrong = None;
        }
        self.is_block = is_block(self.kind);
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if self.left > 0 {
                let here = self.left.min(rest.len());
                self.see_payload(&rest[..here]);
                self.left -= here;
                at += here;
                if self.left == 0 {
                    self.have = 0;
                }
            } else {
                let begins_block = rest.get(3).is_none_or(|kind| is_block(*kind));
                if self.have == 0 && at > 0 && begins_block {
                    return at;
                }
                let here = rest.len().min(HEAD_BYTES - self.have);
                self.part[self.have..self.have + here].copy_from_slice(&rest[..here]);
                self.have += here;
                at += here;
                if self.have < HEAD_BYTES {
                    return at;
                }
                self.have = 0;
                self.see_head();
            }
            if self.left == 0 && self.kind != u8::MAX {
                let ended = std::mem::replace(&mut self.kind, u8::MAX);
                if is_block(ended) {
                    self.is_block = true;
                    if ended == HEADERS && !self.block.strip(self.flags) {
                        self.complain(Reason::PROTOCOL_ERROR);
                    }
                    if self.continues.is_none() && self.is_trailer {
                        self.has_passed_over |= self.block.has_pseudo();
                    }
                    return at;
                }
            }
        }
        self.is_block = is_block(self.kind);
        at
    }

    /// What the engine should have said when it said PROTOCOL_ERROR of the last piece.
    pub(super) fn reason(&self) -> Reason {
        match self.wrong {
            Some(reason) => reason,
            None if self.is_block && self.block.is_undecodable() => Reason::COMPRESSION_ERROR,
            None => Reason::PROTOCOL_ERROR,
        }
    }

    /// Whether something came that is an error and that the engine passes over: pseudo-header
    /// fields among trailers (RFC 9113 section 8.1), or a preface without SETTINGS (section 3.4).
    /// Told once.
    pub(super) fn take_passed_over(&mut self) -> bool {
        std::mem::take(&mut self.has_passed_over)
    }

    /// What the engine has taken in and nobody has asked for.
    pub(super) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// This stream was asked for, or with `None` all of them.
    pub(super) fn note_asked(&mut self, stream: Option<u32>) {
        match stream {
            Some(stream) => self.backlog.take(stream),
            None => self.backlog.clear(),
        }
    }

    /// Gives back memory that is not needed while nothing happens.
    pub(super) fn relax(&mut self) {
        if self.continues.is_none() && self.kind == u8::MAX {
            self.block.bytes = Vec::new();
        }
    }

    fn see_head(&mut self) {
        let [a, b, c, kind, flags, s, t, u, v] = self.part;
        let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        (self.left, self.kind, self.flags) = (len, kind, flags);
        let stream = u32::from_be_bytes([s & 0x7f, t, u, v]);
        let is_wrong_size = len > HTTP2_FRAME_MAX_BYTES
            || match kind {
                PRIORITY => len != 5,
                RST_STREAM | WINDOW_UPDATE => len != 4,
                SETTINGS if flags & ACK != 0 => len != 0,
                SETTINGS => len % SETTING_BYTES != 0,
                PING => len != 8,
                GOAWAY => len < 8,
                _ => false,
            };
        if is_wrong_size {
            self.complain(Reason::FRAME_SIZE_ERROR);
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            self.has_passed_over |= kind != SETTINGS || flags & ACK != 0;
        }
        self.see_order(kind, flags, stream);
        if kind == HEADERS && self.streams.is_new(stream) {
            self.backlog.streams_count += 1;
        }
        if kind == DATA && stream > self.backlog.asked {
            self.backlog.bytes += len;
        }
        if kind == DATA {
            self.backlog.frames_count += 1;
        }
        if let Some(reason) = self.streams.see(kind, flags, stream) {
            self.complain(reason);
        }
    }

    /// RFC 9113 section 6.10: between the frames of a field block there is no other.
    fn see_order(&mut self, kind: u8, flags: u8, stream: u32) {
        let is_expected = match self.continues {
            Some(expected) => kind == CONTINUATION && stream == expected,
            None => kind != CONTINUATION,
        };
        if !is_expected {
            self.complain(Reason::PROTOCOL_ERROR);
        }
        if kind == HEADERS {
            self.block.begin();
            self.is_trailer = self.streams.is_open(stream);
        }
        if is_block(kind) {
            self.continues = (flags & END_HEADERS == 0).then_some(stream);
        }
    }

    fn see_payload(&mut self, bytes: &[u8]) {
        match self.kind {
            SETTINGS => self.see_settings(bytes),
            HEADERS | CONTINUATION => self.block.put(bytes),
            _ => {}
        }
    }

    /// RFC 9113 section 6.5.2: of the settings only a window may be wrong in its own way.
    fn see_settings(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let here = bytes.len().min(SETTING_BYTES - self.have);
            self.part[self.have..self.have + here].copy_from_slice(&bytes[..here]);
            self.have += here;
            bytes = &bytes[here..];
            if self.have == SETTING_BYTES {
                self.have = 0;
                if self.part[..2] == INITIAL_WINDOW_SIZE && self.part[2] > 0x7f {
                    self.complain(Reason::FLOW_CONTROL_ERROR);
                }
            }
        }
    }

    fn complain(&mut self, reason: Reason) {
        self.wrong.get_or_insert(reason);
    }
}

fn is_block(kind: u8) -> bool {
    matches!(kind, HEADERS | CONTINUATION)
}

/// Streams that the engine has begun and nobody has asked for yet, and what came for them. Those
/// that are reset meanwhile count until somebody asks for all.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) streams_count: usize,
    /// Of their bodies.
    pub(super) bytes: usize,
    /// Frames of DATA that came since all were asked for, and the most there ever were: the engine
    /// has a place for each, and keeps it.
    frames_count: usize,
    pub(super) most_frames_count: usize,
    /// The last that was asked for; they are in the order of their numbers.
    asked: u32,
}

impl Backlog {
    fn take(&mut self, stream: u32) {
        self.asked = self.asked.max(stream);
        self.streams_count = self.streams_count.saturating_sub(1);
    }

    fn clear(&mut self) {
        self.most_frames_count = self.most_frames_count.max(self.frames_count);
        (self.streams_count, self.bytes, self.frames_count) = (0, 0, 0);
    }
}

/// The last field block.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    /// There were others before: it may name what came in those.
    is_later: bool,
    was_begun: bool,
}

impl Block {
    fn begin(&mut self) {
        self.bytes.clear();
        self.is_later = std::mem::replace(&mut self.was_begun, true);
    }

    /// Of one that is larger than what the engine decodes only the front is kept.
    fn put(&mut self, bytes: &[u8]) {
        let room = HTTP2_BLOCK_KEPT_BYTES - self.bytes.len();
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Takes away what a HEADERS frame has around the fields, RFC 9113 section 6.2. False: there is
    /// more padding than frame.
    fn strip(&mut self, flags: u8) -> bool {
        let padding = match self.bytes.first() {
            Some(&padding) if flags & PADDED != 0 => Some(usize::from(padding)),
            None if flags & PADDED != 0 => return false,
            _ => None,
        };
        let priority = if flags & HAS_PRIORITY != 0 { 5 } else { 0 };
        let before = priority + usize::from(padding.is_some());
        let Some(end) = self.bytes.len().checked_sub(padding.unwrap_or(0)) else {
            return false;
        };
        if before > end {
            return false;
        }
        self.bytes.truncate(end);
        self.bytes.drain(..before);
        true
    }

    /// Whether it has a pseudo-header field, as far as it can be decoded without what came before.
    fn has_pseudo(&self) -> bool {
        let mut has_pseudo = false;
        let see = |name: Cow<'_, [u8]>, _: Cow<'_, [u8]>| has_pseudo |= name.starts_with(b":");
        // What is wrong with it is the engine's to say.
        let _ = Decoder::new().decode_with_cb(&self.bytes, see);
        has_pseudo
    }

    /// Whether it breaks RFC 7541. One that names a field which is not there does so only if
    /// nothing came before: what else the table holds is not known here.
    fn is_undecodable(&self) -> bool {
        if self.bytes.len() == HTTP2_BLOCK_KEPT_BYTES {
            return false;
        }
        let mut decoder = Decoder::new();
        decoder.set_max_allowed_table_size(HTTP2_TABLE_BYTES);
        match decoder.decode_with_cb(&self.bytes, |_, _| {}) {
            Ok(()) => false,
            Err(DecoderError::HeaderIndexOutOfBounds) => !self.is_later,
            Err(_) => true,
        }
    }
}

/// Which streams the client has begun, and not ended.
#[derive(Debug, Default)]
struct Streams {
    highest: u32,
    /// Which of the 64 odd numbers up to the highest it has used: the lowest bit is the highest.
    used: u64,
    /// Those that it has not ended. Most requests are one frame, and never here.
    open: Vec<u32>,
    /// There were more than are counted here: nothing is said any more.
    is_lost: bool,
}

impl Streams {
    fn is_new(&self, stream: u32) -> bool {
        stream > self.highest && stream % 2 == 1
    }

    fn is_open(&self, stream: u32) -> bool {
        self.open.contains(&stream)
    }

    /// RFC 9113 section 5.1: what may not come on a stream that the client has ended.
    fn see(&mut self, kind: u8, flags: u8, stream: u32) -> Option<Reason> {
        let is_end = flags & END_STREAM != 0;
        match kind {
            HEADERS if self.is_new(stream) => {
                self.begin(stream);
                if !is_end {
                    self.note_open(stream);
                }
                None
            }
            HEADERS | DATA => match self.open.iter().position(|open| *open == stream) {
                Some(at) => {
                    if is_end {
                        self.open.swap_remove(at);
                    }
                    None
                }
                None if self.was_used(stream) => Some(Reason::STREAM_CLOSED),
                // Even, zero, or one that was passed over: RFC 9113 section 5.1.1.
                None => (kind == HEADERS).then_some(Reason::PROTOCOL_ERROR),
            },
            RST_STREAM => {
                self.open.retain(|open| *open != stream);
                None
            }
            _ => None,
        }
    }

    fn begin(&mut self, stream: u32) {
        let steps = (stream - self.highest).div_ceil(2);
        self.used = self.used.checked_shl(steps).unwrap_or(0) | 1;
        self.highest = stream;
    }

    fn note_open(&mut self, stream: u32) {
        if self.open.len() < HTTP2_OPEN_TRACKED_COUNT {
            self.open.push(stream);
        } else {
            self.is_lost = true;
        }
    }

    fn was_used(&self, stream: u32) -> bool {
        if self.is_lost || stream > self.highest || stream.is_multiple_of(2) {
            return false;
        }
        let back = (self.highest - stream) / 2;
        self.used.checked_shr(back).is_none_or(|bits| bits & 1 == 1)
    }
}

#[cfg(test)]
mod tests;
