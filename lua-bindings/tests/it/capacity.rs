//! As many fibers as there may be, and one more: what becomes of a request for which no fiber can
//! be made.

use std::time::Duration;

use lua_bindings::Stage;
use tx_runtime::Config;

use crate::check::Play;
use crate::world::World;

/// A world in which so many fibers may live, the one of the program included.
fn crowded(fibers_max_count: u32, handler: &str) -> Play {
    let config = Config {
        fibers_max_count,
        ..Config::default()
    };
    tx_runtime::configure(config).unwrap();
    Play::begin(World::new(Stage::Three), handler)
}

/// Takes every place that is left for five seconds, that of the program which does so included.
fn fill(play: &mut Play) {
    let program = "local fiber = require 'fiber'\n\
                   while pcall(fiber.create, fiber.sleep, 5) do end fiber.sleep(5)";
    play.world.run(program);
}

const FULL: &str = "1 Answer 500 [content-type: text/plain; charset=utf-8] [vary: Accept] (22) \
                    \"Failed to create fiber\"\n";

#[test]
fn r2_r7_a_request_without_a_fiber_is_answered_500_and_freed_once() {
    for script in [
        "GET /\nturn\nlook",
        "GET /\ngone 1\nturn\nlook",
        "GET /\nturn\ngone 1\nturn\nlook",
        "GET /\nturn\nlook\ngone 1\nturn\nlook",
    ] {
        // The bound is one of its thread, for good.
        let played = std::thread::spawn(move || refuse(script));
        played.join().unwrap();
    }
}

fn refuse(script: &str) {
    let mut play = crowded(5, "return {body = 'served'}");
    fill(&mut play);
    play.run(script);
    let text = play.text();
    let log = "ERROR lua_bindings: requests are answered with 500: ";
    assert!(
        text.starts_with(log) && text.ends_with(FULL),
        "{script}\n{text}"
    );
    // The crowd goes, and the next request finds a fiber.
    play.run("pass 5000\nGET /\nauto");
    let text = play.end();
    assert!(
        text.ends_with("2 Answer 200 (6) \"served\"\n"),
        "{script}\n{text}"
    );
}

#[test]
fn r7_requests_that_wait_for_a_fiber_are_served_as_soon_as_there_is_one() {
    // The first handler has the only fiber of the pool and keeps it; the second request is served
    // when the crowd has gone, although nothing else arrives.
    let handler = "if req.path == '/long' then fiber.sleep(1000) end return {body = req.path}";
    let mut play = crowded(5, handler);
    play.run("GET /long\nturn");
    fill(&mut play);
    play.run("GET /short\nturn\nlook");
    assert_eq!(play.text(), "");
    play.run("pass 4999");
    // As a server turns: once a turn is not busy, it sleeps.
    let mut is_busy = play.world.jump(Duration::from_millis(1));
    while is_busy {
        is_busy = play.world.jump(Duration::ZERO);
    }
    play.run("look");
    assert_eq!(play.text(), "2 Answer 200 (6) \"/short\"\n");
    play.run("pass 1000000\nlook");
    play.end();
}

#[test]
fn r12_headers_that_change_during_the_send_change_nothing() {
    let handler = "fiber.create(function()\n\
                     fiber.yield() io.headers.a = ('y'):rep(5000) io.headers.b = {}\n\
                     collectgarbage() collectgarbage()\n\
                   end)\n\
                   io.headers.a = ('first'):rep(2)\n\
                   io:write(('z'):rep(2000)) io:write('end') io:close()";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /\nturn\nturn\nlook");
    assert_eq!(
        play.text(),
        "1 Write 200 [a: firstfirst] \"\" lent \"z*2000\"\n"
    );
    play.end();
}
