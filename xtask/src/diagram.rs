//! `cargo xtask diagram MEMBER`: one member of the family of drawings, run and printed.
//!
//! The server's example `diagram` runs the handler of that member with both sides held at the
//! gates that make it lucky, unlucky, in time or too late, and prints what happened in the notation
//! of `docs/stage2-unlucky.txt`. `--check` compares the recording with that drawing, or, for the
//! other members, with the one that `http-proto` has of them.

use std::fmt;

use clap::Args;

use crate::shell::cargo;
use crate::workspace::{root, stdout_of};

#[derive(Args)]
pub(crate) struct Options {
    /// Which member of the family: simple-copied, simple, stage1, stage2-lucky, stage2-unlucky,
    /// stage3-in-time, stage3-too-late, stage4, stage4-limited, cancel or cancel-away.
    member: String,
    /// Compares the order of arrows and boxes with the drawing of that member.
    #[arg(long)]
    check: bool,
}

/// The member that `docs/stage2-unlucky.txt` draws: what the project began with.
const SEED: &str = "stage2-unlucky";

/// Prints the recorded run; with `check`, says where it leaves the drawing.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let recorded = example(&[&options.member])?;
    print!("{recorded}");
    if options.check {
        let count = compare(&drawing(&options.member)?, &recorded)?;
        println!("\n{count} arrows and boxes, in the order of the drawing");
    }
    Ok(())
}

/// What has to happen.
fn drawing(member: &str) -> Result<String, String> {
    if member != SEED {
        return example(&[member, "--drawn"]);
    }
    let path = root().join("docs/stage2-unlucky.txt");
    std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}

/// What the server's example `diagram` prints.
fn example(words: &[&str]) -> Result<String, String> {
    let mut command = cargo(&["run", "-q", "-p", "server", "--example", "diagram", "--"]);
    stdout_of(command.args(words).current_dir(root()))
}

/// An arrow or a box of a drawing, without its colours.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    Box {
        over: String,
        text: String,
    },
    Arrow {
        from: String,
        to: String,
        text: String,
    },
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box { over, text } => write!(f, "box over {over}: {text}"),
            Self::Arrow { from, to, text } => write!(f, "{from} -> {to}: {text}"),
        }
    }
}

/// The same arrows and boxes in the same order: how many. `Err` shows the first difference.
fn compare(drawn: &str, recorded: &str) -> Result<usize, String> {
    let (drawn, recorded) = (marks(drawn), marks(recorded));
    for index in 0..drawn.len().max(recorded.len()) {
        let (want, got) = (drawn.get(index), recorded.get(index));
        if want != got {
            let show =
                |mark: Option<&Mark>| mark.map_or_else(|| "the end".to_owned(), Mark::to_string);
            let place = index + 1;
            return Err(format!(
                "mark {place}: drawn {}, recorded {}",
                show(want),
                show(got)
            ));
        }
    }
    Ok(drawn.len())
}

/// Reads the arrows and boxes of a text in the notation; titles, participants and notes are left
/// out.
fn marks(text: &str) -> Vec<Mark> {
    text.lines().filter_map(mark).collect()
}

fn mark(line: &str) -> Option<Mark> {
    let line = line.trim();
    let (head, text) = line.split_once(':')?;
    let text = without_tags(text).trim().to_owned();
    for word in ["box over ", "rbox over ", "abox over "] {
        if let Some(over) = head.strip_prefix(word) {
            let over = over.split('#').next().unwrap_or(over).trim().to_owned();
            return Some(Mark::Box { over, text });
        }
    }
    if let Some((from, to)) = head.split_once("->") {
        let to = to.trim_start_matches('*').trim().to_owned();
        return Some(Mark::Arrow {
            from: from.trim().to_owned(),
            to,
            text,
        });
    }
    let (to, from) = head.split_once("<-")?;
    Some(Mark::Arrow {
        from: from.trim().to_owned(),
        to: to.trim().to_owned(),
        text,
    })
}

/// Takes `<color:..>` and `</color>` away.
fn without_tags(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, tagged)) = rest.split_once('<') {
        let is_tag = tagged.starts_with("color") || tagged.starts_with("/color");
        plain.push_str(before);
        match tagged.split_once('>') {
            Some((_, after)) if is_tag => rest = after,
            _ => {
                plain.push('<');
                rest = tagged;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWING: &str = include_str!("../../docs/stage2-unlucky.txt");

    #[test]
    fn the_drawing_agrees_with_itself() {
        assert_eq!(compare(DRAWING, DRAWING), Ok(39));
    }

    #[test]
    fn every_arrow_of_the_drawing_is_read() {
        let arrows = DRAWING
            .lines()
            .filter(|l| l.contains("->") || l.contains("<-"))
            .count();
        let boxes = DRAWING.lines().filter(|l| l.contains("box over")).count();
        assert_eq!(marks(DRAWING).len(), arrows + boxes);
    }

    #[test]
    fn colours_do_not_matter_and_directions_do() {
        let plain = "rbox over A #green:<color:#white>Exit</color>\nA<-B:x";
        assert_eq!(compare(plain, "box over A:Exit\nB->A:x"), Ok(2));
        let turned = compare("A->B:x", "B->A:x").expect_err("turned round");
        assert!(turned.starts_with("mark 1: drawn A -> B: x"), "{turned}");
    }

    #[test]
    fn two_marks_that_change_places_are_a_difference() {
        let swapped = DRAWING
            .replace("Allocate", "?")
            .replace("Free `", "Allocate `");
        let error = compare(DRAWING, &swapped).expect_err("differs");
        assert!(
            error.starts_with("mark 2: drawn box over HTTP(S) worker thread"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_end_is_a_difference() {
        let error = compare("A->B:x\nA->B:y", "A->B:x").expect_err("shorter");
        assert_eq!(error, "mark 2: drawn A -> B: y, recorded the end");
    }
}
