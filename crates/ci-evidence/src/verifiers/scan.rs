//! Scanner reports, one for each configured scanner, each made by the lane from this image or its SBOM.
//!
//! What a scanner was told to ignore counts all the same: a suppression written by the repository that is judged would be a
//! waiver that nobody signed.

use ci_formats::scan::{self, ScanReport, ScanTarget};
use ci_types::config::ScanFormat;
use ci_types::record::{CommandReceipt, CommandRun, EvidenceFile, EvidenceKind};

use super::{Inputs, ensure, image};
use crate::facts::{Outcome, Rejection, RejectionCode, ScanFact, VerifiedFact, Vulnerability};
use crate::template;

const KIND: EvidenceKind = EvidenceKind::ScanResults;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<ScanFact> {
    let (_, receipt): (_, CommandReceipt) = inputs.set.record(EvidenceKind::Commands)?;
    let runs: Vec<(usize, &CommandRun)> =
        receipt.commands.iter().enumerate().filter(|(_, run)| run.stage == "scan").collect();
    let configured = &inputs.config.scan.commands;
    ensure(KIND, RejectionCode::Missing, !configured.is_empty(), || "no scanner is configured".to_owned())?;
    ensure(KIND, RejectionCode::Missing, runs.len() == configured.len(), || {
        format!("{} scanners ran, {} are configured", runs.len(), configured.len())
    })?;
    let mut fact = ScanFact { tools: Vec::new(), oldest_db: None, findings: Vec::new() };
    let mut evidence = Vec::new();
    for ((index, run), expected) in runs.into_iter().zip(configured) {
        ensure(KIND, RejectionCode::Inconsistent, template::fits_command(&expected.run, &run.argv), || {
            format!("`{}` was run, `{}` is configured", run.argv.join(" "), expected.run.join(" "))
        })?;
        let (file, report) = report(inputs, index, run, expected.format)?;
        let version = report.tool_version.as_deref().unwrap_or_default();
        fact.tools.push(format!("{} {version}", report.tool).trim().to_owned());
        fact.oldest_db = match (fact.oldest_db, report.db_built) {
            (Some(known), Some(built)) => Some(known.min(built)),
            (known, built) => known.or(built),
        };
        fact.findings.extend(report.findings.iter().map(|finding| Vulnerability {
            severity: finding.severity,
            id: finding.id.clone(),
            package: finding.package.clone().or_else(|| finding.location.clone()).unwrap_or_default(),
            version: finding.version.clone().unwrap_or_default(),
            fixed_in: finding.fixed_in.first().cloned(),
        }));
        evidence.push(file.digest);
    }
    let stray = inputs.set.all(KIND).count() != evidence.len();
    ensure(KIND, RejectionCode::Inconsistent, !stray, || {
        "there are reports that no scanner of the lane made".to_owned()
    })?;
    fact.findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
    // Only a finding that names its package can be known to be the same as another.
    fact.findings
        .dedup_by(|a, b| !a.package.is_empty() && (&a.id, &a.package, &a.version) == (&b.id, &b.package, &b.version));
    Ok(VerifiedFact::proven(fact, evidence))
}

fn report<'a>(
    inputs: &Inputs<'a>,
    index: usize,
    run: &CommandRun,
    format: ScanFormat,
) -> Result<(&'a EvidenceFile, ScanReport), Rejection> {
    let program = run.argv.first().map(String::as_str).unwrap_or_default();
    ensure(KIND, RejectionCode::Inconsistent, run.exit_code == Some(0), || {
        let ended =
            run.exit_code.map_or_else(|| "did not end by itself".to_owned(), |code| format!("exited with {code}"));
        format!("`{program}` {ended}; a scanner must exit 0 and leave the verdict to the budget")
    })?;
    let mut files = inputs.set.all(KIND).filter(|(file, _)| file.producer.command == Some(index as u64));
    let (Some((file, content)), None) = (files.next(), files.next()) else {
        return Err(Rejection::new(KIND, RejectionCode::Missing, format!("`{program}` left no report, or several")));
    };
    let read = match format {
        ScanFormat::Grype => scan::grype::read(content),
        ScanFormat::Trivy => scan::trivy::read(content),
        ScanFormat::Sarif => scan::sarif::read(content),
    };
    let report =
        read.map_err(|error| Rejection::new(KIND, RejectionCode::Malformed, format!("{}: {error}", file.path)))?;
    about_this_image(inputs, run, file, &report.target)?;
    Ok((file, report))
}

/// A report that names an image must name this one; in any case the scanner must have been given this image or its SBOM.
fn about_this_image(
    inputs: &Inputs<'_>,
    run: &CommandRun,
    file: &EvidenceFile,
    target: &ScanTarget,
) -> Result<(), Rejection> {
    let (sbom, _) = inputs.set.one(EvidenceKind::SbomCyclonedx)?;
    let given = run.inputs.contains(&inputs.subject.digest) || run.inputs.contains(&sbom.digest);
    ensure(KIND, RejectionCode::WrongSubject, given, || {
        format!("{}: the scanner was given neither this image nor its SBOM", file.path)
    })?;
    let names_image = !target.manifest_digests.is_empty()
        || !target.image_ids.is_empty()
        || !target.repo_digests.is_empty()
        || target.name.as_ref().is_some_and(|name| name.contains("@sha256:"));
    let (_, manifest) = image::manifest(inputs)?;
    let ours = target.claims_manifest(&inputs.subject.digest) || target.claims_image_id(&manifest.config.digest);
    // Several runs in one report may each name an image: none may be another one. (A repository digest may be an index's.)
    let id = &manifest.config.digest;
    let others = target.image_ids.iter().any(|other| other != id)
        || target.image_ids.is_empty() && target.manifest_digests.iter().any(|other| *other != inputs.subject.digest);
    ensure(KIND, RejectionCode::WrongSubject, !names_image || ours && !others, || {
        format!("{}: the report is about another image", file.path)
    })
}
