//! What is opened of a folder, and what is not, by the kernel's way and by the other.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::io::Errno;
use tempfile::TempDir;

use super::folder::{Folder, Found};

/// A folder `www` with this and that, beside a file that must never be opened.
fn made() -> TempDir {
    let outside = tempfile::tempdir().unwrap();
    let www = outside.path().join("www");
    fs::create_dir_all(www.join("a/b")).unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::write(www.join("file"), "file").unwrap();
    fs::write(www.join("a/b/deep"), "deep").unwrap();
    fs::write(
        www.join(std::ffi::OsStr::from_bytes(b"odd \xff\n\\")),
        "odd",
    )
    .unwrap();
    let link = |target: &Path, name: &str| symlink(target, www.join(name)).unwrap();
    link(Path::new("file"), "in");
    link(Path::new("../file"), "a/up");
    link(Path::new("a/../file"), "round");
    link(&www.join("file"), "absolute");
    link(&www.join("a"), "absolute-folder");
    link(Path::new("../secret"), "out");
    link(&outside.path().join("secret"), "absolute-out");
    link(outside.path(), "folder-out");
    link(Path::new("../www/file"), "out-and-in");
    link(Path::new("/proc/self/fd/0"), "magic");
    link(Path::new("loop"), "loop");
    link(Path::new("nowhere"), "broken");
    rustix::fs::mkfifoat(
        File::open(&www).unwrap(),
        "pipe",
        rustix::fs::Mode::from_raw_mode(0o644),
    )
    .unwrap();
    let _ = std::os::unix::net::UnixListener::bind(www.join("socket")).unwrap();
    outside
}

fn show(found: Result<Found, Errno>) -> String {
    match found {
        Ok(Found::File(file)) => {
            let mut text = Vec::new();
            assert!(file.append(0..file.length, &mut text));
            String::from_utf8(text).unwrap()
        }
        Ok(other) => format!("{other:?}"),
        Err(errno) => name(errno).to_owned(),
    }
}

fn name(errno: Errno) -> &'static str {
    match errno {
        Errno::NOENT => "NOENT",
        Errno::NOTDIR => "NOTDIR",
        Errno::LOOP => "LOOP",
        Errno::NAMETOOLONG => "NAMETOOLONG",
        Errno::NXIO => "NXIO",
        other => panic!("{other}"),
    }
}

/// What a name leads to, whichever way it is opened.
#[track_caller]
fn check(folder: &Folder, name: &[u8], expected: &str) {
    let text = name.escape_ascii();
    assert_eq!(show(folder.find(name)), expected, "{text}");
    let checked = folder.open_checked(name).and_then(Folder::judge);
    assert_eq!(show(checked), expected, "{text}, checked");
}

#[test]
fn what_is_in_the_folder_is_found() {
    let made = made();
    let folder = Folder::open(&made.path().join("www")).unwrap();
    check(&folder, b"file", "file");
    check(&folder, b"a/b/deep", "deep");
    check(&folder, b"odd \xff\n\\", "odd");
    check(&folder, b"a", "Folder");
    check(&folder, b"a/b", "Folder");
    check(&folder, b"none", "NOENT");
    check(&folder, b"file/x", "NOTDIR");
    check(&folder, "x".repeat(300).as_bytes(), "NAMETOOLONG");
}

#[test]
fn links_within_are_followed() {
    let made = made();
    let folder = Folder::open(&made.path().join("www")).unwrap();
    check(&folder, b"in", "file");
    check(&folder, b"a/up", "file");
    check(&folder, b"round", "file");
    check(&folder, b"absolute", "file");
    check(&folder, b"absolute-folder/b/deep", "deep");
    check(&folder, b"loop", "LOOP");
    check(&folder, b"broken", "NOENT");
}

#[test]
fn links_that_lead_out_are_not_there() {
    let made = made();
    let folder = Folder::open(&made.path().join("www")).unwrap();
    check(&folder, b"out", "NOENT");
    check(&folder, b"absolute-out", "NOENT");
    check(&folder, b"folder-out/secret", "NOENT");
    check(&folder, b"folder-out", "NOENT");
    // By a name that may be another folder's tomorrow, but today it is ours.
    check(&folder, b"out-and-in", "file");
    let magic = show(folder.find(b"magic"));
    assert!(["NOENT", "LOOP"].contains(&magic.as_str()), "{magic}");
}

#[test]
fn names_that_lead_out_by_themselves_are_not_there() {
    // No path of a request makes such a name; the folder does not rely on that.
    let made = made();
    let folder = Folder::open(&made.path().join("www")).unwrap();
    check(&folder, b"../secret", "NOENT");
    check(&folder, b"a/../../secret", "NOENT");
    let absolute = made.path().join("secret");
    check(&folder, absolute.as_os_str().as_bytes(), "NOENT");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let made = made();
    let folder = Folder::open(&made.path().join("www")).unwrap();
    check(&folder, b"pipe", "Other");
    check(&folder, b"socket", "NXIO");
}

#[test]
fn a_folder_knows_whether_it_is_still_the_one() {
    let made = made();
    let www = made.path().join("www");
    let folder = Folder::open(&www).unwrap();
    assert!(folder.is_current());
    fs::rename(&www, made.path().join("old")).unwrap();
    assert!(!folder.is_current());
    fs::create_dir(&www).unwrap();
    assert!(!folder.is_current());
    assert_eq!(show(folder.find(b"file")), "file");
}

#[test]
fn another_version_has_another_tag() {
    let made = made();
    let www = made.path().join("www");
    let folder = Folder::open(&www).unwrap();
    let tag = || match folder.find(b"file") {
        Ok(Found::File(file)) => file.entity_tag.clone(),
        other => panic!("{other:?}"),
    };
    let first = tag();
    assert_eq!(tag(), first, "nothing has changed");
    // As long, and as old.
    let time = fs::metadata(www.join("file")).unwrap().modified().unwrap();
    let put = |name: &str| {
        fs::write(www.join(name), "eLif").unwrap();
        let file = File::options().write(true).open(www.join(name)).unwrap();
        file.set_modified(time).unwrap();
    };
    put("new");
    fs::rename(www.join("new"), www.join("file")).unwrap();
    let second = tag();
    assert_ne!(second, first, "another file of that name");
    let file = File::options().write(true).open(www.join("file")).unwrap();
    file.set_modified(time + std::time::Duration::from_nanos(1))
        .unwrap();
    assert_ne!(tag(), second, "another time");
}
