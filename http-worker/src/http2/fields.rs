//! Between the engine's words for heads (crate `http`) and ours.

use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, SERVER,
};
use http::request::Parts;
use http::{Response, StatusCode};
use http_proto::content::ErrorForm;
use http_proto::h1::{Encoder, Limits, RequestFacts};
use http_proto::h2::{Priority, Pseudo, ResponseBody, read_request, read_trailer};
use http_proto::limits::RETRY_AFTER_SECS;
use http_proto::{Fields, PeerError, PeerErrorKind, RequestHead, ResponseHead, Trailers};

/// Reads the head of a request.
///
/// # Errors
/// What to tell the client.
pub(super) fn read_head(
    parts: &Parts,
    https: bool,
    has_body: bool,
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<RequestFacts, PeerError> {
    let path = parts.uri.path_and_query();
    let pseudo = Pseudo {
        method: parts.method.as_str().as_bytes(),
        path: path.map_or(&b""[..], |path| path.as_str().as_bytes()),
        authority: parts.uri.authority().map(|name| name.as_str().as_bytes()),
        https,
    };
    let fields = parts.headers.iter();
    let fields = fields.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    read_request(&pseudo, fields, has_body, limits, head)
}

/// What a request says of the order of answers. Several lines are one (RFC 9651 section 4.2).
pub(super) fn priority(map: &HeaderMap) -> Priority {
    let mut lines = map.get_all("priority").iter();
    match (lines.next(), lines.next()) {
        (None, _) => Priority::UNSAID,
        (Some(line), None) => Priority::read(line.as_bytes()),
        (Some(_), Some(_)) => {
            let lines = map.get_all("priority").iter();
            let lines: Vec<_> = lines.map(HeaderValue::as_bytes).collect();
            Priority::read(&lines.join(&b", "[..]))
        }
    }
}

/// Reads the trailers of a request.
///
/// # Errors
/// What to tell the client.
pub(super) fn read_trailers(map: &HeaderMap, trailers: &mut Fields) -> Result<(), PeerError> {
    trailers.clear();
    map.iter().try_for_each(|(name, value)| {
        read_trailer(name.as_str().as_bytes(), value.as_bytes(), trailers)
    })
}

/// Values that are the same in all answers, or in those of one second: making one is a copy.
#[derive(Default)]
pub(crate) struct Texts {
    date: Option<HeaderValue>,
    server: Option<HeaderValue>,
}

impl Texts {
    /// Makes them anew if the time has changed.
    fn refresh(&mut self, encoder: &Encoder) {
        if self.date.as_ref().map(HeaderValue::as_bytes) != Some(encoder.date()) {
            self.date = HeaderValue::from_bytes(encoder.date()).ok();
            let server = encoder.server().map(HeaderValue::from_bytes);
            self.server = server.and_then(Result::ok);
        }
    }
}

/// The head of a response as the engine wants it.
pub(super) fn response(
    head: &ResponseHead,
    body: &ResponseBody,
    encoder: &Encoder,
    texts: &mut Texts,
) -> Response<()> {
    texts.refresh(encoder);
    let date = texts.date.as_ref().filter(|_| !head.has_date());
    let server = texts.server.as_ref().filter(|_| !head.has_server());
    let mut response = bare(head.status(), date, server);
    let map = response.headers_mut();
    if let Some(length) = body.content_length() {
        map.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    for (name, value) in head.fields() {
        // The head has only let in what both of them take.
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    response
}

/// Trailers as the engine wants them.
pub(super) fn trailers(trailers: &Trailers) -> HeaderMap {
    let fields = trailers.iter().filter_map(|(name, value)| {
        // They have only let in what both of them take.
        let name = HeaderName::from_bytes(name).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    });
    let mut map = HeaderMap::with_capacity(trailers.iter().len());
    fields.for_each(|(name, value)| {
        map.append(name, value);
    });
    map
}

/// The head of our own answer to a request that cannot be served; a body of so many bytes follows.
pub(super) fn refusal(
    error: &PeerError,
    form: ErrorForm,
    len: usize,
    encoder: &Encoder,
    texts: &mut Texts,
) -> Response<()> {
    let mut response = page(error.status, form, len, encoder, texts);
    if error.kind == PeerErrorKind::MethodNotAllowed {
        // RFC 9110 section 15.5.6: 405 says what is allowed.
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response.headers_mut().insert(http::header::ALLOW, allowed);
    }
    if error.kind == PeerErrorKind::Overloaded {
        let seconds = HeaderValue::from_static(RETRY_AFTER_SECS);
        response
            .headers_mut()
            .insert(http::header::RETRY_AFTER, seconds);
    }
    response
}

/// The head of an answer of ours with a body of so many bytes.
pub(super) fn page(
    status: u16,
    form: ErrorForm,
    len: usize,
    encoder: &Encoder,
    texts: &mut Texts,
) -> Response<()> {
    texts.refresh(encoder);
    let mut response = bare(status, texts.date.as_ref(), texts.server.as_ref());
    let map = response.headers_mut();
    map.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    map.insert(
        http::header::VARY,
        HeaderValue::from_static(ErrorForm::VARY),
    );
    map.insert(CONTENT_LENGTH, HeaderValue::from(len));
    response
}

/// `100 Continue`.
pub(super) fn invitation() -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::CONTINUE;
    response
}

fn bare(status: u16, date: Option<&HeaderValue>, server: Option<&HeaderValue>) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let map = response.headers_mut();
    if let Some(date) = date {
        map.insert(DATE, date.clone());
    }
    if let Some(server) = server {
        map.insert(SERVER, server.clone());
    }
    response
}
