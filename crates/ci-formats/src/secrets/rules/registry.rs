//! Package and image registries.

use crate::secrets::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::token("npm-token", "npm access token", &["npm_"], "npm_[A-Za-z0-9]{36}", "<npm_{w36}>"),
    Rule::beside(
        "npmrc-auth",
        "Credential in an .npmrc",
        &["_authtoken", "_password", "_auth"],
        r#"(?i):_(?:authtoken|password|auth)\s{0,3}=\s{0,3}["']?([\w+/=.-]{8,})"#,
        "//registry.example.org/:_authToken=<{w40}>",
    )
    .entropy(2.8),
    Rule::token(
        "pypi-token",
        "PyPI or TestPyPI upload token (a macaroon)",
        &["pypi-age"],
        r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[\w-]{50,}",
        "<pypi-{pypi}{b120}>",
    )
    .window(0, 1100),
    Rule::token("crates-io-token", "crates.io API token", &["cio"], "cio[A-Za-z0-9]{32}", "<cio{w32}>").entropy(3.5),
    Rule::token("rubygems-token", "RubyGems API token", &["rubygems_"], "rubygems_[a-f0-9]{48}", "<rubygems_{h48}>"),
    Rule::token(
        "docker-token",
        "Docker personal or organisation access token",
        &["dckr_pat_", "dckr_oat_"],
        r"dckr_[po]at_[\w-]{27,64}",
        "<dckr_pat_{b27}>",
    ),
    Rule::beside(
        "docker-config-auth",
        "Registry credential in a Docker or containers auth file",
        &["\"auth", "\"identitytoken", "\"registrytoken"],
        r#"\\?"(?:auth|identitytoken|registrytoken)\\?"\s{0,8}:\s{0,8}\\?"([A-Za-z0-9+/._-]{12,}={0,2})\\?""#,
        r#""auth": "<{B40}>""#,
    )
    .window(2, 4100),
    Rule::token("clojars-token", "Clojars deploy token", &["clojars_"], "CLOJARS_[a-z0-9]{60}", "<CLOJARS_{l60}>"),
    Rule::token("nuget-api-key", "NuGet API key", &["oy2"], "oy2[a-z0-9]{43}", "<oy2{l43}>").entropy(3.5),
    Rule::token("artifactory-api-key", "JFrog Artifactory API key", &["akcp"], "AKCp[A-Za-z0-9]{69}", "<AKCp{w69}>"),
    Rule::token(
        "artifactory-reference-token",
        "JFrog Artifactory reference token",
        &["cmvmd"],
        "cmVmd[A-Za-z0-9]{59}",
        "<cmVmd{w59}>",
    ),
];
