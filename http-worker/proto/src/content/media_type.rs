//! What kind of content a file has, by the ending of its name.

use std::borrow::Cow;

/// What nothing is known of, RFC 9110 section 8.3: the client should not guess either.
const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file of this name, for `Content-Type`. Text is said to be UTF-8, as
/// nearly all of it is today; without that some clients take it for Latin-1.
#[must_use]
pub fn media_type(name: &[u8]) -> Cow<'static, str> {
    let Some(kind) = ending(name).and_then(|ending| mime_guess::from_ext(ending).first_raw())
    else {
        return Cow::Borrowed(UNKNOWN);
    };
    // Nothing but text is read differently with a charset: JSON and SVG say it themselves.
    match kind {
        "text/html" => Cow::Borrowed("text/html; charset=utf-8"),
        "text/css" => Cow::Borrowed("text/css; charset=utf-8"),
        "text/javascript" => Cow::Borrowed("text/javascript; charset=utf-8"),
        "text/plain" => Cow::Borrowed("text/plain; charset=utf-8"),
        text if text.starts_with("text/") => Cow::Owned(format!("{text}; charset=utf-8")),
        other => Cow::Borrowed(other),
    }
}

/// What follows the last dot, unless the name begins with it.
fn ending(name: &[u8]) -> Option<&str> {
    let start = memchr::memrchr(b'/', name).map_or(0, |slash| slash + 1);
    let last = &name[start..];
    let dot = memchr::memrchr(b'.', last).filter(|&dot| dot > 0)?;
    std::str::from_utf8(&last[dot + 1..]).ok()
}
