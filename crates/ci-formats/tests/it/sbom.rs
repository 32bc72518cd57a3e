//! SBOM writers against the official schemas, and the laws between writers, readers and conversion.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ci_formats::catalogue::{Catalogue, Problem};
use ci_formats::package::Package;
use ci_formats::sbom::{Component, Contents, ParityGap, SbomError, WriteError, convert, cyclonedx, parity, spdx};
use ci_types::{Digest, Subject, Timestamp};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

use crate::catalogue::{image, of};

fn subject(name: &str) -> Subject {
    Subject { name: name.to_owned(), tag: "v1".parse().unwrap(), digest: Digest::of(b"image") }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn both(subject: &Subject, catalogue: &Catalogue) -> (Vec<u8>, Vec<u8>) {
    let contents = Contents { subject, created_at: now(), tool_version: "0.1.0", catalogue };
    (cyclonedx::write(&contents).unwrap(), spdx::write(&contents).unwrap())
}

macro_rules! schema {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas/", $name)))
            .unwrap()
    };
}

fn validator(schema: Value) -> Validator {
    let registry = jsonschema::Registry::new()
        .add("http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json", schema!("spdx.SNAPSHOT.schema.json"))
        .unwrap()
        .add("http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json", schema!("jsf-0.82.SNAPSHOT.schema.json"))
        .unwrap()
        .prepare()
        .unwrap();
    jsonschema::options().with_registry(&registry).should_validate_formats(true).build(&schema).unwrap()
}

static CYCLONEDX: LazyLock<Validator> = LazyLock::new(|| validator(schema!("bom-1.6.SNAPSHOT.schema.json")));
static SPDX: LazyLock<Validator> = LazyLock::new(|| validator(schema!("spdx-2.3.schema.json")));

/// The errors of a document by the official schema.
fn errors(validator: &Validator, document: &[u8]) -> Vec<String> {
    let document: Value = serde_json::from_slice(document).unwrap();
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn cyclonedx_errors(document: &[u8]) -> Vec<String> {
    errors(&CYCLONEDX, document)
}

fn spdx_errors(document: &[u8]) -> Vec<String> {
    errors(&SPDX, document)
}

/// A catalogue with everything that a writer treats specially.
fn awkward() -> Catalogue {
    let mut catalogue = of(&image()).unwrap();
    let mut odd = catalogue.packages[0].clone();
    odd.purl = "pkg:npm/odd".to_owned();
    odd.name = "odd \u{1f600} \"name\"".to_owned();
    odd.version = String::new();
    odd.license = Some("SEE LICENSE IN file".to_owned());
    catalogue.packages.push(odd.clone());
    odd.purl = "pkg:npm/referring".to_owned();
    odd.license = Some("MIT AND LicenseRef-own".to_owned());
    catalogue.packages.push(odd);
    catalogue.packages.sort_by(|one, other| one.purl.cmp(&other.purl));
    catalogue.problems.push(Problem::NoVersion { path: "node_modules/odd/package.json".to_owned() });
    catalogue
}

#[test]
fn both_documents_satisfy_the_official_schemas() {
    for catalogue in [awkward(), Catalogue { release: None, packages: Vec::new(), problems: Vec::new() }] {
        let (cyclonedx, spdx) = both(&subject("org/app"), &catalogue);
        assert_eq!(cyclonedx_errors(&cyclonedx), Vec::<String>::new());
        assert_eq!(spdx_errors(&spdx), Vec::<String>::new());
    }
}

/// Guards the test above: a validator that accepts everything would pass it.
#[test]
fn the_schemas_refuse_broken_documents() {
    let (cyclonedx, spdx) = both(&subject("org/app"), &awkward());
    let broken = |bytes: &[u8], from: &str, to: &str| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let other = text.replacen(from, to, 1);
        assert_ne!(text, other, "{from}");
        other.into_bytes()
    };
    for (from, to) in [
        ("\"SHA-256\"", "\"SHA-1024\""),
        ("\"library\"", "\"book\""),
        ("urn:uuid:", "urn:uid:"),
        ("\"name\":\"bash\",", ""),
    ] {
        assert_ne!(cyclonedx_errors(&broken(&cyclonedx, from, to)), Vec::<String>::new(), "{from}");
    }
    for (from, to) in [
        ("\"SHA256\"", "\"SHA257\""),
        ("PACKAGE-MANAGER", "PACKAGER"),
        ("\"creators\":[", "\"creators\":[],\"x\":["),
        ("DESCRIBES", "DRAWS"),
    ] {
        assert_ne!(spdx_errors(&broken(&spdx, from, to)), Vec::<String>::new(), "{from}");
    }
}

