//! The Lua modules: each has a Rust half of verbs that never run user code, and a Lua half that
//! users meet.

mod clock;
mod compress;
mod fiber;
mod httpng;
mod json;
mod log;
mod native;
mod networks;
mod pages;
mod reporting;

use crate::host;
use crate::raw::{self, Called, Stack, Verb, Vm};

/// One Lua module.
struct Module {
    /// What `require` calls it.
    name: &'static str,
    /// The verbs of the Rust half, which the Lua half gets as its only argument.
    verbs: &'static [&'static [(&'static str, Verb)]],
    /// The Lua half; it returns the module.
    source: &'static str,
}

/// All modules, each after those that it requires.
const MODULES: &[Module] = &[
    Module {
        name: "httpng.native",
        verbs: &[native::VERBS],
        source: include_str!("../../lua/native.lua"),
    },
    Module {
        name: "clock",
        verbs: &[clock::VERBS],
        source: include_str!("../../lua/clock.lua"),
    },
    Module {
        name: "json",
        verbs: &[json::VERBS],
        source: include_str!("../../lua/json.lua"),
    },
    Module {
        name: "log",
        verbs: &[log::VERBS],
        source: include_str!("../../lua/log.lua"),
    },
    Module {
        name: "fiber",
        verbs: &[fiber::VERBS],
        source: include_str!("../../lua/fiber.lua"),
    },
    Module {
        name: "httpng.router",
        verbs: &[pages::VERBS],
        source: include_str!("../../lua/httpng/router.lua"),
    },
    Module {
        name: "httpng.listen",
        verbs: &[httpng::LISTEN_VERBS],
        source: include_str!("../../lua/httpng/listen.lua"),
    },
    Module {
        name: "httpng.files",
        verbs: &[],
        source: include_str!("../../lua/httpng/files.lua"),
    },
    Module {
        name: "httpng.compress",
        verbs: &[],
        source: include_str!("../../lua/httpng/compress.lua"),
    },
    Module {
        name: "httpng.sites",
        verbs: &[],
        source: include_str!("../../lua/httpng/sites.lua"),
    },
    Module {
        name: "httpng.reporting",
        verbs: &[],
        source: include_str!("../../lua/httpng/reporting.lua"),
    },
    Module {
        name: "httpng.options",
        verbs: &[],
        source: include_str!("../../lua/httpng/options.lua"),
    },
    Module {
        name: "httpng.ending",
        verbs: &[],
        source: include_str!("../../lua/httpng/ending.lua"),
    },
    Module {
        name: "httpng.request",
        verbs: &[host::VERBS],
        source: include_str!("../../lua/httpng/request.lua"),
    },
    Module {
        name: "httpng.cookie",
        verbs: &[],
        source: include_str!("../../lua/httpng/cookie.lua"),
    },
    Module {
        name: "httpng",
        verbs: &[httpng::VERBS, host::VERBS],
        source: include_str!("../../lua/httpng.lua"),
    },
];

/// Opens all modules, so that `require` finds them loaded.
///
/// # Errors
/// What Lua said. The sources are ours: an error here is a mistake of ours.
pub(crate) fn open_all(vm: &Vm) -> Result<(), String> {
    vm.with_main(|stack| {
        prelude(stack)?;
        for module in MODULES {
            open(stack, module).map_err(|error| format!("module {}: {error}", module.name))?;
        }
        Ok(())
    })
}

fn open(stack: &mut Stack, module: &Module) -> Result<(), String> {
    let name = format!("=[{}]", module.name);
    push_loaded(stack)?;
    raw::load(stack, &name, module.source.as_bytes())?;
    stack.push_table(0, 32);
    for (name, verb) in module.verbs.iter().copied().flatten() {
        stack.push_verb(*verb, 0);
        stack.set_field(-2, name);
    }
    match raw::call(stack, 1, 1) {
        Called::Done => stack.set_field(-2, module.name),
        Called::Failed(failure) => return Err(failure.message),
    }
    stack.pop(1);
    Ok(())
}

/// Leaves `package.loaded` on the stack.
fn push_loaded(stack: &mut Stack) -> Result<(), String> {
    raw::load(stack, "=[loaded]", b"return package.loaded")?;
    match raw::call(stack, 0, 1) {
        Called::Done => Ok(()),
        Called::Failed(failure) => Err(failure.message),
    }
}

/// Sets up `package.path` and what else the globals need before the modules.
fn prelude(stack: &mut Stack) -> Result<(), String> {
    raw::load(stack, "=[prelude]", include_bytes!("../../lua/prelude.lua"))?;
    match raw::call(stack, 0, 0) {
        Called::Done => Ok(()),
        Called::Failed(failure) => Err(failure.message),
    }
}
