//! Heads of responses from what Lua gives.

use http_proto::{FieldError, ResponseHead};

use crate::raw::{Kind, Pair, Slot, Stack};

/// Why a head could not be filled in: a sentence that begins with `headers`.
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
    let mut pairs = stack.pairs(headers);
    while let Some(pair) = pairs.next() {
        match pair {
            Pair::Strings(name, value) => head
                .push(name, value)
                .map_err(|error| head_fault(name, None, error))?,
            Pair::Others(name, value) => {
                pairs.with(|stack| push_header(stack, head, name, value))?;
            }
        }
    }
    Ok(())
}

/// Adds the header whose name and value are at these positions.
fn push_header(
    stack: &mut Stack,
    head: &mut ResponseHead,
    name: Slot,
    value: Slot,
) -> Result<(), HeadFault> {
    if stack.kind(name) != Kind::String {
        return Err(HeadFault("headers are invalid".to_owned()));
    }
    if stack.kind(value) != Kind::Table {
        return push_value(stack, head, name, None);
    }
    // A list: as many fields of this name.
    let list = value;
    for place in 1..=stack.raw_len(list) {
        let _ = stack.raw_item(list, place);
        let result = push_value(stack, head, name, Some(place));
        stack.pop(1);
        result?;
    }
    Ok(())
}

/// Adds a field of the name at `name` with the value on top. What is neither string nor number
/// becomes an empty value.
fn push_value(
    stack: &mut Stack,
    head: &mut ResponseHead,
    name: Slot,
    place: Option<usize>,
) -> Result<(), HeadFault> {
    stack.stringify(-1);
    let name = stack.bytes(name).unwrap_or_default();
    let pushed = head.push(name, stack.bytes(-1).unwrap_or_default());
    pushed.map_err(|error| head_fault(name, place, error))
}

fn head_fault(name: &[u8], place: Option<usize>, error: FieldError) -> HeadFault {
    let name = name.escape_ascii();
    let item = place
        .map(|place| format!(", value {place} of its list"))
        .unwrap_or_default();
    HeadFault(format!("headers are invalid: \"{name}\"{item}: {error}"))
}
