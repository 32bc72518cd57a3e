//! What a lane knows before it does anything: configuration, source, target, and what must never be shown. Loading it writes
//! nothing but the layout that a real release publishes to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ci_adapters::{Credentials, OpenOptions, RegistryOptions};
use ci_agent::sweep::EnvSecrets;
use ci_evidence::dsse;
use ci_evidence::keys::VerifyingKey;
use ci_execute::ImageStore;
use ci_formats::secrets::Scanner;
use ci_types::config::{ConfigError, Effective, Layer, LayerOrigin, load};
use ci_types::record::SourceState;
use ci_types::{Digest, Environment, Tag};

use super::{planned, tools};
use crate::args::{OverlayArgs, ReleaseArgs};
use crate::commands::{config, key, trust};
use crate::failure::Failure;
use crate::files;

/// Path of the configuration in a repository.
pub(crate) const CONFIG_PATH: &str = ".ci-intel/config.yml";

/// The organisation's overlay, its signature verified.
pub(crate) struct Overlay {
    pub(crate) bytes: Vec<u8>,
    pub(crate) envelope: Vec<u8>,
    pub(crate) digest: Digest,
}

/// What might be released: all that preflight judges.
pub(crate) struct Candidate {
    pub(crate) repo: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) config_bytes: Vec<u8>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) organisation_keys: Vec<VerifyingKey>,
    pub(crate) effective: Effective,
    pub(crate) source: SourceState,
    pub(crate) tag: Tag,
    pub(crate) store: Box<dyn ImageStore>,
    /// Where the signing key is, or will be made.
    pub(crate) key_path: PathBuf,
    pub(crate) host_env: BTreeMap<OsString, OsString>,
    /// Names of environment variables that hold credentials.
    pub(crate) withheld: Vec<String>,
    /// Knows the built-in rules and the values of those variables.
    pub(crate) scanner: Scanner,
}

impl Candidate {
    pub(crate) fn load(args: &ReleaseArgs) -> Result<Self, Failure> {
        let repo = args.repo.repo.canonicalize().map_err(|error| Failure::file("open", &args.repo.repo, error))?;
        let (config_bytes, overlay, organisation_keys, effective) = load_effective(&repo, &args.overlay)?;
        let mut host_env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let (withheld, scanner) = secrets_of(&host_env)?;
        // What the sweep lists as withheld is withheld, whatever name `build.pass_env` gives it.
        host_env.retain(|name, _| withheld.iter().all(|withheld| name != withheld.as_str()));
        // The configuration becomes evidence byte for byte, so it cannot be redacted later.
        if let Some(hit) = scanner.scan(&config_bytes).first() {
            return Err(Failure::rejected(format!("{CONFIG_PATH}:{}: it holds a secret ({})", hit.line, hit.rule_id))
                .fix("revoke that credential, remove it from the file and its history"));
        }
        let project = &effective.config.project;
        let source = ci_agent::source::source_state(&repo, project.repository.as_deref().unwrap_or(&project.name))
            .map_err(|error| {
                // Whoever must commit first wants to know what else is missing, now.
                let mut all = vec![Failure::usage(error)];
                all.extend(tools::missing(&effective.config));
                Failure::all(all).unwrap_or_else(|| Failure::usage("the source is not known"))
            })?;
        let publish = &effective.config.publish;
        let tag: Tag = publish
            .tag
            .replace("{commit}", &source.commit)
            .parse()
            .map_err(|error| Failure::usage(format!("publish.tag: {error}")))?;
        let options = OpenOptions {
            image_name: project.name.clone(),
            create: !args.dry_run,
            registry: RegistryOptions {
                plain_http: publish.plain_http,
                credentials: Credentials::from_docker_config(None).map_err(Failure::usage)?,
                ca_pem: std::env::var_os("SSL_CERT_FILE").map(|path| files::read(Path::new(&path))).transpose()?,
                ..RegistryOptions::default()
            },
        };
        let store = match planned::layout(&publish.target, &repo, &project.name).filter(|_| args.dry_run) {
            Some(planned) => Box::new(planned),
            None => ci_adapters::open(&publish.target, &repo, &options)
                .map_err(|error| Failure::usage(error).fix("correct `publish.target` in .ci-intel/config.yml"))?,
        };
        let key_path = args.key.clone().map_or_else(key::default_path, Ok)?;
        Ok(Self {
            repo,
            environment: args.env,
            config_bytes,
            overlay,
            organisation_keys,
            effective,
            source,
            tag,
            store,
            key_path,
            host_env,
            withheld,
            scanner,
        })
    }

