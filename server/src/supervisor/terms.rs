//! A configuration of Lua in the worker's terms.

use std::sync::Arc;
use std::time::Duration;

use http_proto::{Site, Sites};
use http_worker::{App, FileOptions, Files, Limits, Routes, Serve};
use lua_bindings::{FolderConfig, ServeConfig, ServerConfig};
use shuttle_core::limits::BERTHS_MAX_COUNT;

use crate::limits::LINK_BERTHS_MIN_COUNT;
use crate::team::Seat;

/// Berths of a worker's link. There are some to spare, so that more requests may be allowed later
/// without another link.
pub(super) fn room(config: &ServerConfig) -> u16 {
    berths(config).max(LINK_BERTHS_MIN_COUNT)
}

/// What may be with Lua at once, as many as a link can carry at most.
pub(super) fn berths(config: &ServerConfig) -> u16 {
    let most = u32::from(BERTHS_MAX_COUNT);
    let berths = config.max_shuttles_per_thread.clamp(1, most);
    u16::try_from(berths).unwrap_or(BERTHS_MAX_COUNT)
}

/// Who serves what. Folders are looked at.
///
/// # Errors
/// One of the folders cannot be served.
pub(super) fn routes(config: &ServerConfig) -> Result<Arc<Routes>, String> {
    let sites = config.sites.iter().map(|site| {
        let value = match &site.serve {
            ServeConfig::Lua {
                streams_body,
                body_max_bytes,
                compress,
            } => Serve::App(App {
                streams_body: *streams_body,
                body_max_bytes: *body_max_bytes,
                compress: compress.clone(),
            }),
            ServeConfig::Files(folder) => Serve::Files(files(folder, &site.path)?),
        };
        let path = Arc::clone(&site.path);
        Ok(Site { path, value })
    });
    let sites: Vec<_> = sites.collect::<Result<_, String>>()?;
    Ok(Arc::new(Sites::new(sites)))
}

fn files(folder: &FolderConfig, site: &str) -> Result<Arc<Files>, String> {
    let options = FileOptions {
        folder: folder.folder.clone(),
        index: folder.index.clone(),
        precompressed: folder.precompressed,
        cache_control: folder.cache_control.clone(),
    };
    let files = Files::open(options).map_err(|e| format!("site \"{site}\": {e}"))?;
    Ok(Arc::new(files))
}

pub(super) fn limits(config: &ServerConfig, seat: Seat) -> Limits {
    let usual = Limits::default();
    let threads = usize::from(config.threads.max(1)) * usize::from(seat.count);
    // The bounds on memory are those of the process. One body of the allowed size must always have
    // room.
    let body_bytes = usize::try_from(config.max_body_len_bytes).unwrap_or(usize::MAX);
    let bodies_bytes = usize::try_from(config.max_buffered_bodies_bytes).unwrap_or(usize::MAX);
    let http2_bytes = usize::try_from(config.max_http2_memory_bytes).unwrap_or(usize::MAX);
    Limits {
        connections_count: config.max_conn_per_thread,
        shuttles_count: berths(config),
        body_bytes: config.max_body_len_bytes,
        streams_count: config.max_streams_per_conn,
        connections_per_ip_count: config.max_conn_per_ip,
        reserved_for: config.reserved_for.clone(),
        buffered_bodies_bytes: (bodies_bytes / threads).max(body_bytes),
        held_bytes: usual.held_bytes / threads,
        http2_held_bytes: http2_bytes / threads,
        encoders_bytes: usual.encoders_bytes / threads,
        receive_rate_bytes: config.min_receive_rate_bytes,
        send_rate_bytes: config.min_send_rate_bytes,
        header_timeout: Duration::from_millis(config.header_timeout_ms),
        body_timeout: Duration::from_millis(config.body_timeout_ms),
        idle_timeout: Duration::from_millis(config.idle_timeout_ms),
        write_timeout: Duration::from_millis(config.write_timeout_ms),
        ping_after: Duration::from_millis(config.ping_after_ms),
        ..usual
    }
}
