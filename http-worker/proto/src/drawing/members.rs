//! The family of drawings: for each member what has to happen, in the order it is drawn.

use super::Mark::{self, *};

/// One way that a request can go.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Member {
    /// The handler returns a response that is small enough to be copied.
    SimpleCopied,
    /// The handler returns a response whose body is lent.
    Simple,
    /// Several writes; the fiber unpins, and sleeps in `write` and `close`.
    Stage1,
    /// The shuttle is home when `close` is called.
    Stage2Lucky,
    /// The seed: the shuttle is away when `write` and `close` are called.
    Stage2Unlucky,
    /// `close` does not sleep; the worker sees the flag while it sends.
    Stage3InTime,
    /// `close` does not sleep; the worker had sent the shuttle home already.
    Stage3TooLate,
    /// `write` does not sleep: the worker finds what was appended, or the dispatcher sends it.
    Stage4,
    /// As `Stage4`, but a `write` finds no room.
    Stage4Limited,
    /// The client leaves while the fiber owns the shuttle.
    Cancel,
    /// The client leaves while the shuttle is with the worker and the fiber waits for it.
    CancelAway,
    /// The handler reads the body of its request while it arrives.
    Upload,
}

impl Member {
    /// Every member.
    pub const ALL: &[Self] = &[
        Self::SimpleCopied,
        Self::Simple,
        Self::Stage1,
        Self::Stage2Lucky,
        Self::Stage2Unlucky,
        Self::Stage3InTime,
        Self::Stage3TooLate,
        Self::Stage4,
        Self::Stage4Limited,
        Self::Cancel,
        Self::CancelAway,
        Self::Upload,
    ];

    /// The name for command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SimpleCopied => "simple-copied",
            Self::Simple => "simple",
            Self::Stage1 => "stage1",
            Self::Stage2Lucky => "stage2-lucky",
            Self::Stage2Unlucky => "stage2-unlucky",
            Self::Stage3InTime => "stage3-in-time",
            Self::Stage3TooLate => "stage3-too-late",
            Self::Stage4 => "stage4",
            Self::Stage4Limited => "stage4-limited",
            Self::Cancel => "cancel",
            Self::CancelAway => "cancel-away",
            Self::Upload => "upload",
        }
    }

    /// The member of this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|member| member.name() == name)
    }

    /// What stands in brackets in the title.
    fn subtitle(self) -> &'static str {
        match self {
            Self::SimpleCopied => "simple, copied",
            Self::Simple => "simple",
            Self::Stage1 => "several writes, proposed design, stage 1",
            Self::Stage2Lucky => "several writes, proposed design, stage 2, \"lucky\"",
            Self::Stage2Unlucky => "several writes, proposed design, stage 2, \"unlucky\"",
            Self::Stage3InTime => "several writes, proposed design, stage 3, \"in time\"",
            Self::Stage3TooLate => "several writes, proposed design, stage 3, \"too late\"",
            Self::Stage4 => "many writes, proposed design, stage 4",
            Self::Stage4Limited => "many writes, proposed design, stage 4, limited",
            Self::Cancel => "cancel, `shuttle` owned by TX",
            Self::CancelAway => "cancel, `shuttle` owned by HTTP(S) thread",
            Self::Upload => "request body in pieces",
        }
    }

    /// The title of the drawing.
    #[must_use]
    pub fn title(self) -> String {
        format!("HTTPNG threads interaction concept ({})", self.subtitle())
    }

    /// What has to happen, in the order of the drawing.
    ///
    /// Two threads run, so this order is one of several: gates make it the one that happens.
    /// What each participant does, and what an arrow comes before, is the same in all of them.
    #[must_use]
    pub fn marks(self) -> Vec<Mark> {
        let tail: &[&[Mark]] = match self {
            Self::SimpleCopied => &[SIMPLE_COPIED],
            Self::Simple => &[SIMPLE],
            Self::Stage1 => &[HEAD_UNLUCKY, SECOND_WRITE_WOKEN, CLOSE_STAGE_1, END],
            Self::Stage2Lucky => &[HEAD_UNLUCKY, SECOND_WRITE_WOKEN, CLOSE_LUCKY, END],
            Self::Stage2Unlucky => &[HEAD_UNLUCKY, SECOND_WRITE_WOKEN, CLOSE_UNLUCKY, END],
            Self::Stage3InTime => &[HEAD_UNLUCKY, SECOND_WRITE_WOKEN, CLOSE_IN_TIME],
            Self::Stage3TooLate => &[HEAD_UNLUCKY, SECOND_WRITE_WOKEN, CLOSE_TOO_LATE, FINISH],
            Self::Stage4 => &[HEAD_GOES, APPENDED_IN_TIME, APPENDED_TOO_LATE, CLOSED],
            Self::Stage4Limited => &[HEAD_SENT, NO_ROOM, ROOM_AGAIN, CLOSED],
            Self::Cancel => &[CANCEL],
            Self::CancelAway => &[HEAD_SENT, CANCEL_AWAY],
            Self::Upload => &[UPLOAD],
        };
        let start: &[&[Mark]] = match self {
            Self::Upload => &[ARRIVAL, &[AllocateBodyShuttle], START],
            _ => &[ARRIVAL, START],
        };
        start
            .iter()
            .chain(tail)
            .flat_map(|part| part.iter().copied())
            .collect()
    }
}

