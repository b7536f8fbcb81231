//! Answers that say that there is none.

use http_proto::content::{ErrorForm, ErrorPage};
use http_proto::h1::Outlook;
use http_proto::{Exchange, Leg, PeerError};
use shuttle_core::{Shuttle, Worker};

use super::super::ending::End;
use super::Conn;
use crate::access::{CLIENT_LEFT, NOT_ANSWERED, NOT_FINISHED};
use crate::context::Cx;

/// What the client is told when the application gave no answer.
const NO_ANSWER: &str = "Internal error";

impl Conn {
    /// The other shore gave the request back without an answer, or broke the protocol.
    pub(super) fn encode_failure(
        &mut self,
        at: usize,
        mut shuttle: Shuttle<Worker, Exchange>,
        cx: &mut Cx,
    ) {
        let is_mute = shuttle.leg() == Leg::Release && shuttle.client_gone();
        let is_blocked = self.is_blocked_by_body(&self.trips[at]);
        cx.disown(shuttle.berth());
        let trip = &mut self.trips[at];
        trip.is_ended = true;
        if trip.body.is_some() {
            // A part is with the client: only a cut says that the rest will not come.
            self.end_with(End::Reset);
            self.blame(at, NOT_FINISHED);
        } else if is_mute {
            // Nobody is believed to wait for an answer.
            self.end_with(End::Close);
            self.blame(at, CLIENT_LEFT);
        } else {
            if shuttle.leg() != Leg::Release {
                log::error!(
                    "{shuttle:?} was abandoned or sent home with {:?}",
                    shuttle.leg()
                );
            }
            let form = ErrorForm::of(&shuttle.request);
            let id = shuttle.id.to_string();
            let page = page(500, NO_ANSWER, &id).body(form);
            shuttle.response.reset(500).expect("500 is a status");
            shuttle
                .response
                .push(b"Content-Type", form.content_type().as_bytes())
                .and_then(|()| shuttle.response.push(b"Vary", ErrorForm::VARY.as_bytes()))
                .expect("proper fields");
            let outlook = Outlook {
                known_length: Some(page.len() as u64),
                must_close: cx.is_draining || is_blocked,
            };
            cx.stats.response(500);
            shuttle.failure = Some(NOT_ANSWERED);
            trip.name_answer(&mut shuttle, cx);
            let head = &shuttle.response;
            let body = self.outbox.copy(|out| {
                let mut body = cx.encoder.encode_head(head, &trip.facts, outlook, out);
                let admitted = body.begin_part(page.len(), out);
                out.extend_from_slice(&page.as_bytes()[..admitted]);
                body.end_part(out);
                body
            });
            self.note_own_body(at, page.len());
            self.finish(at, body);
            self.mark_end(at);
        }
        cx.orphan(shuttle);
    }

    /// Answers what was wrong with a request.
    pub(super) fn encode_early(&mut self, at: usize, error: &PeerError, cx: &mut Cx) {
        let trip = &mut self.trips[at];
        trip.is_ended = true;
        trip.note_own_answer(error.status, cx);
        let id = match &trip.record {
            Some(record) => record.id.to_string(),
            None => cx.new_name(),
        };
        let form = self.form;
        let body = page(error.status, error.reason, &id).body(form);
        let lines = cx.reports.id_line(&id);
        let facts = &trip.facts;
        self.outbox.copy(|out| {
            cx.encoder
                .encode_error_page(error, facts, (form, &body), lines.as_bytes(), out);
        });
        self.note_own_body(at, body.len());
        self.note_end(at);
        self.blame(at, error.reason);
        self.mark_end(at);
        cx.stats.response(error.status);
        self.end_with(End::Linger);
    }
}

fn page<'a>(status: u16, text: &'a str, id: &'a str) -> ErrorPage<'a> {
    ErrorPage {
        status,
        text,
        id: Some(id),
        details: None,
    }
}
