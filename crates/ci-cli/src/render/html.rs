//! One self-contained page: no script, no request, light and dark. Every text of others is escaped.

use std::fmt::Write as _;

use ci_types::canonical;
use ci_types::record::{Decision, EvidenceKind, GateVerdict, Verdict};

use super::View;
use crate::commands::evidence::Opened;
use crate::commands::history::Row;
use crate::failure::Failure;
use crate::lane::State;
use crate::ui;

const STYLE: &str = include_str!("page.css");

pub(super) fn decision(view: &View<'_>) -> String {
    let mut body = String::new();
    release(&mut body, view.decision, view.bundle.as_deref(), "");
    page(&format!("Release {}", view.decision.subject.tag), &body)
}

/// The page of what ended without a decision that holds.
pub(super) fn stopped(word: &str, what: &str, reason: &str, fix: Option<&str>) -> String {
    let fix = fix.map(|fix| format!("<div class=fix>{}</div>", escape(fix))).unwrap_or_default();
    let body = format!(
        "<section class=no><h2><span class='badge no'>{}</span> {}</h2><p>{}</p>{fix}</section>",
        escape(word),
        escape(what),
        escape(reason)
    );
    page("No release", &body)
}

/// The page of `ci-intel history --format html`.
pub(crate) fn history(rows: &[Row<'_>], state: &State) -> Result<String, Failure> {
    let accepted = rows.iter().filter(|row| row.entry.verdict == Verdict::Accepted).count();
    let mut body = String::new();
    let _ = write!(
        body,
        "<p class=sum><b>{}</b> releases decided, <b class=ok>{accepted}</b> accepted, <b class=no>{}</b> rejected. \
         The decision log's chain was checked and holds.</p>",
        rows.len(),
        rows.len() - accepted
    );
    if rows.is_empty() {
        body.push_str("<p>No release yet. Run <code>ci-intel release</code>.</p>");
    }
    for row in rows.iter().rev() {
        let entry = row.entry;
        let chain = chain(row);
        if let Some(failure) = &entry.failure {
            let _ = write!(
                body,
                "<section class=no><h2><span class='badge no'>rejected</span> {}:{} <small>for {}</small></h2>{chain}\
                 <p>The lane ended in stage <b>{}</b> before it could be decided:</p><p>{}</p></section>",
                escape(&entry.name),
                escape(entry.tag.as_str()),
                entry.environment,
                escape(&failure.stage),
                escape(&failure.message),
            );
            continue;
        }
        let path = state.release(&entry.run_id).join(format!("evidence-{}.tar.zst", entry.tag));
        let decision = Opened::read(&path)
            .ok()
            .and_then(|opened| canonical::from_slice::<Decision>(opened.kind(EvidenceKind::Decision)?).ok());
        match decision {
            Some(decision) => release(&mut body, &decision, Some(&path.display().to_string()), &chain),
            None => {
                let _ = write!(
                    body,
                    "<section><h2>#{} {}</h2><p class=no>The bundle {} is missing or damaged; only the log entry is \
                     left.</p>{chain}</section>",
                    entry.sequence,
                    escape(entry.tag.as_str()),
                    escape(&path.display().to_string()),
                );
            }
        }
    }
    Ok(page("Releases", &body))
}

fn chain(row: &Row<'_>) -> String {
    let mut out = format!("<p class=chain id=r{0}>#{0}", row.entry.sequence);
    if let Some(by) = row.closed_by {
        let _ = write!(out, " · fixed and passed in <a href=#r{by}>#{by}</a>");
    } else if let Some(other) = row.side_channel {
        let _ = write!(out, " · open: <a href=#r{other}>#{other}</a> came from another lane and does not close it");
    }
    for closed in &row.closes {
        let _ = write!(out, " · closes <a href=#r{closed}>#{closed}</a>");
    }
    out.push_str("</p>");
    out
}

fn release(out: &mut String, decision: &Decision, bundle: Option<&str>, chain: &str) {
    let (class, word) = match decision.verdict {
        Verdict::Accepted => ("ok", "accepted"),
        Verdict::Rejected => ("no", "rejected"),
    };
    let _ = write!(
        out,
        "<section class={class}><h2><span class='badge {class}'>{word}</span> {} <small>for {}</small></h2>{chain}<dl>",
        escape(&format!("{}:{}", decision.subject.name, decision.subject.tag)),
        decision.environment,
    );
    let authority = if decision.lane.authoritative { "authoritative" } else { "not authoritative" };
    let rows = [
        ("digest", decision.subject.digest.to_string()),
        ("source", format!("{} at {}", decision.repository, decision.commit)),
        ("lane", format!("{} ({authority}), {}", decision.lane.id, decision.lane.actor)),
        ("decided", decision.now.to_string()),
        ("evidence", bundle.unwrap_or_default().to_owned()),
    ];
    for (key, value) in rows {
        let _ = write!(out, "<dt>{key}</dt><dd>{}</dd>", escape(&value));
    }
    out.push_str("</dl><table><thead><tr><th>gate<th>verdict<th>why</thead><tbody>");
    for gate in &decision.gates {
        let (class, word) = match gate.verdict {
            GateVerdict::Pass => ("ok", "pass"),
            GateVerdict::Deny => ("no", "deny"),
        };
        let _ = write!(out, "<tr><td>{}<td class={class}>{word}<td>", escape(&gate.gate));
        for reason in &gate.reasons {
            let _ = write!(out, "<div>{}</div>", escape(&reason.message));
            if !reason.remediation.is_empty() {
                let _ = write!(out, "<div class=fix>{}</div>", escape(&reason.remediation));
            }
        }
    }
    out.push_str("</tbody></table></section>");
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>ci-intel: {0}</title><style>{STYLE}</style></head><body><main><h1>{0}</h1>{body}</main></body></html>\n",
        escape(title)
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in ui::plain(text).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
