//! `ci-intel key`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ci_evidence::keys::{Algorithm, SigningKey};

use crate::args::{KeyAlgorithm, KeyCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{files, ui};

pub(crate) fn run(command: &KeyCommand) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Generate { out, algorithm } => {
            let algorithm = match algorithm {
                KeyAlgorithm::EcdsaP256 => Algorithm::EcdsaP256,
                KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
            };
            let key = generate(out, algorithm)?;
            ui::print(&format!(
                "private key {}\npublic key  {}\nkey id      {}",
                out.display(),
                public_path(out).display(),
                key.verifying_key().id().map_err(Failure::internal)?
            ));
        }
        KeyCommand::Public { key } => {
            let path = key.clone().map_or_else(default_path, Ok)?;
            let key = load(&path)?.verifying_key();
            ui::note(&format!("key id {}", key.id().map_err(Failure::internal)?));
            ui::print(&key.to_pem().map_err(Failure::internal)?);
        }
    }
    Ok(Exit::Ok)
}

/// `signing.key` in the user's configuration folder (XDG Base Directory specification).
pub(crate) fn default_path() -> Result<PathBuf, Failure> {
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    base.map(|base| base.join("ci-intel/signing.key"))
        .ok_or_else(|| Failure::usage("neither XDG_CONFIG_HOME nor HOME is set").fix("name a key: --key FILE"))
}

/// Where the public half of a key file stands.
pub(crate) fn public_path(private: &Path) -> PathBuf {
    let mut name = private.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// Loads a key, or makes it where the file does not exist yet.
pub(crate) fn load_or_generate(path: &Path) -> Result<(SigningKey, bool), Failure> {
    if path.exists() { Ok((load(path)?, false)) } else { Ok((generate(path, Algorithm::EcdsaP256)?, true)) }
}

/// Why the key at a path cannot sign; a key that is not there yet can be made.
pub(crate) fn problem(path: &Path) -> Option<Failure> {
    if path.exists() { load(path).err() } else { taken(&public_path(path)) }
}

fn taken(path: &Path) -> Option<Failure> {
    path.exists().then(|| {
        Failure::usage(format!("{} exists; keys are never overwritten", path.display()))
            .fix("choose another name, or move the old key away")
    })
}

/// Loads a key that only its owner can read.
pub(crate) fn load(path: &Path) -> Result<SigningKey, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).map_err(|error| Failure::file("read", path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Failure::usage(format!("{} can be read by others (mode {:o})", path.display(), mode & 0o777))
            .fix(format!("chmod 600 {}", path.display())));
    }
    SigningKey::from_pem(&files::read_text(path)?).map_err(|error| Failure::file("use", path, error))
}

fn generate(path: &Path, algorithm: Algorithm) -> Result<SigningKey, Failure> {
    if let Some(failure) = taken(path).or_else(|| taken(&public_path(path))) {
        return Err(failure);
    }
    let mut seed = [0_u8; 32];
    let mut random = std::fs::File::open("/dev/urandom").map_err(Failure::internal)?;
    random.read_exact(&mut seed).map_err(Failure::internal)?;
    let key = SigningKey::from_seed(algorithm, &seed).map_err(Failure::internal)?;
    // The public half first: a crash in between leaves no private key that nobody can verify.
    files::write(&public_path(path), key.verifying_key().to_pem().map_err(Failure::internal)?.as_bytes())?;
    files::write_private(path, key.to_pem().map_err(Failure::internal)?.as_bytes())?;
    Ok(key)
}
