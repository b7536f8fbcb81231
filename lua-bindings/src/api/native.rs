//! Keeps programs that call themselves through C from running off their fiber's stack. Lua bounds
//! its own stack, but a C function that calls Lua stands on the machine's, which Lua does not
//! watch.

use crate::limits::STACK_RESERVE_SHARE_COUNT;
use crate::raw::{Outcome, Stack, Verb, verb};

/// See `lua/native.lua`.
pub(super) const VERBS: &[(&str, Verb)] = &[("is_low", verb(is_low))];

/// `is_low()`: whether what is left of the machine's stack is only enough for what is running.
fn is_low(stack: &mut Stack) -> Outcome {
    let is_low = tx_runtime::stack_room()
        .is_some_and(|room| room.left < room.total / STACK_RESERVE_SHARE_COUNT);
    stack.push_bool(is_low);
    Ok(1)
}
