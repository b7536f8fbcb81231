//! Which form of an error a client gets, and that nothing in it can leave its place.

use proptest::prelude::*;

use crate::content::{ErrorForm, ErrorPage};

fn check(accept: &[&str], wanted: ErrorForm) {
    let values = accept.iter().map(|value| value.as_bytes());
    assert_eq!(ErrorForm::wanted(values), wanted, "{accept:?}");
}

#[test]
fn only_a_type_that_is_named_counts() {
    use ErrorForm::{Html, Json, Text};
    let rows: &[(&[&str], ErrorForm)] = &[
        (&[], Text),
        (&[""], Text),
        (&["*/*"], Text),
        (&["text/*, application/*"], Text),
        (&["image/png"], Text),
        (&["text/html"], Html),
        (&["application/json"], Json),
        (&["APPLICATION/JSON"], Json),
        (&["application/json, */*"], Json),
        // What browsers send.
        (
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
            Html,
        ),
        (&["text/html;q=0.8, application/json;q=0.9"], Json),
        (&["text/html, application/json"], Html),
        (&["application/json, text/html"], Json),
        (&["text/html", "application/json"], Html),
        (&["text/html;q=0.5, text/plain"], Text),
        (&["text/html;q=0.5, text/plain;q=0.4"], Html),
        (&["text/html;q=0"], Text),
        (&["text/html;q=0, application/json;q=0.001"], Json),
        (
            &["text/html ; level=1 ; q=0.2, application/json;q=0.1"],
            Html,
        ),
        // Malformed ones are as if they were not there.
        (&["text/html;q=2, application/json;q=0.1"], Json),
        (&["text/html;q=, application/json;q=x"], Text),
        (&["text/htm", "/json", ";;,,=,"], Text),
    ];
    for (accept, wanted) in rows {
        check(accept, *wanted);
    }
}

#[test]
fn pages_say_what_is_known() {
    let page = ErrorPage {
        status: 500,
        text: "it <failed>",
        id: Some("a7"),
        details: Some("app.lua:1: \"x\" & y\n\tin z\u{1b}"),
    };
    assert_eq!(
        page.body(ErrorForm::Text),
        "it <failed>\n\napp.lua:1: \"x\" & y\n\tin z\u{1b}\n"
    );
    assert_eq!(
        page.body(ErrorForm::Json),
        "{\"status\":500,\"error\":\"it <failed>\",\"request_id\":\"a7\",\
         \"details\":\"app.lua:1: \\\"x\\\" & y\\n\\tin z\\u001b\"}"
    );
    let html = page.body(ErrorForm::Html);
    for part in [
        "<title>500 Internal Server Error</title>",
        "<p>it &lt;failed&gt;</p>",
        "<code>a7</code>",
        "<pre>app.lua:1: &quot;x&quot; &amp; y\n\tin z\u{fffd}</pre>",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let bare = ErrorPage {
        id: None,
        details: None,
        ..page
    };
    assert!(!bare.body(ErrorForm::Html).contains("<pre>"));
    assert_eq!(bare.body(ErrorForm::Text), "it <failed>");
}

/// What a list may hold.
const ELEMENT: &str = "(text/html|text/plain|application/json|\\*/\\*|[ -~]{0,8})\
                       (;q=[01]\\.?[0-9]{0,3})?";

proptest! {
    /// Any bytes have an answer, and how an element is written into fields makes no difference.
    #[test]
    fn values_are_one_list(
        elements in proptest::collection::vec(ELEMENT, 0..6),
    ) {
        let whole = elements.join(", ");
        let one = ErrorForm::wanted(std::iter::once(whole.as_bytes()));
        let many = ErrorForm::wanted(elements.iter().map(String::as_bytes));
        prop_assert_eq!(one, many);
    }

    #[test]
    fn anything_may_be_asked(value in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = ErrorForm::wanted(std::iter::once(&value[..]));
    }

    /// What is told cannot end what it is told in.
    #[test]
    fn texts_stay_in_their_place(text in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
        let page = ErrorPage { status: 400, text: &text, id: None, details: None };
        let json = page.body(ErrorForm::Json);
        let inner = json.strip_prefix("{\"status\":400,\"error\":\"").unwrap();
        let inner = inner.strip_suffix("\"}").unwrap();
        prop_assert!(!inner.replace("\\\\", "").replace("\\\"", "").contains('"'));
        prop_assert!(!inner.chars().any(char::is_control));
        let html = page.body(ErrorForm::Html);
        let start = html.find("<p>").unwrap() + 3;
        let end = html.find("</p>").unwrap();
        prop_assert!(!html[start..end].contains(['<', '>', '"']));
        let bare = ErrorPage { text: "", ..page }.body(ErrorForm::Html);
        prop_assert_eq!(html.matches('<').count(), bare.matches('<').count());
    }
}
