//! The samples in `events/` are what Lambda really hands over, and their messages are ours: people and unit tests invoke functions with them.

#[cfg(test)]
mod tests {
    use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
    use aws_lambda_events::sqs::SqsEvent;
    use domain::message::{ResourceMessage, SyncMessage, WebhookMessage};
    use serde_json::Value;

    use crate::project;

    /// What cannot be decoded on purpose: it shows that one bad message does not take its batch along.
    const POISON: &str = "this is not JSON";

    fn samples(prefix: &str) -> Vec<(String, String)> {
        let files = std::fs::read_dir(project::root().join("events")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<_> = names
            .filter(|name| name.starts_with(prefix))
            .map(|name| (name.clone(), project::text(&format!("events/{name}")).unwrap()))
            .collect();
        found.sort();
        found
    }

    fn decode(queue: &str, body: &str) -> Result<(), serde_json::Error> {
        match queue {
            "integration-sync" => serde_json::from_str::<SyncMessage>(body).map(drop),
            "integration-webhook" => serde_json::from_str::<WebhookMessage>(body).map(drop),
            "integration-resource" | "integration-resource-webhook" => {
                serde_json::from_str::<ResourceMessage>(body).map(drop)
            }
            other => panic!("no such queue: {other}"),
        }
    }

    #[test]
    fn requests_are_those_of_an_http_api() {
        let all = [samples("api-"), samples("webhook-")].concat();
        assert!(all.len() >= 8);
        for (name, text) in all {
            let request: ApiGatewayV2httpRequest =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let route = request.route_key.unwrap();
            assert!(
                project::text("template.yaml").unwrap().contains(&route),
                "{name}: the template has no route {route}"
            );
        }
    }

    #[test]
    fn batches_carry_our_messages_from_our_queues() {
        let template = project::text("template.yaml").unwrap();
        let mut queues = Vec::new();
        for (name, text) in samples("sqs-") {
            let event: SqsEvent = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            for record in event.records {
                let arn = record.event_source_arn.unwrap();
                let queue = arn.rsplit(':').next().unwrap().strip_prefix("cognia-").unwrap().to_owned();
                assert!(
                    template.contains(&format!("${{AWS::StackName}}-{queue}\"")),
                    "{name}: the template has no queue {queue}"
                );
                let body = record.body.unwrap();
                if body != POISON {
                    decode(&queue, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
                }
                queues.push(queue);
            }
        }
        queues.sort();
        queues.dedup();
        assert_eq!(queues.len(), 4, "every queue has a sample: {queues:?}");
    }

    #[test]
    fn the_schedule_is_eventbridge_schedulers() {
        let event: Value = serde_json::from_str(&project::text("events/schedule.json").unwrap()).unwrap();
        assert_eq!(event["source"], "aws.scheduler");
    }
}
