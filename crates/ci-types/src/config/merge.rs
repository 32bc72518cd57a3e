//! Layers to the effective configuration. A value that would loosen what a layer above said is an error, never clamped.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Config;
use super::check::{PublishTarget, Sink, is_loopback_host};
use super::error::{ConfigError, Fault, LayerOrigin, Place, Reason};
use super::keys::{self, KEYS, LANE_REQUIRED};
use super::layer::{Layer, ParsedLayer, parse_layer};
use super::model::{LanePolicy, Project};
use super::rule::{Rule, show};
use crate::{Digest, canonical};

/// Who set a key, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The layer.
    pub layer: LayerOrigin,
    /// The file; empty for defaults.
    pub file: String,
    /// The place of the value; line 0 for defaults.
    pub place: Place,
}

impl Origin {
    fn shown(&self) -> String {
        if self.file.is_empty() { "no file".to_owned() } else { format!("{}:{}", self.file, self.place.line) }
    }
}

/// The configuration that is in force, and who set each key. Only [`merge`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The configuration.
    pub config: Config,
    /// Value and origin of every key that has a value, by path.
    keys: BTreeMap<&'static str, (Value, Origin)>,
    canonical: Vec<u8>,
}

impl Effective {
    /// Who set a key; `None` where it has no value.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.keys.get(key).map(|(_, origin)| origin)
    }

    /// The value of a key as JSON; `None` where it has none.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).map(|(value, _)| value)
    }

    /// Every key that has a value, with value and origin, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value, &Origin)> {
        self.keys.iter().map(|(key, (value, origin))| (*key, value, origin))
    }

    /// RFC 8785 canonical JSON of [`Effective::config`].
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Digest of [`Effective::canonical`]: the `config` of a decision.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical)
    }
}

/// Reads and merges the files.
///
/// # Errors
/// As [`parse_layer`], for both files together, and [`merge`].
pub fn load(overlay: Option<&Layer<'_>>, repository: &Layer<'_>) -> Result<Effective, Vec<ConfigError>> {
    let overlay = overlay.map(parse_layer).transpose();
    match (overlay, parse_layer(repository)) {
        (Ok(overlay), Ok(repository)) => merge(overlay.as_ref(), &repository),
        (overlay, repository) => Err([overlay.err(), repository.err()].into_iter().flatten().flatten().collect()),
    }
}

/// Merges defaults, overlay and repository file.
///
/// # Errors
/// Every key by which a layer loosens what a layer above said, and everything that is wrong with the whole.
pub fn merge(overlay: Option<&ParsedLayer>, repository: &ParsedLayer) -> Result<Effective, Vec<ConfigError>> {
    let layers: Vec<&ParsedLayer> = overlay.into_iter().chain([repository]).collect();
    let (keys, mut errors) = stack(&layers);
    whole(&keys, repository, &mut errors);
    errors.sort_by_key(|error| (error.path == repository.file, error.place.start, error.place.end));
    if !errors.is_empty() {
        return Err(errors);
    }
    build(keys).map_err(|error| {
        // The table and the types are held together by tests; should they part, nothing is released.
        let reason = Reason::Model(error.to_string());
        let fix = "report this as a defect of ci-intel".to_owned();
        vec![ConfigError { path: repository.file.clone(), place: Place::START, key: String::new(), reason, fix }]
    })
}

/// The built-in defaults by key. Keys without one are absent.
pub(super) fn defaults() -> BTreeMap<&'static str, Value> {
    let lane = LanePolicy {
        issuer: String::new(),
        repository_id: String::new(),
        workflow: String::new(),
        refs: Vec::new(),
        environments: Vec::new(),
        events: super::model::default_events(),
        max_token_age_s: super::model::default_token_age(),
    };
    let config = Config { lane: Some(lane), project: Project::default(), ..Config::default() };
    let tree = serde_json::to_value(config).unwrap_or_default();
    let has_default = |key: &&keys::Key| key.required().is_none() || key.path == "version";
    KEYS.iter()
        .filter(has_default)
        .filter_map(|key| {
            let value = key.path.split('.').try_fold(&tree, |value, name| value.get(name))?;
            (!value.is_null()).then(|| (key.path, value.clone()))
        })
        .collect()
}

pub(super) type Keys = BTreeMap<&'static str, (Value, Origin)>;

/// Lays the layers over the defaults, key by key.
pub(super) fn stack(layers: &[&ParsedLayer]) -> (Keys, Vec<ConfigError>) {
    let built_in = Origin { layer: LayerOrigin::Defaults, file: String::new(), place: Place::default() };
    let mut keys: Keys = defaults().into_iter().map(|(key, value)| (key, (value, built_in.clone()))).collect();
    let mut errors = Vec::new();
    for layer in layers {
        for (path, setting) in &layer.settings {
            let mut sink = Sink { file: &layer.file, key: (*path).to_owned(), errors: &mut errors };
            let rule = setting.key.rule;
            if rule == Rule::Free && layer.origin == LayerOrigin::Overlay {
                let fix = "remove it here; each repository says it for itself";
                sink.refuse(setting.place, "", Reason::NotForOverlay, fix);
                continue;
            }
            if let Some((above, origin)) = keys.get(path) {
                let binds = origin.layer != LayerOrigin::Defaults || setting.key.default_binds;
                if binds && rule.loosens(above, &setting.value) {
                    let reason = Reason::Loosens {
                        layer: layer.origin,
                        value: show(&setting.value),
                        above: origin.layer,
                        above_value: show(above),
                        above_at: origin.shown(),
                    };
                    sink.refuse(setting.place, "", reason, rule.fix(path, above));
                    continue;
                }
            }
            let origin = Origin { layer: layer.origin, file: layer.file.clone(), place: setting.place };
            keys.insert(path, (setting.value.clone(), origin));
        }
    }
    (keys, errors)
}

