//! Who asks: some threads, each with one connection at a time, choosing at random what to do.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

/// Nothing on loopback takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client may do: name, how often in a hundred, and how.
type Deed = (&'static str, u64, fn(&mut Client) -> io::Result<()>);

const DEEDS: &[Deed] = &[
    ("hello", 30, hello),
    ("pipeline", 6, pipeline),
    ("stream", 10, stream),
    ("together", 4, together),
    ("large", 6, large),
    ("echo", 8, echo),
    ("upload", 8, upload),
    ("upload chunked", 4, upload_chunked),
    ("duplex", 4, duplex),
    ("fail", 3, fail),
    ("wait", 4, wait),
    ("rubbish", 2, rubbish),
    ("leave in a stream", 4, leave_in_stream),
    ("leave in an upload", 3, leave_in_upload),
    ("leave at once", 3, leave_at_once),
    ("read slowly", 1, read_slowly),
];

/// All clients, and what they saw.
pub(super) struct Clients {
    tally: Mutex<Tally>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stop: std::sync::mpsc::Sender<()>,
}

/// How often each deed went well, and what went wrong.
#[derive(Default)]
struct Tally {
    good: BTreeMap<&'static str, u64>,
    /// Connections that were reset before an answer, by a worker that ended: allowed for, counted.
    cut: u64,
    wrong: Vec<String>,
}

/// The end of it.
pub(super) struct Report {
    tally: Tally,
}

impl Clients {
    /// Starts so many.
    pub(super) fn start(port: u16, count: u32, seed: u64) -> Arc<Self> {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let clients = Arc::new(Self {
            tally: Mutex::default(),
            threads: Mutex::default(),
            stop,
        });
        let stopped = Arc::new(Mutex::new(stopped));
        for number in 0..count {
            let (shared, stopped) = (Arc::clone(&clients), Arc::clone(&stopped));
            let random = Random(seed ^ (u64::from(number) + 1) << 32);
            let thread = std::thread::spawn(move || {
                let mut client = Client::new(port, random);
                while !is_told(&stopped) {
                    client.act(&shared);
                }
            });
            clients.lock_threads().push(thread);
        }
        clients
    }

    fn lock_threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().expect("no client panics")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().expect("no client panics")
    }

    /// One line.
    pub(super) fn tally(&self) -> String {
        let tally = self.lock();
        let good: u64 = tally.good.values().sum();
        format!(
            "{good} done, {} cut, {} wrong",
            tally.cut,
            tally.wrong.len()
        )
    }

    /// Lets all come to their end.
    pub(super) fn finish(&self) -> Report {
        let threads = std::mem::take(&mut *self.lock_threads());
        for _ in &threads {
            // Nobody hears it only if all have ended.
            let _ = self.stop.send(());
        }
        for thread in threads {
            if thread.join().is_err() {
                self.lock().wrong.push("a client panicked".to_owned());
            }
        }
        let tally = std::mem::take(&mut *self.lock());
        Report { tally }
    }
}

/// One message for each.
fn is_told(stopped: &Mutex<std::sync::mpsc::Receiver<()>>) -> bool {
    stopped
        .lock()
        .is_ok_and(|stopped| stopped.try_recv().is_ok())
}

impl Report {
    /// What must not have been.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = self.tally.wrong.clone();
        faults.truncate(5);
        let missing = DEEDS
            .iter()
            .find(|deed| !self.tally.good.contains_key(deed.0));
        faults.extend(missing.map(|deed| format!("\"{}\" never went well", deed.0)));
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.tally.good {
            writeln!(f, "{count:>9}  {name}")?;
        }
        write!(
            f,
            "{:>9}  cut by a thread that ended, {} wrong",
            self.tally.cut,
            self.tally.wrong.len()
        )
    }
}

/// Steele, Lea and Flood's splitmix64: small, and good enough to choose by.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}

/// One client.
struct Client {
    addr: SocketAddr,
    socket: Option<TcpStream>,
    unread: Vec<u8>,
    random: Random,
}

