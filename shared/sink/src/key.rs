//! The names of content objects. Others read them, so their form is a contract.

use domain::ExternalId;
use domain::message::IntegrationRef;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::Error;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The longest key that S3 takes.
const MAX_BYTES: usize = 1024;

/// `<owner kind>/<owner id>/<integration id>/<external id>.json`, ids percent-encoded.
///
/// # Errors
/// [`Error::Refused`] if the key would be longer than S3 takes: an external id of more than some 300 characters that all need encoding.
pub fn object_key(integration: &IntegrationRef, external_id: &ExternalId) -> Result<String, Error> {
    let owner = &integration.owner;
    let key = format!(
        "{}/{}/{}/{}.json",
        owner.kind().as_str(),
        utf8_percent_encode(owner.id(), RESERVED),
        integration.integration_id,
        utf8_percent_encode(external_id.as_str(), RESERVED),
    );
    if key.len() > MAX_BYTES {
        return Err(Error::Refused(format!("its id is too long for an object's key of {MAX_BYTES} bytes")));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{IntegrationId, Owner, ProviderId};

    fn integration(owner: &str) -> IntegrationRef {
        IntegrationRef {
            owner: owner.parse::<Owner>().unwrap(),
            provider: ProviderId::GoogleDrive,
            integration_id: "01JD0000000000000000000000".parse::<IntegrationId>().unwrap(),
        }
    }

    #[test]
    fn ids_cannot_leave_their_place_in_a_key() {
        let check = |owner, external_id: &str, expected: &str| {
            assert_eq!(object_key(&integration(owner), &ExternalId::new(external_id).unwrap()).unwrap(), expected);
        };
        check("user/ada", "1AbC-_.~9", "user/ada/01JD0000000000000000000000/1AbC-_.~9.json");
        check("user/a/../b", "../x y", "user/a%2F..%2Fb/01JD0000000000000000000000/..%2Fx%20y.json");
        check("organization/acme", "ü:+%", "organization/acme/01JD0000000000000000000000/%C3%BC%3A%2B%25.json");
    }

    #[test]
    fn a_key_that_s3_would_not_take_is_refused() {
        let check = |id: String, fits| {
            assert_eq!(object_key(&integration("user/ada"), &ExternalId::new(id).unwrap()).is_ok(), fits);
        };
        check("a".repeat(768), true);
        check("/".repeat(300), true);
        check("/".repeat(768), false);
    }
}
