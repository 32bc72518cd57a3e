//! The packages of an image, from the databases and build information that package managers leave. One file an ecosystem.
//!
//! A catalogue is whole or there is none: a database that cannot be read is an error with its place, because a list with a
//! hole in it reads like a list of everything.

mod apk;
mod cargo;
mod deb822;
mod dpkg;
mod elf;
mod error;
mod found;
mod go;
mod npm;
mod pypi;
mod release;

use std::collections::{BTreeMap, BTreeSet};

pub use error::{CatalogueError, Malformed, Problem};
pub use release::Release;

use crate::package::Package;
use error::Place;
use found::Found;

/// Executables above this size are not read; the caller tells of them with [`Cataloguer::too_large`].
pub const EXECUTABLE_LIMIT_BYTES: u64 = 256 << 20;

/// The packages of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// The distribution, where the image names one.
    pub release: Option<Release>,
    /// Sorted by package URL, each once. Empty for an image that no package manager or known compiler left a trace in.
    pub packages: Vec<Package>,
    /// What could not be told, sorted.
    pub problems: Vec<Problem>,
}

/// What one file tells.
#[derive(Debug, Default)]
struct Reading {
    found: Vec<Found>,
    problems: Vec<Problem>,
}

impl From<Vec<Found>> for Reading {
    fn from(found: Vec<Found>) -> Self {
        Self { found, problems: Vec::new() }
    }
}

/// What a file is to the cataloguer, by its path.
enum Role<'a> {
    EtcRelease,
    UsrRelease,
    DpkgStatus,
    DpkgStatusD,
    Copyright(&'a str),
    Apk,
    CargoLock,
    NpmPackage(&'a str),
    NpmLock,
    PythonMetadata,
}

fn role(path: &str) -> Option<Role<'_>> {
    match path {
        "etc/os-release" => return Some(Role::EtcRelease),
        "usr/lib/os-release" => return Some(Role::UsrRelease),
        "var/lib/dpkg/status" => return Some(Role::DpkgStatus),
        "lib/apk/db/installed" | "usr/lib/apk/db/installed" => return Some(Role::Apk),
        _ => {}
    }
    if let Some(name) = path.strip_prefix("var/lib/dpkg/status.d/") {
        return (!name.ends_with(".md5sums") && !name.contains('/')).then_some(Role::DpkgStatusD);
    }
    if let Some(package) = dpkg::copyright_of(path) {
        return Some(Role::Copyright(package));
    }
    if let Some(directory) = npm::installed_name(path) {
        return Some(Role::NpmPackage(directory));
    }
    if npm::is_lock(path) {
        return Some(Role::NpmLock);
    }
    if pypi::is_metadata(path) {
        return Some(Role::PythonMetadata);
    }
    (path == "Cargo.lock" || path.ends_with("/Cargo.lock")).then_some(Role::CargoLock)
}

/// Paths of an image are relative to its root.
fn relative(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path).trim_start_matches('/')
}

/// Whether the cataloguer needs the content of a regular file, judged by its path in the image, its mode and size.
#[must_use]
pub fn wants(path: &str, mode: u32, bytes: u64) -> bool {
    role(relative(path)).is_some() || (mode & 0o111 != 0 && bytes > 0 && bytes <= EXECUTABLE_LIMIT_BYTES)
}

/// Catalogues the regular files of an unpacked image; files that tell nothing are passed over.
///
/// # Errors
/// See [`CatalogueError`].
pub fn catalogue<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Catalogue, CatalogueError> {
    let mut cataloguer = Cataloguer::default();
    for (path, bytes) in files {
        cataloguer.add(path, bytes)?;
    }
    cataloguer.finish()
}

/// Catalogues an image file by file, in any order, so that only one file need be in memory.
#[derive(Debug, Default)]
pub struct Cataloguer {
    seen: BTreeSet<String>,
    etc_release: Option<Release>,
    usr_release: Option<Release>,
    licenses: BTreeMap<String, String>,
    found: Vec<(String, Found)>,
    /// Databases, and whether they listed anything at all.
    databases: Vec<(String, bool)>,
    problems: Vec<Problem>,
}

