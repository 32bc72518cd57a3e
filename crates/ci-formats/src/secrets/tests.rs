#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::BTreeSet;

use base64::Engine as _;

use super::*;

/// Every place a secret turns up in, with the secret's own context inside.
fn positions(text: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::json!({ "message": format!("line one\n{text}\nline three"), "n": 1 }).to_string();
    vec![
        ("plain", text.to_owned()),
        ("quoted", format!("value \"{}\" end", text.replace('"', "\\\""))),
        ("env file", format!("A=1\nMY_VALUE={text}\nB=2\n")),
        ("json", json),
        ("yaml", format!("steps:\n  - run: {text}\n    other: 1\n")),
        ("log line", format!("2026-11-22T12:00:00Z \u{1b}[31merror\u{1b}[0m got {text} (retry 1)\n")),
    ]
}

#[test]
fn planted_tokens_are_found_and_redacted() {
    let scanner = Scanner::builtin();
    let (mut kinds, mut missed) = (BTreeSet::new(), Vec::new());
    for rule in scanner.rules() {
        for seed in 1..=3 {
            let example = rule.example(seed);
            let secret = &example.text[example.secret.clone()];
            assert!(!secret.is_empty(), "{}: the example marks no secret", rule.id);
            for (place, text) in positions(&example.text) {
                let hits = scanner.scan(text.as_bytes());
                let redacted = String::from_utf8(scanner.redact(text.as_bytes())).unwrap();
                let core: String = secret.chars().skip(secret.len() / 3).take_while(|c| *c != '\n').take(24).collect();
                if !hits.iter().any(|hit| hit.rule_id == rule.id) || redacted.contains(&core) {
                    missed.push(format!("{} {place} seed {seed}: {hits:?}", rule.id));
                }
                assert!(
                    scanner.scan(redacted.as_bytes()).is_empty(),
                    "{}: redacted text scans dirty: {redacted}",
                    rule.id
                );
            }
        }
        kinds.insert(rule.id);
    }
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
    assert!(kinds.len() >= 100, "{}", kinds.len());
}

