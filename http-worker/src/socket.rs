//! What is known of a socket, for connections of every protocol.

use mio::event::Event;

/// What the kernel has told of the socket. Edge-triggered: it says each of these once, and each
/// stays true until a call on the socket shows otherwise.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    /// A read may give something.
    pub(crate) has_input: bool,
    /// The last write did not take everything.
    pub(crate) is_full: bool,
    /// The client's FIN is in the kernel, perhaps behind unread bytes.
    pub(crate) has_fin: bool,
    /// A read has given the end.
    pub(crate) is_over: bool,
}

/// The connection was reset, or both its directions have ended.
pub(crate) fn is_reset(event: &Event) -> bool {
    event.is_error() || event.is_write_closed()
}

impl Socket {
    /// Takes note of what the kernel says. True: it says that the client's direction has ended.
    pub(crate) fn note(&mut self, event: &Event) -> bool {
        let has_fin = event.is_read_closed();
        self.has_input |= event.is_readable() || has_fin;
        if event.is_writable() {
            self.is_full = false;
        }
        has_fin
    }
}
