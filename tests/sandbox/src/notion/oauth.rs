//! Notion's OAuth: the consent page with its page picker, the token endpoint, revocation, introspection.
//!
//! The form of the consent page posts to its own address with the request's parameters, `account=<email>` and `decision=allow|deny`. With
//! `picked=1` only the pages named by `page` fields are shared, as when a person picks some; without it, the whole workspace.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64::Engine;
use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::{Value, json};
use url::Url;

use super::{
    error::OAuthError,
    grants::{Bot, Code},
    shapes,
    state::{Notion, Person, uuid},
};
use crate::{
    clock,
    pages::html::{escape, page as frame},
    state::Shared,
};

type Fields = BTreeMap<String, String>;

/// `GET /v1/oauth/authorize`: shows the page, or says what is wrong with the request.
pub async fn page(State(sandbox): State<Shared>, Query(fields): Query<HashMap<String, String>>) -> Response {
    let fields: Fields = fields.into_iter().collect();
    sandbox.read(|world| match checked(&fields, &world.notion) {
        Ok(_) => Html(consent_page(&world.notion, &fields)).into_response(),
        Err(message) => blocked(message),
    })
}

/// `POST /v1/oauth/authorize`: the person decided; the browser returns to the client.
pub async fn decide(State(sandbox): State<Shared>, body: Bytes) -> Response {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let fields: Fields = pairs.iter().cloned().collect();
    let mut target = match sandbox.read(|world| checked(&fields, &world.notion)) {
        Ok(target) => target,
        Err(message) => return blocked(message),
    };
    let account = fields.get("account").cloned().unwrap_or_default();
    let answer = match fields.get("decision").map(String::as_str) {
        Some("allow") if sandbox.read(|world| world.notion.people.contains_key(&account)) => {
            let picked = fields.contains_key("picked");
            let pages: BTreeSet<String> =
                pairs.iter().filter(|(key, _)| key == "page").map(|(_, id)| id.clone()).collect();
            let code = Code {
                client: fields.get("client_id").cloned().unwrap_or_default(),
                account,
                pages: picked.then_some(pages),
                redirect_uri: fields.get("redirect_uri").cloned().unwrap_or_default(),
                expires: clock::now() + TimeDelta::minutes(10),
            };
            ("code", sandbox.write(|world| world.notion.grants.issue_code(code)))
        }
        Some("allow") => return blocked("this sandbox has no such account"),
        Some("deny") => ("error", "access_denied".to_owned()),
        _ => return blocked("decision must be allow or deny"),
    };
    target.query_pairs_mut().append_pair(answer.0, &answer.1);
    if let Some(state) = fields.get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    (StatusCode::FOUND, [(header::LOCATION, target.to_string())]).into_response()
}

/// Where the browser is to return to, of a request that is as it should be.
fn checked(fields: &Fields, notion: &Notion) -> Result<Url, &'static str> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    if !notion.grants.clients.contains_key(field("client_id")) {
        return Err("Missing or invalid client_id.");
    }
    if field("response_type") != "code" {
        return Err("response_type must be code.");
    }
    if field("owner") != "user" {
        return Err("owner must be user.");
    }
    let target = Url::parse(field("redirect_uri")).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    target.ok_or("Missing or invalid redirect_uri.")
}

fn blocked(message: &str) -> Response {
    let body = format!("<h1>Something is wrong with this link</h1><p>{}</p>", escape(message));
    (StatusCode::BAD_REQUEST, Html(frame("Connect (sandbox)", &body))).into_response()
}

