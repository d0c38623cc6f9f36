//! Which web pages may call: our own and the application's. It decides two things: whether a browser may show our answers
//! to a page (CORS), and whether a cookie is believed when it changes something (CSRF).

use std::str::FromStr;
use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};
use url::Url;

/// The origins (scheme, host and port) of pages that may call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Arc<[String]>);

/// The text is no list of origins.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not origins such as https://app.example, separated by commas")]
pub struct NoOrigins;

/// Origins separated by commas, each as browsers write it. A path, a wildcard or a plain word is refused: whoever writes one
/// expects something else than what would happen.
impl FromStr for Origins {
    type Err = NoOrigins;

    fn from_str(text: &str) -> Result<Self, NoOrigins> {
        let origin = |part: &str| {
            let part = part.trim();
            // A wildcard would pass as a host.
            let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && !part.contains('*');
            let url = Url::parse(part).ok().filter(is_web);
            let origin = url.map(|url| url.origin().ascii_serialization()).ok_or(NoOrigins)?;
            if origin == part { Ok(origin) } else { Err(NoOrigins) }
        };
        text.split(',').filter(|part| !part.trim().is_empty()).map(origin).collect::<Result<_, _>>().map(Self)
    }
}

impl Origins {
    /// The origins of these addresses. One without a host has none and adds nothing.
    pub fn of<'a>(addresses: impl IntoIterator<Item = &'a Url>) -> Self {
        Self(
            addresses
                .into_iter()
                .map(Url::origin)
                .filter(url::Origin::is_tuple)
                .map(|o| o.ascii_serialization())
                .collect(),
        )
    }

    /// These and others.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(others.0.iter()).cloned().collect())
    }

    /// The request's `Origin`, if it is one of these. An absent one is none of them: browsers send it with every change.
    #[must_use]
    pub fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.0.iter().any(|known| known.as_bytes() == origin.as_bytes()).then_some(origin)
    }

    /// Lets pages of these origins read the answer to a request with these headers.
    pub fn permit(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        answer.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.allowed(request) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After, Idempotency-Replayed"));
        }
    }

    /// What a browser may send after it asked first (a preflight).
    pub fn preflight(answer: &mut HeaderMap) {
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE"));
        answer.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("authorization, content-type, idempotency-key"),
        );
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::of([&Url::parse("https://app.example/path").unwrap(), &Url::parse("http://localhost:4566/x").unwrap()])
    }

    #[test]
    fn only_whole_origins_match() {
        let check = |origin: &'static str, expected| {
            let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            assert_eq!(origins().allowed(&headers).is_some(), expected, "{origin}");
        };
        check("https://app.example", true);
        check("http://localhost:4566", true);
        check("http://app.example", false);
        check("https://app.example.evil.example", false);
        check("https://app.example:8443", false);
        check("http://localhost", false);
        check("null", false);
        assert!(origins().allowed(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_list_is_taken_only_as_browsers_write_origins() {
        let check = |text: &str, expected: Result<usize, NoOrigins>| {
            assert_eq!(text.parse::<Origins>().map(|origins| origins.0.len()), expected, "{text}");
        };
        check("", Ok(0));
        check("https://admin.example", Ok(1));
        check("https://admin.example, http://localhost:3000", Ok(2));
        for wrong in ["*", "https://*", "admin.example", "https://admin.example/", "https://a.example/path", "null"] {
            check(wrong, Err(NoOrigins));
        }
        for wrong in ["https://A.example", "https://a.example:443", "file:///etc", "https://u@a.example"] {
            check(wrong, Err(NoOrigins));
        }
        let both = origins().and(&"https://admin.example".parse().unwrap());
        let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static("https://admin.example"))]);
        assert!(both.allowed(&headers).is_some());
        assert!(origins().allowed(&headers).is_none());
    }

    #[test]
    fn strangers_get_no_permission() {
        let mut answer = HeaderMap::new();
        let stranger = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static("https://evil.example"))]);
        origins().permit(&stranger, &mut answer);
        assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert_eq!(answer[VARY], "Origin");
    }
}
