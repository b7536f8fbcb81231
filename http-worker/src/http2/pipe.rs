//! The bytes between the socket and the engine: what was read and not yet taken, what was said and
//! not yet sent.
//!
//! The engine wants an asynchronous stream; [`Io`] is one that never waits. It reads what the
//! connection has put here, and its writes gather here until the connection sends them, all that
//! came together with one call. Wakers are not used: the connection polls again when the kernel
//! says that something has changed.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use h2::Reason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;
use crate::context::Cx;
use crate::limits::HTTP2_OUTPUT_BYTES;
use crate::socket::Socket;
use crate::stats::WorkerStats;
use crate::transport::{Broken, Transport};

/// Slices that one write of the engine may bring: the head of a frame and its payload, with room
/// to spare. What is beyond it is offered again.
const SLICES: usize = 8;

/// GOAWAY without debug data: the head of the frame, the last stream, and the reason.
const GOAWAY_HEAD: [u8; 9] = [0, 0, 8, 7, 0, 0, 0, 0, 0];
const GOAWAY_BYTES: usize = 17;

pub(super) struct Pipe {
    pub(super) transport: Transport,
    pub(super) socket: Socket,
    stats: Arc<WorkerStats>,
    /// Knows what is wrong with what the engine got last.
    frames: Frames,
    /// Received; the first `taken` bytes are the engine's already.
    input: Vec<u8>,
    taken: usize,
    /// Said by the engine, not taken by the socket.
    output: Vec<u8>,
    /// Taken by the socket since the last question.
    sent: usize,
    /// Why the transport is of no use any more.
    pub(super) broken: Option<Broken>,
}

impl Pipe {
    pub(super) fn new(
        transport: Transport,
        socket: Socket,
        stats: Arc<WorkerStats>,
        input: Vec<u8>,
    ) -> Self {
        Self {
            transport,
            socket,
            stats,
            frames: Frames::new(),
            input,
            taken: 0,
            output: Vec::new(),
            sent: 0,
            broken: None,
        }
    }

    /// Appends what came from the socket.
    pub(super) fn put(&mut self, bytes: &[u8], cx: &mut Cx) {
        if self.input.capacity() == 0 {
            self.input = cx.buffer();
        }
        self.input.extend_from_slice(bytes);
    }

    /// Lends it a buffer for what will be said.
    pub(super) fn prepare(&mut self, cx: &mut Cx) {
        if self.output.capacity() == 0 {
            self.output = cx.buffer();
        }
    }

    /// Whether the engine has taken everything that was received.
    pub(super) fn is_drained(&self) -> bool {
        self.taken == self.input.len()
    }