impl Client {
    fn new(port: u16, random: Random) -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], port)),
            socket: None,
            unread: Vec::new(),
            random,
        }
    }

    /// Does one thing and counts how it went.
    fn act(&mut self, clients: &Clients) {
        let mut choice = self.random.below(DEEDS.iter().map(|deed| deed.1).sum());
        let deed = DEEDS.iter().find(|deed| match choice.checked_sub(deed.1) {
            Some(left) => {
                choice = left;
                false
            }
            None => true,
        });
        let Some((name, _, deed)) = deed else { return };
        let outcome = deed(self);
        let mut tally = clients.lock();
        match outcome {
            Ok(()) => *tally.good.entry(name).or_default() += 1,
            Err(error) => {
                self.hang_up();
                if is_cut(&error) {
                    tally.cut += 1;
                } else {
                    tally.wrong.push(format!("{name}: {error}"));
                }
            }
        }
    }

    fn hang_up(&mut self) {
        self.socket = None;
        self.unread.clear();
    }

    fn socket(&mut self) -> io::Result<&mut TcpStream> {
        if self.socket.is_none() {
            let socket = TcpStream::connect_timeout(&self.addr, PATIENCE)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            self.socket = Some(socket);
        }
        self.socket
            .as_mut()
            .ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket()?.write_all(bytes)
    }

    fn get(&mut self, path: &str) -> io::Result<()> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: soak\r\n\r\n").as_bytes())
    }

    fn post(&mut self, path: &str, length: usize) -> io::Result<()> {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: soak\r\nContent-Length: {length}\r\n\r\n");
        self.send(head.as_bytes())
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut block = [0; 64 * 1024];
        let count = self.socket()?.read(&mut block)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend_from_slice(&block[..count]);
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let rest = self.unread.split_off(at + 2);
                let line = std::mem::replace(&mut self.unread, rest);
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            self.fill()?;
        }
    }

    fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count {
            self.fill()?;
        }
        let rest = self.unread.split_off(count);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    /// A whole answer: status and body.
    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| wrong("no status line"))?;
        let (mut length, mut is_chunked, mut closes) = (0, false, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().map_err(wrong)?,
                Some(("transfer-encoding", _)) => is_chunked = true,
                Some(("connection", "close")) => closes = true,
                Some(_) => {}
            }
        }
        let body = if is_chunked {
            self.chunks()?
        } else {
            self.exactly(length)?
        };
        if closes {
            self.hang_up();
        }
        Ok((status, body))
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).map_err(wrong)?;
            body.extend(self.exactly(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// An answer of this status with this body.
    fn expect(&mut self, status: u16, is_right: impl FnOnce(&[u8]) -> bool) -> io::Result<()> {
        let (found, body) = self.answer()?;
        if found == status && is_right(&body) {
            return Ok(());
        }
        let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        Err(wrong(format!("{found}, {} bytes: {start:?}", body.len())))
    }

    fn some_bytes(&mut self, most: u64) -> Vec<u8> {
        let length = 1 + self.random.below(most);
        (0..length).map(|at| (at % 251) as u8).collect()
    }
}

/// What the server must not do, as an error.
fn wrong(what: impl ToString) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_string())
}

/// Ends of connections that a thread which ends by force may cause.
fn is_cut(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    )
}

fn hello(client: &mut Client) -> io::Result<()> {
    client.get("/hello")?;
    client.expect(200, |body| body.starts_with(b"hello "))
}

fn pipeline(client: &mut Client) -> io::Result<()> {
    let one = b"GET /hello HTTP/1.1\r\nHost: soak\r\n\r\n";
    client.send(&one.repeat(8))?;
    for _ in 0..8 {
        client.expect(200, |body| body.starts_with(b"hello "))?;
        if client.socket.is_none() {
            // It said that it closes: the others may be asked again elsewhere.
            break;
        }
    }
    Ok(())
}

fn stream(client: &mut Client) -> io::Result<()> {
    client.get("/stream")?;
    client.expect(200, |body| {
        body.starts_with(b"tick 1\n") && body.len() > 8 * 256 * 1024
    })
}

fn together(client: &mut Client) -> io::Result<()> {
    client.get("/together")?;
    client.expect(200, |body| body == b"part\n".repeat(40))
}

