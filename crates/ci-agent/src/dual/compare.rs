//! Two images that should be one: config, then layer by layer, file by file, down to the member that differs first.

use std::path::Path;

use ci_types::record::Difference;
use serde_json::Value;

use super::archive::{self, Found};
use crate::engine::{Layout, LayoutError};

/// Why two images could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// An image cannot be read.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A layer cannot be read.
    #[error("layer {layer}: {cause}")]
    Layer {
        /// 1-based layer.
        layer: usize,
        /// Cause.
        cause: std::io::Error,
    },
}

/// Where the images of two layouts, whose manifests differ, differ first.
///
/// # Errors
/// See [`CompareError`].
pub fn first_difference(one: &Path, two: &Path) -> Result<Difference, CompareError> {
    let (one, two) = (Layout::open(one)?, Layout::open(two)?);
    let configs = [&one, &two].map(|layout| serde_json::from_slice::<Value>(&layout.config).unwrap_or_default());
    // What layers bring into the config (diff ids, build history with content digests) is named by the layer instead.
    let own = |mut config: Value| {
        if let Some(fields) = config.as_object_mut() {
            fields.remove("rootfs");
            fields.remove("history");
        }
        config
    };
    let in_config = |(field, first, second): (String, String, String)| Difference {
        part: "config".to_owned(),
        path: None,
        member: None,
        what: format!("field {field}"),
        first,
        second,
    };
    if let Some(found) = json_difference("", &own(configs[0].clone()), &own(configs[1].clone())) {
        return Ok(in_config(found));
    }
    if let Some(found) = layers(&one, &two)? {
        return Ok(found);
    }
    if let Some(found) = json_difference("", &configs[0], &configs[1]) {
        return Ok(in_config(found));
    }
    Ok(Difference {
        part: "manifest".to_owned(),
        path: None,
        member: None,
        what: "content".to_owned(),
        first: one.manifest.digest.to_string(),
        second: two.manifest.digest.to_string(),
    })
}

fn layers(one: &Layout, two: &Layout) -> Result<Option<Difference>, CompareError> {
    let (first, second) = (&one.image.layers, &two.image.layers);
    if first.len() != second.len() {
        return Ok(Some(Difference {
            part: "manifest".to_owned(),
            path: None,
            member: None,
            what: "number of layers".to_owned(),
            first: first.len().to_string(),
            second: second.len().to_string(),
        }));
    }
    let Some(n) = (0..first.len()).find(|n| first[*n].digest != second[*n].digest) else { return Ok(None) };
    let found = if one.diff_ids[n] != two.diff_ids[n] {
        let found = archive::tar_difference(&|| one.layer(n), &|| two.layer(n), 0);
        // The same entries, yet other bytes: something that no reader of the archive sees.
        let unseen = || Found::here("archive bytes", one.diff_ids[n].to_string(), two.diff_ids[n].to_string());
        found.map_err(|cause| CompareError::Layer { layer: n + 1, cause })?.unwrap_or_else(unseen)
    } else if first[n].media_type != second[n].media_type {
        Found::here("media type", first[n].media_type.clone(), second[n].media_type.clone())
    } else {
        Found::here("compression", first[n].digest.to_string(), second[n].digest.to_string())
    };
    Ok(Some(Difference {
        part: format!("layer {}", n + 1),
        path: found.path,
        member: found.member,
        what: found.what,
        first: found.first,
        second: found.second,
    }))
}

/// The first difference of two JSON values: pointer (RFC 6901), both values.
fn json_difference(at: &str, one: &Value, two: &Value) -> Option<(String, String, String)> {
    let absent = "absent".to_owned();
    match (one, two) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (a.get(key), b.get(key)) {
                    (Some(x), Some(y)) => json_difference(&at, x, y),
                    (x, y) => Some((at, x.map_or(absent.clone(), short), y.map_or(absent.clone(), short))),
                }
            })
        }
        (Value::Array(a), Value::Array(b)) => (0..a.len().max(b.len())).find_map(|n| {
            let at = format!("{at}/{n}");
            match (a.get(n), b.get(n)) {
                (Some(x), Some(y)) => json_difference(&at, x, y),
                (x, y) => Some((at, x.map_or(absent.clone(), short), y.map_or(absent.clone(), short))),
            }
        }),
        (a, b) if a == b => None,
        (a, b) => Some((at.to_owned(), short(a), short(b))),
    }
}

fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(super::content::MAX_SHOWN).collect()
}
