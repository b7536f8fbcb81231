//! The drawing of the protocol, mark by mark, so that a running server can prove that it does
//! what is drawn.
//!
//! `docs/stage2-unlucky.txt` draws one request between three participants. Each arrow, box and
//! note of it is a [`Mark`]; so are those of the other members of its family. Both sides tell a
//! [`Witness`] each mark at the moment it happens. The recorded run, rendered with
//! [`heading`] and [`Mark::notation`], must be the drawing: [`Member::marks`].
//!
//! Each mark says when it is to be told. "Before" and "after" are about what the *other* side can
//! see: a mark of something that is published is told before it is published, so that whatever
//! it causes is told later, and the record of both threads has one order.

mod members;

pub use members::Member;

/// Told every mark of every request, on the thread where it happens.
///
/// It may block: that is how a test holds one side until the other has come far enough. A side
/// without a witness pays one predictable branch per mark.
pub trait Witness: Send {
    /// `mark` happens now to the request that the worker knows by this ticket.
    fn mark(&mut self, mark: Mark, worker_ticket: u64);

    /// What `mark` announced can be seen by TX from now on: the worker tells it after each of its
    /// arrows to TX. A record of two threads does not need it, but a gate that lets TX go on
    /// because a shuttle is on its way does.
    fn published(&mut self, mark: Mark, worker_ticket: u64) {
        let _ = (mark, worker_ticket);
    }
}

/// Who takes part, from left to right.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Participant {
    /// Whoever sent the request: the left border of the drawing.
    Client,
    /// The thread with the sockets.
    Worker,
    /// The fiber that runs the handler of this request.
    Fiber,
    /// The dispatcher: the TX code that takes arriving shuttles.
    Tx,
}

impl Participant {
    /// The name in the drawing.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "[",
            Self::Worker => "HTTP(S) worker thread",
            Self::Fiber => "Per-request fiber",
            Self::Tx => "TX (one of httpng fibers)",
        }
    }
}

/// What a mark looks like.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum MarkKind {
    /// Something crosses from one participant to another.
    Arrow {
        /// Who sends, and tells the mark.
        from: Participant,
        /// Who gets it.
        to: Participant,
    },
    /// Somebody does something.
    Box {
        /// Who.
        over: Participant,
    },
    /// Somebody waits, or comes to know something.
    Note {
        /// Who.
        over: Participant,
    },
}

impl MarkKind {
    /// Who does it, and tells the mark.
    #[must_use]
    pub fn actor(self) -> Participant {
        match self {
            Self::Arrow {
                from: Participant::Client,
                to,
            } => to,
            Self::Arrow { from, .. } => from,
            Self::Box { over } | Self::Note { over } => over,
        }
    }
}

/// How the notation writes a mark: the words before and after the names, apart from its kind.
struct Look {
    kind: MarkKind,
    /// `box`, `rbox`, `abox`, `note`, or the arrow where it is not the usual one.
    word: &'static str,
    /// Written directly after the participant, blank included.
    color: &'static str,
    /// Whether the text is white.
    white: bool,
    text: &'static str,
}

