//! The Rust half of `json`: `serde_json` reads and writes, straight from and to the Lua stack.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::ser::{CompactFormatter, Formatter};

use crate::limits::{JSON_DEPTH_MAX_COUNT, JSON_SPARSE_RATIO_COUNT, JSON_SPARSE_SAFE_COUNT};
use crate::raw::{Kind, Outcome, Raise, Slot, Stack, Verb, verb};

/// See `lua/json.lua`.
pub(super) const VERBS: &[(&str, Verb)] = &[
    ("decode", verb(decode)),
    ("encode", verb(encode)),
    (
        "null",
        verb(|stack| {
            stack.push_null();
            Ok(1)
        }),
    ),
];

/// Up to here a Lua number is every whole number exactly, so it is written as one.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// `decode(text, null, map_meta)`: nulls become `null`, and an empty object gets `map_meta`, so
/// that it does not become an array on the way back.
fn decode(stack: &mut Stack) -> Outcome {
    let Some(text) = stack.bytes(1).map(<[u8]>::to_vec) else {
        return Err(Raise::plain("json.decode: a string is expected"));
    };
    stack.set_top(3);
    let mut reader = serde_json::Deserializer::from_slice(&text);
    let result = Push { stack, depth: 0 }
        .deserialize(&mut reader)
        .and_then(|()| reader.end());
    match result {
        Ok(()) => Ok(1),
        Err(error) => Err(Raise::plain(format!("json.decode: {error}"))),
    }
}

/// Pushes one value.
struct Push<'s> {
    stack: &'s mut Stack,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Push<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Push<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.stack.push_copy(2);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.stack.push_bool(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.stack.push_number(value as f64);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.stack.push_number(value as f64);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.stack.push_number(value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.stack.push_str(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let depth = deeper(self.stack, self.depth)?;
        self.stack.push_table(items.size_hint().unwrap_or(0), 0);
        let table = self.stack.top();
        let mut place = 0;
        while items
            .next_element_seed(Push {
                stack: self.stack,
                depth,
            })?
            .is_some()
        {
            place += 1;
            self.stack.set_item(table, place);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let depth = deeper(self.stack, self.depth)?;
        self.stack.push_table(0, 0);
        let table = self.stack.top();
        let mut is_empty = true;
        while fields
            .next_key_seed(Push {
                stack: self.stack,
                depth,
            })?
            .is_some()
        {
            fields.next_value_seed(Push {
                stack: self.stack,
                depth,
            })?;
            self.stack.set_pair(table);
            is_empty = false;
        }
        if is_empty {
            self.stack.push_copy(3);
            self.stack.set_metatable(table);
        }
        Ok(())
    }
}

/// One level further down, with room on the stack for it.
fn deeper<E: de::Error>(stack: &mut Stack, depth: usize) -> Result<usize, E> {
    if depth >= JSON_DEPTH_MAX_COUNT || !stack.reserve(6) {
        return Err(E::custom(format_args!(
            "more than {JSON_DEPTH_MAX_COUNT} levels"
        )));
    }
    Ok(depth + 1)
}

/// `encode(value)`: the text, or nil when the value has to be prepared by Lua first.
fn encode(stack: &mut Stack) -> Outcome {
    let mut writer = Writer {
        out: Vec::with_capacity(128),
        path: Vec::new(),
    };
    match writer.value(stack, 1) {
        Ok(()) => {
            stack.push_bytes(&writer.out);
            Ok(1)
        }
        Err(Unfit::Unprepared) => {
            stack.push_nil();
            Ok(1)
        }
        Err(Unfit::Because(why)) => {
            let place = writer.place();
            Err(Raise::plain(format!("json.encode: {why}{place}")))
        }
    }
}

/// Why a value has no JSON.
enum Unfit {
    Because(String),
    /// Something in it needs Lua: a value of the FFI, or a function that serializes.
    Unprepared,
}

/// A step of the way to a value, for messages.
enum Step {
    Field(String),
    Item(usize),
}

/// Writes values; knows the way to the one that it is at.
struct Writer {
    out: Vec<u8>,
    path: Vec<Step>,
}

