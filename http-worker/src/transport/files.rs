//! Bytes of a file to a plain socket, by the kernel itself where it can.

use std::io;

use mio::net::TcpStream;

use super::Wrote;
use crate::files::Opened;
use crate::stats::WorkerStats;

/// Sends bytes of a file without looking at them. The outer `None`: it cannot be done for this
/// file; the inner one: the file has no bytes there.
#[cfg(target_os = "linux")]
pub(super) fn send(
    stream: &TcpStream,
    file: &Opened,
    mut from: u64,
    count: usize,
    stats: &WorkerStats,
) -> io::Result<Option<Option<Wrote>>> {
    use rustix::io::Errno;

    stats.writes.one();
    match rustix::fs::sendfile(stream, file, Some(&mut from), count) {
        Ok(0) => Ok(Some(None)),
        Ok(taken) => {
            stats.bytes_out.add(taken as u64);
            // Less than asked for may mean either end; the next call tells which.
            Ok(Some(Some(Wrote {
                taken,
                sent: taken,
                is_blocked: false,
            })))
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(Some(Some(Wrote {
            is_blocked: true,
            ..Wrote::default()
        }))),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Only Linux is asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn send(
    _: &TcpStream,
    _: &Opened,
    _: u64,
    _: usize,
    _: &WorkerStats,
) -> io::Result<Option<Option<Wrote>>> {
    Ok(None)
}

/// Offers bytes to the socket and says that more are coming.
#[cfg(target_os = "linux")]
pub(super) fn write_before_more(
    stream: &mut TcpStream,
    bytes: &[u8],
    stats: &WorkerStats,
) -> io::Result<Wrote> {
    use rustix::net::SendFlags;

    stats.writes.one();
    let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
    let sent = rustix::net::send(stream, bytes, flags).map_err(io::Error::from);
    let taken = super::would_block(sent)?.unwrap_or(0);
    stats.bytes_out.add(taken as u64);
    Ok(Wrote {
        taken,
        sent: taken,
        is_blocked: taken < bytes.len(),
    })
}

/// Elsewhere nobody is told.
#[cfg(not(target_os = "linux"))]
pub(super) fn write_before_more(
    stream: &mut TcpStream,
    bytes: &[u8],
    stats: &WorkerStats,
) -> io::Result<Wrote> {
    super::write_plain(stream, &[io::IoSlice::new(bytes)], stats)
}
