//! What is told of the requests of a connection.

use http::{HeaderName, HeaderValue, Response};
use http_proto::Exchange;
use http_proto::content::{ErrorForm, ErrorPage};

use super::Conn;
use super::stream::{Reply, Stream};
use crate::access::{AccessRecord, CLIENT_LEFT};
use crate::context::{Cx, Incoming};
use crate::reports::ID_FIELD;

impl Stream {
    /// The first part of an answer is here and about to be sent.
    pub(super) fn name_answer(&mut self, exchange: &mut Exchange, cx: &Cx) {
        if let Some(record) = &mut self.record {
            record.note_answer(exchange, cx.now);
            cx.reports.name_in(&mut exchange.response, &record.id);
        }
    }

    /// An answer of ours, with a body of so many bytes, is about to be sent, because of `failure`.
    pub(super) fn note_own_answer(
        &mut self,
        head: &mut Response<()>,
        len: usize,
        failure: &'static str,
        cx: &Cx,
    ) {
        let Some(record) = &mut self.record else {
            return;
        };
        record.note_own_answer(head.status().as_u16(), cx.now);
        record.add_bytes(if self.is_head { 0 } else { len as u64 });
        record.blame(Some(failure));
        if cx.reports.reporting.sends_id
            && let Ok(id) = HeaderValue::from_str(&record.id.to_string())
        {
            let name = HeaderName::from_bytes(ID_FIELD.as_bytes());
            name.map(|name| head.headers_mut().insert(name, id)).ok();
        }
    }

    /// The body of an error of ours.
    pub(super) fn page(&self, status: u16, text: &str, form: ErrorForm, cx: &mut Cx) -> String {
        let id = match &self.record {
            Some(record) => record.id.to_string(),
            None => cx.new_name(),
        };
        let page = ErrorPage {
            status,
            text,
            id: Some(&id),
            details: None,
        };
        page.body(form)
    }

    /// What went wrong, if the answer has not ended.
    pub(super) fn blame(&mut self, why: &'static str) {
        if let Some(record) = &mut self.record
            && !matches!(self.reply, Reply::Ended)
        {
            record.blame(Some(why));
        }
    }
}

impl Conn {
    /// A head is there: gives its request a name, and begins its record.
    pub(super) fn begin_record(
        &self,
        incoming: &mut Incoming,
        ticket: u64,
        cx: &Cx,
    ) -> Option<Box<AccessRecord>> {
        incoming.id = cx.reports.id_of(&incoming.head, ticket);
        let from = (self.peer, self.https);
        let mut record = cx.reports.begin(&incoming.id, from, cx.now, cx.now);
        if let Some(record) = &mut record {
            record.set_head(&incoming.head);
        }
        record
    }

    /// What went wrong with all requests that are not over.
    pub(super) fn blame_all(&mut self, why: &'static str) {
        for (_, stream) in &mut self.streams {
            stream.blame(why);
        }
    }

    /// Tells of all streams: they are over.
    pub(super) fn tell_all(&mut self, cx: &mut Cx) {
        for (_, stream) in &mut self.streams {
            stream.blame(CLIENT_LEFT);
            cx.reports.tell(stream.record.take(), cx.now);
        }
    }
}
