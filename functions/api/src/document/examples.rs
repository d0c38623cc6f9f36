//! An example of every body, put together from the examples of its fields, so that one is always there and always fits.

use serde_json::{Map, Value, json};

/// How deep an example goes; beyond that, a schema leads into itself.
const MAX_DEPTH: usize = 40;

/// Gives every JSON body of an operation an example, unless it has one.
pub fn fill(operation: &mut Value, components: &Value) {
    if let Some(content) = operation.pointer_mut("/requestBody/content") {
        fill_content(content, components);
    }
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    for content in responses.filter_map(|(_, response)| response.get_mut("content")) {
        fill_content(content, components);
    }
}

fn fill_content(content: &mut Value, components: &Value) {
    let media = content.as_object_mut().into_iter().flatten().filter(|(kind, _)| kind.as_str() != "text/html");
    for (_, media) in media {
        if media.get("example").is_none() && media.get("examples").is_none() {
            media["example"] = of(&media["schema"], components, 0);
        }
    }
}

/// An example of a schema.
pub fn of(schema: &Value, components: &Value, depth: usize) -> Value {
    assert!(depth < MAX_DEPTH, "a schema that leads into itself has no example: {schema}");
    if let Some(example) = schema.get("example").or_else(|| schema.get("const")).or_else(|| schema.get("default")) {
        return example.clone();
    }
    if let Some(example) = schema["examples"].as_array().and_then(|examples| examples.first()) {
        return example.clone();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return of(&components[name], components, depth + 1);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
        return first.clone();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| of(part, components, depth + 1));
        return parts.filter_map(|part| part.as_object().cloned()).flatten().collect::<Map<_, _>>().into();
    }
    for choice in ["oneOf", "anyOf"] {
        let options = schema[choice].as_array().into_iter().flatten();
        if let Some(option) = options.into_iter().find(|option| option["type"] != "null") {
            return of(option, components, depth + 1);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("object") => object(schema, components, depth),
        Some("array") => json!([of(&schema["items"], components, depth + 1)]),
        Some("boolean") => true.into(),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(12)),
        Some("string") => text(schema["format"].as_str()),
        _ => json!({}),
    }
}

fn object(schema: &Value, components: &Value, depth: usize) -> Value {
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields.map(|(name, field)| (name.clone(), of(field, components, depth + 1))).collect::<Map<_, _>>().into()
}

fn text(format: Option<&str>) -> Value {
    match format {
        Some("date-time") => "2026-11-25T09:00:00Z".into(),
        Some("date") => "2026-11-25".into(),
        Some("uri") => "https://accounts.example/authorize?state=…".into(),
        _ => "text".into(),
    }
}
