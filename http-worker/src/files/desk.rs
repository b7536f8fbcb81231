//! Where a worker answers requests for files.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_proto::content::{self, Coding, FileName, NameError, Part, Representation};
use http_proto::{RequestHead, RequestId, ResponseHead};
use rustix::io::Errno;

use super::folder::{Folder, Found};
use super::lone::Lone;
use super::{Body, FileOptions, Files, Opened};
use crate::limits::{FILES_KEPT_COUNT, FOLDER_RECHECK_MS};
use crate::routes::FileSite;

const RECHECK: Duration = Duration::from_millis(FOLDER_RECHECK_MS);

/// What a worker keeps for that: open folders, and for the length of a turn open files.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    folders: Vec<Watched>,
    kept: Vec<Kept>,
    /// Of the last answer.
    head: ResponseHead,
    /// Makes boundaries that nobody can guess.
    secret: RandomState,
    boundaries: u64,
}

/// A folder, and when it was last seen to be the one of its name.
#[derive(Debug)]
struct Watched {
    files: Arc<Files>,
    folder: Result<Folder, Errno>,
    seen_at: Instant,
    /// What was looked for beside its files.
    lone: Lone,
}

/// What a name led to in this turn.
#[derive(Debug)]
struct Kept {
    files: Arc<Files>,
    name: FileName,
    found: Result<Found, Errno>,
}

/// What is sent, if it is a file.
struct Chosen {
    file: Arc<Opened>,
    name: FileName,
    coding: Option<Coding>,
}

/// What else is answered.
enum Refusal {
    Status(u16),
    /// It is a folder: once more, with a slash.
    Folder,
}

impl Desk {
    /// Answers a request for something below a site: the body. The head stands in
    /// [`head`](Self::head) until the next answer. Asks the file system, and may wait for a disk.
    pub(crate) fn answer(
        &mut self,
        site: &FileSite,
        (request, id): (&RequestHead, &RequestId),
        now: Instant,
        now_secs: u64,
    ) -> Body {
        let mut head = std::mem::take(&mut self.head);
        let (parts, file) = self.decide(site, (request, id), (now, now_secs), &mut head);
        self.head = head;
        Body::new(parts, file)
    }

    /// The head of the last answer.
    pub(crate) fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// The same, for what every answer has.
    pub(crate) fn head_mut(&mut self) -> &mut ResponseHead {
        &mut self.head
    }

    /// A turn is over: lets go of what was opened in it.
    pub(crate) fn tidy_up(&mut self) {
        self.kept.clear();
    }

    /// Other folders are served: lets go of all.
    pub(crate) fn forget(&mut self) {
        self.kept.clear();
        self.folders.clear();
    }

    fn decide(
        &mut self,
        site: &FileSite,
        (request, id): (&RequestHead, &RequestId),
        (now, now_secs): (Instant, u64),
        head: &mut ResponseHead,
    ) -> (Vec<Part>, Option<Arc<Opened>>) {
        if request.method() == b"OPTIONS" {
            return (content::options(head), None);
        }
        if !content::has_method(request) {
            return (content::refuse(request, id, 405, head), None);
        }
        match self.choose(site, request, now) {
            Err(Refusal::Folder) => (content::redirect(request, id, head), None),
            Err(Refusal::Status(status)) => (content::refuse(request, id, status, head), None),
            Ok(chosen) => {
                let options = &site.files.0;
                let parts = chosen.represented(options).answer(
                    request,
                    id,
                    now_secs,
                    || self.boundary(),
                    head,
                );
                (parts, Some(chosen.file))
            }
        }
    }

    fn choose(
        &mut self,
        site: &FileSite,
        request: &RequestHead,
        now: Instant,
    ) -> Result<Chosen, Refusal> {
        let files = &site.files;
        let asked = FileName::below(&site.path, request.path()).map_err(|error| match error {
            NameError::Malformed => Refusal::Status(400),
            NameError::Hidden => Refusal::Status(404),
        })?;
        if asked.as_bytes().is_empty() && !asked.is_folder() {
            return Err(Refusal::Folder);
        }
        let name = if asked.is_folder() {
            asked.join(files.0.index.as_bytes())
        } else {
            asked.clone()
        };
        let file = match self.find(files, &name, now) {
            Ok(Found::File(file)) => file,
            Ok(Found::Folder) if !asked.is_folder() => return Err(Refusal::Folder),
            Ok(_) => return Err(Refusal::Status(404)),
            Err(errno) => return Err(Refusal::Status(status_of(errno, &name))),
        };
        let plain = Chosen {
            file,
            name,
            coding: None,
        };
        Ok(self.in_best_coding(files, request, plain, now))
    }

