//! In which order answers are sent when the client says how urgent they are (RFC 9218).

use super::client2::Client2;
use super::world::{Setup, World, respond};

/// As many of 1 MiB fill all buffers between the worker and a client that does not read.
const FILLERS: usize = 8;

/// Frames between the ends of answers that shared; each has 64 or more of its own.
const TOGETHER: usize = 32;

/// Answers of 1 MiB each, asked for while earlier ones have filled all buffers on the way. Their
/// values of `Priority` ("-": no such field), and the order in which their last bytes come; of
/// those that share and so end together, the order of their numbers.
fn check(values: &[&str], expected: &str) {
    let mut world = World::new(Setup {
        berths: 64,
        ..Setup::default()
    });
    let mut client = Client2::slow(&mut world);
    for _ in 0..FILLERS {
        client.begin("GET", "/large", &[("priority", "u=0")], true);
    }
    client.settle(&mut world);
    respond(&mut world);
    for value in values {
        let field = [("priority", *value)];
        let fields = if *value == "-" { &[][..] } else { &field };
        client.begin("GET", "/large", fields, true);
    }
    client.settle(&mut world);
    respond(&mut world);
    world.clients[client.client].appetite = usize::MAX;
    client.settle(&mut world);
    while !world.held.is_empty() {
        respond(&mut world);
        client.settle(&mut world);
    }
    assert_eq!(ends(&client.got), expected, "{values:?}");
    world.check_balance();
}

/// The streams after the fillers in the order of their last frames with data. Those that ended
/// nearly together are one group.
fn ends(bytes: &[u8]) -> String {
    let mut last = Vec::new();
    let (mut at, mut number) = (0, 0);
    while let Some(head) = bytes.get(at..at + 9) {
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) as usize;
        let stream = stream / 2;
        if head[3] == 0 && len > 0 && stream >= FILLERS {
            last.retain(|&(_, other)| other != stream);
            last.push((number, stream));
            number += 1;
        }
        at += 9 + len;
    }
    let mut groups = Vec::new();
    for group in last.chunk_by(|a, b| b.0 - a.0 <= TOGETHER) {
        let mut group: Vec<_> = group.iter().map(|&(_, stream)| stream - FILLERS).collect();
        group.sort_unstable();
        let group: Vec<_> = group.iter().map(usize::to_string).collect();
        groups.push(group.join("+"));
    }
    groups.join(" ")
}

#[test]
fn the_more_urgent_come_first() {
    check(&["u=5", "-", "u=1", "u=7, i"], "2 1 0 3");
}

#[test]
fn the_equally_urgent_share_or_follow_each_other() {
    check(&["-", "-", "-"], "0+1+2");
    check(&["u=2, i", "u=2, i", "u=1"], "2 0+1");
    check(&["u=2", "u=2", "u=2"], "0 1 2");
}
