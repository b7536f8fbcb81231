//! What all connections of a worker share while one of them is being served.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use http_proto::drawing::{Mark, Witness};
use http_proto::h1::{self, Encoder, RequestFacts};
use http_proto::{BodyFault, Exchange, Fields, Leg, RequestHead, RequestId};
use mio::Registry;
use shuttle_core::{BerthId, Shuttle, Worker, WorkerShore};

use crate::bodies::Bodies;
use crate::compress::{Encoders, Wish};
use crate::conn::Spares;
use crate::files::Desk;
use crate::http2::Texts;
use crate::limits::{CROWDED_PERCENT, KEEP_BYTES, Limits, SPARES_COUNT};
use crate::reports::Reports;
use crate::routes::{App, FileSite, Routes, Serve, files_for, former, has_compression};
use crate::stats::WorkerStats;
use crate::timers::Wheel;
use crate::token::ConnToken;
use crate::transport::ReadBuffers;

mod rules;

/// A request on its way in.
#[derive(Default)]
pub(crate) struct Incoming {
    pub(crate) head: RequestHead,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Fields,
    pub(crate) facts: RequestFacts,
    /// What its site and its client want compressed of the response.
    pub(crate) wish: Option<Box<Wish>>,
    /// The files it is for. Such a request does not cross, and its body is thrown away.
    pub(crate) files: Option<FileSite>,
    /// Names the request to witnesses; 0: its head is not here.
    pub(crate) ticket: u64,
    /// Names it in logs.
    pub(crate) id: RequestId,
    /// It crosses before its body, which follows in pieces.
    pub(crate) streams: bool,
    /// It is whole, or as much of it as crosses at first, and waits for its turn or for a berth.
    pub(crate) is_complete: bool,
    /// The client waits for `100 Continue`.
    pub(crate) owes_continue: bool,
}

/// The shuttle of a request, and that of its body if it travels apart.
pub(crate) type Boarded = (Shuttle<Worker, Exchange>, Option<Shuttle<Worker, Exchange>>);

fn berths_for(is_pair: bool) -> u16 {
    if is_pair { 2 } else { 1 }
}

/// What the worker remembers of a berth that travels.
#[derive(Clone, Copy, Debug, Default)]
struct Note {
    /// Who waits for it; nobody after the response is over or its client gone.
    conn: Option<ConnToken>,
    /// Which of its streams.
    place: usize,
    /// Bytes of request body in it.
    body_bytes: usize,
}

/// Everything of the worker that a connection may use.
pub(crate) struct Cx {
    pub(crate) shore: WorkerShore<Exchange>,
    pub(crate) registry: Registry,
    pub(crate) stats: Arc<WorkerStats>,
    pub(crate) limits: Limits,
    /// Counts how often they were replaced.
    pub(crate) limits_version: usize,
    /// Who serves what.
    pub(crate) routes: Arc<Routes>,
    /// What of the former ones a request on its way may still be for.
    pub(crate) former_routes: Routes,
    /// Some site has responses that are compressed.
    compresses: bool,
    pub(crate) encoders: Encoders,
    /// Answers requests for files.
    pub(crate) desk: Desk,
    pub(crate) now: Instant,
    /// The same moment in seconds since 1970.
    pub(crate) unix_secs: u64,
    pub(crate) encoder: Encoder,
    /// What HTTP/2 has of it ready.
    pub(crate) texts: Texts,
    pub(crate) read: ReadBuffers,
    pub(crate) wheel: Wheel,
    /// Connections that have something to do although no event will say so.
    pub(crate) again: VecDeque<ConnToken>,
    /// Connections with a request that wait for so many berths, first come first served.
    pub(crate) waiting: VecDeque<(ConnToken, u16)>,
    pub(crate) is_draining: bool,
    /// What is told of requests.
    pub(crate) reports: Reports,
    notes: Box<[Note]>,
    witness: Option<Box<dyn Witness>>,
    #[expect(
        clippy::vec_box,
        reason = "connections hold them boxed, and they move to and fro"
    )]
    spares: Vec<Box<Incoming>>,
    buffers: Vec<Vec<u8>>,
    /// For connections that have something to do.
    pub(crate) gear: Spares,
    /// Bodies of requests in memory.
    pub(crate) bodies: Bodies,
    /// What connections hold, as they have told: of all kinds, and what HTTP/2 takes.
    held_bytes: usize,
    engine_bytes: usize,
    next_ticket: u64,
}

