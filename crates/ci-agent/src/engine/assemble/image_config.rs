//! The image config (OCI image-spec, "Image Configuration"), as canonical JSON.

use std::collections::BTreeMap;

use ci_types::config::Assemble;
use ci_types::{Digest, Timestamp, canonical};
use serde_json::{Map, Value, json};

use super::tree::image_path;
use crate::engine::BuildError;
use crate::engine::base::Base;

pub(super) fn document(
    assemble: &Assemble,
    architecture: &str,
    base: Option<&Base>,
    diff_id: Digest,
    epoch: Timestamp,
) -> Result<Vec<u8>, BuildError> {
    let inherited: Value =
        base.map(|base| serde_json::from_slice(&base.layout.config)).transpose()?.unwrap_or_default();
    let mut config = inherited.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
    if !assemble.entrypoint.is_empty() {
        config.insert("Entrypoint".to_owned(), json!(assemble.entrypoint));
        // The base's arguments belong to the base's program.
        config.remove("Cmd");
    }
    if !assemble.cmd.is_empty() {
        config.insert("Cmd".to_owned(), json!(assemble.cmd));
    }
    merge_env(&mut config, &assemble.env)?;
    if let Some(workdir) = &assemble.workdir {
        image_path("build.assemble.workdir", workdir)?;
        config.insert("WorkingDir".to_owned(), json!(workdir));
    }
    if let Some(user) = &assemble.user {
        config.insert("User".to_owned(), json!(checked_user(user)?));
    }
    for port in &assemble.ports {
        object(&mut config, "ExposedPorts").insert(checked_port(port)?, json!({}));
    }
    for (name, value) in &assemble.labels {
        object(&mut config, "Labels").insert(name.clone(), json!(value));
    }
    let created = epoch.to_string();
    let mut history = inherited.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    // The program's version stays out: a new one that makes the same image makes the same digest.
    history.push(json!({ "created": created, "created_by": "ci-intel assemble" }));
    let mut diff_ids: Vec<Digest> = base.map(|base| base.layout.diff_ids.clone()).unwrap_or_default();
    diff_ids.push(diff_id);
    let mut document = json!({
        "architecture": architecture,
        "config": config,
        "created": created,
        "history": history,
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    if let Some(variant) = inherited.get("variant") {
        document["variant"] = variant.clone();
    }
    Ok(canonical::to_vec(&document)?)
}

fn object<'a>(config: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let slot = config.entry(key).or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({});
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// Variables of the base in their order, replaced in place; new ones after them, sorted by name.
fn merge_env(config: &mut Map<String, Value>, env: &BTreeMap<String, String>) -> Result<(), BuildError> {
    let mut merged: Vec<String> = config
        .get("Env")
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            let detail = "is no name of an environment variable".to_owned();
            return Err(BuildError::Config { key: "build.assemble.env", value: name.clone(), detail });
        }
        let pair = format!("{name}={value}");
        match merged.iter_mut().find(|old| old.split('=').next() == Some(name)) {
            Some(old) => *old = pair,
            None => merged.push(pair),
        }
    }
    if !merged.is_empty() {
        config.insert("Env".to_owned(), json!(merged));
    }
    Ok(())
}

fn checked_user(user: &str) -> Result<&str, BuildError> {
    let id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u32>().is_ok();
    let (uid, gid) = user.split_once(':').map_or((user, None), |(uid, gid)| (uid, Some(gid)));
    if id(uid) && gid.is_none_or(id) {
        return Ok(user);
    }
    let detail = "must be `uid` or `uid:gid`, in numbers".to_owned();
    Err(BuildError::Config { key: "build.assemble.user", value: user.to_owned(), detail })
}

fn checked_port(port: &str) -> Result<String, BuildError> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    match number.parse::<u16>() {
        Ok(1..) if digits && matches!(protocol, "tcp" | "udp" | "sctp") => Ok(format!("{number}/{protocol}")),
        _ => {
            let detail = "must be a port like 8080/tcp".to_owned();
            Err(BuildError::Config { key: "build.assemble.ports", value: port.to_owned(), detail })
        }
    }
}
