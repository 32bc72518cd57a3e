//! Shapes of values, and the check that a node has one.

use super::check::Sink;
use super::error::{Fault, Reason, clip};
use super::suggest::nearest;
use super::yaml::{Data, Node};

/// What a key's value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// `true` or `false`.
    Flag,
    /// A plain decimal number, bounds included.
    Count {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// Text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A list of these words.
    Choices(&'static [&'static str]),
    /// Program and arguments.
    Command,
    /// A list of commands.
    Commands,
    /// Names and texts.
    Table,
    /// A list of mappings with these fields.
    Records(&'static [Field]),
}

/// One field of a record.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub shape: Shape,
    /// Whether it must be given.
    pub required: bool,
    /// What it means.
    pub doc: &'static str,
}

impl Shape {
    /// The shape in words, as a type.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Count { .. } => "a number",
            Self::Text => "text",
            Self::Choice(_) => "a word",
            Self::Texts => "a list of texts",
            Self::Choices(_) => "a list of words",
            Self::Command => "a command: a list of program and arguments",
            Self::Commands => "a list of commands, each a list of program and arguments",
            Self::Table => "a mapping of names to texts",
            Self::Records(_) => "a list of mappings",
        }
    }

    /// Which values are allowed, beyond the type; empty where any are.
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Count { min, max } => format!("{min} to {max}"),
            Self::Choice(words) | Self::Choices(words) => words.join(", "),
            Self::Records(fields) => {
                let fields =
                    fields.iter().map(|field| format!("{}{}", field.name, if field.required { "" } else { "?" }));
                fields.collect::<Vec<_>>().join(", ")
            }
            _ => String::new(),
        }
    }

    /// Whether `node` has this shape; if not, reports every place where it has not.
    pub(super) fn check(self, node: &Node, suffix: &str, sink: &mut Sink<'_>) -> bool {
        if matches!(node.data, Data::Null) {
            sink.refuse(node.place, suffix, Reason::NoValue, "give it a value, or remove the key");
            return false;
        }
        let before = sink.errors.len();
        match (self, &node.data) {
            (Self::Flag, Data::Bool(_)) => {}
            (Self::Count { min, max }, Data::Count(count)) => {
                if !(min..=max).contains(count) {
                    let reason = Reason::OutOfRange { found: count.to_string(), min, max };
                    sink.refuse(node.place, suffix, reason, format!("write a number from {min} to {max}"));
                }
            }
            (Self::Count { min, max }, Data::OtherNumber(found)) if found.starts_with('-') => {
                let reason = Reason::OutOfRange { found: clip(found), min, max };
                sink.refuse(node.place, suffix, reason, format!("write a number from {min} to {max}"));
            }
            (Self::Text, Data::Text(text)) => {
                if text.contains('\0') {
                    sink.refuse(node.place, suffix, Fault::Text(clip(text)), "remove the NUL character");
                }
            }
            (Self::Choice(words), Data::Text(text)) => choice(words, text, node, suffix, sink),
            (Self::Texts | Self::Command, Data::List(items)) => each(Self::Text, items, suffix, sink),
            (Self::Choices(words), Data::List(items)) => each(Self::Choice(words), items, suffix, sink),
            (Self::Commands, Data::List(items)) => each(Self::Command, items, suffix, sink),
            (Self::Table, Data::Map(entries)) => {
                for (index, entry) in entries.iter().enumerate() {
                    repeated(entries[..index].iter().find(|earlier| earlier.key == entry.key), entry, suffix, sink);
                    Self::Text.check(&entry.value, &format!("{suffix}.{}", entry.key), sink);
                }
            }
            (Self::Records(fields), Data::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    record(fields, item, &format!("{suffix}[{index}]"), sink);
                }
            }
            _ => wrong_type(self, node, suffix, sink),
        }
        sink.errors.len() == before
    }
}

