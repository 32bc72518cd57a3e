//! Go modules linked into an executable: the build information of Go's linker (Go source, `debug/buildinfo`), in the
//! inline layout of Go 1.18 and later and in the older one made of pointers.

use super::error::{Malformed, Place};
use super::found::{Found, check};

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Magic, pointer size, flags, two pointers or padding.
const HEADER_BYTES: usize = 32;
/// Where the linker puts it: addresses that this divides.
pub(super) const ALIGNMENT: usize = 16;
const FLAG_BIG_ENDIAN: u8 = 1;
const FLAG_INLINE: u8 = 2;
/// The module list stands between two markers of this length.
const MARKER_BYTES: usize = 16;

/// Where build information starts in `data`.
pub(super) fn find(data: &[u8]) -> Option<usize> {
    (0..data.len()).step_by(ALIGNMENT).find(|at| data[*at..].starts_with(MAGIC))
}

/// What build information lists.
#[derive(Debug)]
pub(super) struct BuildInfo {
    pub(super) found: Vec<Found>,
    /// Go's own standard library is always known; the modules only where the build used modules.
    pub(super) has_modules: bool,
}

type Memory<'m, 'data> = dyn Fn(u64, u64) -> Option<&'data [u8]> + 'm;

/// Reads the build information at the start of `data`. `memory` gives the file's bytes at an address once loaded.
pub(super) fn read<'data>(
    data: &'data [u8],
    pointer_bytes: usize,
    memory: &Memory<'_, 'data>,
) -> Result<BuildInfo, Place> {
    let broken = || Malformed::BuildInfo("Go build information is cut off");
    let header = data.get(..HEADER_BYTES).ok_or_else(broken)?;
    let (size, flags) = (usize::from(header[14]), header[15]);
    let (version, modules) = if flags & FLAG_INLINE != 0 {
        let (version, rest) = inline(&data[HEADER_BYTES..]).ok_or_else(broken)?;
        (version, inline(rest).ok_or_else(broken)?.0)
    } else {
        if size != pointer_bytes {
            return Err(Malformed::BuildInfo("Go build information has another pointer size than the file").into());
        }
        let number = |bytes: &[u8]| number(bytes, flags & FLAG_BIG_ENDIAN != 0);
        let text = |at: usize| {
            let header = memory(number(header.get(at..at + size)?), 2 * size as u64)?;
            memory(number(&header[..size]), number(&header[size..]))
        };
        (text(16).ok_or_else(broken)?, text(16 + size).ok_or_else(broken)?)
    };
    let version = std::str::from_utf8(version).map_err(|_| Malformed::NotUtf8)?;
    let found = vec![standard_library(version)?];
    // Shorter than its own markers: built without modules (GOPATH, Bazel).
    let has_list = modules.len() > 2 * MARKER_BYTES && modules[modules.len() - MARKER_BYTES - 1] == b'\n';
    if !has_list {
        return Ok(BuildInfo { found, has_modules: false });
    }
    let list = &modules[MARKER_BYTES..modules.len() - MARKER_BYTES];
    let list = std::str::from_utf8(list).map_err(|_| Malformed::NotUtf8)?;
    let modules = modules_of(list)?;
    let has_modules = !modules.is_empty();
    Ok(BuildInfo { found: found.into_iter().chain(modules).collect(), has_modules })
}

fn number(bytes: &[u8], big_endian: bool) -> u64 {
    let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    if big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
}

