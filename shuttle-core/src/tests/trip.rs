//! One thread, both shores: what each call promises.

use std::sync::Arc;

use crate::{NoBell, TxShore, WorkerShore, link};

fn shores(berths: u16) -> (WorkerShore<Vec<u8>>, TxShore<Vec<u8>>) {
    let (worker, tx) = link(berths, Arc::new(NoBell), Arc::new(NoBell));
    (worker.land(), tx.land())
}

#[test]
fn a_trip_there_and_back() {
    let (mut worker, mut tx) = shores(2);
    let mut shuttle = worker.board().unwrap();
    let id = shuttle.berth();
    shuttle.extend_from_slice(b"request");
    worker.send(shuttle);
    let mut shuttle = tx.recv().unwrap();
    assert_eq!(**shuttle, *b"request");
    assert_eq!(shuttle.berth(), id);
    shuttle.clear();
    shuttle.extend_from_slice(b"response");
    tx.send(shuttle);
    let shuttle = worker.recv().unwrap();
    assert_eq!(**shuttle, *b"response");
    assert_eq!(worker.travelling(), 1);
    worker.release(shuttle);
    assert_eq!(worker.travelling(), 0);
    assert!(tx.client_gone(id));
}