impl Cataloguer {
    /// Reads one regular file of the image.
    ///
    /// # Errors
    /// See [`CatalogueError`]. There is no catalogue then.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), CatalogueError> {
        let path = relative(path);
        let role = role(path);
        if role.is_none() && !elf::is_elf(bytes) {
            return Ok(());
        }
        if !self.seen.insert(path.to_owned()) {
            return Err(CatalogueError::RepeatedFile { path: path.to_owned() });
        }
        let reading = self.read(role, path, bytes).map_err(|Place { line, reason }| CatalogueError::Malformed {
            path: path.to_owned(),
            line,
            reason,
        })?;
        self.problems.extend(reading.problems);
        self.found.extend(reading.found.into_iter().map(|found| (path.to_owned(), found)));
        Ok(())
    }

    fn read(&mut self, role: Option<Role<'_>>, path: &str, bytes: &[u8]) -> Result<Reading, Place> {
        let found = match role {
            None => return elf::executable(path, bytes),
            Some(Role::NpmPackage(directory)) => return npm::manifest(path, directory, bytes),
            Some(Role::NpmLock) => return npm::lock(path, bytes),
            Some(Role::PythonMetadata) => pypi::metadata(bytes)?,
            Some(Role::CargoLock) => cargo::lock(bytes)?,
            Some(Role::EtcRelease) => {
                self.etc_release = release::read(bytes)?;
                Vec::new()
            }
            Some(Role::UsrRelease) => {
                self.usr_release = release::read(bytes)?;
                Vec::new()
            }
            Some(Role::Copyright(package)) => {
                self.licenses.extend(dpkg::copyright(bytes).map(|license| (package.to_owned(), license)));
                Vec::new()
            }
            Some(role @ (Role::DpkgStatus | Role::DpkgStatusD | Role::Apk)) => {
                let found = match role {
                    Role::DpkgStatus => dpkg::status(bytes)?,
                    Role::DpkgStatusD => dpkg::status_d(bytes)?,
                    _ => apk::installed(bytes)?,
                };
                self.databases.push((path.to_owned(), !found.is_empty()));
                found
            }
        };
        Ok(found.into())
    }

    /// Tells of an executable above [`EXECUTABLE_LIMIT_BYTES`] that was not read.
    pub fn too_large(&mut self, path: &str, bytes: u64) {
        let path = relative(path).to_owned();
        self.problems.push(Problem::TooLarge { path, bytes, limit: EXECUTABLE_LIMIT_BYTES });
    }

    /// Puts together what the files told.
    ///
    /// # Errors
    /// When a database lists nothing, or packages of a distribution stand in an image that names none.
    pub fn finish(mut self) -> Result<Catalogue, CatalogueError> {
        self.databases.sort();
        // Images with `status.d` keep an empty `status` beside it, for tools that look for one.
        let filled = |prefix: &str| self.databases.iter().any(|(path, listed)| *listed && path.starts_with(prefix));
        for (path, listed) in &self.databases {
            let stand_in = path == "var/lib/dpkg/status" && filled("var/lib/dpkg/status.d/");
            if !listed && !stand_in {
                return Err(CatalogueError::EmptyDatabase { path: path.clone() });
            }
        }
        let release = self.etc_release.or(self.usr_release);
        let mut packages = BTreeMap::new();
        for (path, mut found) in self.found {
            if found.is_of_distribution() {
                let Some(release) = &release else { return Err(CatalogueError::NoRelease { path }) };
                if found.purl.kind() == "deb" {
                    found.license = self.licenses.get(&found.name).cloned();
                }
                let purl = found.purl.in_namespace(&release.id).and_then(|purl| purl.with("distro", &release.distro()));
                found.purl = purl.map_err(|error| CatalogueError::Malformed {
                    path: path.clone(),
                    line: None,
                    reason: error.into(),
                })?;
            }
            merge(&mut packages, path, found, &mut self.problems);
        }
        for (purl, algorithm) in conflicts(&self.problems) {
            if let Some(package) = packages.get_mut(&purl) {
                package.hashes.remove(&algorithm);
            }
        }
        self.problems.sort();
        self.problems.dedup();
        Ok(Catalogue { release, packages: packages.into_values().collect(), problems: self.problems })
    }
}

/// Joins two tellings of one package so that their order does not matter.
fn merge(packages: &mut BTreeMap<String, Package>, path: String, found: Found, problems: &mut Vec<Problem>) {
    let purl = found.purl.to_string();
    let package = packages.entry(purl.clone()).or_insert_with(|| Package {
        ecosystem: found.purl.kind().to_owned(),
        name: found.name.clone(),
        version: found.version.clone(),
        purl: purl.clone(),
        license: found.license.clone(),
        found_in: Vec::new(),
        hashes: BTreeMap::new(),
    });
    package.name = found.name.min(std::mem::take(&mut package.name));
    package.version = found.version.min(std::mem::take(&mut package.version));
    package.license = match (package.license.take(), found.license) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    if let Err(at) = package.found_in.binary_search(&path) {
        package.found_in.insert(at, path);
    }
    for (algorithm, hash) in found.hashes {
        let known = package.hashes.entry(algorithm.clone()).or_insert_with(|| hash.clone());
        if *known != hash {
            problems.push(Problem::HashConflict { purl: purl.clone(), algorithm });
        }
    }
}

fn conflicts(problems: &[Problem]) -> Vec<(String, String)> {
    let conflict = |problem: &Problem| match problem {
        Problem::HashConflict { purl, algorithm } => Some((purl.clone(), algorithm.clone())),
        _ => None,
    };
    problems.iter().filter_map(conflict).collect()
}
