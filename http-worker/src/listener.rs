//! Listening sockets: made here with the right options, or brought by the user.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::BACKLOG_COUNT;
use crate::tls::TlsConfig;

/// A bound, listening socket and how to speak on it.
#[derive(Debug)]
pub struct Listener {
    /// Bound and listening. The worker makes it non-blocking and closes it.
    pub socket: TcpListener,
    /// `None`: clear text.
    pub tls: Option<Arc<TlsConfig>>,
    /// Whether clients may speak HTTP/2 here, beside HTTP/1. Over TLS they are offered what `tls`
    /// says ([`TlsOptions::without_http2`](crate::TlsOptions::without_http2)), which has to agree.
    pub http2: bool,
}

impl Listener {
    /// A clear-text listener on `addr`, see [`bind`].
    ///
    /// # Errors
    /// Those of [`bind`].
    pub fn plain(addr: SocketAddr, reuse_port: bool) -> io::Result<Self> {
        Ok(Self {
            socket: bind(addr, reuse_port)?,
            tls: None,
            http2: true,
        })
    }

    /// A TLS listener on `addr`, see [`bind`].
    ///
    /// # Errors
    /// Those of [`bind`].
    pub fn tls(addr: SocketAddr, reuse_port: bool, tls: Arc<TlsConfig>) -> io::Result<Self> {
        Ok(Self {
            socket: bind(addr, reuse_port)?,
            tls: Some(tls),
            http2: true,
        })
    }

    /// Another socket, on which the same is spoken.
    #[must_use]
    pub fn with(&self, socket: TcpListener) -> Self {
        Self {
            socket,
            tls: self.tls.clone(),
            http2: self.http2,
        }
    }

    /// A second handle on the same socket, for another worker where the system cannot share a
    /// port between sockets.
    ///
    /// # Errors
    /// The system's, when it has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(self.with(self.socket.try_clone()?))
    }
}

/// Whether [`bind`] can give several sockets the same port so that the kernel spreads
/// connections over them. Elsewhere one socket is cloned for all workers.
pub const SPREADS_BY_PORT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Makes a listening socket: address reuse, IPv6 without IPv4 in it, no delay, non-blocking.
///
/// With `reuse_port` (see [`SPREADS_BY_PORT`]; ignored elsewhere) more sockets may be bound to
/// the same address, by this function with the same argument. Port 0 lets the system choose.
///
/// # Errors
/// The system's, with httpng's text for the step and the address in front of it, for example
/// `bind error: 127.0.0.1:80: Permission denied (os error 13)`. The kind is kept.
pub fn bind(addr: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = bound(addr, reuse_port)?;
    let listening = socket.listen(BACKLOG_COUNT);
    listening.map_err(|e| named("listen error", addr, &e))?;
    Ok(socket.into())
}

/// Tells whether an address is free, also of sockets that would share it. Nobody can connect
/// meanwhile: whoever did would be reset.
///
/// # Errors
/// As [`bind`].
pub fn probe(addr: SocketAddr) -> io::Result<()> {
    bound(addr, false).map(drop)
}

/// A socket that has its address and does not listen.
fn bound(addr: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let step = |text: &'static str| move |e: io::Error| named(text, addr, &e);
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))
        .map_err(step("create socket failed"))?;
    // Elsewhere (Windows) this option would mean that a port can be stolen.
    if cfg!(unix) {
        socket
            .set_reuse_address(true)
            .map_err(step("setsockopt SO_REUSEADDR failed"))?;
    }
    if addr.is_ipv6() {
        socket
            .set_only_v6(true)
            .map_err(step("setsockopt IPV6_V6ONLY failed"))?;
    }
    if reuse_port {
        set_reuse_port(&socket).map_err(step("setsockopt SO_REUSEPORT failed"))?;
    }
    // Accepted sockets inherit it on the systems we know, which saves a call for each.
    socket
        .set_tcp_nodelay(true)
        .map_err(step("setsockopt TCP_NODELAY failed"))?;
    socket
        .set_nonblocking(true)
        .map_err(step("setsockopt O_NONBLOCK failed"))?;
    socket.bind(&addr.into()).map_err(step("bind error"))?;
    Ok(socket)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_reuse_port(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

/// Tells the kernel to begin no more connections at a listening socket, while those it has begun
/// can still be accepted. Whether it does: where it cannot, whoever comes before the socket is
/// closed may be reset.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn let_nobody_new_in(socket: &mio::net::TcpListener) -> bool {
    use socket2::{SockFilter, SockRef};
    // A program for the kernel's packet filter, which sees the TCP header: drop what has SYN set.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS_OFFSET: u32 = 13;
    const SYN: u32 = 0x02;
    let program = [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_OFFSET),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    let attached = SockRef::from(socket).attach_filter(&program);
    if let Err(e) = &attached {
        log::debug!("no filter for a socket that is to be closed: {e}");
    }
    attached.is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn let_nobody_new_in(_socket: &mio::net::TcpListener) -> bool {
    false
}

fn named(text: &str, addr: SocketAddr, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{text}: {addr}: {e}"))
}

#[cfg(test)]
mod tests;
