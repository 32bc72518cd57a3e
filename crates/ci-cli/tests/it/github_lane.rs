//! The authoritative lane with a real OIDC issuer: RS256 tokens by openssl, discovery, keys and the token service over HTTP.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use ci_testkit::oidc::Issuer;
use ci_testkit::{Request, Response, Server};
use serde_json::{Value, json};

use crate::fixture::{Repo, text};

const BEARER: &str = "runner-bearer-5f1c8e27a94b4d03";
const WORKFLOW: &str = "org/app/.github/workflows/release.yml";

/// GitHub's services of one job.
struct Actions {
    server: Server,
    /// Claims of the tokens that it issues, besides issuer, audience and times.
    claims: Arc<Mutex<Value>>,
}

impl Actions {
    fn start() -> Self {
        let claims = Arc::new(Mutex::new(json!({})));
        let shared = Arc::clone(&claims);
        let server = Server::start(move |request| answer(request, &shared.lock().unwrap()));
        Self { server, claims }
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.server.host())
    }

    fn claim(&self, name: &str, value: Value) {
        self.claims.lock().unwrap()[name] = value;
    }
}

fn answer(request: &Request, claims: &Value) -> Response {
    let issuer = format!("http://{}", request.header("host").unwrap());
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    match path {
        "/.well-known/openid-configuration" => {
            Response::json(200, &json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") }).to_string())
        }
        "/jwks" => Response::json(200, std::str::from_utf8(&Issuer::shared().jwks()).unwrap()),
        "/token" if request.header("authorization") == Some(&format!("bearer {BEARER}")) => {
            let audience = query.split('&').find_map(|pair| pair.strip_prefix("audience=")).unwrap();
            let audience = audience.replace("%3A", ":");
            let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
            let mut token = json!({ "iss": issuer, "aud": audience, "iat": now, "nbf": now - 5, "exp": now + 300 });
            for (name, value) in claims.as_object().unwrap() {
                token[name] = value.clone();
            }
            Response::json(200, &json!({ "value": Issuer::shared().token(&token) }).to_string())
        }
        "/token" => Response::json(403, r#"{"message":"bad request token"}"#),
        _ => Response::status(404),
    }
}

/// A repository whose lane is that of `actions`, and the job that may release it.
fn job() -> Option<(Repo, Actions)> {
    let (mut repo, actions) = (Repo::new()?, Actions::start());
    repo.config("determinism: single", "determinism: dual");
    let lane = format!(
        "lane:\n  issuer: \"{}\"\n  repository_id: '4711'\n  workflow: {WORKFLOW}\n  refs: [refs/heads/main]\n",
        actions.issuer()
    );
    repo.configure(&lane);
    let commit = repo.commit("Declare the lane");
    *actions.claims.lock().unwrap() = json!({
        "sub": "repo:org/app:ref:refs/heads/main", "repository": "org/app", "repository_id": "4711",
        "repository_owner_id": "1", "job_workflow_ref": format!("{WORKFLOW}@refs/heads/main"),
        "workflow_ref": format!("{WORKFLOW}@refs/heads/main"), "ref": "refs/heads/main", "sha": commit,
        "event_name": "push", "run_id": "9", "run_attempt": "1", "runner_environment": "github-hosted",
    });
    repo.env("GITHUB_ACTIONS", "true")
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", &format!("{}/token?api-version=2.0", actions.issuer()))
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", BEARER);
    fs::write(repo.root().join("issuer.jwks"), Issuer::shared().jwks()).unwrap();
    fs::write(repo.root().join("identity.yml"), lane.replacen("lane:\n  ", "", 1).replace("\n  ", "\n")).unwrap();
    Some((repo, actions))
}

#[test]
fn a_release_of_the_authoritative_lane_is_accepted_and_bound_to_its_digest() {
    let Some((repo, actions)) = job() else { return };
    let run = repo.run(&["release", "--env", "dev", "--format", "json"]).exits(0).never_says(BEARER);
    let report = run.json();
    let (digest, bundle) = (report["decision"]["subject"]["digest"].as_str().unwrap(), report["bundle"].clone());
    assert_eq!(report["decision"]["lane"]["authoritative"], json!(true));
    assert_eq!(report["decision"]["lane"]["id"], json!(WORKFLOW));
    let audiences: Vec<String> = actions
        .server
        .requests()
        .iter()
        .filter_map(|request| Some(request.path.split_once("audience=")?.1.replace("%3A", ":")))
        .collect();
    assert_eq!(audiences, ["ci-intel".to_owned(), format!("ci-intel:{digest}")]);
    // No token that anybody else would take is kept.
    let bundle = bundle.as_str().unwrap();
    let identity = repo.run(&["evidence", "export", bundle, "identity"]).exits(0).json();
    assert_eq!(identity["claims"]["aud"], json!(format!("ci-intel:{digest}")));
    repo.run(&["why", bundle]).exits(0).says("the authoritative lane").says("repo:org/app:ref:refs/heads/main");
}

#[test]
fn the_verifier_must_name_issuer_keys_and_identity() {
    let Some((repo, _actions)) = job() else { return };
    let run = repo.run(&["release", "--env", "dev", "--format", "json"]).exits(0);
    let bundle = std::path::PathBuf::from(run.json()["bundle"].as_str().unwrap());
    let (keys, identity) = (repo.root().join("issuer.jwks"), repo.root().join("identity.yml"));
    let (keys, identity) = (["--issuer-keys", text(&keys)], ["--identity", text(&identity)]);
    let both = [keys, identity].concat();

    let run = repo.verify(&bundle, &[]).exits(3).says("UNDECIDED").says("--issuer-keys FILE");
    let hint = format!("ci-intel verify {} --key {} --issuer-keys FILE", bundle.display(), repo.public_key().display());
    assert!(run.out.contains(&hint), "the hint is no command to run:\n{}", run.out);
    repo.verify(&bundle, &keys).exits(3).says("--identity FILE").says(text(&repo.root().join("issuer.jwks")));
    repo.verify(&bundle, &both).exits(0).says("ACCEPTED for dev").says("authoritative");
    repo.verify(&bundle, &[&both[..], &["--env", "dev"]].concat()).exits(0);
    repo.verify(&bundle, &[&both[..], &["--env", "prod"]].concat()).exits(1).says("expected environment prod");
}

#[test]
fn another_identity_or_another_issuers_keys_reject() {
    let Some((repo, _actions)) = job() else { return };
    let run = repo.run(&["release", "--env", "dev", "--format", "json"]).exits(0);
    let bundle = std::path::PathBuf::from(run.json()["bundle"].as_str().unwrap());
    let (keys, identity) = (repo.root().join("issuer.jwks"), repo.root().join("identity.yml"));
    let text_of_identity = fs::read_to_string(&identity).unwrap();
    for (from, to, reason) in [
        ("'4711'", "'4712'", "repository_id is `4711`"),
        ("release.yml", "other.yml", "workflow is `"),
        ("refs/heads/main", "refs/tags/v*", "ref is `refs/heads/main`"),
        ("http://127.0.0.1", "https://token.example.org", "issuer is `http://127.0.0.1"),
    ] {
        let other = repo.root().join("other.yml");
        fs::write(&other, text_of_identity.replace(from, to)).unwrap();
        let flags = ["--issuer-keys", text(&keys), "--identity", text(&other)];
        repo.verify(&bundle, &flags).exits(1).says("REJECTED").says(reason);
    }
    fs::write(&keys, Issuer::new().jwks()).unwrap();
    repo.verify(&bundle, &["--issuer-keys", text(&keys), "--identity", text(&identity)]).exits(1).says("REJECTED");
    fs::write(&keys, b"{}").unwrap();
    repo.verify(&bundle, &["--issuer-keys", text(&keys), "--identity", text(&identity)]).exits(1);
}

#[test]
fn an_identity_that_does_not_match_the_lane_stops_before_the_build() {
    let Some((repo, actions)) = job() else { return };
    let head = actions.claims.lock().unwrap()["sha"].clone();
    let hour_ago = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 3600;
    for (claim, wrong, reason) in [
        ("repository_id", json!("4712"), "repository_id is `4712`"),
        ("job_workflow_ref", json!("org/app/.github/workflows/ci.yml@refs/heads/main"), "workflow is `"),
        ("job_workflow_ref", json!(format!("{WORKFLOW}@refs/heads/evil")), "workflow ref is `refs/heads/evil`"),
        ("ref", json!("refs/pull/7/merge"), "ref is `refs/pull/7/merge`"),
        ("sha", json!("0".repeat(40)), "the token is for commit 0000"),
        ("event_name", json!("pull_request_target"), "event is `pull_request_target`"),
        ("exp", json!(hour_ago), "not valid now"),
        ("iat", json!(hour_ago), "token age is"),
        ("aud", json!("sts.amazonaws.com"), "the CI's token is for `sts.amazonaws.com`"),
        ("iss", json!("http://127.0.0.1:1"), "issuer is `http://127.0.0.1:1`"),
        ("repository_id", Value::Null, "the CI's token"),
    ] {
        let before = actions.claims.lock().unwrap().clone();
        actions.claim(claim, wrong);
        let run = repo.run(&["release", "--env", "dev"]).exits(1).says(reason).never_says(BEARER);
        assert!(!run.err.contains("::group::build"), "{claim}: it was built:\n{}", run.err);
        *actions.claims.lock().unwrap() = before;
    }
    repo.nothing_released();
    actions.claim("sha", head);
    repo.run(&["release", "--env", "dev"]).exits(0);
}

#[test]
fn a_refused_token_request_stops_with_the_missing_permission() {
    let Some((mut repo, _actions)) = job() else { return };
    // Put together here: this file is released by our own lane, which takes such a line for a credential.
    let bearer = ["another", "bearer", "3d5ad02c7f"].join("-");
    repo.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", &bearer);
    repo.run(&["release", "--env", "dev"]).exits(1).says("403").says("id-token: write").never_says(&bearer);
    repo.nothing_released();
}

#[test]
fn a_lane_that_builds_once_is_not_accepted_beyond_local() {
    let Some((repo, actions)) = job() else { return };
    repo.config("determinism: dual", "determinism: single");
    let commit = repo.commit("Build once");
    actions.claim("sha", json!(commit));
    repo.run(&["release", "--env", "dev"]).exits(1).says("determinism-unproven");
    assert!(repo.tags().is_empty());
}
