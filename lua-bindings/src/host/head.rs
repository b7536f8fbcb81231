//! Heads of responses from what Lua gives.

use http_proto::{FieldError, ResponseHead, Trailers};

use crate::raw::{Kind, Pair, Slot, Stack};

/// Why a head, or trailers, could not be filled in: a sentence that begins with `headers`, or
/// `trailers`.
pub(super) struct HeadFault(pub(super) String);

/// The status of a returned table: 200 if it is no number.
pub(super) fn status_of(stack: &Stack, slot: Slot) -> i64 {
    match stack.kind(slot) {
        Kind::Number => stack.number(slot).map_or(200, whole),
        _ => 200,
    }
}

/// A number without its fraction. What is no number becomes one that no status has.
pub(super) fn whole(number: f64) -> i64 {
    if number.is_finite() {
        number as i64
    } else {
        -1
    }
}

/// Sets status and fields. `headers` is the position of a table, or of nil, or 0 for none.
pub(super) fn fill_head(
    stack: &mut Stack,
    head: &mut ResponseHead,
    status: i64,
    headers: Slot,
) -> Result<(), HeadFault> {
    let reset = u16::try_from(status).map(|status| head.reset(status));
    if !matches!(reset, Ok(Ok(()))) {
        return Err(HeadFault(format!(
            "HTTP code {status} is not the status of a final response"
        )));
    }
    if headers == 0 || stack.kind(headers) == Kind::Nil {
        return Ok(());
    }
    if stack.kind(headers) != Kind::Table {
        return Err(HeadFault("headers is not a table".to_owned()));
    }
    fill_fields(stack, head, headers)
}

/// The trailers that a table says; `None` if it says none.
pub(super) fn trailers_of(
    stack: &mut Stack,
    table: Slot,
) -> Result<Option<Box<Trailers>>, HeadFault> {
    match stack.kind(table) {
        Kind::Nil | Kind::None => return Ok(None),
        Kind::Table => {}
        _ => return Err(HeadFault("trailers is not a table".to_owned())),
    }
    let mut trailers = Box::<Trailers>::default();
    fill_fields(stack, &mut *trailers, table)?;
    Ok((!trailers.is_empty()).then_some(trailers))
}

/// Says in the head what is known to follow the body (RFC 9110 section 6.6.2), unless the program
/// does so itself.
pub(super) fn announce(head: &mut ResponseHead, trailers: Option<&Trailers>) {
    let Some(trailers) = trailers else { return };
    let is_trailer = |(name, _): (&[u8], _)| name.eq_ignore_ascii_case(b"trailer");
    if !head.fields().any(is_trailer) {
        // Without room for it they come unannounced, which is allowed.
        let _ = head.push(b"Trailer", &trailers.names());
    }
}

/// What fields are filled into.
trait Section {
    /// What it is called in messages.
    const NAME: &'static str;

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), FieldError>;
}

impl Section for ResponseHead {
    const NAME: &'static str = "headers";

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), FieldError> {
        self.push(name, value)
    }
}

impl Section for Trailers {
    const NAME: &'static str = "trailers";

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), FieldError> {
        self.push(name, value)
    }
}

fn fill_fields<S: Section>(
    stack: &mut Stack,
    section: &mut S,
    table: Slot,
) -> Result<(), HeadFault> {
    let mut pairs = stack.pairs(table);
    while let Some(pair) = pairs.next() {
        match pair {
            Pair::Strings(name, value) => section
                .push(name, value)
                .map_err(|error| field_fault::<S>(name, None, error))?,
            Pair::Others(name, value) => {
                pairs.with(|stack| push_field(stack, section, name, value))?;
            }
        }
    }
    Ok(())
}

/// Adds the field whose name and value are at these positions.
fn push_field<S: Section>(
    stack: &mut Stack,
    section: &mut S,
    name: Slot,
    value: Slot,
) -> Result<(), HeadFault> {
    if stack.kind(name) != Kind::String {
        return Err(HeadFault(format!("{} are invalid", S::NAME)));
    }
    if stack.kind(value) != Kind::Table {
        return push_value(stack, section, name, None);
    }
    // A list: as many fields of this name.
    let list = value;
    for place in 1..=stack.raw_len(list) {
        let _ = stack.raw_item(list, place);
        let result = push_value(stack, section, name, Some(place));
        stack.pop(1);
        result?;
    }
    Ok(())
}

/// Adds a field of the name at `name` with the value on top. What is neither string nor number
/// becomes an empty value.
fn push_value<S: Section>(
    stack: &mut Stack,
    section: &mut S,
    name: Slot,
    place: Option<usize>,
) -> Result<(), HeadFault> {
    stack.stringify(-1);
    let name = stack.bytes(name).unwrap_or_default();
    let pushed = section.push(name, stack.bytes(-1).unwrap_or_default());
    pushed.map_err(|error| field_fault::<S>(name, place, error))
}

fn field_fault<S: Section>(name: &[u8], place: Option<usize>, error: FieldError) -> HeadFault {
    let (section, name) = (S::NAME, name.escape_ascii());
    let item = place
        .map(|place| format!(", value {place} of its list"))
        .unwrap_or_default();
    HeadFault(format!("{section} are invalid: \"{name}\"{item}: {error}"))
}