fn components(catalogue: &Catalogue) -> BTreeSet<String> {
    catalogue.packages.iter().map(|package| package.purl.clone()).chain(["debian@12".to_owned()]).collect()
}

fn identities(components: &[Component]) -> BTreeSet<String> {
    components.iter().map(Component::identity).collect()
}

#[test]
fn what_is_written_is_read_back() {
    let (catalogue, subject) = (awkward(), subject("127.0.0.1:5000/org/App"));
    let (cyclonedx, spdx) = both(&subject, &catalogue);
    let (left, right) = (cyclonedx::read(&cyclonedx).unwrap(), spdx::read(&spdx).unwrap());
    assert_eq!(left.subjects, BTreeSet::from([subject.digest]));
    assert_eq!(right.subjects, BTreeSet::from([subject.digest]));
    assert_eq!(identities(&left.components), components(&catalogue));
    assert_eq!(identities(&right.components), components(&catalogue));
    assert_eq!(left.problems, ["node_modules/odd/package.json: no version"]);
    assert_eq!(parity(&left, &right), Ok(()));
    let express =
        |components: &[Component]| components.iter().find(|component| component.name == "express").unwrap().clone();
    assert_eq!(express(&left.components), express(&right.components));
    assert_eq!(express(&left.components).license.as_deref(), Some("MIT"));
}

#[test]
fn conversion_equals_writing_but_for_the_places() {
    let (catalogue, subject) = (awkward(), subject("org/app"));
    let (cyclonedx, written) = both(&subject, &catalogue);
    let converted = convert(&cyclonedx::read(&cyclonedx).unwrap(), &subject, now(), "0.1.0").unwrap();
    let mut written: Value = serde_json::from_slice(&written).unwrap();
    for package in written["packages"].as_array_mut().unwrap() {
        package.as_object_mut().unwrap().remove("sourceInfo");
    }
    assert_eq!(serde_json::from_slice::<Value>(&converted).unwrap(), written);
}

#[test]
fn converting_the_sbom_of_another_image_rejects() {
    let (cyclonedx, _) = both(&subject("org/app"), &awkward());
    let read = cyclonedx::read(&cyclonedx).unwrap();
    let other = Subject { digest: Digest::of(b"other"), ..subject("org/app") };
    let wrong = SbomError::WrongSubject { found: read.subjects.clone(), expected: other.digest };
    assert_eq!(convert(&read, &other, now(), "0.1.0"), Err(WriteError::Source(wrong)));
}

#[test]
fn a_component_missing_on_either_side_is_a_gap() {
    let catalogue = awkward();
    let (cyclonedx, spdx) = both(&subject("org/app"), &catalogue);
    let (mut left, mut right) = (cyclonedx::read(&cyclonedx).unwrap(), spdx::read(&spdx).unwrap());
    let only_right = left.components.remove(3).identity();
    assert_eq!(parity(&left, &right), Err(vec![ParityGap::OnlyInSpdx(only_right.clone())]));
    let index = right.components.iter().position(|component| component.name == "express").unwrap();
    let only_left = right.components.remove(index).identity();
    assert_eq!(
        parity(&left, &right),
        Err(vec![ParityGap::OnlyInCyclonedx(only_left), ParityGap::OnlyInSpdx(only_right)])
    );
}

#[test]
fn licences_are_expressions_only_where_they_are_valid() {
    let (cyclonedx, spdx) = both(&subject("org/app"), &awkward());
    let left: Value = serde_json::from_slice(&cyclonedx).unwrap();
    let right: Value = serde_json::from_slice(&spdx).unwrap();
    let of = |document: &Value, list: &str, purl: &str| {
        let all = document[list].as_array().unwrap();
        all.iter().find(|one| one.to_string().contains(&format!("\"{purl}\""))).unwrap().clone()
    };
    let (odd, referring) = ("pkg:npm/odd", "pkg:npm/referring");
    assert_eq!(of(&left, "components", odd)["licenses"][0]["license"]["name"], "SEE LICENSE IN file");
    assert_eq!(of(&left, "components", referring)["licenses"][0]["expression"], "MIT AND LicenseRef-own");
    assert_eq!(of(&right, "packages", odd)["licenseDeclared"], "NOASSERTION");
    assert_eq!(of(&right, "packages", odd)["licenseComments"], "Declared as: SEE LICENSE IN file");
    assert_eq!(of(&right, "packages", referring)["licenseDeclared"], "MIT AND LicenseRef-own");
    assert_eq!(right["hasExtractedLicensingInfos"][0]["licenseId"], "LicenseRef-own");
}

