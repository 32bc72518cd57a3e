//! index.json, edited without touching what we do not understand.

use ci_types::strict_json::{self, JsonError};
use ci_types::{Descriptor, Digest};
use serde_json::{Map, Value, json};

const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// index.json. Invariant: `manifests` is an array of readable descriptors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Index(Map<String, Value>);

/// Why index.json is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("schemaVersion is not 2")]
    SchemaVersion,
    #[error("`manifests` is missing or no list")]
    Manifests,
    #[error("entry {0} of `manifests` is no descriptor: {1}")]
    Entry(usize, serde_json::Error),
    #[error("tag `{0}` stands for two different digests")]
    TagTwice(String),
}

impl Index {
    pub(super) fn empty() -> Self {
        let mut map = Map::new();
        map.insert("schemaVersion".to_owned(), json!(2));
        map.insert("mediaType".to_owned(), json!(crate::manifest::OCI_INDEX));
        map.insert("manifests".to_owned(), json!([]));
        Self(map)
    }

    pub(super) fn parse(content: &[u8]) -> Result<Self, IndexError> {
        let mut map: Map<String, Value> = strict_json::from_slice(content)?;
        if map.get("schemaVersion") != Some(&json!(2)) {
            return Err(IndexError::SchemaVersion);
        }
        // umoci writes `null` for an empty layout.
        if map.get("manifests") == Some(&Value::Null) {
            map.insert("manifests".to_owned(), json!([]));
        }
        let entries = map.get("manifests").and_then(Value::as_array).ok_or(IndexError::Manifests)?;
        for (place, entry) in entries.iter().enumerate() {
            descriptor(entry).map_err(|error| IndexError::Entry(place, error))?;
        }
        Ok(Self(map))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A map of JSON values always has a JSON form.
        let mut bytes = serde_json::to_vec_pretty(&self.0).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn entries(&self) -> &[Value] {
        self.0.get("manifests").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn entries_mut(&mut self) -> Option<&mut Vec<Value>> {
        self.0.get_mut("manifests").and_then(Value::as_array_mut)
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = Descriptor> {
        self.entries().iter().filter_map(|entry| descriptor(entry).ok())
    }

    /// What the name stands for.
    pub(super) fn resolve(&self, name: &str) -> Result<Option<Digest>, IndexError> {
        let mut found = None;
        for entry in
            self.descriptors().filter(|entry| entry.annotations.get(REF_NAME).is_some_and(|other| other == name))
        {
            if found.is_some_and(|other| other != entry.digest) {
                return Err(IndexError::TagTwice(name.to_owned()));
            }
            found = Some(entry.digest);
        }
        Ok(found)
    }

    /// Lists `entry` under its digest, so that `skopeo copy oci:DIR:sha256:…` finds it. Says whether anything changed.
    pub(super) fn list(&mut self, entry: &Descriptor) -> bool {
        let name = entry.digest.to_string();
        if self.resolve(&name).ok().flatten() == Some(entry.digest) {
            return false;
        }
        self.push(entry, &name);
        true
    }

    /// Moves a name. What it stood for stays listed by digest.
    pub(super) fn point(&mut self, name: &str, entry: &Descriptor) -> bool {
        if matches!(self.resolve(name), Ok(Some(digest)) if digest == entry.digest) {
            return false;
        }
        let before: Vec<Value> = self.entries().iter().filter(|entry| ref_name(entry) == Some(name)).cloned().collect();
        if let Some(entries) = self.entries_mut() {
            entries.retain(|entry| ref_name(entry) != Some(name));
        }
        for mut old in before {
            let Ok(was) = descriptor(&old) else { continue };
            if self.descriptors().any(|other| other.digest == was.digest) {
                continue;
            }
            if let Some(annotations) = old.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.insert(REF_NAME.to_owned(), json!(was.digest));
            }
            if let Some(entries) = self.entries_mut() {
                entries.push(old);
            }
        }
        self.push(entry, name);
        true
    }

    fn push(&mut self, entry: &Descriptor, name: &str) {
        let mut value = json!({ "mediaType": entry.media_type, "digest": entry.digest, "size": entry.size });
        if let Some(artifact_type) = &entry.artifact_type {
            value["artifactType"] = json!(artifact_type);
        }
        value["annotations"] = json!({ REF_NAME: name });
        if let Some(entries) = self.entries_mut() {
            entries.push(value);
        }
    }
}

fn descriptor(entry: &Value) -> Result<Descriptor, serde_json::Error> {
    let mut entry = entry.clone();
    // Go writers leave `null` where the list of annotations is empty.
    if let Some(map) = entry.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(entry)
}

fn ref_name(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(REF_NAME)?.as_str()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(content: &[u8]) -> Descriptor {
        Descriptor {
            media_type: "a/b".to_owned(),
            digest: Digest::of(content),
            size: 1,
            artifact_type: None,
            annotations: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_not_understood_stays() {
        let text = format!(
            r#"{{"schemaVersion":2,"x":{{"y":1.5}},"manifests":[{{"mediaType":"q/r","digest":"{}","size":3,"platform":{{"os":"linux"}},"z":null}}]}}"#,
            Digest::of(b"q")
        );
        let mut index = Index::parse(text.as_bytes()).unwrap();
        index.list(&entry(b"1"));
        index.point("v1", &entry(b"1"));
        index.point("v1", &entry(b"2"));
        let again = Index::parse(&index.to_bytes()).unwrap();
        assert_eq!(again.0["x"], json!({"y": 1.5}));
        assert_eq!(again.entries()[0]["platform"], json!({"os": "linux"}));
        assert_eq!(again.entries()[0].get("z"), Some(&Value::Null));
    }

    #[test]
    fn a_moved_tag_leaves_its_old_manifest_listed_by_digest() {
        let mut index = Index::empty();
        index.point("v1", &entry(b"1"));
        index.point("v1", &entry(b"2"));
        assert_eq!(index.resolve("v1").unwrap(), Some(Digest::of(b"2")));
        assert_eq!(index.resolve(&Digest::of(b"1").to_string()).unwrap(), Some(Digest::of(b"1")));
        assert!(!index.point("v1", &entry(b"2")));
        assert!(!index.list(&entry(b"1")));
    }

    #[test]
    fn one_tag_for_two_digests_rejects() {
        let mut index = Index::empty();
        index.push(&entry(b"1"), "v1");
        index.push(&entry(b"2"), "v1");
        assert!(matches!(index.resolve("v1"), Err(IndexError::TagTwice(_))));
    }

    #[test]
    fn an_index_that_cannot_be_read_whole_rejects() {
        for bad in [
            "",
            "{}",
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":1,"manifests":[]}"#,
            r#"{"schemaVersion":2,"manifests":[{}]}"#,
            r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#,
            r#"{"schemaVersion":2,"manifests":{}}"#,
        ] {
            assert!(Index::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Index::parse(br#"{"schemaVersion":2,"manifests":null}"#).is_ok());
    }
}
