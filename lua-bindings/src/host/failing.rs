//! What is said of a handler that failed, and answers that are our own.

use std::fmt::Write as _;

use http_proto::content::{ErrorForm, ErrorPage};
use http_proto::{Leg, Mark, RequestId};

use super::HttpHost;
use super::trips::{Ticket, Trip};
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

/// What a client may see of the failure: nothing, but for developers.
pub(super) fn details_of(http: &HttpHost, failure: &Failure) -> Option<String> {
    let (message, traceback) = (&failure.message, &failure.traceback);
    let is_shown = http.shows_failures.get();
    is_shown.then(|| format!("{message}\n{traceback}"))
}

/// Answers with a status and a text of our own, in the form that the client asks for. The shuttle
/// is home and nothing has left.
pub(super) fn answer_with_page(
    http: &HttpHost,
    trip: &mut Trip,
    (status, text): (u16, &str),
    details: Option<&str>,
) {
    let form = trip
        .request()
        .map_or(ErrorForm::Text, |(head, ..)| ErrorForm::of(head));
    let id = match form {
        ErrorForm::Text => String::new(),
        _ => trip.id.to_string(),
    };
    let page = ErrorPage {
        status,
        text,
        id: Some(&id),
        details,
    };
    let body = page.body(form);
    let Some(shuttle) = trip.home.as_mut() else {
        return;
    };
    let response = &mut shuttle.response;
    let done = response.reset(status).is_ok_and(|()| {
        let kind = form.content_type().as_bytes();
        let vary = ErrorForm::VARY.as_bytes();
        response.push(b"content-type", kind).is_ok() && response.push(b"vary", vary).is_ok()
    });
    debug_assert!(done, "our own pages have good heads");
    response.set_content_length(body.len() as u64);
    shuttle.part.clear();
    shuttle.part.extend_from_slice(body.as_bytes());
    http.mark(Mark::FillHeadAndCopy, trip.worker_ticket);
    http.mark(Mark::HandOver, trip.worker_ticket);
    http.mark(Mark::SendComplete, trip.worker_ticket);
    trip.answered = true;
    trip.head_sent = true;
    trip.ended = true;
    http.send(trip, Leg::Answer);
}
