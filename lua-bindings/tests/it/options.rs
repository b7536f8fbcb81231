//! The options of `httpng.cfg`, walked row by row: what each value becomes, what is refused in
//! which words, what is warned of, and which of two mistakes is told.
//!
//! A row's outcome is one line: what differs from the defaults, or `error: ` and its text; then
//! each warning behind a `!`.

use http_proto::content::CompressRule;
use lua_bindings::{MainStatus, ServeConfig, ServerConfig, Stage, TlsVersion};

use crate::world::{World, logged};

/// Runs `httpng.cfg({<options>})`: what the network side was asked last, or the error.
fn cfg(world: &mut World, options: &str) -> Result<ServerConfig, String> {
    let program = format!(
        "local h, NULL = function() end, box.NULL\n\
         local router = require('httpng').router.new()\n\
         require('httpng').cfg{{{options}}}"
    );
    match world.run(&program) {
        MainStatus::Finished => {}
        MainStatus::Failed(fault) => {
            let text = fault.line().strip_prefix("program:3: ");
            return Err(text
                .unwrap_or_else(|| panic!("the place is missing: {}", fault.line()))
                .to_owned());
        }
        other => panic!("{other:?}"),
    }
    let asked = world.asked.borrow();
    let last = asked.reloads.last().or_else(|| asked.starts.last());
    Ok(last.unwrap().clone())
}

/// What a site wants compressed.
fn compressed(rule: &CompressRule) -> String {
    let codings: Vec<_> = rule.codings.iter().map(|coding| coding.name()).collect();
    let level = rule
        .level
        .map_or_else(String::new, |level| format!("/{level}"));
    let codings = codings.join("+");
    format!("%{codings}/{}/{}{level}", rule.types.len(), rule.min_bytes)
}

/// Everything that can be told of a configuration, by name.
fn fields(config: &ServerConfig) -> Vec<(&'static str, String)> {
    let addresses = config.listeners.iter().map(|listener| {
        let tls = listener.tls.as_ref().map_or_else(String::new, |tls| {
            let files = tls
                .pairs
                .iter()
                .map(|(cert, key)| format!("{}+{}", cert.display(), key.display()));
            let files = files.collect::<Vec<_>>().join("&");
            format!("/{files}{}", if tls.uses_sni { "/sni" } else { "" })
        });
        let only_http1 = if listener.http2 { "" } else { "/1" };
        format!("{}{tls}{only_http1}", listener.addr)
    });
    let sites = config.sites.iter().map(|site| match &site.serve {
        ServeConfig::Files(folder) => format!("{}={}", site.path, folder.folder.display()),
        ServeConfig::Lua {
            streams_body,
            body_max_bytes,
            compress,
        } => {
            let streams = if *streams_body { "~" } else { "" };
            let most = body_max_bytes.map_or_else(String::new, |most| format!("<={most}"));
            let compress = compress
                .as_ref()
                .map_or_else(String::new, |rule| compressed(rule));
            format!("{}{streams}{most}{compress}", site.path)
        }
    });
    let termination = config.thread_termination_timeout_ms;
    vec![
        ("threads", config.threads.to_string()),
        ("conn", config.max_conn_per_thread.to_string()),
        ("per_ip", config.max_conn_per_ip.to_string()),
        (
            "reserved",
            config
                .reserved_for
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(","),
        ),
        ("bodies", config.max_buffered_bodies_bytes.to_string()),
        ("receive", config.min_receive_rate_bytes.to_string()),
        ("send", config.min_send_rate_bytes.to_string()),
        ("shuttles", config.max_shuttles_per_thread.to_string()),
        ("streams", config.max_streams_per_conn.to_string()),
        ("http2", config.max_http2_memory_bytes.to_string()),
        ("body", config.max_body_len_bytes.to_string()),
        (
            "termination",
            termination.map_or_else(|| "never".to_owned(), |ms| ms.to_string()),
        ),
        ("header", config.header_timeout_ms.to_string()),
        ("body_timeout", config.body_timeout_ms.to_string()),
        ("idle", config.idle_timeout_ms.to_string()),
        ("write", config.write_timeout_ms.to_string()),
        ("ping", config.ping_after_ms.to_string()),
        (
            "tls",
            match config.min_tls {
                TlsVersion::V12 => "1.2".to_owned(),
                TlsVersion::V13 => "1.3".to_owned(),
            },
        ),
        ("relisten", config.reload_listeners.to_string()),
        ("listen", addresses.collect::<Vec<_>>().join(",")),
        ("sites", sites.collect::<Vec<_>>().join(",")),
    ]
}

/// What a lone handler gets.
const USUAL: &str = "threads=1 conn=262144 per_ip=16384 reserved=127.0.0.0/8,::1/128 \
    bodies=33554432 receive=500 send=500 shuttles=4096 streams=128 http2=33554432 \
    body=1048576 termination=60000 \
    header=30000 body_timeout=60000 idle=75000 write=60000 ping=30000 tls=1.2 relisten=false \
    listen=0.0.0.0:3300,[::]:3300 sites=/";

fn shown(config: &ServerConfig) -> Vec<String> {
    let shown = |(name, value)| format!("{name}={value}");
    fields(config).into_iter().map(shown).collect()
}

