//! `/api/v1/openapi.json`: the API's own description (`OpenAPI` 3.1), made of the route table and of the schemas beside this file.

use super::fields::{self, Field, Kind};
use super::refusal::Refusal;
use super::routes::{Access, Method, ROUTES, Route};
use super::visit::{Outcome, Visit};
use serde_json::{Map, Value, json};

/// What the answers are.
const SCHEMAS: &str = include_str!("openapi/schemas.json");

/// `GET /api/v1/openapi.json`.
pub(super) fn document() -> Outcome {
    let schemas: Value =
        serde_json::from_str(SCHEMAS).map_err(|error| Refusal::Failed(error.to_string()))?;
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter().filter(|route| route.is_api()) {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            drop(path.insert(method(route).to_owned(), operation(route)));
        }
    }
    Visit::json(&json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ballot-intake: the desk of a station",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the pages show and do, as JSON. Times are local with offset. Whoever acts signs in at `POST /api/v1/session` \
                and sends the header `x-csrf-token`; whoever only reads has a token of `ballot-intake operators token`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "desk",
                    "description": "`__Host-desk` by TLS. Without operators nobody need sign in at the station itself."},
                "token": {"type": "http", "scheme": "bearer", "description": "Reads as an auditor."},
            },
        },
    }))
}

const fn method(route: &Route) -> &'static str {
    match route.method {
        Method::Get => "get",
        Method::Post => "post",
    }
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "parameters": parameters(route),
        "responses": responses(route),
    });
    let Some(object) = operation.as_object_mut() else { return operation };
    if let Access::Role(role) = route.access {
        let security = match route.method {
            Method::Get => json!([{"session": []}, {"token": []}, {}]),
            Method::Post => json!([{"session": []}, {}]),
        };
        drop(object.insert("security".to_owned(), security));
        drop(object.insert("x-role".to_owned(), role.name().into()));
    }
    if !route.fields.is_empty() {
        let body = json!({
            "required": route.fields.iter().any(|field| field.need == fields::Need::Must),
            "content": {"application/json": {"schema": fields::schema(route.fields)}},
        });
        drop(object.insert("requestBody".to_owned(), body));
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1/");
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<_> = [method(route)].into_iter().chain(words).collect();
    words.join("_")
}

fn parameters(route: &Route) -> Value {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path = names.map(|name| {
        let schema = match name {
            "n" => json!({"type": "integer", "minimum": 1, "maximum": u32::MAX}),
            _ => json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let query = route.query.iter().map(|Field { name, kind, .. }| {
        let schema = match kind {
            Kind::Count => json!({"type": "integer", "minimum": 0}),
            _ => json!({"type": "string", "maxLength": 256}),
        };
        json!({"name": name, "in": "query", "schema": schema})
    });
    let token = (route.method == Method::Post)
        .then(|| json!({"name": "x-csrf-token", "in": "header", "required": true, "schema": {"type": "string"}}));
    path.chain(query).chain(token).collect()
}

/// Every answer that can come.
fn responses(route: &Route) -> Value {
    let content = json!({"application/json": {"schema": reference(route.answer)}});
    let mut responses = Map::new();
    drop(
        responses
            .insert("200".to_owned(), json!({"description": "Done, or read.", "content": content})),
    );
    let is_act = route.method == Method::Post;
    let has_role = route.access != Access::Anyone;
    let signs_in = is_act && route.path == "/api/v1/session";
    let problems = [
        ("400", true, "The query, the path or the object cannot be read."),
        ("401", has_role, "Nobody is signed in."),
        (
            "403",
            has_role || is_act,
            "The role does not allow it, or `x-csrf-token` is not the session's.",
        ),
        ("404", true, "There is no such thing."),
        ("405", true, "The method is none of this path's."),
        ("408", is_act, "The object did not come in time."),
        ("409", is_act, "The rules do not allow it: nothing changed."),
        ("413", is_act, "The object is too long."),
        ("415", is_act, "The object is no `application/json`."),
        ("421", true, "The station is not known under that name."),
        ("422", is_act, "The object is not as its schema says."),
        ("429", signs_in, "There were too many failures."),
        (
            "503",
            true,
            "The station is busy, or cannot do it now; an act that was not done in time may yet be: look before it is repeated.",
        ),
    ];
    for (status, _, says) in problems.into_iter().filter(|(_, can_come, _)| *can_come) {
        let content = json!({"application/problem+json": {"schema": reference("Problem")}});
        drop(responses.insert(status.to_owned(), json!({"description": says, "content": content})));
    }
    Value::Object(responses)
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
