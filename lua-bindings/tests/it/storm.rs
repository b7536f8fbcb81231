//! Requests, handlers, worker and clients that do anything in any order: what a client that stays
//! gets is what its handler sent, and in the end nothing is left.

use std::collections::BTreeMap;
use std::time::Duration;

use http_proto::{BodyFault, Exchange, Leg};
use lua_bindings::{MainStatus, Stage};
use proptest::prelude::*;
use shuttle_core::{Shuttle, Worker};

use crate::check::program_with;
use crate::world::{World, logged};

/// What a handler does is a word of its path; `G.sent` is what it believes to have sent, and
/// `G.late` which trailer it set last; `G.failed` are those that failed, and do not vouch for it.
const HANDLER: &str = r#"
local sent, path = {}, req.path
G.expected = (G.expected or 0) + 1
io:on_close(function(_, how)
    G.closed = (G.closed or 0) + 1
    G[how] = (G[how] or 0) + 1
    if path:find('w') then fiber.sleep(0.001) end
end)
local number = path:match('%d+')
G.sent = G.sent or {}
G.sent[number] = sent
G.late = G.late or {}
local function piece(len) return string.char(97 + #sent % 26):rep(len) end
local function write(len, last)
    local body = piece(len)
    sent[#sent + 1] = body
    return io:write(body, last)
end
G.failed = G.failed or {}
local function handle()
for op in req.path:match('%d+(.*)'):gmatch('.') do
    if op == 's' then write(10)
    elseif op == 'l' then write(3000)
    elseif op == 'e' then io:write('')
    elseif op == 'b' then req:read(2, 0.002)
    elseif op == 'B' then pcall(function() return req.body end)
    elseif op == 'j' then pcall(req.json, req)
    elseif op == 'F' then pcall(req.form, req)
    elseif op == 'i' then io.send_window = 100
    elseif op == 'v' then pcall(io.wait, io, 0, 0.002)
    elseif op == 'z' then
        local late = (G.late[number] or 0) + 1
        if not io:set_trailers { late = late } then G.late[number] = late end
    elseif op == 'w' then fiber.sleep(0.001)
    elseif op == 'y' then fiber.yield()
    elseif op == 'p' then for _ = 1, 3 do pcall(fiber.sleep, 0.001) end
    elseif op == 'g' then collectgarbage('step')
    elseif op == 'f' then
        local body = piece(1500)
        local other = fiber.create(function() sent[#sent + 1] = body io:write(body) end)
        other:set_joinable(true)
        other:join()
    elseif op == 'd' then fiber.create(function() fiber.sleep(0.002) io:write('late') end)
    elseif op == 'h' then pcall(io.write_header, io, 201, { ['x-n'] = 7 })
    elseif op == 'c' then io:close() return
    elseif op == 'L' then write(2000, true) return
    elseif op == 'x' then error('on purpose', 0)
    elseif op == 'r' then
        local body = piece(1200)
        sent[#sent + 1] = body
        return { body = body }
    elseif op == 't' then sent[#sent + 1] = 'tiny' return { body = 'tiny' }
    elseif op == 'n' then return 42
    end
end
end
local ok, returned = pcall(handle)
G.failed[number] = not ok or type(returned) == 'number'
if not ok then error(returned, 0) end
return returned
"#;

/// All bodies are forms.
const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

/// One step of the world outside.
#[derive(Clone, Debug)]
enum Step {
    /// A request whose handler does this.
    Request(String),
    Turn,
    Look,
    /// The worker sends back the shuttle that it holds at this place.
    Answer(usize),
    /// The client of this request leaves.
    Gone(usize),
    Pass,
    /// As before, and nothing that the worker has sent is received.
    Deaf,
    Reload,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => "[slewpygfhdbBjFivz]{0,6}[cLxrtn]?".prop_map(Step::Request),
        4 => Just(Step::Turn),
        4 => Just(Step::Look),
        6 => any::<usize>().prop_map(Step::Answer),
        1 => any::<usize>().prop_map(Step::Gone),
        2 => Just(Step::Pass),
        2 => Just(Step::Deaf),
        1 => Just(Step::Reload),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What the worker knows of a request.
#[derive(Default)]
struct Seen {
    ops: String,
    body: Vec<u8>,
    /// The trailer that came with the end, or nothing.
    late: String,
    /// Its client left, or nobody can know what it should have got.
    is_spoilt: bool,
    is_over: bool,
}

impl Seen {
    /// Writes what was appended; whether there was something.
    fn take_chunks(&mut self, shuttle: &mut Shuttle<Worker, Exchange>) -> bool {
        let found = shuttle.find_chunks();
        shuttle
            .chunks()
            .for_each(|piece| self.body.extend_from_slice(piece));
        shuttle.consumed(found);
        found > 0
    }
}

struct Storm {
    world: World,
    held: Vec<Shuttle<Worker, Exchange>>,
    seen: BTreeMap<u64, Seen>,
    berths: Vec<(u64, shuttle_core::BerthId)>,
    /// The program, which is also what is reloaded.
    program: String,
    /// Pieces of bodies that were sent.
    pieces: usize,
}

impl Storm {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Request(ops) => self.request(ops),
            Step::Turn => self.world.settle(),
            Step::Look => self.look(),
            Step::Answer(place) if !self.held.is_empty() => {
                let shuttle = self.held.remove(place % self.held.len());
                self.send_back(shuttle);
            }
            Step::Gone(place) if !self.berths.is_empty() => {
                let (number, berth) = self.berths[place % self.berths.len()];
                let seen = self.seen.get_mut(&number).unwrap();
                if !seen.is_over {
                    seen.is_spoilt = true;
                    self.world.worker().hail_client_gone(berth);
                }
            }
            Step::Pass => self.world.pass(Duration::from_millis(1)),
            Step::Deaf => self.world.pass_without_arrivals(Duration::from_millis(1)),
            Step::Reload => {
                let status = self.world.run(&self.program);
                assert_eq!(status, MainStatus::Finished, "{:?}", logged());
            }
            Step::Answer(_) | Step::Gone(_) => {}
        }
    }

    fn request(&mut self, ops: &str) {
        if self.world.worker().travelling() == self.world.worker().berths() {
            return;
        }
        let next = self.seen.len() + 1;
        let target = format!("/{next}{ops}");
        let worker = self.world.worker();
        let has_two = worker.berths() - worker.travelling() > 1;
        let (number, berth) = if has_two && !next.is_multiple_of(3) {
            let (named, body) = self.world.streamed(&target, FORM);
            self.held.push(body);
            named
        } else {
            self.world.request("POST", &target, FORM, b"abcde")
        };
        let is_spoilt = ops.contains(['x', 'n']);
        self.seen.insert(
            number,
            Seen {
                ops: ops.to_owned(),
                is_spoilt,
                ..Seen::default()
            },
        );
        self.berths.push((number, berth));
    }

    fn look(&mut self) {
        while let Some(mut shuttle) = self.world.worker().recv() {
            assert!(!shuttle.is_abandoned());
            if shuttle.carries_body {
                match shuttle.leg() {
                    Leg::Release => self.world.worker().release(shuttle),
                    _ => self.held.push(shuttle),
                }
                continue;
            }
            let seen = self.seen.get_mut(&shuttle.worker_ticket).unwrap();
            assert!(!seen.is_over, "{}: a shuttle after the end", seen.ops);
            if matches!(shuttle.leg(), Leg::Answer | Leg::Write) {
                let (exchange, lent) = shuttle.parts();
                seen.body.extend_from_slice(&exchange.part);
                lent.for_each(|piece| seen.body.extend_from_slice(piece));
            }
            if matches!(shuttle.leg(), Leg::Write | Leg::Close) {
                seen.take_chunks(&mut shuttle);
            }
            if let Some(trailers) = shuttle.response_trailers.take() {
                let is_end = matches!(shuttle.leg(), Leg::Answer | Leg::Close) || shuttle.last;
                assert!(is_end, "trailers before the end");
                let late = trailers.iter().last().map(|(_, value)| value);
                seen.late = String::from_utf8_lossy(late.unwrap()).into_owned();
            }
            match shuttle.leg() {
                Leg::Answer | Leg::Release => {
                    seen.is_over = true;
                    self.world.worker().release(shuttle);
                }
                _ => self.held.push(shuttle),
            }
        }
    }

    fn send_back(&mut self, mut shuttle: Shuttle<Worker, Exchange>) {
        if shuttle.carries_body {
            return self.send_piece(shuttle);
        }
        let is_gone = shuttle.client_gone();
        let seen = self.seen.get_mut(&shuttle.worker_ticket).unwrap();
        if !is_gone && shuttle.leg() == Leg::Write && seen.take_chunks(&mut shuttle) {
            self.world.worker().tell_progress(&shuttle);
            return self.held.push(shuttle);
        }
        if !is_gone && shuttle.advance(Leg::Continue).is_ok() {
            match self.world.worker().send_continue(shuttle) {
                Ok(()) => return,
                Err(mut kept) => {
                    assert!(kept.accept_close());
                    shuttle = kept;
                }
            }
        }
        shuttle.advance(Leg::Closed).unwrap();
        self.world.worker().send(shuttle);
    }

    /// The next piece of a body: every third is the last, and every other of these a fault.
    fn send_piece(&mut self, mut shuttle: Shuttle<Worker, Exchange>) {
        self.pieces += 1;
        shuttle.body.clear();
        shuttle.body.extend_from_slice(b"piece");
        shuttle.advance(Leg::Body).unwrap();
        shuttle.last = self.pieces.is_multiple_of(3);
        shuttle.fault = self.pieces.is_multiple_of(6).then_some(BodyFault::Closed);
        self.world.worker().send(shuttle);
    }

    /// Everybody goes on until nothing is left.
    fn calm_down(&mut self) {
        for _ in 0..10_000 {
            self.world.pass(Duration::from_millis(1));
            self.look();
            let held = std::mem::take(&mut self.held);
            if held.is_empty() && self.world.worker().travelling() == 0 {
                return;
            }
            held.into_iter().for_each(|shuttle| self.send_back(shuttle));
        }
        panic!("it does not calm down");
    }
}

/// Values that the registry holds for somebody.
const HELD: &str = "collectgarbage() local n = 0\n\
    for key, value in pairs(debug.getregistry()) do\n\
      if type(key) == 'number' and type(value) == 'function' then n = n + 1 end\n\
    end\n\
    held = held or n assert(held == n, n .. ' functions are held, not ' .. held)\n\
    local closed, expected = G and G.closed, G and G.expected\n\
    assert(closed == expected, tostring(closed) .. ' ends were told, not ' .. tostring(expected))";

fn run(stage: Stage, steps: &[Step], cancels: bool) {
    let mut world = World::new(stage);
    let program = program_with(&format!("cancel_on_disconnect = {cancels},"), HANDLER);
    assert_eq!(world.run(&program), MainStatus::Finished);
    assert_eq!(world.run(HELD), MainStatus::Finished);
    let (held, berths) = (Vec::new(), Vec::new());
    let mut storm = Storm {
        world,
        held,
        seen: BTreeMap::new(),
        berths,
        program,
        pieces: 0,
    };
    steps.iter().for_each(|step| storm.step(step));
    storm.calm_down();
    // Fibers that outlive their handlers come to their end.
    storm.world.pass(Duration::from_millis(50));
    assert_eq!(storm.world.env.open_requests(), 0);
    assert_eq!(storm.world.env.pins(), 0);
    assert_eq!(storm.world.env.fibers(), 0);
    assert_eq!(storm.world.run(HELD), MainStatus::Finished);
    let _ = logged();
    let tell = "for n, sent in pairs(G and G.sent or {}) do\n\
                require('log').info('%s %s|%s%s', n, table.concat(sent), G.late[n] or '',\n\
                G.failed[n] and '!' or '') end";
    assert_eq!(storm.world.run(tell), MainStatus::Finished);
    for line in logged() {
        let Some((number, sent)) = line.trim_start_matches("INFO lua: ").split_once(' ') else {
            continue;
        };
        let (sent, late) = sent.rsplit_once('|').unwrap();
        let seen = &storm.seen[&number.parse().unwrap()];
        if !seen.is_spoilt {
            // A late writer may have got its word in before the end.
            let got = String::from_utf8_lossy(&seen.body).replace("late", "");
            assert_eq!(got, sent, "{number} {}", seen.ops);
            match late.strip_suffix('!') {
                Some(_) if seen.late.is_empty() => {}
                Some(late) => assert_eq!(seen.late, late, "{number} {}", seen.ops),
                None => assert_eq!(seen.late, late, "{number} {}", seen.ops),
            }
        }
    }
}

const STAGES: [Stage; 4] = [Stage::One, Stage::Two, Stage::Three, Stage::Four];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn r1_to_r12_anything_in_any_order(steps in steps(), stage in 0..4) {
        let stage = STAGES[stage as usize];
        run(stage, &steps, false);
    }

    #[test]
    fn l13_handlers_are_cancelled_at_any_leg(steps in steps(), stage in 0..4) {
        let stage = STAGES[stage as usize];
        run(stage, &steps, true);
    }
}
