//! What is said of a handler that failed.

use std::fmt::Write as _;

use http_proto::RequestId;

use super::trips::Ticket;
use crate::raw::Failure;
use crate::realm::Realm;

/// Tells the log, and the worker for its own.
pub(super) fn report(realm: &Realm, ticket: Ticket, site: &str, failure: &Failure) {
    realm.stats.handler_failed();
    let id = realm.http.with_trip(ticket, |trip| {
        if let Some(shuttle) = &mut trip.home {
            shuttle.failure = Some("the handler failed");
        }
        trip.id.clone()
    });
    let mut line = format!(
        "User handler for \"{site}\" failed with error \"{}\"",
        failure.message
    );
    // Whoever plays the worker need not name requests.
    if let Some(id) = id.filter(|id| *id != RequestId::default()) {
        let _ = write!(line, " (request {id})");
    }
    match failure.traceback.as_str() {
        "" => log::error!("{line}"),
        traceback => log::error!("{line}\n{traceback}"),
    }
}
