//! The configuration that all AWS clients of a process share.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// Longest time to a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Longest time for one attempt of a call. The largest that we make sends an object of a few megabytes.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Attempts of a call before its error is ours to deal with; a worker's message is tried again besides.
const ATTEMPTS: u32 = 4;
/// First pause between attempts; it doubles, with jitter.
const BACKOFF: Duration = Duration::from_millis(100);

/// Reads region, credentials and `AWS_ENDPOINT_URL` as every AWS client does, and puts one HTTP client under all of them:
/// certificates are then read once and connections to one host are shared.
///
/// Call it once, in `main`; clients are made from what it returns and are cheap.
pub async fn aws_config() -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build())
        .load()
        .await
}
