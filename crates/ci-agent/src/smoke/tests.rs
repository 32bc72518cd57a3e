#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use super::*;
use crate::rootfs::tests::{Item, Pack, image_of, tar_of};

/// C programs of the tests, compiled once.
struct Programs {
    _dir: tempfile::TempDir,
    fixed: Vec<u8>,
    dynamic: Vec<u8>,
    library: Vec<u8>,
    plugin: Vec<u8>,
    /// This machine's C library and loader: path and bytes.
    system: Vec<(&'static str, Vec<u8>)>,
}

fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/server.c");
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("greet.c"), "const char *greet(void) { return \"hello\"; }\n").unwrap();
        let gcc = |args: &[&str]| {
            let output = Command::new("gcc").args(["-O1", "-w"]).args(args).output().expect("gcc is installed");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        gcc(&["-static", source, "-o", &at("static")]);
        gcc(&["-shared", "-fPIC", &at("greet.c"), "-Wl,-soname,libgreet.so.1", "-o", &at("libgreet.so.1")]);
        gcc(&["-shared", "-fPIC", &at("greet.c"), "-Wl,-soname,libplug.so", "-o", &at("libplug.so")]);
        gcc(&[
            "-DGREET",
            "-DPLUGIN=\"/opt/app/plugins/libplug.so\"",
            source,
            &at("libgreet.so.1"),
            "-Wl,--enable-new-dtags,-rpath,$ORIGIN/lib",
            "-o",
            &at("dynamic"),
        ]);
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mut system: Vec<&'static str> = maps
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5))
            .filter(|path| path.contains("/libc.so.6") || path.contains("/ld-linux"))
            .map(|path| &*Box::leak(path.to_owned().into_boxed_str()))
            .collect();
        system.dedup();
        assert_eq!(system.len(), 2, "{system:?}");
        Programs {
            fixed: fs::read(at("static")).unwrap(),
            dynamic: fs::read(at("dynamic")).unwrap(),
            library: fs::read(at("libgreet.so.1")).unwrap(),
            plugin: fs::read(at("libplug.so")).unwrap(),
            system: system.into_iter().map(|path| (path, fs::read(path).unwrap())).collect(),
            _dir: dir,
        }
    })
}

fn program(path: &'static str, bytes: &[u8]) -> Item {
    Item::File(path, 0o755, bytes.to_vec())
}

fn static_items() -> Vec<Item> {
    vec![program("app/server", &programs().fixed)]
}

/// The dynamic service with all it needs: its library beside it, its plugin, libc and loader where glibc looks.
fn dynamic_items() -> Vec<Item> {
    let all = programs();
    let mut items = vec![
        program("opt/app/server", &all.dynamic),
        program("opt/app/lib/libgreet.so.1", &all.library),
        program("opt/app/plugins/libplug.so", &all.plugin),
        Item::Link("lib64", "usr/lib64"),
    ];
    for (path, bytes) in &all.system {
        let name = path.rsplit('/').next().unwrap();
        let place = if name.starts_with("ld-") {
            format!("usr/lib64/{name}")
        } else {
            format!("usr/lib/x86_64-linux-gnu/{name}")
        };
        items.push(program(Box::leak(place.into_boxed_str()), bytes));
    }
    items
}

struct Case {
    dir: tempfile::TempDir,
    image: ImageOnDisk,
    config: Smoke,
}

fn case(items: &[Item], run: serde_json::Value) -> Case {
    let dir = tempfile::tempdir().unwrap();
    let image = image_of(&dir.path().join("layout"), &[tar_of(items)], Pack::Zstd, run);
    fs::create_dir(dir.path().join("work")).unwrap();
    let config = Smoke { timeout_s: 10, isolation: vec![Isolation::Bubblewrap], ..Smoke::default() };
    Case { dir, image, config }
}

fn service(mode: &str) -> Case {
    let mut case = case(&static_items(), json!({ "Entrypoint": ["/app/server"], "Cmd": [mode] }));
    case.config.http = vec![http_probe("/healthz", Some("hello"))];
    case
}

fn http_probe(path: &str, contains: Option<&str>) -> HttpProbe {
    HttpProbe { path: path.to_owned(), status: 200, contains: contains.map(str::to_owned) }
}

impl Case {
    fn run(&self) -> SmokeReport {
        let report = self.try_run().unwrap();
        assert!(!report.probes.is_empty(), "a report without probes says nothing");
        assert!(report.probes.iter().all(|probe| !probe.detail.is_empty()));
        report
    }

