//! Reloads and shutdowns while requests travel.

use lua_bindings::{MainStatus, Stage};

use crate::check::Play;
use crate::world::{World, logged};

fn run(play: &mut Play, program: &str) {
    let status = play.world.run(program);
    assert_eq!(status, MainStatus::Finished, "{:?}", logged());
}

#[test]
fn r34_r35_requests_on_their_way_finish_with_the_handler_they_started_with() {
    let mut play = Play::begin(
        World::new(Stage::Three),
        "fiber.sleep(1) collectgarbage() io:write('old') fiber.sleep(1) return {body = 'end'}",
    );
    play.run("GET /\nturn");
    run(
        &mut play,
        "require('httpng').cfg{handler = function() return {body = 'new'} end}",
    );
    run(&mut play, "collectgarbage() collectgarbage()");
    play.run("GET /\nturn\nlook\npass 1000\nlook\ncontinue 1\npass 1000\nlook");
    assert_eq!(
        play.end(),
        "2 Answer 200 (3) \"new\"\n1 Write 200 \"old\"\n1 Write 200 \"end\" last\n1 Release\n"
    );
}

#[test]
fn r34_a_reload_that_fails_changes_nothing() {
    let mut play = Play::begin(World::new(Stage::Three), "return {body = 'old'}");
    let program = "local ok = pcall(require('httpng').cfg,\n\
                   {sites = {{path = '/a', handler = print}, {path = '/a', handler = print}}})\n\
                   assert(not ok)";
    run(&mut play, program);
    play.world.asked.borrow_mut().refusal = Some("no".to_owned());
    run(
        &mut play,
        "assert(not pcall(require('httpng').cfg, {handler = print}))",
    );
    play.run("GET /\nauto");
    assert_eq!(play.end(), "1 Answer 200 (3) \"old\"\n");
}

#[test]
fn r36_handlers_are_let_go() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    let program = "kept = setmetatable({}, {__mode = 'k'})\n\
                   for i = 1, 100 do\n\
                     local h = function() return {body = tostring(i)} end\n\
                     kept[h] = true require('httpng').cfg{handler = h}\n\
                   end\n\
                   collectgarbage() collectgarbage()\n\
                   local n = 0 for _ in pairs(kept) do n = n + 1 end assert(n == 1, n)";
    run(&mut play, program);
    play.run("GET /\nauto");
    assert_eq!(play.end(), "1 Answer 200 (3) \"100\"\n");
}

#[test]
fn sites_are_matched_on_the_normalised_path() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    let program = "local function site(path)\n\
                     return {path = path, handler = function(req)\n\
                       return {body = path .. ' ' .. req.path} end}\n\
                   end\n\
                   require('httpng').cfg{sites = {site('/foo'), site('/sl/'), site('/foo/bar')}}";
    run(&mut play, program);
    let cases = [
        ("/foo", "/foo /foo"),
        ("/foo/", "/foo /foo/"),
        ("/foo/x", "/foo /foo/x"),
        ("/foo?q", "/foo /foo"),
        ("/%66oo", "/foo /%66oo"),
        ("/./foo", "/foo /./foo"),
        ("/a/../foo", "/foo /a/../foo"),
        ("/foo/bar", "/foo /foo/bar"),
        ("/sl/", "/sl/ /sl/"),
        ("/sl/x", "/sl/ /sl/x"),
        ("/foo1", ""),
        ("//foo", ""),
        ("/FOO", ""),
        ("/sl", ""),
        ("/foo/..", ""),
        ("/", ""),
    ];
    let mut wanted = String::new();
    for (number, (path, body)) in cases.iter().enumerate() {
        play.run(&format!("GET {path}\nauto"));
        let number = number + 1;
        wanted += &match *body {
            "" => format!(
                "{number} Answer 404 [content-type: text/plain; charset=utf-8] \
                 [vary: Accept] (9) \"not found\"\n"
            ),
            body => format!("{number} Answer 200 ({}) \"{body}\"\n", body.len()),
        };
    }
    assert_eq!(play.end(), wanted);
}

