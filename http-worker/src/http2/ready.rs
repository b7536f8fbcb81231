//! Which streams have something to do. The engine's wakers only note it; nothing runs in them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The list, shared with the wakers. They may be sent to any thread, by their type; in truth all
/// of it stays on the worker's.
#[derive(Debug, Default)]
struct Shared {
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    places: Vec<usize>,
    /// Whether a place is in the list.
    is_noted: Vec<bool>,
}

impl Shared {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn note(&mut self, place: usize) {
        if self.is_noted.len() <= place {
            self.is_noted.resize(place + 1, false);
        }
        if !std::mem::replace(&mut self.is_noted[place], true) {
            self.places.push(place);
        }
    }
}

/// Notes one place.
struct Noter {
    shared: Arc<Shared>,
    place: usize,
}

impl Wake for Noter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.noted().note(self.place);
    }
}

/// The streams of one connection that have something to do, by their places.
pub(super) struct Ready {
    shared: Arc<Shared>,
    /// One for each place that was ever used.
    wakers: Vec<Waker>,
}

impl Ready {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::default(),
            wakers: Vec::new(),
        }
    }

    /// A waker that notes this place. Places are used again, so it may note it once too often.
    pub(super) fn waker(&mut self, place: usize) -> Waker {
        while self.wakers.len() <= place {
            let (shared, place) = (Arc::clone(&self.shared), self.wakers.len());
            self.wakers
                .push(Waker::from(Arc::new(Noter { shared, place })));
        }
        self.wakers[place].clone()
    }

    /// Notes a place.
    pub(super) fn note(&self, place: usize) {
        self.shared.noted().note(place);
    }

    /// Takes the places noted so far, in that order, in exchange for an empty list.
    pub(super) fn take(&self, empty: &mut Vec<usize>) {
        let noted = &mut *self.shared.noted();
        std::mem::swap(&mut noted.places, empty);
        for place in empty {
            noted.is_noted[*place] = false;
        }
    }
}
