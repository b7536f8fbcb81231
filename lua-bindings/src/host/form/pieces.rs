//! The bodies of forms, bit by bit: those that are here, and those that arrive.

use http_proto::BodyFault;

use super::Trouble;
use crate::host::body::{self, Next, Source};
use crate::host::trips::Ticket;
use crate::limits::FORM_PIECE_BYTES;
use crate::multipart::Fault;
use crate::raw::{Raise, Stack};
use crate::realm::Realm;

/// Where the bytes of a body come from. A source that has to wait for them parks the fiber that
/// calls, on behalf of Lua code that runs on `stack`.
pub(super) trait Pieces {
    /// The next bytes, at least one. Absent: the body is over.
    fn next(&mut self, realm: &Realm, stack: &Stack) -> Result<Option<Vec<u8>>, Trouble>;
}

/// A body that has arrived as a whole.
struct WholeBody {
    ticket: Ticket,
    at: usize,
}

impl Pieces for WholeBody {
    fn next(&mut self, realm: &Realm, _: &Stack) -> Result<Option<Vec<u8>>, Trouble> {
        let piece = realm.http.with_trip(self.ticket, |trip| {
            body::part_of_whole(trip, self.at, FORM_PIECE_BYTES).map(<[u8]>::to_vec)
        });
        let piece = piece.flatten().ok_or_else(over)?;
        self.at += piece.len();
        Ok((!piece.is_empty()).then_some(piece))
    }
}

pub(super) fn over() -> Raise {
    Raise::text("the request is over")
}

/// A body that arrives while it is read.
struct ArrivingBody {
    ticket: Ticket,
}

impl Pieces for ArrivingBody {
    fn next(&mut self, realm: &Realm, stack: &Stack) -> Result<Option<Vec<u8>>, Trouble> {
        loop {
            match body::next(realm, stack, self.ticket, None)? {
                Next::Bytes => {}
                Next::End => return Ok(None),
                Next::Fault(fault) => return Err(incomplete(fault).into()),
                Next::TimedOut => continue,
            }
            let taken = realm.http.with_trip(self.ticket, |trip| {
                body::take(trip, FORM_PIECE_BYTES, <[u8]>::to_vec)
            });
            return taken.map(Some).ok_or_else(|| over().into());
        }
    }
}

/// The body will not be whole: the mistake of the client, or its end.
fn incomplete(fault: BodyFault) -> Fault {
    Fault {
        text: body::incomplete(fault),
        status: fault.answer().0,
    }
}

/// The pieces of the body of a request.
pub(super) fn pieces_of(realm: &Realm, ticket: Ticket) -> Result<Box<dyn Pieces>, Raise> {
    Ok(match body::source(realm, ticket)? {
        Source::Whole => Box::new(WholeBody { ticket, at: 0 }),
        Source::Stream => Box::new(ArrivingBody { ticket }),
    })
}
