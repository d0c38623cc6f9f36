//! Jira's dynamic webhooks: a bearer token (JWT, HS256) under the app's client secret. It covers no body, so it says who sends, and the
//! delivery's content may only be taken as a hint to look.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use super::window::header;
use crate::provider::{Delivery, NotAuthentic};

/// How far the clocks may be apart.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

#[derive(Deserialize)]
struct Head {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    nbf: Option<i64>,
}

/// Verifies the bearer token of a delivery: signed with `client_secret`, begun and not ended. The algorithm is ours to say, never
/// the token's.
///
/// # Errors
/// [`NotAuthentic`] with the reason.
pub fn jwt(delivery: &Delivery, client_secret: &[u8], now: Timestamp) -> Result<(), NotAuthentic> {
    let value = header(delivery, "authorization", "no token")?;
    let token = value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("JWT ")).ok_or(NotAuthentic("no token"))?;
    let (signed, signature) = token.rsplit_once('.').ok_or(NotAuthentic("no token"))?;
    let (head, claims) = signed.split_once('.').ok_or(NotAuthentic("no token"))?;
    if part::<Head>(head)?.alg != "HS256" {
        return Err(NotAuthentic("another algorithm"));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NotAuthentic("the signature is not readable"))?;
    let mac = Hmac::<Sha256>::new_from_slice(client_secret).ok().filter(|_| !client_secret.is_empty());
    let mac = mac.ok_or(NotAuthentic("there is no secret"))?;
    mac.chain_update(signed).verify_slice(&signature).map_err(|_| NotAuthentic("wrong signature"))?;
    let claims: Claims = part(claims)?;
    let at = |second| Timestamp::from_timestamp(second, 0).ok_or(NotAuthentic("no time"));
    let (begin, end) = (at(claims.nbf.unwrap_or_default())?, at(claims.exp)?);
    if begin - LEEWAY <= now && now <= end + LEEWAY { Ok(()) } else { Err(NotAuthentic("outside of its time")) }
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, NotAuthentic> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAuthentic("no token"))?;
    serde_json::from_slice(&bytes).map_err(|_| NotAuthentic("no token"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn token(alg: &str, key: &[u8], claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", encode(&format!(r#"{{"typ":"JWT","alg":"{alg}"}}"#)), encode(claims));
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    fn verdict(authorization: String, now: i64) -> Result<(), NotAuthentic> {
        let headers = BTreeMap::from([("authorization".to_owned(), authorization)]);
        let now = Timestamp::from_timestamp(now, 0).unwrap();
        jwt(&Delivery { headers, body: Vec::new() }, b"secret", now)
    }

    #[test]
    fn only_a_live_token_of_the_apps_own_passes() {
        let good = r#"{"iss":"client","exp":1000,"iat":1}"#;
        let check = |token: String, now, passes: bool| assert_eq!(verdict(token, now).is_ok(), passes);
        check(format!("Bearer {}", token("HS256", b"secret", good)), 1060, true);
        check(format!("JWT {}", token("HS256", b"secret", good)), 10, true);
        check(format!("Bearer {}", token("HS256", b"secret", good)), 1061, false);
        check(format!("Bearer {}", token("HS256", b"other", good)), 10, false);
        check(format!("Bearer {}", token("none", b"secret", good)), 10, false);
        check(format!("Bearer {}", token("HS256", b"secret", r#"{"exp":1000,"nbf":71}"#)), 10, false);
        check(format!("Bearer {}", token("HS256", b"secret", r#"{"iss":"client"}"#)), 10, false);
        for nonsense in ["", "Bearer", "Bearer a.b", "Bearer a.b.c", "Basic eA=="] {
            check(nonsense.to_owned(), 10, false);
        }
    }
}
