//! Bytes of a child's output to clean, whole lines in bounded memory.

/// Longest line that is kept. A longer one is left out as a whole: a cut could go through a secret and hide it from the redactor.
pub(super) const MAX_LINE_BYTES: usize = 256 << 10;

/// Splits at `\n` and `\r` (progress bars), drops terminal control sequences and empty lines.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    left_out: usize,
}

impl Lines {
    pub(super) fn feed(&mut self, bytes: &[u8], emit: &mut dyn FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, ended) = match part {
                [text @ .., b'\n' | b'\r'] => (text, true),
                text => (text, false),
            };
            if self.left_out > 0 || self.line.len() + text.len() > MAX_LINE_BYTES {
                self.left_out += self.line.len() + text.len();
                self.line.clear();
            } else {
                self.line.extend_from_slice(text);
            }
            if ended {
                self.finish(emit);
            }
        }
    }

    /// Emits what stands in the buffer.
    pub(super) fn finish(&mut self, emit: &mut dyn FnMut(&str)) {
        if self.left_out > 0 {
            emit(&format!("[line of {} bytes left out: longer than {MAX_LINE_BYTES}]", self.left_out));
            self.left_out = 0;
        } else if !self.line.is_empty() {
            let line = plain(&String::from_utf8_lossy(&self.line));
            if !line.is_empty() {
                emit(&line);
            }
            self.line.clear();
        }
    }
}

/// Without ANSI escape sequences (ECMA-48) and control characters: they could hide a secret from the redactor, or forge what a
/// reader of the log sees.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // CSI: parameters, then one final byte.
                Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                // OSC: up to BEL or ESC \.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn lines(parts: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for part in parts {
            lines.feed(part, &mut |line| out.push(line.to_owned()));
        }
        lines.finish(&mut |line| out.push(line.to_owned()));
        out
    }

    #[test]
    fn lines_are_whole_however_the_bytes_arrive() {
        assert_eq!(
            lines(&[b"to", b"ken=abc\nnext\r", b"50%\r100%\n\nend"]),
            ["token=abc", "next", "50%", "100%", "end"]
        );
    }

    #[test]
    fn an_endless_line_is_left_out_and_memory_stays_bounded() {
        let mut splitter = Lines::default();
        let mut out = Vec::new();
        for _ in 0..64 {
            splitter.feed(&[b'x'; 64 << 10], &mut |line| out.push(line.to_owned()));
            assert!(splitter.line.capacity() <= 2 * MAX_LINE_BYTES);
        }
        splitter.feed(b"secret\nok\n", &mut |line| out.push(line.to_owned()));
        assert_eq!(out, ["[line of 4194310 bytes left out: longer than 262144]", "ok"]);
    }

    #[test]
    fn control_sequences_do_not_split_a_word() {
        assert_eq!(lines(&[b"gh\x1b[31mp_\x1b]0;title\x07ab\x00c\x1b[0m\n"]), ["ghp_abc"]);
        assert_eq!(lines(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }
}
