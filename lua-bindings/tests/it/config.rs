//! `httpng.cfg` beyond its options (see `options.rs`): what else it does to its caller, and the
//! states in which it is refused.

use lua_bindings::{MainStatus, Stage};

use crate::world::{World, logged};

fn run(world: &mut World, argument: &str) -> Result<(), String> {
    let program = format!("local h = function() end\nrequire('httpng').cfg({argument})");
    match world.run(&program) {
        MainStatus::Finished => Ok(()),
        MainStatus::Failed(fault) => Err(fault.line().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_table_nothing_is_done() {
    for argument in ["nil", "", "42", "box.NULL"] {
        let refused = run(&mut World::new(Stage::Three), argument);
        let wanted = "program:2: No parameters specified".to_owned();
        assert_eq!(refused, Err(wanted), "{argument}");
    }
}

#[test]
fn the_callers_listen_becomes_the_normal_form() {
    let program = "c = {handler = function() end, listen = ':81'}\nrequire('httpng').cfg(c)\n\
                   assert(c.listen[2].addr == '::' and c.listen[2].port == 81)\n\
                   local ok, err = pcall(require('httpng').cfg, c)\n\
                   assert(err == \"listen can't be changed on reconfiguration\", err)\n\
                   c.reload_listeners = true\n\
                   require('httpng').cfg(c)\n\
                   -- It is a copy: who changes it changes nothing yet.\n\
                   c.listen[1].addr = 'nonsense'\n\
                   c.listen = nil\n\
                   require('httpng').cfg(c)\n\
                   c.reload_listeners = nil\n\
                   require('httpng').cfg(c)\n\
                   -- Also when the rest of the table is refused.\n\
                   c.listen, c.threads = 82, 'x'\n\
                   assert(not pcall(require('httpng').cfg, c))\n\
                   assert(c.listen[1].port == 82)";
    let mut world = World::new(Stage::Three);
    assert_eq!(world.run(program), MainStatus::Finished, "{:?}", logged());
    let asked = world.asked.borrow();
    assert_eq!(asked.reloads.len(), 3);
    for reload in &asked.reloads {
        assert_eq!(reload.listeners[0].addr.to_string(), "0.0.0.0:81");
    }
}

#[test]
fn what_the_network_side_refuses_changes_nothing() {
    let mut world = World::new(Stage::Three);
    world.asked.borrow_mut().refusal = Some("bind error: in use".to_owned());
    let refused = run(&mut world, "{handler = h}");
    assert_eq!(refused, Err("program:2: bind error: in use".to_owned()));
    world.asked.borrow_mut().refusal = None;
    assert_eq!(run(&mut world, "{handler = h}"), Ok(()));
    assert_eq!(world.asked.borrow().starts.len(), 1);
}

/// The fields of a table may wait; whoever comes meanwhile is told, or waits.
#[test]
fn r29_a_configuration_that_takes_its_time() {
    let program = "
        local httpng, fiber = require('httpng'), require('fiber')
        local function why(f, ...) return select(2, pcall(f, ...)) end
        local h = function() end
        local slow = setmetatable({ handler = h }, { __index = function(_, name)
            if name == 'threads' then fiber.sleep(1) return 2 end
        end })
        local function slowly()
            local f = fiber.new(httpng.cfg, slow)
            f:set_joinable(true)
            fiber.yield()
            return f
        end
        local busy = 'Reconfiguration is already in progress'
        local first = slowly()
        assert(why(httpng.cfg, { handler = h }) == busy)
        assert(why(httpng.force_decrease_threads) == 'Not configured, nothing to terminate')
        assert(first:join())
        local second = slowly()
        assert(why(httpng.cfg, { handler = h }) == busy)
        assert(why(httpng.cfg, { handler = 42, listen = true }) == 'unknown listen_conf type')
        httpng.force_decrease_threads()
        local stopping = fiber.new(httpng.shutdown)
        stopping:set_joinable(true)
        assert(second:join(), 'shutdown waits for it')
        fiber.sleep(0.01)
        assert(why(httpng.cfg, { handler = h }) == 'shutdown is in progress')
        assert(why(httpng.shutdown) == 'on_shutdown() is already in progress')
        require('log').info('it may end')
        assert(stopping:join())
        -- One that is cancelled meanwhile has not begun.
        local third = slowly()
        third:cancel()
        assert(not third:join())
        assert(why(httpng.shutdown) == 'Server is not launched')
        httpng.cfg { handler = h }";
    let mut world = World::new(Stage::Three);
    let chunk = world.env.load_text("=p", program.as_bytes()).unwrap();
    world.env.start(chunk).unwrap();
    let asked = std::rc::Rc::clone(&world.asked);
    for _ in 0..200 {
        world.pass(std::time::Duration::from_millis(20));
        let mut asked = asked.borrow_mut();
        asked.stopped |= logged().iter().any(|line| line.contains("it may end"));
    }
    assert_eq!(world.finish(), MainStatus::Finished, "{:?}", logged());
    assert_eq!(asked.borrow().starts.len(), 2);
    assert_eq!(asked.borrow().reloads.len(), 1);
}