/// What is not as usual.
fn differences(config: &ServerConfig) -> String {
    let mut shown = shown(config);
    shown.retain(|field| !USUAL.split(' ').any(|usual| usual == field));
    shown.join(" ")
}

fn outcome(world: &mut World, options: &str) -> String {
    let _ = logged();
    let result = cfg(world, options);
    let warnings: String = logged()
        .into_iter()
        .filter_map(|line| {
            line.strip_prefix("WARN lua: ")
                .map(|line| format!("!{line}"))
        })
        .collect();
    let text = match result {
        Ok(config) => differences(&config),
        Err(error) => format!("error: {error}"),
    };
    text + &warnings
}

/// Each row a server of its own.
fn check_start(rows: &[(&str, &str)]) {
    for (options, wanted) in rows {
        let found = outcome(&mut World::new(Stage::Three), options);
        assert_eq!(found, *wanted, "{options}");
    }
}

/// As `check_start`, with a handler beside the options of the row.
fn check_with_handler(rows: &[(&str, &str)]) {
    for (options, wanted) in rows {
        let found = outcome(
            &mut World::new(Stage::Three),
            &format!("handler = h, {options}"),
        );
        assert_eq!(found, *wanted, "{options}");
    }
}

/// Each row: what the server was started with, and the reload.
fn check_reload(rows: &[(&str, &str, &str)]) {
    for (first, second, wanted) in rows {
        let mut world = World::new(Stage::Three);
        cfg(&mut world, first).unwrap_or_else(|error| panic!("{first}: {error}"));
        let found = outcome(&mut world, second);
        assert_eq!(found, *wanted, "{first} => {second}");
    }
}

#[test]
fn defaults_are_as_documented() {
    let config = cfg(&mut World::new(Stage::Three), "handler = h").unwrap();
    assert_eq!(shown(&config).join(" "), USUAL);
}

#[test]
fn null_and_nil_are_the_default() {
    let names = [
        "threads",
        "max_conn_per_thread",
        "max_shuttles_per_thread",
        "reserved_for",
        "shuttle_size",
        "max_body_len",
        "max_streams_per_conn",
        "max_http2_memory",
        "thread_termination_timeout",
        "header_timeout",
        "body_timeout",
        "idle_timeout",
        "write_timeout",
        "ping_after",
        "use_body_split",
        "reload_listeners",
        "cancel_on_disconnect",
        "min_proto_version",
        "openssl_security_level",
        "listen",
        "sites",
        "c_sites_func",
        "c_sites_func_param",
        "stage",
        "compress",
    ];
    for name in names {
        for null in ["nil", "NULL", "require('json').NULL"] {
            check_with_handler(&[(&format!("{name} = {null}"), "")]);
        }
    }
}

