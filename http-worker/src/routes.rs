//! Who serves what: the part of it that is decided by the worker, before a request crosses.

use std::sync::Arc;

use http_proto::content::CompressRule;
use http_proto::{RequestHead, Site, Sites};

use crate::files::Files;
use crate::limits::FORMER_SITES_COUNT;

/// Sites by path. Shared by all workers and replaced as a whole
/// ([`Command::Routes`](crate::Command::Routes)), so that a request meets one of them or the next,
/// never a mixture. Without any the application serves everything.
pub type Routes = Sites<Serve>;

/// Who serves the requests of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serve {
    /// The application, on the other shore.
    App(App),
    /// The worker itself, from a folder.
    Files(Arc<Files>),
}

/// How the application wants its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct App {
    /// A request crosses as soon as its head is complete, and its body follows in pieces.
    /// Otherwise it crosses whole.
    pub streams_body: bool,
    /// How long a body may be; beyond: 413. Absent: as long as the
    /// [limits](crate::Limits::body_bytes) say, and any length if it follows in pieces.
    pub body_max_bytes: Option<u64>,
    /// Which of its responses are compressed. Absent: none.
    pub compress: Option<Arc<CompressRule>>,
}

/// Files, and the site whose paths lead to them.
#[derive(Clone, Debug)]
pub(crate) struct FileSite {
    pub(crate) path: Arc<str>,
    pub(crate) files: Arc<Files>,
}

/// The file sites of `routes`, which are being replaced, and before them those of the ones
/// before: of each path the newest, [`FORMER_SITES_COUNT`] at most. For requests that cross
/// while sites are replaced again and again.
pub(crate) fn former(routes: &Routes, before: &Routes) -> Routes {
    let mut sites: Vec<Site<Serve>> = Vec::new();
    for site in routes.iter().chain(before.iter()) {
        let is_known = sites.iter().any(|known| known.path == site.path);
        if matches!(site.value, Serve::Files(_)) && !is_known {
            sites.push(site.clone());
        }
    }
    sites.truncate(FORMER_SITES_COUNT);
    Routes::new(sites)
}

/// Whether responses of some site are compressed.
pub(crate) fn has_compression(routes: &Routes) -> bool {
    routes
        .iter()
        .any(|site| matches!(&site.value, Serve::App(app) if app.compress.is_some()))
}

/// The files that a request is for, if it is for some.
pub(crate) fn files_for(routes: &Routes, head: &RequestHead) -> Option<FileSite> {
    let site = routes.at(routes.place_for(head)?)?;
    let Serve::Files(files) = &site.value else {
        return None;
    };
    Some(FileSite {
        path: Arc::clone(&site.path),
        files: Arc::clone(files),
    })
}
