//! Answers that are files: the head and what is small into the outbox, the rest a step at a time.

use http_proto::Exchange;
use http_proto::content::Part;
use http_proto::h1::Outlook;
use shuttle_core::{Shuttle, Worker};

use super::super::ending::End;
use super::{Conn, Place, Trip};
use crate::access::CHANGED;
use crate::cargo::Cargo;
use crate::context::{Cx, Incoming};
use crate::limits::{FILE_COPY_BYTES, FILE_STEP_BYTES};
use crate::transport::{Broken, Wrote};

impl Trip {
    /// For a file.
    pub(in super::super) fn here(incoming: Box<Incoming>) -> Self {
        let (ticket, facts) = (incoming.ticket, incoming.facts);
        Self::own(Place::File(incoming), ticket, facts)
    }

    /// Whether it keeps the whole request: there should not be many of these.
    pub(in super::super) fn holds_request(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// Its answer is in the outbox to the end; of a large one, bytes that are still to be fetched.
    fn set_ended(&mut self, is_large: bool) {
        self.is_ended = true;
        self.place = if is_large {
            Place::Loaded(None)
        } else {
            Place::Done
        };
    }
}

impl Conn {
    /// Opens the file and puts the head, and what can be put there, into the outbox.
    pub(super) fn encode_file(&mut self, at: usize, incoming: Box<Incoming>, cx: &mut Cx) {
        let site = incoming.files.as_ref().expect("it is a request for a file");
        let asked = (&incoming.head, &incoming.id);
        let body = cx.desk.answer(site, asked, cx.now, cx.unix_secs);
        cx.reports.name_in(cx.desk.head_mut(), &incoming.id);
        let head = cx.desk.head();
        self.trips[at].note_own_answer(head.status(), cx);
        cx.stats.response(head.status());
        let outlook = Outlook {
            known_length: None,
            must_close: (cx.is_draining && self.is_last(at))
                || self.is_blocked_by_body(&self.trips[at]),
        };
        let facts = &self.trips[at].facts;
        let mut framed = self
            .outbox
            .copy(|out| cx.encoder.encode_head(head, facts, outlook, out));
        self.note_head(at);
        let is_large = body.file_bytes() > FILE_COPY_BYTES as u64;
        let mut is_whole = true;
        for part in body.parts() {
            let len = usize::try_from(part.len()).unwrap_or(usize::MAX);
            let admitted = self.outbox.copy(|out| framed.begin_part(len, out));
            debug_assert_eq!(admitted, len, "what is sent is what was declared");
            match part {
                Part::Text(text) => self.outbox.copy(|out| out.extend_from_slice(text)),
                Part::Content(range) if is_large => {
                    self.outbox.load_file(body.file(), range.clone());
                }
                Part::Content(range) => {
                    is_whole &= self
                        .outbox
                        .copy(|out| body.file().append(range.clone(), out));
                }
            }
        }
        if is_large {
            // A mark: the answer is over when all before it has gone.
            self.outbox.load(Cargo::default());
        }
        self.trips[at].set_ended(is_large);
        if is_whole {
            self.finish(at, framed);
        } else {
            self.blame(at, CHANGED);
            self.end_with(End::Reset);
        }
        if !is_large {
            self.mark_end(at);
        }
        cx.reuse(incoming);
    }

    /// A request that the other shore gave back because it is for files: sites were replaced while
    /// it was on its way. It is answered here.
    ///
    /// # Errors
    /// The shuttle, if it came back for another reason.
    pub(super) fn turn_back(
        &mut self,
        at: usize,
        mut shuttle: Shuttle<Worker, Exchange>,
        cx: &mut Cx,
    ) -> Result<(), Shuttle<Worker, Exchange>> {
        let trip = &mut self.trips[at];
        let request = match trip.body {
            None => cx.request_for_files(&mut shuttle),
            Some(_) => None,
        };
        let Some(mut incoming) = request else {
            return Err(shuttle);
        };
        incoming.ticket = trip.ticket;
        incoming.facts = trip.facts;
        let record = trip.record.take();
        *trip = Trip::here(incoming);
        trip.record = record;
        cx.orphan(shuttle);
        Ok(())
    }

    /// Sends the next bytes of the file that comes first. `None`: not now, or never.
    pub(super) fn give_file(&mut self, cx: &mut Cx) -> Result<Option<Wrote>, Broken> {
        let Some((file, from, left)) = self.outbox.file() else {
            return Ok(None);
        };
        let most = FILE_STEP_BYTES.min(self.file_bytes);
        let count = usize::try_from(left).map_or(most, |left| most.min(left));
        if count == 0 {
            return Ok(None);
        }
        let wrote = self
            .transport
            .write_file(file, from, count, &mut cx.read, &cx.stats)?;
        match &wrote {
            Some(wrote) => self.file_bytes -= wrote.taken,
            None => {
                log::warn!("a file has become shorter while it was sent: its client is cut off");
                self.outbox.abandon();
                self.blame_all(CHANGED);
                self.end_with(End::Reset);
            }
        }
        Ok(wrote)
    }
}
