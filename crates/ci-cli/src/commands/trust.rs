//! Trust roots from flags.

use std::path::PathBuf;

use ci_evidence::keys::VerifyingKey;
use ci_evidence::trust::TrustRoots;
use ci_types::config::LanePolicy;

use crate::args::TrustArgs;
use crate::failure::Failure;
use crate::files;

/// Reads public keys.
pub(crate) fn public_keys(paths: &[PathBuf]) -> Result<Vec<VerifyingKey>, Failure> {
    let mut keys = Vec::new();
    for path in paths {
        let text = files::read_text(path)?;
        keys.push(VerifyingKey::from_pem(&text).map_err(|error| Failure::file("use", path, error))?);
    }
    Ok(keys)
}

/// Reads everything that the flags name.
pub(crate) fn roots(args: &TrustArgs) -> Result<TrustRoots, Failure> {
    let identity = match &args.identity {
        None => None,
        Some(path) => Some(serde_saphyr::from_str::<LanePolicy>(&files::read_text(path)?).map_err(|error| {
            Failure::file("use", path, error).fix("use the keys of `lane`: ci-intel config explain lane")
        })?),
    };
    Ok(TrustRoots {
        keys: public_keys(&args.key)?,
        organisation_keys: public_keys(&args.organisation_key)?,
        issuer_keys: args.issuer_keys.as_deref().map(files::read).transpose()?,
        identity,
    })
}
