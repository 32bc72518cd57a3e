//! Exactly the declared files of the commit.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use ci_agent::context::{ContextError, MaterialiseError, collect, materialise};
use ci_agent::source::source_state;
use ci_types::Digest;
use ci_types::config::Context;
use ci_types::record::{ContextManifest, SecretHit};

use super::fixture::{EPOCH, Repo, include_only};

fn try_collect(repo: &Repo, config: &Context) -> Result<ContextManifest, ContextError> {
    collect(&repo.root, &source_state(&repo.root, "n").unwrap(), config, &|_, _| Vec::new())
}

#[test]
fn files_are_listed_once_sorted_with_mode_size_and_digest() {
    let repo = Repo::new();
    repo.write("src/b.rs", "bb");
    repo.write("src/a.rs", "");
    repo.program("run.sh", "x");
    repo.link("src/l", "a.rs");
    repo.write("other", "no");
    repo.commit();
    let manifest = repo.context(&["src", "src/**", "run.sh"]);
    let files: Vec<_> = manifest.files.iter().map(|f| (f.path.as_str(), f.mode.as_str(), f.bytes)).collect();
    assert_eq!(files, [("run.sh", "0755", 1), ("src/a.rs", "0644", 0), ("src/b.rs", "0644", 2), ("src/l", "link", 4)]);
    assert_eq!(manifest.files[3].digest, Digest::of(b"a.rs"));
    assert_eq!(manifest.total_bytes, 7);
}