/// What must hold across keys. Errors point at the repository file where something is missing there.
fn whole(keys: &Keys, repository: &ParsedLayer, errors: &mut Vec<ConfigError>) {
    let text = |key: &str| keys.get(key).and_then(|(value, _)| value.as_str()).unwrap_or_default();
    let flag = |key: &str| keys.get(key).and_then(|(value, _)| value.as_bool()).unwrap_or_default();
    let empty = |key: &str| keys.get(key).and_then(|(value, _)| value.as_array()).is_none_or(Vec::is_empty);
    let mut refuse = |key: &str, reason: Reason, fix: &str| {
        let set = keys.get(key).filter(|(_, origin)| origin.layer != LayerOrigin::Defaults);
        let (file, place) = set.map_or_else(
            || (repository.file.as_str(), repository.place_for_missing(key)),
            |(_, origin)| (origin.file.as_str(), origin.place),
        );
        Sink { file, key: key.to_owned(), errors: &mut *errors }.refuse(place, "", reason, fix);
    };
    let by_overlay = |key: &str| keys.get(key).is_some_and(|(_, origin)| origin.layer == LayerOrigin::Overlay);
    if by_overlay("scan.commands") && !empty("sbom.command") && !by_overlay("sbom.command") {
        let fix =
            "remove `sbom.command`: the organisation's scanners read the SBOM, so the organisation says who writes it";
        refuse("sbom.command", Reason::NotForRepository, fix);
    }
    if empty("build.context.include") {
        refuse("build.context.include", Reason::NothingListed, "list what the build reads, like `- src/**`");
    }
    match text("build.engine") {
        "assemble" if empty("build.assemble.files") => {
            let fix = "list the files of the image, each with `from:` and `to:`, or choose another `build.engine`";
            refuse("build.assemble.files", Reason::NothingListed, fix);
        }
        "command" if empty("build.command") => {
            refuse("build.command", Reason::NothingListed, "write the command that leaves an OCI layout in `{layout}`");
        }
        "command" => {
            let command = keys.get("build.command").and_then(|(value, _)| value.as_array());
            let holds = |argument: &Value| argument.as_str().is_some_and(|text| text.contains("{layout}"));
            if !command.is_some_and(|command| command.iter().any(holds)) {
                let fix = "pass `{layout}` to the command: the directory it must leave the OCI layout in";
                refuse("build.command", Fault::NoPlaceholder("{layout}").into(), fix);
            }
        }
        _ => {}
    }
    if flag("publish.plain_http") {
        let host = match PublishTarget::parse(text("publish.target")) {
            Ok(PublishTarget::Registry { host, .. }) => host,
            _ => "a layout".to_owned(),
        };
        if !is_loopback_host(&host) {
            let fix = "remove `publish.plain_http`, or publish to a registry on 127.0.0.1";
            refuse("publish.plain_http", Fault::PlainHttp(host).into(), fix);
        }
    }
    if empty("smoke.http") && empty("smoke.exec") && !flag("smoke.exits") {
        let fix = "add `http:`, `exec:` or `exits: true` to `smoke:`, like `exec: [[/app, --version]]`";
        refuse("smoke.http", Fault::NoProbe.into(), fix);
    }
    if flag("smoke.exits") && !empty("smoke.http") {
        refuse("smoke.exits", Fault::JobAnswersHttp.into(), "remove `smoke.exits` or `smoke.http`");
    }
    if lane_is_wanted(repository) {
        for key in LANE_REQUIRED.iter().filter(|key| !keys.contains_key(*key)) {
            refuse(key, Reason::Missing, "add it: a lane is named in full or not at all");
        }
    }
}

/// A repository that names no lane releases for `local` only, even where an overlay says how lanes must look.
fn lane_is_wanted(repository: &ParsedLayer) -> bool {
    repository.groups.contains_key("lane")
}

fn build(mut keys: Keys) -> Result<Effective, serde_json::Error> {
    let has_lane = LANE_REQUIRED.iter().all(|key| keys.contains_key(key));
    let mut tree = Map::new();
    for (path, (value, _)) in &keys {
        if has_lane || !path.starts_with("lane.") {
            insert(&mut tree, path, value.clone());
        }
    }
    keys.retain(|path, (_, origin)| has_lane || origin.layer != LayerOrigin::Defaults || !path.starts_with("lane."));
    let config: Config = serde_json::from_value(Value::Object(tree))?;
    let canonical = canonical::to_vec(&config)?;
    Ok(Effective { config, keys, canonical })
}

pub(super) fn insert(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(tree.insert(path.to_owned(), value)),
        Some((group, rest)) => {
            if let Value::Object(inner) = tree.entry(group).or_insert_with(|| Value::Object(Map::new())) {
                insert(inner, rest, value);
            }
        }
    }
}
