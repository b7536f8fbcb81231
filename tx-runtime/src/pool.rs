//! Idle stacks between two fibers, and the arena that new ones come from.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use crate::config::Config;
use crate::fiber::Record;
use crate::guard;
use crate::refusal::{AtCapacity, Shortage};
use crate::stack::Arena;
use crate::switch::Strand;

/// A strand without a fiber, and the record of its last fiber if nobody holds that any more.
pub(crate) struct Idle {
    pub(crate) strand: Box<Strand>,
    pub(crate) record: Option<Rc<Record>>,
}

/// The stacks of one thread that no fiber uses.
pub(crate) struct Pool {
    /// Made for the first fiber.
    arena: RefCell<Option<Arena>>,
    /// The one that was used last is the first to be used again: its memory is still near.
    idle: RefCell<Vec<Idle>>,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self {
            arena: RefCell::new(None),
            idle: RefCell::new(Vec::new()),
        }
    }

    /// Whether stacks of the present configuration exist.
    pub(crate) fn is_in_use(&self) -> bool {
        self.arena.borrow().is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.idle.borrow().len()
    }

    /// An idle strand, or a new one that runs `run_job`.
    pub(crate) fn take(&self, config: Config, run_job: fn()) -> Result<Idle, AtCapacity> {
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(idle) => Ok(idle),
            None => {
                let strand = self.new_strand(config, run_job).map_err(|error| {
                    AtCapacity(Shortage::Memory {
                        error: error.to_string(),
                    })
                })?;
                Ok(Idle {
                    strand,
                    record: None,
                })
            }
        }
    }

    /// Keeps a strand for the next fiber; one too many leaves, and its memory with it.
    pub(crate) fn put(&self, idle: Idle, max_count: u32) {
        if self.len() < max_count as usize {
            self.idle.borrow_mut().push(idle);
        }
    }

    /// Trims one idle strand, if there are so many. As [`Strand::trim`].
    pub(crate) fn trim(&self, at: usize) -> bool {
        self.idle
            .borrow_mut()
            .get_mut(at)
            .is_some_and(|idle| idle.strand.trim())
    }

    #[cold]
    fn new_strand(&self, config: Config, run_job: fn()) -> io::Result<Box<Strand>> {
        let mut arena = self.arena.borrow_mut();
        let arena = match &mut *arena {
            Some(arena) => arena,
            none => {
                guard::arm();
                let stacks_max_count = config.fibers_max_count.max(config.pooled_stacks_count);
                none.insert(Arena::reserve(
                    config.stack_bytes,
                    stacks_max_count as usize,
                )?)
            }
        };
        Ok(Box::new(Strand::new(arena.take()?, run_job)))
    }
}
