//! Files: bounded reads, atomic durable writes, private keys.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::failure::Failure;

/// Largest bundle, config or key file that is read into memory.
const MAX_READ_BYTES: u64 = 512 << 20;

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = fs::File::open(path).map_err(|error| Failure::file("read", path, error))?;
    let mut content = Vec::new();
    file.take(MAX_READ_BYTES + 1).read_to_end(&mut content).map_err(|error| Failure::file("read", path, error))?;
    if content.len() as u64 > MAX_READ_BYTES {
        return Err(Failure::file("read", path, "it is larger than 512 MiB"));
    }
    Ok(content)
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|_| Failure::file("read", path, "it is not UTF-8"))
}

/// Writes a file whole or not at all, durably: temporary file in the same folder, fsync, rename, fsync of the folder.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write_with(path, content, false)
}

/// The same, readable by the owner only.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write_with(path, content, true)
}

/// Prefix of files that are being written; one that is left was never whole.
const PARTIAL: &str = ".tmp-";

/// Removes what writes that were killed left in a folder. Only for folders that nobody else writes to meanwhile.
pub(crate) fn sweep(folder: &Path) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            fs::remove_file(entry.path()).map_err(|error| Failure::file("remove", &entry.path(), error))?;
        }
    }
    Ok(())
}

fn write_with(path: &Path, content: &[u8], private: bool) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |error: std::io::Error| Failure::file("write", path, error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(folder).map_err(failed)?;
    let mode = if private { 0o600 } else { 0o644 };
    file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Appends step outputs (`name=value` lines) for later steps and jobs of a GitHub workflow; elsewhere nothing.
pub(crate) fn github_output(lines: &str) -> Result<(), Failure> {
    let Some(path) = std::env::var_os("GITHUB_OUTPUT").filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = Path::new(&path);
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(lines.as_bytes()))
        .map_err(|error| Failure::file("append to", path, error))
}
