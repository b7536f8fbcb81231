//! Forms in pieces of any size, and what is none.

use proptest::prelude::*;

use super::{Event, Reader};
use crate::limits::FORM_PART_HEAD_MAX_BYTES;

const TYPE: &str = "multipart/form-data; boundary=XX";

/// What came out of a body that was fed in these pieces, as text: data of one part joined.
fn read<'a>(content_type: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut reader = match Reader::new(content_type) {
        Ok(reader) => reader,
        Err(fault) => return format!("{} {}", fault.status, fault.text),
    };
    let mut pieces = pieces.into_iter();
    let mut text = String::new();
    loop {
        match reader.step() {
            Ok(None) => match pieces.next() {
                Some(piece) => reader.feed(piece),
                None => reader.finish(),
            },
            Ok(Some(Event::Part(head))) => {
                text += &format!(
                    "[{} {:?} {:?}: ",
                    head.name, head.filename, head.content_type
                );
            }
            Ok(Some(Event::Data(data))) => text += &data.escape_ascii().to_string(),
            Ok(Some(Event::PartEnd)) => text.push(']'),
            Ok(Some(Event::End)) => return text + " end",
            Err(fault) => return format!("{text} {} {}", fault.status, fault.text),
        }
    }
}

fn check(body: &str, wanted: &str) {
    assert_eq!(read(TYPE, [body.as_bytes()]), wanted, "{body:?}");
}

const FORM: &str = "preamble\r\n\
    --XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X\r\n\
    --XX\r\ncontent-disposition: form-data; name=f; filename=\"x \\\"y\\\".txt\"\r\n\
    Content-Type: text/plain\r\n\r\n\r\nline\r\n\r\n--XX--\r\nepilogue";

const SEEN: &str = "[a None None: 1\\r\\n--X][f Some(\"x \\\"y\\\".txt\") Some(\"text/plain\"): \
    \\r\\nline\\r\\n] end";

#[test]
fn forms_and_what_is_none() {
    check(FORM, SEEN);
    check("--XX--", " end");
    check("", " 400 the form: incomplete multipart stream");
    check(
        "--XX\r\nx: y\r\n\r\n1\r\n--XX--",
        " 400 the form: a part has no name",
    );
    let cut = &FORM[..FORM.len() - 14];
    assert!(
        read(TYPE, [cut.as_bytes()]).contains(" 400 the form: "),
        "{cut}"
    );
    let text = read("multipart/form-data", []);
    assert!(
        text.starts_with("400 the content-type of the form: "),
        "{text}"
    );
}

/// A part whose head has so many bytes.
fn part(head_bytes: usize) -> Vec<u8> {
    let disposition = "form-data; name=a";
    let padding = head_bytes - "content-disposition".len() - disposition.len() - 1;
    let padding = "y".repeat(padding);
    format!("--XX\r\ncontent-disposition: {disposition}\r\nx: {padding}\r\n\r\n1\r\n--XX--").into()
}

#[test]
fn the_head_of_a_part_is_bounded() {
    let whole = part(FORM_PART_HEAD_MAX_BYTES);
    assert_eq!(read(TYPE, [&whole[..]]), "[a None None: 1] end");
    let long = part(FORM_PART_HEAD_MAX_BYTES + 1);
    assert!(read(TYPE, [&long[..]]).contains(" 413 the form: the head of a part"));
    // One that never ends is not waited for.
    let endless = vec![b'x'; 1000];
    let mut fed = 0;
    let pieces = std::iter::repeat_with(|| {
        fed += 1;
        &endless[..]
    });
    let text = read(TYPE, pieces.take(1000));
    assert!(text.contains(" 413 the form: the head of a part"), "{text}");
    assert_eq!(fed, FORM_PART_HEAD_MAX_BYTES / 1000 + 1);
}

proptest! {
    #[test]
    fn any_split_gives_the_same(cuts in proptest::collection::vec(1..40usize, 1..40)) {
        let mut rest = FORM.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            let (piece, next) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = next;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(read(TYPE, pieces), SEEN);
    }

    #[test]
    fn no_bytes_do_harm(body in proptest::collection::vec(
        prop_oneof![Just(b"--XX".to_vec()), Just(b"\r\n".to_vec()), Just(b"--".to_vec()),
            Just(b"name=\"".to_vec()), Just(b"content-disposition: form-data; name=a".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..9)], 0..30)) {
        let pieces: Vec<&[u8]> = body.iter().map(Vec::as_slice).collect();
        let text = read(TYPE, pieces);
        prop_assert!(text.contains(" 4") || text.ends_with(" end"));
    }
}
