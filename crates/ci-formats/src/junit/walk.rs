//! The walk over the XML events: one stack of open elements, no recursion.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::counts::{CaseSigns, Counted, Declared};
use super::{
    JunitError, JunitReason, MAX_ATTRIBUTES, MAX_BYTES, MAX_CASES, MAX_DEPTH, MAX_MESSAGE_BYTES, Outcome, Place,
    TestCase, TestReport, TestSuite,
};

pub(super) fn read(bytes: &[u8]) -> Result<TestReport, JunitError> {
    let fail = |offset: usize, reason| JunitError { place: Place::of(bytes, offset), reason };
    if bytes.len() > MAX_BYTES {
        return Err(fail(0, JunitReason::TooLarge { bytes: bytes.len() }));
    }
    let bom = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let text =
        std::str::from_utf8(&bytes[bom..]).map_err(|error| fail(bom + error.valid_up_to(), JunitReason::NotUtf8))?;

    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = false;
    let mut walk = Walk::default();
    loop {
        let start = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).saturating_add(bom);
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX).saturating_add(bom);
            let reason = match (&error, walk.stack.last()) {
                (quick_xml::Error::Syntax(_), Some(open)) => JunitReason::Truncated(open.name().to_owned()),
                _ => JunitReason::Malformed(cut(&error.to_string(), 200)),
            };
            fail(at, reason)
        })?;
        let end = matches!(event, Event::Eof);
        walk.event(event).map_err(|reason| fail(start, reason))?;
        if end {
            return walk.finish().map_err(|reason| fail(start, reason));
        }
    }
}

/// An open element.
enum Node {
    /// `testsuites` or `testsuite`.
    Group(Box<Group>),
    /// `testcase`.
    Case(Box<Case>),
    /// `failure`, `error`, `skipped` of a case or suite: its text is a message.
    Result { name: String },
    /// Anything else.
    Other { name: String },
}

impl Node {
    fn name(&self) -> &str {
        match self {
            Self::Group(group) => group.element,
            Self::Case(_) => "testcase",
            Self::Result { name } | Self::Other { name } => name,
        }
    }
}

struct Group {
    element: &'static str,
    name: String,
    declared: Declared,
    counted: Counted,
    duration_ms: Option<u64>,
    timestamp: Option<String>,
    hostname: Option<String>,
}

struct Case {
    case: TestCase,
    signs: CaseSigns,
    /// `rerunFailure` or a failing `status`: a failure even without a `failure` element.
    failing: bool,
    flaky: bool,
}

#[derive(Default)]
struct Walk {
    stack: Vec<Node>,
    suites: Vec<TestSuite>,
    cases: Vec<TestCase>,
    root_duration_ms: Option<u64>,
    rooted: bool,
}

