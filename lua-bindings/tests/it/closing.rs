//! The end of a response: functions that wait for it, handlers that are cancelled because their
//! client left, and handlers that do not end.

use lua_bindings::{MainStatus, Stage};

use crate::check::{Play, check, check_at};
use crate::world::{World, logged};

/// Says in the log how it ended.
const TELL: &str = "local function tell(name)\n\
                      return function(it, how) log.info('%s %s %s', name, how, it == io) end\n\
                    end\n";

fn told(handler: &str, script: &str) -> String {
    check(&format!("{TELL}{handler}"), script)
}

#[test]
fn on_close_is_told_at_once_that_the_client_is_gone() {
    let handler = "io:on_close(tell('a')) io:on_close(tell('b')) fiber.sleep(5) io:write('x')";
    let text = told(handler, "GET /\nturn\ngone 1\nturn\npass 5000\nlook");
    // Once, although the response ends later.
    assert_eq!(
        text,
        "INFO lua: a gone true\nINFO lua: b gone true\n1 Release\n"
    );
    // Whoever has the shuttle.
    let handler = "io:on_close(tell('a')) io:write('x') fiber.sleep(5)";
    let text = told(handler, "GET /\nturn\nlook\ngone 1\nturn\nclosed 1\nauto");
    assert_eq!(
        text,
        "1 Write 200 \"x\"\nINFO lua: a gone true\n1 Release\n"
    );
    let text = told(handler, "GET /\nturn\nlook\nleave 1\ncontinue 1\nturn");
    assert_eq!(
        text,
        "1 Write 200 \"x\"\nINFO lua: a gone true\n1 Release\n"
    );
}

#[test]
fn on_close_is_told_that_the_response_is_over_while_the_handler_goes_on() {
    let script = "GET /\nturn\nlook\npass 10000";
    for end in [
        "io:write('x', true)",
        "io:write_header(204, nil, nil, true)",
    ] {
        let handler = format!("io:on_close(tell('a')) {end} fiber.sleep(1) log.info('end')");
        let text = told(&handler, script);
        assert!(
            text.contains("a done true\n1 Answer") && text.ends_with("end\n"),
            "{text}"
        );
    }
    // What is lent comes home first.
    let handler = "io:on_close(tell('a')) io:write(('x'):rep(2000), true) fiber.sleep(1)";
    let text = told(handler, "GET /\nturn\nlook\nturn\nclosed 1\nturn");
    assert_eq!(
        text,
        "1 Write 200 (2000) \"\" lent \"x*2000\" last\nINFO lua: a done true\n1 Release\n"
    );
    for stage in [Stage::One, Stage::Two, Stage::Three] {
        let handler = format!("{TELL}io:on_close(tell('a')) io:write('x') io:close()");
        let text = check_at(stage, &handler, "GET /\nauto");
        assert_eq!(text.matches("a done true").count(), 1, "{stage:?} {text}");
    }
}

#[test]
fn on_close_is_told_after_every_way_to_end_a_handler() {
    for end in [
        "return { body = 'x' }",
        "return { body = ('x'):rep(2000) }",
        "return",
        "error('on purpose', 0)",
        "io:close()",
        "io:write('x')",
        "fiber.self():cancel()",
    ] {
        let handler = format!("io:on_close(tell('a')) {end}");
        let text = told(&handler, "GET /\nauto");
        assert_eq!(text.matches("a done true").count(), 1, "{end}: {text}");
    }
}

#[test]
fn on_close_that_comes_late_runs_at_once() {
    let handler = "io:write('x', true) io:on_close(tell('late')) fiber.sleep(0.001)\n\
                   log.info('after')";
    let text = told(handler, "GET /\npass 1");
    assert!(text.contains("late done true\nINFO lua: after"), "{text}");
    let handler = "if G.io then G.io:on_close(tell('stale')) end G.io = io";
    let text = told(handler, "GET /\nauto\nGET /\nauto");
    assert!(text.contains("stale done false"), "{text}");
    let handler = "fiber.sleep(1) io:on_close(tell('left'))";
    let text = told(handler, "GET /\nturn\ngone 1\npass 1000\nlook");
    assert!(text.contains("left gone true"), "{text}");
}

