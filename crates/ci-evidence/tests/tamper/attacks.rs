//! The attacks. Each is tried on every sample.

use std::io::Write as _;

use ci_evidence::keys::SigningKey;
use ci_evidence::{archive, dsse};
use ci_testkit::Unsealed;
use ci_testkit::release::{Release, junit};
use ci_types::record::{Decision, EvidenceKind};
use ci_types::{Digest, Environment, Timestamp, canonical};
use serde_json::{Value, json};

use crate::harness::Attack;
use crate::json::{self as leaf, EDITS};
use crate::sample::{Attempt, Sample, Seal, Verdict};

const SEALS: [Seal; 3] = [Seal::None, Seal::Untrusted, Seal::Trusted];
const ENVELOPES: [EvidenceKind; 4] =
    [EvidenceKind::Provenance, EvidenceKind::DecisionSignature, EvidenceKind::Summary, EvidenceKind::OverlaySignature];
/// All that follows from the decision.
const DERIVED: [EvidenceKind; 6] = [
    EvidenceKind::Outputs,
    EvidenceKind::Decision,
    EvidenceKind::DecisionSignature,
    EvidenceKind::Summary,
    EvidenceKind::LogEntry,
    EvidenceKind::PipelineRun,
];

pub(crate) fn all() -> Vec<Attack> {
    let reject = |name, attempts| Attack { name, attempts, expected: Verdict::Rejected };
    vec![
        Attack { name: "untouched_bundle_is_accepted", attempts: untouched, expected: Verdict::Accepted },
        reject("every_file_removed_rejects", files_removed),
        reject("every_file_emptied_rejects", files_emptied),
        reject("every_file_truncated_rejects", files_truncated),
        reject("every_file_with_a_byte_appended_rejects", files_extended),
        reject("every_file_with_a_byte_changed_rejects", files_flipped),
        reject("every_two_files_swapped_reject", files_swapped),
        reject("a_file_more_rejects", files_added),
        reject("every_json_leaf_changed_removed_or_doubled_rejects", leaves),
        reject("every_leaf_of_the_manifest_rejects", manifest_leaves),
        reject("every_leaf_inside_an_envelope_rejects", payload_leaves),
        reject("every_line_of_the_configuration_rejects", config_lines),
        reject("two_thousand_flips_of_the_archive_reject", archive_flips),
        reject("two_thousand_flips_of_the_tar_reject", tar_flips),
        reject("every_length_of_the_archive_rejects", archive_truncated),
        reject("other_frames_around_the_archive_reject", archive_frames),
        reject("every_part_signed_by_another_key_rejects", other_keys),
        reject("every_part_put_back_from_another_release_rejects", borrowed_parts),
        reject("an_older_decision_put_back_rejects", older_decision),
        reject("a_decision_for_another_environment_rejects", other_environment),
        reject("an_accepted_decision_on_rejected_evidence_rejects", spliced_decision),
        reject("another_bundle_with_the_same_tag_rejects", same_tag),
    ]
}

fn untouched(sample: &Sample) -> Vec<Attempt> {
    let again = |seal| Attempt::files(seal, "taken apart and put together", |_, _| {});
    let bytes = sample.bundle.clone();
    vec![Attempt::archive("as it is".to_owned(), move |_| bytes.clone()), again(Seal::None), again(Seal::Trusted)]
}

/// An attempt for every file and every seal. Manifest and its signature are made anew by a seal, so they only count without.
fn each_file(sample: &Sample, what: &str, change: fn(&mut Unsealed, &str)) -> Vec<Attempt> {
    let mut out = Vec::new();
    for path in sample.unsealed.files.keys() {
        for seal in SEALS {
            if seal != Seal::None && path.starts_with("manifest.") {
                continue;
            }
            let path = path.clone();
            out.push(Attempt::files(seal, &format!("{path} {what}"), move |_, files| change(files, &path)));
        }
    }
    out
}

fn content<'a>(files: &'a mut Unsealed, path: &str) -> &'a mut Vec<u8> {
    files.files.get_mut(path).unwrap()
}

fn files_removed(sample: &Sample) -> Vec<Attempt> {
    each_file(sample, "removed", |files, path| drop(files.files.remove(path)))
}

