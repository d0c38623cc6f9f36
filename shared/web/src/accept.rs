//! Whether the other side is a browser that shows a page, or a program that reads JSON.

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether `Accept` names `text/html` and likes it better than JSON. Wildcards count for neither: a program sends `*/*`.
#[must_use]
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let (mut html, mut json) = (0.0_f32, 0.0_f32);
    for range in headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts.find_map(|p| p.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if kind.eq_ignore_ascii_case("text/html") {
            html = html.max(quality);
        } else if kind.eq_ignore_ascii_case("application/json") {
            json = json.max(quality);
        }
    }
    html > json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_from_programs() {
        let check = |accept: &'static str, expected| {
            let headers = HeaderMap::from_iter([(ACCEPT, http::HeaderValue::from_static(accept))]);
            assert_eq!(prefers_html(&headers), expected, "{accept}");
        };
        check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true);
        check("*/*", false);
        check("application/json", false);
        check("application/json, text/html;q=0.9", false);
        check("application/json;q=0.5, text/html", true);
        check("text/html;q=nonsense", false);
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
