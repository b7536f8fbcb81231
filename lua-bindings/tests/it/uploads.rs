//! Forms and JSON in sites that stream: read as they arrive.

use std::io::Read as _;
use std::path::Path;

use lua_bindings::Stage;
use proptest::prelude::*;

use crate::check::Play;
use crate::world::World;

const MULTIPART: &[(&str, &str)] = &[("content-type", "multipart/form-data; boundary=XX")];
const URLENCODED: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

/// What is in the log, and in the end of everything.
fn ask(handler: &str, fields: &[(&str, &str)], act: impl FnOnce(&mut Play)) -> String {
    // A body that is wanted whole may have no more than that.
    let mut play = Play::begin_with(World::new(Stage::Four), "max_body_len = 1000,", handler);
    play.stream("/", fields);
    play.run("turn\nlook");
    act(&mut play);
    let text = play.end();
    assert!(!text.contains("ERROR"), "{text}");
    text
}

/// Bytes that differ from place to place.
fn content(len: usize) -> String {
    (0u32..)
        .flat_map(|n| n.to_string().into_bytes())
        .map(char::from)
        .take(len)
        .collect()
}

fn multipart(file: &str) -> String {
    format!(
        "--XX\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nlarge\r\n\
         --XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"l.bin\"\r\n\r\n{file}\r\n\
         --XX--\r\n"
    )
}

/// Shows the form, and keeps where its file was.
const SHOW: &str = "local form, why, status = req:form()\n\
    if not form then log.info('none: %s, %s', why, status) return end\n\
    local f = form.f\n\
    log.info('%s %s %d %s', form.title, f.filename, f.size, f:read() == G.content)\n\
    log.info('path %s', f.path)";

fn keep_content(content: &str) -> String {
    format!("G.content = [[{content}]]\n{SHOW}")
}

#[test]
fn a_file_larger_than_bodies_in_memory_goes_to_the_disk_as_it_arrives() {
    for len in [0, 1, 1000, 300_000] {
        for size in [777, 65_536] {
            let content = content(len);
            let body = multipart(&content);
            let text = ask(&keep_content(&content), MULTIPART, |play| {
                play.send_body(1, body.as_bytes(), size, true);
            });
            let line = format!("INFO lua: large l.bin {len} true\n");
            assert!(text.contains(&line), "{len}, {size}: {text}");
            let path = text
                .split("path ")
                .nth(1)
                .and_then(|rest| rest.lines().next());
            assert!(!Path::new(path.expect("it says where")).exists());
        }
    }
}