/// gitleaks' own labelled examples (MIT; see SOURCE.md there). They are read in place and never copied.
#[test]
fn gitleaks_examples_recall() {
    let Ok(corpus) = std::env::var("CI_INTEL_CORPUS") else {
        eprintln!("skipped: CI_INTEL_CORPUS is not set");
        return;
    };
    let file = std::fs::File::open(format!("{corpus}/secrets/gitleaks-examples-half.json.gz")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_reader(flate2::read::GzDecoder::new(file)).unwrap();
    let show = std::env::var_os("SHOW").is_some();
    let scanner = Scanner::builtin();
    let (mut positives, mut found, mut negatives, mut false_hits) = (0, 0, 0, 0);
    for case in &cases {
        let texts = |key: &str| case[key].as_array().cloned().unwrap_or_default();
        let (mut p, mut f) = (0, 0);
        for text in texts("tps") {
            p += 1;
            let hit = !scanner.scan(text.as_str().unwrap().as_bytes()).is_empty();
            f += usize::from(hit);
            if !hit && show {
                eprintln!("MISS {} {:?}", case["rule"], text.as_str().unwrap().chars().take(160).collect::<String>());
            }
        }
        for text in texts("fps") {
            negatives += 1;
            let hits = scanner.scan(text.as_str().unwrap().as_bytes());
            if !hits.is_empty() {
                false_hits += 1;
                if show {
                    eprintln!(
                        "FALSE {} {:?} {:?}",
                        case["rule"],
                        hits,
                        text.as_str().unwrap().chars().take(200).collect::<String>()
                    );
                }
            }
        }
        if f < p {
            eprintln!("{} {f}/{p}", case["rule"]);
        }
        positives += p;
        found += f;
    }
    eprintln!("gitleaks examples: recall {found}/{positives}, false positives {false_hits}/{negatives}");
    assert!(found * 100 >= positives * 90, "recall {found}/{positives}");
}

fn hex(count: usize, salt: &str) -> String {
    let mut out = String::new();
    while out.len() < count {
        out += &ci_types::Digest::of(format!("{salt}{}", out.len()).as_bytes()).hex();
    }
    out.truncate(count);
    out
}

fn base64(bytes: usize, salt: &str) -> String {
    let mut raw = Vec::new();
    while raw.len() < bytes {
        raw.extend_from_slice(ci_types::Digest::of(format!("{salt}{}", raw.len()).as_bytes()).as_bytes());
    }
    raw.truncate(bytes);
    base64::engine::general_purpose::STANDARD.encode(raw)
}

/// A JWT with the given payload and a made-up signature.
fn jwt(payload: &str) -> String {
    let encode = |text: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        encode(br#"{"alg":"RS256","kid":"38826b17-6a30-5f9b-b169-8beb8202f723","typ":"JWT"}"#),
        encode(payload.as_bytes()),
        encode(hex(256, "s").as_bytes())
    )
}

#[test]
fn ordinary_evidence_is_clean() {
    let scanner = Scanner::builtin();
    let mut documents: Vec<(String, String)> = Vec::new();
    for n in 0..200 {
        let n = n.to_string();
        let (sha, sha1, sha512, uuid) = (hex(64, &n), hex(40, &n), hex(128, &n), {
            let h = hex(32, &n);
            format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
        });
        let statement = serde_json::json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "org/app", "digest": { "sha256": sha } }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": { "buildDefinition": { "resolvedDependencies": [{ "uri": format!("git+https://github.com/org/app@{sha1}"), "digest": { "gitCommit": sha1 } }] },
                           "runDetails": { "metadata": { "invocationId": uuid } } }
        });
        let payload = base64::engine::general_purpose::STANDARD.encode(statement.to_string());
        documents.extend([
            ("spdx".to_owned(), serde_json::json!({
                "spdxVersion": "SPDX-2.3", "documentNamespace": format!("https://ci-intel.dev/spdx/{uuid}"),
                "packages": [
                    { "SPDXID": format!("SPDXRef-Package-{sha1}"), "name": "jsonwebtoken", "versionInfo": "9.3.0",
                      "checksums": [{ "algorithm": "SHA256", "checksumValue": sha }, { "algorithm": "SHA512", "checksumValue": sha512 }],
                      "externalRefs": [{ "referenceType": "purl", "referenceLocator": format!("pkg:cargo/jsonwebtoken@9.3.0?checksum=sha256:{sha}") }] },
                    { "SPDXID": format!("SPDXRef-{uuid}"), "name": "@aws-sdk/credential-provider-env", "versionInfo": "3.996.9",
                      "downloadLocation": "git+ssh://git@github.com/aws/aws-sdk-js-v3.git#v3.996.9" },
                    { "name": "secret-service", "versionInfo": "4.0.0", "packageVerificationCode": { "packageVerificationCodeValue": sha1 } },
                    { "name": "tokenizers", "versionInfo": "0.20.3+cu121", "homepage": "https://user@example.org:8080/x" } ] }).to_string()),
            ("cyclonedx".to_owned(), serde_json::json!({
                "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": format!("urn:uuid:{uuid}"),
                "components": [{ "bom-ref": format!("pkg:deb/debian/passwd@1:4.13+dfsg1-1+b1?arch=amd64#{sha1}"), "name": "passwd", "version": "1:4.13+dfsg1-1+b1",
                    "hashes": [{ "alg": "SHA-256", "content": sha }, { "alg": "SHA-1", "content": sha1 }] },
                    { "name": "libsecret-1-0", "version": "0.20.5-3", "purl": "pkg:deb/debian/libsecret-1-0@0.20.5-3?arch=amd64" }] }).to_string()),
            ("oci manifest".to_owned(), serde_json::json!({
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": format!("sha256:{sha}"), "size": 1234 },
                "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": format!("sha256:{sha}"), "size": 99 }] }).to_string()),
            ("dsse".to_owned(), serde_json::json!({ "payloadType": "application/vnd.in-toto+json", "payload": payload,
                "signatures": [{ "keyid": sha, "sig": base64(64, &n) }] }).to_string()),
            ("ecdsa".to_owned(), format!("{{\"keyid\":\"{sha1}\",\"sig\":\"{}\"}}", base64(71, &n))),
            ("public key".to_owned(), format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(91, &n))),
            ("certificate".to_owned(), format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(900, &n))),
            ("cargo lock".to_owned(), format!("[[package]]\nname = \"secrecy\"\nversion = \"0.10.3\"\nchecksum = \"{sha}\"\n")),
            ("npm lock".to_owned(), format!("\"node_modules/js-tokens\": {{\"version\": \"4.0.0\", \"integrity\": \"sha512-{}\"}}", base64(64, &n))),
            ("go sum".to_owned(), format!("github.com/golang-jwt/jwt/v5 v5.2.1 h1:{}\n", base64(32, &n))),
            ("git log".to_owned(), format!("commit {sha1}\nAuthor: A <a@example.org>\n\n    Rotate token handling for key {}\n", &sha1[..12])),
            ("build log".to_owned(), format!("#12 exporting manifest sha256:{sha} done\nSuccessfully tagged org/app:git-{sha1}\nDOCKER_BUILDKIT=1 digest={sha}\n")),
            ("junit".to_owned(), format!("<testcase classname=\"auth.TokenTest\" name=\"password_reset_token_expires_after_24h\" time=\"0.{}\"/>", &sha[..3])),
            ("identity".to_owned(), serde_json::json!({ "digest_token": jwt(&format!(r#"{{"iss":"https://token.actions.githubusercontent.com","aud":"ci-intel:sha256:{sha}","sub":"repo:org/app:ref:refs/heads/main"}}"#)),
                "claims": { "job_workflow_ref": format!("org/app/.github/workflows/release.yml@{sha1}") } }).to_string()),
            ("grype".to_owned(), serde_json::json!({ "matches": [{ "vulnerability": { "id": "CVE-2024-21626", "dataSource": "https://security-tracker.debian.org/tracker/CVE-2024-21626",
                "description": "An attacker with a leaked token or password could, via secret: access_key handling, read /etc/passwd" },
                "artifact": { "cpes": ["cpe:2.3:a:token:token:1.0:*:*:*:*:*:*:*"], "locations": [{ "layerID": format!("sha256:{sha}") }] } }] }).to_string()),
        ]);
    }
    for (kind, text) in &documents {
        let hits = scanner.scan(text.as_bytes());
        assert!(
            hits.is_empty(),
            "{kind}: {:?}\n{}",
            hits,
            hits.iter().map(|hit| &text[hit.start..hit.end]).collect::<Vec<_>>().join("\n")
        );
    }
}

