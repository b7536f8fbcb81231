//! A client that sees bytes: no library between the test and the wire.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::client2::Gateway;
use crate::harness::{PATIENCE, TestCertificate, certificate};

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One connection.
pub(crate) struct Client {
    wire: Box<dyn Wire>,
    socket: TcpStream,
    buffer: Vec<u8>,
    /// What came behind the last chunked body: lines without their ends.
    pub(crate) trailers: Vec<String>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// The part before the body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn tcp(addr: SocketAddr) -> Self {
        Self::over(socket(addr))
    }

    /// A client with a socket that is connected.
    pub(crate) fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            wire: Box::new(socket.try_clone().unwrap()),
            socket,
            buffer: Vec::new(),
            trailers: Vec::new(),
        }
    }

    /// A client whose socket holds little of what it does not read.
    pub(crate) fn narrow(addr: SocketAddr) -> Self {
        let narrow = socket2::Socket::new(
            socket2::Domain::for_address(addr),
            socket2::Type::STREAM,
            None,
        )
        .unwrap();
        narrow.set_recv_buffer_size(4096).unwrap();
        narrow.connect_timeout(&addr.into(), PATIENCE).unwrap();
        let socket: TcpStream = narrow.into();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            wire: Box::new(socket.try_clone().unwrap()),
            socket,
            buffer: Vec::new(),
            trailers: Vec::new(),
        }
    }

    pub(crate) fn tls(addr: SocketAddr) -> Self {
        Self::tls_to(addr, "localhost", certificate())
    }

    /// Asks for this name, and believes only in this certificate.
    pub(crate) fn tls_to(addr: SocketAddr, name: &str, trusted: &TestCertificate) -> Self {
        Self::tls_with(addr, name, &[&trusted.der], rustls::DEFAULT_VERSIONS)
    }

    /// A client that trusts these certificates and no others, and speaks these versions.
    pub(crate) fn tls_trusting(
        addr: SocketAddr,
        trusted: &[&CertificateDer<'static>],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        Self::tls_with(addr, "localhost", trusted, versions)
    }

    fn tls_with(
        addr: SocketAddr,
        name: &str,
        trusted: &[&CertificateDer<'static>],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let socket = socket(addr);
        Self {
            wire: Box::new(encrypted(&socket, name, trusted, versions, &[])),
            socket,
            buffer: Vec::new(),
            trailers: Vec::new(),
        }
    }

    /// HTTP/2 in the words of HTTP/1, see [`Gateway`].
    pub(crate) fn tcp2(addr: SocketAddr) -> Self {
        let socket = socket(addr);
        Self {
            wire: Box::new(Gateway::new(socket.try_clone().unwrap())),
            socket,
            buffer: Vec::new(),
            trailers: Vec::new(),
        }
    }

    /// The same through TLS.
    pub(crate) fn tls2(addr: SocketAddr) -> Self {
        let socket = socket(addr);
        let trusted = [&certificate().der];
        let versions = rustls::DEFAULT_VERSIONS;
        let wire = encrypted(&socket, "localhost", &trusted, versions, &[b"h2"]);
        Self {
            wire: Box::new(Gateway::new(wire)),
            socket,
            buffer: Vec::new(),
            trailers: Vec::new(),
        }
    }

    /// TLS that has chosen HTTP/2, which the test speaks itself.
    pub(crate) fn tls_raw2(addr: SocketAddr) -> Self {
        let socket = socket(addr);
        let trusted = [&certificate().der];
        let versions = rustls::DEFAULT_VERSIONS;
        Self {
            wire: Box::new(encrypted(
                &socket,
                "localhost",
                &trusted,
                versions,
                &[b"h2"],
            )),
            socket,
            buffer: Vec::new(),
            trailers: Vec::new(),
        }
    }

    /// What comes next; nothing when the server has ended the connection.
    pub(crate) fn some(&mut self) -> Vec<u8> {
        let mut block = vec![0; 16 * 1024];
        let count = self.wire.read(&mut block).unwrap_or(0);
        block.truncate(count);
        block
    }

    /// As [`send`](Self::send), where the server may refuse to hear it: a handshake that fails.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.wire.write_all(bytes.as_ref())?;
        self.wire.flush()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.write_all(bytes.as_ref()).unwrap();
        self.wire.flush().unwrap();
    }

    /// Sends to a server that may have heard enough and closed.
    pub(crate) fn send_what_is_taken(&mut self, bytes: &[u8]) {
        let _ = self.wire.write_all(bytes);
        let _ = self.wire.flush();
    }

    pub(crate) fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) {
        let length = body.len();
        self.send(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        ));
        self.send(body);
    }

    /// Ends the sending direction; what the server still says can be read.
    pub(crate) fn half_close(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Reads more bytes; false at the end of the connection.
    fn fill(&mut self) -> bool {
        let mut block = [0; 16 * 1024];
        match self.wire.read(&mut block) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&block[..count]);
                true
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe
                ) =>
            {
                false
            }
            Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&self.buffer)),
        }
    }

    fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|w| w == end) {
                let rest = self.buffer.split_off(at + end.len());
                return std::mem::replace(&mut self.buffer, rest);
            }
            let seen = String::from_utf8_lossy(&self.buffer).into_owned();
            assert!(self.fill(), "the connection ended after {seen:?}");
        }
    }

    fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(
                self.fill(),
                "the connection ended {} bytes into {count}",
                self.buffer.len()
            );
        }
        let rest = self.buffer.split_off(count);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Status line and fields.
    pub(crate) fn head(&mut self) -> Head {
        let text = String::from_utf8(self.until(b"\r\n\r\n")).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap_or((line, ""));
                (name.to_ascii_lowercase(), value.to_owned())
            })
            .collect();
        Head {
            status,
            line,
            fields,
        }
    }

    /// One chunk of a chunked body, `None` for the last one and the trailers.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.until(b"\r\n");
        let size = std::str::from_utf8(&size).unwrap().trim();
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("chunk {size:?}"));
        if size == 0 {
            self.trailers.clear();
            loop {
                let line = String::from_utf8(self.until(b"\r\n")).unwrap();
                match line.trim_end() {
                    "" => return None,
                    line => self.trailers.push(line.to_ascii_lowercase()),
                }
            }
        }
        let bytes = self.exactly(size);
        assert_eq!(self.exactly(2), b"\r\n");
        Some(bytes)
    }

    /// A chunk as text; fails at the end of the body.
    pub(crate) fn part(&mut self) -> String {
        String::from_utf8(self.chunk().expect("one more part")).unwrap()
    }

    /// A whole answer to anything but HEAD.
    pub(crate) fn response(&mut self) -> Response {
        let head = self.head();
        let body = self.body(&head);
        Response { head, body }
    }

    fn body(&mut self, head: &Head) -> Vec<u8> {
        if head.status < 200 || head.status == 204 || head.status == 304 {
            return Vec::new();
        }
        if head.field("transfer-encoding") == Some("chunked") {
            return std::iter::from_fn(|| self.chunk()).flatten().collect();
        }
        match head.field("content-length") {
            Some(length) => self.exactly(length.parse().unwrap()),
            None => self.rest(),
        }
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    /// True when the server has closed and sent nothing more.
    pub(crate) fn ended(&mut self) -> bool {
        self.rest().is_empty()
    }
}

