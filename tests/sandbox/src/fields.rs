//! The same answer in more or in fewer fields: what a client must not stumble over.

use serde_json::{Value, json};

/// Adds a field that nobody knows to the object and to the objects of its lists. Objects inside of objects are left alone: some of them
/// are maps, in which every name means something.
pub fn extra(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for field in fields.values_mut().filter(|field| field.is_array()) {
                extra(field);
            }
            fields.insert("sandbox_unknown".to_owned(), json!({ "nested": [1, "two", null] }));
        }
        Value::Array(items) => items.iter_mut().filter(|item| item.is_object()).for_each(extra),
        _ => {}
    }
}

/// Leaves out what says nothing, in the object and in the objects of its lists: null, and empty texts, lists and objects there. The lists
/// of the answer itself stay, empty or not.
pub fn lean(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, field| !field.is_null());
        for field in fields.values_mut() {
            if let Value::Array(items) = field {
                items.iter_mut().for_each(lean_item);
            }
        }
    }
}

fn lean_item(item: &mut Value) {
    if let Value::Object(fields) = item {
        fields.values_mut().filter(|field| field.is_object()).for_each(lean_item);
        fields.retain(|_, field| match field {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            _ => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_stand_beside_the_known_ones() {
        let mut answer = json!({ "files": [{ "id": "a", "owner": { "name": "Ada" } }], "next": null });
        extra(&mut answer);
        assert!(answer["sandbox_unknown"].is_object() && answer["files"][0]["sandbox_unknown"].is_object());
        assert_eq!(answer["files"][0]["owner"], json!({ "name": "Ada" }));
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let mut answer = json!({ "files": [{ "id": "a", "note": "", "tags": [], "owner": { "name": null } }], "more": [], "next": null });
        lean(&mut answer);
        assert_eq!(answer, json!({ "files": [{ "id": "a" }], "more": [] }));
    }
}
