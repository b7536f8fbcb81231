//! A change of what runs: prepared where it can fail, then applied where it cannot.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_proto::Exchange;
use http_worker::{Command, Listener, Listening};
use lua_bindings::ServerConfig;
use shuttle_core::TxEnd;

use super::crew::Crew;
use super::terms::{berths, limits, room, routes};
use super::{ENDING, Inner};
use crate::ports::Parting;
use crate::sockets::{self, Place, Sockets};

/// Everything that another configuration takes, and nothing of it at work yet.
#[derive(Default)]
struct Change {
    staff: Option<Staff>,
    listening: Option<NewListening>,
}

/// Other workers: another number of them, or with more room on their links.
struct Staff {
    /// How many threads stay. An embedded worker does not.
    kept: usize,
    recruits: Crew,
    ends: Vec<TxEnd<Exchange>>,
}

impl Staff {
    /// Nothing comes of it.
    fn dismiss(self) {
        drop(self.ends);
        self.recruits.dismiss();
    }
}

/// Where the workers are to listen.
struct NewListening {
    /// One for each worker.
    shares: Vec<Vec<Listener>>,
    /// If there are others than before.
    sockets: Option<Sockets>,
}

impl Inner {
    pub(super) fn reconfigure(
        &mut self,
        config: ServerConfig,
    ) -> Result<Vec<TxEnd<Exchange>>, String> {
        if self.is_shrinking() {
            return Err("Unable to reconfigure until threads will shut down".to_owned());
        }
        let routes = routes(&config)?;
        let log = self.open_log(&config)?;
        let change = self.prepare(&config)?;
        let ends = self.apply(change, &config);
        self.routes = routes;
        self.command_all(|| Command::Routes(Arc::clone(&self.routes)));
        let seat = self.overrides.seat;
        self.command_all(|| Command::Limits(Box::new(limits(&config, seat))));
        self.report(log, &config);
        self.config = Some(config);
        Ok(ends)
    }

    /// What can fail, and undoes itself then.
    fn prepare(&mut self, config: &ServerConfig) -> Result<Change, String> {
        let threads = self.config.as_ref().map_or(0, |config| config.threads);
        let needs_room = berths(config) > self.room;
        let is_staffed_anew = config.threads != threads || needs_room;
        if self.crew.is_empty() || !(is_staffed_anew || config.reload_listeners) {
            return Ok(Change::default());
        }
        if self.is_ending || self.draining {
            return Err(ENDING.to_owned());
        }
        let staff = match is_staffed_anew {
            true => Some(self.staff(config, needs_room).map_err(refused)?),
            false => None,
        };
        match self.listening(config) {
            Ok(listening) => Ok(Change {
                staff,
                listening: Some(listening),
            }),
            Err(why) => {
                if let Some(staff) = staff {
                    staff.dismiss();
                }
                Err(why)
            }
        }
    }

    fn staff(&self, config: &ServerConfig, needs_room: bool) -> io::Result<Staff> {
        let wanted = usize::from(config.threads.max(1));
        let kept = match needs_room {
            true => 0,
            false => self.crew.threads_count().min(usize::from(config.threads)),
        };
        let none = (kept..wanted).map(|_| Vec::new()).collect();
        let (recruits, ends) = self.hire(config, kept, none)?;
        Ok(Staff {
            kept,
            recruits,
            ends,
        })
    }

    fn listening(&mut self, config: &ServerConfig) -> Result<NewListening, String> {
        let workers = usize::from(config.threads.max(1));
        if !config.reload_listeners {
            return Ok(NewListening {
                shares: self.share_out(workers).map_err(refused)?,
                sockets: None,
            });
        }
        let before = self.sockets.as_ref().ok_or_else(|| ENDING.to_owned())?;
        let tls = sockets::load_tls(config)?;
        let sockets = before.changed(config, &tls, workers)?;
        Ok(NewListening {
            shares: sockets.shares(workers).map_err(refused)?,
            sockets: Some(sockets),
        })
    }

    /// Listeners for each of so many workers, with more sockets if that takes more.
    fn share_out(&mut self, workers: usize) -> io::Result<Vec<Vec<Listener>>> {
        let Some(sockets) = &mut self.sockets else {
            return Ok(Vec::new());
        };
        let before = sockets.sets_count();
        let shares = sockets.grow(workers).and_then(|()| sockets.shares(workers));
        if shares.is_err() {
            sockets.shrink(before);
        }
        shares
    }

    /// Every socket gets somebody who accepts from it, and who is too many ends in peace.
    fn apply(&mut self, change: Change, config: &ServerConfig) -> Vec<TxEnd<Exchange>> {
        let mut ends = Vec::new();
        if let Some(staff) = change.staff {
            self.leaving = self.crew.split_off(staff.kept);
            self.room = self.room.max(room(config));
            self.enlist(staff.recruits);
            ends = staff.ends;
            self.numbers.replace(staff.kept, ends.len());
            log::info!("threads: {} now", config.threads);
        }
        if let Some(listening) = change.listening {
            self.listen(listening, config.threads);
        }
        let deadline_ms = config.thread_termination_timeout_ms;
        self.leaving.command_all(|| Command::Drain { deadline_ms });
        ends
    }

    fn listen(&mut self, new: NewListening, threads: u16) {
        let Some(sockets) = new.sockets else {
            return self.listen_only(new.shares, &[]);
        };
        let before = self.replace_sockets(sockets);
        let given_up = |wanted: &dyn Fn(Parting) -> bool| -> Vec<SocketAddr> {
            let partings = before.partings.iter().filter(|(_, how)| wanted(*how));
            partings.map(|(addr, _)| *addr).collect()
        };
        self.listen_only(new.shares, &given_up(&|how| how == Parting::Last));
        if before.was_nudged {
            self.relisten(&self.stand.board());
        }
        for addr in given_up(&|how| how != Parting::Stays) {
            log::info!("no longer listening on {addr}");
        }
        let was_there = |place: &Place| before.places.contains(place);
        let sockets = self.sockets.iter().flat_map(Sockets::places);
        self.announce(sockets.filter(|place| !was_there(place)), threads);
    }

    fn replace_sockets(&mut self, new: Sockets) -> Before {
        let old = self.sockets.replace(new);
        let Some(mut old) = old else {
            return Before::default();
        };
        let mut board = self.stand.board();
        let was_nudged = self.stand.was_nudged();
        if was_nudged {
            // At an address that nobody has any more, who waits is let in: at sockets that were
            // left to us a moment ago, too.
            self.listen_at(old.shares_with(self.crew.size(), &board));
        }
        Before {
            places: old.places().to_vec(),
            partings: old.leave(&mut board),
            was_nudged,
        }
    }

    fn listen_only(&self, shares: Vec<Vec<Listener>>, given_up: &[SocketAddr]) {
        let to_each = |listeners| {
            Command::ListenOnly(Listening {
                listeners,
                given_up: given_up.to_vec(),
                receipt: self.receipts.issue(),
            })
        };
        self.crew.command_each(shares.into_iter().map(to_each));
        if !given_up.is_empty() {
            self.leaving.command_all(|| to_each(Vec::new()));
        }
    }
}

/// Where was listened before a change, and what became of it.
#[derive(Default)]
struct Before {
    places: Vec<Place>,
    partings: Vec<(SocketAddr, Parting)>,
    /// Sockets were left to us that the change knows nothing of.
    was_nudged: bool,
}

fn refused(error: io::Error) -> String {
    format!("cannot start a worker: {error}")
}
