//! An AWS at which nobody answers: for tests of what happens then, and for those that must not get so far.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

/// A configuration whose every call fails at once: port 9 of this machine, one attempt.
#[must_use]
pub fn aws_config() -> SdkConfig {
    let credentials = Credentials::new("nobody", "nothing", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url("http://127.0.0.1:9")
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .build()
}
