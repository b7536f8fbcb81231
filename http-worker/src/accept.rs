//! The doors: listening sockets in the poll, and taking connections from them in batches.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustls::ServerConfig;
use slab::Slab;

use crate::control::{Listening, Receipt};
use crate::limits::{ACCEPT_BATCH_COUNT, ACCEPT_RETRY_MS, LEAVE_DOOR_MAX_MS, LEAVE_DOOR_MS};
use crate::listener::{Listener, let_nobody_new_in};

/// Wakes the worker.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// A connection as it came in.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Whether it may speak HTTP/2.
    pub(crate) http2: bool,
}

struct Door {
    socket: TcpListener,
    addr: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    http2: bool,
    /// Our address, unless it is a wildcard and has to be asked for each connection.
    local: Option<SocketAddr>,
    /// Whether connections may be waiting: the kernel says so once, and it stays true until an
    /// accept finds nothing.
    is_ready: bool,
    /// Its address was given up: it is closed when everybody who waits at it is in.
    leave: Option<Leave>,
}

/// How a door is left.
struct Leave {
    /// Not before: the last ones may still be shaking hands with the kernel.
    from: Instant,
    /// Then at the latest, though some wait: there may be no room for them.
    until: Instant,
    /// Held until the door is closed.
    _receipt: Receipt,
}

/// All listening sockets of a worker.
#[derive(Default)]
pub(crate) struct Doors {
    doors: Slab<Door>,
    /// How many of them are being left.
    leaving_count: usize,
    /// Set while the system has no descriptors for us.
    retry_at: Option<Instant>,
}

impl Doors {
    /// Watches one more socket.
    pub(crate) fn add(&mut self, registry: &Registry, listener: Listener) -> io::Result<()> {
        self.open(registry, listener).map(drop)
    }

    /// Says under which key it is kept.
    fn open(&mut self, registry: &Registry, listener: Listener) -> io::Result<usize> {
        let Listener { socket, tls, http2 } = listener;
        socket.set_nonblocking(true)?;
        // Bound by others, it may lack the option that `bind` sets; accepted sockets inherit it.
        let options = socket2::SockRef::from(&socket);
        options.set_tcp_nodelay(true)?;
        bound_unsent(&options);
        let addr = socket.local_addr()?;
        let mut socket = TcpListener::from_std(socket);
        let place = self.doors.vacant_entry();
        let key = place.key();
        registry.register(&mut socket, token(key), Interest::READABLE)?;
        place.insert(Door {
            socket,
            addr,
            tls: tls.map(|tls| Arc::clone(&tls.server)),
            http2,
            local: (!addr.ip().is_unspecified()).then_some(addr),
            is_ready: false,
            leave: None,
        });
        Ok(key)
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
        self.retry_at.is_none() && self.doors.iter().any(|(_, door)| door.is_ready)
    }

    /// When to call [`accept`](Self::accept) although nothing happens.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// When to call [`close_left`](Self::close_left) although nothing happens.
    pub(crate) fn next_leave(&self) -> Option<Instant> {
        if self.leaving_count == 0 {
            return None;
        }
        self.doors
            .iter()
            .filter_map(|(_, door)| door.leaves_at())
            .min()
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
        for (_, door) in self.doors.iter_mut().filter(|(_, door)| door.is_ready) {
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
        for (_, door) in &mut self.doors {
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
        listening: Listening,
        now: Instant,
    ) -> io::Result<()> {
        let before: Vec<usize> = self.doors.iter().map(|(key, _)| key).collect();
        self.open_all(registry, listening.listeners)?;
        for key in before {
            let door = &mut self.doors[key];
            if door.leave.is_some() {
                continue;
            }
            if listening.given_up.contains(&door.addr) {
                door.begin_to_leave(listening.receipt.clone(), now);
                self.leaving_count += 1;
            } else {
                self.close_one(registry, key);
            }
        }
        Ok(())
    }

    /// All of them, or none.
    fn open_all(&mut self, registry: &Registry, listeners: Vec<Listener>) -> io::Result<()> {
        let mut opened = Vec::new();
        for listener in listeners {
            match self.open(registry, listener) {
                Ok(key) => opened.push(key),
                Err(e) => {
                    for key in opened {
                        self.close_one(registry, key);
                    }
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    /// Closes those that were to be left and at which nobody waits any more.
    pub(crate) fn close_left(&mut self, registry: &Registry, now: Instant) {
        if self.leaving_count == 0 {
            return;
        }
        let is_due = |door: &Door| door.leaves_at().is_some_and(|at| at <= now);
        let due = self.doors.iter().filter(|(_, door)| is_due(door));
        let due: Vec<usize> = due.map(|(key, _)| key).collect();
        due.into_iter()
            .for_each(|key| self.close_one(registry, key));
    }

    fn close_one(&mut self, registry: &Registry, key: usize) {
        let mut door = self.doors.remove(key);
        self.leaving_count -= usize::from(door.leave.is_some());
        // If it is not watched, all is well.
        let _ = registry.deregister(&mut door.socket);
    }

    /// Closes all of them. The poll has to be told: it watches the socket, not the handle, and
    /// others may hold handles of the same socket.
    pub(crate) fn close(&mut self, registry: &Registry) {
        let all: Vec<usize> = self.doors.iter().map(|(key, _)| key).collect();
        all.into_iter()
            .for_each(|key| self.close_one(registry, key));
        self.retry_at = None;
    }
}

impl Door {
    fn begin_to_leave(&mut self, receipt: Receipt, now: Instant) {
        let are_kept_out = let_nobody_new_in(&self.socket);
        let wait_ms = if are_kept_out { LEAVE_DOOR_MS } else { 0 };
        self.is_ready = true;
        self.leave = Some(Leave {
            from: now + Duration::from_millis(wait_ms),
            until: now + Duration::from_millis(LEAVE_DOOR_MAX_MS),
            _receipt: receipt,
        });
    }

    /// When it is to be closed, as far as is known now.
    fn leaves_at(&self) -> Option<Instant> {
        let leave = self.leave.as_ref()?;
        Some(if self.is_ready {
            leave.until
        } else {
            leave.from
        })
    }

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
                http2: self.http2,
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
