//! Who acts at Cognia: a token of a few minutes for the person in whose name a memory is kept, signed with the secret that both share.

use domain::{Timestamp, UserId};
use http::HeaderValue;
use jsonwebtoken::{EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::standard::BadSecret;

/// How long a token is good for: longer than any call takes, and than two clocks differ.
const LIFE_SECONDS: i64 = 300;
/// The shortest secret; RFC 7518 section 3.2 asks for as many bits as the hash has.
const LEAST_BYTES: usize = 32;

/// The JSON of the Cognia sink's secret.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    jwt_secret: SecretString,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    audience: Option<String>,
}

/// Cognia reads the person from `userId`, other hosts from `sub`.
#[derive(Serialize)]
struct Claims<'a> {
    #[serde(rename = "userId")]
    user_id: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
}

/// The `Authorization` header of a person, from the secret's JSON: `{"jwtSecret": "…", "issuer"?: "…", "audience"?: "…"}`.
///
/// # Errors
/// [`Error::Unavailable`] if the secret makes no token.
pub(super) fn authorization(secret: &SecretString, person: &UserId, now: Timestamp) -> Result<HeaderValue, Error> {
    let bad = |what| Error::unavailable("sign a token", BadSecret(what));
    let secret: Secret =
        serde_json::from_str(secret.expose_secret()).map_err(|_| bad("it is not the JSON {\"jwtSecret\": …}"))?;
    let key = secret.jwt_secret.expose_secret().as_bytes();
    if key.len() < LEAST_BYTES {
        return Err(bad("the shared secret has fewer than 32 bytes"));
    }
    let (iat, person) = (now.timestamp(), person.as_str());
    let claims =
        Claims { user_id: person, sub: person, iat, exp: iat + LIFE_SECONDS, iss: secret.issuer, aud: secret.audience };
    let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key));
    let token = token.map_err(|_| bad("it signs nothing"))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| bad("it signs nothing"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn a_token_names_one_person_and_ends_soon() {
        let shared = "a-secret-of-at-least-thirty-two-bytes";
        let json = format!(r#"{{"jwtSecret":"{shared}","issuer":"integrations"}}"#);
        let now = Timestamp::from_timestamp(4_000_000_000, 0).unwrap();
        let header = authorization(&secret(&json), &UserId::new("ada").unwrap(), now).unwrap();
        assert!(header.is_sensitive());
        let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        let mut checks = Validation::new(Algorithm::HS256);
        checks.set_issuer(&["integrations"]);
        let claims =
            jsonwebtoken::decode::<serde_json::Value>(&token, &DecodingKey::from_secret(shared.as_bytes()), &checks);
        let claims = claims.unwrap().claims;
        assert_eq!((&claims["userId"], &claims["sub"]), (&"ada".into(), &"ada".into()));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), LIFE_SECONDS);
    }

    #[test]
    fn guarantee_43_a_secret_that_signs_nothing_is_told_without_its_text() {
        for text in ["canary", r#"{"signingSecret":"canary"}"#, r#"{"jwtSecret":"canary"}"#] {
            let error = authorization(&secret(text), &UserId::new("ada").unwrap(), Timestamp::UNIX_EPOCH).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}
