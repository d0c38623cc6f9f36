//! Tokens as attackers make them: the public key as a shared secret, headers that bring or name a key of their own, signatures that
//! were true in another form. Where a header names an address, a listener there hears nothing.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An RSA key: the owner of its private half is who publishes the other, or an attacker.
struct Rsa(KeyPair);

impl Rsa {
    fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn jwk(&self, kid: &str) -> Value {
        // A SEQUENCE of two INTEGERs: the modulus of 256 bytes behind a zero, and 65537.
        let der = self.0.public_key().as_ref();
        json!({"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": b64(&der[9..265]), "e": b64([1, 0, 1])})
    }

    fn spki(&self) -> Vec<u8> {
        self.0.public_key().as_der().unwrap().as_ref().to_vec()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let mut made = vec![0; self.0.public_modulus_len()];
        self.0.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut made).unwrap();
        format!("{message}.{}", b64(made))
    }
}

fn published(algorithm: Algorithm, issuer: &Issuer) -> Authenticator {
    let keys = Keys::Published(Published::at(issuer.url.clone()).unwrap());
    Authenticator::new(algorithm, keys, None, None, Arc::new(clock()))
}

fn claims() -> Value {
    json!({"sub": "ada", "exp": NOW + 60})
}

#[tokio::test]
async fn guarantee_42_no_form_of_the_rsa_public_key_is_a_shared_secret() {
    let key = Rsa::new();
    let issuer = Issuer::start(json!([key.jwk("k")])).await;
    let authenticator = published(Algorithm::Rs256, &issuer);
    let good = key.sign(&json!({"alg": "RS256", "kid": "k"}), &claims());
    assert_eq!(authenticator.verify(&good).await.unwrap().as_str(), "ada");

    let (spki, jwk) = (key.spki(), key.jwk("k"));
    let lines: Vec<String> =
        STANDARD.encode(&spki).as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    for secret in [
        pem.trim().as_bytes(),
        pem.as_bytes(),
        &spki,
        &modulus,
        jwk["n"].as_str().unwrap().as_bytes(),
        jwk.to_string().as_bytes(),
    ] {
        for algorithm in
            [jsonwebtoken::Algorithm::HS256, jsonwebtoken::Algorithm::HS384, jsonwebtoken::Algorithm::HS512]
        {
            let header = Header { kid: Some("k".into()), ..Header::new(algorithm) };
            let forged = sign(&header, &claims(), &EncodingKey::from_secret(secret));
            assert!(matches!(authenticator.verify(&forged).await, Err(Error::Refused("another algorithm"))));
        }
    }
    // The other way round: a stage with a shared secret takes no token of a public key.
    assert!(matches!(hs256(SECRET).verify(&good).await, Err(Error::Refused("another algorithm"))));
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn guarantee_42_a_header_neither_brings_nor_names_a_key() {
    let (key, attacker) = (Rsa::new(), Rsa::new());
    let issuer = Issuer::start(json!([key.jwk("k")])).await;
    let theirs = Issuer::start(json!([attacker.jwk("k"), attacker.jwk("a")])).await;
    let authenticator = published(Algorithm::Rs256, &issuer);
    let url = theirs.url.as_str();
    let chain = json!([STANDARD.encode(attacker.spki())]);
    for header in [
        json!({"kid": "k"}),
        json!({"kid": "k", "jku": url}),
        json!({"kid": "a", "jku": url}),
        json!({"kid": "k", "x5u": url}),
        json!({"kid": "k", "jwk": attacker.jwk("k")}),
        json!({"jwk": attacker.jwk("a")}),
        json!({"kid": "k", "x5c": chain, "x5t": "x"}),
        json!({"kid": url}),
        json!({"kid": "../../../../dev/null"}),
        json!({"kid": "/proc/self/environ"}),
        json!({"kid": "k' OR '1'='1"}),
        json!({"kid": "k\u{0}"}),
        json!({"kid": "K"}),
        json!({"kid": ""}),
        json!({"kid": "x".repeat(2_000)}),
        json!({"kid": "k", "crit": ["exp"]}),
        json!({"kid": "k", "crit": ["b64"], "b64": false}),
        json!({"kid": 7}),
        json!({"kid": ["k"]}),
        json!({}),
    ] {
        let mut header = header;
        header["alg"] = json!("RS256");
        let forged = attacker.sign(&header, &claims());
        assert!(matches!(authenticator.verify(&forged).await, Err(Error::Refused(_))), "{header}");
    }
    assert_eq!(theirs.asked(), 0, "nothing is fetched from where a token says");
    assert_eq!(issuer.asked(), 1, "unknown names are asked for once a minute, not once a token");
    // Where the header names the attacker's address and the signature is true, the address is still not asked.
    let odd = key.sign(&json!({"alg": "RS256", "kid": "k", "jku": url, "x5u": url}), &claims());
    assert_eq!(authenticator.verify(&odd).await.unwrap().as_str(), "ada");
    assert_eq!(theirs.asked(), 0);
}

#[tokio::test]
async fn guarantee_42_a_signature_holds_for_its_message_and_in_its_one_form() {
    let key = Rsa::new();
    let issuer = Issuer::start(json!([key.jwk("k")])).await;
    let authenticator = published(Algorithm::Rs256, &issuer);
    let header = json!({"alg": "RS256", "kid": "k"});
    let good = key.sign(&header, &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, made] = parts.as_slice() else { panic!("three parts") };
    let signature = URL_SAFE_NO_PAD.decode(made).unwrap();
    let other = b64(json!({"sub": "eve", "exp": NOW + 60}).to_string());
    let with = |signature: &[u8]| format!("{head}.{body}.{}", b64(signature));
    let mut cases = vec![
        format!("{head}.{other}.{made}"),
        format!("{body}.{head}.{made}"),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}.{body}.{made}."),
        format!("{head}.{body}.{made}.{made}"),
        format!("{head}..{made}"),
        format!(".{body}.{made}"),
        // Padding, white space and the other alphabet are other texts for the same bytes.
        format!("{head}.{body}.{made}=="),
        format!("{head}.{body}. {made}"),
        format!("{head}.{body}.{made}\n"),
        format!("{head}.{body}.{}", STANDARD.encode(&signature)),
        with(&[]),
        with(&[0; 256]),
        with(&[0xff; 256]),
        with(&signature[..255]),
        with(&[&signature[..], &[0]].concat()),
        with(&[&[0], &signature[..]].concat()),
        // Signed twice over: a JWT in a JWT.
        key.sign(&json!({"alg": "RS256", "kid": "k", "cty": "JWT"}), &json!(good)),
        // The JSON form of JWS is no bearer token.
        json!({"protected": head, "payload": body, "signature": made}).to_string(),
    ];
    cases.extend((0..signature.len()).step_by(17).map(|at| {
        let mut flipped = signature.clone();
        flipped[at] ^= 1;
        with(&flipped)
    }));
    for case in cases {
        assert!(matches!(authenticator.verify(&case).await, Err(Error::Refused(_))), "{case}");
    }
    assert_eq!(authenticator.verify(&good).await.unwrap().as_str(), "ada");
}