fn consent_page(notion: &Notion, fields: &Fields) -> String {
    let hidden: String = fields
        .iter()
        .map(|(key, value)| format!("<input type=hidden name=\"{}\" value=\"{}\">", escape(key), escape(value)))
        .collect();
    let people: String =
        notion.people.values().enumerate().map(|(number, person)| choice(notion, person, number == 0)).collect();
    let pages: String = notion
        .people
        .values()
        .map(|person| person.workspace.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .flat_map(|workspace| notion.documents(workspace))
        .filter(|node| node.parent.is_none() && !notion.is_trashed(node))
        .map(|node| {
            format!(
                "<label class=row><input type=checkbox name=page value=\"{}\"> {}</label>",
                escape(&node.id),
                escape(node.title())
            )
        })
        .collect();
    frame(
        "Connect (sandbox)",
        &format!(
            "<h1>Select pages</h1><p><b>{}</b> asks for access to a Notion workspace. This is the sandbox's stand-in for Notion; nothing \
             leaves this machine.</p><form method=post action=\"authorize\">{hidden}\
             <fieldset><legend>Account</legend>{people}</fieldset>\
             <fieldset><legend>Pages</legend><label class=row><input type=checkbox name=picked value=1> \
             Only the pages ticked below, and what is in them</label>{pages}</fieldset>\
             <p><button name=decision value=allow class=main>Allow access</button> \
             <button name=decision value=deny formnovalidate>Cancel</button></p></form>",
            escape(fields.get("client_id").map_or("", String::as_str)),
        ),
    )
}

fn choice(notion: &Notion, person: &Person, is_first: bool) -> String {
    let workspace = notion.workspaces.get(&person.workspace).map_or("", |workspace| workspace.name.as_str());
    format!(
        "<label class=row><input type=radio name=account value=\"{email}\"{checked} required> <span><b>{name}</b><br>\
         <span class=quiet>{email}, {workspace}</span></span></label>",
        email = escape(&person.email),
        name = escape(&person.name),
        workspace = escape(workspace),
        checked = if is_first { " checked" } else { "" },
    )
}

/// `POST /v1/oauth/token`.
pub async fn token(State(sandbox): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let fields: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is_refresh = fields.get("grant_type").and_then(Value::as_str) == Some("refresh_token");
    let delay = sandbox.read(|world| world.notion.settings.refresh_delay_ms);
    if is_refresh && delay > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(delay)).await;
    }
    let answer = sandbox.write(|world| {
        let notion = &mut world.notion;
        let client = client(notion, &headers)?;
        match fields.get("grant_type").and_then(Value::as_str) {
            Some("authorization_code") => exchange(notion, &client, &fields),
            Some("refresh_token") => refresh(notion, &client, &fields),
            Some(_) => Err(OAuthError::bad_request("unsupported_grant_type")),
            None => Err(OAuthError::bad_request("invalid_request")),
        }
    });
    match answer {
        Ok(json) => Json(json).into_response(),
        Err(error) => error.into_response(),
    }
}

/// `POST /v1/oauth/revoke`.
pub async fn revoke(State(sandbox): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let fields: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answer = sandbox.write(|world| {
        client(&world.notion, &headers)?;
        let token = text(&fields, "token")?;
        if !world.notion.grants.revoke(token) {
            return Err(OAuthError::bad_request("invalid_token"));
        }
        Ok(json!({ "request_id": uuid() }))
    });
    answer.map_or_else(IntoResponse::into_response, |json| Json(json).into_response())
}

/// `POST /v1/oauth/introspect`.
pub async fn introspect(State(sandbox): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let fields: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answer = sandbox.read(|world| {
        client(&world.notion, &headers)?;
        let active = world.notion.grants.bot(text(&fields, "token")?, clock::now()).is_some();
        Ok::<_, OAuthError>(json!({ "active": active, "request_id": uuid() }))
    });
    answer.map_or_else(IntoResponse::into_response, |json| Json(json).into_response())
}

/// Who the client is: by Basic authentication and nothing else.
fn client(notion: &Notion, headers: &HeaderMap) -> Result<String, OAuthError> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let decoded = basic
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|encoded| base64::engine::general_purpose::STANDARD.decode(encoded).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) =
        decoded.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(OAuthError::invalid_client)?;
    match notion.grants.clients.get(id) {
        Some(known) if known == secret => Ok(id.to_owned()),
        _ => Err(OAuthError::invalid_client()),
    }
}

fn text<'a>(fields: &'a Value, name: &str) -> Result<&'a str, OAuthError> {
    fields.get(name).and_then(Value::as_str).ok_or(OAuthError::bad_request("invalid_request"))
}

