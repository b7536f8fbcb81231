//! The body of a request that travels by itself, in pieces: how it may fail, and how the shuttle
//! that carries it is named.

/// Why the rest of a request's body will not come.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum BodyFault {
    /// The client has left, or the response was complete before the body was.
    Closed,
    /// The client sent nothing for as long as it may.
    Silent,
    /// There is more of it than is allowed here.
    TooLarge,
    /// Its framing cannot be understood.
    Malformed,
}

impl BodyFault {
    /// Every fault, for tables in documents and tests.
    pub const ALL: &[Self] = &[Self::Closed, Self::Silent, Self::TooLarge, Self::Malformed];

    /// The fault in a word or two, for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::TooLarge => "too large",
            Self::Malformed => "malformed",
        }
    }

    /// Status and text for the client of a request that fails because of it.
    #[must_use]
    pub fn answer(self) -> (u16, &'static str) {
        match self {
            Self::Closed => (400, "the request is incomplete"),
            Self::Silent => (408, "the request took too long"),
            Self::TooLarge => (413, "request entity is too large"),
            Self::Malformed => (400, "malformed request body"),
        }
    }
}

/// Names the shuttle of a body in the shuttle of its request: a place on the same link, and how
/// often that place was freed before.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct BodyBerth {
    /// The number of the berth.
    pub index: u16,
    /// How often it was freed before this trip.
    pub generation: u32,
}
