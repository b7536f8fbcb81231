//! The built-in demo: what `httpng` without a file serves.

/// The Lua program. Its only argument is [`PAGE`].
pub const PROGRAM: &str = include_str!("demo/app.lua");

/// The name of the program in messages.
pub const PROGRAM_NAME: &str = "demo";

/// The page at `/`: one file, nothing loaded from elsewhere.
pub const PAGE: &str = include_str!("demo/page.html");
