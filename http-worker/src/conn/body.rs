//! The body of a request that crosses in pieces, while it arrives: one shuttle for one body, apart
//! from the one that carries request and response. So reading and writing never wait for each
//! other.
//!
//! A [`BodyTrip`] is fed with bytes, an end or a fault by whatever protocol reads them, and says
//! whether it wants more. It sends a piece whenever its shuttle is here; what comes meanwhile is
//! the next piece, and when that is large enough nothing more is wanted, which the client feels.
//! Its shuttle is always freed in the same way: it crosses a last time, marked as the last, and TX
//! asks for its release.

use http_proto::drawing::Mark;
use http_proto::{BodyBerth, BodyFault, Exchange, Fields, Leg};
use shuttle_core::{BerthId, Shuttle, Worker};

use crate::context::Cx;
use crate::limits::{BODY_PIECE_BYTES, KEEP_BYTES};
use crate::token::ConnToken;

/// Where the shuttle is.
enum Place {
    /// Here: it may take a piece across.
    Here(Shuttle<Worker, Exchange>),
    /// On the other shore, which will want more.
    Away,
    /// Gone for good: what still comes of the body is of no use to anybody.
    Gone,
}

/// One body.
pub(crate) struct BodyTrip {
    place: Place,
    berth: BerthId,
    /// Names the request.
    ticket: u64,
    /// What was received and has not crossed.
    piece: Vec<u8>,
    trailers: Fields,
    /// How it ended, once it has.
    ending: Option<Result<(), BodyFault>>,
    /// How many bytes were announced, if they were.
    length: Option<u64>,
    received_bytes: u64,
    /// The client sends nothing before it is told that its body is wanted.
    awaits_invitation: bool,
    /// It is to be told so.
    is_invited: bool,
}

impl BodyTrip {
    /// A body whose shuttle was just boarded, for the request of this ticket: of a connection, and
    /// of which of its streams.
    pub(crate) fn new(
        mut shuttle: Shuttle<Worker, Exchange>,
        ticket: u64,
        length: Option<u64>,
        (conn, place): (ConnToken, usize),
        cx: &mut Cx,
    ) -> Self {
        if shuttle.leg() != Leg::Free {
            // It was laid to rest by its drop, with what was in it.
            shuttle.clear(KEEP_BYTES);
        }
        shuttle.worker_ticket = ticket;
        shuttle.carries_body = true;
        cx.note_at(&shuttle, conn, place);
        Self {
            berth: shuttle.berth(),
            place: Place::Here(shuttle),
            ticket,
            piece: Vec::new(),
            trailers: Fields::default(),
            ending: None,
            length,
            received_bytes: 0,
            awaits_invitation: false,
            is_invited: false,
        }
    }

    /// How the shuttle of the request names this one.
    pub(crate) fn name(&self) -> BodyBerth {
        BodyBerth {
            index: self.berth.index(),
            generation: self.berth.generation(),
        }
    }

    /// The request whose body it is.
    pub(crate) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Whether bytes have a use now: the piece that waits to cross is not large enough yet.
    pub(crate) fn has_room(&self) -> bool {
        self.piece.len() < BODY_PIECE_BYTES && !self.is_unwanted() && self.ending.is_none()
    }

    /// Whether the other shore will take nothing more of it.
    pub(crate) fn is_unwanted(&self) -> bool {
        matches!(self.place, Place::Gone)
    }

    /// Whether all of it was received.
    pub(crate) fn is_complete(&self) -> bool {
        self.ending == Some(Ok(()))
    }

