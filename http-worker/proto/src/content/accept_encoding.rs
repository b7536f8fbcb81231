//! In which codings a client wants content: `Accept-Encoding`, RFC 9110 section 12.5.3.

use crate::head::token::{list, trim};

/// A coding in which content may lie ready beside itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `br`, RFC 7932.
    Brotli,
    /// `zstd`, RFC 8878.
    Zstandard,
    /// `gzip`, RFC 9110 section 8.4.1.3.
    Gzip,
}

impl Coding {
    /// All of them, that which usually makes content smallest first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstandard, Self::Gzip];

    /// Its name in `Content-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstandard => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What the name of a file in this coding ends in, after the name of the file itself.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstandard => ".zst",
            Self::Gzip => ".gz",
        }
    }

    fn is_named(self, name: &[u8]) -> bool {
        // RFC 9110 section 8.4.1.3: an old name of gzip means the same.
        name.eq_ignore_ascii_case(self.name().as_bytes())
            || (self == Self::Gzip && name.eq_ignore_ascii_case(b"x-gzip"))
    }
}

/// Codings in the order in which the client wants them.
pub type Codings = std::iter::Flatten<std::array::IntoIter<Option<Coding>, 3>>;

/// The codings that the client would rather have than the content as it is, best first. `values`
/// are those of `Accept-Encoding`; without any the content goes as it is.
pub fn codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Codings {
    Accepted::of(values).0.in_order()
}

/// What a client says of codings, to be kept until there is something to be coded.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted(Wishes);

impl Accepted {
    /// What these values of `Accept-Encoding` say.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut wishes = Wishes::default();
        for element in values.flat_map(list) {
            wishes.take(element);
        }
        Self(wishes)
    }

    /// The coding that the client likes best of those `offered`, the first of equals. `None`: it
    /// would rather have the content as it is, or takes none of these.
    #[must_use]
    pub fn choose(&self, offered: &[Coding]) -> Option<Coding> {
        let weight = |coding: &Coding| self.0.weight(*coding as usize);
        let wanted = offered
            .iter()
            .filter(|coding| weight(coding) >= self.0.least());
        wanted.rev().max_by_key(|coding| weight(coding)).copied()
    }

    /// Whether the client does not want content as it is.
    #[must_use]
    pub fn refuses_identity(&self) -> bool {
        self.0.identity.or(self.0.others) == Some(0)
    }
}

/// Weights in thousandths; absent: not named.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Wishes {
    codings: [Option<u16>; Coding::ALL.len()],
    identity: Option<u16>,
    others: Option<u16>,
}

impl Wishes {
    /// Takes one element. What is malformed is as if it were not there.
    fn take(&mut self, element: &[u8]) {
        let mut pieces = element.splitn(2, |&byte| byte == b';');
        let name = trim(pieces.next().unwrap_or_default());
        let Some(weight) = pieces.next().map_or(Some(1000), weight) else {
            return;
        };
        let place = match name {
            b"*" => &mut self.others,
            name if name.eq_ignore_ascii_case(b"identity") => &mut self.identity,
            name => match Coding::ALL.iter().position(|coding| coding.is_named(name)) {
                Some(at) => &mut self.codings[at],
                None => return,
            },
        };
        place.get_or_insert(weight);
    }

    /// What a coding has to weigh to be wanted. Content as it is stays acceptable when nobody
    /// speaks of it, but nobody asked for it.
    fn least(&self) -> u16 {
        self.identity.unwrap_or(0).max(1)
    }

    /// The weight of that coding of [`Coding::ALL`].
    fn weight(&self, at: usize) -> u16 {
        self.codings[at].or(self.others).unwrap_or(0)
    }

    fn in_order(&self) -> Codings {
        let least = self.least();
        let weight = |at: usize| self.weight(at);
        let mut order = [0, 1, 2];
        order.sort_by_key(|&at| std::cmp::Reverse(weight(at)));
        let is_wanted = |at: &usize| weight(*at) >= least;
        let wanted = order.map(|at| Some(at).filter(is_wanted).map(|at| Coding::ALL[at]));
        wanted.into_iter().flatten()
    }
}

/// `q=` with its value, RFC 9110 section 12.4.2, in thousandths.
pub(super) fn weight(parameter: &[u8]) -> Option<u16> {
    let value = match trim(parameter) {
        [b'q' | b'Q', b'=', value @ ..] => value,
        _ => return None,
    };
    let (whole, rest) = value.split_first()?;
    let decimals = match rest {
        [] => rest,
        [b'.', decimals @ ..] if decimals.len() <= 3 => decimals,
        _ => return None,
    };
    let mut thousandths = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    let mut unit = 100;
    for digit in decimals {
        thousandths += digit
            .is_ascii_digit()
            .then(|| u16::from(digit - b'0') * unit)?;
        unit /= 10;
    }
    (thousandths <= 1000).then_some(thousandths)
}
