//! The consent page: a form for people, which a test fills in by plain HTTP.
//!
//! The form posts to its own address with the request's parameters, `account=<email>` and `decision=allow|deny`. With
//! `granular=1` only the scopes named by `grant` fields are granted, as when a person unticks some; without it, all.

use std::collections::{BTreeSet, HashMap};

use axum::{
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use bytes::Bytes;
use chrono::TimeDelta;
use url::Url;

use super::{grants::Code, pkce::Challenge};
use crate::{
    clock,
    google::state::Account,
    pages::html::{escape, page as frame},
    state::Shared,
};

type Fields = HashMap<String, String>;

/// A valid authorization request.
#[derive(Debug)]
struct Asked {
    client: String,
    redirect_uri: Url,
    scopes: Vec<String>,
    state: Option<String>,
    offline: bool,
    force_consent: bool,
    challenge: Option<Challenge>,
}

/// `GET`: shows the page, or says what is wrong with the request.
pub async fn page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let asked = match sandbox.read(|world| Asked::parse(&fields, &world.google.grants)) {
        Ok(asked) => asked,
        Err(wrong) => return wrong.into_response(),
    };
    let accounts: Vec<Account> = sandbox.read(|world| world.google.accounts.values().cloned().collect());
    Html(consent_page(&asked, &fields, &accounts)).into_response()
}

/// `POST`: the person decided; the browser returns to the client.
pub async fn decide(State(sandbox): State<Shared>, body: Bytes) -> Response {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let fields: Fields = pairs.iter().cloned().collect();
    let asked = match sandbox.read(|world| Asked::parse(&fields, &world.google.grants)) {
        Ok(asked) => asked,
        Err(wrong) => return wrong.into_response(),
    };
    let allowed = match fields.get("decision").map(String::as_str) {
        Some("allow") => true,
        Some("deny") => false,
        _ => return Wrong::request("decision must be allow or deny").into_response(),
    };
    let granular = fields.contains_key("granular");
    let ticked = |scope: &String| !granular || pairs.iter().any(|(key, value)| key == "grant" && value == scope);
    let scopes: BTreeSet<String> = asked.scopes.iter().filter(|scope| ticked(scope)).cloned().collect();
    let mut target = asked.redirect_uri.clone();
    let answer = if allowed && !scopes.is_empty() {
        let account = fields.get("account").cloned().unwrap_or_default();
        if !sandbox.read(|world| world.google.accounts.contains_key(&account)) {
            return Wrong::request("this sandbox has no such account").into_response();
        }
        let scope = asked.scopes.iter().filter(|scope| scopes.contains(*scope)).cloned().collect::<Vec<_>>().join(" ");
        let code = sandbox.write(|world| {
            let grants = &mut world.google.grants;
            let first = !grants.has_consented(&asked.client, &account);
            grants.issue_code(Code {
                client: asked.client.clone(),
                account,
                scopes,
                redirect_uri: asked.redirect_text(&fields),
                challenge: asked.challenge.clone(),
                refreshable: asked.offline && (first || asked.force_consent),
                expires: clock::now() + TimeDelta::minutes(10),
            })
        });
        vec![("code", code), ("scope", scope)]
    } else {
        vec![("error", "access_denied".to_owned())]
    };
    if let Some(state) = &asked.state {
        target.query_pairs_mut().append_pair("state", state);
    }
    target.query_pairs_mut().extend_pairs(answer);
    (StatusCode::FOUND, [(header::LOCATION, target.to_string())]).into_response()
}

impl Asked {
    fn parse(fields: &Fields, grants: &super::grants::Grants) -> Result<Self, Wrong> {
        let field = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let client = field("client_id").ok_or_else(|| Wrong::request("Missing required parameter: client_id"))?;
        let registered = grants.clients.get(client).ok_or_else(|| Wrong {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            message: "The OAuth client was not found.".to_owned(),
        })?;
        let text = field("redirect_uri").ok_or_else(|| Wrong::request("Missing required parameter: redirect_uri"))?;
        if !registered.redirect_uris.is_empty() && !registered.redirect_uris.iter().any(|uri| uri == text) {
            return Err(Wrong {
                error: "redirect_uri_mismatch",
                ..Wrong::request("This return address is not registered.")
            });
        }
        let redirect_uri = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let redirect_uri = redirect_uri.filter(|url| url.fragment().is_none());
        match field("response_type") {
            Some("code") => {}
            Some(_) => {
                return Err(Wrong { error: "unsupported_response_type", ..Wrong::request("Use response_type=code") });
            }
            None => return Err(Wrong::request("Missing required parameter: response_type")),
        }
        let scopes: Vec<String> = field("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if scopes.is_empty() {
            return Err(Wrong::request("Missing required parameter: scope"));
        }
        if let Some(unknown) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(Wrong { error: "invalid_scope", ..Wrong::request(&format!("Unknown scope: {unknown}")) });
        }
        let prompt: Vec<&str> = field("prompt").unwrap_or_default().split_whitespace().collect();
        Ok(Self {
            client: client.to_owned(),
            redirect_uri: redirect_uri.ok_or_else(|| Wrong::request("Invalid parameter value for redirect_uri"))?,
            scopes,
            state: fields.get("state").cloned(),
            offline: match field("access_type") {
                None | Some("online") => false,
                Some("offline") => true,
                Some(_) => return Err(Wrong::request("Invalid parameter value for access_type")),
            },
            force_consent: prompt.contains(&"consent"),
            challenge: Challenge::parse(field("code_challenge"), field("code_challenge_method"))
                .map_err(Wrong::request)?,
        })
    }

    /// The return address exactly as it was written: the token request must repeat it so.
    fn redirect_text(&self, fields: &Fields) -> String {
        fields.get("redirect_uri").cloned().unwrap_or_else(|| self.redirect_uri.to_string())
    }
}

