//! What a request is: the operation, the resource, and which permissions AWS asks for it.

use hyper::HeaderMap;
use serde_json::Value;

use super::{Boundary, Side};

/// A request, named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub side: Side,
    /// The function's name without the stack's; empty for people's browsers.
    pub function: String,
    /// `DynamoDB.UpdateItem`, or `GET /google/www/drive/v3/files`.
    pub operation: String,
    /// The table's, queue's or bucket's name, the key, the secret; several are parted by commas. Empty for providers.
    pub resource: String,
    /// Whom it is about: what the request says, or the account's address.
    pub about: String,
    /// Action and ARN of each permission that it needs.
    pub needs: Vec<(String, String)>,
}

/// What stands before the dot in `X-Amz-Target`, the service's name in operations, and in policies.
const TARGETS: &[(&str, &str, &str)] = &[
    ("DynamoDB_20120810", "DynamoDB", "dynamodb"),
    ("AmazonSQS", "SQS", "sqs"),
    ("TrentService", "KMS", "kms"),
    ("secretsmanager", "SecretsManager", "secretsmanager"),
    ("AWSEvents", "EventBridge", "events"),
];

impl Call {
    /// Whether the boundary counts this call, if it is about the right person.
    pub fn is_at(&self, boundary: &Boundary) -> bool {
        let has = |part: &Option<String>, whole: &str| part.as_deref().is_none_or(|part| whole.contains(part));
        self.side == boundary.side
            && boundary.function.as_deref().is_none_or(|name| name == self.function)
            && has(&boundary.operation, &self.operation)
            && has(&boundary.resource, &self.resource)
    }

    /// A request to a provider, with the account's address as far as it is known.
    pub fn to_provider(function: &str, method: &str, path_and_query: &str, account: Option<&str>) -> Self {
        // The query may hold what belongs in no log; of it only the kind of download is kept.
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let media = if query.split('&').any(|part| part == "alt=media") { "?alt=media" } else { "" };
        Self {
            side: Side::Provider,
            function: function.to_owned(),
            operation: format!("{method} {path}{media}"),
            resource: String::new(),
            about: account.unwrap_or_default().to_owned(),
            needs: Vec::new(),
        }
    }

    /// A request to AWS.
    pub fn to_aws(function: &str, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let (operation, needs) = match target.rsplit_once('.') {
            Some((prefix, name)) => {
                let request = serde_json::from_slice(body).unwrap_or(Value::Null);
                let known = TARGETS.iter().find(|(target, _, _)| *target == prefix);
                let (service, in_policies) = known.map_or((prefix, prefix), |(_, service, policy)| (service, policy));
                (format!("{service}.{name}"), needs_of(in_policies, name, &request))
            }
            None => s3(method, path),
        };
        let mut names: Vec<&str> = needs.iter().map(|(_, arn)| arn.as_str()).collect();
        names.dedup();
        let resource = names.join(",");
        // What is put into S3 is content; whose it is stands in the path.
        let about =
            if operation.starts_with("S3.") { path.to_owned() } else { String::from_utf8_lossy(body).into_owned() };
        Self { side: Side::Aws, function: function.to_owned(), operation, resource, about, needs }
    }
}

fn s3(method: &str, path: &str) -> (String, Vec<(String, String)>) {
    let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let (operation, action) = match (method, key.is_empty()) {
        ("GET", false) => ("GetObject", "GetObject"),
        ("HEAD", false) => ("HeadObject", "GetObject"),
        ("PUT", false) => ("PutObject", "PutObject"),
        ("POST", false) => ("PostObject", "PutObject"),
        ("DELETE", false) => ("DeleteObject", "DeleteObject"),
        ("POST", true) => ("DeleteObjects", "DeleteObject"),
        (_, _) => ("ListObjects", "ListBucket"),
    };
    // Of a key only its first part is kept: policies tell apart no more.
    let arn = match key.split('/').next() {
        Some(first) if !first.is_empty() => format!("arn:aws:s3:::{bucket}/{first}/*"),
        _ => format!("arn:aws:s3:::{bucket}"),
    };
    (format!("S3.{operation}"), vec![(format!("s3:{action}"), arn)])
}

