//! The Rust half of `log`: hands lines to the program's logger.

use log::Level;

use crate::raw::{Outcome, Slot, Stack, Verb, verb};

/// See `lua/log.lua`.
pub(super) const VERBS: &[(&str, Verb)] = &[("enabled", verb(enabled)), ("write", verb(write))];

/// The target of everything that Lua logs without naming one.
const TARGET: &str = "lua";

/// Tarantool knows five levels, we know five: `verbose` is our debug, `debug` our trace.
fn level(stack: &Stack, slot: Slot) -> Level {
    match stack.number(slot).map(|n| n as i64) {
        Some(1) => Level::Error,
        Some(2) => Level::Warn,
        Some(3) => Level::Info,
        Some(4) => Level::Debug,
        _ => Level::Trace,
    }
}

/// `enabled(level)`.
fn enabled(stack: &mut Stack) -> Outcome {
    let level = level(stack, 1);
    stack.push_bool(level <= log::max_level());
    Ok(1)
}

/// `write(level, text, target)`.
fn write(stack: &mut Stack) -> Outcome {
    let level = level(stack, 1);
    let text = stack
        .bytes(2)
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let target = stack.bytes(3).map(String::from_utf8_lossy);
    log::log!(target: target.as_deref().unwrap_or(TARGET), level, "{text}");
    Ok(0)
}
