//! A complete good release, kept as records: change one, and everything that depends on it is made anew and signed again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ci_evidence::decision_log::DecisionLog;
use ci_evidence::dsse;
use ci_evidence::facts::Facts;
use ci_evidence::keys::{Algorithm, SigningKey};
use ci_evidence::layout;
use ci_evidence::set::EvidenceSet;
use ci_evidence::trust::TrustRoots;
use ci_evidence::verifiers::{self, Inputs};
use ci_formats::catalogue::Catalogue;
use ci_formats::package::Package;
use ci_formats::sbom::{self, Contents};
use ci_formats::secrets::Scanner;
use ci_policy::{Question, bundle, decide};
use ci_types::config::{Config, Layer, LayerOrigin, load};
use ci_types::record::commands::{CommandReceiptSchema, Host};
use ci_types::record::context::ContextSchema;
use ci_types::record::determinism::DeterminismSchema;
use ci_types::record::identity::IdentitySchema;
use ci_types::record::packaging::PackagingSchema;
use ci_types::record::publication::PublicationSchema;
use ci_types::record::smoke::SmokeSchema;
use ci_types::record::sweep::SweepSchema;
use ci_types::record::{
    BuildRun, CommandReceipt, CommandRun, ContextFile, ContextManifest, Decision, DeterminismMode, DeterminismReport,
    EvidenceFile, EvidenceKind, FileDigest, GithubClaims, IdentityKind, IdentityRecord, Isolation, PackagingProvenance,
    Permission, Probe, ProbeKind, Producer, Publication, RegistryAction, SecretSweep, SmokeReport, SourceState,
    TargetKind,
};
use ci_types::{Digest, Environment, Subject, Timestamp, canonical};
use serde_json::json;

use crate::oidc::Issuer;

mod parts;

pub use parts::{CONFIG, junit, package, sarif};

/// Commit of the sample.
pub const COMMIT: &str = "799d398a7daf34857cf363c9a1a629c40ec25d5e";
/// Run id of the sample.
pub const RUN_ID: &str = "1b7c2e4a-6b54-4e3b-9f1e-4e0d9ea9b1a1";
/// Workflow of the sample's lane.
pub const WORKFLOW: &str = "org/app/.github/workflows/release.yml";

const SCAN: &str = "scans/scan-1.json";
const TESTS: &str = "tests/junit.xml";

/// The release, as records.
pub struct Release {
    /// Key of the lane.
    pub key: SigningKey,
    /// `.ci-intel/config.yml`.
    pub config: String,
    /// Organisation key, overlay text, and whether it is part of the evidence.
    pub overlay: Option<(SigningKey, String)>,
    /// Environment.
    pub environment: Environment,
    /// Time of the decision.
    pub now: Timestamp,
    /// Identity; its token is made by `issuer` unless set.
    pub identity: IdentityRecord,
    /// Claims to make the token from, for a CI identity.
    pub claims: Option<GithubClaims>,
    /// Context.
    pub context: ContextManifest,
    /// Commands; inputs and outputs are filled in.
    pub commands: CommandReceipt,
    /// Determinism; digests are filled in where `None`.
    pub determinism: DeterminismReport,
    /// Smoke.
    pub smoke: SmokeReport,
    /// Publication.
    pub publication: Publication,
    /// Image manifest bytes.
    pub image_manifest: Vec<u8>,
    /// Image config bytes.
    pub image_config: Vec<u8>,
    /// Packages of the image.
    pub packages: Vec<Package>,
    /// JUnit.
    pub junit: Vec<u8>,
    /// Scan report (SARIF).
    pub scan: Vec<u8>,
    /// Changes the packaging record after it was made.
    pub edit_packaging: fn(&mut PackagingProvenance),
    /// Changes the sweep record after it was made.
    pub edit_sweep: fn(&mut SecretSweep),
    /// Kinds to leave out.
    pub without: BTreeSet<EvidenceKind>,
    /// Kinds whose bytes to replace, before the sweep.
    pub replaced: BTreeMap<EvidenceKind, Vec<u8>>,
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(1_795_348_800 + seconds).unwrap()
}

fn oci(value: &serde_json::Value) -> Vec<u8> {
    canonical::to_vec(value).unwrap()
}

