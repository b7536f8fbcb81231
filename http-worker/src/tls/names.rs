//! Which names a certificate is for, and finding a certificate by name.
//!
//! RFC 9525: the subject alternative names decide; a wildcard is the whole left-most label and
//! stands for exactly one label. A certificate without any such name is matched by its common
//! name, which the RFC no longer asks for but which httpng's users have.

use std::collections::HashMap;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Values by host name, exact or under a wildcard.
pub(super) struct NameTable<V> {
    exact: HashMap<String, V>,
    /// By what follows `*.`.
    wildcard: HashMap<String, V>,
}

impl<V> Default for NameTable<V> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        }
    }
}

impl<V: Clone> NameTable<V> {
    /// Adds a name as a certificate has it. The first certificate that claims a name keeps it.
    pub(super) fn add(&mut self, name: &str, value: &V) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let (table, key) = match name.strip_prefix("*.") {
            Some(rest) => (&mut self.wildcard, rest.to_owned()),
            None => (&mut self.exact, name),
        };
        table.entry(key).or_insert_with(|| value.clone());
    }

    /// Finds what serves `name`: an exact match before a wildcard.
    pub(super) fn find(&self, name: &str) -> Option<&V> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Some(found) = self.exact.get(&name) {
            return Some(found);
        }
        let (label, rest) = name.split_once('.')?;
        if label.is_empty() {
            return None;
        }
        self.wildcard.get(rest)
    }
}

/// The host names a certificate is valid for: its DNS alternative names, or without any
/// alternative name its common name.
///
/// # Errors
/// A text when the certificate cannot be read.
pub(super) fn of_certificate(der: &[u8]) -> Result<Vec<String>, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|e| e.to_string())?;
    let alternative = certificate
        .subject_alternative_name()
        .map_err(|e| e.to_string())?;
    if let Some(alternative) = alternative {
        let dns = alternative
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            });
        return Ok(dns.collect());
    }
    let common = certificate.subject().iter_common_name();
    Ok(common
        .filter_map(|name| name.as_str().ok())
        .map(str::to_owned)
        .collect())
}
