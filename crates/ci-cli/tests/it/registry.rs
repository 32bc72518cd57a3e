//! Real images in real places, pulled back by other tools.

use std::collections::BTreeSet;
use std::path::Path;

use ci_testkit::{DebianRegistry, require, run};
use serde_json::Value;

use crate::fixture::{Repo, files, text};
use crate::negative_path::publish_to;

/// Lets the repository build with buildah instead.
fn with_buildah(repo: &Repo) -> bool {
    if !require("buildah", "buildah") {
        return false;
    }
    repo.config("engine: assemble", "engine: buildah");
    repo.config("include: ['bin/**', ", "include: [Dockerfile, 'bin/**', ");
    let path = repo.path().join(".ci-intel/config.yml");
    let config = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = config.split_once("  assemble:").unwrap();
    let (_, after) = rest.split_once("smoke:").unwrap();
    std::fs::write(path, format!("{before}smoke:{after}")).unwrap();
    repo.write(
        "Dockerfile",
        "FROM scratch\nCOPY bin/server /server\nCOPY Cargo.lock /usr/share/app/Cargo.lock\nENTRYPOINT [\"/server\"]\n",
    );
    repo.commit("Build with buildah");
    true
}

#[derive(Debug)]
struct Released {
    digest: String,
    bundle: String,
}

#[track_caller]
fn release(repo: &Repo) -> Released {
    let report = repo.run(&["release", "--format", "json"]).exits(0).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Released { digest: text(&report["decision"]["subject"]["digest"]), bundle: text(&report["bundle"]) }
}

/// Copies an image out with skopeo and demands that the copy has the digest.
fn pulls_back(repo: &Repo, source: &str, digest: &str) {
    let target = repo.root().join(format!("pulled-{}", files(repo.root()).len()));
    let to = format!("oci:{}:copy", target.display());
    let copy = ["copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", source, &to];
    let _ = run(repo.root(), "skopeo", &copy);
    let index: Value = serde_json::from_slice(&std::fs::read(target.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], digest);
}

fn get(url: &str, accept: &str) -> Value {
    let accept = format!("Accept: {accept}");
    let output = run(Path::new("/"), "curl", &["--silent", "--show-error", "--fail", "--header", &accept, url]);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Types of what the fallback tag lists (OCI distribution-spec 1.1, "Referrers tag schema").
fn fallback_types(host: &str, digest: &str) -> Vec<String> {
    let url = format!("http://{host}/v2/team/app/manifests/{}", digest.replace(':', "-"));
    let index = get(&url, "application/vnd.oci.image.index.v1+json");
    let types = index["manifests"].as_array().unwrap().iter().map(|entry| entry["artifactType"].as_str().unwrap());
    types.map(str::to_owned).collect()
}

const ATTACHED: [&str; 4] = [
    "application/spdx+json",
    "application/vnd.ci-intel.evidence-bundle.v1.tar+zstd",
    "application/vnd.cyclonedx+json",
    "application/vnd.in-toto+json",
];

fn releases_to_a_registry(repo: &Repo) {
    let Some(registry) = DebianRegistry::start() else { return };
    if !require("skopeo", "skopeo") {
        return;
    }
    let host = registry.host();
    publish_to(repo, &host);
    let tag = repo.tag();
    let first = release(repo);
    pulls_back(repo, &format!("docker://{host}/team/app@{}", first.digest), &first.digest);
    pulls_back(repo, &format!("docker://{host}/team/app:{tag}"), &first.digest);
    let types: BTreeSet<_> = fallback_types(&host, &first.digest).into_iter().collect();
    assert_eq!(types, ATTACHED.map(str::to_owned).into());
    repo.verify(Path::new(&first.bundle), &["--digest", &first.digest]).exits(0);

    // The same commit again: the same digest, the same tag, and no SBOM or image is stored twice.
    let again = release(repo);
    assert_eq!(again.digest, first.digest);
    let tags = get(&format!("http://{host}/v2/team/app/tags/list"), "*/*");
    let tags: BTreeSet<&str> = tags["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    assert_eq!(tags, [tag.as_str(), &first.digest.replace(':', "-")].into());
    let sboms = fallback_types(&host, &first.digest).iter().filter(|kind| kind.contains("cyclonedx")).count();
    assert_eq!(sboms, 1, "the same SBOM was attached twice");
}

#[test]
fn an_assembled_image_goes_to_a_registry_and_comes_back_by_digest() {
    let Some(repo) = Repo::new() else { return };
    releases_to_a_registry(&repo);
}

#[test]
fn a_buildah_image_goes_to_a_registry_and_comes_back_by_digest() {
    let Some(repo) = Repo::new() else { return };
    if with_buildah(&repo) {
        releases_to_a_registry(&repo);
    }
}

#[test]
fn both_engines_release_to_a_layout_that_skopeo_reads() {
    for buildah in [false, true] {
        let Some(repo) = Repo::new() else { return };
        if !require("skopeo", "skopeo") || (buildah && !with_buildah(&repo)) {
            return;
        }
        let released = release(&repo);
        let layout = repo.state().join("images");
        assert_eq!(repo.tags()[&repo.tag()], released.digest);
        pulls_back(&repo, &format!("oci:{}:{}", layout.display(), repo.tag()), &released.digest);
        let again = release(&repo);
        assert_eq!((again.digest, repo.tags().len()), (released.digest, 1));
    }
}

#[test]
fn the_bundle_in_the_registry_is_the_bundle_on_disk() {
    let (Some(repo), Some(registry)) = (Repo::new(), DebianRegistry::start()) else { return };
    let host = registry.host();
    publish_to(&repo, &host);
    let released = release(&repo);
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let url = format!("http://{host}/v2/team/app/manifests/{}", released.digest.replace(':', "-"));
    let index = get(&url, "application/vnd.oci.image.index.v1+json");
    let is_bundle = |entry: &&Value| entry["artifactType"] == ATTACHED[1];
    let entry = index["manifests"].as_array().unwrap().iter().find(is_bundle).unwrap();
    let manifest = get(&format!("http://{host}/v2/team/app/manifests/{}", entry["digest"].as_str().unwrap()), oci);
    assert_eq!(manifest["subject"]["digest"], released.digest);
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let pulled = repo.root().join("pulled.tar.zst");
    let url = format!("http://{host}/v2/team/app/blobs/{layer}");
    let _ = run(repo.root(), "curl", &["--silent", "--fail", "--output", text(&pulled), &url]);
    assert_eq!(std::fs::read(&pulled).unwrap(), std::fs::read(&released.bundle).unwrap());
    repo.verify(&pulled, &[]).exits(0);
}

#[test]
fn the_same_commit_gives_the_same_digest_elsewhere_at_another_time() {
    let (Some(one), Some(two)) = (Repo::new(), Repo::new()) else { return };
    let first = release(&one).digest;
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(release(&two).digest, first);
}
