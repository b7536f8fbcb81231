//! What handlers can do, step by step.

use crate::check::check;

#[test]
fn hello() {
    let text = check("return {status = 200, body = 'x'}", "GET /\nauto");
    assert_eq!(text, "1 Answer 200 (1) \"x\"\n");
}
