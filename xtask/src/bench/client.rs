//! The bench's own connections: few words of HTTP/1, for what no load generator does: being many
//! and idle, and waiting for answers that do not come.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A connection. Closed by a reset, so that thousands leave nothing behind in the kernel.
pub(super) struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects from an address of this machine to a port of 127.0.0.1.
    pub(super) fn connect(source: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        socket.set_read_timeout(Some(ANSWER_MAX))?;
        socket.set_linger(Some(Duration::ZERO))?;
        Ok(Self {
            stream: socket.into(),
        })
    }

    /// Asks, and does not wait for the answer.
    pub(super) fn send(&mut self, path: &str) -> io::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.stream.write_all(request.as_bytes())
    }

    /// The body of the next answer; `Err` if its status is not 200.
    pub(super) fn receive(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        loop {
            match self.stream.read(&mut part)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => bytes.extend_from_slice(&part[..count]),
            }
            if let Some(body) = parse(&bytes).map_err(io::Error::other)? {
                return Ok(body);
            }
        }
    }

    pub(super) fn ask(&mut self, path: &str) -> io::Result<String> {
        self.send(path)?;
        self.receive()
    }
}

/// The body of an answer with a length, once all of it is there.
fn parse(bytes: &[u8]) -> Result<Option<String>, String> {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    if first.split(' ').nth(1) != Some("200") {
        return Err(format!("answers `{first}`"));
    }
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or("answers without a length")?;
    Ok((body.len() >= length).then(|| body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let answer = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 2\r\n\r\nok";
        for cut in 0..answer.len() {
            assert_eq!(parse(&answer.as_bytes()[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(parse(answer.as_bytes()), Ok(Some("ok".to_owned())));
    }

    #[test]
    fn what_is_no_right_answer_is_said() {
        let error = |answer: &str| parse(answer.as_bytes()).expect_err("wrong");
        let refused = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
        assert_eq!(error(refused), "answers `HTTP/1.1 503 Service Unavailable`");
        let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(error(endless), "answers without a length");
    }
}
