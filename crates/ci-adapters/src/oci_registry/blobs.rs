//! Blobs: pull with verification, push in one piece or in chunks (distribution-spec, "Pulling blobs", "Pushing blobs").

use std::fs::File;
use std::path::Path;

use ci_execute::StoreError;
use ci_types::Digest;
use ureq::http::Method;

use super::auth::Scope;
use super::{Registry, Request};
use crate::http::{Answer, Body, Url};
use crate::oci_layout::hash;

/// Where the bytes of a blob are.
#[derive(Clone, Copy)]
enum Source<'a> {
    Memory(&'a [u8]),
    File(&'a Path),
}

impl<'a> Source<'a> {
    fn part(self, from: u64, bytes: u64) -> Body<'a> {
        match self {
            Self::File(path) => Body::File { path, from, bytes },
            // Parts lie inside the content, whose length is a usize.
            Self::Memory(content) => {
                let start = usize::try_from(from).unwrap_or(usize::MAX);
                let end = usize::try_from(from + bytes).unwrap_or(usize::MAX);
                Body::Bytes(content.get(start..end).unwrap_or_default())
            }
        }
    }
}

impl Registry {
    /// Size of a blob that the registry says it has.
    pub(super) fn blob_bytes(&self, digest: &Digest) -> Result<Option<Option<u64>>, StoreError> {
        let action = format!("look for blob {digest}");
        let url = self.url(&format!("blobs/{digest}"));
        let answer = self.send(Request::new(Method::HEAD, &url, Scope::Pull), &action)?;
        match answer.status {
            200 => {
                self.check_digest_header(&answer, digest, &action)?;
                Ok(Some(answer.header("content-length").and_then(|text| text.parse().ok())))
            }
            404 => Ok(None),
            _ => Err(self.refusal(&answer, Scope::Pull, &action)),
        }
    }

    pub(super) fn pull_blob(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let action = format!("pull blob {digest}");
        let url = self.url(&format!("blobs/{digest}"));
        let answer = self.send(Request::new(Method::GET, &url, Scope::Pull).limit(limit_bytes), &action)?;
        match answer.status {
            200 => {}
            404 => {
                return Err(match self.refusal(&answer, Scope::Pull, &action) {
                    refused @ StoreError::Forbidden { .. } => refused,
                    _ => StoreError::Missing { target: self.target(), what: format!("blob {digest}") },
                });
            }
            _ => return Err(self.refusal(&answer, Scope::Pull, &action)),
        }
        self.check_content(&answer.body, digest, &format!("blob {digest}"))?;
        Ok(answer.body)
    }

    pub(super) fn push_bytes(&self, content: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(content);
        self.push(&digest, content.len() as u64, Source::Memory(content))?;
        Ok(digest)
    }