/// What comes from the client, and what for.
const ARRIVAL: &[Mark] = &[RequestArrives, AllocateShuttle];

/// From there to the handler: the same for every member.
const START: &[Mark] = &[
    PackRequest,
    SendRequest,
    WorkerGoesOn,
    CreateFiber,
    ShuttleToFiber,
    FillRequestTable,
    CallHandler,
];

const SIMPLE_COPIED: &[Mark] = &[
    ExitHandler,
    FillHeadAndCopy,
    HandOver,
    SendComplete,
    ExitFiber,
    FormatResponse,
    ResponseToClient,
    FreeShuttle,
];

const SIMPLE: &[Mark] = &[
    ExitHandler,
    FillHead,
    RefAndHandOver,
    SendComplete,
    ExitSleeps,
    FormatResponse,
    ResponseToClient,
    SendClosed,
    TakeClosed,
    TxUnrefs,
    WakeFiber,
    AskToFree,
    ExitFiber,
    FreeShuttle,
];

/// Two pieces, each waited for; a small answer.
const UPLOAD: &[Mark] = &[
    CallRead,
    ReadSleeps,
    BodyArrives,
    SendPiece,
    TakePiece,
    WakeFiber,
    TakeOutPiece,
    AskForPiece,
    UsefulWork,
    CallRead,
    ReadSleeps,
    BodyArrives,
    SendPiece,
    TakePiece,
    WakeFiber,
    TakeOutPiece,
    AskToFreeBody,
    ExitHandler,
    FillHeadAndCopy,
    HandOver,
    SendComplete,
    ExitFiber,
    FreeBodyShuttle,
    FormatResponse,
    ResponseToClient,
    FreeShuttle,
];

/// The head and the first part leave, and reach the client.
const HEAD_SENT: &[Mark] = &[
    CallWriteHeader,
    FillHead,
    RefAndHandOver,
    SendResponse,
    UsefulWork,
    FormatResponse,
    ResponseToClient,
];

/// As `HEAD_SENT`, then `write` finds the shuttle away.
const HEAD_UNLUCKY: &[Mark] = &[
    CallWriteHeader,
    FillHead,
    RefAndHandOver,
    SendResponse,
    UsefulWork,
    FormatResponse,
    ResponseToClient,
    CallWrite,
    WriteSleeps,
];

/// The shuttle comes home to the fiber that sleeps in `write`, which sends the second part.
const SECOND_WRITE_WOKEN: &[Mark] = &[
    SendContinue,
    TakeContinued,
    WakeFiber,
    FiberUnrefs,
    FillBody,
    RefAndHandOver,
    SendResponse,
    UsefulWork2,
    SendBody,
];

/// The head and the first part leave, and the worker has begun with them.
const HEAD_GOES: &[Mark] = &[
    CallWriteHeader,
    FillHead,
    RefAndHandOver,
    SendResponse,
    UsefulWork,
    FormatResponse,
];

/// The second part is appended before the worker looks: both go to the client together.
const APPENDED_IN_TIME: &[Mark] = &[
    CallWrite,
    AppendPart,
    UsefulWork2,
    ResponseToClient,
    SendContinue,
];

/// The third part and the close came when the shuttle had left: the dispatcher sends it again.
const APPENDED_TOO_LATE: &[Mark] = &[
    CallWrite,
    AppendPart,
    CallClose,
    SetMustClose,
    UsefulWork3,
    ExitHandler,
    ExitSleeps,
    TakeContinued,
    TxUnrefs,
    TxSeesRest,
    TxSeesMustClose,
    TxHandsOver,
    TxSendsClose,
    BodyAndEndToClient,
];

