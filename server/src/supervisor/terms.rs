//! A configuration of Lua in the worker's terms.

use std::sync::Arc;
use std::time::Duration;

use http_proto::{Site, Sites};
use http_worker::{App, Limits, Routes, Serve};
use lua_bindings::{ServeConfig, ServerConfig};
use shuttle_core::limits::BERTHS_MAX_COUNT;

/// What may be with Lua at once, as many as a link can carry at most.
pub(super) fn berths(config: &ServerConfig) -> u16 {
    let most = u32::from(BERTHS_MAX_COUNT);
    let berths = config.max_shuttles_per_thread.clamp(1, most);
    u16::try_from(berths).unwrap_or(BERTHS_MAX_COUNT)
}

pub(super) fn routes(config: &ServerConfig) -> Arc<Routes> {
    Arc::new(Sites::new(config.sites.iter().map(|site| {
        let value = match site.serve {
            ServeConfig::Lua { streams_body } => Serve::App(App { streams_body }),
        };
        let path = Arc::clone(&site.path);
        Site { path, value }
    })))
}

pub(super) fn limits(config: &ServerConfig) -> Limits {
    let usual = Limits::default();
    let threads = usize::from(config.threads.max(1));
    // The bounds on memory are those of the server. One body of the allowed size must always have
    // room.
    let body_bytes = usize::try_from(config.max_body_len_bytes).unwrap_or(usize::MAX);
    let bodies_bytes = usual.buffered_bodies_bytes / threads;
    Limits {
        connections_count: config.max_conn_per_thread,
        body_bytes: config.max_body_len_bytes,
        connections_per_ip_count: config.max_conn_per_ip,
        buffered_bodies_bytes: bodies_bytes.max(body_bytes),
        held_bytes: usual.held_bytes / threads,
        receive_rate_bytes: config.min_receive_rate_bytes,
        send_rate_bytes: config.min_send_rate_bytes,
        header_timeout: Duration::from_millis(config.header_timeout_ms),
        body_timeout: Duration::from_millis(config.body_timeout_ms),
        idle_timeout: Duration::from_millis(config.idle_timeout_ms),
        write_timeout: Duration::from_millis(config.write_timeout_ms),
        ..usual
    }
}
