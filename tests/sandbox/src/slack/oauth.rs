//! OAuth v2: the consent page, the exchange of codes and refresh tokens, revocation.
//!
//! The page's form posts to its own address with the request's parameters, `account=<email>` and `decision=allow|deny`.

use std::collections::{BTreeSet, HashMap};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64::Engine as _;
use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    api::{Args, Failure, token},
    grants::{Code, Pair},
    state::Slack,
};
use crate::{
    clock,
    pages::html::{escape, page as frame},
    state::Shared,
};

type Fields = HashMap<String, String>;

/// A valid authorization request.
struct Asked {
    redirect_uri: String,
    bot_scopes: BTreeSet<String>,
    user_scopes: BTreeSet<String>,
    state: Option<String>,
}

/// `GET`: shows the page, or says what is wrong with the request.
pub async fn page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    match sandbox.read(|world| Asked::parse(&world.slack, &fields).map(|asked| consent(&world.slack, &asked, &fields)))
    {
        Ok(html) => Html(html).into_response(),
        Err(wrong) => refused(wrong),
    }
}

/// `POST`: the person decided; the browser returns to the client.
pub async fn decide(State(sandbox): State<Shared>, body: Bytes) -> Response {
    let fields: Fields = url::form_urlencoded::parse(&body).into_owned().collect();
    let asked = match sandbox.read(|world| Asked::parse(&world.slack, &fields)) {
        Ok(asked) => asked,
        Err(wrong) => return refused(wrong),
    };
    let Ok(mut target) = Url::parse(&asked.redirect_uri) else { return refused("redirect_uri is no address") };
    let answer = match fields.get("decision").map(String::as_str) {
        Some("allow") => {
            let email = fields.get("account").cloned().unwrap_or_default();
            let code = sandbox.write(|world| {
                let slack = &mut world.slack;
                let (team, user) = slack.person(&email).map(|(team, user)| (team.id.clone(), user.id.clone()))?;
                Some(slack.grants.issue(Code {
                    team,
                    user,
                    redirect_uri: asked.redirect_uri.clone(),
                    bot_scopes: asked.bot_scopes.clone(),
                    user_scopes: asked.user_scopes.clone(),
                    expires: clock::now() + TimeDelta::minutes(10),
                    used: false,
                }))
            });
            match code {
                Some(code) => ("code", code),
                None => return refused("this sandbox has no such account"),
            }
        }
        Some("deny") => ("error", "access_denied".to_owned()),
        _ => return refused("decision must be allow or deny"),
    };
    target.query_pairs_mut().append_pair(answer.0, &answer.1);
    if let Some(state) = &asked.state {
        target.query_pairs_mut().append_pair("state", state);
    }
    (StatusCode::FOUND, [(header::LOCATION, target.to_string())]).into_response()
}

impl Asked {
    fn parse(slack: &Slack, fields: &Fields) -> Result<Self, &'static str> {
        let field = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
        if field("client_id") != Some(&slack.app.client_id) {
            return Err("invalid_client_id");
        }
        let redirect_uri = field("redirect_uri").ok_or("redirect_uri is missing")?;
        Url::parse(redirect_uri)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none())
            .ok_or("bad_redirect_uri")?;
        let scopes = |name: &str| -> BTreeSet<String> {
            field(name).unwrap_or_default().split(',').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        };
        let (bot_scopes, user_scopes) = (scopes("scope"), scopes("user_scope"));
        if bot_scopes.is_empty() && user_scopes.is_empty() {
            return Err("no_scopes");
        }
        if bot_scopes.iter().chain(&user_scopes).any(|scope| !is_scope(scope)) {
            return Err("invalid_scope");
        }
        let redirect_uri = redirect_uri.to_owned();
        Ok(Self { redirect_uri, bot_scopes, user_scopes, state: fields.get("state").cloned() })
    }
}

fn is_scope(scope: &str) -> bool {
    scope.contains(':') && scope.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b':' | b'.' | b'_'))
}

fn refused(wrong: &str) -> Response {
    let body = format!("<h1>Something is wrong with this request</h1><p>{}</p>", escape(wrong));
    (StatusCode::BAD_REQUEST, Html(frame("Slack (sandbox)", &body))).into_response()
}

fn consent(slack: &Slack, asked: &Asked, fields: &Fields) -> String {
    let mut hidden: Vec<_> = fields.iter().collect();
    hidden.sort_unstable();
    let hidden: String = hidden
        .into_iter()
        .map(|(name, value)| format!("<input type=hidden name=\"{}\" value=\"{}\">", escape(name), escape(value)))
        .collect();
    let people = slack.workspaces.values().flat_map(|workspace| {
        workspace.users.values().filter_map(move |user| Some((workspace, user, user.email.as_deref()?)))
    });
    let people: String = people
        .enumerate()
        .map(|(place, (workspace, user, email))| {
            let checked = if place == 0 { " checked" } else { "" };
            format!(
                "<label class=row><input type=radio name=account value=\"{email}\"{checked} required> \
                 <span><b>{}</b> in {}<br><span class=quiet>{email}</span></span></label>",
                escape(&user.name),
                escape(&workspace.name),
                email = escape(email),
            )
        })
        .collect();
    let may = |what: &str, scopes: &BTreeSet<String>| {
        let list = scopes.iter().map(|scope| format!("<code>{}</code> ", escape(scope))).collect::<String>();
        if list.is_empty() { list } else { format!("<p>{what}: {list}</p>") }
    };
    frame(
        "Slack (sandbox)",
        &format!(
            "<h1>An app asks to be let into a workspace</h1><p>This is the sandbox's stand-in for Slack; nothing leaves this \
             machine.</p>{}{}<form method=post action=\"authorize\">{hidden}\
             <fieldset><legend>Who you are</legend>{people}</fieldset><p><button name=decision value=allow class=main>Allow</button> \
             <button name=decision value=deny formnovalidate>Cancel</button></p></form>",
            may("As a bot it may", &asked.bot_scopes),
            may("As you it may", &asked.user_scopes),
        ),
    )
}

