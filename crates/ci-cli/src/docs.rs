//! Pages and examples of `docs/` that say what the program says, held against the program. `CI_INTEL_UPDATE_DOCS=1 cargo test -p
//! ci-cli docs` writes the generated parts.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ci_formats::secrets::Scanner;
use ci_types::Tag;
use ci_types::record::EvidenceKind;

use crate::exit::Exit;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares `path` with `wanted`, or writes it where that was asked for.
fn fresh(path: &str, wanted: &str) {
    if std::env::var_os("CI_INTEL_UPDATE_DOCS").is_some() {
        fs::write(root().join(path), wanted).unwrap();
    }
    assert!(page(path) == wanted, "{path} is stale: CI_INTEL_UPDATE_DOCS=1 cargo test -p ci-cli docs");
}

/// The page with the part between its two marks replaced.
fn with_part(path: &str, part: &str) -> String {
    const BEGIN: &str = "<!-- generated -->\n";
    const END: &str = "<!-- end -->\n";
    let text = page(path);
    let (before, rest) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{path} has no {BEGIN}"));
    let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{path} has no {END}"));
    format!("{before}{BEGIN}{part}{END}{after}")
}

fn describe(command: &clap::Command, path: &str, out: &mut String) {
    let help = command.clone().bin_name(path).disable_help_subcommand(true).term_width(110).render_long_help();
    let level = "#".repeat(path.split(' ').count().min(3));
    let _ = write!(out, "{level} {path}\n\n```help\n{}\n```\n\n", help.to_string().trim_end());
    for sub in command.get_subcommands() {
        describe(sub, &format!("{path} {}", sub.get_name()), out);
    }
}

/// Help prints what a variable holds here and now; a page must not.
fn hide_values(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(hide_values)
}

#[test]
fn the_command_line_page_is_what_help_says() {
    let mut out =
        "<!-- Generated from the program's own help: CI_INTEL_UPDATE_DOCS=1 cargo test -p ci-cli docs -->\n".to_owned();
    describe(&hide_values(crate::command()), "ci-intel", &mut out);
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    fresh("docs/reference/cli.md", &format!("{}\n", lines.join("\n").trim_end()));
}

#[test]
fn the_secrets_page_lists_every_rule() {
    let mut table = "| rule | what it is |\n|---|---|\n".to_owned();
    for rule in Scanner::builtin().rules() {
        let _ = writeln!(table, "| `{}` | {} |", rule.id, rule.description.replace('|', "\\|"));
    }
    fresh("docs/reference/secrets.md", &with_part("docs/reference/secrets.md", &table));
}

#[test]
fn the_bundle_page_lists_every_kind() {
    let tag: Tag = "TAG".parse().unwrap();
    let mut table = "| kind | path | media type |\n|---|---|---|\n".to_owned();
    for kind in EvidenceKind::ALL {
        let path = ci_evidence::layout::path(kind, &tag)
            .unwrap_or_else(|| format!("{}…", ci_evidence::layout::folder(kind).unwrap()));
        let derived = if kind.is_derived() { " (derived)" } else { "" };
        let _ = writeln!(table, "| `{kind}`{derived} | `{path}` | `{}` |", ci_evidence::layout::media_type(kind));
    }
    fresh("docs/reference/bundle.md", &with_part("docs/reference/bundle.md", &table));
}

#[test]
fn the_exit_code_page_explains_every_code() {
    let text = page("docs/reference/exit-codes.md");
    let exits = [Exit::Ok, Exit::Rejected, Exit::Usage, Exit::Undecided, Exit::Internal];
    for (code, exit) in exits.into_iter().enumerate() {
        let row = text.lines().find(|line| line.starts_with(&format!("| {code} |")));
        assert!(row.is_some(), "no row for exit code {code}");
        let number = u8::try_from(code).unwrap();
        let code = std::process::ExitCode::from(exit);
        assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::from(number)));
    }
}

/// Every `docs/…` path in a text of the program leads somewhere.
#[test]
fn pages_that_the_program_names_exist() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for part in text.split("docs/").skip(1) {
            let name = part.split(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c))).next().unwrap();
            let name = name.trim_end_matches('.');
            if name.ends_with(".md") || name.ends_with(".yml") {
                seen += 1;
                assert!(root().join("docs").join(name).is_file(), "{}: docs/{name} does not exist", file.display());
            }
        }
    }
    assert!(seen > 0);
}

/// The threat model promises tests by name.
#[test]
fn tests_that_the_threat_model_names_exist() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    sources(&root().join("xtask"), &mut files);
    let code: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let mut known: BTreeSet<&str> = code.split("fn ").skip(1).filter_map(|rest| rest.split('(').next()).collect();
    // The negative-path matrix declares its tests as `base name => "reason"`.
    known.extend(code.split(" => \"").filter_map(|before| before.rsplit(' ').next()));
    let text = page("docs/threat-model.md");
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 2).collect();
    assert!(named.len() > 20, "{named:?}");
    let lost: Vec<&&str> = named.iter().filter(|name| !known.contains(**name)).collect();
    assert!(lost.is_empty(), "no such tests: {lost:?}");
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|end| end == "rs") {
            out.push(path);
        }
    }
}

/// The workflow that people copy: least rights, nothing by tag, no two releases at once, and the page shows that very file.
#[test]
fn the_workflow_example_asks_for_little_and_pins_everything() {
    let text = page("docs/guide/examples/release.yml");
    assert!(
        page("docs/guide/github-actions.md").contains(&format!("```yaml\n{text}```\n")),
        "the page shows another file"
    );
    let workflow: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    assert_eq!(workflow["concurrency"]["cancel-in-progress"], false);
    let release = &workflow["jobs"]["release"];
    assert_eq!(
        release["permissions"],
        serde_json::json!({ "contents": "read", "id-token": "write", "packages": "write" })
    );
    let mut uses = 0;
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        assert!(job["permissions"].is_object() && job["timeout-minutes"].is_u64(), "{name}");
        for step in job["steps"].as_array().unwrap() {
            if let Some(action) = step["uses"].as_str() {
                let (_, pin) = action.split_once('@').unwrap();
                assert!(pin.len() == 40 && pin.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
                uses += 1;
            }
            // An expression inside a script is code that an event may write.
            assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
        }
    }
    assert!(uses > 0);
}
