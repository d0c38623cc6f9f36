//! CloudFormation's YAML as plain data: `!Ref x` becomes `{"Ref": "x"}`, `!GetAtt a.b` becomes `{"Fn::GetAtt": "a.b"}`.

use anyhow::Result;
use serde_json::{Map, Value};
use serde_yaml_ng::Value as Yaml;

/// Parses a template.
///
/// # Errors
/// If it is not YAML.
pub fn parse(text: &str) -> Result<Value> {
    Ok(plain(serde_yaml_ng::from_str(text)?))
}

fn plain(value: Yaml) -> Value {
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(value) => value.as_i64().map_or_else(|| value.as_f64().into(), Value::from),
        Yaml::String(value) => Value::String(value),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(plain).collect()),
        Yaml::Mapping(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), plain(value)))
                .collect(),
        ),
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = match tag.trim_start_matches('!') {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            Value::Object(Map::from_iter([(name, plain(tagged.value))]))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_forms_become_long_ones() {
        let value = parse("a: !Ref B\nb: !GetAtt C.Arn\nc: !If [D, !Ref E, 5]\n").unwrap();
        assert_eq!(
            value,
            json!({"a": {"Ref": "B"}, "b": {"Fn::GetAtt": "C.Arn"}, "c": {"Fn::If": ["D", {"Ref": "E"}, 5]}})
        );
    }
}
