//! What happens in the build directory before the image is made: the steps, their outputs, and a sealed copy for engines that
//! read a whole directory.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::declared::Declared;
use super::{BuildError, BuildJob};
use crate::context::{copy_verified, set_mtime};
use crate::process::Recorder;

/// Runs `build.steps` and demands every output.
pub(crate) fn run_steps(job: &BuildJob<'_>, recorder: &mut Recorder<'_>) -> Result<(), BuildError> {
    let declared = Declared::new(job.context, &job.config.outputs)?;
    for step in &job.config.steps {
        recorder.run(step, job.directory, job.env, job.remaining(), &[job.context_digest])?;
    }
    for output in declared.outputs() {
        if !reached_without_links(job.directory, output) || job.directory.join(output).symlink_metadata().is_err() {
            return Err(BuildError::Missing { path: (*output).to_owned(), role: "build.outputs" });
        }
    }
    Ok(())
}

/// Whether every directory on the way to `path` is one, so that a link cannot lead out of the build directory.
pub(super) fn reached_without_links(directory: &Path, path: &str) -> bool {
    path.match_indices('/')
        .all(|(at, _)| directory.join(&path[..at]).symlink_metadata().is_ok_and(|meta| meta.is_dir()))
}

/// A fresh directory with exactly the declared files: context (unchanged) and outputs. What else the steps left stays outside.
pub(super) fn seal(job: &BuildJob<'_>) -> Result<PathBuf, BuildError> {
    let declared = Declared::new(job.context, &job.config.outputs)?;
    let sealed = job.work.join("sealed");
    fs::create_dir(&sealed).map_err(BuildError::file(&sealed))?;
    let mut paths: BTreeSet<String> = job.context.files.iter().map(|file| file.path.clone()).collect();
    for output in declared.outputs() {
        tree(job.directory, output, &mut paths)?;
    }
    for path in &paths {
        let (from, to) = (job.directory.join(path), sealed.join(path));
        if !reached_without_links(job.directory, path) {
            return Err(BuildError::Modified { path: path.clone() });
        }
        declared.check(path, || super::declared::digest_of(&from))?;
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(BuildError::file(parent))?;
        }
        let meta = from.symlink_metadata().map_err(BuildError::file(&from))?;
        if meta.is_symlink() {
            let copy = || std::os::unix::fs::symlink(fs::read_link(&from)?, &to);
            copy().map_err(BuildError::file(&from))?;
        } else {
            let mode = if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
            let copy = || copy_verified(&mut fs::File::open(&from)?, &to, mode);
            copy().map_err(BuildError::file(&from))?;
        }
        set_mtime(&to, job.source_epoch).map_err(BuildError::file(&to))?;
    }
    settle_directories(&sealed, job)?;
    Ok(sealed)
}

fn settle_directories(dir: &Path, job: &BuildJob<'_>) -> Result<(), BuildError> {
    for entry in fs::read_dir(dir).map_err(BuildError::file(dir))? {
        let entry = entry.map_err(BuildError::file(dir))?;
        if entry.file_type().map_err(BuildError::file(dir))?.is_dir() {
            settle_directories(&entry.path(), job)?;
        }
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(BuildError::file(dir))?;
    set_mtime(dir, job.source_epoch).map_err(BuildError::file(dir))
}

/// Adds the files and links of `path` (a file, a link or a directory tree) below `directory` to `paths`.
pub(super) fn tree(directory: &Path, path: &str, paths: &mut BTreeSet<String>) -> Result<(), BuildError> {
    let at = directory.join(path);
    let kind = at.symlink_metadata().map_err(BuildError::file(&at))?.file_type();
    if kind.is_file() || kind.is_symlink() {
        paths.insert(path.to_owned());
        return Ok(());
    }
    if !kind.is_dir() {
        return Err(BuildError::Special { path: path.to_owned() });
    }
    for entry in fs::read_dir(&at).map_err(BuildError::file(&at))? {
        let name = entry.map_err(BuildError::file(&at))?.file_name();
        let Some(name) = name.to_str() else {
            let detail = "has a file whose name is not UTF-8; rename it".to_owned();
            return Err(BuildError::Config { key: "build.outputs", value: path.to_owned(), detail });
        };
        tree(directory, &format!("{path}/{name}"), paths)?;
    }
    Ok(())
}