/// The methods that need no token or end one; `None` for all others.
pub fn method(sandbox: &Shared, method: &str, headers: &HeaderMap, args: &Args) -> Option<Response> {
    let answer = match method {
        "oauth.v2.access" => sandbox.write(|world| access(&mut world.slack, headers, args)),
        "auth.revoke" => sandbox.write(|world| {
            let grants = &mut world.slack.grants;
            let token = token(headers, args).ok_or("not_authed")?;
            grants.token(&token)?;
            if args.get("test").is_none_or(|test| test != "1" && test != "true") {
                grants.revoke_one(&token);
            }
            Ok(json!({ "ok": true, "revoked": true }))
        }),
        "apps.uninstall" => sandbox.write(|world| {
            client(&world.slack, headers, args)?;
            let token = token(headers, args).ok_or("not_authed")?;
            let team = world.slack.grants.token(&token)?.team.clone();
            world.slack.uninstall(&team).map_err(|_| Failure::from("invalid_auth"))?;
            Ok(json!({ "ok": true }))
        }),
        _ => return None,
    };
    Some(match answer {
        Ok(body) => Json(body).into_response(),
        Err(failure) => failure.into_response(),
    })
}

/// The app shows its secret by HTTP Basic or in the form.
fn client(slack: &Slack, headers: &HeaderMap, args: &Args) -> Result<(), Failure> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let basic = basic.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let basic = basic.and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = match basic.as_deref().and_then(|text| text.split_once(':')) {
        Some((id, secret)) => (id.to_owned(), secret.to_owned()),
        None => {
            let field = |name: &str| args.get(name).cloned().unwrap_or_default();
            (field("client_id"), field("client_secret"))
        }
    };
    if id != slack.app.client_id {
        return Err("invalid_client_id".into());
    }
    if secret != slack.app.client_secret {
        return Err("bad_client_secret".into());
    }
    Ok(())
}

fn access(slack: &mut Slack, headers: &HeaderMap, args: &Args) -> Result<Value, Failure> {
    client(slack, headers, args)?;
    let lifetime = slack.settings.access_lifetime_seconds;
    match args.get("grant_type").map(String::as_str) {
        Some("refresh_token") => {
            let token = args.get("refresh_token").ok_or("invalid_refresh_token")?;
            let (old, pair) = slack.grants.renew(token, lifetime)?;
            let mut body = head(slack, &old.team)?;
            put_token(&mut body, &pair, old.is_bot);
            if old.is_bot {
                body.insert("bot_user_id".to_owned(), json!(old.user));
            }
            Ok(Value::Object(body))
        }
        None | Some("" | "authorization_code") => {
            let code = args.get("code").ok_or("invalid_code")?;
            let code = slack.grants.redeem(code, args.get("redirect_uri").map(String::as_str))?;
            let lifetime = slack.settings.rotation.then_some(lifetime);
            let mut body = head(slack, &code.team)?;
            let mut user = json!({ "id": code.user }).as_object().cloned().unwrap_or_default();
            if !code.user_scopes.is_empty() {
                let pair = slack.grants.grant(&code.team, &code.user, false, &code.user_scopes, lifetime);
                put_token(&mut user, &pair, false);
            }
            if !code.bot_scopes.is_empty() {
                let bot = slack.workspaces.get(&code.team).map(|workspace| workspace.bot.clone()).unwrap_or_default();
                let pair = slack.grants.grant(&code.team, &bot, true, &code.bot_scopes, lifetime);
                put_token(&mut body, &pair, true);
                body.insert("bot_user_id".to_owned(), json!(bot));
            }
            body.insert("authed_user".to_owned(), Value::Object(user));
            if let Some(workspace) = slack.workspaces.get_mut(&code.team) {
                workspace.installed = true;
            }
            Ok(Value::Object(body))
        }
        Some(_) => Err("invalid_grant_type".into()),
    }
}

/// What every answer of the token endpoint says.
fn head(slack: &Slack, team: &str) -> Result<Map<String, Value>, Failure> {
    let workspace = slack.workspaces.get(team).ok_or("invalid_code")?;
    let head = json!({
        "ok": true,
        "app_id": slack.app.id,
        "team": { "id": workspace.id, "name": workspace.name },
        "enterprise": null,
        "is_enterprise_install": false,
    });
    Ok(head.as_object().cloned().unwrap_or_default())
}

fn put_token(body: &mut Map<String, Value>, pair: &Pair, is_bot: bool) {
    let scopes: Vec<&str> = pair.scopes.iter().map(String::as_str).collect();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("access_token", json!(pair.access));
    put("token_type", json!(if is_bot { "bot" } else { "user" }));
    put("scope", json!(scopes.join(",")));
    if let (Some(refresh), Some(lifetime)) = (&pair.refresh, pair.lifetime) {
        put("refresh_token", json!(refresh));
        put("expires_in", json!(lifetime));
    }
}
