//! The cases of `conformance/http2.txt` against the worker: bytes in; frames out. Each whole, byte
//! by byte, and split in two at every byte behind the preface.

use std::io::Write as _;
use std::time::Duration;

use super::world::{Seen, Setup, World, respond};
use crate::core::Flush;

#[path = "../../../conformance/frames.rs"]
mod frames;
#[path = "../../../conformance/judge2.rs"]
mod judge2;

use judge2::{Case, cases};

/// Bytes of a case that are split at each place; longer ones at about as many.
const SPLITS: usize = 400;

/// Sends the case in these pieces. What is wrong, if something is.
fn check<'a>(
    world: &mut World,
    case: &Case,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<(), String> {
    let client = world.connect();
    for piece in pieces {
        if world.clients[client].seen == Seen::Open {
            // It may have heard enough.
            let _ = world.clients[client].stream.write_all(piece);
        }
        let turned = world.core.turn(Some(Duration::ZERO), Flush::Lazily);
        turned.expect("it polls");
    }
    respond(world);
    if case.stays() {
        world.ask(client, Case::last());
        respond(world);
    }
    let judged = case.judge(&world.clients[client].got);
    world.reset(client);
    respond(world);
    world.clients.clear();
    judged
}

fn check_in_all_ways(case: &Case) -> Result<(), String> {
    let input = &case.input[..];
    let mut world = World::new(Setup::default());
    check(&mut world, case, [input].into_iter())?;
    let step = input.len() / SPLITS + 1;
    check(&mut world, case, input.chunks(step)).map_err(|why| format!("in pieces: {why}"))?;
    for at in (frames::preface().len()..input.len()).step_by(step) {
        let (first, second) = input.split_at(at);
        check(&mut world, case, [first, second].into_iter())
            .map_err(|why| format!("split at {at}: {why}"))?;
    }
    world.check_balance();
    Ok(())
}

#[test]
fn every_case_of_http2_whole_and_split_anywhere() {
    let cases = cases();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let check_some = |some: &[Case]| -> Vec<String> {
            let judged = some.iter().map(check_in_all_ways);
            judged.filter_map(Result::err).collect()
        };
        let parts = cases.chunks(cases.len().div_ceil(4));
        let threads: Vec<_> = parts
            .map(|some| scope.spawn(move || check_some(some)))
            .collect();
        let ends = threads.into_iter().map(|thread| thread.join());
        ends.flat_map(|end| end.expect("no case panics")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_of_cases_of_http2_are_unique() {
    let mut names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}
