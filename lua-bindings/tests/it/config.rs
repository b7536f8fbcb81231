//! `httpng.cfg`: options, their ranges and the texts of their errors.

use lua_bindings::{MainStatus, ServerConfig, Stage, TlsVersion};

use crate::world::{World, logged};

/// Runs `httpng.cfg(<argument>)`: what the network side was asked, or the error.
fn cfg(argument: &str) -> Result<ServerConfig, String> {
    let mut world = World::new(Stage::Three);
    run(&mut world, argument)?;
    let starts = std::mem::take(&mut world.asked.borrow_mut().starts);
    Ok(starts.into_iter().next_back().unwrap())
}

fn run(world: &mut World, argument: &str) -> Result<(), String> {
    let program = format!("local h = function() end\nrequire('httpng').cfg({argument})");
    match world.run(&program) {
        MainStatus::Finished => Ok(()),
        MainStatus::Failed(fault) => Err(fault.line().to_owned()),
        other => panic!("{other:?}"),
    }
}

fn refused(argument: &str) -> String {
    let error = cfg(argument).expect_err(argument);
    let text = error.strip_prefix("program:2: ");
    text.unwrap_or_else(|| panic!("the place is missing: {error}"))
        .to_owned()
}

fn reload(first: &str, second: &str) -> Result<ServerConfig, String> {
    let mut world = World::new(Stage::Three);
    run(&mut world, first).unwrap();
    run(&mut world, second)?;
    let reloads = std::mem::take(&mut world.asked.borrow_mut().reloads);
    Ok(reloads.into_iter().next_back().unwrap())
}

fn refused_reload(first: &str, second: &str) -> String {
    let error = reload(first, second).expect_err(second);
    error.strip_prefix("program:2: ").unwrap().to_owned()
}

fn addresses(argument: &str) -> Vec<String> {
    let config = cfg(argument).unwrap();
    config
        .listeners
        .iter()
        .map(|listener| listener.addr.to_string())
        .collect()
}

#[test]
fn defaults() {
    let config = cfg("{handler = h}").unwrap();
    assert_eq!(config.threads, 1);
    assert_eq!(config.max_conn_per_thread, 262_144);
    assert_eq!(config.max_conn_per_ip, 16_384);
    let rates = (config.min_receive_rate_bytes, config.min_send_rate_bytes);
    assert_eq!(rates, (500, 500));
    assert_eq!(config.max_shuttles_per_thread, 4096);
    assert_eq!(config.max_body_len_bytes, 1 << 20);
    assert_eq!(config.thread_termination_timeout_ms, Some(60_000));
    assert_eq!(config.min_tls, TlsVersion::V12);
    assert_eq!(addresses("{handler = h}"), ["0.0.0.0:3300", "[::]:3300"]);
    assert_eq!(
        cfg("{handler = h, threads = box.NULL, listen = box.NULL}").unwrap(),
        config
    );
}

#[test]
fn numbers_are_converted_and_clamped() {
    let threads = |value: &str| {
        cfg(&format!("{{handler = h, threads = {value}}}"))
            .unwrap()
            .threads
    };
    assert_eq!(
        [threads("0"), threads("'3'"), threads("2.9"), threads("256")],
        [0, 3, 2, 256]
    );
    let _ = logged();
    assert_eq!(threads("257"), 256);
    assert_eq!(
        logged(),
        ["WARN lua: parameter \"threads\" is 257, which is above 256: 256 is used"]
    );
    assert_eq!(threads("-1"), 0);
    let config = cfg("{handler = h, max_conn_per_thread = 0, max_shuttles_per_thread = 1e9}");
    let config = config.unwrap();
    assert_eq!(
        (config.max_conn_per_thread, config.max_shuttles_per_thread),
        (1, 65535)
    );
    let forever = cfg("{handler = h, thread_termination_timeout = -1}").unwrap();
    assert_eq!(forever.thread_termination_timeout_ms, None);
    let free = "{handler = h, max_conn_per_ip = 0, min_receive_rate = 0, min_send_rate = '9'}";
    let free = cfg(free).unwrap();
    assert_eq!(free.max_conn_per_ip, 0);
    let rates = (free.min_receive_rate_bytes, free.min_send_rate_bytes);
    assert_eq!(rates, (0, 9));
    let quick = cfg("{handler = h, idle_timeout = 0.25, max_body_len = '64'}").unwrap();
    assert_eq!((quick.idle_timeout_ms, quick.max_body_len_bytes), (250, 64));
}

