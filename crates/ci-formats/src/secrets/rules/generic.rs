//! Forms that any issuer uses. Last, so that a specific rule names what both match.

use crate::secrets::rule::Check::{Assignment, Chosen, Jwt, Pem};
use crate::secrets::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::token(
        "private-key",
        "PEM or OpenPGP private key (RFC 7468, RFC 4716, RFC 4880)",
        &["private key"],
        "-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----",
        "<-----BEGIN {RSA} KEY-----\n{B64}\n{B64}\n{B64}\n-----END {RSA} KEY----->",
    )
    .entropy(0.0)
    .check(Pem)
    .window(60, 40),
    Rule::token(
        "jwt",
        "JSON Web Token (RFC 7519)",
        &["eyj"],
        r"eyJ[\w-]{14,}\.[\w-]{8,}\.[\w-]{16,}",
        "<{jwt}>",
    )
    .check(Jwt)
    .window(0, 11_500),
    Rule::beside(
        "url-password",
        "Password in a URL (RFC 3986, userinfo)",
        &["://"],
        r#"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@"'`<>\\?#]{0,80}:([^\s/@"'`<>\\]{3,200})@[A-Za-z0-9\[]"#,
        "postgres://app:<{w20}>@db.internal:5432/app",
    )
    .entropy(0.0)
    .check(Chosen)
    .window(22, 300),
    Rule::beside(
        "authorization-header",
        "Credential in an HTTP Authorization header (RFC 9110)",
        &["authorization"],
        r#"(?i)authorization\\?["'`]?\s{0,3}[:=,]\s{0,3}\\?["'`]?(?:(?:basic|bearer|token|apikey|splunk|bot) {1,3})([\w.~+/=-]{16,})"#,
        "Authorization: Bearer <{w40}>",
    )
    .entropy(3.2)
    .window(0, 4100),
    Rule::beside(
        "curl-user",
        "User and password on a curl command line",
        &["curl"],
        r#"curl\b(?:[^\n]|\\\n){0,200}?\s(?:-u|--user)[\s=]{1,2}\\?["']?[^\s:"'$]{0,60}["']?:\\?["']?([^\s"'$\\]{6,200})"#,
        "curl -u admin:<{w16}> https://example.org/",
    )
    .check(Chosen)
    .window(4, 420),
    Rule::beside(
        "netrc-password",
        "Password in a netrc file",
        &["machine "],
        r#"machine\s+\S{1,100}\s+login\s+\S{1,100}\s+password\s+([^\s"'\\]{4,200})"#,
        "machine api.example.org login bot password <{w20}>",
    )
    .check(Chosen)
    .window(0, 460),
    Rule::beside(
        "generic-secret",
        "High-entropy value assigned to a name that says secret",
        &[
            "password", "passwd", "passphrase", "pwd", "secret", "token", "api_key", "apikey", "api-key", "api key", "access_key",
            "accesskey", "access-key", "private_key", "privatekey", "signing_key", "signingkey", "encryption_key", "master_key",
            "auth_key", "license_key", "account_key", "credential",
        ],
        r#"(?i)((?:passw(?:or)?d|passphrase|pwd|secret|token|api[_ -]?key|access[_-]?key|private_?key|signing_?key|encryption_key|master_key|auth_key|license_key|account_key|credential)[\w.-]{0,24})(?:\\?["'`])?(?:(?: [Ss]tring)?\s{0,4}(?:=>|:=|\|\|:|\?=|\.=|={1,3}|:{1,3}=?)\s{0,4}|[, ]{1,3}\\?["'`]|>\s{0,16})(?:\\?["'`])?([\w.=/+~!@#%^&*-]{8,})"#,
        "DEPLOY_PASSWORD=<{w24}>",
    )
    .secret(2)
    .entropy(2.8)
    .check(Assignment)
    .window(0, 420),
];