fn needs_of(service: &str, name: &str, request: &Value) -> Vec<(String, String)> {
    let text = |field: &str| request.get(field).and_then(Value::as_str).unwrap_or("*");
    let one = |arn: String| vec![(format!("{service}:{name}"), arn)];
    match service {
        "dynamodb" => tables(name, request),
        "sqs" => {
            let queue = text("QueueUrl").rsplit('/').next().unwrap_or_default();
            let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
            let single = name.trim_end_matches("Batch");
            // AWS knows one permission for a message and for a batch; the embedded stack asks for two.
            let mut needs = vec![(format!("sqs:{single}"), arn.clone())];
            if single != name {
                needs.push((format!("sqs:{name}"), arn));
            }
            needs
        }
        "kms" => one(arn_of(text("KeyId"), "arn:aws:kms:us-east-1:000000000000:key/")),
        "secretsmanager" => one(arn_of(text("SecretId"), "arn:aws:secretsmanager:us-east-1:000000000000:secret:")),
        "events" => {
            let bus = request.pointer("/Entries/0/EventBusName").and_then(Value::as_str).unwrap_or("default");
            one(arn_of(bus, "arn:aws:events:us-east-1:000000000000:event-bus/"))
        }
        _ => one("*".to_owned()),
    }
}

fn arn_of(name: &str, prefix: &str) -> String {
    if name == "*" || name.starts_with("arn:") { name.to_owned() } else { format!("{prefix}{name}") }
}

fn tables(name: &str, request: &Value) -> Vec<(String, String)> {
    let arn = |table: &str| format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}");
    if let Some(items) = request.get("TransactItems").and_then(Value::as_array) {
        let parts = items.iter().filter_map(|item| item.as_object()?.iter().next());
        let needs = parts.map(|(kind, part)| {
            let action = if kind == "ConditionCheck" { "ConditionCheckItem".to_owned() } else { format!("{kind}Item") };
            let table = part.get("TableName").and_then(Value::as_str).unwrap_or("*");
            (format!("dynamodb:{action}"), arn(table))
        });
        return needs.collect();
    }
    if let Some(items) = request.get("RequestItems").and_then(Value::as_object) {
        return items.keys().map(|table| (format!("dynamodb:{name}"), arn(table))).collect();
    }
    let table = arn(request.get("TableName").and_then(Value::as_str).unwrap_or("*"));
    let index = request.get("IndexName").and_then(Value::as_str);
    vec![(format!("dynamodb:{name}"), index.map_or(table.clone(), |index| format!("{table}/index/{index}")))]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn aws(target: &str, body: &Value) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", target.parse().unwrap());
        Call::to_aws("api", "POST", "/", &headers, body.to_string().as_bytes())
    }

    #[test]
    fn a_request_names_what_it_needs() {
        let query = aws("DynamoDB_20120810.Query", &json!({"TableName": "t", "IndexName": "due"}));
        assert_eq!(query.operation, "DynamoDB.Query");
        let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/t/index/due";
        assert_eq!(query.needs, [("dynamodb:Query".to_owned(), arn.to_owned())]);
        let both = aws(
            "DynamoDB_20120810.TransactWriteItems",
            &json!({"TransactItems": [{"Put": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}}]}),
        );
        let actions: Vec<_> = both.needs.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(actions, ["dynamodb:PutItem", "dynamodb:ConditionCheckItem"]);
        let batch = aws("AmazonSQS.SendMessageBatch", &json!({"QueueUrl": "http://localhost:1/0/q"}));
        assert_eq!(batch.needs.len(), 2);
        assert_eq!(batch.resource, "arn:aws:sqs:us-east-1:000000000000:q");
        let object = Call::to_aws("api", "PUT", "/bucket/user/ada/1?x-id=PutObject", &HeaderMap::new(), b"");
        assert_eq!(object.operation, "S3.PutObject");
        assert_eq!(object.needs, [("s3:PutObject".to_owned(), "arn:aws:s3:::bucket/user/*".to_owned())]);
    }

    #[test]
    fn a_boundary_counts_what_it_describes() {
        let call = aws("DynamoDB_20120810.GetItem", &json!({"TableName": "s-JobsTable-1"}));
        let at = Boundary::of(Side::Aws).function("api").operation("DynamoDB.").resource("JobsTable");
        assert!(call.is_at(&at));
        assert!(call.is_at(&Boundary::of(Side::Aws)));
        assert!(!call.is_at(&at.clone().function("webhook")));
        assert!(!call.is_at(&at.operation("DynamoDB.Query")));
        assert!(!call.is_at(&Boundary::of(Side::Provider)));
    }

    #[test]
    fn the_name_of_a_provider_call_holds_no_query() {
        let call =
            Call::to_provider("resource-worker", "GET", "/google/www/drive/v3/files/1?alt=media&code=secret", None);
        assert_eq!(call.operation, "GET /google/www/drive/v3/files/1?alt=media");
    }
}
