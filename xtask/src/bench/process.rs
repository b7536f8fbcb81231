//! A server under measurement: started, pinned, its processor time read, and ended whatever
//! happens.

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::workspace::target_dir;

/// How long a server may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// How often a child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server is quiet when it has used no processor time for so long: some ticks of its clock.
const QUIET: Duration = Duration::from_millis(200);

/// How long it is waited until a server is quiet. One that never is goes on being measured.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// A folder for configurations, logs and certificates, removed at the end.
pub(super) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(super) fn new() -> Result<Self, String> {
        let folder = target_dir()
            .join("bench")
            .join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self { folder })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies below the target folder and does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running program and all its descendants. Dropping it ends them.
pub(super) struct Running {
    child: Child,
}

impl Running {
    /// Starts `command` with its output in `log`, on the given processors.
    pub(super) fn start(command: &Command, log: &Path, cpus: Option<&str>) -> Result<Self, String> {
        let file = |path: &Path| fs::File::create(path).map_err(|e| e.to_string());
        let output = file(log)?;
        let complaints = output.try_clone().map_err(|e| e.to_string())?;
        let mut pinned = pinned(command, cpus);
        pinned
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(complaints);
        let child = pinned.spawn().map_err(|e| format!("cannot start: {e}"))?;
        Ok(Self { child })
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// User and system time of the process and all its descendants.
    pub(super) fn cpu_time(&self) -> Result<Duration, String> {
        let table = process_table();
        let ticks: u64 = tree(&table, self.child.id())
            .map(|pid| table[&pid].ticks)
            .sum();
        if ticks == 0 && !table.contains_key(&self.child.id()) {
            return Err("the server is gone".to_owned());
        }
        Ok(Duration::from_nanos(
            ticks * (1_000_000_000 / ticks_per_second()),
        ))
    }

    /// Resident memory of the process and all its descendants. What two of them share counts twice.
    pub(super) fn resident_kib(&self) -> Result<u64, String> {
        let table = process_table();
        let resident = |pid: u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            parse_resident_kib(&status)
        };
        let kib = tree(&table, self.child.id()).filter_map(resident).sum();
        if kib == 0 {
            return Err("the server is gone".to_owned());
        }
        Ok(kib)
    }

    /// Waits until it has nothing to do, as after many connections were opened or closed.
    pub(super) fn wait_until_quiet(&self) -> Result<(), String> {
        let deadline = Instant::now() + QUIET_MAX;
        let mut last = self.cpu_time()?;
        let mut since = Instant::now();
        while since.elapsed() < QUIET && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
            let now = self.cpu_time()?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let table = process_table();
        let pids: Vec<u32> = tree(&table, self.child.id()).collect();
        signal("-TERM", &pids[..pids.len().min(1)]);
        let deadline = Instant::now() + GRACE;
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
        // A descendant that outlived its parent is no longer below it: kill by the list made
        // before, unless the number was given to another program since.
        let now = process_table();
        let same = |pid: &&u32| {
            now.get(pid)
                .is_some_and(|p| p.started == table[pid].started)
        };
        let left: Vec<u32> = pids.iter().filter(same).copied().collect();
        signal("-KILL", &left);
        // Nothing is left to do about a child that cannot be waited for.
        let _ = self.child.wait();
    }
}

fn signal(which: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let pids = pids.iter().map(u32::to_string);
    // A process that ended in between is what was wanted.
    let _ = Command::new("kill")
        .arg(which)
        .args(pids)
        .stderr(Stdio::null())
        .status();
}

/// The same command, on these processors only. It becomes the child itself, not a child of it.
pub(super) fn pinned(command: &Command, cpus: Option<&str>) -> Command {
    let mut pinned = match cpus {
        Some(cpus) => {
            let mut taskset = Command::new("taskset");
            taskset.args(["-c", cpus]).arg(command.get_program());
            taskset
        }
        None => Command::new(command.get_program()),
    };
    pinned.args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            pinned.env(name, value);
        }
    }
    pinned
}

/// What `/proc/PID/stat` says of one process.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    parent: u32,
    /// User and system time, in ticks.
    ticks: u64,
    /// When it started, in ticks since the machine did: with the number, its identity.
    started: u64,
}

fn process_table() -> HashMap<u32, Entry> {
    let Ok(folder) = fs::read_dir("/proc") else {
        return HashMap::new();
    };
    let entry = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parse_stat(&stat)?))
    };
    folder
        .filter_map(|file| file.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(entry)
        .collect()
}