    fn try_run(&self) -> Result<SmokeReport, SmokeError> {
        let work = self.dir.path().join("work");
        let report = smoke(&self.image, &self.config, &Scanner::builtin(), &work);
        assert_eq!(fs::read_dir(&work).unwrap().count(), 0, "the work directory is clean afterwards");
        report
    }
}

fn passes(report: &SmokeReport) {
    assert!(report.probes.iter().all(|probe| probe.passed), "{report:#?}");
    assert!(report.dependencies.iter().all(|dependency| dependency.resolved.is_some()), "{report:#?}");
}

#[track_caller]
fn fails(report: &SmokeReport, detail: &str) {
    let failing: Vec<_> = report.probes.iter().filter(|probe| !probe.passed).collect();
    assert!(failing.iter().any(|probe| probe.detail.contains(detail)), "{report:#?}");
}

/// Processes whose command line or environment still names this test process's runs.
fn nothing_left(marker: &str) {
    assert_eq!(procfs::marked(&format!("CI_INTEL_SMOKE={marker}")), BTreeSet::new());
}

#[test]
fn a_static_service_answers_in_its_own_network() {
    let report = service("ok").run();
    passes(&report);
    assert_eq!(report.isolation, Isolation::Bubblewrap);
    assert_eq!(report.argv, ["/app/server", "ok"]);
    assert_eq!(report.probes[0].detail, "status 200");
    let found = Dependency {
        of: "image config".to_owned(),
        needs: "/app/server".to_owned(),
        resolved: Some("/app/server".to_owned()),
    };
    assert_eq!(report.dependencies, [found]);
}

#[test]
fn every_available_isolation_gives_the_same_verdict() {
    for isolation in [Isolation::Bubblewrap, Isolation::Podman, Isolation::Docker, Isolation::Process] {
        for (mode, good) in [("ok", true), ("broken", false)] {
            let mut case = service(mode);
            case.config.isolation = vec![isolation];
            case.config.timeout_s = if good { 30 } else { 3 };
            case.config.exec = vec![vec!["/app/server".to_owned(), "job".to_owned()]];
            let report = match case.try_run() {
                Err(SmokeError::NoIsolation { tried }) => {
                    // A daemon cannot be set up by a test run, so its absence is said and is no failure of CI.
                    eprintln!("without {isolation:?}, whose daemon is not here: {tried:?}");
                    assert!(matches!(isolation, Isolation::Podman | Isolation::Docker), "{tried:?}");
                    continue;
                }
                other => other.unwrap(),
            };
            assert_eq!(report.isolation, isolation);
            assert_eq!(
                report.probes.iter().map(|probe| probe.kind).collect::<Vec<_>>(),
                [ProbeKind::Exec, ProbeKind::Http]
            );
            assert!(report.probes[0].passed, "{report:#?}");
            assert_eq!(report.probes[1].passed, good, "{report:#?}");
            eprintln!("{isolation:?} {mode}: {} ms", report.duration_ms);
        }
    }
}

#[test]
fn a_wrong_status_fails_with_both_statuses() {
    let mut case = service("broken");
    case.config.timeout_s = 1;
    fails(&case.run(), "status 500, expected 200");
}

#[test]
fn a_service_that_warms_up_passes() {
    passes(&service("warming").run());
}

#[test]
fn a_body_without_the_text_fails() {
    let mut case = service("ok");
    case.config.timeout_s = 1;
    case.config.http = vec![http_probe("/", Some("goodbye"))];
    fails(&case.run(), "the body does not contain `goodbye`: `hello`");
}

#[test]
fn a_service_that_never_listens_fails_in_time() {
    let mut case = service("silent");
    case.config.timeout_s = 1;
    let report = case.run();
    fails(&report, "no passing answer within 1 s");
    assert!(report.duration_ms < 5000, "{}", report.duration_ms);
    assert_eq!(report.output_tail, ["never listening"]);
}

#[test]
fn a_service_that_dies_after_its_answer_fails() {
    fails(&service("dies").run(), "but then the process ended: exit status: 9");
}

#[test]
fn a_service_that_crashes_fails_at_once() {
    let report = service("crash").run();
    fails(&report, "before it answered");
    assert!(report.duration_ms < 5000);
}

