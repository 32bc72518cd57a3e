//! Who ran the lane. A CI identity counts only with a token of the issuer whose audience is this very digest; a developer's
//! word is taken as what it is: a name without authority.

use ci_types::record::{EvidenceKind, GithubClaims, IdentityKind, IdentityRecord, RegistryAction};

use super::{Inputs, ensure, same};
use crate::facts::{IdentityFact, Outcome, Rejection, RejectionCode, VerifiedFact};
use crate::jwt;

const KIND: EvidenceKind = EvidenceKind::Identity;
/// Clocks of issuer and lane may differ by this much, in seconds.
const SKEW_S: i64 = 60;

/// What an audience starts with that binds a token to an image digest.
pub(super) const AUDIENCE_PREFIX: &str = "ci-intel:sha256:";

/// The audience that binds a token to an image digest: no other relying party accepts it.
#[must_use]
pub fn audience(digest: &ci_types::Digest) -> String {
    format!("ci-intel:{digest}")
}

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<IdentityFact> {
    let (entry, record): (_, IdentityRecord) = inputs.set.record(KIND)?;
    for action in RegistryAction::ALL {
        let answers = record.permissions.iter().filter(|permission| permission.action == action).count();
        ensure(KIND, RejectionCode::Inconsistent, answers == 1, || {
            format!("{} answers to whether `{}` is permitted, expected one", answers, action.as_str())
        })?;
    }
    let mut evidence = vec![entry.digest];
    let claims = match record.kind {
        IdentityKind::Developer => {
            ensure(
                KIND,
                RejectionCode::Inconsistent,
                record.claims.is_none() && record.digest_token.is_none(),
                || "a developer identity carries no token".to_owned(),
            )?;
            None
        }
        IdentityKind::GithubActions => {
            let proven = claims(inputs, &record)?;
            // For whoever audits later; the proof above rests on the keys that the verifier names.
            let (keys, content) = inputs.set.one(EvidenceKind::IssuerKeys)?;
            jwt::verify::<GithubClaims>(record.digest_token.as_deref().unwrap_or_default(), content).map_err(
                |error| {
                    let message = format!("{}: they do not verify the token: {error}", keys.path);
                    Rejection::new(EvidenceKind::IssuerKeys, RejectionCode::Inconsistent, message)
                },
            )?;
            evidence.push(keys.digest);
            Some(proven)
        }
    };
    Ok(VerifiedFact::proven(
        IdentityFact { kind: record.kind, subject: record.subject, claims, permissions: record.permissions },
        evidence,
    ))
}

fn claims(inputs: &Inputs<'_>, record: &IdentityRecord) -> Result<GithubClaims, Rejection> {
    let reject = |code, message: String| Rejection::new(KIND, code, message);
    let token = record
        .digest_token
        .as_deref()
        .ok_or_else(|| reject(RejectionCode::Missing, "no token of the CI's issuer".to_owned()))?;
    let keys =
        inputs.trust.issuer_keys.as_deref().ok_or_else(|| {
            reject(RejectionCode::Untrusted, "no public keys of the OIDC issuer were named".to_owned())
        })?;
    let proven: GithubClaims =
        jwt::verify(token, keys).map_err(|error| reject(RejectionCode::Untrusted, format!("OIDC token: {error}")))?;
    ensure(KIND, RejectionCode::Inconsistent, record.claims.as_ref() == Some(&proven), || {
        "the recorded claims are not those of the token".to_owned()
    })?;
    same(KIND, RejectionCode::Inconsistent, "subject", record.subject.as_str(), proven.sub.as_str())?;
    same(
        KIND,
        RejectionCode::WrongSubject,
        "token audience",
        proven.aud.as_str(),
        audience(&inputs.subject.digest).as_str(),
    )?;
    let now = inputs.now.unix_s();
    ensure(KIND, RejectionCode::Stale, proven.nbf <= now + SKEW_S && proven.iat <= now + SKEW_S, || {
        format!("the token is not valid before {}, decided at {now}", proven.nbf.max(proven.iat))
    })?;
    ensure(KIND, RejectionCode::Stale, now <= proven.exp.saturating_add(SKEW_S), || {
        format!("the token expired at {}, decided at {now}", proven.exp)
    })?;
    Ok(proven)
}