const INTEGERS: &[(&str, &str)] = &[
    ("threads = 0", "threads=0"),
    ("threads = '3'", "threads=3"),
    ("threads = ' 4 '", "threads=4"),
    ("threads = 2.9", "threads=2"),
    ("threads = -0.9", "threads=0"),
    ("threads = 5LL", "threads=5"),
    ("threads = 256", "threads=256"),
    (
        "threads = 257",
        "threads=256!parameter \"threads\" is 257, which is above 256: 256 is used",
    ),
    (
        "threads = -1",
        "threads=0!parameter \"threads\" is -1, which is below 0: 0 is used",
    ),
    (
        "threads = math.huge",
        "threads=256!parameter \"threads\" is inf, which is above 256: 256 is used",
    ),
    ("threads = 'x'", "error: parameter threads is not a number"),
    ("threads = {}", "error: parameter threads is not a number"),
    ("threads = true", "error: parameter threads is not a number"),
    (
        "threads = false",
        "error: parameter threads is not a number",
    ),
    ("threads = 0/0", "error: parameter threads is not a number"),
    (
        "threads = 'nan'",
        "error: parameter threads is not a number",
    ),
    ("max_conn_per_ip = 0", "per_ip=0"),
    (
        "max_conn_per_ip = -1",
        "per_ip=0!parameter \"max_conn_per_ip\" is -1, which is below 0: 0 is used",
    ),
    (
        "max_conn_per_ip = {}",
        "error: parameter max_conn_per_ip is not a number",
    ),
    ("max_buffered_bodies = 65536", "bodies=65536"),
    (
        "max_buffered_bodies = 1",
        "bodies=65536!parameter \"max_buffered_bodies\" is 1, which is below 65536: 65536 is used",
    ),
    (
        "max_buffered_bodies = {}",
        "error: parameter max_buffered_bodies is not a number",
    ),
    ("min_receive_rate = 0", "receive=0"),
    (
        "min_receive_rate = 'x'",
        "error: parameter min_receive_rate is not a number",
    ),
    ("min_send_rate = '9'", "send=9"),
    (
        "min_send_rate = 'x'",
        "error: parameter min_send_rate is not a number",
    ),
    ("max_http2_memory = 1048576", "http2=1048576"),
    ("max_http2_memory = 2 ^ 30", "http2=1073741824"),
    (
        "max_http2_memory = 1048575",
        "http2=1048576!parameter \"max_http2_memory\" is 1048575, which is below 1048576: \
             1048576 is used",
    ),
    ("max_streams_per_conn = 1", "streams=1"),
    ("max_streams_per_conn = 1024", "streams=1024"),
    (
        "max_streams_per_conn = 0",
        "streams=1!parameter \"max_streams_per_conn\" is 0, which is below 1: 1 is used",
    ),
    (
        "max_streams_per_conn = 1025",
        "streams=1024!parameter \"max_streams_per_conn\" is 1025, which is above 1024: \
             1024 is used",
    ),
    (
        "max_streams_per_conn = {}",
        "error: parameter max_streams_per_conn is not a number",
    ),
    ("max_conn_per_thread = 1", "conn=1"),
    ("max_conn_per_thread = 1048576", "conn=1048576"),
    (
        "max_conn_per_thread = 0",
        "conn=1!parameter \"max_conn_per_thread\" is 0, which is below 1: 1 is used",
    ),
    (
        "max_conn_per_thread = 2^30",
        "conn=1048576!parameter \"max_conn_per_thread\" is 1073741824, which is above \
             1048576: 1048576 is used",
    ),
    (
        "max_conn_per_thread = 'x'",
        "error: parameter max_conn_per_thread is not a number",
    ),
    ("max_shuttles_per_thread = 1", "shuttles=1"),
    ("max_shuttles_per_thread = 65535", "shuttles=65535"),
    (
        "max_shuttles_per_thread = 65536",
        "shuttles=65535!parameter \"max_shuttles_per_thread\" is 65536, which is above \
             65535: 65535 is used",
    ),
    (
        "max_shuttles_per_thread = 0",
        "shuttles=1!parameter \"max_shuttles_per_thread\" is 0, which is below 1: 1 is used",
    ),
    (
        "max_shuttles_per_thread = {}",
        "error: parameter max_shuttles_per_thread is not a number",
    ),
    ("shuttle_size = 64", ""),
    ("shuttle_size = 16 * 1024 * 1024", ""),
    (
        "shuttle_size = 63",
        "error: shuttle_size is too small for Lua handlers",
    ),
    (
        "shuttle_size = 2^24 + 1",
        "!parameter \"shuttle_size\" is 16777217, which is above 16777216: 16777216 is used",
    ),
    (
        "shuttle_size = -1",
        "error: shuttle_size is too small for Lua handlers!parameter \"shuttle_size\" is -1, \
             which is below 0: 0 is used",
    ),
    (
        "shuttle_size = 'x'",
        "error: parameter shuttle_size is not a number",
    ),
    ("max_body_len = 0", "body=0"),
    ("max_body_len = '64'", "body=64"),
    ("max_body_len = 2^36", "body=68719476736"),
    (
        "max_body_len = 1e300",
        "body=9007199254740992!parameter \"max_body_len\" is 1e+300, which is above \
             9007199254740992: 9007199254740992 is used",
    ),
    (
        "max_body_len = 'x'",
        "error: parameter max_body_len is not a number",
    ),
];

#[test]
fn integers() {
    check_with_handler(INTEGERS);
}

#[test]
fn whom_places_are_kept_for() {
    let no_list = "error: reserved_for is not a string or a table of strings";
    check_with_handler(&[
        ("reserved_for = '10.0.0.0/8'", "reserved=10.0.0.0/8"),
        (
            "reserved_for = {'127.0.0.1', '2001:db8::/48', '::ffff:10.0.0.1'}",
            "reserved=127.0.0.1/32,2001:db8::/48,10.0.0.1/32",
        ),
        ("reserved_for = {}", "reserved="),
        ("reserved_for = 7", no_list),
        ("reserved_for = true", no_list),
        ("reserved_for = {7}", no_list),
        ("reserved_for = {addr = '::1'}", no_list),
        (
            "reserved_for = {'::1', '10.0.0.0/33'}",
            "error: reserved_for: \"10.0.0.0/33\" is neither an address nor a network",
        ),
        (
            "reserved_for = 'localhost'",
            "error: reserved_for: \"localhost\" is neither an address nor a network",
        ),
        (
            "reserved_for = ''",
            "error: reserved_for: \"\" is neither an address nor a network",
        ),
    ]);
}

