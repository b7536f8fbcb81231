//! Folders that are served by the worker itself.
//!
//! What a request means and what is answered is decided by [`http_proto::content`]; here is what
//! has to be asked of the file system for that. [`Files`] says what is served and is shared by
//! all workers; a [`Desk`] is what one of them keeps open. The answer is a [`Body`] and a head,
//! whatever protocol it is sent by.

use std::fmt;
use std::path::PathBuf;

use http_proto::ResponseHead;

mod body;
mod desk;
mod folder;
mod lone;

pub(crate) use body::Body;
pub(crate) use desk::Desk;
pub(crate) use folder::Opened;

use folder::Folder;

/// What is served of a folder, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// The folder. A relative path is one below where the process is.
    pub folder: PathBuf,
    /// The file that stands for the folder it is in.
    pub index: String,
    /// Whether a file `a.br`, `a.zst` or `a.gz` is sent in place of `a` to those who take it.
    pub precompressed: bool,
    /// The value of `Cache-Control`; none without.
    pub cache_control: Option<String>,
}

impl FileOptions {
    /// A folder, served in the usual way.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            index: "index.html".to_owned(),
            precompressed: true,
            cache_control: None,
        }
    }
}

/// A folder that can be served.
#[derive(Debug, PartialEq, Eq)]
pub struct Files(FileOptions);

/// Why a folder cannot be served: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesError(String);

impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FilesError {}

impl Files {
    /// Looks whether the folder is there. Asks the file system, which may block for a while.
    ///
    /// # Errors
    /// It is no folder that can be opened, or one of the options is of no use.
    pub fn open(mut options: FileOptions) -> Result<Self, FilesError> {
        let refused = |why: &dyn fmt::Display| {
            let folder = options.folder.display();
            FilesError(format!("the folder {folder} cannot be served: {why}"))
        };
        if options.index.is_empty() || options.index.contains(['/', '\0']) {
            return Err(refused(&"the name of its index is no name of a file"));
        }
        if let Some(value) = &options.cache_control {
            let mut head = ResponseHead::default();
            head.push(b"Cache-Control", value.as_bytes())
                .map_err(|e| refused(&format_args!("its cache_control: {e}")))?;
        }
        let absolute = std::path::absolute(&options.folder).map_err(|e| refused(&e))?;
        Folder::open(&absolute).map_err(|e| refused(&e))?;
        options.folder = absolute;
        Ok(Self(options))
    }
}

#[cfg(test)]
mod tests;
