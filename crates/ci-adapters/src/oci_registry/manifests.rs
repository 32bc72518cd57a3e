//! Manifests and tags (distribution-spec, "Pulling manifests", "Pushing manifests").

use ci_execute::{StoreError, StoredManifest};
use ci_types::{Digest, Tag};
use ureq::http::Method;

use super::auth::Scope;
use super::{Registry, Request, codes};
use crate::http::{Answer, Body};
use crate::manifest::{DOCKER_LIST, DOCKER_MANIFEST, MAX_MANIFEST_BYTES, Manifest, OCI_INDEX, OCI_MANIFEST};

/// What came of a push.
pub(super) struct Pushed {
    pub(super) digest: Digest,
    /// `OCI-Subject`: the registry has a referrers API and linked the manifest.
    pub(super) linked_to: Option<Digest>,
}

impl Registry {
    pub(super) fn pull_manifest(&self, digest: &Digest) -> Result<Option<StoredManifest>, StoreError> {
        let what = format!("manifest {digest}");
        let Some(stored) = self.pull_reference(&digest.to_string(), &what)? else { return Ok(None) };
        self.check_content(&stored.content, digest, &what)?;
        Ok(Some(stored))
    }

    pub(super) fn pull_tag(&self, tag: &Tag) -> Result<Option<StoredManifest>, StoreError> {
        self.pull_reference(tag.as_str(), &format!("tag {tag}"))
    }

    fn pull_reference(&self, reference: &str, what: &str) -> Result<Option<StoredManifest>, StoreError> {
        let action = format!("pull {what}");
        let url = self.url(&format!("manifests/{reference}"));
        let accept = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
        let headers = [("accept", accept.as_str())];
        let request = Request::new(Method::GET, &url, Scope::Pull).headers(&headers).limit(MAX_MANIFEST_BYTES);
        let answer = self.send(request, &action)?;
        match answer.status {
            200 => {}
            404 if is_absence(&answer) => return Ok(None),
            _ => return Err(self.refusal(&answer, Scope::Pull, &action)),
        }
        self.check_digest_header(&answer, &Digest::of(&answer.body), what)?;
        let stated = answer.header("content-type").map(|text| text.split(';').next().unwrap_or_default().trim());
        let stated = stated.ok_or_else(|| self.protocol(&action, "no Content-Type header".to_owned()))?;
        let manifest =
            Manifest::parse(Some(stated), &answer.body).map_err(|error| self.protocol(&action, error.to_string()))?;
        Ok(Some(StoredManifest { media_type: manifest.media_type, content: answer.body }))
    }

    pub(super) fn push_manifest(&self, media_type: &str, content: &[u8]) -> Result<Pushed, StoreError> {
        let digest = Digest::of(content);
        let action = format!("push manifest {digest}");
        Manifest::parse(Some(media_type), content).map_err(|error| self.protocol(&action, error.to_string()))?;
        self.put_reference(&digest.to_string(), media_type, content, &action)
    }

    /// PUTs a manifest by digest or tag. Where the registry does not say which digest it stored, it is read back.
    pub(super) fn put_reference(
        &self,
        reference: &str,
        media_type: &str,
        content: &[u8],
        action: &str,
    ) -> Result<Pushed, StoreError> {
        let digest = Digest::of(content);
        let url = self.url(&format!("manifests/{reference}"));
        let headers = [("content-type", media_type)];
        let request = Request::new(Method::PUT, &url, Scope::Push).headers(&headers).body(Body::Bytes(content));
        let answer = self.send(request, action)?;
        if answer.status != 201 {
            return Err(self.refusal(&answer, Scope::Push, action));
        }
        self.check_digest_header(&answer, &digest, action)?;
        if !answer.headers.contains_key("docker-content-digest") && self.pull_manifest(&digest)?.is_none() {
            return Err(self.protocol(action, "the registry acknowledged it and does not have it".to_owned()));
        }
        let linked_to = match answer.headers.contains_key("oci-subject") {
            false => None,
            true => {
                let subject = answer.header("oci-subject").and_then(|text| text.parse().ok());
                Some(subject.ok_or_else(|| self.protocol(action, "OCI-Subject is not a sha256 digest".to_owned()))?)
            }
        };
        Ok(Pushed { digest, linked_to })
    }

    pub(super) fn push_tag(&self, tag: &Tag, digest: &Digest) -> Result<(), StoreError> {
        let action = format!("set tag {tag}");
        let stored = self.pull_manifest(digest)?.ok_or_else(|| StoreError::Missing {
            target: self.target(),
            what: format!("manifest {digest}; store it before tagging it"),
        })?;
        self.put_reference(tag.as_str(), &stored.media_type, &stored.content, &action)?;
        let read_back = self
            .pull_tag(tag)?
            .ok_or_else(|| self.protocol(&action, "the registry acknowledged it and does not have it".to_owned()))?;
        self.check_content(&read_back.content, digest, &format!("what tag `{tag}` points at after it was set"))
    }
}

/// Whether a 404 says "no such manifest" in the words of the specification, or says nothing at all. An HTML page of some
/// proxy, or a code that speaks of rights, does not.
pub(super) fn is_absence(answer: &Answer) -> bool {
    let codes = codes(answer);
    if codes.is_empty() {
        return answer.body.is_empty();
    }
    codes.iter().all(|code| matches!(code.as_str(), "MANIFEST_UNKNOWN" | "NAME_UNKNOWN" | "NOT_FOUND"))
}
