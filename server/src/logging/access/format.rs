//! How a line of the access log looks. Whatever a client sent, a line stays one line, and a field
//! stays in its quotes.

use std::io::Write as _;
use std::net::IpAddr;
use std::str::FromStr;

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

/// Makes lines of records. What is the same for many of them, the second and the client's address,
/// is formatted once.
#[derive(Debug)]
pub(super) struct Scribe {
    format: Format,
    date: CachedDate,
    peer: IpAddr,
    peer_text: String,
}

impl Scribe {
    pub(super) fn new(format: Format) -> Self {
        let peer = IpAddr::from([0; 4]);
        Self {
            format,
            date: CachedDate::default(),
            peer,
            peer_text: peer.to_string(),
        }
    }

    /// Appends the line of a request.
    pub(super) fn line(&mut self, record: &AccessRecord, out: &mut Vec<u8>) {
        self.date.set(record.unix_ms / 1000);
        let peer = record.peer.ip().to_canonical();
        if peer != self.peer {
            self.peer = peer;
            self.peer_text = peer.to_string();
        }
        match self.format {
            Format::Combined => self.combined(record, out),
            Format::Json => self.json(record, out),
        }
        out.push(b'\n');
    }

    fn combined(&self, record: &AccessRecord, out: &mut Vec<u8>) {
        out.extend_from_slice(self.peer_text.as_bytes());
        out.extend_from_slice(b" - - [");
        let date = self.date.as_bytes();
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
            out.extend_from_slice(b" HTTP/");
            out.extend_from_slice(version_text(version).as_bytes());
        } else {
            escape(record.target(), out);
        }
        out.extend_from_slice(b"\" ");
        number(record.status.into(), out);
        out.push(b' ');
        number(record.body_bytes, out);
        out.extend_from_slice(b" \"");
        escape(or_dash(record.referer()), out);
        out.extend_from_slice(b"\" \"");
        escape(or_dash(record.user_agent()), out);
        out.push(b'"');
    }

    fn json(&self, record: &AccessRecord, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        self.iso_time(record, out);
        out.extend_from_slice(b"\",\"request_id\":\"");
        record.id.append_to(out);
        out.extend_from_slice(b"\",\"peer\":\"");
        out.extend_from_slice(self.peer_text.as_bytes());
        out.push(b'"');
        number_member(b",\"peer_port\":", record.peer.port().into(), out);
        out.extend_from_slice(b",\"tls\":");
        out.extend_from_slice(if record.is_tls { b"true" } else { b"false" });
        if let Some(version) = record.version {
            text_member(b",\"version\":\"", version_text(version).as_bytes(), out);
            text_member(b",\"method\":\"", record.method(), out);
            text_member(b",\"target\":\"", record.target(), out);
        } else {
            text_member(b",\"line\":\"", record.target(), out);
        }
        for (name, text) in [
            (&b",\"host\":\""[..], record.host()),
            (b",\"referer\":\"", record.referer()),
            (b",\"user_agent\":\"", record.user_agent()),
        ] {
            if !text.is_empty() {
                text_member(name, text, out);
            }
        }
        number_member(b",\"status\":", record.status.into(), out);
        number_member(b",\"body_bytes\":", record.body_bytes, out);
        if let Some(failure) = record.failure {
            text_member(b",\"failure\":\"", failure.as_bytes(), out);
        }
        legs(record, out);
        out.push(b'}');
    }

    /// `1994-11-06T08:49:37.123Z`, RFC 3339.
    fn iso_time(&self, record: &AccessRecord, out: &mut Vec<u8>) {
        const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
        let date = self.date.as_bytes();
        let month = MONTHS.chunks_exact(3).position(|name| *name == date[8..11]);
        out.extend_from_slice(&date[12..16]);
        out.push(b'-');
        padded(month.unwrap_or(0) as u64 + 1, 2, out);
        out.push(b'-');
        out.extend_from_slice(&date[5..7]);
        out.push(b'T');
        out.extend_from_slice(&date[17..25]);
        out.push(b'.');
        padded(record.unix_ms % 1000, 3, out);
        out.push(b'Z');
    }
}

fn or_dash(text: &[u8]) -> &[u8] {
    if text.is_empty() { b"-" } else { text }
}

fn number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A number with zeros before it, so many digits at least.
fn padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    out.extend(std::iter::repeat_n(
        b'0',
        width.saturating_sub(digits.len()),
    ));
    out.extend_from_slice(digits);
}

/// As nginx does: quotes, backslashes, controls and what is not ASCII as `\xHH`.
fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    loop {
        let plain = plain_len(text);
        out.extend_from_slice(&text[..plain]);
        let Some(&byte) = text.get(plain) else { return };
        out.extend_from_slice(b"\\x");
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
        text = &text[plain + 1..];
    }
}

/// How many bytes at the front stand for themselves in either format.
fn plain_len(text: &[u8]) -> usize {
    let is_special = |&byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20 | 0x7f..);
    text.iter().position(is_special).unwrap_or(text.len())
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
        (&b",\"parse_us\":"[..], Some(legs.parse)),
        (b",\"queue_us\":", legs.queue),
        (b",\"tx_us\":", legs.tx),
        (b",\"write_us\":", legs.write),
        (b",\"total_us\":", Some(legs.total)),
    ];
    for (name, leg) in legs {
        if let Some(leg) = leg {
            let us = u64::try_from(leg.as_micros()).unwrap_or(u64::MAX);
            number_member(name, us, out);
        }
    }
}

/// A member that is not the first: what stands before its value, and that.
fn number_member(front: &[u8], value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(front);
    number(value, out);
}

/// The same with a text, whose first quotation mark stands before it. What is not UTF-8 becomes
/// U+FFFD.
fn text_member(front: &[u8], text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(front);
    if plain_len(text) == text.len() {
        out.extend_from_slice(text);
    } else {
        escape_json(&String::from_utf8_lossy(text), out);
    }
    out.push(b'"');
}

fn escape_json(text: &str, out: &mut Vec<u8>) {
    let mut bytes = [0; 4];
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            // Some readers take the last two for ends of lines.
            control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}') => {
                // Writing into memory does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.extend_from_slice(plain.encode_utf8(&mut bytes).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_byte_stays_in_its_quotes() {
        for byte in 0..=u8::MAX {
            let text = shown(|out| escape(&[b'a', byte, b'b'], out));
            match byte {
                b' '..=b'~' if !b"\"\\".contains(&byte) => {
                    assert_eq!(text.as_bytes(), [b'a', byte, b'b']);
                }
                _ => assert_eq!(text, format!("a\\x{byte:02X}b")),
            }
            let object = shown(|out| {
                out.extend_from_slice(b"{\"x\":0");
                text_member(b",\"y\":\"", &[b'a', byte, b'b'], out);
                out.push(b'}');
            });
            assert!(object.bytes().all(|byte| byte >= b' '), "{object}");
            let object: serde_json::Value = serde_json::from_str(&object).unwrap();
            let expected = String::from_utf8_lossy(&[b'a', byte, b'b']).into_owned();
            assert_eq!(object["y"], expected);
        }
    }

    #[test]
    fn numbers_are_padded_to_their_width() {
        for (value, width, expected) in [
            (0, 3, "000"),
            (42, 3, "042"),
            (999, 3, "999"),
            (12, 2, "12"),
        ] {
            assert_eq!(shown(|out| padded(value, width, out)), expected);
        }
        assert_eq!(shown(|out| number(u64::MAX, out)), u64::MAX.to_string());
    }
}
