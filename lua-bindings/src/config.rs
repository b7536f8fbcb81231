//! What `httpng.cfg` wants of the network side, and the trait by which it gets it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use http_proto::Exchange;
use http_proto::content::CompressRule;
use ipnet::IpNet;
use shuttle_core::TxEnd;

/// A checked configuration: every number is within its range, every address is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Worker threads; `0` means that the worker runs inside the TX loop.
    pub threads: u16,
    /// Where to listen, without duplicates, in the order they were given.
    pub listeners: Vec<ListenAddr>,
    /// A reload applies `listeners` and `min_tls` too, and reads certificates anew.
    pub reload_listeners: bool,
    /// Who serves what, in the order in which they are asked.
    pub sites: Vec<SiteConfig>,
    /// The oldest TLS version that is accepted.
    pub min_tls: TlsVersion,
    /// Connections that one thread accepts; more wait in the backlog.
    pub max_conn_per_thread: usize,
    /// Connections of one address to all threads together; zero: no bound.
    pub max_conn_per_ip: usize,
    /// Whom the last places of a thread are for; nobody: none are kept.
    pub reserved_for: Vec<IpNet>,
    /// Bytes per second that a client must send of a body; zero: no bound.
    pub min_receive_rate_bytes: u64,
    /// Bytes per second that a client must take of a response; zero: no bound.
    pub min_send_rate_bytes: u64,
    /// Requests of one thread that may be in the hands of Lua at a time.
    pub max_shuttles_per_thread: u32,
    /// Streams that a connection of HTTP/2 may have open at a time, from 1.
    pub max_streams_per_conn: usize,
    /// Bytes that the streams of all connections of HTTP/2 may take together, from 1 MiB.
    pub max_http2_memory_bytes: u64,
    /// The longest request body, in bytes. More is answered with 413.
    pub max_body_len_bytes: u64,
    /// Request bodies of all threads together that may be in memory, in bytes. More wait, and are
    /// answered with 503 when that takes long.
    pub max_buffered_bodies_bytes: u64,
    /// What a thread that ends gracefully may take before its connections are reset, in
    /// milliseconds. Absent: for ever.
    pub thread_termination_timeout_ms: Option<u64>,
    /// How long a client may take to send a request head, in milliseconds.
    pub header_timeout_ms: u64,
    /// How long a client may be silent in the middle of a request body, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long a connection without a request is kept, in milliseconds.
    pub idle_timeout_ms: u64,
    /// How long a client may take nothing of a response, in milliseconds.
    pub write_timeout_ms: u64,
    /// How long a client of HTTP/2 with an open request may be silent before it is asked whether it
    /// is there, in milliseconds; zero: it is not asked.
    pub ping_after_ms: u64,
    /// What is told of requests, to whom.
    pub reporting: ReportingConfig,
}

/// What is told of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportingConfig {
    /// Where each request is noted, if anywhere.
    pub access_log: Option<AccessLogConfig>,
    /// Answers name their request in `X-Request-Id`.
    pub sends_request_id: bool,
    /// A request is called as its client says.
    pub trusts_request_id: bool,
}

/// A log with a line for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogConfig {
    /// The file; absent: standard output. Nobody has tried to open it yet.
    pub file: Option<PathBuf>,
    /// How a line looks.
    pub format: AccessFormat,
}

/// How the lines of an access log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessFormat {
    /// The combined format of NCSA and Apache.
    #[default]
    Combined,
    /// An object of JSON.
    Json,
}

/// One site as the network side has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteConfig {
    /// A prefix of whole segments, or `/` for everything.
    pub path: Arc<str>,
    /// Who serves it.
    pub serve: ServeConfig,
}

/// Who serves a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServeConfig {
    /// A handler in Lua.
    Lua {
        /// It is called as soon as the head of a request is there, and reads the body itself.
        streams_body: bool,
        /// How long a body may be, in bytes, if the site says so itself.
        body_max_bytes: Option<u64>,
        /// Which of its answers are compressed. Absent: none.
        compress: Option<Arc<CompressRule>>,
    },
    /// Files; no request for them comes to Lua.
    Files(FolderConfig),
}

