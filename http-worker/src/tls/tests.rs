//! Names, and the texts of what can go wrong with files. Handshakes are tested through sockets.

use std::path::PathBuf;

use rcgen::{CertificateParams, DnType, KeyPair};
use tempfile::TempDir;

use super::names::{NameTable, of_certificate};
use super::{TlsConfig, TlsOptions};

fn params(names: &[&str], common: Option<&str>) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|s| (*s).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(common) = common {
        params.distinguished_name.push(DnType::CommonName, common);
    }
    params
}

fn write(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn pair(dir: &TempDir, tag: &str, names: &[&str], common: Option<&str>) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let certificate = params(names, common).self_signed(&key).unwrap();
    (
        write(dir, &format!("{tag}.crt"), &certificate.pem()),
        write(dir, &format!("{tag}.key"), &key.serialize_pem()),
    )
}

#[test]
fn names_of_a_certificate() {
    let check = |names: &[&str], common: Option<&str>, expected: &[&str]| {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names, common).self_signed(&key).unwrap();
        assert_eq!(of_certificate(certificate.der()).unwrap(), expected);
    };
    check(
        &["a.test", "*.b.test"],
        Some("cn.test"),
        &["a.test", "*.b.test"],
    );
    check(&[], Some("cn.test"), &["cn.test"]);
    check(&["127.0.0.1"], Some("cn.test"), &[]);
    check(&[], None, &[]);
}

#[test]
fn finding_by_name() {
    let mut table = NameTable::default();
    for name in ["a.test", "*.B.test", "x.b.test", "A.TEST."] {
        table.add(name, &name);
    }
    let check = |name: &str, expected: Option<&str>| {
        assert_eq!(table.find(name).copied(), expected, "{name}");
    };
    check("a.test", Some("a.test"));
    check("A.Test.", Some("a.test"));
    check("y.b.test", Some("*.B.test"));
    check("x.b.test", Some("x.b.test"));
    check("b.test", None);
    check("z.y.b.test", None);
    check(".b.test", None);
    check("test", None);
}

/// Loads what `pairs` names and expects an error that starts with `text` and names `part`.
fn check_error(pairs: Vec<(PathBuf, PathBuf)>, uses_sni: bool, text: &str, part: &str) {
    let options = TlsOptions {
        pairs,
        uses_sni,
        ..TlsOptions::default()
    };
    let error = TlsConfig::load(&options).unwrap_err().to_string();
    assert!(error.starts_with(text), "{error}");
    assert!(error.contains(part), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn what_can_be_wrong_with_files() {
    let dir = TempDir::new().unwrap();
    let (crt, key) = pair(&dir, "one", &["one.test"], None);
    let (crt2, key2) = pair(&dir, "two", &["two.test"], None);
    let (nameless, nameless_key) = pair(&dir, "three", &[], None);
    let missing = dir.path().join("missing.crt");
    let text = write(&dir, "text.crt", "no certificate");
    let open = "unable to open certificate file";
    let parse = "unable to parse certificate: only PEM format is allowed";
    let private = "can't bind private key to ssl_ctx";
    check_error(
        vec![(missing.clone(), key.clone())],
        false,
        open,
        "missing.crt",
    );
    check_error(vec![(text.clone(), key.clone())], false, parse, "text.crt");
    check_error(vec![(crt.clone(), missing)], false, private, "missing.crt");
    check_error(vec![(crt.clone(), text)], false, private, "text.crt");
    let mismatch = "check private key with certificate failed";
    check_error(
        vec![(crt.clone(), key2.clone())],
        false,
        mismatch,
        "one.crt",
    );
    check_error(
        vec![(nameless, nameless_key)],
        true,
        "can't get common name",
        "three.crt",
    );
    let one = "Only one key/certificate pair can be specified if SNI is disabled";
    check_error(vec![(crt, key), (crt2, key2)], false, one, "");
    check_error(vec![], false, open, "");
}
