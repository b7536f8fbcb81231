//! C modules built for Lua 5.1 load into the program: it shows them Lua's functions.

use std::path::Path;

use crate::harness::run;

/// Runs `program` when the module's library is where Debian puts it.
fn check(module: &str, program: &str) {
    let found = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/local/lib",
    ]
    .iter()
    .any(|root| Path::new(&format!("{root}/lua/5.1/{module}.so")).exists());
    if !found {
        println!("{module} for Lua 5.1 is not installed: skipped");
        return;
    }
    let (code, log) = run(&[], Some(program));
    assert_eq!(code, 0, "{module}: {log}");
}

#[test]
fn lua_cjson() {
    check(
        "cjson",
        "local cjson = require('cjson')
         local back = cjson.decode(cjson.encode({ a = { 1, 2, 'three' } }))
         assert(back.a[3] == 'three')
         local deep = ('['):rep(900) .. (']'):rep(900)
         assert(cjson.encode(cjson.decode(deep)))
         assert(not pcall(cjson.decode, '{'))",
    );
}

#[test]
fn lpeg_and_a_callback_that_waits() {
    check(
        "lpeg",
        "local lpeg, fiber = require('lpeg'), require('fiber')
         local word = lpeg.C(lpeg.R('az') ^ 1) / function(w) fiber.sleep(0.001) return w:upper() end
         local list = lpeg.Ct(word * (',' * word) ^ 0)
         local got = list:match('ab,cd,ef')
         assert(table.concat(got, '-') == 'AB-CD-EF')",
    );
}
