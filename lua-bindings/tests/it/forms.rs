//! What a request says beyond its fields: parameters, cookies, JSON, forms with files.

use std::path::Path;

use lua_bindings::Stage;

use crate::check::Play;
use crate::world::World;

const MULTIPART: (&str, &str) = ("content-type", "multipart/form-data; boundary=XX");
const URLENCODED: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What a handler that returns `{ body = ... }` or logs says of one request.
fn ask(handler: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> String {
    let mut play = Play::begin(World::new(Stage::Three), &format!("{SHOW}{handler}"));
    play.world.request("POST", target, fields, body);
    play.run("auto");
    let text = play.end();
    assert!(!text.contains("ERROR"), "{text}");
    text.replace("INFO lua: ", "")
        .replace("1 Answer 200 (0) \"\"\n", "")
}

const SHOW: &str = "local function show(...)\n\
                      local n, all = select('#', ...), { ... }\n\
                      for i = 1, n do\n\
                        local v = all[i]\n\
                        all[i] = type(v) == 'table' and json.encode(v) or tostring(v)\n\
                        all[i] = all[i]:gsub('%c', function(c) return '<' .. c:byte() .. '>' end)\n\
                      end\n\
                      log.info('%s', table.concat(all, ' | '))\n\
                    end\n";

#[test]
fn parameters_of_a_query() {
    let handler = "show(req:param('a'), req:param('b'), req:param('c'), req:param('none'))\n\
                   show(req:param_values('a'), req:param_values('none'))\n\
                   local all, names = req:params(), {}\n\
                   for name, value in pairs(all) do names[#names + 1] = name .. '=' .. value end\n\
                   table.sort(names) show(names) show(req.query)";
    let seen = ask(
        handler,
        "/?a=1+2&b=%26%3d%C3%A9&a=3&c&&=x&d=e=f&%61=4",
        &[],
        b"",
    );
    assert_eq!(
        seen,
        "1 2 | &=é |  | nil\n[\"1 2\",\"3\",\"4\"] | []\n\
         [\"=x\",\"a=1 2\",\"b=&=é\",\"c=\",\"d=e=f\"]\n\
         a=1+2&b=%26%3d%C3%A9&a=3&c&&=x&d=e=f&%61=4\n"
    );
    assert_eq!(
        ask("show(req:params(), req:param('a'))", "/", &[], b""),
        "[] | nil\n"
    );
    // What is no code stays, and bytes are bytes.
    let handler = "show(req:param('a'), #req:param('b'))";
    assert_eq!(ask(handler, "/?a=%zz%4&b=%ff", &[], b""), "%zz%4 | 1\n");
    let handler = "show(pcall(req.param, req)) show(pcall(req.param_values, req, 1))";
    let seen = ask(handler, "/", &[], b"");
    assert!(
        seen.contains("req:param: the name is not a string"),
        "{seen}"
    );
    assert!(
        seen.contains("req:param_values: the name is not a string"),
        "{seen}"
    );
}

#[test]
fn cookies_of_a_request() {
    let handler = "show(req:cookie('a'), req:cookie('b'), req:cookie('c'), req:cookie('d'))\n\
                   show(req:cookies()['e'], req:cookies()[''])";
    let fields = [
        ("cookie", "a=1; b=\"x y\";c = z ; a=2; bad; =no"),
        ("cookie", "e=a=b; d="),
    ];
    let seen = ask(handler, "/", &fields, b"");
    assert_eq!(seen, "1 | x y | z | \na=b | nil\n");
    assert_eq!(
        ask("show(req:cookies(), req:cookie('a'))", "/", &[], b""),
        "[] | nil\n"
    );
}

#[test]
fn json_of_a_body() {
    let handler = "local value, why, status = req:json() show(value, why, status)";
    let json = |body: &[u8]| ask(handler, "/", &[], body);
    assert_eq!(json(b"{\"a\":[1,2]}"), "{\"a\":[1,2]} | nil | nil\n");
    assert_eq!(json(b"false"), "false | nil | nil\n");
    assert_eq!(json(b""), "nil | the body is empty, not JSON | 400\n");
    let seen = json(b"{\"a\":\n 1,}");
    assert!(seen.starts_with("nil | the body is no JSON: "), "{seen}");
    assert!(
        seen.contains("line 2") && seen.ends_with(" | 400\n"),
        "{seen}"
    );
}

const FORM: &str = "local form, why, status = req:form(OPTIONS)\n\
                    if not form then return show(form, why, status) end\n\
                    for i, item in ipairs(form) do\n\
                      local v = item[2]\n\
                      if type(v) == 'string' then show(item[1], v)\n\
                      else show(item[1], v.filename, v.content_type, v.size, v:read()) end\n\
                    end\n";

fn form(options: &str, field: (&str, &str), body: &str) -> String {
    let handler = FORM.replace("OPTIONS", options);
    ask(&handler, "/", &[field], body.as_bytes())
}

/// A field or a file, as a browser sends it.
fn part(head: &str, value: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
}

#[test]
fn urlencoded_forms() {
    let seen = form("", URLENCODED, "name=J+Doe&x=%00%0a&name=2&empty=");
    assert_eq!(seen, "name | J Doe\nx | <0><10>\nname | 2\nempty | \n");
    let handler = "local form = req:form() show(form.name, form.none, #form, form[1])";
    let typed = (
        "content-type",
        "Application/X-WWW-Form-Urlencoded ; charset=UTF-8",
    );
    let seen = ask(handler, "/", &[typed], b"name=a&name=b");
    assert_eq!(seen, "a | nil | 2 | [\"name\",\"a\"]\n");
    assert_eq!(form("", URLENCODED, ""), "");
}

#[test]
fn multipart_forms_with_files() {
    let body = [
        part("name=\"title\"", "two\r\nlines"),
        part(
            "name=\"doc\"; filename=\"a b.txt\"\r\nContent-Type: text/plain",
            "content",
        ),
        part("name=\"doc\"; filename=\"empty\"", ""),
        part("name=\"unchosen\"; filename=\"\"", ""),
        part("name=\"title\"", ""),
        "--XX--\r\n".to_owned(),
    ];
    assert_eq!(
        form("", MULTIPART, &body.concat()),
        "title | two<13><10>lines\ndoc | a b.txt | text/plain | 7 | content\n\
         doc | empty | nil | 0 | \ntitle | \n"
    );
}

#[test]
fn bodies_that_are_no_forms() {
    for (field, body, wanted) in [
        (
            ("content-type", "text/plain"),
            "a=b",
            "nil | the body is no form but 'text/plain' | 415",
        ),
        (("x", "y"), "a=b", "nil | the body is no form but '' | 415"),
        (
            ("content-type", "multipart/form-data"),
            "--XX--",
            "nil | the content-type of the form: \
             multipart boundary not found in Content-Type | 400",
        ),
        (
            MULTIPART,
            "--XX\r\n",
            "nil | the form: incomplete multipart stream | 400",
        ),
        (
            MULTIPART,
            "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nrest",
            "nil | the form: field \"a\" received with incomplete data | 400",
        ),
    ] {
        assert_eq!(form("", field, body), format!("{wanted}\n"));
    }
}

/// What fits, and what is one beyond and why.
fn bounded(options: &str, field: (&str, &str), fits: &str, breaks: &str, why: &str) {
    let seen = form(options, field, fits);
    assert!(!seen.contains("413"), "{options} {why}: {seen:.200}");
    let seen = form(options, field, breaks);
    assert_eq!(seen, format!("nil | the form: {why} | 413\n"));
}

fn parts(count: usize) -> String {
    format!("{}--XX--", part("name=a", "b").repeat(count))
}

fn files(count: usize) -> String {
    format!(
        "{}--XX--",
        part("name=a; filename=b", "12345").repeat(count)
    )
}

#[test]
fn fields_and_files_of_a_form_are_counted() {
    let fields = |count| "a=b&".repeat(count);
    let why = "it has more than 1000 fields";
    bounded("", URLENCODED, &fields(1000), &fields(1001), why);
    bounded("", MULTIPART, &parts(1000), &parts(1001), why);
    let why = "it has more than 2 fields";
    bounded("{max_fields = 2}", MULTIPART, &parts(2), &parts(3), why);
    let why = "it has more than 64 files";
    bounded("", MULTIPART, &files(64), &files(65), why);
    let why = "it has more than 0 files";
    bounded("{max_files = 0}", MULTIPART, &parts(1), &files(1), why);
}

#[test]
fn bytes_of_a_form_are_bounded() {
    let urlencoded = |count| format!("a={}", "x".repeat(count));
    let multipart = |count| format!("{}--XX--", part("name=a", &"x".repeat(count)));
    let most = 1 << 20;
    let why = "its fields have more than 1048576 bytes";
    bounded(
        "",
        URLENCODED,
        &urlencoded(most - 2),
        &urlencoded(most - 1),
        why,
    );
    bounded("", MULTIPART, &multipart(most - 1), &multipart(most), why);
    let why = "its fields have more than 8 bytes";
    let options = "{max_fields_bytes = 8}";
    bounded(options, URLENCODED, &urlencoded(6), &urlencoded(7), why);
    // All of them together.
    bounded(options, MULTIPART, &parts(4), &parts(5), why);
    let (file, longer) = (files(1), files(1).replace('5', "56"));
    let why = "the file 'a' has more than 5 bytes";
    bounded("{max_file_bytes = 5}", MULTIPART, &file, &longer, why);
}

#[test]
fn options_of_forms_are_checked() {
    let handler = "show(pcall(req.form, req, 7)) show(pcall(req.form, req, {max_field = 1}))\n\
                   show(pcall(req.form, req, {max_fields = '1'}))";
    let seen = ask(handler, "/", &[URLENCODED], b"");
    for why in [
        "options are not a table",
        "no option \"max_field\"",
        "max_fields is not a number",
    ] {
        assert!(seen.contains(why), "{seen}");
    }
}

/// A file larger than what is collected before it is written.
fn large() -> String {
    let content = "0123456789abcdef".repeat(64 << 10);
    format!("{}--XX--", part("name=f; filename=l", &content))
}

#[test]
fn files_are_removed_when_the_request_is_over_and_not_before() {
    let handler = "local file = req:form().f show(file.path, file.size)\n\
                   fiber.sleep(1) show(#file:read()) G.file = file";
    for end in [
        "",
        "error('on purpose', 0)",
        "io:write('x', true) fiber.sleep(1)",
    ] {
        let mut play = Play::begin(World::new(Stage::Three), &format!("{SHOW}{handler} {end}"));
        play.world
            .request("POST", "/", &[MULTIPART], large().as_bytes());
        play.run("turn");
        let text = play.text().replace("INFO lua: ", "");
        let (path, size) = text.trim().split_once(" | ").unwrap();
        assert_eq!(size, "1048576");
        assert!(Path::new(path).is_file());
        play.run("pass 1000\nlook\npass 1000");
        assert!(play.text().contains("INFO lua: 1048576\n"));
        assert!(!Path::new(path).exists());
        assert_eq!(play.world.env.fibers(), 0);
        play.end();
    }
}

#[test]
fn files_go_when_the_client_does_and_when_the_handler_is_cancelled() {
    let handler = "G.me = fiber.self() show(req:form().f.path) fiber.sleep(100)";
    let options = "cancel_on_disconnect = true,";
    let world = World::new(Stage::Three);
    let mut play = Play::begin_with(world, options, &format!("{SHOW}{handler}"));
    let (_, berth) = play
        .world
        .request("POST", "/", &[MULTIPART], large().as_bytes());
    play.run("turn");
    let path = play.text().trim().replace("INFO lua: ", "");
    assert!(Path::new(&path).is_file());
    play.world.worker().hail_client_gone(berth);
    play.run("turn\nlook");
    assert!(!Path::new(&path).exists());
    play.end();
}

#[test]
fn files_are_saved_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("kept");
    let handler = format!(
        "local file = req:form().f\n\
         show(file:save('/nowhere/at/all')) show(#file:read())\n\
         show(file:save('{0}')) show(file:save('{0}')) show(file:read())\n\
         show(pcall(file.save, file))",
        target.display()
    );
    let seen = ask(&handler, "/", &[MULTIPART], large().as_bytes());
    let lines: Vec<&str> = seen.lines().collect();
    assert!(lines[0].starts_with("nil | No such file"), "{seen}");
    let gone = "nil | the file is not there any more";
    assert_eq!(lines[1..5], ["1048576", "true", gone, gone]);
    assert!(
        lines[5].contains("file:save: the path is not a string"),
        "{seen}"
    );
    assert_eq!(std::fs::metadata(&target).unwrap().len(), 1 << 20);
}

