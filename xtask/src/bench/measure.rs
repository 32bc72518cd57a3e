//! Wall time, CPU time and peak memory of one process.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};
use nix::sys::resource::{UsageWho, getrusage};

/// One run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    wall_us: u64,
    rss_kib: u64,
}

impl Sample {
    /// Wall time in milliseconds.
    pub fn wall_ms(&self) -> f64 {
        self.wall_us as f64 / 1e3
    }

    /// Peak resident set in megabytes.
    pub fn rss_mb(&self) -> f64 {
        self.rss_kib as f64 * 1024.0 / 1e6
    }
}

/// Median of one quantity.
pub fn median(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::INFINITY)
}

/// Runs both in turn, so that a busy moment meets both alike. One run of each first, uncounted, warms the caches.
pub fn alternate(ours: &[String], peer: &[String], runs: usize) -> anyhow::Result<(Vec<Sample>, Vec<Sample>)> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for turn in 0..=runs {
        let (a, b) = (measure(ours)?, measure(peer)?);
        if turn > 0 {
            first.push(a);
            second.push(b);
        }
    }
    Ok((first, second))
}

/// Peak memory is known for the children of a process together, so each run gets a parent of its own.
fn measure(argv: &[String]) -> anyhow::Result<Sample> {
    let output = Command::new(std::env::current_exe()?).args(["bench", "__measure"]).args(argv).output()?;
    if !output.status.success() {
        bail!(
            "{}: {}{}",
            argv.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn parse(text: &str) -> anyhow::Result<Sample> {
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(wall_us)), Some(Ok(rss_kib)), None) => Ok(Sample { wall_us, rss_kib }),
        _ => bail!("`{text}` is no measurement"),
    }
}

/// The parent: runs the command and prints what it took.
pub fn child(argv: &[String]) -> anyhow::Result<bool> {
    let [program, args @ ..] = argv else { bail!("nothing to measure") };
    let start = Instant::now();
    let output = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let wall_us = start.elapsed().as_micros();
    if !output.status.success() {
        // A rejection would be measured as a fast success.
        bail!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    println!("{wall_us} {}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_counts() {
        let samples: Vec<Sample> = [9, 1, 5].iter().map(|ms| Sample { wall_us: ms * 1000, rss_kib: 0 }).collect();
        assert_eq!(median(&samples, Sample::wall_ms), 5.0);
        assert_eq!(median(&[], Sample::wall_ms), f64::INFINITY);
    }

    #[test]
    fn anything_but_two_numbers_rejects() {
        assert_eq!(parse("1500 2000\n").unwrap().wall_ms(), 1.5);
        for text in ["", "1", "1 2 3", "a 2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
