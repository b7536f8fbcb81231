//! Which protocol a listener speaks, and how many streams at once.

use http_proto::h2::PREFACE;

use super::client2::{Client2, Script, frames};
use super::world::{Seen, Setup, World, respond};
use crate::limits::{STREAMS_COUNT, STREAMS_MAX_COUNT};
use crate::{Command, Limits};

/// Where HTTP/2 is not spoken its preface is what it is to HTTP/1: a request of another version.
#[test]
fn without_http2_its_preface_is_refused() {
    let mut world = World::new(Setup {
        http2: false,
        ..Setup::default()
    });
    for at in 0..PREFACE.len() {
        let client = world.connect();
        world.ask(client, &PREFACE[..at]);
        if world.clients[client].seen == Seen::Open {
            world.ask(client, &PREFACE[at..]);
        }
        let text = world.text(client);
        assert!(text.starts_with("HTTP/1.1 505 "), "split at {at}: {text}");
        assert!(text.ends_with("<end>"), "split at {at}: {text}");
    }
    let client = world.connect();
    world.ask(client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    respond(&mut world);
    assert!(world.text(client).ends_with("||/a<open>"));
    world.check_balance();
}

/// The first entry of its SETTINGS that says how many streams there may be.
fn announced(got: &[u8]) -> u32 {
    let payload = &got[9..9 + usize::from(got[2])];
    let mut entries = payload.chunks(6);
    let entry = entries.find(|entry| entry[..2] == [0, 3]).unwrap();
    u32::from_be_bytes(entry[2..].try_into().unwrap())
}

#[test]
fn so_many_streams_are_announced_and_let_in() {
    for (wanted, most) in [
        (0, 1),
        (1, 1),
        (5, 5),
        (STREAMS_COUNT, STREAMS_COUNT),
        (STREAMS_MAX_COUNT, STREAMS_MAX_COUNT),
        (STREAMS_MAX_COUNT + 1, STREAMS_MAX_COUNT),
    ] {
        let mut setup = Setup {
            berths: 4_000,
            ..Setup::default()
        };
        setup.limits.streams_count = wanted;
        let mut world = World::new(setup);
        let client = world.connect();
        let mut script = Script::new().settings();
        for count in 0..=u32::try_from(most).unwrap() {
            script = script.get(count * 2 + 1, "/a");
        }
        world.ask(client, script.bytes());
        let got = &world.clients[client].got;
        assert_eq!(announced(got), u32::try_from(most).unwrap());
        let refused = format!("RST_STREAM {} 7", most * 2 + 1);
        assert!(frames(got).contains(&refused), "{wanted}: {}", frames(got));
        assert_eq!(world.held.len(), most);
        respond(&mut world);
        world.check_balance();
    }
}

/// A reload counts for connections that come after it; those that are there keep their word.
#[test]
fn another_number_of_streams_is_for_new_connections() {
    let mut world = World::with(|limits| limits.streams_count = 2);
    let mut old = Client2::new(&mut world);
    let limits = Limits {
        streams_count: 1,
        ..Limits::default()
    };
    world.command(Command::Limits(Box::new(limits)));
    let calls = [old.get(&mut world, "/a"), old.get(&mut world, "/b")];
    assert_eq!(world.held.len(), 2);
    let client = world.connect();
    let script = Script::new().settings().get(1, "/c").get(3, "/d");
    world.ask(client, script.bytes());
    assert_eq!(announced(&world.clients[client].got), 1);
    assert_eq!(world.held.len(), 3);
    respond(&mut world);
    old.settle(&mut world);
    for call in calls {
        assert!(old.text(call).starts_with("200"));
    }
    world.check_balance();
}
