//! Clouds, platforms and secret stores.

use crate::secrets::rule::Check::{NotExample, Pem};
use crate::secrets::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::token(
        "aws-access-key-id",
        "AWS access key id (IAM identifiers reference)",
        &["akia", "asia", "abia", "acca"],
        "(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
        "<AKIA{a16}>",
    )
    .check(NotExample),
    Rule::beside(
        "aws-secret-access-key",
        "AWS secret access key",
        &["secret_access_key", "secretaccesskey", "secret-access-key", "aws_secret", "secret_key", "secretkey"],
        r#"(?i)(?:secret[_.-]?access[_.-]?key|aws[_.-]?secret[\w.-]{0,20}|secret[_.-]?key)(?:\\?["'`])?\s{0,3}(?:=>|:=|\?=|=|:)\s{0,3}(?:\\?["'`])?([A-Za-z0-9/+]{40})"#,
        "aws_secret_access_key=<{B40}>",
    )
    .entropy(4.0)
    .check(NotExample),
    Rule::beside(
        "aws-session-token",
        "AWS session token",
        &["session_token", "sessiontoken", "security-token"],
        r#"(?i)(?:session_?token|x-amz-security-token)(?:\\?["'`])?\s{0,3}[=:]\s{0,3}(?:\\?["'`])?([A-Za-z0-9/+%]{100,}={0,2})"#,
        "AWS_SESSION_TOKEN=<{B300}>",
    )
    .window(40, 2100),
    Rule::token("gcp-api-key", "Google API key", &["aiza"], r"AIza[\w-]{35}", "<AIza{b35}>"),
    Rule::token("gcp-oauth-token", "Google OAuth 2.0 access token", &["ya29."], r"ya29\.[\w-]{30,}", "<ya29.{b120}>")
        .window(0, 1100),
    Rule::token("gcp-oauth-client-secret", "Google OAuth client secret", &["gocspx-"], r"GOCSPX-[\w-]{28}", "<GOCSPX-{b28}>"),
    Rule::beside(
        "gcp-service-account-key",
        "Private key of a Google service account file",
        &["\"private_key\"", "\\\"private_key\\\""],
        r#""private_key\\?"\s{0,3}:\s{0,3}\\?"(-----BEGIN (?:RSA )?PRIVATE KEY-----)"#,
        r#""private_key": "<-----BEGIN {PRIVATE} KEY-----\n{B64}\n{B64}\n-----END {PRIVATE} KEY----->\n""#,
    )
    .entropy(0.0)
    .check(Pem),
    Rule::beside(
        "azure-storage-key",
        "Azure storage account key",
        &["accountkey"],
        r"(?i)accountkey=([A-Za-z0-9/+]{86}==)",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=<{B86}==>",
    ),
    Rule::beside(
        "azure-shared-access-key",
        "Azure Service Bus, Event Hubs or IoT shared access key",
        &["sharedaccesskey"],
        r"(?i)sharedaccesskey=([A-Za-z0-9/+]{43}=)",
        "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKey=<{B43}=>",
    ),
    Rule::beside(
        "azure-sas-signature",
        "Signature of an Azure shared access signature",
        &["sig="],
        r"[?&;](?:amp;)?sig=([A-Za-z0-9%/+]{43,80}(?:%3[dD]|=))",
        "https://x.blob.core.windows.net/c?sv=2024-11-04&sp=r&sig=<{w43}%3D>",
    ),
    Rule::token(
        "azure-client-secret",
        "Client secret of a Microsoft Entra application",
        &["0q~", "1q~", "2q~", "3q~", "4q~", "5q~", "6q~", "7q~", "8q~", "9q~"],
        r"[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}",
        "<{w3}8Q~{b31}>",
    )
    .window(3, 60),
    Rule::token("digitalocean-token", "DigitalOcean token", &["dop_v1_", "doo_v1_", "dor_v1_"], "do[opr]_v1_[a-f0-9]{64}", "<dop_v1_{h64}>"),
    Rule::token("heroku-api-key", "Heroku API key", &["hrku-"], r"HRKU-(?:AA)?[\w-]{36,70}", "<HRKU-AA{b58}>"),
    Rule::beside(
        "heroku-api-key-v1",
        "Heroku API key in UUID form",
        &["heroku"],
        r#"(?i)heroku[\w. -]{0,24}(?:\\?["'`])?\s{0,3}(?:=>|:=|\?=|=|:|,)\s{0,3}(?:\\?["'`])?([a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12})"#,
        "HEROKU_API_KEY=<{h8}-{h4}-{h4}-{h4}-{h12}>",
    ),
    Rule::token("alibaba-access-key-id", "Alibaba Cloud access key id", &["ltai"], "LTAI[A-Za-z0-9]{20}", "<LTAI{w20}>"),
    Rule::token(
        "cloudflare-origin-ca-key",
        "Cloudflare origin CA key",
        &["v1.0-"],
        "v1\\.0-[a-f0-9]{24}-[a-f0-9]{146}",
        "<v1.0-{h24}-{h146}>",
    ),
    Rule::token("flyio-token", "Fly.io access token", &["fo1_", "fm1", "fm2_"], r"(?:fo1_[\w-]{43}|fm1[ar]_[\w+/-]{100,}={0,3}|fm2_[\w+/-]{100,}={0,3})", "<fo1_{b43}>")
        .window(0, 1100),
    Rule::token("netlify-token", "Netlify personal access token", &["nfp_"], "nfp_[A-Za-z0-9]{36,40}", "<nfp_{w36}>"),
    Rule::token(
        "planetscale-token",
        "PlanetScale service token, password or OAuth token",
        &["pscale_"],
        r"pscale_(?:tkn|pw|oauth)_[\w=.-]{32,64}",
        "<pscale_tkn_{b43}>",
    ),
    Rule::token("supabase-token", "Supabase personal access token", &["sbp_"], "sbp_[a-f0-9]{40}", "<sbp_{h40}>"),
    Rule::token("doppler-token", "Doppler token", &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa."], r"dp\.(?:pt|st|ct|sa)\.[\w.-]{40,80}", "<dp.pt.{w43}>"),
    Rule::token("pulumi-token", "Pulumi access token", &["pul-"], "pul-[a-f0-9]{40}", "<pul-{h40}>"),
    Rule::token(
        "terraform-cloud-token",
        "HCP Terraform API token",
        &[".atlasv1."],
        r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}",
        "<{w14}.atlasv1.{b67}>",
    )
    .window(14, 100),
    Rule::token(
        "vault-token",
        "HashiCorp Vault service, batch or recovery token",
        &["hvs.", "hvb.", "hvr."],
        r"hv[sbr]\.[\w-]{24,}",
        "<hvs.{b90}>",
    )
    .window(0, 400),
    Rule::token("databricks-token", "Databricks personal access token", &["dapi"], "dapi[a-f0-9]{32}(?:-[0-9])?", "<dapi{h32}>"),
    Rule::token("openshift-token", "OpenShift user token", &["sha256~"], r"sha256~[\w-]{43}", "<sha256~{b43}>"),
    Rule::token(
        "yandex-token",
        "Yandex Cloud IAM token, API key or static key",
        &["t1.", "aqvn", "ycaj"],
        r"(?:t1\.[A-Za-z0-9_-]{20,200}={0,2}\.[A-Za-z0-9_-]{86}={0,2}|AQVN[\w-]{35,38}|YCAJE[\w-]{20}|YC[A-Za-z0-9_-]{38})",
        "<AQVN{b36}>",
    ),
    Rule::token("age-secret-key", "age secret key", &["age-secret-key-"], "AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", "<AGE-SECRET-KEY-1{bech58}>"),
];
