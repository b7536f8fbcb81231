//! One member of the family, played: a real server, a real client over TCP, the handler of the
//! drawing, both shores held at the gates that make it that member.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use http_proto::drawing::{Mark, Member, Witness};
use shuttle_core::Doorbell;

use super::Watch;
use super::gates::{Shore, gates};
use super::recorder::Recorder;
use crate::exit::Exit;
use crate::signals::StopFlag;
use crate::supervisor::Overrides;
use crate::tx::{self, Ending, Options, Program};

/// Runs one member and gives what was recorded, in order. Blocks until the request is over and
/// the server has ended, or something took longer than `patience`.
///
/// # Errors
/// One line for each thing that did not happen.
pub fn play(member: Member, patience: Duration) -> Result<Vec<Mark>, String> {
    let recorder = Recorder::new(patience);
    let stage = Stage {
        recorder: Arc::clone(&recorder),
        marks: member.marks(),
    };
    let (tell, told) = mpsc::channel();
    let stop = StopFlag::default();
    let server = serve(member, stage, stop.clone(), tell)?;
    let addr = told.recv_timeout(patience);
    let asked = addr
        .map_err(|_| "the server does not listen".to_owned())
        .and_then(|addr| {
            ask(addr, member, &recorder).map_err(|error| format!("the client: {error}"))
        });
    stop.ask(signal_hook::consts::SIGTERM);
    recorder.ring();
    let ending = server
        .join()
        .map_err(|_| "the Lua thread panicked".to_owned())?;
    asked?;
    let mut complaints = recorder.complaints();
    complaints.extend(ending.message);
    if ending.exit != Exit::Done {
        complaints.push(format!("the server ended with code {}", ending.exit.code()));
    }
    if complaints.is_empty() {
        Ok(recorder.marks())
    } else {
        Err(complaints.join("\n"))
    }
}

/// Watches both shores and holds them at the gates of one sequence.
struct Stage {
    recorder: Arc<Recorder>,
    marks: Vec<Mark>,
}

impl Watch for Stage {
    fn witness(&self, shore: Shore) -> Box<dyn Witness> {
        self.recorder.witness(gates(&self.marks, shore))
    }

    fn add_bell(&self, bell: Arc<dyn Doorbell>) {
        self.recorder.add_bell(bell);
    }
}

/// Starts the server: one worker thread, the Lua thread here made.
fn serve(
    member: Member,
    stage: Stage,
    stop: StopFlag,
    tell: mpsc::Sender<SocketAddr>,
) -> Result<std::thread::JoinHandle<Ending>, String> {
    let patience = stage.recorder.patience();
    let run = move || {
        let overrides = Overrides {
            threads: Some(1),
            watch: Some(Arc::new(stage)),
            on_listen: Some(Box::new(move |addr| {
                // Nobody listens any more when the player gave up.
                let _ = tell.send(addr);
            })),
            ..Overrides::default()
        };
        let options = Options {
            program: Program::Text("diagram", program(member), Vec::new()),
            overrides,
            on_bell: None,
            drain_timeout: patience,
            stuck_after: Duration::ZERO,
        };
        tx::run(options, stop)
    };
    let thread = std::thread::Builder::new()
        .name("diagram".to_owned())
        .spawn(run);
    thread.map_err(|error| format!("cannot start a thread: {error}"))
}

