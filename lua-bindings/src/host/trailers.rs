//! What a handler says behind the body of its response: trailers (RFC 9110 section 6.5).
//!
//! They are kept here until the end of the response leaves, and leave with it, in the shuttle. An
//! end that has some is therefore never told from afar.

use super::head::{HeadFault, announce, trailers_of};
use super::request::ticket_of;
use super::trips::Trip;
use crate::raw::{Kind, Outcome, Raise, Stack, Verb, verb};
use crate::realm::realm;

pub(super) const SET_TRAILERS: Verb = verb(set_trailers);

/// `io:set_trailers(trailers)`. True: the response is over, and they are ignored.
fn set_trailers(stack: &mut Stack) -> Outcome {
    let ticket = match stack.top() {
        0 | 1 => return Err(Raise::text("Not enough parameters")),
        _ => ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?,
    };
    stack.set_top(2);
    if !matches!(stack.kind(2), Kind::Nil | Kind::Table) {
        return Err(Raise::text("io:set_trailers: trailers is not a table"));
    }
    let trailers = trailers_of(stack, 2);
    let trailers =
        trailers.map_err(|HeadFault(text)| Raise::text(format!("io:set_trailers: {text}")))?;
    let is_open = realm().http.with_trip(ticket, |trip| {
        let is_open = !trip.is_over();
        if is_open {
            trip.trailers = trailers;
        }
        is_open
    });
    stack.push_bool(is_open != Some(true));
    Ok(1)
}

impl Trip {
    /// The head leaves, and may say what will follow the body.
    pub(super) fn announce_trailers(&mut self) {
        if let Some(shuttle) = self.home.as_mut() {
            announce(&mut shuttle.response, self.trailers.as_deref());
        }
    }

    /// The end leaves, and what follows the body with it. False: nothing does.
    pub(super) fn attach_trailers(&mut self) -> bool {
        let Some(shuttle) = self.home.as_mut() else {
            return false;
        };
        shuttle.response_trailers = self.trailers.take();
        shuttle.response_trailers.is_some()
    }
}
