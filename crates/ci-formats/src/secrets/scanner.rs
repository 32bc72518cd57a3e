//! The engine: one pass for keywords, then patterns in small windows around them, then structure checks.
//!
//! Time is linear in the input for every rule: windows of a rule are merged, so no byte is searched twice by it.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use ci_types::Digest;
use regex::bytes::{Regex, RegexBuilder};

use super::check::{self, Candidate};
use super::rule::Rule;
use super::{rules, values};

/// A secret's kind and place in the scanned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit<'s> {
    /// Rule id, or `env:<NAME>` for a literal value.
    pub rule_id: &'s str,
    /// 1-based line of `start`.
    pub line: u64,
    /// First byte of the secret.
    pub start: usize,
    /// Byte after the secret.
    pub end: usize,
}

/// Finds secrets. Build once, use for everything; patterns compile when a keyword first asks for them.
#[derive(Debug)]
pub struct Scanner {
    keywords: AhoCorasick,
    /// Rule index of each keyword pattern.
    owners: Vec<usize>,
    rules: Vec<Compiled>,
    values: Option<Values>,
    too_short: Vec<String>,
}

#[derive(Debug)]
struct Compiled {
    rule: &'static Rule,
    /// What every match starts with, in its own case, where the window starts at the keyword.
    prefix: &'static [u8],
    regex: OnceLock<Regex>,
}

#[derive(Debug)]
struct Values {
    automaton: AhoCorasick,
    /// `env:<NAME>` of each pattern.
    ids: Vec<String>,
}

/// Why a scanner could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the search for {count} given values cannot be built: {detail}; pass fewer or shorter values")]
pub struct ValuesTooLarge {
    /// Number of values.
    pub count: usize,
    /// The cause.
    pub detail: String,
}

/// A shortest run that is tried as Base64, in characters: no shorter one can hold a token of any rule.
const BASE64_RUN: usize = 28;

