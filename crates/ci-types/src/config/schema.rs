//! The JSON Schema of the repository's file: generated from the types, then narrowed by the key table to what the parser
//! accepts. Rules that no schema can say (paths, digests, what holds across keys) are left to the parser.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::keys;
use super::merge::defaults;
use super::model::Config;
use super::rule::Rule;
use super::shape::{Field, Shape};
use super::template::SCHEMA_URL;

/// JSON Schema (draft 2020-12) of `.ci-intel/config.yml`. `version` and `project.name` are required, all else is optional.
#[must_use]
pub fn schema() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let types = settings.into_generator().into_root_schema_for::<Config>().to_value();
    let mut root = group("", &types);
    if let Value::Object(root) = &mut root {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("$id".to_owned(), json!(SCHEMA_URL));
        root.insert("title".to_owned(), json!(".ci-intel/config.yml"));
    }
    root
}

/// The schema that the types gave for one name, without the `null` of an `Option`.
fn of_types<'a>(types: &'a Value, name: &str) -> Option<&'a Value> {
    types.pointer("/properties").and_then(|properties| properties.get(name)).map(without_null)
}

fn without_null(types: &Value) -> &Value {
    let is_null = |option: &Value| option.get("type") == Some(&json!("null"));
    let options = types.get("anyOf").and_then(Value::as_array);
    options.and_then(|options| options.iter().find(|option| !is_null(option))).unwrap_or(types)
}

/// The mapping at `path`.
fn group(path: &str, types: &Value) -> Value {
    let mut properties = Map::new();
    for name in keys::children(path) {
        let inner = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        // Absent from the types: left out here too, so that the tests see the disagreement.
        let Some(types) = of_types(types, name) else { continue };
        let value = match keys::find(&inner) {
            Some(key) => {
                let mut value = shape(key.shape, key.path);
                value.insert("description".to_owned(), json!(key.doc));
                if let Some(default) = defaults().get(key.path) {
                    // A default that binds is the bound that the merge enforces.
                    match key.rule {
                        Rule::Lower if key.default_binds => drop(value.insert("maximum".to_owned(), default.clone())),
                        Rule::Higher if key.default_binds => drop(value.insert("minimum".to_owned(), default.clone())),
                        _ => {}
                    }
                    value.insert("default".to_owned(), default.clone());
                }
                Value::Object(value)
            }
            None => group(&inner, types),
        };
        properties.insert(name.to_owned(), value);
    }
    let mut schema = object(properties);
    let required: Vec<&str> = match path {
        "" => vec!["version", "project"],
        "project" => vec!["name"],
        _ => Vec::new(),
    };
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if let Some(description) = types.get("description") {
        schema.insert("description".to_owned(), description.clone());
    }
    Value::Object(schema)
}

fn object(properties: Map<String, Value>) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema
}

fn shape(shape_: Shape, path: &str) -> Map<String, Value> {
    let list = |items: Map<String, Value>| json!({ "type": "array", "items": items });
    let value = match shape_ {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Text => json!({ "type": "string" }),
        Shape::Choice(words) => json!({ "type": "string", "enum": words }),
        Shape::Texts | Shape::Command => list(shape(Shape::Text, "")),
        Shape::Choices(words) => list(shape(Shape::Choice(words), "")),
        Shape::Commands => {
            let mut command = shape(Shape::Command, "");
            command.insert("minItems".to_owned(), json!(1));
            list(command)
        }
        Shape::Table => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::Records(fields) => list(record(fields)),
    };
    let mut schema = if let Value::Object(schema) = value { schema } else { Map::new() };
    if let Some(Value::Object(more)) = narrower(path) {
        schema.extend(more);
    }
    schema
}

fn record(fields: &[Field]) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in fields {
        let mut value = shape(field.shape, field.name);
        if field.name == "run" {
            value.insert("minItems".to_owned(), json!(1));
        }
        value.insert("description".to_owned(), json!(field.doc));
        properties.insert(field.name.to_owned(), Value::Object(value));
    }
    let mut schema = object(properties);
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    schema.insert("required".to_owned(), json!(required));
    schema
}

