//! `check(handler, script)`: a handler against a script of what the worker does; the text of what
//! happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use http_proto::{BodyFault, Exchange, Leg};
use lua_bindings::{MainStatus, Stage};
use shuttle_core::{BerthId, Shuttle, Worker};

use crate::world::{World, logged};

/// The script, one step a line:
///
/// * `GET /path name:value ... | body`: a request, numbered from 1;
/// * `STREAM /path`: a request whose body follows; `piece N TEXT`, `last N TEXT`: the next piece of
///   it, or the last; `fault N NAME`: the rest of it is lost;
/// * `turn`: TX runs until it rests;
/// * `look`: the worker takes what came;
/// * `continue N`, `closed N`: the worker sends a shuttle back, with all sent that it found; if
///   more was appended it finds that instead;
/// * `take N BYTES`: the client takes so many of the appended bytes, and TX hears of it if it
///   asked;
/// * `gone N`: the client of a request leaves; `leave N`: while the worker has the shuttle;
/// * `pass MS`: time passes;
/// * `auto`: both sides go on until everything rests.
///
/// After the script everything must be over: no open request, no pin, no travelling shuttle.
pub(crate) fn check(handler: &str, script: &str) -> String {
    check_at(Stage::Three, handler, script)
}

pub(crate) fn check_at(stage: Stage, handler: &str, script: &str) -> String {
    let world = World::new(stage);
    let mut play = Play::begin(world, handler);
    play.run(script);
    play.end()
}

/// A handler as a program: the source is that of the function's body, with `req` and `io`. Other
/// options stand before it, each followed by a comma.
pub(crate) fn program_with(options: &str, handler: &str) -> String {
    format!(
        "local fiber, json = require 'fiber', require 'json'\n\
         local log, httpng = require 'log', require 'httpng'\n\
         G = G or {{}}\n\
         httpng.cfg{{ {options} handler = function(req, io)\n{handler}\nend }}"
    )
}

pub(crate) struct Play {
    pub(crate) world: World,
    held: BTreeMap<u64, Shuttle<Worker, Exchange>>,
    /// The shuttles of bodies.
    bodies: BTreeMap<u64, Shuttle<Worker, Exchange>>,
    berths: BTreeMap<u64, BerthId>,
    text: String,
}

impl Play {
    pub(crate) fn begin(world: World, handler: &str) -> Self {
        Self::begin_with(world, "", handler)
    }

    pub(crate) fn begin_with(world: World, options: &str, handler: &str) -> Self {
        Self::begin_program(world, &program_with(options, handler))
    }

    /// A program that says all by itself.
    pub(crate) fn begin_program(mut world: World, program: &str) -> Self {
        let status = world.run(program);
        assert_eq!(status, MainStatus::Finished, "{:?}", logged());
        Self {
            world,
            held: BTreeMap::new(),
            bodies: BTreeMap::new(),
            berths: BTreeMap::new(),
            text: String::new(),
        }
    }