/// A folder whose files are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderConfig {
    /// Where it is. Nobody has looked yet.
    pub folder: PathBuf,
    /// The file that stands for the folder it is in.
    pub index: String,
    /// Whether files that lie there compressed are sent to those who take them.
    pub precompressed: bool,
    /// The value of `Cache-Control`, if there is to be one.
    pub cache_control: Option<String>,
}

/// One address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddr {
    /// Address and port.
    pub addr: SocketAddr,
    /// Certificates, if TLS is spoken there.
    pub tls: Option<TlsPairs>,
    /// Whether HTTP/2 is spoken there, beside HTTP/1.
    pub http2: bool,
}

/// The certificates of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPairs {
    /// PEM files: certificate chain and private key.
    pub pairs: Vec<(PathBuf, PathBuf)>,
    /// Whether the certificate is chosen by the name that the client asks for. Otherwise there is
    /// exactly one pair and it is given to everybody.
    pub uses_sni: bool,
}

/// TLS versions that can be the lowest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

/// The network side as Lua steers it. Implemented by whoever composes the program; all calls come
/// from the TX thread, most of them from inside a fiber, and none may park or run Lua.
pub trait HttpControl {
    /// Binds the listeners and starts the workers. The ends that come back, one per worker, are
    /// landed by the caller.
    ///
    /// May block for as long as binding and starting threads takes.
    ///
    /// # Errors
    /// What httpng says in such a case (`bind error`, `unable to open certificate file` ...),
    /// followed by the details. Nothing is left running then.
    fn start(&mut self, config: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String>;

    /// Applies what may change while serving: limits, timeouts and the number of threads; with
    /// [`reload_listeners`](ServerConfig::reload_listeners) also addresses and TLS, which else
    /// stay, whatever `config` says (see [`is_relistening`](Self::is_relistening)). The ends that
    /// come back belong to workers that were started in addition; the caller lands them. Workers
    /// that are too many begin to end, see [`is_shrinking`](Self::is_shrinking).
    ///
    /// May block for as long as starting threads takes.
    ///
    /// # Errors
    /// Why it cannot be applied. Nothing has changed then.
    fn reconfigure(&mut self, config: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String>;

    /// Whether workers that became too many have not ended yet. Does not block.
    fn is_shrinking(&mut self) -> bool {
        false
    }

    /// Whether some worker does not yet listen as the last reload wants it: it has not heard of
    /// it, or still takes in who waits at an address that was given up. Does not block.
    fn is_relistening(&mut self) -> bool {
        false
    }

    /// Which workers became too many, until the next such change: the numbers of their ends. Ends
    /// are counted from 0, in the order in which [`start`](Self::start) and
    /// [`reconfigure`](Self::reconfigure) ever returned them.
    fn leaving(&self) -> Vec<u64> {
        Vec::new()
    }

    /// Resets the connections of workers that became too many. Returns at once; calling it again,
    /// or when there are none, does nothing.
    fn force_shrink(&mut self) {}

    /// Stops accepting and ends the connections: those that still work by the deadline are reset,
    /// without a deadline all are at once. Returns at once; calling it again may only bring the end
    /// nearer.
    fn stop(&mut self, deadline: Option<Instant>);

    /// Whether everything that was started has ended. True as well if nothing ever was.
    fn stopped(&mut self) -> bool;

    /// Whether clients are shown why handlers failed, whatever a configuration says.
    fn is_development(&self) -> bool {
        false
    }

    /// Which Lua thread of how many this is, both from 1. They share nothing that Lua sees.
    fn seat(&self) -> (u16, u16) {
        (1, 1)
    }

    /// Counters of the network side, by the names that `httpng.stats()` gives them.
    fn stats(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Those of them that count for all Lua threads of the process together.
    fn stats_of_all(&self) -> Vec<(&'static str, u64)> {
        self.stats()
    }
}
