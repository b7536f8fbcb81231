//! A connection's bytes, in clear or through TLS, behind the same few verbs.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};

use crate::files::Opened;
use crate::limits::{READ_BYTES, TLS_BUFFERED_BYTES};
use crate::stats::WorkerStats;

mod files;

/// Where all connections of a worker read into. The default has no room.
#[derive(Default)]
pub(crate) struct ReadBuffers {
    raw: Box<[u8]>,
    /// What TLS made of it.
    plain: Vec<u8>,
}

impl ReadBuffers {
    pub(crate) fn new() -> Self {
        Self {
            raw: vec![0; READ_BYTES].into_boxed_slice(),
            plain: Vec::new(),
        }
    }
}

/// What one read of the socket gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw {
    pub(crate) count: usize,
    /// The socket had no more at that moment.
    pub(crate) is_drained: bool,
    /// The peer will send nothing any more.
    pub(crate) is_over: bool,
}

/// What one read gave, in clear.
pub(crate) struct Input<'a> {
    /// In clear; may be empty although something came.
    pub(crate) bytes: &'a [u8],
    /// The socket had no more at that moment.
    pub(crate) is_drained: bool,
    /// The peer will send nothing any more.
    pub(crate) is_over: bool,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wrote {
    /// Bytes that need not be offered again.
    pub(crate) taken: usize,
    /// Bytes that went into the socket, encrypted where TLS is.
    pub(crate) sent: usize,
    /// The socket is full: write again when it says that it is writable.
    pub(crate) is_blocked: bool,
}

/// Why a transport is of no use any more.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The peer has reset the connection, or the system has.
    Socket,
    /// What the peer sent is not the TLS we speak. An alert may be waiting to be flushed.
    Tls(rustls::Error),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Socket
    }
}

