//! One stream: a request, its trip, and its answer.

use std::task::Context;
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http_proto::content::ErrorForm;
use http_proto::drawing::Mark;
use http_proto::h2::{Priority, ResponseBody};
use http_proto::{Exchange, Trailers};
use shuttle_core::{BerthId, Shuttle, Worker};

use super::compress::Made;
use super::files::FileLoad;
use super::room::Room;
use super::upload::Upload;
use crate::access::AccessRecord;
use crate::cargo::Cargo;
use crate::compress::{Press, Wish};
use crate::conn::Pace;
use crate::context::{Cx, Incoming};

/// Where the request, or the answer to it, is.
pub(super) enum Place {
    /// Here: its body is still being received.
    Arriving(Box<Incoming>, RecvStream),
    /// Here and whole, or but for a body that follows it: it waits for a berth.
    Waiting(Box<Incoming>, Option<RecvStream>),
    /// On the other shore.
    Away,
    /// Back, not looked at yet.
    Home(Shuttle<Worker, Exchange>),
    /// Back, and its cargo is being given to the engine.
    Loaded(Shuttle<Worker, Exchange>, Cargo),
    /// Back, and what was made of some of its cargo is being given to the engine.
    Pressed(Shuttle<Worker, Exchange>, Made),
    /// Still here: more was appended to it while its cargo went.
    More(Shuttle<Worker, Exchange>),
    /// It is for a file, which was not opened yet.
    Asked(Box<Incoming>),
    /// The file is open, and is being given to the engine.
    File(FileLoad),
    /// All is said.
    Done,
}

/// The way back to the client.
pub(super) enum Reply {
    /// The head was not sent.
    Unsaid(SendResponse<Bytes>),
    /// The head was sent; the body goes on like this.
    Begun(SendStream<Bytes>, ResponseBody),
    /// The stream was ended or reset by us.
    Ended,
}

/// A stream that is not over.
pub(super) struct Stream {
    /// The berth of its trip, while that is not over for the other shore.
    pub(super) berth: Option<BerthId>,
    /// Names it to witnesses, and tells it from earlier ones in its place.
    pub(super) ticket: u64,
    pub(super) is_head: bool,
    pub(super) place: Place,
    /// Its body, if that crosses in pieces.
    pub(super) upload: Option<Upload>,
    /// How long its body may be.
    pub(super) body_max_bytes: u64,
    pub(super) reply: Reply,
    /// What is to be compressed of its response; `None` when that was decided.
    pub(super) wish: Option<Box<Wish>>,
    /// Compresses its body.
    pub(super) press: Option<Box<Press>>,
    /// What goes behind its body.
    pub(super) trailers: Option<Box<Trailers>>,
    /// Nothing follows the cargo that is loaded.
    pub(super) is_last: bool,
    /// How urgent its answer is.
    pub(super) priority: Priority,
    /// It stands in the list of those that wait for their share.
    pub(super) is_listed: bool,
    /// How slow the client is: with its body, and then with its answer.
    pub(super) pace: Pace,
    /// What to tell the witness when the cargo goes; `None` when that was told.
    pub(super) sent_mark: Option<Mark>,
    /// How it stands with room for its body.
    pub(super) room: Room,
    /// What is told of it when it is over.
    pub(super) record: Option<Box<AccessRecord>>,
    /// How an error is told when the request is not here.
    pub(super) form: ErrorForm,
}

/// What became of a stream without our doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lot {
    /// It is open.
    Open,
    /// The client has reset it, or the connection is lost.
    Gone,
}

impl Stream {
    /// Asks the engine whether the stream is still there, and to be told when it is not.
    pub(super) fn lot(&mut self, waker: &mut Context<'_>) -> Lot {
        let polled = match &mut self.reply {
            Reply::Unsaid(respond) => respond.poll_reset(waker),
            Reply::Begun(send, _) => send.poll_reset(waker),
            Reply::Ended => return Lot::Open,
        };
        if polled.is_ready() {
            Lot::Gone
        } else {
            Lot::Open
        }
    }

    /// Resets the stream.
    pub(super) fn reset(&mut self, reason: Reason) {
        match &mut self.reply {
            Reply::Unsaid(respond) => respond.send_reset(reason),
            Reply::Begun(send, _) => send.send_reset(reason),
            Reply::Ended => {}
        }
        self.reply = Reply::Ended;
    }

    /// Whether it is this berth's return that it waits for.
    pub(super) fn waits_for(&self, berth: BerthId) -> bool {
        self.berth == Some(berth) && matches!(self.place, Place::Away)
    }

    /// Whether its request crosses before its body.
    pub(super) fn streams_body(&self) -> bool {
        matches!(&self.place, Place::Arriving(incoming, _) if incoming.streams)
    }

    /// Nothing follows what is loaded of its body, no trailers either.
    pub(super) fn is_whole(&self) -> bool {
        self.is_last && self.trailers.is_none()
    }

    /// Until when it may wait for its client, if it is that for which it waits.
    pub(super) fn deadline(&self, cx: &Cx) -> Option<Instant> {
        let own = match self.place {
            Place::Arriving(..) => self
                .room
                .until()
                .or_else(|| self.pace.due(cx.receive_rule())),
            Place::Loaded(..) | Place::Pressed(..) | Place::File(_) => {
                self.pace.due(cx.send_rule())
            }
            _ => None,
        };
        own.into_iter().chain(self.body_deadline(cx)).min()
    }

    /// Until when the client may be slow in the middle of a body that crosses in pieces.
    pub(super) fn body_deadline(&self, cx: &Cx) -> Option<Instant> {
        let upload = self.upload.as_ref()?;
        upload.pace.due(cx.receive_rule())
    }

    /// Whether it has a berth.
    pub(super) fn travels(&self) -> bool {
        self.berth.is_some() && !matches!(self.place, Place::Done | Place::File(_))
    }
}