#[test]
fn on_close_may_wait_and_fail_and_concerns_nobody_else() {
    let handler = "io:on_close(function() error('in on_close') end)\n\
                   io:on_close(function() fiber.sleep(1) log.info('slept') end)\n\
                   io:on_close(function(io) log.info('%s', io:write('never')) end)\n\
                   return { body = 'x' }";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /");
    play.world.settle();
    let log = logged().join("\n");
    assert!(
        log.contains("\"on_close\" ended with an error") && log.contains("stack traceback"),
        "{log}"
    );
    assert!(log.contains("true") && !log.contains("slept"), "{log}");
    play.run("pass 1000\nlook");
    assert_eq!(play.end(), "INFO lua: slept\n1 Answer 200 (1) \"x\"\n");
}

#[test]
fn on_close_has_a_bound_and_says_what_is_wrong() {
    let handler = "local function why(...) return select(2, pcall(io.on_close, ...)) end\n\
                   for _, wrong in ipairs{why(io), why(io, 7), why({}, print)} do\n\
                     log.info('%s', wrong)\n\
                   end\n\
                   for _ = 1, 16 do io:on_close(function() G.ran = (G.ran or 0) + 1 end) end\n\
                   log.info('%s', why(io, print))\n\
                   io:close() fiber.sleep(0.001) log.info('%d ran', G.ran)";
    let text = check(handler, "GET /\npass 1");
    for line in [
        "Not enough parameters",
        "io:on_close: a function is expected",
        "shuttle is invalid",
        "io:on_close: 16 functions wait for the end of this response already",
        "16 ran",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line}: {text}");
    }
}

/// What the registry holds: functions, tables and threads that somebody keeps.
const HELD: &str = "collectgarbage() collectgarbage() local n = 0\n\
                    for key, value in pairs(debug.getregistry()) do\n\
                      if type(key) == 'number' and type(value) ~= 'number' then n = n + 1 end\n\
                    end\n";

#[test]
fn on_close_lets_go_of_everything() {
    let handler = "if req.path == '/count' then\n\
                     --HELD--\n\
                     log.info('%d held', n) return {}\n\
                   end\n\
                   io:on_close(function() end) io:on_close(function() error('x', 0) end)\n\
                   io:write('x') fiber.sleep(1)";
    let handler = handler.replace("--HELD--", HELD);
    // The first ones leave threads in the pools.
    let one = "GET /\nturn\nlook\ngone 1\nturn\nclosed 1\npass 1000\nlook\n";
    let script = format!("{one}GET /count\nauto\n");
    let again: String = (3..40)
        .map(|n| {
            one.replace('1', &n.to_string())
                .replace(&format!("{n}000"), "1000")
        })
        .collect();
    let text = check(&handler, &format!("{script}{again}GET /count\nauto"));
    let held: Vec<&str> = text
        .lines()
        .filter(|line| line.ends_with(" held"))
        .collect();
    assert_eq!(held.len(), 2);
    assert_eq!(held[0], held[1]);
}

#[test]
fn on_close_waits_for_a_fiber_when_there_is_none() {
    let config = tx_runtime::Config {
        fibers_max_count: 4,
        ..tx_runtime::Config::default()
    };
    tx_runtime::configure(config).unwrap();
    let handler = "io:on_close(function() log.info('ran') end)\n\
                   while pcall(fiber.new, fiber.sleep, 5) do end return {}";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /\nauto\npass 4000");
    assert_eq!(play.text(), "1 Answer 200 (0) \"\"\n");
    play.run("pass 1000");
    assert!(play.end().ends_with("INFO lua: ran\n"));
}

// Handlers that are cancelled ---------------------------------------------------------------------

/// Handlers are cancelled, but for those of one site.
const CANCELS: &str = "cancel_on_disconnect = true, sites = {{\n\
    path = '/patient', cancel_on_disconnect = false, handler = function(req, io)\n\
      require('log').info('%s', pcall(require('fiber').sleep, 1))\n\
    end,\n\
  }},";

fn cancelled(handler: &str, script: &str) -> String {
    let mut play = Play::begin_with(World::new(Stage::Three), CANCELS, handler);
    play.run(script);
    play.end()
}

#[test]
fn cancel_on_disconnect_ends_the_handler_where_it_waits() {
    let handler = "fiber.sleep(100) log.info('never')";
    let text = cancelled(handler, "GET /\nturn\ngone 1\nturn\nlook");
    // For one that only ended its direction it is an error like another; for nobody it is nothing.
    assert_eq!(
        text,
        "DEBUG lua_bindings: the handler of \"/\" was cancelled: its client has left\n\
         1 Answer 500 [content-type: text/plain; charset=utf-8] [vary: Accept] (28) \
         \"Path handler execution error\"\n"
    );
}

