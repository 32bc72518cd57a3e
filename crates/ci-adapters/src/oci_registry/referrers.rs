//! What is attached to an image (distribution-spec, "Listing Referrers").
//!
//! A list only proposes; what counts is each manifest, pulled by digest, whose own `subject` names the image.

use std::collections::BTreeSet;

use ci_execute::{Attachment, StoreError};
use ci_types::{Descriptor, Digest};
use ureq::http::Method;

use super::auth::Scope;
use super::{Registry, Request};
use crate::attach;
use crate::http::{Answer, Url};
use crate::manifest::{MAX_MANIFEST_BYTES, Manifest, OCI_INDEX};

/// Bounds on what a registry can make us read.
const MAX_PAGES: usize = 100;
const MAX_REFERRERS: usize = 5000;

impl Registry {
    pub(super) fn list_referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        let action = format!("list referrers of {subject}");
        let listed = match self.native_referrers(subject, &action)? {
            Some(listed) => listed,
            None => self.fallback_index(subject)?.map_or_else(Vec::new, |index| index.descriptors()),
        };
        if listed.len() > MAX_REFERRERS {
            return Err(self.protocol(&action, format!("more than {MAX_REFERRERS} entries")));
        }
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for entry in listed.into_iter().filter(|entry| seen.insert(entry.digest)) {
            let verified = self.verify_referrer(&entry, subject, &action)?;
            if artifact_type.is_none_or(|wanted| verified.artifact_type.as_deref() == Some(wanted)) {
                found.push(verified);
            }
        }
        found.sort_by_key(|entry| entry.digest);
        Ok(found)
    }

    fn verify_referrer(&self, entry: &Descriptor, subject: &Digest, action: &str) -> Result<Descriptor, StoreError> {
        let stored = self.pull_manifest(&entry.digest)?.ok_or_else(|| StoreError::Missing {
            target: self.target(),
            what: format!("{}, which is listed as referrer of {subject},", entry.digest),
        })?;
        let manifest = Manifest::parse(Some(&stored.media_type), &stored.content)
            .map_err(|error| self.protocol(action, format!("{}: {error}", entry.digest)))?;
        let verified = manifest.descriptor(&stored.content);
        if manifest.subject.as_ref().is_none_or(|named| named.digest != *subject) {
            return Err(self.protocol(action, format!("{} is listed and does not name it as subject", entry.digest)));
        }
        if (entry.size, &entry.media_type) != (verified.size, &verified.media_type) {
            return Err(self.protocol(action, format!("{} is not as listed", entry.digest)));
        }
        Ok(verified)
    }

    /// All pages of the referrers API; `None` where the registry has none (404). Never asks the server to filter: a server
    /// that filters wrongly could hide what matters.
    pub(super) fn native_referrers(
        &self,
        subject: &Digest,
        action: &str,
    ) -> Result<Option<Vec<Descriptor>>, StoreError> {
        let mut url = self.url(&format!("referrers/{subject}"));
        let mut listed = Vec::new();
        for page in 0..MAX_PAGES {
            let headers = [("accept", OCI_INDEX)];
            let request = Request::new(Method::GET, &url, Scope::Pull).headers(&headers).limit(MAX_MANIFEST_BYTES);
            let answer = self.send(request, action)?;
            match answer.status {
                200 => {}
                404 if page == 0 => {
                    return match self.refusal(&answer, Scope::Pull, action) {
                        refused @ StoreError::Forbidden { .. } => Err(refused),
                        _ => Ok(None),
                    };
                }
                _ => return Err(self.refusal(&answer, Scope::Pull, action)),
            }
            let stated = answer.header("content-type").map(|text| text.split(';').next().unwrap_or_default().trim());
            if stated != Some(OCI_INDEX) {
                return Err(self.protocol(action, "the answer is not an OCI image index".to_owned()));
            }
            let index = Manifest::parse(Some(OCI_INDEX), &answer.body)
                .map_err(|error| self.protocol(action, error.to_string()))?;
            listed.extend(index.children);
            if listed.len() > MAX_REFERRERS {
                break;
            }
            match self.next_page(&answer, action)? {
                Some(next) => url = next,
                None => return Ok(Some(listed)),
            }
        }
        Err(self.protocol(action, format!("more than {MAX_PAGES} pages or {MAX_REFERRERS} entries")))
    }

    /// `Link: <url>; rel="next"` (RFC 8288). A link that cannot be followed is an error: the rest would be missing.
    fn next_page(&self, answer: &Answer, action: &str) -> Result<Option<Url>, StoreError> {
        if !answer.headers.contains_key("link") {
            return Ok(None);
        }
        let bad = || self.protocol(action, "the Link header cannot be followed".to_owned());
        let text = answer.header("link").ok_or_else(bad)?;
        let (reference, parameters) =
            text.trim().strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or_else(bad)?;
        let is_next = parameters.split(';').any(|parameter| {
            parameter.trim().strip_prefix("rel=").is_some_and(|rel| rel.trim_matches('"').eq_ignore_ascii_case("next"))
        });
        if !is_next {
            return Err(bad());
        }
        let url = answer.url.join(reference).map_err(|_| bad())?;
        if url.same_origin(&self.origin) { Ok(Some(url)) } else { Err(bad()) }
    }

    pub(super) fn push_attachment(
        &self,
        subject: &Descriptor,
        artifact: &Attachment,
    ) -> Result<Descriptor, StoreError> {
        let target = self.target();
        let action = format!("attach `{}` to {}", artifact.artifact_type, subject.digest);
        let (content, descriptor) = attach::prepare(self, &target, subject, artifact)?;
        let pushed = self.push_manifest(&descriptor.media_type, &content)?;
        match pushed.linked_to {
            Some(linked) if linked == subject.digest => {}
            Some(linked) => {
                return Err(self.protocol(&action, format!("the registry linked it to {linked} instead")));
            }
            None => self.link_by_tag(&subject.digest, &descriptor, &action)?,
        }
        Ok(descriptor)
    }
}