impl Cx {
    pub(crate) fn new(
        shore: WorkerShore<Exchange>,
        registry: Registry,
        stats: Arc<WorkerStats>,
        limits: Limits,
        server_name: Option<&str>,
        witness: Option<Box<dyn Witness>>,
        now: Instant,
    ) -> Self {
        let notes = vec![Note::default(); usize::from(shore.berths())].into_boxed_slice();
        Self {
            shore,
            registry,
            encoders: Encoders::new(&stats),
            stats,
            limits: limits.clamped(),
            limits_version: 0,
            routes: Arc::default(),
            former_routes: Routes::default(),
            compresses: false,
            desk: Desk::default(),
            now,
            unix_secs: 0,
            encoder: Encoder::new(server_name),
            texts: Texts::default(),
            read: ReadBuffers::new(),
            wheel: Wheel::new(now),
            again: VecDeque::new(),
            waiting: VecDeque::new(),
            is_draining: false,
            reports: Reports::default(),
            notes,
            witness,
            spares: Vec::new(),
            buffers: Vec::new(),
            gear: Spares::default(),
            bodies: Bodies::default(),
            held_bytes: 0,
            engine_bytes: 0,
            next_ticket: 0,
        }
    }

    /// From now on others serve.
    pub(crate) fn replace_routes(&mut self, routes: Arc<Routes>) {
        self.former_routes = former(&self.routes, &self.former_routes);
        self.compresses = has_compression(&routes);
        self.routes = routes;
        self.desk.forget();
    }

    /// Tells the witness, if there is one.
    #[inline]
    pub(crate) fn mark(&mut self, mark: Mark, ticket: u64) {
        if let Some(witness) = &mut self.witness {
            witness.mark(mark, ticket);
        }
    }

    /// Tells the witness, if there is one, that TX can see what `mark` announced: and lets TX see
    /// it at once, for the witness may wait for what TX does.
    #[inline]
    pub(crate) fn published(&mut self, mark: Mark, ticket: u64) {
        if let Some(witness) = &mut self.witness {
            self.shore.flush();
            witness.published(mark, ticket);
        }
    }

    /// A name for a request that was never given before.
    pub(crate) fn new_ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Takes the request out of a shuttle that TX sent back unanswered, because by now the worker
    /// itself serves its path. Nothing: it came back for another reason.
    pub(crate) fn request_for_files(
        &mut self,
        shuttle: &mut Shuttle<Worker, Exchange>,
    ) -> Option<Box<Incoming>> {
        if shuttle.leg() != Leg::Release || !shuttle.is_elsewhere || shuttle.is_abandoned() {
            return None;
        }
        let site = files_for(&self.routes, &shuttle.request)
            .or_else(|| files_for(&self.former_routes, &shuttle.request))?;
        let mut incoming = self.spare();
        incoming.files = Some(site);
        incoming.id = shuttle.id.clone();
        std::mem::swap(&mut incoming.head, &mut shuttle.request);
        Some(incoming)
    }

    /// A name for a request of which nothing is known, as text.
    pub(crate) fn new_name(&mut self) -> String {
        let ticket = self.new_ticket();
        self.reports.new_id(ticket).to_string()
    }

    /// Tells the other shore that the client of this trip has left.
    pub(crate) fn hail(&mut self, berth: BerthId, ticket: u64) {
        self.mark(Mark::MarkClientGone, ticket);
        self.mark(Mark::SendClientGone, ticket);
        self.shore.hail_client_gone(berth);
        self.published(Mark::SendClientGone, ticket);
    }

    /// How the application wants requests for this path.
    pub(crate) fn app(&self, path: &[u8]) -> App {
        match self.routes.find(path).map(|site| &site.value) {
            Some(Serve::App(app)) => app.clone(),
            Some(Serve::Files(_)) | None => App::default(),
        }
    }

    /// What is to be compressed of the response to this request.
    pub(crate) fn wish(&self, request: &RequestHead) -> Option<Box<Wish>> {
        if !self.compresses {
            return None;
        }
        match &self.routes.find(request.path())?.value {
            Serve::App(app) => Wish::of(app.compress.as_ref()?, request),
            Serve::Files(_) => None,
        }
    }