#[test]
fn cancel_on_disconnect_is_a_choice_of_each_site() {
    let text = cancelled("", "GET /patient\nturn\ngone 1\npass 1000\nlook");
    assert!(text.starts_with("INFO lua: true\n"), "{text}");
}

#[test]
fn cancel_on_disconnect_is_not_swallowed_by_pcall() {
    let handler = "for i = 1, 3 do log.info('%s', select(2, pcall(fiber.sleep, 100))) end\n\
                   G.channel = G.channel or fiber.channel()\n\
                   log.info('%s', select(2, pcall(G.channel.get, G.channel))) fiber.testcancel()\n\
                   log.info('never')";
    let text = cancelled(handler, "GET /\nturn\ngone 1\npass 10\nlook");
    assert_eq!(text.matches("INFO lua: fiber is cancelled\n").count(), 4);
    assert!(!text.contains("never"), "{text}");
}

#[test]
fn cancel_on_disconnect_lets_a_waiting_write_answer_first() {
    let handler = "io:write(('a'):rep(2000)) log.info('%s', io:write('b'))\n\
                   log.info('%s', select(2, pcall(fiber.sleep, 1)))";
    let script = "GET /\nturn\nlook\ngone 1\npass 10\nclosed 1\nturn\nlook";
    let text = cancelled(handler, script);
    assert_eq!(
        text,
        "1 Write 200 \"\" lent \"a*2000\"\n\
         INFO lua: true\nINFO lua: fiber is cancelled\n1 Release\n"
    );
}

#[test]
fn cancel_on_disconnect_leaves_others_alone() {
    // What the handler started, what waits for the end, and who is served next.
    let handler = "fiber.create(function() fiber.sleep(1) log.info('child') end)\n\
                   io:on_close(function() fiber.sleep(1) log.info('closer') end)\n\
                   if req.path == '/next' then return { body = 'next' } end\n\
                   fiber.sleep(100)";
    let script = "GET /\nturn\ngone 1\nturn\nlook\nGET /next\nauto\npass 2000";
    let text = cancelled(handler, script);
    assert!(text.contains("2 Answer 200 (4) \"next\"\n"), "{text}");
    assert_eq!(text.matches("child").count(), 2, "{text}");
    assert_eq!(text.matches("closer").count(), 2, "{text}");
}

#[test]
fn cancel_on_disconnect_never_reaches_what_comes_after_the_handler() {
    // The answer of a handler that is over is seen to its end, and its fiber serves on.
    let handler = "G.n = (G.n or 0) + 1 if G.n == 1 then G.co = coroutine.running() end\n\
                   log.info('%s', G.co == coroutine.running())\n\
                   return { body = ('x'):rep(2000) }";
    let script = "GET /\nturn\nlook\ngone 1\nturn\nclosed 1\nauto\nGET /\nauto";
    let text = cancelled(handler, script);
    assert_eq!(text.matches("INFO lua: true").count(), 2, "{text}");
    assert!(!text.contains("ERROR"), "{text}");
}

#[test]
fn cancel_on_disconnect_of_a_client_that_left_before() {
    let handler = "log.info('begun') fiber.sleep(1) log.info('never')";
    let text = cancelled(handler, "GET /\ngone 1\npass 10\nlook");
    assert!(text.contains("begun") && !text.contains("never"), "{text}");
    // Its requests that wait behind in line are the worker's.
    let text = cancelled(
        "fiber.sleep(1)",
        "GET /\nGET /\nturn\ngone 2\nturn\nlook\npass 1000",
    );
    assert!(
        text.starts_with("DEBUG") && text.contains("\n2 Answer 500"),
        "{text}"
    );
    assert!(text.contains("1 Answer 200"), "{text}");
}

// Handlers that do not end ------------------------------------------------------------------------

/// Ignores everything that it is told.
const STUBBORN: &str = "G.io = io\n\
                        while not G.enough do\n\
                          pcall(fiber.sleep, 0.5) pcall(io.write, io, 'x')\n\
                        end\n\
                        log.info('enough')";

