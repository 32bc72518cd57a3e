//! SIGKILL at any moment: the layout stays whole and keeps what it acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use ci_execute::ImageStore;
use ci_types::Digest;

use crate::support::{Image, layout};

const DIR: &str = "CI_ADAPTERS_TEST_CRASH_DIR";

/// The process to kill: writes images and tags for ever, and tells each one when it was acknowledged. Does nothing unless
/// the parent test starts it.
#[test]
fn crash_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = layout(dir.as_ref());
    let mut out = std::io::stdout();
    for number in 0.. {
        let image = Image::new(&format!("{}-{number}", std::process::id()));
        let digest = image.push(&store);
        writeln!(out, "\nstored {digest} -").unwrap();
        let tag = format!("t-{}-{number}", std::process::id());
        store.set_tag(&tag.parse().unwrap(), &digest).unwrap();
        writeln!(out, "\ntagged {digest} {tag}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn killed_writers_leave_a_whole_layout_with_everything_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("images");
    let mut acknowledged: Vec<(Digest, Option<String>)> = Vec::new();
    for round in 0..40_u64 {
        // Two at once: one dies while the other holds or wants the lock.
        let mut children: Vec<_> = (0..2)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "layout_crash::crash_child", "--nocapture", "--test-threads=1"])
                    .env(DIR, &path)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        std::thread::sleep(Duration::from_millis(25 + (round * 37) % 90));
        for child in &mut children {
            child.kill().unwrap();
        }
        for mut child in children {
            let stdout = child.stdout.take().unwrap();
            child.wait().unwrap();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The last line may be cut; a cut line was never acknowledged in full.
                let words: Vec<&str> = line.split(' ').collect();
                match words[..] {
                    ["stored", digest, "-"] => acknowledged.extend(digest.parse().map(|digest| (digest, None))),
                    ["tagged", digest, tag] => {
                        acknowledged.extend(digest.parse().map(|digest| (digest, Some(tag.to_owned()))));
                    }
                    _ => {}
                }
            }
        }
        if !path.join("oci-layout").exists() {
            continue;
        }
        let store = layout(&path);
        let listed = std::fs::read(path.join("index.json")).unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
        for entry in listed["manifests"].as_array().unwrap() {
            let digest: Digest = entry["digest"].as_str().unwrap().parse().unwrap();
            store.get_manifest(&digest).unwrap().unwrap();
        }
    }
    let store = layout(&path);
    assert!(acknowledged.len() > 50, "only {} writes in all rounds", acknowledged.len());
    for (digest, tag) in &acknowledged {
        assert!(store.get_manifest(digest).unwrap().is_some(), "{digest} was acknowledged");
        if let Some(tag) = tag {
            assert_eq!(store.resolve_tag(&tag.parse().unwrap()).unwrap(), Some(*digest), "{tag} was acknowledged");
        }
    }
    for entry in std::fs::read_dir(path.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let digest = Digest::from_hex(&entry.file_name().into_string().unwrap()).unwrap();
        assert_eq!(Digest::of(&std::fs::read(entry.path()).unwrap()), digest, "a blob under its name is whole");
    }
    assert_eq!(std::fs::read_dir(path.join(".ci-intel/tmp")).unwrap().count(), 0);
    println!("{} acknowledged writes survived 80 kills", acknowledged.len());
}
