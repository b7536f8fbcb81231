//! Sockets on loopback, port 0.

use std::io;
use std::net::{SocketAddr, TcpStream};

use super::{SPREADS_BY_PORT, bind, probe};

fn local(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = bind(local("127.0.0.1:0"), false).unwrap();
    let addr = taken.local_addr().unwrap();
    let error = bind(addr, false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(
        error
            .to_string()
            .starts_with(&format!("bind error: {addr}: ")),
        "{error}"
    );
    assert!(!error.to_string().contains('\n'));
}

#[test]
fn several_sockets_share_a_port_where_the_system_can() {
    if !SPREADS_BY_PORT {
        return;
    }
    let first = bind(local("127.0.0.1:0"), true).unwrap();
    bind(first.local_addr().unwrap(), true).unwrap();
}

#[test]
fn ipv6_leaves_ipv4_alone() {
    let Ok(six) = bind(local("[::]:0"), false) else {
        return;
    };
    let port = six.local_addr().unwrap().port();
    bind(local(&format!("0.0.0.0:{port}")), false).unwrap();
    TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, port)).unwrap();
}

#[test]
fn a_probe_finds_who_would_share_an_address_and_leaves_nothing_behind() {
    let shared = bind(local("127.0.0.1:0"), true).unwrap();
    let addr = shared.local_addr().unwrap();
    let error = probe(addr).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with("bind error"), "{error}");
    drop(shared);
    probe(addr).unwrap();
    // Another that listens without sharing finds nobody in its way.
    bind(addr, false).unwrap();
}
