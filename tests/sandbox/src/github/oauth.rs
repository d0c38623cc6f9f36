//! GitHub's OAuth pages: consent, and the token endpoint, whose errors come with status 200.
//!
//! The form posts to its own address with the request's parameters, `account=<login>` and `decision=allow|deny`.

use std::collections::{BTreeSet, HashMap};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::{Value, json};
use url::Url;

use super::{
    grants::{Code, Grants, Issued},
    state::{Account, GitHub},
};
use crate::{
    clock,
    pages::html::{escape, page as frame},
    state::Shared,
};

/// Fields of a form or a query.
pub type Fields = HashMap<String, String>;

/// What answers under `https://github.com`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/login/oauth/authorize", get(page).post(decide))
        .route("/login/oauth/access_token", post(token))
        .fallback(|| async { (StatusCode::NOT_FOUND, Html(frame("Page not found (sandbox)", "<h1>404</h1>"))) })
}

/// A valid request for consent.
#[derive(Debug)]
struct Asked {
    client: String,
    redirect_uri: Url,
    scopes: BTreeSet<String>,
    state: Option<String>,
    challenge: Option<String>,
}

impl Asked {
    fn parse(fields: &Fields, grants: &Grants) -> Result<Self, &'static str> {
        let field = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let client = field("client_id").ok_or("client_id is missing")?;
        let registered = grants.clients.get(client).ok_or("there is no such application")?;
        let text = field("redirect_uri").ok_or("the sandbox needs a redirect_uri")?;
        if !registered.redirect_uris.is_empty() && !registered.redirect_uris.iter().any(|uri| text.starts_with(uri)) {
            return Err("The redirect_uri is not associated with this application.");
        }
        let redirect_uri = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let challenge = match (field("code_challenge"), field("code_challenge_method")) {
            (None, None) => None,
            (Some(challenge), Some("S256")) if challenge.len() == 43 => Some(challenge.to_owned()),
            _ => return Err("code_challenge needs the method S256 and 43 characters"),
        };
        let scopes = field("scope").unwrap_or_default().split([' ', ',']).filter(|scope| !scope.is_empty());
        Ok(Self {
            client: client.to_owned(),
            redirect_uri: redirect_uri.ok_or("redirect_uri is no address")?,
            scopes: scopes.map(str::to_owned).collect(),
            state: fields.get("state").cloned(),
            challenge,
        })
    }
}

async fn page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let shown = sandbox.read(|world| {
        let asked = Asked::parse(&fields, &world.github.grants)?;
        let people: Vec<Account> = world.github.accounts.values().filter(|one| !one.organization).cloned().collect();
        Ok::<_, &'static str>(consent_page(
            &asked,
            &fields,
            &people,
            world.github.settings.access_lifetime_seconds.is_some(),
        ))
    });
    match shown {
        Ok(html) => Html(html).into_response(),
        Err(wrong) => refused(wrong),
    }
}

fn refused(wrong: &str) -> Response {
    let body = format!("<h1>That cannot be authorized</h1><p>{}</p>", escape(wrong));
    (StatusCode::BAD_REQUEST, Html(frame("Authorize (sandbox)", &body))).into_response()
}

async fn decide(State(sandbox): State<Shared>, body: Bytes) -> Response {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let fields: Fields = pairs.iter().cloned().collect();
    let asked = match sandbox.read(|world| Asked::parse(&fields, &world.github.grants)) {
        Ok(asked) => asked,
        Err(wrong) => return refused(wrong),
    };
    let mut target = asked.redirect_uri.clone();
    match fields.get("decision").map(String::as_str) {
        Some("allow") => {
            let account = fields.get("account").cloned().unwrap_or_default();
            if !sandbox.read(|world| world.github.accounts.get(&account).is_some_and(|account| !account.organization)) {
                return refused("this sandbox has no such account");
            }
            // People may untick scopes of the form.
            let granular = fields.contains_key("granular");
            let ticked =
                |scope: &String| !granular || pairs.iter().any(|(name, value)| name == "grant" && value == scope);
            let code = Code {
                client: asked.client.clone(),
                account,
                scopes: asked.scopes.iter().filter(|scope| ticked(scope)).cloned().collect(),
                redirect_uri: fields.get("redirect_uri").cloned().unwrap_or_default(),
                challenge: asked.challenge.clone(),
                expires: clock::now() + TimeDelta::minutes(10),
            };
            let code = sandbox.write(|world| world.github.grants.issue_code(code));
            target.query_pairs_mut().append_pair("code", &code);
        }
        Some("deny") => {
            target
                .query_pairs_mut()
                .append_pair("error", "access_denied")
                .append_pair("error_description", "The user has denied your application access.")
                .append_pair("error_uri", "https://docs.github.com/apps/troubleshooting-authorization-request-errors");
        }
        _ => return refused("decision must be allow or deny"),
    }
    if let Some(state) = &asked.state {
        target.query_pairs_mut().append_pair("state", state);
    }
    (StatusCode::FOUND, [(header::LOCATION, target.to_string())]).into_response()
}

