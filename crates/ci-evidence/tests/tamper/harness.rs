//! A small libtest: the same arguments and lines, and the counts of every attack.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use crate::sample::{Attempt, Sample, Verdict};

/// One kind of attack: how it changes a sample.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Every way in which it changes the sample; each is tried as a bundle of its own.
    pub(crate) attempts: fn(&Sample) -> Vec<Attempt>,
    /// What must become of each.
    pub(crate) expected: Verdict,
}

#[derive(Default)]
struct Tally {
    tried: usize,
    as_expected: usize,
    panicked: usize,
    wrong: Vec<String>,
}

/// Threads that try bundles; the machines that run this have two cores.
const THREADS: usize = 2;
/// Mistakes that are shown of one attack.
const SHOWN: usize = 20;

pub(crate) fn run(attacks: &[Attack]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let filters = filters(&arguments);
    let wanted = |name: &str| {
        let hit = |filter: &String| if exact { *filter == name } else { name.contains(filter.as_str()) };
        filters.is_empty() || filters.iter().any(hit)
    };
    let chosen: Vec<(String, &Attack)> = attacks
        .iter()
        .map(|attack| (format!("tamper::{}", attack.name), attack))
        .filter(|(name, _)| wanted(name))
        .collect();
    if arguments.iter().any(|argument| argument == "--list") {
        // cargo-nextest asks for ignored tests separately; there are none.
        if !arguments.iter().any(|argument| argument == "--ignored") {
            chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    // A panic is counted and named; its backtrace would bury the count.
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let (mut failed, mut changed, mut untouched) = (0, Tally::default(), Tally::default());
    for (name, attack) in &chosen {
        let tally = try_all(attack);
        let good = tally.tried > 0 && tally.as_expected == tally.tried;
        let word = if attack.expected == Verdict::Accepted { "accepted" } else { "rejected" };
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        println!("    {} bundles, {} {word}, {} panicked", tally.tried, tally.as_expected, tally.panicked);
        tally.wrong.iter().take(SHOWN).for_each(|wrong| println!("    {wrong}"));
        failed += usize::from(!good);
        let total = if attack.expected == Verdict::Accepted { &mut untouched } else { &mut changed };
        total.tried += tally.tried;
        total.as_expected += tally.as_expected;
        total.panicked += tally.panicked;
    }
    println!(
        "\ntamper: {} changed bundles, {} rejected, {} panicked; {} untouched, {} accepted",
        changed.tried, changed.as_expected, changed.panicked, untouched.tried, untouched.as_expected
    );
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        chosen.len() - failed,
        attacks.len() - chosen.len(),
        started.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// Arguments that are no option and no option's value.
fn filters(arguments: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--test-threads" | "--format" | "--color" | "--skip" | "--logfile" | "-Z" => drop(arguments.next()),
            option if option.starts_with('-') => {}
            filter => out.push(filter.to_owned()),
        }
    }
    out
}

fn try_all(attack: &Attack) -> Tally {
    static SAMPLES: LazyLock<[Sample; 2]> = LazyLock::new(|| [Sample::local(), Sample::authoritative()]);
    let mut total = Tally::default();
    for sample in SAMPLES.iter() {
        let attempts = (attack.attempts)(sample);
        let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while let Some(attempt) = attempts.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = catch_unwind(AssertUnwindSafe(|| sample.verdict(attempt)));
                        let mut tally = tally.lock().unwrap();
                        tally.tried += 1;
                        match outcome {
                            Ok(verdict) if verdict == attack.expected => tally.as_expected += 1,
                            Ok(verdict) => {
                                let wrong = format!("{}, {}: {verdict:?}", sample.name, attempt.what);
                                tally.wrong.push(wrong);
                            }
                            Err(_) => {
                                tally.panicked += 1;
                                tally.wrong.push(format!("{}, {}: panicked", sample.name, attempt.what));
                            }
                        }
                    }
                });
            }
        });
        let tally = tally.into_inner().unwrap();
        total.tried += tally.tried;
        total.as_expected += tally.as_expected;
        total.panicked += tally.panicked;
        total.wrong.extend(tally.wrong);
    }
    total
}