#[test]
fn times_and_flags() {
    check_with_handler(&[
        ("thread_termination_timeout = 0.25", "termination=250"),
        ("thread_termination_timeout = '2'", "termination=2000"),
        ("thread_termination_timeout = 0", "termination=never"),
        ("thread_termination_timeout = -1", "termination=never"),
        ("thread_termination_timeout = 1e-9", "termination=1"),
        (
            "thread_termination_timeout = 'x'",
            "error: parameter thread_termination_timeout is not a number",
        ),
        (
            "thread_termination_timeout = {}",
            "error: parameter thread_termination_timeout is not a number",
        ),
        ("header_timeout = 1", "header=1000"),
        ("body_timeout = '1'", "body_timeout=1000"),
        ("idle_timeout = 0.25", "idle=250"),
        ("write_timeout = 1e-9", "write=1"),
        (
            "header_timeout = 0",
            "error: parameter header_timeout is not above zero",
        ),
        (
            "body_timeout = -1",
            "error: parameter body_timeout is not above zero",
        ),
        (
            "idle_timeout = 0",
            "error: parameter idle_timeout is not above zero",
        ),
        (
            "write_timeout = 'x'",
            "error: parameter write_timeout is not a number",
        ),
        ("ping_after = 0", "ping=0"),
        ("ping_after = 1e-9", "ping=1"),
        ("ping_after = '2.5'", "ping=2500"),
        (
            "ping_after = -1",
            "error: parameter ping_after is below zero",
        ),
        (
            "ping_after = {}",
            "error: parameter ping_after is not a number",
        ),
        ("use_body_split = true", ""),
        ("use_body_split = 0", ""),
        ("use_body_split = {}", ""),
        ("reload_listeners = true", "relisten=true"),
        ("reload_listeners = false", ""),
        // Which sites it reaches is seen when their clients leave.
        ("cancel_on_disconnect = true", ""),
        ("cancel_on_disconnect = NULL", ""),
        (
            "sites = {{path = '/a', handler = h, cancel_on_disconnect = NULL},
               {path = '/b', handler = h, cancel_on_disconnect = 1}}",
            "sites=/a,/b,/",
        ),
        (
            "thread = 4",
            "!httpng.cfg has no option \"thread\": it has no effect",
        ),
    ]);
}

#[test]
fn tls_and_stage() {
    let old = |name: &str| {
        format!("!min_proto_version \"{name}\" is not offered by this server: tls1.2 is used")
    };
    for name in ["ssl3", "tls1", "tls1.0", "tls1.1"] {
        check_with_handler(&[(&format!("min_proto_version = '{name}'"), &old(name))]);
    }
    let level = "!openssl_security_level has no effect: TLS is not made by OpenSSL here";
    check_with_handler(&[
        ("min_proto_version = 'tls1.2'", ""),
        ("min_proto_version = 'tls1.3'", "tls=1.3"),
        (
            "min_proto_version = 1.2",
            "error: min_proto_version is not a string",
        ),
        (
            "min_proto_version = false",
            "error: min_proto_version is not a string",
        ),
        (
            "min_proto_version = 'x'",
            "error: unknown min_proto_version specified",
        ),
        (
            "min_proto_version = 'TLS1.2'",
            "error: unknown min_proto_version specified",
        ),
        ("openssl_security_level = 0", level),
        ("openssl_security_level = '5'", level),
        ("openssl_security_level = 5.9", level),
        ("openssl_security_level = -0.5", level),
        (
            "openssl_security_level = 6",
            "error: openssl_security_level is invalid",
        ),
        (
            "openssl_security_level = -1",
            "error: openssl_security_level is invalid",
        ),
        (
            "openssl_security_level = {}",
            "error: openssl_security_level is not a number",
        ),
        (
            "openssl_security_level = 'x'",
            "error: openssl_security_level is not a number",
        ),
        (
            "openssl_security_level = 0/0",
            "error: openssl_security_level is not a number",
        ),
        ("c_sites_func = 1", "error: c_sites_func must be a function"),
        (
            "c_sites_func = h",
            "error: c_sites_func: handlers in C are not served by this version",
        ),
    ]);
    let mut world = World::new(Stage::Three);
    assert_eq!(
        outcome(&mut world, "handler = h, openssl_security_level = 2"),
        level
    );
    let again = outcome(&mut world, "handler = h, openssl_security_level = 2");
    assert_eq!(again, "", "that is told once");
}

#[test]
fn handlers_and_sites() {
    check_start(&[
        ("", "error: No handlers specified"),
        ("sites = {}", "error: No handlers specified"),
        ("handler = router", ""),
        (
            "handler = 42",
            "error: handler is not a function or table (router object)",
        ),
        (
            "handler = {}",
            "error: handler is not a function or table (router object)",
        ),
        (
            "handler = false",
            "error: handler is not a function or table (router object)",
        ),
        ("sites = 1", "error: sites is not a table"),
        ("sites = {1}", "error: sites is not a table of tables"),
        ("sites = {{}}", "error: sites[].path is nil"),
        ("sites = {{path = NULL}}", "error: sites[].path is nil"),
        (
            "sites = {{path = 1}}",
            "error: sites[].path is not a string",
        ),
        (
            "sites = {{path = '/a'}}",
            "error: sites[].handler is not a function or string",
        ),
        (
            "sites = {{path = '/a', handler = {}}}",
            "error: sites[].handler is not a function or string",
        ),
        ("sites = {{path = '/a', handler = h}}", "sites=/a"),
        ("sites = {{path = '/a', handler = router}}", "sites=/a"),
        (
            "sites = {{path = '/a', handler = h}}, handler = h",
            "sites=/a,/",
        ),
        (
            "sites = {{path = '/b', handler = h}, {path = '/a', handler = h}}",
            "sites=/b,/a",
        ),
        (
            "sites = {{path = '/a', handler = h}, {path = '/a', handler = h}}",
            "error: Can't add duplicate paths",
        ),
        (
            "sites = {{path = '/', handler = h}, {path = '/', handler = h}}",
            "error: There can be only one \"/\"",
        ),
        (
            "sites = {{path = '/', handler = h}}, handler = h",
            "error: There can be only one \"/\"",
        ),
        (
            "sites = {{path = '/', handler = h}, {path = '/a', handler = h}}",
            "error: Can't add other paths after adding \"/\"",
        ),
        (
            "sites = {{path = 'a', handler = h}}",
            "sites=a!sites[].path \"a\" does not begin with \"/\": no request matches it",
        ),
        (
            "handler = h, sites = {a = {path = '/a', handler = h}}",
            "!sites has an entry \"a\" that is not in its list: it has no effect",
        ),
    ]);
}

