//! Forms: what a client typed into fields and which files it chose. Fields become strings; files go
//! to temporary files, written by other threads, that are removed when the request is over.

mod pieces;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use percent_encoding::percent_decode;
use tempfile::{NamedTempFile, TempPath};

use super::HttpHost;
use super::request::ticket_of;
use super::trips::Ticket;
use crate::limits::{
    FORM_FIELDS_MAX_BYTES, FORM_FIELDS_MAX_COUNT, FORM_FILE_MAX_BYTES, FORM_FILES_MAX_COUNT,
    FORM_WRITE_BYTES,
};
use crate::multipart::{Event, Fault, PartHead, Reader};
use crate::raw::{Kind, Outcome, Raise, Slot, Stack, Verb, verb};
use crate::realm::{Realm, realm};

use pieces::{Pieces, over, pieces_of};

pub(super) const PAIRS: Verb = verb(pairs);
pub(super) const FORM: Verb = verb(form);
pub(super) const SAVE_FILE: Verb = verb(save_file);
pub(super) const READ_FILE: Verb = verb(read_file);

/// `pairs(text)`: a list of `{ name, value }` of a query.
fn pairs(stack: &mut Stack) -> Outcome {
    let text = stack.bytes(1).unwrap_or_default().to_vec();
    push_pairs(stack, &text, usize::MAX).map_err(|fault| Raise::text(fault.text))?;
    Ok(1)
}

/// The names and values of `application/x-www-form-urlencoded`, as they were typed: pairs between
/// `&`, names before the first `=`, `+` for a space, anything by percent signs (WHATWG URL section
/// 5.1). Bytes that are no UTF-8 stay what they are.
fn push_pairs(stack: &mut Stack, text: &[u8], most: usize) -> Result<(), Fault> {
    stack.push_table(4, 0);
    let list = stack.top();
    let pieces = text.split(|byte| *byte == b'&');
    for (place, pair) in pieces.filter(|pair| !pair.is_empty()).enumerate() {
        if place == most {
            return Err(too_many("fields", most));
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        stack.push_table(2, 0);
        for half in 1..=2 {
            stack.push_bytes(&decoded(halves.next().unwrap_or_default()));
            stack.set_item(-2, half);
        }
        stack.set_item(list, place + 1);
    }
    Ok(())
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).collect()
}

fn too_many(what: &str, most: usize) -> Fault {
    Fault::too_much(format!("the form: it has more than {most} {what}"))
}

/// What one call accepts.
struct Bounds {
    fields: usize,
    fields_bytes: usize,
    files: usize,
    file_bytes: usize,
}

impl Bounds {
    fn read(stack: &mut Stack, slot: Slot) -> Self {
        let mut number = |name, usual: usize| match stack.kind(slot) {
            Kind::Table => stack
                .number_field(slot, name)
                .map_or(usual, |number| number.max(0.0) as usize),
            _ => usual,
        };
        Self {
            fields: number("max_fields", FORM_FIELDS_MAX_COUNT),
            fields_bytes: number("max_fields_bytes", FORM_FIELDS_MAX_BYTES),
            files: number("max_files", FORM_FILES_MAX_COUNT),
            file_bytes: number("max_file_bytes", FORM_FILE_MAX_BYTES),
        }
    }
}

/// Why there is no form: the client's mistake, which is told to the handler, or an error of Lua.
enum Trouble {
    Fault(Fault),
    Raise(Raise),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Raise> for Trouble {
    fn from(raise: Raise) -> Self {
        Self::Raise(raise)
    }
}

/// `form(req, content_type, options)`: a list of what the form has, in order: `{ name, value }` for
/// a field, `{ name, filename =, content_type =, size =, path = }` for a file. Or nil, the mistake
/// of the client, and the status that tells it.
fn form(stack: &mut Stack) -> Outcome {
    stack.set_top(3);
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let content_type = stack.lossy(2).unwrap_or_default();
    let bounds = Bounds::read(stack, 3);
    let realm = realm();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let done = if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        urlencoded(&realm, stack, &mut *pieces_of(&realm, ticket)?, &bounds)
    } else if essence.eq_ignore_ascii_case("multipart/form-data") {
        let mut pieces = pieces_of(&realm, ticket)?;
        Collector::new(&realm, ticket, &bounds).collect(stack, &content_type, &mut *pieces)
    } else {
        let text = format!("the body is no form but '{essence}'");
        Err(Trouble::Fault(Fault { text, status: 415 }))
    };
    match done {
        Ok(()) => Ok(1),
        Err(Trouble::Raise(raise)) => Err(raise),
        Err(Trouble::Fault(fault)) => {
            stack.push_nil();
            stack.push_str(&fault.text);
            stack.push_number(f64::from(fault.status));
            Ok(3)
        }
    }
}

