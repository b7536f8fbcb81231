//! How urgent a client says that an answer is: the field `Priority` (RFC 9218).

use std::convert::Infallible;

use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};

/// Urgencies are 0, the most urgent, to this one (RFC 9218 section 4.1).
pub const URGENCY_MAX: u8 = 7;

/// What the client wants of the order in which answers are sent.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Priority {
    /// The lower, the sooner; at most [`URGENCY_MAX`].
    pub urgency: u8,
    /// Whether a part of the answer is of use already, so that it shares with others of its
    /// urgency and is not sent in one piece.
    pub incremental: bool,
}

impl Priority {
    /// What holds for a client that says nothing. All such answers share, because no one of them
    /// is known to be of no use before it is whole.
    pub const UNSAID: Self = Self {
        urgency: 3,
        incremental: true,
    };

    /// Reads the value of the field. What cannot be understood counts as not said: a wrong word
    /// about the order is no reason to refuse a request (RFC 9218 section 4).
    ///
    /// ```
    /// use http_proto::h2::Priority;
    /// assert_eq!(Priority::read(b"u=1, i"), Priority { urgency: 1, incremental: true });
    /// ```
    #[must_use]
    pub fn read(value: &[u8]) -> Self {
        let parser = Parser::new(value);
        parser
            .parse_dictionary_with_visitor(Reader::default())
            .unwrap_or(Self::UNSAID)
    }
}

/// Values that were last seen, of the kinds that they have to be of.
#[derive(Default)]
struct Reader {
    urgency: Option<u8>,
    incremental: Option<bool>,
}

impl<'de> DictionaryVisitor<'de> for Reader {
    type Out = Priority;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        Ok(match key.as_str() {
            "u" => Some(Entry::Urgency(&mut self.urgency)),
            "i" => Some(Entry::Flag(&mut self.incremental)),
            _ => None,
        })
    }

    fn finish(self) -> Result<Priority, Infallible> {
        Ok(Priority {
            urgency: self.urgency.unwrap_or(Priority::UNSAID.urgency),
            incremental: self.incremental.unwrap_or(false),
        })
    }
}

/// Where a member's value goes. The last of several of one name is the one that counts.
enum Entry<'a> {
    Urgency(&'a mut Option<u8>),
    Flag(&'a mut Option<bool>),
}

impl Entry<'_> {
    fn forget(self) {
        match self {
            Self::Urgency(urgency) => *urgency = None,
            Self::Flag(flag) => *flag = None,
        }
    }
}

impl<'de> EntryVisitor<'de> for Entry<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        self.forget();
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Entry<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        match (self, item) {
            (Self::Urgency(urgency), BareItemFromInput::Integer(value)) => {
                let value = u8::try_from(i64::from(value)).ok();
                *urgency = value.filter(|&value| value <= URGENCY_MAX);
            }
            (Self::Flag(flag), BareItemFromInput::Boolean(value)) => *flag = Some(value),
            (entry, _) => entry.forget(),
        }
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::Priority;

    fn check(value: &str, expected: &str) {
        let Priority {
            urgency,
            incremental,
        } = Priority::read(value.as_bytes());
        let incremental = if incremental { " i" } else { "" };
        assert_eq!(format!("{urgency}{incremental}"), expected, "{value:?}");
    }

    #[test]
    fn values() {
        check("u=0", "0");
        check("u=7, i", "7 i");
        check("i", "3 i");
        check("i=?1,u=5", "5 i");
        check("i=?0", "3");
        check("  u=2  ", "2");
        // Nothing was said of either.
        check("", "3");
        check("x=1, y", "3");
    }

    #[test]
    fn the_last_of_several_counts() {
        check("u=1, u=6", "6");
        check("i, i=?0", "3");
        check("u=1, u=none", "3");
    }

    #[test]
    fn values_of_other_kinds_and_out_of_range_are_not_said() {
        check("u=8", "3");
        check("u=-1", "3");
        check("u=1.5", "3");
        check("u=(1 2), i", "3 i");
        check("u=\"1\"", "3");
        check("i=1", "3");
        check("u=1;x=2;i", "1");
    }

    #[test]
    fn what_is_no_dictionary_is_as_if_not_sent() {
        check("u=", "3 i");
        check("U=1", "3 i");
        check("u=1,", "3 i");
        check(",", "3 i");
        check("u=1 i", "3 i");
        check("u=1, \u{e9}", "3 i");
    }
}
