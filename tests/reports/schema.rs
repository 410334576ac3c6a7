//! A validator of JSON Schema draft 4 that knows the words of one schema: it refuses to go on at any other.

use ballot_intake::clock::Micros;
use serde_json::{Map, Value};

/// A schema.
pub(crate) struct Schema(Value);

impl Schema {
    /// That of NIST SP 1500-101.
    pub(crate) fn nist_1500_101() -> Self {
        let text = include_str!("../../fixtures/nist-1500-101/NIST_V1_election_event_logging.json");
        Self(serde_json::from_str(text).unwrap())
    }

    /// What is not valid of it, each with its place.
    pub(crate) fn faults(&self, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let choices = self.0["oneOf"].as_array().unwrap();
        // The class says which of the two it is to be.
        let chosen: Vec<_> = choices
            .iter()
            .filter(|choice| {
                self.resolve(choice)["properties"]["@type"]["enum"][0] == value["@type"]
            })
            .collect();
        assert_eq!(chosen.len(), 1, "{}", value["@type"]);
        self.check(chosen[0], value, "", &mut faults);
        faults
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
            None => schema,
        }
    }

    fn check(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        let schema = self.resolve(schema).as_object().unwrap();
        for (word, rule) in schema {
            let holds = match word.as_str() {
                "type" => is_of(rule.as_str().unwrap(), value),
                "enum" => rule.as_array().unwrap().contains(value),
                "format" => has_format(rule.as_str().unwrap(), value.as_str().unwrap_or_default()),
                "minItems" => value.as_array().map_or(0, Vec::len) as u64 >= rule.as_u64().unwrap(),
                "required" => rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|name| value.get(name.as_str().unwrap()).is_some()),
                "additionalProperties" => {
                    assert_eq!(rule, false);
                    let known = schema["properties"].as_object().unwrap();
                    value
                        .as_object()
                        .is_none_or(|own| own.keys().all(|name| known.contains_key(name)))
                }
                "properties" => {
                    self.check_fields(rule.as_object().unwrap(), value, place, faults);
                    true
                }
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{place}/{n}"), faults);
                    }
                    true
                }
                _ => panic!("the schema says {word}, which is not looked at"),
            };
            if !holds {
                faults.push(format!("{place}: {word} {rule}"));
            }
        }
    }

    fn check_fields(
        &self,
        known: &Map<String, Value>,
        value: &Value,
        place: &str,
        faults: &mut Vec<String>,
    ) {
        for (name, rule) in known {
            if let Some(field) = value.get(name) {
                self.check(rule, field, &format!("{place}/{name}"), faults);
            }
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        _ => panic!("the schema says type {kind}, which is not looked at"),
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => Micros::parse_rfc3339(text).is_some(),
        "date" => text.len() == 10 && Micros::parse_rfc3339(&format!("{text}T00:00:00Z")).is_some(),
        _ => panic!("the schema says format {format}, which is not looked at"),
    }
}