/// One connection's socket.
pub(crate) struct Transport {
    pub(crate) stream: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl Transport {
    /// # Errors
    /// A TLS configuration that cannot be used.
    pub(crate) fn new(
        stream: TcpStream,
        tls: Option<Arc<ServerConfig>>,
    ) -> Result<Self, rustls::Error> {
        let tls = tls.map(ServerConnection::new).transpose()?;
        let tls = tls.map(|mut tls| {
            tls.set_buffer_limit(Some(TLS_BUFFERED_BYTES));
            Box::new(tls)
        });
        Ok(Self { stream, tls })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether the TLS handshake has chosen HTTP/2 (RFC 7301, RFC 9113 section 3.2).
    pub(crate) fn speaks_http2(&self) -> bool {
        let tls = self.tls.as_ref();
        tls.is_some_and(|tls| tls.alpn_protocol() == Some(b"h2"))
    }

    /// Whether bytes taken before still wait for the socket.
    pub(crate) fn has_pending(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Reads once from the socket.
    pub(crate) fn read<'a>(
        &mut self,
        buffers: &'a mut ReadBuffers,
        stats: &WorkerStats,
    ) -> Result<Input<'a>, Broken> {
        let Raw {
            count,
            is_drained,
            is_over,
        } = self.read_raw(buffers, stats)?;
        let raw = &buffers.raw[..count];
        let Some(tls) = &mut self.tls else {
            return Ok(Input {
                bytes: raw,
                is_drained,
                is_over,
            });
        };
        buffers.plain.clear();
        let has_goodbye = decrypt(tls, raw, &mut buffers.plain)?;
        Ok(Input {
            bytes: &buffers.plain,
            is_drained,
            is_over: is_over || has_goodbye,
        })
    }

    /// Reads once from the socket and leaves the bytes as they came.
    pub(crate) fn read_raw(
        &mut self,
        buffers: &mut ReadBuffers,
        stats: &WorkerStats,
    ) -> io::Result<Raw> {
        stats.reads.one();
        match self.stream.read(&mut buffers.raw) {
            Ok(count) => {
                stats.bytes_in.add(count as u64);
                let is_drained = count < buffers.raw.len();
                Ok(Raw {
                    count,
                    is_drained,
                    is_over: count == 0,
                })
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Raw {
                count: 0,
                is_drained: true,
                is_over: false,
            }),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(Raw {
                count: 0,
                is_drained: false,
                is_over: false,
            }),
            Err(e) => Err(e),
        }
    }

    /// Offers bytes to the socket, with one call if it takes them.
    pub(crate) fn write(
        &mut self,
        slices: &mut [IoSlice<'_>],
        stats: &WorkerStats,
    ) -> io::Result<Wrote> {
        match &mut self.tls {
            Some(tls) => write_tls(&mut self.stream, tls, slices, stats),
            None => write_plain(&mut self.stream, slices, stats),
        }
    }

    /// Offers bytes that others follow at once: they need no packet of their own.
    pub(crate) fn write_before_more(
        &mut self,
        bytes: &[u8],
        stats: &WorkerStats,
    ) -> io::Result<Wrote> {
        match &mut self.tls {
            Some(_) => self.write(&mut [IoSlice::new(bytes)], stats),
            None => files::write_before_more(&mut self.stream, bytes, stats),
        }
    }

    /// Offers up to `count` bytes of a file, from this place on. `None`: it has none there.
    pub(crate) fn write_file(
        &mut self,
        file: &Opened,
        from: u64,
        count: usize,
        buffers: &mut ReadBuffers,
        stats: &WorkerStats,
    ) -> io::Result<Option<Wrote>> {
        if self.tls.is_none()
            && let Some(wrote) = files::send(&self.stream, file, from, count, stats)?
        {
            return Ok(wrote);
        }
        let room = count.min(buffers.raw.len());
        match file.read_at(&mut buffers.raw[..room], from)? {
            0 => Ok(None),
            read => self
                .write(&mut [IoSlice::new(&buffers.raw[..read])], stats)
                .map(Some),
        }
    }

    /// Writes out what was taken before.
    pub(crate) fn flush(&mut self, stats: &WorkerStats) -> io::Result<Wrote> {
        match &mut self.tls {
            Some(tls) => write_tls(&mut self.stream, tls, &mut [], stats),
            None => Ok(Wrote::default()),
        }
    }

    /// Says within TLS that nothing more will come, so that the peer can tell an end from a cut.
    pub(crate) fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
    }
}

/// Gives `raw` to TLS and appends the plain bytes. True: the peer said goodbye.
fn decrypt(
    tls: &mut ServerConnection,
    mut raw: &[u8],
    plain: &mut Vec<u8>,
) -> Result<bool, Broken> {
    while !raw.is_empty() {
        let before = raw.len();
        tls.read_tls(&mut raw)?;
        let state = tls.process_new_packets().map_err(Broken::Tls)?;
        let ready = state.plaintext_bytes_to_read();
        if ready > 0 {
            let start = plain.len();
            plain.resize(start + ready, 0);
            tls.reader().read_exact(&mut plain[start..])?;
        }
        if state.peer_has_closed() {
            return Ok(true);
        }
        if raw.len() == before {
            // Nothing is taken any more; only after an end, which was reported above.
            break;
        }
    }
    Ok(false)
}

fn write_plain(
    stream: &mut TcpStream,
    slices: &[IoSlice<'_>],
    stats: &WorkerStats,
) -> io::Result<Wrote> {
    stats.writes.one();
    let offered: usize = slices.iter().map(|slice| slice.len()).sum();
    let taken = match slices {
        [one] => would_block(stream.write(one))?,
        many => would_block(stream.write_vectored(many))?,
    };
    let taken = taken.unwrap_or(0);
    stats.bytes_out.add(taken as u64);
    Ok(Wrote {
        taken,
        sent: taken,
        is_blocked: taken < offered,
    })
}

/// Encrypts what the buffer's bound allows, sends it, and goes on until all is taken or the
/// socket is full. Encrypting copies, so what is taken is free again.
fn write_tls(
    stream: &mut TcpStream,
    tls: &mut ServerConnection,
    mut slices: &mut [IoSlice<'_>],
    stats: &WorkerStats,
) -> io::Result<Wrote> {
    let (mut taken, mut gone) = (0, 0);
    loop {
        let count = match slices.is_empty() {
            true => 0,
            false => tls.writer().write_vectored(slices)?,
        };
        taken += count;
        IoSlice::advance_slices(&mut slices, count);
        while tls.wants_write() {
            stats.writes.one();
            match would_block(tls.write_tls(stream))? {
                Some(sent) => {
                    gone += sent;
                    stats.bytes_out.add(sent as u64);
                }
                None => {
                    return Ok(Wrote {
                        taken,
                        sent: gone,
                        is_blocked: true,
                    });
                }
            }
        }
        if slices.is_empty() || count == 0 {
            return Ok(Wrote {
                taken,
                sent: gone,
                is_blocked: false,
            });
        }
    }
}

/// `None` instead of the error that is none.
fn would_block(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
        // A signal: as if the socket was full; its readiness is asked for again.
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(e) => Err(e),
    }
}
