//! Our own answers to requests that went wrong, in the form that the client asks for: `Accept`,
//! RFC 9110 section 12.5.1.

use std::fmt::Write as _;

use super::accept_encoding::weight;
use crate::head::RequestHead;
use crate::head::token::{list, trim};
use crate::status::reason;

/// How an error is told.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum ErrorForm {
    /// A line of text: for all who do not ask for something else by its name.
    #[default]
    Text,
    /// An object of JSON.
    Json,
    /// A page.
    Html,
}

impl ErrorForm {
    /// The form that a client wants. `values` are those of `Accept`.
    ///
    /// Of the three types that we have, that with the greatest weight is meant, and of equal ones
    /// the first. Only a type that is named counts: `*/*` is what programs send that never thought
    /// of it, and they get what they always got.
    pub fn wanted<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut best = (0, Self::Text);
        for (form, weight) in values.flat_map(list).filter_map(wish) {
            if weight > best.0 {
                best = (weight, form);
            }
        }
        best.1
    }

    /// The form that the client of this request wants.
    #[must_use]
    pub fn of(request: &RequestHead) -> Self {
        Self::wanted(request.field_all(b"accept"))
    }

    /// The value of `Vary` beside it: a cache must not give one client's form to another.
    pub const VARY: &str = "Accept";

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// One element of `Accept`, if it names a type that we have. What is malformed is as if it were not
/// there.
fn wish(element: &[u8]) -> Option<(ErrorForm, u16)> {
    let mut pieces = element.split(|&byte| byte == b';').map(trim);
    let name = pieces.next()?;
    let form = [
        (ErrorForm::Text, "text/plain"),
        (ErrorForm::Json, "application/json"),
        (ErrorForm::Html, "text/html"),
    ];
    let is_named = |(_, known): &(ErrorForm, &str)| name.eq_ignore_ascii_case(known.as_bytes());
    let (form, _) = form.into_iter().find(is_named)?;
    let is_weight = |piece: &&[u8]| matches!(piece, [b'q' | b'Q', b'=', ..]);
    let weight = pieces.find(is_weight).map_or(Some(1000), weight)?;
    Some((form, weight))
}

/// What is told of an error.
#[derive(Copy, Clone, Debug)]
pub struct ErrorPage<'a> {
    /// The status of the answer.
    pub status: u16,
    /// What is wrong, for people.
    pub text: &'a str,
    /// What the request is called, if it has a name.
    pub id: Option<&'a str>,
    /// What only developers may see.
    pub details: Option<&'a str>,
}

impl ErrorPage<'_> {
    /// The body of the answer. As text it is what was always said, without the name.
    ///
    /// ```
    /// use http_proto::content::{ErrorForm, ErrorPage};
    /// let page = ErrorPage { status: 404, text: "not found", id: Some("a7"), details: None };
    /// assert_eq!(page.body(ErrorForm::Text), "not found");
    /// assert_eq!(
    ///     page.body(ErrorForm::Json),
    ///     r#"{"status":404,"error":"not found","request_id":"a7"}"#
    /// );
    /// ```
    #[must_use]
    pub fn body(&self, form: ErrorForm) -> String {
        match form {
            ErrorForm::Text => match self.details {
                Some(details) => format!("{}\n\n{details}\n", self.text),
                None => self.text.to_owned(),
            },
            ErrorForm::Json => self.json(),
            ErrorForm::Html => self.html(),
        }
    }

    fn json(&self) -> String {
        let mut body = format!("{{\"status\":{},\"error\":", self.status);
        json_string(self.text, &mut body);
        for (name, text) in [("request_id", self.id), ("details", self.details)] {
            if let Some(text) = text {
                let _ = write!(body, ",\"{name}\":");
                json_string(text, &mut body);
            }
        }
        body.push('}');
        body
    }

    fn html(&self) -> String {
        let (status, phrase) = (self.status, reason(self.status));
        let mut body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
             <title>{status} {phrase}</title></head>\n<body>\n<h1>{status} {phrase}</h1>\n<p>"
        );
        html_text(self.text, &mut body);
        body.push_str("</p>\n");
        if let Some(id) = self.id {
            body.push_str("<p>Request <code>");
            html_text(id, &mut body);
            body.push_str("</code></p>\n");
        }
        if let Some(details) = self.details {
            body.push_str("<pre>");
            html_text(details, &mut body);
            body.push_str("</pre>\n");
        }
        body.push_str("</body>\n</html>\n");
        body
    }
}

/// Appends a string of RFC 8259.
fn json_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// Appends a text that stays text, whatever is in it, also between quotes.
fn html_text(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            control if control.is_control() => out.push('\u{fffd}'),
            plain => out.push(plain),
        }
    }
}