    /// Whether the rest of it will not come.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.ending, Some(Err(_)))
    }

    /// Whether the client does not send before it is invited.
    pub(crate) fn awaits_invitation(&self) -> bool {
        self.awaits_invitation
    }

    /// How much is still to come, if that is known.
    pub(crate) fn rest_bytes(&self) -> Option<u64> {
        self.length
            .map(|length| length.saturating_sub(self.received_bytes))
    }

    /// Takes received bytes; those that nobody wants are only counted.
    pub(crate) fn take_in(&mut self, bytes: &[u8]) {
        self.received_bytes += bytes.len() as u64;
        self.awaits_invitation = false;
        if !self.is_unwanted() {
            self.piece.extend_from_slice(bytes);
        }
    }

    /// The client waits for an invitation before it sends.
    pub(crate) fn hold_back(&mut self) {
        self.awaits_invitation = true;
    }

    /// All was received; trailers go with the last piece.
    pub(crate) fn end(&mut self, trailers: &mut Fields) {
        self.ending = Some(Ok(()));
        std::mem::swap(&mut self.trailers, trailers);
    }

    /// What was not received will not come. The first word about the end counts.
    pub(crate) fn fail(&mut self, fault: BodyFault) {
        self.ending.get_or_insert(Err(fault));
    }

    /// Whether the client is to be invited, asked once.
    pub(crate) fn take_invitation(&mut self) -> bool {
        std::mem::take(&mut self.is_invited)
    }

    /// Whether it is this berth's return that it waits for.
    pub(crate) fn waits_for(&self, berth: BerthId) -> bool {
        self.berth == berth && matches!(self.place, Place::Away)
    }

    /// Takes the shuttle home; what it says is looked at by the next [`advance`](Self::advance).
    pub(crate) fn take_home(&mut self, shuttle: Shuttle<Worker, Exchange>) {
        self.place = Place::Here(shuttle);
    }

    /// Does what the shuttle says, if it is here, and sends what there is. True: it made a
    /// difference.
    pub(crate) fn advance(&mut self, cx: &mut Cx) -> bool {
        let Place::Here(shuttle) = &self.place else {
            return false;
        };
        match shuttle.leg() {
            Leg::Free | Leg::WantBody if !shuttle.is_abandoned() => {}
            _ => return self.let_go(cx),
        }
        if shuttle.leg() == Leg::WantBody && std::mem::take(&mut self.awaits_invitation) {
            self.is_invited = true;
        }
        // The client waits, and nobody here knows yet whether its body is wanted.
        let is_offer = self.awaits_invitation;
        let is_due = !self.piece.is_empty() || self.ending.is_some() || is_offer;
        is_due && self.send(cx)
    }

    /// Nobody reads it any more, or nobody brings it: tells the other shore, if the shuttle is
    /// here, and has nothing more to do with it. True: it made a difference.
    pub(crate) fn let_go(&mut self, cx: &mut Cx) -> bool {
        match std::mem::replace(&mut self.place, Place::Gone) {
            Place::Here(shuttle) => cx.orphan(shuttle),
            Place::Away => cx.disown(self.berth),
            Place::Gone => return false,
        }
        self.piece = Vec::new();
        true
    }

    /// Sends the piece, and the end with it if that is known.
    fn send(&mut self, cx: &mut Cx) -> bool {
        let Place::Here(mut shuttle) = std::mem::replace(&mut self.place, Place::Away) else {
            return false;
        };
        // Swapped, not copied: the buffer of the piece before comes back.
        std::mem::swap(&mut shuttle.body, &mut self.piece);
        self.piece.clear();
        if let Err(e) = shuttle.advance(Leg::Body) {
            log::error!("{shuttle:?}: {e}");
        }
        if let Some(ending) = self.ending {
            shuttle.last = true;
            shuttle.fault = ending.err();
            std::mem::swap(&mut shuttle.trailers, &mut self.trailers);
            cx.disown(self.berth);
            self.place = Place::Gone;
            self.piece = Vec::new();
        }
        cx.mark(Mark::BodyArrives, self.ticket);
        cx.mark(Mark::SendPiece, self.ticket);
        cx.shore.send(shuttle);
        cx.published(Mark::SendPiece, self.ticket);
        true
    }
}
