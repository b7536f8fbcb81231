//! All tests of the crate. Models run under `--cfg loom` only, everything else without it.

#[cfg(not(loom))]
mod bells;
#[cfg(not(loom))]
mod chunks;
#[cfg(not(loom))]
mod gone;
#[cfg(not(loom))]
mod invariants;
#[cfg(not(loom))]
mod leaving;
#[cfg(loom)]
mod loom_body;
#[cfg(loom)]
mod loom_chunks;
#[cfg(loom)]
mod loom_close;
#[cfg(loom)]
mod loom_hail;
#[cfg(loom)]
mod loom_lifecycle;
#[cfg(loom)]
mod loom_pins;
#[cfg(loom)]
mod loom_progress;
#[cfg(loom)]
mod loom_shutdown;
#[cfg(loom)]
mod loom_sleep;
#[cfg(loom)]
mod loom_swap;
#[cfg(loom)]
mod loom_writers;
#[cfg(loom)]
mod pair;
#[cfg(not(loom))]
mod prop_model;
#[cfg(not(loom))]
mod stress;
#[cfg(not(loom))]
mod stress_chunks;
#[cfg(not(loom))]
mod trip;

/// Both shores of a link on this thread, with nobody to wake.
#[cfg(not(loom))]
fn shores<T: Send + Default>(berths: u16) -> (crate::WorkerShore<T>, crate::TxShore<T>) {
    let bell = std::sync::Arc::new(crate::NoBell);
    let (worker, tx) = crate::link(berths, bell.clone(), bell);
    (worker.land(), tx.land())
}
