//! Deliveries of webhooks that no queue message holds: their bodies lie in the content bucket until they have been worked on, and
//! the message carries the key.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use domain::Timestamp;

use crate::S3Client;
use crate::error::Error;

/// What their keys begin with. The bucket's lifecycle rule and the functions' permissions name it too.
const PREFIX: &str = "webhooks/";

/// Makes a client when one is needed.
type Connect = Arc<dyn Fn() -> S3Client + Send + Sync>;

/// The bodies in a bucket. Cheap to clone.
#[derive(Clone)]
pub struct Bodies {
    connect: Connect,
    bucket: Arc<str>,
}

impl Bodies {
    /// Bodies in `bucket`. Large deliveries are rare and a small one must not wait for a client that it does not need: `connect` makes
    /// one for each large body.
    #[must_use]
    pub fn new(connect: impl Fn() -> S3Client + Send + Sync + 'static, bucket: impl Into<Arc<str>>) -> Self {
        Self { connect: Arc::new(connect), bucket: bucket.into() }
    }

    /// Keeps a body and gives its key, `webhooks/<date>/<ulid>`. One call.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it could not be stored.
    pub async fn keep(&self, body: Vec<u8>, now: Timestamp) -> Result<String, Error> {
        let key = format!("{PREFIX}{}/{}", now.format("%Y-%m-%d"), ulid::Ulid::from_datetime(now.into()));
        self.put(&key, body).await.map_err(|error| Error::unavailable("keep a delivery's body", error))?;
        Ok(key)
    }

    /// A body; `None` for one that was worked on already. One call.
    ///
    /// # Errors
    /// [`Error::Refused`] for a key that is none of a body's; [`Error::Unavailable`] if it cannot be read. So says S3 of one that is not there, too.
    pub async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        if !key.starts_with(PREFIX) {
            return Err(Error::Refused("the key is none of a delivery's body".to_owned()));
        }
        let failed = |error| Error::unavailable("read a delivery's body", error);
        let call = (self.connect)().get_object().bucket(&*self.bucket).key(key);
        let object = call.send().await.map_err(|error| failed(crate::error::BoxError::from(error)))?;
        let body = object.body.collect().await.map_err(|error| failed(error.into()))?.to_vec();
        Ok(Some(body).filter(|body| !body.is_empty()))
    }

    /// Empties a body that has been worked on; the lifecycle rule takes the rest. It is not deleted, because whoever gets the same message
    /// a second time could not tell an object that is gone from one that may not be read: S3 answers both in one way to those
    /// who may not list. One call.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it could not be written.
    pub async fn clear(&self, key: &str) -> Result<(), Error> {
        self.put(key, Vec::new()).await.map_err(|error| Error::unavailable("clear a delivery's body", error))
    }

    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), crate::error::BoxError> {
        let call = (self.connect)().put_object().bucket(&*self.bucket).key(key);
        call.content_type("application/octet-stream").body(ByteStream::from(body)).send().await?;
        Ok(())
    }
}

impl std::fmt::Debug for Bodies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bodies").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}
