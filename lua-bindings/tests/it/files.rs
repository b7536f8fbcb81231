//! Handlers that are folders: how they are configured, and what becomes of a request for them.

use lua_bindings::{FolderConfig, MainStatus, ServeConfig, Stage};

use crate::check::Play;
use crate::world::{World, logged};

fn run(world: &mut World, program: &str) -> Result<(), String> {
    let program = format!("local h = function() return {{}} end\n{program}");
    match world.run(&program) {
        MainStatus::Finished => Ok(()),
        MainStatus::Failed(fault) => Err(fault.line().to_owned()),
        other => panic!("{other:?}"),
    }
}

/// Who serves what, after `httpng.cfg` with each of these.
fn served(arguments: &[&str]) -> Result<Vec<(String, ServeConfig)>, String> {
    let mut world = World::new(Stage::Three);
    for argument in arguments {
        run(&mut world, &format!("require('httpng').cfg({argument})"))?;
    }
    let asked = world.asked.borrow();
    let last = asked
        .reloads
        .last()
        .or_else(|| asked.starts.last())
        .unwrap();
    let sites = last.sites.iter();
    Ok(sites
        .map(|site| (site.path.to_string(), site.serve.clone()))
        .collect())
}

#[track_caller]
fn refused(arguments: &[&str], expected: &str) {
    let error = served(arguments).expect_err(expected);
    let text = error.strip_prefix("program:2: ");
    assert_eq!(text, Some(expected), "{arguments:?}: {error}");
}

fn folder(name: &str) -> FolderConfig {
    FolderConfig {
        folder: name.into(),
        index: "index.html".to_owned(),
        precompressed: true,
        cache_control: None,
    }
}

#[test]
fn a_string_is_a_folder() {
    let lua = ServeConfig::Lua {
        streams_body: false,
        body_max_bytes: None,
        compress: None,
    };
    assert_eq!(
        served(&["{sites = {{path = '/s', handler = '/www'}}, handler = h}"]).unwrap(),
        [
            ("/s".to_owned(), ServeConfig::Files(folder("/www"))),
            ("/".to_owned(), lua),
        ]
    );
    assert_eq!(
        served(&["{handler = 'a/b'}"]).unwrap(),
        [("/".to_owned(), ServeConfig::Files(folder("a/b")))]
    );
}

#[test]
fn a_table_with_a_folder_has_options() {
    let _ = logged();
    let config = "{handler = {folder = '/www', index = 'main.htm', precompressed = false,
                              cache_control = 'no-cache', indexes = true}}";
    let expected = FolderConfig {
        folder: "/www".into(),
        index: "main.htm".to_owned(),
        precompressed: false,
        cache_control: Some("no-cache".to_owned()),
    };
    let config = config.replace('\n', " ");
    assert_eq!(
        served(&[&config]).unwrap(),
        [("/".to_owned(), ServeConfig::Files(expected))]
    );
    assert_eq!(
        logged(),
        ["WARN lua: handler has no option \"indexes\": it has no effect"]
    );
}

#[test]
fn a_callable_table_is_a_function_whatever_it_has() {
    let config = "{handler = setmetatable({folder = '/www'}, {__call = h})}";
    let lua = ServeConfig::Lua {
        streams_body: false,
        body_max_bytes: None,
        compress: None,
    };
    assert_eq!(served(&[config]).unwrap(), [("/".to_owned(), lua)]);
}

#[test]
fn what_is_refused_and_in_which_words() {
    refused(
        &["{handler = {folder = 1}}"],
        "handler.folder is not a string",
    );
    refused(
        &["{sites = {{path = '/a', handler = {folder = '/a', index = {}}}}}"],
        "sites[].handler.index is not a string",
    );
    refused(
        &["{handler = {folder = '/a', cache_control = 1}}"],
        "handler.cache_control is not a string",
    );
    refused(
        &["{handler = {index = 'a'}}"],
        "handler is not a function or table (router object)",
    );
    refused(
        &["{sites = {{path = '/a', handler = {}}}}"],
        "sites[].handler is not a function or string",
    );
}

#[test]
fn a_path_keeps_its_kind_on_reload() {
    let site = |handler: &str| format!("{{sites = {{{{path = '/a', handler = {handler}}}}}}}");
    refused(
        &[&site("h"), &site("'/www'")],
        "replacing Lua handler with file handler is not supported",
    );
    refused(
        &[&site("'/www'"), &site("h")],
        "replacing file handler with Lua handler is not supported",
    );
    refused(
        &["{handler = h}", "{handler = '/www'}"],
        "replacing Lua handler with file handler is not supported",
    );
    let replaced = served(&[&site("'/www'"), &site("'/other'")]).unwrap();
    assert_eq!(
        replaced,
        [("/a".to_owned(), ServeConfig::Files(folder("/other")))]
    );
    // Taken away and given again it is another one.
    served(&[&site("h"), "{}", &site("'/www'")]).unwrap();
}

#[test]
fn a_request_that_meets_a_folder_goes_back_to_its_worker() {
    let mut play = Play::begin(World::new(Stage::Three), "return {body = 'lua'}");
    let cfg = "require('httpng').cfg{sites = {{path = '/s', handler = '/www'}}, \
               handler = function() return {body = 'lua'} end}";
    run(&mut play.world, cfg).unwrap();
    // It is in TX when the sites are replaced; a later one would have taken it.
    play.run("GET /s/file\nGET /other\nauto");
    assert_eq!(
        play.end(),
        "1 Release elsewhere\n2 Answer 200 (3) \"lua\"\n"
    );
}

#[test]
fn handlers_are_let_go_beside_folders() {
    let mut play = Play::begin(World::new(Stage::Three), "return {}");
    let program = "local kept = setmetatable({}, {__mode = 'k'})\n\
                   for i = 1, 20 do\n\
                     local f = function() end\n\
                     kept[f] = true\n\
                     require('httpng').cfg{handler = f,\n\
                       sites = {{path = '/s', handler = '/www'}, {path = '/t', handler = f}}}\n\
                   end\n\
                   collectgarbage() collectgarbage()\n\
                   local n = 0 for _ in pairs(kept) do n = n + 1 end assert(n == 1, n)";
    run(&mut play.world, program).unwrap();
    play.run("GET /s\nauto");
    assert_eq!(play.end(), "1 Release elsewhere\n");
}
