//! What the workers tell of their requests, and the access log in which it is kept.

use http_worker::{AccessLog, Command, Reporting};
use lua_bindings::{AccessFormat, ServerConfig};

use super::Inner;
use crate::logging::access::{AccessOptions, Format, OpenLog};

/// The access log that is kept now, if one is.
#[derive(Debug, Default)]
pub(super) struct Access {
    open: Option<(AccessOptions, OpenLog)>,
    /// What the former ones lost.
    dropped_before: u64,
}

/// Another log than before, not used yet; absent: none, or the same.
pub(super) enum NewLog {
    Same,
    None,
    Open(AccessOptions, OpenLog),
}

impl Access {
    /// Lines that were lost, of all logs that there were.
    pub(super) fn dropped(&self) -> u64 {
        let open = self.open.as_ref();
        self.dropped_before + open.map_or(0, |(_, log)| log.dropped())
    }

    /// Keeps another log from now on. The former one is written to its end when no worker has it
    /// any more.
    pub(super) fn replace(&mut self, new: NewLog) {
        let new = match new {
            NewLog::Same => return,
            NewLog::None => None,
            NewLog::Open(options, log) => Some((options, log)),
        };
        self.dropped_before = self.dropped();
        self.open = new;
    }

    /// What a worker is told.
    pub(super) fn reporting(&self, config: &ServerConfig) -> Reporting {
        let log = self.open.as_ref().map(|(_, log)| log.clone());
        Reporting {
            log: log.map(|log| Box::new(log) as Box<dyn AccessLog>),
            sends_id: config.reporting.sends_request_id,
            takes_id: config.reporting.trusts_request_id,
        }
    }
}

impl Inner {
    /// Opens the log that a configuration wants, unless it is open.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn open_log(&self, config: &ServerConfig) -> Result<NewLog, String> {
        let given = self.overrides.access_log.clone();
        let Some(wanted) = given.or_else(|| options(config)) else {
            return Ok(NewLog::None);
        };
        let open = self.access.open.as_ref();
        if open.is_some_and(|(options, _)| *options == wanted) {
            return Ok(NewLog::Same);
        }
        let hub = &self.overrides.access_hub;
        let log = match self.overrides.seat.has_neighbours() {
            true => OpenLog::open_shared(&wanted, hub)?,
            false => OpenLog::open(&wanted, hub)?,
        };
        Ok(NewLog::Open(wanted, log))
    }

    /// From now on the workers tell what `config` wants them to.
    pub(super) fn report(&mut self, new: NewLog, config: &ServerConfig) {
        self.access.replace(new);
        self.command_all(|| Command::Report(Box::new(self.access.reporting(config))));
    }
}

fn options(config: &ServerConfig) -> Option<AccessOptions> {
    let log = config.reporting.access_log.as_ref()?;
    Some(AccessOptions {
        file: log.file.clone(),
        format: match log.format {
            AccessFormat::Combined => Format::Combined,
            AccessFormat::Json => Format::Json,
        },
    })
}
