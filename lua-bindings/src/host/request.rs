//! `req`: its fields are made when they are read.
//!
//! `req` and `io` are Lua tables that hold a number (at index 0, where neither `#` nor `ipairs`
//! look): the ticket of the request. A ticket of a request that is over finds nothing, so an old
//! `io` or `req` cannot reach another request.

use std::net::SocketAddr;
use std::rc::Rc;

use http_proto::RequestHead;

use super::body;
use super::trips::{Facts, Ticket, Trip};
use crate::raw::{Called, Kind, Outcome, Raise, Slot, Stack, Verb, verb};
use crate::realm::{Realm, realm};

pub(super) const INDEX: Verb = verb(index);
pub(super) const VALUES: Verb = verb(values);

/// Where the registry holds what each request needs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Metatables {
    pub(crate) req: i32,
    pub(crate) io: i32,
    /// A Lua function that makes a plain table of one with a metatable.
    pub(crate) flatten: i32,
    /// A Lua function that reads all fields of a `req`.
    pub(crate) keep: i32,
}

/// Pushes a new `req` or `io`, with the metatable at `meta`.
pub(super) fn push_handle(stack: &mut Stack, ticket: Ticket, meta: Slot) {
    stack.push_handle(ticket.to_u64() as f64, meta);
}

/// The ticket in a `req` or `io`. Absent: it is none.
pub(super) fn ticket_of(stack: &Stack, slot: Slot) -> Option<Ticket> {
    let number = stack.peek_item(slot, 0)?;
    (number >= 0.0).then(|| Ticket::from_u64(number as u64))
}

/// Another fiber may have this `req` now, and programs of httpng read it when they like: gives it
/// its fields while they are there.
pub(super) fn keep(realm: &Rc<Realm>, ticket: Ticket, stack: &mut Stack, req: Slot) {
    let is_here = realm
        .http
        .with_trip(ticket, |trip| trip.request().is_some());
    if is_here != Some(true) {
        return;
    }
    stack.push_anchored(realm.http.metatables.get().keep);
    stack.push_copy(req);
    if let Called::Failed(failure) = crate::raw::call(stack, 1, 0) {
        log::error!("a request could not be kept: {}", failure.message);
    }
}

/// `req[key]`: a method, or a field. What is dear to make, or is a table, is kept from then on.
fn index(stack: &mut Stack) -> Outcome {
    stack.set_top(2);
    let Some(ticket) = ticket_of(stack, 1) else {
        stack.push_nil();
        return Ok(1);
    };
    let Some(field) = stack.bytes(2).and_then(Field::named) else {
        stack.push_upvalue(1);
        stack.push_copy(2);
        let _ = stack.raw_get(3);
        return Ok(1);
    };
    if let Field::Shuttle = field {
        let _ = stack.raw_item(1, 0);
        return Ok(1);
    }
    let realm = realm();
    let found = match field {
        Field::Body => Some(body::push_whole(&realm, stack, ticket)?),
        _ => realm
            .http
            .with_trip(ticket, |trip| push_field(stack, trip, field)),
    };
    if found != Some(true) {
        if stack.raw_field(1, "_kept") == Kind::Nil {
            return Err(over(stack));
        }
        // All its fields were read; this one was nil.
        stack.push_nil();
        return Ok(1);
    }
    if field.is_kept() {
        stack.push_copy(2);
        stack.push_copy(3);
        stack.set_pair(1);
    }
    stack.set_top(3);
    Ok(1)
}

fn over(stack: &Stack) -> Raise {
    let field = stack.lossy(2).unwrap_or_default();
    Raise::text(format!(
        "the request is over, and its field '{field}' was not read before (see req:keep)"
    ))
}

/// `req:header_values(name)`: all values of a header, in order.
fn values(stack: &mut Stack) -> Outcome {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let Some(name) = stack.bytes(2).map(<[u8]>::to_vec) else {
        return Err(Raise::text("the name of a header is not a string"));
    };
    stack.push_table(1, 0);
    let list = stack.top();
    let realm = realm();
    let found = realm.http.with_trip(ticket, |trip| {
        let Some((head, ..)) = trip.request() else {
            return false;
        };
        for (place, value) in head.field_all(&name).enumerate() {
            stack.push_bytes(value);
            stack.set_item(list, place + 1);
        }
        true
    });
    if found != Some(true) {
        return Err(Raise::text("the request is over"));
    }
    Ok(1)
}

/// The fields that httpng gives.
#[derive(Clone, Copy, Debug)]
enum Field {
    Method,
    Path,
    Query,
    Host,
    Body,
    Trailers,
    Headers,
    Https,
    IsWebsocket,
    VersionMajor,
    VersionMinor,
    Peer,
    Ouraddr,
    Id,
    Shuttle,
}

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"method" => Self::Method,
            b"path" => Self::Path,
            b"query" => Self::Query,
            b"host" => Self::Host,
            b"body" => Self::Body,
            b"trailers" => Self::Trailers,
            b"headers" => Self::Headers,
            b"https" => Self::Https,
            b"is_websocket" => Self::IsWebsocket,
            b"version_major" => Self::VersionMajor,
            b"version_minor" => Self::VersionMinor,
            b"peer" => Self::Peer,
            b"ouraddr" => Self::Ouraddr,
            b"id" => Self::Id,
            b"_shuttle" => Self::Shuttle,
            _ => return None,
        })
    }

    /// Whether the table keeps it. For a short string that would cost more than making it again:
    /// the first kept fields grow the table.
    fn is_kept(self) -> bool {
        matches!(
            self,
            Self::Body | Self::Trailers | Self::Headers | Self::Peer | Self::Ouraddr
        )
    }
}