#[test]
fn somebody_else_on_the_port_is_no_answer() {
    // Shared network: the port belongs to this test, the started program does not listen.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            use std::io::{Read as _, Write as _};
            let mut stream = stream;
            drop(stream.read(&mut [0; 1024]));
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
        }
    });
    let case = service("silent");
    let image = Image::open(&case.image, Limits::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    image.unpack(&root, false).unwrap();
    let plan = Plan {
        root,
        env: BTreeMap::new(),
        cwd: "/".to_owned(),
        uid: 0,
        gid: 0,
        writable: Vec::new(),
        port,
        marker: plan::marker(),
    };
    let sandbox = Sandbox::try_new(Isolation::Process, &plan, true).unwrap();
    assert_eq!(sandbox.network, Network::Shared);
    let argv = ["/app/server".to_owned(), "silent".to_owned()];
    let mut running = Running::start(&plan, &sandbox, &argv, "x".to_owned()).unwrap();
    let error = running.get("/", Duration::from_secs(2)).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    assert!(running.end().is_empty());
}

#[test]
fn jobs_must_exit_zero_in_time() {
    for (mode, expected) in [
        ("job", None),
        ("fail", Some("exit status: 3; last output: job failed")),
        ("silent", Some("did not end within 1 s")),
    ] {
        let mut case = service(mode);
        case.config.http.clear();
        case.config.exits = true;
        case.config.timeout_s = if expected.is_some() { 1 } else { 10 };
        let report = case.run();
        assert_eq!(report.probes[0].kind, ProbeKind::Exit);
        match expected {
            None => passes(&report),
            Some(detail) => fails(&report, detail),
        }
    }
}

#[test]
fn exec_probes_run_inside_the_image() {
    let mut case = case(&static_items(), json!({ "WorkingDir": "/app", "Env": ["PATH=/app"] }));
    case.config.exec = vec![
        vec!["server".to_owned(), "whoami".to_owned()],
        vec!["./server".to_owned(), "fail".to_owned()],
        vec!["/bin/sh".to_owned(), "-c".to_owned(), "true".to_owned()],
    ];
    let report = case.run();
    assert!(report.probes[0].passed, "{report:#?}");
    assert!(report.output_tail.contains(&"uid 0 gid 0 cwd /app".to_owned()), "{report:#?}");
    fails(&report, "exit status: 3");
    // This machine has a shell; the image has none.
    fails(&report, "`/bin/sh` is not in the image");
    assert!(
        report.dependencies.iter().any(|dependency| dependency.needs == "/bin/sh" && dependency.resolved.is_none())
    );
}

#[test]
fn processes_left_behind_are_ended() {
    for isolation in [Isolation::Bubblewrap, Isolation::Process] {
        let mut case = service("orphans");
        case.config.isolation = vec![isolation];
        case.config.env.insert("TEST_MARK".to_owned(), format!("{isolation:?}-{}", std::process::id()));
        passes(&case.run());
        let mark = format!("TEST_MARK={isolation:?}-{}", std::process::id());
        assert_eq!(procfs::marked(&mark), BTreeSet::new(), "{isolation:?}");
    }
    nothing_left("none");
}

#[test]
fn a_dynamic_program_is_traced_to_every_library() {
    let mut case = case(&dynamic_items(), json!({ "Entrypoint": ["/opt/app/server"] }));
    case.config.http = vec![http_probe("/", Some("hello"))];
    let report = case.run();
    passes(&report);
    let resolved = |needs: &str| {
        report
            .dependencies
            .iter()
            .find(|dependency| dependency.needs == needs)
            .and_then(|dependency| dependency.resolved.clone())
    };
    assert_eq!(resolved("libgreet.so.1").as_deref(), Some("/opt/app/lib/libgreet.so.1"));
    assert_eq!(resolved("libc.so.6").as_deref(), Some("/usr/lib/x86_64-linux-gnu/libc.so.6"));
    assert_eq!(resolved("/lib64/ld-linux-x86-64.so.2").as_deref(), Some("/usr/lib64/ld-linux-x86-64.so.2"));
    // Opened at run time, so no ELF header names it.
    assert_eq!(resolved("/opt/app/plugins/libplug.so").as_deref(), Some("/opt/app/plugins/libplug.so"));
}

#[test]
fn a_missing_library_is_drift_and_fails_the_start() {
    for gone in ["libgreet.so.1", "libc.so.6", "ld-linux"] {
        let items: Vec<_> = dynamic_items()
            .into_iter()
            .filter(|item| !matches!(item, Item::File(path, ..) if path.contains(gone)))
            .collect();
        let mut case = case(&items, json!({ "Entrypoint": ["/opt/app/server"] }));
        case.config.http = vec![http_probe("/", None)];
        case.config.timeout_s = 3;
        let report = case.run();
        fails(&report, "before it answered");
        let drift: Vec<_> = report.dependencies.iter().filter(|dependency| dependency.resolved.is_none()).collect();
        assert!(drift.iter().any(|dependency| dependency.needs.contains(gone)), "{gone}: {report:#?}");
    }
}

