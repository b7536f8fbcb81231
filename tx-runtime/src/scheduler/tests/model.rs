//! Random lives against a model that has no stacks: the same operations must give the same trace,
//! fiber by fiber and step by step.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::test_world::in_world;
use crate::{
    Budget, FiberRef, JoinError, Status, Wakeup, current, park, park_uncancellable, spawn, stats,
    turn, yield_now,
};

/// What one fiber does next.
#[derive(Copy, Clone, Debug)]
enum Deed {
    Park { in_ms: Option<u64> },
    ParkShielded { in_ms: Option<u64> },
    Yield,
    Join { whom: usize, in_ms: Option<u64> },
    Wake { whom: usize },
    Cancel { whom: usize },
    RunNow { whom: usize },
    Return,
    Panic,
}

/// What happens from outside.
#[derive(Copy, Clone, Debug)]
enum Step {
    Spawn,
    Tell { whom: usize, deed: Deed },
    Wake { whom: usize },
    Cancel { whom: usize },
    Turn { after_ms: u64, budget: usize },
}

const FIBERS: usize = 8;

fn whom() -> impl Strategy<Value = usize> + Clone {
    0..FIBERS
}

fn wait() -> impl Strategy<Value = Option<u64>> + Clone {
    prop::option::of(0..6_u64)
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => wait().prop_map(|in_ms| Deed::Park { in_ms }),
        2 => wait().prop_map(|in_ms| Deed::ParkShielded { in_ms }),
        3 => Just(Deed::Yield),
        4 => (whom(), wait()).prop_map(|(whom, in_ms)| Deed::Join { whom, in_ms }),
        3 => whom().prop_map(|whom| Deed::Wake { whom }),
        2 => whom().prop_map(|whom| Deed::Cancel { whom }),
        3 => whom().prop_map(|whom| Deed::RunNow { whom }),
        1 => Just(Deed::Return),
        1 => Just(Deed::Panic),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Spawn),
        8 => (whom(), deed()).prop_map(|(whom, deed)| Step::Tell { whom, deed }),
        4 => whom().prop_map(|whom| Step::Wake { whom }),
        2 => whom().prop_map(|whom| Step::Cancel { whom }),
        5 => (0..4_u64, 1..6_usize)
            .prop_map(|(after_ms, budget)| Step::Turn { after_ms, budget }),
    ]
}

/// The real thing: fibers that do what they are told, and park when they were told nothing.
struct Real {
    start: Instant,
    now_ms: u64,
    fibers: Rc<RefCell<Vec<FiberRef>>>,
    told: Rc<RefCell<Vec<VecDeque<Deed>>>>,
    trace: Rc<RefCell<String>>,
}

impl Real {
    fn new(start: Instant) -> Self {
        let (fibers, told, trace) = (Rc::default(), Rc::default(), Rc::default());
        Self {
            start,
            now_ms: 0,
            fibers,
            told,
            trace,
        }
    }

    fn step(&mut self, step: Step) -> String {
        match step {
            Step::Spawn => {
                let own = self.fibers.borrow().len();
                if own < FIBERS {
                    self.told.borrow_mut().push(VecDeque::new());
                    let fiber = self.spawn(own);
                    self.fibers.borrow_mut().push(fiber);
                }
            }
            Step::Tell { whom, deed } => {
                if let Some(told) = self.told.borrow_mut().get_mut(whom) {
                    told.push_back(deed);
                }
            }
            Step::Wake { whom } => {
                let done = self.fibers.borrow().get(whom).map(FiberRef::wake);
                write!(self.trace.borrow_mut(), "{done:?};").unwrap();
            }
            Step::Cancel { whom } => {
                let done = self.fibers.borrow().get(whom).map(FiberRef::cancel);
                write!(self.trace.borrow_mut(), "{done:?};").unwrap();
            }
            Step::Turn { after_ms, budget } => {
                self.now_ms += after_ms;
                let now = self.start + Duration::from_millis(self.now_ms);
                let done = turn(now, Budget { fibers: budget });
                let next_ms = done
                    .next_deadline
                    .map(|at| (at - self.start).as_millis() as u64);
                let text = format!("{} {} {next_ms:?};", done.ran, done.runnable);
                self.trace.borrow_mut().push_str(&text);
            }
        }
        let statuses: Vec<_> = self.fibers.borrow().iter().map(FiberRef::status).collect();
        format!("{}{statuses:?}", self.trace.take())
    }

