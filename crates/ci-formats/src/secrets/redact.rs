//! Taking secrets out: from a whole document, or line by line as a log comes in.

use super::Scanner;

/// Lines after a key header that are withheld at most where no END line comes.
const KEY_LINES: u32 = 1000;

impl Scanner {
    /// `bytes` with every secret replaced by `[redacted:<rule-id>]`; a scan of the result finds nothing.
    #[must_use]
    pub fn redact(&self, bytes: &[u8]) -> Vec<u8> {
        let mut text = bytes.to_vec();
        // One replacement can lay a second secret bare (its window no longer cut by the first), so repeat; three rounds
        // were never needed.
        for _ in 0..4 {
            let hits = self.scan(&text);
            if hits.is_empty() {
                break;
            }
            let mut out = Vec::with_capacity(text.len());
            let mut copied = 0;
            for hit in hits {
                out.extend_from_slice(&text[copied..hit.start]);
                out.extend_from_slice(format!("[redacted:{}]", hit.rule_id).as_bytes());
                copied = hit.end;
            }
            out.extend_from_slice(&text[copied..]);
            text = out;
        }
        text
    }

    /// A redactor for one stream of lines.
    #[must_use]
    pub fn redactor(&self) -> Redactor<'_> {
        Redactor { scanner: self, key: Key::None }
    }
}

/// Redacts a log as it comes in. One per stream: it remembers that a private key has begun.
#[derive(Debug)]
pub struct Redactor<'s> {
    scanner: &'s Scanner,
    key: Key,
}

#[derive(Debug, Clone, Copy)]
enum Key {
    None,
    /// A header stood at the end of the last line; the next line tells whether a key follows.
    Begun,
    /// Inside a key, so many lines after its header.
    Inside(u32),
}

impl Redactor<'_> {
    /// The line with its secrets replaced. From a private key header to its END line nothing is let through.
    #[must_use]
    pub fn line(&mut self, line: &str) -> String {
        const GONE: &str = "[redacted:private-key]";
        let lines = match self.key {
            Key::None => return self.outside(line),
            Key::Begun if !looks_like_key_body(line) => return self.outside(line),
            Key::Begun => 0,
            Key::Inside(lines) => lines,
        };
        if let Some(end) = line.find("-----END") {
            self.key = Key::None;
            let rest = &line[end + 8..];
            let after = rest.find("-----").map_or("", |dashes| &rest[dashes + 5..]);
            return format!("{GONE}{}", self.outside(after));
        }
        self.key = if lines >= KEY_LINES { Key::None } else { Key::Inside(lines + 1) };
        GONE.to_owned()
    }

    fn outside(&mut self, line: &str) -> String {
        let text = String::from_utf8_lossy(&self.scanner.redact(line.as_bytes())).into_owned();
        let begins = text.rfind("-----BEGIN").is_some_and(|at| text[at..].contains("PRIVATE KEY"));
        self.key = if begins { Key::Begun } else { Key::None };
        text
    }
}

fn looks_like_key_body(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line.contains("-----END")
        || ["Proc-Type:", "DEK-Info:", "Version:", "Comment:", "Hash:"].iter().any(|header| line.contains(header))
        || line
            .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')))
            .any(|word| word.len() >= 16)
}
