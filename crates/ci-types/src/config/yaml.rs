//! YAML bytes to a tree in which every key and value knows its place.
//!
//! The dialect is small on purpose: one document, no anchors, aliases, merge keys or tags of one's own, and numbers in
//! plain decimal, so that every YAML reader sees the same meaning.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Spanned};

use super::error::{Place, Reason};

/// Largest file that is read, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) data: Data,
}

#[derive(Debug, Clone)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Count(u64),
    /// A number that is not a plain decimal count: negative, fractional, `0755`, `0x1F`, `1_000`.
    OtherNumber(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) value: Node,
}

impl Node {
    /// The kind of value, in words.
    pub(super) const fn found(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "true or false",
            Data::Count(_) | Data::OtherNumber(_) => "a number",
            Data::Text(_) => "text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The text; empty for any other kind, which the shape check refused before.
    pub(super) fn text(&self) -> &str {
        if let Data::Text(text) = &self.data { text } else { "" }
    }

    /// The items; none for any other kind.
    pub(super) fn items(&self) -> &[Node] {
        if let Data::List(items) = &self.data { items } else { &[] }
    }

    /// The entries; none for any other kind.
    pub(super) fn entries(&self) -> &[Entry] {
        if let Data::Map(entries) = &self.data { entries } else { &[] }
    }

    /// The value of a key.
    pub(super) fn field(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub(super) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::from(*value),
            Data::Count(value) => Value::from(*value),
            Data::OtherNumber(text) | Data::Text(text) => Value::from(text.as_str()),
            Data::List(items) => items.iter().map(Self::to_json).collect(),
            Data::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect())
            }
        }
    }
}

/// Reads a file.
pub(super) fn read(bytes: &[u8]) -> Result<Node, (Place, Reason)> {
    if bytes.len() > MAX_BYTES {
        return Err((Place::START, Reason::TooLarge { bytes: bytes.len(), limit: MAX_BYTES }));
    }
    let source = std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
        (place_at_end(&before), Reason::NotUtf8)
    })?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_documents: 1,
            max_depth: 12,
            flow_nesting_limit: 12,
            max_events: 20_000,
        },
        // Repeats are reported by our own walk, which knows both places.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(source, options)
        .map(|root| root.value.located(root.referenced, source))
        .map_err(|error| refusal(&error, source))
}

fn refusal(error: &Error, source: &str) -> (Place, Reason) {
    let place = error.location().map_or(Place::START, |location| place_of(location, source));
    let reason = match error.without_snippet() {
        Error::Budget { breach: BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. }, .. }
        | Error::UnknownAnchor { .. }
        | Error::AliasError { .. } => Reason::Anchor,
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            Reason::Documents
        }
        Error::Budget { .. } => Reason::TooComplex,
        Error::MergeKeyNotAllowed { .. } => Reason::MergeKey,
        Error::UnsupportedTag { .. } | Error::TaggedStructFieldName { .. } => Reason::Tag,
        _ => {
            let text = error.to_string();
            // The place is told apart from the message.
            Reason::Syntax(text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned())
        }
    };
    (place, reason)
}

fn place_at_end(before: &str) -> Place {
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() as u64 + 1;
    let line = before.matches('\n').count() as u64 + 1;
    Place { line, column, start: before.len(), end: before.len() }
}

fn place_of(location: serde_saphyr::Location, source: &str) -> Place {
    let (line, column) = (location.line().max(1), location.column().max(1));
    let start = location.span().byte_offset().map_or_else(
        || {
            // Scanner errors carry no byte offset: count.
            let skip = usize::try_from(line - 1).unwrap_or(usize::MAX);
            let line_start: usize = source.split_inclusive('\n').take(skip).map(str::len).sum();
            let rest = source.get(line_start..).unwrap_or_default();
            let chars = usize::try_from(column - 1).unwrap_or(usize::MAX);
            line_start + rest.chars().take(chars).map(char::len_utf8).sum::<usize>()
        },
        |offset| usize::try_from(offset).unwrap_or(usize::MAX),
    );
    let start = start.min(source.len());
    let bytes = location.span().byte_len().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let end = start.saturating_add(bytes).min(source.len());
    // A block scalar's span runs on to the next key.
    let end = source.get(start..end).map_or(start, |text| start + text.trim_end().len());
    Place { line, column, start, end }
}

/// A value as the parser sees it. Numbers keep only that they are numbers; their spelling is judged from the source.
enum Raw {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl Raw {
    fn located(self, location: serde_saphyr::Location, source: &str) -> Node {
        let place = place_of(location, source);
        let data = match self {
            Self::Null => Data::Null,
            Self::Bool(value) => Data::Bool(value),
            Self::Number => {
                let spelling = source.get(place.span()).unwrap_or_default();
                let plain = !spelling.is_empty()
                    && spelling.bytes().all(|byte| byte.is_ascii_digit())
                    && (spelling == "0" || !spelling.starts_with('0'));
                match spelling.parse() {
                    Ok(count) if plain => Data::Count(count),
                    _ => Data::OtherNumber(spelling.to_owned()),
                }
            }
            Self::Text(text) => Data::Text(text),
            Self::List(items) => {
                Data::List(items.into_iter().map(|item| item.value.located(item.referenced, source)).collect())
            }
            Self::Map(entries) => Data::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key: key.value,
                        key_place: place_of(key.referenced, source),
                        value: value.value.located(value.referenced, source),
                    })
                    .collect(),
            ),
        };
        Node { place, data }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key()? {
            map.push((key, entries.next_value()?));
        }
        Ok(Raw::Map(map))
    }
}
