//! What CloudFormation accepts and AWS then silently gets wrong: queues that lose or repeat work, functions whose logs are kept for ever.
#![expect(clippy::indexing_slicing, reason = "a JSON value indexed by name is null where the name is missing")]

use serde_json::Value;

use crate::Complaint;

/// Seconds that a dead letter is kept: the most that SQS allows.
const DEAD_LETTERS_KEPT_S: i64 = 14 * 24 * 3600;

/// Complains about functions and queues.
#[must_use]
pub fn check(template: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        complaints.extend(check_function(template, name, function));
        let events = function.pointer("/Properties/Events").and_then(Value::as_object);
        for event in events.into_iter().flat_map(|events| events.values()).filter(|event| event["Type"] == "SQS") {
            complaints.extend(check_mapping(template, name, function, event));
        }
    }
    complaints
}

/// The resources of a type.
pub fn of_type<'a>(template: &'a Value, wanted: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.filter(move |(_, resource)| resource["Type"] == wanted)
}

fn check_function(template: &Value, name: &str, function: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let properties = &function["Properties"];
    let role = named(&properties["Role"]);
    let shared =
        of_type(template, "AWS::Serverless::Function").filter(|(_, other)| named(&other["Properties"]["Role"]) == role);
    if role.is_none() || shared.count() != 1 {
        complaints.push(format!("{name} has no role of its own"));
    }
    let logs = named(&properties["LoggingConfig"]["LogGroup"]).map(|group| &template["Resources"][group]["Properties"]);
    if logs.is_none_or(|group| group["RetentionInDays"].is_null()) {
        complaints.push(format!("{name} writes to no log group of a stated retention"));
    }
    complaints
}

fn check_mapping(template: &Value, name: &str, function: &Value, event: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mapping = &event["Properties"];
    let Some(queue_name) = named(&mapping["Queue"]) else {
        return vec![format!("{name} listens to a queue that is none of the template's")];
    };
    let queue = &template["Resources"][queue_name]["Properties"];
    let responses = mapping["FunctionResponseTypes"].as_array();
    if !responses.is_some_and(|types| types.iter().any(|kind| kind == "ReportBatchItemFailures")) {
        complaints
            .push(format!("{name} on {queue_name} lacks ReportBatchItemFailures: failed messages would be deleted"));
    }
    if mapping["ScalingConfig"]["MaximumConcurrency"].is_null() {
        complaints.push(format!(
            "{name} on {queue_name} lacks MaximumConcurrency: throttling alone would fill the dead-letter queue"
        ));
    }
    let dead_letters =
        named(&queue["RedrivePolicy"]["deadLetterTargetArn"]).map(|name| &template["Resources"][name]["Properties"]);
    if dead_letters.is_none_or(|letters| letters["MessageRetentionPeriod"] != DEAD_LETTERS_KEPT_S) {
        complaints.push(format!("{queue_name} has no dead-letter queue that keeps its messages for 14 days"));
    }
    let timeouts = values(template, &function["Properties"]["Timeout"]);
    let visibilities = values(template, &queue["VisibilityTimeout"]);
    let enough = timeouts.len() == visibilities.len()
        && !timeouts.is_empty()
        && timeouts.iter().zip(&visibilities).all(|(timeout, visibility)| visibility >= &(timeout * 6));
    if !enough {
        complaints.push(format!(
            "{queue_name} is visible again before six timeouts of {name} are over: {visibilities:?} s, {timeouts:?} s"
        ));
    }
    complaints
}

/// The resource that a `Ref` or `GetAtt` names.
fn named(value: &Value) -> Option<&str> {
    let reference = value["Ref"].as_str();
    reference.or_else(|| value["Fn::GetAtt"].as_str().and_then(|attribute| attribute.split('.').next()))
}

/// A number, or one number for each stage if it stands in a mapping; in the mapping's order.
fn values(template: &Value, value: &Value) -> Vec<i64> {
    if let Some(number) = value.as_i64() {
        return vec![number];
    }
    let lookup = value["Fn::FindInMap"].as_array();
    let (Some(map), Some(key)) = (lookup.and_then(|parts| parts.first()), lookup.and_then(|parts| parts.last())) else {
        return Vec::new();
    };
    let rows = template["Mappings"][map.as_str().unwrap_or_default()].as_object();
    rows.into_iter().flatten().filter_map(|(_, row)| row[key.as_str().unwrap_or_default()].as_i64()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assert_none, project, yaml};

    const GOOD: &str = r"
Mappings: {S: {local: {T: 15, V: 90}, prod: {T: 300, V: 1800}}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Role: !GetAtt R.Arn
      Timeout: !FindInMap [S, !Ref Stage, T]
      LoggingConfig: {LogGroup: !Ref L}
      Events:
        E:
          Type: SQS
          Properties: {Queue: !GetAtt Q.Arn, FunctionResponseTypes: [ReportBatchItemFailures], ScalingConfig: {MaximumConcurrency: 5}}
  L: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 1}}
  Q:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: !FindInMap [S, !Ref Stage, V], RedrivePolicy: {deadLetterTargetArn: !GetAtt D.Arn}}
  D: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1209600}}
";

    fn after(find: &str, replace: &str) -> Vec<Complaint> {
        assert!(GOOD.contains(find), "the case changes nothing");
        check(&yaml::parse(&GOOD.replace(find, replace)).unwrap())
    }

    #[test]
    fn the_template_keeps_to_the_rules() {
        let template = yaml::parse(&project::text("template.yaml").unwrap()).unwrap();
        assert_eq!(of_type(&template, "AWS::Serverless::Function").count(), 6);
        assert_none(&check(&template));
    }

    #[test]
    fn a_good_template_passes() {
        assert_none(&check(&yaml::parse(GOOD).unwrap()));
    }

    #[test]
    fn every_mapping_reports_failures_and_is_capped() {
        assert_eq!(after(", FunctionResponseTypes: [ReportBatchItemFailures]", "").len(), 1);
        assert_eq!(after(", ScalingConfig: {MaximumConcurrency: 5}", "").len(), 1);
        assert_eq!(after("Queue: !GetAtt Q.Arn", "Queue: arn:aws:sqs:us-east-1:1:q").len(), 1);
    }

    #[test]
    fn every_queue_has_a_dead_letter_queue_of_14_days() {
        assert_eq!(after(", RedrivePolicy: {deadLetterTargetArn: !GetAtt D.Arn}", "").len(), 1);
        assert_eq!(after("1209600", "345600").len(), 1);
    }

    #[test]
    fn visibility_is_six_timeouts_on_every_stage() {
        assert_eq!(after("V: 1800", "V: 1799").len(), 1);
        assert_eq!(after("VisibilityTimeout: !FindInMap [S, !Ref Stage, V], ", "").len(), 1);
    }

    #[test]
    fn every_function_has_a_role_and_kept_logs_of_its_own() {
        assert_eq!(after("      Role: !GetAtt R.Arn\n", "").len(), 1);
        assert_eq!(after("      LoggingConfig: {LogGroup: !Ref L}\n", "").len(), 1);
        assert_eq!(after("RetentionInDays: 1", "LogGroupName: x").len(), 1);
        let twice = "  G: {Type: AWS::Serverless::Function, Properties: {Role: !GetAtt R.Arn, LoggingConfig: {LogGroup: !Ref L}}}\n  L:";
        assert_eq!(after("  L:", twice).len(), 2);
    }
}
