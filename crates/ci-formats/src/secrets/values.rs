//! Literal values that must not appear anywhere, in the spellings that logs and documents give them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values would match by chance; they cannot be searched for.
pub(super) const SHORTEST: usize = 6;
/// Lines of a value of several lines that are searched for on their own.
const SHORTEST_LINE: usize = 16;

/// Every spelling of `value`, longest first, without repeats: as it is, each long line of it, escaped for JSON, for URLs (both
/// hex cases), and in Base64 (both alphabets) at each of the three alignments inside a longer encoded text.
pub(super) fn spellings(value: &str) -> Vec<Vec<u8>> {
    let value = value.trim_matches(['\r', '\n']);
    let mut parts = vec![value];
    if value.contains('\n') {
        parts.extend(
            value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && !line.starts_with("-----")),
        );
    }
    let mut all = Vec::new();
    for part in parts {
        all.push(part.as_bytes().to_vec());
        all.push(json_escaped(part));
        all.push(url_encoded(part, b"0123456789ABCDEF"));
        all.push(url_encoded(part, b"0123456789abcdef"));
        for skip in 0..3 {
            all.extend(encoded_at(part.as_bytes(), skip));
        }
    }
    all.retain(|spelling| spelling.len() >= SHORTEST);
    all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    all.dedup();
    all
}

fn json_escaped(text: &str) -> Vec<u8> {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.trim_start_matches('"').trim_end_matches('"').as_bytes().to_vec()
}

fn url_encoded(text: &str, digits: &[u8; 16]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend([b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
    }
    out
}

/// The characters that depend on `bytes` alone where `skip` other bytes come before it in the same encoding.
fn encoded_at(bytes: &[u8], skip: usize) -> Vec<Vec<u8>> {
    let mut padded = vec![0; skip];
    padded.extend_from_slice(bytes);
    let first = [0, 2, 3][skip];
    let whole_groups = padded.len() / 3 * 4;
    [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD]
        .into_iter()
        .filter_map(|engine| engine.encode(&padded).get(first..whole_groups).map(|text| text.as_bytes().to_vec()))
        .filter(|text| text.len() >= 10)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_a_value_inside_a_longer_text_holds_a_spelling() {
        for before in ["", "u", "us", "use", "user:"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}correct horse battery!?{before}"));
            let found = spellings("correct horse battery!?")
                .iter()
                .any(|spelling| text.as_bytes().windows(spelling.len()).any(|part| part == spelling));
            assert!(found, "{before}");
        }
    }

    #[test]
    fn lines_of_a_long_value_are_spellings_of_their_own() {
        let value = "-----BEGIN X-----\nMIIEpAIBAAKCAQEAsecond\nMIIEpAIBAAKCAQEAthird\n-----END X-----\n";
        assert!(spellings(value).contains(&b"MIIEpAIBAAKCAQEAthird".to_vec()));
        assert!(!spellings(value).contains(&b"-----BEGIN X-----".to_vec()));
    }
}
