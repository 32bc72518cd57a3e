//! JSON Schemas of the records, as ci-intel writes them: every field that is always written is required.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The schemas (draft 2020-12) of all records, each with the record's schema id as `$id`.
#[must_use]
pub fn schemas() -> Vec<Value> {
    vec![
        of::<super::CommandReceipt>(),
        of::<super::ContextManifest>(),
        of::<super::Decision>(),
        of::<super::DeterminismReport>(),
        of::<super::EvidenceManifest>(),
        of::<super::IdentityRecord>(),
        of::<super::PackagingProvenance>(),
        of::<super::Publication>(),
        of::<super::ReleaseOutputs>(),
        of::<super::SecretSweep>(),
        of::<super::SmokeReport>(),
    ]
}

fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    // Every record's `schema` field has one value: its id. Put it in place of the Rust type's name.
    let field = schema.pointer("/properties/schema").cloned().unwrap_or_default();
    let name = field.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix("#/$defs/"));
    let types = name.and_then(|name| schema.get("$defs")?.get(name)).unwrap_or(&field);
    let id = ["/const", "/enum/0", "/oneOf/0/const"].iter().find_map(|path| types.pointer(path)).cloned();
    if let (Some(id), Value::Object(root)) = (id, &mut schema) {
        if let Some(Value::Object(properties)) = root.get_mut("properties") {
            properties.insert("schema".to_owned(), json!({ "description": "Schema id.", "const": id }));
        }
        if let (Some(name), Some(Value::Object(definitions))) = (name, root.get_mut("$defs")) {
            definitions.remove(name);
        }
        if root.get("$defs").is_some_and(|definitions| definitions == &json!({})) {
            root.remove("$defs");
        }
        root.insert("$id".to_owned(), id);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_source_has_a_schema_with_its_id() {
        let ids: Vec<String> =
            schemas().iter().filter_map(|schema| schema.get("$id")?.as_str().map(str::to_owned)).collect();
        let sources = [
            include_str!("commands.rs"),
            include_str!("context.rs"),
            include_str!("decision.rs"),
            include_str!("determinism.rs"),
            include_str!("manifest.rs"),
            include_str!("identity.rs"),
            include_str!("packaging.rs"),
            include_str!("publication.rs"),
            include_str!("outputs.rs"),
            include_str!("sweep.rs"),
            include_str!("smoke.rs"),
        ];
        assert_eq!(ids.len(), sources.len());
        for (id, source) in ids.iter().zip(sources) {
            assert!(source.contains(&format!("\"{id}\"")), "{id}");
        }
    }

    #[test]
    fn a_schema_refuses_another_id_and_a_left_out_field() -> Result<(), Box<dyn std::error::Error>> {
        let schema = of::<super::super::Publication>();
        let validator = jsonschema::validator_for(&schema)?;
        let digest = crate::Digest::of(b"x").to_string();
        let good = json!({
            "schema": "https://ci-intel.dev/schema/publication.v1.json",
            "subject": { "name": "app", "tag": "v1", "digest": digest },
            "target": "oci-layout", "media_type": "m", "manifest_bytes": 1, "artifact_bytes": 1,
            "built": digest, "published": digest, "read_back": digest, "tag_before": null
        });
        assert!(validator.is_valid(&good));
        let mut other = good.clone();
        other["schema"] = json!("https://ci-intel.dev/schema/publication.v2.json");
        assert!(!validator.is_valid(&other));
        for field in good.as_object().into_iter().flat_map(|object| object.keys()) {
            let mut without = good.clone();
            without.as_object_mut().map(|object| object.remove(field));
            assert!(!validator.is_valid(&without), "{field}");
        }
        Ok(())
    }
}
