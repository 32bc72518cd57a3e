//! Strictness: how a key's value in one layer bounds its value in the next.

use serde_json::Value;

use super::error::clip;

/// What a lower layer may do to a value that a layer above has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Only lower it. Limits and budgets.
    Lower,
    /// Only raise it.
    Higher,
    /// Only remove entries.
    Subset,
    /// Only remove entries, and not the last one: an empty list means "any", the loosest value.
    SubsetOrAny,
    /// Only name git refs that a pattern above already covers.
    Refs,
    /// Only remove ways to isolate, and never so that a plain process is chosen where a layer above chooses isolation.
    Isolation,
    /// Only add entries.
    Superset,
    /// Only move towards the last of these values.
    Order(&'static [&'static str]),
    /// Only turn it on.
    TrueStricter,
    /// Only turn it off.
    FalseStricter,
    /// Only repeat it.
    SetOnce,
    /// The repository's own: no overlay may set it.
    Free,
}

impl Rule {
    /// The rule in words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Lower => "a lower layer may only lower it".to_owned(),
            Self::Higher => "a lower layer may only raise it".to_owned(),
            Self::Subset => "a lower layer may only remove entries".to_owned(),
            Self::SubsetOrAny => {
                "empty means any; once a layer lists entries, a lower layer may only remove some of them".to_owned()
            }
            Self::Refs => "a lower layer may only list refs that an entry above covers".to_owned(),
            Self::Isolation => {
                "a lower layer may only remove entries, and keep `process` only behind all that stands before it above"
                    .to_owned()
            }
            Self::Superset => "a lower layer must keep every entry and may add some".to_owned(),
            Self::Order(values) => format!("a lower layer may only move along {}", values.join(" → ")),
            Self::TrueStricter => "a lower layer may only turn it on".to_owned(),
            Self::FalseStricter => "a lower layer may only turn it off".to_owned(),
            Self::SetOnce => "once a layer has set it, a lower layer may not give another value".to_owned(),
            Self::Free => "describes the repository; an overlay may not set it".to_owned(),
        }
    }

    /// Whether `below` allows anything that `above` does not. Values of a wrong type loosen.
    #[must_use]
    pub fn loosens(self, above: &Value, below: &Value) -> bool {
        !self.holds(above, below).unwrap_or(false)
    }

    fn holds(self, above: &Value, below: &Value) -> Option<bool> {
        Some(match self {
            Self::Lower => below.as_u64()? <= above.as_u64()?,
            Self::Higher => below.as_u64()? >= above.as_u64()?,
            Self::Subset => contains_all(above.as_array()?, below.as_array()?),
            Self::SubsetOrAny => {
                let (above, below) = (above.as_array()?, below.as_array()?);
                above.is_empty() || (!below.is_empty() && contains_all(above, below))
            }
            Self::Refs => {
                let above: Vec<&str> = above.as_array()?.iter().filter_map(Value::as_str).collect();
                below
                    .as_array()?
                    .iter()
                    .all(|entry| entry.as_str().is_some_and(|entry| above.iter().any(|pattern| covers(pattern, entry))))
            }
            Self::Isolation => {
                let (above, below) = (above.as_array()?, below.as_array()?);
                let before_process = |list: &[Value]| {
                    let at = list.iter().position(|entry| entry == "process")?;
                    list.get(..at).map(<[Value]>::to_vec)
                };
                let kept = match (before_process(above), before_process(below)) {
                    (Some(above), Some(below)) => contains_all(&below, &above),
                    _ => true,
                };
                kept && contains_all(above, below)
            }
            Self::Superset => contains_all(below.as_array()?, above.as_array()?),
            Self::Order(values) => {
                let rank = |value: &Value| values.iter().position(|name| Some(*name) == value.as_str());
                rank(below)? >= rank(above)?
            }
            Self::TrueStricter => below.as_bool()? || !above.as_bool()?,
            Self::FalseStricter => !below.as_bool()? || above.as_bool()?,
            Self::SetOnce => above == below,
            // Only one layer ever sets it.
            Self::Free => true,
        })
    }

    /// What to write instead of a value that loosens `above`.
    pub(super) fn fix(self, key: &str, above: &Value) -> String {
        let above = show(above);
        match self {
            Self::Lower => format!("set `{key}` to at most {above}, or remove it"),
            Self::Higher => format!("set `{key}` to at least {above}, or remove it"),
            Self::Subset | Self::SubsetOrAny => format!("list only entries of {above}, or remove `{key}`"),
            Self::Refs => format!("list only refs that one of {above} covers, or remove `{key}`"),
            Self::Isolation => {
                format!(
                    "list only entries of {above}, `process` behind all that stands before it there, or remove `{key}`"
                )
            }
            Self::Superset => format!("keep every entry of {above}, or remove `{key}`"),
            Self::Order(_) | Self::TrueStricter | Self::FalseStricter | Self::SetOnce | Self::Free => {
                format!("write {above}, or remove `{key}`")
            }
        }
    }
}

fn contains_all(all: &[Value], some: &[Value]) -> bool {
    some.iter().all(|entry| all.contains(entry))
}

/// Whether every ref that `entry` matches is matched by `pattern`; both exact or with one trailing `*`.
fn covers(pattern: &str, entry: &str) -> bool {
    match (pattern.strip_suffix('*'), entry.strip_suffix('*')) {
        (Some(prefix), Some(entry)) => entry.starts_with(prefix),
        (Some(prefix), None) => entry.starts_with(prefix),
        (None, Some(_)) => false,
        (None, None) => pattern == entry,
    }
}

/// A value as YAML flow text, fit for a message.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", clip(text)),
        other => clip(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_environment_list_is_the_loosest() {
        assert!(Rule::SubsetOrAny.loosens(&json!(["prod"]), &json!([])));
        assert!(!Rule::SubsetOrAny.loosens(&json!([]), &json!(["prod"])));
    }

    #[test]
    fn wanting_a_plain_process_sooner_loosens() {
        let above = json!(["bubblewrap", "podman", "process"]);
        for looser in
            [json!(["process", "bubblewrap"]), json!(["process"]), json!(["bubblewrap", "process"]), json!(["docker"])]
        {
            assert!(Rule::Isolation.loosens(&above, &looser), "{looser}");
        }
        for stricter in [json!(["podman"]), json!(["podman", "bubblewrap", "process"]), json!(["bubblewrap", "podman"])]
        {
            assert!(!Rule::Isolation.loosens(&above, &stricter), "{stricter}");
        }
    }

    #[test]
    fn a_ref_pattern_is_no_exact_ref() {
        assert!(Rule::Refs.loosens(&json!(["refs/tags/v1"]), &json!(["refs/tags/v1*"])));
        assert!(Rule::Refs.loosens(&json!(["refs/tags/v1*"]), &json!(["refs/tags/v*"])));
        assert!(!Rule::Refs.loosens(&json!(["refs/tags/v*"]), &json!(["refs/tags/v1*", "refs/tags/v2"])));
    }

    #[test]
    fn a_value_of_another_type_loosens() {
        assert!(Rule::Lower.loosens(&json!(1), &json!("0")));
        assert!(Rule::TrueStricter.loosens(&json!(false), &json!(1)));
    }
}