#[test]
fn what_has_no_effect_is_told() {
    let _ = logged();
    cfg("{handler = h, thread = 4, sites = {{path = 'a', handler = h}}}").unwrap();
    assert_eq!(
        logged(),
        [
            "WARN lua: sites[].path \"a\" does not begin with \"/\": no request matches it",
            "WARN lua: httpng.cfg has no option \"thread\": it has no effect",
        ]
    );
}

#[test]
fn what_is_refused_and_in_which_words() {
    let cases = [
        ("nil", "No parameters specified"),
        ("", "No parameters specified"),
        ("42", "No parameters specified"),
        ("{}", "No handlers specified"),
        ("{sites = {}}", "No handlers specified"),
        (
            "{handler = h, threads = 'x'}",
            "parameter threads is not a number",
        ),
        (
            "{handler = h, threads = {}}",
            "parameter threads is not a number",
        ),
        (
            "{handler = h, threads = 0/0}",
            "parameter threads is not a number",
        ),
        (
            "{handler = h, max_conn_per_thread = 'x'}",
            "parameter max_conn_per_thread is not a number",
        ),
        (
            "{handler = h, max_shuttles_per_thread = true}",
            "parameter max_shuttles_per_thread is not a number",
        ),
        (
            "{handler = h, shuttle_size = 'x'}",
            "parameter shuttle_size is not a number",
        ),
        (
            "{handler = h, shuttle_size = 1}",
            "shuttle_size is too small for Lua handlers",
        ),
        (
            "{handler = h, max_body_len = 'x'}",
            "parameter max_body_len is not a number",
        ),
        (
            "{handler = h, thread_termination_timeout = 'x'}",
            "parameter thread_termination_timeout is not a number",
        ),
        (
            "{handler = h, idle_timeout = 0}",
            "parameter idle_timeout is not above zero",
        ),
        (
            "{handler = 42}",
            "handler is not a function or table (router object)",
        ),
        (
            "{handler = {}}",
            "handler is not a function or table (router object)",
        ),
    ];
    for (argument, message) in cases {
        assert_eq!(refused(argument), message, "{argument}");
    }
}

#[test]
fn protocol_and_stage_that_are_refused() {
    let cases = [
        (
            "{handler = h, min_proto_version = 1.2}",
            "min_proto_version is not a string",
        ),
        (
            "{handler = h, min_proto_version = 'x'}",
            "unknown min_proto_version specified",
        ),
        (
            "{handler = h, openssl_security_level = {}}",
            "openssl_security_level is not a number",
        ),
        (
            "{handler = h, openssl_security_level = 6}",
            "openssl_security_level is invalid",
        ),
        (
            "{handler = h, c_sites_func = 1}",
            "c_sites_func must be a function",
        ),
        (
            "{handler = h, c_sites_func = h}",
            "c_sites_func: handlers in C are not served by this version",
        ),
        ("{handler = h, stage = 4}", "stage is not 1, 2 or 3"),
    ];
    for (argument, message) in cases {
        assert_eq!(refused(argument), message, "{argument}");
    }
}

#[test]
fn sites_that_are_refused() {
    let cases = [
        ("{sites = 1}", "sites is not a table"),
        ("{sites = {1}}", "sites is not a table of tables"),
        ("{sites = {{}}}", "sites[].path is nil"),
        ("{sites = {{path = 1}}}", "sites[].path is not a string"),
        (
            "{sites = {{path = '/a'}}}",
            "sites[].handler is not a function or string",
        ),
        (
            "{sites = {{path = '/a', handler = h}, {path = '/a', handler = h}}}",
            "Can't add duplicate paths",
        ),
        (
            "{sites = {{path = '/', handler = h}}, handler = h}",
            "There can be only one \"/\"",
        ),
        (
            "{sites = {{path = '/', handler = h}, {path = '/a', handler = h}}}",
            "Can't add other paths after adding \"/\"",
        ),
    ];
    for (argument, message) in cases {
        assert_eq!(refused(argument), message, "{argument}");
    }
}

