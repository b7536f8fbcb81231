//! Who serves what: the part of it that is decided by the worker, before a request crosses.

use http_proto::Sites;

/// Sites by path. Shared by all workers and replaced as a whole
/// ([`Command::Routes`](crate::Command::Routes)), so that a request meets one of them or the next,
/// never a mixture. Without any the application serves everything.
pub type Routes = Sites<Serve>;

/// Who serves the requests of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serve {
    /// The application, on the other shore.
    App(App),
}

/// How the application wants its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct App {
    /// A request crosses as soon as its head is complete, and its body follows in pieces.
    /// Otherwise it crosses whole.
    pub streams_body: bool,
    /// How long a body may be; beyond: 413. Absent: as long as the
    /// [limits](crate::Limits::body_bytes) say, and any length if it follows in pieces.
    pub body_max_bytes: Option<u64>,
}
