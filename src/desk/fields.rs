//! What a form or an object of the API may hold: one table a route, from which the object is read and the API is documented.

use super::refusal::Refusal;
use serde_json::{Map, Value, json};

/// Longest text that is taken, in characters; what it is for may take less.
pub(super) const TEXT_MAX: usize = 500;

/// Most texts of a list.
const TEXTS_MAX: usize = 64;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// A password or a badge's code.
    Secret,
    /// A whole number from 0.
    Count,
    /// Yes or no.
    Flag,
    /// One of these.
    One(&'static [&'static str]),
    /// Several texts; in a form, one a line.
    Texts,
}

/// Whether it has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) need: Need,
}

pub(super) const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, need: Need::Must }
}

pub(super) const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, need: Need::May }
}

impl Kind {
    fn schema(self) -> Value {
        let text = |format: Option<&str>| {
            let mut schema =
                json!({"type": "string", "minLength": 1, "maxLength": TEXT_MAX, "pattern": "\\S"});
            if let (Some(format), Some(object)) = (format, schema.as_object_mut()) {
                drop(object.insert("format".to_owned(), format.into()));
            }
            schema
        };
        match self {
            Self::Text => text(None),
            Self::Secret => text(Some("password")),
            Self::Count => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
            Self::Flag => json!({"type": "boolean"}),
            Self::One(names) => json!({"type": "string", "enum": names}),
            Self::Texts => {
                json!({"type": "array", "maxItems": TEXTS_MAX, "items": text(None)})
            }
        }
    }

    /// The value as a form would have it; none where it is no such value.
    fn read(self, value: &Value) -> Option<Vec<String>> {
        match (self, value) {
            (Self::Text | Self::Secret, Value::String(text)) => {
                is_text(text).then(|| vec![text.clone()])
            }
            (Self::One(names), Value::String(text)) => {
                names.contains(&text.as_str()).then(|| vec![text.clone()])
            }
            (Self::Count, Value::Number(number)) => {
                let whole = number.as_u64().or_else(|| whole(number.as_f64()?))?;
                u32::try_from(whole).ok().map(|n| vec![n.to_string()])
            }
            (Self::Flag, Value::Bool(yes)) => {
                Some(if *yes { vec!["yes".to_owned()] } else { Vec::new() })
            }
            (Self::Texts, Value::Array(texts)) if texts.len() <= TEXTS_MAX => {
                let text =
                    |value: &Value| value.as_str().filter(|text| is_text(text)).map(str::to_owned);
                texts.iter().map(text).collect()
            }
            _ => None,
        }
    }
}

/// JSON has one kind of numbers: 4.0 is 4.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only whole numbers within the range come to it"
)]
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number))
        .then_some(number as u64)
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= TEXT_MAX
}

/// The schema of an object with these fields.
pub(super) fn schema(fields: &[Field]) -> Value {
    let properties: Map<_, _> =
        fields.iter().map(|field| (field.name.to_owned(), field.kind.schema())).collect();
    let needed: Vec<_> =
        fields.iter().filter(|field| field.need == Need::Must).map(|field| field.name).collect();
    let mut schema =
        json!({"type": "object", "properties": properties, "additionalProperties": false});
    if let (false, Some(object)) = (needed.is_empty(), schema.as_object_mut()) {
        drop(object.insert("required".to_owned(), json!(needed)));
    }
    schema
}

/// The fields of an object as a form would have them.
pub(super) fn read(fields: &[Field], body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let object: Map<String, Value> = if body.is_empty() {
        Map::new()
    } else {
        let value: Value =
            serde_json::from_slice(body).map_err(|_why| Refusal::Malformed("no_json"))?;
        match value {
            Value::Object(object) => object,
            _ => return Err(Refusal::Invalid("this is no object".to_owned())),
        }
    };
    let mut form = Vec::new();
    for (name, value) in &object {
        let field = fields.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| Refusal::Invalid(format!("there is no field {name:?}")))?;
        let texts = field.kind.read(value);
        let texts = texts.ok_or_else(|| Refusal::Invalid(format!("{name:?} is no such value")))?;
        form.extend(texts.into_iter().map(|text| (name.clone(), text)));
    }
    let lacking =
        fields.iter().find(|field| field.need == Need::Must && !object.contains_key(field.name));
    match lacking {
        Some(field) => Err(Refusal::Invalid(format!("{:?} is missing", field.name))),
        None => Ok(form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        must("counted", Kind::Count),
        may("explanation", Kind::Text),
        may("postmarked", Kind::Flag),
        may("mode", Kind::One(&["receive", "accept"])),
        may("seals", Kind::Texts),
    ];

    #[track_caller]
    fn check(body: &str, expected: Option<&[(&str, &str)]>) {
        let expected = expected.map(|pairs| {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
        });
        assert_eq!(read(FIELDS, body.as_bytes()).ok(), expected, "{body}");
    }

    #[test]
    fn an_object_is_read_as_a_form() {
        check(r#"{"counted": 4}"#, Some(&[("counted", "4")]));
        check(
            r#"{"counted": 4.0, "postmarked": true}"#,
            Some(&[("counted", "4"), ("postmarked", "yes")]),
        );
        check(r#"{"counted": 4, "postmarked": false}"#, Some(&[("counted", "4")]));
        let seals = Some(&[("counted", "0"), ("seals", "A1"), ("seals", "A2")][..]);
        check(r#"{"counted": 0, "seals": ["A1", "A2"]}"#, seals);
        for wrong in [
            "",
            "{",
            "[]",
            "4",
            r#"{"counted": "4"}"#,
            r#"{"counted": -1}"#,
            r#"{"counted": 4.5}"#,
            r#"{"counted": 4294967296}"#,
            r#"{"counted": 4, "x": 1}"#,
            r#"{"counted": 4, "mode": "queen"}"#,
            r#"{"counted": 4, "explanation": " "}"#,
            r#"{"counted": 4, "explanation": null}"#,
            r#"{"counted": 4, "seals": "A1"}"#,
            r#"{"counted": null}"#,
        ] {
            check(wrong, None);
        }
    }
}