#[test]
fn a_library_of_another_machine_does_not_count() {
    let items: Vec<_> = dynamic_items()
        .into_iter()
        .map(|item| match item {
            Item::File(path, mode, mut bytes) if path.contains("libgreet") => {
                bytes[18..20].copy_from_slice(&object::elf::EM_AARCH64.0.to_le_bytes());
                Item::File(path, mode, bytes)
            }
            other => other,
        })
        .collect();
    let mut case = case(&items, json!({ "Entrypoint": ["/opt/app/server"] }));
    case.config.http = vec![http_probe("/", None)];
    case.config.timeout_s = 2;
    let report = case.run();
    assert!(
        report
            .dependencies
            .iter()
            .any(|dependency| dependency.needs == "libgreet.so.1" && dependency.resolved.is_none())
    );
}

#[test]
fn a_program_for_another_machine_is_drift() {
    let mut bytes = programs().fixed.clone();
    bytes[18..20].copy_from_slice(&object::elf::EM_S390.0.to_le_bytes());
    let mut case = case(&[program("app/server", &bytes)], json!({ "Entrypoint": ["/app/server"] }));
    case.config.exits = true;
    let report = case.run();
    assert!(report.probes.iter().all(|probe| !probe.passed));
    assert!(
        report.dependencies.iter().any(|d| d.needs.starts_with("a program for ") && d.resolved.is_none()),
        "{report:#?}"
    );
}

#[test]
fn a_program_that_is_no_program_is_drift() {
    for (bytes, needs) in [
        (b"plain text".to_vec(), "a form that"),
        (programs().fixed[..100].to_vec(), "a well-formed"),
        (Vec::new(), "a form that"),
    ] {
        let mut case = case(&[program("app/server", &bytes)], json!({ "Entrypoint": ["/app/server"] }));
        case.config.exits = true;
        let report = case.run();
        assert!(report.probes.iter().all(|probe| !probe.passed), "{report:#?}");
        assert!(report.dependencies.iter().any(|d| d.needs.starts_with(needs) && d.resolved.is_none()), "{report:#?}");
    }
}

#[test]
fn interpreters_of_scripts_are_followed() {
    let script = |text: &str| program("app/run", text.as_bytes());
    let mut items = static_items();
    items.push(Item::Link("usr/bin/env", "../../app/server"));
    items.push(script("#!/usr/bin/env python3\nprint(1)\n"));
    let mut missing = case(&items, json!({ "Entrypoint": ["/app/run"] }));
    missing.config.exits = true;
    let report = missing.run();
    let found = |needs: &str| report.dependencies.iter().find(|d| d.of == "/app/run" && d.needs == needs).unwrap();
    assert_eq!(found("/usr/bin/env").resolved.as_deref(), Some("/app/server"));
    assert_eq!(found("python3").resolved, None);

    let mut items = static_items();
    items.push(script("#!/app/server job\n"));
    let mut good = case(&items, json!({ "Entrypoint": ["/app/run"] }));
    good.config.exits = true;
    passes(&good.run());
    // A script is no static program: without isolation it is refused.
    good.config.isolation = vec![Isolation::Process];
    assert!(matches!(good.try_run(), Err(SmokeError::NoIsolation { .. })));

    let mut circle = case(&[script("#!/app/run\n")], json!({ "Entrypoint": ["/app/run"] }));
    circle.config.exits = true;
    assert!(circle.run().probes.iter().all(|probe| !probe.passed));
}

#[test]
fn no_environment_that_the_image_can_read_is_the_lanes() {
    for user in ["", "1234"] {
        let mut case = case(&static_items(), json!({ "User": user }));
        case.config.exec = vec![["/app/server", "environ", "CARGO_MANIFEST_DIR"].map(str::to_owned).to_vec()];
        let report = case.run();
        assert!(report.probes[0].passed, "{report:#?}");
        // Cargo sets that variable for this process, so it stands for whatever a job's environment holds.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let tail = report.output_tail.join("\n");
        assert!(tail.contains(" environments") && !tail.contains("leaked"), "{tail}");
    }
}

