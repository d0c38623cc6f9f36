//! Functions that are called over HTTP: events that a router can take.

use lambda_http::http::HeaderValue;
use lambda_http::http::header::HOST;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, IntoResponse, LambdaEvent, Request, Service};
use lambda_runtime::{Diagnostic, service_fn};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What may not stand in a path or query. `lambda_http` panics over an address that is none, which would end the process.
const FORBIDDEN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// In a path, a question mark would begin the query.
const FORBIDDEN_IN_PATHS: &AsciiSet = &FORBIDDEN.add(b'?');

/// Serves requests with `service`, a router say, until the environment ends. Whatever address a client sends, the service
/// gets one that is a URL, with a host of ours: nobody here reads it.
///
/// # Errors
/// What the runtime cannot go on from.
pub async fn serve<S, R, E>(service: S) -> Result<(), crate::Error>
where
    S: Service<Request, Response = R, Error = E>,
    S::Future: Send + 'static,
    R: IntoResponse + 'static,
    E: std::fmt::Debug + Into<Diagnostic>,
{
    let mut adapter: Adapter<'static, R, S> = Adapter::from(service);
    lambda_runtime::run(service_fn(move |mut event: LambdaEvent<LambdaRequest>| {
        make_readable(&mut event.payload);
        adapter.call(event)
    }))
    .await
}

/// Percent-encodes what a sloppy client left bare, and takes the host away, which nothing here reads.
fn make_readable(request: &mut LambdaRequest) {
    if let LambdaRequest::ApiGatewayV2(event) = request {
        let encode = |text: &mut String, set: &'static AsciiSet| *text = utf8_percent_encode(text, set).to_string();
        event.raw_query_string.iter_mut().for_each(|query| encode(query, FORBIDDEN));
        event.raw_path.iter_mut().for_each(|path| encode(path, FORBIDDEN_IN_PATHS));
        event.headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_ends_the_process() {
        let check = |path: &str, query: &str, host: &str, expected: &str| {
            let event = serde_json::json!({
                "version": "2.0", "routeKey": "ANY /api/{proxy+}", "rawPath": path, "rawQueryString": query,
                "headers": {"host": host}, "isBase64Encoded": false,
                "requestContext": {"stage": "$default", "http": {"method": "GET", "path": path}}
            });
            let mut request: LambdaRequest = serde_json::from_value(event).unwrap();
            make_readable(&mut request);
            let request = Request::from(request);
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), expected);
        };
        check("/api/x", "a=1&b=%2F", "api.example", "/api/x?a=1&b=%2F");
        check("/api/x", "a=<script>\"|`{}", "api.example", "/api/x?a=%3Cscript%3E%22%7C%60%7B%7D");
        check("/api/a b", "q=ü #", "[::bad:::host", "/api/a%20b?q=%C3%BC%20%23");
        check("", "", "", "/");
    }
}