fn consent_page(asked: &Asked, fields: &Fields, accounts: &[Account], is_app: bool) -> String {
    let mut hidden: Vec<(&String, &String)> = fields.iter().filter(|(name, _)| name.as_str() != "granular").collect();
    hidden.sort_unstable();
    let hidden: String = hidden
        .into_iter()
        .map(|(name, value)| format!("<input type=hidden name=\"{}\" value=\"{}\">", escape(name), escape(value)))
        .collect();
    let people: String = accounts
        .iter()
        .enumerate()
        .map(|(place, account)| {
            format!(
                "<label class=row><input type=radio name=account value=\"{login}\"{checked} required> <span><b>{name}</b><br>\
                 <span class=quiet>{login}</span></span></label>",
                login = escape(&account.login),
                name = escape(&account.name),
                checked = if place == 0 { " checked" } else { "" },
            )
        })
        .collect();
    let scopes: String = match is_app {
        true => "<p>What the app's permissions say: issues, pull requests and contents, to be read.</p>".to_owned(),
        false => asked
            .scopes
            .iter()
            .map(|scope| {
                let scope = escape(scope);
                format!("<label class=row><input type=checkbox name=grant value=\"{scope}\" checked> <code>{scope}</code></label>")
            })
            .collect(),
    };
    frame(
        "Authorize (sandbox)",
        &format!(
            "<h1>Authorize {client}</h1><p>It wants access to a GitHub account. This is the sandbox's stand-in for GitHub; nothing leaves \
             this machine.</p><form method=post action=\"authorize\">{hidden}<input type=hidden name=granular value=1>\
             <fieldset><legend>Account</legend>{people}</fieldset><fieldset><legend>It may</legend>{scopes}</fieldset>\
             <p><button name=decision value=allow class=main>Authorize</button> \
             <button name=decision value=deny formnovalidate>Cancel</button></p></form>",
            client = escape(&asked.client),
        ),
    )
}

/// An error of the token endpoint.
struct Refusal(&'static str, &'static str);

