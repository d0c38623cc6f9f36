//! Who is signed in to the stand-in for the host application: the cookie that the product's API reads too.

use std::collections::HashMap;

use axum::{
    Form,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};

use crate::{config::HostApp, state::Shared};

/// The API's name for it. Cookies know no ports, so the API on the same host name receives it.
const COOKIE: &str = "cognia_session";

/// The user whose token the cookie carries.
pub fn user<'a>(app: &'a HostApp, headers: &HeaderMap) -> Option<(&'a str, &'a str)> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let token = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)?;
    let found = app.tokens.iter().find(|(_, known)| known.as_str() == token)?;
    Some((found.0.as_str(), found.1.as_str()))
}

/// `POST /app/user`: signs one of the known users in, or everybody out.
pub async fn choose(State(sandbox): State<Shared>, Form(fields): Form<HashMap<String, String>>) -> Response {
    let token = sandbox.app.as_ref().zip(fields.get("user")).and_then(|(app, user)| app.tokens.get(user));
    let cookie = match token {
        Some(token) => format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax"),
        None => format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"),
    };
    ([(header::SET_COOKIE, cookie)], Redirect::to("/app")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_token_is_somebody() {
        let tokens = [("ada".to_owned(), "t1".to_owned())].into_iter().collect();
        let app = HostApp { api_url: "http://localhost".into(), tokens };
        let with = |cookie: &str| HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]);
        assert_eq!(user(&app, &with("a=b; cognia_session=t1")), Some(("ada", "t1")));
        assert_eq!(user(&app, &with("cognia_session=other")), None);
        assert_eq!(user(&app, &HeaderMap::new()), None);
    }
}
