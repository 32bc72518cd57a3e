//! Structure that patterns cannot express: entropy, checksums, PEM bodies, placeholders.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::rule::{Check, Rule};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// Most bytes that a private key block may have.
const PEM_LIMIT: usize = 64 << 10;

/// A candidate: where the pattern matched, where the secret is, and the name beside it.
pub(super) struct Candidate<'a> {
    pub(super) hay: &'a [u8],
    pub(super) secret: Range<usize>,
    pub(super) name: Option<Range<usize>>,
    pub(super) whole: Range<usize>,
}

/// The secret's final range, or `None` where it is none.
pub(super) fn accept(rule: &Rule, found: &Candidate<'_>) -> Option<Range<usize>> {
    let secret = &found.hay[found.secret.clone()];
    if secret.starts_with(b"[redacted:") {
        return None;
    }
    let random = entropy(secret) >= rule.entropy_min;
    let holds = match rule.check {
        Check::None => random,
        Check::NotExample => random && !secret.to_ascii_uppercase().windows(7).any(|part| part == b"EXAMPLE"),
        Check::GithubChecksum => random || github_checksum_holds(secret),
        Check::Jwt => random && is_credential_jwt(secret),
        Check::Chosen => random && !is_placeholder(secret),
        Check::Assignment => random && is_assigned_secret(found),
        Check::Pem => return private_key_end(found.hay, found.secret.end).map(|end| found.secret.start..end),
    };
    holds.then(|| found.secret.clone())
}

/// Shannon entropy in bits per byte.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

/// Decodes one run of Base64 in either alphabet, with or without padding.
pub(super) fn decode_base64(run: &[u8]) -> Option<Vec<u8>> {
    let url = run.iter().any(|byte| matches!(byte, b'-' | b'_'));
    if url { URL_SAFE.decode(run).ok() } else { STANDARD.decode(run).ok() }
}

/// The six Base62 digits of the CRC-32 (IEEE 802.3) of `body`, as GitHub appends them.
pub(super) fn github_checksum(body: &[u8]) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut crc = u32::MAX;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let mut rest = !crc;
    let mut out = [b'0'; 6];
    for digit in out.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    out
}

fn github_checksum_holds(token: &[u8]) -> bool {
    // Four bytes of prefix, thirty random ones, six of checksum.
    token.len() == 40 && github_checksum(&token[4..34]) == token[34..]
}

fn is_credential_jwt(token: &[u8]) -> bool {
    let mut parts = token.split(|byte| *byte == b'.');
    let json = |part: Option<&[u8]>| serde_json::from_slice::<serde_json::Value>(&decode_base64(part?)?).ok();
    if json(parts.next()).is_none_or(|header| header.get("alg").is_none()) {
        return false;
    }
    // A payload that cannot be read (encrypted, cut off) keeps the token a credential.
    let audience = json(parts.next()).and_then(|payload| payload.get("aud")?.as_str().map(str::to_owned));
    !audience.is_some_and(|aud| {
        aud.strip_prefix("ci-intel:").is_some_and(|digest| digest.parse::<ci_types::Digest>().is_ok())
    })
}

/// Where the private key block ends whose header ends at `header_end`; `None` where no key follows the header.
fn private_key_end(hay: &[u8], header_end: usize) -> Option<usize> {
    const END: &[u8] = b"-----END";
    let limit = hay.len().min(header_end + PEM_LIMIT);
    let rest = &hay[header_end..limit];
    let body = rest
        .iter()
        .position(|byte| {
            !(byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"+/=\\\"':,-.()".contains(byte))
        })
        .unwrap_or(rest.len());
    let closing = rest[..body].windows(END.len()).position(|part| part == END);
    let (content, end) = match closing {
        Some(at) => {
            let tail = &rest[at + END.len()..];
            let dashes = tail.windows(5).take(60).position(|part| part == b"-----").map_or(0, |dash| dash + 5);
            (&rest[..at], at + END.len() + dashes)
        }
        // Cut off: whatever looks like a body belongs to the key.
        None => {
            let open = rest[..body].iter().position(|byte| *byte == b'"').unwrap_or(body);
            let end = rest[..open].iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |last| last + 1);
            (&rest[..end], end)
        }
    };
    let longest = content
        .split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    (longest >= 40).then_some(header_end + end)
}

/// Texts that stand where a secret will be.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "pass",
        "pwd",
        "secret",
        "token",
        "changeme",
        "change-me",
        "change_me",
        "example",
        "placeholder",
        "redacted",
        "hidden",
        "undefined",
        "null",
        "none",
        "true",
        "false",
        "test",
        "dummy",
        "foobar",
        "your",
        "xxx",
        "todo",
        "key",
        "api_key",
        "apikey",
        "user",
        "disabled",
        "enabled",
        "required",
        "optional",
        "default",
        "default",
    ];
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    WORDS.contains(&text.as_str())
        || ["your", "<", "$", "{", "%(", "%s", "%v", "[", "***", "...", "xxx"]
            .iter()
            .any(|start| text.starts_with(start))
        || ["example", "changeme", "placeholder", "redacted"].iter().any(|part| text.contains(part))
        || value.iter().all(|byte| *byte == value[0])
}

