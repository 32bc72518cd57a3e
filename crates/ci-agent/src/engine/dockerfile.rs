//! What a Dockerfile fetches: every image must be pinned by digest, every remote file by checksum.
//!
//! Reads the instructions that fetch (`FROM`, `COPY --from`, `RUN --mount=from`, `ADD`, the `syntax` directive) and refuses what
//! it cannot bound, such as a `FROM` with a variable.

use std::collections::BTreeSet;
use std::path::Path;

use ci_types::Digest;

use super::BuildError;

/// What a Dockerfile builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dockerfile {
    /// Digests of the images it fetches, in order, each once.
    pub(super) images: Vec<Digest>,
    /// Base of the last stage; `None` for `scratch`.
    pub(super) base: Option<Digest>,
}

pub(super) fn read(path: &Path, name: &str) -> Result<Dockerfile, BuildError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            return Err(BuildError::Missing { path: name.to_owned(), role: "build.dockerfile" });
        }
        Err(cause) => return Err(BuildError::file(path)(cause)),
    };
    parse(&text, name)
}

fn parse(text: &str, name: &str) -> Result<Dockerfile, BuildError> {
    let fail =
        |line, detail: &str| BuildError::Dockerfile { dockerfile: name.to_owned(), line, detail: detail.to_owned() };
    let pin = |line, image: &str| {
        let digest = image.split_once('@').filter(|(name, _)| !name.is_empty() && !name.contains('$'));
        digest.and_then(|(_, digest)| digest.parse::<Digest>().ok()).ok_or_else(|| BuildError::Unpinned {
            dockerfile: name.to_owned(),
            line,
            image: image.to_owned(),
        })
    };
    // Stage names and numbers to the base each goes back to.
    let (mut stages, mut count): (Vec<(String, Option<Digest>)>, usize) = (Vec::new(), 0);
    let (mut images, mut last) = (Vec::new(), None);
    let mut add = |digest: Digest| {
        if !images.contains(&digest) {
            images.push(digest);
        }
    };
    for (line, instruction) in instructions(text, name)? {
        let mut words = instruction.split_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        let flags: Vec<&str> = words.clone().take_while(|word| word.starts_with("--")).collect();
        let rest: Vec<&str> = words.skip(flags.len()).collect();
        // What it names as `from=`, unless that is a stage of this file.
        let mut fetched = BTreeSet::new();
        match keyword.as_str() {
            "FROM" => {
                let image = *rest.first().ok_or_else(|| fail(line, "FROM names no image; write `FROM scratch`"))?;
                let earlier =
                    stages.iter().rev().find(|(stage, _)| stage.eq_ignore_ascii_case(image)).map(|(_, base)| *base);
                let base = match earlier {
                    Some(base) => base,
                    None if image == "scratch" => None,
                    None => Some(pin(line, image)?),
                };
                base.into_iter().for_each(&mut add);
                stages.push((count.to_string(), base));
                match rest.as_slice() {
                    [_] => {}
                    [_, word, stage] if word.eq_ignore_ascii_case("as") => stages.push(((*stage).to_owned(), base)),
                    _ => return Err(fail(line, "FROM must read `FROM image` or `FROM image AS stage`")),
                }
                count += 1;
                last = Some(base);
            }
            "COPY" => fetched.extend(flags.iter().filter_map(|flag| flag.strip_prefix("--from="))),
            "RUN" => {
                for mount in flags.iter().filter_map(|flag| flag.strip_prefix("--mount=")) {
                    fetched.extend(mount.split(',').filter_map(|option| option.strip_prefix("from=")));
                }
            }
            "ADD" => {
                // A variable could hold an address.
                let remote = |word: &&str| word.contains("://") || word.starts_with("git@") || word.contains('$');
                let checked = flags.iter().any(|flag| flag.starts_with("--checksum=sha256:"));
                if rest.iter().any(|word| remote(&word.trim_matches(['[', '"', ',', ']']))) && !checked {
                    return Err(fail(
                        line,
                        "ADD fetches a remote file; add --checksum=sha256:…, or put the file into the context",
                    ));
                }
            }
            "ONBUILD" => return Err(fail(line, "ONBUILD acts in other builds and cannot be judged here; remove it")),
            "ARG" | "CMD" | "ENTRYPOINT" | "ENV" | "EXPOSE" | "HEALTHCHECK" | "LABEL" | "MAINTAINER" | "SHELL"
            | "STOPSIGNAL" | "USER" | "VOLUME" | "WORKDIR" => {}
            _ => return Err(fail(line, "is no instruction that is known here; what it fetches cannot be judged")),
        }
        for image in fetched {
            if !stages.iter().any(|(stage, _)| stage.eq_ignore_ascii_case(image)) && image != "scratch" {
                add(pin(line, image)?);
            }
        }
    }
    let base = last.ok_or_else(|| fail(1, "has no FROM; begin with `FROM scratch` or `FROM name@sha256:…`"))?;
    Ok(Dockerfile { images, base })
}