/// `~` streams, `<=` is the longest body.
#[test]
fn sites_that_stream() {
    check_start(&[
        ("handler = h, stream = true", "sites=/~"),
        (
            "handler = h, sites = {{path = '/a', handler = h, stream = true},
               {path = '/b', handler = h, stream = true, max_body_len = '10.7'},
               {path = '/c', handler = h, max_body_len = -1}}",
            "sites=/a~,/b~<=10,/c<=0,/",
        ),
        // A router says it for all its routes.
        (
            "handler = router:route({path = '/a', stream = true}, h)",
            "sites=/~",
        ),
        (
            "sites = {{path = '/a', handler = h, max_body_len = {}}}",
            "error: sites[].max_body_len is not a number",
        ),
    ]);
}

const SHUTTLE: &str = "error: Reconfiguration can't change shuttle_size";
const PROTO: &str = "error: min_proto_version can't be changed on reconfiguration";
const LEVEL: &str = "error: openssl_security_level can't be changed on reconfiguration";
const LISTEN: &str = "error: listen can't be changed on reconfiguration";

const RELOADS: &[(&str, &str, &str)] = &[
    // What is left out goes back to its default.
    (
        "handler = h, threads = 3, max_conn_per_thread = 5",
        "handler = h",
        "",
    ),
    (
        "handler = h, max_body_len = 5, max_shuttles_per_thread = 5",
        "handler = h",
        "",
    ),
    (
        "handler = h, thread_termination_timeout = 5, idle_timeout = 5",
        "handler = h",
        "",
    ),
    ("handler = h, shuttle_size = 9999", "handler = h", SHUTTLE),
    (
        "handler = h, shuttle_size = 9999",
        "handler = h, shuttle_size = 9999",
        "",
    ),
    ("handler = h", "handler = h, shuttle_size = 9999", SHUTTLE),
    ("handler = h", "", "sites="),
    ("handler = h", "handler = h, threads = 2", "threads=2"),
    // What only a start decides.
    ("handler = h", "handler = h, listen = 80", LISTEN),
    ("handler = h", "handler = h, listen = 3300", LISTEN),
    ("handler = h", "handler = h, listen = NULL", LISTEN),
    (
        "handler = h",
        "handler = h, listen = 1.5",
        "error: port must be an integer, not float:1.5",
    ),
    (
        "handler = h, listen = '127.0.0.1:81'",
        "handler = h",
        "listen=127.0.0.1:81",
    ),
    (
        "handler = h",
        "handler = h, c_sites_func = h",
        "error: Reconfiguration can't be used with C handlers",
    ),
    (
        "handler = h",
        "handler = h, min_proto_version = 'tls1.3'",
        PROTO,
    ),
    (
        "handler = h",
        "handler = h, min_proto_version = 'tls1.2'",
        "",
    ),
    ("handler = h", "handler = h, min_proto_version = NULL", ""),
    (
        "handler = h",
        "handler = h, min_proto_version = 'x'",
        "error: unknown min_proto_version specified",
    ),
    (
        "handler = h, min_proto_version = 'tls1.3'",
        "handler = h",
        "tls=1.3",
    ),
    (
        "handler = h, min_proto_version = 'tls1.3'",
        "handler = h, min_proto_version = NULL",
        PROTO,
    ),
    (
        "handler = h, min_proto_version = 'tls1'",
        "handler = h, min_proto_version = 'tls1.0'",
        "!min_proto_version \"tls1.0\" is not offered by this server: tls1.2 is used",
    ),
    (
        "handler = h",
        "handler = h, openssl_security_level = 2",
        "error: openssl_security_level can't be changed on reconfiguration!\
         openssl_security_level has no effect: TLS is not made by OpenSSL here",
    ),
    (
        "handler = h",
        "handler = h, openssl_security_level = NULL",
        "",
    ),
    ("handler = h, openssl_security_level = 2", "handler = h", ""),
    (
        "handler = h, openssl_security_level = 2",
        "handler = h, openssl_security_level = NULL",
        LEVEL,
    ),
    // Unless it is asked for.
    (
        "handler = h",
        "handler = h, reload_listeners = true",
        "relisten=true",
    ),
    (
        "handler = h, listen = 81, min_proto_version = 'tls1.3'",
        "handler = h, reload_listeners = true",
        "tls=1.3 relisten=true listen=0.0.0.0:81,[::]:81",
    ),
    (
        "handler = h, listen = 81, min_proto_version = 'tls1.3'",
        "handler = h, reload_listeners = true, listen = NULL, min_proto_version = NULL",
        "relisten=true",
    ),
    (
        "handler = h",
        "handler = h, reload_listeners = true, listen = 81, min_proto_version = 'tls1.3'",
        "tls=1.3 relisten=true listen=0.0.0.0:81,[::]:81",
    ),
    (
        "handler = h",
        "handler = h, reload_listeners = true, shuttle_size = 9999",
        SHUTTLE,
    ),
];