    /// The file in the coding that the client likes best of those that lie ready.
    fn in_best_coding(
        &mut self,
        files: &Arc<Files>,
        request: &RequestHead,
        plain: Chosen,
        now: Instant,
    ) -> Chosen {
        if !files.0.precompressed {
            return plain;
        }
        for coding in content::codings(request.field_all(b"accept-encoding")) {
            if let Some(file) = self.find_beside(files, &plain.name, coding, now) {
                return Chosen {
                    file,
                    coding: Some(coding),
                    ..plain
                };
            }
        }
        plain
    }

    /// The file that lies ready in this coding beside that of this name.
    fn find_beside(
        &mut self,
        files: &Arc<Files>,
        name: &FileName,
        coding: Coding,
        now: Instant,
    ) -> Option<Arc<Opened>> {
        let lone = &self.watched(files, now).lone;
        if lone.lacks(name.as_bytes(), coding, now) {
            return None;
        }
        let sibling = name.with_ending(coding.ending().as_bytes());
        if let Ok(Found::File(file)) = self.find(files, &sibling, now) {
            return Some(file);
        }
        let lone = &mut self.watched(files, now).lone;
        lone.note(name.as_bytes(), coding, now);
        None
    }

    /// What has this name. Who asks again in the same turn gets the same.
    fn find(&mut self, files: &Arc<Files>, name: &FileName, now: Instant) -> Result<Found, Errno> {
        let is_it = |kept: &&Kept| Arc::ptr_eq(&kept.files, files) && kept.name == *name;
        if let Some(kept) = self.kept.iter().find(is_it) {
            return kept.found.clone();
        }
        let found = self.watched(files, now).find(name.as_bytes(), now);
        if self.kept.len() < FILES_KEPT_COUNT {
            self.kept.push(Kept {
                files: Arc::clone(files),
                name: name.clone(),
                found: found.clone(),
            });
        }
        found
    }

    fn watched(&mut self, files: &Arc<Files>, now: Instant) -> &mut Watched {
        let at = self
            .folders
            .iter()
            .position(|watched| Arc::ptr_eq(&watched.files, files));
        let at = at.unwrap_or_else(|| {
            self.folders.push(Watched::new(Arc::clone(files), now));
            self.folders.len() - 1
        });
        &mut self.folders[at]
    }

    fn boundary(&mut self) -> u64 {
        self.boundaries += 1;
        let mut hasher = self.secret.build_hasher();
        hasher.write_u64(self.boundaries);
        hasher.finish()
    }
}

impl Watched {
    fn new(files: Arc<Files>, now: Instant) -> Self {
        let folder = open(&files);
        Self {
            files,
            folder,
            seen_at: now,
            lone: Lone::default(),
        }
    }

    fn find(&mut self, name: &[u8], now: Instant) -> Result<Found, Errno> {
        if self.folder.is_err() || now >= self.seen_at + RECHECK {
            self.look_again(now);
        }
        let found = self.find_now(name);
        // Whoever makes a folder anew often takes the old one away first.
        if matches!(found, Err(Errno::NOENT)) && self.look_again(now) {
            return self.find_now(name);
        }
        found
    }

    fn find_now(&self, name: &[u8]) -> Result<Found, Errno> {
        match &self.folder {
            Ok(folder) => folder.find(name),
            Err(errno) => Err(*errno),
        }
    }

    /// Looks whether another folder has the name by now. True: there is one. What is left of the
    /// old one is served until then.
    fn look_again(&mut self, now: Instant) -> bool {
        self.seen_at = now;
        if self.folder.as_ref().is_ok_and(Folder::is_current) {
            return false;
        }
        let opened = open(&self.files);
        let is_new = opened.is_ok();
        if is_new || self.folder.is_err() {
            self.folder = opened;
            self.lone.forget();
        }
        is_new
    }
}

fn open(files: &Files) -> Result<Folder, Errno> {
    Folder::open(&files.0.folder).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
}

impl Chosen {
    fn represented<'a>(&'a self, options: &'a FileOptions) -> Representation<'a> {
        Representation {
            length: self.file.length,
            entity_tag: self.file.entity_tag.as_bytes(),
            modified_secs: self.file.modified_secs,
            name: self.name.as_bytes(),
            coding: self.coding,
            varies: options.precompressed,
            cache_control: options.cache_control.as_deref(),
        }
    }
}

/// What a client is told when the system refuses a file.
fn status_of(errno: Errno, name: &FileName) -> u16 {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG => 404,
        // Sockets and devices of which nobody is at the other end.
        Errno::NXIO | Errno::NODEV | Errno::INVAL => 404,
        Errno::ACCESS | Errno::PERM => 403,
        _ => {
            let name = name.as_bytes().escape_ascii();
            log::error!("{name} cannot be opened: {errno}");
            match errno {
                Errno::MFILE | Errno::NFILE | Errno::NOMEM => 503,
                _ => 500,
            }
        }
    }
}