/// Fields of a token request: a form, or JSON.
pub fn form(headers: Option<&HeaderMap>, body: &[u8]) -> Fields {
    let is_json = headers
        .and_then(|headers| headers.get(header::CONTENT_TYPE)?.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    match is_json {
        true => serde_json::from_slice(body).unwrap_or_default(),
        false => url::form_urlencoded::parse(body).into_owned().collect(),
    }
}

async fn token(
    State(sandbox): State<Shared>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut fields = query;
    fields.extend(form(Some(&headers), &body));
    let answer = sandbox.write(|world| give(&mut world.github, &fields));
    let answer = match answer {
        Ok(issued) => shown(issued),
        Err(Refusal(code, text)) => json!({
            "error": code, "error_description": text,
            "error_uri": "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/",
        }),
    };
    let wants_json = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.contains("application/json"));
    if wants_json {
        return Json(answer).into_response();
    }
    // Without a word about JSON GitHub answers with a form.
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        form.append_pair(name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")], form.finish()).into_response()
}

fn shown(issued: Issued) -> Value {
    let scope = issued.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let mut answer = json!({ "access_token": issued.token, "token_type": "bearer", "scope": scope });
    if let (Some((lifetime, refresh, life)), Some(fields)) = (issued.refresh, answer.as_object_mut()) {
        fields.insert("expires_in".to_owned(), json!(lifetime));
        fields.insert("refresh_token".to_owned(), json!(refresh));
        fields.insert("refresh_token_expires_in".to_owned(), json!(life));
    }
    answer
}

fn give(github: &mut GitHub, fields: &Fields) -> Result<Issued, Refusal> {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let client = field("client_id").to_owned();
    let is_known = github.grants.clients.get(&client).is_some_and(|known| known.secret == field("client_secret"));
    if !is_known {
        return Err(Refusal(
            "incorrect_client_credentials",
            "The client_id and/or client_secret passed are incorrect.",
        ));
    }
    let lifetime = github.settings.access_lifetime_seconds;
    if field("grant_type") == "refresh_token" {
        let account = github.grants.use_refresh(&client, field("refresh_token"));
        let account =
            account.ok_or(Refusal("bad_refresh_token", "The refresh token passed is incorrect or expired."))?;
        return Ok(github.grants.issue(&client, &account, BTreeSet::new(), lifetime.or(Some(28_800))));
    }
    let dead = || Refusal("bad_verification_code", "The code passed is incorrect or expired.");
    let code = github.grants.take_code(field("code")).filter(|code| code.client == client).ok_or_else(dead)?;
    let redirect_uri = field("redirect_uri");
    if !redirect_uri.is_empty() && redirect_uri != code.redirect_uri {
        return Err(Refusal(
            "redirect_uri_mismatch",
            "The redirect_uri MUST match the registered callback URL for this application.",
        ));
    }
    if !code.holds(fields.get("code_verifier").map(String::as_str)) {
        return Err(dead());
    }
    Ok(github.grants.issue(&client, &code.account, code.scopes, lifetime))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_code(challenge: Option<&str>) -> (GitHub, String) {
        let mut github = GitHub::empty();
        github.add_account("ada", "Ada", false);
        let code = github.grants.issue_code(Code {
            client: "sandbox-client".into(),
            account: "ada".into(),
            scopes: BTreeSet::from(["repo".to_owned()]),
            redirect_uri: "http://localhost/callback".into(),
            challenge: challenge.map(str::to_owned),
            expires: clock::now() + TimeDelta::minutes(10),
        });
        (github, code)
    }

    fn asked(github: &mut GitHub, code: &str, more: &[(&str, &str)]) -> Result<Value, &'static str> {
        let mut fields: Fields = [("client_id", "sandbox-client"), ("client_secret", "sandbox-secret"), ("code", code)]
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        give(github, &fields).map(shown).map_err(|refusal| refusal.0)
    }

    #[test]
    fn a_code_gives_a_token_once_to_whoever_keeps_the_promise() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        type Case<'a> = (&'a [(&'a str, &'a str)], Result<(), &'a str>);
        let cases: [Case<'_>; 4] = [
            (&[], Err("bad_verification_code")),
            (&[("code_verifier", "wrong")], Err("bad_verification_code")),
            (&[("code_verifier", verifier), ("redirect_uri", "http://evil/")], Err("redirect_uri_mismatch")),
            (&[("code_verifier", verifier)], Ok(())),
        ];
        for (more, expected) in cases {
            let (mut github, code) = with_code(challenge);
            assert_eq!(asked(&mut github, &code, more).map(drop), expected, "{more:?}");
            assert_eq!(asked(&mut github, &code, more), Err("bad_verification_code"), "once");
        }
    }

    #[test]
    fn a_wrong_secret_is_the_apps_fault_and_a_used_refresh_token_is_dead() {
        let (mut github, code) = with_code(None);
        assert_eq!(asked(&mut github, &code, &[("client_secret", "no")]), Err("incorrect_client_credentials"));
        github.settings.access_lifetime_seconds = Some(28_800);
        let (mut github, code) = (github, code);
        let tokens = asked(&mut github, &code, &[]).unwrap();
        assert_eq!((tokens["scope"].as_str(), tokens["expires_in"].as_i64()), (Some(""), Some(28_800)));
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        assert!(asked(&mut github, "", &refresh).is_ok());
        assert_eq!(asked(&mut github, "", &refresh), Err("bad_refresh_token"));
    }
}