/// The client: asks, leaves at the moment of the member if it is one of those that leave, and
/// otherwise reads to the end.
fn ask(addr: SocketAddr, member: Member, recorder: &Recorder) -> std::io::Result<()> {
    let mut client = TcpStream::connect(addr)?;
    client.set_read_timeout(Some(recorder.patience()))?;
    client.write_all(match member {
        Member::Upload => UPLOAD_HEAD,
        _ => b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    })?;
    if member == Member::Upload {
        // One piece whenever the handler waits for one.
        for (times, piece) in ["first ", "second"].iter().enumerate() {
            recorder.wait_for(Mark::ReadSleeps, times + 1);
            client.write_all(piece.as_bytes())?;
        }
    }
    let leaves_after = match member {
        Member::Cancel => Some(Mark::CallHandler),
        Member::CancelAway => Some(Mark::WriteSleeps),
        _ => None,
    };
    match leaves_after {
        Some(mark) => {
            recorder.wait_for(mark, 1);
            drop(client);
        }
        None => {
            let mut answer = Vec::new();
            client.read_to_end(&mut answer)?;
        }
    }
    recorder.wait_for(Mark::ExitFiber, 1);
    recorder.wait_for(Mark::FreeShuttle, 1);
    Ok(())
}

/// The handler of the drawing. `io:_mark(n)` is the n-th "Do something useful" of it; the strings
/// are long enough to be lent.
fn program(member: Member) -> String {
    let (stage, handler) = match member {
        Member::SimpleCopied => (3, "return { body = 'copied' }"),
        Member::Simple => (3, "return { body = ('lent '):rep(1000) }"),
        Member::Stage1 => (1, SEVERAL_WRITES),
        Member::Stage2Lucky => (2, LUCKY),
        Member::Stage2Unlucky => (2, SEVERAL_WRITES),
        Member::Stage3InTime | Member::Stage3TooLate => (3, SEVERAL_WRITES),
        Member::Stage4 => (4, MANY_WRITES),
        Member::Stage4Limited => (4, MANY_WRITES_LIMITED),
        Member::Cancel => (3, CANCEL),
        Member::CancelAway => (3, CANCEL_AWAY),
        Member::Upload => (3, UPLOAD),
    };
    format!(
        "local httpng, fiber = require('httpng'), require('fiber')
         httpng.cfg({{
             listen = {{ {{ addr = '127.0.0.1', port = 0 }} }},
             stage = {stage},
             stream = true,
             handler = function(req, io) {handler} end,
         }})"
    )
}

/// Its body is twelve bytes long.
const UPLOAD_HEAD: &[u8] =
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";

const UPLOAD: &str = "
    local first = req:read()
    io:_mark(1)
    return { body = first .. req:read() }";

const SEVERAL_WRITES: &str = "
    io:write_header(200, nil, ('head and first part '):rep(100))
    io:_mark(1)
    io:write(('second part '):rep(200))
    io:_mark(2)
    io:close()
    io:_mark(3)";

/// The handler lets others run: by then the gates have let the shuttle be on its way home.
const LUCKY: &str = "
    io:write_header(200, nil, ('head and first part '):rep(100))
    io:_mark(1)
    io:write(('second part '):rep(200))
    io:_mark(2)
    fiber.sleep(0.001)
    io:close()
    io:_mark(3)";

const MANY_WRITES: &str = "
    io:write_header(200, nil, ('head and first part '):rep(100))
    io:_mark(1)
    io:write(('second part '):rep(200))
    io:_mark(2)
    io:write(('third part '):rep(200))
    io:close()
    io:_mark(3)";

/// Two parts are more than may wait for the client.
const MANY_WRITES_LIMITED: &str = "
    io.send_window = 3000
    io:write_header(200, nil, ('head and first part '):rep(100))
    io:_mark(1)
    io:write(('second part '):rep(200))
    io:_mark(2)
    io:write(('third part '):rep(200))
    io:close()
    io:_mark(3)";

/// The client leaves while the handler lets others run.
const CANCEL: &str = "
    repeat fiber.yield() until io:is_closed()
    io:write_header(200, nil, ('head and first part '):rep(100))
    io:_mark(1)";

/// The client, which reads nothing, leaves while the worker waits for it to take the rest of a
/// part that no socket takes at once.
const CANCEL_AWAY: &str = "
    io:write_header(200, nil, ('head and first part '):rep(2000000))
    io:_mark(1)
    io:write(('second part '):rep(200))
    io:_mark(2)";