#[test]
fn reloads() {
    check_reload(RELOADS);
}

#[test]
fn reloads_of_sites() {
    let site = |path: &str| format!("{{path = '{path}', handler = h}}");
    let sites = |paths: &[&str]| {
        let list: Vec<String> = paths.iter().map(|path| site(path)).collect();
        format!("sites = {{{}}}", list.join(", "))
    };
    let rows = [
        // Those that stay keep their places, new ones follow, the root is last.
        (sites(&["/a", "/b"]), sites(&["/b", "/a"]), "sites=/a,/b"),
        (
            sites(&["/a", "/b", "/c"]),
            sites(&["/d", "/c", "/a"]),
            "sites=/a,/c,/d",
        ),
        (
            sites(&["/a", "/"]),
            sites(&["/", "/b", "/a"]),
            "sites=/a,/b,/",
        ),
        (sites(&["/a"]), sites(&["/", "/a"]), "sites=/a,/"),
        (
            sites(&["/a"]),
            sites(&["/a", "/a"]),
            "error: duplicated site description",
        ),
        (
            sites(&["/a"]),
            sites(&["/", "/"]),
            "error: duplicated site description for /",
        ),
        (
            sites(&["/a"]),
            format!("{}, handler = h", sites(&["/"])),
            "error: duplicated site description for /",
        ),
    ];
    for (first, second, wanted) in &rows {
        check_reload(&[(first, second, wanted)]);
    }
}

/// Mistakes of which any two may be made at once, in the order in which they are told.
const START_ORDER: [(&str, &str); 15] = [
    ("listen = true", "unknown listen_conf type"),
    ("c_sites_func = 1", "c_sites_func must be a function"),
    ("threads = 'x'", "parameter threads is not a number"),
    (
        "max_conn_per_thread = 'x'",
        "parameter max_conn_per_thread is not a number",
    ),
    (
        "max_shuttles_per_thread = 'x'",
        "parameter max_shuttles_per_thread is not a number",
    ),
    (
        "shuttle_size = 'x'",
        "parameter shuttle_size is not a number",
    ),
    (
        "max_body_len = 'x'",
        "parameter max_body_len is not a number",
    ),
    (
        "thread_termination_timeout = 'x'",
        "parameter thread_termination_timeout is not a number",
    ),
    (
        "header_timeout = 0",
        "parameter header_timeout is not above zero",
    ),
    ("sites = 1", "sites is not a table"),
    (
        "handler = 1",
        "handler is not a function or table (router object)",
    ),
    (
        "shuttle_size = 1",
        "shuttle_size is too small for Lua handlers",
    ),
    ("min_proto_version = 1", "min_proto_version is not a string"),
    (
        "openssl_security_level = 'x'",
        "openssl_security_level is not a number",
    ),
    ("stage = 'x'", "stage is not"),
];

const RELOAD_ORDER: [(&str, &str); 8] = [
    (
        "c_sites_func = 1",
        "Reconfiguration can't be used with C handlers",
    ),
    ("threads = 'x'", "parameter threads is not a number"),
    ("sites = 1", "sites is not a table"),
    (
        "handler = 1",
        "handler is not a function or table (router object)",
    ),
    (
        "shuttle_size = 1",
        "Reconfiguration can't change shuttle_size",
    ),
    (
        "min_proto_version = 'tls1.3'",
        "min_proto_version can't be changed on reconfiguration",
    ),
    (
        "openssl_security_level = 2",
        "openssl_security_level can't be changed on reconfiguration",
    ),
    ("listen = 80", "listen can't be changed on reconfiguration"),
];

fn check_order(order: &[(&str, &str)], started: bool) {
    let name = |row: &str| row.split(' ').next().unwrap().to_owned();
    for (place, (first, wanted)) in order.iter().enumerate() {
        for (second, _) in &order[place + 1..] {
            if name(first) == name(second) {
                continue;
            }
            let has_handler = [first, second].iter().any(|row| row.starts_with("handler"));
            let handler = if has_handler { "" } else { "handler = h, " };
            let mut world = World::new(Stage::Three);
            if started {
                cfg(&mut world, "handler = h").unwrap();
            }
            let found = cfg(&mut world, &format!("{handler}{second}, {first}"));
            let found = found.unwrap_err();
            assert!(found.starts_with(wanted), "{first}, {second}: {found}");
        }
    }
}

#[test]
fn of_two_mistakes_the_one_that_httpng_tells_is_told() {
    check_order(&START_ORDER, false);
    check_order(&RELOAD_ORDER, true);
    check_start(&[
        (
            "sites = {}, min_proto_version = 1",
            "error: No handlers specified",
        ),
        ("shuttle_size = 1", "error: No handlers specified"),
        (
            "sites = {}, max_body_len = 'x'",
            "error: parameter max_body_len is not a number",
        ),
    ]);
}

