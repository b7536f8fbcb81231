//! A worker, its other shore and its clients in one thread and one virtual time.
//!
//! Nothing here sleeps or guesses: [`World::settle`] turns the worker until nothing moves any
//! more. Loopback delivers at once, and a turn waits a moment for what it does not.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_proto::drawing::Witness;
use http_proto::{Exchange, Leg, Trailers};
use shuttle_core::{BerthId, NoBell, Shuttle, Tx, TxShore, link};

use crate::clock::Clock;
use crate::core::{Core, Flush};
use crate::stats::Snapshot;
use crate::{Command, Limits, Listener, Routes, Worker, WorkerConfig};

/// One mebibyte that can be lent.
pub(super) static LARGE: [u8; 1 << 20] = [b'x'; 1 << 20];

/// What a client has seen of its connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    Open,
    End,
    Reset,
}

/// A client with a plain socket.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) got: Vec<u8>,
    pub(super) seen: Seen,
    /// How much it reads; `usize::MAX` unless it is slow.
    pub(super) appetite: usize,
}

impl Client {
    /// Reads what there is. How much that was.
    pub(super) fn take(&mut self) -> usize {
        let mut buffer = vec![0; 64 * 1024];
        let mut total = 0;
        while self.seen == Seen::Open && self.appetite > 0 {
            let room = buffer.len().min(self.appetite);
            match self.stream.read(&mut buffer[..room]) {
                Ok(0) => self.seen = Seen::End,
                Ok(count) => {
                    self.got.extend_from_slice(&buffer[..count]);
                    self.appetite -= count;
                    total += count;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.seen = Seen::Reset,
            }
        }
        total
    }
}

/// How to make a world.
pub(super) struct Setup {
    pub(super) limits: Limits,
    pub(super) berths: u16,
    pub(super) tls: Option<Arc<crate::TlsConfig>>,
    pub(super) http2: bool,
    pub(super) routes: Routes,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            berths: 8,
            tls: None,
            http2: true,
            routes: Routes::default(),
        }
    }
}