impl Walk {
    fn event(&mut self, event: Event<'_>) -> Result<(), JunitReason> {
        match event {
            Event::Start(start) => self.open(&start),
            Event::Empty(start) => {
                self.open(&start)?;
                self.close()
            }
            Event::End(_) => self.close(),
            Event::Text(text) => {
                if self.stack.is_empty() && !text.trim().is_empty() {
                    return Err(JunitReason::OutsideRoot);
                }
                self.text(&text);
                Ok(())
            }
            Event::CData(text) => {
                if self.stack.is_empty() {
                    return Err(JunitReason::OutsideRoot);
                }
                self.text(&text);
                Ok(())
            }
            Event::GeneralRef(reference) => self.reference(&reference),
            Event::DocType(_) => Err(JunitReason::Doctype),
            Event::Decl(declaration) => match declaration.encoding() {
                None => Ok(()),
                Some(Ok(name)) if ["utf-8", "utf8", "us-ascii"].contains(&name.to_ascii_lowercase().as_str()) => Ok(()),
                Some(Ok(name)) => Err(JunitReason::Encoding(cut(&name, 40))),
                Some(Err(error)) => Err(JunitReason::Malformed(cut(&error.to_string(), 200))),
            },
            Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), JunitReason> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(JunitReason::TooDeep);
        }
        let attributes = Attributes::read(start)?;
        let name = start.local_name().into_inner();
        let result_like = ["failure", "error", "skipped"].into_iter().find(|known| name.eq_ignore_ascii_case(known));
        let misplaced = |parent: &str| Err(JunitReason::Misplaced { child: cut(name, 40), parent: cut(parent, 40) });
        let node = match (self.stack.last_mut(), name) {
            (None, _) if self.rooted => return Err(JunitReason::OutsideRoot),
            (None | Some(Node::Group(_)), "testsuites" | "testsuite") => {
                self.rooted = true;
                Node::Group(Box::new(Group::read(name, &attributes)?))
            }
            (None, _) => return Err(JunitReason::WrongRoot(cut(name, 40))),
            (Some(Node::Group(_)), "testcase") => Node::Case(Box::new(Case::read(&attributes)?)),
            (Some(parent), "testsuites" | "testsuite" | "testcase") => return misplaced(parent.name()),
            (Some(Node::Group(group)), _) if matches!(result_like, Some("failure" | "error")) => {
                // A suite that broke outside its cases counts as one errored case.
                let case = Case::suite_level(&group.name, &attributes);
                self.stack.push(Node::Case(Box::new(case)));
                Node::Result { name: name.to_owned() }
            }
            (Some(Node::Case(case)), _) => match (result_like, name) {
                (Some(kind), _) => {
                    case.result(kind, &attributes);
                    Node::Result { name: name.to_owned() }
                }
                (None, "rerunFailure" | "rerunError") => {
                    case.failing = true;
                    case.case.retries = case.case.retries.saturating_add(1);
                    Node::Other { name: name.to_owned() }
                }
                (None, "flakyFailure" | "flakyError") => {
                    case.flaky = true;
                    case.case.retries = case.case.retries.saturating_add(1);
                    Node::Other { name: name.to_owned() }
                }
                _ => Node::Other { name: cut(name, 40) },
            },
            _ => Node::Other { name: cut(name, 40) },
        };
        self.stack.push(node);
        Ok(())
    }

    fn close(&mut self) -> Result<(), JunitReason> {
        match self.stack.pop() {
            Some(Node::Group(group)) => self.close_group(*group),
            Some(Node::Case(case)) => self.close_case(*case),
            Some(Node::Result { .. }) => {
                // The case that stands for a broken suite has no element of its own.
                if matches!(self.stack.last(), Some(Node::Case(case)) if case.signs.suite_level) {
                    return self.close();
                }
                Ok(())
            }
            Some(Node::Other { .. }) | None => Ok(()),
        }
    }

    fn close_case(&mut self, mut case: Case) -> Result<(), JunitReason> {
        if self.cases.len() >= MAX_CASES {
            return Err(JunitReason::TooManyCases);
        }
        let outcome = case.outcome();
        case.case.outcome = outcome;
        case.case.flaky = case.flaky && outcome == Outcome::Passed;
        case.case.suite = self.suite_name();
        if let Some(message) = &mut case.case.message {
            message.truncate(message.trim_end().len());
        }
        let tally = case.signs.tally(outcome);
        if let Some(Node::Group(group)) = self.stack.last_mut() {
            group.counted.own.add(tally);
            group.counted.all.add(tally);
        }
        self.cases.push(case.case);
        Ok(())
    }

    fn close_group(&mut self, group: Group) -> Result<(), JunitReason> {
        group.declared.check(&group.counted, group.element, &group.name)?;
        if group.counted.own.cases > 0 {
            let parent = self.suite_name();
            let name = [parent.as_str(), &group.name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
            self.suites.push(TestSuite {
                name: if group.element == "testsuite" { name.join(SEPARATOR) } else { parent },
                total: group.counted.own.cases,
                timestamp: group.timestamp,
                hostname: group.hostname,
            });
        }
        match self.stack.last_mut() {
            Some(Node::Group(parent)) => {
                parent.counted.all.add(group.counted.all);
                parent.counted.children += 1;
                parent.counted.failing_children += u64::from(group.counted.all.bad() > 0);
            }
            _ => self.root_duration_ms = group.duration_ms,
        }
        Ok(())
    }

    fn suite_name(&self) -> String {
        let names = self.stack.iter().filter_map(|node| match node {
            Node::Group(group) if group.element == "testsuite" && !group.name.is_empty() => Some(group.name.as_str()),
            _ => None,
        });
        names.collect::<Vec<_>>().join(SEPARATOR)
    }

    fn text(&mut self, text: &str) {
        let [.., Node::Case(case), Node::Result { .. }] = self.stack.as_mut_slice() else { return };
        case.append(text);
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), JunitReason> {
        if self.stack.is_empty() {
            return Err(JunitReason::OutsideRoot);
        }
        let character =
            reference.resolve_char_ref().map_err(|error| JunitReason::Malformed(cut(&error.to_string(), 200)))?;
        match (character, resolve_predefined_entity(reference)) {
            (Some(character), _) => self.text(character.encode_utf8(&mut [0; 4])),
            (None, Some(text)) => self.text(text),
            (None, None) => return Err(JunitReason::Entity(cut(reference, 40))),
        }
        Ok(())
    }

    fn finish(self) -> Result<TestReport, JunitReason> {
        if let Some(open) = self.stack.last() {
            return Err(JunitReason::Truncated(open.name().to_owned()));
        }
        if !self.rooted {
            return Err(JunitReason::Empty);
        }
        if self.cases.is_empty() {
            return Err(JunitReason::NoCases);
        }
        let count = |outcome| self.cases.iter().filter(|case| case.outcome == outcome).count() as u64;
        let timed = self.cases.iter().filter_map(|case| case.duration_ms).reduce(u64::saturating_add);
        Ok(TestReport {
            total: self.cases.len() as u64,
            failed: count(Outcome::Failed),
            errored: count(Outcome::Errored),
            skipped: count(Outcome::Skipped),
            flaky: self.cases.iter().filter(|case| case.flaky).count() as u64,
            duration_ms: timed.or(self.root_duration_ms).unwrap_or(0),
            suites: self.suites,
            cases: self.cases,
        })
    }
}

