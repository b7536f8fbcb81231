//! What each `Cargo.toml` of a member must say.

use super::Finding;

const RULE: &str = "manifest";

/// A member describes itself, obeys the lints of the workspace, and has its dependencies' versions
/// from there: one version of everything, declared once.
pub(super) fn members_inherit(path: &str, text: &str) -> Vec<Finding> {
    if !path.ends_with("Cargo.toml") || !text.contains("[package]") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut section = "";
    let (mut inherits_lints, mut is_described) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
            continue;
        }
        inherits_lints |= section == "[lints]" && line == "workspace = true";
        is_described |= section == "[package]" && line.starts_with("description = \"");
        let is_dependency = section.contains("dependencies") && line.contains('=');
        if is_dependency && !line.starts_with('#') && !line.contains("workspace") {
            let message = "a dependency is declared in the root, here `name.workspace = true`";
            findings.push(Finding::new(path, index + 1, RULE, message));
        }
    }
    if !inherits_lints {
        findings.push(Finding::new(
            path,
            1,
            RULE,
            "needs `[lints] workspace = true`",
        ));
    }
    if !is_described {
        findings.push(Finding::new(path, 1, RULE, "needs a description"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\ndescription = \"A.\"\n[lints]\nworkspace = true\n\
                        [dependencies]\n# Why.\nmio.workspace = true\n\
                        serde = { workspace = true, features = [\"derive\"] }\n";

    #[test]
    fn a_member_that_inherits_passes() {
        assert_eq!(members_inherit("a/Cargo.toml", GOOD), []);
        assert_eq!(
            members_inherit("Cargo.toml", "[workspace.dependencies]\nmio = \"1\"\n"),
            []
        );
    }

    #[test]
    fn own_versions_missing_lints_and_missing_descriptions_bite() {
        let own = GOOD.replace("mio.workspace = true", "mio = \"1\"");
        assert_eq!(members_inherit("a/Cargo.toml", &own)[0].line, 7);
        let lax = GOOD.replace("[lints]\nworkspace = true\n", "");
        assert_eq!(members_inherit("a/Cargo.toml", &lax).len(), 1);
        let nameless = GOOD.replace("description", "categories");
        assert_eq!(members_inherit("a/Cargo.toml", &nameless).len(), 1);
    }
}