fn start(play: &mut Play, program: &str) {
    let text = format!("local httpng, fiber = require('httpng'), require('fiber') {program}");
    let chunk = play.world.env.load_text("=p", text.as_bytes()).unwrap();
    play.world.env.start(chunk).unwrap();
    play.world.some_turns();
}

/// The worker takes what there is and says of everything that its client is gone.
fn reset(play: &mut Play, numbers: &[u64]) {
    for number in numbers {
        play.run(&format!("gone {number}"));
    }
    play.run("pass 1\nlook");
}

fn enough(play: &mut Play) {
    start(play, "G.enough = true");
    play.run("pass 2000");
}

#[test]
fn l13_shutdown_gives_a_stubborn_handler_up_after_its_time() {
    for (timeout, argument) in [("3", ""), ("60", "3"), ("0", "3")] {
        let options = format!("thread_termination_timeout = {timeout},");
        let mut play = Play::begin_with(World::new(Stage::Three), &options, STUBBORN);
        play.run("GET /\nGET /\nturn");
        start(
            &mut play,
            &format!("httpng.shutdown({argument}) done = true"),
        );
        reset(&mut play, &[1, 2]);
        play.world.asked.borrow_mut().stopped = true;
        play.run("pass 2900\nlook");
        assert_eq!(play.world.env.main_status(), MainStatus::Running);
        play.run("pass 200\nlook");
        assert_eq!(play.world.env.main_status(), MainStatus::Finished);
        let text = play.text();
        assert_eq!(
            text.matches("its handler does not end").count(),
            2,
            "{text}"
        );
        assert!(!text.contains("enough"), "{text}");
        // What it still does reaches nobody, and its end is nothing special.
        start(
            &mut play,
            "assert(G.io:write('x')) assert(G.io:is_closed())",
        );
        enough(&mut play);
        let text = play.end();
        assert_eq!(text.matches("INFO lua: enough").count(), 2, "{text}");
        assert!(!text.contains("ERROR"), "{text}");
    }
}

#[test]
fn a_timeout_is_a_number() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    start(
        &mut play,
        "for _, f in ipairs{httpng.shutdown, httpng.force_decrease_threads} do\n\
           local ok, why = pcall(f, 'soon')\n\
           assert(not ok and why:find('the timeout is not a number'), why)\n\
         end\n\
         httpng.cfg{handler = print}",
    );
    assert_eq!(play.world.env.main_status(), MainStatus::Finished);
}

#[test]
fn l13_shutdown_without_a_bound_waits() {
    let options = "thread_termination_timeout = 0,";
    let mut play = Play::begin_with(World::new(Stage::Three), options, STUBBORN);
    play.run("GET /\nturn");
    start(&mut play, "httpng.shutdown()");
    reset(&mut play, &[1]);
    play.world.asked.borrow_mut().stopped = true;
    play.run("pass 100000");
    assert_eq!(play.world.env.main_status(), MainStatus::Running);
    enough(&mut play);
    assert_eq!(play.world.env.main_status(), MainStatus::Finished);
    play.end();
}

#[test]
fn l13_what_is_given_up_while_the_worker_has_it_ends_when_it_comes_home() {
    let handler = "io:write(('x'):rep(2000)) fiber.sleep(100)";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /\nturn\nlook");
    start(&mut play, "httpng.shutdown(1)");
    play.world.asked.borrow_mut().stopped = true;
    // The handler is cancelled and over before its shuttle is at home.
    play.run("pass 1100");
    assert_eq!(play.world.env.main_status(), MainStatus::Running);
    assert_eq!(
        (play.world.env.open_requests(), play.world.env.pins()),
        (1, 1)
    );
    play.run("closed 1\npass 10\nlook");
    assert_eq!(play.world.env.main_status(), MainStatus::Finished);
    assert_eq!(play.world.env.fibers(), 0);
    assert!(play.end().ends_with("1 Release\n"));
}

