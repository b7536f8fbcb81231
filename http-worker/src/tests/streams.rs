//! HTTP/2: any interleaving of streams gives each its own bytes.

use proptest::prelude::*;

use super::client2::Client2;
use super::world::{Setup, World};

/// Something that happens on one of the streams.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// The client sends so many bytes more.
    Send(usize, usize),
    /// The client ends its body.
    End(usize),
    /// The other shore sends so many bytes more, or answers at once.
    Write(usize, usize),
    /// The client leaves the stream.
    Reset(usize),
    /// The client reads this stream, or stops reading it.
    Hold(usize),
}

fn op(streams: usize) -> impl Strategy<Value = Op> {
    let stream = 0..streams;
    let size = prop_oneof![0..10_usize, 0..40_000_usize];
    prop_oneof![
        4 => (stream.clone(), size.clone()).prop_map(|(stream, size)| Op::Send(stream, size)),
        2 => stream.clone().prop_map(Op::End),
        4 => (stream.clone(), size).prop_map(|(stream, size)| Op::Write(stream, size)),
        1 => stream.clone().prop_map(Op::Reset),
        1 => stream.prop_map(Op::Hold),
    ]
}

/// What is to be true of one stream.
#[derive(Default)]
struct Model {
    call: usize,
    sent: Vec<u8>,
    is_ended: bool,
    is_left: bool,
    is_done: bool,
    answered: Vec<u8>,
}

/// Bytes that tell the stream and the place.
fn bytes(stream: usize, from: usize, len: usize) -> Vec<u8> {
    let letter = |at: usize| b'A' + ((stream * 7 + at) % 26) as u8;
    (from..from + len).map(letter).collect()
}

struct Run {
    world: World,
    client: Client2,
    models: Vec<Model>,
}

impl Run {
    fn new(streams: usize) -> Self {
        let mut world = World::new(Setup::default());
        let mut client = Client2::new(&mut world);
        let begin = |stream: usize| Model {
            call: client.begin("POST", &format!("/{stream}"), &[], false),
            ..Model::default()
        };
        let models = (0..streams).map(begin).collect();
        Self {
            world,
            client,
            models,
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Send(stream, size) => self.send(stream, size, false),
            Op::End(stream) => self.send(stream, 0, true),
            Op::Write(stream, size) => self.write(stream, size, false),
            Op::Reset(stream) => {
                self.client.reset(self.models[stream].call);
                self.models[stream].is_left = true;
            }
            Op::Hold(stream) => {
                let call = self.models[stream].call;
                match self.client.holds.iter().position(|&held| held == call) {
                    Some(at) => drop(self.client.holds.remove(at)),
                    None => self.client.holds.push(call),
                }
            }
        }
        self.client.settle(&mut self.world);
    }

    fn send(&mut self, stream: usize, size: usize, ends: bool) {
        let model = &mut self.models[stream];
        if model.is_ended || model.is_left {
            return;
        }
        let piece = bytes(stream, model.sent.len(), size);
        model.sent.extend_from_slice(&piece);
        model.is_ended = ends;
        self.client.send(model.call, &piece, ends);
    }

    /// Gives a part if the shuttle is at TX.
    fn write(&mut self, stream: usize, size: usize, last: bool) {
        let path = format!("/{stream}");
        let held = self.world.held.iter();
        let mut paths = held.map(|shuttle| shuttle.request.path() == path.as_bytes());
        let Some(at) = paths.position(|is_it| is_it) else {
            return;
        };
        let model = &mut self.models[stream];
        let mut shuttle = self.world.held.remove(at);
        shuttle.unpin();
        if shuttle.leg() == http_proto::Leg::Closed {
            assert!(model.is_left || model.is_done, "nobody else closes early");
            shuttle.advance(http_proto::Leg::Release).unwrap();
            return self.world.send(shuttle);
        }
        if shuttle.leg() == http_proto::Leg::Request {
            assert_eq!(shuttle.body, model.sent, "the body of {stream}");
            shuttle.write_head(200, &[]).unwrap();
        }
        let piece = bytes(stream + 13, model.answered.len(), size);
        shuttle.write(&piece, last).unwrap();
        model.answered.extend_from_slice(&piece);
        model.is_done = last;
        self.world.send(shuttle);
    }

    fn finish(mut self) {
        self.client.holds.clear();
        for stream in 0..self.models.len() {
            self.step(Op::End(stream));
        }
        for stream in 0..self.models.len() {
            self.write(stream, 5, true);
            self.client.settle(&mut self.world);
            self.write(stream, 0, true);
            self.client.settle(&mut self.world);
        }
        for (stream, model) in self.models.iter().enumerate() {
            let text = self.client.text(model.call);
            if model.is_left {
                continue;
            }
            let answered = String::from_utf8(model.answered.clone()).unwrap();
            let body = text.split_once(" || ").expect("a head").1;
            assert!(body == answered + "<end>", "the answer of {stream}");
        }
        self.world.check_balance();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_stream_gets_its_own_bytes(
        streams in 1..6_usize,
        ops in proptest::collection::vec(op(6), 0..40),
    ) {
        let mut run = Run::new(streams);
        for op in ops {
            let is_here = |stream| stream < streams;
            match op {
                Op::Send(stream, _) | Op::End(stream) | Op::Write(stream, _) | Op::Reset(stream)
                | Op::Hold(stream) if is_here(stream) => run.step(op),
                _ => {}
            }
        }
        run.finish();
    }
}