    /// Takes a free berth, unless others wait for one and it is not this one's turn; or two at
    /// once, or none: who had one and waited for another could wait for others who do the same.
    pub(crate) fn board(&mut self, is_pair: bool, has_turn: bool) -> Option<Boarded> {
        let is_overtaking = !has_turn && !self.waiting.is_empty();
        if is_overtaking || !self.has_berths(berths_for(is_pair)) {
            return None;
        }
        let first = self.shore.board()?;
        let second = is_pair.then(|| self.shore.board()).flatten();
        Some((first, second))
    }

    /// Joins the queue of those that wait for berths.
    pub(crate) fn wait_for_berth(&mut self, conn: ConnToken, is_pair: bool) {
        self.waiting.push_back((conn, berths_for(is_pair)));
        self.stats.waits_for_berth.one();
    }

    /// Whether there is what the first of the queue waits for.
    pub(crate) fn has_berths_for_first(&self) -> bool {
        let first = self.waiting.front();
        first.is_some_and(|&(_, count)| self.has_berths(count))
    }

    /// Whether so many more may cross. When none does, any number may that there are berths for:
    /// who needs two would wait for ever where one is the limit.
    fn has_berths(&self, count: u16) -> bool {
        let (travelling, berths) = (self.shore.travelling(), self.shore.berths());
        let limit = match travelling {
            0 => berths,
            _ => berths.min(self.limits.shuttles_count),
        };
        count <= limit.saturating_sub(travelling)
    }

    /// Notes who waits for the shuttle that is about to be sent.
    pub(crate) fn note(&mut self, shuttle: &Shuttle<Worker, Exchange>, conn: ConnToken) {
        self.note_at(shuttle, conn, 0);
    }

    /// The same, for a stream of a connection that has several at once.
    pub(crate) fn note_at(
        &mut self,
        shuttle: &Shuttle<Worker, Exchange>,
        conn: ConnToken,
        place: usize,
    ) {
        let note = &mut self.notes[usize::from(shuttle.berth().index())];
        *note = Note {
            conn: Some(conn),
            place,
            body_bytes: shuttle.body.len(),
        };
    }

    /// Who waits for the shuttle that came home.
    pub(crate) fn owner(&self, berth: BerthId) -> Option<ConnToken> {
        self.notes[usize::from(berth.index())].conn
    }

    /// Which of its owner's streams waits for the shuttle that came home.
    pub(crate) fn place(&self, berth: BerthId) -> usize {
        self.notes[usize::from(berth.index())].place
    }

    /// Nobody waits for this berth any more.
    pub(crate) fn disown(&mut self, berth: BerthId) {
        self.notes[usize::from(berth.index())].conn = None;
    }

    /// Frees a shuttle whose trip is over.
    pub(crate) fn free(&mut self, mut shuttle: Shuttle<Worker, Exchange>) {
        if shuttle.lent_count() != 0 {
            // Only the other shore may unpin. It broke the protocol; as an abandoned one it gets
            // the shuttle back and can let go of its bytes.
            log::error!("{shuttle:?} came home as if done while bytes were lent by it");
            return drop(shuttle);
        }
        let freed = match shuttle.carries_body {
            true => Mark::FreeBodyShuttle,
            false => Mark::FreeShuttle,
        };
        self.mark(freed, shuttle.worker_ticket);
        let note = std::mem::take(&mut self.notes[usize::from(shuttle.berth().index())]);
        self.let_go_of_body(note.body_bytes);
        shuttle.clear(KEEP_BYTES);
        self.shore.release(shuttle);
    }

    /// Says `Closed`: the response is over for this shuttle, and lent bytes go home.
    pub(crate) fn close(&mut self, mut shuttle: Shuttle<Worker, Exchange>) {
        self.disown(shuttle.berth());
        match shuttle.advance(Leg::Closed) {
            Ok(()) => {
                let ticket = shuttle.worker_ticket;
                self.mark(Mark::SendClosed, ticket);
                self.shore.send(shuttle);
                self.published(Mark::SendClosed, ticket);
            }
            Err(e) => {
                log::error!("{shuttle:?}: {e}");
                self.free(shuttle);
            }
        }
    }

    /// Deals with a shuttle for which no client waits any more.
    pub(crate) fn orphan(&mut self, shuttle: Shuttle<Worker, Exchange>) {
        self.disown(shuttle.berth());
        match shuttle.leg() {
            Leg::Write | Leg::Close if !shuttle.is_abandoned() => {
                shuttle.mark_client_gone();
                self.close(shuttle);
            }
            Leg::Free | Leg::WantBody if shuttle.carries_body && !shuttle.is_abandoned() => {
                self.cut_body(shuttle);
            }
            _ => self.free(shuttle),
        }
    }

