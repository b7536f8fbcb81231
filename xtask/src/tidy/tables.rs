//! What is allowed where. A rule without a row here has no exceptions.

/// What one member of the workspace may name in its `Cargo.toml`.
pub(super) struct Room {
    pub(super) name: &'static str,
    /// Members of the workspace that it may depend on: the arrows.
    pub(super) ours: &'static [&'static str],
    /// Crates from elsewhere that it must never depend on, because they belong to another room.
    pub(super) never: &'static [&'static str],
    /// When set, the only crates from elsewhere that it may depend on.
    pub(super) only: Option<&'static [&'static str]>,
}

/// The arrows between the rooms. Drawn in ARCHITECTURE.md.
pub(super) const ROOMS: &[Room] = &[
    Room {
        name: "shuttle-core",
        ours: &[],
        never: &[],
        only: Some(&["loom", "proptest"]),
    },
    Room {
        name: "http-proto",
        ours: &[],
        never: &[],
        only: Some(&[
            "httparse",
            "httpdate",
            "memchr",
            "mime_guess",
            "percent-encoding",
            "proptest",
            "rustc-hash",
            "sfv",
        ]),
    },
    Room {
        name: "http-worker",
        ours: &["shuttle-core", "http-proto"],
        never: &["mlua", "mlua-sys", "corosensei"],
        only: None,
    },
    Room {
        name: "tx-runtime",
        ours: &["shuttle-core"],
        never: &["mlua", "mlua-sys", "httparse", "rustls", "h2", "http"],
        only: None,
    },
    Room {
        name: "lua-bindings",
        ours: &["shuttle-core", "http-proto", "tx-runtime"],
        never: &["mio", "rustls", "socket2", "httparse", "h2", "corosensei"],
        only: None,
    },
    Room {
        name: "server",
        ours: &[
            "shuttle-core",
            "http-proto",
            "http-worker",
            "tx-runtime",
            "lua-bindings",
        ],
        never: &[],
        only: None,
    },
    Room {
        name: "xtask",
        ours: &[],
        never: &[],
        only: None,
    },
];

/// Files in which `unsafe` may stand. A path that ends with `/` means everything below it.
pub(super) const UNSAFE_ALLOWED: &[&str] = &[
    "shuttle-core/src/slot.rs",
    "shuttle-core/src/ring.rs",
    "shuttle-core/src/lent.rs",
    "shuttle-core/src/chunk.rs",
    "shuttle-core/src/chunk/",
    "tx-runtime/src/stack.rs",
    "tx-runtime/src/switch.rs",
    "tx-runtime/src/guard.rs",
    "tx-runtime/tests/no_allocation.rs",
    "lua-bindings/src/pins.rs",
    "lua-bindings/src/raw/",
];

/// Crate roots that must forbid `unsafe` altogether.
pub(super) const FORBIDDING_ROOTS: &[&str] = &[
    "http-worker/proto/src/lib.rs",
    "http-worker/src/lib.rs",
    "server/src/lib.rs",
    "server/src/main.rs",
    "xtask/src/main.rs",
];

/// Files that may name an atomic `Ordering`, beside every `stats.rs`.
pub(super) const ORDERING_ALLOWED: &[&str] = &[
    "shuttle-core/src/state.rs",
    "shuttle-core/src/ring.rs",
    "shuttle-core/src/chunk.rs",
    "shuttle-core/src/bell.rs",
    "shuttle-core/src/hail.rs",
    "shuttle-core/src/sync.rs",
    "server/src/signals.rs",
];

/// The folder of the crate that touches neither I/O nor threads nor the clock.
pub(super) const PURE_DIR: &str = "http-worker/proto/src/";

/// Suffixes of the constants in a `limits.rs`: the unit of the number.
pub(super) const UNITS: &[&str] = &[
    "_BYTES", "_COUNT", "_MS", "_US", "_NS", "_SECS", "_DAYS", "_PERCENT", "_RATIO", "_BITS",
];

/// Files of Lua that are no modules: nobody requires them.
pub(super) const LUA_NO_MODULES: &[&str] = &["prelude"];

/// Longest function, from its signature to its closing brace.
pub(super) const FUNCTION_LINES_COUNT: usize = 70;

/// Longest file, tests not counted.
pub(super) const FILE_LINES_COUNT: usize = 500;

/// Widest line of Rust.
pub(super) const COLUMNS_COUNT: usize = 100;

/// Files written by a tool or by somebody else, or outside of the workspace. A path that ends with
/// `/` means everything below it.
pub(super) const NOT_OURS: &[&str] = &[
    "Cargo.lock",
    "fuzz/Cargo.lock",
    "fuzz/Cargo.toml",
    "fuzz/corpus/",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "docs/stage2-unlucky.txt",
];
