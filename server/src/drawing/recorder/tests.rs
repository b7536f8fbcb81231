//! The recorder holds, lets go, and complains.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_proto::drawing::Mark;
use shuttle_core::Doorbell;

use super::super::gates::Gate;
use super::Recorder;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_side_is_held_until_the_other_came() {
    let recorder = Recorder::new(PATIENCE);
    let gate = Gate {
        at: Mark::CallWrite,
        nth: 2,
        after: false,
        until: Mark::BodyToClient,
        times: 1,
    };
    let mut tx = recorder.witness(vec![gate]);
    let mut worker = recorder.witness(Vec::new());
    let held = std::thread::spawn(move || {
        tx.mark(Mark::CallWrite, 7);
        tx.mark(Mark::CallWrite, 7);
    });
    assert!(recorder.wait_for(Mark::CallWrite, 1));
    worker.mark(Mark::SendBody, 7);
    worker.mark(Mark::BodyToClient, 7);
    held.join().unwrap();
    use Mark::{BodyToClient, CallWrite, SendBody};
    assert_eq!(
        recorder.marks(),
        [CallWrite, SendBody, BodyToClient, CallWrite]
    );
    assert!(recorder.complaints().is_empty());
}

#[test]
fn an_arrow_to_tx_counts_when_it_can_be_seen() {
    let recorder = Recorder::new(Duration::from_millis(1));
    let mut worker = recorder.witness(Vec::new());
    worker.mark(Mark::SendContinue, 7);
    assert!(
        !recorder.wait_for(Mark::SendContinue, 1),
        "told, but not sent"
    );
    worker.published(Mark::SendContinue, 7);
    assert!(recorder.wait_for(Mark::SendContinue, 1));
    assert_eq!(recorder.marks(), [Mark::SendContinue]);
}

#[test]
fn other_requests_are_not_recorded() {
    let recorder = Recorder::new(PATIENCE);
    let mut worker = recorder.witness(Vec::new());
    worker.mark(Mark::RequestArrives, 1);
    worker.mark(Mark::RequestArrives, 2);
    worker.mark(Mark::AllocateShuttle, 1);
    assert_eq!(
        recorder.marks(),
        [Mark::RequestArrives, Mark::AllocateShuttle]
    );
}

struct Bell(AtomicUsize);

impl Doorbell for Bell {
    fn ring(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn whoever_is_held_in_vain_complains_after_ringing() {
    let recorder = Recorder::new(Duration::from_millis(1));
    let bell = Arc::new(Bell(AtomicUsize::new(0)));
    recorder.add_bell(Arc::clone(&bell) as Arc<dyn Doorbell>);
    let gate = Gate {
        at: Mark::CallClose,
        nth: 1,
        after: true,
        until: Mark::SendClosed,
        times: 1,
    };
    recorder.witness(vec![gate]).mark(Mark::CallClose, 7);
    assert!(bell.0.load(Ordering::SeqCst) > 0);
    assert_eq!(recorder.complaints().len(), 1);
    assert_eq!(recorder.marks(), [Mark::CallClose]);
}
