//! Whole-process figures, each beside a limit or a peer in the same run. They start the release build of `ci-intel`.

mod measure;
mod scenario;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::repo::{capture, root};
use measure::{Sample, alternate, median};

/// Where cargo leaves the program.
pub fn program(root: &Path, profile: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join(profile).join("ci-intel")
}

/// `cargo xtask bench NAME`
pub fn run(args: &[String]) -> anyhow::Result<bool> {
    if args.first().map(String::as_str) == Some("__measure") {
        return measure::child(&args[1..]);
    }
    let names: &[&str] = match args {
        [name] if name == "all" => &["version", "verify", "lane"],
        [name] => &[["version", "verify", "lane"]
            .into_iter()
            .find(|known| known == name)
            .with_context(|| format!("no bench {name}; expected version, verify, lane or all"))?],
        _ => bail!("usage: cargo xtask bench version|verify|lane|all"),
    };
    let root = root();
    capture(&root, "cargo", &["build", "--quiet", "--locked", "--release", "--package", "ci-cli"])?;
    let program = program(&root, "release");
    let mut within = true;
    for name in names {
        within &= match *name {
            "version" => version(&program)?,
            "verify" => verify(&root, &program)?,
            _ => lane(&root, &program)?,
        };
    }
    Ok(within)
}

/// One figure and its limit.
fn judge(name: &str, value: f64, limit: f64, unit: &str) -> bool {
    let within = value <= limit;
    println!("{name}: {value:.1} {unit} (limit {limit} {unit}) {}", if within { "ok" } else { "OVER" });
    within
}

fn version(program: &Path) -> anyhow::Result<bool> {
    let ours = [program.display().to_string(), "--version".to_owned()].to_vec();
    // The least that any process costs on this machine.
    let floor = ["/bin/true".to_owned()].to_vec();
    let (ours, floor) = alternate(&ours, &floor, 51)?;
    println!("version: {:.2} ms, /bin/true {:.2} ms", median(&ours, Sample::wall_ms), median(&floor, Sample::wall_ms));
    let size_mb = std::fs::metadata(program)?.len() as f64 / 1e6;
    let fast = judge("version wall", median(&ours, Sample::wall_ms), 5.0, "ms");
    Ok(judge("binary size", size_mb, 30.0, "MB") && fast)
}

fn verify(root: &Path, program: &Path) -> anyhow::Result<bool> {
    let release = scenario::release(root, program, "verify", Some(100))?;
    let text = |path: &Path| path.display().to_string();
    let ours =
        vec![text(program), "verify".to_owned(), text(&release.bundle), "--key".to_owned(), text(&release.public_key)];
    let script = root.join("scripts/bench-verify-peer.sh");
    let peer = vec![text(&script), text(&release.bundle), text(&release.public_key)];
    let (ours, peer) = alternate(&ours, &peer, 21)?;
    let (ours_ms, peer_ms) = (median(&ours, Sample::wall_ms), median(&peer, Sample::wall_ms));
    println!(
        "verify: {ours_ms:.1} ms, openssl + jq over the same files {peer_ms:.1} ms, ratio {:.3}",
        ours_ms / peer_ms
    );
    let fast = judge("verify wall", ours_ms, 60.0, "ms");
    Ok(judge("verify peak RSS", median(&ours, Sample::rss_mb), 40.0, "MB") && fast)
}

fn lane(root: &Path, program: &Path) -> anyhow::Result<bool> {
    let mut overheads = Vec::new();
    for turn in 0..5 {
        let release = scenario::release(root, program, &format!("lane-{turn}"), None)?;
        let inside = scenario::commands_ms(&release.bundle)?;
        println!("lane: {:.0} ms, of which commands and smoke {inside:.0} ms", release.wall_ms);
        overheads.push(release.wall_ms - inside);
    }
    overheads.sort_by(f64::total_cmp);
    Ok(judge("lane overhead", overheads[overheads.len() / 2], 1500.0, "ms"))
}
