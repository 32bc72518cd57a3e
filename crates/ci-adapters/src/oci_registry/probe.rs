//! May we? Asked before anything is built, leaving nothing behind.

use ci_execute::StoreError;
use ci_types::Digest;
use ci_types::record::{Permission, RegistryAction};
use ureq::http::Method;

use super::auth::Scope;
use super::{Registry, Request, codes};
use crate::http::Body;
use crate::manifest::OCI_MANIFEST;

/// A tag and a digest that stand for nothing.
const PROBE_TAG: &str = "ci-intel-permission-probe";

impl Registry {
    pub(super) fn try_action(&self, action: RegistryAction) -> Permission {
        let outcome = match action {
            RegistryAction::Pull => self.try_pull(),
            RegistryAction::Push => self.try_push(),
            RegistryAction::Tag => self.try_tag(),
            RegistryAction::ListReferrers => self.try_list(),
        };
        match outcome {
            Ok(detail) => Permission { action, granted: true, detail },
            Err(error) => Permission { action, granted: false, detail: error.to_string() },
        }
    }

    fn nothing() -> Digest {
        Digest::of(PROBE_TAG.as_bytes())
    }

    /// `GET /v2/` says that this is a registry, the manifest that it may be asked.
    fn try_pull(&self) -> Result<String, StoreError> {
        let url = self.origin.with_path("/v2/");
        let answer = self.send(Request::new(Method::GET, &url, Scope::Pull), "GET /v2/")?;
        if answer.status != 200 {
            return Err(self.refusal(&answer, Scope::Pull, "GET /v2/"));
        }
        let nothing = Self::nothing();
        let found = self.pull_manifest(&nothing)?;
        let status = if found.is_some() { 200 } else { 404 };
        Ok(format!("GET /v2/ -> HTTP 200; GET /v2/{}/manifests/{nothing} -> HTTP {status}", self.repository))
    }

    /// Starts an upload and cancels it.
    fn try_push(&self) -> Result<String, StoreError> {
        let url = self.url("blobs/uploads/");
        let action = format!("POST {}", url.path());
        let answer = self.send(Request::new(Method::POST, &url, Scope::Push).body(Body::Bytes(b"")), &action)?;
        if answer.status != 202 {
            return Err(self.refusal(&answer, Scope::Push, &action));
        }
        let session = self.location(&answer, &action)?;
        // A registry that does not cancel lets the empty session expire.
        let cancelled = self.send(Request::new(Method::DELETE, &session, Scope::Push), "cancel the upload");
        let cancelled = cancelled.map_or_else(|_| "no answer".to_owned(), |answer| format!("HTTP {}", answer.status));
        Ok(format!("{action} -> HTTP 202; cancelled: {cancelled}"))
    }

    /// PUTs what is no manifest: rights are checked before content, and nothing is stored.
    fn try_tag(&self) -> Result<String, StoreError> {
        let url = self.url(&format!("manifests/{PROBE_TAG}"));
        let action = format!("PUT {}", url.path());
        let headers = [("content-type", OCI_MANIFEST)];
        let request = Request::new(Method::PUT, &url, Scope::Push).headers(&headers).body(Body::Bytes(b"{")).once();
        let answer = self.send(request, &action)?;
        let invalid = codes(&answer).iter().any(|code| code == "MANIFEST_INVALID");
        match answer.status {
            400 if invalid => Ok(format!("{action} with an invalid manifest -> {}", self.said(&answer))),
            201 => Err(self.protocol(&action, "the registry took half a brace for a manifest".to_owned())),
            _ => Err(self.refusal(&answer, Scope::Push, &action)),
        }
    }

    fn try_list(&self) -> Result<String, StoreError> {
        let nothing = Self::nothing();
        let action = format!("GET /v2/{}/referrers/{nothing}", self.repository);
        if self.native_referrers(&nothing, &action)?.is_some() {
            return Ok(format!("{action} -> HTTP 200"));
        }
        self.fallback_index(&nothing)?;
        Ok(format!("{action} -> HTTP 404; fallback tags can be read"))
    }
}
