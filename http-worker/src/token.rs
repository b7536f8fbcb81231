//! Names of connections that cannot be mistaken for those of earlier ones in the same place.

use mio::Token;

/// Bits for the place in the table: enough for [`CONNECTIONS_MAX_COUNT`].
///
/// [`CONNECTIONS_MAX_COUNT`]: crate::limits::CONNECTIONS_MAX_COUNT
const INDEX_BITS: u32 = 20;
/// One bit less than there is, so that no connection has the token of a door.
const GENERATION_BITS: u32 = usize::BITS - INDEX_BITS - 1;

const _: () = assert!(crate::limits::CONNECTIONS_MAX_COUNT <= 1 << INDEX_BITS);

/// A place in the connection table, and which of its connections is meant.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ConnToken(usize);

impl ConnToken {
    /// The connection number `count` of this worker, in place `index`.
    pub(crate) fn new(index: usize, count: usize) -> Self {
        debug_assert!(index < 1 << INDEX_BITS);
        let generation = count % (1 << GENERATION_BITS);
        Self(generation << INDEX_BITS | index)
    }

    /// The place.
    pub(crate) fn index(self) -> usize {
        self.0 % (1 << INDEX_BITS)
    }

    /// As a number for the timer wheel.
    pub(crate) fn timer(self) -> u32 {
        u32::try_from(self.index()).expect("the index has 20 bits")
    }
}

impl From<Token> for ConnToken {
    fn from(token: Token) -> Self {
        Self(token.0)
    }
}

impl From<ConnToken> for Token {
    fn from(token: ConnToken) -> Self {
        Self(token.0)
    }
}
