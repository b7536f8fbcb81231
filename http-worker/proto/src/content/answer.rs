//! The answer to a request for content: its head, and which bytes follow.

use std::borrow::Cow;
use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

use super::accept_encoding::Coding;
use super::conditional::{Condition, Validators};
use super::error_page::{ErrorForm, ErrorPage};
use super::media_type::media_type;
use super::multipart;
use super::name::folder_location;
use super::range::{Selection, select};
use crate::date::LAST_SECOND;
use crate::head::{RequestHead, ResponseHead};
use crate::request_id::RequestId;

/// The methods that content knows, for `Allow`.
pub const ALLOWED: &str = "GET, HEAD, OPTIONS";

/// A stretch of the body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Text(Cow<'static, [u8]>),
    /// These bytes of the content. Never empty.
    Content(Range<u64>),
}

/// Content as it was found: the very one that is to be sent, in its coding.
#[derive(Copy, Clone, Debug)]
pub struct Representation<'a> {
    /// Its length in bytes.
    pub length: u64,
    /// A strong entity tag of its own, with its quotation marks.
    pub entity_tag: &'a [u8],
    /// When it was last changed, in seconds since 1970.
    pub modified_secs: u64,
    /// The name of the file: its ending says of what kind the content is.
    pub name: &'a [u8],
    /// The coding it lies in.
    pub coding: Option<Coding>,
    /// Whether another client might get it in another coding.
    pub varies: bool,
    /// A value for `Cache-Control`, which must be a proper one.
    pub cache_control: Option<&'a str>,
}

impl Representation<'_> {
    /// Writes the head of the answer to a GET or HEAD into `head`, and says what its body is, in
    /// order. HEAD gets the head that GET would get (RFC 9110 section 9.3.2), and no body.
    /// `id` names the request when it is refused; `now_secs` is the time of the answer in seconds
    /// since 1970; `boundary` is asked for something unguessable when there are several ranges.
    pub fn answer(
        &self,
        request: &RequestHead,
        id: &RequestId,
        now_secs: u64,
        boundary: impl FnOnce() -> u64,
        head: &mut ResponseHead,
    ) -> Vec<Part> {
        let version = Validators {
            entity_tag: self.entity_tag,
            modified_secs: self.modified_secs,
        };
        match version.judge(request) {
            Condition::Failed => return refuse(request, id, 412, head),
            Condition::NotModified => {
                begin(head, 304);
                self.push_common(head);
                return Vec::new();
            }
            Condition::Met => {}
        }
        if request.method() != b"GET" {
            self.begin_whole(now_secs, head);
            return Vec::new();
        }
        match self.selection(request, &version, now_secs) {
            Selection::Whole => {
                self.begin_whole(now_secs, head);
                let whole = Part::Content(0..self.length);
                Some(whole)
                    .filter(|_| self.length > 0)
                    .into_iter()
                    .collect()
            }
            Selection::Parts(ranges) => self.partial(request, ranges, now_secs, boundary(), head),
            Selection::Unsatisfiable => {
                let parts = refuse(request, id, 416, head);
                push(head, "Content-Range", &format!("bytes */{}", self.length));
                push(head, "Accept-Ranges", "bytes");
                parts
            }
        }
    }

    fn selection(&self, request: &RequestHead, own: &Validators<'_>, now_secs: u64) -> Selection {
        let mut values = request.field_all(b"range");
        match (values.next(), values.next()) {
            (Some(value), None) if own.allow_range(request, now_secs) => select(value, self.length),
            _ => Selection::Whole,
        }
    }

    fn begin_whole(&self, now_secs: u64, head: &mut ResponseHead) {
        begin(head, 200);
        head.set_content_length(self.length);
        push(head, "Content-Type", &media_type(self.name));
        self.push_metadata(now_secs, head);
        self.push_common(head);
    }

    fn partial(
        &self,
        request: &RequestHead,
        ranges: Vec<Range<u64>>,
        now_secs: u64,
        boundary: u64,
        head: &mut ResponseHead,
    ) -> Vec<Part> {
        begin(head, 206);
        // RFC 9110 section 15.3.7: who asks with If-Range has the metadata from before.
        let is_known = request.field(b"if-range").is_some();
        let media_type = media_type(self.name);
        let parts = match &ranges[..] {
            [only] => {
                push(
                    head,
                    "Content-Range",
                    &multipart::content_range(only, self.length),
                );
                if !is_known {
                    push(head, "Content-Type", &media_type);
                }
                vec![Part::Content(only.clone())]
            }
            _ => {
                push(head, "Content-Type", &multipart::content_type(boundary));
                // Each part says it, whoever asks: RFC 9110 section 14.6.
                multipart::parts(ranges, self.length, &media_type, boundary)
            }
        };
        head.set_content_length(parts.iter().map(Part::len).sum());
        if !is_known {
            self.push_metadata(now_secs, head);
        }
        self.push_common(head);
        parts
    }

    /// What describes the content.
    fn push_metadata(&self, now_secs: u64, head: &mut ResponseHead) {
        if let Some(coding) = self.coding {
            push(head, "Content-Encoding", coding.name());
        }
        // RFC 9110 section 8.8.2.1: never later than the answer itself.
        let modified_secs = self.modified_secs.min(now_secs).min(LAST_SECOND);
        let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(modified_secs));
        push(head, "Last-Modified", &date.to_string());
        push(head, "Accept-Ranges", "bytes");
    }

    /// What 304 and 206 must have as well: RFC 9110 sections 15.3.7 and 15.4.5.
    fn push_common(&self, head: &mut ResponseHead) {
        head.push(b"ETag", self.entity_tag)
            .expect("an entity tag is a proper value");
        if self.varies {
            push(head, "Vary", "Accept-Encoding");
        }
        if let Some(value) = self.cache_control {
            push(head, "Cache-Control", value);
        }
    }
}

