//! `docs/schema/protocol.schema.json` is what the types say.
//!
//! `PARLOR_WRITE_SCHEMA=1 cargo test -p parlor-protocol --features schema schema` writes it anew.

use std::path::Path;
use std::{env, fs};

use parlor_protocol::schema::protocol_schema;
use parlor_protocol::{EventType, RequestType};
use serde_json::Value;

#[test]
fn the_schema_in_the_docs_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/protocol.schema.json");
    let text = serde_json::to_string_pretty(&protocol_schema()).expect("it encodes") + "\n";
    if env::var_os("PARLOR_WRITE_SCHEMA").is_some() {
        fs::write(&path, &text).expect("the folder is writable");
    }
    // Compared as text: a consumer that keeps a copy sees no difference where there is none.
    let on_disk = fs::read_to_string(&path).unwrap_or_default();
    assert!(on_disk == text, "out of date: see the first lines of this file");
}

#[test]
fn the_schema_has_every_message_and_no_loose_reference() {
    let schema = protocol_schema();
    let defs = schema["$defs"].as_object().expect("an object");
    for kind in RequestType::ALL {
        assert!(defs.contains_key(&format!("request.{kind}")), "{kind}");
        assert!(defs.contains_key(&format!("response.{kind}")), "{kind}");
    }
    for kind in EventType::ALL {
        assert!(defs.contains_key(&format!("event.{kind}")), "{kind}");
    }
    let mut references = Vec::new();
    collect_references(&schema, &mut references);
    assert!(references.len() > RequestType::ALL.len());
    for reference in references {
        let name = reference.strip_prefix("#/$defs/").expect("a local reference");
        assert!(defs.contains_key(name), "{reference}");
    }
}

fn collect_references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|inner| collect_references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_references(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
