//! What a person enters to connect an account at a provider where nobody signs in: a key, or a name and a password, perhaps with the
//! address of their own site. A provider says what its form holds; what is done with the entries is the same for all.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

/// The longest entry, in bytes. Keys of cloud services, which hold whole certificates, stay below it.
const MAX_BYTES: usize = 8192;

/// The form of a provider.
#[derive(Debug)]
pub struct Credentials {
    /// Its fields, in the order of the form.
    pub fields: &'static [Field],
}

/// A field of the form.
#[derive(Debug)]
pub struct Field {
    /// Its name in requests.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What belongs into it, and where to find that.
    pub description: &'static str,
    /// Whether it is not to be shown while it is entered.
    pub secret: bool,
}

impl Credentials {
    /// Checks what was entered and makes one secret of it, which [`Access::token`](crate::Access) carries: the entry itself where the
    /// form has a single field, else a JSON object of all of them, to be read with [`entry`].
    ///
    /// # Errors
    /// A sentence for people that names the field. Nothing of the entries is in it.
    pub fn token(&self, entered: &BTreeMap<String, SecretString>) -> Result<SecretString, String> {
        let known = |name: &str| self.fields.iter().any(|field| field.name == name);
        if entered.keys().any(|name| !known(name)) {
            let names: Vec<&str> = self.fields.iter().map(|field| field.name).collect();
            return Err(format!("There is a field that is not asked for; the form has {}.", names.join(", ")));
        }
        let mut values = Vec::with_capacity(self.fields.len());
        for field in self.fields {
            let value = entered.get(field.name).map(|value| value.expose_secret().trim()).unwrap_or_default();
            if value.is_empty() || value.len() > MAX_BYTES || value.chars().any(char::is_control) {
                return Err(format!("{} takes from 1 to {MAX_BYTES} bytes without line breaks.", field.name));
            }
            values.push((field.name, value));
        }
        match values.as_slice() {
            [(_, only)] => Ok((*only).into()),
            all => {
                let object: BTreeMap<&str, &str> = all.iter().copied().collect();
                let text =
                    serde_json::to_string(&object).map_err(|_| "The entries have no form in JSON.".to_owned())?;
                Ok(text.into())
            }
        }
    }
}

/// An entry of a form with several fields, out of the secret that [`Credentials::token`] made of them.
#[must_use]
pub fn entry(token: &SecretString, name: &str) -> Option<SecretString> {
    let mut all: BTreeMap<String, String> = serde_json::from_str(token.expose_secret()).ok()?;
    all.remove(name).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Credentials = Credentials { fields: &[field("apiKey", true)] };
    const LOGIN: Credentials = Credentials { fields: &[field("username", false), field("password", true)] };

    const fn field(name: &'static str, secret: bool) -> Field {
        Field { name, title: "", description: "", secret }
    }

    fn entered(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretString> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    #[test]
    fn a_single_entry_is_the_token_and_several_are_read_one_by_one() {
        assert_eq!(KEY.token(&entered(&[("apiKey", " k1 ")])).unwrap().expose_secret(), "k1");
        let token = LOGIN.token(&entered(&[("username", "ada"), ("password", "p\"w")])).unwrap();
        assert_eq!(entry(&token, "username").unwrap().expose_secret(), "ada");
        assert_eq!(entry(&token, "password").unwrap().expose_secret(), "p\"w");
        assert!(entry(&token, "apiKey").is_none());
        assert!(entry(&"no json".into(), "password").is_none());
    }

    #[test]
    fn a_wrong_entry_is_named_and_not_repeated() {
        let check = |pairs: &[(&str, &str)], names: &str| {
            let sentence = LOGIN.token(&entered(pairs)).unwrap_err();
            assert!(sentence.contains(names) && sentence.ends_with('.') && !sentence.contains("canary"), "{sentence}");
        };
        check(&[("username", "ada")], "password");
        check(&[("username", ""), ("password", "canary")], "username");
        check(&[("username", "ada"), ("password", "canary\r\nX: y")], "password");
        check(&[("username", "ada"), ("password", &"canary".repeat(2000))], "password");
        check(&[("username", "ada"), ("password", "p"), ("canary", "x")], "username, password");
    }
}
