//! Texts of resources whose fetch takes several messages: each part lies in the content bucket until the whole is there. A lifecycle rule
//! takes what is left behind.

use std::sync::Arc;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use domain::{ExternalId, IntegrationId, Timestamp};
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::S3Client;
use crate::error::{BoxError, Error};

/// What their keys begin with. The bucket's lifecycle rule and the function's permissions name it too.
const PREFIX: &str = "parts/";
/// Parts that are read or deleted at once.
const AT_ONCE: usize = 8;

/// Makes a client when one is needed.
type Connect = Arc<dyn Fn() -> S3Client + Send + Sync>;

/// The parts in a bucket. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    connect: Connect,
    bucket: Arc<str>,
}

/// One fetch of one resource, to which parts belong.
#[derive(Debug, Clone, Copy)]
pub struct PartsOf<'a> {
    /// The integration.
    pub integration: IntegrationId,
    /// The resource.
    pub external_id: &'a ExternalId,
    /// When the fetch was begun: parts of another fetch are others.
    pub begun_at: Timestamp,
}

impl PartsOf<'_> {
    /// The key of part `number`. The same part that is fetched twice has the same key.
    fn key(&self, number: u32) -> String {
        let hash = hex::encode(Sha256::digest(self.external_id.as_str()));
        let begun_ms = self.begun_at.timestamp_millis();
        format!("{PREFIX}{}/{hash}/{begun_ms}/{number:05}", self.integration)
    }
}

impl Parts {
    /// Parts in `bucket`. Few resources have any: `connect` makes a client when one does.
    #[must_use]
    pub fn new(connect: impl Fn() -> S3Client + Send + Sync + 'static, bucket: impl Into<Arc<str>>) -> Self {
        Self { connect: Arc::new(connect), bucket: bucket.into() }
    }

    /// Keeps the text of part `number`. One call.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it could not be stored.
    pub async fn keep(&self, of: PartsOf<'_>, number: u32, text: String) -> Result<(), Error> {
        let call = (self.connect)().put_object().bucket(&*self.bucket).key(of.key(number));
        let call = call.content_type("text/plain; charset=utf-8").body(ByteStream::from(text.into_bytes()));
        call.send().await.map_err(|error| Error::unavailable("keep a part", BoxError::from(error)))?;
        Ok(())
    }

    /// The texts of the first `count` parts, joined; `None` if one of them is not there any more. One call each.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if one cannot be read.
    pub async fn joined(&self, of: PartsOf<'_>, count: u32) -> Result<Option<String>, Error> {
        let reads = (0..count).map(|number| self.read(of.key(number)));
        let mut reads = futures::stream::iter(reads).buffered(AT_ONCE);
        let mut whole = String::new();
        while let Some(part) = reads.next().await {
            match part? {
                Some(text) => whole.push_str(&text),
                None => return Ok(None),
            }
        }
        Ok(Some(whole))
    }

    async fn read(&self, key: String) -> Result<Option<String>, Error> {
        let failed = |error: BoxError| Error::unavailable("read a part", error);
        let object = match (self.connect)().get_object().bucket(&*self.bucket).key(key).send().await {
            Ok(object) => object,
            // S3 says of an object that is gone that it is forbidden to those who may not list.
            Err(SdkError::ServiceError(error)) if matches!(error.raw().status().as_u16(), 403 | 404) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error.into())),
        };
        let bytes = object.body.collect().await.map_err(|error| failed(error.into()))?.to_vec();
        String::from_utf8(bytes).map(Some).map_err(|error| failed(error.into()))
    }

    /// Deletes the first `count` parts, as far as that can be done now. One call each.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if one could not be deleted; the lifecycle rule takes it then.
    pub async fn forget(&self, of: PartsOf<'_>, count: u32) -> Result<(), Error> {
        let delete = |number| {
            let call = (self.connect)().delete_object().bucket(&*self.bucket).key(of.key(number));
            async move { call.send().await.map_err(|error| Error::unavailable("delete a part", BoxError::from(error))) }
        };
        let mut deletes = futures::stream::iter((0..count).map(delete)).buffer_unordered(AT_ONCE);
        let mut trouble = Ok(());
        while let Some(deleted) = deletes.next().await {
            trouble = trouble.and(deleted.map(|_| ()));
        }
        trouble
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_key_and_another_fetch_has_others() {
        let (a, b) = (ExternalId::new("page/1?").unwrap(), ExternalId::new("b").unwrap());
        let at = |ms| Timestamp::from_timestamp_millis(ms).unwrap();
        let integration = "01JD0000000000000000000000".parse().unwrap();
        let key = |external_id, ms, number| PartsOf { integration, external_id, begun_at: at(ms) }.key(number);
        assert_eq!(key(&a, 5, 3), key(&a, 5, 3));
        assert!(key(&a, 5, 3).starts_with("parts/01JD0000000000000000000000/") && key(&a, 5, 3).ends_with("/5/00003"));
        let keys = [key(&a, 5, 3), key(&a, 6, 3), key(&a, 5, 4), key(&b, 5, 3)];
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