/// The name may hold spaces and parentheses: fields are counted behind the last one.
fn parse_stat(stat: &str) -> Option<Entry> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let parent = u32::try_from(number(1)?).ok()?;
    Some(Entry {
        parent,
        ticks: number(11)? + number(12)?,
        started: number(19)?,
    })
}

/// The line `VmRSS:   1234 kB` of `/proc/PID/status`.
fn parse_resident_kib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A process and its descendants, parents first.
fn tree(table: &HashMap<u32, Entry>, root: u32) -> impl Iterator<Item = u32> {
    let mut found: Vec<u32> = table
        .contains_key(&root)
        .then_some(root)
        .into_iter()
        .collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            table
                .iter()
                .filter(|(_, e)| e.parent == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found.into_iter()
}

/// The unit of `/proc/PID/stat`.
fn ticks_per_second() -> u64 {
    let output = Command::new("getconf").arg("CLK_TCK").output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.and_then(|text| text.parse().ok())
        .filter(|ticks| *ticks > 0)
        .unwrap_or(100)
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| format!("no free port: {e}"))?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_skipped() {
        let stat = "7 (a (b) c) S 3 7 7 0 -1 4194560 90 0 0 0 25 17 0 0 20 0 1 0 4711 1 1";
        assert_eq!(
            parse_stat(stat),
            Some(Entry {
                parent: 3,
                ticks: 42,
                started: 4711
            })
        );
        assert_eq!(parse_stat("7 (a"), None);
    }

    #[test]
    fn resident_memory_is_read_from_its_line() {
        let status = "Name:\tVmRSS: 1 kB\nVmHWM:\t  99 kB\nVmRSS:\t    1234 kB\nThreads:\t2\n";
        assert_eq!(parse_resident_kib(status), Some(1234));
        assert_eq!(parse_resident_kib("Name:\tkthread\n"), None);
    }

    #[test]
    fn resident_memory_is_that_of_the_whole_tree() {
        let folder = tempfile::tempdir().expect("a folder");
        let start = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Running::start(&command, &folder.path().join("log"), None).expect("starts")
        };
        let (one, two) = (start("sleep 60; true"), start("sleep 60 & sleep 60; true"));
        let has = |running: &Running, count| {
            let deadline = Instant::now() + Duration::from_secs(5);
            while tree(&process_table(), running.child.id()).count() < count {
                assert!(Instant::now() < deadline, "children did not start");
                thread::sleep(LOOK_EVERY);
            }
        };
        has(&one, 2);
        has(&two, 3);
        one.wait_until_quiet().expect("quiet");
        two.wait_until_quiet().expect("quiet");
        let kib = |running: &Running| running.resident_kib().expect("resident");
        assert!(kib(&two) > kib(&one), "{} and {}", kib(&two), kib(&one));
    }

    #[test]
    fn the_tree_holds_descendants_and_nobody_else() {
        let entry = |parent| Entry {
            parent,
            ticks: 1,
            started: 1,
        };
        let table = HashMap::from([(1, entry(0)), (2, entry(1)), (3, entry(2)), (4, entry(1))]);
        assert_eq!(tree(&table, 2).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(tree(&table, 9).count(), 0);
    }

    #[test]
    fn dropping_ends_the_child_and_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; sleep 60 & wait; sleep 60"]);
        let log = folder.path().join("log");
        let running = Running::start(&command, &log, None).expect("starts");
        let deadline = Instant::now() + Duration::from_secs(5);
        let root = running.child.id();
        while tree(&process_table(), root).count() < 2 && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
        let pids: Vec<u32> = tree(&process_table(), root).collect();
        assert_eq!(pids.len(), 2);
        drop(running);
        let alive = process_table();
        let is_running = |pid: &u32| alive.get(pid).is_some_and(|e| e.parent == root);
        assert!(
            !pids
                .iter()
                .any(|pid| *pid == root && alive.contains_key(pid))
        );
        assert!(!pids.iter().any(is_running));
    }

    #[test]
    fn a_pinned_command_keeps_arguments_and_environment() {
        let mut command = Command::new("printenv");
        command.arg("X").env("X", "1");
        let pinned = pinned(&command, Some("0"));
        let args: Vec<_> = pinned
            .get_args()
            .map(|a| a.to_string_lossy().into_owned())
            .collect();
        assert_eq!(args, ["-c", "0", "printenv", "X"]);
        assert_eq!(pinned.get_envs().count(), 1);
    }
}
