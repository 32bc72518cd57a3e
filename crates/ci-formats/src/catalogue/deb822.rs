//! `Field: value` paragraphs (Debian policy, 5.1): dpkg's database, copyright files, and Python's core metadata.

use super::error::{Malformed, Place};

/// One field. The value of a folded field keeps its line breaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    /// 1-based line of the field's name.
    pub(super) line: usize,
}

/// A paragraph: its fields in order.
#[derive(Debug, Default)]
pub(super) struct Paragraph<'a> {
    pub(super) fields: Vec<Field<'a>>,
}

impl<'a> Paragraph<'a> {
    /// First line of the paragraph.
    pub(super) fn line(&self) -> usize {
        self.fields.first().map_or(1, |field| field.line)
    }

    /// The value of a field, trimmed; field names match without regard to case.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The values of a field that may repeat.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.trim())
    }

    /// The value of a field that must be there once and not empty.
    pub(super) fn required(&self, name: &'static str) -> Result<&'a str, Place> {
        let mut values = self.all(name);
        let value = values.next().filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| Malformed::Missing(name).at(self.line()))?;
        if values.next().is_some() {
            return Err(Malformed::Repeated(name.to_owned()).at(self.line()));
        }
        Ok(value)
    }
}

/// Splits a text into paragraphs; every line must be a field, a continuation or blank.
pub(super) fn paragraphs(text: &str) -> Result<Vec<Paragraph<'_>>, Place> {
    let mut reader = Reader { rest: text, line: 0 };
    let mut out = Vec::new();
    while !reader.rest.is_empty() {
        let (paragraph, stray) = reader.paragraph();
        if let Some(line) = stray {
            return Err(Malformed::Line(line.chars().take(80).collect()).at(reader.line));
        }
        if !paragraph.fields.is_empty() {
            out.push(paragraph);
        }
    }
    Ok(out)
}

/// The fields before the first line that is no field: the header of core metadata, whose body is free text.
pub(super) fn header(text: &str) -> Paragraph<'_> {
    Reader { rest: text, line: 0 }.paragraph().0
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Reads up to and including a blank line; also returns a line that does not belong, where it stopped at one.
    fn paragraph(&mut self) -> (Paragraph<'a>, Option<&'a str>) {
        let mut paragraph = Paragraph::default();
        // Where the current field's value starts, for continuations: they lie right behind it.
        let mut value_from = self.rest;
        let mut value_len = 0;
        while !self.rest.is_empty() {
            let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
            let (line, rest) = self.rest.split_at(end);
            self.line += 1;
            let folded = line.starts_with([' ', '\t']);
            if line.trim().is_empty() {
                self.rest = rest;
                break;
            }
            if folded {
                let Some(field) = paragraph.fields.last_mut() else { return (paragraph, Some(line.trim_end())) };
                value_len += line.len();
                field.value = &value_from[..value_len];
            } else {
                let name_end = line.find(':').filter(|at| *at > 0 && !line[..*at].contains([' ', '\t']));
                let Some(name_end) = name_end else { return (paragraph, Some(line.trim_end())) };
                value_from = &self.rest[name_end + 1..];
                value_len = line.len() - name_end - 1;
                let value = &value_from[..value_len];
                paragraph.fields.push(Field { name: &line[..name_end], value, line: self.line });
            }
            self.rest = rest;
        }
        (paragraph, None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn folded_fields_and_places() {
        let text = "A: 1\nB:\n two\n .\n three\n\n\nC: 4\r\nA: 5";
        let paragraphs = paragraphs(text).unwrap();
        assert_eq!(paragraphs.len(), 2);
        assert_eq!(paragraphs[0].get("b"), Some("two\n .\n three"));
        assert_eq!(paragraphs[1].line(), 8);
        assert_eq!(paragraphs[1].required("A"), Ok("5"));
        assert_eq!(paragraphs[1].required("B"), Err(Malformed::Missing("B").at(8)));
    }

    #[test]
    fn stray_lines_reject_with_their_place() {
        assert_eq!(paragraphs("A: 1\n\nstray\n").unwrap_err(), Malformed::Line("stray".to_owned()).at(3));
        assert_eq!(paragraphs(" folded\n").unwrap_err(), Malformed::Line(" folded".to_owned()).at(1));
        assert_eq!(paragraphs("A b: 1\n").unwrap_err(), Malformed::Line("A b: 1".to_owned()).at(1));
    }

    #[test]
    fn a_header_ends_at_its_body() {
        let header = header("Name: x\nVersion: 1\n\nName: y\n");
        assert_eq!(header.fields.len(), 2);
        assert_eq!(super::header("Name: x\nfree text\nVersion: 1\n").fields.len(), 1);
    }
}
