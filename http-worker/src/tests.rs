//! The worker against real sockets on loopback, with the other shore in the same thread and the
//! time in the test's hands.

mod bounds;
mod conformance;
mod doors;
mod drawn;
mod ending;
mod files;
mod gone;
mod hostile;
mod http;
mod more;
mod plain;
mod storm;
mod tls;
mod trips;
mod uploads;
mod world;
