//! Absence: whatever proves nothing is named here, whichever gate misses it besides.

use ci_formats::sbom::{self, Contents};
use ci_testkit::release::{Release, package};
use ci_types::record::EvidenceKind;
use serde_json::{Value, json};

use super::{denials, replace, without};

fn edit_sbom(release: &mut Release, kind: EvidenceKind, change: fn(&mut Value)) {
    let evidence = release.evidence();
    let mut document: Value = serde_json::from_slice(evidence.one(kind).unwrap().1).unwrap();
    change(&mut document);
    release.replaced.insert(kind, serde_json::to_vec(&document).unwrap());
}

/// The CycloneDX document of a release with other packages: both documents are good, they are not about the same contents.
fn other_contents(release: &mut Release) {
    let mut other = Release::local();
    other.packages.push(package("left-pad", "1.3.0"));
    let evidence = other.evidence();
    release.replaced.insert(EvidenceKind::SbomCyclonedx, evidence.one(EvidenceKind::SbomCyclonedx).unwrap().1.to_vec());
}

/// Both documents of a release about another image.
fn other_subject(release: &mut Release, kind: EvidenceKind) {
    let mut subject = release.publication.subject.clone();
    subject.digest = ci_types::Digest::of(b"other");
    let catalogue =
        ci_formats::catalogue::Catalogue { release: None, packages: release.packages.clone(), problems: Vec::new() };
    let contents =
        Contents { subject: &subject, created_at: release.now, tool_version: "0.1.0", catalogue: &catalogue };
    let bytes = match kind {
        EvidenceKind::SbomCyclonedx => sbom::cyclonedx::write(&contents),
        _ => sbom::spdx::write(&contents),
    };
    release.replaced.insert(kind, bytes.unwrap());
}

denials! { "evidence-complete";
    local missing_cyclonedx_rejects => "sbom-cyclonedx-missing", |r| without(r, EvidenceKind::SbomCyclonedx);
    local missing_spdx_rejects => "sbom-spdx-missing", |r| without(r, EvidenceKind::SbomSpdx);
    local missing_identity_shows_as_incomplete => "identity-missing", |r| without(r, EvidenceKind::Identity);
    local missing_provenance_shows_as_incomplete => "provenance-missing", |r| without(r, EvidenceKind::Provenance);
    local sbom_without_components_rejects => "sbom-empty", |r| r.packages.clear();
    local cyclonedx_that_is_no_sbom_rejects => "sbom-cyclonedx-malformed",
        |r| replace(r, EvidenceKind::SbomCyclonedx, b"{}");
    local spdx_that_is_no_sbom_rejects => "sbom-spdx-malformed",
        |r| replace(r, EvidenceKind::SbomSpdx, b"{}");
    local cyclonedx_of_another_version_rejects => "sbom-cyclonedx-malformed",
        |r| edit_sbom(r, EvidenceKind::SbomCyclonedx, |sbom| sbom["specVersion"] = json!("9.9"));
    local cyclonedx_about_another_image_rejects => "sbom-cyclonedx-wrong-subject",
        |r| other_subject(r, EvidenceKind::SbomCyclonedx);
    local spdx_about_another_image_rejects => "sbom-spdx-wrong-subject", |r| other_subject(r, EvidenceKind::SbomSpdx);
    local sboms_that_disagree_reject => "sbom-spdx-inconsistent", other_contents;
}