/// All of it.
pub(super) struct World {
    pub(super) core: Core,
    commander: crate::control::Commander,
    tx: Option<TxShore<Exchange>>,
    /// Shuttles that the test holds on the other shore.
    pub(super) held: Vec<Shuttle<Tx, Exchange>>,
    pub(super) addr: SocketAddr,
    now: Instant,
    pub(super) clients: Vec<Client>,
}

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        Self::watched(setup, None)
    }

    /// A world with a witness on the worker's shore.
    pub(super) fn watched(setup: Setup, witness: Option<Box<dyn Witness>>) -> Self {
        let listener = Listener {
            socket: crate::bind("127.0.0.1:0".parse().unwrap(), false).unwrap(),
            tls: setup.tls,
            http2: setup.http2,
        };
        let addr = listener.socket.local_addr().unwrap();
        let config = WorkerConfig {
            limits: setup.limits,
            listeners: vec![listener],
            routes: Arc::new(setup.routes),
            server_name: None,
            witness,
            ..WorkerConfig::default()
        };
        let (worker, _) = Worker::new(config).unwrap();
        let (end, tx) = link(setup.berths, Arc::new(NoBell), Arc::new(NoBell));
        let now = Instant::now();
        let (core, commander) = worker.into_test_core(end, Clock::fixed(now));
        let (tx, held, clients) = (Some(tx.land()), Vec::new(), Vec::new());
        Self {
            core,
            commander,
            tx,
            held,
            addr,
            now,
            clients,
        }
    }

    /// A world with other limits.
    pub(super) fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup.limits);
        Self::new(setup)
    }

    /// A new client; its number.
    pub(super) fn connect(&mut self) -> usize {
        let stream = TcpStream::connect(self.addr).unwrap();
        self.adopt(stream)
    }

    /// A new client whose address is this one; on Linux all of 127/8 is the machine's.
    pub(super) fn connect_from(&mut self, address: [u8; 4]) -> usize {
        let domain = socket2::Domain::IPV4;
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
        socket.connect(&self.addr.into()).unwrap();
        self.adopt(socket.into())
    }

    /// A new client with a receive buffer of about `bytes`.
    pub(super) fn connect_slow(&mut self, bytes: usize) -> usize {
        let domain = socket2::Domain::IPV4;
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
        socket.connect(&self.addr.into()).unwrap();
        let client = self.adopt(socket.into());
        self.clients[client].appetite = 0;
        client
    }

    fn adopt(&mut self, stream: TcpStream) -> usize {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        let (got, seen, appetite) = (Vec::new(), Seen::Open, usize::MAX);
        self.clients.push(Client {
            stream,
            got,
            seen,
            appetite,
        });
        self.clients.len() - 1
    }

    /// The client sends; all of it has to fit into its socket.
    pub(super) fn say(&mut self, client: usize, bytes: impl AsRef<[u8]>) {
        self.clients[client]
            .stream
            .write_all(bytes.as_ref())
            .unwrap();
    }

    /// The client sends and everybody reacts.
    pub(super) fn ask(&mut self, client: usize, bytes: impl AsRef<[u8]>) {
        self.say(client, bytes);
        self.settle();
    }

    /// The client says that it will send nothing more.
    pub(super) fn finish(&mut self, client: usize) {
        self.clients[client]
            .stream
            .shutdown(Shutdown::Write)
            .unwrap();
        self.settle();
    }

    /// The client resets its connection.
    pub(super) fn reset(&mut self, client: usize) {
        let socket = socket2::SockRef::from(&self.clients[client].stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        let unused = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let unused = unused.unwrap().into();
        let old = std::mem::replace(&mut self.clients[client].stream, unused);
        self.clients[client].seen = Seen::Reset;
        drop(old);
        self.settle();
    }

    /// Turns until nothing moves, the last time with a moment for the kernel.
    pub(super) fn settle(&mut self) {
        let moment = [Duration::ZERO, Duration::from_millis(1)];
        let mut quiet = 0;
        let mut rounds = 0;
        while quiet < moment.len() {
            let mut moved = self.core.turn(Some(moment[quiet]), Flush::Lazily).unwrap();
            moved += self.receive();
            moved += self.clients.iter_mut().map(Client::take).sum::<usize>();
            quiet = if moved == 0 { quiet + 1 } else { 0 };
            rounds += 1;
            assert!(rounds < 20_000, "it never comes to rest");
        }
    }

    fn receive(&mut self) -> usize {
        let Some(tx) = &mut self.tx else { return 0 };
        let mut count = 0;
        while let Some(shuttle) = tx.recv() {
            self.held.push(shuttle);
            count += 1;
        }
        count
    }

    /// Lets time pass, and settles.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.core.set_time(Clock::fixed(self.now));
        self.settle();
    }

    /// What time it is.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn command(&mut self, command: Command) {
        self.commander.send(command);
        self.settle();
    }

    /// Commands something that the worker has not noticed yet.
    pub(super) fn order(&self, command: Command) {
        self.commander.send(command);
    }

    /// The shuttle that has been held longest.
    pub(super) fn take(&mut self) -> Shuttle<Tx, Exchange> {
        assert!(!self.held.is_empty(), "nothing has come to TX");
        self.held.remove(0)
    }

    /// The shuttle of this berth, which TX holds.
    pub(super) fn take_berth(&mut self, berth: BerthId) -> Shuttle<Tx, Exchange> {
        let at = self
            .held
            .iter()
            .position(|shuttle| shuttle.berth() == berth);
        self.held.remove(at.expect("TX holds it"))
    }

    /// What the shuttles that TX holds say: leg and path, and whether the client is gone.
    pub(super) fn at_tx(&self) -> String {
        let texts = self.held.iter().map(|shuttle| {
            let path = String::from_utf8_lossy(shuttle.request.path());
            let gone = if shuttle.client_gone() { " gone" } else { "" };
            format!("{:?} {path}{gone}", shuttle.leg())
        });
        texts.collect::<Vec<_>>().join(", ")
    }

    /// Sends a shuttle to the worker, and settles.
    pub(super) fn send(&mut self, shuttle: Shuttle<Tx, Exchange>) {
        self.tx().send(shuttle);
        self.settle();
    }

    pub(super) fn tx(&mut self) -> &mut TxShore<Exchange> {
        self.tx.as_mut().expect("TX is here")
    }

    /// TX goes on elsewhere on this thread: nobody here receives any more.
    pub(super) fn take_tx(&mut self) -> TxShore<Exchange> {
        self.tx.take().expect("TX is here")
    }

    /// TX is back.
    pub(super) fn give_tx(&mut self, tx: TxShore<Exchange>) {
        self.tx = Some(tx);
    }

    /// TX leaves with whatever it holds.
    pub(super) fn lose_tx(&mut self) {
        self.held.clear();
        self.tx = None;
        self.settle();
    }

    /// Answers the shuttle held longest.
    pub(super) fn answer(&mut self, status: u16, body: &str) {
        let mut shuttle = self.take();
        shuttle.answer(status, &[], body.as_bytes()).unwrap();
        self.send(shuttle);
    }

    /// Sends a copied part with the shuttle held longest.
    pub(super) fn write(&mut self, part: &str, last: bool) {
        let mut shuttle = self.take();
        shuttle.unpin();
        shuttle.write(part.as_bytes(), last).unwrap();
        self.send(shuttle);
    }

    /// Sends the shuttle held longest with a leg that has no cargo.
    pub(super) fn go(&mut self, leg: Leg) {
        let mut shuttle = self.take();
        shuttle.unpin();
        shuttle.advance(leg).unwrap();
        self.send(shuttle);
    }

    /// What a client got since the last look, made readable, and what became of its connection.
    pub(super) fn text(&mut self, client: usize) -> String {
        let client = &mut self.clients[client];
        let got = std::mem::take(&mut client.got);
        format!("{}{}", readable(&got), ending(client.seen))
    }

    pub(super) fn stats(&self) -> Snapshot {
        self.core.stats().snapshot()
    }

    /// Every shuttle is home, and nothing is counted that is not there.
    pub(super) fn check_balance(&mut self) {
        self.settle();
        let stats = self.stats();
        assert_eq!(self.held.len(), 0, "TX holds shuttles");
        assert_eq!(stats.travelling, 0, "shuttles are out: {stats:?}");
        assert_eq!(stats.body_bytes_held, 0, "{stats:?}");
        assert_eq!(self.core.queued_bodies_count(), 0, "bodies wait for room");
    }
}

