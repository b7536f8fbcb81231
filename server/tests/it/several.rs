//! Several Lua threads in one process (`--tx`): who answers, what they share, how they end.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::client::Client;
use crate::harness::{
    PLAIN, SETUPS, Server, Setup, address_in, eventually, httpng, run, wait_child,
};

/// `/` says which Lua thread answers, of how many, and how often it has answered. What stands in
/// `--MORE--` is run last.
const PROGRAM: &str = r#"
local httpng, fiber, log = require('httpng'), require('fiber'), require('log')
local tx, of = httpng.tx()
local count, failing = 0, fiber.channel(1)
local routes = {
    ['/held'] = function(_, io)
        io:write('begun ')
        while httpng.stats().draining == 0 do fiber.sleep(0.001) end
        io:write('done')
    end,
    ['/block'] = function()
        log.info('blocking now')
        while true do end
    end,
    ['/fail'] = function() failing:put(true) end,
    ['/accepted'] = function()
        return { body = httpng.stats().accepted .. ' of ' .. httpng.stats('all').accepted }
    end,
}
local generation = 0
local function handler()
    generation = generation + 1
    return function(req, io)
        local route = routes[req.path]
        if route then return route(req, io) end
        count = count + 1
        return { body = tx .. '/' .. of .. ' ' .. count }
    end
end
local function cfg(options)
    options.handler = handler()
    httpng.cfg(options)
end
--MORE--
"#;

fn program(more: &str) -> String {
    PROGRAM.replace("--MORE--", more)
}

/// A server of `count` Lua threads, all of which listen.
fn start(more: &str, setup: Setup, count: usize, options: &[&str]) -> Server {
    let number = count.to_string();
    let options = [&["--tx", &number], options].concat();
    let server = Server::start_with(&program(more), setup, &options);
    all_listen(&server, count);
    server
}

fn all_listen(server: &Server, count: usize) {
    eventually("all of them listen", || {
        server.log().matches("listening on http").count() >= count
    });
}

/// Which Lua thread a connection is with.
fn tx_of(client: &mut Client) -> usize {
    client.get("/");
    let text = client.response().text();
    text.split_once('/').unwrap().0.parse().unwrap()
}

/// A connection to each Lua thread, by the number of that.
fn one_to_each(server: &Server, count: usize) -> BTreeMap<usize, Client> {
    let mut clients = BTreeMap::new();
    eventually("every Lua thread gets a connection", || {
        let mut client = server.connect();
        clients.entry(tx_of(&mut client)).or_insert(client);
        clients.len() == count
    });
    clients
}

