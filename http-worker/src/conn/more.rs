//! More of a response whose shuttle stays here: TX appends while the client takes what it got.

use http_proto::drawing::Mark;
use http_proto::{Exchange, Leg};
use shuttle_core::{Shuttle, Worker};

use super::Conn;
use super::trips::Place;
use crate::context::Cx;

impl Conn {
    /// What was loaded has gone. Sends what was appended meanwhile, or ends the response if TX
    /// asked for that, or gives the shuttle back for more.
    pub(super) fn go_on_with(
        &mut self,
        at: usize,
        mut kept: Shuttle<Worker, Exchange>,
        cx: &mut Cx,
    ) {
        let ticket = kept.worker_ticket;
        // Each round but the last found that TX had just done something: there are two at most
        // before one of the first two ways out.
        loop {
            if kept.find_chunks() > 0 {
                cx.shore.tell_progress(&kept);
                self.trips[at].place = Place::More(kept);
                return;
            }
            if kept.must_close() {
                if kept.accept_close() {
                    cx.mark(Mark::SeeMustClose, ticket);
                    return self.end_response(at, kept, cx);
                }
                continue;
            }
            if let Err(e) = kept.advance(Leg::Continue) {
                log::error!("{kept:?}: {e}");
            }
            self.trips[at].place = Place::Away;
            cx.mark(Mark::SendContinue, ticket);
            match cx.shore.send_continue(kept) {
                Ok(()) => return cx.published(Mark::SendContinue, ticket),
                Err(shuttle) => kept = shuttle,
            }
            if let Err(e) = kept.advance(Leg::Write) {
                log::error!("{kept:?}: {e}");
            }
        }
    }

    /// Ends a response of which everything else is with the client.
    fn end_response(&mut self, at: usize, shuttle: Shuttle<Worker, Exchange>, cx: &mut Cx) {
        let trip = &mut self.trips[at];
        trip.place = Place::Done;
        trip.is_ended = true;
        if let Some(body) = trip.body.take() {
            match trip.press.take() {
                Some(press) => self.finish_pressed(at, body, press, cx),
                None => self.finish(at, body),
            }
            self.mark_end(at);
        }
        cx.close(shuttle);
    }

    /// The socket is full: TX hears how far the client got, if it waits for that.
    pub(super) fn tell_progress(&mut self, cx: &mut Cx) {
        if !self.outbox.take_news() {
            return;
        }
        if let Some(shuttle) = self.trips.iter().find_map(super::trips::Trip::loaded) {
            cx.shore.tell_progress(shuttle);
        }
    }

    /// More was appended than may be sent in one turn, or is to be compressed.
    pub(super) fn is_cut_short(&self) -> bool {
        let mut trips = self.trips.iter();
        let is_breathless = self.compress_left == 0;
        !self.socket.is_full
            && trips.any(|trip| {
                matches!(trip.place, Place::More(_)) || (is_breathless && trip.is_ready())
            })
    }
}
