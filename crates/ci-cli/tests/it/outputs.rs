//! What a release leaves for others: `--out`, step outputs, and after a dry run nothing.

use std::fs;

use crate::fixture::{Repo, files, text};

#[test]
fn a_dry_run_writes_nothing() {
    let Some(repo) = Repo::new() else { return };
    let before = files(repo.root());
    let run = repo.run(&["release", "--dry-run"]).exits(0);
    assert!(
        run.out.contains(&repo.head())
            && run.out.contains("with assemble, once")
            && run.out.contains("nothing was built or written")
    );
    assert!(run.out.contains("will be made by the first release"), "{}", run.out);
    let after = files(repo.root());
    // git may refresh its index; nothing else of the world has changed.
    assert_eq!(after, before);
    repo.run(&["release", "--dry-run", "--env", "prod"]).exits(1).says("there is no CI identity here");
    repo.write("bin/left-over", "x");
    repo.run(&["release", "--dry-run"]).exits(1).says("left-over");
    assert!(!repo.state().exists());
}

#[test]
fn a_dry_run_after_a_release_changes_nothing() {
    let Some(repo) = Repo::new() else { return };
    repo.accepted();
    let snapshot = || -> Vec<_> {
        let paths = files(&repo.state());
        paths.into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect()
    };
    let before = snapshot();
    repo.run(&["release", "--dry-run"]).exits(0);
    assert!(snapshot() == before);
}

#[test]
fn a_dry_run_says_that_the_layout_cannot_be_made() {
    let Some(repo) = Repo::new() else { return };
    repo.configure("publish: { target: 'oci-layout:Cargo.lock/images' }\n");
    repo.commit("Publish to nowhere");
    repo.run(&["release", "--dry-run"]).exits(2).says("Cargo.lock/images");
    fs::create_dir_all(repo.root().join("full")).unwrap();
    fs::write(repo.root().join("full/other"), "x").unwrap();
    repo.config("Cargo.lock/images", text(&repo.root().join("full")));
    repo.commit("Publish onto other files");
    repo.run(&["release", "--dry-run"]).exits(2).says("publish.target");
}

#[test]
fn out_gets_the_bundle_and_the_outputs() {
    let Some(repo) = Repo::new() else { return };
    let out = repo.root().join("deep/er/out");
    repo.run(&["release", "--out", text(&out)]).exits(0);
    let names: Vec<_> = files(&out).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        ["ci_m1_outputs.json".to_owned(), format!("evidence-{}.tar.zst", repo.tag()), "pipeline_run.ndjson".to_owned()]
    );
    repo.verify(&out.join(&names[1]), &[]).exits(0);
    let bundle = &repo.bundles()[0];
    assert_eq!(fs::read(out.join(&names[1])).unwrap(), fs::read(bundle).unwrap());
    let exported = repo.run(&["evidence", "export", text(bundle), "outputs"]).exits(0);
    assert_eq!(fs::read_to_string(out.join(&names[0])).unwrap(), exported.out);
    let telemetry = repo.run(&["evidence", "export", text(bundle), "pipeline-run"]).exits(0);
    assert_eq!(fs::read_to_string(out.join(&names[2])).unwrap(), telemetry.out);
}

#[test]
fn out_gets_the_bundle_of_a_rejected_release_too() {
    let Some(repo) = Repo::new() else { return };
    repo.script("ci/scan", "exit 0");
    repo.commit("Stop scanning");
    let out = repo.root().join("out");
    repo.run(&["release", "--out", text(&out)]).exits(1);
    repo.verify(&out.join(format!("evidence-{}.tar.zst", repo.tag())), &[]).exits(1).says("REJECTED");
}

#[test]
fn github_gets_step_outputs() {
    let Some(mut repo) = Repo::new() else { return };
    let file = repo.root().join("github-output");
    fs::write(&file, "earlier=1\n").unwrap();
    repo.env("GITHUB_OUTPUT", text(&file));
    let bundle = repo.accepted();
    let digest = repo.log()[0]["digest"].as_str().unwrap().to_owned();
    let expected = format!(
        "earlier=1\nverdict=accepted\ndigest={digest}\nreference=app:{}@{digest}\nbundle={}\n",
        repo.tag(),
        bundle.display()
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
}

#[test]
fn a_failed_release_says_so_in_its_step_outputs() {
    let Some(mut repo) = Repo::new() else { return };
    let file = repo.root().join("github-output");
    repo.env("GITHUB_OUTPUT", text(&file));
    repo.script("ci/scan", "exit 0");
    repo.commit("Stop scanning");
    repo.release().exits(1);
    assert!(fs::read_to_string(&file).unwrap().starts_with("verdict=rejected\n"));
    fs::remove_file(&file).unwrap();
    repo.write("bin/left-over", "x");
    repo.release().exits(1);
    assert_eq!(fs::read_to_string(&file).unwrap(), "verdict=rejected\n");
}

#[test]
fn groups_in_ci_logs_are_balanced() {
    let Some(mut repo) = Repo::new() else { return };
    repo.env("GITHUB_ACTIONS", "true");
    let good = repo.release().exits(0);
    repo.write("bin/left-over", "x");
    let bad = repo.release().exits(1);
    for run in [good, bad] {
        let count = |text: &str| run.err.lines().filter(|line| line.starts_with(text)).count();
        assert_eq!(count("::group::"), count("::endgroup::"), "{}", run.err);
        assert!(count("::group::") >= 1);
    }
}