impl Writer {
    fn place(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if text.is_empty() => text.push_str(name),
                Step::Field(name) => text.push_str(&format!(".{name}")),
                Step::Item(place) => text.push_str(&format!("[{place}]")),
            }
        }
        if text.is_empty() {
            text
        } else {
            format!(" (at {text})")
        }
    }

    fn value(&mut self, stack: &mut Stack, slot: Slot) -> Result<(), Unfit> {
        match stack.kind(slot) {
            Kind::Nil | Kind::None => self.write(|f, out| f.write_null(out)),
            Kind::Boolean => {
                let value = stack.truth(slot);
                self.write(|f, out| f.write_bool(out, value))
            }
            Kind::Number => self.number(stack.number(slot).unwrap_or(0.0)),
            Kind::String => self.string(stack.bytes(slot).unwrap_or_default()),
            Kind::Table => self.table(stack, slot),
            Kind::Userdata if stack.is_null(slot) => self.write(|f, out| f.write_null(out)),
            Kind::Cdata => Err(Unfit::Unprepared),
            other => Err(unsupported(other)),
        }
    }

    /// Writing to memory cannot fail.
    fn write(
        &mut self,
        f: impl FnOnce(&mut CompactFormatter, &mut Vec<u8>) -> std::io::Result<()>,
    ) -> Result<(), Unfit> {
        f(&mut CompactFormatter, &mut self.out).map_err(|error| Unfit::Because(error.to_string()))
    }

    fn number(&mut self, number: f64) -> Result<(), Unfit> {
        if !number.is_finite() {
            return Err(Unfit::Because(format!("the number {number} has no JSON")));
        }
        if number == number.trunc() && number.abs() <= INTEGER_MAX {
            return self.write(|f, out| f.write_i64(out, number as i64));
        }
        self.write(|f, out| f.write_f64(out, number))
    }

    fn string(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Unfit::Because(format!("a string is not UTF-8: {error}")))?;
        serde_json::to_writer(&mut self.out, text)
            .map_err(|error| Unfit::Because(error.to_string()))
    }

    fn table(&mut self, stack: &mut Stack, slot: Slot) -> Result<(), Unfit> {
        if self.path.len() >= JSON_DEPTH_MAX_COUNT || !stack.reserve(8) {
            return Err(Unfit::Because(format!(
                "more than {JSON_DEPTH_MAX_COUNT} levels"
            )));
        }
        match shape(stack, slot)? {
            Shape::Digits => self.digits(stack, slot),
            Shape::Array(len) => self.array(stack, slot, len),
            Shape::Map => self.map(stack, slot),
        }
    }

    fn digits(&mut self, stack: &mut Stack, slot: Slot) -> Result<(), Unfit> {
        let _ = stack.raw_item(slot, 1);
        let digits = stack.bytes(-1).unwrap_or_default();
        if digits.is_empty() || !digits.iter().all(|byte| b"-0123456789".contains(byte)) {
            return Err(Unfit::Because("a number has no digits".to_owned()));
        }
        self.out.extend_from_slice(digits);
        stack.pop(1);
        Ok(())
    }

    fn array(&mut self, stack: &mut Stack, slot: Slot, len: usize) -> Result<(), Unfit> {
        self.out.push(b'[');
        for place in 1..=len {
            if place > 1 {
                self.out.push(b',');
            }
            self.path.push(Step::Item(place));
            let _ = stack.raw_item(slot, place);
            let item = stack.top();
            self.value(stack, item)?;
            stack.pop(1);
            self.path.pop();
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, stack: &mut Stack, slot: Slot) -> Result<(), Unfit> {
        self.out.push(b'{');
        let mut is_first = true;
        stack.push_nil();
        while stack.next(slot) {
            if !std::mem::take(&mut is_first) {
                self.out.push(b',');
            }
            let value = stack.top();
            // A copy: `next` needs the key as it is.
            stack.push_copy(-2);
            if !stack.stringify(-1) {
                let kind = stack.kind(-1).name();
                return Err(Unfit::Because(format!("a table key is a {kind}")));
            }
            let name = stack.bytes(-1).unwrap_or_default();
            self.path
                .push(Step::Field(String::from_utf8_lossy(name).into_owned()));
            self.string(name)?;
            stack.pop(1);
            self.out.push(b':');
            self.value(stack, value)?;
            stack.pop(1);
            self.path.pop();
        }
        self.out.push(b'}');
        Ok(())
    }
}

fn unsupported(kind: Kind) -> Unfit {
    Unfit::Because(format!("a {} has no JSON", kind.name()))
}

/// What a table is in JSON.
enum Shape {
    Array(usize),
    Map,
    /// The text of a number, made by the Lua half.
    Digits,
}

/// Keys that are all natural numbers make an array, if it is not much longer than it has items; an
/// empty table is an array; `__serialize` in the metatable decides.
fn shape(stack: &mut Stack, slot: Slot) -> Result<Shape, Unfit> {
    match told_shape(stack, slot)?.as_deref() {
        Some("map" | "mapping") => return Ok(Shape::Map),
        Some("digits") => return Ok(Shape::Digits),
        _ => {}
    }
    let (mut count, mut longest) = (0_usize, 0_usize);
    stack.push_nil();
    while stack.next(slot) {
        stack.pop(1);
        count += 1;
        let index = (stack.kind(-1) == Kind::Number)
            .then(|| stack.number(-1))
            .flatten();
        match index {
            Some(index) if index >= 1.0 && index == index.trunc() && index < 1e9 => {
                longest = longest.max(index as usize);
            }
            _ => {
                stack.pop(1);
                return Ok(Shape::Map);
            }
        }
    }
    if longest > JSON_SPARSE_SAFE_COUNT && longest > count * JSON_SPARSE_RATIO_COUNT {
        return Err(Unfit::Because(format!(
            "an array is excessively sparse: {count} items up to index {longest}"
        )));
    }
    Ok(Shape::Array(longest))
}

/// `__serialize` of the metatable, if it is a string.
fn told_shape(stack: &mut Stack, slot: Slot) -> Result<Option<String>, Unfit> {
    if !stack.push_metatable(slot) {
        return Ok(None);
    }
    let kind = stack.raw_field(-1, "__serialize");
    let told = stack.lossy(-1);
    stack.pop(2);
    if kind == Kind::Function {
        Err(Unfit::Unprepared)
    } else {
        Ok(told)
    }
}