    pub(crate) fn run(&mut self, script: &str) {
        for line in script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            self.step(line);
        }
    }

    /// What happened until now.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text, after everything is proven to be over.
    pub(crate) fn end(mut self) -> String {
        self.step("auto");
        // Whoever sleeps still gets the time for it.
        self.step("pass 10000");
        self.step("auto");
        assert!(self.held.is_empty());
        assert_eq!(
            self.world.env.open_requests(),
            0,
            "open requests\n{}",
            self.text
        );
        assert_eq!(self.world.env.pins(), 0, "pins\n{}", self.text);
        assert_eq!(
            self.world.worker().travelling(),
            0,
            "travelling\n{}",
            self.text
        );
        self.text
    }

    fn step(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.parse::<u64>().unwrap();
        match verb {
            "turn" => self.turn(),
            "look" => self.look(),
            "continue" => self.send_continue(number()),
            "closed" => self.send_closed(number()),
            "take" => {
                let (number, bytes) = rest.split_once(' ').unwrap();
                self.take(number.parse().unwrap(), bytes.parse().unwrap());
            }
            "gone" => {
                let berth = self.berths[&number()];
                self.world.worker().hail_client_gone(berth);
            }
            // The worker itself owns the shuttle: it says it by the shuttle.
            "leave" => self.held[&number()].mark_client_gone(),
            "pass" => {
                self.world.pass(Duration::from_millis(number()));
                self.take_log();
            }
            "auto" => self.auto(),
            "STREAM" => {
                self.stream(rest, &[]);
            }
            "piece" | "last" | "fault" => {
                let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
                self.send_piece(number.parse().unwrap(), verb, text);
            }
            method => self.request(method, rest),
        }
    }

    /// A request whose body is to follow in pieces.
    pub(crate) fn stream(&mut self, target: &str, fields: &[(&str, &str)]) {
        let ((number, berth), body) = self.world.streamed(target, fields);
        self.berths.insert(number, berth);
        self.bodies.insert(number, body);
    }

    /// Sends a body in pieces of so many bytes, each when the one before was taken. If it is whole,
    /// the last piece says so. What follows the end of a form nobody may want any more.
    pub(crate) fn send_body(&mut self, number: u64, body: &[u8], size: usize, is_whole: bool) {
        for (place, piece) in body.chunks(size).enumerate() {
            if !self.bodies.contains_key(&number) {
                return;
            }
            let is_last = is_whole && (place + 1) * size >= body.len();
            self.send_bytes(number, if is_last { "last" } else { "piece" }, piece);
            self.run("turn\nlook");
        }
    }

    fn request(&mut self, method: &str, rest: &str) {
        let (head, body) = rest.split_once(" | ").unwrap_or((rest, ""));
        let mut words = head.split_whitespace();
        let target = words.next().unwrap();
        let fields: Vec<(&str, &str)> = words.map(|word| word.split_once(':').unwrap()).collect();
        let (number, berth) = self.world.request(method, target, &fields, body.as_bytes());
        self.berths.insert(number, berth);
    }

    fn send_piece(&mut self, number: u64, verb: &str, text: &str) {
        self.send_bytes(number, verb, text.as_bytes());
    }

    fn send_bytes(&mut self, number: u64, verb: &str, bytes: &[u8]) {
        let mut body = self.bodies.remove(&number).expect("it is at the worker");
        body.body.clear();
        body.trailers.clear();
        body.advance(Leg::Body).unwrap();
        if verb == "fault" {
            let is_it = |fault: &&BodyFault| fault.name().as_bytes() == bytes;
            let fault = BodyFault::ALL.iter().find(is_it);
            body.fault = Some(*fault.expect("a fault"));
        } else {
            body.body.extend_from_slice(bytes);
        }
        if verb != "piece" {
            body.trailers.push(b"x-sum", b"7");
            body.last = true;
        }
        self.world.worker().send(body);
    }

    fn turn(&mut self) {
        self.world.settle();
        self.take_log();
    }

    /// A few turns, for programs that never rest.
    pub(crate) fn some_turns(&mut self) {
        self.world.some_turns();
        self.take_log();
    }

    /// The worker is gone, with all that it holds.
    pub(crate) fn lose_worker(&mut self) {
        self.held.clear();
        self.bodies.clear();
        self.world.worker = None;
    }

    fn take_log(&mut self) {
        for line in logged() {
            let line = line.lines().next().unwrap_or_default().to_owned();
            let _ = writeln!(self.text, "{line}");
        }
    }

    fn look(&mut self) {
        while let Some(mut shuttle) = self.world.worker().recv() {
            if matches!(shuttle.leg(), Leg::Write | Leg::Close) {
                shuttle.find_chunks();
            }
            self.tell(&shuttle);
            match shuttle.leg() {
                Leg::WantBody => {
                    self.bodies.insert(shuttle.worker_ticket, shuttle);
                }
                Leg::Answer | Leg::Release => self.world.worker().release(shuttle),
                _ => {
                    self.held.insert(shuttle.worker_ticket, shuttle);
                }
            }
        }
    }

    fn tell(&mut self, shuttle: &Shuttle<Worker, Exchange>) {
        let number = shuttle.worker_ticket;
        let leg = shuttle.leg();
        let what = if shuttle.carries_body { " body" } else { "" };
        let _ = write!(self.text, "{number}{what} {leg:?}");
        let (exchange, lent) = shuttle.parts();
        if shuttle.is_abandoned() {
            let _ = write!(self.text, " abandoned");
        }
        if exchange.is_elsewhere {
            let _ = write!(self.text, " elsewhere");
        }
        if matches!(leg, Leg::Answer | Leg::Write) {
            let head = &exchange.response;
            let _ = write!(self.text, " {}", head.status());
            for (name, value) in head.fields() {
                let (name, value) = (name.escape_ascii(), value.escape_ascii());
                let _ = write!(self.text, " [{name}: {value}]");
            }
            if let Some(length) = head.content_length() {
                let _ = write!(self.text, " ({length})");
            }
            let _ = write!(self.text, " \"{}\"", brief(&exchange.part));
            for piece in lent {
                let _ = write!(self.text, " lent \"{}\"", brief(piece));
            }
            if exchange.last {
                let _ = write!(self.text, " last");
            }
        }
        self.tell_chunks(shuttle);
        self.text.push('\n');
    }

    fn tell_chunks(&mut self, shuttle: &Shuttle<Worker, Exchange>) {
        for piece in shuttle.chunks() {
            let _ = write!(self.text, " + \"{}\"", brief(piece));
        }
    }

    fn take(&mut self, number: u64, bytes: usize) {
        let shuttle = self.held.get_mut(&number).unwrap();
        shuttle.consumed(bytes);
        self.world.worker.as_mut().unwrap().tell_progress(shuttle);
    }

    fn send_continue(&mut self, number: u64) {
        let mut shuttle = self.held.remove(&number).unwrap();
        let found = shuttle.chunks().map(<[u8]>::len).sum();
        shuttle.consumed(found);
        if shuttle.leg() == Leg::Write && shuttle.find_chunks() > 0 {
            let _ = write!(self.text, "{number} finds");
            self.tell_chunks(&shuttle);
            self.text.push('\n');
            self.world.worker().tell_progress(&shuttle);
            self.held.insert(number, shuttle);
            return;
        }
        if shuttle.advance(Leg::Continue).is_err() {
            self.held.insert(number, shuttle);
            return self.send_closed(number);
        }
        if let Err(mut kept) = self.world.worker().send_continue(shuttle) {
            assert!(kept.accept_close());
            let _ = writeln!(self.text, "{number} MUST-CLOSE in time");
            self.held.insert(number, kept);
            self.send_closed(number);
        }
    }

    /// The worker's Continue has left when the handler, told by the global `G.go`, closes.
    pub(crate) fn late_close(&mut self, number: u64) {
        let mut shuttle = self.held.remove(&number).unwrap();
        let found = shuttle.chunks().map(<[u8]>::len).sum();
        shuttle.consumed(found);
        shuttle.advance(Leg::Continue).unwrap();
        let go = self.world.env.load_text("=go", b"G.go = true").unwrap();
        self.world.env.start(go).unwrap();
        self.world.settle();
        assert!(self.world.worker().send_continue(shuttle).is_ok());
        // Nothing is received before the handler has closed.
        self.world.pass_without_arrivals(Duration::from_millis(5));
        self.take_log();
    }

    fn send_closed(&mut self, number: u64) {
        let mut shuttle = self.held.remove(&number).unwrap();
        shuttle.advance(Leg::Closed).unwrap();
        self.world.worker().send(shuttle);
    }

    fn auto(&mut self) {
        for _ in 0..1000 {
            self.turn();
            self.look();
            if let Some(&number) = self.held.keys().next() {
                self.send_continue(number);
            } else if let Some(&number) = self.bodies.keys().next() {
                self.send_piece(number, "fault", "closed");
            } else {
                return;
            }
        }
        panic!("it does not come to rest:\n{}", self.text);
    }
}

/// Bytes as text; long runs of one byte are counted.
fn brief(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        match run.len() {
            1..8 => text.push_str(&run.escape_ascii().to_string()),
            len => {
                let _ = write!(text, "{}*{len}", run[..1].escape_ascii());
            }
        }
    }
    text
}
