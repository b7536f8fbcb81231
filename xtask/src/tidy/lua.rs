//! The Lua halves of the modules: each public function is annotated, each module has tests.

use super::Finding;

/// Where the Lua halves lie.
const MODULES_DIR: &str = "lua-bindings/lua/";
/// Where the tests of a module lie, in a folder of its name.
const TESTS_DIR: &str = "lua-bindings/tests/lua/";

/// Every function that a module gives away stands below a comment with its LuaCATS types.
pub(super) fn public_functions_are_annotated(path: &str, text: &str) -> Vec<Finding> {
    if !path.starts_with(MODULES_DIR) {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut findings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = public_function(line) else {
            continue;
        };
        let comment = lines[..index]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("---"));
        let (mut described, mut typed) = (false, !line.contains('(') || has_no_types(line));
        for note in comment {
            typed |= note.starts_with("---@");
            described |= !note.starts_with("---@");
        }
        if !(described && typed) {
            let message = format!("`{name}` needs a `---` sentence and `---@` types above it");
            findings.push(Finding::new(path, index + 1, "lua-annotations", message));
        }
    }
    findings
}

/// A function without arguments may have nothing to annotate: it may return nothing either.
fn has_no_types(line: &str) -> bool {
    line.contains("()")
}

/// `function M.name(` and `function Class:name(` at the left edge; `local` ones are private, and
/// so are those whose name begins with `_`.
fn public_function(line: &str) -> Option<&str> {
    let head = line.strip_prefix("function ")?;
    let name = head.split('(').next()?.trim();
    let last = name.rsplit(['.', ':']).next()?;
    (!last.starts_with('_')).then_some(name)
}

/// Every module has a folder of tests.
pub(super) fn every_module_has_tests(files: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in files {
        let module = path
            .strip_prefix(MODULES_DIR)
            .and_then(|name| name.strip_suffix(".lua"));
        let Some(module) = module.filter(|name| !name.contains('/')) else {
            continue;
        };
        let folder = format!("{TESTS_DIR}{module}/");
        if !files
            .iter()
            .any(|file| file.starts_with(&folder) && file.ends_with(".lua"))
        {
            let message = format!("the module has no test in {folder}");
            findings.push(Finding::new(path, 1, "lua-tests", message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(text: &str) -> usize {
        public_functions_are_annotated("lua-bindings/lua/fiber.lua", text).len()
    }

    #[test]
    fn annotated_functions_pass() {
        let good = "--- Sleeps.\n---@param seconds number\nfunction fiber.sleep(seconds)\nend\n";
        assert_eq!(annotations(good), 0);
        assert_eq!(annotations("--- Yields.\nfunction fiber.yield()\nend\n"), 0);
        assert_eq!(
            annotations("local function helper(a)\nend\nfunction M._private(a)\nend\n"),
            0
        );
        let elsewhere = public_functions_are_annotated("bench/app.lua", "function M.a(b)\nend\n");
        assert_eq!(elsewhere, []);
    }

    #[test]
    fn a_missing_annotation_bites() {
        assert_eq!(annotations("function fiber.sleep(seconds)\nend\n"), 1);
        assert_eq!(
            annotations("--- Sleeps.\nfunction fiber.sleep(seconds)\nend\n"),
            1
        );
        assert_eq!(
            annotations("---@param a number\nfunction Channel:put(a)\nend\n"),
            1
        );
        assert_eq!(
            annotations("--- Sleeps.\n---@param a number\n\nfunction fiber.sleep(a)\n"),
            1
        );
    }

    #[test]
    fn a_module_without_tests_bites() {
        let files = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let bare = files(&["lua-bindings/lua/json.lua", "lua-bindings/lua/host/x.lua"]);
        assert_eq!(every_module_has_tests(&bare).len(), 1);
        let full = files(&[
            "lua-bindings/lua/json.lua",
            "lua-bindings/tests/lua/json/encode.lua",
        ]);
        assert_eq!(every_module_has_tests(&full), []);
    }
}