fn files_emptied(sample: &Sample) -> Vec<Attempt> {
    each_file(sample, "emptied", |files, path| content(files, path).clear())
}

fn files_truncated(sample: &Sample) -> Vec<Attempt> {
    let halved = each_file(sample, "halved", |files, path| {
        let half = content(files, path).len() / 2;
        content(files, path).truncate(half);
    });
    let cut = each_file(sample, "without its last byte", |files, path| {
        let length = content(files, path).len();
        content(files, path).truncate(length - 1);
    });
    halved.into_iter().chain(cut).collect()
}

fn files_extended(sample: &Sample) -> Vec<Attempt> {
    let mut out = each_file(sample, "with a newline", |files, path| content(files, path).push(b'\n'));
    out.extend(each_file(sample, "with a space", |files, path| content(files, path).push(b' ')));
    out.extend(each_file(sample, "with a NUL", |files, path| content(files, path).push(0)));
    out
}

fn files_flipped(sample: &Sample) -> Vec<Attempt> {
    let mut out = Vec::new();
    for (path, bytes) in &sample.unsealed.files {
        for at in (0..4).map(|part| part * bytes.len().saturating_sub(1) / 3) {
            for seal in SEALS {
                if seal != Seal::None && path.starts_with("manifest.") {
                    continue;
                }
                let path = path.clone();
                let what = format!("{path} byte {at}");
                out.push(Attempt::files(seal, &what, move |_, files| content(files, &path)[at] ^= 1));
            }
        }
    }
    out
}

fn files_swapped(sample: &Sample) -> Vec<Attempt> {
    let paths: Vec<&String> = sample.unsealed.files.keys().collect();
    let mut out = Vec::new();
    for (index, one) in paths.iter().enumerate() {
        for other in &paths[index + 1..] {
            // What the trusted key seals costs a whole replay; the neighbours are enough there.
            let seals: &[Seal] = match () {
                () if one.starts_with("manifest.") || other.starts_with("manifest.") => &[Seal::None],
                () if paths.get(index + 1) == Some(other) => &SEALS,
                () => &[Seal::None],
            };
            for seal in seals {
                let (one, other) = ((*one).clone(), (*other).clone());
                out.push(Attempt::files(*seal, &format!("{one} and {other} swapped"), move |_, files| {
                    let first = content(files, &one).clone();
                    let second = std::mem::replace(content(files, &other), first);
                    *content(files, &one) = second;
                }));
            }
        }
    }
    out
}

fn files_added(sample: &Sample) -> Vec<Attempt> {
    let mut out = vec![Attempt::files(Seal::None, "a stray file", |_, files| {
        files.files.insert("logs/stray.log".to_owned(), b"x".to_vec());
    })];
    for kind in EvidenceKind::ALL {
        for path in ["logs/more.log", "tests/more.xml", "scans/more.json", "identity/issuer-keys.json"] {
            if sample.unsealed.files.contains_key(path) {
                continue;
            }
            let what = format!("{path} as {kind}");
            out.push(Attempt::files(Seal::Trusted, &what, move |_, files| {
                let mut entry = files.manifest.files[0].clone();
                (entry.path, entry.kind) = (path.to_owned(), kind);
                entry.media_type = ci_evidence::layout::media_type(kind).to_owned();
                files.manifest.files.push(entry);
                files.manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
                files.files.insert(path.to_owned(), b"{}".to_vec());
            }));
        }
    }
    out
}

/// The JSON documents, the lines of NDJSON among them: path, document, and what follows it.
fn documents(sample: &Sample) -> Vec<(String, Value, &'static [u8])> {
    let files = sample.unsealed.files.iter();
    files
        .filter(|(path, _)| !path.starts_with("manifest."))
        .filter_map(|(path, bytes)| {
            let document = serde_json::from_slice(bytes).ok()?;
            let tail: &[u8] = if bytes.ends_with(b"\n") { b"\n" } else { b"" };
            Some((path.clone(), document, tail))
        })
        .collect()
}