#[test]
fn l13_only_handlers_of_threads_that_leave_are_given_up() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    start(
        &mut play,
        &format!(
            "log, G = require('log'), {{}}\n\
             function handler(req, io) {STUBBORN} end\n\
             httpng.cfg{{threads = 2, handler = handler}}"
        ),
    );
    // One at the first worker, one at the second, both without their clients.
    play.run("GET /stays\nturn\ngone 1");
    let first = play.world.worker.take();
    play.world.land();
    play.run("GET /leaves\nturn\ngone 2\nturn");
    play.world.asked.borrow_mut().leaving = vec![1];
    start(
        &mut play,
        "httpng.cfg{threads = 1, handler = handler, thread_termination_timeout = 2}\n\
         httpng.force_decrease_threads()",
    );
    play.run("pass 1900\nlook");
    assert!(!play.text().contains("does not end"), "{}", play.text());
    play.run("pass 200\nlook");
    let text = play.text();
    assert!(
        text.contains("GET /leaves: its handler does not end"),
        "{text}"
    );
    assert!(
        text.contains("2 Release") && !text.contains("stays"),
        "{text}"
    );
    play.world.asked.borrow_mut().shrinking = false;
    play.run("pass 100");
    assert_eq!(play.world.env.main_status(), MainStatus::Finished);
    enough(&mut play);
    play.world.worker = first;
    play.end();
}

#[test]
fn l13_after_a_decrease_stubborn_handlers_have_their_time_twice() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    start(
        &mut play,
        &format!(
            "log, G = require('log'), {{}}\n\
             function handler(req, io) {STUBBORN} end\n\
             httpng.cfg{{threads = 2, handler = handler}}"
        ),
    );
    play.run("GET /\nturn\ngone 1");
    play.world.asked.borrow_mut().leaving = vec![0];
    start(
        &mut play,
        "httpng.cfg{threads = 1, handler = handler, thread_termination_timeout = 2}",
    );
    play.run("pass 3900");
    assert!(!play.text().contains("does not end"));
    play.run("pass 200\nlook");
    assert!(play.text().contains("does not end"), "{}", play.text());
    play.world.asked.borrow_mut().shrinking = false;
    enough(&mut play);
    // Nobody looks any more.
    play.run("pass 100");
    assert_eq!(play.world.env.fibers(), 0);
    play.end();
}

#[test]
fn l13_each_decrease_has_its_own_time() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    start(
        &mut play,
        &format!(
            "log, G = require('log'), {{}}\n\
             function to(n)\n\
               httpng.cfg{{threads = n, thread_termination_timeout = 2,\n\
                 handler = function(req, io) {STUBBORN} end}}\n\
             end\n\
             to(3)"
        ),
    );
    play.run("GET /\nturn\ngone 1");
    play.world.asked.borrow_mut().leaving = vec![0];
    start(&mut play, "to(2)");
    // Between two looks one decrease is over and the next begins.
    play.run("pass 3500");
    play.world.asked.borrow_mut().shrinking = false;
    start(&mut play, "to(1)");
    play.run("pass 3900");
    assert!(!play.text().contains("does not end"), "{}", play.text());
    play.run("pass 200\nlook");
    assert!(play.text().contains("does not end"), "{}", play.text());
    play.world.asked.borrow_mut().shrinking = false;
    enough(&mut play);
    play.end();
}

#[test]
fn l13_a_handler_of_a_thread_that_leaves_may_force_it() {
    let handler = "httpng.cfg{threads = 1, handler = function() end}\n\
                   io:on_close(function(_, how) log.info('%s', how) end)\n\
                   httpng.force_decrease_threads() log.info('forced')";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    start(
        &mut play,
        &format!(
            "log, G = require('log'), {{}}\n\
             httpng.cfg{{threads = 2, handler = function(req, io) {handler} end}}"
        ),
    );
    play.world.asked.borrow_mut().leaving = vec![0];
    play.run("GET /");
    play.world.some_turns();
    // Its own request does not hold the thread any more.
    assert_eq!(play.world.env.open_requests(), 0);
    play.world.asked.borrow_mut().shrinking = false;
    play.run("pass 10\nlook");
    assert_eq!(play.end(), "INFO lua: gone\nINFO lua: forced\n1 Release\n");
}

#[test]
fn l13_who_waits_after_a_cancel_does_not_hold_up_the_others() {
    let handler = "if req.path == '/next' then return { body = 'next' } end\n\
                   while not G.enough do pcall(fiber.sleep, 100) end";
    let mut play = Play::begin_with(World::new(Stage::Three), CANCELS, handler);
    play.run("GET /\nturn\ngone 1\nturn\nGET /next\nturn\nlook");
    assert!(play.text().contains("2 Answer 200 (4) \"next\""));
    enough(&mut play);
    play.end();
}
