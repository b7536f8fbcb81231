//! Another number of threads: what the program is told, and when.

use lua_bindings::{MainStatus, Stage};

use crate::check::Play;
use crate::world::{World, logged};

const HELPERS: &str = "local httpng, fiber = require('httpng'), require('fiber')\n\
     local function why(f, ...) return select(2, pcall(f, ...)) end\n\
     local function to(n)\n\
       httpng.cfg{threads = n, handler = function() return {body = 'n' .. n} end}\n\
     end\n";

fn begin(play: &mut Play, program: &str) {
    let text = format!("{HELPERS}{program}");
    let chunk = play.world.env.load_text("=p", text.as_bytes()).unwrap();
    play.world.env.start(chunk).unwrap();
    play.world.some_turns();
}

fn run(play: &mut Play, program: &str) {
    begin(play, program);
    let status = play.world.env.main_status();
    assert_eq!(status, MainStatus::Finished, "{:?}", logged());
}

#[test]
fn r32_workers_that_come_with_a_reload_are_served() {
    let mut play = Play::begin(World::new(Stage::Three), "return {body = 'one'}");
    run(&mut play, "to(3)");
    assert_eq!(play.world.asked.borrow().ends.len(), 2);
    // The newest of them plays on.
    play.world.land();
    play.run("GET /\nauto");
    assert_eq!(play.end(), "1 Answer 200 (2) \"n3\"\n");
}

#[test]
fn r29_no_reload_until_the_threads_have_ended() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    run(&mut play, "to(4)");
    run(
        &mut play,
        "to(2)\n\
         local busy = 'Unable to reconfigure until threads will shut down'\n\
         assert(why(httpng.cfg, {threads = 2, handler = print}) == busy)\n\
         assert(why(httpng.cfg, {handler = 42, listen = 1}) == busy, 'before anything else')",
    );
    assert_eq!(play.world.asked.borrow().reloads.len(), 2);
    play.world.asked.borrow_mut().shrinking = false;
    run(&mut play, "to(5)");
    assert_eq!(play.world.asked.borrow().reloads.len(), 3);
}

#[test]
fn r26_r28_force_waits_for_the_end_without_holding_the_thread() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    run(&mut play, "to(2) httpng.force_decrease_threads()");
    assert_eq!(play.world.asked.borrow().forced, 1, "nobody is waited for");
    begin(
        &mut play,
        "to(1)\n\
         over = 0\n\
         for _ = 1, 2 do\n\
           fiber.create(function() httpng.force_decrease_threads() over = over + 1 end)\n\
         end\n\
         httpng.force_decrease_threads()",
    );
    play.run("pass 1000\nGET /\nauto");
    assert_eq!(play.world.env.main_status(), MainStatus::Running);
    play.world.asked.borrow_mut().shrinking = false;
    play.run("pass 10");
    assert_eq!(play.world.env.main_status(), MainStatus::Finished);
    run(&mut play, "assert(over == 2)");
    assert_eq!(play.world.asked.borrow().forced, 4);
    assert_eq!(play.end(), "1 Answer 200 (2) \"n1\"\n");
}

#[test]
fn force_may_be_cancelled_and_the_threads_end_all_the_same() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    run(&mut play, "to(2)");
    run(
        &mut play,
        "to(1)\n\
         local f = fiber.new(httpng.force_decrease_threads)\n\
         f:set_joinable(true) fiber.sleep(0) f:cancel()\n\
         assert(not f:join())",
    );
    assert_eq!(play.world.asked.borrow().forced, 1);
}

#[test]
fn r28_r29_what_force_and_cfg_say_in_each_state() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    run(&mut play, "to(2)");
    run(&mut play, "to(1)");
    begin(&mut play, "httpng.shutdown()");
    run(
        &mut play,
        "assert(why(httpng.force_decrease_threads) == 'Shutdown is in progress')\n\
         assert(why(httpng.cfg, {handler = print}) == 'shutdown is in progress')",
    );
    {
        let mut asked = play.world.asked.borrow_mut();
        (asked.stopped, asked.shrinking) = (true, false);
    }
    play.run("pass 100");
    run(
        &mut play,
        "assert(why(httpng.force_decrease_threads) == 'Not configured, nothing to terminate')",
    );
}
