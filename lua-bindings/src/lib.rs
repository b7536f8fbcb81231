//! The Lua side of httpng: LuaJIT with fibers that may block anywhere, and the modules that Lua
//! programs require.
//!
//! One thread, called TX, runs Lua. [`Env`] is everything on it. The other side are HTTP workers,
//! which this crate never sees: requests come as shuttles ([`shuttle_core`]) that carry an
//! [`Exchange`](http_proto::Exchange), and whoever composes the program starts workers when Lua
//! asks for them, through [`HttpControl`].
//!
//! ```
//! use std::time::Instant;
//! use lua_bindings::{Env, EnvOptions, HttpControl, MainStatus, ServerConfig};
//!
//! /// Nobody serves HTTP here.
//! struct NoHttp;
//!
//! impl HttpControl for NoHttp {
//!     fn start(
//!         &mut self,
//!         _: &ServerConfig,
//!     ) -> Result<Vec<shuttle_core::TxEnd<http_proto::Exchange>>, String> {
//!         Err("there is no network here".to_owned())
//!     }
//!     fn reconfigure(
//!         &mut self,
//!         _: &ServerConfig,
//!     ) -> Result<Vec<shuttle_core::TxEnd<http_proto::Exchange>>, String> {
//!         Ok(Vec::new())
//!     }
//!     fn stop(&mut self, _: Option<Instant>) {}
//!     fn stopped(&mut self) -> bool {
//!         true
//!     }
//! }
//!
//! let mut env = Env::new(EnvOptions::default(), Box::new(NoHttp))?;
//! let program = env.load_text(
//!     "=program",
//!     b"local fiber = require 'fiber'
//!       local channel = fiber.channel()
//!       fiber.create(function() channel:put(6 * 7) end)
//!       assert(channel:get() == 42)
//!       local ok, why = pcall(require('httpng').cfg, {handler = print})
//!       assert(not ok and why:find('there is no network here'))",
//! )?;
//! env.start(program)?;
//! while env.turn(Instant::now()).is_busy {}
//! assert_eq!(env.main_status(), MainStatus::Finished);
//! # Ok::<(), lua_bindings::LuaFault>(())
//! ```
//!
//! # How a request is served
//!
//! The dispatcher takes shuttles, without running Lua. Each request runs in a fiber of its own,
//! with a C stack of its own ([`tx_runtime`]), by one protected call on a Lua thread of its own; so
//! a handler may block anywhere, also inside a `gsub` callback, a comparator, a metamethod or a
//! user's coroutine. Fibers are pooled: one that comes to its end without blocking takes the next
//! request, and costs no switch.
//!
//! # What must hold, and where
//!
//! * All `unsafe` is in `raw` (the C interface of Lua) and `pins` (strings that a worker reads in
//!   place).
//! * A Lua error never crosses a Rust destructor or a `catch_unwind`, a Rust panic never crosses
//!   Lua: `raw/entry.rs`.
//! * Blocking is refused where it would corrupt: outside of fibers, in finalizers, in hooks, in
//!   callbacks: `raw/guard.rs`.
//! * Whoever sends owns the shuttle, and queues for it: `host/trips.rs`, `host/reply.rs`.
//! * Who waits for the end of a response is told once, and a handler is cancelled only while it
//!   runs: `host/closing.rs`.
//! * The modules are `api/*.rs` (verbs that never run user code) and `../lua/*.lua` (what users
//!   meet, annotated).

mod api;
mod blocking;
mod clock;
mod config;
mod env;
mod errors;
mod fibers;
mod host;
mod limits;
mod multipart;
mod pins;
mod raw;
mod realm;
mod stats;

pub use config::{
    AccessFormat, AccessLogConfig, FolderConfig, HttpControl, ListenAddr, ReportingConfig,
    ServeConfig, ServerConfig, SiteConfig, TlsPairs, TlsVersion,
};
pub use env::{Chunk, Env, EnvOptions, MainStatus, Stage, Turn};
pub use errors::LuaFault;
pub use stats::EnvStats;
