//! What we write is read by programs that are not ours: openssl verifies, tar and zstd unpack, jq parses.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ci_evidence::dsse::{self, Envelope};
use ci_evidence::keys::{Algorithm, SigningKey};
use ci_testkit::release::Release;
use ci_testkit::{Unsealed, require, run};
use ci_types::record::EvidenceKind;

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Writes what openssl needs to verify an envelope: the encoding that is signed, the signature, the public key.
fn lay_out(folder: &Path, envelope: &[u8], key: &SigningKey) {
    let envelope: Envelope = serde_json::from_slice(envelope).unwrap();
    let payload = STANDARD.decode(&envelope.payload).unwrap();
    write(folder, "signed", &dsse::pae(&envelope.payload_type, &payload));
    write(folder, "signature", &STANDARD.decode(&envelope.signatures[0].sig).unwrap());
    write(folder, "key.pem", key.verifying_key().to_pem().unwrap().as_bytes());
}

#[test]
fn openssl_verifies_every_envelope_of_a_bundle() {
    if !require("openssl", "openssl") {
        return;
    }
    let release = Release::authoritative();
    let mut bundle = Unsealed::of(&release.bundle());
    let kinds = [EvidenceKind::Provenance, EvidenceKind::DecisionSignature, EvidenceKind::Summary];
    let mut envelopes: Vec<Vec<u8>> = kinds.iter().map(|kind| bundle.content(*kind).clone()).collect();
    envelopes.push(bundle.files["manifest.dsse.json"].clone());
    for envelope in envelopes {
        let folder = tempfile::tempdir().unwrap();
        lay_out(folder.path(), &envelope, &release.key);
        let verify = ["dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "signed"];
        assert_eq!(text(&run(folder.path(), "openssl", &verify).stdout).trim(), "Verified OK");
        write(folder.path(), "signed", b"something else");
        let refused = std::process::Command::new("openssl").args(verify).current_dir(folder.path()).output().unwrap();
        assert!(!refused.status.success(), "openssl tells the difference");
    }
}

#[test]
fn openssl_verifies_ed25519_envelopes() {
    if !require("openssl", "openssl") {
        return;
    }
    let key = SigningKey::from_seed(Algorithm::Ed25519, &[3; 32]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path(), &dsse::seal(dsse::IN_TOTO, b"{}", &key).unwrap(), &key);
    let verify =
        ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "signed", "-sigfile", "signature"];
    assert!(text(&run(folder.path(), "openssl", &verify).stdout).contains("Verified Successfully"));
}

#[test]
fn an_envelope_that_openssl_signed_opens() {
    if !require("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let make = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"];
    assert!(run(folder.path(), "openssl", &make).status.success());
    let key = SigningKey::from_pem(&std::fs::read_to_string(folder.path().join("key.pem")).unwrap()).unwrap();
    write(folder.path(), "signed", &dsse::pae(dsse::IN_TOTO, b"{}"));
    // openssl's signatures are not deterministic and half of them have the high `s`, which is refused: sign until one is low.
    for _ in 0..64 {
        let signed = run(folder.path(), "openssl", &["dgst", "-sha256", "-sign", "key.pem", "signed"]).stdout;
        let envelope = Envelope {
            payload: STANDARD.encode(b"{}"),
            payload_type: dsse::IN_TOTO.to_owned(),
            signatures: vec![dsse::Signature {
                keyid: key.verifying_key().id().unwrap(),
                sig: STANDARD.encode(signed),
            }],
        };
        let bytes = ci_types::canonical::to_vec(&envelope).unwrap();
        if dsse::open(&bytes, dsse::IN_TOTO, &[key.verifying_key()]).is_ok() {
            return;
        }
    }
    panic!("no signature of openssl was accepted");
}

#[test]
fn tar_and_zstd_unpack_a_bundle_and_jq_reads_its_manifest() {
    if !require("tar", "tar") || !require("zstd", "zstd") || !require("jq", "jq") {
        return;
    }
    let release = Release::authoritative();
    let bundle = release.bundle();
    let unsealed = Unsealed::of(&bundle);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "bundle.tar.zst", &bundle);
    let listed = text(&run(folder.path(), "tar", &["--zstd", "-tf", "bundle.tar.zst"]).stdout);
    let expected: Vec<String> =
        unsealed.files.keys().map(|path| format!("evidence-pack/{}/{path}", unsealed.folder)).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    assert!(run(folder.path(), "tar", &["--zstd", "-xf", "bundle.tar.zst"]).status.success());
    let root = folder.path().join("evidence-pack").join(&unsealed.folder);
    for (path, bytes) in &unsealed.files {
        assert_eq!(std::fs::read(root.join(path)).unwrap(), *bytes, "{path}");
    }
    let digest = text(&run(&root, "jq", &["-r", ".subject.digest", "manifest.json"]).stdout);
    assert_eq!(digest.trim(), release.publication.subject.digest.to_string());
    let count = text(&run(&root, "jq", &[".files | length", "manifest.json"]).stdout);
    assert_eq!(count.trim(), unsealed.manifest.files.len().to_string());
}
