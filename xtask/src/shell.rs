//! Steps: a named command whose time is told, and the summary at the end.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::workspace::root;

/// What became of one step.
pub(crate) struct Step {
    name: String,
    took: Duration,
    passed: bool,
}

/// Runs steps one after another and remembers what became of each.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

impl Steps {
    /// Runs `command`, its output going where ours goes. `Err` names the step that failed.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) -> Result<(), String> {
        command.current_dir(root());
        self.step(name, || {
            let status = command.status().map_err(|e| format!("cannot start: {e}"))?;
            if status.success() {
                Ok(())
            } else {
                Err(format!("{status}"))
            }
        })
    }

    /// Runs `work` under a name. `Err` names the step that failed.
    pub(crate) fn step(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        println!("==> {name}");
        let began = Instant::now();
        let outcome = work();
        let took = began.elapsed();
        let passed = outcome.is_ok();
        println!("<== {name}: {} in {}", verdict(passed), seconds(took));
        self.done.push(Step {
            name: name.to_owned(),
            took,
            passed,
        });
        outcome.map_err(|why| format!("{name}: {why}"))
    }

    /// The table of steps and one line that says how it ended.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        for step in &self.done {
            let line = format!(
                "{:>9}  {:<6}  {}\n",
                seconds(step.took),
                verdict(step.passed),
                step.name
            );
            text.push_str(&line);
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        let failed = self.done.iter().filter(|step| !step.passed).count();
        let passed = self.done.len() - failed;
        text.push_str(&format!(
            "{passed} steps passed, {failed} failed, {}",
            seconds(total)
        ));
        text
    }
}

fn verdict(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

/// `cargo`, the one that runs us.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(args);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_in_the_error_and_in_the_summary() {
        let mut steps = Steps::default();
        steps.step("first", || Ok(())).expect("passes");
        let error = steps
            .step("second", || Err("exit 3".to_owned()))
            .expect_err("fails");
        assert_eq!(error, "second: exit 3");
        let summary = steps.summary();
        assert!(summary.contains("ok      first"), "{summary}");
        assert!(summary.contains("FAILED  second"), "{summary}");
        assert!(summary.contains("1 steps passed, 1 failed"), "{summary}");
    }

    #[test]
    fn a_command_that_exits_with_failure_is_an_error() {
        let mut steps = Steps::default();
        let error = steps
            .command("lie", &mut Command::new("false"))
            .expect_err("false fails");
        assert!(error.starts_with("lie: "), "{error}");
    }
}
