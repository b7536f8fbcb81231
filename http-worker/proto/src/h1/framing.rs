//! What the fields of a request say about its framing and its connection, and where that is
//! refused. This is where requests are smuggled: nothing here is guessed.

use super::{RequestBody, RequestFacts};
use crate::error::PeerErrorKind;
use crate::head::Version;
use crate::head::token::{decimal, is_token, list};

/// What the fields declare, gathered one by one.
#[derive(Debug, Default)]
pub(super) struct Declared {
    content_length: Option<u64>,
    coding: Coding,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    expects_other: bool,
}

/// The transfer codings so far, over all their fields.
#[derive(Debug, Default, PartialEq, Eq)]
enum Coding {
    #[default]
    None,
    /// `chunked` alone.
    Chunked,
    /// Others; `chunked` has not come yet.
    Unfinished,
    /// Others, then `chunked`.
    UnknownThenChunked,
}

impl Declared {
    /// Takes a field, its name in lower case. Whether it is `Host`.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) -> Result<bool, PeerErrorKind> {
        // Lengths first: they tell nearly every field apart from the five that matter.
        match (name.len(), name) {
            (4, b"host") => return Ok(true),
            (6, b"expect") => self.expect(value),
            (10, b"connection") => self.connection(value),
            (14, b"content-length") => self.content_length(value)?,
            (17, b"transfer-encoding") => self.transfer_encoding(value)?,
            _ => {}
        }
        Ok(false)
    }

    /// RFC 9110 section 10.1.1.
    fn expect(&mut self, value: &[u8]) {
        for expectation in list(value).filter(|element| !element.is_empty()) {
            if expectation.eq_ignore_ascii_case(b"100-continue") {
                self.expects_continue = true;
            } else {
                self.expects_other = true;
            }
        }
    }

    /// RFC 9110 section 7.6.1. Options that are not known say nothing to a server that has the
    /// last word on the request.
    fn connection(&mut self, value: &[u8]) {
        for option in list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// One field with one number. RFC 9110 section 8.6 allows to take a list of equal ones, and
    /// to refuse it.
    fn content_length(&mut self, value: &[u8]) -> Result<(), PeerErrorKind> {
        let length = decimal(value).ok_or(PeerErrorKind::ContentLength)?;
        if self.content_length.replace(length).is_some() {
            return Err(PeerErrorKind::ContentLengthRepeated);
        }
        Ok(())
    }

    /// RFC 9112 sections 6.1 and 7: a list over all fields, without empty elements, that has
    /// `chunked` once and last. Parameters of `chunked` are undefined.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), PeerErrorKind> {
        for coding in list(value) {
            let name = coding
                .split(|&byte| byte == b';')
                .next()
                .unwrap_or_default();
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.coding = match (&self.coding, chunked) {
                (Coding::Chunked | Coding::UnknownThenChunked, _) => {
                    return Err(PeerErrorKind::TransferCoding);
                }
                (Coding::None, true) => Coding::Chunked,
                (Coding::Unfinished, true) => Coding::UnknownThenChunked,
                (_, false) if is_other_coding(name) => Coding::Unfinished,
                (_, false) => return Err(PeerErrorKind::TransferCoding),
            };
        }
        Ok(())
    }

    /// Decides what all of it means together, or that it is refused.
    pub(super) fn settle(&self, facts: &mut RequestFacts) -> Result<(), PeerErrorKind> {
        let modern = facts.version != Version::Http10;
        facts.keep_alive = !self.close && (modern || self.keep_alive);
        facts.body = self.body(modern)?;
        // RFC 9110 section 10.1.1: a 1.0 client's expectation is ignored.
        if modern && self.expects_other {
            return Err(PeerErrorKind::Expectation);
        }
        facts.expects_continue = modern && self.expects_continue && facts.body != RequestBody::None;
        Ok(())
    }

    /// RFC 9112 section 6.3, with every choice it leaves taken for the refusal.
    fn body(&self, modern: bool) -> Result<RequestBody, PeerErrorKind> {
        if self.coding != Coding::None {
            if !modern {
                return Err(PeerErrorKind::TransferCodingOld);
            }
            if self.content_length.is_some() {
                return Err(PeerErrorKind::LengthAndCoding);
            }
        }
        match self.coding {
            Coding::Chunked => Ok(RequestBody::Chunked),
            Coding::UnknownThenChunked => Err(PeerErrorKind::TransferCodingUnknown),
            // The end of the body could not be found.
            Coding::Unfinished => Err(PeerErrorKind::TransferCoding),
            Coding::None => Ok(match self.content_length {
                None | Some(0) => RequestBody::None,
                Some(length) => RequestBody::Length(length),
            }),
        }
    }
}

/// A coding that may exist, and is not a disguise of `chunked`.
fn is_other_coding(name: &[u8]) -> bool {
    let name = name.trim_ascii_end();
    is_token(name) && !name.eq_ignore_ascii_case(b"chunked")
}
