//! What is said of a handler that failed.

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
    let (message, id) = (&failure.message, id.unwrap_or_default());
    let line =
        format!("User handler for \"{site}\" failed with error \"{message}\" (request {id})");
    match failure.traceback.as_str() {
        "" => log::error!("{line}"),
        traceback => log::error!("{line}\n{traceback}"),
    }
}
