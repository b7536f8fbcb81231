//! What crosses between the network side and the application side, and what each crossing
//! means: the whole protocol of one request as one table.
//!
//! An [`Exchange`] is the cargo of a shuttle. Its [`Leg`] says why it last crossed. Whoever is
//! about to send it across calls [`Exchange::advance`]; a step that the table does not have is
//! an error and changes nothing.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Instant;

use crate::body::{BodyBerth, BodyFault};
use crate::head::{FieldError, Fields, RequestHead, ResponseHead, StatusError, Trailers};
use crate::request_id::RequestId;

/// One request and its response, as they travel.
///
/// Only the side that owns the shuttle touches it. Each side keeps its private things at home
/// and finds them again by its ticket, which the other side carries and never interprets.
#[derive(Debug, Default)]
pub struct Exchange {
    /// Names the connection and request to the worker.
    pub worker_ticket: u64,
    /// Names the fiber, or whatever answers, to TX.
    pub tx_ticket: u64,
    leg: Leg,
    /// What the request is called in logs.
    pub id: RequestId,
    /// When TX took the request to serve it, by its own clock. Absent: it did not say.
    pub taken_at: Option<Instant>,
    /// Why the response is an error page: set by TX for the log of the worker.
    pub failure: Option<&'static str>,
    /// The request, complete before it first crosses.
    pub request: RequestHead,
    /// The whole body of the request; with `Body` the next piece of it, which may be empty.
    pub body: Vec<u8>,
    /// With `Request`: the body follows in pieces, by this other shuttle.
    pub body_berth: Option<BodyBerth>,
    /// This is that other shuttle. Set by the worker when it takes it for a body.
    pub carries_body: bool,
    /// With `Body` marked as the last: what comes after this piece is lost, and why.
    pub fault: Option<BodyFault>,
    /// Trailer fields of the request, with the last piece if the body comes in pieces; those that
    /// could change its meaning are not among them.
    pub trailers: Fields,
    /// Who asked. Absent for peers without an internet address.
    pub peer: Option<SocketAddr>,
    /// Which address of ours they asked.
    pub local: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub https: bool,
    /// Head of the response, read by the worker at `Answer` and at the first `Write` or `Close`.
    pub response: ResponseHead,
    /// What is sent behind the body, with the leg that brings the end of it.
    pub response_trailers: Option<Box<Trailers>>,
    /// Body bytes of this leg that were copied; lent bytes follow them.
    pub part: Vec<u8>,
    /// With `Write` and `Body`: nothing comes after this part. Set by [`advance`](Self::advance) to
    /// false when the shuttle goes to TX, so set it before each `Write`, and after each `Body`.
    pub last: bool,
    /// With `Release`, in place of an answer: TX has learnt meanwhile that the worker itself
    /// serves this path.
    pub is_elsewhere: bool,
}

/// Why an exchange crosses, or that it does not.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Leg {
    /// At the worker, without a request.
    #[default]
    Free,
    /// Worker to TX: a request, whole or but for its body.
    Request,
    /// TX to worker: the complete response. Nothing is lent, nobody waits; the worker sends it
    /// and frees the shuttle.
    Answer,
    /// TX to worker: the head (the first time) and a part of the body.
    Write,
    /// Worker to TX: the part was sent, and all that was appended; lent bytes come home. One that
    /// has not left is taken back when something was appended in that moment.
    Continue,
    /// TX to worker: nothing more comes, end the response.
    Close,
    /// Worker to TX: the response is over (complete, or its client has gone); lent bytes come
    /// home. It may take the place of a `Continue` that has not left: MUST-CLOSE came first.
    Closed,
    /// TX to worker: free the shuttle. Before `Closed` this ends the request without an answer:
    /// its client has gone, or the worker answers itself: 500, if it knows nothing better.
    Release,
    /// Worker to TX, by the shuttle of a body: the next piece of it. An empty one that is not the
    /// last is an offer: the client waits to be invited.
    Body,
    /// TX to worker, by the shuttle of a body: the piece was taken, the next may come.
    WantBody,
}

/// The side that a leg starts from.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The thread with the sockets.
    Worker,
    /// The thread with the application.
    Tx,
}

