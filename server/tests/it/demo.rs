//! The built-in demo: page, stream, echo, counters.

use crate::harness::{SETUPS, Server};

#[test]
fn the_demo_shows_itself() {
    for setup in SETUPS {
        let server = Server::start_demo(setup);
        let page = server.get("/");
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));

        let mut client = server.connect();
        client.get("/stream");
        client.head();
        assert_eq!(client.part(), "cast off\n");
        assert_eq!(client.part(), "half way there\n");

        let mut client = server.connect();
        client.post("/echo/a?b=c", b"text");
        let seen: serde_json::Value = serde_json::from_str(&client.response().text()).unwrap();
        assert_eq!(
            (&seen["method"], &seen["path"]),
            (&"POST".into(), &"/echo/a".into())
        );
        assert_eq!(
            (&seen["query"], &seen["body"]),
            (&"b=c".into(), &"text".into())
        );

        let mut client = server.connect();
        client.get("/counters");
        assert_eq!(
            client.head().field("content-type"),
            Some("text/event-stream")
        );
        let event = client.part();
        let json = event.strip_prefix("data: ").unwrap().trim();
        let counters: serde_json::Value = serde_json::from_str(json).unwrap();
        for name in [
            "requests",
            "responses",
            "connections",
            "shuttles",
            "fibers",
            "pins",
        ] {
            assert!(counters[name].is_u64(), "{name} in {counters}");
        }
        drop(client);

        assert!(server.get("/nowhere").contains("nothing at /nowhere"));
        assert!(
            server
                .get("/error")
                .contains("Path handler execution error")
        );
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}
