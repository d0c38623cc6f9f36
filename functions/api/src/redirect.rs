//! Where browsers are sent. The addresses are fixed by configuration; a request chooses nothing but the words that fill
//! the gaps, and those are percent-encoded.
//!
//! A template may hold `{APP_URL}`, `{scope}` (nothing, or `/organizations/<slug>`), `{slug}`, `{provider}` and `{code}`.

use axum::response::{IntoResponse, Response};
use domain::{Owner, ProviderId};
use http::header::{LOCATION, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;
use web::ApiError;

const SUCCESS: &str = "{APP_URL}{scope}/integrations?connected={provider}";
const ERROR: &str = "{APP_URL}{scope}/integrations?error={code}";
const HOME: &str = "{APP_URL}{scope}/integrations";

/// The templates.
#[derive(Debug, Clone)]
pub struct Redirects {
    app_url: String,
    success: String,
    error: String,
}

impl Redirects {
    /// The configured templates, or those of the contract.
    #[must_use]
    pub fn new(app_url: &Url, success: Option<String>, error: Option<String>) -> Self {
        Self {
            app_url: app_url.as_str().trim_end_matches('/').to_owned(),
            success: success.unwrap_or_else(|| SUCCESS.to_owned()),
            error: error.unwrap_or_else(|| ERROR.to_owned()),
        }
    }

    /// The page that says: connected.
    #[must_use]
    pub fn connected(&self, owner: &Owner, provider: ProviderId) -> String {
        self.fill(&self.success, slug_of(owner), provider.as_str(), "")
    }

    /// The page that says why not. `provider` is as the path has it.
    #[must_use]
    pub fn failed(&self, slug: Option<&str>, provider: &str, code: &str) -> String {
        self.fill(&self.error, slug, provider, code)
    }

    /// The page of all integrations.
    #[must_use]
    pub fn home(&self, slug: Option<&str>) -> String {
        self.fill(HOME, slug, "", "")
    }

    fn fill(&self, template: &str, slug: Option<&str>, provider: &str, code: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let slug = slug.map(encode);
        let scope = slug.as_ref().map(|slug| format!("/organizations/{slug}"));
        template
            .replace("{APP_URL}", &self.app_url)
            .replace("{scope}", scope.as_deref().unwrap_or_default())
            .replace("{slug}", slug.as_deref().unwrap_or_default())
            .replace("{provider}", &encode(provider))
            .replace("{code}", &encode(code))
    }
}

/// Everything but RFC 3986's unreserved characters.
const UNRESERVED: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The slug of an organization; a person has none.
#[must_use]
pub fn slug_of(owner: &Owner) -> Option<&str> {
    match owner {
        Owner::User(_) => None,
        Owner::Organization(slug) => Some(slug.as_str()),
    }
}

/// An answer that sends the browser on, telling the next page nothing of this one's address, which may hold a code.
///
/// # Errors
/// A fault of ours if `to` is no header value: a template that holds what no address can.
pub fn send(status: StatusCode, to: &str) -> Result<Response, ApiError> {
    let location = HeaderValue::from_str(to).map_err(ApiError::internal)?;
    Ok((status, [(LOCATION, location), (REFERRER_POLICY, HeaderValue::from_static("no-referrer"))]).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirects() -> Redirects {
        Redirects::new(&Url::parse("https://app.example/").unwrap(), None, None)
    }

    #[test]
    fn people_and_organizations_return_to_their_own_pages() {
        let ada = "user/ada".parse().unwrap();
        let acme = "organization/acme".parse().unwrap();
        let provider = ProviderId::GoogleDrive;
        assert_eq!(redirects().connected(&ada, provider), "https://app.example/integrations?connected=google_drive");
        assert_eq!(
            redirects().connected(&acme, provider),
            "https://app.example/organizations/acme/integrations?connected=google_drive"
        );
        assert_eq!(
            redirects().failed(None, "google_drive", "access_denied"),
            "https://app.example/integrations?error=access_denied"
        );
        assert_eq!(redirects().home(Some("acme")), "https://app.example/organizations/acme/integrations");
    }

    #[test]
    fn what_fills_the_gaps_cannot_leave_them() {
        let check = |slug: &str, expected: &str| assert_eq!(redirects().home(Some(slug)), expected);
        check("../evil", "https://app.example/organizations/..%2Fevil/integrations");
        check("a?b=c#d&{code}", "https://app.example/organizations/a%3Fb%3Dc%23d%26%7Bcode%7D/integrations");
        check("a\r\nb", "https://app.example/organizations/a%0D%0Ab/integrations");
    }

    #[test]
    fn templates_are_configurable() {
        let app = Url::parse("https://app.example").unwrap();
        let redirects = Redirects::new(
            &app,
            Some("https://x.example/{slug}/done/{provider}".into()),
            Some("app://e?c={code}".into()),
        );
        let acme = "organization/acme".parse().unwrap();
        assert_eq!(redirects.connected(&acme, ProviderId::GoogleDrive), "https://x.example/acme/done/google_drive");
        assert_eq!(redirects.failed(None, "google_drive", "conflict"), "app://e?c=conflict");
    }
}
