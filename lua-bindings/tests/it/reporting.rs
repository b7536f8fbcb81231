//! What `httpng.cfg` says of logs and names of requests, what handlers see of it, and what TX tells
//! of a request that failed.

use http_proto::Leg;
use lua_bindings::{AccessFormat, AccessLogConfig, MainStatus, ReportingConfig, Stage};

use crate::check::program_with;
use crate::world::{World, logged};

/// What the network side is asked for these options, or the error.
fn asked(options: &str) -> Result<ReportingConfig, String> {
    let mut world = World::new(Stage::Four);
    let program = format!("require('httpng').cfg{{ handler = function() end, {options} }}");
    match world.run(&program) {
        MainStatus::Finished => Ok(world.asked.borrow().starts[0].reporting.clone()),
        MainStatus::Failed(fault) => Err(fault.line().to_owned()),
        other => panic!("{other:?}"),
    }
}

fn log(file: Option<&str>, format: AccessFormat) -> ReportingConfig {
    ReportingConfig {
        access_log: Some(AccessLogConfig {
            file: file.map(Into::into),
            format,
        }),
        ..ReportingConfig::default()
    }
}

#[test]
fn options_become_what_the_network_side_is_asked() {
    use AccessFormat::{Combined, Json};
    let rows = [
        ("", ReportingConfig::default()),
        ("access_log = false", ReportingConfig::default()),
        ("access_log = box.NULL", ReportingConfig::default()),
        ("access_log = '-'", log(None, Combined)),
        ("access_log = {}", log(None, Combined)),
        ("access_log = 'a/b.log'", log(Some("a/b.log"), Combined)),
        (
            "access_log = { file = 'c', format = 'json' }",
            log(Some("c"), Json),
        ),
        (
            "request_id = true, trust_request_id = 1",
            ReportingConfig {
                access_log: None,
                sends_request_id: true,
                trusts_request_id: true,
            },
        ),
    ];
    for (options, wanted) in rows {
        assert_eq!(asked(options), Ok(wanted), "{options}");
        let warnings = logged();
        assert!(warnings.is_empty(), "{options}: {warnings:?}");
    }
    let _ = asked("access_log = { fiel = 'a' }");
    let warnings = logged().join("\n");
    assert!(
        warnings.contains("access_log has no option \"fiel\": it has no effect"),
        "{warnings}"
    );
    for wrong in ["true", "7", "{ format = 'x' }", "{ file = 'a\\0b' }", "''"] {
        let error = asked(&format!("access_log = {wrong}")).unwrap_err();
        assert!(error.contains("access_log"), "{wrong}: {error}");
    }
}

/// Serves one request with these fields: the answer as the worker gets it, and what was logged.
fn served(options: &str, handler: &str, fields: &[(&str, &str)]) -> (String, String) {
    let mut world = World::new(Stage::Four);
    let status = world.run(&program_with(options, handler));
    assert_eq!(status, MainStatus::Finished, "{:?}", logged());
    world.land();
    world.request("GET", "/", fields, b"");
    world.settle();
    let shuttle = world.worker().recv().expect("an answer");
    assert_eq!(shuttle.leg(), Leg::Answer);
    assert!(shuttle.taken_at.is_some(), "TX says when it took it");
    let kind = shuttle.response.fields().next();
    let kind = kind.map_or(&b""[..], |(_, value)| value);
    let text = format!(
        "{} {} {} {}",
        shuttle.response.status(),
        String::from_utf8_lossy(kind),
        shuttle.failure.unwrap_or("-"),
        String::from_utf8_lossy(&shuttle.part),
    );
    (text, logged().join("\n"))
}

#[test]
fn a_handler_knows_the_name_of_its_request() {
    let fields = [("X-Request-Id", "a-7")];
    let (text, _) = served("", "return { body = req.id }", &fields);
    assert_eq!(text, "200  - a-7");
    let (text, _) = served(
        "",
        "req:keep() return { body = rawget(req, 'id') }",
        &fields,
    );
    assert_eq!(text, "200  - a-7");
}

#[test]
fn a_failure_is_told_with_the_name_and_in_the_form_that_is_asked_for() {
    let fields = [("X-Request-Id", "a-7"), ("Accept", "application/json")];
    let (text, log) = served("", "error('<oops>', 0)", &fields);
    assert_eq!(
        text,
        "500 application/json the handler failed \
         {\"status\":500,\"error\":\"Path handler execution error\",\"request_id\":\"a-7\"}"
    );
    assert!(log.contains("error \"<oops>\" (request a-7)"), "{log}");
    let (text, _) = served("development = true,", "error('<oops>', 0)", &fields);
    assert!(text.contains("\"details\":\"<oops>\\n"), "{text}");
    let html = [("Accept", "text/html")];
    let (text, _) = served("development = true,", "error('<oops>', 0)", &html);
    assert!(text.contains("<pre>&lt;oops&gt;\n"), "{text}");
    let (text, _) = served("development = false,", "error('<oops>', 0)", &html);
    assert!(!text.contains("oops"), "{text}");
}
