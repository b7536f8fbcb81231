//! Which crate may know which: the drawing of ARCHITECTURE.md as a rule.

use super::Finding;
use super::tables::{ROOMS, Room};
use crate::workspace::Member;

const RULE: &str = "arrows";

/// Every dependency of `member` must be an arrow of the drawing, and none may be a "never".
pub(super) fn arrows(member: &Member, members: &[Member]) -> Vec<Finding> {
    let path = format!("{}/Cargo.toml", member.dir);
    let Some(room) = ROOMS.iter().find(|room| room.name == member.name) else {
        let message = format!("`{}` has no row in xtask/src/tidy/tables.rs", member.name);
        return vec![Finding::new(&path, 1, RULE, message)];
    };
    member
        .dependencies
        .iter()
        .filter_map(|dependency| complaint(room, dependency, members))
        .map(|message| Finding::new(&path, 1, RULE, message))
        .collect()
}

fn complaint(room: &Room, dependency: &str, members: &[Member]) -> Option<String> {
    let name = room.name;
    if members.iter().any(|member| member.name == dependency) {
        let allowed = room.ours.contains(&dependency);
        return (!allowed).then(|| format!("`{name}` must not depend on `{dependency}`"));
    }
    if room.never.contains(&dependency) {
        return Some(format!(
            "`{dependency}` belongs to another room than `{name}`"
        ));
    }
    let only = room.only?;
    let listed = only.contains(&dependency);
    (!listed).then(|| format!("`{name}` depends on nothing but {}", only.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[&str]) -> Member {
        let dependencies = dependencies.iter().map(|d| (*d).to_owned()).collect();
        Member {
            name: name.to_owned(),
            dir: name.to_owned(),
            dependencies,
        }
    }

    fn everybody() -> Vec<Member> {
        ROOMS.iter().map(|room| member(room.name, &[])).collect()
    }

    fn check(name: &str, dependencies: &[&str]) -> Vec<String> {
        let findings = arrows(&member(name, dependencies), &everybody());
        findings
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn the_arrows_of_the_drawing_pass() {
        for room in ROOMS {
            assert_eq!(check(room.name, room.ours), [""; 0], "{}", room.name);
        }
        assert_eq!(check("http-worker", &["mio", "rustls", "libc"]), [""; 0]);
        assert_eq!(check("tx-runtime", &["corosensei", "mio"]), [""; 0]);
        assert_eq!(check("lua-bindings", &["mlua", "serde_json"]), [""; 0]);
    }

    #[test]
    fn every_never_bites() {
        let nevers = [
            ("http-worker", "tx-runtime"),
            ("tx-runtime", "http-worker"),
            ("http-worker", "lua-bindings"),
            ("http-worker", "mlua"),
            ("lua-bindings", "http-worker"),
            ("lua-bindings", "mio"),
            ("lua-bindings", "rustls"),
            ("tx-runtime", "http-proto"),
            ("tx-runtime", "mlua"),
            ("http-proto", "mio"),
            ("http-proto", "crossbeam"),
            ("http-proto", "shuttle-core"),
            ("shuttle-core", "http-proto"),
            ("shuttle-core", "crossbeam"),
            ("http-worker", "server"),
            ("lua-bindings", "xtask"),
            ("server", "xtask"),
            ("xtask", "server"),
        ];
        for (from, to) in nevers {
            assert_eq!(check(from, &[to]).len(), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn a_new_member_needs_a_row() {
        assert!(check("newcomer", &[])[0].contains("has no row"));
    }
}
