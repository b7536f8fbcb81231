//! HTTP/2 for tests that are written in the words of HTTP/1: requests go in as HTTP/1.1 and become
//! streams, answers come out as HTTP/1.1, in the order of the requests. So one test says what is
//! to be true of both.

use std::collections::VecDeque;
use std::future::Future as _;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_proto::h1::{Engine, Event, Limits, RequestBody};
use http_proto::{Fields, RequestHead};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the engine has said, and what it may read.
#[derive(Default)]
struct Wires {
    from_server: Vec<u8>,
    to_server: Vec<u8>,
    is_over: bool,
}

struct Io(Arc<Mutex<Wires>>);

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wires = &mut *self.0.lock().unwrap();
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

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().to_server.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A request that is not answered to the end.
struct Call {
    send: SendStream<Bytes>,
    unsent: Vec<u8>,
    trailers: Option<HeaderMap>,
    is_whole: bool,
    is_sent: bool,
    future: Option<ResponseFuture>,
    body: Option<RecvStream>,
    is_chunked: bool,
    is_over: bool,
    /// It will never be whole.
    is_cut: bool,
}

/// The whole gateway, over a socket or TLS on one.
pub(crate) struct Gateway<S> {
    socket: S,
    wires: Arc<Mutex<Wires>>,
    connection: Connection<Io>,
    requests: SendRequest<Bytes>,
    is_ended: bool,
    input: Vec<u8>,
    engine: Engine,
    head: RequestHead,
    trailers: Fields,
    calls: VecDeque<Call>,
    /// What was rendered and not read.
    output: Vec<u8>,
}

impl<S: Read + Write> Gateway<S> {
    pub(crate) fn new(socket: S) -> Self {
        let wires = Arc::default();
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false);
        let mut handshake = Box::pin(builder.handshake(Io(Arc::clone(&wires))));
        let Poll::Ready(Ok((requests, connection))) = handshake.as_mut().poll(&mut context())
        else {
            panic!("its wires take everything");
        };
        Self {
            socket,
            wires,
            connection,
            requests,
            is_ended: false,
            input: Vec::new(),
            engine: Engine::new(Limits {
                body_max_bytes: u64::MAX,
                ..Limits::default()
            }),
            head: RequestHead::default(),
            trailers: Fields::default(),
            calls: VecDeque::new(),
            output: Vec::new(),
        }
    }

    /// Makes streams of what was written.
    fn parse(&mut self) {
        loop {
            let step = self
                .engine
                .poll(&self.input, &mut self.head, &mut self.trailers);
            match step.event {
                Event::NeedMore => {
                    self.input.drain(..step.consumed);
                    return;
                }
                Event::Head(facts) => self.begin(facts.body == RequestBody::None),
                Event::ExpectContinue => {}
                Event::Body(range) => {
                    let bytes = self.input[range].to_vec();
                    self.last_call().unsent.extend(bytes);
                }
                Event::End => {
                    let fields = self.trailers.iter().map(field);
                    let map: HeaderMap = fields.collect();
                    let call = self.last_call();
                    call.trailers = Some(map).filter(|map| !map.is_empty());
                    call.is_whole = true;
                }
                Event::Error(e) => panic!("a test of HTTP/1 alone: {e}"),
            }
            self.input.drain(..step.consumed);
        }
    }

    fn last_call(&mut self) -> &mut Call {
        self.calls.back_mut().unwrap()
    }

    fn begin(&mut self, is_whole: bool) {
        let head = &self.head;
        let [authority, target] = [head.authority(), head.target()];
        let [authority, target] =
            [authority, target].map(|text| std::str::from_utf8(text).unwrap());
        let mut request = Request::builder()
            .method(head.method())
            .uri(format!("http://{authority}{target}"));
        for (name, value) in head.fields() {
            match name {
                b"host" | b"connection" | b"transfer-encoding" => {}
                _ => request = request.header(name, value),
            }
        }
        while self.requests.poll_ready(&mut context()).is_pending() {
            self.exchange().expect("streams are free again");
        }
        let request = request.body(()).unwrap();
        let (future, send) = self.requests.send_request(request, is_whole).unwrap();
        self.calls.push_back(Call {
            send,
            unsent: Vec::new(),
            trailers: None,
            is_whole,
            is_sent: is_whole,
            future: Some(future),
            body: None,
            is_chunked: false,
            is_over: false,
            is_cut: false,
        });
    }

    fn poll(&mut self) {
        for _ in 0..2 {
            if !self.is_ended {
                self.is_ended = Pin::new(&mut self.connection)
                    .poll(&mut context())
                    .is_ready();
            }
            self.calls.iter_mut().for_each(Call::pour);
            while let Some(call) = self.calls.front_mut() {
                call.render(&mut self.output);
                if !call.is_over {
                    break;
                }
                self.calls.pop_front();
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let out = std::mem::take(&mut self.wires.lock().unwrap().to_server);
        self.socket.write_all(&out)?;
        self.socket.flush()
    }

    /// Says what is to be said and waits for what comes.
    fn exchange(&mut self) -> io::Result<()> {
        self.poll();
        self.send()?;
        if !self.output.is_empty() || self.is_ended {
            return Ok(());
        }
        let mut block = [0; 16 * 1024];
        let count = match self.socket.read(&mut block) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => 0,
            result => result?,
        };
        let wires = &mut *self.wires.lock().unwrap();
        wires.from_server.extend_from_slice(&block[..count]);
        wires.is_over |= count == 0;
        Ok(())
    }
}