/// Pushes a field. False, and nothing is pushed: the request is no longer here.
fn push_field(stack: &mut Stack, trip: &Trip, field: Field) -> bool {
    let Some((head, _, facts)) = trip.request() else {
        return false;
    };
    match field {
        Field::Method => stack.push_bytes(head.method()),
        Field::Path => stack.push_bytes(head.path()),
        Field::Query => match head.query() {
            Some(query) => stack.push_bytes(query),
            None => stack.push_nil(),
        },
        Field::Host => stack.push_bytes(head.host()),
        Field::Id => stack.push_str(&trip.id.to_string()),
        Field::Trailers => body::push_trailers(stack, trip),
        Field::Headers => push_headers(stack, head),
        Field::VersionMajor => stack.push_number(f64::from(head.version().major())),
        Field::VersionMinor => stack.push_number(f64::from(head.version().minor())),
        Field::IsWebsocket => stack.push_bool(is_websocket(head)),
        other => push_fact(stack, facts, other),
    }
    true
}

fn push_fact(stack: &mut Stack, facts: Facts, field: Field) {
    match field {
        Field::Https if facts.https => stack.push_bool(true),
        Field::Peer => push_address(stack, facts.peer),
        Field::Ouraddr => push_address(stack, facts.local),
        _ => stack.push_nil(),
    }
}

/// `Upgrade: websocket` with `Connection: upgrade` (RFC 6455 section 4.2.1).
fn is_websocket(head: &RequestHead) -> bool {
    let has = |name: &[u8], token: &[u8]| {
        head.field_all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
    };
    head.method() == b"GET" && has(b"upgrade", b"websocket") && has(b"connection", b"upgrade")
}

/// How values of one name are put into one, which httpng does not: there the last wins.
enum Joined {
    /// Joined by this.
    By(&'static [u8]),
    /// The last one wins: joining would change the meaning.
    Last,
}

/// RFC 9110 section 5.3 allows joining lists by a comma; RFC 6265 section 5.4 has cookies in one
/// field, joined by a semicolon. What is no list keeps httpng's rule.
fn joined(name: &[u8]) -> Joined {
    const SINGLE: &[&[u8]] = &[
        b"authorization",
        b"content-length",
        b"content-type",
        b"date",
        b"expires",
        b"from",
        b"host",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"last-modified",
        b"location",
        b"max-forwards",
        b"origin",
        b"proxy-authorization",
        b"range",
        b"referer",
        b"user-agent",
    ];
    const LISTS: &[&[u8]] = &[
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-language",
        b"expect",
        b"forwarded",
        b"if-match",
        b"if-none-match",
        b"pragma",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"via",
        b"x-forwarded-for",
    ];
    match name {
        b"cookie" => Joined::By(b"; "),
        name if SINGLE.contains(&name) => Joined::Last,
        name if LISTS.contains(&name) => Joined::By(b", "),
        // Unknown ones are as httpng gives them; `header_values` has all.
        _ => Joined::Last,
    }
}

/// Pushes the table of all headers by lower-case name.
fn push_headers(stack: &mut Stack, head: &RequestHead) {
    let fields = head.fields();
    stack.push_table(0, fields.len());
    let table = stack.top();
    for (place, (name, value)) in fields.enumerate() {
        stack.push_bytes(name);
        let earlier = || {
            head.fields()
                .take(place)
                .filter(|(other, _)| *other == name)
        };
        match earlier().next().map(|_| joined(name)) {
            Some(Joined::By(glue)) => {
                let mut parts: Vec<&[u8]> = earlier().map(|(_, part)| part).collect();
                parts.push(value);
                stack.push_bytes(&parts.join(glue));
            }
            _ => stack.push_bytes(value),
        }
        stack.set_pair(table);
    }
}

/// Pushes what httpng says of an address; nil if there is none.
fn push_address(stack: &mut Stack, address: Option<SocketAddr>) {
    let Some(address) = address else {
        return stack.push_nil();
    };
    stack.push_table(0, 5);
    let table = stack.top();
    stack.push_str(&address.ip().to_string());
    stack.set_field(table, "host");
    stack.push_number(f64::from(address.port()));
    stack.set_field(table, "port");
    stack.push_str(if address.is_ipv4() {
        "AF_INET"
    } else {
        "AF_INET6"
    });
    stack.set_field(table, "family");
    stack.push_str("SOCK_STREAM");
    stack.set_field(table, "type");
    stack.push_str("tcp");
    stack.set_field(table, "protocol");
}
