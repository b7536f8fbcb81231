//! `multipart/form-data` (RFC 7578), piece by piece: bytes in, events out. The parser is `multer`,
//! polled by hand: it is made for tasks, but never asks for more than its stream.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use multer::bytes::Bytes;
use multer::{Field, Multipart};

use crate::limits::FORM_PART_HEAD_MAX_BYTES;

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A part begins.
    Part(PartHead),
    /// Bytes of it.
    Data(Bytes),
    /// It is complete.
    PartEnd,
    /// The form is. What follows is nothing.
    End,
}

/// What the head of a part says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PartHead {
    pub(crate) name: String,
    /// Present: it is a file.
    pub(crate) filename: Option<String>,
    pub(crate) content_type: Option<String>,
}

/// Why it is no form, and what status says so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) text: String,
    pub(crate) status: u16,
}

impl Fault {
    /// The client sent something malformed.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, status: 400 }
    }

    /// The client sent too much.
    pub(crate) fn too_much(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, status: 413 }
    }
}

/// What was fed and not read yet, and whether it was the last.
#[derive(Default)]
struct Feed {
    piece: Option<Bytes>,
    is_over: bool,
}

/// The stream that the parser reads: one piece, then nothing until the next.
struct FeedStream(Arc<Mutex<Feed>>);

impl Stream for FeedStream {
    type Item = Result<Bytes, multer::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut feed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match feed.piece.take() {
            Some(piece) => Poll::Ready(Some(Ok(piece))),
            None if feed.is_over => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// One form on its way.
pub(crate) struct Reader {
    feed: Arc<Mutex<Feed>>,
    parts: Multipart<'static>,
    part: Option<Field<'static>>,
    /// Bytes that were fed since the last part, all of which wait for the end of a head.
    head_bytes: usize,
    is_over: bool,
}

impl Reader {
    /// A reader for a body of this `Content-Type`.
    pub(crate) fn new(content_type: &str) -> Result<Self, Fault> {
        let boundary = multer::parse_boundary(content_type)
            .map_err(|error| Fault::bad(format!("the content-type of the form: {error}")))?;
        let feed = Arc::new(Mutex::new(Feed::default()));
        Ok(Self {
            parts: Multipart::new(FeedStream(Arc::clone(&feed)), boundary),
            feed,
            part: None,
            head_bytes: 0,
            is_over: false,
        })
    }

    /// The next piece of the body; to be given when [`Self::step`] wants more, and only then.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        if self.part.is_none() {
            self.head_bytes += piece.len();
        }
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        debug_assert!(feed.piece.is_none(), "a piece was fed before it was wanted");
        feed.piece = Some(Bytes::copy_from_slice(piece));
    }

    /// No piece follows.
    pub(crate) fn finish(&mut self) {
        self.is_over = true;
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        feed.is_over = true;
    }

    /// The next event. Absent: feed more.
    pub(crate) fn step(&mut self) -> Result<Option<Event>, Fault> {
        let mut context = Context::from_waker(Waker::noop());
        let polled = match &mut self.part {
            Some(part) => Pin::new(part)
                .poll_next(&mut context)
                .map(|data| match data {
                    Some(data) => data.map(Event::Data),
                    None => Ok(Event::PartEnd),
                }),
            None => match self.parts.poll_next_field(&mut context) {
                Poll::Ready(Ok(Some(part))) => return self.begin(part).map(Some),
                Poll::Ready(Ok(None)) => Poll::Ready(Ok(Event::End)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            },
        };
        match polled {
            Poll::Ready(Ok(event)) => {
                if event == Event::PartEnd {
                    self.part = None;
                }
                Ok(Some(event))
            }
            Poll::Ready(Err(error)) => Err(Fault::bad(format!("the form: {error}"))),
            Poll::Pending if self.is_over => Err(Fault::bad("the form: it ends too early")),
            Poll::Pending if self.head_bytes > FORM_PART_HEAD_MAX_BYTES => Err(head_too_long()),
            Poll::Pending => Ok(None),
        }
    }

    fn begin(&mut self, part: Field<'static>) -> Result<Event, Fault> {
        self.head_bytes = 0;
        let fields = part.headers().iter();
        let len: usize = fields
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if len > FORM_PART_HEAD_MAX_BYTES {
            return Err(head_too_long());
        }
        let Some(name) = part.name() else {
            return Err(Fault::bad("the form: a part has no name"));
        };
        let head = PartHead {
            name: name.to_owned(),
            filename: part.file_name().map(str::to_owned),
            content_type: part.content_type().map(ToString::to_string),
        };
        self.part = Some(part);
        Ok(Event::Part(head))
    }
}

fn head_too_long() -> Fault {
    Fault::too_much(format!(
        "the form: the head of a part has more than {FORM_PART_HEAD_MAX_BYTES} bytes"
    ))
}

#[cfg(test)]
mod tests;
