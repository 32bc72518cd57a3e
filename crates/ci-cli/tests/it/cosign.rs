//! Keys, and that signatures verify with openssl alone: DSSE v1 over its pre-authentication encoding, PKCS#8 and SPKI PEM.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ci_testkit::{require, run};

use crate::fixture::{Repo, text};

#[test]
fn openssl_verifies_provenance_and_summary() {
    let Some(repo) = Repo::new() else { return };
    if !require("jq", "jq") {
        return;
    }
    let bundle = repo.accepted();
    let key = repo.public_key();
    for kind in ["provenance", "summary", "decision-signature"] {
        let envelope = repo.root().join("envelope.json");
        repo.run(&["evidence", "export", text(&bundle), kind, "--out", text(&envelope)]).exits(0);
        // PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body (DSSE v1, protocol.md)
        let script = "jq -r .payload envelope.json | base64 -d >body && t=$(jq -r .payloadType envelope.json) && \
            { printf 'DSSEv1 %d %s %d ' ${#t} \"$t\" $(stat -c %s body); cat body; } >pae && \
            jq -r '.signatures[0].sig' envelope.json | base64 -d >sig && \
            openssl dgst -sha256 -verify \"$KEY\" -signature sig pae";
        let script = script.replace("$KEY", text(&key));
        let output = run(repo.root(), "bash", &["-c", &script]);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "Verified OK", "{kind}");
        // A control: another body does not verify.
        let control = format!("echo x >>pae; {}", script.split(" && ").last().unwrap());
        let output =
            std::process::Command::new("bash").args(["-c", &control]).current_dir(repo.root()).output().unwrap();
        assert!(!output.status.success());
    }
}

#[test]
fn both_algorithms_release_and_verify() {
    for (algorithm, openssl) in [("ecdsa-p256", "prime256v1"), ("ed25519", "ED25519")] {
        let Some(repo) = Repo::new() else { return };
        let key = repo.root().join("release.key");
        let public = format!("{}.pub", text(&key));
        repo.run(&["key", "generate", "--out", text(&key), "--algorithm", algorithm])
            .exits(0)
            .says("key id      sha256:");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        for arguments in [
            &["pkey", "-noout", "-text", "-in", text(&key)][..],
            &["pkey", "-pubin", "-noout", "-text", "-in", &public],
        ] {
            let shown = run(Path::new("/"), "openssl", arguments);
            assert!(String::from_utf8_lossy(&shown.stdout).contains(openssl));
        }
        let printed = repo.run(&["key", "public", "--key", text(&key)]).exits(0);
        assert_eq!(printed.out, fs::read_to_string(&public).unwrap());
        let report = repo.run(&["release", "--key", text(&key), "--format", "json"]).exits(0).json();
        let bundle = report["bundle"].as_str().unwrap();
        repo.run(&["verify", bundle, "--key", &public]).exits(0).says("ACCEPTED");
        assert!(!repo.public_key().exists(), "a key was made although one was named");
    }
}

#[test]
fn a_key_made_by_openssl_releases_and_verifies() {
    let Some(repo) = Repo::new() else { return };
    let (key, public) = (repo.root().join("k.pem"), repo.root().join("k.pub"));
    let _ = run(
        repo.root(),
        "sh",
        &[
            "-c",
            "umask 077; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k.pem && openssl pkey -in k.pem -pubout -out k.pub",
        ],
    );
    let report = repo.run(&["release", "--key", text(&key), "--format", "json"]).exits(0).json();
    repo.run(&["verify", report["bundle"].as_str().unwrap(), "--key", text(&public)]).exits(0);
}

#[test]
fn a_key_is_never_overwritten() {
    let Some(repo) = Repo::new() else { return };
    let key = repo.root().join("release.key");
    repo.run(&["key", "generate", "--out", text(&key)]).exits(0);
    let before = fs::read(&key).unwrap();
    repo.run(&["key", "generate", "--out", text(&key)]).exits(2).says("never overwritten");
    assert_eq!(fs::read(&key).unwrap(), before);
    fs::remove_file(&key).unwrap();
    repo.run(&["key", "generate", "--out", text(&key)]).exits(2).says("release.key.pub exists");
    assert!(!key.exists());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let Some(repo) = Repo::new() else { return };
    let key = repo.root().join("release.key");
    repo.run(&["key", "generate", "--out", text(&key)]).exits(0);
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        repo.run(&["release", "--key", text(&key)]).exits(2).says("can be read by others").says("chmod 600");
    }
    repo.nothing_released();
}

#[test]
fn what_is_no_key_is_a_usage_error_that_does_not_quote_it() {
    let Some(repo) = Repo::new() else { return };
    let key = repo.root().join("release.key");
    for content in ["", "hello-not-a-key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        fs::write(&key, content).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        repo.run(&["release", "--key", text(&key)]).exits(2).says("release.key").never_says("hello-not-a-key");
    }
    // A private key where a public one belongs.
    let bundle = repo.accepted();
    let private = repo.root().join("home/.config/ci-intel/signing.key");
    repo.run(&["verify", text(&bundle), "--key", text(&private)]).exits(2).says("signing.key");
}
