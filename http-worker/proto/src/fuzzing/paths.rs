//! What must hold for any path and any sites.

use crate::sites::{Site, Sites, normalised};

/// `data` is paths between NULs: the last is asked for, the others are sites in their order.
///
/// # Panics
/// When the site that is found is another than a plain search in order finds, or a path that was
/// taken apart could still lead upwards.
pub fn site_of_path(data: &[u8]) {
    let mut parts: Vec<&[u8]> = data.split(|&byte| byte == 0).collect();
    let asked = parts.pop().unwrap_or_default();
    let paths = parts
        .iter()
        .filter_map(|part| std::str::from_utf8(part).ok());
    let sites = Sites::new(paths.enumerate().map(|(value, path)| Site {
        path: path.into(),
        value,
    }));
    let normal = normalised(asked);
    assert!(is_normal(&normal), "{asked:?} became {normal:?}");
    let found = sites.find(asked).map(|site| site.value);
    let first = sites.iter().find(|site| answers(&site.path, &normal));
    assert_eq!(found, first.map(|site| site.value), "{asked:?}");
}

/// No dot segment is left.
fn is_normal(path: &[u8]) -> bool {
    let mut segments = path.split(|&byte| byte == b'/').skip(1);
    segments.all(|segment| !matches!(segment, b"." | b".."))
}

/// The rule of prefixes in other words.
fn answers(prefix: &str, path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(prefix.as_bytes()) else {
        return prefix == "/";
    };
    let ends_in_slash = prefix.ends_with('/');
    prefix == "/" || rest.is_empty() || ends_in_slash || rest.starts_with(b"/")
}
