//! `reload_listeners`: addresses come and go, certificates change, and no client is lost.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::DEFAULT_VERSIONS;
use rustls::pki_types::CertificateDer;

use crate::client::{Client, chosen};
use crate::graceful::entries;
use crate::harness::{PLAIN, Server, Setup, address_in, eventually, make_certificate};

/// `/cfg` reloads with what its body says, which is Lua. `pair` is the certificate in the folder of
/// the program.
const PROGRAM: &str = r#"
local httpng, fiber = require('httpng'), require('fiber')
local folder = arg[0]:match('^(.*)/')
local pair = {
    certificate_file = folder .. '/cert.pem', certificate_key_file = folder .. '/key.pem',
}
local generation = 0
local function cfg(text)
    generation = generation + 1
    local own = generation
    local options = assert(loadstring('return {' .. text .. '}'))
    local t = setfenv(options, { pair = pair, NULL = box.NULL })()
    t.threads = t.threads or --THREADS--
    t.handler = function(req)
        if req.path == '/cfg' then
            local ok, why = pcall(cfg, req.body)
            return { body = ok and 'ok' or why }
        end
        if req.path == '/wait' then fiber.sleep(0.002) return { body = 'waited' } end
        if req.path == '/generation' then return { body = tostring(own) } end
        return { body = 'hello' }
    end
    httpng.cfg(t)
end
cfg [[--START--]]
"#;

/// A server of a program that says itself where it listens; files beside it.
struct World {
    server: Server,
    folder: PathBuf,
}

fn start(
    threads: u16,
    listen: &str,
    certificate: bool,
) -> (World, Option<CertificateDer<'static>>) {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().to_owned();
    let made = certificate.then(|| rotate(&folder));
    let path = folder.join("app.lua");
    let program = PROGRAM.replace("--THREADS--", &threads.to_string());
    std::fs::write(&path, program.replace("--START--", listen)).unwrap();
    let setup = Setup {
        threads,
        https: false,
        http2: false,
    };
    let server = Server::start_own_cfg(&path, setup, files);
    (World { server, folder }, made)
}

/// Writes another certificate where the program looks for it.
fn rotate(folder: &Path) -> CertificateDer<'static> {
    make_certificate(
        &folder.join("cert.pem"),
        &folder.join("key.pem"),
        &["localhost"],
    )
}

impl World {
    /// Reloads by way of a client of ours.
    fn cfg(&self, client: &mut Client, text: &str) -> String {
        client.post("/cfg", text.as_bytes());
        client.response().text()
    }

    /// Threads and descriptors, once they are as they were.
    fn settles_at(&self, before: (Option<usize>, Option<usize>)) {
        eventually("nothing is left over", || before == self.held());
    }

    fn held(&self) -> (Option<usize>, Option<usize>) {
        let pid = self.server.pid();
        (entries(pid, "task"), entries(pid, "fd"))
    }
}

fn hello(client: &mut Client) {
    client.get("/");
    assert_eq!(client.response().text(), "hello");
}

fn is_refused(addr: SocketAddr) -> bool {
    let refused = std::io::ErrorKind::ConnectionRefused;
    TcpStream::connect(addr).is_err_and(|error| error.kind() == refused)
}

fn free_port() -> u16 {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    taken.local_addr().unwrap().port()
}

const TLS: &str = "listen = { addr = '127.0.0.1', port = 0, tls = { pair } }";

