//! The worker against real sockets on loopback, with the other shore in the same thread and the
//! time in the test's hands.

mod access;
mod bounds;
mod client2;
mod compress;
mod conformance;
mod conformance2;
mod doors;
mod drawn;
mod ending;
mod files;
mod files2;
mod floods;
mod gone;
mod holding2;
mod hostile;
mod http;
mod http2;
mod http2_priorities;
mod more;
mod pings;
mod plain;
mod pressure;
mod protocols;
mod storm;
mod streams;
mod tls;
mod trailers;
mod trips;
mod uploads;
mod world;
