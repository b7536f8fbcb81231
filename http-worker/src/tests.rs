//! The worker against real sockets on loopback, with the other shore in the same thread and the
//! time in the test's hands.

mod bounds;
mod conformance;
mod drawn;
mod ending;
mod gone;
mod hostile;
mod http;
mod plain;
mod storm;
mod tls;
mod trips;
mod world;
