//! A second reader of requests, by other people, beside ours: where both take a request they must
//! agree on where it ends and what it asks for. A disagreement is how requests are smuggled.

#![no_main]

use std::cell::RefCell;

use http_proto::h1::{Engine, Event, Limits};
use http_proto::{Fields, RequestHead};
use libfuzzer_sys::fuzz_target;
use milo_parser::{
    CALLBACK_ACTIVE_ON_HEADER_NAME, CALLBACK_ACTIVE_ON_MESSAGE_COMPLETE, CALLBACK_ACTIVE_ON_METHOD,
    CALLBACK_ACTIVE_ON_URL, Parser,
};

/// What a reader made of one request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Read {
    method: (usize, usize),
    target: (usize, usize),
    fields: usize,
    /// Where it ends, in bytes from the front of the input.
    end: usize,
}

thread_local! {
    /// What the second reader has told. Its callbacks are plain functions.
    static TOLD: RefCell<(Read, Vec<Read>)> = RefCell::default();
}

fuzz_target!(|input: &[u8]| agrees(input));

/// Both read the whole of `input`, as many requests as they take.
fn agrees(input: &[u8]) {
    let ours = ours(input);
    for (index, (ours, theirs)) in ours.iter().zip(theirs(input)).enumerate() {
        assert_eq!(
            *ours,
            theirs,
            "request {index} of {:?}",
            input.escape_ascii().to_string()
        );
    }
}

fn ours(input: &[u8]) -> Vec<Read> {
    let mut engine = Engine::new(Limits::default());
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let (mut at, mut read, mut all) = (0, Read::default(), Vec::new());
    loop {
        let step = engine.poll(&input[at..], &mut head, &mut trailers);
        let from = at;
        at += step.consumed;
        match step.event {
            Event::NeedMore | Event::Error(_) => return all,
            Event::Head(_) => {
                let empty_lines = input[from..].chunks(2).take_while(|line| line == b"\r\n");
                let start = from + 2 * empty_lines.count();
                read.method = (start, head.method().len());
                read.target = (start + head.method().len() + 1, head.target().len());
                read.fields = head.fields().len();
            }
            Event::End => {
                read.end = at;
                all.push(std::mem::take(&mut read));
            }
            Event::ExpectContinue | Event::Body(_) => {}
        }
    }
}

fn theirs(input: &[u8]) -> Vec<Read> {
    TOLD.take();
    let mut parser = Parser::new();
    parser.autodetect = false;
    parser.is_request = true;
    parser.max_start_line_length = 64 * 1024;
    parser.max_header_length = 64 * 1024;
    parser.active_callbacks = CALLBACK_ACTIVE_ON_METHOD
        | CALLBACK_ACTIVE_ON_URL
        | CALLBACK_ACTIVE_ON_HEADER_NAME
        | CALLBACK_ACTIVE_ON_MESSAGE_COMPLETE;
    parser.callbacks.on_method = |_, at, len| told(|read| read.method = (at, len));
    parser.callbacks.on_url = |_, at, len| told(|read| read.target = (at, len));
    parser.callbacks.on_header_name = |_, _, _| told(|read| read.fields += 1);
    parser.callbacks.on_message_complete = |_, at, _| {
        TOLD.with_borrow_mut(|(read, all)| {
            read.end = at;
            all.push(std::mem::take(read));
        });
    };
    parser.parse(input.as_ptr(), input.len());
    TOLD.take().1
}

fn told(note: impl FnOnce(&mut Read)) {
    TOLD.with_borrow_mut(|(read, _)| note(read));
}
