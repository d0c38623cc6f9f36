//! Tokens made here, refused and accepted.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::testing::ManualClock;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use super::*;

mod forged;

const NOW: i64 = 1_800_000_000;
const SECRET: &str = "a-secret-for-tests-of-thirty-two-bytes";

fn clock() -> ManualClock {
    ManualClock::at(chrono::DateTime::from_timestamp(NOW, 0).unwrap())
}

fn shared(secret: &'static str) -> Keys {
    Keys::Shared(SharedSecret::new(move || async move { Ok(secret.to_owned().into()) }))
}

fn hs256(secret: &'static str) -> Authenticator {
    let (issuer, audience) = (Some("https://issuer".into()), Some("cognia".into()));
    Authenticator::new(Algorithm::Hs256, shared(secret), issuer, audience, Arc::new(clock()))
}

fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).unwrap()
}

fn good() -> Value {
    json!({"sub": "ada", "exp": NOW + 60, "iss": "https://issuer", "aud": "cognia"})
}

fn with(changes: Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

async fn check(token: &str, expected: &str) {
    let got = match hs256(SECRET).verify(token).await {
        Ok(user) => user.to_string(),
        Err(Error::Refused(why)) => format!("refused: {why}"),
        Err(Error::Expired) => "expired".to_owned(),
        Err(Error::Unavailable(_)) => "unavailable".to_owned(),
    };
    assert_eq!(got, expected, "{token}");
}

#[tokio::test]
async fn guarantee_42_claims_must_hold_now_and_for_us() {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let case =
        async |changes: Value, expected: &str| check(&sign(&Header::default(), &with(changes), &key), expected).await;
    case(json!({}), "ada").await;
    case(json!({"sub": null, "userId": "grace"}), "grace").await;
    case(json!({"aud": ["other", "cognia"]}), "ada").await;
    case(json!({"exp": NOW as f64 + 0.5}), "ada").await;
    case(json!({"nbf": NOW + 60}), "ada").await;
    case(json!({"exp": NOW}), "expired").await;
    case(json!({"exp": -1}), "expired").await;
    case(json!({"exp": null}), "refused: it never expires").await;
    case(json!({"exp": "tomorrow"}), "refused: the claims cannot be read").await;
    case(json!({"nbf": NOW + 61}), "refused: not valid yet").await;
    case(json!({"iss": "https://other"}), "refused: another issuer").await;
    case(json!({"iss": null}), "refused: another issuer").await;
    case(json!({"aud": "other"}), "refused: another audience").await;
    case(json!({"aud": null}), "refused: another audience").await;
    case(json!({"aud": []}), "refused: another audience").await;
    case(json!({"sub": null}), "refused: it names nobody").await;
    case(json!({"sub": ""}), "refused: the subject is no user id").await;
    case(json!({"sub": "a\nb"}), "refused: the subject is no user id").await;
    case(json!({"sub": 7}), "refused: the claims cannot be read").await;
}

#[tokio::test]
async fn guarantee_42_only_the_configured_algorithm_and_key_are_believed() {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = sign(&Header::default(), &good(), &key);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = head.split_once('.').unwrap();
    check(&sign(&Header::default(), &good(), &EncodingKey::from_secret(b"another")), "refused: the signature is wrong")
        .await;
    check(&format!("{head}."), "refused: the signature is wrong").await;
    let twin = if signature.starts_with('A') { "B" } else { "A" };
    check(&format!("{head}.{twin}{}", &signature[1..]), "refused: the signature is wrong").await;
    let hs512 = Header::new(jsonwebtoken::Algorithm::HS512);
    check(&sign(&hs512, &good(), &key), "refused: another algorithm").await;
    let b64 = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
    for alg in ["none", "None", "NONE", ""] {
        let none = b64(&json!({"alg": alg, "typ": "JWT"}).to_string());
        check(&format!("{none}.{claims}."), "refused: no readable header").await;
        check(&format!("{none}.{claims}.{signature}"), "refused: no readable header").await;
    }
    let critical = Header { crit: Some(vec!["exp".into()]), ..Header::default() };
    check(&sign(&critical, &good(), &key), "refused: extensions that we do not know").await;
    for text in ["", ".", "..", "a.b.c", header, head, &format!("{token}.{token}"), &"x".repeat(MAX_TOKEN_BYTES + 1)] {
        assert!(matches!(hs256(SECRET).verify(text).await, Err(Error::Refused(_))), "{text}");
    }
}

#[tokio::test]
async fn guarantee_42_a_claim_that_comes_twice_is_refused() {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let b64 = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
    let claims = format!(r#"{{"sub":"ada","sub":"eve","exp":{},"iss":"https://issuer","aud":"cognia"}}"#, NOW + 60);
    let message = format!("{}.{}", b64(r#"{"alg":"HS256"}"#), b64(&claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    check(&format!("{message}.{signature}"), "refused: the claims cannot be read").await;
}

#[tokio::test]
async fn a_short_secret_is_a_fault_of_ours_and_opens_nothing() {
    let token = sign(&Header::default(), &good(), &EncodingKey::from_secret(b""));
    assert!(matches!(hs256("").verify(&token).await, Err(Error::Unavailable(_))));
}

/// An Ed25519 private key in PKCS #8, made of this byte alone: good for tests and for nothing else.
fn ed_key(byte: u8) -> EncodingKey {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([byte; 32]);
    EncodingKey::from_ed_der(&der)
}

fn jwk(key: &EncodingKey, kid: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, jsonwebtoken::Algorithm::EdDSA).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    serde_json::to_value(jwk).unwrap()
}

/// An issuer that publishes what it is told and counts who asks.
struct Issuer {
    url: Url,
    keys: Arc<std::sync::Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start(keys: Value) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/jwks", listener.local_addr().unwrap())).unwrap();
        let (keys, asked) = (Arc::new(std::sync::Mutex::new(keys)), Arc::new(AtomicUsize::new(0)));
        let (serves, counts) = (Arc::clone(&keys), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 4096];
                let _read = stream.read(&mut buffer).await.unwrap();
                counts.fetch_add(1, Ordering::SeqCst);
                let body = serves.lock().unwrap().clone();
                let (status, body) = match body {
                    Value::Null => ("503 Service Unavailable", String::new()),
                    keys => ("200 OK", json!({"keys": keys}).to_string()),
                };
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, keys, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn ed_token(key: &EncodingKey, kid: Option<&str>) -> String {
    let mut header = Header::new(jsonwebtoken::Algorithm::EdDSA);
    header.kid = kid.map(str::to_owned);
    sign(&header, &json!({"sub": "ada", "exp": NOW + 1_000_000}), key)
}

#[tokio::test]
async fn guarantee_42_published_keys_are_kept_rotated_and_not_hammered() {
    let (old, new) = (ed_key(1), ed_key(2));
    let issuer = Issuer::start(json!([jwk(&old, "old"), {"kty": "unheard of"}])).await;
    let clock = clock();
    let keys = Keys::Published(Published::at(issuer.url.clone()).unwrap());
    let authenticator = Authenticator::new(Algorithm::EdDsa, keys, None, None, Arc::new(clock.clone()));
    let verify = async |token: &str| authenticator.verify(token).await.map(|user| user.to_string());

    assert_eq!(verify(&ed_token(&old, Some("old"))).await.unwrap(), "ada");
    assert_eq!(verify(&ed_token(&old, None)).await.unwrap(), "ada");
    assert_eq!(issuer.asked(), 1, "the keys are kept");
    assert!(matches!(verify(&ed_token(&new, Some("old"))).await, Err(Error::Refused(_))));

    *issuer.keys.lock().unwrap() = json!([jwk(&new, "new")]);
    for _ in 0..5 {
        assert!(matches!(verify(&ed_token(&new, Some("new"))).await, Err(Error::Refused(_))));
    }
    assert_eq!(issuer.asked(), 1, "an unknown key is asked for at most once a minute");
    clock.advance(chrono::TimeDelta::seconds(61));
    assert_eq!(verify(&ed_token(&new, Some("new"))).await.unwrap(), "ada");
    assert_eq!(issuer.asked(), 2);
    assert!(matches!(verify(&ed_token(&old, Some("old"))).await, Err(Error::Refused(_))), "a withdrawn key is dead");

    *issuer.keys.lock().unwrap() = Value::Null;
    clock.advance(chrono::TimeDelta::hours(2));
    assert_eq!(verify(&ed_token(&new, Some("new"))).await.unwrap(), "ada", "kept keys serve through an outage");
    clock.advance(chrono::TimeDelta::hours(23));
    assert!(matches!(verify(&ed_token(&new, Some("new"))).await, Err(Error::Unavailable(_))), "but not for ever");
}

#[tokio::test]
async fn guarantee_42_a_published_key_never_serves_as_a_shared_secret() {
    let key = ed_key(3);
    let issuer = Issuer::start(json!([jwk(&key, "k")])).await;
    let public = jwk(&key, "k")["x"].as_str().unwrap().to_owned();
    let keys = Keys::Published(Published::at(issuer.url.clone()).unwrap());
    let authenticator = Authenticator::new(Algorithm::EdDsa, keys, None, None, Arc::new(clock()));
    let header = Header { kid: Some("k".into()), ..Header::default() };
    let forged = sign(&header, &json!({"sub": "ada", "exp": NOW + 60}), &EncodingKey::from_secret(public.as_bytes()));
    assert!(matches!(authenticator.verify(&forged).await, Err(Error::Refused(_))));
    assert_eq!(issuer.asked(), 0, "the algorithm is refused before any key is looked for");
}
