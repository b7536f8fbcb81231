//! The cases of `conformance/cases.txt` against the whole server, in clear and through TLS.

use crate::harness::{SETUPS, Server};

#[path = "../../../conformance/judge.rs"]
mod judge;

use judge::{Case, cases};

/// Answers as the cases expect it.
pub(crate) const PROGRAM: &str = r"
require('httpng').cfg {
    handler = function(req, io)
        if req.path == '/echo' then return { body = req.body } end
        if req.path == '/204' then return { status = 204 } end
        if req.path == '/parts' then
            io:write('one')
            io:wait(3) -- else the length would be known in time
            io:write(' two', true)
            return
        end
        return { body = req.path }
    end,
}";

/// Asks for the end; what follows the answers of a case tells whether the connection stayed.
const LAST: &str = "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

fn check(server: &Server, case: &Case, cut: usize) {
    let mut client = server.connect();
    let (first, second) = case.input.split_at(cut);
    client.send_what_is_taken(first);
    client.send_what_is_taken(second);
    if case.stays {
        client.send_what_is_taken(LAST.as_bytes());
    }
    let got = client.rest();
    let setup = server.setup;
    let end = case
        .judge(&got)
        .unwrap_or_else(|e| panic!("{setup:?}: {e}"));
    let rest = String::from_utf8_lossy(&got[end..]);
    let name = &case.name;
    assert_eq!(
        rest.ends_with("/last"),
        case.stays,
        "{setup:?}: {name}: {rest:?}"
    );
    assert!(case.stays || rest.is_empty(), "{setup:?}: {name}: {rest:?}");
}

#[test]
fn every_case_in_clear_and_through_tls() {
    for setup in [SETUPS[1], SETUPS[4]] {
        let server = Server::start(PROGRAM, setup);
        for case in cases() {
            for cut in [0, case.input.len() / 2] {
                // What is about the scheme is about connections in clear.
                if !(setup.https && case.name.contains("in-clear")) {
                    check(&server, &case, cut);
                }
            }
        }
    }
}
