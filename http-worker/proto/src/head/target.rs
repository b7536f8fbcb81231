//! The four forms of a request target (RFC 9112 section 3.2) and what an authority may be.

use std::ops::Range;

use super::token::{is_host_name, is_path, is_plain_host_name, survey_target};
use crate::error::PeerErrorKind;

/// Where the parts of a target are, as offsets into it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// Absent in origin and asterisk form.
    pub(super) authority: Option<Range<usize>>,
    /// Empty when an absolute target has no path: it means `/`, or `*` for OPTIONS.
    pub(super) path: Range<usize>,
    /// What follows the first `?`.
    pub(super) query: Option<Range<usize>>,
    /// The path begins with a slash and has neither dots nor percent signs: whatever is decoded or
    /// resolved in it, it stays as it is.
    pub(super) is_plain: bool,
}

/// Takes a target apart. `method` matters: `*` belongs to OPTIONS alone.
pub(super) fn split(method: &[u8], target: &[u8]) -> Result<Target, PeerErrorKind> {
    let Some(has_marks) = survey_target(target) else {
        return Err(PeerErrorKind::Target);
    };
    if target[0] == b'/' && !has_marks {
        return Ok(Target {
            path: 0..target.len(),
            is_plain: true,
            ..Target::default()
        });
    }
    if target[0] == b'/' {
        return path_and_query(target, 0);
    }
    if target == b"*" {
        let path = 0..1;
        return if method == b"OPTIONS" {
            Ok(Target {
                path,
                ..Target::default()
            })
        } else {
            Err(PeerErrorKind::Target)
        };
    }
    absolute(target)
}

/// `http://authority/path?query`. Other schemes are not ours to serve.
fn absolute(target: &[u8]) -> Result<Target, PeerErrorKind> {
    let colon = memchr::memchr(b':', target).ok_or(PeerErrorKind::Target)?;
    let scheme = &target[..colon];
    let ours = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    if !ours || !target[colon..].starts_with(b"://") {
        return Err(PeerErrorKind::Target);
    }
    let start = colon + 3;
    let rest = &target[start..];
    let len = rest
        .iter()
        .position(|b| matches!(b, b'/' | b'?'))
        .unwrap_or(rest.len());
    if host_of(&rest[..len]).is_none_or(|host| host == 0) {
        return Err(PeerErrorKind::Target);
    }
    let mut parts = path_and_query(target, start + len)?;
    parts.authority = Some(start..start + len);
    Ok(parts)
}

/// A path whose percent signs are not whole is refused: readers differ on what it decodes to, and
/// it names a resource. Queries are left as they came, for forms of old send such signs.
fn path_and_query(target: &[u8], start: usize) -> Result<Target, PeerErrorKind> {
    let (path, query) = match memchr::memchr(b'?', &target[start..]) {
        Some(mark) => (start..start + mark, Some(start + mark + 1..target.len())),
        None => (start..target.len(), None),
    };
    let text = &target[path.clone()];
    if !percent_signs_are_whole(text) || !is_path(text) {
        return Err(PeerErrorKind::Target);
    }
    let is_plain = text.starts_with(b"/") && !text.iter().any(|b| matches!(b, b'%' | b'.'));
    Ok(Target {
        authority: None,
        path,
        query,
        is_plain,
    })
}

/// The length of the host in `host [":" port]`, or nothing when this is no authority that we
/// take: user information is refused (RFC 9110 section 4.2.4), so are spaces, ports above 65535
/// and addresses in brackets that are none.
pub(super) fn host_of(authority: &[u8]) -> Option<usize> {
    let host_len = match authority.first() {
        Some(b'[') => memchr::memchr(b']', authority)? + 1,
        _ => memchr::memchr(b':', authority).unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(host_len);
    (is_host(host) && is_port(port)).then_some(host_len)
}

fn is_host(host: &[u8]) -> bool {
    if let Some(inner) = host.strip_prefix(b"[") {
        return inner.strip_suffix(b"]").is_some_and(is_ip_literal);
    }
    is_plain_host_name(host) || is_host_name(host) && percent_signs_are_whole(host)
}

/// `IPv6address` or `IPvFuture`, RFC 3986 section 3.2.2. Zone identifiers stay at home.
fn is_ip_literal(inner: &[u8]) -> bool {
    if let Some(future) = inner
        .strip_prefix(b"v")
        .or_else(|| inner.strip_prefix(b"V"))
    {
        let Some(dot) = memchr::memchr(b'.', future) else {
            return false;
        };
        let (version, address) = (&future[..dot], &future[dot + 1..]);
        return !version.is_empty()
            && version.iter().all(u8::is_ascii_hexdigit)
            && !address.is_empty()
            && address
                .iter()
                .all(|&b| b == b':' || (b != b'%' && is_host_name(&[b])));
    }
    std::str::from_utf8(inner).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Nothing, or a colon and digits up to 65535. `host:` is allowed by RFC 3986 section 3.2.3.
fn is_port(port: &[u8]) -> bool {
    let Some(digits) = port.strip_prefix(b":") else {
        return port.is_empty();
    };
    let mut value = 0_u32;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return false;
        }
        value = (value * 10 + u32::from(digit - b'0')).min(u32::from(u16::MAX) + 1);
    }
    value <= u32::from(u16::MAX)
}

/// Every `%` is followed by two hexadecimal digits.
fn percent_signs_are_whole(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'%', bytes).all(|at| {
        bytes
            .get(at + 1..at + 3)
            .is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
    })
}
