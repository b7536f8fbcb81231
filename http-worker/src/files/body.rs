//! The body of an answer that is, or has in it, bytes of a file.

use std::sync::Arc;

use http_proto::content::Part;

use super::Opened;

/// What follows the head. Nothing of it has been read.
#[derive(Debug)]
pub(crate) struct Body {
    parts: Vec<Part>,
    file: Option<Arc<Opened>>,
}

impl Body {
    pub(super) fn new(parts: Vec<Part>, file: Option<Arc<Opened>>) -> Self {
        Self { parts, file }
    }

    /// Its parts, in order.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The file that the parts of content are of.
    pub(crate) fn file(&self) -> &Arc<Opened> {
        self.file.as_ref().expect("there is content only of a file")
    }

    /// How many bytes of the file are in it.
    pub(crate) fn file_bytes(&self) -> u64 {
        let of_file = |part: &Part| match part {
            Part::Content(range) => range.end - range.start,
            Part::Text(_) => 0,
        };
        self.parts.iter().map(of_file).sum()
    }
}