/// One line of the table: who may go from where to where.
#[derive(Copy, Clone, Debug)]
pub struct Step {
    /// The side that owns the exchange, and moves it.
    pub side: Side,
    /// Where the exchange may be.
    pub from: &'static [Leg],
    /// Where it goes.
    pub to: Leg,
    /// Whether the step is forbidden after a `Write` marked as the last.
    pub unless_last: bool,
}

/// `by side: from | from => to [unless last];`
macro_rules! table {
    ($(by $side:ident: $($from:ident)|+ => $to:ident $(unless $last:ident)?;)*) => {
        /// Every legal step. There is no other: see [`Exchange::advance`].
        pub const STEPS: &[Step] = &[$(Step {
            side: Side::$side,
            from: &[$(Leg::$from),+],
            to: Leg::$to,
            unless_last: table!(@ $($last)?),
        },)*];
    };
    (@ last) => { true };
    (@) => { false };
}

table! {
    by Worker: Free => Request;
    by Tx: Request => Answer;
    by Tx: Request | Continue => Write;
    by Worker: Write => Continue unless last;
    by Worker: Continue => Write;
    by Tx: Request | Continue => Close;
    by Worker: Write | Continue | Close => Closed;
    by Tx: Request | Continue | Closed => Release;
    by Worker: Free | WantBody => Body;
    by Tx: Body => WantBody unless last;
    by Tx: Body => Release;
    by Worker: Answer | Release => Free;
}

/// A step that the table does not have. Nothing has changed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct IllegalLeg {
    /// Where the exchange is.
    pub from: Leg,
    /// Where it should have gone.
    pub to: Leg,
    /// Whether the exchange carries a part marked as the last.
    pub last: bool,
}

impl fmt::Display for IllegalLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = if self.last { " (last)" } else { "" };
        write!(
            f,
            "an exchange cannot go from {:?}{last} to {:?}",
            self.from, self.to
        )
    }
}

impl std::error::Error for IllegalLeg {}

/// Why [`Exchange::answer`] or [`Exchange::write`] refused. The leg has not changed, and another
/// answer can be given.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// This is not the moment for it.
    Leg(IllegalLeg),
    /// The status is not one of a response.
    Status(StatusError),
    /// A field cannot be sent; its place in the list.
    Field(usize, FieldError),
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leg(error) => error.fmt(f),
            Self::Status(error) => error.fmt(f),
            Self::Field(place, error) => write!(f, "field {}: {error}", place + 1),
        }
    }
}

impl std::error::Error for AnswerError {}

impl Leg {
    /// Every leg, in the order of a trip.
    pub const ALL: &[Self] = &[
        Self::Free,
        Self::Request,
        Self::Answer,
        Self::Write,
        Self::Continue,
        Self::Close,
        Self::Closed,
        Self::Release,
        Self::Body,
        Self::WantBody,
    ];

    /// Which side moves an exchange to this leg.
    #[must_use]
    pub fn sender(self) -> Side {
        match self {
            Self::Free | Self::Request | Self::Continue | Self::Closed | Self::Body => Side::Worker,
            Self::Answer | Self::Write | Self::Close | Self::Release | Self::WantBody => Side::Tx,
        }
    }
}

impl Exchange {
    /// Why the exchange last crossed.
    #[must_use]
    pub fn leg(&self) -> Leg {
        self.leg
    }

    /// Goes on to `to`. To be called by the side that owns the exchange, before it sends it.
    ///
    /// # Errors
    /// The table has no such step. Nothing has changed.
    pub fn advance(&mut self, to: Leg) -> Result<(), IllegalLeg> {
        if !is_legal(self.leg, to, self.last) {
            return Err(IllegalLeg {
                from: self.leg,
                to,
                last: self.last,
            });
        }
        self.leg = to;
        if to.sender() == Side::Worker {
            self.last = false;
        }
        Ok(())
    }