    /// Text that may be shown and stored.
    pub(crate) fn redact_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.scanner.redact(text.as_bytes())).into_owned()
    }

    pub(crate) fn lane_id(&self) -> String {
        match (&self.effective.config.lane, std::env::var_os("GITHUB_ACTIONS")) {
            (Some(policy), Some(_)) => policy.workflow.clone(),
            _ => "local".to_owned(),
        }
    }
}

/// Credentials of the environment: the names that are kept from commands, and a scanner that knows the values.
fn secrets_of(env: &BTreeMap<OsString, OsString>) -> Result<(Vec<String>, Scanner), Failure> {
    let text = |text: &OsString| text.to_string_lossy().into_owned();
    let secrets = EnvSecrets::collect(env.iter().map(|(name, value)| (text(name), text(value))));
    let mut withheld = secrets.names();
    withheld.extend(
        env.iter().filter(|(name, value)| ci_agent::env::is_credential(&text(name), value)).map(|(name, _)| text(name)),
    );
    withheld.sort();
    withheld.dedup();
    Ok((withheld, secrets.scanner().map_err(Failure::usage)?))
}

/// Configuration and overlay of a repository, merged.
#[allow(clippy::type_complexity)]
pub(crate) fn load_effective(
    repo: &Path,
    args: &OverlayArgs,
) -> Result<(Vec<u8>, Option<Overlay>, Vec<VerifyingKey>, Effective), Failure> {
    let path = repo.join(CONFIG_PATH);
    if !path.exists() {
        return Err(Failure::usage(format!("{} does not exist", path.display()))
            .fix(format!("ci-intel init --repo {}", repo.display())));
    }
    let config_bytes = files::read(&path)?;
    let organisation_keys = trust::public_keys(&args.organisation_key)?;
    let overlay = match &args.overlay {
        None if !organisation_keys.is_empty() => {
            return Err(Failure::usage("an organisation key is named, but no overlay").fix("--overlay FILE"));
        }
        None => None,
        Some(file) => Some(read_overlay(file, args, &organisation_keys)?),
    };
    let overlay_name = args.overlay.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    let overlay_layer = overlay.as_ref().map(|overlay| Layer {
        origin: LayerOrigin::Overlay,
        file: &overlay_name,
        bytes: &overlay.bytes,
    });
    let repository = Layer { origin: LayerOrigin::Repository, file: CONFIG_PATH, bytes: &config_bytes };
    let effective = load(overlay_layer.as_ref(), &repository).map_err(|errors: Vec<ConfigError>| {
        let overlay = overlay.as_ref().map(|overlay| (overlay_name.as_str(), overlay.bytes.as_slice()));
        Failure::usage(config::show_errors(&errors, &config_bytes, overlay))
    })?;
    Ok((config_bytes, overlay, organisation_keys, effective))
}

fn read_overlay(file: &Path, args: &OverlayArgs, keys: &[VerifyingKey]) -> Result<Overlay, Failure> {
    let bytes = files::read(file)?;
    let signature = args.overlay_signature.clone().unwrap_or_else(|| config::signature_path(file));
    let envelope = files::read(&signature)?;
    let opened = dsse::open(&envelope, dsse::OVERLAY, keys)
        .map_err(|error| Failure::rejected(format!("{}: {error}", signature.display())))?;
    if opened.payload != bytes {
        return Err(Failure::rejected(format!("{} is not what {} signs", file.display(), signature.display()))
            .fix("fetch overlay and signature again, as a pair"));
    }
    let digest = Digest::of(&bytes);
    Ok(Overlay { bytes, envelope, digest })
}