    /// Bytes that wait for the socket.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.output.len()
    }

    /// How much the socket took since the last question.
    pub(super) fn take_sent(&mut self) -> usize {
        std::mem::take(&mut self.sent)
    }

    /// Nothing waits for the socket, here or in TLS.
    pub(super) fn is_flushed(&self) -> bool {
        self.output.is_empty() && !self.transport.has_pending()
    }

    /// Sends what waits. True: some of it went.
    pub(super) fn flush(&mut self) -> Result<bool, Broken> {
        if self.socket.is_full || self.is_flushed() {
            return Ok(false);
        }
        let wrote = self
            .transport
            .write(&mut [IoSlice::new(&self.output)], &self.stats)?;
        self.socket.is_full = wrote.is_blocked;
        self.sent += wrote.taken;
        self.forget(wrote.taken);
        Ok(wrote.taken > 0)
    }

    /// The buffers, when they are empty: an idle connection needs none.
    pub(super) fn give_up_buffers(&mut self) -> [Vec<u8>; 2] {
        let mut given = [Vec::new(), Vec::new()];
        if self.is_drained() {
            self.frames.relax();
            self.taken = 0;
            given[0] = std::mem::take(&mut self.input);
        }
        if self.output.is_empty() {
            given[1] = std::mem::take(&mut self.output);
        }
        given
    }

    /// Whether something malformed came that the engine does not refuse. Told once.
    pub(super) fn take_malformed(&mut self) -> bool {
        self.frames.take_passed_over()
    }

    /// What the engine has of the client's and nobody has asked for: streams, and bytes for them.
    pub(super) fn backlog(&self) -> (usize, usize) {
        let backlog = self.frames.backlog();
        (backlog.streams_count, backlog.bytes)
    }

    /// The most frames of DATA that came at a time.
    pub(super) fn most_frames_count(&self) -> usize {
        self.frames.backlog().most_frames_count
    }

    /// This stream was asked for, or with `None` all of them.
    pub(super) fn note_asked(&mut self, stream: Option<u32>) {
        self.frames.note_asked(stream);
    }

    /// Nobody will take what was received.
    pub(super) fn drop_input(&mut self) {
        (self.input, self.taken) = (Vec::new(), 0);
    }

    /// What its buffers take.
    pub(super) fn held_bytes(&self) -> usize {
        self.input.capacity() + self.output.capacity()
    }

    /// The engine has ended the connection. If the last it said is a GOAWAY with PROTOCOL_ERROR,
    /// gives it the reason that RFC 9113 has for what the client did.
    pub(super) fn amend_goaway(&mut self) {
        let Some(start) = self.output.len().checked_sub(GOAWAY_BYTES) else {
            return;
        };
        let last = &mut self.output[start..];
        let is_goaway = last.starts_with(&GOAWAY_HEAD);
        let code = &mut last[GOAWAY_BYTES - 4..];
        if is_goaway && *code == u32::from(Reason::PROTOCOL_ERROR).to_be_bytes() {
            code.copy_from_slice(&u32::from(self.frames.reason()).to_be_bytes());
        }
    }

    fn forget(&mut self, sent: usize) {
        if sent == self.output.len() {
            self.output.clear();
        } else {
            self.output.drain(..sent);
        }
    }

    fn take(&mut self, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let unread = &self.input[self.taken..];
        if unread.is_empty() {
            return if self.socket.is_over {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        }
        let most = unread.len().min(room.remaining());
        let count = self.frames.next_piece(&unread[..most]);
        room.put_slice(&unread[..count]);
        self.taken += count;
        if self.is_drained() {
            self.input.clear();
            self.taken = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what the engine says, as long as it is little; more goes to the socket at once.
    fn say(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let slices = &slices[..slices.len().min(SLICES)];
        let count: usize = slices.iter().map(|slice| slice.len()).sum();
        if self.output.len() + count <= HTTP2_OUTPUT_BYTES {
            for slice in slices {
                self.output.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(count));
        }
        if self.socket.is_full {
            return Poll::Pending;
        }
        match self.send_with(slices) {
            Ok(0) => Poll::Pending,
            Ok(taken) => Poll::Ready(Ok(taken)),
            Err(broken) => {
                self.broken = Some(broken);
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
        }
    }

    /// Sends what waits and `slices` behind it; says how much of the latter went.
    fn send_with(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, Broken> {
        let mut all = [IoSlice::new(&[]); SLICES + 1];
        all[0] = IoSlice::new(&self.output);
        all[1..=slices.len()].copy_from_slice(slices);
        let wrote = self
            .transport
            .write(&mut all[..=slices.len()], &self.stats)?;
        self.socket.is_full = wrote.is_blocked;
        self.sent += wrote.taken;
        let before = self.output.len().min(wrote.taken);
        self.forget(before);
        Ok(wrote.taken - before)
    }
}

/// The engine's end of a pipe.
pub(super) struct Io(pub(super) Rc<RefCell<Pipe>>);

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.borrow_mut().take(room)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().say(&[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().say(slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What waits is sent by the connection, when the engine has said everything.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closing the socket is the connection's.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
