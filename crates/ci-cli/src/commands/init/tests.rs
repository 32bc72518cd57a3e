#![allow(clippy::unwrap_used, clippy::expect_used)]

use ci_types::config::{NpmTests, ProjectKind};

use super::{Found, detect};
use crate::failure::Failure;

/// A repository of these files, without git.
fn look(files: &[(&str, &str)]) -> Result<Found, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let repo = folder.path().join("folder-name");
    std::fs::create_dir(&repo).unwrap();
    for (path, content) in files {
        let path = repo.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    detect(&repo)
}

const PACKAGE: &str = "[package]\nname = \"my-service\"\nversion = \"1.0.0\"\n";

#[test]
fn a_cargo_package_gives_name_program_and_only_files_that_are_there() {
    let files = [("Cargo.toml", PACKAGE), ("Cargo.lock", ""), ("src/main.rs", ""), ("README.md", ""), (".env", "")];
    let Found { detected, todo } = look(&files).unwrap();
    assert_eq!((detected.kind, detected.name.as_str()), (ProjectKind::Cargo, "my-service"));
    assert_eq!(detected.program.as_deref(), Some("my-service"));
    assert_eq!(detected.include, ["Cargo.lock", "Cargo.toml", "src/**"]);
    assert!(!detected.service);
    assert!(todo.is_empty(), "{todo:?}");
}

#[test]
fn an_explicit_binary_names_the_program() {
    let manifest =
        format!("{PACKAGE}[[bin]]\nname = \"served\"\npath = \"src/main.rs\"\n[dependencies]\naxum = \"0.8\"\n");
    let found = look(&[("Cargo.toml", &manifest), ("src/main.rs", "")]).unwrap();
    assert_eq!(found.detected.name, "my-service");
    assert_eq!(found.detected.program.as_deref(), Some("served"));
    assert!(found.detected.service);
    assert!(found.detected.include.contains(&"Cargo.lock".to_owned()));
    assert!(found.todo[0].contains("cargo generate-lockfile"), "{:?}", found.todo);
}

#[test]
fn a_library_without_program_is_refused_by_name() {
    let failure = look(&[("Cargo.toml", PACKAGE), ("src/lib.rs", "")]).err().unwrap();
    assert!(failure.message.contains("my-service has no program, only a library"), "{}", failure.message);
    assert!(failure.fix.unwrap().contains("src/main.rs"));
}

#[test]
fn a_workspace_member_with_a_program_is_built_by_package() {
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("Cargo.lock", ""),
        ("crates/lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
        ("crates/lib/src/lib.rs", ""),
        ("crates/app/Cargo.toml", "[package]\nname = \"app\"\ndefault-run = \"serve\"\n"),
        ("crates/app/src/bin/migrate.rs", ""),
        ("crates/app/src/bin/serve/main.rs", ""),
    ];
    let Found { detected, todo } = look(&files).unwrap();
    assert_eq!(detected.target.as_deref(), Some("app"));
    assert_eq!(detected.program.as_deref(), Some("serve"));
    assert_eq!(detected.include, ["Cargo.lock", "Cargo.toml", "crates/**"]);
    assert_eq!(todo, ["an image starts one program: `serve` was taken, not migrate"]);
}

#[test]
fn a_broken_manifest_is_named() {
    let failure = look(&[("Cargo.toml", "[package\n")]).err().unwrap();
    assert!(failure.message.starts_with("Cargo.toml cannot be read"), "{}", failure.message);
    let failure = look(&[("package.json", "{")]).err().unwrap();
    assert!(failure.message.starts_with("package.json cannot be read"), "{}", failure.message);
}

#[test]
fn a_go_module_is_called_by_its_last_element_without_the_version() {
    let files = [
        ("go.mod", "module example.org/team/hello/v2 // comment\n\ngo 1.22\n"),
        ("main.go", "package main\n\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n"),
        ("gen.go", "//go:build ignore\n\npackage main\n"),
        ("internal/greet/greet.go", "package greet\n"),
        ("docs/index.html", ""),
    ];
    let Found { detected, .. } = look(&files).unwrap();
    assert_eq!((detected.kind, detected.name.as_str()), (ProjectKind::Go, "hello"));
    assert_eq!((detected.program.as_deref(), detected.target.as_deref()), (Some("hello"), Some(".")));
    assert_eq!(detected.include, ["go.mod", "internal/**", "*.go"]);
    assert!(detected.service);
}

#[test]
fn a_go_program_below_cmd_is_the_one_built() {
    let files = [("go.mod", "module a.org/b\n"), ("cmd/serve/main.go", "package main\n"), ("lib.go", "package b\n")];
    let Found { detected, .. } = look(&files).unwrap();
    assert_eq!((detected.program.as_deref(), detected.target.as_deref()), (Some("serve"), Some("./cmd/serve")));
}

#[test]
fn a_go_library_is_refused() {
    let failure = look(&[("go.mod", "module a.org/b\n"), ("lib.go", "package b\n")]).err().unwrap();
    assert!(failure.message.contains("no package `main`"), "{}", failure.message);
}

#[test]
fn an_npm_project_tells_its_test_runner_and_what_is_missing() {
    let manifest = r#"{ "name": "@acme/web", "dependencies": {"ms": "2"}, "devDependencies": {"vitest": "3"} }"#;
    let Found { detected, todo } = look(&[("package.json", manifest), ("src/a.js", "")]).unwrap();
    assert_eq!((detected.name.as_str(), detected.npm_tests), ("acme/web", NpmTests::Vitest));
    assert_eq!(detected.include, ["Dockerfile", "package.json", "src/**", "package-lock.json"]);
    assert!(todo[0].contains("package-lock.json") && todo[1].contains("Dockerfile"), "{todo:?}");
}

#[test]
fn a_python_project_is_called_as_its_metadata_says() {
    let files =
        [("pyproject.toml", "[project]\nname = \"Acme.Greeter\"\n"), ("Dockerfile", ""), ("src/g/__init__.py", "")];
    let Found { detected, todo } = look(&files).unwrap();
    assert_eq!((detected.kind, detected.name.as_str()), (ProjectKind::Python, "Acme.Greeter"));
    assert!(todo.is_empty() && !detected.service);
    let poetry = look(&[("pyproject.toml", "[tool.poetry]\nname = \"old\"\n")]).unwrap();
    assert_eq!(poetry.detected.name, "old");
}

#[test]
fn unknown_projects_are_called_like_their_folder() {
    let found = look(&[("bin/run", "")]).unwrap();
    assert_eq!((found.detected.kind, found.detected.name.as_str()), (ProjectKind::Plain, "folder-name"));
    assert_eq!(found.detected.include, ["bin/**"]);
    assert!(look(&[]).unwrap().todo[0].contains("app/"));
}
