//! Stackful fibers for one thread: run queue, timers, wait queues, cancel and join, without async.