fn urlencoded(
    realm: &Realm,
    stack: &mut Stack,
    pieces: &mut dyn Pieces,
    bounds: &Bounds,
) -> Result<(), Trouble> {
    let mut text = Vec::new();
    while let Some(piece) = pieces.next(realm, stack)? {
        text.extend_from_slice(&piece);
        if text.len() > bounds.fields_bytes {
            return Err(fields_too_long(bounds).into());
        }
    }
    Ok(push_pairs(stack, &text, bounds.fields)?)
}

fn fields_too_long(bounds: &Bounds) -> Fault {
    let most = bounds.fields_bytes;
    Fault::too_much(format!("the form: its fields have more than {most} bytes"))
}

/// A file that comes.
#[derive(Default)]
struct Upload {
    /// Absent: nothing was written yet.
    file: Option<NamedTempFile>,
    /// What is to be written next.
    buffer: Vec<u8>,
    size: usize,
}

impl Upload {
    /// Has the buffer written by another thread.
    fn flush(&mut self, realm: &Realm, stack: &Stack) -> Result<(), Raise> {
        let (file, mut buffer) = (self.file.take(), std::mem::take(&mut self.buffer));
        let written = realm.block(stack, move || -> io::Result<_> {
            let mut file = file.map_or_else(NamedTempFile::new, Ok)?;
            file.write_all(&buffer)?;
            buffer.clear();
            Ok((file, buffer))
        })?;
        let (file, buffer) =
            written.map_err(|error| Raise::text(format!("a file of the form: {error}")))?;
        (self.file, self.buffer) = (Some(file), buffer);
        Ok(())
    }
}

/// The part that comes.
enum Current {
    None,
    Field(String, Vec<u8>),
    File(PartHead, Upload),
}

/// Puts a form together.
struct Collector<'a> {
    realm: &'a Realm,
    ticket: Ticket,
    bounds: &'a Bounds,
    fields_count: usize,
    fields_bytes: usize,
    files_count: usize,
    items_count: usize,
    current: Current,
}

impl<'a> Collector<'a> {
    fn new(realm: &'a Realm, ticket: Ticket, bounds: &'a Bounds) -> Self {
        Self {
            realm,
            ticket,
            bounds,
            fields_count: 0,
            fields_bytes: 0,
            files_count: 0,
            items_count: 0,
            current: Current::None,
        }
    }

    /// Leaves the list on the stack. What is there of a file that did not come as a whole goes like
    /// files of requests that are over.
    fn collect(
        mut self,
        stack: &mut Stack,
        content_type: &str,
        pieces: &mut dyn Pieces,
    ) -> Result<(), Trouble> {
        let done = self.read(stack, content_type, pieces);
        if let Current::File(_, Upload { file, .. }) = self.current {
            let file = file.map(NamedTempFile::into_temp_path);
            self.realm.http.trips.borrow_mut().left_files.extend(file);
        }
        done
    }

    fn read(
        &mut self,
        stack: &mut Stack,
        content_type: &str,
        pieces: &mut dyn Pieces,
    ) -> Result<(), Trouble> {
        stack.push_table(4, 0);
        let list = stack.top();
        let mut reader = Reader::new(content_type)?;
        loop {
            match reader.step()? {
                Some(Event::Part(head)) => self.begin(head)?,
                Some(Event::Data(data)) => self.add(stack, &data)?,
                Some(Event::PartEnd) => self.end_part(stack, list)?,
                Some(Event::End) => return Ok(()),
                None => match pieces.next(self.realm, stack)? {
                    Some(piece) => reader.feed(&piece),
                    None => reader.finish(),
                },
            }
        }
    }

    fn begin(&mut self, head: PartHead) -> Result<(), Fault> {
        if head.filename.is_some() {
            self.files_count += 1;
            if self.files_count > self.bounds.files {
                return Err(too_many("files", self.bounds.files));
            }
            self.current = Current::File(head, Upload::default());
        } else {
            self.fields_count += 1;
            if self.fields_count > self.bounds.fields {
                return Err(too_many("fields", self.bounds.fields));
            }
            self.count_bytes(head.name.len())?;
            self.current = Current::Field(head.name, Vec::new());
        }
        Ok(())
    }

    fn count_bytes(&mut self, count: usize) -> Result<(), Fault> {
        self.fields_bytes += count;
        if self.fields_bytes > self.bounds.fields_bytes {
            return Err(fields_too_long(self.bounds));
        }
        Ok(())
    }

    fn add(&mut self, stack: &Stack, data: &[u8]) -> Result<(), Trouble> {
        if let Current::Field(..) = self.current {
            self.count_bytes(data.len())?;
        }
        match &mut self.current {
            Current::Field(_, value) => value.extend_from_slice(data),
            Current::File(head, upload) => {
                upload.size += data.len();
                if upload.size > self.bounds.file_bytes {
                    let (name, most) = (&head.name, self.bounds.file_bytes);
                    let text = format!("the form: the file '{name}' has more than {most} bytes");
                    return Err(Fault::too_much(text).into());
                }
                upload.buffer.extend_from_slice(data);
                if upload.buffer.len() >= FORM_WRITE_BYTES {
                    upload.flush(self.realm, stack)?;
                }
            }
            Current::None => {}
        }
        Ok(())
    }

