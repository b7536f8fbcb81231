//! Model 8: the handler is swapped while requests travel. Each request carries the number of the
//! handler that was there when it boarded; the old handler goes when the last shuttle that may use
//! it is home.

use loom::cell::Cell;
use loom::sync::Arc;

use super::pair::{at_tx, at_worker, pair};
use crate::{TxShore, WorkerShore};

/// Two handlers. Nothing but the protocol keeps one from running while, or after, it is destroyed.
struct Handlers([Cell<bool>; 2]);

impl Handlers {
    fn run(&self, nth: u8) {
        assert!(self.0[usize::from(nth)].get(), "a destroyed handler ran");
    }

    fn destroy(&self, nth: u8) {
        self.0[usize::from(nth)].set(false);
    }
}

fn board(shore: &mut WorkerShore<u8>, handler: u8) {
    let mut shuttle = shore.board().unwrap();
    *shuttle = handler;
    shore.send(shuttle);
}

/// Receives whatever is home; the old handler goes with the last shuttle of the old time.
#[test]
fn loom_swap_waits_for_the_last_trip_r35_r36() {
    loom::model(|| {
        let handlers = Arc::new(Handlers([Cell::new(true), Cell::new(true)]));
        let tx_handlers = Arc::clone(&handlers);
        let (mut shore, tx) = pair(2, move |mut shore: TxShore<u8>| {
            for _ in 0..2 {
                let shuttle = at_tx(&mut shore);
                tx_handlers.run(*shuttle);
                shore.send(shuttle);
            }
        });
        board(&mut shore, 0);
        if cfg!(mutate = "destroy_at_swap") {
            handlers.destroy(0);
        }
        board(&mut shore, 1);
        for _ in 0..2 {
            let shuttle = at_worker(&mut shore);
            let handler = *shuttle;
            shore.release(shuttle);
            if !cfg!(mutate = "destroy_at_swap") || handler == 1 {
                handlers.destroy(handler);
            }
        }
        assert_eq!(shore.travelling(), 0);
        tx.join().unwrap();
    });
}

/// The handler as shared property, travelling in the cargo: gone with its last owner, wherever it
/// is.
#[test]
fn loom_swap_last_owner_drops_r24_r35() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, |mut shore: TxShore<Option<Arc<u8>>>| {
            let mut shuttle = at_tx(&mut shore);
            let handler = shuttle.take().expect("R3: published whole");
            assert_eq!(*handler, 1);
            drop(shuttle);
        });
        let handler = Arc::new(1);
        let mut shuttle = shore.board().unwrap();
        *shuttle = Some(Arc::clone(&handler));
        shore.send(shuttle);
        drop(handler);
        let shuttle = at_worker(&mut shore);
        assert!(shuttle.is_none());
        shore.release(shuttle);
        tx.join().unwrap();
    });
}
