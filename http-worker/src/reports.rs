//! What a worker tells of its requests: makes names and records, and gives the latter away.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_proto::{RequestHead, RequestId, ResponseHead};

use crate::access::{AccessRecord, Reporting};

/// The field that names a request.
pub(crate) const ID_FIELD: &str = "X-Request-Id";

/// Whom a worker tells what.
#[derive(Debug)]
pub(crate) struct Reports {
    pub(crate) reporting: Reporting,
    /// Time since 1970, as of this turn.
    pub(crate) unix: Duration,
    /// Sets the names of this worker apart from those of others.
    seed: u64,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            reporting: Reporting::default(),
            unix: Duration::ZERO,
            // The keys of the standard library's maps are the only random numbers at hand, and
            // nothing here is a secret.
            seed: RandomState::new().build_hasher().finish(),
        }
    }
}

impl Reports {
    /// What the request with this ticket is called.
    pub(crate) fn id_of(&self, head: &RequestHead, ticket: u64) -> RequestId {
        let given = match self.reporting.takes_id {
            true => head.field(ID_FIELD.as_bytes()).and_then(RequestId::given),
            false => None,
        };
        given.unwrap_or_else(|| self.new_id(ticket))
    }

    /// A name for a request whose head is not known.
    pub(crate) fn new_id(&self, ticket: u64) -> RequestId {
        RequestId::new(self.unix.as_secs(), mix(self.seed.wrapping_add(ticket)))
    }

    /// A record, if any are made.
    pub(crate) fn begin(
        &self,
        id: &RequestId,
        (peer, is_tls): (SocketAddr, bool),
        begun: Instant,
        now: Instant,
    ) -> Option<Box<AccessRecord>> {
        if !self.reporting.is_on() {
            return None;
        }
        let mut record = AccessRecord::new(id.clone(), peer, begun, now);
        record.is_tls = is_tls;
        record.unix_ms = u64::try_from(self.unix.as_millis()).unwrap_or(u64::MAX);
        Some(record)
    }

    /// A request is over.
    pub(crate) fn tell(&mut self, record: Option<Box<AccessRecord>>, now: Instant) {
        if let (Some(mut record), Some(log)) = (record, &mut self.reporting.log) {
            record.close(now);
            log.record(record);
        }
    }

    /// The field line that names a request, if there is to be one.
    pub(crate) fn id_line(&self, id: &str) -> String {
        match self.reporting.sends_id {
            true => format!("{ID_FIELD}: {id}\r\n"),
            false => String::new(),
        }
    }

    /// Names the request in its answer, if that is wanted and not done.
    pub(crate) fn name_in(&self, head: &mut ResponseHead, id: &RequestId) {
        let is_named = |(name, _): (&[u8], &[u8])| name.eq_ignore_ascii_case(ID_FIELD.as_bytes());
        if self.reporting.sends_id && !head.fields().any(is_named) {
            // Refused only where the application has filled the head to its limit.
            let _ = head.push(ID_FIELD.as_bytes(), id.to_string().as_bytes());
        }
    }
}

/// Spreads neighbouring numbers over all of them, each to another one.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