/// What a schema can say of the value checks. Each pattern accepts all that the parser accepts.
fn narrower(path: &str) -> Option<Value> {
    Some(match path {
        "project.name" => json!({ "pattern": "^[a-z0-9][a-z0-9._/-]*$", "maxLength": 128 }),
        "project.repository" => json!({ "pattern": "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$" }),
        "lane.issuer" => json!({ "pattern": "^https?://[^@?#]+$" }),
        "lane.repository_id" => json!({ "pattern": "^[1-9][0-9]*$" }),
        "lane.workflow" => json!({ "pattern": "^[^/]+/[^/]+/\\.github/workflows/[^/@]+\\.ya?ml$" }),
        "lane.refs" => json!({
            "minItems": 1, "uniqueItems": true,
            "items": { "type": "string", "pattern": "^refs/(heads|tags)/[^*]+\\*?$" }
        }),
        "lane.events" | "smoke.isolation" => json!({ "minItems": 1, "uniqueItems": true }),
        "lane.environments" | "build.pass_env" | "build.assemble.ports" => json!({ "uniqueItems": true }),
        "build.context.include" | "build.outputs" => json!({
            "uniqueItems": true,
            "items": { "type": "string", "pattern": "^[^/\\[\\]{}!\\\\]([^\\[\\]{}!\\\\]*[^/\\[\\]{}!\\\\])?$" }
        }),
        "build.assemble.base" => json!({ "pattern": "^(scratch|[^@:]+@sha256:[0-9a-f]{64})$" }),
        "build.assemble.workdir" | "to" => json!({ "pattern": "^/" }),
        "mode" => json!({ "pattern": "^0?[0-7]{3,4}$" }),
        "from" | "build.dockerfile" => json!({ "pattern": "^[^/]" }),
        "build.assemble.user" => json!({ "pattern": "^[0-9]+(:[0-9]+)?$" }),
        "publish.target" => json!({ "pattern": "^(oci-layout:[^:@]+|registry:[^/@]+/[^:@]+)$" }),
        "publish.tag" => json!({ "pattern": "^([A-Za-z0-9_]|\\{commit\\})([A-Za-z0-9._-]|\\{commit\\})*$" }),
        "path" => json!({ "pattern": "^/" }),
        "contains" => json!({ "minLength": 1 }),
        _ => return None,
    })
}

/// Every key of the types, dotted, with its description: what the table is held against.
#[cfg(test)]
pub(super) fn keys_of_types() -> Vec<(String, String)> {
    fn walk(types: &Value, path: &str, found: &mut Vec<(String, String)>) {
        let Some(properties) = types.get("properties").and_then(Value::as_object) else { return };
        for (name, value) in properties {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let description = value.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
            let value = without_null(value);
            if value.get("properties").is_some() {
                walk(value, &inner, found);
            } else {
                found.push((inner.clone(), description));
                if let Some(items) = value.get("items") {
                    walk(items, &format!("{inner}[]"), found);
                }
            }
        }
    }
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let types = settings.into_generator().into_root_schema_for::<Config>().to_value();
    let mut found = Vec::new();
    walk(&types, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::KEYS;

    /// The table misses no key of the types, invents none, and says the same about each.
    #[test]
    fn the_table_is_the_types() {
        let mut table = BTreeMap::new();
        for key in KEYS {
            table.insert(key.path.to_owned(), key.doc.to_owned());
            if let Shape::Records(fields) = key.shape {
                for field in fields {
                    table.insert(format!("{}[].{}", key.path, field.name), field.doc.to_owned());
                }
            }
        }
        let types: BTreeMap<_, _> = keys_of_types().into_iter().collect();
        for (key, doc) in &types {
            assert_eq!(table.get(key), Some(doc), "{key}: the doc comment in model.rs and the table in keys.rs differ");
        }
        assert_eq!(table.len(), types.len(), "a key of the table is not in the types: {table:#?}");
    }
}
