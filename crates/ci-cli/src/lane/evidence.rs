//! Evidence: SBOMs, tests, scanners, receipts, provenance, and the sweep for secrets over all of it.

use std::path::Path;

use ci_agent::rootfs::{Image, ImageOnDisk, Limits};
use ci_evidence::dsse;
use ci_evidence::set::EvidenceSet;
use ci_evidence::verifiers;
use ci_formats::catalogue::{self, Cataloguer};
use ci_formats::sbom::{self, Contents};
use ci_types::record::commands::{CommandReceiptSchema, Host};
use ci_types::record::packaging::PackagingSchema;
use ci_types::record::{
    CommandReceipt, EvidenceKind, FileDigest, PackagingProvenance, Producer, Publication, SmokeReport,
};
use ci_types::{Digest, canonical};
use serde::Serialize;

use super::build::{Built, store_logs};
use super::collect::{Collected, plain_name};
use super::commands::Commands;
use super::decide::Evidence;
use super::preflight::Cleared;
use super::setup::{Run, Setup};
use crate::failure::Failure;
use crate::ui::Progress;

/// Most bytes of one file that a command may leave as evidence.
const MAX_FILE_BYTES: u64 = 64 << 20;

#[allow(clippy::too_many_arguments)]
pub(crate) fn run(
    setup: &Setup,
    run: &Run,
    cleared: &Cleared,
    built: &Built,
    publication: &Publication,
    smoke: &SmokeReport,
    progress: &mut Progress,
) -> Result<Evidence, Failure> {
    progress.begin("evidence", "SBOM, tests, scanners, provenance, secrets");
    let mut collected = Collected::new(setup);
    let mut commands = Commands::new(setup, run, built)?;
    let mut outputs: Vec<(usize, FileDigest)> = Vec::new();

    let context = collected.put(EvidenceKind::Context, bytes(&built.context)?)?;
    let sbom = sboms(setup, built, publication, &mut commands, &mut collected, &mut outputs, progress)?;
    tests(setup, built, context, &mut commands, &mut collected, &mut outputs, progress)?;
    scans(setup, built, publication, sbom, &mut commands, &mut collected, &mut outputs, progress)?;

    let commands_logs = store_logs(run, &commands.recorded)?;
    let commands = receipt(built, &commands, outputs);
    let commands = collected.put(EvidenceKind::Commands, bytes(&commands)?)?;
    records(setup, run, built, publication, smoke, context, commands, &mut collected)?;
    image(built, &mut collected)?;
    policies(setup, cleared, &mut collected)?;
    logs(run, built, &commands_logs, &mut collected)?;

    // The clock is read after the token was asked for: no decision is older than the token it rests on.
    let identity = cleared.identity.record(&publication.subject.digest, cleared.permissions.clone())?;
    collected.put(EvidenceKind::Identity, bytes(&identity)?)?;
    let now = super::now()?;

    let set = EvidenceSet::new(collected.files.clone()).map_err(Failure::internal)?;
    if let Ok(statement) = verifiers::statement(&set) {
        let envelope = dsse::seal(dsse::IN_TOTO, &bytes(&statement)?, &setup.key).map_err(Failure::internal)?;
        collected.put(EvidenceKind::Provenance, envelope)?;
    }
    let files = collected.files.iter().map(|(entry, content)| (entry.path.as_str(), content.as_slice()));
    let mut sweep = ci_agent::sweep::sweep(&setup.scanner, files, &setup.withheld).map_err(Failure::internal)?;
    // What was redacted on the way in was found all the same.
    sweep.findings.extend(collected.findings.iter().cloned());
    sweep.findings.sort();
    sweep.findings.dedup();
    collected.put(EvidenceKind::SecretSweep, bytes(&sweep)?)?;
    let evidence = Evidence { now, files: collected.files };
    progress.end(&format!("{} files", evidence.files.len()), sweep.findings.is_empty());
    Ok(evidence)
}

fn bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    canonical::to_vec(value).map_err(Failure::internal)
}

