//! Which implementation serves which id. A new id does not compile until it is wired here.

use domain::ProviderId;

use crate::github::GitHub;
use crate::google_drive::GoogleDrive;
use crate::http::Http;
use crate::notion::Notion;
use crate::provider::{Provider, RefreshTokens};
use crate::slack::Slack;

/// Every provider, built once around one HTTP client.
pub struct Registry {
    google_drive: GoogleDrive,
    slack: Slack,
    github: GitHub,
    notion: Notion,
    #[cfg(feature = "testing")]
    declared: Option<RefreshTokens>,
    #[cfg(feature = "testing")]
    served: Option<std::sync::Arc<dyn Provider>>,
}

impl Registry {
    /// Builds them all. Cheap: the client behind `http` is made at its first call.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self {
            google_drive: GoogleDrive::new(http.clone()),
            slack: Slack::new(http.clone()),
            github: GitHub::new(http.clone()),
            notion: Notion::new(http),
            #[cfg(feature = "testing")]
            declared: None,
            #[cfg(feature = "testing")]
            served: None,
        }
    }

    /// The same, with every provider declaring this of its refresh tokens: for tests of what follows from it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn declaring(self, refresh_tokens: RefreshTokens) -> Self {
        Self { declared: Some(refresh_tokens), ..self }
    }

    /// The same, with this implementation in place of the one of its id: for tests of what the providers here do not do.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn serving(self, provider: std::sync::Arc<dyn Provider>) -> Self {
        Self { served: Some(provider), ..self }
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
        #[cfg(feature = "testing")]
        if let Some(served) = self.served.as_deref().filter(|provider| provider.manifest().id == id) {
            return served;
        }
        match id {
            ProviderId::GoogleDrive => &self.google_drive,
            ProviderId::Slack => &self.slack,
            ProviderId::Github => &self.github,
            ProviderId::Notion => &self.notion,
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
    fn every_provider_is_connected_in_the_one_way_that_it_names() {
        use domain::provider::AuthType;
        let registry = Registry::new(Http::new());
        for id in ProviderId::ALL {
            let provider = registry.get(*id);
            let ways = (provider.oauth().is_some(), provider.credentials().is_some());
            assert_eq!(
                ways,
                match provider.manifest().auth_type {
                    AuthType::Oauth2 => (true, false),
                    AuthType::ApiKey | AuthType::Basic => (false, true),
                },
                "{id}"
            );
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