#[test]
fn a_token_for_any_other_audience_is_a_credential() {
    let scanner = Scanner::builtin();
    let digest = ci_types::Digest::of(b"x");
    for aud in ["sts.amazonaws.com", "ci-intel", "ci-intel:latest", "ci-intel:sha256:00"] {
        let text = jwt(&format!(r#"{{"aud":"{aud}","sub":"repo:org/app"}}"#));
        assert_eq!(scanner.scan(text.as_bytes()).len(), 1, "{aud}");
    }
    let several = jwt(&format!(r#"{{"aud":["ci-intel:{digest}","sts.amazonaws.com"],"sub":"repo:org/app"}}"#));
    assert_eq!(scanner.scan(several.as_bytes()).len(), 1);
}

#[test]
fn secrets_inside_base64_are_found_one_level_deep() {
    let scanner = Scanner::builtin();
    for rule in scanner.rules().filter(|rule| rule.group == 0).take(60) {
        let inner = format!("{{\"data\": \"{}\"}}", rule.example(7).text);
        let text =
            format!("kind: Secret\ndata:\n  config: {}\n", base64::engine::general_purpose::STANDARD.encode(inner));
        let hits = scanner.scan(text.as_bytes());
        assert_eq!(hits.iter().map(|hit| (hit.rule_id, hit.line)).collect::<Vec<_>>(), [(rule.id, 3)]);
    }
}

#[test]
fn given_values_are_found_in_every_spelling() {
    let value = "correct horse/battery\"staple?";
    let scanner = Scanner::with_values(&[("DB_PASS", value), ("PIN", "1234")]).unwrap();
    assert_eq!(scanner.too_short(), ["PIN"]);
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("user:{value}:tail"));
    for text in [
        format!("got {value}!"),
        serde_json::json!({ "v": value }).to_string(),
        "https://x/?p=correct%20horse%2Fbattery%22staple%3F&y=1".to_owned(),
        "p=correct%20horse%2fbattery%22staple%3f".to_owned(),
        format!("basic {encoded}"),
    ] {
        let hits = scanner.scan(text.as_bytes());
        assert_eq!(hits.iter().map(|hit| hit.rule_id).collect::<Vec<_>>(), ["env:DB_PASS"], "{text}");
        assert!(scanner.scan(&scanner.redact(text.as_bytes())).is_empty());
    }
    assert!(scanner.scan(b"the pin 1234 is too short to be looked for").is_empty());
}

#[test]
fn a_private_key_is_withheld_line_by_line_until_its_end() {
    let scanner = Scanner::builtin();
    let mut redactor = scanner.redactor();
    let (begin, end) = (["-----BEGIN ", "PRIVATE KEY-----"].concat(), ["-----END ", "PRIVATE KEY-----"].concat());
    let body = base64(48, "k");
    let out: Vec<_> =
        ["before", &format!("key: {begin}"), &body, "interleaved line", "c2hvcnQ=", &format!("{end} after"), "free"]
            .iter()
            .map(|line| redactor.line(line))
            .collect();
    let gone = "[redacted:private-key]";
    assert_eq!(out, ["before", &format!("key: {begin}"), gone, gone, gone, &format!("{gone} after"), "free"]);
    // A text that only mentions the header hides nothing.
    assert_eq!(redactor.line(&format!("expected {begin}")), format!("expected {begin}"));
    assert_eq!(redactor.line("and found nothing of it"), "and found nothing of it");
}

#[test]
fn a_key_that_is_cut_off_or_escaped_is_redacted_whole() {
    let scanner = Scanner::builtin();
    let begin = ["-----BEGIN EC ", "PRIVATE KEY-----"].concat();
    let (one, two) = (base64(48, "1"), base64(48, "2"));
    for text in
        [format!("{begin}\n{one}\n{two}\n"), serde_json::json!({ "k": format!("{begin}\n{one}\n{two}\n") }).to_string()]
    {
        let redacted = String::from_utf8(scanner.redact(text.as_bytes())).unwrap();
        assert!(
            redacted.contains("[redacted:private-key]")
                && !redacted.contains(&one[..20])
                && !redacted.contains(&two[..20]),
            "{redacted}"
        );
    }
    assert!(scanner.scan(format!("docs name `{begin}` as the header").as_bytes()).is_empty());
}

#[test]
fn redacted_json_is_still_json() {
    let scanner = Scanner::builtin();
    for rule in scanner.rules() {
        let text = serde_json::json!({ "a": rule.example(11).text, "b": [1, "tail"] }).to_string();
        let redacted = scanner.redact(text.as_bytes());
        let value: serde_json::Value = serde_json::from_slice(&redacted)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", rule.id, String::from_utf8_lossy(&redacted)));
        assert_eq!(value["b"][1], "tail", "{}", rule.id);
    }
}

#[test]
fn rules_are_well_formed() {
    let scanner = Scanner::builtin();
    let ids: BTreeSet<_> = scanner.rules().map(|rule| rule.id).collect();
    assert_eq!(ids.len() as u64, scanner.rule_count(), "ids are unique");
    for rule in scanner.rules() {
        let regex = regex::bytes::RegexBuilder::new(rule.regex).unicode(false).build().unwrap();
        assert!(rule.group < regex.captures_len(), "{}", rule.id);
        assert!(rule.keywords.iter().all(|word| *word == word.to_ascii_lowercase() && word.len() >= 2), "{}", rule.id);
        // The literal prefix filter needs alternatives inside a group.
        assert!(rule.group > 0 || regex_top_level_bar(rule.regex).is_none(), "{}", rule.id);
        assert!(!rule.description.is_empty());
        assert!(scanner.scan(rule.example.as_bytes()).is_empty(), "{}: its template is a match", rule.id);
    }
    assert_eq!(scanner.rules_digest(), Scanner::builtin().rules_digest());
}

fn regex_top_level_bar(pattern: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in pattern.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '|' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[test]
fn any_bytes_are_scanned_without_panic_and_positions_hold() {
    let scanner = Scanner::builtin();
    let mut state = 1_u64;
    for round in 0..300 {
        let mut bytes = Vec::new();
        for rule in scanner.rules().skip(round % 40).step_by(17) {
            bytes.extend_from_slice(rule.example(round as u64).text.as_bytes());
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.push((state >> 33) as u8);
        }
        for _ in 0..20 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 25) as u8;
        }
        let hits = scanner.scan(&bytes);
        for pair in hits.windows(2) {
            assert!(pair[0].end <= pair[1].start && pair[0].line <= pair[1].line);
        }
        assert!(hits.iter().all(|hit| hit.start < hit.end && hit.end <= bytes.len()));
        assert!(scanner.scan(&scanner.redact(&bytes)).is_empty());
    }
}

/// `cargo test -p ci-formats --release secrets::tests::speed -- --ignored --nocapture` prints the figures.
#[test]
#[ignore = "a measurement, not a fact"]
fn speed() {
    use std::time::Instant;
    let start = Instant::now();
    let scanner = Scanner::builtin();
    eprintln!("builtin(): {:.2} ms, {} rules", start.elapsed().as_secs_f64() * 1e3, scanner.rule_count());
    let component = |n: usize| {
        serde_json::json!({ "name": format!("lib{n}-token"), "version": "1.2.3-4", "homepage": "https://example.org/x", "hashes": [{ "alg": "SHA-256", "content": hex(64, &n.to_string()) }] }).to_string()
    };
    let text: String = (0..60_000).map(component).collect();
    let start = Instant::now();
    assert!(scanner.scan(text.as_bytes()).is_empty());
    eprintln!("first SBOM-like scan: {:.0} MiB/s", text.len() as f64 / 1048576.0 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    assert!(scanner.scan(text.as_bytes()).is_empty());
    eprintln!(
        "second: {:.0} MiB/s of {} MiB",
        text.len() as f64 / 1048576.0 / start.elapsed().as_secs_f64(),
        text.len() >> 20
    );
    let noise = base64(8 << 20, "noise");
    let start = Instant::now();
    assert!(scanner.scan(noise.as_bytes()).is_empty());
    eprintln!("Base64: {:.0} MiB/s", noise.len() as f64 / 1048576.0 / start.elapsed().as_secs_f64());
    let hostile = "token: ".repeat(1 << 20);
    let start = Instant::now();
    assert!(scanner.scan(hostile.as_bytes()).is_empty());
    eprintln!("keywords only: {:.0} MiB/s", hostile.len() as f64 / 1048576.0 / start.elapsed().as_secs_f64());
}

/// Prints what the rules find below `CI_INTEL_SCAN`, rule and place only, to judge false positives on real files.
#[test]
#[ignore = "a measurement, not a fact"]
fn real_files() {
    let Ok(root) = std::env::var("CI_INTEL_SCAN") else {
        eprintln!("skipped: CI_INTEL_SCAN is not set");
        return;
    };
    let scanner = Scanner::builtin();
    let (mut queue, mut files, mut bytes, mut hits) = (vec![std::path::PathBuf::from(root)], 0, 0, 0);
    while let Some(path) = queue.pop() {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            queue.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if let Ok(content) = std::fs::read(&path) {
            files += 1;
            bytes += content.len();
            for hit in scanner.scan(&content) {
                hits += 1;
                eprintln!("{}:{} {} {}", path.display(), hit.line, hit.rule_id, hit.end - hit.start);
            }
        }
    }
    eprintln!("{hits} hits in {files} files, {} MiB", bytes >> 20);
}