const SEPARATOR: &str = " › ";

impl Group {
    fn read(element: &str, attributes: &Attributes) -> Result<Self, JunitReason> {
        Ok(Self {
            element: if element == "testsuites" { "testsuites" } else { "testsuite" },
            name: attributes.text("name").map(|name| cut(name, 1024)).unwrap_or_default(),
            declared: Declared {
                tests: attributes.count("tests")?,
                failures: attributes.count("failures")?,
                errors: attributes.count("errors")?,
                skipped: attributes.count("skipped")?,
                disabled: attributes.count("disabled")?,
            },
            counted: Counted::default(),
            duration_ms: attributes.duration_ms()?,
            timestamp: attributes.text("timestamp").map(|text| cut(text, 64)),
            hostname: attributes.text("hostname").filter(|host| !host.is_empty()).map(|text| cut(text, 256)),
        })
    }
}

impl Case {
    fn read(attributes: &Attributes) -> Result<Self, JunitReason> {
        let name = attributes.text("name").filter(|name| !name.is_empty()).ok_or(JunitReason::Unnamed)?;
        let failing = ["status", "result"].into_iter().filter_map(|key| attributes.text(key)).any(|status| {
            ["failed", "failure", "fail", "error", "errored"].iter().any(|bad| status.eq_ignore_ascii_case(bad))
        });
        let signs = CaseSigns {
            not_run: attributes.text("status").is_some_and(|status| status.eq_ignore_ascii_case("notrun")),
            zero_time: attributes.text("time") == Some("0"),
            ..CaseSigns::default()
        };
        let line = attributes.number("line", "a line number")?;
        let case = TestCase {
            suite: String::new(),
            classname: attributes.text("classname").filter(|class| !class.is_empty()).map(str::to_owned),
            name: name.to_owned(),
            file: attributes.text("file").filter(|file| !file.is_empty()).map(str::to_owned),
            line: line.and_then(|line| u32::try_from(line).ok()),
            timestamp: attributes.text("timestamp").map(|text| cut(text, 64)),
            outcome: Outcome::Passed,
            flaky: false,
            retries: 0,
            duration_ms: attributes.duration_ms()?,
            message: None,
        };
        Ok(Self { case, signs, failing, flaky: false })
    }

    fn suite_level(suite: &str, attributes: &Attributes) -> Self {
        let case = TestCase {
            suite: String::new(),
            classname: None,
            name: format!("{suite} (outside its test cases)"),
            file: None,
            line: None,
            timestamp: None,
            outcome: Outcome::Errored,
            flaky: false,
            retries: 0,
            duration_ms: None,
            message: attributes.message().map(|text| text + "\n"),
        };
        let signs = CaseSigns { error: true, suite_level: true, ..CaseSigns::default() };
        Self { case, signs, failing: false, flaky: false }
    }

