//! The body of one response on its way through an encoder, a step at a time.

use std::io;

use http_proto::Exchange;
use shuttle_core::{Shuttle, Worker};

use super::Counted;
use super::encoder::Then;
use crate::cargo::Cargo;
use crate::limits::COMPRESS_STEP_BYTES;

/// A body being compressed.
pub(crate) struct Press {
    /// `None`: nothing is made, or nothing more: the request was HEAD, or the body is finished.
    encoder: Option<Counted>,
    /// What is loaded and not known to be sent, the eaten bytes included.
    cargo: Cargo,
    /// How much of it was eaten by the last step.
    eaten: usize,
    /// Nothing follows what is loaded.
    ends: bool,
    /// Something was eaten that a client may not be able to decode yet.
    is_unflushed: bool,
    /// What is still to come of the length that the application declared.
    declared_left: Option<u64>,
    is_over: bool,
}

impl Press {
    pub(super) fn new(encoder: Counted, declared: Option<u64>) -> Self {
        Self {
            encoder: Some(encoder),
            declared_left: declared,
            ..Self::of_nothing()
        }
    }

    /// For a response whose body is not sent.
    pub(super) fn of_nothing() -> Self {
        Self {
            encoder: None,
            cargo: Cargo::default(),
            eaten: 0,
            ends: false,
            is_unflushed: false,
            declared_left: None,
            is_over: false,
        }
    }

    /// Gives it the next cargo, as far as the declared length admits. `ends`: nothing follows.
    pub(crate) fn load(&mut self, cargo: Cargo, ends: bool) {
        let mut admitted = cargo.len();
        if let Some(left) = &mut self.declared_left {
            admitted = usize::try_from(*left).map_or(admitted, |left| left.min(admitted));
            *left -= admitted as u64;
        }
        if self.encoder.is_none() {
            admitted = 0;
        }
        self.cargo = cargo.cut(admitted);
        self.eaten = 0;
        self.ends = ends;
    }

    /// Whether some of what was loaded was not eaten.
    pub(crate) fn has_rest(&self) -> bool {
        self.cargo.len() > self.eaten
    }

    /// Eats the next step of what is loaded, and appends what came of it to `out`. Says how much
    /// was eaten.
    ///
    /// # Errors
    /// The encoder failed: the response cannot be sent to its end.
    pub(crate) fn step(
        &mut self,
        shuttle: &Shuttle<Worker, Exchange>,
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        debug_assert_eq!(self.eaten, 0, "what was eaten is sent first");
        self.eaten = self.cargo.len().min(COMPRESS_STEP_BYTES);
        self.is_unflushed |= self.eaten > 0;
        let then = self.then();
        if let Some(counted) = &mut self.encoder {
            let pieces = self.cargo.cut(self.eaten).pieces(shuttle);
            counted.encoder.encode(pieces, then, out)?;
        }
        self.settle(then);
        Ok(self.eaten)
    }

    /// Nothing more comes: appends the end of the body to `out`.
    ///
    /// # Errors
    /// The encoder failed.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        (self.cargo, self.eaten, self.ends) = (Cargo::default(), 0, true);
        let then = self.then();
        if let Some(counted) = &mut self.encoder {
            counted.encoder.encode(std::iter::empty(), then, out)?;
        }
        self.settle(then);
        Ok(())
    }

    fn then(&self) -> Then {
        match self.has_rest() {
            true => Then::GoOn,
            // A body that lacks something must not look whole.
            false if self.ends && !self.is_short() => Then::Finish,
            false if self.is_unflushed => Then::Flush,
            false => Then::GoOn,
        }
    }

    fn settle(&mut self, then: Then) {
        self.is_unflushed &= then == Then::GoOn;
        self.is_over = self.ends && !self.has_rest();
        if self.is_over {
            self.encoder = None;
        }
    }

    /// What was eaten is sent: tells TX of what it appended of it, and says whether TX may want to
    /// hear that at once.
    pub(crate) fn unload(&mut self, shuttle: &mut Shuttle<Worker, Exchange>) -> bool {
        let eaten = std::mem::take(&mut self.eaten);
        self.cargo.advance(shuttle, eaten) > 0
    }

    /// Everything was eaten, and nothing follows.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// So many bytes were declared and have not come.
    pub(crate) fn missing(&self) -> u64 {
        self.declared_left.unwrap_or(0)
    }

    /// It may be ended as it is.
    pub(crate) fn is_sound(&self) -> bool {
        self.is_over && !self.is_short()
    }

    fn is_short(&self) -> bool {
        self.missing() > 0
    }
}