/// Instructions with their first line's number: comments and heredoc bodies dropped, continued lines joined.
fn instructions(text: &str, name: &str) -> Result<Vec<(usize, String)>, BuildError> {
    let fail =
        |line, detail: &str| BuildError::Dockerfile { dockerfile: name.to_owned(), line, detail: detail.to_owned() };
    let (mut found, mut open): (Vec<(usize, String)>, bool) = (Vec::new(), false);
    let mut heredocs: Vec<String> = Vec::new();
    let mut directives = true;
    for (line, raw) in text.lines().enumerate().map(|(index, raw)| (index + 1, raw)) {
        if let Some(end) = heredocs.first() {
            if raw.trim_start_matches('\t') == end {
                heredocs.remove(0);
            } else if fetches(raw) {
                // Builders without heredocs (buildah before 1.33) would obey this line.
                return Err(fail(
                    line,
                    "a heredoc line reads like an instruction that fetches; move the script into a file",
                ));
            }
            continue;
        }
        let trimmed = raw.trim();
        if let Some(comment) = trimmed.strip_prefix('#') {
            if directives && !open {
                let directive =
                    comment.split_once('=').map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim()));
                match directive {
                    Some((key, "\\")) if key == "escape" => {}
                    Some((key, _)) if key == "escape" => {
                        return Err(fail(line, "only the escape character `\\` is supported"));
                    }
                    Some((key, image)) if key == "syntax" && !pinned(image) => {
                        return Err(fail(line, "the syntax directive fetches an image; pin it by digest or remove it"));
                    }
                    Some(_) => {}
                    None => directives = false,
                }
            }
            continue;
        }
        directives = false;
        if trimmed.is_empty() {
            continue;
        }
        // White space before the mark and at the start of the next line stays, as it does for builders.
        let whole = raw.trim_end();
        let (part, continues) = match whole.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (whole, false),
        };
        let part = if open { part } else { part.trim_start() };
        match found.last_mut() {
            Some((_, instruction)) if open => {
                // Builders join with nothing between: `FRO\` and `M` make one word.
                instruction.push_str(part);
            }
            _ => found.push((line, part.to_owned())),
        }
        open = continues;
        if let (false, Some((_, instruction))) = (open, found.last()) {
            heredocs = heredoc_ends(instruction);
            let before = instruction.split("<<").next().unwrap_or_default();
            if !heredocs.is_empty() && before.contains(['"', '\'', '`', '$']) {
                // Inside quotes `<<EOF` is text, and what follows it are instructions.
                return Err(fail(line, "quotes before a heredoc cannot be judged here; move the script into a file"));
            }
        }
    }
    if !heredocs.is_empty() {
        return Err(fail(text.lines().count(), "a heredoc is not closed"));
    }
    Ok(found)
}

/// Whether a line would fetch if it were an instruction. Python's `from a import b` is none.
fn fetches(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let keyword = words.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    match keyword.as_str() {
        "FROM" => !matches!(words.as_slice(), [_, _, import, ..] if *import == "import"),
        "COPY" | "RUN" => words.iter().any(|word| word.starts_with("--from") || word.starts_with("--mount")),
        "ADD" => words.iter().any(|word| word.contains("://") || word.contains("git@")),
        "ONBUILD" => true,
        _ => false,
    }
}

