//! A good bundle, who may verify it, and what became of a changed one.

use ci_evidence::keys::{Algorithm, SigningKey};
use ci_evidence::trust::TrustRoots;
use ci_policy::replay::{self, Expectations};
use ci_testkit::Unsealed;
use ci_testkit::release::Release;
use ci_types::{Environment, Timestamp};

/// How the files are put together again: with what the attacker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    /// Nothing: the manifest stays as it was.
    None,
    /// A key of his own: a manifest that fits, signed by it.
    Untrusted,
    /// The lane's key, but not its decision: a manifest that fits, signed by the trusted key.
    Trusted,
}

/// One changed bundle.
pub(crate) struct Attempt {
    /// What was changed.
    pub(crate) what: String,
    pub(crate) change: Change,
}

type ChangeArchive = Box<dyn Fn(&Sample) -> Vec<u8> + Send + Sync>;
type ChangeFiles = Box<dyn Fn(&Sample, &mut Unsealed) + Send + Sync>;

/// The change: made when it is tried, so that thousands need no memory.
pub(crate) enum Change {
    /// The archive's bytes.
    Archive(ChangeArchive),
    /// Its files, and how they are sealed.
    Files(Seal, ChangeFiles),
}

impl Attempt {
    pub(crate) fn archive(what: String, change: impl Fn(&Sample) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self { what, change: Change::Archive(Box::new(change)) }
    }

    pub(crate) fn files(
        seal: Seal,
        what: &str,
        change: impl Fn(&Sample, &mut Unsealed) + Send + Sync + 'static,
    ) -> Self {
        Self { what: format!("{what} (seal: {seal:?})"), change: Change::Files(seal, Box::new(change)) }
    }
}

/// What a verifier makes of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Genuine and accepted.
    Accepted,
    /// Anything else.
    Rejected,
}

/// A good bundle.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) release: fn() -> Release,
    pub(crate) bundle: Vec<u8>,
    pub(crate) unsealed: Unsealed,
    pub(crate) key: SigningKey,
    pub(crate) stranger: SigningKey,
    trust: TrustRoots,
    expected: Expectations,
    now: Timestamp,
}

impl Sample {
    pub(crate) fn local() -> Self {
        Self::of("local", Release::local)
    }

    /// With everything that a release can have, an organisation's overlay too.
    pub(crate) fn authoritative() -> Self {
        Self::of("authoritative", || {
            let mut release = Release::authoritative();
            release.overlay = Some((key(11), "version: 1\nbuild:\n  determinism: dual\n".to_owned()));
            release
        })
    }

    fn of(name: &'static str, make: fn() -> Release) -> Self {
        let release = make();
        let bundle = release.bundle();
        Self {
            name,
            release: make,
            unsealed: Unsealed::of(&bundle),
            bundle,
            trust: release.trust(),
            expected: Expectations { environment: Some(release.environment), ..Expectations::default() },
            now: release.now,
            key: release.key,
            stranger: key(13),
        }
    }

    /// The environment that the bundle was decided for.
    pub(crate) fn environment(&self) -> Environment {
        self.expected.environment.unwrap()
    }

    pub(crate) fn verdict(&self, attempt: &Attempt) -> Verdict {
        let bytes = match &attempt.change {
            Change::Archive(change) => change(self),
            Change::Files(seal, change) => {
                let mut files = self.unsealed.clone();
                change(self, &mut files);
                match seal {
                    Seal::None => files.pack(),
                    Seal::Untrusted => files.seal(&self.stranger),
                    Seal::Trusted => files.seal(&self.key),
                }
            }
        };
        match replay::replay(&bytes, &self.trust, &self.expected, self.now) {
            Ok(replayed) if replayed.decision.verdict == ci_types::record::Verdict::Accepted => Verdict::Accepted,
            _ => Verdict::Rejected,
        }
    }
}

/// A key of the samples by its seed.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Algorithm::EcdsaP256, &[seed; 32]).unwrap()
}