fn is_assigned_secret(found: &Candidate<'_>) -> bool {
    // What such a name may say besides: then the value describes the secret and is none.
    const DESCRIBES: &[&str] = &[
        "id", "name", "type", "count", "length", "len", "limit", "max", "min", "expir", "ttl", "url", "uri",
        "endpoint", "path", "file", "dir", "digest", "hash", "sha", "checksum", "alg", "version", "header", "issuer",
        "format", "pattern", "regex", "scope", "usage", "policy", "ref", "public", "izer", "ize", "izing", "ization",
        "manager", "provider", "store", "field", "class", "code", "index", "list", "review", "service", "source",
        "span", "stream", "kind", "rotat", "less", "env", "label", "arn", "status", "param",
    ];
    let Some(name) = found.name.clone() else { return false };
    let before_name = &found.hay[name.start.saturating_sub(12)..name.start];
    let before_name = before_name.to_ascii_lowercase();
    if ["hashed_", "hash_", "public_"].iter().any(|word| before_name.ends_with(word.as_bytes())) {
        return false;
    }
    let name_text = String::from_utf8_lossy(&found.hay[name]).to_ascii_lowercase();
    let keyword_end = ["password", "passwd", "passphrase", "pwd", "secret", "token", "key", "credential"]
        .iter()
        .filter_map(|word| name_text.find(word).map(|at| at + word.len()))
        .min()
        .unwrap_or(0);
    let rest = &name_text[keyword_end..];
    let said: String = rest.chars().filter(char::is_ascii_alphabetic).collect();
    if DESCRIBES.iter().any(|word| said.starts_with(word) || said.ends_with(word)) {
        return false;
    }
    let value = &found.hay[found.secret.clone()];
    if is_placeholder(value) || value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"eyJ") {
        return false;
    }
    let has = |test: fn(&u8) -> bool| value.iter().filter(|byte| test(byte)).count();
    let (digits, letters) = (has(u8::is_ascii_digit), has(u8::is_ascii_alphabetic));
    let (upper, lower) = (has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase));
    if letters == 0 || value.windows(3).any(|part| part == b"://") {
        return false;
    }
    let before = found.hay.get(found.secret.start.wrapping_sub(1)).copied().unwrap_or(b'\n');
    let after = found.hay.get(found.secret.end).copied().unwrap_or(b'\n');
    // A call, an index, an interpolation: code, not a value.
    if matches!(after, b'(' | b'[' | b'{' | b'<' | b'$') {
        return false;
    }
    let bits = entropy(value);
    let quoted = matches!(before, b'"' | b'\'' | b'`') && matches!(after, b'"' | b'\'' | b'`' | b'\\');
    let whole_line = matches!(after, b'\n' | b'\r' | b'\\') || found.secret.end == found.hay.len();
    let spaced = found.hay[found.whole.start..found.secret.start].contains(&b' ');
    let mixed = digits > 0 && (upper > 0 || lower > 0);
    if !quoted && (after == b':' || letters <= 3 && value[0].is_ascii_digit()) {
        // A path in code, a number with its type.
        return false;
    }
    if lower == 0 && value.contains(&b'_') && digits * 4 < value.len() {
        // The name of a constant.
        return false;
    }
    if value.len() >= 20 && upper > 2 && lower > 2 && bits >= 4.0 && changes(value) * 3 > value.len() {
        true
    } else if quoted || (whole_line && !spaced) {
        mixed && (bits >= 3.0 || value.len() < 12)
    } else {
        value.len() >= 10 && digits >= 2 && bits >= 3.0 && changes(value) * 4 > value.len() && !looks_like_code(value)
    }
}

/// How often the kind of character changes: in random text at most places, in words and CamelCase at few.
fn changes(value: &[u8]) -> usize {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    value.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count()
}

fn looks_like_code(value: &[u8]) -> bool {
    let parts: Vec<_> = value.split(|byte| matches!(byte, b'.' | b'/' | b'-' | b'_')).collect();
    parts.len() > 1
        && parts.iter().all(|part| {
            part.len() < 16 && part.iter().filter(|byte| byte.is_ascii_digit()).count() * 4 <= part.len().max(4)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_is_the_ieee_one() {
        // CRC-32 check value of "123456789" is CBF43926 (RFC 3385, section 3), 3421780262 in decimal.
        assert_eq!(&github_checksum(b"123456789"), b"3jZRME");
    }

    #[test]
    fn entropy_of_known_texts() {
        assert!((entropy(b"aaaa") - 0.0).abs() < 1e-9);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
    }
}