/// Linux has one in memory. Where it is not another one, renaming works there as well.
#[test]
fn files_are_saved_on_another_file_system() {
    let memory = Path::new("/dev/shm");
    let Ok(folder) = tempfile::tempdir_in(memory) else {
        return;
    };
    let target = folder.path().join("kept");
    let handler = format!("show(req:form().f:save('{}'))", target.display());
    let seen = ask(&handler, "/", &[MULTIPART], large().as_bytes());
    assert_eq!(seen, "true\n");
    assert_eq!(std::fs::metadata(&target).unwrap().len(), 1 << 20);
}

#[test]
fn others_are_served_while_a_file_is_written() {
    let handler = "if req.path == '/other' then return { body = 'other' } end\n\
                   req:form() return { body = 'form' }";
    let mut play = Play::begin(World::new(Stage::Three), handler);
    play.world
        .request("POST", "/form", &[MULTIPART], large().as_bytes());
    play.world.request("GET", "/other", &[], b"");
    play.run("auto");
    let text = play.end();
    assert_eq!(
        text,
        "2 Answer 200 (5) \"other\"\n1 Answer 200 (4) \"form\"\n"
    );
}

#[test]
fn a_form_of_a_request_that_is_over_is_an_error() {
    let handler = "if G.req then show(pcall(G.req.form, G.req)) end G.req = req\n\
                   req.headers = req.headers";
    let mut play = Play::begin(World::new(Stage::Three), &format!("{SHOW}{handler}"));
    play.world.request("POST", "/", &[URLENCODED], b"a=b");
    play.run("auto");
    play.world.request("POST", "/", &[URLENCODED], b"a=b");
    play.run("auto");
    assert!(play.end().contains("the request is over"));
}
