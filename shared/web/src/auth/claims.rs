//! What a token says, and whether it says it now, to us.

use domain::{Timestamp, UserId};
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;

use super::{Algorithm, Error};

/// How far ahead of us the issuer's clock may be before "not yet valid" is believed.
const NOT_BEFORE_LEEWAY_SECONDS: f64 = 60.0;

/// The claims that we read. A claim that comes twice is an error: readers would disagree about which one counts.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: Option<String>,
    #[serde(rename = "userId")]
    user_id: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Checks the signature and reads the claims. Times and names are checked by [`Claims::check`], by our own clock.
pub(super) fn decode(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims, Error> {
    let mut validation = Validation::new(algorithm.name());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    match jsonwebtoken::decode::<Claims>(token, key, &validation) {
        Ok(decoded) => Ok(decoded.claims),
        Err(error) => Err(Error::Refused(match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => "the signature is wrong",
            jsonwebtoken::errors::ErrorKind::Json(_) => "the claims cannot be read",
            _ => "malformed",
        })),
    }
}

impl Claims {
    /// Whom the token names, if it holds at `now` and is of `issuer` and for `audience`, where these are wanted.
    pub(super) fn check(self, now: Timestamp, issuer: Option<&str>, audience: Option<&str>) -> Result<UserId, Error> {
        #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch fit in 53 bits")]
        let now = now.timestamp() as f64;
        let expires = self.exp.ok_or(Error::Refused("it never expires"))?;
        if expires <= now {
            return Err(Error::Expired);
        }
        if self.nbf.is_some_and(|from| from > now + NOT_BEFORE_LEEWAY_SECONDS) {
            return Err(Error::Refused("not valid yet"));
        }
        if issuer.is_some() && self.iss.as_deref() != issuer {
            return Err(Error::Refused("another issuer"));
        }
        if let Some(wanted) = audience {
            let meant = match &self.aud {
                None => false,
                Some(Audience::One(one)) => one == wanted,
                Some(Audience::Many(many)) => many.iter().any(|one| one == wanted),
            };
            if !meant {
                return Err(Error::Refused("another audience"));
            }
        }
        let subject = self.sub.or(self.user_id).ok_or(Error::Refused("it names nobody"))?;
        UserId::new(subject).map_err(|_| Error::Refused("the subject is no user id"))
    }
}