#[test]
fn a_pattern_that_matches_nothing_rejects() {
    let repo = Repo::with(&[("src/a", "1")]);
    match try_collect(&repo, &include_only(&["src", "srx/**"])) {
        Err(ContextError::NoMatch { pattern, .. }) => assert_eq!(pattern, "srx/**"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_untracked_match_rejects_and_is_named() {
    let repo = Repo::with(&[("src/a", "1"), (".gitignore", "*.o\n")]);
    repo.write("src/x.o", "ignored");
    assert_eq!(try_collect(&repo, &include_only(&["src"])).unwrap().files.len(), 1);
    repo.write("src/new", "1");
    let named = |result| match result {
        Err(ContextError::Untracked { path }) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(try_collect(&repo, &include_only(&["src"]))), "src/new");
    repo.git(&["add", "src/new"]);
    assert_eq!(named(try_collect(&repo, &include_only(&["src"]))), "src/new");
}

#[test]
fn an_ignored_file_named_literally_rejects() {
    let repo = Repo::with(&[("src/a", "1"), (".gitignore", "*.o\n")]);
    repo.write("x.o", "1");
    assert!(matches!(try_collect(&repo, &include_only(&["x.o"])), Err(ContextError::NoMatch { .. })));
}

#[test]
fn links_out_of_the_repository_reject() {
    for (path, target) in [("l", "/etc/passwd"), ("l", "../x"), ("d/l", "../../x"), ("l", "l")] {
        let repo = Repo::with(&[("d/a", "1")]);
        repo.link(path, target);
        repo.commit();
        let result = try_collect(&repo, &include_only(&["d", "l*"]));
        let only_d = try_collect(&repo, &include_only(&["d"]));
        let rejected = |r: &Result<_, _>| matches!(r, Err(ContextError::LinkEscapes { target: t, .. }) if t == target);
        assert!(rejected(&result) || rejected(&only_d), "{path} -> {target}: {result:?}");
    }
}

#[test]
fn a_directory_replaced_by_a_link_is_not_followed() {
    let repo = Repo::with(&[("d/a", "1"), ("e", "1")]);
    let outside = repo.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a"), "secret").unwrap();
    fs::remove_dir_all(repo.root.join("d")).unwrap();
    repo.link("d", outside.to_str().unwrap());
    // The link itself is untracked; ignoring it must not open the way through it.
    repo.write(".git/info/exclude", "d\n");
    assert!(matches!(try_collect(&repo, &include_only(&["d"])), Err(ContextError::Unusable { .. })));
}

#[test]
fn a_file_deleted_or_replaced_on_disk_rejects() {
    let repo = Repo::with(&[("a", "1"), ("b", "1")]);
    fs::remove_file(repo.root.join("a")).unwrap();
    assert!(matches!(try_collect(&repo, &include_only(&["a"])), Err(ContextError::Unusable { .. })));
    fs::remove_file(repo.root.join("b")).unwrap();
    repo.link("b", "/etc/passwd");
    assert!(matches!(try_collect(&repo, &include_only(&["b"])), Err(ContextError::Unusable { .. })));
}

#[test]
fn a_submodule_rejects() {
    let repo = Repo::with(&[("a", "1")]);
    let commit = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},lib/sub", commit.trim())]);
    repo.git(&["commit", "--quiet", "--message=sub"]);
    assert!(matches!(try_collect(&repo, &include_only(&["lib"])), Err(ContextError::Unusable { .. })));
}

#[test]
fn limits_reject_and_say_the_numbers() {
    let repo = Repo::with(&[("src/a", "123"), ("src/b", "456")]);
    let config = |max_files, max_bytes| Context { max_files, max_bytes, ..include_only(&["src"]) };
    assert!(try_collect(&repo, &config(2, 6)).is_ok());
    assert!(matches!(try_collect(&repo, &config(1, 6)), Err(ContextError::TooManyFiles { files: 2, limit: 1 })));
    assert!(matches!(try_collect(&repo, &config(2, 5)), Err(ContextError::TooManyBytes { limit: 5, .. })));
}

#[test]
fn every_file_is_searched_for_secrets() {
    let repo = Repo::with(&[("src/a", "ok"), ("src/b", "token")]);
    let source = source_state(&repo.root, "n").unwrap();
    let scan = |path: &str, bytes: &[u8]| match bytes {
        b"token" => vec![SecretHit { rule: "t".to_owned(), path: path.to_owned(), line: 1 }],
        _ => Vec::new(),
    };
    let manifest = collect(&repo.root, &source, &include_only(&["src"]), &scan).unwrap();
    assert_eq!(manifest.secrets.iter().map(|hit| hit.path.as_str()).collect::<Vec<_>>(), ["src/b"]);
}

#[test]
fn a_materialised_context_is_exact_whatever_the_modes_on_disk() {
    let repo = Repo::new();
    repo.write("src/deep/a", "1");
    repo.program("run", "2");
    repo.link("src/l", "deep/a");
    repo.write("not", "3");
    repo.commit();
    fs::set_permissions(repo.root.join("src/deep/a"), fs::Permissions::from_mode(0o600)).unwrap();
    let manifest = repo.context(&["src", "run"]);
    let dest = repo.temp.path().join("x/build");
    materialise(&manifest, &repo.root, &dest).unwrap();
    for (path, mode) in [("", 0o755), ("src", 0o755), ("src/deep", 0o755), ("src/deep/a", 0o644), ("run", 0o755)] {
        let meta = fs::symlink_metadata(dest.join(path)).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (mode, EPOCH), "{path}");
    }
    assert_eq!(fs::symlink_metadata(dest.join("src/l")).unwrap().mtime(), EPOCH);
    assert!(!dest.join("not").exists());
    assert!(matches!(materialise(&manifest, &repo.root, &dest), Err(MaterialiseError::NotFresh { .. })));
}

#[test]
fn a_file_changed_after_it_was_hashed_rejects() {
    let repo = Repo::with(&[("src/a", "1"), ("src/b", "1")]);
    let manifest = repo.context(&["src"]);
    repo.write("src/b", "2");
    match materialise(&manifest, &repo.root, &repo.temp.path().join("build")) {
        Err(MaterialiseError::Changed { path, .. }) => assert_eq!(path, "src/b"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_forged_manifest_path_rejects() {
    let repo = Repo::with(&[("a", "1")]);
    for path in ["../evil", "/evil", "a/../../evil", ""] {
        let mut manifest = repo.context(&["a"]);
        manifest.files[0].path = path.to_owned();
        let result = materialise(&manifest, &repo.root, &repo.temp.path().join(format!("b{}", path.len())));
        assert!(matches!(result, Err(MaterialiseError::BadEntry { .. })), "{path}: {result:?}");
    }
}