#[tokio::test]
async fn guarantee_42_elliptic_signatures_of_nothing_or_in_another_form_are_refused() {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let key = EncodingKey::from_ec_der(der.as_ref());
    let mut public = Jwk::from_encoding_key(&key, jsonwebtoken::Algorithm::ES256).unwrap();
    public.common.key_id = Some("k".to_owned());
    let issuer = Issuer::start(json!([public])).await;
    let authenticator = published(Algorithm::Es256, &issuer);
    let header = Header { kid: Some("k".into()), ..Header::new(jsonwebtoken::Algorithm::ES256) };
    let good = sign(&header, &claims(), &key);
    assert_eq!(authenticator.verify(&good).await.unwrap().as_str(), "ada");
    let (message, made) = good.rsplit_once('.').unwrap();
    let made = URL_SAFE_NO_PAD.decode(made).unwrap();
    // The order of the curve's group: r and s must be below it, and not zero.
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&order[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let integer = |half: &[u8]| [&[0x02, 33, 0], half].concat();
    let inner = [integer(&made[..32]), integer(&made[32..])].concat();
    let der = [&[0x30, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat();
    for signature in [
        vec![0; 64],
        [order.clone(), order.clone()].concat(),
        [&made[..32], &[0; 32]].concat(),
        [&[0; 32], &made[32..]].concat(),
        [&made[..32], order.as_slice()].concat(),
        [&made[32..], &made[..32]].concat(),
        made[..63].to_vec(),
        [&made[..], &[0]].concat(),
        der,
        Vec::new(),
    ] {
        let forged = format!("{message}.{}", b64(&signature));
        assert!(matches!(authenticator.verify(&forged).await, Err(Error::Refused(_))), "{signature:02x?}");
    }
}

#[tokio::test]
async fn guarantee_42_the_keys_of_an_issuer_serve_only_as_they_are_meant() {
    let key = Rsa::new();
    let token = key.sign(&json!({"alg": "RS256", "kid": "k"}), &claims());
    for (change, serves) in [
        (json!({}), true),
        (json!({"use": "enc"}), false),
        (json!({"alg": "RS512"}), false),
        (json!({"alg": "RSA-OAEP"}), false),
        (json!({"key_ops": ["sign"]}), false),
        (json!({"key_ops": ["verify"]}), true),
        (json!({"kty": "oct", "k": "c2VjcmV0"}), false),
        (json!({"n": "AQAB"}), false),
        (json!({"e": ""}), false),
    ] {
        let mut jwk = key.jwk("k");
        for (name, value) in change.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        let issuer = Issuer::start(json!([jwk])).await;
        let verified = published(Algorithm::Rs256, &issuer).verify(&token).await;
        assert_eq!(verified.is_ok(), serves, "{change}: {verified:?}");
    }
}

#[tokio::test]
async fn guarantee_42_an_issuer_that_is_away_opens_nothing_and_is_asked_once_a_minute() {
    let key = Rsa::new();
    let issuer = Issuer::start(Value::Null).await;
    let clock = clock();
    let keys = Keys::Published(Published::at(issuer.url.clone()).unwrap());
    let authenticator = Authenticator::new(Algorithm::Rs256, keys, None, None, Arc::new(clock.clone()));
    let token = key.sign(&json!({"alg": "RS256", "kid": "k"}), &json!({"sub": "ada", "exp": NOW + 1_000}));
    for _ in 0..5 {
        assert!(matches!(authenticator.verify(&token).await, Err(Error::Unavailable(_))), "no verdict is a 503");
    }
    assert_eq!(issuer.asked(), 1);
    *issuer.keys.lock().unwrap() = json!([key.jwk("k")]);
    clock.advance(chrono::TimeDelta::seconds(61));
    let many = (0..20).map(|_| {
        let (authenticator, token) = (authenticator.clone(), token.clone());
        tokio::spawn(async move { authenticator.verify(&token).await.is_ok() })
    });
    for verified in many.collect::<Vec<_>>() {
        assert!(verified.await.unwrap());
    }
    assert_eq!(issuer.asked(), 2, "twenty tokens at once make one fetch");
}

#[tokio::test]
async fn guarantee_43_no_refusal_repeats_the_token_or_its_claims() {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let header = Header { kid: Some("canary-kid".into()), ..Header::default() };
    for claims in [
        json!({"sub": "canary\nsubject", "exp": NOW + 60, "iss": "https://issuer", "aud": "cognia"}),
        json!({"sub": "ada", "exp": NOW - 60, "iss": "https://issuer", "aud": "cognia", "email": "canary@example.com"}),
        json!({"sub": "ada", "exp": NOW + 60, "iss": "canary-issuer", "aud": "canary-audience"}),
        json!({"sub": {"canary": 1}, "exp": "canary"}),
    ] {
        let token = sign(&header, &claims, &key);
        for token in [token.clone(), format!("{token}canary"), token.replace('.', "canary")] {
            let error = hs256(SECRET).verify(&token).await.unwrap_err();
            let said = format!("{error} {error:?}");
            let chain = format!("{said} {:?}", ApiError::from(error));
            assert!(!chain.contains("canary") && !chain.contains(&token), "{chain}");
        }
    }
    assert!(!format!("{:?}", hs256(SECRET)).contains("secret-for-tests"));
}
