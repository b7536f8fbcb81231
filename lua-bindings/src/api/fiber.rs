//! The Rust half of `fiber`: fibers by number, park and wake. Conditions and channels are Lua over
//! these.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tx_runtime::{Status, Wakeup};

use crate::fibers::LuaFiber;
use crate::raw::{Outcome, Raise, Slot, Stack, Verb, verb};
use crate::realm::{cancelled, realm};

/// See `lua/fiber.lua` for what each is made into.
pub(super) const VERBS: &[(&str, Verb)] = &[
    ("create", verb(create)),
    ("new", verb(new)),
    ("id", verb(id)),
    ("exists", verb(exists)),
    ("status", verb(status)),
    ("name", verb(name)),
    ("set_name", verb(set_name)),
    ("wake", verb(wake)),
    ("leave", verb(leave)),
    ("cancel", verb(cancel)),
    ("testcancel", verb(testcancel)),
    ("set_joinable", verb(set_joinable)),
    ("join", verb(join)),
    ("sleep", verb(sleep)),
    ("yield", verb(yield_now)),
    ("park", verb(park)),
    ("clock", verb(clock)),
    ("ids", verb(ids)),
];

/// `create(f, ...)` runs `f` at once until it first gives way.
fn create(stack: &mut Stack) -> Outcome {
    let made = make(stack)?;
    let realm = realm();
    let serving = realm.stats.serving();
    made.fiber.run_now();
    realm.stats.resumed(&serving);
    stack.push_number(made.id as f64);
    Ok(1)
}

/// `new(f, ...)` leaves it to the scheduler.
fn new(stack: &mut Stack) -> Outcome {
    let made = make(stack)?;
    stack.push_number(made.id as f64);
    Ok(1)
}

fn make(stack: &mut Stack) -> Result<Rc<LuaFiber>, Raise> {
    let args = stack.top() - 1;
    let realm = realm();
    realm.note_handoff();
    realm.fibers.spawn(stack, "lua", args).map_err(Raise::text)
}

/// `id()`: the running fiber.
fn id(stack: &mut Stack) -> Outcome {
    let current = realm().fibers.current();
    match current {
        Some(fiber) => stack.push_number(fiber.id as f64),
        None => return Err(Raise::text("there is no running fiber")),
    }
    Ok(1)
}

fn lookup(stack: &Stack) -> Option<Rc<LuaFiber>> {
    // A number that is no number of a fiber finds nothing, however odd it is.
    stack
        .number(1)
        .and_then(|id| realm().fibers.find(id as u64))
}

fn exists(stack: &mut Stack) -> Outcome {
    let found = lookup(stack).is_some();
    stack.push_bool(found);
    Ok(1)
}

fn status(stack: &mut Stack) -> Outcome {
    let text = match lookup(stack) {
        Some(fiber) if fiber.ending.get().is_none() => match fiber.fiber.status() {
            Status::Running => "running",
            Status::Dead => "dead",
            _ => "suspended",
        },
        _ => "dead",
    };
    stack.push_str(text);
    Ok(1)
}

fn name(stack: &mut Stack) -> Outcome {
    match lookup(stack) {
        Some(fiber) => stack.push_str(&fiber.fiber.name()),
        None => stack.push_nil(),
    }
    Ok(1)
}

fn set_name(stack: &mut Stack) -> Outcome {
    if let (Some(fiber), Some(name)) = (lookup(stack), stack.lossy(2)) {
        fiber.fiber.set_name(&name);
        realm().stats.renamed(&fiber.fiber);
    }
    Ok(0)
}

fn wake(stack: &mut Stack) -> Outcome {
    realm().note_handoff();
    let woken = lookup(stack).is_some_and(|fiber| fiber.fiber.wake());
    stack.push_bool(woken);
    Ok(1)
}

/// `leave()`: a value was put where another fiber will find it.
fn leave(_: &mut Stack) -> Outcome {
    realm().note_handoff();
    Ok(0)
}

fn cancel(stack: &mut Stack) -> Outcome {
    if let Some(fiber) = lookup(stack).filter(|fiber| fiber.ending.get().is_none()) {
        fiber.fiber.cancel();
    }
    Ok(0)
}

fn testcancel(_: &mut Stack) -> Outcome {
    if tx_runtime::check_cancel() {
        Err(cancelled())
    } else {
        Ok(0)
    }
}

/// `set_joinable(id, flag)`: false if there is no such fiber.
fn set_joinable(stack: &mut Stack) -> Outcome {
    let found = lookup(stack);
    let joinable = stack.truth(2);
    if let Some(fiber) = &found {
        fiber.is_joinable.set(joinable);
        if let (Some(ending), false) = (fiber.ending.get(), joinable) {
            crate::fibers::drop_ending(fiber, ending);
        }
    }
    stack.push_bool(found.is_some());
    Ok(1)
}

/// `join(id, timeout)`: `'ok', results...` or `'error', value` or `'timeout'`.
fn join(stack: &mut Stack) -> Outcome {
    let realm = realm();
    let target = lookup(stack).ok_or_else(|| Raise::text("the fiber is dead"))?;
    if !target.is_joinable.get() {
        return Err(Raise::text("the fiber is not joinable"));
    }
    let current = tx_runtime::current();
    if current.as_ref() == Some(&target.fiber) {
        return Err(Raise::text("a fiber cannot join itself"));
    }
    let deadline = timeout(stack, 2);
    while target.ending.get().is_none() {
        if let Some(current) = &current {
            realm.fibers.add_joiner(&target, current.clone());
        }
        if realm.park(stack, deadline)? == Wakeup::Timeout {
            stack.push_str("timeout");
            return Ok(1);
        }
    }
    if realm.fibers.find(target.id).is_none() {
        return Err(Raise::text("the fiber is dead"));
    }
    let (returned, count) = realm.fibers.take_ending(&target, stack);
    stack.push_str(if returned { "ok" } else { "error" });
    stack.insert(-1 - count);
    Ok(count + 1)
}

/// `sleep(seconds)`.
fn sleep(stack: &mut Stack) -> Outcome {
    let realm = realm();
    let seconds = stack.number(1).unwrap_or(0.0);
    if seconds > 0.0 {
        let deadline = timeout(stack, 1);
        let _ = realm.park(stack, deadline)?;
    } else {
        realm.yield_now(stack)?;
    }
    Ok(0)
}

fn yield_now(stack: &mut Stack) -> Outcome {
    realm().yield_now(stack)?;
    Ok(0)
}

/// `park(deadline)`: true if woken, false if the moment (on the clock of `clock()`) came first.
fn park(stack: &mut Stack) -> Outcome {
    let realm = realm();
    let deadline = stack.number(1).and_then(|seconds| realm.moment(seconds));
    let wakeup = realm.park(stack, deadline)?;
    stack.push_bool(wakeup != Wakeup::Timeout);
    Ok(1)
}

fn clock(stack: &mut Stack) -> Outcome {
    let since = tx_runtime::now().saturating_duration_since(realm().origin);
    stack.push_number(since.as_secs_f64());
    Ok(1)
}

fn ids(stack: &mut Stack) -> Outcome {
    let ids = realm().fibers.ids();
    stack.push_table(ids.len(), 0);
    for (index, id) in ids.iter().enumerate() {
        stack.push_number(*id as f64);
        stack.set_item(-2, index + 1);
    }
    Ok(1)
}

/// The moment that is the argument's number of seconds away. No number, or more than a clock can
/// count: never.
fn timeout(stack: &Stack, slot: Slot) -> Option<Instant> {
    let seconds = stack.number(slot)?;
    let wait = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
    tx_runtime::now().checked_add(wait)
}