/// The second part came too late and the third finds the window full; the dispatcher sends the
/// second.
const NO_ROOM: &[Mark] = &[
    SendContinue,
    CallWrite,
    FiberUnrefs,
    AppendPart,
    UsefulWork2,
    CallWrite,
    RoomSleeps,
    TakeContinued,
    TxSeesRest,
    TxHandsOver,
    TxSendsRest,
    SendBody,
    BodyToClient,
    SendContinue,
];

/// The shuttle is back and has room for the third part, and the fiber goes on.
const ROOM_AGAIN: &[Mark] = &[
    TakeContinued,
    TxUnrefs,
    WakeFiber,
    FillBody,
    RefAndHandOver,
    SendResponse,
    CallClose,
    SetMustClose,
    UsefulWork3,
    ExitHandler,
    ExitSleeps,
    SendBody,
    SeeMustClose,
    BodyAndEndToClient,
];

/// The response is over, and pins come home.
const CLOSED: &[Mark] = &[
    SendClosed,
    TakeClosed,
    TxUnrefs,
    WakeFiber,
    AskToFree,
    ExitFiber,
    FreeShuttle,
];

/// `close` finds the shuttle away, and the fiber unpins.
const CLOSE_STAGE_1: &[Mark] = &[
    CallClose,
    CloseSleeps,
    BodyToClient,
    SendContinue,
    TakeContinued,
    WakeFiber,
    FiberUnrefs,
    HandOver,
    SendClose,
];

/// The shuttle is home, and unpinned, before `close` is called.
const CLOSE_LUCKY: &[Mark] = &[
    BodyToClient,
    SendContinue,
    TakeContinued,
    TxUnrefs,
    CallClose,
    HandOver,
    SendClose,
];

/// `close` finds the shuttle away, and the dispatcher unpins.
const CLOSE_UNLUCKY: &[Mark] = &[
    CallClose,
    CloseSleeps,
    BodyToClient,
    SendContinue,
    TakeContinued,
    TxUnrefs,
    WakeFiber,
    HandOver,
    SendClose,
];

/// The worker sees the flag in time: one write ends the response, pins come home with Closed.
const CLOSE_IN_TIME: &[Mark] = &[
    CallClose,
    SetMustClose,
    UsefulWork3,
    ExitHandler,
    ExitSleeps,
    SeeMustClose,
    BodyAndEndToClient,
    SendClosed,
    TakeClosed,
    TxUnrefs,
    WakeFiber,
    AskToFree,
    ExitFiber,
    FreeShuttle,
];

/// The shuttle was on its way home when the flag was set: the dispatcher closes.
const CLOSE_TOO_LATE: &[Mark] = &[
    BodyToClient,
    SendContinue,
    CallClose,
    SetMustClose,
    UsefulWork3,
    ExitHandler,
    ExitSleeps,
    TakeContinued,
    TxUnrefs,
    TxSeesMustClose,
    TxHandsOver,
    TxSendsClose,
];

/// After the close request has left: the handler goes on and ends.
const END: &[Mark] = &[
    UsefulWork3,
    ExitHandler,
    ExitSleeps,
    EndToClient,
    SendClosed,
    TakeClosed,
    WakeFiber,
    AskToFree,
    ExitFiber,
    FreeShuttle,
];

/// As `END`, for a handler that has ended already.
const FINISH: &[Mark] = &[
    EndToClient,
    SendClosed,
    TakeClosed,
    WakeFiber,
    AskToFree,
    ExitFiber,
    FreeShuttle,
];

/// The client leaves before the first write: the hail reaches TX, the write goes nowhere.
const CANCEL: &[Mark] = &[
    ClientLeaves,
    MarkClientGone,
    SendClientGone,
    TakeClientGone,
    CallWriteHeader,
    IgnoreWrite,
    UsefulWork,
    ExitHandler,
    AskToFree,
    ExitFiber,
    FreeShuttle,
];

/// The client leaves while the worker owns the shuttle: it comes home as closed.
const CANCEL_AWAY: &[Mark] = &[
    CallWrite,
    WriteSleeps,
    ClientLeaves,
    MarkClientGone,
    SendClosed,
    TakeClosed,
    TxUnrefs,
    WakeFiber,
    IgnoreWrite,
    UsefulWork2,
    ExitHandler,
    AskToFree,
    ExitFiber,
    FreeShuttle,
];
