//! One layer: a file read, shaped and checked by itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::Sink;
use super::error::{ConfigError, LayerOrigin, Place, Reason, clip};
use super::keys::{self, KEYS, Key};
use super::shape::repeated;
use super::suggest::nearest;
use super::yaml::{self, Data, Node};

/// A file to read.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// Which layer it is: [`LayerOrigin::Overlay`] or [`LayerOrigin::Repository`].
    pub origin: LayerOrigin,
    /// Its name in messages.
    pub file: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A file that is good by itself. Only [`parse_layer`] makes one.
#[derive(Debug, Clone)]
pub struct ParsedLayer {
    pub(super) origin: LayerOrigin,
    pub(super) file: String,
    pub(super) settings: BTreeMap<&'static str, Setting>,
    /// Where each group's key stands, for errors about what is missing in it.
    pub(super) groups: BTreeMap<String, Place>,
}

#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) key: &'static Key,
    pub(super) value: Value,
    pub(super) place: Place,
}

impl ParsedLayer {
    /// The file's name in messages.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The value that this file gives to a key, as JSON.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.settings.get(key).map(|setting| &setting.value)
    }

    /// The place to point at when a key is not there: its group, or the start of the file.
    pub(super) fn place_for_missing(&self, key: &str) -> Place {
        let mut group = key;
        while let Some((outer, _)) = group.rsplit_once('.') {
            if let Some(place) = self.groups.get(outer) {
                return *place;
            }
            group = outer;
        }
        Place::START
    }
}

/// Reads one file: its YAML, its keys, the type of every value, and every rule that a value must keep by itself.
///
/// # Errors
/// Everything that is wrong, in the order of the file; one error only where the YAML itself cannot be read.
pub fn parse_layer(layer: &Layer<'_>) -> Result<ParsedLayer, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let mut parsed = ParsedLayer {
        origin: layer.origin,
        file: layer.file.to_owned(),
        settings: BTreeMap::new(),
        groups: BTreeMap::new(),
    };
    match yaml::read(layer.bytes) {
        Err((place, reason)) => {
            let fix = syntax_fix(&reason).to_owned();
            errors.push(ConfigError { path: layer.file.to_owned(), place, key: String::new(), reason, fix });
        }
        Ok(root) => {
            let sink = &mut Sink { file: layer.file, key: String::new(), errors: &mut errors };
            if matches!(root.data, Data::Null) {
                sink.refuse(Place::START, "", Reason::Empty, "write `version: 1`, or run `ci-intel init`");
            } else {
                read_group(&root, "", &mut parsed, sink);
                require(&parsed, &root, sink);
            }
        }
    }
    if errors.is_empty() {
        Ok(parsed)
    } else {
        errors.sort_by_key(|error| (error.place.start, error.place.end));
        Err(errors)
    }
}

const fn syntax_fix(reason: &Reason) -> &'static str {
    match reason {
        Reason::TooLarge { .. } => "keep the configuration small; put scripts into files of their own",
        Reason::NotUtf8 => "save the file as UTF-8",
        Reason::Anchor => "write the value out where it is needed",
        Reason::MergeKey => "write the keys out where they are needed",
        Reason::Tag => "remove the tag",
        Reason::Documents => "keep one document; remove everything from the second `---` on",
        Reason::TooComplex => "keep the configuration small and flat",
        _ => "correct the YAML here; `ci-intel config explain` shows the keys",
    }
}

fn read_group(node: &Node, group: &str, parsed: &mut ParsedLayer, sink: &mut Sink<'_>) {
    let Data::Map(entries) = &node.data else {
        sink.key = group.to_owned();
        let (reason, fix) = if matches!(node.data, Data::Null) {
            (Reason::NoValue, "give it keys, or remove it".to_owned())
        } else {
            let reason = Reason::WrongType { expected: "a mapping".to_owned(), found: node.found() };
            (reason, format!("write a mapping with keys like `{}:`", keys::children(group).join(":`, `")))
        };
        sink.refuse(node.place, "", reason, fix);
        return;
    };
    for (index, entry) in entries.iter().enumerate() {
        let path = if group.is_empty() { entry.key.clone() } else { format!("{group}.{}", entry.key) };
        sink.key.clone_from(&path);
        if let Some(earlier) = entries[..index].iter().find(|earlier| earlier.key == entry.key) {
            repeated(Some(earlier), entry, "", sink);
        } else if let Some(key) = keys::find(&path) {
            if key.shape.check(&entry.value, "", sink) {
                (key.check)(&entry.value, sink);
            }
            let setting = Setting { key, value: entry.value.to_json(), place: entry.value.place };
            parsed.settings.insert(key.path, setting);
        } else if keys::is_group(&path) {
            parsed.groups.insert(path.clone(), entry.key_place);
            read_group(&entry.value, &path, parsed, sink);
        } else {
            let reason = Reason::UnknownKey(clip(&entry.key));
            sink.refuse(entry.key_place, "", reason, unknown_key_fix(&entry.key, group));
        }
    }
}

fn unknown_key_fix(name: &str, group: &str) -> String {
    let siblings = keys::children(group);
    if let Some(near) = nearest(name, siblings.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    let elsewhere = KEYS.iter().find(|key| {
        let ends = |path: &str| path.rsplit('.').next() == Some(name);
        // The group it belongs to may be what was forgotten: `context` instead of `build.context`.
        ends(key.path) || key.path.rsplit_once('.').is_some_and(|(outer, _)| outer.contains('.') && ends(outer))
    });
    match elsewhere {
        Some(key) => format!("did you mean `{}`?", key.path),
        None => format!("remove it; known here: {}", siblings.join(", ")),
    }
}

fn require(parsed: &ParsedLayer, root: &Node, sink: &mut Sink<'_>) {
    if !matches!(root.data, Data::Map(_)) {
        return;
    }
    let mut need = |key: &'static str, fix: &str| {
        if !parsed.settings.contains_key(key) {
            key.clone_into(&mut sink.key);
            sink.refuse(parsed.place_for_missing(key), "", Reason::Missing, fix);
        }
    };
    need("version", "add `version: 1` as the first key");
    if parsed.origin == LayerOrigin::Repository {
        need("project.name", "add `project:` with `name:`, like `name: org/app`");
    }
}
