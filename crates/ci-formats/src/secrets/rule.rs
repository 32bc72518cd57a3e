//! What a rule is: data only. The engine is in `scanner`, the structure checks in `check`.

/// One kind of secret.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable id, for example `github-pat`; it stands in evidence and in `[redacted:…]`.
    pub id: &'static str,
    /// What it is and who issues it.
    pub description: &'static str,
    /// Lower-case ASCII texts, at least one of which stands in or near every such secret. Matched without regard to case.
    pub keywords: &'static [&'static str],
    /// Pattern over bytes (no Unicode classes), searched in a window around a keyword.
    pub regex: &'static str,
    /// Capture group that is the secret; 0 is the whole match.
    pub group: usize,
    /// Least Shannon entropy of the secret in bits per byte.
    pub entropy_min: f64,
    /// Further structure that the secret must have.
    pub check: Check,
    /// Bytes before a keyword where a match may start.
    pub before: usize,
    /// Bytes after a keyword that belong to the window.
    pub after: usize,
    /// Template of a made-up example for tests and demonstrations; see [`Rule::example`]. Never itself a match.
    pub example: &'static str,
}

/// Structure that a pattern cannot express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// None: prefix, alphabet, length and entropy suffice.
    None,
    /// Last six characters are the Base62 CRC-32 of the rest (GitHub, "Behind GitHub's new authentication token formats").
    /// A right checksum waives the entropy demand; a wrong one does not clear a random-looking token.
    GithubChecksum,
    /// Three Base64url parts, the first a JSON object with `alg` (RFC 7519). A token whose only audience is a
    /// `ci-intel:sha256:…` digest is evidence, not a credential.
    Jwt,
    /// Starts at a PEM private key header: needs a body, and reaches to the END line.
    Pem,
    /// Chosen by a person, so of any randomness; only not a placeholder.
    Chosen,
    /// Value assigned to a name that says secret.
    Assignment,
    /// Not one of the documented example values.
    NotExample,
}

impl Check {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::GithubChecksum => "github-checksum",
            Self::Jwt => "jwt",
            Self::Pem => "pem",
            Self::Chosen => "chosen",
            Self::Assignment => "assignment",
            Self::NotExample => "not-example",
        }
    }
}

impl Rule {
    /// A token that its own prefix gives away.
    pub(super) const fn token(
        id: &'static str,
        description: &'static str,
        keywords: &'static [&'static str],
        regex: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            id,
            description,
            keywords,
            regex,
            group: 0,
            entropy_min: 3.0,
            check: Check::None,
            before: 0,
            after: 300,
            example,
        }
    }

    /// A value without a mark of its own, known by the name beside it: the secret is group 1.
    pub(super) const fn beside(
        id: &'static str,
        description: &'static str,
        keywords: &'static [&'static str],
        regex: &'static str,
        example: &'static str,
    ) -> Self {
        let mut rule = Self::token(id, description, keywords, regex, example);
        rule.group = 1;
        rule.before = 40;
        rule
    }

    pub(super) const fn secret(mut self, group: usize) -> Self {
        self.group = group;
        self
    }

    pub(super) const fn entropy(mut self, bits: f64) -> Self {
        self.entropy_min = bits;
        self
    }

    pub(super) const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    pub(super) const fn window(mut self, before: usize, after: usize) -> Self {
        self.before = before;
        self.after = after;
        self
    }
}
