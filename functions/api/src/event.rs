//! Between Lambda and the router: the runtime's request id, under which our log lines and error envelopes go.

use axum::Router;
use lambda_http::{Request, RequestExt as _, Service as _};
use web::RequestId;

/// Serves events until the runtime ends.
///
/// # Errors
/// Those of the runtime itself.
pub async fn serve(router: Router) -> Result<(), lambda::Error> {
    lambda::http::serve(lambda_http::service_fn(move |request: Request| {
        let mut router = router.clone();
        async move { router.call(named(request)).await }
    }))
    .await
}

/// Puts the runtime's request id where [`web::request`] looks for it: the same id is on every line the runtime logs.
fn named(mut request: Request) -> Request {
    if let Some(id) = request.lambda_context_ref().map(|context| context.request_id.clone()).filter(|id| !id.is_empty())
    {
        request.extensions_mut().insert(RequestId(id));
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_under_the_runtimes_id_where_there_is_one() {
        let check = |runtime: &str, expected: Option<&str>| {
            let mut context = lambda_http::Context::default();
            context.request_id = runtime.to_owned();
            let request = named(Request::default().with_lambda_context(context));
            assert_eq!(request.extensions().get::<RequestId>().map(|id| id.0.as_str()), expected);
        };
        check("r-1", Some("r-1"));
        check("", None);
    }
}
