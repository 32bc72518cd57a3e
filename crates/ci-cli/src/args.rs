//! The command line. Its help texts are the reference; `docs/reference/cli.md` is generated from it.

use std::path::PathBuf;

use ci_types::{Digest, Environment};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Fail-closed release control: decides on proof whether this exact artifact may go further.
#[derive(Debug, Parser)]
#[command(name = "ci-intel", version, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 accepted or done, 1 rejected or findings, 2 usage, 3 could not decide \
                        (treat as rejected), 4 internal fault.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The clap command, for completions and the documentation check.
#[must_use]
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented .ci-intel/config.yml for the project found here.
    Init(InitArgs),
    /// Build, publish, start, test, scan and decide: a commit becomes a digest that is accepted or rejected.
    Release(ReleaseArgs),
    /// Re-check a bundle offline: every digest and signature, then the decision again from its evidence.
    Verify(VerifyArgs),
    /// Answer the audit questions about a release; for a rejection, the shortest path to acceptance.
    Why(WhyArgs),
    /// List releases with their fail → fix → pass chains.
    History(HistoryArgs),
    /// Look into evidence bundles.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Read, check and explain the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make and show signing keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Check this machine: tools, key, configuration.
    Doctor(DoctorArgs),
    /// Print shell completions.
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
}

/// Report formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// SARIF 2.1.0 for code scanning.
    Sarif,
    /// For pull request comments.
    Markdown,
    /// GitHub Actions annotations.
    Github,
    /// One self-contained page.
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct RepoArg {
    /// Repository to work in.
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub(crate) repo: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct OverlayArgs {
    /// The organisation's overlay: a config file that every repository may only be stricter than.
    #[arg(long, value_name = "FILE", env = "CI_INTEL_OVERLAY", requires = "organisation_key")]
    pub(crate) overlay: Option<PathBuf>,
    /// Envelope over the overlay; default: the overlay's name with `.dsse.json`.
    #[arg(long, value_name = "FILE", requires = "overlay")]
    pub(crate) overlay_signature: Option<PathBuf>,
    /// The organisation's public key (PEM). May be given more than once.
    #[arg(long, value_name = "FILE", env = "CI_INTEL_ORGANISATION_KEY", value_delimiter = ':')]
    pub(crate) organisation_key: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) repo: RepoArg,
    /// Overwrite an existing file.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print instead of writing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    pub(crate) repo: RepoArg,
    /// Environment to decide for. Everything but `local` needs the authoritative lane.
    #[arg(long, default_value_t = Environment::Local)]
    pub(crate) env: Environment,
    /// Signing key (PKCS#8 PEM); made on first use. Default: signing.key in the user's configuration folder.
    #[arg(long, value_name = "FILE", env = "CI_INTEL_KEY")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) overlay: OverlayArgs,
    /// Report format on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Copy the bundle and the outputs into this folder too.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Only preflight: say who you are, what is permitted and what would happen. Builds and writes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not resume an interrupted release; start anew.
    #[arg(long)]
    pub(crate) fresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Public key (PEM) that evidence must be signed with. May be given more than once.
    #[arg(long, value_name = "FILE", env = "CI_INTEL_TRUSTED_KEY", value_delimiter = ':')]
    pub(crate) key: Vec<PathBuf>,
    /// The organisation's public key (PEM); demands that its overlay applied.
    #[arg(long, value_name = "FILE", env = "CI_INTEL_ORGANISATION_KEY", value_delimiter = ':')]
    pub(crate) organisation_key: Vec<PathBuf>,
    /// Identity that the lane must have: a YAML file with the keys of `lane` in the configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// The OIDC issuer's public keys (JWKS), fetched by you and kept.
    #[arg(long, value_name = "FILE")]
    pub(crate) issuer_keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Bundle to verify.
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Digest that it must be about.
    #[arg(long)]
    pub(crate) digest: Option<Digest>,
    /// Environment that it must have been decided for.
    #[arg(long)]
    pub(crate) env: Option<Environment>,
    /// Reject decisions older than this many hours.
    #[arg(long, value_name = "HOURS")]
    pub(crate) max_age_h: Option<u64>,
    /// Report format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// Tag, digest, `name:tag@digest`, run id, or a bundle file. A file from elsewhere must be verified: name whom you trust.
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) repo: RepoArg,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Report format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) repo: RepoArg,
    /// Report format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Show at most this many, newest first.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// List a bundle's files, or print one of them. Checks digests; trust is `ci-intel verify`'s business.
    Show {
        /// Bundle.
        bundle: PathBuf,
        /// Path of one file to print, as listed.
        path: Option<String>,
        /// Report format: text or json.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Pack a folder that `unpack` wrote into a bundle again, byte for byte.
    Pack {
        /// Folder that holds `evidence-pack/`.
        folder: PathBuf,
        /// Bundle to write.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Unpack a bundle into a new folder.
    Unpack {
        /// Bundle.
        bundle: PathBuf,
        /// Folder to make.
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write one kind of evidence to a file, for other tools: `sbom-cyclonedx`, `provenance`, `summary`, …
    Export {
        /// Bundle.
        bundle: PathBuf,
        /// Kind of evidence.
        kind: String,
        /// File to write; `-` is standard output.
        #[arg(long, short, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check .ci-intel/config.yml and say where it is wrong and how to fix it.
    Validate(ConfigArgs),
    /// Print the effective configuration: defaults, overlay, repository.
    Show(ConfigArgs),
    /// Explain a key: meaning, value, where it was set, which values are stricter.
    Explain {
        /// Key, like `build.engine`; without it, all keys.
        key: Option<String>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Print the JSON Schema, for editors.
    Schema,
    /// Sign an organisation overlay.
    SignOverlay {
        /// The overlay.
        overlay: PathBuf,
        /// The organisation's private key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Envelope to write; default: the overlay's name with `.dsse.json`.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) repo: RepoArg,
    #[command(flatten)]
    pub(crate) overlay: OverlayArgs,
    /// Report format: text or json.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyAlgorithm {
    /// ECDSA P-256 with SHA-256: what cosign makes.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key pair: FILE (private, owner-readable) and FILE.pub.
    Generate {
        /// Private key to write; never overwritten.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Algorithm.
        #[arg(long, value_enum, default_value_t = KeyAlgorithm::EcdsaP256)]
        algorithm: KeyAlgorithm,
    },
    /// Print the public half of a private key, and its id.
    Public {
        /// Private key; default: the one that `ci-intel release` uses.
        #[arg(long, value_name = "FILE", env = "CI_INTEL_KEY")]
        key: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) repo: RepoArg,
    /// Report format: text or json.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
