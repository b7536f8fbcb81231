//! The Rust half of `httpng.router`: its own errors, told in the form that a client asks for.

use http_proto::content::{ErrorForm, ErrorPage};

use crate::raw::{Outcome, Stack, Verb, verb};

/// See `lua/httpng/router.lua`.
pub(super) const VERBS: &[(&str, Verb)] = &[("error_page", verb(error_page))];

/// `error_page(accept, status, text, id)`: the body, its type, and what it varies by.
fn error_page(stack: &mut Stack) -> Outcome {
    let form = ErrorForm::wanted(stack.bytes(1).into_iter());
    let status = stack.number(2).unwrap_or(500.0) as u16;
    let text = stack.lossy(3).unwrap_or_default();
    let id = stack.lossy(4);
    let page = ErrorPage {
        status,
        text: &text,
        id: id.as_deref(),
        details: None,
    };
    stack.push_str(&page.body(form));
    stack.push_str(form.content_type());
    stack.push_str(ErrorForm::VARY);
    Ok(3)
}