    /// Makes the exchange free and empty, wherever it was: the worker's call before it uses one
    /// again, and the only way out for one that was abandoned. Buffers that have grown beyond
    /// `keep_bytes_max` shrink to it, the others keep their memory.
    pub fn clear(&mut self, keep_bytes_max: usize) {
        self.request.clear();
        self.trailers.clear();
        self.response.clear();
        self.response_trailers = None;
        self.body.clear();
        self.part.clear();
        self.request.fields.shrink_to(keep_bytes_max);
        self.trailers.shrink_to(keep_bytes_max);
        self.response.shrink_to(keep_bytes_max);
        self.body.shrink_to(keep_bytes_max);
        self.part.shrink_to(keep_bytes_max);
        self.worker_ticket = 0;
        self.tx_ticket = 0;
        self.leg = Leg::Free;
        self.id = RequestId::default();
        self.taken_at = None;
        self.failure = None;
        self.peer = None;
        self.local = None;
        self.https = false;
        self.last = false;
        self.body_berth = None;
        self.carries_body = false;
        self.fault = None;
        self.is_elsewhere = false;
    }

    /// Answers at once and completely: sets head and body and goes on to [`Leg::Answer`].
    ///
    /// # Errors
    /// [`AnswerError`]; the leg has not changed.
    pub fn answer(
        &mut self,
        status: u16,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), AnswerError> {
        self.begin(Leg::Answer, status, fields)?;
        self.response.set_content_length(body.len() as u64);
        self.part.clear();
        self.part.extend_from_slice(body);
        self.advance(Leg::Answer).map_err(AnswerError::Leg)
    }

    /// Sets the head of a response that is written in parts; [`write`](Self::write) follows.
    ///
    /// # Errors
    /// [`AnswerError`]: also when the head has been sent.
    pub fn write_head(&mut self, status: u16, fields: &[(&str, &str)]) -> Result<(), AnswerError> {
        if self.leg != Leg::Request {
            let (from, last) = (self.leg, self.last);
            return Err(AnswerError::Leg(IllegalLeg {
                from,
                to: Leg::Write,
                last,
            }));
        }
        self.begin(Leg::Write, status, fields)
    }

    /// Sets a part of the body and goes on to [`Leg::Write`].
    ///
    /// # Errors
    /// [`AnswerError::Leg`]; nothing has changed.
    pub fn write(&mut self, part: &[u8], last: bool) -> Result<(), AnswerError> {
        self.advance(Leg::Write).map_err(AnswerError::Leg)?;
        self.part.clear();
        self.part.extend_from_slice(part);
        self.last = last;
        Ok(())
    }

    fn begin(&mut self, to: Leg, status: u16, fields: &[(&str, &str)]) -> Result<(), AnswerError> {
        if !is_legal(self.leg, to, self.last) {
            let (from, last) = (self.leg, self.last);
            return Err(AnswerError::Leg(IllegalLeg { from, to, last }));
        }
        self.response.reset(status).map_err(AnswerError::Status)?;
        for (place, (name, value)) in fields.iter().enumerate() {
            let pushed = self.response.push(name.as_bytes(), value.as_bytes());
            pushed.map_err(|error| AnswerError::Field(place, error))?;
        }
        Ok(())
    }
}

fn is_legal(from: Leg, to: Leg, last: bool) -> bool {
    STEPS
        .iter()
        .any(|step| step.to == to && step.from.contains(&from) && !(step.unless_last && last))
}

/// The table as text, one step a line.
#[must_use]
pub fn table_text() -> String {
    let mut text = String::new();
    for step in STEPS {
        let from: Vec<String> = step.from.iter().map(|leg| format!("{leg:?}")).collect();
        let unless = if step.unless_last {
            "  (unless it was the last)"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "{:6}  {} => {:?}{unless}",
            side_name(step.side),
            from.join(" | "),
            step.to
        );
    }
    text
}

/// The table as a Mermaid state diagram.
#[must_use]
pub fn table_mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> Free\n");
    for step in STEPS {
        for from in step.from {
            let unless = if step.unless_last {
                ", unless last"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "    {from:?} --> {:?}: {}{unless}",
                step.to,
                side_name(step.side)
            );
        }
    }
    text
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Worker => "worker",
        Side::Tx => "TX",
    }
}

#[cfg(test)]
mod tests;
