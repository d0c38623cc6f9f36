//! A function is given the variables that it reads, and no others: a missing one stops it at its first start, on AWS only.

use serde_json::Value;

use crate::Complaint;

/// What reads a variable that must be there.
const REQUIRING: &[&str] = &["required(", "parsed("];

/// What every function is given; the shared rooms read it.
const COMMON: &[&str] = &["STAGE", "STACK_NAME", "RUST_LOG"];

/// Complains about one function: its package, its resource in the template and the text of its sources.
#[must_use]
pub fn check(package: &str, function: &Value, sources: &str) -> Vec<Complaint> {
    let variables = function.pointer("/Properties/Environment/Variables").and_then(Value::as_object);
    let given: Vec<&str> = variables.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let missing = required(sources).into_iter().filter(|name| !given.contains(name) && !COMMON.contains(name));
    let surplus = given.iter().filter(|name| !sources.contains(&format!("\"{name}\"")));
    missing
        .map(|name| format!("{package} requires {name}, which template.yaml does not give it"))
        .chain(surplus.map(|name| format!("{package} is given {name} and never reads it")))
        .collect()
}

/// The names in `required("NAME")` and `parsed("NAME", …)`, wherever the line is broken.
fn required(sources: &str) -> Vec<&str> {
    let calls = REQUIRING.iter().flat_map(|call| sources.split(call).skip(1));
    let names = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    names.filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{assert_none, project, template, yaml};

    #[test]
    fn functions_are_given_what_they_read() {
        let template = yaml::parse(&project::text("template.yaml").unwrap()).unwrap();
        let sources = project::sources().unwrap();
        let mut complaints = Vec::new();
        for (_, function) in template::of_type(&template, "AWS::Serverless::Function") {
            let package =
                function["Properties"]["CodeUri"].as_str().unwrap().trim_end_matches('/').rsplit('/').next().unwrap();
            let own = format!("functions/{package}/src/");
            let text: String =
                sources.iter().filter(|(path, _)| path.starts_with(&own)).map(|(_, text)| text.as_str()).collect();
            assert!(!text.is_empty(), "{package} has no sources");
            complaints.extend(check(package, function, &text));
        }
        assert_none(&complaints);
    }

    #[test]
    fn missing_and_surplus_variables_are_refused() {
        let function = json!({"Properties": {"Environment": {"Variables": {"A_TABLE": "a", "B_TABLE": "b"}}}});
        assert_none(&check("f", &function, "required(\"A_TABLE\")?; optional(\"B_TABLE\")"));
        let complaints = check("f", &function, "required(\"A_TABLE\"); env::parsed(\n  \"C_URL\", \"a URL\")");
        assert_eq!(
            complaints,
            ["f requires C_URL, which template.yaml does not give it", "f is given B_TABLE and never reads it"]
        );
    }
}
