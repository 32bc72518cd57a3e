//! Engine `assemble`.

use std::fs;
use std::process::Command;

use ci_agent::dual::DualError;
use ci_agent::engine::{BaseError, BuildError, base_known, verify_layout};
use ci_types::Digest;
use ci_types::config::{AssembleFile, Build};

use super::fixture::{EPOCH, Repo, assemble, file, have, top_layer, words};

/// The image of [`golden_repo`]. It changes only with a decision: users' digests change with it.
const GOLDEN: &str = "sha256:f4bb55c52629e53a44b10dd74eface9a1a1acf106528579bca012a3e86fe925b";

fn golden_repo(reversed: bool) -> Repo {
    let repo = Repo::new();
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("bin/app".to_owned(), b"#!/bin/sh\necho hello\n".to_vec()),
        ("share/empty".to_owned(), Vec::new()),
        // Enough for the compressor to choose.
        ("share/big".to_owned(), (0..200_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect()),
        ("share/gr\u{fc}n".to_owned(), b"not ASCII".to_vec()),
        (format!("share/{}/{}", "d".repeat(120), "n".repeat(120)), b"long".to_vec()),
    ];
    if reversed {
        files.reverse();
    }
    for (path, content) in &files {
        repo.write(path, content);
    }
    repo.program("bin/app", &files.iter().find(|(path, _)| path == "bin/app").unwrap().1);
    repo.link("share/link", "big");
    repo.commit();
    repo
}

fn golden_config() -> Build {
    let mut config =
        assemble(&["bin", "share"], vec![file("bin/app", "/usr/bin/app"), file("share", "/usr/share/app/")]);
    config.assemble.env.insert("A".to_owned(), "1".to_owned());
    config.assemble.labels.insert("org.opencontainers.image.title".to_owned(), "app".to_owned());
    config.assemble.user = Some("65532:65532".to_owned());
    config.assemble.ports = words(&["8080"]);
    config.assemble.workdir = Some("/work".to_owned());
    config.assemble.cmd = words(&["--serve"]);
    config
}

#[test]
fn golden() {
    let image =
        golden_repo(std::env::var_os("GOLDEN_REVERSED").is_some()).build("out", &golden_config()).0.unwrap().image;
    assert_eq!(image.manifest.digest.to_string(), GOLDEN);
}

