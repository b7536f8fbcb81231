//! A TX side with a worker that is played in the same thread, step by step, in virtual time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, Once};
use std::time::{Duration, Instant};

use http_proto::{BodyBerth, Exchange, Mark, RequestId, Version, Witness};
use lua_bindings::{Env, EnvOptions, HttpControl, MainStatus, ServerConfig, Stage};
use shuttle_core::{Doorbell, NoBell, Shuttle, TxEnd, Worker, WorkerEnd, WorkerShore, link};

/// What the program asked of the network side.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) ends: Vec<WorkerEnd<Exchange>>,
    pub(crate) starts: Vec<ServerConfig>,
    pub(crate) reloads: Vec<ServerConfig>,
    pub(crate) stops: usize,
    pub(crate) refusal: Option<String>,
    pub(crate) stopped: bool,
    /// Workers that became too many and have not ended.
    pub(crate) shrinking: bool,
    pub(crate) forced: usize,
    /// The numbers of the ends that belong to them.
    pub(crate) leaving: Vec<u64>,
}

/// A network side that notes what it is asked.
pub(crate) struct Control(Rc<RefCell<Asked>>);

impl HttpControl for Control {
    fn start(&mut self, config: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        let mut asked = self.0.borrow_mut();
        if let Some(refusal) = asked.refusal.clone() {
            return Err(refusal);
        }
        asked.starts.push(config.clone());
        asked.stopped = false;
        let (worker, tx) = link(64, Arc::new(NoBell), Arc::new(NoBell));
        asked.ends.push(worker);
        Ok(vec![tx])
    }

    fn reconfigure(&mut self, config: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        let mut asked = self.0.borrow_mut();
        if let Some(refusal) = asked.refusal.clone() {
            return Err(refusal);
        }
        let last = asked.reloads.last().or_else(|| asked.starts.last());
        let threads = last.map_or(0, |last| last.threads);
        asked.shrinking = config.threads < threads;
        asked.reloads.push(config.clone());
        let (workers, ends): (Vec<_>, Vec<_>) = (threads..config.threads)
            .map(|_| link(64, Arc::new(NoBell), Arc::new(NoBell)))
            .unzip();
        asked.ends.extend(workers);
        Ok(ends)
    }

    fn is_shrinking(&mut self) -> bool {
        self.0.borrow().shrinking
    }

    fn leaving(&self) -> Vec<u64> {
        self.0.borrow().leaving.clone()
    }

    fn force_shrink(&mut self) {
        self.0.borrow_mut().forced += 1;
    }

    fn stop(&mut self, _: Option<Instant>) {
        self.0.borrow_mut().stops += 1;
    }

    fn stopped(&mut self) -> bool {
        self.0.borrow().stopped
    }
}

/// Collects marks; panics once at one of them.
struct Recorder {
    marks: Arc<std::sync::Mutex<Vec<Mark>>>,
    panics_at: Option<Mark>,
}

impl Witness for Recorder {
    fn mark(&mut self, mark: Mark, _: u64) {
        self.marks.lock().unwrap().push(mark);
        if self.panics_at == Some(mark) {
            self.panics_at = None;
            panic!("a witness that panics");
        }
    }
}

/// Rung by threads that have done blocking work.
#[derive(Default)]
struct Bell(Mutex<bool>, Condvar);

impl Doorbell for Bell {
    fn ring(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

impl Bell {
    /// Waits until it is rung: nothing that a test has done takes so long.
    fn wait(&self) {
        let rung = self.0.lock().unwrap();
        let patience = Duration::from_secs(20);
        let waited = self.1.wait_timeout_while(rung, patience, |rung| !*rung);
        let (mut rung, _) = waited.unwrap();
        assert!(*rung, "blocking work does not end");
        *rung = false;
    }
}

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let target = record.target().split("::").next().unwrap_or_default();
        let line = format!("{} {target}: {}", record.level(), record.args());
        let _ = LOG.try_with(|log| log.borrow_mut().push(line));
    }

    fn flush(&self) {}
}

/// What was logged on this thread since the last call.
pub(crate) fn logged() -> Vec<String> {
    LOG.take()
}

/// Everything of one test.
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) asked: Rc<RefCell<Asked>>,
    bell: Arc<Bell>,
    pub(crate) worker: Option<WorkerShore<Exchange>>,
    pub(crate) marks: Arc<std::sync::Mutex<Vec<Mark>>>,
    start: Instant,
    elapsed: Cell<Duration>,
    requests: u64,
}

impl World {
    pub(crate) fn new(stage: Stage) -> Self {
        Self::build(stage, false, None)
    }

    pub(crate) fn watched(stage: Stage) -> Self {
        Self::build(stage, true, None)
    }

    /// Its witness panics at this mark, once: a mistake on our side of the border to Lua.
    pub(crate) fn that_panics_at(mark: Mark) -> Self {
        Self::build(Stage::Three, true, Some(mark))
    }

    fn build(stage: Stage, watched: bool, panics_at: Option<Mark>) -> Self {
        static LOGGER: Once = Once::new();
        LOGGER.call_once(|| {
            log::set_logger(&Capture).unwrap();
            log::set_max_level(log::LevelFilter::Trace);
        });
        let _ = logged();
        let asked = Rc::new(RefCell::new(Asked::default()));
        let marks = Arc::new(std::sync::Mutex::new(Vec::new()));
        let recorder = Recorder {
            marks: Arc::clone(&marks),
            panics_at,
        };
        let witness = watched.then(|| Box::new(recorder) as Box<dyn Witness>);
        let bell = Arc::new(Bell::default());
        let options = EnvOptions {
            args: vec!["test".to_owned()],
            witness,
            stage,
            doorbell: Some(Arc::clone(&bell) as Arc<dyn Doorbell>),
        };
        let env = Env::new(options, Box::new(Control(Rc::clone(&asked)))).unwrap();
        let (start, elapsed) = (Instant::now(), Cell::default());
        Self {
            env,
            asked,
            bell,
            worker: None,
            marks,
            start,
            elapsed,
            requests: 0,
        }
    }

