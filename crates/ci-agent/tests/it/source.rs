//! Which commit, and is the tree that commit.

use ci_agent::source::{SourceError, source_state};

use super::fixture::{EPOCH, Repo};

#[test]
fn a_clean_repository_is_described() {
    let repo = Repo::with(&[("a", "1")]);
    repo.git(&["remote", "add", "origin", "git@github.com:org/app.git"]);
    let state = source_state(&repo.root, "name").unwrap();
    assert_eq!(state.commit, repo.git(&["rev-parse", "HEAD"]).trim());
    assert_eq!((state.committed_at.unix_s(), state.git_ref.as_str()), (EPOCH, "refs/heads/main"));
    assert_eq!((state.repository.as_str(), state.dirty.as_slice()), ("org/app", &[][..]));
}

#[test]
fn without_a_forge_the_project_name_stands_in_and_a_detached_head_is_head() {
    let repo = Repo::with(&[("a", "1")]);
    repo.git(&["checkout", "--quiet", "--detach"]);
    let state = source_state(&repo.root, "name").unwrap();
    assert_eq!((state.repository.as_str(), state.git_ref.as_str()), ("name", "HEAD"));
}

#[test]
fn every_kind_of_change_is_dirty() {
    let repo = Repo::with(&[("changed", "1"), ("gone", "1"), ("mode", "1"), ("old", "1"), (".gitignore", "ignored\n")]);
    repo.write("changed", "2");
    std::fs::remove_file(repo.root.join("gone")).unwrap();
    repo.program("mode", "1");
    repo.git(&["mv", "old", "new name"]);
    repo.write("dir/untracked", "1");
    repo.write("ignored", "1");
    repo.write(".ci-intel/state/log", "1");
    let dirty = source_state(&repo.root, "n").unwrap().dirty;
    assert_eq!(dirty, ["changed", "dir/untracked", "gone", "mode", "new name", "old"]);
}

#[test]
fn changes_that_git_was_told_to_overlook_are_dirty() {
    let repo = Repo::with(&[("a", "1"), ("b", "1"), ("c", "1")]);
    repo.git(&["update-index", "--assume-unchanged", "a"]);
    repo.git(&["update-index", "--skip-worktree", "b"]);
    repo.git(&["config", "core.fileMode", "false"]);
    repo.write("a", "2");
    repo.write("b", "2");
    repo.program("c", "1");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(source_state(&repo.root, "n").unwrap().dirty, ["a", "b", "c"]);
}

#[test]
fn programs_of_the_repository_are_not_run() {
    let repo = Repo::with(&[("a", "1")]);
    let mark = repo.temp.path().join("ran");
    repo.program("hook", format!("#!/bin/sh\ntouch {}\n", mark.display()));
    repo.git(&["config", "core.fsmonitor", "./hook"]);
    source_state(&repo.root, "n").unwrap();
    assert!(!mark.exists());
}

#[test]
fn a_replaced_commit_does_not_change_its_time() {
    let repo = Repo::with(&[("a", "1")]);
    let commit = repo.git(&["rev-parse", "HEAD"]);
    let text = repo.git(&["cat-file", "commit", "HEAD"]).replace(&EPOCH.to_string(), "5");
    repo.write("other", text);
    let other = repo.git(&["hash-object", "-t", "commit", "-w", "other"]);
    repo.git(&["replace", commit.trim(), other.trim()]);
    assert_eq!(source_state(&repo.root, "n").unwrap().committed_at.unix_s(), EPOCH);
}

#[test]
fn no_repository_no_commit_and_a_subdirectory_reject() {
    let temp = tempfile::TempDir::new().unwrap();
    assert!(matches!(source_state(temp.path(), "n"), Err(SourceError::NotARepository { .. })));
    assert!(matches!(source_state(&temp.path().join("absent"), "n"), Err(SourceError::Unreadable { .. })));
    assert!(matches!(source_state(&Repo::new().root, "n"), Err(SourceError::NoCommit { .. })));
    let repo = Repo::with(&[("dir/a", "1")]);
    let error = source_state(&repo.root.join("dir"), "n").unwrap_err();
    assert!(error.to_string().contains(&repo.root.display().to_string()), "{error}");
}