#[test]
fn each_answers_and_has_a_state_of_its_own() {
    for (setup, count) in SETUPS.into_iter().zip([2, 3].into_iter().cycle()) {
        let server = start("cfg {}", setup, count, &[]);
        let mut answers: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        eventually("all of them have answered", || {
            let text = server.get("/");
            let (who, number) = text.split_once(' ').unwrap();
            let numbers = answers.entry(who.to_owned()).or_default();
            numbers.push(number.parse().unwrap());
            answers.len() == count
        });
        for (index, (who, numbers)) in answers.iter().enumerate() {
            assert_eq!(*who, format!("{}/{count}", index + 1), "{setup:?}");
            let counted: Vec<usize> = (1..=numbers.len()).collect();
            assert_eq!(*numbers, counted, "each counts what it answers itself");
        }
        let log = server.log();
        for index in 1..=count {
            let line = format!(" tx-{index} httpng: listening on http");
            assert!(log.contains(&line), "{log}");
        }
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn the_spread_is_the_kernels_over_many_connections() {
    let server = start("cfg {}", PLAIN[1], 2, &[]);
    let mut counts = [0; 2];
    let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for client in &mut clients {
        counts[tx_of(client) - 1] += 1;
    }
    // By chance it is beyond this less than once in ten thousand million runs.
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn port_0_is_one_port_for_all_and_two_such_are_two() {
    let listen = "cfg { listen = { { addr = '127.0.0.1', port = 0 },
                                   { addr = '127.0.0.1', port = 0 } } }";
    let server = Server::start_free_listen(&program(listen), &["--tx", "3"]);
    all_listen(&server, 6);
    let mut ports: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    for line in server.log().lines().filter(|l| l.contains("listening on")) {
        *ports.entry(address_in(line)).or_default() += 1;
    }
    assert_eq!(ports.values().collect::<Vec<_>>(), [&3, &3]);
    assert_eq!(server.stop(), 0);
}

#[test]
fn all_of_them_begin_at_a_fixed_port() {
    for threads in ["0", "1", "2"] {
        for _ in 0..4 {
            let taken = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = taken.local_addr().unwrap().port();
            drop(taken);
            let listen = format!("cfg {{ listen = {{ addr = '127.0.0.1', port = {port} }} }}");
            let options = ["--tx", "3", "--threads", threads];
            let server = Server::start_free_listen(&program(&listen), &options);
            all_listen(&server, 3);
            one_to_each(&server, 3);
            assert_eq!(server.stop(), 0);
        }
    }
}

#[test]
fn an_address_of_another_process_is_refused_in_one_line() {
    let first = start("cfg {}", PLAIN[2], 2, &[]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for addr in [first.addr, taken.local_addr().unwrap()] {
        let addr = addr.to_string();
        let options = ["--tx", "2", "--listen", &addr];
        let (code, text) = run(&options, Some(&program("cfg {}")));
        assert_eq!(code, 3, "{text}");
        let ours: Vec<&str> = text.lines().filter(|l| l.starts_with("httpng: ")).collect();
        let [line] = ours[..] else { panic!("{text}") };
        assert!(line.starts_with("httpng: TX "), "{line}");
        assert!(line.contains(&format!("bind error: {addr}")), "{line}");
        assert!(!text.contains("listening on"), "{text}");
    }
    one_to_each(&first, 2);
    assert_eq!(first.stop(), 0);
}

#[test]
fn one_whose_program_fails_ends_all_in_good_order() {
    let (code, text) = run(
        &["--tx", "2", "--listen", "127.0.0.1:0"],
        Some(&program("if tx == 2 then error('on purpose') end cfg {}")),
    );
    assert_eq!(code, 1, "{text}");
    let line = text.lines().rfind(|line| line.starts_with("httpng: "));
    let line = line.unwrap();
    assert!(line.starts_with("httpng: TX 2: app.lua:"), "{line}");
    assert!(line.ends_with(": on purpose"), "{line}");

    for setup in PLAIN {
        let more = "cfg {} failing:get() error('later on purpose')";
        let mut server = start(more, setup, 3, &[]);
        let mut clients = one_to_each(&server, 3);
        let mut failing = clients.remove(&2).unwrap();
        for client in clients.values_mut() {
            client.get("/held");
            client.head();
            assert_eq!(client.part(), "begun ");
        }
        failing.send("GET /fail HTTP/1.1\r\nHost: h\r\n\r\n");
        for client in clients.values_mut() {
            assert_eq!(client.part(), "done", "{setup:?}");
            assert_eq!(client.chunk(), None);
        }
        assert_eq!(server.exit_status().code(), Some(1), "{}", server.log());
        let log = server.log();
        assert!(log.contains("httpng: TX 2: "), "{log}");
        assert!(
            log.contains("another Lua thread has failed: stopping"),
            "{log}"
        );
    }
}

#[test]
fn one_that_does_not_give_way_does_not_hold_a_failure() {
    let more = "cfg {} failing:get() error('later on purpose')";
    let options = ["--stuck-after", "0.1", "--drain-timeout", "0.1"];
    let mut server = start(more, PLAIN[1], 2, &options);
    let mut clients = one_to_each(&server, 2);
    clients.get_mut(&1).unwrap().get("/block");
    server.wait_line("blocking now");
    clients.get_mut(&2).unwrap().get("/fail");
    assert_eq!(server.exit_status().code(), Some(1), "{}", server.log());
    assert!(server.log().contains("httpng: TX 2: "), "{}", server.log());
}

#[test]
fn one_may_end_by_itself_and_the_others_serve() {
    let more = program("if tx ~= 2 then cfg {} end");
    let server = Server::start_with(&more, PLAIN[1], &["--tx", "3"]);
    all_listen(&server, 2);
    for _ in 0..20 {
        assert_ne!(tx_of(&mut server.connect()), 2);
    }
    assert_eq!(server.stop(), 0);
    assert_eq!(run(&["--tx", "2"], Some("")), (0, String::new()));
}

#[test]
fn a_check_says_once_that_all_is_well() {
    let (code, text) = run(&["--tx", "3", "--check"], Some(&program("cfg {}")));
    let wanted = "httpng: app.lua: the configuration is valid".to_owned();
    assert_eq!((code, text), (0, wanted));
    let more = "cfg { threads = tx == 3 and 'none' or 1 }";
    let (code, text) = run(&["--tx", "3", "--check"], Some(&program(more)));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("httpng: TX 3: "), "{text}");
}

/// What a client saw that asks once on each connection.
#[derive(Debug, PartialEq)]
enum Visit {
    Served,
    /// Nobody was there, or nobody was any more before a byte was answered.
    Absent,
    Cut(String),
}

fn visit(addr: SocketAddr) -> Visit {
    let Ok(mut socket) = TcpStream::connect(addr) else {
        return Visit::Absent;
    };
    let patience = Some(crate::harness::PATIENCE);
    socket.set_read_timeout(patience).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let mut text = Vec::new();
    let told = socket.write_all(request);
    let told = told.and_then(|()| socket.read_to_end(&mut text));
    if let Err(error) = told
        && error.kind() == ErrorKind::WouldBlock
    {
        panic!("no answer: {error}");
    }
    if text.is_empty() {
        return Visit::Absent;
    }
    let text = String::from_utf8(text).unwrap();
    let whole = text.split_once("\r\n\r\n").filter(|(head, body)| {
        let length = head.to_ascii_lowercase();
        length.contains(&format!("content-length: {}", body.len()))
    });
    match whole {
        Some(_) => Visit::Served,
        None => Visit::Cut(text),
    }
}

/// Clients that come again and again until they are stopped.
struct Crowd {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    threads: Vec<std::thread::JoinHandle<usize>>,
}

impl Crowd {
    fn start(addr: SocketAddr) -> Self {
        let (stop, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let client = |_| {
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            std::thread::spawn(move || {
                let mut absent = 0;
                while !stop.load(Ordering::Relaxed) {
                    match visit(addr) {
                        Visit::Served => drop(served.fetch_add(1, Ordering::Relaxed)),
                        Visit::Absent => absent += 1,
                        Visit::Cut(text) => panic!("cut: {text:?}"),
                    }
                }
                absent
            })
        };
        let threads = (0..4).map(client).collect();
        Self {
            stop,
            served,
            threads,
        }
    }

    /// Waits for so many more.
    fn goes_on(&self, more: usize) {
        let wanted = self.served.load(Ordering::Relaxed) + more;
        eventually("clients are served", || {
            self.served.load(Ordering::Relaxed) >= wanted
        });
    }

    /// How many were not served.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads
            .map(|thread| thread.join().expect("no answer is cut"))
            .sum()
    }
}

#[test]
fn sigterm_under_load_finishes_what_each_has_begun() {
    for threads in [0, 1, 2] {
        let mut server = start("cfg {}", PLAIN[threads], 2, &[]);
        let crowd = Crowd::start(server.addr);
        let mut held = Vec::new();
        for _ in 0..2 {
            for (_, mut client) in one_to_each(&server, 2) {
                client.get("/held");
                client.head();
                assert_eq!(client.part(), "begun ");
                held.push(client);
            }
        }
        crowd.goes_on(50);
        server.signal("TERM");
        for client in &mut held {
            assert_eq!(client.part(), "done");
            assert_eq!(client.chunk(), None);
            assert!(client.ended());
        }
        assert_eq!(server.exit_status().code(), Some(0), "{}", server.log());
        crowd.end();
        let log = server.log();
        for tx in ["tx-1", "tx-2"] {
            assert!(
                log.contains(&format!("{tx} httpng: SIGTERM: stopping")),
                "{log}"
            );
        }
    }
}

#[test]
fn all_reload_under_load_and_no_connection_is_dropped() {
    let more = "
        cfg {}
        while httpng.stats().draining == 0 do
            fiber.sleep(0.005)
            local ok, why = pcall(cfg, { threads = math.random(0, 2) })
            if not ok and not tostring(why):find('until threads will shut down') then
                error(why, 0)
            end
        end";
    let options = ["--tx", "2", "--listen", "127.0.0.1:0"];
    let server = Server::start_free_listen(&program(more), &options);
    all_listen(&server, 2);
    let crowd = Crowd::start(server.addr);
    crowd.goes_on(600);
    assert_eq!(crowd.end(), 0, "{}", server.log());
    one_to_each(&server, 2);
    assert_eq!(server.stop(), 0);
}

#[test]
fn an_address_that_one_gives_up_is_served_by_the_others_and_nobody_is_reset() {
    for threads in ["0", "1", "2"] {
        // The second one leaves and comes back again and again.
        let more = "
            local base, away = { addr = '127.0.0.1', port = 0 }, { addr = '127.0.0.2', port = 0 }
            cfg { listen = base }
            while tx == 2 and httpng.stats().draining == 0 do
                fiber.sleep(0.02)
                cfg { reload_listeners = true, listen = away }
                fiber.sleep(0.02)
                cfg { reload_listeners = true, listen = { away, base } }
                log.info('round')
            end";
        let options = ["--tx", "3", "--threads", threads];
        let server = Server::start_free_listen(&program(more), &options);
        let addr = server.addr;
        let crowd = Crowd::start(addr);
        eventually("it comes and goes", || {
            server.log().matches("round").count() >= 4
        });
        crowd.goes_on(100);
        assert_eq!(crowd.end(), 0, "{}", server.log());
        assert_eq!(server.stop(), 0);
    }
}

/// The second Lua thread has no room, so clients wait at its socket; then it listens there no more,
/// by `act`. Whether it ends the process: with which code.
fn whoever_waits_is_served_by_another(act: &str, code: Option<i32>) {
    for threads in ["0", "1"] {
        let files = tempfile::tempdir().unwrap();
        let sign = files.path().join("sign");
        let more = format!(
            "cfg {{ listen = {{ addr = '127.0.0.1', port = 0 }},
                   max_conn_per_thread = tx == 2 and 1 or nil }}
             if tx == 2 then
                 while not io.open('{}') do fiber.sleep(0.001) end
                 {act}
             end",
            sign.display()
        );
        let options = ["--tx", "2", "--threads", threads];
        let mut server = Server::start_free_listen(&program(&more), &options);
        all_listen(&server, 2);
        let mut held = server.connect();
        while tx_of(&mut held) != 2 {
            held = server.connect();
        }
        held.get("/held");
        held.head();
        assert_eq!(held.part(), "begun ");
        let sockets: Vec<TcpStream> = (0..40).map(|_| asking(server.addr)).collect();
        eventually("one is answered", || sockets.iter().any(has_answer));
        std::fs::write(sign, "").unwrap();
        eventually("all are answered", || sockets.iter().all(has_answer));
        if code.is_some() {
            assert_eq!(server.exit_status().code(), code, "{}", server.log());
        } else {
            assert_eq!(server.stop(), 0);
        }
    }
}

