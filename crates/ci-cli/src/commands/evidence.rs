//! `ci-intel evidence`: look into bundles. Trust is `ci-intel verify`'s business; integrity is checked here too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ci_evidence::{archive, layout};
use ci_types::canonical;
use ci_types::record::{EvidenceKind, EvidenceManifest};

use crate::args::{EvidenceCommand, Format};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{files, render, ui};

/// A bundle whose container and file digests hold. Nothing is said about who signed it.
pub(crate) struct Opened {
    pub(crate) manifest: EvidenceManifest,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Opened {
    pub(crate) fn read(bundle: &Path) -> Result<Self, Failure> {
        let bytes = files::read(bundle)?;
        let rejected = |error: String| Failure::rejected(format!("{}: {error}", bundle.display()));
        let all = archive::unpack(&bytes).map_err(|error| rejected(error.to_string()))?;
        let mut own = BTreeMap::new();
        for (path, content) in all {
            let below = path.split_once('/').map(|(_, below)| below.to_owned()).unwrap_or_default();
            own.insert(below, content);
        }
        let manifest: EvidenceManifest = own
            .get(layout::MANIFEST)
            .ok_or_else(|| rejected("manifest.json is missing".to_owned()))
            .and_then(|bytes| canonical::from_slice(bytes).map_err(|error| rejected(error.to_string())))?;
        for entry in &manifest.files {
            let holds = own.get(&entry.path).is_some_and(|content| ci_types::Digest::of(content) == entry.digest);
            if !holds {
                return Err(rejected(format!("{} is missing or not what the manifest lists", entry.path)));
            }
        }
        if own.len() != manifest.files.len() + 2 {
            return Err(rejected("it holds files that the manifest does not list".to_owned()));
        }
        Ok(Self { manifest, files: own })
    }

    pub(crate) fn kind(&self, kind: EvidenceKind) -> Option<&[u8]> {
        let entry = self.manifest.files.iter().find(|entry| entry.kind == kind)?;
        self.files.get(&entry.path).map(Vec::as_slice)
    }
}

pub(crate) fn run(command: &EvidenceCommand) -> Result<Exit, Failure> {
    match command {
        EvidenceCommand::Show { bundle, path: None, format } => show(bundle, *format),
        EvidenceCommand::Show { bundle, path: Some(path), .. } => {
            let opened = Opened::read(bundle)?;
            let content = opened.files.get(path).ok_or_else(|| {
                Failure::usage(format!("{} holds no `{path}`", bundle.display()))
                    .fix(format!("ci-intel evidence show {}", bundle.display()))
            })?;
            write_out(Path::new("-"), content)
        }
        EvidenceCommand::Pack { folder, out } => pack(folder, out),
        EvidenceCommand::Unpack { bundle, out } => unpack(bundle, out),
        EvidenceCommand::Export { bundle, kind, out } => export(bundle, kind, out),
    }
}

fn show(bundle: &Path, format: Format) -> Result<Exit, Failure> {
    let opened = Opened::read(bundle)?;
    let manifest = &opened.manifest;
    if format == Format::Json {
        ui::print(&render::pretty(manifest)?);
        return Ok(Exit::Ok);
    }
    let mut out = format!("{}\nrun {}, {}\n", manifest.subject.reference(), manifest.run_id, manifest.created_at);
    for entry in &manifest.files {
        let _ = writeln!(
            out,
            "  {:<18} {:>9} B  {}  {}",
            entry.kind.as_str(),
            entry.bytes,
            entry.digest.short(),
            entry.path
        );
    }
    let _ = writeln!(
        out,
        "integrity holds; whom it comes from is for `ci-intel verify {} --key FILE` to say",
        bundle.display()
    );
    ui::print(&out);
    Ok(Exit::Ok)
}

fn pack(folder: &Path, out: &Path) -> Result<Exit, Failure> {
    let mut packed = BTreeMap::new();
    collect(&folder.join(archive::ROOT), "", &mut packed)?;
    let bytes = archive::pack(&packed).map_err(Failure::usage)?;
    files::write(out, &bytes)?;
    ui::print(&out.display().to_string());
    Ok(Exit::Ok)
}

fn collect(folder: &Path, below: &str, out: &mut BTreeMap<String, Vec<u8>>) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::file("read", folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::file("read", folder, error))?;
        let name =
            entry.file_name().into_string().map_err(|_| Failure::file("read", &entry.path(), "odd file name"))?;
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(|error| Failure::file("read", &entry.path(), error))?;
        if kind.is_dir() {
            collect(&entry.path(), &path, out)?;
        } else if kind.is_file() {
            out.insert(path, files::read(&entry.path())?);
        } else {
            return Err(Failure::file("pack", &entry.path(), "it is neither a file nor a folder"));
        }
    }
    Ok(())
}

fn unpack(bundle: &Path, out: &Path) -> Result<Exit, Failure> {
    // A link that leads nowhere is there too: writing through it would land elsewhere.
    if out.symlink_metadata().is_ok() {
        return Err(Failure::usage(format!("{} exists", out.display())).fix("name a folder that does not exist yet"));
    }
    let bytes = files::read(bundle)?;
    let all = archive::unpack(&bytes).map_err(|error| Failure::rejected(format!("{}: {error}", bundle.display())))?;
    for (path, content) in &all {
        files::write(&out.join(archive::ROOT).join(path), content)?;
    }
    ui::print(&format!("{} files in {}", all.len(), out.display()));
    Ok(Exit::Ok)
}

fn export(bundle: &Path, kind: &str, out: &Path) -> Result<Exit, Failure> {
    let wanted = EvidenceKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(|| {
        let known: Vec<&str> = EvidenceKind::ALL.iter().map(|known| known.as_str()).collect();
        Failure::usage(format!("`{kind}` is no kind of evidence")).fix(format!("one of {}", known.join(", ")))
    })?;
    let opened = Opened::read(bundle)?;
    let content = opened.kind(wanted).ok_or_else(|| {
        Failure::rejected(format!("{} holds no {kind}", bundle.display()))
            .fix(format!("ci-intel evidence show {}", bundle.display()))
    })?;
    write_out(out, content)
}

fn write_out(out: &Path, content: &[u8]) -> Result<Exit, Failure> {
    if out == Path::new("-") {
        use std::io::Write as _;
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(content).and_then(|()| stdout.flush());
        // Half an export must not look like a whole one; a reader that went away has seen what it wanted.
        match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(Failure::file("write", out, error));
            }
            _ => {}
        }
    } else {
        files::write(out, content)?;
        ui::note(&format!("wrote {}", out.display()));
    }
    Ok(Exit::Ok)
}