/// Runs [`golden`] in a process of its own, which checks the same constant.
fn golden_as(wrapper: &[&str], env: &[(&str, &str)]) {
    let temp = tempfile::TempDir::new().unwrap();
    // Readable for other users, whatever the target directory is.
    let place = temp.path().join("a-directory-of-another-length");
    fs::create_dir(&place).unwrap();
    let exe = temp.path().join("it");
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    for (path, mode) in [(temp.path(), 0o755), (&place, 0o777), (&exe, 0o755)] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let exe = exe.to_string_lossy().into_owned();
    let argv: Vec<&str> = wrapper.iter().copied().chain([exe.as_str(), "--exact", "assemble::golden"]).collect();
    let mut command = Command::new(argv[0]);
    let output = command.args(&argv[1..]).env("TMPDIR", &place).envs(env.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn another_directory_time_zone_and_locale_give_the_same_digest() {
    golden_as(&["env"], &[("TZ", "Asia/Kathmandu"), ("LC_ALL", "C.UTF-8"), ("SOURCE_DATE_EPOCH", "1")]);
}

#[test]
fn another_umask_gives_the_same_digest() {
    golden_as(&["sh", "-c", "umask 077; exec \"$@\"", "sh"], &[]);
    golden_as(&["sh", "-c", "umask 000; exec \"$@\"", "sh"], &[]);
}

#[test]
fn another_order_of_creation_gives_the_same_digest() {
    golden_as(&["env"], &[("GOLDEN_REVERSED", "1")]);
}

#[test]
fn another_user_gives_the_same_digest() {
    if !have("setpriv", "apt-get install util-linux") {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIP another-user: run the tests as root");
        return;
    }
    golden_as(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], &[]);
}

#[test]
fn another_clock_gives_the_same_digest() {
    if have("faketime", "apt-get install faketime") {
        golden_as(&["faketime", "-f", "+1000d"], &[]);
    }
}

#[test]
fn the_layer_has_every_parent_and_nothing_of_the_machine() {
    let repo = golden_repo(false);
    let image = repo.build("out", &golden_config()).0.unwrap().image;
    let entries = top_layer(&image.layout);
    assert!(entries.iter().all(|(_, _, mtime, uid, _)| (*mtime, *uid) == (EPOCH.unsigned_abs(), 0)));
    let listed: Vec<(&str, u32)> = entries.iter().map(|(path, mode, ..)| (path.as_str(), *mode)).collect();
    for expected in [
        ("usr/", 0o755),
        ("usr/bin/", 0o755),
        ("usr/bin/app", 0o755),
        ("usr/share/app/big", 0o644),
        ("usr/share/app/gr\u{fc}n", 0o644),
        ("usr/share/app/link -> big", 0o777),
        ("work/", 0o755),
    ] {
        assert!(listed.contains(&expected), "{expected:?} not in {listed:?}");
    }
    let paths: Vec<_> = listed.iter().map(|(path, _)| path).collect();
    assert!(paths.is_sorted());
}

#[test]
fn other_tools_read_the_image() {
    if !have("skopeo", "apt-get install skopeo") || !have("umoci", "apt-get install umoci") {
        return;
    }
    let repo = golden_repo(false);
    let image = repo.build("out", &golden_config()).0.unwrap().image;
    let copy = repo.temp.path().join("copy");
    let ok = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let from = format!("oci:{}", image.layout.display());
    let inspected = ok("skopeo", &["inspect", &from]);
    assert!(inspected.contains(GOLDEN) && inspected.contains("2023-11-14T22:13:20Z"), "{inspected}");
    ok("skopeo", &["--insecure-policy", "copy", "--preserve-digests", &from, &format!("oci:{}:v1", copy.display())]);
    assert_eq!(verify_layout(&copy).unwrap().manifest.digest.to_string(), GOLDEN);
    let bundle = repo.temp.path().join("bundle");
    let rootless = if rustix::process::geteuid().is_root() { &[][..] } else { &["--rootless"] };
    let mut args = vec!["unpack", "--image"];
    let image = format!("{}:v1", copy.display());
    args.push(&image);
    args.extend(rootless);
    args.push(bundle.to_str().unwrap());
    ok("umoci", &args);
    assert_eq!(fs::read_to_string(bundle.join("rootfs/usr/bin/app")).unwrap(), "#!/bin/sh\necho hello\n");
    assert_eq!(fs::read_to_string(bundle.join("rootfs/usr/share/app/gr\u{fc}n")).unwrap(), "not ASCII");
    assert!(bundle.join("rootfs/usr/share/app").join("d".repeat(120)).join("n".repeat(120)).exists());
}

fn error_of(repo: &Repo, config: &Build) -> BuildError {
    let name = format!("out-{}", fs::read_dir(repo.temp.path()).unwrap().count());
    match repo.build(&name, config).0 {
        Err(DualError::Build(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn undeclared_files_reject_and_are_named() {
    let repo = Repo::with(&[("src/a", "1"), ("other", "1")]);
    let mut config = assemble(&["src"], vec![file("made/x", "/x")]);
    config.steps = vec![words(&["sh", "-c", "mkdir made && echo 1 > made/x"])];
    assert!(matches!(error_of(&repo, &config), BuildError::Undeclared { path } if path == "made/x"));
    config.outputs = words(&["made/"]);
    assert!(repo.build("declared", &config).0.is_ok());
    // A tree that a step added something to.
    let mut config = assemble(&["src"], vec![file("src", "/src")]);
    config.steps = vec![words(&["sh", "-c", "echo 1 > src/sneaked"])];
    assert!(matches!(error_of(&repo, &config), BuildError::Undeclared { path } if path == "src/sneaked"));
    // A file of the repository that is not in the context is not even there.
    let config = assemble(&["src"], vec![file("other", "/other")]);
    assert!(matches!(error_of(&repo, &config), BuildError::Missing { path, .. } if path == "other"));
}

#[test]
fn a_context_file_changed_by_a_step_rejects() {
    let repo = Repo::with(&[("src/a", "1")]);
    let mut config = assemble(&["src"], vec![file("src", "/src")]);
    config.steps = vec![words(&["sh", "-c", "echo 2 > src/a"])];
    assert!(matches!(error_of(&repo, &config), BuildError::Modified { path } if path == "src/a"));
}

#[test]
fn a_missing_output_and_a_failing_step_reject() {
    let repo = Repo::with(&[("src/a", "1")]);
    let mut config = assemble(&["src"], vec![file("src", "/src")]);
    config.outputs = words(&["bin/app"]);
    assert!(matches!(error_of(&repo, &config), BuildError::Missing { path, .. } if path == "bin/app"));
    config.steps = vec![words(&["false"])];
    assert!(matches!(error_of(&repo, &config), BuildError::Run(_)));
}

#[test]
fn an_output_behind_a_link_rejects() {
    let repo = Repo::with(&[("src/a", "1")]);
    let mut config = assemble(&["src"], vec![file("out/passwd", "/x")]);
    config.outputs = words(&["out/passwd"]);
    config.steps = vec![words(&["ln", "-s", "/etc", "out"])];
    assert!(matches!(error_of(&repo, &config), BuildError::Missing { path, .. } if path == "out/passwd"));
}

#[test]
fn links_that_lead_to_nothing_in_the_image_reject() {
    for target in ["/etc/passwd", "../../../x", "b", "../a/../../../b"] {
        let repo = Repo::with(&[("src/a", "1")]);
        let mut config = assemble(&["src"], vec![file("src/a", "/opt/a"), file("l", "/opt/l")]);
        config.outputs = words(&["l"]);
        config.steps = vec![words(&["ln", "-s", target, "l"])];
        assert!(matches!(error_of(&repo, &config), BuildError::LinkEscapes { .. }), "{target}");
    }
}

#[test]
fn bad_values_reject() {
    type Change = fn(&mut Build);
    let cases: &[(&str, Change)] = &[
        ("no files", |b| b.assemble.files.clear()),
        ("relative to", |b| b.assemble.files[0].to = "opt/a".to_owned()),
        ("dots in to", |b| b.assemble.files[0].to = "/opt/../a".to_owned()),
        ("dots in from", |b| b.assemble.files[0].from = "../a".to_owned()),
        ("absolute from", |b| b.assemble.files[0].from = "/etc/passwd".to_owned()),
        ("whole directory", |b| b.assemble.files[0].from = ".".to_owned()),
        ("whiteout", |b| b.assemble.files[0].to = "/opt/.wh.a".to_owned()),
        ("mode", |b| b.assemble.files[0].mode = Some("0999".to_owned())),
        ("user", |b| b.assemble.user = Some("app".to_owned())),
        ("port", |b| b.assemble.ports = words(&["0"])),
        ("protocol", |b| b.assemble.ports = words(&["80/x"])),
        ("workdir", |b| b.assemble.workdir = Some("work".to_owned())),
        ("env", |b| drop(b.assemble.env.insert("A=B".to_owned(), String::new()))),
        ("outputs", |b| b.outputs = words(&["../x"])),
    ];
    let repo = Repo::with(&[("src/a", "1")]);
    for (name, change) in cases {
        let mut config = assemble(&["src"], vec![file("src/a", "/opt/a")]);
        change(&mut config);
        let error = error_of(&repo, &config);
        assert!(matches!(error, BuildError::Config { .. }), "{name}: {error}");
    }
}

#[test]
fn one_path_from_two_sources_rejects() {
    let repo = Repo::with(&[("src/a", "1"), ("src/b", "2")]);
    for (first, second) in [("/x", "/x"), ("/x", "/x/y"), ("/x/y", "/x")] {
        let config = assemble(&["src"], vec![file("src/a", first), file("src/b", second)]);
        assert!(matches!(error_of(&repo, &config), BuildError::Conflict { .. }), "{first} {second}");
    }
}

/// A base in `<repo>/base`, with a link and a directory of mode 1777 as real bases have them.
fn with_base() -> (Repo, Digest) {
    let repo = Repo::with(&[("src/a", "1"), ("src/tmp/keep", "1")]);
    let mut config =
        assemble(&["src"], vec![file("src/tmp", "/tmp"), file("src/a", "/usr/bin/base"), file("bin", "/bin")]);
    config.outputs = words(&["bin"]);
    config.steps = vec![words(&["ln", "-s", "usr/bin", "bin"])];
    config.assemble.env.insert("PATH".to_owned(), "/usr/bin".to_owned());
    config.assemble.env.insert("B".to_owned(), "1".to_owned());
    config.assemble.cmd = words(&["--base"]);
    let image = repo.build("base-build", &config).0.unwrap().image;
    let copied = Command::new("cp").arg("-r").arg(&image.layout).arg(repo.root.join("base")).status().unwrap();
    assert!(copied.success());
    (repo, image.manifest.digest)
}

fn on_base(digest: &str, files: Vec<AssembleFile>) -> Build {
    let mut config = assemble(&["src"], files);
    config.assemble.base = Some(format!("base@{digest}"));
    config
}

#[test]
fn a_base_is_extended_and_its_directories_kept() {
    let (repo, digest) = with_base();
    let mut config = on_base(&digest.to_string(), vec![file("src/a", "/tmp/new/a")]);
    config.assemble.env.insert("B".to_owned(), "2".to_owned());
    config.assemble.env.insert("C".to_owned(), "3".to_owned());
    let image = repo.build("out", &config).0.unwrap().image;
    assert_eq!((image.base, image.layers.len()), (Some(digest), 2));
    let paths: Vec<String> = top_layer(&image.layout).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["tmp/new/", "tmp/new/a"]);
    let layout = ci_agent::engine::Layout::open(&image.layout).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&layout.config).unwrap();
    assert_eq!(document["config"]["Env"], serde_json::json!(["B=2", "PATH=/usr/bin", "C=3"]));
    assert_eq!(document["config"]["Cmd"], serde_json::Value::Null);
    assert_eq!(document["history"].as_array().unwrap().len(), 2);
}

#[test]
fn a_base_directory_or_link_is_never_replaced() {
    let (repo, digest) = with_base();
    let error = |to| error_of(&repo, &on_base(&digest.to_string(), vec![file("src/a", to)]));
    assert!(matches!(error("/bin/x"), BuildError::BaseLink { path } if path == "bin"));
    assert!(matches!(error("/usr"), BuildError::Conflict { .. }));
    assert!(matches!(error("/usr/bin/base/x"), BuildError::Conflict { .. }));
}

#[test]
fn a_base_that_is_not_pinned_or_not_there_rejects() {
    let (repo, digest) = with_base();
    for base in ["debian", "base", "base:latest", "base@sha256:12", &format!("@{digest}")] {
        let result = base_known(Some(base), &repo.root, Some("amd64"));
        assert!(matches!(result, Err(BaseError::Unpinned { .. })), "{base}");
    }
    let other = Digest::of(b"other");
    for base in [format!("base@{other}"), format!("absent@{digest}")] {
        assert!(matches!(base_known(Some(&base), &repo.root, Some("amd64")), Err(BaseError::Layout(_))), "{base}");
    }
    let pinned = format!("base@{digest}");
    let result = base_known(Some(&pinned), &repo.root, Some("arm64"));
    assert!(matches!(result, Err(BaseError::OtherArchitecture { .. })));
    assert_eq!(base_known(Some(&pinned), &repo.root, Some("amd64")).unwrap().unwrap().digest, digest);
    assert!(base_known(Some("scratch"), &repo.root, None).unwrap().is_none());
}

#[test]
fn any_damaged_file_of_a_base_rejects() {
    let (repo, digest) = with_base();
    let base = repo.root.join("base");
    let blobs = fs::read_dir(base.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = blobs.chain([base.join("index.json"), base.join("oci-layout")]).collect();
    assert_eq!(files.len(), 5);
    for path in files {
        let good = fs::read(&path).unwrap();
        for change in 0..3 {
            let mut bad = good.clone();
            match change {
                0 => bad[good.len() / 2] ^= 1,
                1 => bad.truncate(good.len() - 1),
                _ => bad.push(b'x'),
            }
            fs::write(&path, bad).unwrap();
            let result = base_known(Some(&format!("base@{digest}")), &repo.root, Some("amd64"));
            assert!(matches!(result, Err(BaseError::Layout(_))), "{} change {change}", path.display());
        }
        fs::remove_file(&path).unwrap();
        assert!(base_known(Some(&format!("base@{digest}")), &repo.root, Some("amd64")).is_err());
        fs::write(&path, good).unwrap();
    }
    assert!(base_known(Some(&format!("base@{digest}")), &repo.root, Some("amd64")).is_ok());
}
