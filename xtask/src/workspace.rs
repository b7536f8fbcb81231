//! What the workspace is made of: its root, its members with their dependencies, its files.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// One package of the workspace and what its `Cargo.toml` asks for.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Where it lives, relative to the root, with `/` between the parts.
    pub(crate) dir: String,
    /// Direct dependencies of every kind: normal, dev and build, for every target.
    pub(crate) dependencies: Vec<String>,
}

/// The root of the workspace: the parent of this package.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies one folder below the root")
        .to_path_buf()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The members, in the order of the root `Cargo.toml`.
pub(crate) fn members() -> Result<Vec<Member>, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root());
    let text = stdout_of(&mut cargo)?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|e| format!("cargo metadata is not JSON: {e}"))?;
    parse_members(&metadata, &root()).ok_or_else(|| "cargo metadata lacks a field".to_owned())
}

fn parse_members(metadata: &Value, root: &Path) -> Option<Vec<Member>> {
    let ids = metadata["workspace_members"].as_array()?;
    let mut members: Vec<(usize, Member)> = Vec::new();
    for package in metadata["packages"].as_array()? {
        let Some(place) = ids.iter().position(|id| id == &package["id"]) else {
            continue;
        };
        let manifest = PathBuf::from(package["manifest_path"].as_str()?);
        let dir = manifest
            .parent()?
            .strip_prefix(root)
            .ok()?
            .to_string_lossy()
            .replace('\\', "/");
        let dependencies = package["dependencies"]
            .as_array()?
            .iter()
            .filter_map(|d| d["name"].as_str().map(str::to_owned))
            .collect();
        let name = package["name"].as_str()?.to_owned();
        members.push((
            place,
            Member {
                name,
                dir,
                dependencies,
            },
        ));
    }
    members.sort_by_key(|(place, _)| *place);
    Some(members.into_iter().map(|(_, member)| member).collect())
}

/// Every file that is, or may become, part of the repository: tracked, or new and not ignored.
/// Paths are relative to the root, with `/` between the parts.
pub(crate) fn files() -> Result<Vec<String>, String> {
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .current_dir(root());
    let listing = stdout_of(&mut git)?;
    let mut files: Vec<String> = listing
        .split('\0')
        .filter(|path| !path.is_empty() && root().join(path).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Runs a command to its end and gives what it printed, or one line that says what went wrong.
pub(crate) fn stdout_of(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|e| format!("cannot run {name}: {e}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{name} failed ({}): {}",
            output.status,
            complaint.trim()
        ));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{name} printed what is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_the_order_of_the_manifest() {
        let names: Vec<String> = members()
            .expect("metadata")
            .into_iter()
            .map(|m| m.name)
            .collect();
        let known = [
            "shuttle-core",
            "http-proto",
            "http-worker",
            "tx-runtime",
            "lua-bindings",
            "server",
            "xtask",
        ];
        assert_eq!(names, known);
    }

    #[test]
    fn files_are_relative_and_include_this_one() {
        let files = files().expect("git");
        assert!(files.contains(&"xtask/src/workspace.rs".to_owned()));
        assert!(
            files
                .iter()
                .all(|f| !f.starts_with('/') && !f.starts_with("target/"))
        );
    }

    #[test]
    fn a_failing_command_is_one_line_with_its_name() {
        let complaint = stdout_of(&mut Command::new("/nonexistent/tool")).expect_err("no tool");
        assert!(complaint.contains("/nonexistent/tool"), "{complaint}");
    }
}
