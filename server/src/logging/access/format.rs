//! How a line of the access log looks. Whatever a client sent, a line stays one line, and a field
//! stays in its quotes.

use std::io::Write as _;
use std::str::FromStr;
use std::time::Duration;

use http_proto::Version;
use http_proto::date::CachedDate;
use http_worker::AccessRecord;

/// What programs that read logs know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// The combined log format of NCSA and Apache.
    #[default]
    Combined,
    /// An object of JSON (RFC 8259) on each line.
    Json,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "combined" => Ok(Self::Combined),
            "json" => Ok(Self::Json),
            _ => Err("expected combined or json"),
        }
    }
}

/// Appends the line of a request.
pub fn line(format: Format, record: &AccessRecord, out: &mut Vec<u8>) {
    match format {
        Format::Combined => combined(record, out),
        Format::Json => json(record, out),
    }
    out.push(b'\n');
}

/// Writing into memory does not fail.
macro_rules! put {
    ($out:expr, $($arguments:tt)*) => {
        let _ = write!($out, $($arguments)*);
    };
}

fn combined(record: &AccessRecord, out: &mut Vec<u8>) {
    put!(out, "{} - - [", record.peer.ip().to_canonical());
    let date = date_of(record);
    // Of `Sun, 06 Nov 1994 08:49:37 GMT`.
    for (piece, glue) in [(5..7, b'/'), (8..11, b'/'), (12..16, b':'), (17..25, b' ')] {
        out.extend_from_slice(&date[piece]);
        out.push(glue);
    }
    out.extend_from_slice(b"+0000] \"");
    escape(record.method(), out);
    if let Some(version) = record.version {
        out.push(b' ');
        escape(record.target(), out);
        put!(out, " HTTP/{}.{}", version.major(), version.minor());
    } else {
        escape(record.target(), out);
    }
    put!(out, "\" {} {} \"", record.status, record.body_bytes);
    escape(or_dash(record.referer()), out);
    out.extend_from_slice(b"\" \"");
    escape(or_dash(record.user_agent()), out);
    out.push(b'"');
}

fn or_dash(text: &[u8]) -> &[u8] {
    if text.is_empty() { b"-" } else { text }
}

/// As nginx does: quotes, backslashes, controls and what is not ASCII as `\xHH`.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'"' | b'\\' | ..0x20 | 0x7f.. => {
                put!(out, "\\x{byte:02X}");
            }
            plain => out.push(plain),
        }
    }
}

fn date_of(record: &AccessRecord) -> [u8; 29] {
    let mut date = CachedDate::default();
    date.set(record.unix_ms / 1000);
    *date.as_bytes()
}

fn json(record: &AccessRecord, out: &mut Vec<u8>) {
    let peer = record.peer;
    out.extend_from_slice(b"{\"time\":\"");
    iso_time(record, out);
    put!(out, "\",\"request_id\":\"{}\"", record.id);
    put!(
        out,
        ",\"peer\":\"{}\",\"peer_port\":{}",
        peer.ip().to_canonical(),
        peer.port()
    );
    put!(out, ",\"tls\":{}", record.is_tls);
    if let Some(version) = record.version {
        put!(out, ",\"version\":\"{}\"", version_text(version));
        text_member("method", record.method(), out);
        text_member("target", record.target(), out);
    } else {
        text_member("line", record.target(), out);
    }
    for (name, text) in [
        ("host", record.host()),
        ("referer", record.referer()),
        ("user_agent", record.user_agent()),
    ] {
        if !text.is_empty() {
            text_member(name, text, out);
        }
    }
    put!(
        out,
        ",\"status\":{},\"body_bytes\":{}",
        record.status,
        record.body_bytes
    );
    if let Some(failure) = record.failure {
        text_member("failure", failure.as_bytes(), out);
    }
    legs(record, out);
    out.push(b'}');
}

fn version_text(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
        Version::Http2 => "2.0",
    }
}

fn legs(record: &AccessRecord, out: &mut Vec<u8>) {
    let legs = record.legs();
    let legs = [
        ("parse_us", Some(legs.parse)),
        ("queue_us", legs.queue),
        ("tx_us", legs.tx),
        ("write_us", legs.write),
        ("total_us", Some(legs.total)),
    ];
    for (name, leg) in legs {
        if let Some(us) = leg.as_ref().map(Duration::as_micros) {
            put!(out, ",\"{name}\":{us}");
        }
    }
}

/// `1994-11-06T08:49:37.123Z`, RFC 3339.
fn iso_time(record: &AccessRecord, out: &mut Vec<u8>) {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let date = date_of(record);
    let month = MONTHS.chunks_exact(3).position(|name| *name == date[8..11]);
    out.extend_from_slice(&date[12..16]);
    put!(out, "-{:02}-", month.unwrap_or(0) + 1);
    out.extend_from_slice(&date[5..7]);
    out.push(b'T');
    out.extend_from_slice(&date[17..25]);
    put!(out, ".{:03}Z", record.unix_ms % 1000);
}

/// A member whose value is a text. What is not UTF-8 becomes U+FFFD.
fn text_member(name: &str, text: &[u8], out: &mut Vec<u8>) {
    put!(out, ",\"{name}\":\"");
    let mut escaped = String::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            // Some readers take the last two for ends of lines.
            control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}') => {
                let _ = std::fmt::Write::write_fmt(
                    &mut escaped,
                    format_args!("\\u{:04x}", u32::from(control)),
                );
            }
            plain => escaped.push(plain),
        }
    }
    out.extend_from_slice(escaped.as_bytes());
    out.push(b'"');
}
