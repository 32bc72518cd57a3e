//! Code forges and trackers.

use crate::secrets::rule::Check::GithubChecksum;
use crate::secrets::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::token(
        "github-pat",
        "GitHub personal access token (classic)",
        &["ghp_"],
        "ghp_[A-Za-z0-9]{36,251}",
        "<ghp_{github}>",
    )
    .check(GithubChecksum),
    Rule::token("github-oauth", "GitHub OAuth access token", &["gho_"], "gho_[A-Za-z0-9]{36,251}", "<gho_{github}>")
        .check(GithubChecksum),
    Rule::token(
        "github-user",
        "GitHub App user-to-server token",
        &["ghu_"],
        "ghu_[A-Za-z0-9]{36,251}",
        "<ghu_{github}>",
    )
    .check(GithubChecksum),
    Rule::token(
        "github-app",
        "GitHub App installation token, also the GITHUB_TOKEN of Actions",
        &["ghs_"],
        "ghs_[A-Za-z0-9_.-]{36,}",
        "<ghs_{github}>",
    )
    .check(GithubChecksum)
    .window(0, 1000),
    Rule::token("github-refresh", "GitHub App refresh token", &["ghr_"], "ghr_[A-Za-z0-9]{36,251}", "<ghr_{github}>")
        .check(GithubChecksum),
    Rule::token(
        "github-fine-grained-pat",
        "GitHub fine-grained personal access token",
        &["github_pat_"],
        "github_pat_[A-Za-z0-9_]{36,244}",
        "<github_pat_{w22}_{w59}>",
    ),
    Rule::token(
        "gitlab-pat",
        "GitLab personal access token",
        &["glpat-"],
        r"glpat-[\w-]{20}[\w.-]{0,}",
        "<glpat-{b20}>",
    ),
    Rule::token(
        "gitlab-token",
        "GitLab trigger, deploy, runner, job, SCIM, feed, mail, agent, OAuth and feature-flag tokens",
        &[
            "glptt-",
            "gldt-",
            "glrt-",
            "glrtr-",
            "glcbt-",
            "glsoat-",
            "glft-",
            "glimt-",
            "glagent-",
            "gloas-",
            "glffct-",
            "gr1348941",
        ],
        r"(?:gl(?:ptt|dt|rtr?|cbt|soat|ft|imt|agent|oas|ffct)-|GR1348941)[\w.-]{20,}",
        "<glrt-{b20}>",
    ),
    Rule::token("bitbucket-app-password", "Bitbucket app password", &["atbb"], r"ATBB[\w=.-]{28,100}", "<ATBB{w32}>"),
    Rule::token(
        "atlassian-api-token",
        "Atlassian API token",
        &["atatt3"],
        r"ATATT3[\w=-]{100,}",
        "<ATATT3{b180}={H8}>",
    ),
    Rule::token("linear-api-key", "Linear API key", &["lin_api_"], "lin_api_[A-Za-z0-9]{40}", "<lin_api_{w40}>"),
    Rule::token(
        "sourcegraph-token",
        "Sourcegraph access token",
        &["sgp_"],
        "sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}",
        "<sgp_{h40}>",
    ),
    Rule::token(
        "authorization-token-header",
        "Gitea, GitHub or Codecov token in an HTTP header",
        &["authorization: token "],
        r"(?i)authorization: token ([a-z0-9-]{36,64})",
        "Authorization: token <{h40}>",
    )
    .secret(1),
];
