//! A real release of the example to measure: of the service as it is, or with an image of a given number of packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::example;
use crate::repo::capture;

/// What a release left.
pub struct Release {
    /// The bundle.
    pub bundle: PathBuf,
    /// PEM file of the key that signed it.
    pub public_key: PathBuf,
    /// Wall time of `ci-intel release` in milliseconds.
    pub wall_ms: f64,
}

/// Releases a fresh copy of the example below `out/bench/<name>`.
pub fn release(root: &Path, program: &Path, name: &str, packages: Option<usize>) -> anyhow::Result<Release> {
    let folder = example::fresh(&format!("out/bench/{name}"))?;
    if let Some(count) = packages {
        add_packages(root, &folder, count)?;
        example::commit(&folder, "Add packages")?;
    }
    let program = program.display().to_string();
    let repo = folder.display().to_string();
    // One key for all, made before: that is not what is measured.
    let key = root.join("out/bench/release.key");
    let public_key = root.join("out/bench/release.key.pub");
    let key = key.display().to_string();
    if !public_key.exists() {
        capture(root, &program, &["key", "generate", "--out", &key])?;
    }
    let start = Instant::now();
    let args = ["release", "--repo", &repo, "--env", "local", "--key", &key];
    let output = Command::new(&program).args(args).output()?;
    let wall_ms = start.elapsed().as_secs_f64() * 1e3;
    if !output.status.success() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        bail!("{program} {}: {}\n{}{}", args.join(" "), output.status, text(&output.stdout), text(&output.stderr));
    }
    Ok(Release { bundle: bundle(&folder)?, public_key, wall_ms })
}

/// The one bundle below `.ci-intel/state/releases`.
fn bundle(folder: &Path) -> anyhow::Result<PathBuf> {
    let releases = folder.join(".ci-intel/state/releases");
    let mut found = Vec::new();
    for release in std::fs::read_dir(&releases).with_context(|| releases.display().to_string())?.flatten() {
        for file in std::fs::read_dir(release.path()).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().ends_with(".tar.zst") {
                found.push(file.path());
            }
        }
    }
    match found.as_slice() {
        [bundle] => Ok(bundle.clone()),
        found => bail!("{} bundles below {}, expected 1", found.len(), releases.display()),
    }
}

/// Puts a second lock file into the image, so that it holds `count` packages in all: real ones, from our own lock file.
fn add_packages(root: &Path, folder: &Path, count: usize) -> anyhow::Result<()> {
    let own = std::fs::read_to_string(folder.join("Cargo.lock"))?.matches("[[package]]").count();
    let lock = std::fs::read_to_string(root.join("Cargo.lock"))?;
    let mut parts = lock.split("[[package]]");
    let mut text = parts.next().unwrap_or_default().to_owned();
    let wanted: Vec<&str> = parts.filter(|part| part.contains("source = ")).take(count.saturating_sub(own)).collect();
    if own + wanted.len() != count {
        bail!("our lock file has {} packages to lend, {count} are wanted", wanted.len());
    }
    for part in wanted {
        text.push_str("[[package]]");
        text.push_str(part);
    }
    std::fs::create_dir_all(folder.join("packages"))?;
    std::fs::write(folder.join("packages/Cargo.lock"), text)?;
    let path = folder.join(".ci-intel/config.yml");
    let config = std::fs::read_to_string(&path)?;
    let with = config.replace("      - scan/src/**\n", "      - scan/src/**\n      - packages/Cargo.lock\n").replace(
        "    entrypoint:",
        "      - { from: packages/Cargo.lock, to: /usr/share/packages/Cargo.lock }\n    entrypoint:",
    );
    if with.matches("packages/Cargo.lock").count() != 3 {
        bail!("{}: its shape changed; adapt xtask/src/bench/scenario.rs", path.display());
    }
    Ok(std::fs::write(path, with)?)
}

/// Milliseconds that a release spent in commands (build, tests, scanners) and in the smoke test, by its own records.
pub fn commands_ms(bundle: &Path) -> anyhow::Result<f64> {
    let folder = bundle.with_extension("unpacked");
    std::fs::create_dir_all(&folder)?;
    let args = ["--zstd", "-xf", &bundle.display().to_string(), "-C", &folder.display().to_string()];
    capture(Path::new("."), "tar", &args)?;
    let (mut commands, mut smoke) = (None, None);
    let mut todo = vec![folder];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next)?.flatten() {
            if entry.file_type()?.is_dir() {
                todo.push(entry.path());
                continue;
            }
            let Ok(document) = serde_json::from_slice::<Value>(&std::fs::read(entry.path())?) else { continue };
            match document["schema"].as_str() {
                Some("https://ci-intel.dev/schema/build_command_surface_receipt.v1.json") => {
                    let runs = document["commands"].as_array().context("the receipt has no commands")?;
                    let outside = runs.iter().filter(|run| run["stage"] != "smoke");
                    commands = Some(outside.filter_map(|run| run["duration_ms"].as_f64()).sum::<f64>());
                }
                Some("https://ci-intel.dev/schema/smoke_report.v1.json") => smoke = document["duration_ms"].as_f64(),
                _ => {}
            }
        }
    }
    Ok(commands.context("no command receipt in the bundle")? + smoke.context("no smoke report in the bundle")?)
}
