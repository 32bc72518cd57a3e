//! Every leaf of a JSON document, changed, removed or doubled. Documents are written in canonical form, so that what a reader
//! objects to is the meaning, not the spelling.

use ci_types::{Digest, Timestamp, canonical};
use serde_json::{Map, Value};

/// What is done to a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Another value of the same shape: another digest, a second later, one more.
    Change,
    /// Gone.
    Remove,
    /// Its key, or the element, twice.
    Double,
}

pub(crate) const EDITS: [Edit; 3] = [Edit::Change, Edit::Remove, Edit::Double];

/// Steps from the root to a leaf.
pub(crate) type Path = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// As text.
pub(crate) fn shown(path: &Path) -> String {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => format!(".{key}"),
            Step::Index(index) => format!("[{index}]"),
        })
        .collect()
}

/// Paths of all leaves; an empty object or array is one too.
pub(crate) fn leaves(value: &Value) -> Vec<Path> {
    let mut out = Vec::new();
    walk(value, &mut Vec::new(), &mut out);
    out
}

fn walk(value: &Value, path: &mut Path, out: &mut Vec<Path>) {
    let mut down = |step: Step, value: &Value| {
        path.push(step);
        walk(value, path, out);
        path.pop();
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| down(Step::Key(key.clone()), value));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(index, value)| down(Step::Index(index), value));
        }
        _ => out.push(path.clone()),
    }
}

/// The document with that leaf edited. `None` where the root is the leaf.
pub(crate) fn edited(document: &Value, path: &Path, edit: Edit) -> Option<Vec<u8>> {
    let (last, parents) = path.split_last()?;
    let mut document = document.clone();
    let parent = parents.iter().fold(&mut document, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(index) => &mut value[*index],
    });
    match (edit, last) {
        (Edit::Change, Step::Key(key)) => parent[key.as_str()] = changed(&parent[key.as_str()]),
        (Edit::Change, Step::Index(index)) => parent[*index] = changed(&parent[*index]),
        (Edit::Remove, Step::Key(key)) => drop(parent.as_object_mut()?.remove(key)),
        (Edit::Remove, Step::Index(index)) => drop(parent.as_array_mut()?.remove(*index)),
        (Edit::Double, Step::Index(index)) => {
            let again = parent[*index].clone();
            parent.as_array_mut()?.insert(*index, again);
        }
        (Edit::Double, Step::Key(key)) => return doubled(&mut document, path, key),
    }
    canonical::to_vec(&document).ok()
}

/// No `Value` has a key twice: the parent is marked, written, and the mark replaced by the key's second coming.
fn doubled(document: &mut Value, path: &Path, key: &str) -> Option<Vec<u8>> {
    const MARK: &str = "\u{1}again";
    let (_, parents) = path.split_last()?;
    let parent = parents.iter().fold(&mut *document, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(index) => &mut value[*index],
    });
    let fields: &mut Map<String, Value> = parent.as_object_mut()?;
    fields.insert(MARK.to_owned(), fields[key].clone());
    let text = String::from_utf8(canonical::to_vec(document).ok()?).ok()?;
    let mark = String::from_utf8(canonical::to_vec(&MARK).ok()?).ok()?;
    let key = String::from_utf8(canonical::to_vec(&key).ok()?).ok()?;
    Some(text.replacen(&mark, &key, 1).into_bytes())
}

/// Another value of the same shape, so that types do not do the verifier's work.
fn changed(value: &Value) -> Value {
    match value {
        Value::Null => Value::String("x".to_owned()),
        Value::Bool(flag) => Value::Bool(!flag),
        Value::Number(number) => number.as_i64().map_or(Value::from(1), |number| Value::from(number + 1)),
        Value::String(text) => Value::String(changed_text(text)),
        Value::Array(_) => Value::Array(vec![Value::String("x".to_owned())]),
        Value::Object(_) => Value::Object(Map::from_iter([("x".to_owned(), Value::from(1))])),
    }
}

fn changed_text(text: &str) -> String {
    if text.parse::<Digest>().is_ok() {
        return Digest::of(text.as_bytes()).to_string();
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Timestamp::from_unix_s(time.unix_s() + 1).unwrap().to_string();
    }
    let hex = text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text {
        "accepted" => "rejected".to_owned(),
        "pass" => "deny".to_owned(),
        "local" => "dev".to_owned(),
        "dev" => "prod".to_owned(),
        "dual" => "single".to_owned(),
        _ if hex => Digest::of(text.as_bytes()).hex()[..text.len().min(64)].to_owned(),
        _ => format!("{text}x"),
    }
}
