//! What a receiver can be had to do instead of its work, one request after the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing: it is worked on.
    None,
    /// It is answered with this status and body, and not worked on.
    Answer(u16, &'static str),
    /// It is answered with this status and `Retry-After`, and not worked on.
    RetryAfter(u16, &'static str),
    /// It is worked on, and the answer is lost: 500 is told instead.
    Lost,
    /// It is worked on, and the answer comes so late.
    Late(Duration),
    /// It is not worked on and not answered in that time.
    Silent(Duration),
}

/// The troubles to come, and what was asked so far.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    next: VecDeque<(Option<Method>, Trouble)>,
    always: Option<Trouble>,
    asked: Vec<(Method, String)>,
    at_once: usize,
    most_at_once: usize,
}

impl Troubles {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request meets this; one that comes after it, the next trouble.
    pub fn next(&self, trouble: Trouble) {
        self.told().next.push_back((None, trouble));
    }

    /// The next request of this method meets this.
    pub fn next_of(&self, method: Method, trouble: Trouble) {
        self.told().next.push_back((Some(method), trouble));
    }

    /// Every request meets this from now on; `None`: no more.
    pub fn always(&self, trouble: Option<Trouble>) {
        self.told().always = trouble;
    }

    /// Methods and paths (with their queries) of what was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<(Method, String)> {
        self.told().asked.clone()
    }

    /// How many requests of a method were made.
    #[must_use]
    pub fn count(&self, method: &Method) -> usize {
        self.told().asked.iter().filter(|(made, _)| made == method).count()
    }

    /// The most requests that were under way at once.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.told().most_at_once
    }

    fn begin(&self, request: &Request) -> Trouble {
        let mut told = self.told();
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        told.asked.push((request.method().clone(), path));
        told.at_once += 1;
        told.most_at_once = told.most_at_once.max(told.at_once);
        if let Some(trouble) = &told.always {
            return trouble.clone();
        }
        let place =
            told.next.iter().position(|(method, _)| method.as_ref().is_none_or(|method| method == request.method()));
        place.and_then(|place| told.next.remove(place)).map_or(Trouble::None, |(_, trouble)| trouble)
    }

    fn end(&self) {
        self.told().at_once -= 1;
    }
}

/// Stands before every route of a receiver.
pub(super) async fn meet(State(troubles): State<Troubles>, request: Request, next: Next) -> Response {
    let trouble = troubles.begin(&request);
    let answer = match trouble {
        Trouble::None => next.run(request).await,
        Trouble::Answer(status, body) => (code(status), body).into_response(),
        Trouble::RetryAfter(status, wait) => {
            let mut answer = code(status).into_response();
            answer.headers_mut().insert("retry-after", HeaderValue::from_static(wait));
            answer
        }
        Trouble::Lost => {
            next.run(request).await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Trouble::Late(time) => {
            let answer = next.run(request).await;
            tokio::time::sleep(time).await;
            answer
        }
        Trouble::Silent(time) => {
            tokio::time::sleep(time).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
    };
    troubles.end();
    answer
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
