//! Drawings in a file.

use http_proto::drawing::Mark;

use super::super::{Shore, Watch as _};
use super::DrawFile;

#[test]
fn each_request_is_drawn_when_it_is_over() {
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("drawn.txt");
    let drawing = DrawFile::create(&path).unwrap();
    let (mut worker, mut tx) = (drawing.witness(Shore::Worker), drawing.witness(Shore::Tx));
    worker.mark(Mark::RequestArrives, 1);
    worker.mark(Mark::RequestArrives, 2);
    tx.mark(Mark::ShuttleToFiber, 1);
    worker.mark(Mark::FreeShuttle, 2);
    worker.mark(Mark::FreeShuttle, 1);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.matches("title ").count(),
        1,
        "the fiber of the other still runs"
    );
    assert!(
        !text.contains("->*Per-request fiber"),
        "that was the other request: {text}"
    );
    tx.mark(Mark::ExitFiber, 1);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("title httpng, request").count(), 2, "{text}");
    worker.mark(Mark::RequestArrives, 3);
    for mark in [Mark::AllocateBodyShuttle, Mark::FreeShuttle] {
        worker.mark(mark, 3);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.matches("title ").count(),
        2,
        "the shuttle of its body is not free yet"
    );
    drop((worker, tx, drawing));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.matches("title httpng, request").count(),
        3,
        "what was cut is kept"
    );
}
