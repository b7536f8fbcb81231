//! The Rust half of `clock`: each verb gives whole seconds and nanoseconds, so that nothing is
//! rounded on the way.

use std::time::Duration;

use crate::clock;
use crate::raw::{Outcome, Stack, Verb, verb};

/// See `lua/clock.lua`.
pub(super) const VERBS: &[(&str, Verb)] = &[
    ("realtime", verb(|stack| push(stack, clock::realtime()))),
    ("monotonic", verb(|stack| push(stack, clock::monotonic()))),
    ("process", verb(|stack| push(stack, clock::process()))),
    ("thread", verb(|stack| push(stack, clock::thread()))),
];

fn push(stack: &mut Stack, time: Duration) -> Outcome {
    stack.push_number(time.as_secs() as f64);
    stack.push_number(f64::from(time.subsec_nanos()));
    Ok(2)
}
