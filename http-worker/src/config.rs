//! What a worker is made from.

use std::fmt;
use std::sync::Arc;

use http_proto::drawing::Witness;

use crate::access::Reporting;
use crate::guests::Guests;
use crate::limits::Limits;
use crate::listener::Listener;
use crate::routes::Routes;

/// Everything a [`Worker`](crate::Worker) needs to begin. `Default` is a worker without
/// listeners; they may also come later, by [`Command::Listen`](crate::Command::Listen).
pub struct WorkerConfig {
    /// Name of the thread, for logs and debuggers; 15 bytes are shown on Linux.
    pub name: String,
    /// The bounds it keeps.
    pub limits: Limits,
    /// Who counts the connections of each address: the same one for all workers of a server.
    pub guests: Arc<Guests>,
    /// Where it listens. Each worker has its own sockets, see [`bind`](crate::bind).
    pub listeners: Vec<Listener>,
    /// Who serves what.
    pub routes: Arc<Routes>,
    /// Value of the `Server` field of responses, unless the application sets one. `None`: none.
    pub server_name: Option<String>,
    /// Is told each arrow and box of the worker's part of the drawing. It may block.
    pub witness: Option<Box<dyn Witness>>,
    /// What it tells of requests.
    pub reporting: Reporting,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            name: "http-worker".to_owned(),
            limits: Limits::default(),
            guests: Arc::default(),
            listeners: Vec::new(),
            routes: Arc::default(),
            server_name: Some("httpng".to_owned()),
            witness: None,
            reporting: Reporting::default(),
        }
    }
}

impl fmt::Debug for WorkerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerConfig")
            .field("name", &self.name)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}
