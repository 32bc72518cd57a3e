//! The referrers tag schema, for registries without the referrers API (distribution-spec, "Referrers Tag Schema").
//!
//! The specification has no conditional PUT, so two writers can lose an entry. We read back, twice with a pause, and write
//! again where ours is gone; the lane lists referrers once more before it reports success.

use ci_execute::StoreError;
use ci_types::{Descriptor, Digest, Tag};
use serde_json::{Map, Value, json};

use super::Registry;
use crate::manifest::{Manifest, OCI_INDEX};

const MAX_ROUNDS: u32 = 6;

/// The index behind the fallback tag; what we do not understand in it stays.
pub(super) struct FallbackIndex(Map<String, Value>);

impl FallbackIndex {
    fn entries(&self) -> &[Value] {
        self.0.get("manifests").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Invariant of construction: every entry is a descriptor.
    pub(super) fn descriptors(&self) -> Vec<Descriptor> {
        self.entries().iter().filter_map(|entry| serde_json::from_value(entry.clone()).ok()).collect()
    }

    fn has(&self, entry: &Descriptor) -> bool {
        self.descriptors().contains(entry)
    }

    fn add(&mut self, entry: &Descriptor) {
        let name = json!(entry.digest);
        if let Some(entries) = self.0.get_mut("manifests").and_then(Value::as_array_mut) {
            entries.retain(|other| other.get("digest") != Some(&name));
            entries.push(json!(entry));
        }
    }
}

impl Registry {
    /// `sha256-<64 hex digits>`.
    fn fallback_tag(&self, subject: &Digest) -> Result<Tag, StoreError> {
        let text = format!("sha256-{}", subject.hex());
        text.parse().map_err(|_| self.protocol("name the fallback tag", text))
    }

    pub(super) fn fallback_index(&self, subject: &Digest) -> Result<Option<FallbackIndex>, StoreError> {
        let action = format!("read the fallback tag of {subject}");
        let Some(stored) = self.pull_tag(&self.fallback_tag(subject)?)? else { return Ok(None) };
        if stored.media_type != OCI_INDEX {
            return Err(self.protocol(&action, format!("it is a `{}`, not an image index", stored.media_type)));
        }
        let bad = |error: String| self.protocol(&action, error);
        Manifest::parse(Some(OCI_INDEX), &stored.content).map_err(|error| bad(error.to_string()))?;
        serde_json::from_slice(&stored.content)
            .map(|map| Some(FallbackIndex(map)))
            .map_err(|error| bad(error.to_string()))
    }

    /// Adds `entry` to the fallback tag of `subject` and makes sure that it stays.
    pub(super) fn link_by_tag(&self, subject: &Digest, entry: &Descriptor, action: &str) -> Result<(), StoreError> {
        let tag = self.fallback_tag(subject)?;
        for round in 0..MAX_ROUNDS {
            let mut index = self.fallback_index(subject)?.unwrap_or_else(|| {
                let new = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
                FallbackIndex(new.as_object().cloned().unwrap_or_default())
            });
            if index.has(entry) {
                if round == 0 {
                    return Ok(());
                }
                std::thread::sleep(self.options.settle);
                if self.fallback_index(subject)?.is_some_and(|index| index.has(entry)) {
                    return Ok(());
                }
                continue;
            }
            index.add(entry);
            let content = serde_json::to_vec(&index.0).map_err(|error| self.protocol(action, error.to_string()))?;
            self.put_reference(tag.as_str(), OCI_INDEX, &content, action)?;
        }
        let detail = format!("another writer keeps replacing tag `{tag}`; attach from one job at a time");
        Err(self.protocol(action, detail))
    }
}
