//! What the engine is told of our limits.

use h2::server::Builder;

use crate::context::Cx;
use crate::limits::{
    HTTP2_ENGINE_RESETS_COUNT, HTTP2_FIELD_OVERHEAD_BYTES, HTTP2_OUTPUT_BYTES,
    HTTP2_RESETS_KEPT_COUNT, HTTP2_STREAM_WINDOW_BYTES, HTTP2_TABLE_BYTES,
};

/// An engine with our limits.
pub(super) fn builder(cx: &Cx) -> Builder {
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let limits = cx.h1_limits().clamped();
    // Counted by RFC 9113 section 6.5.2, with room for the fields' overhead: so our own limits
    // are the ones that are met, and answered as everywhere.
    let overhead = (limits.fields_max_count + 8) * HTTP2_FIELD_OVERHEAD_BYTES;
    let list = limits.head_max_bytes + limits.request_line_max_bytes + overhead;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(narrow(cx.limits.streams_count))
        .initial_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(connection_window(cx.limits.streams_count))
        .max_header_list_size(narrow(list))
        .max_send_buffer_size(HTTP2_OUTPUT_BYTES)
        .header_table_size(narrow(HTTP2_TABLE_BYTES))
        .max_concurrent_reset_streams(HTTP2_RESETS_KEPT_COUNT)
        .max_pending_accept_reset_streams(cx.limits.streams_count)
        .max_local_error_reset_streams(Some(HTTP2_ENGINE_RESETS_COUNT));
    builder
}

/// The sum of the windows of all streams: so one that nobody reads takes nothing from the others.
fn connection_window(streams_count: usize) -> u32 {
    let sum = u32::try_from(streams_count).map(|count| {
        let sum = count.checked_mul(HTTP2_STREAM_WINDOW_BYTES);
        sum.unwrap_or(u32::MAX)
    });
    sum.unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs())
}
