//! What users see when a file is wrong: the place, the reason and the fix.

use std::fmt::Write as _;

use crate::{MINIMAL, and, read, read_with_overlay, with};

fn errors(text: &str) -> String {
    read(text).unwrap_err().iter().map(|error| format!("{error}\n")).collect()
}

fn marked(text: &str) -> String {
    read(text).unwrap_err().iter().fold(String::new(), |mut all, error| {
        writeln!(all, "{}", text.get(error.place.span()).unwrap()).unwrap();
        all
    })
}

#[test]
fn yaml_beyond_our_dialect_rejects_with_its_place() {
    let cases = [
        ("", "config.yml:1:1: the file says nothing; write `version: 1`, or run `ci-intel init`"),
        ("# only a comment\n", "config.yml:1:1: the file says nothing; write `version: 1`, or run `ci-intel init`"),
        (
            "- 1\n",
            "config.yml:1:1: expected a mapping, found a list; write a mapping with keys like `version:`, `project:`, `lane:`, `build:`, `publish:`, `smoke:`, `tests:`, `scan:`, `sbom:`, `budgets:`",
        ),
        (
            "version: &a 1\n",
            "config.yml:1:13: anchors and aliases are not accepted; write the value out where it is needed",
        ),
        (
            "version: *a\n",
            "config.yml:1:10: anchors and aliases are not accepted; write the value out where it is needed",
        ),
        (
            "version: 1\nproject: { <<: { name: a } }\n",
            "config.yml:2:12: merge keys (`<<`) are not accepted; write the keys out where they are needed",
        ),
        ("version: !env V\n", "config.yml:1:15: tags are not accepted; remove the tag"),
        (
            "version: 1\n---\nversion: 1\n",
            "config.yml:2:1: the file holds more than one YAML document; keep one document; remove everything from the second `---` on",
        ),
        (
            "version: [1\n",
            "config.yml:1:10: not YAML: unclosed bracket '['; correct the YAML here; `ci-intel config explain` shows the keys",
        ),
        (
            "version:\t1\n  x: 2\n",
            "config.yml:2:4: not YAML: mapping values are not allowed in this context; correct the YAML here; `ci-intel config explain` shows the keys",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(errors(text).trim_end(), message, "{text:?}");
    }
}

#[test]
fn bytes_that_are_no_text_reject() {
    use ci_types::config::{Layer, LayerOrigin, parse_layer};
    let layer =
        |bytes| parse_layer(&Layer { origin: LayerOrigin::Repository, file: "f", bytes }).unwrap_err()[0].clone();
    let error = layer(b"version: 1\nproject: \xff\n");
    assert_eq!((error.reason.code(), error.line(), error.column()), ("config-not-utf8", 2, 10));
    let huge = vec![b'#'; (256 << 10) + 1];
    assert_eq!(layer(&huge).reason.code(), "config-too-large");
}

#[test]
fn bombs_reject_quickly() {
    let deep = format!("version: {}1{}", "[".repeat(5000), "]".repeat(5000));
    let wide = format!("version: [{}]", "1,".repeat(60_000));
    let nested: String = (0..40).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let laughs = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n".to_owned();
    for text in [deep, wide, nested, laughs] {
        let error = read(&text).unwrap_err().remove(0);
        assert!(matches!(error.reason.code(), "config-too-complex" | "config-anchor" | "config-syntax"), "{error}");
    }
}

#[test]
fn a_key_that_stands_twice_rejects_naming_both_lines() {
    let text = and("project:\n  name: other\n");
    assert_eq!(
        errors(&text),
        "config.yml:15:1: project: key `project` stands twice; first in line 2; keep one of them\n"
    );
    let text = with("        to: /app", "        to: /app\n        to: /b");
    assert!(errors(&text).contains("build.assemble.files[0].to: key `to` stands twice; first in line 11"));
    let text = and("tests: { min_total: 1, \"min_total\": 2 }\n");
    assert!(errors(&text).contains("key `min_total` stands twice"));
    let text = with("  exec:", "  env: { A: \"1\", A: \"2\" }\n  exec:");
    assert!(errors(&text).contains("key `A` stands twice"), "{}", errors(&text));
}

#[test]
fn every_error_of_a_file_is_told_at_once_in_its_order() {
    let text = "version: 1\nproject:\n  name: Ünïcode\nbuild:\n  engin: assemble\n  context:\n    include: [\"**\", ok/**, ../x]\n  timeout_s: 10m\ninclude: [src]\n";
    assert_eq!(
        errors(text),
        "\
config.yml:3:9: project.name: `Ünïcode` is not an image name; use lower-case letters and digits, joined by `.`, `_`, `-` or `/`, like `org/app`; at most 128
config.yml:5:3: build.engin: unknown key `engin`; did you mean `engine`?
config.yml:7:15: build.context.include[0]: `**` has no boundary: it can match everything at the top of the repository; name the directories and files that the build reads, like `src/**` and `Cargo.toml`
config.yml:7:28: build.context.include[2]: `../x` is not a path inside the repository; write it relative to the repository root, without `.`, `..`, `//`, `\\` or a `/` at either end, like `src/main.rs`
config.yml:8:14: build.timeout_s: expected a number, found text; write digits only, without quotes or unit, like 600
config.yml:9:1: include: unknown key `include`; did you mean `build.context.include`?
"
    );
    // The spans are of bytes, whatever the columns count.
    assert_eq!(marked(text), "Ünïcode\nengin\n\"**\"\n../x\n10m\ninclude\n");
}

#[test]
fn numbers_have_one_spelling() {
    for spelling in ["0x10", "0o20", "1_000", "+5", "1e3", "010", "1.0", ".inf"] {
        let text = and(&format!("tests: {{ min_total: {spelling} }}\n"));
        assert!(read(&text).is_err(), "{spelling}");
    }
    let text = with("to: /app", "to: /app\n        mode: 0755");
    assert!(errors(&text).contains("mode: expected text, found a number; write it in quotes: \"0755\""));
}

#[test]
fn a_value_that_loosens_names_both_layers_both_values_and_the_fix() {
    let overlay = "version: 1\ntests:\n  min_total: 50\nsmoke:\n  isolation: [bubblewrap]\n";
    let repository =
        and("tests: { min_total: 10 }\n").replace("  exec:", "  isolation: [bubblewrap, process]\n  exec:");
    let told: String =
        read_with_overlay(overlay, &repository).unwrap_err().iter().map(|error| format!("{error}\n")).collect();
    assert_eq!(
        told,
        "\
config.yml:13:14: smoke.isolation: repository value [\"bubblewrap\",\"process\"] is looser than [\"bubblewrap\"] of the organisation overlay (overlay.yml:5); list only entries of [\"bubblewrap\"], `process` behind all that stands before it there, or remove `smoke.isolation`
config.yml:16:21: tests.min_total: repository value 10 is looser than 50 of the organisation overlay (overlay.yml:3); set `tests.min_total` to at least 50, or remove it
"
    );
    let told = errors(&and("budgets:\n  vulnerabilities:\n    high: 5\n"));
    assert_eq!(
        told,
        "config.yml:17:11: budgets.vulnerabilities.high: repository value 5 is looser than 0 of the built-in default (no file); set `budgets.vulnerabilities.high` to at most 0, or remove it\n"
    );
}

#[test]
fn foreign_text_cannot_steer_the_terminal() {
    let long = "k".repeat(900);
    let text = and(&format!(
        "\"\\e[2Jx\": 1\n\"\u{202e}y\": 1\n{long}: 1\ntests: {{ results: \"\\e]0;\\a\" }}\npublish: {{ tag: \"\\e\" }}\n"
    ));
    let told = read(&text).unwrap_err();
    assert_eq!(told.len(), 5, "{told:#?}");
    for error in told {
        let shown = error.to_string();
        assert!(!shown.contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown:?}");
        assert!(shown.chars().count() < 500, "{shown}");
    }
}

/// Any prefix, and any single byte changed: read or refused, never a panic, and every place lies in the file.
#[test]
fn damaged_files_never_panic() {
    let full = crate::config_corpus::FULL.as_bytes();
    let judge = |bytes: &[u8]| {
        use ci_types::config::{Layer, LayerOrigin, load};
        if let Err(errors) = load(None, &Layer { origin: LayerOrigin::Repository, file: "f", bytes }) {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.place.start <= error.place.end && error.place.end <= bytes.len(), "{error:?}");
            }
        }
    };
    for end in (0..full.len()).step_by(7) {
        judge(&full[..end]);
    }
    for at in (0..full.len()).step_by(5) {
        for byte in [b'\0', b'"', b':', b'{', b'\n', b' ', b'*', 0xff, 0xc3] {
            let mut bytes = full.to_vec();
            bytes[at] = byte;
            judge(&bytes);
        }
    }
    judge(MINIMAL.as_bytes());
}