impl Scanner {
    /// All built-in rules.
    #[must_use]
    pub fn builtin() -> Self {
        let rules: Vec<_> =
            rules::all().map(|rule| Compiled { rule, prefix: literal_prefix(rule), regex: OnceLock::new() }).collect();
        let (owners, patterns): (Vec<_>, Vec<_>) = rules
            .iter()
            .enumerate()
            .flat_map(|(index, compiled)| compiled.rule.keywords.iter().map(move |keyword| (index, *keyword)))
            .unzip();
        #[allow(
            clippy::expect_used,
            reason = "a constant table; without it nothing could be searched, so there is no way on"
        )]
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(patterns)
            .expect("the built-in keywords fit an automaton");
        Self { keywords, owners, rules, values: None, too_short: Vec::new() }
    }

    /// All built-in rules and the exact `(name, value)` pairs given, for example secrets of the environment, which are found
    /// also in Base64 and URL encoding and inside JSON strings. Values under six bytes cannot be searched for:
    /// [`Scanner::too_short`] names them.
    ///
    /// # Errors
    /// Where the values together are too large for an automaton.
    pub fn with_values<N: AsRef<str>, V: AsRef<str>>(values: &[(N, V)]) -> Result<Self, ValuesTooLarge> {
        let mut scanner = Self::builtin();
        let (mut ids, mut patterns) = (Vec::new(), Vec::new());
        for (name, value) in values {
            if value.as_ref().trim().len() < values::SHORTEST {
                scanner.too_short.push(name.as_ref().to_owned());
                continue;
            }
            for spelling in values::spellings(value.as_ref()) {
                ids.push(format!("env:{}", name.as_ref()));
                patterns.push(spelling);
            }
        }
        if !patterns.is_empty() {
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(patterns)
                .map_err(|error| ValuesTooLarge { count: values.len(), detail: error.to_string() })?;
            scanner.values = Some(Values { automaton, ids });
        }
        Ok(scanner)
    }

    /// Names of given values that are too short to be searched for.
    #[must_use]
    pub fn too_short(&self) -> &[String] {
        &self.too_short
    }

    /// The rules, most specific first.
    pub fn rules(&self) -> impl Iterator<Item = &'static Rule> + '_ {
        self.rules.iter().map(|compiled| compiled.rule)
    }

    /// Number of built-in rules.
    #[must_use]
    pub fn rule_count(&self) -> u64 {
        self.rules.len() as u64
    }

    /// Digest of the rule set: changes whenever a rule would find something else. Given values are no part of it.
    #[must_use]
    pub fn rules_digest(&self) -> Digest {
        let mut text = String::from("ci-intel secret rules 1\n");
        for rule in self.rules() {
            text.push_str(&format!(
                "{}\t{}\t{}\t{}\t{:.3}\t{}\t{}\t{}\n",
                rule.id,
                rule.keywords.join("\x1f"),
                rule.regex,
                rule.group,
                rule.entropy_min,
                rule.check.name(),
                rule.before,
                rule.after
            ));
        }
        Digest::of(text.as_bytes())
    }

    /// All secrets in `hay`, in order, none overlapping another. Looks one level into Base64.
    #[must_use]
    pub fn scan(&self, hay: &[u8]) -> Vec<Hit<'_>> {
        let mut found = Vec::new();
        self.scan_plain(hay, &mut found);
        for run in base64_runs(hay) {
            let Some(decoded) = check::decode_base64(&hay[run.clone()]) else { continue };
            let mut inner = Vec::new();
            self.scan_plain(&decoded, &mut inner);
            if let Some(first) = inner.into_iter().min_by_key(|found| found.precedence) {
                found.push(Found { range: run, ..first });
            }
        }
        self.finish(hay, found)
    }

    fn scan_plain(&self, hay: &[u8], found: &mut Vec<Found>) {
        if let Some(values) = &self.values {
            for hit in values.automaton.find_iter(hay) {
                found.push(Found { range: hit.range(), precedence: Precedence::Value(hit.pattern().as_usize()) });
            }
        }
        let mut windows: Vec<Vec<Range<usize>>> = vec![Vec::new(); self.rules.len()];
        for hit in self.keywords.find_overlapping_iter(hay) {
            let index = self.owners[hit.pattern().as_usize()];
            let compiled = &self.rules[index];
            if !compiled.prefix.is_empty() && !hay[hit.start()..].starts_with(compiled.prefix) {
                continue;
            }
            let start = hit.start().saturating_sub(compiled.rule.before);
            let end = token_end(hay, hit.end().saturating_add(compiled.rule.after).min(hay.len()));
            match windows[index].last_mut() {
                Some(last) if last.end >= start => last.end = last.end.max(end),
                _ => windows[index].push(start..end),
            }
        }
        for (index, windows) in windows.into_iter().enumerate() {
            for window in windows {
                self.search(index, hay, window, found);
            }
        }
    }

    fn search(&self, index: usize, hay: &[u8], window: Range<usize>, found: &mut Vec<Found>) {
        let rule = self.rules[index].rule;
        let regex = self.rules[index].regex();
        let visible = &hay[..window.end];
        let mut at = window.start;
        while at < window.end && regex.find_at(visible, at).is_some() {
            let Some(captures) = regex.captures_at(visible, at) else { return };
            let (Some(whole), Some(secret)) = (captures.get(0), captures.get(rule.group)) else { return };
            at = whole.start() + 1;
            if (rule.group == 0 && !starts_word(hay, secret.start())) || !ends_word(hay, secret.end()) {
                continue;
            }
            let name = (rule.group == 2).then(|| captures.get(1)).flatten().map(|name| name.range());
            let candidate = Candidate { hay, secret: secret.range(), name, whole: whole.range() };
            if let Some(range) = check::accept(rule, &candidate) {
                at = range.end.max(at);
                found.push(Found { range, precedence: Precedence::Rule(index) });
            }
        }
    }

    fn finish<'s>(&'s self, hay: &[u8], mut found: Vec<Found>) -> Vec<Hit<'s>> {
        found.sort_by_key(|found| (found.range.start, found.precedence));
        let mut merged: Vec<Found> = Vec::new();
        for next in found {
            match merged.last_mut() {
                Some(last) if next.range.start < last.range.end => {
                    last.range.end = last.range.end.max(next.range.end);
                    last.precedence = last.precedence.min(next.precedence);
                }
                _ => merged.push(next),
            }
        }
        let (mut line, mut counted) = (1_u64, 0);
        merged
            .into_iter()
            .map(|Found { range, precedence }| {
                line += hay[counted..range.start].iter().filter(|byte| **byte == b'\n').count() as u64;
                counted = range.start;
                Hit { rule_id: self.id(precedence), line, start: range.start, end: range.end }
            })
            .collect()
    }

    fn id(&self, precedence: Precedence) -> &str {
        match (precedence, &self.values) {
            (Precedence::Rule(index), _) => self.rules[index].rule.id,
            (Precedence::Value(pattern), Some(values)) => &values.ids[pattern],
            (Precedence::Value(_), None) => "env",
        }
    }
}

