//! `ci-intel config explain`: what a key means, what it is set to, who set it, and who may change it.

use serde_json::Value;

use super::error::clip;
use super::keys::{self, KEYS, Key};
use super::merge::{Effective, Origin, defaults};
use super::shape::{Field, Shape};
use super::suggest::nearest;

/// Everything there is to say about one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Dotted path.
    pub key: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Its type in words.
    pub kind: &'static str,
    /// Allowed values; empty where any of the type are.
    pub allowed: String,
    /// Fields, where it is a list of mappings: name, whether it must be given, meaning.
    pub fields: Vec<(&'static str, bool, &'static str)>,
    /// Whether a file must give it.
    pub required: bool,
    /// The built-in default; absent where there is none.
    pub default: Option<Value>,
    /// The value in force; absent where nothing is set, or no configuration was given.
    pub value: Option<Value>,
    /// Who set that value, and where.
    pub set_by: Option<Origin>,
    /// How a lower layer may change it, in words.
    pub rule: String,
}

/// A key that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no key `{key}`; {fix}")]
pub struct UnknownKey {
    /// As asked for.
    pub key: String,
    /// What to ask instead.
    pub fix: String,
}

/// Explains a key (`build.engine`), a field of a list (`build.assemble.files.to`: its list), or all keys of a group
/// (`build`; the empty text: all), with their values where a configuration is given.
///
/// # Errors
/// [`UnknownKey`] with the nearest known one.
pub fn explain(query: &str, effective: Option<&Effective>) -> Result<Vec<Explanation>, UnknownKey> {
    let query = query.trim_matches('.');
    let defaults = defaults();
    let under = |key: &&Key| {
        query.is_empty() || key.path == query || key.path.strip_prefix(query).is_some_and(|rest| rest.starts_with('.'))
    };
    let mut found: Vec<&Key> = KEYS.iter().filter(under).collect();
    if found.is_empty() {
        let (list, field) = query.rsplit_once('.').unwrap_or_default();
        let has_field = |key: &&Key| fields(key.shape).iter().any(|known| known.name == field);
        found.extend(keys::find(list.trim_end_matches("[]")).filter(has_field));
    }
    if found.is_empty() {
        return Err(UnknownKey { key: clip(query), fix: fix(query) });
    }
    Ok(found
        .into_iter()
        .map(|key| Explanation {
            key: key.path,
            doc: key.doc,
            kind: key.shape.words(),
            allowed: key.shape.allowed(),
            fields: fields(key.shape).iter().map(|field| (field.name, field.required, field.doc)).collect(),
            required: key.required() == Some(true),
            default: defaults.get(key.path).cloned(),
            value: effective.and_then(|effective| effective.value(key.path)).cloned(),
            set_by: effective.and_then(|effective| effective.origin(key.path)).cloned(),
            rule: rule_words(key),
        })
        .collect())
}

/// The built-in default of a key as JSON.
#[must_use]
pub fn default_of(key: &str) -> Option<Value> {
    defaults().get(key).cloned()
}

/// A key's rule, and whether its default already binds, in words.
#[must_use]
pub fn rule_words(key: &Key) -> String {
    let words = key.rule.words();
    if key.default_binds { format!("{words}; the default already binds") } else { words }
}

const fn fields(shape: Shape) -> &'static [Field] {
    if let Shape::Records(fields) = shape { fields } else { &[] }
}

fn fix(query: &str) -> String {
    let last = query.rsplit('.').next().unwrap_or_default();
    let same_name = KEYS.iter().map(|key| key.path).find(|path| path.rsplit('.').next() == Some(last));
    let groups = KEYS.iter().flat_map(|key| key.path.match_indices('.').map(|(at, _)| key.path.split_at(at).0));
    match nearest(query, KEYS.iter().map(|key| key.path).chain(groups)).or(same_name) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`ci-intel config explain` without a key lists all of them".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_group_lists_its_keys_and_nothing_else() {
        let keys: Vec<_> = explain("build.context", None).unwrap().iter().map(|found| found.key).collect();
        assert_eq!(keys, ["build.context.include", "build.context.max_files", "build.context.max_bytes"]);
        assert_eq!(explain("", None).unwrap().len(), KEYS.len());
        assert!(explain("build.cont", None).is_err());
    }

    #[test]
    fn a_field_of_a_list_explains_the_list() {
        for query in ["build.assemble.files.to", "build.assemble.files[].to"] {
            assert_eq!(explain(query, None).unwrap()[0].key, "build.assemble.files");
        }
    }

    #[test]
    fn a_slip_is_met_with_the_right_key() {
        for (query, wanted) in [
            ("build.engin", "build.engine"),
            ("biuld", "build"),
            ("include", "build.context.include"),
            ("high", "budgets.vulnerabilities.high"),
        ] {
            assert_eq!(explain(query, None).unwrap_err().fix, format!("did you mean `{wanted}`?"));
        }
    }
}