/// `<open>`, `<end>` or `<reset>`.
pub(super) fn ending(seen: Seen) -> String {
    format!("<{}>", format!("{seen:?}").to_lowercase())
}

/// Line ends as `|`, the date left out, long runs of the large body counted.
pub(super) fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.replace("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "");
    let text = text.replace("\r\n", "|");
    let run = text.matches('x').count();
    if run > 100 {
        text.replace(&"x".repeat(run), &format!("[{run} x]"))
    } else {
        text
    }
}

/// A responder that goes by the path, for tests that are about bytes.
pub(super) fn respond(world: &mut World) {
    world.settle();
    while !world.held.is_empty() {
        let mut shuttle = world.take();
        shuttle.unpin();
        respond_to(&mut shuttle);
        world.send(shuttle);
    }
}

/// Answers with trailers.
fn respond_trailed(shuttle: &mut Shuttle<Tx, Exchange>, kind: &str) {
    let is_begun = shuttle.leg() == Leg::Continue;
    let ends = !matches!(kind, "close" | "write") || is_begun;
    if ends {
        let mut trailers = Trailers::default();
        trailers.push(b"Sum", b"3").unwrap();
        trailers.push(b"sum", b"4").unwrap();
        shuttle.response_trailers = Some(Box::new(trailers));
    }
    match kind {
        "close" if is_begun => shuttle.advance(Leg::Close).unwrap(),
        "write" if is_begun => shuttle.write(b" two", true).unwrap(),
        "length" => shuttle.answer(200, &[], b"all").unwrap(),
        "204" => shuttle.answer(204, &[], b"").unwrap(),
        _ => {
            shuttle.write_head(200, &[]).unwrap();
            let part: &[u8] = match kind {
                "whole" => b"all",
                "close" | "write" => b"one",
                _ => b"",
            };
            shuttle.write(part, ends).unwrap();
            if kind == "large" {
                shuttle.lend_static(&LARGE);
            }
        }
    }
}