/// Reads what a command left, if it is a plain file of bearable size.
fn left_by_command(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() <= MAX_FILE_BYTES => {
            std::fs::read(path).map(Some).map_err(|error| Failure::file("read", path, error))
        }
        Ok(_) => Err(Failure::rejected(format!("{} is not a plain file of at most 64 MiB", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", path, error)),
    }
}

fn tool(program: &str, command: usize) -> Producer {
    let name = program.rsplit('/').next().unwrap_or(program).to_owned();
    Producer { name, version: None, command: Some(command as u64) }
}

fn sboms(
    setup: &Setup,
    built: &Built,
    publication: &Publication,
    commands: &mut Commands<'_>,
    collected: &mut Collected<'_>,
    outputs: &mut Vec<(usize, FileDigest)>,
    progress: &Progress,
) -> Result<Digest, Failure> {
    let subject = &publication.subject;
    let created_at = setup.source.committed_at;
    let command = &setup.effective.config.sbom.command;
    let version = env!("CARGO_PKG_VERSION");
    if command.is_empty() {
        let catalogue = catalogued(built)?;
        let contents = Contents { subject, created_at, tool_version: version, catalogue: &catalogue };
        let cyclonedx = sbom::cyclonedx::write(&contents).map_err(Failure::rejected)?;
        let spdx = sbom::spdx::write(&contents).map_err(Failure::rejected)?;
        collected.put(EvidenceKind::SbomSpdx, spdx)?;
        return collected.put(EvidenceKind::SbomCyclonedx, cyclonedx);
    }
    let folder = commands.folder("sbom")?;
    let output = folder.join("sbom.cdx.json");
    let places =
        [("{layout}", built.layout.as_path()), ("{output}", output.as_path()), ("{source}", built.directory.as_path())];
    let timeout_s = setup.effective.config.scan.timeout_s;
    let place = commands.folder("sbom/cwd")?;
    let index = commands.run_in(&place, "sbom", command, &places, timeout_s, &[subject.digest], progress)?;
    let content = left_by_command(&output)?
        .ok_or_else(|| Failure::rejected("the SBOM tool left no file at {output}").fix("correct `sbom.command`"))?;
    let read = sbom::cyclonedx::read(&content)
        .map_err(|error| Failure::rejected(error).fix("let `sbom.command` write CycloneDX JSON to {output}"))?;
    let spdx = sbom::spdx::convert(&read, subject, created_at, version).map_err(Failure::rejected)?;
    collected.put(EvidenceKind::SbomSpdx, spdx)?;
    let path = ci_evidence::layout::path(EvidenceKind::SbomCyclonedx, &subject.tag).unwrap_or_default();
    let digest = collected.put_at(EvidenceKind::SbomCyclonedx, path.clone(), content, tool(&command[0], index))?;
    outputs.push((index, FileDigest { path, digest }));
    Ok(digest)
}

fn catalogued(built: &Built) -> Result<ci_formats::catalogue::Catalogue, Failure> {
    let image = ImageOnDisk { layout: built.layout.clone(), manifest: built.manifest.clone() };
    let image = Image::open(&image, Limits::default()).map_err(Failure::rejected)?;
    let mut cataloguer = Cataloguer::default();
    let mut first_error = None;
    // A program that is too large to look into would be missing from the SBOM without a trace.
    let too_large = std::cell::RefCell::new(None);
    let wants = |path: &str, mode: u32, bytes: u64| {
        if mode & 0o111 != 0 && bytes > catalogue::EXECUTABLE_LIMIT_BYTES {
            too_large.borrow_mut().get_or_insert_with(|| format!("/{path} has {bytes} bytes"));
        }
        catalogue::wants(path, mode, bytes)
    };
    image
        .files(wants, |path, content| {
            if first_error.is_none() {
                first_error = cataloguer.add(path, content).err();
            }
        })
        .map_err(Failure::rejected)?;
    if let Some(place) = too_large.into_inner() {
        return Err(Failure::rejected(format!("{place}, too large for the built-in cataloguer"))
            .fix("set `sbom.command` to a tool that can read it"));
    }
    if let Some(error) = first_error {
        return Err(Failure::rejected(error).fix("repair that file in the image, or set `sbom.command`"));
    }
    cataloguer.finish().map_err(|error| Failure::rejected(error).fix("set `sbom.command` to a tool that knows better"))
}

#[allow(clippy::too_many_arguments)]
fn tests(
    setup: &Setup,
    built: &Built,
    context: Digest,
    commands: &mut Commands<'_>,
    collected: &mut Collected<'_>,
    outputs: &mut Vec<(usize, FileDigest)>,
    progress: &Progress,
) -> Result<(), Failure> {
    let tests = &setup.effective.config.tests;
    let results = commands.folder("results")?;
    let places = [("{results}", results.as_path())];
    let index = commands.run("tests", &tests.command, &places, tests.timeout_s, &[context], progress)?;
    if !unchanged(built) {
        return Err(
            Failure::rejected("the tests changed the image that was built").fix("tests read; correct `tests.command`")
        );
    }
    let wanted = ci_types::config::context_matcher(std::slice::from_ref(&tests.results)).map_err(Failure::usage)?;
    let mut found = Vec::new();
    walk(&results, "", &mut found)?;
    found.sort();
    for below in found.into_iter().filter(|below| wanted.is_match(below)) {
        let content = left_by_command(&results.join(&below))?
            .ok_or_else(|| Failure::rejected(format!("the test result {below} went away while it was read")))?;
        let path = format!("tests/{}", plain_name(&below));
        let digest =
            collected.put_at(EvidenceKind::TestResults, path.clone(), content, tool(&tests.command[0], index))?;
        outputs.push((index, FileDigest { path, digest }));
    }
    Ok(())
}

/// Paths of files below a folder, relative, `/` separated.
fn walk(folder: &Path, below: &str, out: &mut Vec<String>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder).map_err(|error| Failure::file("read", folder, error))? {
        let entry = entry.map_err(|error| Failure::file("read", folder, error))?;
        // A name that cannot be told could be the file that tells of a failure.
        let name = entry.file_name().into_string().map_err(|name| {
            Failure::rejected(format!("the test results hold a file with an odd name: {}", name.to_string_lossy()))
                .fix("let `tests.command` write names in UTF-8")
        })?;
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(|error| Failure::file("read", &entry.path(), error))?;
        if kind.is_dir() {
            walk(&entry.path(), &path, out)?;
        } else {
            out.push(path);
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn scans(
    setup: &Setup,
    built: &Built,
    publication: &Publication,
    sbom: Digest,
    commands: &mut Commands<'_>,
    collected: &mut Collected<'_>,
    outputs: &mut Vec<(usize, FileDigest)>,
    progress: &Progress,
) -> Result<(), Failure> {
    let scan = &setup.effective.config.scan;
    let kept = collected.files.iter().find(|(entry, _)| entry.digest == sbom).map(|(_, content)| content.clone());
    let sbom_bytes = kept.ok_or_else(|| Failure::internal("the SBOM is not among the evidence"))?;
    for (number, scanner) in scan.commands.iter().enumerate() {
        // A folder of its own for each: no scanner finds files of the repository that would tell it what to overlook, and
        // none can change what the next one reads.
        let folder = commands.folder(&format!("scan-{number}"))?;
        let (sbom_file, output) = (folder.join("sbom.cdx.json"), folder.join("report.json"));
        let place = commands.folder(&format!("scan-{number}/cwd"))?;
        crate::files::write(&sbom_file, &sbom_bytes)?;
        let places = [
            ("{sbom}", sbom_file.as_path()),
            ("{layout}", built.layout.as_path()),
            ("{output}", output.as_path()),
            ("{source}", built.directory.as_path()),
        ];
        let inputs = [sbom, publication.subject.digest];
        let index = commands.run_in(&place, "scan", &scanner.run, &places, scan.timeout_s, &inputs, progress)?;
        let program = scanner.run.first().map(String::as_str).unwrap_or_default();
        if left_by_command(&sbom_file)?.map(|content| Digest::of(&content)) != Some(sbom) || !unchanged(built) {
            return Err(Failure::rejected(format!("`{program}` changed the SBOM or the image that it was to scan"))
                .fix("a scanner reads; correct `scan.commands`"));
        }
        let Some(content) = left_by_command(&output)? else { continue };
        let producer = tool(program, index);
        let path = format!("scans/{}-{}.json", number + 1, plain_name(&producer.name));
        let digest = collected.put_at(EvidenceKind::ScanResults, path.clone(), content, producer)?;
        outputs.push((index, FileDigest { path, digest }));
    }
    Ok(())
}

/// Whether the layout still holds the image that was built, byte for byte.
fn unchanged(built: &Built) -> bool {
    ci_agent::engine::verify_layout(&built.layout)
        .is_ok_and(|image| image.manifest.digest == built.manifest.digest && image.layers == built.layers)
}

/// All commands of the lane in one list; indices of evidence-stage commands come first, so producers stay right.
fn receipt(built: &Built, commands: &Commands<'_>, outputs: Vec<(usize, FileDigest)>) -> CommandReceipt {
    let mut runs: Vec<_> = commands.recorded.iter().map(|recorded| recorded.run.clone()).collect();
    for (index, output) in outputs {
        runs[index].outputs.push(output);
    }
    runs.extend(built.commands.iter().cloned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| "unknown".to_owned());
    CommandReceipt {
        schema: CommandReceiptSchema::V1,
        ci_intel_version: env!("CARGO_PKG_VERSION").to_owned(),
        trigger: std::env::var("GITHUB_EVENT_NAME").unwrap_or_else(|_| "manual".to_owned()),
        host: Host {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            kernel: kernel.trim().to_owned(),
        },
        commands: runs,
    }
}

#[allow(clippy::too_many_arguments)]
fn records(
    setup: &Setup,
    run: &Run,
    built: &Built,
    publication: &Publication,
    smoke: &SmokeReport,
    context: Digest,
    commands: Digest,
    collected: &mut Collected<'_>,
) -> Result<(), Failure> {
    let packaging = PackagingProvenance {
        schema: PackagingSchema::V1,
        run_id: run.id.clone(),
        source: setup.source.clone(),
        engine: setup.effective.config.build.engine.as_str().to_owned(),
        context,
        commands,
        env: built.determinism.runs.first().map(|first| first.env.clone()).unwrap_or_default(),
        base: built.base,
        artifact: publication.subject.clone(),
        image_config: built.config,
        layers: built.layers.clone(),
    };
    collected.put(EvidenceKind::Packaging, bytes(&packaging)?)?;
    collected.put(EvidenceKind::Determinism, bytes(&built.determinism)?)?;
    collected.put(EvidenceKind::Smoke, bytes(smoke)?)?;
    collected.put(EvidenceKind::Publication, bytes(publication)?)?;
    Ok(())
}

fn image(built: &Built, collected: &mut Collected<'_>) -> Result<(), Failure> {
    for (kind, digest) in
        [(EvidenceKind::ImageManifest, built.manifest.digest), (EvidenceKind::ImageConfig, built.config)]
    {
        let path = built.layout.join("blobs/sha256").join(digest.hex());
        collected.put(kind, crate::files::read(&path)?)?;
    }
    Ok(())
}

fn policies(setup: &Setup, cleared: &Cleared, collected: &mut Collected<'_>) -> Result<(), Failure> {
    collected.put(EvidenceKind::Config, setup.config_bytes.clone())?;
    if let Some(overlay) = &setup.overlay {
        collected.put(EvidenceKind::Overlay, overlay.bytes.clone())?;
        collected.put(EvidenceKind::OverlaySignature, overlay.envelope.clone())?;
    }
    if let Some(keys) = cleared.identity.issuer_keys() {
        collected.put(EvidenceKind::IssuerKeys, keys.to_vec())?;
    }
    Ok(())
}

fn logs(run: &Run, built: &Built, others: &[(String, Digest)], collected: &mut Collected<'_>) -> Result<(), Failure> {
    for (number, (name, digest)) in built.logs.iter().chain(others).enumerate() {
        let Some(content) = run.folder.get(digest) else { continue };
        let producer = Producer::ci_intel(env!("CARGO_PKG_VERSION"));
        collected.put_at(
            EvidenceKind::Log,
            format!("logs/{:02}-{}", number + 1, plain_name(name)),
            content,
            producer,
        )?;
    }
    Ok(())
}