#[test]
fn who_waits_where_one_gives_up_its_address_is_served_by_another() {
    let act = "cfg { reload_listeners = true, listen = { addr = '127.0.0.2', port = 0 } }";
    whoever_waits_is_served_by_another(act, None);
}

#[test]
fn who_waits_where_one_shuts_down_is_served_by_another() {
    whoever_waits_is_served_by_another("httpng.shutdown()", None);
}

#[test]
fn who_waits_where_one_fails_is_served_by_another_before_the_end() {
    whoever_waits_is_served_by_another("error('on purpose')", Some(1));
}

#[test]
fn one_shuts_down_and_serves_again_while_the_others_go_on() {
    for setup in PLAIN {
        let more = "
            cfg {}
            if tx == 2 then
                failing:get()
                httpng.shutdown()
                log.info('is down')
                fiber.sleep(0.05)
                cfg {}
                log.info('is up')
            end";
        let server = start(more, setup, 2, &[]);
        let mut clients = one_to_each(&server, 2);
        let crowd = Crowd::start(server.addr);
        crowd.goes_on(20);
        clients.get_mut(&2).unwrap().get("/fail");
        server.wait_line("is up");
        crowd.goes_on(20);
        crowd.end();
        assert_eq!(server.log().matches("listening on").count(), 3);
        assert_eq!(
            address_in(
                server
                    .log()
                    .lines()
                    .rfind(|l| l.contains("listening on"))
                    .unwrap()
            ),
            server.addr
        );
        let mut counts = [0; 2];
        for _ in 0..200 {
            counts[tx_of(&mut server.connect()) - 1] += 1;
        }
        assert!(
            counts.iter().all(|count| *count > 50),
            "{setup:?} {counts:?}"
        );
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn one_that_never_yields_is_named_and_the_others_answer() {
    for threads in [0, 1, 2] {
        let options = ["--stuck-after", "0.1", "--drain-timeout", "0.1"];
        let mut server = start("cfg {}", PLAIN[threads], 2, &options);
        let mut clients = one_to_each(&server, 2);
        let mut stuck = clients.remove(&1).unwrap();
        stuck.get("/block");
        server.wait_line("blocking now");
        let line = server.wait_line("has not yielded");
        assert!(
            line.contains("\"http\" (GET /block) of TX 1 has not"),
            "{line}"
        );
        let other = clients.get_mut(&2).unwrap();
        for _ in 0..10 {
            assert_eq!(tx_of(other), 2);
        }
        // New ones too, but for those that the kernel gives to the one that is stuck.
        let sockets: Vec<TcpStream> = (0..40).map(|_| asking(server.addr)).collect();
        eventually("somebody is answered", || sockets.iter().any(has_answer));
        server.signal("TERM");
        assert_eq!(server.exit_status().code(), Some(4), "{}", server.log());
    }
}

/// A connection that has asked for `/` and does not wait.
fn asking(addr: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(addr).unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn has_answer(socket: &TcpStream) -> bool {
    socket.peek(&mut [0]).is_ok_and(|count| count > 0)
}

#[test]
fn connections_of_one_address_are_counted_over_all() {
    for setup in PLAIN {
        let server = start("cfg { max_conn_per_ip = 4 }", setup, 2, &[]);
        let mut held: Vec<Client> = (0..4).map(|_| server.connect()).collect();
        for client in &mut held {
            tx_of(client);
        }
        for _ in 0..8 {
            let mut client = server.connect();
            client.send_what_is_taken(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert!(client.ended(), "{setup:?}");
        }
        drop(held);
        eventually("a place is free", || visit(server.addr) == Visit::Served);
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn counters_are_each_ones_own_and_can_be_summed() {
    for setup in PLAIN {
        // The third one ends after it has served: what it counted stays.
        let more = "
            cfg {}
            if tx == 3 then
                failing:get()
                httpng.shutdown()
                log.info('is down')
            end";
        let server = start(more, setup, 3, &[]);
        let mut clients = one_to_each(&server, 3);
        let mut asked = |tx: &usize| {
            let client = clients.get_mut(tx).unwrap();
            client.get("/accepted");
            let text = client.response().text();
            let (own, all) = text.split_once(" of ").unwrap();
            [own, all].map(|number| number.parse::<usize>().unwrap())
        };
        let answers = [1, 2, 3].each_ref().map(&mut asked);
        let sum: usize = answers.iter().map(|[own, _]| own).sum();
        assert_eq!(answers.map(|[_, all]| all), [sum; 3], "{setup:?}");
        let mut third = clients.remove(&3).unwrap();
        third.get("/fail");
        server.wait_line("is down");
        let client = clients.get_mut(&1).unwrap();
        client.get("/accepted");
        let text = client.response().text();
        assert!(text.ends_with(&format!(" of {sum}")), "{sum}: {text}");
        assert_eq!(server.stop(), 0);
    }
}

/// With a share for each, two bodies that do not come to their end take all there is, and what one
/// body more may have; a third finds no room in time.
#[test]
fn memory_for_bodies_is_shared_out() {
    let options = "cfg { max_buffered_bodies = 524288, max_body_len = 200000 }";
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 160000\r\n\r\n";
    for (count, status) in [(1, 200), (2, 503)] {
        let server = start(options, PLAIN[1], count, &[]);
        let to_the_first = || loop {
            let mut client = server.connect();
            if tx_of(&mut client) == 1 {
                return client;
            }
        };
        let mut slow = [to_the_first(), to_the_first()];
        for client in &mut slow {
            client.send(head);
            client.send(vec![b'a'; 159_999]);
        }
        // Whether their bytes have come nobody else can see: ask until they have.
        eventually("the third one is answered so", || {
            let mut third = to_the_first();
            third.send_what_is_taken(head.as_bytes());
            third.send_what_is_taken(&[b'b'; 160_000]);
            third.response().head.status == status
        });
        // Where there is too little for both, whoever came second may have waited too long as well.
        let ends = slow.map(|mut client| {
            client.send_what_is_taken(b"a");
            client.response().head.status
        });
        assert!(ends.contains(&200), "{ends:?}");
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn they_write_one_access_log_and_open_it_anew_together() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("log"), folder.path().join("moved"));
    let options = ["--access-log", path.to_str().unwrap()];
    let server = start("cfg {}", PLAIN[2], 3, &options);
    let crowd = Crowd::start(server.addr);
    crowd.goes_on(50);
    std::fs::rename(&path, &moved).unwrap();
    server.signal("HUP");
    eventually("there is a new one", || path.exists());
    crowd.goes_on(50);
    let served = Arc::clone(&crowd.served);
    crowd.end();
    let count = served.load(Ordering::Relaxed);
    assert_eq!(server.stop(), 0);
    let read = |path| std::fs::read_to_string(path).unwrap();
    let text = read(&moved) + &read(&path);
    let whole = text
        .lines()
        .filter(|line| line.starts_with("127.0.0.1 - - [") && line.ends_with("\"-\" \"-\""));
    assert!(text.lines().count() >= count, "{count}");
    assert_eq!(whole.count(), text.lines().count());
}

#[test]
fn the_standard_output_has_whole_lines() {
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("app.lua");
    std::fs::write(
        &path,
        program("cfg { listen = { addr = '127.0.0.1', port = 0 } }"),
    )
    .unwrap();
    let output = files.path().join("out");
    let mut child = httpng()
        .args([
            "--tx",
            "2",
            "--access-log",
            "-",
            "--access-log-format",
            "json",
        ])
        .arg(&path)
        .stdout(std::fs::File::create(&output).unwrap())
        .stderr(std::fs::File::create(files.path().join("err")).unwrap())
        .spawn()
        .unwrap();
    let mut addr = None;
    eventually("it listens", || {
        let said = std::fs::read_to_string(files.path().join("err")).unwrap();
        let line = said.lines().find(|line| line.contains("listening on"));
        addr = line
            .filter(|_| said.matches('\n').count() >= 2)
            .map(address_in);
        addr.is_some()
    });
    let crowd = Crowd::start(addr.unwrap());
    crowd.goes_on(200);
    crowd.end();
    let pid = child.id().to_string();
    let told = std::process::Command::new("kill").arg(pid).status();
    assert!(told.unwrap().success());
    assert_eq!(wait_child(&mut child).code(), Some(0));
    let text = std::fs::read_to_string(&output).unwrap();
    assert!(text.lines().count() >= 200);
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"));
    }
}

#[test]
fn each_thread_has_a_name_that_tells_whose_it_is() {
    let server = start("cfg {}", PLAIN[1], 2, &[]);
    one_to_each(&server, 2);
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", server.pid())) else {
        return;
    };
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    let names: Vec<String> = tasks.filter_map(|task| name(task.ok()?).ok()).collect();
    for wanted in [
        "tx-1",
        "tx-2",
        "http-1.0",
        "http-2.0",
        "watchdog-1",
        "watchdog-2",
    ] {
        assert!(names.iter().any(|name| name.trim() == wanted), "{names:?}");
    }
    assert_eq!(server.stop(), 0);
}
