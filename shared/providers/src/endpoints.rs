//! Where a call goes: the operator's mapping of URL prefixes, and the hosts that a provider may be called at.
//!
//! The mapping applies to every URL, those that come out of answers included, and longest prefixes win. What it does not map must be
//! https on one of the provider's own hosts.

use std::collections::BTreeMap;

use url::{Host, Url};

use crate::addresses::Reach;

/// The hosts of a provider: a whole name (`www.example.com`), or with a leading dot any name under it (`.example.com`).
pub type Hosts = &'static [&'static str];

/// A URL that may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The address after mapping.
    pub url: Url,
    /// How much of the network the connection may reach.
    pub reach: Reach,
}

/// A URL that may not be called, or a mapping that makes none. The text names no query and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The address itself is not allowed.
    #[error("{0}")]
    Address(String),
    /// The operator's `endpoints` are wrong.
    #[error("endpoints: {0}")]
    Mapping(String),
}

/// Maps `url` and checks where it leads.
///
/// # Errors
/// [`Denied`] says what is wrong, by host at most.
pub fn target(url: &Url, hosts: Hosts, endpoints: &BTreeMap<String, String>) -> Result<Target, Denied> {
    if let Some(mapped) = map(url, endpoints)? {
        return check_mapped(mapped);
    }
    no_userinfo(url)?;
    // An answer of a mapped endpoint may name that endpoint itself.
    if endpoints.values().filter_map(|to| Url::parse(to).ok()).any(|to| to.origin() == url.origin()) {
        return check_mapped(url.clone());
    }
    if url.scheme() != "https" {
        return Err(Denied::Address(format!("{} is not https", url.scheme())));
    }
    match url.host() {
        Some(Host::Domain(host)) if url.port().is_none() && is_among(host, hosts) => {
            Ok(Target { url: url.clone(), reach: Reach::Public })
        }
        Some(host) => Err(Denied::Address(format!("{host} is none of the provider's hosts"))),
        None => Err(Denied::Address("no host".to_owned())),
    }
}

/// The mapped URL under the longest prefix that fits; `None` if none does.
fn map(url: &Url, endpoints: &BTreeMap<String, String>) -> Result<Option<Url>, Denied> {
    let mut best: Option<(usize, &str, &str)> = None;
    for (from, to) in endpoints {
        let parsed = Url::parse(from).map_err(|_| Denied::Mapping("a prefix is not a URL".to_owned()))?;
        let prefix = parsed.as_str().trim_end_matches('/');
        // A prefix ends where a part of the URL ends: `https://a.example` must not match `https://a.example.evil`.
        let rest =
            url.as_str().strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        if let Some(rest) = rest
            && best.is_none_or(|(length, ..)| prefix.len() > length)
        {
            best = Some((prefix.len(), rest, to));
        }
    }
    let Some((_, rest, to)) = best else { return Ok(None) };
    let text = format!("{}{rest}", to.trim_end_matches('/'));
    Url::parse(&text).map(Some).map_err(|_| Denied::Mapping("a target is not a URL".to_owned()))
}

fn check_mapped(url: Url) -> Result<Target, Denied> {
    no_userinfo(&url)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Denied::Mapping(format!("{} is neither http nor https", url.scheme())));
    }
    let literal = match url.host() {
        Some(Host::Ipv4(v4)) => Some(v4.into()),
        Some(Host::Ipv6(v6)) => Some(v6.into()),
        Some(Host::Domain(_)) => None,
        None => return Err(Denied::Mapping("a target has no host".to_owned())),
    };
    if literal.is_some_and(|address| !Reach::OperatorNamed.allows(address)) {
        return Err(Denied::Address("a link-local or unusable address".to_owned()));
    }
    Ok(Target { url, reach: Reach::OperatorNamed })
}

fn no_userinfo(url: &Url) -> Result<(), Denied> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(Denied::Address("a URL with a user name".to_owned()))
}

