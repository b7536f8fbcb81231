//! TLS configuration: certificates from PEM, chosen by the name the client asks for.
//!
//! rustls with aws-lc-rs, versions 1.2 and 1.3, session tickets on, ALPN `h2` (unless it is not
//! wanted) and `http/1.1`.
//! Errors are one line that starts with the text httpng's programs know and then names the file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};

mod names;

use names::NameTable;

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    V12,
    /// TLS 1.3 only.
    V13,
}

/// What to make a [`TlsConfig`] from.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Certificate chain and private key, both PEM files. A certificate file may hold the chain,
    /// the server's own certificate first.
    pub pairs: Vec<(PathBuf, PathBuf)>,
    /// Choose the certificate by the name the client sends, and refuse clients that send none or
    /// an unknown one. When false there is exactly one pair and it serves every name.
    pub uses_sni: bool,
    /// Older versions are refused.
    pub min_version: TlsVersion,
    /// Clients are not offered `h2`, only `http/1.1`.
    pub without_http2: bool,
}

/// Why a TLS configuration could not be made: one line, httpng's text first, then the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsError {
    text: &'static str,
    path: Option<PathBuf>,
    reason: String,
}

impl TlsError {
    fn new(text: &'static str, path: Option<&Path>, reason: impl fmt::Display) -> Self {
        Self {
            text,
            path: path.map(Path::to_path_buf),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)?;
        if let Some(path) = &self.path {
            write!(f, ": {}", path.display())?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

impl std::error::Error for TlsError {}

/// A ready configuration, shared by all listeners and workers that use it.
pub struct TlsConfig {
    pub(crate) server: Arc<ServerConfig>,
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

impl TlsConfig {
    /// Reads the files and checks that each key belongs to its certificate. Blocks on the file
    /// system; call it before serving.
    ///
    /// # Errors
    /// The first pair that is not usable, as one line with the path in it.
    pub fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        const ONE: &str = "Only one key/certificate pair can be specified if SNI is disabled";
        if options.pairs.len() > 1 && !options.uses_sni {
            return Err(TlsError::new(ONE, None, ""));
        }
        if options.pairs.is_empty() {
            return Err(TlsError::new(
                "unable to open certificate file",
                None,
                "none was named",
            ));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut table = NameTable::default();
        let mut first = None;
        for (certificate, key) in &options.pairs {
            let pair = Arc::new(certified(certificate, key, &provider)?);
            if options.uses_sni {
                add_names(&mut table, certificate, &pair)?;
            }
            first.get_or_insert(pair);
        }
        let default = if options.uses_sni { None } else { first };
        let mut server = server_config(provider, options.min_version, Resolver { table, default })?;
        if !options.without_http2 {
            server.alpn_protocols.insert(0, b"h2".to_vec());
        }
        Ok(Self {
            server: Arc::new(server),
        })
    }
}

fn server_config(
    provider: Arc<CryptoProvider>,
    min_version: TlsVersion,
    resolver: Resolver,
) -> Result<ServerConfig, TlsError> {
    const TEXT: &str = "can't create TLS context";
    let versions: &[&rustls::SupportedProtocolVersion] = match min_version {
        TlsVersion::V12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V13 => &[&rustls::version::TLS13],
    };
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|e| TlsError::new(TEXT, None, e))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    server.ticketer = aws_lc_rs::Ticketer::new().map_err(|e| TlsError::new(TEXT, None, e))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(server)
}

fn certified(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = read_chain(certificate)?;
    let key_der = read_key(key)?;
    let signer = provider
        .key_provider
        .load_private_key(key_der)
        .map_err(|e| TlsError::new("can't bind private key to ssl_ctx", Some(key), e))?;
    let pair = CertifiedKey::new(chain, signer);
    match pair.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => {
            const TEXT: &str = "check private key with certificate failed";
            let reason = format!("it is not the key of {}", certificate.display());
            Err(TlsError::new(TEXT, Some(key), reason))
        }
        Err(e) => Err(TlsError::new(
            "can't bind certificate file to ssl_ctx",
            Some(certificate),
            e,
        )),
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    const NOT_PEM: &str = "unable to parse certificate: only PEM format is allowed";
    let text = read(path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|e| TlsError::new(NOT_PEM, Some(path), e))?;
    if chain.is_empty() {
        return Err(TlsError::new(NOT_PEM, Some(path), "no certificate in it"));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const TEXT: &str = "can't bind private key to ssl_ctx";
    let text = std::fs::read(path).map_err(|e| TlsError::new(TEXT, Some(path), e))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|e| TlsError::new(TEXT, Some(path), e))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|e| TlsError::new("unable to open certificate file", Some(path), e))
}

fn add_names(
    table: &mut NameTable<Arc<CertifiedKey>>,
    path: &Path,
    pair: &Arc<CertifiedKey>,
) -> Result<(), TlsError> {
    const BAD: &str = "can't bind certificate file to ssl_ctx";
    let own = pair
        .end_entity_cert()
        .map_err(|e| TlsError::new(BAD, Some(path), e))?;
    let found = names::of_certificate(own).map_err(|e| TlsError::new(BAD, Some(path), e))?;
    if found.is_empty() {
        const TEXT: &str = "can't get common name";
        return Err(TlsError::new(
            TEXT,
            Some(path),
            "the certificate names no host",
        ));
    }
    for name in &found {
        table.add(name, pair);
    }
    Ok(())
}

/// Answers the client's wish for a name with a certificate, or with none: then rustls ends the
/// handshake with an alert.
struct Resolver {
    table: NameTable<Arc<CertifiedKey>>,
    default: Option<Arc<CertifiedKey>>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(pair) = &self.default {
            return Some(Arc::clone(pair));
        }
        self.table.find(hello.server_name()?).cloned()
    }
}

#[cfg(test)]
mod tests;