/// Asks on one connection after another, half of them kept for some requests; counts the answers.
fn tls_load(
    addr: SocketAddr,
    trusted: &[CertificateDer<'static>],
    number: usize,
    answers: &AtomicUsize,
    stop: &AtomicBool,
) {
    let trusted: Vec<_> = trusted.iter().collect();
    let connect = || Client::tls_trusting(addr, &trusted, DEFAULT_VERSIONS);
    let (mut client, mut count) = (connect(), 0);
    while !stop.load(Ordering::Relaxed) {
        let (path, body) = [("/", "hello"), ("/wait", "waited")][count % 2];
        client.get(path);
        assert_eq!(client.response().text(), body);
        count += 1;
        answers.fetch_add(1, Ordering::Relaxed);
        if number % 2 == 1 || count % 16 == 0 {
            client = connect();
        }
    }
}

/// Waits for so many more of what is counted.
fn goes_on(count: &AtomicUsize, more: usize) {
    let wanted = count.load(Ordering::Relaxed) + more;
    eventually("it goes on", || count.load(Ordering::Relaxed) >= wanted);
}

#[test]
fn r24_a_certificate_is_rotated_under_load() {
    for threads in [0, 1, 3] {
        let (world, old) = start(threads, TLS, true);
        let (old, addr) = (old.unwrap(), world.server.addr);
        let mut known = vec![old.clone()];
        let mut faithful = Client::tls_trusting(addr, &[&old], DEFAULT_VERSIONS);
        hello(&mut faithful);
        let mut newest = old.clone();
        for _ in 0..3 {
            let previous = std::mem::replace(&mut newest, rotate(&world.folder));
            known.push(newest.clone());
            let (stop, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
            let clients: Vec<_> = (0..3)
                .map(|number| {
                    let (known, stop) = (known.clone(), Arc::clone(&stop));
                    let answers = Arc::clone(&answers);
                    std::thread::spawn(move || tls_load(addr, &known, number, &answers, &stop))
                })
                .collect();
            goes_on(&answers, 20);
            // Without the option certificates stay as they are.
            assert_eq!(world.cfg(&mut faithful, ""), "ok");
            hello(&mut Client::tls_trusting(
                addr,
                &[&previous],
                DEFAULT_VERSIONS,
            ));
            assert_eq!(world.cfg(&mut faithful, "reload_listeners = true"), "ok");
            // From now on every handshake is by the new one.
            for _ in 0..8 {
                hello(&mut Client::tls_trusting(
                    addr,
                    &[&newest],
                    DEFAULT_VERSIONS,
                ));
            }
            let mut doubtful = Client::tls_trusting(addr, &[&previous], DEFAULT_VERSIONS);
            assert!(doubtful.try_send("GET / HTTP/1.1\r\n").is_err());
            hello(&mut faithful);
            goes_on(&answers, 20);
            stop.store(true, Ordering::Relaxed);
            for client in clients {
                client.join().expect("no request fails");
            }
        }
        drop(faithful);
        assert_eq!(world.server.stop(), 0);
    }
}

#[test]
fn the_lowest_version_of_tls_changes_for_new_handshakes() {
    const OLD: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    for threads in [0, 1] {
        let (world, made) = start(threads, TLS, true);
        let (made, addr) = (made.unwrap(), world.server.addr);
        let mut old = Client::tls_trusting(addr, &[&made], OLD);
        hello(&mut old);
        let strict = "min_proto_version = 'tls1.3'";
        let refused = world.cfg(&mut old, strict);
        assert!(
            refused.ends_with("min_proto_version can't be changed on reconfiguration"),
            "{refused}"
        );
        hello(&mut Client::tls_trusting(addr, &[&made], OLD));
        let text = format!("reload_listeners = true, {strict}");
        assert_eq!(world.cfg(&mut old, &text), "ok");
        hello(&mut old);
        let mut late = Client::tls_trusting(addr, &[&made], OLD);
        assert!(late.try_send("GET / HTTP/1.1\r\n").is_err());
        hello(&mut Client::tls_trusting(addr, &[&made], DEFAULT_VERSIONS));
        // It stays so until somebody says otherwise.
        assert_eq!(world.cfg(&mut old, "reload_listeners = true"), "ok");
        let mut late = Client::tls_trusting(addr, &[&made], OLD);
        assert!(late.try_send("GET / HTTP/1.1\r\n").is_err());
        let text = "reload_listeners = true, min_proto_version = NULL";
        assert_eq!(world.cfg(&mut old, text), "ok");
        hello(&mut Client::tls_trusting(addr, &[&made], OLD));
        drop(old);
        assert_eq!(world.server.stop(), 0);
    }
}

/// Goes there again and again: whoever gets a connection is served.
struct Visitor {
    visits: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Visitor {
    fn start(addr: SocketAddr) -> Self {
        let (visits, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (seen, until) = (Arc::clone(&visits), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                visit(addr, seen.load(Ordering::Relaxed) % 3);
                seen.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            visits,
            stop,
            thread,
        }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no visitor is sent away");
    }
}

/// One connection, if there is somebody, with some more requests as long as it may.
fn visit(addr: SocketAddr, more: usize) {
    let Ok(socket) = TcpStream::connect_timeout(&addr, Duration::from_millis(20)) else {
        return;
    };
    let mut client = Client::over(socket);
    for _ in 0..=more {
        client.get("/");
        let response = client.response();
        assert_eq!(response.text(), "hello");
        if response.head.field("connection") == Some("close") {
            return;
        }
    }
}

#[test]
fn r22_ports_come_and_go_under_load_and_no_request_fails() {
    for threads in [0, 1, 3] {
        let base = "{ addr = '127.0.0.1', port = 0 }";
        let (world, _) = start(threads, &format!("listen = {base}"), false);
        let addr = world.server.addr;
        let other = SocketAddr::new(addr.ip(), free_port());
        let more = format!("{{ addr = '127.0.0.1', port = {} }}", other.port());
        let mut client = Client::tcp(addr);
        hello(&mut client);
        let before = world.held();
        let stop = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..2)
            .map(|number| {
                let (stop, setup) = (Arc::clone(&stop), world.server.setup);
                std::thread::spawn(move || crate::threads::load(setup, addr, number, &stop))
            })
            .collect();
        let visitors = [Visitor::start(other), Visitor::start(other)];
        for _ in 0..4 {
            let both = format!("reload_listeners = true, listen = {{ {base}, {more} }}");
            assert_eq!(world.cfg(&mut client, &both), "ok");
            let mut visitor = Client::tcp(other);
            hello(&mut visitor);
            visitors
                .iter()
                .for_each(|visitor| goes_on(&visitor.visits, 20));
            let one = format!("reload_listeners = true, listen = {base}");
            assert_eq!(world.cfg(&mut client, &one), "ok");
            assert!(is_refused(other));
            hello(&mut visitor);
            hello(&mut Client::tcp(addr));
        }
        stop.store(true, Ordering::Relaxed);
        for load in loads {
            load.join().expect("no request fails");
        }
        visitors.into_iter().for_each(Visitor::end);
        world.settles_at(before);
        drop(client);
        assert_eq!(world.server.stop(), 0);
    }
}

#[test]
fn r34_r37_a_reload_of_listeners_that_fails_changes_nothing() {
    for threads in [0, 2] {
        let (world, old) = start(threads, TLS, true);
        let (old, addr) = (old.unwrap(), world.server.addr);
        let in_use = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = in_use.local_addr().unwrap().port();
        let free = SocketAddr::new(addr.ip(), free_port());
        let mut client = Client::tls_trusting(addr, &[&old], DEFAULT_VERSIONS);
        hello(&mut client);
        let before = world.held();
        let own = "{ addr = '127.0.0.1', port = 0, tls = { pair } }";
        let first = format!("{{ addr = '127.0.0.1', port = {} }}", free.port());
        let second = format!("{{ addr = '127.0.0.1', port = {taken} }}");
        rotate(&world.folder);
        for more in [
            "",
            "threads = 4, ",
            "threads = 0, ",
            "max_shuttles_per_thread = 5000, ",
        ] {
            let text =
                format!("{more}reload_listeners = true, listen = {{ {own}, {first}, {second} }}");
            let why = world.cfg(&mut client, &text);
            assert!(
                why.contains(&format!("bind error: 127.0.0.1:{taken}")),
                "{why}"
            );
            assert!(is_refused(free));
            std::fs::write(world.folder.join("cert.pem"), "nonsense").unwrap();
            let why = world.cfg(&mut client, &format!("{more}reload_listeners = true"));
            let wanted = "unable to parse certificate: only PEM format is allowed";
            assert!(why.contains(wanted), "{why}");
            rotate(&world.folder);
            // The handler, the certificate and all the rest are those of before.
            client.get("/generation");
            assert_eq!(client.response().text(), "1");
            hello(&mut Client::tls_trusting(addr, &[&old], DEFAULT_VERSIONS));
        }
        world.settles_at(before);
        drop(in_use);
        let text = format!("reload_listeners = true, listen = {{ {own}, {second} }}");
        assert_eq!(world.cfg(&mut client, &text), "ok");
        hello(&mut Client::tcp(SocketAddr::new(addr.ip(), taken)));
        drop(client);
        assert_eq!(world.server.stop(), 0);
    }
}

/// What becomes of the preface of HTTP/2 in clear text: SETTINGS, or an answer of HTTP/1.
fn is_http2_spoken(addr: SocketAddr) -> bool {
    let mut client = Client::tcp(addr);
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    client.half_close();
    let got = client.rest();
    let is_http1 = got.starts_with(b"HTTP/1.1 505 ");
    assert_ne!(is_http1, got.get(3..5) == Some(&[4, 0]), "{got:?}");
    !is_http1
}

#[test]
fn http2_is_a_choice_of_each_listener_and_of_a_reload() {
    const OFFERED: [&[u8]; 2] = [b"h2", b"http/1.1"];
    for threads in [0, 2] {
        let [plain, secure] = [free_port(), free_port()];
        let listen = |first: &str, second: &str| {
            format!(
                "listen = {{
                     {{ addr = '127.0.0.1', port = {plain}{first} }},
                     {{ addr = '127.0.0.1', port = {secure}, tls = {{ pair }}{second} }},
                 }}"
            )
        };
        let no = ", http2 = false";
        let (world, made) = start(threads, &listen("", no), true);
        let made = made.unwrap();
        let [plain, secure] =
            [plain, secure].map(|port| SocketAddr::new(world.server.addr.ip(), port));
        let mut client = Client::tcp(plain);
        let mut faithful = Client::tcp2(plain);
        for (first, second) in [("", no), (no, ""), (no, no), ("", "")] {
            let text = format!("reload_listeners = true, {}", listen(first, second));
            assert_eq!(world.cfg(&mut client, &text), "ok");
            // Without a word about it, it stays as it is.
            assert_eq!(world.cfg(&mut client, "reload_listeners = true"), "ok");
            assert_eq!(is_http2_spoken(plain), first.is_empty());
            let speaks = if second.is_empty() { 0 } else { 1 };
            let wanted = Some(OFFERED[speaks].to_vec());
            assert_eq!(chosen(secure, &made, &OFFERED), wanted);
            assert_eq!(
                chosen(secure, &made, &OFFERED[..1]).is_some(),
                second.is_empty()
            );
            hello(&mut Client::tcp(plain));
            hello(&mut Client::tls_trusting(
                secure,
                &[&made],
                DEFAULT_VERSIONS,
            ));
            // Connections that speak it already go on.
            hello(&mut faithful);
        }
        drop((client, faithful));
        assert_eq!(world.server.stop(), 0);
    }
}

#[test]
fn streams_per_connection_are_a_choice() {
    let listen = "max_streams_per_conn = 3, listen = { addr = '127.0.0.1', port = 0 }";
    let (world, _) = start(1, listen, false);
    let announced = |client: &mut Client| {
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
        client.half_close();
        let got = client.rest();
        let payload = &got[9..9 + usize::from(got[2])];
        let mut entries = payload.chunks(6);
        let entry = entries.find(|entry| entry[..2] == [0, 3]).unwrap();
        u32::from_be_bytes(entry[2..].try_into().unwrap())
    };
    assert_eq!(announced(&mut Client::tcp(world.server.addr)), 3);
    let mut client = Client::tcp(world.server.addr);
    assert_eq!(world.cfg(&mut client, "max_streams_per_conn = 7"), "ok");
    assert_eq!(announced(&mut Client::tcp(world.server.addr)), 7);
    assert_eq!(world.cfg(&mut client, ""), "ok");
    assert_eq!(announced(&mut Client::tcp(world.server.addr)), 128);
    drop(client);
    assert_eq!(world.server.stop(), 0);
}

#[test]
fn an_address_may_become_wider_or_narrower_or_encrypted() {
    for setup in PLAIN {
        let port = free_port();
        let item = |addr: &str| format!("listen = {{ addr = '{addr}', port = {port} }}");
        let (world, made) = start(setup.threads, &item("127.0.0.1"), true);
        let addr = world.server.addr;
        let mut client = Client::tcp(addr);
        hello(&mut client);
        for wanted in ["0.0.0.0", "127.0.0.1", "127.0.0.2", "0.0.0.0", "127.0.0.1"] {
            let text = format!("reload_listeners = true, {}", item(wanted));
            assert_eq!(world.cfg(&mut client, &text), "ok", "{wanted}");
            let reached = if wanted == "0.0.0.0" {
                "127.0.0.2"
            } else {
                wanted
            };
            hello(&mut Client::tcp(
                format!("{reached}:{port}").parse().unwrap(),
            ));
            if wanted == "127.0.0.2" {
                assert!(is_refused(addr));
            }
        }
        let text = format!(
            "reload_listeners = true, \
             listen = {{ addr = '127.0.0.1', port = {port}, tls = {{ pair }} }}"
        );
        assert_eq!(world.cfg(&mut client, &text), "ok");
        hello(&mut Client::tls_trusting(
            addr,
            &[&made.unwrap()],
            DEFAULT_VERSIONS,
        ));
        hello(&mut client);
        assert!(
            world
                .server
                .log()
                .contains(&format!("listening on https://{addr}"))
        );
        drop(client);
        assert_eq!(world.server.stop(), 0);
    }
}

#[test]
fn r22_r34_threads_and_addresses_change_at_once() {
    for (from, to) in [(0, 2), (2, 0), (3, 1), (1, 3)] {
        let (world, _) = start(from, "listen = { addr = '127.0.0.1', port = 0 }", false);
        let old = world.server.addr;
        let mut client = Client::tcp(old);
        let visitor = Visitor::start(old);
        goes_on(&visitor.visits, 20);
        let port = free_port();
        let text = format!(
            "threads = {to}, reload_listeners = true, \
             listen = {{ addr = '127.0.0.1', port = {port} }}"
        );
        assert_eq!(world.cfg(&mut client, &text), "ok");
        // The log is read by another thread: the line may come after the answer.
        let announced = format!("listening on http://127.0.0.1:{port} ");
        let new = address_in(&world.server.wait_line(&announced));
        hello(&mut Client::tcp(new));
        assert!(is_refused(old));
        visitor.end();
        assert_eq!(world.server.stop(), 0);
    }
}
