//! Made-up examples of every rule, for tests and demonstrations. Rule templates are no secrets, so none is ever committed.

use std::ops::Range;

use super::check::github_checksum;
use super::rule::Rule;

/// A made-up secret in the context its rule needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The text around and with the secret.
    pub text: String,
    /// The secret's bytes in `text`.
    pub secret: Range<usize>,
}

const WORD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Rule {
    /// An example made from `seed`: the same seed gives the same text. No issuer ever issued it.
    #[must_use]
    pub fn example(&self, seed: u64) -> Example {
        let mut source = Source(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut text = String::new();
        let mut secret = 0..0;
        let mut rest = self.example;
        while let Some(next) = rest.chars().next() {
            rest = &rest[next.len_utf8()..];
            match next {
                '<' => secret.start = text.len(),
                '>' => secret.end = text.len(),
                '{' => {
                    let (field, tail) = rest.split_once('}').unwrap_or((rest, ""));
                    text.push_str(&source.field(field));
                    rest = tail;
                }
                other => text.push(other),
            }
        }
        Example { text, secret }
    }
}

/// SplitMix64: small, seeded, good enough for examples.
struct Source(u64);

impl Source {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) % limit as u64) as usize
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }

    fn field(&mut self, field: &str) -> String {
        let (kind, count) = field.split_at(field.find(|c: char| c.is_ascii_digit()).unwrap_or(field.len()));
        let count = count.parse().unwrap_or(0);
        match kind {
            "w" => self.text(WORD, count),
            "h" => self.text(b"0123456789abcdef", count),
            "H" => self.text(b"0123456789ABCDEF", count),
            "d" => self.text(b"123456789", count),
            "l" => self.text(b"abcdefghijklmnopqrstuvwxyz0123456789", count),
            "U" => self.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", count),
            "A" => self.text(&WORD[..52], count),
            "a" => self.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", count),
            "b" => self.text(WORD, count.saturating_sub(1)) + "9",
            "B" => self.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", count),
            "bech" => self.text(b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", count),
            "AAAA" => "A".repeat(count),
            "PRIVATE" => "PRIVATE".to_owned(),
            "RSA" => "RSA PRIVATE".to_owned(),
            "pypi" => ["AgEIc", "HlwaS5", "vcmc"].concat(),
            "github" => {
                let body = self.text(WORD, 30);
                let sum = github_checksum(body.as_bytes());
                body + &String::from_utf8_lossy(&sum)
            }
            "jwt" => {
                // {"alg":"HS256"} . {"sub":"1234567890"} . signature
                format!(
                    "{}.{}.{}",
                    ["eyJhbGciOiJ", "IUzI1NiJ9"].concat(),
                    "eyJzdWIiOiIxMjM0NTY3ODkwIn0",
                    self.text(WORD, 43)
                )
            }
            other => other.to_owned(),
        }
    }
}
