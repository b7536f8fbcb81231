//! Clients of HTTP/2: one that speaks it by the crate `h2`, and frames made by hand.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::world::{Seen, World, readable};

/// Both directions, as far as they are not taken.
#[derive(Default)]
struct Wires {
    from_server: Vec<u8>,
    to_server: Vec<u8>,
    is_over: bool,
}

struct Wire(Rc<RefCell<Wires>>);

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wires = &mut *self.0.borrow_mut();
        let count = wires.from_server.len().min(room.remaining());
        room.put_slice(&wires.from_server[..count]);
        wires.from_server.drain(..count);
        if count > 0 || wires.is_over {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().to_server.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// One request and what came of it.
struct Call {
    future: Option<ResponseFuture>,
    send: SendStream<Bytes>,
    body: Option<RecvStream>,
    /// What is still to be sent, as far as the windows admit.
    unsent: Vec<u8>,
    ends: bool,
    informed: String,
    text: String,
    /// The body as it came.
    bytes: Vec<u8>,
}

/// A client over one of the world's plain ones.
pub(super) struct Client2 {
    pub(super) client: usize,
    wires: Rc<RefCell<Wires>>,
    connection: Connection<Wire>,
    requests: SendRequest<Bytes>,
    calls: Vec<Call>,
    end: Option<String>,
    /// All that the server has sent.
    pub(super) got: Vec<u8>,
    /// Streams whose answers are left in their windows.
    pub(super) holds: Vec<usize>,
    /// How many bytes of bodies it takes.
    pub(super) appetite: usize,
}

impl Client2 {
    pub(super) fn new(world: &mut World) -> Self {
        let client = world.connect();
        Self::over(world, client, 100_000)
    }

    /// One with a small receive buffer that reads nothing yet, and windows for everything.
    pub(super) fn slow(world: &mut World) -> Self {
        let client = world.connect_slow(16 * 1024);
        Self::over(world, client, 4_000_000)
    }

    fn over(world: &mut World, client: usize, window: u32) -> Self {
        let wires = Rc::default();
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        builder.initial_connection_window_size(100 * window);
        let mut handshake = Box::pin(builder.handshake(Wire(Rc::clone(&wires))));
        let polled = handshake.as_mut().poll(&mut context());
        let Poll::Ready(Ok((requests, connection))) = polled else {
            panic!("the wire takes everything");
        };
        let mut client = Self {
            client,
            wires,
            connection,
            requests,
            calls: Vec::new(),
            end: None,
            got: Vec::new(),
            holds: Vec::new(),
            appetite: usize::MAX,
        };
        client.settle(world);
        client
    }

    /// A request; its number here.
    pub(super) fn begin(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        ends: bool,
    ) -> usize {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://h{path}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        assert!(self.requests.poll_ready(&mut context()).is_ready());
        let (future, send) = self.requests.send_request(request, ends).unwrap();
        self.calls.push(Call {
            future: Some(future),
            send,
            body: None,
            unsent: Vec::new(),
            ends: false,
            informed: String::new(),
            text: String::new(),
            bytes: Vec::new(),
        });
        self.calls.len() - 1
    }

    /// A GET, sent, and everybody reacts.
    pub(super) fn get(&mut self, world: &mut World, path: &str) -> usize {
        let call = self.begin("GET", path, &[], true);
        self.settle(world);
        call
    }

    pub(super) fn send(&mut self, call: usize, bytes: &[u8], ends: bool) {
        let call = &mut self.calls[call];
        call.unsent.extend_from_slice(bytes);
        call.ends = ends;
        call.pour();
    }

    pub(super) fn send_trailers(&mut self, call: usize, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        let map: HeaderMap = fields.collect();
        self.calls[call].send.send_trailers(map).unwrap();
    }

    pub(super) fn reset(&mut self, call: usize) {
        self.calls[call].send.send_reset(Reason::CANCEL);
    }

    /// Everybody reacts until nothing moves.
    pub(super) fn settle(&mut self, world: &mut World) {
        loop {
            self.poll();
            let out = std::mem::take(&mut self.wires.borrow_mut().to_server);
            let mut sent = 0;
            while sent < out.len() && world.clients[self.client].seen == Seen::Open {
                match io::Write::write(&mut world.clients[self.client].stream, &out[sent..]) {
                    Ok(count) => sent += count,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => world.settle(),
                    Err(_) => break,
                }
            }
            world.settle();
            let client = &mut world.clients[self.client];
            let got = std::mem::take(&mut client.got);
            self.got.extend_from_slice(&got);
            let is_over = client.seen != Seen::Open;
            let mut wires = self.wires.borrow_mut();
            let is_news = is_over && !wires.is_over;
            wires.is_over = is_over;
            wires.from_server.extend_from_slice(&got);
            if out.is_empty() && got.is_empty() && !is_news {
                return;
            }
        }
    }

    fn poll(&mut self) {
        for _ in 0..3 {
            if self.end.is_none()
                && let Poll::Ready(end) = Pin::new(&mut self.connection).poll(&mut context())
            {
                self.end = Some(end.map_or_else(|e| e.to_string(), |()| "closed".to_owned()));
            }
            for (number, call) in self.calls.iter_mut().enumerate() {
                call.pour();
                call.poll_head();
                if !self.holds.contains(&number) {
                    call.poll_body(&mut self.appetite);
                }
            }
        }
    }

    /// What came for a request since the last look.
    pub(super) fn text(&mut self, call: usize) -> String {
        let text = std::mem::take(&mut self.calls[call].text);
        readable(text.as_bytes())
    }

    /// The body that came so far, as it came.
    pub(super) fn bytes(&self, call: usize) -> &[u8] {
        &self.calls[call].bytes
    }

    /// Interim answers.
    pub(super) fn informed(&mut self, call: usize) -> String {
        std::mem::take(&mut self.calls[call].informed)
    }

    /// How the connection ended.
    pub(super) fn end(&self) -> &str {
        self.end.as_deref().unwrap_or("open")
    }
}

impl Call {
    fn pour(&mut self) {
        while !self.unsent.is_empty() {
            self.send.reserve_capacity(self.unsent.len());
            let room = match self.send.capacity() {
                0 => match self.send.poll_capacity(&mut context()) {
                    Poll::Ready(Some(Ok(room))) if room > 0 => room,
                    _ => return,
                },
                room => room,
            };
            let piece: Vec<u8> = self.unsent.drain(..room.min(self.unsent.len())).collect();
            let ends = self.ends && self.unsent.is_empty();
            self.ends &= !ends;
            let _ = self.send.send_data(piece.into(), ends);
        }
        if std::mem::take(&mut self.ends) {
            let _ = self.send.send_data(Bytes::new(), true);
        }
    }

    fn poll_head(&mut self) {
        let Some(future) = &mut self.future else {
            return;
        };
        if let Poll::Ready(Some(Ok(head))) = future.poll_informational(&mut context()) {
            self.informed = head.status().as_str().to_owned();
        }
        match Pin::new(future).poll(&mut context()) {
            Poll::Pending => return,
            Poll::Ready(Err(e)) => self.text += &ending(&e),
            Poll::Ready(Ok(response)) => {
                let (head, body) = response.into_parts();
                self.text += head.status.as_str();
                let mut fields: Vec<_> = head.headers.iter().collect();
                fields.sort_by_key(|(name, _)| name.as_str());
                for (name, value) in fields.into_iter().filter(|(name, _)| *name != "date") {
                    let value = String::from_utf8_lossy(value.as_bytes());
                    write!(self.text, " | {name}: {value}").unwrap();
                }
                self.text += " || ";
                self.body = Some(body);
            }
        }
        self.future = None;
    }

    fn poll_body(&mut self, appetite: &mut usize) {
        while let Some(body) = &mut self.body
            && *appetite > 0
        {
            match body.poll_data(&mut context()) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(bytes))) => {
                    *appetite = appetite.saturating_sub(bytes.len());
                    let _ = body.flow_control().release_capacity(bytes.len());
                    self.bytes.extend_from_slice(&bytes);
                    self.text += &String::from_utf8_lossy(&bytes);
                    continue;
                }
                Poll::Ready(Some(Err(e))) => self.text += &ending(&e),
                Poll::Ready(None) => {
                    if let Poll::Ready(Ok(Some(map))) = body.poll_trailers(&mut context()) {
                        for (name, value) in &map {
                            let value = value.to_str().unwrap();
                            write!(self.text, "<{name}: {value}>").unwrap();
                        }
                    }
                    self.text += "<end>";
                }
            }
            self.body = None;
        }
    }
}

