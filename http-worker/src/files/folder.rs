//! One folder, and the files below it: nothing outside of it is ever opened.
//!
//! Where the kernel can, it resolves names itself so that they stay beneath the folder, whatever
//! is renamed meanwhile. Elsewhere, and for symbolic links that are absolute, the name is resolved
//! first, has to lie below the folder, and is then opened without following any link.

use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A pipe or a device must not keep the worker waiting, nor become its terminal.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    fd: File,
    path: PathBuf,
    /// Device and number: which folder it is, whatever its name.
    identity: (u64, u64),
}

/// What there is by a name.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// A regular file.
    File(Arc<Opened>),
    /// A folder.
    Folder,
    /// Something that has no content to be sent.
    Other,
}

/// A regular file that is open, as it was at that moment.
#[derive(Debug)]
pub(crate) struct Opened {
    fd: File,
    pub(super) length: u64,
    pub(super) modified_secs: u64,
    pub(super) entity_tag: String,
}

impl Folder {
    /// # Errors
    /// The system's: it is not there, is no folder, or may not be opened.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let fd = File::from(rustix::fs::open(path, FOLDER, Mode::empty())?);
        let identity = identity(&fd.metadata()?);
        Ok(Self {
            fd,
            path: path.to_owned(),
            identity,
        })
    }

    /// Whether it is still the folder of its name.
    pub(super) fn is_current(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity)
    }

    /// Opens what has this name, which is relative and has no dot segments. Does not block but
    /// for the disk.
    ///
    /// # Errors
    /// The system's. A name that leads out of the folder is not found.
    pub(super) fn find(&self, name: &[u8]) -> Result<Found, Errno> {
        let opened = match self.open_beneath(name) {
            Err(Errno::XDEV | Errno::NOSYS | Errno::PERM) => self.open_checked(name)?,
            other => other?,
        };
        Self::judge(opened)
    }

    /// What it is that was opened.
    pub(super) fn judge(opened: OwnedFd) -> Result<Found, Errno> {
        let file = File::from(opened);
        let metadata = file.metadata().map_err(|e| errno(&e))?;
        Ok(if metadata.is_file() {
            Found::File(Arc::new(Opened::new(file, &metadata)))
        } else if metadata.is_dir() {
            Found::Folder
        } else {
            Found::Other
        })
    }

    #[cfg(target_os = "linux")]
    fn open_beneath(&self, name: &[u8]) -> Result<OwnedFd, Errno> {
        use rustix::fs::ResolveFlags;

        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let open = || rustix::fs::openat2(&self.fd, name, READ, Mode::empty(), resolve);
        match open() {
            // Something was renamed in that moment, and the kernel could not be sure.
            Err(Errno::AGAIN) => open(),
            result => result,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_beneath(&self, _: &[u8]) -> Result<OwnedFd, Errno> {
        Err(Errno::NOSYS)
    }

    /// Resolves first, looks where that leads, then opens without following anything.
    pub(super) fn open_checked(&self, name: &[u8]) -> Result<OwnedFd, Errno> {
        let name = Path::new(std::ffi::OsStr::from_bytes(name));
        let base = resolved(&self.path)?;
        let real = resolved(&self.path.join(name))?;
        let below = real.strip_prefix(&base).map_err(|_| Errno::NOENT)?;
        let mut at: Option<OwnedFd> = None;
        let mut rest = below.components().peekable();
        while let Some(Component::Normal(segment)) = rest.next() {
            let kind = if rest.peek().is_some() { FOLDER } else { READ };
            let above = at.as_ref().map_or_else(|| self.fd.as_fd(), AsFd::as_fd);
            let flags = kind | OFlags::NOFOLLOW;
            at = Some(rustix::fs::openat(above, segment, flags, Mode::empty())?);
        }
        at.map_or_else(|| rustix::io::dup(&self.fd), Ok)
    }
}

fn resolved(path: &Path) -> Result<PathBuf, Errno> {
    fs::canonicalize(path).map_err(|e| errno(&e))
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Opened {
    fn new(fd: File, metadata: &Metadata) -> Self {
        let (length, number) = (metadata.len(), metadata.ino());
        let (secs, nanos) = (metadata.mtime(), metadata.mtime_nsec());
        // Length and time tell an overwritten file, the number one that was put in its place.
        let entity_tag = format!("\"{number:x}-{length:x}-{secs:x}.{nanos:x}\"");
        Self {
            fd,
            length,
            modified_secs: u64::try_from(secs).unwrap_or(0),
            entity_tag,
        }
    }

    /// Reads bytes from this place on; none: the file ends there.
    ///
    /// # Errors
    /// The system's, of the disk.
    pub(crate) fn read_at(&self, room: &mut [u8], from: u64) -> io::Result<usize> {
        loop {
            match self.fd.read_at(room, from) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Appends these bytes. False: they are not all there any more, or cannot be read.
    pub(crate) fn append(&self, range: Range<u64>, out: &mut Vec<u8>) -> bool {
        let (mut from, mut at) = (range.start, out.len());
        let count = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let end = at + count;
        out.resize(end, 0);
        while at < end {
            match self.read_at(&mut out[at..], from) {
                Ok(read @ 1..) => {
                    at += read;
                    from += read as u64;
                }
                Ok(0) | Err(_) => {
                    out.truncate(at);
                    return false;
                }
            }
        }
        true
    }
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