    fn spawn(&self, own: usize) -> FiberRef {
        let (start, fibers) = (self.start, Rc::clone(&self.fibers));
        let (told, trace) = (Rc::clone(&self.told), Rc::clone(&self.trace));
        let live = move || loop {
            let deed = told.borrow_mut()[own].pop_front();
            let at = |in_ms: Option<u64>| {
                in_ms.map(|ms| crate::now().max(start) + Duration::from_millis(ms))
            };
            let outcome = match deed {
                None => format!("{:?}", park(None)),
                Some(Deed::Park { in_ms }) => format!("{:?}", park(at(in_ms))),
                Some(Deed::ParkShielded { in_ms }) => {
                    format!("{:?}", park_uncancellable(at(in_ms)))
                }
                Some(Deed::Yield) => format!("{:?}", yield_now()),
                Some(Deed::Join { whom, in_ms }) => {
                    let other = fibers.borrow().get(whom).cloned();
                    let joined = other.map(|other| other.join(at(in_ms)));
                    joined.map_or_else(|| "nobody".to_owned(), |joined| format!("{joined:?}"))
                }
                Some(Deed::Wake { whom }) => {
                    format!("{:?}", fibers.borrow().get(whom).map(FiberRef::wake))
                }
                Some(Deed::Cancel { whom }) => {
                    format!("{:?}", fibers.borrow().get(whom).map(FiberRef::cancel))
                }
                Some(Deed::RunNow { whom }) => {
                    let other = fibers.borrow().get(whom).cloned();
                    format!("{:?}", other.map(|other| other.run_now()))
                }
                Some(Deed::Return) => return,
                Some(Deed::Panic) => std::panic::resume_unwind(Box::new("told")),
            };
            write!(trace.borrow_mut(), "{own}:{outcome};").unwrap();
            if deed.is_none() && outcome == "Cancelled" {
                return;
            }
        };
        let fiber = spawn("modelled", live).unwrap();
        assert!(current().is_none());
        fiber
    }
}

/// One fiber of the model.
struct Life {
    status: Status,
    verdict: Wakeup,
    is_cancelled: bool,
    is_shielded: bool,
    /// Deadline and order of arming.
    timer: Option<(u64, u64)>,
    told: VecDeque<Deed>,
    /// What it was doing when it gave way; `Some(None)` is waiting to be told.
    doing: Option<Option<Deed>>,
    /// Until when it joins, and whom.
    joining: Option<(usize, Option<u64>)>,
    joiners: VecDeque<usize>,
    has_panicked: bool,
}

#[derive(Default)]
struct Model {
    now_ms: u64,
    armed_total: u64,
    lives: Vec<Life>,
    ready: VecDeque<usize>,
    trace: String,
}

impl Model {
    fn step(&mut self, step: Step) -> String {
        match step {
            Step::Spawn if self.lives.len() < FIBERS => {
                self.ready.push_back(self.lives.len());
                self.lives.push(Life {
                    status: Status::Runnable,
                    verdict: Wakeup::Ready,
                    is_cancelled: false,
                    is_shielded: false,
                    timer: None,
                    told: VecDeque::new(),
                    doing: None,
                    joining: None,
                    joiners: VecDeque::new(),
                    has_panicked: false,
                });
            }
            Step::Spawn => {}
            Step::Tell { whom, deed } => {
                if let Some(life) = self.lives.get_mut(whom) {
                    life.told.push_back(deed);
                }
            }
            Step::Wake { whom } => {
                let done = self.wake_known(whom);
                write!(self.trace, "{done:?};").unwrap();
            }
            Step::Cancel { whom } => {
                let done = self.cancel_known(whom);
                write!(self.trace, "{done:?};").unwrap();
            }
            Step::Turn { after_ms, budget } => self.turn(after_ms, budget),
        }
        let statuses: Vec<_> = self.lives.iter().map(|life| life.status).collect();
        format!("{}{statuses:?}", std::mem::take(&mut self.trace))
    }