#[derive(Debug, Clone)]
struct Found {
    range: Range<usize>,
    precedence: Precedence,
}

/// Given values name a hit before rules do; rules by their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Value(usize),
    Rule(usize),
}

impl Compiled {
    fn regex(&self) -> &Regex {
        #[allow(clippy::expect_used, reason = "constant patterns, each compiled by a test")]
        self.regex.get_or_init(|| {
            RegexBuilder::new(self.rule.regex).unicode(false).build().expect("the built-in pattern compiles")
        })
    }
}

/// What every match starts with where a window starts at its keyword; empty where that cannot be said.
fn literal_prefix(rule: &Rule) -> &'static [u8] {
    let text: &'static str = rule.regex;
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(text.len());
    let quantified = text[end..].starts_with(['?', '*', '{']);
    let prefix = &text[..end - usize::from(quantified && end > 0)];
    if rule.before == 0 && rule.group == 0 { prefix.as_bytes() } else { b"" }
}

/// A window never cuts a token: its end moves to where the token ends, by at most 16 KiB.
fn token_end(hay: &[u8], end: usize) -> usize {
    let limit = hay.len().min(end.saturating_add(16 << 10));
    hay[end..limit]
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || b"-_.+/=~%".contains(byte)))
        .map_or(limit, |more| end + more)
}

/// Whether a token may start at `at`: not inside a word, unless what looks like a word is the end of an escape
/// (`\n`, `\u0022`, `%3D`, a terminal colour).
fn starts_word(hay: &[u8], at: usize) -> bool {
    let before = &hay[..at];
    let Some(last) = before.last() else { return true };
    if !(last.is_ascii_alphanumeric() || *last == b'_') {
        return true;
    }
    let tail = |length: usize| before.len().checked_sub(length).map(|start| &before[start..]);
    let hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    let escape = tail(2).is_some_and(|text| text[0] == b'\\' && b"nrtbfv0".contains(&text[1]));
    let percent = tail(3).is_some_and(|text| text[0] == b'%' && hex(&text[1..]));
    let unicode = tail(6).is_some_and(|text| text.starts_with(b"\\u") && hex(&text[2..]));
    let byte = tail(4).is_some_and(|text| text.starts_with(b"\\x") && hex(&text[2..]));
    let colour = *last == b'm' && {
        let start = before.iter().rev().skip(1).take(12).position(|b| *b == b'[').map(|back| before.len() - 2 - back);
        start.is_some_and(|start| before[start + 1..at - 1].iter().all(|b| b.is_ascii_digit() || *b == b';'))
    };
    escape || percent || unicode || byte || colour
}

fn ends_word(hay: &[u8], at: usize) -> bool {
    hay.get(at).is_none_or(|next| !(next.is_ascii_alphanumeric() || *next == b'_'))
}

/// Runs of Base64 characters that are long enough to hold a token and are not plain hex or one repeated character.
fn base64_runs(hay: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < hay.len() {
            let start = at + hay[at..].iter().position(|byte| BASE64[usize::from(*byte)])?;
            let length = hay[start..].iter().position(|byte| !BASE64[usize::from(*byte)]).unwrap_or(hay.len() - start);
            at = start + length;
            // The character after a backslash belongs to an escape.
            let escaped = start > 0 && hay[start - 1] == b'\\';
            let run = start + usize::from(escaped)..start + length;
            if run.len() >= BASE64_RUN && !hay[run.clone()].iter().all(u8::is_ascii_hexdigit) {
                return Some(run);
            }
        }
        None
    })
}

const BASE64: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        table[byte] = value.is_ascii_alphanumeric() || matches!(value, b'+' | b'/' | b'-' | b'_');
        byte += 1;
    }
    table
};