#[test]
fn the_image_is_named_by_its_digest() {
    let (cyclonedx, spdx) = both(&subject("127.0.0.1:5000/org/App"), &awkward());
    let left: Value = serde_json::from_slice(&cyclonedx).unwrap();
    let right: Value = serde_json::from_slice(&spdx).unwrap();
    let digest = subject("x").digest;
    let purl = format!("pkg:oci/app@{digest}?repository_url=127.0.0.1:5000%2Forg%2FApp&tag=v1");
    assert_eq!(left["metadata"]["component"]["purl"], *purl);
    assert_eq!(right["packages"][0]["externalRefs"][0]["referenceLocator"], *purl);
    assert_eq!(right["documentNamespace"], format!("https://ci-intel.dev/spdx/sha256-{}", digest.hex()));
    let (plain, _) = both(&subject("org/app"), &awkward());
    let plain: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(plain["metadata"]["component"]["purl"], format!("pkg:oci/app@{digest}?tag=v1"));
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9@%/+ :~\u{e9}\"\\\\._-]{0,12}"
}

prop_compose! {
    fn any_package()(kind in "(npm|deb|golang|generic)", namespace in word(), name in "[a-zé+.]{1,10}", version in word(),
                     license in proptest::option::of(word()), paths in proptest::collection::vec(word(), 0..3)) -> Option<Package> {
        let purl = ci_formats::purl::Purl::new(&kind, &namespace, &name, &version).ok()?;
        Some(Package { ecosystem: kind, name, version, purl: purl.to_string(), license, found_in: paths, hashes: Default::default() })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_catalogue_round_trips(packages in proptest::collection::vec(any_package(), 0..12)) {
        let mut packages: Vec<Package> = packages.into_iter().flatten().collect();
        packages.sort_by(|one, other| one.purl.cmp(&other.purl));
        packages.dedup_by(|one, other| one.purl == other.purl);
        let catalogue = Catalogue { release: None, packages, problems: Vec::new() };
        let (cyclonedx, spdx) = both(&subject("org/app"), &catalogue);
        let (left, right) = (cyclonedx::read(&cyclonedx).unwrap(), spdx::read(&spdx).unwrap());
        let expected: BTreeSet<String> = catalogue.packages.iter().map(|package| package.purl.clone()).collect();
        prop_assert_eq!(identities(&left.components), expected);
        prop_assert_eq!(parity(&left, &right), Ok(()));
        prop_assert!(cyclonedx_errors(&cyclonedx).is_empty(), "{:?}", cyclonedx_errors(&cyclonedx));
        prop_assert!(spdx_errors(&spdx).is_empty(), "{:?}", spdx_errors(&spdx));
    }

    #[test]
    fn any_purl_survives_printing(kind in "[a-z]{1,4}", namespace in word(), name in word(), version in word(), value in word()) {
        if let Ok(purl) = ci_formats::purl::Purl::new(&kind, &namespace, &name, &version).and_then(|purl| purl.with("key", &value)) {
            prop_assert_eq!(purl.to_string().parse(), Ok(purl));
        }
    }

    #[test]
    fn readers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = (cyclonedx::read(&bytes), spdx::read(&bytes));
        let text = String::from_utf8_lossy(&bytes);
        let _ = (text.parse::<ci_formats::purl::Purl>(), ci_formats::license::expression(&text));
    }
}

#[test]
fn damaged_documents_never_panic_and_cut_ones_reject() {
    let catalogue = Catalogue { packages: awkward().packages.split_off(120), ..awkward() };
    let (cyclonedx, spdx) = both(&subject("org/app"), &catalogue);
    let step = cyclonedx.len() / 1500 + 1;
    for at in (0..cyclonedx.len()).step_by(step) {
        let mut bytes = cyclonedx.clone();
        bytes[at] ^= 1;
        let _ = cyclonedx::read(&bytes);
        assert!(cyclonedx::read(&cyclonedx[..at]).is_err());
    }
    for at in (0..spdx.len()).step_by(step) {
        let mut bytes = spdx.clone();
        bytes[at] ^= 1;
        let _ = spdx::read(&bytes);
        assert!(spdx::read(&spdx[..at]).is_err());
    }
}
