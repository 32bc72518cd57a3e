//! Who runs the lane: a workflow of GitHub Actions, proven by its OIDC token, or a developer.

use ci_adapters::{Secret, github_oidc};
use ci_evidence::jwt;
use ci_policy::decide::lane_mismatches;
use ci_types::record::identity::IdentitySchema;
use ci_types::record::{GithubClaims, IdentityKind, IdentityRecord, Permission};
use ci_types::{Digest, Environment};

use super::candidate::Candidate;
use crate::failure::Failure;

const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";
const GRANT: &str = "add `permissions: { id-token: write, contents: read }` to the job";

/// Who runs the lane.
pub(crate) enum Identity {
    Github { claims: Box<GithubClaims>, issuer_keys: Vec<u8>, url: String, bearer: Secret },
    Developer { subject: String },
}

impl Identity {
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::Github { claims, .. } => &claims.sub,
            Self::Developer { subject } => subject,
        }
    }

    /// What the issuer says.
    pub(crate) fn claims(&self) -> Option<&GithubClaims> {
        match self {
            Self::Github { claims, .. } => Some(claims),
            Self::Developer { .. } => None,
        }
    }

    pub(crate) fn issuer_keys(&self) -> Option<&[u8]> {
        match self {
            Self::Github { issuer_keys, .. } => Some(issuer_keys),
            Self::Developer { .. } => None,
        }
    }

    /// The evidence: for a workflow, with a fresh token that names this very digest.
    pub(crate) fn record(&self, digest: &Digest, permissions: Vec<Permission>) -> Result<IdentityRecord, Failure> {
        let (kind, subject, claims, digest_token) = match self {
            Self::Developer { subject } => (IdentityKind::Developer, subject.clone(), None, None),
            Self::Github { issuer_keys, url, bearer, .. } => {
                let audience = ci_evidence::verifiers::audience(digest);
                let token = github_oidc::request_token(url, bearer, &audience).map_err(Failure::rejected)?;
                let claims: GithubClaims = jwt::verify(&token, issuer_keys).map_err(Failure::rejected)?;
                (IdentityKind::GithubActions, claims.sub.clone(), Some(claims), Some(token))
            }
        };
        Ok(IdentityRecord { schema: IdentitySchema::V1, kind, subject, claims, digest_token, permissions })
    }
}

/// Finds out who runs the lane. For anything but `local` a proven CI identity that matches the lane is needed, and its
/// absence stops here, before the registry is touched.
pub(crate) fn establish(candidate: &Candidate) -> Result<Identity, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let request = (variable("ACTIONS_ID_TOKEN_REQUEST_URL"), variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
    let (Some(url), Some(bearer)) = request else {
        if candidate.environment == Environment::Local {
            return Ok(Identity::Developer { subject: developer() });
        }
        let in_actions = std::env::var_os("GITHUB_ACTIONS").is_some();
        let (message, fix) = if in_actions {
            ("this job may not ask for an OIDC token".to_owned(), GRANT)
        } else {
            (
                format!("there is no CI identity here, and {} needs one", candidate.environment),
                "run this in the workflow that `lane` names, or decide for `--env local`",
            )
        };
        return Err(Failure::rejected(message).fix(fix));
    };
    let bearer = Secret::new(bearer);
    let policy = candidate.effective.config.lane.as_ref();
    let issuer = policy.map_or(GITHUB_ISSUER, |policy| policy.issuer.as_str());
    let token =
        github_oidc::request_token(&url, &bearer, "ci-intel").map_err(|error| Failure::rejected(error).fix(GRANT))?;
    let issuer_keys = github_oidc::fetch_issuer_keys(issuer).map_err(Failure::rejected)?;
    let claims: GithubClaims =
        jwt::verify(&token, &issuer_keys).map_err(|error| Failure::rejected(format!("the CI's token: {error}")))?;
    check(candidate, &claims)?;
    Ok(Identity::Github { claims: Box::new(claims), issuer_keys, url, bearer })
}

fn check(candidate: &Candidate, claims: &GithubClaims) -> Result<(), Failure> {
    let now = super::now()?;
    if claims.aud != "ci-intel" {
        return Err(Failure::rejected(format!("the CI's token is for `{}`, not for `ci-intel`", claims.aud)));
    }
    if now.unix_s() > claims.exp || claims.nbf > now.unix_s() + 60 {
        return Err(Failure::rejected("the CI's token is not valid now").fix("check the runner's clock"));
    }
    if claims.sha != candidate.source.commit {
        return Err(Failure::rejected(format!(
            "the token is for commit {}, the checkout is {}",
            claims.sha, candidate.source.commit
        ))
        .fix("check out the commit that started the workflow"));
    }
    if let Some(declared) = &candidate.effective.config.project.repository
        && *declared != claims.repository
    {
        return Err(Failure::rejected(format!(
            "the token is for {}, `project.repository` says {declared}",
            claims.repository
        ))
        .fix(format!("set `project.repository: {}` in .ci-intel/config.yml, or leave it out", claims.repository)));
    }
    if candidate.environment == Environment::Local {
        return Ok(());
    }
    let Some(policy) = &candidate.effective.config.lane else {
        return Err(Failure::rejected("the configuration declares no authoritative lane")
            .fix("declare `lane` in .ci-intel/config.yml: ci-intel config explain lane"));
    };
    match lane_mismatches(policy, claims, now).first() {
        None => Ok(()),
        Some(mismatch) => Err(Failure::rejected(format!("this is not the authoritative lane: {mismatch}"))
            .fix("run the workflow that `lane` names, or decide for `--env local`")),
    }
}

/// `user@host`: a name without authority.
fn developer() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| account());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "unknown".to_owned());
    format!("{user}@{}", host.trim())
}

/// The name of this process's user, else its number.
fn account() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut names = accounts.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    names.next().unwrap_or(uid)
}

/// Who the environment says we are, for the record of a failed attempt; nothing is proven here.
pub(crate) fn claimed_actor() -> String {
    std::env::var("GITHUB_ACTOR").unwrap_or_else(|_| developer())
}
