//! Files over HTTP/2.

use std::sync::Arc;
use std::time::Duration;

use http_proto::{Leg, Site};

use super::client2::Client2;
use super::world::{Setup, World, readable};
use crate::limits::HTTP2_FILES_COUNT;
use crate::{App, Command, FileOptions, Files, Routes, Serve};

/// A folder at `/f`, and the rest for TX.
fn served() -> (World, Client2, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small"), "0123456789").unwrap();
    std::fs::write(folder.path().join("large"), "x".repeat(3_000_000)).unwrap();
    let mut world = World::new(Setup::default());
    world.command(Command::Routes(routes(folder.path())));
    let client = Client2::new(&mut world);
    (world, client, folder)
}

fn routes(folder: &std::path::Path) -> Arc<Routes> {
    let files = Files::open(FileOptions::new(folder)).unwrap();
    let sites = [
        ("/f", Serve::Files(Arc::new(files))),
        ("/", Serve::App(App::default())),
    ];
    Arc::new(Routes::new(sites.map(|(path, value)| Site {
        path: path.into(),
        value,
    })))
}

/// Status and body of one answer.
fn ask(world: &mut World, client: &mut Client2, method: &str, path: &str) -> String {
    ask_with(world, client, method, path, &[])
}

fn ask_with(
    world: &mut World,
    client: &mut Client2,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> String {
    let stream = client.begin(method, path, fields, true);
    client.settle(world);
    assert_eq!(world.at_tx(), "", "it never travels");
    let text = client.text(stream);
    let (head, body) = text.split_once(" || ").unwrap();
    readable(format!("{} {body}", &head[..3]).as_bytes())
}

#[test]
fn files_are_answered_by_the_worker() {
    let (mut world, mut client, _folder) = served();
    let world = &mut world;
    let client = &mut client;
    assert_eq!(ask(world, client, "GET", "/f/small"), "200 0123456789<end>");
    assert_eq!(ask(world, client, "HEAD", "/f/small"), "200 <end>");
    let range = [("range", "bytes=2-4")];
    let text = ask_with(world, client, "GET", "/f/small", &range);
    assert_eq!(text, "206 234<end>");
    let ranges = [("range", "bytes=0-1,8-9")];
    let text = ask_with(world, client, "GET", "/f/small", &ranges);
    assert!(text.starts_with("206 ") && text.contains("89"), "{text}");
    assert!(ask(world, client, "GET", "/f/none").starts_with("404"));
    assert!(ask(world, client, "GET", "/f").starts_with("30"));
    assert!(ask(world, client, "DELETE", "/f/small").starts_with("405"));
    let text = ask(world, client, "GET", "/f/large");
    assert!(text.starts_with("200 [3000000 x]"), "{}", &text[..40]);
    assert!(text.ends_with("<end>"));
    world.check_balance();
}

/// Many at once take turns, few are open at a time, and one that is slow holds nobody up.
#[test]
fn many_files_at_once() {
    let (mut world, mut client, folder) = served();
    let path = folder.path().join("large");
    let open_count = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets = links.filter_map(|link| std::fs::read_link(link.unwrap().path()).ok());
        targets.filter(|target| *target == path).count()
    };
    let begin = |_| client.begin("GET", "/f/large", &[], true);
    let streams: Vec<usize> = (0..HTTP2_FILES_COUNT * 2).map(begin).collect();
    client.holds = streams.clone();
    client.settle(&mut world);
    assert!((1..=HTTP2_FILES_COUNT).contains(&open_count()));
    let app = client.get(&mut world, "/app");
    world.answer(200, "quick");
    client.settle(&mut world);
    assert!(client.text(app).ends_with("quick<end>"));
    client.reset(streams[0]);
    client.holds.clear();
    client.settle(&mut world);
    for &stream in &streams[1..] {
        assert!(client.text(stream).ends_with("[3000000 x]<end>"));
    }
    assert_eq!(open_count(), 0);
    world.check_balance();
}

#[test]
fn a_slow_reader_of_a_file_is_reset_and_a_file_that_shrinks_too() {
    let (mut world, mut client, folder) = served();
    let slow = client.begin("GET", "/f/large", &[], true);
    let shrunk = client.begin("GET", "/f/large", &[], true);
    client.holds = vec![slow, shrunk];
    client.settle(&mut world);
    std::fs::write(folder.path().join("large"), "short").unwrap();
    client.holds = vec![slow];
    client.settle(&mut world);
    assert!(client.text(shrunk).ends_with("<reset INTERNAL_ERROR>"));
    world.pass(Duration::from_secs(31));
    client.holds.clear();
    client.settle(&mut world);
    assert!(client.text(slow).ends_with("<reset CANCEL>"));
    world.check_balance();
}

/// Sites are replaced while a request is on its way: it is answered as the new ones say.
#[test]
fn a_request_that_was_for_files_all_along_is_turned_back() {
    let (mut world, mut client, folder) = served();
    world.command(Command::Routes(Arc::default()));
    let stream = client.get(&mut world, "/f/small");
    assert_eq!(world.at_tx(), "Request /f/small");
    world.command(Command::Routes(routes(folder.path())));
    let mut shuttle = world.take();
    shuttle.is_elsewhere = true;
    shuttle.advance(Leg::Release).unwrap();
    world.send(shuttle);
    client.settle(&mut world);
    assert!(client.text(stream).ends_with("0123456789<end>"));
    world.check_balance();
}