impl Part {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Content(range) => range.end - range.start,
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether a method is one that asks for content.
#[must_use]
pub fn has_method(request: &RequestHead) -> bool {
    matches!(request.method(), b"GET" | b"HEAD")
}

/// The answer to OPTIONS: what may be asked (RFC 9110 section 9.3.7).
pub fn options(head: &mut ResponseHead) -> Vec<Part> {
    begin(head, 204);
    push(head, "Allow", ALLOWED);
    Vec::new()
}

/// A folder was asked for without the slash at its end: sends the client there (301), for
/// relative links on its page would lead astray otherwise.
pub fn redirect(request: &RequestHead, id: &RequestId, head: &mut ResponseHead) -> Vec<Part> {
    let Some(location) = folder_location(request.path(), request.query()) else {
        return refuse(request, id, 400, head);
    };
    let parts = refuse(request, id, 301, head);
    head.push(b"Location", &location)
        .expect("a path that is percent-encoded is a proper value");
    parts
}

/// An answer that is no content: this status, and what it means, in the form that the client asks
/// for and with the name of the request. To HEAD only its length.
pub fn refuse(
    request: &RequestHead,
    id: &RequestId,
    status: u16,
    head: &mut ResponseHead,
) -> Vec<Part> {
    let text = match status {
        301 => "moved permanently",
        400 => "bad request",
        403 => "forbidden",
        404 => "not found",
        405 => "method not allowed",
        412 => "precondition failed",
        416 => "range not satisfiable",
        503 => "service unavailable",
        _ => "internal error",
    };
    let form = ErrorForm::of(request);
    let page = ErrorPage {
        status,
        text,
        id: Some(&id.to_string()),
        details: None,
    };
    let text = page.body(form);
    begin(head, status);
    head.set_content_length(text.len() as u64);
    push(head, "Content-Type", form.content_type());
    push(head, "Vary", ErrorForm::VARY);
    if status == 405 {
        push(head, "Allow", ALLOWED);
    }
    let text = Part::Text(Cow::Owned(text.into_bytes()));
    let is_head = request.method() == b"HEAD";
    Some(text).filter(|_| !is_head).into_iter().collect()
}

fn begin(head: &mut ResponseHead, status: u16) {
    head.reset(status).expect("the status of a final response");
}

fn push(head: &mut ResponseHead, name: &str, value: &str) {
    head.push(name.as_bytes(), value.as_bytes())
        .expect("a proper field");
}
