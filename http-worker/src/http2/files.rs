//! Streams whose answer is a file: opened when its turn comes, and read as the client's windows
//! admit.

use std::sync::Arc;

use http_proto::Exchange;
use http_proto::content::Part;
use http_proto::h2::ResponseBody;
use shuttle_core::{Shuttle, Worker};

use super::answer::Source;
use super::stream::{Place, Reply};
use super::{Conn, fields};
use crate::context::{Cx, Incoming};
use crate::files::{Body, Opened};
use crate::limits::HTTP2_FILES_COUNT;

/// A body that has in it bytes of a file, as it is given to the engine.
pub(super) struct FileLoad {
    body: Body,
    /// Which of its parts, and how much of that is behind us.
    part: usize,
    passed: u64,
    left: u64,
}

impl FileLoad {
    fn new(body: Body) -> Self {
        let left = body.parts().iter().map(Part::len).sum();
        Self {
            body,
            part: 0,
            passed: 0,
            left,
        }
    }
}

impl Source for FileLoad {
    fn left(&self) -> u64 {
        self.left
    }

    fn take(&mut self, mut count: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(count);
        while count > 0 {
            let part = self.body.parts().get(self.part)?;
            let here = usize::try_from(part.len() - self.passed).unwrap_or(usize::MAX);
            let here = here.min(count);
            match part {
                Part::Text(text) => {
                    let from = usize::try_from(self.passed).ok()?;
                    bytes.extend_from_slice(&text[from..from + here]);
                }
                Part::Content(range) => {
                    let from = range.start + self.passed;
                    let file: &Arc<Opened> = self.body.file();
                    if !file.append(from..from + here as u64, &mut bytes) {
                        return None;
                    }
                }
            }
            count -= here;
            self.left -= here as u64;
            self.passed += here as u64;
            if self.passed == part.len() {
                self.part += 1;
                self.passed = 0;
            }
        }
        Some(bytes)
    }
}

impl Conn {
    /// The request is for a file.
    pub(super) fn ask_for_file(&mut self, place: usize, incoming: Box<Incoming>, cx: &mut Cx) {
        let stream = &mut self.streams[place];
        stream.place = Place::Asked(incoming);
        self.asked.push_back((place, stream.ticket));
        self.open_files(cx);
    }

    /// Opens what is asked for, in the order of asking, while not too many are open. True: there
    /// was something.
    pub(super) fn open_files(&mut self, cx: &mut Cx) -> bool {
        let mut moved = false;
        while let Some(&(place, ticket)) = self.asked.front() {
            let streams = self.streams.iter();
            let open = streams.filter(|(_, stream)| matches!(stream.place, Place::File(_)));
            if open.count() >= HTTP2_FILES_COUNT {
                break;
            }
            self.asked.pop_front();
            let stream = self.streams.get_mut(place);
            let Some(stream) = stream.filter(|stream| stream.ticket == ticket) else {
                continue;
            };
            match std::mem::replace(&mut stream.place, Place::Done) {
                Place::Asked(incoming) => {
                    moved = true;
                    self.open_file(place, incoming, cx);
                    self.drop_if_done(place, cx);
                }
                other => stream.place = other,
            }
        }
        moved
    }

    fn open_file(&mut self, place: usize, incoming: Box<Incoming>, cx: &mut Cx) {
        let site = incoming.files.as_ref().expect("it is a request for a file");
        let asked = (&incoming.head, &incoming.id);
        let body = cx.desk.answer(site, asked, cx.now, cx.unix_secs);
        cx.reports.name_in(cx.desk.head_mut(), &incoming.id);
        let head = cx.desk.head();
        cx.stats.response(head.status());
        let stream = &mut self.streams[place];
        if let Some(record) = &mut stream.record {
            record.note_own_answer(head.status(), cx.now);
        }
        let mut plan = ResponseBody::new(head, stream.is_head, None);
        let response = fields::response(head, &plan, &cx.encoder, &mut cx.texts);
        let is_empty = plan.is_full();
        let load = FileLoad::new(body);
        cx.reuse(incoming);
        let Reply::Unsaid(respond) = &mut stream.reply else {
            return;
        };
        stream.is_last = true;
        match respond.send_response(response, is_empty) {
            Ok(send) if !is_empty => {
                let admitted = plan.admit(usize::try_from(load.left).unwrap_or(usize::MAX));
                debug_assert_eq!(admitted as u64, load.left, "what is sent was declared");
                stream.reply = Reply::Begun(send, plan);
                stream.place = Place::File(load);
                self.feed(place, cx);
            }
            _ => {
                self.budget.earn_answer();
                stream.reply = Reply::Ended;
            }
        }
    }

    /// A request that the other shore gave back because it is for files: sites were replaced while
    /// it was on its way. It is answered here.
    ///
    /// # Errors
    /// The shuttle, if it came back for another reason.
    pub(super) fn turn_back(
        &mut self,
        place: usize,
        mut shuttle: Shuttle<Worker, Exchange>,
        cx: &mut Cx,
    ) -> Result<(), Shuttle<Worker, Exchange>> {
        let stream = &mut self.streams[place];
        let request = match stream.reply {
            Reply::Unsaid(_) => cx.request_for_files(&mut shuttle),
            _ => None,
        };
        let Some(mut incoming) = request else {
            return Err(shuttle);
        };
        incoming.ticket = stream.ticket;
        stream.berth = None;
        stream.drop_upload(cx);
        cx.orphan(shuttle);
        self.ask_for_file(place, incoming, cx);
        Ok(())
    }
}