impl Release {
    /// A good release by a developer for `local`.
    #[must_use]
    pub fn local() -> Self {
        let layer = json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": Digest::of(b"layer"), "size": 5,
        });
        let image_config = oci(&json!({
            "architecture": "amd64", "os": "linux", "config": { "Entrypoint": ["/app"] },
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(b"diff")] },
        }));
        let image_manifest = oci(&json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": Digest::of(&image_config), "size": image_config.len(),
            },
            "layers": [layer],
        }));
        let digest = Digest::of(&image_manifest);
        let subject = Subject { name: "app".to_owned(), tag: format!("git-{COMMIT}").parse().unwrap(), digest };
        let build = |number: i64| BuildRun {
            directory: format!("build-{number}"),
            started_at: time(-100 + number * 10),
            manifest: digest,
            config: Digest::of(&image_config),
            layers: vec![Digest::of(b"layer")],
            env: BTreeMap::from([("TZ".to_owned(), "UTC".to_owned())]),
        };
        let run = |stage: &str, argv: &[&str]| CommandRun {
            stage: stage.to_owned(),
            argv: argv.iter().map(ToString::to_string).collect(),
            env: BTreeMap::new(),
            env_passed: vec!["PATH".to_owned()],
            started_at: time(-50),
            duration_ms: 10,
            exit_code: Some(0),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        Self {
            key: SigningKey::from_seed(Algorithm::EcdsaP256, &[7; 32]).unwrap(),
            config: CONFIG.to_owned(),
            overlay: None,
            environment: Environment::Local,
            now: time(0),
            identity: IdentityRecord {
                schema: IdentitySchema::V1,
                kind: IdentityKind::Developer,
                subject: "alice@laptop".to_owned(),
                claims: None,
                digest_token: None,
                permissions: RegistryAction::ALL
                    .map(|action| Permission { action, granted: true, detail: "probed".to_owned() })
                    .to_vec(),
            },
            claims: None,
            context: ContextManifest {
                schema: ContextSchema::V1,
                source: SourceState {
                    repository: "org/app".to_owned(),
                    commit: COMMIT.to_owned(),
                    committed_at: time(-1000),
                    git_ref: "refs/heads/main".to_owned(),
                    dirty: Vec::new(),
                },
                include: vec!["src/**".to_owned(), "Cargo.toml".to_owned()],
                files: vec![ContextFile {
                    path: "src/app".to_owned(),
                    mode: "0755".to_owned(),
                    bytes: 3,
                    digest: Digest::of(b"app"),
                }],
                total_bytes: 3,
                secrets: Vec::new(),
            },
            commands: CommandReceipt {
                schema: CommandReceiptSchema::V1,
                ci_intel_version: env!("CARGO_PKG_VERSION").to_owned(),
                trigger: "manual".to_owned(),
                host: Host { os: "linux".to_owned(), arch: "x86_64".to_owned(), kernel: "6.1".to_owned() },
                commands: vec![
                    run("tests", &["make", "test", "RESULTS=/work/results"]),
                    run("scan", &["scanner", "/work/sbom.cdx.json", "/work/scan-1.json"]),
                ],
            },
            determinism: DeterminismReport {
                schema: DeterminismSchema::V1,
                mode: DeterminismMode::Dual,
                engine: "assemble".to_owned(),
                runs: vec![build(1), build(2)],
                first_difference: None,
            },
            smoke: SmokeReport {
                schema: SmokeSchema::V1,
                image: digest,
                isolation: Isolation::Bubblewrap,
                argv: vec!["/app".to_owned()],
                probes: vec![Probe {
                    kind: ProbeKind::Http,
                    target: "/healthz".to_owned(),
                    passed: true,
                    detail: "200".to_owned(),
                    duration_ms: 3,
                }],
                dependencies: Vec::new(),
                duration_ms: 30,
                output_tail: Vec::new(),
            },
            publication: Publication {
                schema: PublicationSchema::V1,
                subject,
                target: TargetKind::OciLayout,
                media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
                manifest_bytes: image_manifest.len() as u64,
                artifact_bytes: (image_manifest.len() + image_config.len() + 5) as u64,
                built: digest,
                published: digest,
                read_back: digest,
                tag_before: None,
            },
            image_manifest,
            image_config,
            packages: vec![package("serde", "1.0.0"), package("jiff", "0.2.0")],
            junit: junit(&[("works", ""), ("still works", "")]),
            scan: sarif(&[]),
            edit_packaging: |_| {},
            edit_sweep: |_| {},
            without: BTreeSet::new(),
            replaced: BTreeMap::new(),
        }
    }

    /// A good release by the authoritative lane for `dev`.
    #[must_use]
    pub fn authoritative() -> Self {
        let mut release = Self::local();
        let now = release.now.unix_s();
        release.environment = Environment::Dev;
        release.commands.trigger = "push".to_owned();
        release.identity.kind = IdentityKind::GithubActions;
        release.claims = Some(GithubClaims {
            iss: "https://token.actions.githubusercontent.com".to_owned(),
            sub: "repo:org/app:ref:refs/heads/main".to_owned(),
            aud: verifiers::audience(&release.publication.subject.digest),
            repository: "org/app".to_owned(),
            repository_id: "4711".to_owned(),
            repository_owner_id: "11".to_owned(),
            job_workflow_ref: format!("{WORKFLOW}@refs/heads/main"),
            workflow_ref: format!("{WORKFLOW}@refs/heads/main"),
            git_ref: "refs/heads/main".to_owned(),
            sha: COMMIT.to_owned(),
            event_name: "push".to_owned(),
            run_id: "1".to_owned(),
            run_attempt: "1".to_owned(),
            runner_environment: "github-hosted".to_owned(),
            environment: None,
            iat: now - 10,
            nbf: now - 10,
            exp: now + 290,
        });
        release
    }

    /// The effective configuration.
    #[must_use]
    pub fn effective(&self) -> Config {
        let layer = |origin, bytes| Layer { origin, file: "config", bytes };
        let overlay = self.overlay.as_ref().map(|(_, text)| layer(LayerOrigin::Overlay, text.as_bytes()));
        load(overlay.as_ref(), &layer(LayerOrigin::Repository, self.config.as_bytes())).unwrap().config
    }

    /// Trust roots that the release's own parties would name.
    #[must_use]
    pub fn trust(&self) -> TrustRoots {
        let ci = self.identity.kind == IdentityKind::GithubActions;
        TrustRoots {
            keys: vec![self.key.verifying_key()],
            organisation_keys: self.overlay.iter().map(|(key, _)| key.verifying_key()).collect(),
            issuer_keys: ci.then(|| Issuer::shared().jwks()),
            identity: ci.then(|| self.effective().lane).flatten(),
        }
    }

    fn identity_record(&self) -> IdentityRecord {
        let mut record = self.identity.clone();
        if let Some(claims) = &self.claims {
            record.subject = claims.sub.clone();
            record.claims = Some(claims.clone());
            record.digest_token =
                record.digest_token.or_else(|| Some(Issuer::shared().token(&serde_json::to_value(claims).unwrap())));
        }
        record
    }

    /// The input evidence: every record, then what depends on it, then the sweep over all of it, then provenance.
    #[must_use]
    pub fn evidence(&self) -> EvidenceSet {
        let subject = &self.publication.subject;
        let mut files: Vec<(EvidenceFile, Vec<u8>)> = Vec::new();
        let ours = || Producer::ci_intel(env!("CARGO_PKG_VERSION"));
        let from = |command| Producer { name: "tool".to_owned(), version: None, command: Some(command) };
        let mut put = |kind: EvidenceKind, path: Option<&str>, bytes: Vec<u8>, producer: Producer| {
            let bytes = self.replaced.get(&kind).cloned().unwrap_or(bytes);
            let path = path.map(str::to_owned).or_else(|| layout::path(kind, &subject.tag)).unwrap();
            let entry = bundle::entry(kind, path, &bytes, producer);
            let digest = entry.digest;
            if !self.without.contains(&kind) {
                files.push((entry, bytes));
            }
            digest
        };
        let contents = Catalogue { release: None, packages: self.packages.clone(), problems: Vec::new() };
        let contents =
            Contents { subject, created_at: self.now, tool_version: env!("CARGO_PKG_VERSION"), catalogue: &contents };
        let sbom_bytes = sbom::cyclonedx::write(&contents).unwrap();
        let sbom = put(EvidenceKind::SbomCyclonedx, None, sbom_bytes, ours());
        put(EvidenceKind::SbomSpdx, None, sbom::spdx::write(&contents).unwrap(), ours());
        let context = put(EvidenceKind::Context, None, canonical::to_vec(&self.context).unwrap(), ours());
        let tests = put(EvidenceKind::TestResults, Some(TESTS), self.junit.clone(), from(0));
        let scan = put(EvidenceKind::ScanResults, Some(SCAN), self.scan.clone(), from(1));
        let mut commands = self.commands.clone();
        for run in &mut commands.commands {
            let (inputs, path, output) = match run.stage.as_str() {
                "tests" => (vec![context], TESTS, tests),
                "scan" => (vec![sbom, subject.digest], SCAN, scan),
                _ => continue,
            };
            if run.inputs.is_empty() {
                run.inputs = inputs;
            }
            run.outputs.push(FileDigest { path: path.to_owned(), digest: output });
        }
        let commands = put(EvidenceKind::Commands, None, canonical::to_vec(&commands).unwrap(), ours());
        let mut packaging = PackagingProvenance {
            schema: PackagingSchema::V1,
            run_id: RUN_ID.to_owned(),
            source: self.context.source.clone(),
            engine: "assemble".to_owned(),
            context,
            commands,
            env: BTreeMap::from([("TZ".to_owned(), "UTC".to_owned())]),
            base: None,
            artifact: subject.clone(),
            image_config: Digest::of(&self.image_config),
            layers: vec![Digest::of(b"layer")],
        };
        (self.edit_packaging)(&mut packaging);
        put(EvidenceKind::Packaging, None, canonical::to_vec(&packaging).unwrap(), ours());
        put(EvidenceKind::Identity, None, canonical::to_vec(&self.identity_record()).unwrap(), ours());
        put(EvidenceKind::Determinism, None, canonical::to_vec(&self.determinism).unwrap(), ours());
        put(EvidenceKind::Smoke, None, canonical::to_vec(&self.smoke).unwrap(), ours());
        put(EvidenceKind::Publication, None, canonical::to_vec(&self.publication).unwrap(), ours());
        put(EvidenceKind::ImageManifest, None, self.image_manifest.clone(), ours());
        put(EvidenceKind::ImageConfig, None, self.image_config.clone(), ours());
        put(EvidenceKind::Config, None, self.config.clone().into_bytes(), ours());
        if let Some((key, text)) = &self.overlay {
            put(EvidenceKind::Overlay, None, text.clone().into_bytes(), ours());
            let envelope = dsse::seal(dsse::OVERLAY, text.as_bytes(), key).unwrap();
            put(EvidenceKind::OverlaySignature, None, envelope, ours());
        }
        if self.claims.is_some() {
            put(EvidenceKind::IssuerKeys, None, Issuer::shared().jwks(), ours());
        }
        let set = EvidenceSet::new(files.clone()).unwrap();
        if let Ok(statement) = verifiers::statement(&set) {
            let envelope = dsse::seal(dsse::IN_TOTO, &canonical::to_vec(&statement).unwrap(), &self.key).unwrap();
            self.add(&mut files, EvidenceKind::Provenance, envelope);
        }
        static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::builtin);
        let scanner = &*SCANNER;
        let mut sweep = SecretSweep {
            schema: SweepSchema::V1,
            rules: scanner.rules_digest(),
            rule_count: scanner.rule_count(),
            scanned: files
                .iter()
                .map(|(entry, _)| FileDigest { path: entry.path.clone(), digest: entry.digest })
                .collect(),
            withheld_env: Vec::new(),
            findings: Vec::new(),
        };
        (self.edit_sweep)(&mut sweep);
        self.add(&mut files, EvidenceKind::SecretSweep, canonical::to_vec(&sweep).unwrap());
        EvidenceSet::new(files).unwrap()
    }

    fn add(&self, files: &mut Vec<(EvidenceFile, Vec<u8>)>, kind: EvidenceKind, bytes: Vec<u8>) {
        if self.without.contains(&kind) {
            return;
        }
        let bytes = self.replaced.get(&kind).cloned().unwrap_or(bytes);
        let path = layout::path(kind, &self.publication.subject.tag).unwrap();
        files.push((bundle::entry(kind, path, &bytes, Producer::ci_intel(env!("CARGO_PKG_VERSION"))), bytes));
    }

    /// The facts that verifiers derive.
    #[must_use]
    pub fn facts(&self) -> Facts {
        verifiers::derive(&Inputs {
            set: &self.evidence(),
            subject: &self.publication.subject,
            run_id: RUN_ID,
            trust: &self.trust(),
            config: &self.effective(),
            now: self.now,
        })
    }

    /// The decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let (facts, config) = (self.facts(), self.effective());
        decide(&Question {
            run_id: RUN_ID,
            subject: &self.publication.subject,
            environment: self.environment,
            facts: &facts,
            config: &config,
            overlay: self.overlay.as_ref().map(|(_, text)| Digest::of(text.as_bytes())),
            now: self.now,
        })
        .unwrap()
    }

    /// The bundle, sealed with the release's key.
    #[must_use]
    pub fn bundle(&self) -> Vec<u8> {
        let decision = self.decision();
        let digest = Digest::of(&canonical::to_vec(&decision).unwrap());
        let entry = DecisionLog::default().next(&self.effective().project.name, &decision, digest);
        let evidence = self.evidence();
        let telemetry = ci_policy::telemetry::record(&evidence, &decision).unwrap();
        bundle::seal(&evidence, &decision, &entry, &telemetry, &self.key).unwrap().archive
    }
}
