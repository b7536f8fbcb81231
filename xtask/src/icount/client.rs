//! One thread that asks on all connections at once and then waits for all answers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// valgrind is slow, but not as slow as this.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent on a connection at a time.
#[derive(Clone, Copy)]
pub(super) enum Ask {
    Get(&'static str),
    /// So many GETs at once.
    Pipeline(&'static str, usize),
    /// A POST with a body of so many bytes.
    Post(&'static str, usize),
}

impl Ask {
    fn bytes(&self) -> Vec<u8> {
        let head = |method: &str, path: &str, more: &str| {
            let usual = "Host: 127.0.0.1:8080\r\nUser-Agent: icount\r\n";
            format!("{method} {path} HTTP/1.1\r\n{usual}{more}\r\n")
        };
        let text = match *self {
            Self::Get(path) => head("GET", path, ""),
            Self::Pipeline(path, depth) => head("GET", path, "").repeat(depth),
            Self::Post(path, len) => {
                let head = head("POST", path, &format!("Content-Length: {len}\r\n"));
                head + &"x".repeat(len)
            }
        };
        text.into_bytes()
    }

    /// How many answers it gets.
    fn depth(&self) -> usize {
        match self {
            Self::Pipeline(_, depth) => *depth,
            Self::Get(_) | Self::Post(..) => 1,
        }
    }
}

/// All connections.
pub(super) struct Client {
    sockets: Vec<TcpStream>,
    request: Vec<u8>,
    depth: usize,
    received: Vec<u8>,
}

impl Client {
    pub(super) fn connect(port: u16, connections: usize, ask: &Ask) -> io::Result<Self> {
        let connect = |_| {
            let socket = TcpStream::connect(("127.0.0.1", port))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.set_nodelay(true)?;
            Ok(socket)
        };
        Ok(Self {
            sockets: (0..connections).map(connect).collect::<io::Result<_>>()?,
            request: ask.bytes(),
            depth: ask.depth(),
            received: Vec::new(),
        })
    }

    /// Asks at least `count` times in all. How often it was.
    pub(super) fn ask(&mut self, count: usize) -> io::Result<usize> {
        let at_once = self.sockets.len() * self.depth;
        let rounds = count.div_ceil(at_once);
        for _ in 0..rounds {
            for socket in &mut self.sockets {
                socket.write_all(&self.request)?;
            }
            for socket in &mut self.sockets {
                self.received.clear();
                for _ in 0..self.depth {
                    answer(socket, &mut self.received)?;
                }
            }
        }
        Ok(rounds * at_once)
    }
}

/// Reads one answer, of which some may be in `received`, and takes it out of there.
fn answer(socket: &mut impl Read, received: &mut Vec<u8>) -> io::Result<()> {
    let head_len = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        fill(socket, received)?;
    };
    let head = String::from_utf8_lossy(&received[..head_len]).to_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        return Err(io::Error::new(ErrorKind::InvalidData, head));
    }
    received.drain(..head_len);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let Some(length) = length.and_then(|length| length.parse::<usize>().ok()) else {
        // In chunks. Nothing is sent behind it: the end of the last one is what comes last.
        while !received.ends_with(b"\r\n0\r\n\r\n") {
            let all_but_the_end = received.len().saturating_sub(7);
            received.drain(..all_but_the_end);
            fill(socket, received)?;
        }
        received.clear();
        return Ok(());
    };
    while received.len() < length {
        fill(socket, received)?;
    }
    received.drain(..length);
    Ok(())
}

fn fill(socket: &mut impl Read, received: &mut Vec<u8>) -> io::Result<()> {
    let mut piece = [0; 65536];
    match socket.read(&mut piece)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        len => {
            received.extend_from_slice(&piece[..len]);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives bytes one by one.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else {
                return Ok(0);
            };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn answers_are_read_to_their_end() {
        let two = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\
                   HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let mut socket = Slowly(two.as_bytes());
        let mut received = Vec::new();
        answer(&mut socket, &mut received).expect("the first");
        answer(&mut socket, &mut received).expect("the second");
        assert!(received.is_empty() && socket.0.is_empty());
        let error = answer(&mut socket, &mut received).expect_err("no more");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn another_status_is_an_error() {
        let mut socket = Slowly(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        let error = answer(&mut socket, &mut Vec::new()).expect_err("not 200");
        assert!(error.to_string().starts_with("http/1.1 404"), "{error}");
    }
}
