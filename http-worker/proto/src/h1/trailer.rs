//! Trailer sections: RFC 9112 section 7.1.2 and RFC 9110 section 6.5.

use super::parse::{Places, with_fields};
use crate::error::PeerErrorKind;
use crate::head::Fields;
use crate::limits::{TRAILERS_MAX_BYTES, TRAILERS_MAX_COUNT};

/// Whether the section must be complete in these bytes.
pub(super) fn is_full(input: &[u8]) -> bool {
    input.len() >= TRAILERS_MAX_BYTES
}

/// Reads the fields after the last chunk: their length with the empty line, or nothing while
/// they are incomplete.
pub(super) fn section(input: &[u8], trailers: &mut Fields) -> Result<Option<usize>, PeerErrorKind> {
    let window = &input[..input.len().min(TRAILERS_MAX_BYTES)];
    let parsed = with_fields(window, is_full(input), TRAILERS_MAX_COUNT, |fields, len| {
        let mut places = Places::new(&input[..len], 0);
        trailers.clear();
        for field in fields {
            places.next(field)?;
            keep(field.name.as_bytes(), field.value, trailers)?;
        }
        places.end()?;
        Ok(len)
    });
    match parsed {
        Ok(Some(filled)) => filled.map(Some),
        Ok(None) if is_full(input) => Err(PeerErrorKind::TrailersTooLong),
        Ok(None) => Ok(None),
        Err(PeerErrorKind::TooManyFields) => Err(PeerErrorKind::TrailersTooLong),
        Err(kind) => Err(kind),
    }
}

/// Takes one field, unless it is one that is needed before the body.
pub(crate) fn keep(name: &[u8], value: &[u8], trailers: &mut Fields) -> Result<(), PeerErrorKind> {
    let before = trailers.len();
    trailers.push(name, value);
    let lower = trailers.spans[before].0.of(&trailers.bytes);
    if changes_the_message(lower) {
        return Err(PeerErrorKind::TrailerForbidden);
    }
    if !may_come_late(lower) {
        trailers.pop();
    }
    Ok(())
}

/// Whether a field may stand behind the body of a response. Its name is in lower case.
pub(crate) fn may_follow_a_response(name: &[u8]) -> bool {
    let is_needed_before = matches!(
        name,
        b"location"
            | b"retry-after"
            | b"vary"
            | b"age"
            | b"expires"
            | b"allow"
            | b"date"
            | b"server"
            | b"www-authenticate"
            | b"proxy-authenticate"
            | b"priority"
    );
    !is_needed_before && !changes_the_message(name) && may_come_late(name)
}

/// Framing and routing: a sender of these as trailers hopes for a reader who merges them.
fn changes_the_message(name: &[u8]) -> bool {
    matches!(name, b"content-length" | b"transfer-encoding" | b"host")
}

/// RFC 9110 section 6.5.1: fields that are needed before the body are discarded when they come
/// after it, so that nobody acts on them.
fn may_come_late(name: &[u8]) -> bool {
    !matches!(
        name,
        // The connection and the message.
        b"connection" | b"keep-alive" | b"proxy-connection" | b"te" | b"trailer" | b"upgrade"
        // What the body is.
        | b"content-encoding" | b"content-type" | b"content-range" | b"content-location"
        // What is asked for, and under which conditions.
        | b"expect" | b"max-forwards" | b"cache-control" | b"pragma" | b"range" | b"if-range"
        | b"if-match" | b"if-none-match" | b"if-modified-since" | b"if-unmodified-since"
        | b"accept" | b"accept-charset" | b"accept-encoding" | b"accept-language"
        // Who asks.
        | b"authorization" | b"proxy-authorization" | b"cookie" | b"set-cookie" | b"origin"
        | b"referer" | b"forwarded" | b"x-forwarded-for" | b"x-forwarded-host"
        | b"x-forwarded-proto" | b"x-real-ip"
    )
}