fn is_scope(scope: &str) -> bool {
    scope.starts_with("https://www.googleapis.com/auth/") || matches!(scope, "openid" | "email" | "profile")
}

/// What is wrong with a request; shown, never sent on: an unchecked return address gets nothing.
#[derive(Debug)]
struct Wrong {
    status: StatusCode,
    error: &'static str,
    message: String,
}

impl Wrong {
    fn request(message: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: "invalid_request", message: message.to_owned() }
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let body = format!(
            "<h1>Access blocked</h1><p>{}</p><p class=quiet>Error {}: {}</p>",
            escape(&self.message),
            self.status.as_u16(),
            escape(self.error)
        );
        (self.status, Html(frame("Sign in (sandbox)", &body))).into_response()
    }
}

fn consent_page(asked: &Asked, fields: &Fields, accounts: &[Account]) -> String {
    let mut hidden: Vec<(&String, &String)> = fields.iter().filter(|(key, _)| key.as_str() != "granular").collect();
    hidden.sort_unstable();
    let hidden: String = hidden
        .into_iter()
        .map(|(key, value)| format!("<input type=hidden name=\"{}\" value=\"{}\">", escape(key), escape(value)))
        .collect();
    let hint = fields.get("login_hint").map(String::as_str);
    let chosen = accounts.iter().position(|account| hint == Some(account.email.as_str())).unwrap_or(0);
    let people: String = accounts
        .iter()
        .enumerate()
        .map(|(index, account)| {
            format!(
                "<label class=row><input type=radio name=account value=\"{email}\"{checked} required> \
                 <span><b>{name}</b><br><span class=quiet>{email}</span></span></label>",
                email = escape(&account.email),
                name = escape(&account.name),
                checked = if index == chosen { " checked" } else { "" },
            )
        })
        .collect();
    let scopes: String = asked
        .scopes
        .iter()
        .map(|scope| {
            let scope = escape(scope);
            format!("<label class=row><input type=checkbox name=grant value=\"{scope}\" checked> <code>{scope}</code></label>")
        })
        .collect();
    let host = asked.redirect_uri.host_str().unwrap_or_default();
    frame(
        "Sign in (sandbox)",
        &format!(
            "<h1>Choose an account</h1><p><b>{}</b> at {} asks for access to a Google account. This is the sandbox's \
             stand-in for Google; nothing leaves this machine.</p>\
             <form method=post action=\"auth\">{hidden}<input type=hidden name=granular value=1>\
             <fieldset><legend>Account</legend>{people}</fieldset>\
             <fieldset><legend>It may</legend>{scopes}</fieldset>\
             <p><button name=decision value=allow class=main>Allow</button> \
             <button name=decision value=deny formnovalidate>Deny</button></p></form>",
            escape(&asked.client),
            escape(host),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::state::Google;

    fn check(changes: &[(&str, &str)], expected: Result<(), &str>) {
        let mut fields: Fields = [
            ("client_id", "sandbox-client"),
            ("redirect_uri", "http://localhost/callback"),
            ("response_type", "code"),
            ("scope", "https://www.googleapis.com/auth/drive.readonly"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        fields.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let google = Google::empty();
        let found = Asked::parse(&fields, &google.grants);
        assert_eq!(found.map(|_| ()).map_err(|wrong| wrong.error), expected, "{changes:?}");
    }

    #[test]
    fn a_request_is_checked_before_anybody_is_asked() {
        check(&[], Ok(()));
        check(&[("client_id", "stranger")], Err("invalid_client"));
        check(&[("redirect_uri", "")], Err("invalid_request"));
        check(&[("redirect_uri", "javascript:alert(1)")], Err("invalid_request"));
        check(&[("response_type", "token")], Err("unsupported_response_type"));
        check(&[("scope", "")], Err("invalid_request"));
        check(&[("scope", "everything")], Err("invalid_scope"));
        check(&[("access_type", "sometimes")], Err("invalid_request"));
        check(&[("code_challenge_method", "S256")], Err("invalid_request"));
    }

    #[test]
    fn the_page_shows_nothing_of_the_request_as_markup() {
        let mut google = Google::empty();
        google.add_account("ada@example.com", "Ada <b>");
        let fields: Fields = [
            ("client_id", "sandbox-client"),
            ("redirect_uri", "http://localhost/callback"),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "\"><script>alert(1)</script>"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        let asked = Asked::parse(&fields, &google.grants).unwrap();
        let page = consent_page(&asked, &fields, &google.accounts.values().cloned().collect::<Vec<_>>());
        assert!(!page.contains("<script>"));
        assert!(page.contains("Ada &lt;b&gt;"));
    }
}
