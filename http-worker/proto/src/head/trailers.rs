//! What an application says behind the body of a response: RFC 9110 section 6.5.

use super::Fields;
use super::response::FieldError;
use super::token::{is_token, is_value, trim};
use crate::h1::may_follow_a_response;
use crate::limits::{TRAILERS_MAX_BYTES, TRAILERS_MAX_COUNT};

/// Trailer fields of a response, kept as lines ready to be sent.
///
/// ```
/// use http_proto::{FieldError, Trailers};
/// let mut trailers = Trailers::default();
/// trailers.push(b"Server-Timing", b"db;dur=53").unwrap();
/// assert_eq!(trailers.lines(), b"Server-Timing: db;dur=53\r\n");
/// assert_eq!(trailers.push(b"Content-Length", b"5"), Err(FieldError::Late));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trailers {
    lines: Fields,
}

impl Trailers {
    /// Adds a field after the others. The name is sent as written here in HTTP/1.1, in lower case
    /// in HTTP/2.
    ///
    /// # Errors
    /// [`FieldError`]; nothing has changed.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), FieldError> {
        if !is_token(name) {
            return Err(FieldError::Name);
        }
        if !is_value(value) {
            return Err(FieldError::Value);
        }
        if !may_follow_a_response(&name.to_ascii_lowercase()) {
            return Err(FieldError::Late);
        }
        let value = trim(value);
        let lines = &mut self.lines;
        let added = name.len() + value.len() + b": \r\n".len();
        let with_end = lines.bytes.len() + added + b"\r\n".len();
        if with_end > TRAILERS_MAX_BYTES || lines.spans.len() == TRAILERS_MAX_COUNT {
            return Err(FieldError::TooLate);
        }
        lines.push_line(name, value);
        Ok(())
    }

    /// Names and values as they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.lines.iter()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The field lines as HTTP/1.1 sends them, each with its CRLF.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines.bytes
    }

    /// The names, each once, as the field `Trailer` announces them (RFC 9110 section 6.6.2).
    #[must_use]
    pub fn names(&self) -> Vec<u8> {
        let mut names: Vec<&[u8]> = Vec::new();
        for (name, _) in self.iter() {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name);
            }
        }
        names.join(&b", "[..])
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldError, TRAILERS_MAX_BYTES, TRAILERS_MAX_COUNT, Trailers};

    fn check(name: &str, value: &str, expected: &str) {
        let mut trailers = Trailers::default();
        let got = match trailers.push(name.as_bytes(), value.as_bytes()) {
            Ok(()) => String::from_utf8(trailers.lines().to_vec()).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expected, "{name:?}: {value:?}");
    }

    #[test]
    fn fields() {
        check("Digest", " sha-256=x\t", "Digest: sha-256=x\r\n");
        check("grpc-status", "0", "grpc-status: 0\r\n");
        check("x", "", "x: \r\n");
        check("a b", "1", "the field name is not a token");
        check(":status", "200", "the field name is not a token");
        let control = "the field value has a control character";
        check("x", "a\r\nb: c", control);
        check("x", "a\0", control);
    }

    #[test]
    fn what_is_needed_before_the_body() {
        let late = "the field has no meaning behind a body";
        for name in [
            "Content-Length",
            "transfer-encoding",
            "Connection",
            "Trailer",
            "Set-Cookie",
            "Content-Type",
            "Cache-Control",
            "Location",
            "WWW-Authenticate",
            "Vary",
        ] {
            check(name, "x", late);
        }
    }

    #[test]
    fn so_many_fields() {
        let mut trailers = Trailers::default();
        for _ in 0..TRAILERS_MAX_COUNT {
            trailers.push(b"x", b"1").unwrap();
        }
        assert_eq!(trailers.push(b"x", b"1"), Err(FieldError::TooLate));
        assert_eq!(trailers.iter().len(), TRAILERS_MAX_COUNT);
    }

    #[test]
    fn so_many_bytes() {
        let room = TRAILERS_MAX_BYTES - b"x: \r\n\r\n".len();
        let mut trailers = Trailers::default();
        let long = vec![b'v'; room + 1];
        assert_eq!(trailers.push(b"x", &long), Err(FieldError::TooLate));
        trailers.push(b"x", &long[1..]).unwrap();
        assert_eq!(trailers.push(b"y", b""), Err(FieldError::TooLate));
    }

    #[test]
    fn names() {
        let mut trailers = Trailers::default();
        assert!(trailers.is_empty());
        trailers.push(b"A", b"1").unwrap();
        trailers.push(b"b", b"2").unwrap();
        trailers.push(b"a", b"3").unwrap();
        assert_eq!(trailers.names(), b"A, b");
    }
}
