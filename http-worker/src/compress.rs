//! Compression of responses: what a request wishes, the encoders, and how many there may be.
//!
//! A [`Press`] is between the cargo of a shuttle and the output of a connection. It eats a step at
//! a time, and what came of it is sent before it eats more: so neither memory nor time depend on
//! how large a response is, nor on how slow its client.

mod encoder;
mod press;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use http_proto::content::{Accepted, Coding, CompressRule, Compression};
use http_proto::{RequestHead, ResponseHead};

use self::encoder::Encoder;
pub(crate) use self::press::Press;
use crate::cargo::Cargo;
use crate::context::Cx;
use crate::stats::WorkerStats;

/// What is to be compressed of the response to one request: its site's rule, and what its client
/// accepts. The request itself is with the other shore when the response comes.
pub(crate) struct Wish {
    rule: Arc<CompressRule>,
    accepted: Accepted,
}

/// A part of a response that is loaded to be sent.
pub(crate) struct Loaded<'a> {
    pub(crate) head: &'a mut ResponseHead,
    pub(crate) cargo: Cargo,
    /// Nothing of the body follows.
    pub(crate) is_last: bool,
    /// The request was HEAD.
    pub(crate) is_head: bool,
}

/// Whether the body is compressed, which is decided with its first part, as long as there is a
/// wish; then its press has the cargo.
pub(crate) fn is_pressed(
    wish: &mut Option<Box<Wish>>,
    press: &mut Option<Box<Press>>,
    loaded: Loaded<'_>,
    cx: &Cx,
) -> bool {
    let Loaded {
        head,
        cargo,
        is_last,
        is_head,
    } = loaded;
    if let Some(wish) = wish.take() {
        let known_length = is_last.then_some(cargo.len() as u64);
        let room = (&cx.encoders, cx.limits.encoders_bytes);
        *press = wish.begin(head, known_length, is_head, room);
    }
    let Some(press) = press else {
        return false;
    };
    press.load(cargo, is_last);
    true
}

impl Wish {
    pub(crate) fn of(rule: &Arc<CompressRule>, request: &RequestHead) -> Option<Box<Self>> {
        let accepted = Accepted::of(request.field_all(b"accept-encoding"));
        let rule = Arc::clone(rule);
        Some(Box::new(Self { rule, accepted }))
    }

    /// Decides, when the head of the response is there, and changes the head. `known_length`: that
    /// of the body, when all of it is there. `None`: the body goes as it is.
    fn begin(
        &self,
        head: &mut ResponseHead,
        known_length: Option<u64>,
        is_head: bool,
        (encoders, limit_bytes): (&Encoders, usize),
    ) -> Option<Box<Press>> {
        let verdict = self.rule.judge(self.accepted, head, known_length, is_head);
        let declared = head.content_length();
        let (verdict, press) = match verdict {
            Compression::Coded(_) if is_head => (verdict, Some(Press::of_nothing())),
            Compression::Coded(coding) => {
                match encoders.begin(coding, self.rule.level, limit_bytes) {
                    Some(encoder) => (verdict, Some(Press::new(encoder, declared))),
                    None => (Compression::Varies, None),
                }
            }
            _ => (verdict, None),
        };
        match verdict.apply(head) {
            Ok(()) => press.map(Box::new),
            Err(e) => {
                log::debug!("a response is not compressed: {e}");
                None
            }
        }
    }
}

/// The encoders of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Encoders {
    used_bytes: Rc<Cell<usize>>,
    stats: Arc<WorkerStats>,
}

impl Encoders {
    pub(crate) fn new(stats: &Arc<WorkerStats>) -> Self {
        Self {
            used_bytes: Rc::default(),
            stats: Arc::clone(stats),
        }
    }

    fn set_used(&self, bytes: usize) {
        self.used_bytes.set(bytes);
        self.stats.encoder_bytes.set(bytes as u64);
    }

    /// A new one, if with it all take at most so many bytes.
    fn begin(&self, coding: Coding, level: Option<u8>, limit_bytes: usize) -> Option<Counted> {
        let bytes = encoder::bytes(coding, level);
        if self.used_bytes.get() + bytes > limit_bytes {
            return None;
        }
        let encoder = match Encoder::new(coding, level) {
            Ok(encoder) => encoder,
            Err(e) => {
                log::error!("there is no encoder of {}: {e}", coding.name());
                return None;
            }
        };
        self.set_used(self.used_bytes.get() + bytes);
        Some(Counted {
            encoder,
            bytes,
            all: self.clone(),
        })
    }
}

/// An encoder that is counted for as long as it lives.
struct Counted {
    encoder: Encoder,
    bytes: usize,
    all: Encoders,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.set_used(self.all.used_bytes.get() - self.bytes);
    }
}

#[cfg(test)]
pub(crate) mod tests;
