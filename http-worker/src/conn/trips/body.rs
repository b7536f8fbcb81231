//! How the body of a response begins and ends: behind its head, and before the next response.

use http_proto::h1::{Outlook, ResponseBody};
use http_proto::{Exchange, Version};
use shuttle_core::{Shuttle, Worker};

use super::super::Conn;
use super::super::ending::End;
use super::Trip;
use crate::access::TOO_SHORT;
use crate::context::Cx;

impl Trip {
    /// The end of the response is here: takes what goes behind its body. HTTP/1.0 has no place for
    /// that.
    pub(super) fn take_trailers(&mut self, shuttle: &mut Shuttle<Worker, Exchange>) {
        let trailers = shuttle.response_trailers.take();
        self.trailers = trailers.filter(|_| self.facts.version != Version::Http10);
    }

    /// All of the response is here, and its length may be told. Trailers need chunks.
    pub(super) fn is_whole(&self) -> bool {
        self.is_ended && self.trailers.is_none()
    }
}

impl Conn {
    /// The body of a response, behind its head if that was not said. `known_length`: of the body,
    /// when all of it is here.
    pub(super) fn begin_body(
        &mut self,
        at: usize,
        shuttle: &mut Shuttle<Worker, Exchange>,
        known_length: Option<u64>,
        must_close: bool,
        cx: &Cx,
    ) -> ResponseBody {
        let trip = &mut self.trips[at];
        if let Some(body) = trip.body.take() {
            return body;
        }
        cx.stats.response(shuttle.response.status());
        trip.name_answer(shuttle, cx);
        let outlook = Outlook {
            known_length,
            must_close,
        };
        let (head, encoder) = (&shuttle.response, &cx.encoder);
        let body = self
            .outbox
            .copy(|out| encoder.encode_head(head, &trip.facts, outlook, out));
        self.note_head(at);
        body
    }

    /// Ends the body of a response. What the head has told the client, and what is missing,
    /// decide whether the connection goes on.
    pub(in super::super) fn finish(&mut self, at: usize, body: ResponseBody) {
        let trailers = self.trips[at].trailers.take();
        let ending = self
            .outbox
            .copy(|out| body.finish_with(trailers.as_deref(), out));
        self.note_end(at);
        if ending.missing > 0 {
            self.blame(at, TOO_SHORT);
        }
        let trip = &self.trips[at];
        if ending.missing > 0 {
            log::warn!("a response lacks {} of its declared bytes", ending.missing);
        }
        if !ending.keep_alive || self.is_blocked_by_body(trip) {
            // A client that asked for the end will close; others may be sending, and who waited to
            // be invited may do so after all.
            let is_sending = self.has_unread_body(trip) || trip.facts.expects_continue;
            let is_expected = !trip.facts.keep_alive && ending.missing == 0 && !is_sending;
            self.end_with(if is_expected { End::Close } else { End::Linger });
        }
    }
}
