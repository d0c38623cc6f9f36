//! JSON logs on standard output, where Lambda collects them.

use std::error::Error;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// Crates that print payloads, headers or wire traffic below `info`; they never do, whatever `RUST_LOG` says.
/// A directive covers every target that begins so.
const QUIET: &[&str] =
    &["lambda_runtime=info", "lambda_http=info", "aws_=info", "hyper=info", "h2=info", "rustls=info", "reqwest=info"];

/// Starts logging at the level of `RUST_LOG` (default `info`). The first thing that a function does; a second call does nothing.
pub fn init() {
    let filter = filter(crate::env::optional("RUST_LOG").as_deref());
    let started = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        // The names of spans repeat what their fields say.
        .with_span_list(false)
        .with_current_span(true)
        .try_init();
    if started.is_err() {
        tracing::debug!("logging runs already");
    }
}

fn filter(wanted: Option<&str>) -> EnvFilter {
    let filter = wanted.and_then(|wanted| EnvFilter::try_new(wanted).ok()).unwrap_or_else(|| EnvFilter::new("info"));
    QUIET.iter().filter_map(|quiet| quiet.parse::<Directive>().ok()).fold(filter, EnvFilter::add_directive)
}

/// An error with all its causes, on one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        // An error that only passes its cause on would say everything twice.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot list")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = Outer(std::io::Error::other("connection reset"));
        assert_eq!(chain(&error), "cannot list: connection reset");
        let passed_on = domain::job::JobError::retry(error);
        assert_eq!(chain(&passed_on), "cannot list: connection reset");
    }

    #[test]
    fn no_level_makes_the_runtime_print_payloads() {
        let printed = filter(Some("trace,lambda_runtime=trace")).to_string();
        for quiet in QUIET {
            assert!(printed.contains(quiet), "{printed} lacks {quiet}");
        }
        assert!(!printed.contains("lambda_runtime=trace"), "{printed}");
    }

    #[test]
    fn nonsense_in_the_level_is_the_default() {
        assert!(filter(Some("=,=")).to_string().contains("info"));
    }
}
