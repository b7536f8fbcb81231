//! Thousands of connections that are open and idle, each after one request.

use std::io;
use std::net::Ipv4Addr;

use super::client::Client;

/// From one source address: an address has 28,000 ports where nobody has changed that, and no
/// server of ours takes more than 16,384 connections of one.
const PER_SOURCE_COUNT: usize = 1000;

/// Opened and asked at once: far below the backlog of every server.
const BATCH_COUNT: usize = 100;

/// Descriptors that bench, servers and load need beside those of a crowd.
const SPARE_FILES: u64 = 300;

/// Connections to one server.
pub(super) struct Crowd {
    clients: Vec<Client>,
}

impl Crowd {
    /// Opens them, and has each answered once.
    pub(super) fn gather(port: u16, count: usize) -> Result<Self, String> {
        let mut clients = Vec::with_capacity(count);
        while clients.len() < count {
            let first = clients.len();
            let batch = first..count.min(first + BATCH_COUNT);
            let batch: io::Result<Vec<Client>> = batch.map(|i| open(port, i)).collect();
            let answered = batch.and_then(|mut batch| {
                for client in &mut batch {
                    client.receive()?;
                }
                Ok(batch)
            });
            clients.extend(answered.map_err(|e| format!("connection {first} of {count}: {e}"))?);
        }
        Ok(Self { clients })
    }

    /// Everybody asks for this, and has an answer.
    pub(super) fn ask(&mut self, path: &str) -> Result<(), String> {
        self.send(self.clients.len(), path)?;
        let mut all = self.clients.iter_mut();
        all.try_for_each(|client| client.receive().map(drop))
            .map_err(|e| format!("{path}: {e}"))
    }

    /// The first so many ask for this, and nobody waits for the answers.
    pub(super) fn send(&mut self, count: usize, path: &str) -> Result<(), String> {
        let mut first = self.clients.iter_mut().take(count);
        first
            .try_for_each(|client| client.send(path))
            .map_err(|e| format!("{path}: {e}"))
    }
}

/// A connection that has asked.
fn open(port: u16, index: usize) -> io::Result<Client> {
    let mut client = Client::connect(source(index), port)?;
    client.send("/hello")?;
    Ok(client)
}

/// The address of the connection with this number: 127.0.0.2 and the following.
fn source(index: usize) -> Ipv4Addr {
    let host = u32::try_from(index / PER_SOURCE_COUNT).unwrap_or(0);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 2)) + host)
}

/// Raises the limit of descriptors as far as this user may; what we start inherits it.
pub(super) fn open_files() -> u64 {
    // Where it cannot be raised a crowd is small, and the report says so.
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024)
}

/// How many of `wanted` connections this limit of descriptors admits, and what to say if not all.
pub(super) fn admitted(wanted: usize, open_files: u64) -> (usize, Option<String>) {
    let room = usize::try_from(open_files.saturating_sub(SPARE_FILES)).unwrap_or(usize::MAX);
    if wanted <= room {
        return (wanted, None);
    }
    let why = format!("{room} idle connections, not {wanted}: {open_files} open files are allowed");
    (room, Some(why))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    #[test]
    fn a_thousand_come_from_each_address() {
        assert_eq!(source(0), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(source(999), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(source(14_999), Ipv4Addr::new(127, 0, 0, 16));
        assert_eq!(source(300_000), Ipv4Addr::new(127, 0, 1, 46));
    }

    #[test]
    fn a_low_limit_of_descriptors_makes_a_small_crowd_and_a_line() {
        assert_eq!(admitted(15_000, 20_000), (15_000, None));
        assert_eq!(admitted(15_000, 15_300), (15_000, None));
        let (count, why) = admitted(15_000, 4096);
        assert_eq!(count, 3796);
        let why = why.expect("a line");
        assert_eq!(
            why,
            "3796 idle connections, not 15000: 4096 open files are allowed"
        );
        assert_eq!(admitted(10, 100).0, 0);
    }

    #[test]
    fn each_is_answered_once_and_stays_and_the_first_ask_again() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let server = thread::spawn(move || {
            let open: Vec<TcpStream> = (0..3).map(|_| answer_one(&listener)).collect();
            let again: Vec<String> = open[..2].iter().map(request_of).collect();
            open[2].set_nonblocking(true).expect("a socket");
            let third = (&open[2]).read(&mut [0; 1]).expect_err("it is idle");
            (again, third.kind())
        });
        let mut crowd = Crowd::gather(port, 3).expect("gathers");
        crowd.send(2, "/wait").expect("sends");
        let (again, third) = server.join().expect("serves");
        assert!(
            again.iter().all(|r| r.starts_with("GET /wait ")),
            "{again:?}"
        );
        assert_eq!(third, io::ErrorKind::WouldBlock);
        assert_eq!(crowd.clients.len(), 3);
    }

    fn answer_one(listener: &TcpListener) -> TcpStream {
        let (mut stream, peer) = listener.accept().expect("a connection");
        assert_eq!(peer.ip(), source(0));
        assert!(request_of(&stream).starts_with("GET /hello "));
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(answer).expect("answers");
        stream
    }

    fn request_of(mut stream: &TcpStream) -> String {
        let mut bytes = [0; 256];
        let count = stream.read(&mut bytes).expect("a request");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }
}
