//! What a request is called, in logs and to its client.

use std::fmt;

use crate::limits::REQUEST_ID_MAX_BYTES;

/// The name of a request: 24 hexadecimal digits that begin with the second in which it came, so
/// that names sort by time; or what its client calls it. Making one allocates nothing unless it
/// is the client's.
///
/// ```
/// use http_proto::RequestId;
/// assert_eq!(RequestId::new(0x6543_2100, 7).to_string(), "654321000000000000000007");
/// assert_eq!(RequestId::given(b"a-7").unwrap().to_string(), "a-7");
/// assert_eq!(RequestId::given(b"a 7"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestId {
    seconds: u32,
    number: u64,
    given: Option<Box<str>>,
}

impl RequestId {
    /// A name of ours. `number` tells apart the requests of one second, on all threads.
    #[must_use]
    pub fn new(unix_seconds: u64, number: u64) -> Self {
        Self {
            // Wraps in the year 2106, and then names no longer sort.
            seconds: unix_seconds as u32,
            number,
            given: None,
        }
    }

    /// The client's name, if it is one that no log has to escape.
    #[must_use]
    pub fn given(name: &[u8]) -> Option<Self> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
        let is_fit = (1..=REQUEST_ID_MAX_BYTES).contains(&name.len()) && name.iter().all(is_plain);
        let name = is_fit.then(|| str::from_utf8(name).ok()).flatten()?;
        Some(Self {
            given: Some(name.into()),
            ..Self::default()
        })
    }
}

impl RequestId {
    /// Appends the name, as [`Display`](fmt::Display) writes it, with less ado.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        if let Some(name) = &self.given {
            return out.extend_from_slice(name.as_bytes());
        }
        let name = u128::from(self.seconds) << 64 | u128::from(self.number);
        let mut digits = [0; 24];
        let mut rest = name;
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 15) as usize];
            rest >>= 4;
        }
        out.extend_from_slice(&digits);
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(name) => f.write_str(name),
            None => write!(f, "{:08x}{:016x}", self.seconds, self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_clients_are_bounded_and_plain() {
        let longest = "a".repeat(REQUEST_ID_MAX_BYTES);
        assert!(RequestId::given(longest.as_bytes()).is_some());
        let longer = "a".repeat(REQUEST_ID_MAX_BYTES + 1);
        for bad in [longer.as_bytes(), b"", b"a\"", b"a\r\nb", b"\xff", b"<a>"] {
            assert_eq!(RequestId::given(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn appended_or_shown_they_are_the_same() {
        let given = RequestId::given(b"a-7").unwrap();
        for id in [
            RequestId::new(0x0102_0304, 0xfeed),
            RequestId::default(),
            given,
        ] {
            let mut appended = b"=".to_vec();
            id.append_to(&mut appended);
            assert_eq!(appended, format!("={id}").as_bytes());
        }
    }

    #[test]
    fn names_sort_by_time() {
        let early = RequestId::new(1_000_000_000, u64::MAX).to_string();
        let late = RequestId::new(1_000_000_001, 0).to_string();
        assert!(early < late);
        assert_eq!((early.len(), late.len()), (24, 24));
    }
}