fn large(client: &mut Client) -> io::Result<()> {
    client.get("/large")?;
    client.expect(200, |body| body.len() == 256 * 1024)
}

fn echo(client: &mut Client) -> io::Result<()> {
    let bytes = client.some_bytes(200_000);
    client.post("/echo", bytes.len())?;
    client.send(&bytes)?;
    client.expect(200, |body| body == bytes)
}

fn upload(client: &mut Client) -> io::Result<()> {
    let bytes = client.some_bytes(2_000_000);
    client.post("/upload", bytes.len())?;
    client.send(&bytes)?;
    client.expect(200, |body| body == bytes.len().to_string().as_bytes())
}

fn upload_chunked(client: &mut Client) -> io::Result<()> {
    client.send(b"POST /upload HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let mut total = 0;
    for _ in 0..8 {
        let bytes = client.some_bytes(100_000);
        total += bytes.len();
        client.send(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        client.send(&bytes)?;
        client.send(b"\r\n")?;
    }
    client.send(b"0\r\n\r\n")?;
    client.expect(200, |body| body == total.to_string().as_bytes())
}

/// Sends and reads in turns, less at once than fits between.
fn duplex(client: &mut Client) -> io::Result<()> {
    let bytes = client.some_bytes(20_000);
    client.post("/duplex", bytes.len())?;
    client.send(&bytes)?;
    client.expect(200, |body| body == bytes)
}

fn fail(client: &mut Client) -> io::Result<()> {
    client.get("/fail")?;
    client.expect(500, |body| body == b"Path handler execution error")
}

fn wait(client: &mut Client) -> io::Result<()> {
    client.get("/wait")?;
    client.expect(200, <[u8]>::is_empty)
}

fn rubbish(client: &mut Client) -> io::Result<()> {
    client.hang_up();
    client.send(b"GET / HTTP/1.1\r\nHost : soak\r\n\r\n")?;
    client.expect(400, |_| true)?;
    client.hang_up();
    Ok(())
}

fn leave_in_stream(client: &mut Client) -> io::Result<()> {
    client.get("/stream")?;
    client.fill()?;
    client.hang_up();
    Ok(())
}

fn leave_in_upload(client: &mut Client) -> io::Result<()> {
    client.post("/upload", 1_000_000)?;
    let bytes = client.some_bytes(500_000);
    client.send(&bytes)?;
    client.hang_up();
    Ok(())
}

fn leave_at_once(client: &mut Client) -> io::Result<()> {
    let path = ["/wait", "/large", "/hello"][client.random.below(3) as usize];
    client.get(path)?;
    client.hang_up();
    Ok(())
}

fn read_slowly(client: &mut Client) -> io::Result<()> {
    client.get("/stream")?;
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(20));
        client.fill()?;
    }
    client.expect(200, |body| body.len() > 8 * 256 * 1024)
}

/// One question on a connection of its own; the body.
pub(super) fn ask(port: u16, path: &str) -> io::Result<String> {
    let mut client = Client::new(port, Random(0));
    let head = format!("GET {path} HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n");
    client.send(head.as_bytes())?;
    let (status, body) = client.answer()?;
    if status != 200 {
        return Err(wrong(format!("status {status}")));
    }
    String::from_utf8(body).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_deeds_make_a_hundred() {
        assert_eq!(DEEDS.iter().map(|deed| deed.1).sum::<u64>(), 100);
    }

    #[test]
    fn an_answer_is_read_however_it_comes() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a client");
            let chunked =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
            let plain = "HTTP/1.1 404 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
            for byte in format!("{chunked}{plain}").bytes() {
                socket.write_all(&[byte]).expect("it reads");
            }
        });
        let mut client = Client::new(port, Random(1));
        client.socket().expect("it listens");
        assert_eq!(client.answer().expect("an answer"), (200, b"hi".to_vec()));
        assert_eq!(client.answer().expect("an answer"), (404, b"no".to_vec()));
        assert!(client.socket.is_none(), "it was told to close");
        server.join().expect("it has sent all");
    }
}