    pub(super) fn push_file(&self, digest: &Digest, bytes: u64, path: &Path) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| StoreError::Unreachable {
            target: self.target(),
            action: format!("read {} to push it", path.display()),
            detail: error.to_string(),
        };
        let (actual, length) = File::open(path).and_then(hash).map_err(failed)?;
        if actual != *digest {
            let what = format!("the file {}", path.display());
            return Err(StoreError::WrongDigest { target: self.target(), what, expected: *digest, actual });
        }
        if length != bytes {
            let detail = format!("{} has {length} bytes, its descriptor says {bytes}", path.display());
            return Err(self.protocol(&format!("push blob {digest}"), detail));
        }
        self.push(digest, bytes, Source::File(path))
    }

    fn push(&self, digest: &Digest, bytes: u64, source: Source<'_>) -> Result<(), StoreError> {
        let action = format!("push blob {digest}");
        if let Some(stored) = self.blob_bytes(digest)? {
            return self.expect_size(stored, bytes, &action);
        }
        let uploads = self.url("blobs/uploads/");
        let answer = self.send(Request::new(Method::POST, &uploads, Scope::Push).body(Body::Bytes(b"")), &action)?;
        if answer.status != 202 {
            return Err(self.refusal(&answer, Scope::Push, &action));
        }
        let least = answer.header("oci-chunk-min-length").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let mut location = self.location(&answer, &action)?;
        let chunk = self.options.chunk_bytes.max(least).max(1);
        let last = if bytes <= chunk {
            source.part(0, bytes)
        } else {
            let mut from = 0;
            while from < bytes {
                let count = chunk.min(bytes - from);
                location = self.push_chunk(&location, source.part(from, count), from, count, &action)?;
                from += count;
            }
            Body::Bytes(b"")
        };
        let url = location.with_query("digest", &digest.to_string());
        let headers = [("content-type", "application/octet-stream")];
        // Once: a second PUT to a session that is already closed would say 404 for what was a success.
        let answer =
            self.send(Request::new(Method::PUT, &url, Scope::Push).headers(&headers).body(last).once(), &action)?;
        if answer.status != 201 {
            return Err(self.refusal(&answer, Scope::Push, &action));
        }
        self.check_digest_header(&answer, digest, &action)?;
        match self.blob_bytes(digest)? {
            Some(stored) => self.expect_size(stored, bytes, &action),
            None => Err(self.protocol(&action, "the registry acknowledged it and does not have it".to_owned())),
        }
    }

    fn push_chunk(&self, url: &Url, body: Body<'_>, from: u64, count: u64, action: &str) -> Result<Url, StoreError> {
        let range = format!("{from}-{}", from + count - 1);
        let headers = [("content-type", "application/octet-stream"), ("content-range", range.as_str())];
        let answer = self.send(Request::new(Method::PATCH, url, Scope::Push).headers(&headers).body(body), action)?;
        if answer.status != 202 {
            return Err(self.refusal(&answer, Scope::Push, action));
        }
        // `Range: 0-END` tells what arrived so far.
        let end =
            answer.header("range").and_then(|text| text.trim_start_matches("bytes=").split_once('-')?.1.parse().ok());
        if end.is_some_and(|end: u64| end + 1 != from + count) {
            return Err(self.protocol(action, format!("the registry kept another part than bytes {range}")));
        }
        self.location(&answer, action)
    }

    /// `Location` of an upload session. It may be on another host, never on a plain one (unless all is on this machine).
    pub(super) fn location(&self, answer: &Answer, action: &str) -> Result<Url, StoreError> {
        let text = answer.header("location").ok_or_else(|| self.protocol(action, "no Location header".to_owned()))?;
        let url =
            answer.url.join(text).map_err(|error| self.protocol(action, format!("the Location header is {error}")))?;
        if !url.is_safe(self.options.plain_http) {
            return Err(self.protocol(action, "the Location header leads to plain HTTP".to_owned()));
        }
        Ok(url)
    }

    fn expect_size(&self, stored: Option<u64>, bytes: u64, action: &str) -> Result<(), StoreError> {
        match stored {
            Some(stored) if stored != bytes => {
                Err(self.protocol(action, format!("the registry has it with {stored} bytes instead of {bytes}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_content(&self, content: &[u8], expected: &Digest, what: &str) -> Result<(), StoreError> {
        let actual = Digest::of(content);
        if actual == *expected {
            return Ok(());
        }
        Err(StoreError::WrongDigest { target: self.target(), what: what.to_owned(), expected: *expected, actual })
    }

    /// `Docker-Content-Digest`, where present, must agree.
    pub(super) fn check_digest_header(&self, answer: &Answer, expected: &Digest, what: &str) -> Result<(), StoreError> {
        if !answer.headers.contains_key("docker-content-digest") {
            return Ok(());
        }
        let stated = answer.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
        match stated {
            Some(actual) if actual == *expected => Ok(()),
            Some(actual) => {
                let what = format!("by the registry's header, {what}");
                Err(StoreError::WrongDigest { target: self.target(), what, expected: *expected, actual })
            }
            None => Err(self.protocol(what, "Docker-Content-Digest is not one sha256 digest".to_owned())),
        }
    }

    pub(super) fn protocol(&self, action: &str, detail: String) -> StoreError {
        StoreError::Protocol { target: self.target(), action: action.to_owned(), detail }
    }
}
