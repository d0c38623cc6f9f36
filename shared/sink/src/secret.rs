//! The operator's secret of a sink. Reading it is somebody else's work; here it is asked for when it is needed.

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::error::{BoxError, Error};

/// Gives the present text of the sink's secret. Whoever makes it keeps the text for a while, so asking often costs nothing.
pub type Secret = Arc<dyn Fn() -> BoxFuture<'static, Result<SecretString, BoxError>> + Send + Sync>;

/// The secret's text.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn read(secret: &Secret) -> Result<SecretString, Error> {
    secret().await.map_err(|error| Error::unavailable("read the sink's secret", error))
}