/// A string preceded by its length as a base-128 number.
fn inline(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_u64;
    for (index, byte) in data.iter().take(9).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let rest = &data[index + 1..];
            return rest.split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

/// `go1.22.1 X:loopvar` or `devel go1.23-abc`: the standard library under the name that advisories use.
fn standard_library(version: &str) -> Result<Found, Place> {
    let go = version.split_whitespace().find(|word| word.starts_with("go"));
    let go = go.ok_or_else(|| Malformed::value("Go version", version))?;
    check("Go version", go, ".-+_")?;
    Ok(Found::new("golang", "", "stdlib", go.trim_start_matches("go")).map_err(Malformed::from)?)
}

/// The lines of `go version -m`: `mod` and `dep` with path, version and sum; `=>` replaces the line before.
fn modules_of(list: &str) -> Result<Vec<Found>, Place> {
    let mut out: Vec<Found> = Vec::new();
    for line in list.lines() {
        let mut columns = line.split('\t');
        let kind = columns.next().unwrap_or_default();
        if !matches!(kind, "mod" | "dep" | "=>") {
            continue;
        }
        let cut = || Malformed::BuildInfo("a Go module has no path");
        let path = columns.next().filter(|path| !path.is_empty()).ok_or_else(cut)?;
        let version = columns.next().unwrap_or_default();
        match kind {
            "=>" if is_directory(path) => {
                // A local directory has no name of its own; the module is what advisories may know.
                out.last().ok_or(Malformed::BuildInfo("a Go module replaces nothing"))?;
            }
            "=>" => {
                *out.last_mut().ok_or(Malformed::BuildInfo("a Go module replaces nothing"))? = module(path, version)?
            }
            _ => out.push(module(path, version)?),
        }
    }
    Ok(out)
}

fn is_directory(path: &str) -> bool {
    path.starts_with(['.', '/']) || path.contains('\\')
}

fn module(path: &str, version: &str) -> Result<Found, Place> {
    let bad = path.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if bad || path.split('/').any(str::is_empty) {
        return Err(Malformed::value("Go module", path).into());
    }
    check("Go module version", version, ".-+()")
        .or_else(|reason| if version.is_empty() { Ok(()) } else { Err(reason) })?;
    let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
    // `(devel)` is no version that anyone could look up.
    let known = if version.starts_with('(') { "" } else { version };
    let mut found = Found::new("golang", namespace, name, known).map_err(Malformed::from)?;
    version.clone_into(&mut found.version);
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const LIST: &str = "path\texample.org/app\nmod\texample.org/app\t(devel)\t\ndep\tgithub.com/BurntSushi/toml\tv1.3.2\th1:abc=\n\
                        dep\tgolang.org/x/text\tv0.3.0\n=>\tgithub.com/fork/text\tv0.3.1+incompatible\th1:def=\n\
                        dep\texample.org/local\tv1.0.0\n=>\t../local\t(devel)\t\nbuild\t-compiler=gc\n";

    fn framed(list: &str) -> Vec<u8> {
        [&[1; MARKER_BYTES], list.as_bytes(), &[2; MARKER_BYTES]].concat()
    }

    fn inline_info(version: &str, modules: &[u8]) -> Vec<u8> {
        let mut out = [MAGIC, &[8, FLAG_INLINE], &[0; 16]].concat();
        for text in [version.as_bytes(), modules] {
            let mut length = text.len();
            while length >= 0x80 {
                out.push((length & 0x7f) as u8 | 0x80);
                length >>= 7;
            }
            out.push(length as u8);
            out.extend(text);
        }
        out
    }

    fn purls(info: &BuildInfo) -> Vec<String> {
        info.found.iter().map(|found| found.purl.to_string()).collect()
    }

    const PURLS: [&str; 5] = [
        "pkg:golang/stdlib@1.22.1",
        "pkg:golang/example.org/app",
        "pkg:golang/github.com/burntsushi/toml@v1.3.2",
        "pkg:golang/github.com/fork/text@v0.3.1%2Bincompatible",
        "pkg:golang/example.org/local@v1.0.0",
    ];

    #[test]
    fn inline_layout() {
        let data = inline_info("go1.22.1 X:loopvar", &framed(LIST));
        let info = read(&data, 8, &|_, _| None).unwrap();
        assert_eq!(purls(&info), PURLS);
        assert_eq!(info.found[1].version, "(devel)");
        assert_eq!(info.found[2].name, "github.com/BurntSushi/toml");
    }

    #[test]
    fn pointer_layout_in_both_sizes_and_byte_orders() {
        let list = framed(LIST);
        for (size, big_endian) in [(8_usize, false), (8, true), (4, false), (4, true)] {
            let pointer = |value: usize| {
                let bytes = if big_endian { (value as u64).to_be_bytes() } else { (value as u64).to_le_bytes() };
                if big_endian { bytes[8 - size..].to_vec() } else { bytes[..size].to_vec() }
            };
            // Memory at address 0x1000: two string headers, then the two strings.
            let (headers, version) = (0x1000, b"go1.22.1");
            let texts = headers + 4 * size;
            let memory: Vec<u8> = [
                pointer(texts),
                pointer(version.len()),
                pointer(texts + version.len()),
                pointer(list.len()),
                version.to_vec(),
                list.clone(),
            ]
            .concat();
            let mut data = [MAGIC, &[size as u8, u8::from(big_endian)]].concat();
            data.extend(pointer(headers));
            data.extend(pointer(headers + 2 * size));
            data.resize(HEADER_BYTES, 0);
            let at = |address: u64, bytes: u64| {
                let from = usize::try_from(address).ok()?.checked_sub(headers)?;
                memory.get(from..from.checked_add(usize::try_from(bytes).ok()?)?)
            };
            assert_eq!(purls(&read(&data, size, &at).unwrap()), PURLS, "{size} {big_endian}");
            let nowhere = read(&data, size, &|_, _| None).unwrap_err();
            assert_eq!(nowhere, Malformed::BuildInfo("Go build information is cut off").into());
        }
    }

    #[test]
    fn without_modules_the_standard_library_is_still_known() {
        let info = read(&inline_info("devel go1.23-abc Tue", b""), 8, &|_, _| None)
            .map(|info| (purls(&info), info.has_modules));
        assert_eq!(info.unwrap(), (vec!["pkg:golang/stdlib@1.23-abc".to_owned()], false));
    }

    #[test]
    fn every_truncation_rejects_or_is_whole() {
        let data = inline_info("go1.22.1", &framed(LIST));
        for length in 0..data.len() {
            assert!(read(&data[..length], 8, &|_, _| None).is_err(), "{length}");
        }
    }

    #[test]
    fn broken_lists_reject() {
        let with = |version, list: &str| read(&inline_info(version, &framed(list)), 8, &|_, _| None).unwrap_err();
        assert_eq!(with("unknown", LIST), Malformed::value("Go version", "unknown").into());
        assert_eq!(with("go1", "dep\n"), Malformed::BuildInfo("a Go module has no path").into());
        assert_eq!(with("go1", "=>\tx/y\tv1\n"), Malformed::BuildInfo("a Go module replaces nothing").into());
        assert_eq!(with("go1", "dep\ta//b\tv1\n"), Malformed::value("Go module", "a//b").into());
        assert_eq!(with("go1", "dep\ta/b\tv 1\n"), Malformed::value("Go module version", "v 1").into());
    }
}