    fn end_part(&mut self, stack: &mut Stack, list: Slot) -> Result<(), Trouble> {
        match std::mem::replace(&mut self.current, Current::None) {
            Current::None => return Ok(()),
            Current::Field(name, value) => {
                stack.push_table(2, 0);
                stack.push_str(&name);
                stack.set_item(-2, 1);
                stack.push_bytes(&value);
                stack.set_item(-2, 2);
            }
            // A browser sends this for an input in which no file was chosen.
            Current::File(head, upload) if upload.size == 0 && is_nameless(&head) => return Ok(()),
            Current::File(head, upload) => self.end_file(stack, head, upload)?,
        }
        self.items_count += 1;
        stack.set_item(list, self.items_count);
        Ok(())
    }

    /// Leaves what is told of a file on the stack; the request keeps the file.
    fn end_file(&self, stack: &mut Stack, head: PartHead, mut upload: Upload) -> Result<(), Raise> {
        if upload.file.is_none() || !upload.buffer.is_empty() {
            upload.flush(self.realm, stack)?;
        }
        let Some(file) = upload.file else {
            return Ok(());
        };
        let file = file.into_temp_path();
        let path = file.to_string_lossy().into_owned();
        let http = &self.realm.http;
        http.with_trip(self.ticket, |trip| trip.files.push(file))
            .ok_or_else(over)?;
        stack.push_table(1, 4);
        stack.push_str(&head.name);
        stack.set_item(-2, 1);
        stack.push_str(&head.filename.unwrap_or_default());
        stack.set_field(-2, "filename");
        if let Some(content_type) = head.content_type {
            stack.push_str(&content_type);
            stack.set_field(-2, "content_type");
        }
        stack.push_number(upload.size as f64);
        stack.set_field(-2, "size");
        stack.push_str(&path);
        stack.set_field(-2, "path");
        Ok(())
    }
}

fn is_nameless(head: &PartHead) -> bool {
    head.filename.as_deref() == Some("")
}

/// `save_file(req, path, target)`: moves a temporary file of the request. True, or nil and why not.
fn save_file(stack: &mut Stack) -> Outcome {
    let (realm, ticket, path) = file_of(stack)?;
    let Some(target) = stack.lossy(3).map(PathBuf::from) else {
        return Err(Raise::text("file:save: the path is not a string"));
    };
    let Some(file) = take_file(&realm.http, ticket, &path) else {
        return no_file(stack);
    };
    match realm.block(stack, move || move_to(file, &target))? {
        Ok(()) => {
            stack.push_bool(true);
            Ok(1)
        }
        Err((error, file)) => {
            realm.http.with_trip(ticket, |trip| trip.files.push(file));
            stack.push_nil();
            stack.push_str(&error.to_string());
            Ok(2)
        }
    }
}

/// `read_file(req, path)`: what is in a temporary file of the request. Or nil and why not.
fn read_file(stack: &mut Stack) -> Outcome {
    let (realm, ticket, path) = file_of(stack)?;
    let is_ours = realm
        .http
        .with_trip(ticket, |trip| trip.files.iter().any(|file| **file == *path));
    if is_ours != Some(true) {
        return no_file(stack);
    }
    match realm.block(stack, move || std::fs::read(path))? {
        Ok(bytes) => {
            stack.push_bytes(&bytes);
            Ok(1)
        }
        Err(error) => {
            stack.push_nil();
            stack.push_str(&error.to_string());
            Ok(2)
        }
    }
}

fn file_of(stack: &Stack) -> Result<(Rc<Realm>, Ticket, PathBuf), Raise> {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let path = stack.lossy(2).unwrap_or_default();
    Ok((realm(), ticket, path.into()))
}

fn no_file(stack: &mut Stack) -> Outcome {
    stack.push_nil();
    stack.push_str("the file is not there any more");
    Ok(2)
}

fn take_file(http: &HttpHost, ticket: Ticket, path: &Path) -> Option<TempPath> {
    let taken = http.with_trip(ticket, |trip| {
        let place = trip.files.iter().position(|file| **file == *path)?;
        Some(trip.files.swap_remove(place))
    });
    taken.flatten()
}

/// Renames a file, or copies it where it cannot be renamed to: another file system. If it does not
/// work the file comes back.
fn move_to(file: TempPath, target: &Path) -> Result<(), (io::Error, TempPath)> {
    let Err(failed) = file.persist(target) else {
        return Ok(());
    };
    let (error, file) = (failed.error, failed.path);
    if error.kind() != io::ErrorKind::CrossesDevices {
        return Err((error, file));
    }
    match std::fs::copy(&file, target) {
        Ok(_) => Ok(()),
        Err(error) => Err((error, file)),
    }
}