fn respond_to(shuttle: &mut Shuttle<Tx, Exchange>) {
    let path = String::from_utf8_lossy(shuttle.request.path()).into_owned();
    if shuttle.leg() != Leg::Closed
        && let Some(kind) = path.strip_prefix("/trailed/")
    {
        return respond_trailed(shuttle, kind);
    }
    match (shuttle.leg(), path.as_str()) {
        (Leg::Closed, _) => shuttle.advance(Leg::Release).unwrap(),
        (Leg::Body, _) if shuttle.last => shuttle.advance(Leg::Release).unwrap(),
        (Leg::Body, _) => shuttle.advance(Leg::WantBody).unwrap(),
        (Leg::Continue, "/parts") => shuttle.write(b" two", true).unwrap(),
        (Leg::Continue, _) => shuttle.advance(Leg::Close).unwrap(),
        (_, "/parts" | "/close") => {
            shuttle.write_head(200, &[]).unwrap();
            shuttle.write(b"one", false).unwrap();
        }
        (_, "/large") => {
            shuttle.write_head(200, &[]).unwrap();
            shuttle.write(b"", true).unwrap();
            shuttle.lend_static(&LARGE);
        }
        (_, "/echo") => {
            let body = shuttle.body.clone();
            shuttle.answer(200, &[], &body).unwrap();
        }
        (_, "/short") => {
            shuttle
                .write_head(200, &[("Content-Length", "10")])
                .unwrap();
            shuttle.write(b"four", true).unwrap();
        }
        (_, "/long") => {
            shuttle.write_head(200, &[("Content-Length", "2")]).unwrap();
            shuttle.write(b"four", true).unwrap();
        }
        (_, "/nothing") => shuttle.advance(Leg::Close).unwrap(),
        (_, "/mute") => shuttle.advance(Leg::Release).unwrap(),
        (_, "/204") => shuttle.answer(204, &[], b"").unwrap(),
        (_, "/bye") => shuttle
            .answer(200, &[("Connection", "close")], b"bye")
            .unwrap(),
        _ => shuttle.answer(200, &[], path.as_bytes()).unwrap(),
    }
}

/// Sends `input` whole and then split in two at every position, each time to a new connection,
/// and expects the same text and the same fate of the connection each time.
pub(super) fn check(input: &str, expected: &str) {
    let input = input.replace('|', "\r\n");
    let mut world = World::new(Setup::default());
    for at in 0..input.len() {
        let client = world.connect();
        let (first, second) = input.as_bytes().split_at(at);
        world.ask(client, first);
        if !world.held.is_empty() {
            respond(&mut world);
        }
        if world.clients[client].seen == Seen::Open {
            // It may have heard enough.
            let _ = world.clients[client].stream.write_all(second);
        }
        respond(&mut world);
        assert_eq!(world.text(client), expected, "split at {at} of {input:?}");
        world.check_balance();
        world.clients.clear();
    }
}