    fn turn(&mut self, after_ms: u64, budget: usize) {
        self.now_ms += after_ms;
        for _ in 0..budget {
            let due = self
                .first_timer()
                .filter(|(timer, _)| timer.0 <= self.now_ms);
            let Some((_, who)) = due else { break };
            self.make_ready(who, Wakeup::Timeout);
        }
        let mut ran_count = 0;
        while ran_count < budget {
            let Some(who) = self.ready.pop_front() else {
                break;
            };
            ran_count += 1;
            self.run(who);
        }
        let next_ms = self.first_timer().map(|(timer, _)| timer.0);
        let is_late = next_ms.is_some_and(|ms| ms <= self.now_ms);
        let is_runnable = is_late || !self.ready.is_empty();
        write!(self.trace, "{ran_count} {is_runnable} {next_ms:?};").unwrap();
    }

    fn first_timer(&self) -> Option<((u64, u64), usize)> {
        let armed = self.lives.iter().enumerate();
        armed
            .filter_map(|(who, life)| Some((life.timer?, who)))
            .min()
    }

    fn make_ready(&mut self, who: usize, verdict: Wakeup) -> bool {
        let life = &mut self.lives[who];
        if life.status != Status::Parked {
            return false;
        }
        life.status = Status::Runnable;
        life.verdict = verdict;
        life.timer = None;
        self.ready.push_back(who);
        true
    }

    fn wake_known(&mut self, whom: usize) -> Option<bool> {
        (whom < self.lives.len()).then(|| self.make_ready(whom, Wakeup::Ready))
    }

    fn cancel_known(&mut self, whom: usize) -> Option<bool> {
        let life = self.lives.get_mut(whom)?;
        if life.status == Status::Dead || life.is_cancelled {
            return Some(false);
        }
        life.is_cancelled = true;
        if !life.is_shielded {
            self.make_ready(whom, Wakeup::Cancelled);
        }
        Some(true)
    }

    fn run_now(&mut self, whom: usize) -> bool {
        let place = self.ready.iter().position(|other| *other == whom);
        if let Some(place) = place {
            self.ready.remove(place);
            self.run(whom);
        }
        place.is_some()
    }

    /// Goes on with what the fiber was doing, then with what it was told, until it gives way.
    fn run(&mut self, who: usize) {
        self.lives[who].status = Status::Running;
        if let Some(doing) = self.lives[who].doing.take() {
            self.lives[who].is_shielded = false;
            let life = &self.lives[who];
            let why = match doing {
                Some(Deed::Yield) if life.is_cancelled => Wakeup::Cancelled,
                Some(Deed::Yield) => Wakeup::Ready,
                _ => life.verdict,
            };
            if self.goes_on(who, doing, why) {
                return;
            }
        }
        loop {
            let deed = self.lives[who].told.pop_front();
            if self.begin(who, deed) {
                return;
            }
        }
    }

    /// The outcome of a park; true if the fiber gave way again or died.
    fn goes_on(&mut self, who: usize, doing: Option<Deed>, why: Wakeup) -> bool {
        if let Some((whom, until_ms)) = self.lives[who].joining.take() {
            self.lives[whom].joiners.retain(|joiner| *joiner != who);
            return match why {
                Wakeup::Ready => self.join(who, whom, until_ms),
                Wakeup::Timeout => self.say(who, "Err(Timeout)"),
                Wakeup::Cancelled => self.say(who, "Err(Cancelled)"),
            };
        }
        self.say(who, &format!("{why:?}"));
        let is_over = doing.is_none() && why == Wakeup::Cancelled;
        is_over && self.die(who, false)
    }

    fn say(&mut self, who: usize, outcome: &str) -> bool {
        write!(self.trace, "{who}:{outcome};").unwrap();
        false
    }

