//! Two fibers that pass a ball, a third that watches the time, and a fourth that has another
//! thread do something slow: no async, no Lua, no HTTP.
//!
//! ```text
//! cargo run -p tx-runtime --example ping_pong
//! ```
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tx_runtime::sync::Channel;
use tx_runtime::{Budget, Offload, OffloadConfig, Reactor, Wakeup};
use tx_runtime::{sleep, spawn, stats, turn};

fn main() -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::new()?;
    let (there, back) = (Rc::new(Channel::new(1)), Rc::new(Channel::new(1)));
    player("ping", &there, &back)?;
    player("pong", &back, &there)?;
    there.try_put(1)?;

    let table = [Rc::clone(&there), Rc::clone(&back)];
    spawn("referee", move || {
        if sleep(Duration::from_millis(350)) == Wakeup::Timeout {
            println!("referee: time is up");
        }
        table.iter().for_each(|side| side.close());
    })?;

    let pool = Offload::new(OffloadConfig::default(), reactor.doorbell())?;
    spawn("spectator", move || {
        match pool.run(|| std::fs::metadata("/").map(|root| root.is_dir()), None) {
            Ok(answer) => println!("spectator: / is a directory: {answer:?}"),
            Err(error) => println!("spectator: {error}"),
        }
    })?;

    // The whole main loop: a turn, then sleep until there is a reason for another.
    while stats().fibers_alive_count > 0 {
        let done = turn(Instant::now(), Budget { fibers: 100 });
        let pause = match (done.runnable, done.next_deadline) {
            (true, _) => Some(Duration::ZERO),
            (false, next) => next.map(|next| next.saturating_duration_since(Instant::now())),
        };
        if stats().fibers_alive_count > 0 {
            reactor.wait(pause)?;
        }
    }
    Ok(())
}

/// Waits for the ball, thinks, and passes it on, until the game is over.
fn player(
    name: &'static str,
    from: &Rc<Channel<u32>>,
    to: &Rc<Channel<u32>>,
) -> Result<(), Box<dyn Error>> {
    let (from, to) = (Rc::clone(from), Rc::clone(to));
    spawn(name, move || {
        while let Ok(ball) = from.get(None) {
            println!("{name}: {ball}");
            let thinks = sleep(Duration::from_millis(50));
            if thinks == Wakeup::Cancelled || to.put(ball + 1, None).is_err() {
                break;
            }
        }
    })?;
    Ok(())
}