fn leaves(sample: &Sample) -> Vec<Attempt> {
    let mut out = Vec::new();
    for (path, document, tail) in documents(sample) {
        for place in leaf::leaves(&document) {
            for edit in EDITS {
                let Some(mut bytes) = leaf::edited(&document, &place, edit) else { continue };
                bytes.extend_from_slice(tail);
                if bytes == sample.unsealed.files[&path] {
                    continue;
                }
                for seal in SEALS {
                    let (path, bytes) = (path.clone(), bytes.clone());
                    let what = format!("{edit:?} {path}{}", leaf::shown(&place));
                    out.push(Attempt::files(seal, &what, move |_, files| *content(files, &path) = bytes.clone()));
                }
            }
        }
    }
    out
}

/// The manifest itself, changed and then signed, by a stranger and by the trusted key.
fn manifest_leaves(sample: &Sample) -> Vec<Attempt> {
    let document = serde_json::to_value(&sample.unsealed.manifest).unwrap();
    let mut out = Vec::new();
    for place in leaf::leaves(&document) {
        for edit in EDITS {
            let Some(bytes) = leaf::edited(&document, &place, edit) else { continue };
            for seal in SEALS {
                let bytes = bytes.clone();
                let what = format!("{edit:?} manifest{} (seal: {seal:?})", leaf::shown(&place));
                out.push(Attempt::archive(what, move |sample| {
                    let mut files = sample.unsealed.clone();
                    files.files.insert("manifest.json".to_owned(), bytes.clone());
                    let key = match seal {
                        Seal::None => return files.pack(),
                        Seal::Untrusted => &sample.stranger,
                        Seal::Trusted => &sample.key,
                    };
                    let signature = dsse::seal(dsse::MANIFEST, &bytes, key).unwrap();
                    files.files.insert("manifest.dsse.json".to_owned(), signature);
                    files.pack()
                }));
            }
        }
    }
    out
}

fn payload_type(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::DecisionSignature => dsse::DECISION,
        EvidenceKind::OverlaySignature => dsse::OVERLAY,
        _ => dsse::IN_TOTO,
    }
}

fn payload(files: &Unsealed, kind: EvidenceKind) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let envelope: dsse::Envelope = serde_json::from_slice(&files.files[&files.entry(kind)?.path]).unwrap();
    Some(base64::engine::general_purpose::STANDARD.decode(envelope.payload).unwrap())
}

/// What an envelope says, changed and then signed by the trusted key.
fn payload_leaves(sample: &Sample) -> Vec<Attempt> {
    let mut out = Vec::new();
    for kind in ENVELOPES {
        let Some(bytes) = payload(&sample.unsealed, kind) else { continue };
        let Ok(document) = serde_json::from_slice::<Value>(&bytes) else { continue };
        for place in leaf::leaves(&document) {
            for edit in EDITS {
                let Some(bytes) = leaf::edited(&document, &place, edit) else { continue };
                let what = format!("{edit:?} {kind} payload{}", leaf::shown(&place));
                out.push(Attempt::files(Seal::Trusted, &what, move |sample, files| {
                    *files.content(kind) = dsse::seal(payload_type(kind), &bytes, &sample.key).unwrap();
                }));
            }
        }
    }
    out
}

fn config_lines(sample: &Sample) -> Vec<Attempt> {
    let mut out = Vec::new();
    for kind in [EvidenceKind::Config, EvidenceKind::Overlay] {
        let Some(entry) = sample.unsealed.entry(kind) else { continue };
        let text = String::from_utf8(sample.unsealed.files[&entry.path].clone()).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for index in 0..lines.len() {
            let without = [&lines[..index], &lines[index + 1..]].concat().concat();
            let twice = [&lines[..=index], &lines[index..]].concat().concat();
            let commented = [&lines[..index], &["#"], &lines[index..]].concat().concat();
            for (edit, bytes) in [("without", without), ("twice", twice), ("commented out", commented)] {
                let bytes = bytes.into_bytes();
                for seal in SEALS {
                    let (what, bytes) = (format!("{kind} line {index} {edit}"), bytes.clone());
                    out.push(Attempt::files(seal, &what, move |_, files| *files.content(kind) = bytes.clone()));
                }
            }
        }
    }
    out
}

/// A fixed sequence (SplitMix64): every run tries the same.
fn random(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    })
}

const FLIPS: usize = 2_000;

