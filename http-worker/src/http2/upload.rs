//! A body that crosses in pieces while its stream receives it. What nobody takes stays in the
//! stream's window, and its client feels it; the windows of its neighbours are their own.

use std::task::Context;

use h2::RecvStream;
use http_proto::{BodyFault, Exchange, Fields};
use shuttle_core::{Shuttle, Worker};

use super::intake::{Piece, next_piece};
use super::stream::{Reply, Stream};
use super::{Conn, fields};
use crate::conn::{BodyTrip, Pace};
use crate::context::Cx;

/// The body of one stream.
pub(super) struct Upload {
    pub(super) body: BodyTrip,
    from: RecvStream,
    /// How many more bytes it may have.
    left: u64,
    /// How slow the client is.
    pub(super) pace: Pace,
}

impl Upload {
    pub(super) fn new(body: BodyTrip, from: RecvStream, max: u64) -> Self {
        Self {
            body,
            from,
            left: max,
            pace: Pace::default(),
        }
    }

    /// Whether bytes have a use now.
    fn wants_input(&self) -> bool {
        self.body.has_room()
    }

    /// Whether it is the client that it waits for.
    fn waits_for_client(&self) -> bool {
        self.wants_input() && !self.body.awaits_invitation()
    }

    /// Takes what is there, as far as there is room. False: the stream is lost.
    fn receive(&mut self, waker: &mut Context<'_>, cx: &Cx) -> bool {
        while self.wants_input() {
            match next_piece(&mut self.from, waker) {
                Piece::Bytes(bytes) => {
                    self.pace.note(bytes.len(), cx.receive_rule(), cx.now);
                    self.take_in(&bytes);
                }
                Piece::Trailers(map) => {
                    let mut trailers = Fields::default();
                    match fields::read_trailers(&map, &mut trailers) {
                        Ok(()) => self.body.end(&mut trailers),
                        Err(_) => self.body.fail(BodyFault::Malformed),
                    }
                }
                Piece::End => self.body.end(&mut Fields::default()),
                Piece::None => return true,
                Piece::Gone => return false,
            }
        }
        true
    }

    fn take_in(&mut self, bytes: &[u8]) {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                self.body.take_in(bytes);
                // Fails only for more than was received.
                let _ = self.from.flow_control().release_capacity(bytes.len());
            }
            None => self.body.fail(BodyFault::TooLarge),
        }
    }
}

impl Stream {
    /// Takes home the shuttle of its body.
    ///
    /// # Errors
    /// The shuttle, if it is another one.
    pub(super) fn take_body_home(
        &mut self,
        shuttle: Shuttle<Worker, Exchange>,
    ) -> Result<(), Shuttle<Worker, Exchange>> {
        match &mut self.upload {
            Some(upload) if upload.body.waits_for(shuttle.berth()) => {
                upload.body.take_home(shuttle);
                Ok(())
            }
            _ => Err(shuttle),
        }
    }

    /// Has nothing more to do with its body.
    pub(super) fn drop_upload(&mut self, cx: &mut Cx) {
        if let Some(mut upload) = self.upload.take() {
            upload.body.let_go(cx);
        }
    }

    /// The client was silent for too long.
    pub(super) fn silence(&mut self) {
        if let Some(upload) = &mut self.upload {
            upload.body.fail(BodyFault::Silent);
        }
    }
}

impl Conn {
    /// Receives more of a body and sees to its shuttle.
    pub(super) fn carry_body(&mut self, place: usize, cx: &mut Cx) {
        let waker = self.ready.waker(place);
        let mut waker = Context::from_waker(&waker);
        loop {
            let stream = &mut self.streams[place];
            let Some(upload) = &mut stream.upload else {
                return;
            };
            if !upload.receive(&mut waker, cx) {
                return self.lose(place, cx);
            }
            let moved = upload.body.advance(cx);
            upload.pace.run(upload.waits_for_client(), cx.now);
            if upload.body.take_invitation() && matches!(stream.reply, Reply::Unsaid(_)) {
                self.invite_body(place, cx);
            }
            if !moved {
                return;
            }
        }
    }
}