#[test]
fn errors_come_in_httpngs_order() {
    // Each of these is wrong in every way; repairing one shows the next.
    let wrong = "threads = 'x', thread_termination_timeout = 'x', sites = 1, min_proto_version = 1";
    assert_eq!(
        refused(&format!("{{{wrong}}}")),
        "parameter threads is not a number"
    );
    let wrong = wrong.replace("threads = 'x'", "threads = 1");
    assert_eq!(
        refused(&format!("{{{wrong}}}")),
        "parameter thread_termination_timeout is not a number"
    );
    let wrong = wrong.replace("timeout = 'x'", "timeout = 1");
    assert_eq!(refused(&format!("{{{wrong}}}")), "sites is not a table");
    let wrong = wrong.replace("sites = 1", "sites = {}");
    assert_eq!(refused(&format!("{{{wrong}}}")), "No handlers specified");
    let wrong = format!("{wrong}, handler = h, shuttle_size = 1");
    assert_eq!(
        refused(&format!("{{{wrong}}}")),
        "shuttle_size is too small for Lua handlers"
    );
}

#[test]
fn listen_in_all_its_forms() {
    let listen = |value: &str| addresses(&format!("{{handler = h, listen = {value}}}"));
    assert_eq!(listen("8080"), ["0.0.0.0:8080", "[::]:8080"]);
    assert_eq!(listen("'http'"), ["0.0.0.0:80", "[::]:80"]);
    assert_eq!(listen("'https'"), ["0.0.0.0:443", "[::]:443"]);
    assert_eq!(listen("':81'"), ["0.0.0.0:81", "[::]:81"]);
    assert_eq!(listen("'81'"), ["0.0.0.0:81", "[::]:81"]);
    assert_eq!(listen("'127.0.0.1:82'"), ["127.0.0.1:82"]);
    assert_eq!(listen("'http://127.0.0.1'"), ["127.0.0.1:80"]);
    assert_eq!(listen("'https://127.0.0.1:83/'"), ["127.0.0.1:83"]);
    assert_eq!(listen("'127.0.0.1'"), ["127.0.0.1:3300"]);
    assert_eq!(listen("'[::1]:84'"), ["[::1]:84"]);
    assert_eq!(listen("{port = 85}"), ["0.0.0.0:85", "[::]:85"]);
    assert_eq!(listen("{addr = '127.0.0.1'}"), ["127.0.0.1:3300"]);
    assert_eq!(
        listen("{86, ':87', {addr = '127.0.0.1', port = 88}}"),
        [
            "0.0.0.0:86",
            "[::]:86",
            "0.0.0.0:87",
            "[::]:87",
            "127.0.0.1:88"
        ]
    );
    assert_eq!(listen("{}"), Vec::<String>::new());
    assert!(listen("'localhost:89'").contains(&"127.0.0.1:89".to_owned()));
}

#[test]
fn listen_that_is_refused() {
    let cases = [
        ("1.5", "port must be an integer, not float:1.5"),
        ("65536", "invalid port specified"),
        ("-1", "invalid port specified"),
        ("true", "unknown listen_conf type"),
        ("'none-such'", "unknown hostame: none-such"),
        (
            "'nonesuchprotocol'",
            "unknown protocol specified: nonesuchprotocol",
        ),
        ("'http://'", "impossible to parse URI: http://"),
        ("'a b:1'", "impossible to parse URI: a b:1"),
        (
            "'no.such.host.invalid:1'",
            "unknown hostame: no.such.host.invalid",
        ),
        ("{addr = 1}", "'addr' must be a string:"),
        ("{port = 'x'}", "'port' must be a number:"),
        ("{addr = 'no such'}", "Can't parse IP address"),
        ("{port = 1, tls = 1}", "'tls' must be a table:"),
        ("{port = 1, tls = {a = 1}}", "'tls' should be an array:"),
        (
            "{port = 1, tls = {{}, {}}}",
            "'uses_sni' can't be false or nil if there're certificates more than 1:",
        ),
        (
            "{port = 1, tls = {5}}",
            "missing 'certificate_file' or 'certificate_key_file':",
        ),
        (
            "{port = 1, tls = {{certificate_file = 'c'}}}",
            "missing 'certificate_file' or 'certificate_key_file':",
        ),
        (
            "{port = 1, tls = {{certificate_file = 1, certificate_key_file = 'k'}}}",
            "'certificate_file'' must be a string",
        ),
        (
            "{port = 1, tls = {{certificate_file = 'c', certificate_key_file = 1}}}",
            "'certificate_key_file' must be a string:",
        ),
        ("{80, 80}", "Duplicate listeners for 0.0.0.0:80 found:"),
    ];
    for (listen, message) in cases {
        // Without a network a name may be looked up in vain for a while, but not found.
        let error = refused(&format!("{{handler = h, listen = {listen}}}"));
        assert!(error.starts_with(message), "{listen}: {error}");
    }
}

