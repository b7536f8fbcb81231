//! Which bytes may stand where: tokens, field values, request targets.

/// Set for the bytes of `tchar`, RFC 9110 section 5.6.2.
const TOKEN: u8 = 1;
/// Set for `unreserved`, `sub-delims` and `%`: what a host name may have, RFC 3986 section 3.2.2.
const HOST: u8 = 2;
/// Those of them that are no percent sign.
const PLAIN_HOST: u8 = 4;
/// Set for the bytes that no request target has.
const NO_TARGET: u8 = 8;
/// Set for the bytes of a target because of which it has to be looked at again.
const MARK: u8 = 16;

const CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = class_of(byte as u8);
        byte += 1;
    }
    table
}

const fn class_of(byte: u8) -> u8 {
    let mut class = 0;
    if byte.is_ascii_alphanumeric() || contains(b"!#$%&'*+-.^_`|~", byte) {
        class |= TOKEN;
    }
    if byte.is_ascii_alphanumeric() || contains(b"-._~!$&'()*+,;=%", byte) {
        class |= HOST;
    }
    if class & HOST != 0 && byte != b'%' {
        class |= PLAIN_HOST;
    }
    if byte <= b' ' || byte >= 0x7f || byte == b'#' {
        class |= NO_TARGET;
    }
    if contains(b"?%.\\\"<>", byte) {
        class |= MARK;
    }
    class
}

const fn contains(set: &[u8], byte: u8) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

fn all(bytes: &[u8], class: u8) -> bool {
    // Without early exit: nearly all that is asked about is right.
    let common = bytes
        .iter()
        .fold(class, |seen, &byte| seen & CLASS[byte as usize]);
    common != 0
}

/// One byte of a token.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    CLASS[byte as usize] & TOKEN != 0
}

/// A method or a field name: at least one byte, all of them `tchar`.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all(bytes, TOKEN)
}

/// A field value that may be sent: no CR, LF, NUL or other control, tabs apart (RFC 9110 section
/// 5.5).
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    // Comparisons without early exit, and no table: the loop becomes vector instructions, and
    // nearly every value is clean.
    let bad = |byte: u8| (byte < b' ' && byte != b'\t') | (byte == 0x7f);
    !bytes.iter().fold(false, |seen, &byte| seen | bad(byte))
}

/// Bytes that a request target may have, and whether some are among them that need another look,
/// which is found out in the same pass: a `?`, a `%`, a `.`, and what [`is_path`] refuses. Absent:
/// others are among them, or there are none.
///
/// Wider than RFC 3986, because browsers send some visible characters bare (`|`, `^`, `{`, `"` in
/// queries, by the URL standard's encode sets) and no reader disagrees about where they end; those
/// that they never send in a path are refused there, see [`is_path`]. A
/// `#` is refused: readers differ on whether what follows belongs to the path. So are bytes
/// above 126: a client has to percent-encode them.
pub(crate) fn survey_target(bytes: &[u8]) -> Option<bool> {
    let seen = bytes
        .iter()
        .fold(0, |seen, &byte| seen | CLASS[byte as usize]);
    let is_target = !bytes.is_empty() && seen & NO_TARGET == 0;
    is_target.then_some(seen & MARK != 0)
}

/// Whether the bytes of a target that are its path may be one. A backslash is another slash to
/// some readers; quotation marks and angle brackets become markup where somebody shows the path.
/// Browsers encode all of them.
pub(crate) fn is_path(bytes: &[u8]) -> bool {
    let bad = |byte: u8| (byte == b'\\') | (byte == b'"') | (byte == b'<') | (byte == b'>');
    !bytes.iter().fold(false, |seen, &byte| seen | bad(byte))
}

/// Bytes that a registered name may have; percent signs are checked apart.
pub(crate) fn is_host_name(bytes: &[u8]) -> bool {
    all(bytes, HOST)
}

/// Bytes that a registered name may have without a percent sign: nearly every one is such.
pub(crate) fn is_plain_host_name(bytes: &[u8]) -> bool {
    all(bytes, PLAIN_HOST)
}

/// Decimal digits and nothing else. `None` for what is no number; a number that does not fit
/// is `u64::MAX`, which is beyond every limit.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(value.saturating_mul(10).saturating_add(digit))
    })
}

/// Without leading and trailing spaces and tabs (OWS, RFC 9110 section 5.6.3).
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|b| !blank(b)).unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|b| !blank(b))
        .map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The elements of a comma-separated list, trimmed; empty ones are given too.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}