fn is_among(host: &str, hosts: Hosts) -> bool {
    // One trailing dot names the same host.
    let host = host.strip_suffix('.').unwrap_or(host);
    hosts.iter().any(|allowed| match allowed.strip_prefix('.') {
        Some(_) => host.ends_with(allowed),
        None => host == *allowed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: Hosts = &["www.googleapis.com", ".googleusercontent.com"];

    fn endpoints(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    fn maps_to(url: &str, pairs: &[(&str, &str)]) -> Option<String> {
        target(&Url::parse(url).unwrap(), HOSTS, &endpoints(pairs)).ok().map(|target| target.url.to_string())
    }

    #[test]
    fn guarantee_35_only_the_providers_own_hosts_are_called() {
        let check = |url: &str, allowed: bool| assert_eq!(maps_to(url, &[]).is_some(), allowed, "{url}");
        check("https://www.googleapis.com/drive/v3/files", true);
        check("https://WWW.googleapis.com./drive", true);
        check("https://doc-0s.googleusercontent.com/x", true);
        check("https://www。googleapis。com/drive", true);
        for url in [
            "http://www.googleapis.com/",
            "https://www.googleapis.com:8443/",
            "https://www.googleapis.com.evil.example/",
            "https://evil.example/www.googleapis.com",
            "https://googleusercontent.com.evil.example/",
            "https://evilgoogleusercontent.com/",
            "https://www.googleapis.com@evil.example/",
            "https://user:pass@www.googleapis.com/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://0x7f000001/",
            "https://127.1/",
            "https://2130706433/",
            "https://[::ffff:127.0.0.1]/",
            "https://[fd00::1]/",
            "https://localhost/",
            "file:///etc/passwd",
            "ftp://www.googleapis.com/",
            "data:text/plain,x",
            "gopher://www.googleapis.com/",
        ] {
            check(url, false);
        }
    }

    #[test]
    fn the_longest_prefix_wins_and_ends_at_a_boundary() {
        let map = [
            ("https://api.github.com", "https://ghe.example/api/v3"),
            ("https://api.github.com/uploads", "https://up.example/"),
        ];
        let check = |url, expected: Option<&str>| assert_eq!(maps_to(url, &map).as_deref(), expected, "{url}");
        check("https://api.github.com/user?x=1", Some("https://ghe.example/api/v3/user?x=1"));
        check("https://api.github.com", Some("https://ghe.example/api/v3/"));
        check("https://api.github.com/uploads/7", Some("https://up.example/7"));
        check("https://api.github.com/uploadsx", Some("https://ghe.example/api/v3/uploadsx"));
        check("https://api.github.com.evil.example/", None);
        check("https://api.github.com:444/", None);
    }

    #[test]
    fn guarantee_35_an_endpoint_may_be_private_and_plain_but_never_link_local_or_with_a_password() {
        let check = |to, allowed: bool| {
            assert_eq!(
                maps_to("https://www.googleapis.com/x", &[("https://www.googleapis.com", to)]).is_some(),
                allowed,
                "{to}"
            );
        };
        check("http://127.0.0.1:4010", true);
        check("http://[::1]:4010/google", true);
        check("http://169.254.169.254", false);
        check("http://user:pass@intra.example", false);
        check("file:///etc", false);
        check("not a url", false);
    }

    #[test]
    fn guarantee_35_urls_in_answers_of_an_endpoint_lead_back_to_it_only() {
        let map = [("https://www.googleapis.com", "http://127.0.0.1:4010/g")];
        assert!(maps_to("http://127.0.0.1:4010/export/1", &map).is_some());
        assert!(maps_to("http://127.0.0.1:4011/export/1", &map).is_none());
        assert!(maps_to("http://127.0.0.1/export/1", &map).is_none());
        assert!(maps_to("http://x@127.0.0.1:4010/", &map).is_none());
    }
}