fn flips(length: usize, seed: u64) -> impl Iterator<Item = (usize, u8)> {
    random(seed).take(FLIPS).map(move |random| {
        let at = usize::try_from(random >> 8).unwrap() % length;
        // Never zero: every flip changes something.
        (at, u8::try_from(random & 0xFF).unwrap().max(1))
    })
}

fn archive_flips(sample: &Sample) -> Vec<Attempt> {
    flips(sample.bundle.len(), 1)
        .map(|(at, mask)| {
            Attempt::archive(format!("archive byte {at} ^ {mask:#04x}"), move |sample| {
                let mut bytes = sample.bundle.clone();
                bytes[at] ^= mask;
                bytes
            })
        })
        .collect()
}

/// A tar in the container, with a trailer that fits: what the container itself cannot notice.
fn contain(tar: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(tar).unwrap();
    with_trailer(encoder.finish().unwrap())
}

fn with_trailer(mut body: Vec<u8>) -> Vec<u8> {
    let digest = Digest::of(&body);
    body.extend_from_slice(&[0x5C, 0x2A, 0x4D, 0x18]);
    body.extend_from_slice(&40_u32.to_le_bytes());
    body.extend_from_slice(b"ci-intel");
    body.extend_from_slice(digest.as_bytes());
    body
}

fn tar(bundle: &[u8]) -> Vec<u8> {
    let body = &bundle[..bundle.len() - 48];
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut zstd::stream::read::Decoder::new(body).unwrap().single_frame(), &mut tar).unwrap();
    tar
}

fn tar_flips(sample: &Sample) -> Vec<Attempt> {
    let tar = std::sync::Arc::new(tar(&sample.bundle));
    flips(tar.len(), 2)
        .map(|(at, mask)| {
            let tar = tar.clone();
            Attempt::archive(format!("tar byte {at} ^ {mask:#04x}"), move |_| {
                let mut bytes = tar.to_vec();
                bytes[at] ^= mask;
                contain(&bytes)
            })
        })
        .collect()
}

fn archive_truncated(sample: &Sample) -> Vec<Attempt> {
    let step = (sample.bundle.len() / 500).max(1);
    let ends = sample.bundle.len().saturating_sub(64)..sample.bundle.len();
    (0..sample.bundle.len())
        .step_by(step)
        .chain(ends)
        .map(|length| Attempt::archive(format!("first {length} bytes"), move |sample| sample.bundle[..length].to_vec()))
        .collect()
}

fn archive_frames(sample: &Sample) -> Vec<Attempt> {
    let attempt = |what: &str, change: fn(&Sample) -> Vec<u8>| Attempt::archive(what.to_owned(), change);
    // The container that these are wrapped in is one that opens.
    assert!(archive::unpack(&contain(&tar(&sample.bundle))).is_ok());
    vec![
        attempt("the bundle twice", |s| [s.bundle.as_slice(), &s.bundle].concat()),
        attempt("a byte before", |s| [&[0], s.bundle.as_slice()].concat()),
        attempt("a byte after", |s| [s.bundle.as_slice(), &[0]].concat()),
        attempt("without its trailer", |s| s.bundle[..s.bundle.len() - 48].to_vec()),
        attempt("two frames", |s| {
            let frame = &s.bundle[..s.bundle.len() - 48];
            with_trailer([frame, frame].concat())
        }),
        attempt("a skippable frame before the trailer", |s| {
            let frame = &s.bundle[..s.bundle.len() - 48];
            with_trailer([frame, &[0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]].concat())
        }),
        attempt("an empty frame", |_| contain(&[])),
        attempt("bytes after the tar", |s| contain(&[tar(&s.bundle), vec![0; 512]].concat())),
        attempt("the tar without its end", |s| {
            let tar = tar(&s.bundle);
            contain(&tar[..tar.len() - 1024])
        }),
        attempt("two tars", |s| contain(&[tar(&s.bundle), tar(&s.bundle)].concat())),
        attempt("two releases", |s| {
            let mut files = archive::unpack(&s.bundle).unwrap();
            let other: Vec<_> =
                files.iter().map(|(path, bytes)| (path.replacen("release-", "release-x", 1), bytes.clone())).collect();
            files.extend(other);
            archive::pack(&files).unwrap()
        }),
        attempt("nothing", |_| Vec::new()),
    ]
}