#[test]
fn the_handler_takes_what_no_site_does() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    let program = "require('httpng').cfg{\n\
                     sites = {{path = '/foo', handler = function() return {body = 'foo'} end}},\n\
                     handler = function(req) return {body = req.path} end}";
    run(&mut play, program);
    play.run("GET /foo\nauto\nGET /bar\nauto\nOPTIONS *\nauto");
    let wanted = "1 Answer 200 (3) \"foo\"\n2 Answer 200 (4) \"/bar\"\n3 Answer 200 (1) \"*\"\n";
    assert_eq!(play.end(), wanted);
}

#[test]
fn a_reload_without_handlers_answers_404() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    run(&mut play, "require('httpng').cfg{}");
    play.run("GET /\nauto");
    assert!(play.end().starts_with("1 Answer 404"));
}

#[test]
fn r28_r29_shutdown_waits_and_everything_can_begin_again() {
    let mut play = Play::begin(
        World::new(Stage::Three),
        "fiber.sleep(1) return {body = 'late'}",
    );
    play.run("GET /\nturn");
    let program = "local httpng, fiber = require('httpng'), require('fiber')\n\
                   assert(select(2, pcall(httpng.shutdown)) == nil)\n\
                   done = true";
    let chunk = play
        .world
        .env
        .load_text("=stop", program.as_bytes())
        .unwrap();
    play.world.env.start(chunk).unwrap();
    play.run("turn");
    assert_eq!(play.world.asked.borrow().stops, 1);
    let states = "local httpng = require('httpng')\n\
                  local function err(f, ...) return select(2, pcall(f, ...)) end\n\
                  assert(err(httpng.cfg, {}) == 'shutdown is in progress')\n\
                  assert(err(httpng.shutdown) == 'on_shutdown() is already in progress')\n\
                  assert(err(httpng.force_decrease_threads) == 'Shutdown is in progress')";
    let chunk = play
        .world
        .env
        .load_text("=states", states.as_bytes())
        .unwrap();
    play.world.env.start(chunk).unwrap();
    play.world.some_turns();
    assert_eq!(play.world.env.main_status(), MainStatus::Finished);
    play.world.asked.borrow_mut().stopped = true;
    play.run("pass 500");
    play.run("pass 1000\nlook\npass 100");
    let again = "local httpng = require('httpng')\n\
                 assert(done)\n\
                 assert(select(2, pcall(httpng.shutdown)) == 'Server is not launched')\n\
                 assert(select(2, pcall(httpng.force_decrease_threads))\n\
                   == 'Not configured, nothing to terminate')\n\
                 httpng.cfg{handler = function() return {body = 'again'} end}";
    run(&mut play, again);
    assert_eq!(play.world.asked.borrow().starts.len(), 2);
    play.run("GET /\nauto");
    assert_eq!(
        play.end(),
        "1 Answer 200 (4) \"late\"\n2 Answer 200 (5) \"again\"\n"
    );
}

#[test]
fn a_handler_may_shut_the_server_down() {
    let mut play = Play::begin(
        World::new(Stage::Three),
        "httpng.shutdown() return {body = 'bye'}",
    );
    play.world.asked.borrow_mut().stopped = true;
    play.run("GET /\nauto");
    assert_eq!(play.end(), "1 Release\n");
}

#[test]
fn a_worker_that_leaves_leaves_nothing_behind() {
    let handler =
        "io:write(('x'):rep(5000)) io:write(('y'):rep(5000)) log.info('%s', io:is_closed())";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.run("GET /\nGET /\nturn");
    // One shuttle was received and dropped, the other one never received.
    let worker = play.world.worker.take().unwrap();
    drop(worker);
    play.run("turn\npass 100");
    assert_eq!(play.world.env.open_requests(), 0);
    assert_eq!(play.world.env.pins(), 0);
}