/// Which of these protocols a server chooses in the handshake; `None`: it refuses all of them.
pub(crate) fn chosen(
    addr: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> Option<Vec<u8>> {
    let versions = rustls::DEFAULT_VERSIONS;
    let mut wire = encrypted(&socket(addr), "localhost", &[trusted], versions, protocols);
    let StreamOwned { conn, sock } = &mut wire;
    while conn.is_handshaking() {
        conn.complete_io(sock).ok()?;
    }
    conn.alpn_protocol().map(<[u8]>::to_vec)
}

/// TLS on a socket, with these protocols to choose from.
fn encrypted(
    socket: &TcpStream,
    name: &str,
    trusted: &[&CertificateDer<'static>],
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = name.to_owned().try_into().unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(session, socket.try_clone().unwrap())
}

fn socket(addr: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

impl Head {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Status line and fields by name, without those that change from run to run.
    pub(crate) fn show(&self) -> String {
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort();
        let mut text = self.line.clone();
        for (name, value) in fields {
            if name != "date" && name != "server" {
                text.push_str(&format!(" | {name}: {value}"));
            }
        }
        text
    }
}

impl Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The whole answer in one line.
    pub(crate) fn show(&self) -> String {
        format!("{} || {}", self.head.show(), self.text())
    }
}