/// One line a mark: `Name = word participants [color] "text";`
macro_rules! marks {
    ($($(#[$doc:meta])* $mark:ident = $word:ident $who:ident $(=> $to:ident)?
       $([$color:literal $($white:ident)?])? $text:literal;)*) => {
        /// One arrow, box or note of the drawings.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Mark { $($(#[$doc])* $mark,)* }

        impl Mark {
            /// Every mark there is.
            pub const ALL: &[Self] = &[$(Self::$mark,)*];

            fn look(self) -> Look {
                match self { $(Self::$mark => Look {
                    kind: marks!(@kind $word $who $($to)?),
                    word: stringify!($word),
                    color: marks!(@color $($color)?),
                    white: marks!(@white $($($white)?)?),
                    text: $text,
                },)* }
            }
        }
    };
    (@kind arrow $from:ident $to:ident) => {
        MarkKind::Arrow { from: Participant::$from, to: Participant::$to }
    };
    (@kind create $from:ident $to:ident) => {
        MarkKind::Arrow { from: Participant::$from, to: Participant::$to }
    };
    (@kind note $over:ident) => { MarkKind::Note { over: Participant::$over } };
    (@kind $word:ident $over:ident) => { MarkKind::Box { over: Participant::$over } };
    (@color $color:literal) => { $color };
    (@color) => { "" };
    (@white white) => { true };
    (@white) => { false };
}

marks! {
    /// The worker, when the head of the request has been read.
    RequestArrives = arrow Client => Worker "HTTP(S) request from client";
    /// The worker, after it got a free berth.
    AllocateShuttle = box Worker ["#yellow"] "Allocate `shuttle`";
    /// The worker, when head and body are in the shuttle.
    PackRequest = box Worker "Parse HTTP(S) request, pack it into `shuttle`";
    /// The worker, just before it sends the shuttle with `Leg::Request`.
    SendRequest = arrow Worker => Tx "`shuttle` with parsed HTTP(S) request";
    /// The worker, just after it sent the request. The next mark of TX waits for nothing, so a
    /// gate orders the two.
    WorkerGoesOn = note Worker "Sleep or handle something else";
    /// The dispatcher, after it received the request and before the fiber exists.
    CreateFiber = box Tx "Create new fiber";
    /// The dispatcher, just before the new fiber can run.
    ShuttleToFiber = create Tx => Fiber "`shuttle`";
    /// The fiber, first thing it does.
    FillRequestTable = box Fiber "Fill in Lua table with request data";
    /// The fiber, just before it calls the handler.
    CallHandler = rbox Fiber [" #green" white] "Call user handler";
    /// The fiber, on entering `write_header`.
    CallWriteHeader = box Fiber "write_header()";
    /// The fiber, owning the shuttle, before it fills in head and first part.
    FillHead = box Fiber "Fill `shuttle` with HTTP(S) headers and (part of) body";
    /// As `FillHead`, for a small complete response that is copied.
    FillHeadAndCopy = box Fiber "Fill `shuttle` with HTTP(S) headers and copy of body";
    /// The fiber, when the strings are pinned, before `SendResponse` or `SendComplete`.
    RefAndHandOver = box Fiber "Ref Lua strings, mark `shuttle` as owned by HTTP(S) thread";
    /// The fiber, just before it sends the shuttle with `Leg::Write`.
    SendResponse = arrow Fiber => Worker "Send `shuttle` with response";
    /// The fiber, just before it sends the shuttle with `Leg::Answer`, or `Leg::Write` marked
    /// as the last.
    SendComplete = arrow Fiber => Worker "Send `shuttle` with response and close flag";
    /// The handler itself, after its first write.
    UsefulWork = box Fiber "Do something useful";
    /// The handler itself, after its second write.
    UsefulWork2 = box Fiber "Do something useful #2";
    /// The handler itself, after close.
    UsefulWork3 = box Fiber "Do something useful #3";
    /// The worker, after it received the shuttle with the head, before it encodes it.
    FormatResponse = box Worker "Format HTTP(S) response";
    /// The worker, after the bytes of head and first part were given to the socket.
    ResponseToClient = arrow Worker => Client "HTTP(S) response to client";
    /// The fiber, on entering `write`.
    CallWrite = box Fiber "write()";
    /// The fiber, in `write`, before it parks because the shuttle is away.
    WriteSleeps = note Fiber "Sleep until `shuttle` returns";
    /// The worker, just before it sends the shuttle with `Leg::Continue`.
    SendContinue = arrow Worker => Tx "\"Continue\" notification";
    /// The dispatcher, after it received `Leg::Continue`.
    TakeContinued = note Tx "Mark shuttle as owned by TX";
    /// The dispatcher, just before it makes the waiting fiber runnable.
    WakeFiber = arrow Tx => Fiber "Wake sleeping fiber";
    /// The fiber, before it unpins what the last trip lent.
    FiberUnrefs = box Fiber "Unref old Lua strings";
    /// The fiber, owning the shuttle, before it fills in the next part.
    FillBody = box Fiber "Fill `shuttle` with (part of) HTTP(S) body";
    /// The fiber, in `write` of stage 4, just before it appends a part: the shuttle is away.
    AppendPart = box Fiber "Ref Lua strings, append (part of) HTTP(S) body to `shuttle`";
    /// The fiber, in `write` of stage 4, before it parks because shuttle or window is full.
    RoomSleeps = note Fiber "Sleep until there is room in `shuttle`";
    /// The worker, when it is about to frame a later part: after it received a shuttle with it, or
    /// found that it was appended.
    SendBody = box Worker "Send (more) HTTP(S) body";
    /// The worker, after the bytes of that part were given to the socket.
    BodyToClient = arrow Worker => Client "HTTP(S) body to client";
    /// The fiber, on entering `close`.
    CallClose = box Fiber "close()";
    /// The fiber, in `close` of stages 1 and 2, before it parks because the shuttle is away.
    CloseSleeps = note Fiber ["#orange" white] "Sleep until `shuttle` returns";
    /// The dispatcher, before it unpins what came home.
    TxUnrefs = box Tx ["#blue" white] "Unref old Lua strings";
    /// The fiber, in `close`, owning the shuttle, before `SendClose`. Also before `SendComplete`
    /// of a copied response.
    HandOver = box Fiber "Mark `shuttle` as owned by HTTP(S) thread";
    /// The fiber, just before it sends the shuttle with `Leg::Close`.
    SendClose = arrow Fiber => Worker "Send `shuttle` with close request";
    /// The fiber, in `close` of stage 3, just before it sets the flag: the shuttle is away.
    SetMustClose = box Fiber "Mark `shuttle` as MUST-CLOSE";
    /// The worker, while it frames a part, after it took the flag.
    SeeMustClose = box Worker "See MUST-CLOSE, end HTTP(S) response in the same write";
    /// The worker, after the bytes of that part and of the end were given to the socket.
    BodyAndEndToClient = arrow Worker => Client
        "HTTP(S) body and \"end of chunked\" etc to client";
    /// The dispatcher, on `Leg::Continue`, after unpinning, when parts were appended too late.
    TxSeesRest = box Tx "See (parts of) HTTP(S) body that were not sent";
    /// The dispatcher, then, without a flag to close, just before it sends the shuttle with
    /// `Leg::Write`.
    TxSendsRest = arrow Tx => Worker "Send `shuttle` with the rest of response";
    /// The dispatcher, on `Leg::Continue`, after unpinning, when the flag was set too late.
    TxSeesMustClose = box Tx "See unprocessed MUST-CLOSE";
    /// The dispatcher, then, before `TxSendsClose`.
    TxHandsOver = box Tx "Mark `shuttle` as owned by HTTP(S) thread";
    /// The dispatcher, just before it sends the shuttle with `Leg::Close`.
    TxSendsClose = arrow Tx => Worker "Send `shuttle` with close request";
    /// The fiber, after the handler returned or failed.
    ExitHandler = rbox Fiber [" #green" white] "Exit user handler";
    /// The fiber, after the handler, before it parks because the shuttle is away.
    ExitSleeps = note Fiber ["#blue" white] "Sleep until `shuttle` returns";
    /// The worker, on `Leg::Close`, after the last bytes were given to the socket.
    EndToClient = arrow Worker => Client "HTTP(S) \"end of chunked\" etc to client";
    /// The worker, just before it sends the shuttle with `Leg::Closed`.
    SendClosed = arrow Worker => Tx "\"Request closed\" notification";
    /// The dispatcher, after it received `Leg::Closed`.
    TakeClosed = note Tx ["#blue" white] "Mark shuttle as owned by TX";
    /// The fiber, just before it sends the shuttle with `Leg::Release`.
    AskToFree = arrow Fiber => Worker "Request to free `shuttle`";
    /// The fiber, last thing it does.
    ExitFiber = abox Fiber "Exit fiber";
    /// The worker, just before it frees the berth.
    FreeShuttle = box Worker [" #yellow"] "Free `shuttle`";
    /// The worker, after it got a second berth together with the first.
    AllocateBodyShuttle = box Worker ["#yellow"] "Allocate `shuttle` of the body";
    /// The worker, when some of a body that crosses in pieces has come and can cross.
    BodyArrives = arrow Client => Worker "(Part of) HTTP(S) request body from client";
    /// The worker, just before it sends the shuttle of a body with `Leg::Body`.
    SendPiece = arrow Worker => Tx "`shuttle` of the body with a piece of it";
    /// The dispatcher, after it received `Leg::Body`.
    TakePiece = note Tx "Mark `shuttle` of the body as owned by TX";
    /// The fiber, on entering `read`.
    CallRead = box Fiber "read()";
    /// The fiber, in `read`, before it parks because no piece is here.
    ReadSleeps = note Fiber "Sleep until a piece of the body is here";
    /// The fiber, owning the shuttle of the body, before it takes the piece out of it.
    TakeOutPiece = box Fiber "Take the piece out of `shuttle` of the body";
    /// The fiber, just before it sends the shuttle of the body with `Leg::WantBody`.
    AskForPiece = arrow Fiber => Worker "Request for the next piece";
    /// The fiber, just before it sends the shuttle of the body with `Leg::Release`.
    AskToFreeBody = arrow Fiber => Worker "Request to free `shuttle` of the body";
    /// The worker, just before it frees the berth of a body.
    FreeBodyShuttle = box Worker [" #yellow"] "Free `shuttle` of the body";
    /// The worker, when it learns that the client has left.
    ClientLeaves = arrow Client => Worker "Disconnect of client";
    /// The worker, just before it marks the berth.
    MarkClientGone = box Worker ["#orange"] "Mark `shuttle` as CLIENT-GONE";
    /// The worker, just before it hails TX; not when the shuttle is its own and says it itself.
    SendClientGone = arrow Worker => Tx "\"Client gone\" notification";
    /// The dispatcher, after it saw the hail.
    TakeClientGone = note Tx ["#orange"] "Client is gone: ignore what is sent from now on";
    /// The fiber, in `write`, `write_header` or `close`, when it returns without sending.
    IgnoreWrite = box Fiber "Client is gone: send nothing, return true";
}

impl Mark {
    /// What it looks like, and between whom.
    #[must_use]
    pub fn kind(self) -> MarkKind {
        self.look().kind
    }

    /// The words of the drawing.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.look().text
    }

    /// The line of the drawing, or lines: without an end of line after the last.
    #[must_use]
    pub fn notation(self) -> String {
        let look = self.look();
        let (open, shut) = if look.white {
            ("<color:#white>", "</color>")
        } else {
            ("", "")
        };
        let text = format!("{open}{}{shut}", look.text);
        match look.kind {
            MarkKind::Arrow { from, to } => format!("{}:{text}", arrow(from, to, look.word)),
            MarkKind::Box { over } | MarkKind::Note { over } => {
                let line = format!("{} over {}{}:{text}", look.word, over.name(), look.color);
                match self {
                    // The lifeline ends with the fiber.
                    Self::ExitFiber => format!("{line}\ndestroyafter {}", over.name()),
                    _ => line,
                }
            }
        }
    }
}

/// The drawing names the left participant first, but for the arrow that creates one.
fn arrow(from: Participant, to: Participant, word: &str) -> String {
    if word == "create" {
        return format!("{}->*{}", from.name(), to.name());
    }
    if from < to {
        format!("{}->{}", from.name(), to.name())
    } else {
        format!("{}<-{}", to.name(), from.name())
    }
}

/// Title and participants: the lines before the first mark.
#[must_use]
pub fn heading(title: &str) -> String {
    let [worker, client, fiber, tx] = [
        Participant::Worker,
        Participant::Client,
        Participant::Fiber,
        Participant::Tx,
    ]
    .map(Participant::name);
    format!(
        "title {title}\n\nparticipant {worker}\n\n\nparticipant {client}\n\n\n\
         participant {fiber}\n\n\nparticipant {tx}\n\n"
    )
}

/// A run in the notation of the drawing: heading, then a line for each mark.
#[must_use]
pub fn render(title: &str, marks: &[Mark]) -> String {
    let mut text = heading(title);
    for mark in marks {
        text.push_str(&mark.notation());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
