//! The doors: listening sockets in the poll, and taking connections from them in batches.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustls::ServerConfig;

use crate::limits::{ACCEPT_BATCH_COUNT, ACCEPT_RETRY_MS};
use crate::listener::Listener;

/// Wakes the worker.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// A connection as it came in.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

struct Door {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    /// Our address, unless it is a wildcard and has to be asked for each connection.
    local: Option<SocketAddr>,
    /// Whether connections may be waiting: the kernel says so once, and it stays true until an
    /// accept finds nothing.
    is_ready: bool,
}

/// All listening sockets of a worker.
#[derive(Default)]
pub(crate) struct Doors {
    doors: Vec<Door>,
    /// Set while the system has no descriptors for us.
    retry_at: Option<Instant>,
}

impl Doors {
    /// Watches one more socket.
    pub(crate) fn add(&mut self, registry: &Registry, listener: Listener) -> io::Result<()> {
        let Listener { socket, tls } = listener;
        socket.set_nonblocking(true)?;
        // Bound by others, it may lack the option that `bind` sets; accepted sockets inherit it.
        let options = socket2::SockRef::from(&socket);
        options.set_tcp_nodelay(true)?;
        bound_unsent(&options);
        let addr = socket.local_addr()?;
        let mut socket = TcpListener::from_std(socket);
        registry.register(&mut socket, token(self.doors.len()), Interest::READABLE)?;
        self.doors.push(Door {
            socket,
            tls: tls.map(|tls| Arc::clone(&tls.server)),
            local: (!addr.ip().is_unspecified()).then_some(addr),
            is_ready: false,
        });
        Ok(())
    }

    /// Takes note of a readiness event. False: the token is not that of a door.
    pub(crate) fn on_event(&mut self, event: Token) -> bool {
        let Some(index) = (WAKE.0 - 1).checked_sub(event.0) else {
            return false;
        };
        let Some(door) = self.doors.get_mut(index) else {
            return false;
        };
        door.is_ready = true;
        true
    }

    /// Whether [`accept`](Self::accept) should be called without waiting for an event.
    pub(crate) fn is_ready(&self) -> bool {
        self.retry_at.is_none() && self.doors.iter().any(|door| door.is_ready)
    }

    /// When to call [`accept`](Self::accept) although nothing happens.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Takes at most `room` connections, and at most one batch from each door. Says how often the
    /// system refused.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        mut room: usize,
        mut take: impl FnMut(Accepted),
    ) -> u64 {
        if self.retry_at.is_some_and(|at| now < at) {
            return 0;
        }
        self.retry_at = None;
        let mut refused = 0;
        for door in self.doors.iter_mut().filter(|door| door.is_ready) {
            let batch = room.min(ACCEPT_BATCH_COUNT);
            match door.accept_batch(batch, &mut take) {
                Ok(count) => room -= count,
                Err(e) => {
                    log::warn!("accepting a connection failed, next try soon: {e}");
                    self.retry_at = Some(now + Duration::from_millis(ACCEPT_RETRY_MS));
                    refused += 1;
                }
            }
        }
        refused
    }

    /// Assumes that connections are waiting at every door.
    pub(crate) fn look_again(&mut self) {
        for door in &mut self.doors {
            door.is_ready = true;
        }
    }

    /// Watches these sockets instead.
    ///
    /// # Errors
    /// One of them cannot be watched; nothing has changed then.
    pub(crate) fn replace(
        &mut self,
        registry: &Registry,
        listeners: Vec<Listener>,
    ) -> io::Result<()> {
        let mut new = Self::default();
        for listener in listeners {
            if let Err(e) = new.add(registry, listener) {
                new.close(registry);
                return Err(e);
            }
        }
        std::mem::replace(self, new).close(registry);
        Ok(())
    }

    /// Closes all of them. The poll has to be told: it watches the socket, not the handle, and
    /// others may hold handles of the same socket.
    pub(crate) fn close(&mut self, registry: &Registry) {
        for mut door in std::mem::take(self).doors {
            // If it is not watched, all is well.
            let _ = registry.deregister(&mut door.socket);
        }
    }
}

impl Door {
    fn accept_batch(&mut self, batch: usize, take: &mut impl FnMut(Accepted)) -> io::Result<usize> {
        for count in 0..batch {
            let (stream, peer) = match self.socket.accept() {
                Ok(accepted) => accepted,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.is_ready = false;
                    return Ok(count);
                }
                Err(e) if is_about_the_client(&e) => continue,
                Err(e) => return Err(e),
            };
            let local = self.local.or_else(|| stream.local_addr().ok());
            if cfg!(not(any(target_os = "linux", target_os = "android"))) {
                // Not known to be inherited there; without it answers are late, not wrong.
                let _ = stream.set_nodelay(true);
            }
            take(Accepted {
                stream,
                peer,
                local,
                tls: self.tls.clone(),
            });
        }
        Ok(batch)
    }
}

/// The connection was lost before it was ours, or a signal came: go on with the next.
fn is_about_the_client(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(e.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Accepted sockets inherit it. Where it cannot be had, slow readers are seen less finely.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn bound_unsent(socket: &socket2::SockRef<'_>) {
    let bound = crate::limits::UNSENT_BYTES;
    if let Err(e) = socket.set_tcp_notsent_lowat(bound) {
        log::debug!("TCP_NOTSENT_LOWAT cannot be set: {e}");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bound_unsent(_: &socket2::SockRef<'_>) {}

fn token(index: usize) -> Token {
    Token(WAKE.0 - 1 - index)
}