fn other_keys(_: &Sample) -> Vec<Attempt> {
    let mut out = vec![Attempt::files(Seal::Untrusted, "the manifest", |_, _| {})];
    // The envelope claims the trusted key; only its signature is another's.
    fn claim(envelope: Vec<u8>, claimed: &SigningKey) -> Vec<u8> {
        let mut envelope: Value = serde_json::from_slice(&envelope).unwrap();
        envelope["signatures"][0]["keyid"] = json!(claimed.verifying_key().id().unwrap());
        canonical::to_vec(&envelope).unwrap()
    }
    for kind in ENVELOPES {
        for (claimed, seal) in [(false, Seal::Trusted), (true, Seal::Trusted), (false, Seal::Untrusted)] {
            out.push(Attempt::files(
                seal,
                &format!("{kind}, claiming the trusted key: {claimed}"),
                move |sample, files| {
                    let Some(payload) = payload(files, kind) else {
                        // Not in this sample: the manifest's own signature instead.
                        return files.manifest.run_id.push('x');
                    };
                    let envelope = dsse::seal(payload_type(kind), &payload, &sample.stranger).unwrap();
                    *files.content(kind) = if claimed { claim(envelope, &sample.key) } else { envelope };
                },
            ));
        }
    }
    out.push(Attempt::archive("the manifest, claiming the trusted key".to_owned(), |sample| {
        let mut files = sample.unsealed.clone();
        files.sign(&sample.stranger);
        let signature = files.files.remove("manifest.dsse.json").unwrap();
        files.files.insert("manifest.dsse.json".to_owned(), claim(signature, &sample.key));
        files.pack()
    }));
    // Every signature there is, by one stranger: a bundle that is right in itself.
    out.push(Attempt::archive("the whole bundle".to_owned(), |sample| {
        let mut release = (sample.release)();
        release.key = crate::sample::key(13);
        release.bundle()
    }));
    out
}

/// The same release at another time, by another run: all of it good, none of it this one's.
fn another(sample: &Sample) -> Unsealed {
    let mut release = (sample.release)();
    release.now = Timestamp::from_unix_s(release.now.unix_s() - 20).unwrap();
    release.junit = junit(&[("another", ""), ("test", "")]);
    release.smoke.duration_ms += 1;
    Unsealed::of(&release.bundle())
}

fn borrow(files: &mut Unsealed, other: &mut Unsealed, kind: EvidenceKind) {
    files.content(kind).clone_from(other.content(kind));
}

fn borrowed_parts(sample: &Sample) -> Vec<Attempt> {
    let mut other = another(sample);
    let mut ours = sample.unsealed.clone();
    let mut out = Vec::new();
    for kind in EvidenceKind::ALL {
        if ours.entry(kind).is_none() || ours.content(kind) == other.content(kind) {
            continue;
        }
        for seal in SEALS {
            let bytes = other.content(kind).clone();
            let what = format!("{kind} of another release");
            out.push(Attempt::files(seal, &what, move |_, files| files.content(kind).clone_from(&bytes)));
        }
    }
    out
}

/// One part of the decision, or all of them, from an older run.
fn older_decision(sample: &Sample) -> Vec<Attempt> {
    let mut out = Vec::new();
    for count in 1..=DERIVED.len() {
        for start in 0..=DERIVED.len() - count {
            let kinds = &DERIVED[start..start + count];
            for seal in SEALS {
                let mut other = another(sample);
                let parts: Vec<(EvidenceKind, Vec<u8>)> =
                    kinds.iter().map(|kind| (*kind, other.content(*kind).clone())).collect();
                out.push(Attempt::files(seal, &format!("{kinds:?} of an older run"), move |_, files| {
                    parts.iter().for_each(|(kind, bytes)| files.content(*kind).clone_from(bytes));
                }));
            }
        }
    }
    // As above, and the manifest's time is the older one too.
    let other = another(sample);
    out.push(Attempt::files(Seal::Trusted, "all of an older decision and its time", move |_, files| {
        files.manifest.created_at = other.manifest.created_at;
        DERIVED.iter().for_each(|kind| borrow(files, &mut other.clone(), *kind));
    }));
    out
}