#[test]
fn what_follows_the_end_of_a_form_is_not_waited_for() {
    let body = multipart("x");
    let form = body.trim_end().as_bytes();
    let text = ask(&keep_content("x"), MULTIPART, |play| {
        play.send_body(1, form, form.len(), false);
        let line = "INFO lua: large l.bin 1 true\n";
        assert!(play.text().contains(line), "{}", play.text());
        play.send_body(1, b"\r\n", 1, true);
    });
    assert!(text.ends_with("1 body Release\n"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_any_size_give_the_same_form(len in 0..3000usize, size in 1..400usize) {
        let content = content(len);
        let body = multipart(&content);
        let text = ask(&keep_content(&content), MULTIPART, |play| {
            play.send_body(1, body.as_bytes(), size, true);
        });
        let line = format!("INFO lua: large l.bin {len} true\n");
        prop_assert!(text.contains(&line), "{}, {}: {}", len, size, text);
    }
}

#[test]
fn urlencoded_forms_arrive_alike_and_have_a_bound_of_their_own() {
    let handler = "local form, why, status = req:form { max_fields_bytes = 2000 }\n\
                   log.info('%s %s %s', form and #form.a, why, status)";
    for (len, wanted) in [
        (1998, "1998 nil nil"),
        (
            1999,
            "nil the form: its fields have more than 2000 bytes 413",
        ),
    ] {
        let body = format!("a={}", "x".repeat(len));
        let text = ask(handler, URLENCODED, |play| {
            play.send_body(1, body.as_bytes(), 300, true);
        });
        assert!(text.contains(&format!("INFO lua: {wanted}\n")), "{text}");
    }
}

#[test]
fn a_form_that_does_not_become_whole_is_the_clients_mistake() {
    for (fault, status) in [
        ("closed", 400),
        ("silent", 408),
        ("too large", 413),
        ("malformed", 400),
    ] {
        for (fields, body) in [
            // So much that a part of the file is on the disk already.
            (MULTIPART, multipart(&content(200_000))),
            (URLENCODED, "a=b&c".to_owned()),
        ] {
            let text = ask(SHOW, fields, |play| {
                play.send_body(1, &body.as_bytes()[..body.len() - 5], 65_536, false);
                play.run(&format!("fault 1 {fault}\nturn\nlook"));
            });
            let line = format!("none: the request body is not complete: {fault}, {status}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
    let cut = multipart("x");
    let text = ask(SHOW, MULTIPART, |play| {
        play.send_body(1, &cut.as_bytes()[..cut.len() - 8], 100, true);
    });
    assert!(
        text.contains("none: the form: field \"f\" received with incomplete data, 400"),
        "{text}"
    );
}

/// How many temporary files begin with this.
fn temporary_files(beginning: &str) -> usize {
    let begins = |path: &Path| {
        let mut bytes = vec![0; beginning.len()];
        std::fs::File::open(path)
            .and_then(|mut file| file.read_exact(&mut bytes))
            .is_ok_and(|()| bytes == beginning.as_bytes())
    };
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && begins(path))
        .count()
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_no_file() {
    let mark = format!("left in the middle by {}", std::process::id());
    let body = multipart(&format!("{mark}{}", content(400_000)));
    for (options, end, wanted) in [
        (
            "",
            "fault 1 closed\nturn",
            "none: the request body is not complete: closed, 400",
        ),
        (
            "cancel_on_disconnect = true,",
            "gone 1\nturn\npass 2",
            "was cancelled",
        ),
    ] {
        let mut play = Play::begin_with(World::new(Stage::Four), options, SHOW);
        play.stream("/", MULTIPART);
        play.run("turn\nlook");
        play.send_body(1, &body.as_bytes()[..300_000], 65_536, false);
        assert_eq!(temporary_files(&mark), 1);
        play.run(end);
        assert!(play.text().contains(wanted), "{}", play.text());
        assert_eq!(temporary_files(&mark), 0);
        let text = play.end();
        assert!(!text.contains("ERROR"), "{text}");
    }
}

#[test]
fn what_else_was_done_with_the_body_matters() {
    const PIECES: &str = "the request body was read in pieces";
    for (before, streamed, whole) in [
        // Who has read a part has the rest only.
        ("req:read(2)", PIECES, PIECES),
        // A whole body is here, and is a form as well.
        ("local _ = req.body", "2", "2"),
        ("local _ = req.body req.body = nil", "2", "2"),
        ("req:json()", "2", "2"),
        ("req:form()", PIECES, "2"),
        (
            "fiber.create(pcall, function() return req.body end)",
            "the request body is being read as a whole",
            "2",
        ),
    ] {
        let handler = format!(
            "{before} fiber.sleep(0.001)\n\
             local ok, form = pcall(req.form, req)\n\
             log.info('form: %s', ok and form.b or form)"
        );
        let text = ask(&handler, URLENCODED, |play| {
            play.run("piece 1 a=1\nturn\nlook\npass 1\nlast 1 &b=2\npass 1\nlook");
        });
        assert!(
            text.contains(&format!("form: {streamed}\n")),
            "{before}: {text}"
        );
        // In other sites nothing is used up but by reading in pieces.
        let mut play = Play::begin(World::new(Stage::Four), &handler);
        play.world.request("POST", "/", URLENCODED, b"a=1&b=2");
        play.run("pass 1\nauto");
        let text = play.end();
        assert!(
            text.contains(&format!("form: {whole}\n")),
            "{before}: {text}"
        );
    }
}

#[test]
fn json_waits_for_the_whole_body_and_its_faults_are_the_clients() {
    let handler = "local value, why, status = req:json()\n\
                   log.info('%s %s %s', value and value.a, why, status)\n\
                   value, why, status = req:json() log.info('again %s %s', why, status)";
    for (script, wanted) in [
        ("piece 1 {\"a\":\nturn\nlook\nlast 1 7}\nturn", "7 nil nil"),
        (
            "piece 1 {\"a\":\nturn\nlook\nlast 1 7\nturn",
            "nil the body is no JSON",
        ),
        ("last 1\nturn", "nil the body is empty, not JSON 400"),
        (
            "piece 1 {\nturn\nlook\nfault 1 silent\nturn",
            "nil the request body is not complete: silent 408",
        ),
        (
            "piece 1 {\nturn\nlook\nfault 1 closed\nturn",
            "nil the request body is not complete: closed 400",
        ),
    ] {
        let text = ask(handler, &[], |play| play.run(script));
        assert!(
            text.contains(&format!("INFO lua: {wanted}")),
            "{script}: {text}"
        );
        let again = wanted.split_once(' ').map_or("", |(_, why)| why);
        assert!(
            text.contains(&format!("INFO lua: again {again}")),
            "{script}: {text}"
        );
    }
    // More than is taken into memory.
    let text = ask(handler, &[], |play| {
        play.send_body(
            1,
            format!("{{\"a\":\"{}\"}}", "x".repeat(1000)).as_bytes(),
            300,
            true,
        );
    });
    assert!(text.contains("not complete: too large 413"), "{text}");
    // That pieces were read is a mistake of the program.
    let handler = "req:read(1) log.info('%s', select(2, pcall(req.json, req)))";
    let text = ask(handler, &[], |play| play.run("last 1 {}\nturn\nlook"));
    assert!(
        text.contains("the request body was read in pieces"),
        "{text}"
    );
}
