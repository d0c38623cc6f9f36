//! Least privilege: no statement allows everything, or allows it on everything, unless it stands in the list with its reason.

use serde_json::Value;

use crate::Complaint;

/// Wildcards that are meant: resource, action or resource pattern, and why.
const JUSTIFIED: &[(&str, &str, &str)] = &[
    ("TokenKey", "kms:*", "a key policy without it could never be changed again; roles say who may use the key"),
    ("TokenKey", "*", "in a key policy this is the key itself"),
    ("ContentBucketPolicy", "s3:*", "it denies, and must deny everything that does not use TLS"),
];

/// Complains about wildcard actions and resources in any policy of the template.
#[must_use]
pub fn check(template: &Value) -> Vec<Complaint> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources
        .flat_map(|(name, resource)| statements(resource).into_iter().flat_map(move |one| check_statement(name, one)))
        .collect()
}

fn check_statement(name: &str, statement: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for action in texts(&statement["Action"]) {
        if action.contains('*') && !justified(name, &action) {
            complaints.push(format!("{name} allows the actions {action}: name each, or justify it"));
        }
    }
    for resource in texts(&statement["Resource"]) {
        if too_wide(&resource) && !justified(name, &resource) {
            complaints.push(format!("{name} reaches {resource}: name the resource, or justify it"));
        }
    }
    for managed in ["NotAction", "NotResource"] {
        if !statement[managed].is_null() {
            complaints.push(format!("{name} uses {managed}, which allows whatever is invented next"));
        }
    }
    complaints
}

/// `*`, or an ARN whose resource part is nothing but `*`. A pattern under a table, bucket or prefix of ours is narrow enough.
fn too_wide(resource: &str) -> bool {
    resource == "*"
        || (resource.starts_with("arn:")
            && resource.rsplit(':').next().is_some_and(|part| part == "*" || part.starts_with("*/")))
}

fn justified(name: &str, pattern: &str) -> bool {
    JUSTIFIED.iter().any(|(resource, allowed, _)| *resource == name && *allowed == pattern)
}

/// Every policy statement anywhere in a resource; trust policies name no resource and are none.
fn statements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(map) => {
            let own =
                map.get("Statement").map(|one| one.as_array().map_or_else(|| vec![one], |many| many.iter().collect()));
            let nested = map.iter().filter(|(key, _)| *key != "Statement").flat_map(|(_, value)| statements(value));
            own.into_iter().flatten().chain(nested).collect()
        }
        Value::Array(items) => items.iter().flat_map(statements).collect(),
        _ => Vec::new(),
    }
}

/// The texts of a value that is one text, several, or made by an intrinsic function.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "Fn::GetAtt" && *key != "Ref")
            .flat_map(|(_, value)| texts(value))
            .collect(),
        _ => Vec::new(),
    }
}

/// Complains about managed policies, which are somebody else's idea of least.
#[must_use]
pub fn check_managed(template: &Value) -> Vec<Complaint> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    let managed = resources.filter(|(_, resource)| {
        let properties = &resource["Properties"];
        !properties["ManagedPolicyArns"].is_null()
            || (resource["Type"] == "AWS::Serverless::Function" && !properties["Policies"].is_null())
    });
    managed.map(|(name, _)| format!("{name} takes policies from elsewhere: write its own role")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assert_none, project, yaml};

    fn role(action: &str, resource: &str) -> Vec<Complaint> {
        let text = format!(
            "Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      Policies:\n        - PolicyDocument:\n            Statement: [{{Effect: Allow, Action: {action}, Resource: {resource}}}]\n"
        );
        check(&yaml::parse(&text).unwrap())
    }

    #[test]
    fn the_template_allows_no_more_than_is_listed() {
        let template = yaml::parse(&project::text("template.yaml").unwrap()).unwrap();
        assert_none(&check(&template));
        assert_none(&check_managed(&template));
    }

    #[test]
    fn every_justified_wildcard_still_exists() {
        let text = project::text("template.yaml").unwrap();
        let template = yaml::parse(&text).unwrap();
        for (name, pattern, reason) in JUSTIFIED {
            let found = statements(&template["Resources"][*name]);
            let used = found
                .iter()
                .any(|one| texts(&one["Action"]).iter().chain(&texts(&one["Resource"])).any(|text| text == pattern));
            assert!(used, "{name} no longer has {pattern} ({reason}): take it off the list");
        }
    }

    #[test]
    fn wildcards_are_refused() {
        assert_none(&role("\"sqs:SendMessage\"", "!GetAtt Q.Arn"));
        assert_eq!(role("\"sqs:*\"", "!GetAtt Q.Arn").len(), 1);
        assert_eq!(role("[\"sqs:SendMessage\", \"dynamodb:Get*\"]", "!GetAtt Q.Arn").len(), 1);
        assert_eq!(role("\"sqs:SendMessage\"", "\"*\"").len(), 1);
        assert_eq!(role("\"sqs:SendMessage\"", "[!GetAtt Q.Arn, \"*\"]").len(), 1);
        assert_eq!(role("\"sqs:SendMessage\"", "!Sub \"arn:${AWS::Partition}:sqs:eu-west-1:1:*\"").len(), 1);
        assert_none(&role("\"s3:GetObject\"", "!Sub \"${Bucket.Arn}/webhooks/*\""));
    }

    #[test]
    fn exclusions_and_managed_policies_are_refused() {
        let text = "Resources: {R: {Type: AWS::IAM::Role, Properties: {Policies: [{PolicyDocument: {Statement: {NotAction: x}}}]}}}";
        assert_eq!(check(&yaml::parse(text).unwrap()).len(), 1);
        let text = "Resources: {R: {Type: AWS::IAM::Role, Properties: {ManagedPolicyArns: [x]}}}";
        assert_eq!(check_managed(&yaml::parse(text).unwrap()).len(), 1);
        let text = "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Policies: AmazonS3FullAccess}}}";
        assert_eq!(check_managed(&yaml::parse(text).unwrap()).len(), 1);
    }
}
