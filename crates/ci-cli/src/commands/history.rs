//! `ci-intel history`: releases and their fail → fix → pass chains.

use std::fmt::Write as _;

use ci_evidence::decision_log::LogEntry;
use ci_types::record::Verdict;
use serde_json::json;

use crate::args::{Format, HistoryArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lane::State;
use crate::{files, render, ui};

/// A release with what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Row<'a> {
    pub(crate) entry: &'a LogEntry,
    /// For an acceptance: sequences of the rejections that it closes.
    pub(crate) closes: Vec<u64>,
    /// For a rejection: sequence of the acceptance that closed it.
    pub(crate) closed_by: Option<u64>,
    /// For a rejection: a later acceptance from another lane, which does not close it.
    pub(crate) side_channel: Option<u64>,
}

/// Links each rejection with the next acceptance of the same project, environment and lane. An acceptance from another lane
/// closes nothing (spec 7.5: same-workflow remediation).
pub(crate) fn chains(entries: &[LogEntry]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> =
        entries.iter().map(|entry| Row { entry, closes: Vec::new(), closed_by: None, side_channel: None }).collect();
    for at in 0..rows.len() {
        let accepted = rows[at].entry;
        if accepted.verdict != Verdict::Accepted {
            continue;
        }
        for before in 0..at {
            let rejected = rows[before].entry;
            let same_release_line =
                rejected.project == accepted.project && rejected.environment == accepted.environment;
            if rejected.verdict != Verdict::Rejected || rows[before].closed_by.is_some() || !same_release_line {
                continue;
            }
            let same_lane =
                rejected.lane.id == accepted.lane.id && rejected.lane.authoritative == accepted.lane.authoritative;
            if same_lane {
                rows[before].closed_by = Some(accepted.sequence);
                rows[at].closes.push(rejected.sequence);
            } else if rows[before].side_channel.is_none() {
                rows[before].side_channel = Some(accepted.sequence);
            }
        }
    }
    rows
}

pub(crate) fn run(args: &HistoryArgs) -> Result<Exit, Failure> {
    let state = State::existing(&args.repo.repo)?;
    let log = state.log()?;
    let rows = chains(&log.entries);
    let text = match args.format {
        Format::Text => text(&rows, args.limit),
        Format::Json => render::pretty(&rows.iter().rev().take(args.limit).map(row_json).collect::<Vec<_>>())?,
        Format::Html => render::history_page(&rows[rows.len().saturating_sub(args.limit)..], &state)?,
        Format::Sarif | Format::Markdown | Format::Github => {
            return Err(Failure::usage("history is shown as text, json or html"));
        }
    };
    match &args.out {
        None => ui::print(&text),
        Some(path) => {
            files::write(path, text.as_bytes())?;
            ui::note(&format!("wrote {}", path.display()));
        }
    }
    Ok(Exit::Ok)
}

fn row_json(row: &Row<'_>) -> serde_json::Value {
    json!({
        "entry": row.entry,
        "closes": row.closes,
        "closed_by": row.closed_by,
        "side_channel": row.side_channel,
    })
}

fn text(rows: &[Row<'_>], limit: usize) -> String {
    if rows.is_empty() {
        return "no release yet; run: ci-intel release\n".to_owned();
    }
    let mut out = String::new();
    for row in rows.iter().rev().take(limit) {
        let entry = row.entry;
        let verdict = match entry.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Rejected => "rejected",
        };
        let _ = writeln!(
            out,
            "#{:<4} {} {verdict} {:<8} {} {} ({})",
            entry.sequence,
            entry.decided_at,
            entry.environment.as_str(),
            entry.tag,
            entry.digest.map_or_else(|| "no image".to_owned(), |digest| digest.short()),
            entry.lane.id,
        );
        if let Some(failure) = &entry.failure {
            let _ = writeln!(out, "      ended in stage {}: {}", failure.stage, ui::plain(&failure.message));
        }
        if !entry.denied_by.is_empty() {
            let _ = writeln!(out, "      denied by {}", entry.denied_by.join(", "));
        }
        match (row.closed_by, row.side_channel) {
            (Some(by), _) => {
                let _ = writeln!(out, "      fixed and passed in #{by}");
            }
            (None, Some(other)) => {
                let _ = writeln!(out, "      open: #{other} came from another lane and does not close it");
            }
            _ => {}
        }
        if !row.closes.is_empty() {
            let closed: Vec<String> = row.closes.iter().map(|sequence| format!("#{sequence}")).collect();
            let _ = writeln!(out, "      closes {}", closed.join(", "));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ci_types::record::Lane;
    use ci_types::{Digest, Environment, Timestamp};

    fn entry(sequence: u64, lane: &str, verdict: Verdict) -> LogEntry {
        LogEntry {
            sequence,
            previous: None,
            run_id: String::new(),
            project: "app".to_owned(),
            decided_at: Timestamp::from_unix_s(0).unwrap(),
            commit: String::new(),
            name: "app".to_owned(),
            tag: "v1".parse().unwrap(),
            digest: Some(Digest::of(b"")),
            environment: Environment::Dev,
            lane: Lane { id: lane.to_owned(), actor: String::new(), authoritative: lane != "local" },
            verdict,
            denied_by: Vec::new(),
            decision: Some(Digest::of(b"")),
            failure: None,
        }
    }

    #[test]
    fn an_acceptance_closes_the_rejections_of_its_lane() {
        let entries =
            [entry(0, "ci", Verdict::Rejected), entry(1, "ci", Verdict::Rejected), entry(2, "ci", Verdict::Accepted)];
        let rows = chains(&entries);
        assert_eq!(rows[2].closes, [0, 1]);
        assert_eq!(rows[0].closed_by, Some(2));
    }

    #[test]
    fn an_acceptance_from_another_lane_closes_nothing() {
        let entries =
            [entry(0, "ci", Verdict::Rejected), entry(1, "local", Verdict::Accepted), entry(2, "x", Verdict::Accepted)];
        let rows = chains(&entries);
        assert_eq!(rows[0].closed_by, None);
        assert_eq!(rows[0].side_channel, Some(1));
        assert!(rows[1].closes.is_empty() && rows[2].closes.is_empty());
    }
}