    fn begin(&mut self, who: usize, deed: Option<Deed>) -> bool {
        let now_ms = self.now_ms;
        let at = |in_ms: Option<u64>| in_ms.map(|ms| now_ms + ms);
        match deed {
            None => self.park(who, deed, None),
            Some(Deed::Park { in_ms }) => self.park(who, deed, at(in_ms)),
            Some(Deed::ParkShielded { in_ms }) => {
                self.lives[who].is_shielded = true;
                self.park(who, deed, at(in_ms))
            }
            Some(Deed::Yield) => {
                self.lives[who].doing = Some(deed);
                self.lives[who].status = Status::Runnable;
                self.ready.push_back(who);
                true
            }
            Some(Deed::Join { whom, .. }) if whom >= self.lives.len() => self.say(who, "nobody"),
            Some(Deed::Join { whom, in_ms }) => self.join(who, whom, at(in_ms)),
            Some(Deed::Wake { whom }) => {
                let done = self.wake_known(whom);
                self.say(who, &format!("{done:?}"))
            }
            Some(Deed::Cancel { whom }) => {
                let done = self.cancel_known(whom);
                self.say(who, &format!("{done:?}"))
            }
            Some(Deed::RunNow { whom }) => {
                let done = (whom < self.lives.len()).then(|| self.run_now(whom));
                self.say(who, &format!("{done:?}"))
            }
            Some(Deed::Return) => self.die(who, false),
            Some(Deed::Panic) => self.die(who, true),
        }
    }

    fn park(&mut self, who: usize, deed: Option<Deed>, until_ms: Option<u64>) -> bool {
        let life = &mut self.lives[who];
        if life.is_cancelled && !life.is_shielded {
            return self.goes_on(who, deed, Wakeup::Cancelled);
        }
        life.doing = Some(deed);
        life.status = Status::Parked;
        life.timer = until_ms.map(|ms| (ms, self.armed_total));
        self.armed_total += u64::from(until_ms.is_some());
        true
    }

    fn join(&mut self, who: usize, whom: usize, until_ms: Option<u64>) -> bool {
        let target = &self.lives[whom];
        if target.status == Status::Dead {
            let panicked = Err(JoinError::Panicked("told".to_owned()));
            let outcome = if target.has_panicked {
                panicked
            } else {
                Ok(())
            };
            return self.say(who, &format!("{outcome:?}"));
        }
        if who == whom {
            return self.say(who, "Err(Itself)");
        }
        self.lives[who].joining = Some((whom, until_ms));
        if self.park(who, Some(Deed::Join { whom, in_ms: None }), until_ms) {
            self.lives[whom].joiners.push_back(who);
            return self.lives[who].status != Status::Running;
        }
        false
    }

    fn die(&mut self, who: usize, has_panicked: bool) -> bool {
        let life = &mut self.lives[who];
        life.status = Status::Dead;
        life.has_panicked = has_panicked;
        for joiner in std::mem::take(&mut life.joiners) {
            self.make_ready(joiner, Wakeup::Ready);
        }
        true
    }
}

fn compare(start: Instant, steps: &[Step]) {
    let mut real = Real::new(start);
    let mut model = Model::default();
    let finish = [Step::Turn {
        after_ms: 0,
        budget: 1000,
    }; 2];
    for (at, step) in steps.iter().chain(&finish).enumerate() {
        let expected = model.step(*step);
        assert_eq!(real.step(*step), expected, "after step {at}: {step:?}");
        let armed_count = model
            .lives
            .iter()
            .filter(|life| life.timer.is_some())
            .count();
        assert_eq!(stats().timers_armed_count, armed_count);
        assert_eq!(stats().fibers_runnable_count, model.ready.len());
        let parked = model
            .lives
            .iter()
            .filter(|life| life.status == Status::Parked);
        assert_eq!(stats().fibers_parked_count, parked.count());
        let alive = model
            .lives
            .iter()
            .filter(|life| life.status != Status::Dead);
        assert_eq!(stats().fibers_alive_count, alive.count());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn fibers_live_as_the_model_says(steps in prop::collection::vec(step(), 0..120)) {
        in_world(move |world| {
            let start = world.now();
            // The clock of the thread begins with the model's.
            turn(start, Budget { fibers: 0 });
            compare(start, &steps);
        });
    }
}