fn each(shape: Shape, items: &[Node], suffix: &str, sink: &mut Sink<'_>) {
    for (index, item) in items.iter().enumerate() {
        shape.check(item, &format!("{suffix}[{index}]"), sink);
    }
}

fn choice(words: &[&str], text: &str, node: &Node, suffix: &str, sink: &mut Sink<'_>) {
    if words.contains(&text) {
        return;
    }
    let found = clip(text);
    let fix = match nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("write one of {}", words.join(", ")),
    };
    sink.refuse(node.place, suffix, Reason::UnknownChoice { found, allowed: words.join(", ") }, fix);
}

fn record(fields: &'static [Field], item: &Node, suffix: &str, sink: &mut Sink<'_>) {
    let Data::Map(entries) = &item.data else {
        let fields = Shape::Records(fields).allowed();
        let reason = Reason::WrongType { expected: "a mapping".to_owned(), found: item.found() };
        sink.refuse(item.place, suffix, reason, format!("write a mapping with the keys {fields}"));
        return;
    };
    for (index, entry) in entries.iter().enumerate() {
        let suffix = format!("{suffix}.{}", entry.key);
        if let Some(earlier) = entries[..index].iter().find(|earlier| earlier.key == entry.key) {
            repeated(Some(earlier), entry, &suffix, sink);
        } else if let Some(field) = fields.iter().find(|field| field.name == entry.key) {
            field.shape.check(&entry.value, &suffix, sink);
        } else {
            let fix = match nearest(&entry.key, fields.iter().map(|field| field.name)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("remove it; known here: {}", Shape::Records(fields).allowed()),
            };
            sink.refuse(entry.key_place, &suffix, Reason::UnknownKey(clip(&entry.key)), fix);
        }
    }
    for field in fields.iter().filter(|field| field.required) {
        if item.field(field.name).is_none() {
            let fix = format!("add `{}:` here", field.name);
            sink.refuse(item.place, &format!("{suffix}.{}", field.name), Reason::Missing, fix);
        }
    }
}

/// Reports a key that stood earlier in the same mapping.
pub(super) fn repeated(
    earlier: Option<&super::yaml::Entry>,
    entry: &super::yaml::Entry,
    suffix: &str,
    sink: &mut Sink<'_>,
) {
    if let Some(earlier) = earlier {
        let reason = Reason::RepeatedKey { key: clip(&entry.key), first_line: earlier.key_place.line };
        sink.refuse(entry.key_place, suffix, reason, "keep one of them");
    }
}

fn wrong_type(shape: Shape, node: &Node, suffix: &str, sink: &mut Sink<'_>) {
    let reason = Reason::WrongType { expected: shape.words().to_owned(), found: node.found() };
    let fix = match (shape, &node.data) {
        (Shape::Text | Shape::Choice(_), Data::Count(count)) => format!("write it in quotes: \"{count}\""),
        (Shape::Text | Shape::Choice(_), Data::OtherNumber(text)) => format!("write it in quotes: \"{}\"", clip(text)),
        (Shape::Text | Shape::Choice(_), Data::Bool(value)) => format!("write it in quotes: \"{value}\""),
        (Shape::Count { .. }, Data::OtherNumber(_)) => "write a whole number in plain decimal, like 600".to_owned(),
        (Shape::Count { .. }, Data::Text(_)) => "write digits only, without quotes or unit, like 600".to_owned(),
        (Shape::Flag, _) => "write true or false, without quotes".to_owned(),
        (Shape::Command, Data::Text(_)) => "write a list like [make, test]: no shell splits the words".to_owned(),
        (Shape::Commands, Data::Text(_)) => "write a list of commands like [[make, all]]".to_owned(),
        (Shape::Texts | Shape::Choices(_), Data::Text(_)) => "write a list: put the text after `- `".to_owned(),
        _ => format!("write {}", shape.words()),
    };
    sink.refuse(node.place, suffix, reason, fix);
}