fn exchange(notion: &mut Notion, client: &str, fields: &Value) -> Result<Value, OAuthError> {
    let code = notion.grants.take_code(text(fields, "code")?, clock::now());
    let code = code.filter(|code| code.client == client).ok_or(OAuthError::bad_request("invalid_grant"))?;
    // It was in the authorize URL, so it has to be here.
    if text(fields, "redirect_uri")? != code.redirect_uri {
        return Err(OAuthError::bad_request("invalid_grant"));
    }
    let person = notion.people.get(&code.account).cloned().ok_or(OAuthError::bad_request("invalid_grant"))?;
    let bot = notion.grants.connect(&code, &person.workspace);
    let refresh = notion.settings.gives_refresh_tokens.then(|| notion.grants.issue_refresh(&bot.id));
    Ok(answer(notion, &bot, &person, refresh))
}

fn refresh(notion: &mut Notion, client: &str, fields: &Value) -> Result<Value, OAuthError> {
    let rotate = notion.settings.rotate_refresh_tokens;
    let bot = notion.grants.use_refresh(text(fields, "refresh_token")?, client, rotate);
    let bot = bot.ok_or(OAuthError::bad_request("invalid_grant"))?;
    let person = notion.people.get(&bot.account).cloned().ok_or(OAuthError::bad_request("invalid_grant"))?;
    let refresh = rotate.then(|| notion.grants.issue_refresh(&bot.id));
    Ok(answer(notion, &bot, &person, refresh))
}

fn answer(notion: &mut Notion, bot: &Bot, person: &Person, refresh: Option<String>) -> Value {
    let life = notion.settings.access_lifetime_seconds;
    let access = notion.grants.issue_access(&bot.id, life, clock::now());
    let workspace = notion.workspaces.get(&bot.workspace).map(|workspace| workspace.name.clone());
    json!({
        "access_token": access,
        "token_type": "bearer",
        "refresh_token": refresh,
        "bot_id": bot.id,
        "workspace_id": bot.workspace,
        "workspace_name": workspace,
        "workspace_icon": null,
        "owner": { "type": "user", "user": shapes::person(person, true) },
        "duplicated_template_id": null,
        "request_id": uuid(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "ada@example.com";

    fn fields(changes: &[(&str, &str)]) -> Fields {
        let mut fields: Fields = [
            ("client_id", "sandbox-client"),
            ("redirect_uri", "http://localhost/callback"),
            ("response_type", "code"),
            ("owner", "user"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        fields.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        fields
    }

    #[test]
    fn a_request_is_checked_before_anybody_is_asked() {
        let notion = Notion::default();
        let check = |changes: &[(&str, &str)], good| {
            assert_eq!(checked(&fields(changes), &notion).is_ok(), good, "{changes:?}")
        };
        check(&[], true);
        check(&[("client_id", "stranger")], false);
        check(&[("redirect_uri", "javascript:alert(1)")], false);
        check(&[("response_type", "token")], false);
        check(&[("owner", "workspace")], false);
    }

    #[test]
    fn the_page_shows_nothing_of_the_request_as_markup() {
        let mut notion = Notion::default();
        notion.add_person(ADA, "Ada <b>", None);
        let page = consent_page(&notion, &fields(&[("state", "\"><script>alert(1)</script>")]));
        assert!(!page.contains("<script>") && page.contains("Ada &lt;b&gt;"));
    }

    #[test]
    fn a_client_shows_its_secret_by_basic_authentication_only() {
        let notion = Notion::default();
        let with = |pair: &str| {
            let mut headers = HeaderMap::new();
            let basic = base64::engine::general_purpose::STANDARD.encode(pair);
            headers.insert(header::AUTHORIZATION, format!("Basic {basic}").parse().unwrap());
            client(&notion, &headers)
        };
        assert!(with("sandbox-client:sandbox-secret").is_ok());
        assert_eq!(with("sandbox-client:wrong"), Err(OAuthError::invalid_client()));
        assert!(client(&notion, &HeaderMap::new()).is_err());
    }
}