#[test]
fn certificates() {
    let pair = "{certificate_file = 'c.pem', certificate_key_file = 'k.pem'}";
    let listen = format!("{{port = 443, tls = {{{pair}, {pair}}}, uses_sni = true}}");
    let config = cfg(&format!(
        "{{handler = h, listen = {listen}, min_proto_version = 'tls1.3'}}"
    ))
    .unwrap();
    assert_eq!(config.min_tls, TlsVersion::V13);
    assert_eq!(config.listeners.len(), 2);
    for listener in &config.listeners {
        let tls = listener.tls.as_ref().unwrap();
        assert!(tls.uses_sni);
        assert_eq!(tls.pairs.len(), 2);
        assert_eq!(tls.pairs[1], ("c.pem".into(), "k.pem".into()));
    }
    let old = cfg("{handler = h, min_proto_version = 'tls1.0'}").unwrap();
    assert_eq!(old.min_tls, TlsVersion::V12);
}

#[test]
fn the_callers_listen_becomes_the_normal_form() {
    let program = "c = {handler = function() end, listen = ':81'}\nrequire('httpng').cfg(c)\n\
                   assert(c.listen[2].addr == '::' and c.listen[2].port == 81)\n\
                   local ok, err = pcall(require('httpng').cfg, c)\n\
                   error(err, 0)";
    match World::new(Stage::Three).run(program) {
        MainStatus::Failed(fault) => {
            assert_eq!(fault.line(), "listen can't be changed on reconfiguration");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reload_takes_defaults_for_what_is_left_out() {
    let config = reload(
        "{handler = h, threads = 3, max_body_len = 5}",
        "{handler = h}",
    )
    .unwrap();
    assert_eq!((config.threads, config.max_body_len_bytes), (1, 1 << 20));
    assert_eq!(config.listeners.len(), 2);
    assert!(
        reload("{handler = h}", "{}").is_ok(),
        "then everything is answered 404"
    );
    assert!(reload("{handler = h, min_proto_version = 'tls1.3'}", "{}").is_ok());
}

#[test]
fn what_a_reload_refuses() {
    let cases = [
        (
            "{handler = h, listen = 80}",
            "listen can't be changed on reconfiguration",
        ),
        (
            "{handler = h, listen = box.NULL}",
            "listen can't be changed on reconfiguration",
        ),
        (
            "{handler = h, shuttle_size = 9999}",
            "Reconfiguration can't change shuttle_size",
        ),
        (
            "{handler = h, c_sites_func = h}",
            "Reconfiguration can't be used with C handlers",
        ),
        (
            "{handler = h, min_proto_version = 'tls1.3'}",
            "min_proto_version can't be changed on reconfiguration",
        ),
        (
            "{handler = h, openssl_security_level = 2}",
            "openssl_security_level can't be changed on reconfiguration",
        ),
        (
            "{sites = {{path = '/a', handler = h}, {path = '/a', handler = h}}}",
            "duplicated site description",
        ),
        (
            "{sites = {{path = '/', handler = h}}, handler = h}",
            "duplicated site description for /",
        ),
    ];
    for (second, message) in cases {
        assert_eq!(refused_reload("{handler = h}", second), message, "{second}");
    }
    assert_eq!(
        refused_reload(
            "{handler = h, min_proto_version = 'tls1.3'}",
            "{handler = h, min_proto_version = box.NULL}"
        ),
        "min_proto_version can't be changed on reconfiguration"
    );
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
