//! Signs a request anew (Signature Version 4) after its body was changed, with the caller's own key: the embedded AWS checks signatures.

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use sha2::{Digest as _, Sha256};

/// Replaces the signature of a `POST /` whose body is now this one. `None` if the request is not signed in this way.
pub(super) fn sign(headers: &mut HeaderMap, body: &[u8], secret: &str) -> Option<()> {
    let hash = hex::encode(Sha256::digest(body));
    if headers.contains_key("x-amz-content-sha256") {
        headers.insert("x-amz-content-sha256", HeaderValue::from_str(&hash).ok()?);
    }
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?.to_owned();
    let field = |name: &str| authorization.split_once(name)?.1.split(',').next().map(str::trim);
    let (credential, names, old) = (field("Credential=")?, field("SignedHeaders=")?, field("Signature=")?);
    let (_, scope) = credential.split_once('/')?;
    let mut canonical = "POST\n/\n\n".to_owned();
    for name in names.split(';') {
        let value = if name == CONTENT_LENGTH.as_str() {
            body.len().to_string()
        } else {
            headers.get(name)?.to_str().ok()?.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        canonical.push_str(&format!("{name}:{value}\n"));
    }
    canonical.push_str(&format!("\n{names}\n{hash}"));
    let date = headers.get("x-amz-date")?.to_str().ok()?;
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let key = scope.split('/').try_fold(format!("AWS4{secret}").into_bytes(), |key, part| code(&key, part))?;
    let signed = authorization.replace(old, &hex::encode(code(&key, &to_sign)?));
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&signed).ok()?);
    Some(())
}

fn code(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).ok()?;
    code.update(text.as_bytes());
    Some(code.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_body_is_signed_as_the_caller_would_sign_it() {
        let mut headers = HeaderMap::new();
        // AWS's own test suite for the signature, case post-vanilla: its key, its date, no body.
        headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
        headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        let scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=of-another-body");
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&authorization).unwrap());
        sign(&mut headers, b"", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").unwrap();
        let signed = headers.get(AUTHORIZATION).unwrap().to_str().unwrap();
        assert!(
            signed.ends_with("Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            "{signed}"
        );
    }
}
