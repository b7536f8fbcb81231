//! Runs each `tests/lua/<module>/<function>.lua` as a main program, in virtual time.
//!
//! A file passes when it comes to its end. It may use `raises(message, f, ...)`, which wants `f` to
//! fail with an error that contains `message`, and `same(a, b)`.

use std::path::{Path, PathBuf};

use lua_bindings::{MainStatus, Stage};

use crate::world::{World, logged};

const PRELUDE: &str = "\
function same(a, b, what)
    local function text(v)
        return type(v) == 'table' and require('json').encode(v) or tostring(v)
    end
    if a ~= b and text(a) ~= text(b) then
        error((what and what .. ': ' or '') .. text(a) .. ' is not ' .. text(b), 2)
    end
end
function raises(message, f, ...)
    local ok, err = pcall(f, ...)
    if ok then error('no error, but wanted: ' .. message, 2) end
    if not tostring(err):find(message, 1, true) then
        error('the error is: ' .. tostring(err) .. '; wanted: ' .. message, 2)
    end
end
";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|ext| ext == "lua") {
            found.push(entry);
        }
    }
}

/// Runs one file on a thread of its own, as there is one Env to a thread.
fn run(file: PathBuf) -> Result<(), String> {
    let name = file.display().to_string();
    let test = std::thread::spawn(move || {
        let mut world = World::new(Stage::Three);
        world.run(PRELUDE);
        let chunk = world
            .env
            .load_file(&file)
            .map_err(|fault| fault.to_string())?;
        world.env.start(chunk).unwrap();
        match world.finish() {
            MainStatus::Finished => Ok(()),
            MainStatus::Failed(fault) => Err(format!("{fault}\n{}", fault.traceback())),
            other => Err(format!("{other:?}; logged {:?}", logged())),
        }
    });
    test.join()
        .map_err(|_| "panicked".to_owned())
        .and_then(|result| result)
        .map_err(|why| format!("{name}: {why}"))
}

#[test]
fn all() {
    let mut found = Vec::new();
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lua"),
        &mut found,
    );
    assert!(found.len() > 20, "the files are there");
    let failed: Vec<String> = found
        .into_iter()
        .filter_map(|file| run(file).err())
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