impl<S: Read + Write> Write for Gateway<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.input.extend_from_slice(bytes);
        self.parse();
        self.poll();
        self.send()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Read + Write> Read for Gateway<S> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.output.is_empty() {
            // As in HTTP/1, nothing can follow an answer that was cut.
            if self.is_ended || self.calls.front().is_some_and(|call| call.is_cut) {
                return Ok(0);
            }
            self.exchange()?;
        }
        let count = self.output.len().min(room.len());
        room[..count].copy_from_slice(&self.output[..count]);
        self.output.drain(..count);
        Ok(count)
    }
}

impl Call {
    /// Sends of the body what the windows admit.
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
            if self.send.send_data(piece.into(), false).is_err() {
                return self.unsent.clear();
            }
        }
        if self.is_whole && !std::mem::replace(&mut self.is_sent, true) {
            // Fails when the answer has ended the stream.
            let _ = match self.trailers.take() {
                Some(map) => self.send.send_trailers(map),
                None => self.send.send_data(Bytes::new(), true),
            };
        }
    }

    /// Renders what came of the answer.
    fn render(&mut self, output: &mut Vec<u8>) {
        if let Some(future) = &mut self.future {
            while let Poll::Ready(Some(Ok(head))) = future.poll_informational(&mut context()) {
                render_head(&head, output);
                output.extend_from_slice(b"\r\n");
            }
            match Pin::new(future).poll(&mut context()) {
                Poll::Pending => return,
                Poll::Ready(Err(_)) => self.is_cut = true,
                Poll::Ready(Ok(response)) => self.begin(response, output),
            }
            self.future = None;
        }
        while let Some(body) = &mut self.body {
            match body.poll_data(&mut context()) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(bytes))) => {
                    let _ = body.flow_control().release_capacity(bytes.len());
                    match self.is_chunked {
                        _ if bytes.is_empty() => {}
                        true => {
                            output.extend(format!("{:x}\r\n", bytes.len()).bytes());
                            output.extend_from_slice(&bytes);
                            output.extend_from_slice(b"\r\n");
                        }
                        false => output.extend_from_slice(&bytes),
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    self.is_cut = true;
                    self.body = None;
                }
                Poll::Ready(None) => {
                    if self.is_chunked {
                        output.extend_from_slice(b"0\r\n");
                        if let Poll::Ready(Ok(Some(map))) = body.poll_trailers(&mut context()) {
                            render_fields(&map, output);
                        }
                        output.extend_from_slice(b"\r\n");
                    }
                    self.body = None;
                    self.is_over = true;
                }
            }
        }
    }

    fn begin(&mut self, response: Response<RecvStream>, output: &mut Vec<u8>) {
        render_head(&response, output);
        let has_body = !response.body().is_end_stream();
        self.is_chunked = has_body && !response.headers().contains_key("content-length");
        if self.is_chunked {
            output.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        output.extend_from_slice(b"\r\n");
        self.body = Some(response.into_body());
    }
}

fn render_head<B>(response: &Response<B>, output: &mut Vec<u8>) {
    let status = response.status().as_u16();
    let reason = http_proto::status::reason(status);
    output.extend(format!("HTTP/1.1 {status} {reason}\r\n").bytes());
    render_fields(response.headers(), output);
}

fn render_fields(fields: &HeaderMap, output: &mut Vec<u8>) {
    for (name, value) in fields {
        output.extend_from_slice(name.as_str().as_bytes());
        output.extend_from_slice(b": ");
        output.extend_from_slice(value.as_bytes());
        output.extend_from_slice(b"\r\n");
    }
}

fn field((name, value): (&[u8], &[u8])) -> (HeaderName, HeaderValue) {
    let name = HeaderName::from_bytes(name).unwrap();
    (name, HeaderValue::from_bytes(value).unwrap())
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
