//! What cataloguing and both SBOMs cost: `cargo run --release -p ci-formats --example sbom_cost`.
//!
//! With a directory, writes the SBOMs of the largest image there, for other tools to check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::fmt::Write as _;
use std::time::Instant;

use ci_formats::catalogue::{Catalogue, catalogue};
use ci_formats::sbom::{Contents, convert, cyclonedx, parity, spdx};
use ci_types::{Digest, Subject};

const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: x\n\
                         License: GPL-2+ or Artistic\n\nFiles: debian/*\nCopyright: y\nLicense: Expat\n";

/// An image of `count` packages: two of five from Debian, two from npm, one from PyPI.
fn image(count: usize) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("etc/os-release".to_owned(), b"ID=debian\nVERSION_ID=\"12\"\n".to_vec())];
    let mut status = String::new();
    for index in 0..count {
        match index % 5 {
            0 | 1 => {
                let name = format!("lib{index}+x");
                writeln!(
                    status,
                    "Package: {name}\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: 341\n\
                     Maintainer: Someone <someone@example.org>\nArchitecture: amd64\nSource: source{index} (1.{index}-1)\n\
                     Version: 1:1.{index}-1+b1\nDepends: libc6 (>= 2.36)\nDescription: short\n long text that goes on\n .\n and on\n"
                )
                .unwrap();
                files.push((format!("usr/share/doc/{name}/copyright"), COPYRIGHT.into()));
            }
            2 | 3 => files.push((
                format!("app/node_modules/@scope/p{index}/package.json"),
                format!(r#"{{"name":"@scope/p{index}","version":"1.{index}.0","license":"MIT OR Apache-2.0"}}"#).into(),
            )),
            _ => files.push((
                format!("usr/lib/python3/site-packages/p_{index}-1.dist-info/METADATA"),
                format!("Metadata-Version: 2.1\nName: p_{index}\nVersion: 1.{index}\nLicense: BSD\n\ntext\n").into(),
            )),
        }
    }
    files.push(("var/lib/dpkg/status".to_owned(), status.into()));
    files
}

/// The fastest of several runs, in milliseconds.
fn fastest<T>(mut run: impl FnMut() -> T) -> (f64, T) {
    let timed = |run: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        let value = run();
        (start.elapsed().as_secs_f64() * 1e3, value)
    };
    (0..9).map(|_| timed(&mut run)).min_by(|one, other| one.0.total_cmp(&other.0)).unwrap()
}

fn main() {
    let subject = Subject { name: "org/app".to_owned(), tag: "v1".parse().unwrap(), digest: Digest::of(b"image") };
    let created_at = "2026-11-22T12:00:00Z".parse().unwrap();
    for count in [100, 500] {
        let files = image(count);
        let run = || catalogue(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))).unwrap();
        let (catalogue_ms, found): (f64, Catalogue) = fastest(run);
        assert_eq!(found.packages.len(), count);
        let contents = Contents { subject: &subject, created_at, tool_version: "0.1.0", catalogue: &found };
        let (cyclonedx_ms, left) = fastest(|| cyclonedx::write(&contents).unwrap());
        let (spdx_ms, right) = fastest(|| spdx::write(&contents).unwrap());
        let (read_ms, both) = fastest(|| (cyclonedx::read(&left).unwrap(), spdx::read(&right).unwrap()));
        let (parity_ms, equal) = fastest(|| parity(&both.0, &both.1));
        assert_eq!(equal, Ok(()));
        let (convert_ms, _) = fastest(|| convert(&both.0, &subject, created_at, "0.1.0").unwrap());
        println!(
            "{count} packages: catalogue {catalogue_ms:.2} ms, CycloneDX {cyclonedx_ms:.2} ms ({} KB), SPDX {spdx_ms:.2} ms ({} KB), \
             read both {read_ms:.2} ms, parity {parity_ms:.2} ms, convert {convert_ms:.2} ms",
            left.len() / 1024,
            right.len() / 1024,
        );
        if let Some(directory) = std::env::args().nth(1) {
            std::fs::write(format!("{directory}/bom.cdx.json"), left).unwrap();
            std::fs::write(format!("{directory}/bom.spdx.json"), right).unwrap();
        }
    }
}
