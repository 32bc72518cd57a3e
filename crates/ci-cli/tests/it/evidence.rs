//! Looking into bundles: what goes in comes out, byte for byte, and nowhere else.

use std::fs;

use serde_json::Value;

use crate::fixture::{Repo, files, text};

#[test]
fn unpack_and_pack_give_the_same_bytes() {
    let Some(repo) = Repo::new() else { return };
    let bundle = repo.accepted();
    let (folder, again) = (repo.root().join("unpacked"), repo.root().join("again.tar.zst"));
    repo.run(&["evidence", "unpack", text(&bundle), "--out", text(&folder)]).exits(0);
    repo.run(&["evidence", "pack", text(&folder), "--out", text(&again)]).exits(0);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&bundle).unwrap());
    repo.verify(&again, &[]).exits(0);
    // One byte in a file, one file more, one file less: all of it is noticed.
    let some = files(&folder).into_iter().find(|path| path.ends_with("junit.xml")).unwrap();
    let good = fs::read(&some).unwrap();
    for change in 0..3 {
        match change {
            0 => fs::write(&some, [&good[..], b" "].concat()).unwrap(),
            1 => fs::write(some.with_file_name("extra.xml"), &good).unwrap(),
            _ => fs::remove_file(&some).unwrap(),
        }
        repo.run(&["evidence", "pack", text(&folder), "--out", text(&again)]).exits(0);
        repo.verify(&again, &[]).exits(1).says("REJECTED");
        repo.run(&["evidence", "show", text(&again)]).exits(1);
        fs::write(&some, &good).unwrap();
        let _ = fs::remove_file(some.with_file_name("extra.xml"));
    }
}

#[test]
fn every_file_can_be_shown_and_every_kind_exported() {
    let Some(repo) = Repo::new() else { return };
    let bundle = repo.accepted();
    let folder = repo.root().join("unpacked");
    repo.run(&["evidence", "unpack", text(&bundle), "--out", text(&folder)]).exits(0);
    let manifest = repo.run(&["evidence", "show", text(&bundle), "--format", "json"]).exits(0).json();
    let listed = repo.run(&["evidence", "show", text(&bundle)]).exits(0).out;
    let of_manifest = |path: &std::path::PathBuf| path.ends_with("ci_m1_outputs.json");
    let release = files(&folder).into_iter().find(of_manifest).unwrap().parent().unwrap().to_owned();
    let entries = manifest["files"].as_array().unwrap();
    assert!(entries.len() >= 20);
    for entry in entries {
        let (path, kind) = (entry["path"].as_str().unwrap(), entry["kind"].as_str().unwrap());
        assert!(listed.contains(path) && listed.contains(kind));
        let content = fs::read(release.join(path)).unwrap();
        assert_eq!(repo.run(&["evidence", "show", text(&bundle), path]).exits(0).out.as_bytes(), content, "{path}");
        let exported = repo.root().join("exported");
        repo.run(&["evidence", "export", text(&bundle), kind, "--out", text(&exported)]).exits(0);
        if entries.iter().filter(|other| other["kind"] == entry["kind"]).count() == 1 {
            assert_eq!(fs::read(exported).unwrap(), content, "{kind}");
        }
    }
}

#[test]
fn a_kind_that_the_bundle_lacks_is_no_empty_file() {
    let Some(repo) = Repo::new() else { return };
    let bundle = repo.accepted();
    let out = repo.root().join("exported");
    repo.run(&["evidence", "export", text(&bundle), "overlay", "--out", text(&out)]).exits(1).says("holds no overlay");
    assert!(!out.exists());
}

#[test]
fn why_does_not_vouch_for_a_file_from_elsewhere() {
    let Some(repo) = Repo::new() else { return };
    let bundle = repo.accepted();
    let copy = repo.root().join("from-elsewhere.tar.zst");
    fs::copy(&bundle, &copy).unwrap();
    repo.run(&["why", text(&bundle)]).exits(0);
    repo.run(&["why", text(&copy)]).exits(3).says("NOT VERIFIED").says("--key FILE");
    repo.run(&["why", text(&copy), "--format", "github"]).exits(3).never_says("accepted app");
    let key = repo.root().join("lane.pub");
    fs::write(&key, repo.run(&["key", "public"]).exits(0).out).unwrap();
    repo.run(&["why", text(&copy), "--key", text(&key)]).exits(0).says("accepted for local");
    let other = repo.root().join("other.key");
    repo.run(&["key", "generate", "--out", text(&other)]).exits(0);
    repo.run(&["why", text(&copy), "--key", &format!("{}.pub", text(&other))]).exits(1).says("not a trusted key");
}