    /// Tells the other shore, which may wait for it, that nothing more of a body will come.
    fn cut_body(&mut self, mut shuttle: Shuttle<Worker, Exchange>) {
        shuttle.body.clear();
        match shuttle.advance(Leg::Body) {
            Ok(()) => {
                shuttle.last = true;
                shuttle.fault = Some(BodyFault::Closed);
                self.shore.send(shuttle);
            }
            Err(e) => {
                log::error!("{shuttle:?}: {e}");
                self.free(shuttle);
            }
        }
    }

    /// An empty request to read into.
    pub(crate) fn spare(&mut self) -> Box<Incoming> {
        self.spares.pop().unwrap_or_default()
    }

    /// Takes back what [`spare`](Self::spare) gave. The bytes of its body are counted off.
    pub(crate) fn discard(&mut self, mut incoming: Box<Incoming>) {
        self.let_go_of_body(incoming.body.len());
        incoming.body.clear();
        self.reuse(incoming);
    }

    /// Takes back what [`spare`](Self::spare) gave after its body went on.
    pub(crate) fn reuse(&mut self, mut incoming: Box<Incoming>) {
        if self.spares.len() < SPARES_COUNT {
            incoming.body.clear();
            incoming.body.shrink_to(KEEP_BYTES);
            incoming.streams = false;
            incoming.is_complete = false;
            incoming.owes_continue = false;
            incoming.files = None;
            incoming.wish = None;
            incoming.ticket = 0;
            self.spares.push(incoming);
        }
    }

    /// An empty buffer for unread input.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Takes back a buffer.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() != 0 && self.buffers.len() < SPARES_COUNT {
            buffer.clear();
            buffer.shrink_to(KEEP_BYTES);
            self.buffers.push(buffer);
        }
    }

    /// Counts bytes of a request's body in.
    pub(crate) fn take_in_body(&mut self, count: usize) {
        self.bodies.take_in(count);
        self.count_bodies();
    }

    fn let_go_of_body(&mut self, count: usize) {
        if count != 0 {
            self.bodies.let_go(count);
            self.count_bodies();
        }
    }

    fn count_bodies(&self) {
        self.stats.body_bytes_held.set(self.bodies.bytes() as u64);
    }

    /// Has connections go on that waited for room for their bodies.
    pub(crate) fn wake_bodies(&mut self) {
        let max = self.limits.buffered_bodies_bytes;
        self.bodies.wake(max, &mut self.again);
    }

    /// A connection holds `now` bytes and held `before`.
    pub(crate) fn weigh(&mut self, before: usize, now: usize) {
        self.held_bytes = self.held_bytes - before + now;
        self.count_held();
    }

    /// The same for what a connection of HTTP/2 holds, which has a bound of its own.
    pub(crate) fn weigh_engine(&mut self, before: usize, now: usize) {
        if before != now {
            self.engine_bytes = self.engine_bytes - before + now;
            self.count_held();
        }
    }

    fn count_held(&self) {
        let held = self.held_bytes + self.engine_bytes;
        self.stats.bytes_held.set(held as u64);
    }

    /// Whether connections of HTTP/2 hold more than they may; half of it is too much for one that
    /// rests.
    pub(crate) fn are_engines_heavy(&self, rests: bool) -> bool {
        let max = self.limits.http2_held_bytes;
        self.engine_bytes > if rests { max / 2 } else { max }
    }

    /// Whether connections hold so much that no more of them should wait with bytes unread.
    pub(crate) fn is_crowded(&self) -> bool {
        self.held_bytes > self.limits.held_bytes / 100 * CROWDED_PERCENT
    }

    /// Whether all connections together hold more than they may.
    pub(crate) fn is_overweight(&self) -> bool {
        self.held_bytes > self.limits.held_bytes
    }

    /// The parser's part of the limits.
    pub(crate) fn h1_limits(&self) -> h1::Limits {
        h1::Limits {
            request_line_max_bytes: self.limits.request_line_bytes,
            head_max_bytes: self.limits.head_bytes,
            fields_max_count: self.limits.fields_count,
            body_max_bytes: self.limits.body_bytes,
        }
    }
}