#[test]
fn the_image_user_decides_what_can_be_read() {
    let mut items = static_items();
    items.extend([
        Item::File("etc/passwd", 0o644, b"root:x:0:0::/:/\napp:x:1234:2345::/:/\n".to_vec()),
        Item::File("etc/private", 0o600, b"x".to_vec()),
    ]);
    for (user, who) in
        [("app", "uid 1234 gid 2345"), ("77:88", "uid 77 gid 88"), ("1234", "uid 1234 gid 2345"), ("", "uid 0 gid 0")]
    {
        let mut case = case(&items, json!({ "User": user }));
        let command = |mode: &str, path: &str| vec!["/app/server".to_owned(), mode.to_owned(), path.to_owned()];
        case.config.exec = vec![
            command("whoami", ""),
            command("read", "/etc/private"),
            command("write", "/etc/new"),
            command("write", "/tmp/new"),
        ];
        let report = case.run();
        assert!(report.output_tail.iter().any(|line| line.starts_with(who)), "{user}: {report:#?}");
        let passed: Vec<_> = report.probes.iter().map(|probe| probe.passed).collect();
        // Only where the test may give files away is the owner real.
        let readable = user.is_empty() || !sandbox::is_root();
        assert_eq!(passed, [true, readable, false, true], "{user}: {report:#?}");
    }
    let unknown = case(&items, json!({ "User": "nobody-knows" }));
    let mut unknown = unknown;
    unknown.config.exits = true;
    assert!(matches!(unknown.try_run(), Err(SmokeError::UnknownUser { .. })));
}

#[test]
fn ports_are_given_and_privileged_ones_can_be_bound() {
    let mut case = service("ok");
    case.image = image_of(
        &case.dir.path().join("layout2"),
        &[tar_of(&static_items())],
        Pack::Tar,
        json!({ "Entrypoint": ["/app/server"], "User": "77:88", "ExposedPorts": { "80/tcp": {}, "53/udp": {} } }),
    );
    case.config.args = vec!["ok".to_owned(), "listening on {port}".to_owned()];
    case.config.env.insert("PORT".to_owned(), "{port}".to_owned());
    let report = case.run();
    passes(&report);
    if procfs::may_enter_namespaces() {
        assert_eq!(report.output_tail, ["listening on 80"]);
    }
}

#[test]
fn what_the_service_writes_is_redacted() {
    let scanner = Scanner::builtin();
    let token = scanner.rules().find(|rule| rule.id == "github-pat").unwrap().example(5).text;
    let mut case = service("ok");
    case.config.args = vec!["ok".to_owned(), format!("token is {token}")];
    let report = case.run();
    passes(&report);
    assert_eq!(report.output_tail, ["token is [redacted:github-pat]"]);
    assert_eq!(report.argv[2], "token is [redacted:github-pat]");
    assert!(!serde_json::to_string(&report).unwrap().contains(&token[..20]));
}

#[test]
fn a_smoke_that_would_prove_nothing_is_refused() {
    let no_probe = case(&static_items(), json!({ "Entrypoint": ["/app/server"] }));
    assert!(matches!(no_probe.try_run(), Err(SmokeError::NoProbes)));

    let mut no_command = case(&static_items(), json!({}));
    no_command.config.exits = true;
    assert!(matches!(no_command.try_run(), Err(SmokeError::NoCommand)));

    let mut no_isolation = service("ok");
    no_isolation.config.isolation.clear();
    assert!(matches!(no_isolation.try_run(), Err(SmokeError::NoIsolation { tried }) if tried.is_empty()));

    for change in [
        (|c: &mut Smoke| c.timeout_s = 0) as fn(&mut Smoke),
        |c| c.exec = vec![vec![]],
        |c| c.http[0].path = "healthz".to_owned(),
        |c| c.http[0].path = "/a b".to_owned(),
        |c| c.http[0].status = 99,
    ] {
        let mut case = service("ok");
        change(&mut case.config);
        assert!(matches!(case.try_run(), Err(SmokeError::BadProbe { .. })), "{:?}", case.config);
    }
}

#[test]
fn an_entrypoint_that_is_not_there_is_a_failing_probe() {
    let mut case = service("ok");
    case.image = image_of(
        &case.dir.path().join("l"),
        &[tar_of(&static_items())],
        Pack::Tar,
        json!({ "Entrypoint": ["/app/gone"] }),
    );
    let report = case.run();
    fails(&report, "`/app/gone` is not in the image");
    assert!(report.dependencies.iter().any(|dependency| dependency.resolved.is_none()));
}
