//! What every server is started with: files, a certificate, processors, and how long its loops are.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::crowd;
use super::kinds::httpng_binary;
use super::process::Scratch;
use crate::workspace::{root, stdout_of};

/// The folder with the files that are asked for.
pub(super) const FILES: &str = "files";

/// What every server is started with.
pub(super) struct Surroundings<'a> {
    pub(super) scratch: &'a Scratch,
    pub(super) certificate: Certificate,
    /// Processors, as taskset understands them. Absent: all.
    pub(super) cpus: Option<&'a str>,
    /// See [`loops_per_us`].
    pub(super) loops: f64,
    /// Descriptors that a process may have.
    pub(super) open_files: u64,
}

impl<'a> Surroundings<'a> {
    /// Makes the files. The loops are measured if they are `timed`: handlers that take a while are
    /// asked for.
    pub(super) fn make(
        scratch: &'a Scratch,
        cpus: Option<&'a str>,
        timed: bool,
    ) -> Result<Self, String> {
        make_files(scratch)?;
        Ok(Self {
            scratch,
            certificate: Certificate::make(scratch)?,
            cpus,
            loops: if timed { loops_per_us()? } else { 1.0 },
            open_files: crowd::open_files(),
        })
    }
}

fn make_files(scratch: &Scratch) -> Result<(), String> {
    let folder = scratch.path(FILES);
    let made = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("1k"), vec![b'x'; 1024]))
        .and_then(|()| fs::write(folder.join("1m"), vec![b'x'; 1024 * 1024]));
    made.map_err(|e| format!("{}: {e}", folder.display()))
}

/// How often the loop of `bench/work.lua` runs in a microsecond, on this machine at this time. All
/// servers are told the same number, so that their handlers do the same.
fn loops_per_us() -> Result<f64, String> {
    let mut calibration = Command::new(httpng_binary()?);
    calibration.arg(root().join("bench/calibrate.lua"));
    let said = stdout_of(&mut calibration)?;
    let number = said.trim().parse();
    number.map_err(|_| format!("bench/calibrate.lua says `{said}`"))
}

/// A self-signed certificate for 127.0.0.1.
pub(super) struct Certificate {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Certificate {
    fn make(scratch: &Scratch) -> Result<Self, String> {
        let made = Self {
            certificate: scratch.path("certificate.pem"),
            key: scratch.path("key.pem"),
        };
        let mut openssl = Command::new("openssl");
        openssl
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.certificate);
        stdout_of(&mut openssl)?;
        Ok(made)
    }
}