#[test]
fn listen_in_all_its_forms() {
    check_with_handler(&[
        ("listen = 8080", "listen=0.0.0.0:8080,[::]:8080"),
        ("listen = 0", "listen=0.0.0.0:0,[::]:0"),
        ("listen = 65535", "listen=0.0.0.0:65535,[::]:65535"),
        ("listen = 'http'", "listen=0.0.0.0:80,[::]:80"),
        ("listen = 'https'", "listen=0.0.0.0:443,[::]:443"),
        ("listen = ':81'", "listen=0.0.0.0:81,[::]:81"),
        ("listen = '81'", "listen=0.0.0.0:81,[::]:81"),
        ("listen = '127.0.0.1:82'", "listen=127.0.0.1:82"),
        ("listen = 'http://127.0.0.1'", "listen=127.0.0.1:80"),
        ("listen = 'HTTPS://127.0.0.1'", "listen=127.0.0.1:443"),
        ("listen = 'https://127.0.0.1:83/'", "listen=127.0.0.1:83"),
        ("listen = 'other://127.0.0.1'", "listen=127.0.0.1:3300"),
        ("listen = '127.0.0.1'", "listen=127.0.0.1:3300"),
        ("listen = '[::1]:84'", "listen=[::1]:84"),
        ("listen = '[::1]'", "listen=[::1]:3300"),
        ("listen = {port = 85}", "listen=0.0.0.0:85,[::]:85"),
        (
            "listen = {port = 85, addr = NULL, tls = NULL}",
            "listen=0.0.0.0:85,[::]:85",
        ),
        ("listen = {addr = '127.0.0.1'}", "listen=127.0.0.1:3300"),
        (
            "listen = {addr = '127.0.0.1', port = NULL}",
            "listen=127.0.0.1:3300",
        ),
        ("listen = {addr = '::1', tls = {}}", "listen=[::1]:3300"),
        (
            "listen = {86, ':87', {addr = '127.0.0.1', port = 88}}",
            "listen=0.0.0.0:86,[::]:86,0.0.0.0:87,[::]:87,127.0.0.1:88",
        ),
        (
            "listen = {0, 0}",
            "listen=0.0.0.0:0,[::]:0,0.0.0.0:0,[::]:0",
        ),
        ("listen = {}", "listen="),
        (
            "listen = {port = 1, tls = {{certificate_file = 'c', certificate_key_file = 'k'}}}",
            "listen=0.0.0.0:1/c+k,[::]:1/c+k",
        ),
        (
            "listen = {addr = '::1', port = 1, uses_sni = 1, tls = {
                {certificate_file = 'c', certificate_key_file = 'k'},
                {certificate_file = 'd', certificate_key_file = 'l'}}}",
            "listen=[::1]:1/c+k&d+l/sni",
        ),
        (
            "listen = {{port = 1, http2 = false}, {addr = '::1', port = 2, http2 = true}}",
            "listen=0.0.0.0:1/1,[::]:1/1,[::1]:2",
        ),
        (
            "listen = {addr = '::1', port = 1, http2 = NULL}",
            "listen=[::1]:1",
        ),
        (
            "listen = {addr = '::1', port = 1, http2 = false, tls = {
                {certificate_file = 'c', certificate_key_file = 'k'}}}",
            "listen=[::1]:1/c+k/1",
        ),
        (
            "listen = {adr = '::1', port = 1}",
            "listen=0.0.0.0:1,[::]:1!listen has no field \"adr\": it has no effect",
        ),
    ]);
    let mut world = World::new(Stage::Three);
    let found = outcome(&mut world, "handler = h, listen = 'localhost:89'");
    assert!(found.contains("127.0.0.1:89"), "{found}");
}

const REFUSED_LISTEN: &[(&str, &str)] = &[
    ("1.5", "port must be an integer, not float:1.5"),
    ("65536", "invalid port specified"),
    ("-1", "invalid port specified"),
    ("':99999'", "invalid port specified"),
    ("'127.0.0.1:99999'", "invalid port specified"),
    ("math.huge", "invalid port specified"),
    ("true", "unknown listen_conf type"),
    ("{true}", "unknown listen_conf type"),
    ("print", "unknown listen_conf type"),
    ("'none-such.invalid'", "unknown hostame: none-such.invalid"),
    (
        "'nonesuchprotocol'",
        "unknown protocol specified: nonesuchprotocol",
    ),
    ("'http://'", "impossible to parse URI: http://"),
    ("'a b:1'", "impossible to parse URI: a b:1"),
    ("''", "impossible to parse URI: "),
    ("'::1'", "impossible to parse URI: ::1"),
    (
        "'no.such.host.invalid:1'",
        "unknown hostame: no.such.host.invalid",
    ),
    ("{addr = 1}", "'addr' must be a string: {\"addr\":1}"),
    ("{port = 'x'}", "'port' must be a number: {\"port\":\"x\"}"),
    ("{port = 1.5}", "port must be an integer, not float:1.5"),
    ("{port = 65536}", "invalid port specified"),
    ("{addr = 'no such'}", "Can't parse IP address"),
    (
        "{http2 = 'no'}",
        "'http2' must be a boolean: {\"http2\":\"no\"}",
    ),
    ("{http2 = 0}", "'http2' must be a boolean: {\"http2\":0}"),
    ("{tls = 1}", "'tls' must be a table: {\"tls\":1}"),
    (
        "{tls = {a = 1}}",
        "'tls' should be an array: {\"tls\":{\"a\":1}}",
    ),
    (
        "{tls = {{}, {}}}",
        "'uses_sni' can't be false or nil if there're certificates more than 1: \
             {\"tls\":[[],[]]}",
    ),
    (
        "{tls = {{}, {}}, uses_sni = NULL}",
        "'uses_sni' can't be false or nil if there're certificates more than 1: ",
    ),
    (
        "{tls = {5}}",
        "missing 'certificate_file' or 'certificate_key_file': {\"tls\":[5]}",
    ),
    (
        "{tls = {{certificate_file = 'c'}}}",
        "missing 'certificate_file' or 'certificate_key_file': ",
    ),
    (
        "{tls = {{certificate_file = 'c', certificate_key_file = NULL}}}",
        "missing 'certificate_file' or 'certificate_key_file': ",
    ),
    (
        "{tls = {{certificate_file = 1, certificate_key_file = 'k'}}}",
        "'certificate_file'' must be a string ",
    ),
    (
        "{tls = {{certificate_file = 'c', certificate_key_file = 1}}}",
        "'certificate_key_file' must be a string: ",
    ),
    (
        "{80, 80}",
        "Duplicate listeners for 0.0.0.0:80 found: [80,80]",
    ),
    (
        "{80, {addr = '::', port = 80}}",
        "Duplicate listeners for :::80 found: ",
    ),
];

