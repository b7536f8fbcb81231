//! What a place for requests keeps of a body.

use super::*;

#[test]
fn memory_of_a_piece_is_kept_up_to_a_bound() {
    for (capacity, kept) in [
        (BODY_KEEP_BYTES, BODY_KEEP_BYTES),
        (BODY_KEEP_BYTES + 1, BODY_KEEP_BYTES),
    ] {
        let mut intake = Intake {
            piece: Vec::with_capacity(capacity),
            whole: vec![0; 10],
            ..Intake::default()
        };
        intake.piece.extend_from_slice(b"abc");
        intake.reset();
        assert_eq!(intake.piece.capacity(), kept);
        assert_eq!((intake.piece.len(), intake.whole.capacity()), (0, 0));
    }
}
