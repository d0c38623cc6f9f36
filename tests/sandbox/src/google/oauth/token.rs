//! The token endpoint and revocation.

use std::collections::{BTreeSet, HashMap};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use base64::Engine;
use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::grants::{Access, Refresh};
use crate::{
    clock,
    google::{error::OAuthError, state::Google},
    state::Shared,
};

type Fields = HashMap<String, String>;

/// `POST /token`.
pub async fn token(State(sandbox): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = form(&body);
    let delay = sandbox.read(|world| world.google.settings.refresh_delay_ms);
    if fields.get("grant_type").is_some_and(|kind| kind == "refresh_token") && delay > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(delay)).await;
    }
    let answer = sandbox.write(|world| {
        let client = client(&world.google, &headers, &fields)?;
        match fields.get("grant_type").map(String::as_str) {
            Some("authorization_code") => exchange(&mut world.google, client, &fields),
            Some("refresh_token") => refresh(&mut world.google, client, &fields),
            Some(other) => {
                Err(OAuthError::bad_request("unsupported_grant_type", format!("Invalid grant_type: {other}")))
            }
            None => Err(missing("grant_type")),
        }
    });
    match answer {
        Ok(json) => {
            ([(header::CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate")], Json(json)).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// `POST /revoke`: the token in the form or in the address.
pub async fn revoke(State(sandbox): State<Shared>, Query(query): Query<Fields>, body: Bytes) -> Response {
    let form = form(&body);
    let Some(token) = form.get("token").or_else(|| query.get("token")) else {
        return missing("token").into_response();
    };
    let revoked = sandbox.write(|world| {
        let google = &mut world.google;
        let (client, account) = google.grants.revoke(token)?;
        if !google.grants.is_connected(&client, &account) {
            google.channels.retain(|_, channel| channel.client != client || channel.account != account);
        }
        Some(())
    });
    match revoked {
        Some(()) => Json(json!({})).into_response(),
        None => OAuthError::bad_request("invalid_token", "Token expired or revoked").into_response(),
    }
}

/// The fields of a form body, whatever its declared type.
pub fn form(body: &[u8]) -> Fields {
    url::form_urlencoded::parse(body).into_owned().collect()
}

/// Who the client is, by Basic authentication or by the form.
fn client(google: &Google, headers: &HeaderMap, fields: &Fields) -> Result<String, OAuthError> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(from_basic);
    let (id, secret) = match (basic, fields.get("client_id")) {
        (Some(pair), _) => pair,
        (None, Some(id)) => (id.clone(), fields.get("client_secret").cloned().unwrap_or_default()),
        (None, None) => {
            return Err(OAuthError::bad_request("invalid_request", "Could not determine client ID from request."));
        }
    };
    match google.grants.clients.get(&id) {
        Some(client) if client.secret == secret => Ok(id),
        Some(_) if secret.is_empty() => Err(OAuthError::bad_request("invalid_request", "client_secret is missing.")),
        Some(_) => Err(OAuthError::invalid_client("Unauthorized")),
        None => Err(OAuthError::invalid_client("The OAuth client was not found.")),
    }
}

/// Both halves are form-encoded before they are joined, RFC 6749 section 2.3.1.
fn from_basic(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ")?;
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode =
        |part: &str| percent_encoding::percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    Some((decode(id), decode(secret)))
}

fn exchange(google: &mut Google, client: String, fields: &Fields) -> Result<Value, OAuthError> {
    let code = fields.get("code").ok_or_else(|| missing("code"))?;
    let redirect_uri = fields.get("redirect_uri").ok_or_else(|| missing("redirect_uri"))?;
    let now = clock::now();
    let code = google.grants.take_code(code, now).filter(|code| code.client == client);
    let code = code.ok_or_else(|| OAuthError::bad_request("invalid_grant", "Bad Request"))?;
    if code.redirect_uri != *redirect_uri {
        return Err(OAuthError::bad_request("redirect_uri_mismatch", "Bad Request"));
    }
    match (&code.challenge, fields.get("code_verifier")) {
        (None, None) => {}
        (Some(challenge), Some(verifier)) if challenge.holds(verifier) => {}
        (Some(_), None) => return Err(OAuthError::bad_request("invalid_grant", "Missing code verifier.")),
        (_, Some(_)) => return Err(OAuthError::bad_request("invalid_grant", "Invalid code verifier.")),
    }
    let grant = google.grants.begin();
    let mut answer = access(google, &client, &code.account, &code.scopes, grant);
    if let (true, Some(answer)) = (code.refreshable, answer.as_object_mut()) {
        let token = Refresh { client, account: code.account, scopes: code.scopes, grant };
        answer.insert("refresh_token".to_owned(), json!(google.grants.issue_refresh(token)));
    }
    Ok(answer)
}

fn refresh(google: &mut Google, client: String, fields: &Fields) -> Result<Value, OAuthError> {
    let token = fields.get("refresh_token").ok_or_else(|| missing("refresh_token"))?;
    let held = match google.grants.refresh(token).cloned() {
        Some(held) => Some(held),
        None => {
            let grace = TimeDelta::try_seconds(google.settings.rotation_grace_seconds).unwrap_or_default();
            google.grants.reuse(token, grace, google.settings.reuse_revokes, clock::now())
        }
    };
    let held = held.filter(|held| held.client == client);
    let held = held.ok_or_else(|| OAuthError::bad_request("invalid_grant", "Token has been expired or revoked."))?;
    let mut answer = access(google, &client, &held.account, &held.scopes, held.grant);
    if let (true, Some(answer)) = (google.settings.rotate_refresh_tokens, answer.as_object_mut()) {
        google.grants.rotate(token, clock::now());
        answer.insert("refresh_token".to_owned(), json!(google.grants.issue_refresh(held)));
    }
    Ok(answer)
}

/// The answer that both grants share, with a new access token in it.
fn access(google: &mut Google, client: &str, account: &str, scopes: &BTreeSet<String>, grant: u64) -> Value {
    let (now, seconds) = (clock::now(), google.settings.access_lifetime_seconds);
    let token = Access {
        client: client.to_owned(),
        account: account.to_owned(),
        scopes: scopes.clone(),
        expires: now + TimeDelta::try_seconds(seconds).unwrap_or_default(),
        grant,
    };
    let told = google.settings.told_lifetime.clone().unwrap_or_else(|| json!(seconds));
    json!({
        "access_token": google.grants.issue_access(token, now),
        "expires_in": told,
        "scope": scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        "token_type": "Bearer",
    })
}

fn missing(field: &str) -> OAuthError {
    OAuthError::bad_request("invalid_request", format!("Missing required parameter: {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::oauth::{grants::Code, pkce::Challenge};

    fn google_with_code(challenge: Option<Challenge>, refreshable: bool) -> (Google, String) {
        let mut google = Google::empty();
        google.add_account("ada@example.com", "Ada");
        let code = google.grants.issue_code(Code {
            client: "sandbox-client".into(),
            account: "ada@example.com".into(),
            scopes: BTreeSet::from(["openid".to_owned()]),
            redirect_uri: "http://localhost/callback".into(),
            challenge,
            refreshable,
            expires: clock::now() + TimeDelta::minutes(10),
        });
        (google, code)
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn try_exchange(google: &mut Google, code: &str, more: &[(&str, &str)]) -> Result<Value, &'static str> {
        let mut form = fields(&[("code", code), ("redirect_uri", "http://localhost/callback")]);
        form.extend(fields(more));
        exchange(google, "sandbox-client".into(), &form).map_err(|error| error.error)
    }

    #[test]
    fn a_code_gives_tokens_once() {
        let (mut google, code) = google_with_code(None, true);
        let tokens = try_exchange(&mut google, &code, &[]).unwrap();
        assert!(tokens["refresh_token"].is_string());
        assert_eq!(try_exchange(&mut google, &code, &[]), Err("invalid_grant"));
    }

    #[test]
    fn a_code_is_bound_to_its_return_address_and_verifier() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = Challenge::S256("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into());
        let cases: [(&[(&str, &str)], _); 4] = [
            (&[], Err("invalid_grant")),
            (&[("code_verifier", "wrong")], Err("invalid_grant")),
            (&[("code_verifier", verifier), ("redirect_uri", "http://evil/")], Err("redirect_uri_mismatch")),
            (&[("code_verifier", verifier)], Ok(())),
        ];
        for (more, expected) in cases {
            let (mut google, code) = google_with_code(Some(challenge.clone()), false);
            assert_eq!(try_exchange(&mut google, &code, more).map(|_| ()), expected, "{more:?}");
        }
    }

    #[test]
    fn a_refresh_keeps_the_token_unless_rotation_is_on() {
        let (mut google, code) = google_with_code(None, true);
        let tokens = try_exchange(&mut google, &code, &[]).unwrap();
        let form = fields(&[("refresh_token", tokens["refresh_token"].as_str().unwrap())]);
        let plain = refresh(&mut google, "sandbox-client".into(), &form).unwrap();
        assert!(plain.get("refresh_token").is_none());
        google.settings.rotate_refresh_tokens = true;
        let rotated = refresh(&mut google, "sandbox-client".into(), &form).unwrap();
        assert!(rotated["refresh_token"].is_string());
        let again = refresh(&mut google, "sandbox-client".into(), &form);
        assert_eq!(again.map_err(|error| error.error), Err("invalid_grant"));
    }

    #[test]
    fn a_client_shows_its_secret_in_the_form_or_by_basic() {
        let google = Google::empty();
        let mut headers = HeaderMap::new();
        let by_form = fields(&[("client_id", "sandbox-client"), ("client_secret", "sandbox-secret")]);
        assert!(client(&google, &headers, &by_form).is_ok());
        let wrong = fields(&[("client_id", "sandbox-client"), ("client_secret", "no")]);
        assert_eq!(client(&google, &headers, &wrong).map_err(|error| error.error), Err("invalid_client"));
        let basic = base64::engine::general_purpose::STANDARD.encode("sandbox-client:sandbox-secret");
        headers.insert(header::AUTHORIZATION, format!("Basic {basic}").parse().unwrap());
        assert!(client(&google, &headers, &Fields::new()).is_ok());
    }
}