#[test]
fn listen_that_is_refused() {
    for (listen, wanted) in REFUSED_LISTEN {
        let mut world = World::new(Stage::Three);
        let found = cfg(&mut world, &format!("handler = h, listen = {listen}")).unwrap_err();
        let is_whole = !wanted.ends_with(' ') || wanted.ends_with("URI: ");
        assert!(
            if is_whole {
                found == *wanted
            } else {
                found.starts_with(wanted)
            },
            "{listen}: {found}"
        );
    }
}

#[test]
fn compress_is_off_on_or_a_table() {
    check_with_handler(&[
        ("compress = false", ""),
        ("compress = true", "sites=/%br+zstd+gzip/9/1024"),
        ("compress = {}", "sites=/%br+zstd+gzip/9/1024"),
        (
            "compress = {codings = {'gzip', 'br'}, types = {'Text/*'}, min_bytes = 0, level = 9}",
            "sites=/%gzip+br/1/0/9",
        ),
        (
            "compress = {codings = NULL, types = NULL, min_bytes = NULL, level = NULL}",
            "sites=/%br+zstd+gzip/9/1024",
        ),
        (
            "compress = {codigns = {}}",
            "sites=/%br+zstd+gzip/9/1024!compress has no option \"codigns\": it has no effect",
        ),
        (
            "compress = 7",
            "error: compress is not a boolean or a table",
        ),
        (
            "compress = 'gzip'",
            "error: compress is not a boolean or a table",
        ),
        (
            "compress = {codings = 'gzip'}",
            "error: compress.codings is not a table",
        ),
        (
            "compress = {codings = {}}",
            "error: compress.codings is empty",
        ),
        (
            "compress = {codings = {'gzip', 'deflate'}}",
            "error: compress.codings[2] is not \"br\", \"zstd\" or \"gzip\"",
        ),
        (
            "compress = {codings = {1}}",
            "error: compress.codings[1] is not a string",
        ),
        (
            "compress = {types = {'text'}}",
            "error: compress.types[1] is not a media type",
        ),
        (
            "compress = {types = {'text/html', '*/*'}}",
            "error: compress.types[2] is not a media type",
        ),
        (
            "compress = {min_bytes = -1}",
            "error: compress.min_bytes is not an integer from 0 to 9007199254740992",
        ),
        (
            "compress = {level = 0}",
            "error: compress.level is not an integer from 1 to 9",
        ),
        (
            "compress = {level = 1.5}",
            "error: compress.level is not an integer from 1 to 9",
        ),
        (
            "compress = {level = 10}",
            "error: compress.level is not an integer from 1 to 9",
        ),
    ]);
}

#[test]
fn a_site_says_itself_whether_it_is_compressed() {
    check_start(&[
        (
            "compress = {level = 1}, handler = h, sites = {{path = '/a', handler = h},
             {path = '/b', handler = h, compress = false},
             {path = '/c', handler = h, compress = true}}",
            "sites=/a%br+zstd+gzip/9/1024/1,/b,/c%br+zstd+gzip/9/1024,/%br+zstd+gzip/9/1024/1",
        ),
        (
            "sites = {{path = '/a', handler = h, compress = {codings = {'gzip'}}}}",
            "sites=/a%gzip/9/1024",
        ),
        (
            "sites = {{path = '/a', handler = h, compress = 'on'}}",
            "error: sites[].compress is not a boolean or a table",
        ),
        ("compress = true, handler = '/www'", "sites=/=/www"),
        (
            "sites = {{path = '/a', handler = '/www', compress = true}}",
            "sites=/a=/www!sites[].compress of \"/a\" has no effect: files lie ready compressed, \
             see \"precompressed\"",
        ),
    ]);
    check_reload(&[
        (
            "handler = h",
            "handler = h, compress = true",
            "sites=/%br+zstd+gzip/9/1024",
        ),
        ("handler = h, compress = true", "handler = h", ""),
    ]);
}
