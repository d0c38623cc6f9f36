//! Which implementation serves which id. A new id does not compile until it is wired here.

use domain::ProviderId;

use crate::google_drive::GoogleDrive;
use crate::http::Http;
use crate::provider::{Provider, RefreshTokens};

/// Every provider, built once around one HTTP client.
pub struct Registry {
    google_drive: GoogleDrive,
    #[cfg(feature = "testing")]
    declared: Option<RefreshTokens>,
}

impl Registry {
    /// Builds them all. Cheap: the client behind `http` is made at its first call.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self {
            google_drive: GoogleDrive::new(http),
            #[cfg(feature = "testing")]
            declared: None,
        }
    }

    /// The same, with every provider declaring this of its refresh tokens: for tests of what follows from it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn declaring(self, refresh_tokens: RefreshTokens) -> Self {
        Self { declared: Some(refresh_tokens), ..self }
    }

    /// What a provider declares of its refresh tokens.
    #[must_use]
    pub fn refresh_tokens(&self, id: ProviderId) -> RefreshTokens {
        #[cfg(feature = "testing")]
        if let Some(declared) = self.declared {
            return declared;
        }
        self.get(id).manifest().refresh_tokens
    }

    /// The implementation of a provider.
    #[must_use]
    pub fn get(&self, id: ProviderId) -> &dyn Provider {
        match id {
            ProviderId::GoogleDrive => &self.google_drive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_leads_to_the_provider_of_that_id() {
        let registry = Registry::new(Http::new());
        for id in ProviderId::ALL {
            assert_eq!(registry.get(*id).manifest().id, *id);
        }
    }

    #[test]
    fn every_schema_is_a_closed_json_schema() {
        let registry = Registry::new(Http::new());
        for id in ProviderId::ALL {
            let schema = registry.get(*id).config_schema();
            assert!(jsonschema::meta::is_valid(&schema), "{id}");
            assert_eq!(schema["additionalProperties"], false, "{id}");
        }
    }
}
