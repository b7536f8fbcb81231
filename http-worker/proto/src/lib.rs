//! HTTP heads, a sans-I/O HTTP/1.1 engine, and the exchange that crosses between a network thread
//! and its application.
//!
//! Nothing here touches a socket, a thread or a clock: bytes and times come in as arguments, and
//! events and bytes go out as values. So it can be tested at every split of its input, and used
//! with any way of doing I/O.
//!
//! - [`h1`] reads requests ([`h1::Engine`]) and writes responses ([`h1::Encoder`]) by RFC 9110
//!   and RFC 9112. What is ambiguous is refused: 400, and the connection ends.
//! - [`h2`] has what HTTP/2 says of the same messages; its frames are read elsewhere.
//! - [`RequestHead`], [`ResponseHead`] and [`Fields`] keep a head as one buffer and ranges over
//!   it. Clearing keeps the memory, so a connection that goes on allocates nothing.
//! - [`Exchange`] is one request with its response as they travel between two threads, and
//!   [`exchange::STEPS`] the table of what may follow what.
//! - [`content`] says what of a file is to be sent, by name, coding, version and range.
//! - [`Sites`] says which site a path belongs to.
//! - [`drawing`] names every arrow and box of the drawings of that protocol, so that a running
//!   server can be held against them.
//! - [`limits`] has every bound, with its reason.
//!
//! # A server without its sockets
//!
//! ```
//! use http_proto::h1::{Encoder, Engine, Event, Limits, Outlook};
//! use http_proto::{Fields, RequestHead, ResponseHead};
//!
//! /// What came in on a connection, and what goes out on it. Whether the connection stays.
//! fn serve(
//!     engine: &mut Engine,
//!     encoder: &Encoder,
//!     input: &mut Vec<u8>,
//!     out: &mut Vec<u8>,
//! ) -> bool {
//!     let (mut request, mut trailers) = (RequestHead::default(), Fields::default());
//!     let mut body = Vec::new();
//!     loop {
//!         let step = engine.poll(input, &mut request, &mut trailers);
//!         match step.event {
//!             Event::NeedMore => return true,
//!             Event::Head(_) => body.clear(),
//!             Event::ExpectContinue => http_proto::h1::encode_continue(out),
//!             Event::Body(ref range) => body.extend_from_slice(&input[range.clone()]),
//!             Event::End => {
//!                 let mut response = ResponseHead::default();
//!                 response.push(b"Content-Type", b"text/plain").expect("a good field");
//!                 let text = [b"you sent ", &body[..], b" to ", request.path()].concat();
//!                 let known_length = Some(text.len() as u64);
//!                 let outlook = Outlook { known_length, must_close: false };
//!                 let facts = engine.facts();
//!                 let mut framed = encoder.encode_head(&response, &facts, outlook, out);
//!                 let admitted = framed.begin_part(text.len(), out);
//!                 out.extend_from_slice(&text[..admitted]);
//!                 framed.end_part(out);
//!                 if !framed.finish(out).keep_alive {
//!                     return false;
//!                 }
//!             }
//!             Event::Error(error) => {
//!                 encoder.encode_error(&error, &engine.facts(), out);
//!                 return false;
//!             }
//!         }
//!         input.drain(..step.consumed);
//!     }
//! }
//!
//! let mut engine = Engine::new(Limits::default());
//! let mut encoder = Encoder::new(Some("example"));
//! encoder.set_time(784_111_777); // the clock is yours: set it once a second
//!
//! let mut input = b"POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\nhi".to_vec();
//! let mut out = Vec::new();
//! assert!(serve(&mut engine, &encoder, &mut input, &mut out));
//! assert!(out.starts_with(b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
//! assert!(out.ends_with(b"\r\n\r\nyou sent hi to /a"));
//!
//! let mut input = b"GET / HTTP/1.1\r\nHost: b\nX: smuggled\r\n\r\n".to_vec();
//! out.clear();
//! assert!(!serve(&mut engine, &encoder, &mut input, &mut out));
//! assert!(out.starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
//! ```
//!
//! # What is not done, and why
//!
//! - CONNECT is answered 501 and TRACE 405, both before the application sees them: there is no
//!   tunnel, and TRACE shows a script what it may not see.
//! - A list of equal `Content-Length` values, which RFC 9110 section 8.6 lets a server take, is
//!   refused; so is `Content-Length` beside `Transfer-Encoding`.
//! - No transfer coding but `chunked` is known: 501.
//! - Folded field lines and bare line feeds, which RFC 9112 lets a server repair, are refused.
//! - Request targets must be visible ASCII without `#`; percent-encoding is left as it came.
//! - Trailers that are needed before the body are dropped; those that frame or route are
//!   refused.
#![forbid(unsafe_code)]

pub mod body;
pub mod content;
pub mod date;
pub mod drawing;
pub mod error;
pub mod exchange;
pub mod fuzzing;
pub mod h1;
pub mod h2;
pub mod head;
pub mod limits;
pub mod request_id;
pub mod sites;
pub mod status;

pub use body::{BodyBerth, BodyFault};
pub use drawing::{Mark, Witness};
pub use error::{PeerError, PeerErrorKind};
pub use exchange::{AnswerError, Exchange, IllegalLeg, Leg, Side};
pub use head::{
    FieldError, Fields, RequestHead, ResponseHead, Span, StatusError, Trailers, Version,
};
pub use request_id::RequestId;
pub use sites::{Site, Sites};
