//! HTTP heads, a sans-I/O HTTP/1.1 engine, and the exchange that crosses between a network thread
//! and its application.
#![forbid(unsafe_code)]

pub mod date;
pub mod drawing;
pub mod error;
pub mod exchange;
pub mod fuzzing;
pub mod h1;
pub mod head;
pub mod limits;
pub mod status;

pub use drawing::{Mark, Witness};
pub use error::{PeerError, PeerErrorKind};
pub use exchange::{AnswerError, Exchange, IllegalLeg, Leg, Side};
pub use head::{FieldError, Fields, RequestHead, ResponseHead, Span, StatusError, Version};
