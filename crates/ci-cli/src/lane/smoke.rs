//! Smoke: the image is really started.

use ci_types::record::SmokeReport;

use super::build::Built;
use super::setup::{Run, Setup};
use crate::failure::Failure;
use crate::ui::Progress;

pub(crate) fn run(setup: &Setup, run: &Run, built: &Built, progress: &mut Progress) -> Result<SmokeReport, Failure> {
    progress.begin("smoke", "starting the image");
    let image = ci_agent::rootfs::ImageOnDisk { layout: built.layout.clone(), manifest: built.manifest.clone() };
    let work = run.folder.work("smoke");
    super::build::fresh(&work)?;
    let report = ci_agent::smoke::smoke(&image, &setup.effective.config.smoke, &setup.scanner, &work)
        .map_err(Failure::rejected)?;
    let passed = report.probes.iter().filter(|probe| probe.passed).count();
    let drift = report.dependencies.iter().filter(|dependency| dependency.resolved.is_none()).count();
    progress.end(
        &format!("{passed} of {} probes passed, {drift} unresolved dependencies", report.probes.len()),
        passed == report.probes.len() && drift == 0,
    );
    Ok(report)
}
