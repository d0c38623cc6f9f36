//! Cookies, as far as we need them: reading one, writing one, taking one back.

use std::time::Duration;

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

/// The value of the first cookie with this name.
#[must_use]
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// A cookie that only our server reads and that other sites' links carry along (`HttpOnly`, `SameSite=Lax`).
#[derive(Debug, Clone, Copy)]
pub struct SetCookie<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value; empty takes the cookie back.
    pub value: &'a str,
    /// The path below which browsers send it.
    pub path: &'a str,
    /// How long it lives.
    pub max_age: Duration,
    /// Only over HTTPS.
    pub secure: bool,
}

impl SetCookie<'_> {
    /// The header's value; `None` if name, value or path hold what no header can.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let Self { name, value, path, max_age, secure } = self;
        let breaks = |text: &str| text.contains([';', ',', '"', '\\', ' ']) || text.chars().any(char::is_control);
        if breaks(name) || breaks(value) || breaks(path) {
            return None;
        }
        let secure = if *secure { "; Secure" } else { "" };
        let text =
            format!("{name}={value}; Path={path}; Max-Age={}; HttpOnly; SameSite=Lax{secure}", max_age.as_secs());
        HeaderValue::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("a=1; cognia_session=x.y=z; cognia_session=later"));
        assert_eq!(read(&headers, "cognia_session"), Some("x.y=z"));
        assert_eq!(read(&headers, "session"), None);
    }

    #[test]
    fn a_cookie_is_written_for_this_server_alone() {
        let cookie = SetCookie { name: "n", value: "v", path: "/api", max_age: Duration::from_secs(600), secure: true };
        assert_eq!(cookie.header().unwrap(), "n=v; Path=/api; Max-Age=600; HttpOnly; SameSite=Lax; Secure");
        let insecure = SetCookie { secure: false, ..cookie };
        assert_eq!(insecure.header().unwrap(), "n=v; Path=/api; Max-Age=600; HttpOnly; SameSite=Lax");
        assert_eq!(SetCookie { value: "v; Domain=evil", ..cookie }.header(), None);
    }
}