    fn result(&mut self, kind: &str, attributes: &Attributes) {
        let message = attributes.message();
        match kind {
            "failure" => self.signs.failure = true,
            "error" => self.signs.error = true,
            _ => self.signs.skipped = true,
        }
        if self.case.message.is_none() {
            // The element's text follows on a line of its own.
            self.case.message = message.map(|text| text + "\n");
        }
    }

    fn append(&mut self, text: &str) {
        let message = self.case.message.get_or_insert_default();
        let text = if message.is_empty() { text.trim_start() } else { text };
        let room = MAX_MESSAGE_BYTES.saturating_sub(message.len());
        message.push_str(&cut(text, room));
    }

    const fn outcome(&self) -> Outcome {
        if self.signs.error {
            Outcome::Errored
        } else if self.signs.failure || self.failing {
            Outcome::Failed
        } else if self.signs.skipped || self.signs.not_run {
            Outcome::Skipped
        } else {
            Outcome::Passed
        }
    }
}

/// The attributes of one element, entities resolved.
struct Attributes {
    element: String,
    values: Vec<(String, String)>,
}

impl Attributes {
    fn read(start: &BytesStart<'_>) -> Result<Self, JunitReason> {
        let element = cut(start.local_name().into_inner(), 40);
        let mut values = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| JunitReason::Malformed(cut(&error.to_string(), 200)))?;
            if values.len() == MAX_ATTRIBUTES {
                return Err(JunitReason::TooManyAttributes(element));
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| match error {
                quick_xml::Error::Escape(quick_xml::escape::EscapeError::UnrecognizedEntity(_, name)) => {
                    JunitReason::Entity(cut(&name, 40))
                }
                other => JunitReason::Malformed(cut(&other.to_string(), 200)),
            })?;
            values.push((attribute.key.local_name().into_inner().to_owned(), value.into_owned()));
        }
        Ok(Self { element, values })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn message(&self) -> Option<String> {
        self.text("message").filter(|text| !text.is_empty()).map(|text| cut(text, MAX_MESSAGE_BYTES - 1))
    }

    fn bad_number(&self, attribute: &'static str, value: &str, expected: &'static str) -> JunitReason {
        JunitReason::BadNumber { element: self.element.clone(), attribute, value: cut(value, 40), expected }
    }

    fn count(&self, name: &'static str) -> Result<Option<u64>, JunitReason> {
        self.number(name, "a count")
    }

    /// An absent or empty attribute is no number; anything else must be one.
    fn number(&self, name: &'static str, expected: &'static str) -> Result<Option<u64>, JunitReason> {
        let Some(text) = self.text(name).map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let value = digits.then(|| text.parse().ok()).flatten();
        value.map(Some).ok_or_else(|| self.bad_number(name, text, expected))
    }

    fn duration_ms(&self) -> Result<Option<u64>, JunitReason> {
        let Some(text) = self.text("time").map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
        let invalid = || self.bad_number("time", text, "seconds, not negative, like 1.234 or 1,234.5");
        let seconds: f64 = ungroup(text).ok_or_else(invalid)?.parse().map_err(|_| invalid())?;
        if !(0.0..1e9).contains(&seconds) {
            return Err(invalid());
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Bounded above.
        let duration_ms = (seconds * 1000.0).round() as u64;
        Ok(Some(duration_ms))
    }
}

/// Removes English thousands separators, which surefire before 3.0 writes. A decimal comma is refused.
fn ungroup(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    if !whole.contains(',') {
        return Some(text.to_owned());
    }
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let sound = (1..=3).contains(&first.len()) && !first.starts_with('0') && groups.all(|group| group.len() == 3);
    sound.then(|| {
        let joined = whole.replace(',', "");
        fraction.map_or_else(|| joined.clone(), |fraction| format!("{joined}.{fraction}"))
    })
}

/// At most `limit` bytes of `text`, cut at a character.
fn cut(text: &str, limit: usize) -> String {
    text[..text.floor_char_boundary(limit)].to_owned()
}
