//! Content that is there before it is asked for, such as a file: which of it a request means, in
//! which version, and which bytes of it are to be sent.
//!
//! Nothing here opens anything. [`FileName`] makes of a path a name that cannot lead out of its
//! folder, [`codings`] says in which codings the client would rather have it, and
//! [`Representation::answer`], given what was found, writes the head of the answer and says which
//! bytes follow: by the conditions of RFC 9110 section 13 and the ranges of its section 14.
//!
//! ```
//! use http_proto::content::{FileName, Part, Representation};
//! use http_proto::{RequestHead, RequestId, ResponseHead, Version};
//!
//! let mut request = RequestHead::default();
//! request.begin(b"GET", b"/static/a%20b.txt", Version::Http11);
//! request.push_field(b"Host", b"example.org").unwrap();
//! request.push_field(b"Range", b"bytes=-5").unwrap();
//! request.finish().unwrap();
//!
//! let name = FileName::below("/static", request.path()).unwrap();
//! assert_eq!(name.as_bytes(), b"a b.txt");
//! let found = Representation {
//!     length: 100,
//!     entity_tag: b"\"1-64\"",
//!     modified_secs: 784_111_777,
//!     name: name.as_bytes(),
//!     coding: None,
//!     varies: false,
//!     cache_control: None,
//! };
//! let mut head = ResponseHead::default();
//! let id = RequestId::new(784_111_999, 1);
//! let parts = found.answer(&request, &id, 784_111_999, || 0, &mut head);
//! assert_eq!((head.status(), parts), (206, vec![Part::Content(95..100)]));
//! ```

mod accept_encoding;
mod answer;
mod compress;
mod conditional;
mod error_page;
mod media_type;
mod multipart;
mod name;
mod range;

pub use accept_encoding::{Accepted, Coding, Codings, codings};
pub use answer::{ALLOWED, Part, Representation, has_method, options, redirect, refuse};
pub use compress::{COMPRESSED_MIN_BYTES, COMPRESSED_TYPES, CompressRule, Compression};
pub use conditional::{Condition, Validators};
pub use error_page::{ErrorForm, ErrorPage};
pub use media_type::media_type;
pub use name::{FileName, NameError};
pub use range::{Selection, select};

#[cfg(test)]
mod tests;