#[test]
fn unpack_never_writes_into_what_exists() {
    let Some(repo) = Repo::new() else { return };
    let bundle = repo.accepted();
    let folder = repo.root().join("there");
    fs::create_dir(&folder).unwrap();
    repo.run(&["evidence", "unpack", text(&bundle), "--out", text(&folder)]).exits(2).says("exists");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let dangling = repo.root().join("dangling");
    std::os::unix::fs::symlink(repo.root().join("elsewhere"), &dangling).unwrap();
    repo.run(&["evidence", "unpack", text(&bundle), "--out", text(&dangling)]).exits(2).says("exists");
    assert!(!repo.root().join("elsewhere").exists());
}

#[test]
fn a_bundle_with_escaping_paths_rejects_and_writes_nothing() {
    let Some(repo) = Repo::new() else { return };
    if !ci_testkit::require("zstd", "zstd") {
        return;
    }
    repo.accepted();
    let (evil, folder) = (repo.root().join("evil.tar.zst"), repo.root().join("unpacked"));
    let make = "mkdir -p e && echo x >e/x && tar --create --absolute-names --transform 's,^e/x,NAME,' e/x | zstd -q >evil.tar.zst";
    for name in ["../../escaped", "evidence-pack/../../escaped", "/tmp/ci-intel-escaped", "evidence-pack/a/..\\/../x"] {
        let _ = ci_testkit::run(repo.root(), "sh", &["-c", &make.replace("NAME", name)]);
        for command in ["show", "unpack"] {
            let mut arguments = vec!["evidence", command, text(&evil)];
            if command == "unpack" {
                arguments.extend(["--out", text(&folder)]);
            }
            repo.run(&arguments).exits(1);
        }
        repo.verify(&evil, &[]).exits(1);
        assert!(
            !folder.exists() && !repo.root().join("escaped").exists() && !fs::exists("/tmp/ci-intel-escaped").unwrap()
        );
    }
}

#[test]
fn why_finds_a_release_by_each_of_its_names() {
    let Some(repo) = Repo::new() else { return };
    let bundle = repo.accepted();
    let entry = repo.log()[0].clone();
    let digest = entry["digest"].as_str().unwrap().to_owned();
    let (tag, commit) = (repo.tag(), repo.head());
    let names = [
        tag.clone(),
        digest.clone(),
        digest["sha256:".len()..][..12].to_owned(),
        commit.clone(),
        commit[..7].to_owned(),
        entry["run_id"].as_str().unwrap().to_owned(),
        format!("app:{tag}"),
        format!("app@{digest}"),
        format!("app:{tag}@{digest}"),
        text(&bundle).to_owned(),
    ];
    for name in names {
        let run = repo.run(&["why", &name]).exits(0);
        for question in
            ["what      app:git-", "source    app at ", "lane      local", "identity  alice@", "gates     10 of 10"]
        {
            assert!(run.out.contains(question), "{name}: no `{question}` in\n{}", run.out);
        }
    }
    for unknown in ["git-0", "sha256:", "app", "", &digest["sha256:".len()..][..11], &commit[..6]] {
        repo.run(&["why", unknown]).exits(2).says("ci-intel history lists them");
    }
}

#[test]
fn why_says_the_shortest_path_and_it_leads_to_acceptance() {
    let Some(repo) = Repo::new() else { return };
    repo.script("ci/scan", "exit 0");
    repo.commit("Stop scanning");
    repo.release().exits(1);
    let run = repo.run(&["why", &repo.tag()]).exits(1);
    let steps: Vec<&str> = run.out.lines().skip_while(|line| !line.contains("the shortest path")).skip(1).collect();
    assert!(steps[0].trim().starts_with("1. "), "{}", run.out);
    assert_eq!(steps.iter().filter(|line| line.contains("ci-intel release")).count(), 1, "{}", run.out);
    let json = repo.run(&["why", &repo.tag(), "--format", "json"]).exits(1).json();
    assert!(json["denied_by"].as_array().unwrap().contains(&Value::from("evidence-complete")));
}

#[test]
fn why_says_when_a_bundle_is_gone() {
    let Some(repo) = Repo::new() else { return };
    fs::remove_file(repo.accepted()).unwrap();
    repo.run(&["why", &repo.tag()]).exits(1).says("is gone");
    repo.run(&["history", "--format", "html"]).exits(0).says("missing or damaged");
}
