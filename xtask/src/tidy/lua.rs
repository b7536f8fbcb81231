//! The Lua halves of the modules: each public function is annotated, each module has tests.

use super::Finding;
use super::tables::LUA_NO_MODULES;

/// Where the Lua halves lie.
const MODULES_DIR: &str = "lua-bindings/lua/";
/// Where the tests of a module lie, in a folder of its name.
const TESTS_DIR: &str = "lua-bindings/tests/lua/";

/// Every function that a module gives away stands below a comment; one with arguments or results
/// worth a name has LuaCATS types in it.
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
        let mut comment = lines[..index]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("---"));
        let is_annotated = match line.contains("()") {
            true => comment.next().is_some(),
            false => comment.any(|note| note.starts_with("---@")),
        };
        if !is_annotated {
            let message = format!("`{name}` needs a `---` comment with its `---@` types");
            findings.push(Finding::new(path, index + 1, "lua-annotations", message));
        }
    }
    findings
}

/// `function M.name(` and `function Class:name(` at the left edge; `local` ones are private, and
/// so are those whose name begins with `_`.
fn public_function(line: &str) -> Option<&str> {
    let head = line.strip_prefix("function ")?;
    let name = head.split('(').next()?.trim();
    let last = name.rsplit(['.', ':']).next()?;
    (!last.starts_with('_')).then_some(name)
}

/// Every module has a folder of tests. A module is a file, or a folder of files.
pub(super) fn every_module_has_tests(files: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut modules: Vec<&str> = files.iter().filter_map(|path| module_of(path)).collect();
    modules.sort_unstable();
    modules.dedup();
    for module in modules
        .iter()
        .filter(|module| !LUA_NO_MODULES.contains(module))
    {
        let folder = format!("{TESTS_DIR}{module}/");
        if !files
            .iter()
            .any(|file| file.starts_with(&folder) && file.ends_with(".lua"))
        {
            let message = format!("`{module}` has no test in {folder}");
            findings.push(Finding::new(MODULES_DIR, 1, "lua-tests", message));
        }
    }
    findings
}

fn module_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(MODULES_DIR)?.strip_suffix(".lua")?;
    name.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(text: &str) -> usize {
        public_functions_are_annotated("lua-bindings/lua/fiber.lua", text).len()
    }

    #[test]
    fn annotated_functions_pass() {
        let good = [
            "--- Sleeps.\n---@param seconds number\nfunction fiber.sleep(seconds)\nend\n",
            "---Yields.\nfunction fiber.yield()\nend\n",
            "---@return integer\nfunction methods:id() return self._id end\n",
            "local function helper(a)\nend\nfunction M._private(a)\nend\n",
        ];
        for text in good {
            assert_eq!(annotations(text), 0, "{text}");
        }
        let elsewhere = public_functions_are_annotated("bench/app.lua", "function M.a(b)\nend\n");
        assert_eq!(elsewhere, []);
    }

    #[test]
    fn a_missing_annotation_bites() {
        let bad = [
            "function fiber.yield()\nend\n",
            "--- Sleeps.\nfunction fiber.sleep(seconds)\nend\n",
            "-- Not a doc comment.\nfunction Channel:put(a)\nend\n",
            "--- Sleeps.\n---@param a number\n\nfunction fiber.sleep(a)\n",
        ];
        for text in bad {
            assert_eq!(annotations(text), 1, "{text}");
        }
    }

    #[test]
    fn a_module_without_tests_bites() {
        let files = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let modules = [
            "lua-bindings/lua/json.lua",
            "lua-bindings/lua/httpng/io.lua",
            "lua-bindings/lua/httpng/cfg.lua",
            "lua-bindings/lua/prelude.lua",
        ];
        assert_eq!(every_module_has_tests(&files(&modules)).len(), 2);
        let tests = [
            "lua-bindings/tests/lua/json/encode.lua",
            "lua-bindings/tests/lua/httpng/a.lua",
        ];
        assert_eq!(
            every_module_has_tests(&files(&[&modules[..], &tests].concat())),
            []
        );
    }
}
