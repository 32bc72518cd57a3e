//! Catalogues a directory as if it were the root of an image: `cargo run -p ci-formats --example catalogue_root -- DIR`.
//! Prints the count of each ecosystem and every problem, or every file that is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ci_formats::catalogue::{Cataloguer, wants};

fn walk(directory: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !["/proc", "/sys", "/dev"].iter().any(|skip| entry.path() == Path::new(skip)) {
            walk(&entry.path(), out);
        } else if kind.is_file() {
            out.push(entry.path());
        }
    }
}

fn main() {
    let root = PathBuf::from(std::env::args().nth(1).expect("usage: catalogue_root DIR"));
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let (mut cataloguer, mut spent, mut read, mut bytes_read) = (Cataloguer::default(), Duration::ZERO, 0, 0);
    for path in &paths {
        let inside = path.strip_prefix(&root).unwrap().to_str().unwrap_or_default();
        let Ok(metadata) = path.metadata() else { continue };
        if !wants(inside, metadata.mode(), metadata.len()) {
            continue;
        }
        let Ok(bytes) = std::fs::read(path) else { continue };
        (read, bytes_read) = (read + 1, bytes_read + bytes.len());
        let start = Instant::now();
        if let Err(error) = cataloguer.add(inside, &bytes) {
            println!("refused: {error}");
        }
        spent += start.elapsed();
    }
    let start = Instant::now();
    let catalogue = cataloguer.finish().unwrap();
    spent += start.elapsed();
    let mut counts = BTreeMap::<&str, usize>::new();
    for package in &catalogue.packages {
        *counts.entry(&package.ecosystem).or_default() += 1;
    }
    for problem in &catalogue.problems {
        println!("problem: {problem}");
    }
    println!("{counts:?} from {read} of {} files, {} MB, in {} ms", paths.len(), bytes_read >> 20, spent.as_millis());
}