/// The same release decided for another environment, as a whole, and its decision alone in this bundle.
fn other_environment(sample: &Sample) -> Vec<Attempt> {
    let mut out = Vec::new();
    for environment in Environment::ALL.into_iter().filter(|other| *other != sample.environment()) {
        out.push(Attempt::archive(format!("decided for {environment}"), move |sample| {
            let mut release = (sample.release)();
            release.environment = environment;
            release.bundle()
        }));
        for seal in SEALS {
            out.push(Attempt::files(seal, &format!("the decision for {environment}"), move |sample, files| {
                let mut release = (sample.release)();
                release.environment = environment;
                let mut other = Unsealed::of(&release.bundle());
                DERIVED.iter().for_each(|kind| borrow(files, &mut other, *kind));
            }));
        }
        out.push(Attempt::files(Seal::Trusted, &format!("only the word {environment}"), move |sample, files| {
            let mut decision: Decision = canonical::from_slice(files.content(EvidenceKind::Decision)).unwrap();
            decision.environment = environment;
            let bytes = canonical::to_vec(&decision).unwrap();
            *files.content(EvidenceKind::DecisionSignature) = dsse::seal(dsse::DECISION, &bytes, &sample.key).unwrap();
            *files.content(EvidenceKind::Decision) = bytes;
        }));
    }
    out
}

/// Evidence that rejects, with the decision of evidence that did not.
fn spliced_decision(_: &Sample) -> Vec<Attempt> {
    type Spoil = fn(&mut Release);
    let bad: [(&str, Spoil); 5] = [
        ("a failed test", |r| r.junit = junit(&[("fails", "<failure/>")])),
        ("a dirty tree", |r| r.context.source.dirty.push("src/app".to_owned())),
        ("a critical finding", |r| r.scan = ci_testkit::release::sarif(&[("CVE-1", "9.8")])),
        ("a failed probe", |r| r.smoke.probes[0].passed = false),
        ("a refused permission", |r| r.identity.permissions[0].granted = false),
    ];
    let mut out = Vec::new();
    for (what, change) in bad {
        for seal in SEALS {
            out.push(Attempt::files(seal, &format!("{what}, accepted all the same"), move |sample, files| {
                let mut release = (sample.release)();
                change(&mut release);
                let mut rejected = Unsealed::of(&release.bundle());
                DERIVED.iter().for_each(|kind| borrow(&mut rejected, files, *kind));
                *files = rejected;
            }));
        }
        out.push(Attempt::archive(format!("{what}, as it is"), move |sample| {
            let mut release = (sample.release)();
            change(&mut release);
            release.bundle()
        }));
    }
    out
}

/// Another image's bundle, good in itself, under this tag: whole, where the caller asks for this digest, and its parts.
fn same_tag(sample: &Sample) -> Vec<Attempt> {
    let mut out = Vec::new();
    for kind in EvidenceKind::ALL.into_iter().filter(|kind| sample.unsealed.entry(*kind).is_some()) {
        let mut other = other_image(sample);
        if other.content(kind) == sample.unsealed.clone().content(kind) {
            continue;
        }
        for seal in SEALS {
            let bytes = other.content(kind).clone();
            let what = format!("{kind} of the same tag");
            out.push(Attempt::files(seal, &what, move |_, files| files.content(kind).clone_from(&bytes)));
        }
    }
    out
}

fn other_image(sample: &Sample) -> Unsealed {
    let mut release = (sample.release)();
    let mut manifest: Value = serde_json::from_slice(&release.image_manifest).unwrap();
    manifest["annotations"] = json!({ "other": "yes" });
    release.image_manifest = canonical::to_vec(&manifest).unwrap();
    let digest = Digest::of(&release.image_manifest);
    let grown = release.image_manifest.len() as u64 - release.publication.manifest_bytes;
    let publication = &mut release.publication;
    (publication.built, publication.published, publication.read_back) = (digest, digest, digest);
    publication.subject.digest = digest;
    publication.manifest_bytes += grown;
    publication.artifact_bytes += grown;
    release.smoke.image = digest;
    release.determinism.runs.iter_mut().for_each(|run| run.manifest = digest);
    if let Some(claims) = &mut release.claims {
        claims.aud = ci_evidence::verifiers::audience(&digest);
    }
    Unsealed::of(&release.bundle())
}