fn pinned(image: &str) -> bool {
    image.split_once('@').is_some_and(|(_, digest)| digest.parse::<Digest>().is_ok())
}

/// Ends of the heredocs that an instruction opens (`RUN <<EOF`, `COPY <<-"EOF" /to`).
fn heredoc_ends(instruction: &str) -> Vec<String> {
    let mut words = instruction.split_whitespace();
    let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
    if !matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let end = |word: &str| {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
        let end = rest.strip_prefix('-').unwrap_or(rest).trim_matches(['"', '\'']);
        let plain = !end.is_empty() && end.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
        plain.then(|| end.to_owned())
    };
    words.filter_map(end).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const PIN: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn read(text: &str) -> Result<Dockerfile, BuildError> {
        parse(&text.replace("PIN", PIN), "Dockerfile")
    }

    #[test]
    fn what_builders_read_otherwise_than_it_looks_rejects() {
        for text in [
            "FROM scratch AS x\nFRO\\\nM evil.example/x:latest\n",
            "FROM scratch\nCOPY --fr\\\nom=busybox /a /b\n",
            "FROM scratch\nARG U=http://evil.example/x\nADD $U /x\n",
            "FROM scratch\nFETCH http://evil.example/x\n",
            "FROM debian@PIN\nRUN echo \"a <<EOF b\"\nCOPY \\\n--from=evil /a /b\nEOF\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pinned_images_and_stages_are_known() {
        let text = "# syntax=docker/dockerfile@PIN\nARG X=1\nFROM --platform=linux/amd64 \\\n  debian@PIN AS build\nRUN <<EOF\nfrom os import path\nEOF\n\
                    FROM build as again\nFROM scratch\nCOPY --from=build /a /a\nCOPY --from=0 /b /b\n";
        let file = read(text).unwrap();
        assert_eq!(file.images, [PIN.parse().unwrap()]);
        assert_eq!(file.base, None);
        assert_eq!(read("FROM x@PIN as a\nfrom A").unwrap().base, Some(PIN.parse().unwrap()));
    }

    #[test]
    fn images_without_a_digest_reject_with_their_line() {
        for (text, bad_line) in [
            ("FROM debian", 1),
            ("FROM debian:12", 1),
            ("ARG B=debian@PIN\nFROM $B", 2),
            ("FROM ${B}@PIN", 1),
            ("FROM scratch\n\nFROM debian@sha256:123", 3),
            ("FROM scratch\nCOPY --from=busybox /bin/sh /sh", 2),
            ("FROM scratch\nRUN --mount=type=bind,from=busybox,target=/x true", 2),
            ("FROM scratch\nRUN echo \\\n # comment\n x\nFROM evil", 5),
            ("FROM scratch\nCOPY --from=1 /a /a", 2),
        ] {
            match read(text) {
                Err(BuildError::Unpinned { line, .. }) => assert_eq!(line, bad_line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_bounded_rejects() {
        for text in [
            "",
            "RUN true",
            "FROM",
            "FROM scratch AS",
            "FROM scratch\nADD https://example.org/x /x",
            "FROM scratch\nADD [\"https://example.org/x\", \"/x\"]",
            "FROM scratch\nONBUILD RUN true",
            "# escape=`\nFROM scratch",
            "# syntax=docker/dockerfile:1\nFROM scratch",
            "FROM scratch\nRUN <<EOF\ntrue",
            "FROM scratch\nRUN true <<EOF\nFROM debian\nEOF",
            "FROM scratch\nRUN true <<EOF\nCOPY --from=busybox /a /a\nEOF",
        ] {
            assert!(matches!(read(text), Err(BuildError::Dockerfile { .. })), "{text}");
        }
        assert!(read("FROM scratch\nADD --checksum=sha256:00 https://example.org/x /x\nADD file /x").is_ok());
    }
}