    /// Starts a program and turns until nothing moves.
    pub(crate) fn run(&mut self, program: &str) -> MainStatus {
        let chunk = self.env.load_text("=program", program.as_bytes()).unwrap();
        self.env.start(chunk).unwrap();
        self.settle();
        self.land();
        self.env.main_status()
    }

    /// Lands the newest worker end that the program asked for.
    pub(crate) fn land(&mut self) {
        if let Some(end) = self.asked.borrow_mut().ends.pop() {
            self.worker = Some(end.land());
        }
    }

    /// Turns until nothing moves without time passing, and no other thread works for us.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            let now = self.start + self.elapsed.get();
            if self.env.turn(now).is_busy {
                continue;
            }
            if self.env.blocking_work() == 0 {
                return;
            }
            self.bell.wait();
        }
        panic!("the fibers do not come to rest");
    }

    /// A few turns, for programs that never rest.
    pub(crate) fn some_turns(&mut self) {
        for _ in 0..3 {
            let now = self.start + self.elapsed.get();
            self.env.turn(now);
        }
    }

    /// Lets time pass, and takes one turn: whoever is late is late together. Whether the next turn
    /// is to follow at once.
    pub(crate) fn jump(&mut self, time: Duration) -> bool {
        self.elapsed.set(self.elapsed.get() + time);
        let now = self.start + self.elapsed.get();
        self.env.turn(now).is_busy
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.elapsed.get() + time;
        loop {
            self.settle();
            let next = self
                .env
                .next_deadline()
                .map(|next| next.duration_since(self.start));
            match next.filter(|next| *next <= end) {
                Some(next) => self.elapsed.set(next.max(self.elapsed.get())),
                None => break,
            }
        }
        self.elapsed.set(end);
        self.settle();
    }

    /// Fibers run, but what the worker sent is not taken.
    pub(crate) fn pass_without_arrivals(&self, time: Duration) {
        self.elapsed.set(self.elapsed.get() + time);
        let budget = tx_runtime::Budget { fibers: 100 };
        let now = self.start + self.elapsed.get();
        while tx_runtime::turn(now, budget).runnable {}
    }

    /// Lets time pass until the main program has ended; at most an hour.
    pub(crate) fn finish(&mut self) -> MainStatus {
        let limit = self.elapsed.get() + Duration::from_secs(3600);
        self.settle();
        while self.env.main_status() == MainStatus::Running {
            let next = self
                .env
                .next_deadline()
                .map(|next| next.duration_since(self.start));
            let Some(next) = next.filter(|next| *next <= limit) else {
                break;
            };
            self.elapsed.set(next.max(self.elapsed.get()));
            self.settle();
        }
        self.env.main_status()
    }

    pub(crate) fn worker(&mut self) -> &mut WorkerShore<Exchange> {
        self.worker
            .as_mut()
            .expect("the program configured the server")
    }

    /// Sends a request whose body follows; its number, and the shuttle for its body.
    pub(crate) fn streamed(
        &mut self,
        target: &str,
        fields: &[(&str, &str)],
    ) -> ((u64, shuttle_core::BerthId), Shuttle<Worker, Exchange>) {
        let mut body = self.worker().board().expect("there is a free berth");
        body.clear(1 << 16);
        body.carries_body = true;
        body.worker_ticket = self.requests + 1;
        let berth = BodyBerth {
            index: body.berth().index(),
            generation: body.berth().generation(),
        };
        let named = self.send_request("POST", target, fields, b"", Some(berth));
        (named, body)
    }

    /// Sends a request; its number.
    pub(crate) fn request(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> (u64, shuttle_core::BerthId) {
        self.send_request(method, target, fields, body, None)
    }

    fn send_request(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
        body_berth: Option<BodyBerth>,
    ) -> (u64, shuttle_core::BerthId) {
        self.requests += 1;
        let number = self.requests;
        let worker = self.worker();
        let mut shuttle = worker.board().expect("there is a free berth");
        shuttle.clear(1 << 16);
        shuttle.body_berth = body_berth;
        shuttle.worker_ticket = number;
        shuttle.peer = Some("192.0.2.7:4000".parse().unwrap());
        shuttle.local = Some("[2001:db8::1]:80".parse().unwrap());
        shuttle
            .request
            .begin(method.as_bytes(), target.as_bytes(), Version::Http11);
        shuttle
            .request
            .push_field(b"Host", b"example.org:8080")
            .unwrap();
        for (name, value) in fields {
            if *name == "X-Request-Id" {
                shuttle.id = RequestId::given(value.as_bytes()).unwrap();
            }
            shuttle
                .request
                .push_field(name.as_bytes(), value.as_bytes())
                .unwrap();
        }
        shuttle.request.finish().unwrap();
        shuttle.body.extend_from_slice(body);
        shuttle.advance(http_proto::Leg::Request).unwrap();
        let berth = shuttle.berth();
        worker.send(shuttle);
        (number, berth)
    }
}
