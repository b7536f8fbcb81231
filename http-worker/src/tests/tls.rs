//! Through TLS: handshakes by name, bodies, ends.

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tempfile::TempDir;

use super::client2::{Script, frames};
use super::world::{Seen, Setup, World, readable, respond};
use crate::{TlsConfig, TlsOptions, TlsVersion};

/// Certificates in files, and a client that trusts them.
struct Shop {
    dir: TempDir,
    options: TlsOptions,
    roots: RootCertStore,
}

impl Shop {
    fn new(uses_sni: bool, names: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let options = TlsOptions {
            uses_sni,
            ..TlsOptions::default()
        };
        let mut shop = Self {
            dir,
            options,
            roots: RootCertStore::empty(),
        };
        for name in names {
            shop.certify(name);
        }
        shop
    }

    fn certify(&mut self, name: &str) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([name.to_owned()]).unwrap();
        let number = self.options.pairs.len();
        let certificate = self.dir.path().join(format!("{number}.crt"));
        let key = self.dir.path().join(format!("{number}.key"));
        std::fs::write(&certificate, cert.pem()).unwrap();
        std::fs::write(&key, signing_key.serialize_pem()).unwrap();
        self.options.pairs.push((certificate, key));
        self.roots
            .add(CertificateDer::from(cert.der().to_vec()))
            .unwrap();
    }

    fn tls(&self) -> Arc<TlsConfig> {
        Arc::new(TlsConfig::load(&self.options).unwrap())
    }

    fn world(&self) -> World {
        world_with(&self.tls())
    }

    fn client(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn world_with(tls: &Arc<TlsConfig>) -> World {
    let tls = Some(Arc::clone(tls));
    World::new(Setup {
        tls,
        ..Setup::default()
    })
}

/// A client's TLS over one of the world's plain clients.
struct Secure {
    client: usize,
    tls: ClientConnection,
    got: Vec<u8>,
    error: Option<rustls::Error>,
    has_goodbye: bool,
}

impl Secure {
    fn new(world: &mut World, config: &Arc<ClientConfig>, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let tls = ClientConnection::new(Arc::clone(config), name).unwrap();
        let client = world.connect();
        Self {
            client,
            tls,
            got: Vec::new(),
            error: None,
            has_goodbye: false,
        }
    }

    /// Exchanges records until both sides are quiet.
    fn settle(&mut self, world: &mut World) {
        loop {
            let mut out = Vec::new();
            while self.tls.wants_write() {
                self.tls.write_tls(&mut out).unwrap();
            }
            if !out.is_empty() {
                let _ = world.clients[self.client].stream.write_all(&out);
            }
            world.settle();
            let arrived = std::mem::take(&mut world.clients[self.client].got);
            if arrived.is_empty() && out.is_empty() {
                return;
            }
            self.decrypt(&arrived);
        }
    }

    fn decrypt(&mut self, mut arrived: &[u8]) {
        while !arrived.is_empty() && self.error.is_none() {
            self.tls.read_tls(&mut arrived).unwrap();
            match self.tls.process_new_packets() {
                Ok(state) => {
                    self.has_goodbye |= state.peer_has_closed();
                    let mut plain = vec![0; state.plaintext_bytes_to_read()];
                    self.tls.reader().read_exact(&mut plain).unwrap();
                    self.got.extend(plain);
                }
                Err(e) => self.error = Some(e),
            }
        }
    }

    fn ask(&mut self, world: &mut World, text: &str) {
        self.tls.writer().write_all(text.as_bytes()).unwrap();
        self.settle(world);
    }

    fn text(&mut self, world: &World) -> String {
        let got = std::mem::take(&mut self.got);
        let seen = world.clients[self.client].seen;
        readable(&got) + &super::world::ending(seen)
    }
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

const BOTH: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

#[test]
fn requests_travel_encrypted_in_both_versions() {
    let shop = Shop::new(false, &["h.test"]);
    for version in BOTH {
        let mut world = shop.world();
        let mut secure = Secure::new(&mut world, &shop.client(&[version]), "h.test");
        secure.ask(&mut world, GET);
        assert_eq!(secure.tls.protocol_version(), Some(version.version));
        assert_eq!(secure.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(world.held[0].https);
        world.answer(200, "hi");
        secure.settle(&mut world);
        let expected = "HTTP/1.1 200 OK|Content-Length: 2||hi<open>";
        assert_eq!(secure.text(&world), expected);
        world.check_balance();
    }
}

/// HTTP/2 is spoken when the handshake has chosen it, and then only.
#[test]
fn http2_is_chosen_in_the_handshake() {
    let shop = Shop::new(false, &["h.test"]);
    for version in BOTH {
        let mut world = shop.world();
        let mut config = Arc::unwrap_or_clone(shop.client(&[version]));
        config.alpn_protocols.insert(0, b"h2".to_vec());
        let mut secure = Secure::new(&mut world, &Arc::new(config), "h.test");
        let script = Script::new().settings().get(1, "/large").bytes();
        secure.tls.writer().write_all(&script).unwrap();
        secure.settle(&mut world);
        assert_eq!(secure.tls.alpn_protocol(), Some(&b"h2"[..]));
        assert!(world.held[0].https);
        respond(&mut world);
        secure.settle(&mut world);
        let data = frames(&secure.got).matches("DATA 1").count();
        assert!(data >= 4, "what the first window admits");
        world.reset(secure.client);
        world.go(http_proto::Leg::Release);
        world.check_balance();
        let mut secure = Secure::new(&mut world, &shop.client(&[version]), "h.test");
        secure.tls.writer().write_all(&script).unwrap();
        secure.settle(&mut world);
        assert!(secure.text(&world).starts_with("HTTP/1.1 505 "));
    }
}

/// Where HTTP/2 is not spoken it is not offered: who wants it gets HTTP/1, and who wants nothing
/// else is told so by an alert (RFC 7301 section 3.2).
#[test]
fn http2_is_not_offered_where_it_is_not_spoken() {
    let mut shop = Shop::new(false, &["h.test"]);
    shop.options.without_http2 = true;
    for version in BOTH {
        let mut world = World::new(Setup {
            tls: Some(shop.tls()),
            http2: false,
            ..Setup::default()
        });
        let mut config = Arc::unwrap_or_clone(shop.client(&[version]));
        config.alpn_protocols.insert(0, b"h2".to_vec());
        let mut secure = Secure::new(&mut world, &Arc::new(config.clone()), "h.test");
        secure.ask(&mut world, GET);
        assert_eq!(secure.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        world.answer(200, "hi");
        secure.settle(&mut world);
        assert!(secure.text(&world).ends_with("||hi<open>"));
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut secure = Secure::new(&mut world, &Arc::new(config), "h.test");
        secure.settle(&mut world);
        let no_protocol = rustls::AlertDescription::NoApplicationProtocol;
        assert_eq!(
            secure.error,
            Some(rustls::Error::AlertReceived(no_protocol))
        );
        world.check_balance();
    }
}

#[test]
fn large_lent_bodies_and_large_requests() {
    let shop = Shop::new(false, &["h.test"]);
    let mut world = shop.world();
    let mut secure = Secure::new(&mut world, &shop.client(BOTH), "h.test");
    secure.ask(&mut world, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    respond(&mut world);
    secure.settle(&mut world);
    let expected = "HTTP/1.1 200 OK|Content-Length: 1048576||[1048576 x]<open>";
    assert_eq!(secure.text(&world), expected);
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n";
    secure.ask(&mut world, head);
    for _ in 0..10 {
        secure.ask(&mut world, &"x".repeat(30_000));
    }
    respond(&mut world);
    secure.settle(&mut world);
    let expected = "HTTP/1.1 200 OK|Content-Length: 300000||[300000 x]<open>";
    assert_eq!(secure.text(&world), expected);
    world.check_balance();
}

#[test]
fn answers_end_with_a_goodbye_and_clients_may_say_it_first() {
    let shop = Shop::new(false, &["h.test"]);
    let mut world = shop.world();
    let mut secure = Secure::new(&mut world, &shop.client(BOTH), "h.test");
    secure.ask(
        &mut world,
        "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    respond(&mut world);
    secure.settle(&mut world);
    assert!(secure.has_goodbye);
    assert!(secure.text(&world).ends_with("/a<end>"));

    let mut secure = Secure::new(&mut world, &shop.client(BOTH), "h.test");
    secure.ask(&mut world, GET);
    secure.tls.send_close_notify();
    secure.settle(&mut world);
    assert_eq!(world.at_tx(), "Request /a gone", "a goodbye is a FIN");
    respond(&mut world);
    secure.settle(&mut world);
    assert!(secure.text(&world).ends_with("/a<end>"));
    world.check_balance();
}

/// Shakes hands asking for `name`; the text of the error, or nothing.
fn shake(shop: &Shop, world: &mut World, name: &str) -> String {
    let mut secure = Secure::new(world, &shop.client(BOTH), name);
    secure.settle(world);
    let shaken = secure.error.is_none() && !secure.tls.is_handshaking();
    let text = secure
        .error
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert_eq!(shaken, text.is_empty());
    text
}

#[test]
fn certificates_are_chosen_by_name() {
    let shop = Shop::new(true, &["one.test", "*.two.test", "x.two.test"]);
    let mut world = shop.world();
    // The client checks that the certificate is for the name it asked for.
    for name in ["one.test", "ONE.test", "a.two.test", "x.two.test"] {
        assert_eq!(shake(&shop, &mut world, name), "", "{name}");
    }
    for name in ["two.test", "a.b.two.test", "other.test", "127.0.0.1"] {
        let error = shake(&shop, &mut world, name);
        assert!(error.contains("alert"), "{name}: {error}");
    }
    assert_eq!(world.stats().tls_errors, 4);
    world.check_balance();
}

#[test]
fn without_names_the_one_certificate_is_for_all() {
    let shop = Shop::new(false, &["h.test"]);
    let mut world = shop.world();
    assert_eq!(shake(&shop, &mut world, "h.test"), "");
    let error = shake(&shop, &mut world, "other.test");
    assert!(
        !error.contains("alert"),
        "the client itself does not like it: {error}"
    );
}

#[test]
fn old_versions_are_refused_when_told_so() {
    let mut shop = Shop::new(false, &["h.test"]);
    shop.options.min_version = TlsVersion::V13;
    let mut world = shop.world();
    let old = shop.client(&[&rustls::version::TLS12]);
    let mut secure = Secure::new(&mut world, &old, "h.test");
    secure.settle(&mut world);
    assert!(secure.error.is_some());
}

#[test]
fn sessions_are_resumed_by_tickets() {
    let shop = Shop::new(false, &["h.test"]);
    let mut world = shop.world();
    let config = shop.client(BOTH);
    for expected in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let mut secure = Secure::new(&mut world, &config, "h.test");
        secure.ask(&mut world, GET);
        respond(&mut world);
        secure.settle(&mut world);
        assert_eq!(secure.tls.handshake_kind(), Some(expected));
    }
}

#[test]
fn clear_text_on_a_tls_port_is_ended() {
    let shop = Shop::new(false, &["h.test"]);
    let mut world = shop.world();
    let client = world.connect();
    world.ask(client, GET);
    assert_eq!(world.clients[client].seen, Seen::End);
    assert_eq!(world.stats().tls_errors, 1);
}

#[test]
fn a_handshake_has_so_much_time() {
    let shop = Shop::new(false, &["h.test"]);
    let mut world = shop.world();
    let client = world.connect();
    world.settle();
    world.pass(crate::Limits::default().header_timeout + std::time::Duration::from_millis(200));
    assert_eq!(world.clients[client].seen, Seen::End);
}

/// R24. Two workers serve by one configuration; who made it lets go of it, one worker ends, and the
/// other one goes on with what was begun and with what is new.
#[test]
fn r24_a_configuration_lives_as_long_as_its_last_worker() {
    let shop = Shop::new(true, &["h.test"]);
    let tls = shop.tls();
    let (mut first, mut second) = (world_with(&tls), world_with(&tls));
    let watched = Arc::downgrade(&tls.server);
    drop(tls);
    let mut begun = Secure::new(&mut second, &shop.client(BOTH), "h.test");
    begun.settle(&mut second);
    first.command(crate::Command::Stop);
    assert!(first.core.is_finished());
    drop(first);
    begun.ask(&mut second, GET);
    respond(&mut second);
    begun.settle(&mut second);
    assert!(begun.text(&second).ends_with("/a<open>"));
    assert_eq!(shake(&shop, &mut second, "h.test"), "");
    second.check_balance();
    drop(second);
    assert_eq!(watched.strong_count(), 0, "and no longer");
}
