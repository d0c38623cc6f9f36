//! Bodies: whole ones, and such as end too early.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

/// The connection is to end here, in the middle of what it carries.
#[derive(Debug, thiserror::Error)]
#[error("the fault proxy ends the connection")]
pub(super) struct Ended;

/// What the proxy answers with.
pub(super) type Body = BoxBody<Bytes, Ended>;

/// A whole body.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
}

/// The first half of a body whose length was promised; then the connection ends.
pub(super) fn half(bytes: &Bytes) -> Body {
    let promised = bytes.len() as u64;
    BoxBody::new(Half { first: Some(bytes.slice(..bytes.len() / 2)), promised })
}

struct Half {
    first: Option<Bytes>,
    promised: u64,
}

impl HttpBody for Half {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        Poll::Ready(Some(self.first.take().map(Frame::data).ok_or(Ended)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
