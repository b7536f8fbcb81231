//! The TX side of the drawings: what TX and its fibers do is what each member shows of them.

use http_proto::Mark;
use http_proto::drawing::{MarkKind, Member, Participant};
use lua_bindings::Stage;

use crate::check::Play;
use crate::world::World;

/// What a member shows of the TX side.
fn drawn(member: Member) -> Vec<Mark> {
    let is_ours = |mark: &Mark| {
        matches!(mark.kind().actor(), Participant::Fiber | Participant::Tx)
            && !matches!(
                mark.kind(),
                MarkKind::Arrow {
                    from: Participant::Client,
                    ..
                }
            )
    };
    member.marks().into_iter().filter(is_ours).collect()
}

fn compare(member: Member, stage: Stage, handler: &str, script: &str) {
    let mut play = Play::begin(World::watched(stage), handler);
    play.run(script);
    let marks = std::mem::take(&mut *play.world.marks.lock().unwrap());
    let text = play.end();
    assert_eq!(marks, drawn(member), "{}\n{text}", member.name());
}

const SEED: &str = "io:write_header(200, {}, ('a'):rep(2000)) io:_mark(1)\n\
                    io:write(('b'):rep(2000)) io:_mark(2) io:close() io:_mark(3)";

#[test]
fn simple_copied() {
    compare(
        Member::SimpleCopied,
        Stage::Three,
        "return {body = 'x'}",
        "GET /\nturn\nlook",
    );
}

#[test]
fn simple() {
    let script = "GET /\nturn\nlook\nclosed 1\nturn\nlook";
    compare(
        Member::Simple,
        Stage::Three,
        "return {body = ('x'):rep(4000)}",
        script,
    );
}

#[test]
fn stage_1() {
    let script = "GET /\nturn\nlook\ncontinue 1\nturn\nlook\ncontinue 1\nturn\nlook\nclosed 1\n\
                  turn\nlook";
    compare(Member::Stage1, Stage::One, SEED, script);
}

#[test]
fn stage_2_unlucky() {
    let script = "GET /\nturn\nlook\ncontinue 1\nturn\nlook\ncontinue 1\nturn\nlook\nclosed 1\n\
                  turn\nlook";
    compare(Member::Stage2Unlucky, Stage::Two, SEED, script);
}

#[test]
fn stage_2_lucky() {
    let handler = SEED.replace("io:_mark(2)", "io:_mark(2) fiber.sleep(1)");
    let script = "GET /\nturn\nlook\ncontinue 1\nturn\nlook\ncontinue 1\nturn\npass 1000\nlook\n\
                  closed 1\nturn\nlook";
    compare(Member::Stage2Lucky, Stage::Two, &handler, script);
}

#[test]
fn stage_3_in_time() {
    let script = "GET /\nturn\nlook\ncontinue 1\nturn\nlook\ncontinue 1\nturn\nlook";
    compare(Member::Stage3InTime, Stage::Three, SEED, script);
}

#[test]
fn stage_3_too_late() {
    let handler = SEED.replace(
        "io:_mark(2)",
        "io:_mark(2) while not G.go do fiber.sleep(0.001) end",
    );
    let mut play = Play::begin(World::watched(Stage::Three), &handler);
    play.run("GET /\nturn\nlook\ncontinue 1\nturn\nlook");
    play.late_close(1);
    play.run("turn\nlook\nclosed 1\nturn\nlook");
    let marks = std::mem::take(&mut *play.world.marks.lock().unwrap());
    play.end();
    assert_eq!(marks, drawn(Member::Stage3TooLate));
}

/// The worker's first Continue has left when the handler goes on at `G.go`.
fn compare_late(member: Member, handler: &str, script: &str) {
    let handler = handler.replace("WAIT", "while not G.go do fiber.sleep(0.001) end");
    let mut play = Play::begin(World::watched(Stage::Four), &handler);
    play.run("GET /\nturn\nlook");
    play.late_close(1);
    play.run(script);
    let marks = std::mem::take(&mut *play.world.marks.lock().unwrap());
    play.end();
    assert_eq!(marks, drawn(member));
}

#[test]
fn stage_4() {
    let handler = "io:write_header(200, {}, ('a'):rep(2000)) io:_mark(1)\n\
                   io:write(('b'):rep(2000)) io:_mark(2) WAIT\n\
                   io:write(('c'):rep(2000)) io:close() io:_mark(3)";
    compare_late(Member::Stage4, handler, "turn\nlook\nclosed 1\nturn\nlook");
}

#[test]
fn stage_4_limited() {
    let handler = "io.send_window = 3000\n\
                   io:write_header(200, {}, ('a'):rep(2000)) io:_mark(1) WAIT\n\
                   io:write(('b'):rep(2000)) io:_mark(2)\n\
                   io:write(('c'):rep(2000)) io:close() io:_mark(3)";
    let script = "turn\nlook\ncontinue 1\nturn\nlook\ncontinue 1\nturn\nlook";
    compare_late(Member::Stage4Limited, handler, script);
}

#[test]
fn cancel() {
    let handler = "fiber.sleep(1) io:write_header(200, {}, 'x') io:_mark(1)";
    let script = "GET /\nturn\ngone 1\nturn\npass 1000\nlook";
    let mut play = Play::begin(World::watched(Stage::Three), handler);
    play.run(script);
    let marks = std::mem::take(&mut *play.world.marks.lock().unwrap());
    play.end();
    // The handler is called before the client leaves here; the drawing says so too.
    assert_eq!(marks, drawn(Member::Cancel));
}

#[test]
fn cancel_away() {
    let handler = SEED.replace(" io:close() io:_mark(3)", "");
    let script = "GET /\nturn\nlook\nleave 1\nclosed 1\nturn\nlook";
    compare(Member::CancelAway, Stage::Three, &handler, script);
}

#[test]
fn upload() {
    let handler = "local first = req:read() io:_mark(1) return {body = first .. req:read()}";
    let script = "STREAM /\nturn\npiece 1 one\nturn\nlook\nlast 1 two\nturn\nlook";
    compare(Member::Upload, Stage::Three, handler, script);
}