fn ending(e: &h2::Error) -> String {
    match e.reason() {
        Some(reason) => format!("<reset {reason:?}>"),
        None => format!("<{e}>"),
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Frames made by hand, after the preface.
pub(super) struct Script(Vec<u8>);

impl Script {
    pub(super) fn new() -> Self {
        Self(http_proto::h2::PREFACE.to_vec())
    }

    /// More frames for a connection that has begun.
    pub(super) fn more() -> Self {
        Self(Vec::new())
    }

    pub(super) fn frame(mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.0.extend_from_slice(&len[1..]);
        self.0.extend_from_slice(&[kind, flags]);
        self.0.extend_from_slice(&stream.to_be_bytes());
        self.0.extend_from_slice(payload);
        self
    }

    /// An empty SETTINGS.
    pub(super) fn settings(self) -> Self {
        self.frame(4, 0, 0, &[])
    }

    /// A request without a body.
    pub(super) fn get(self, stream: u32, path: &str) -> Self {
        self.frame(1, 5, stream, &head("GET", path, &[]))
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A head in HPACK without tables: each field literal.
pub(super) fn head(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "h"),
    ];
    let mut block = Vec::new();
    for (name, value) in pseudo.iter().chain(fields) {
        block.push(0);
        for text in [name, value] {
            literal(text.as_bytes(), &mut block);
        }
    }
    block
}

/// A length with a prefix of seven bits, and the bytes: RFC 7541 section 5.
fn literal(text: &[u8], block: &mut Vec<u8>) {
    if text.len() < 127 {
        block.push(u8::try_from(text.len()).unwrap());
    } else {
        block.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            block.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(text);
}

/// The frames that came, in words: kind, stream or code of the error, and whether it is the end.
pub(super) fn frames(mut bytes: &[u8]) -> String {
    let mut texts = Vec::new();
    while bytes.len() >= 9 {
        let len = usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        let (kind, flags) = (bytes[3], bytes[4]);
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let stream = word(5);
        let end = if kind < 2 && flags & 1 == 1 {
            " end"
        } else {
            ""
        };
        texts.push(match kind {
            0 => format!("DATA {stream}{end}"),
            1 => format!("HEADERS {stream}{end}"),
            3 => format!("RST_STREAM {stream} {}", word(9)),
            4 if flags == 1 => "SETTINGS ack".to_owned(),
            4 => "SETTINGS".to_owned(),
            6 => "PING".to_owned(),
            7 => format!("GOAWAY {}", word(13)),
            8 => format!("WINDOW_UPDATE {stream}"),
            other => format!("frame {other}"),
        });
        bytes = &bytes[9 + len..];
    }
    texts.join(", ")
}
