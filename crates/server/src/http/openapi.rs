//! The HTTP API as an OpenAPI 3.1 document, made from the types that it answers with.

use std::sync::OnceLock;

use hyper::StatusCode;
use parlor_protocol::{
    GameList, OpenRoom, OpenedRoom, Refused, RoomDetail, RoomList,
    limits::{GAME_TYPE_CHARS_MAX, LIST_ROOMS_DEFAULT, LIST_ROOMS_MAX},
};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{Answer, answer, health::Health};

/// The document.
pub(super) fn answer() -> Answer {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    answer::json(StatusCode::OK, DOCUMENT.get_or_init(document))
}

fn document() -> Value {
    // OpenAPI 3.1 is JSON Schema of 2020-12, only that shared shapes are in another place.
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = Schemas(settings.into_generator());

    let room_id = json!({
        "name": "roomId", "in": "path", "required": true,
        "description": "The room's code, in any case of letters.",
        "schema": { "type": "string" },
    });
    let no_room = ("404", "No room has this code.");
    let mut paths = Map::new();
    paths.insert(
        "/api/v1/games".into(),
        json!({ "get": {
            "operationId": "listGames",
            "summary": "The games of this server.",
            "responses": schemas.answers::<GameList>("200", "The games.", &[]),
        }}),
    );
    paths.insert("/api/v1/rooms".into(), json!({
        "get": {
            "operationId": "listRooms",
            "summary": "Public rooms, newest first. A room that is there throughout is on exactly one page.",
            "parameters": [
                { "name": "gameType", "in": "query", "description": "Only rooms of this game.",
                  "schema": { "type": "string", "minLength": 1, "maxLength": GAME_TYPE_CHARS_MAX } },
                { "name": "limit", "in": "query", "description": "Rooms in the page.",
                  "schema": { "type": "integer", "minimum": 1, "maximum": LIST_ROOMS_MAX,
                              "default": LIST_ROOMS_DEFAULT } },
                { "name": "cursor", "in": "query", "description": "Where the page before ended.",
                  "schema": { "type": "string", "pattern": "^[0-9]{1,19}$" } },
            ],
            "responses": schemas.answers::<RoomList>("200", "A page of rooms.", &[
                ("400", "A parameter is out of bounds, or the cursor is none of ours."),
                ("404", "This server has no such game."),
            ]),
        },
        "post": {
            "operationId": "openRoom",
            "summary": "Opens a room that waits ten minutes for its first player, who becomes host.",
            "requestBody": { "required": true, "content": {
                "application/json": { "schema": schemas.of::<OpenRoom>() },
            }},
            "responses": schemas.opened(&[
                ("400", "The body does not parse, or a field is not valid."),
                ("404", "This server has no such game."),
                ("409", "The game refuses these options."),
                ("413", "The body is too large."),
                ("415", "The body is not application/json."),
                ("429", "This address has opened many rooms; Retry-After says how long to wait."),
                ("500", "The game broke down; details.reference finds it in the server's log."),
                ("503", "The server is full, or going away."),
            ]),
        },
    }));
    paths.insert("/api/v1/rooms/{roomId}".into(), json!({
        "parameters": [room_id],
        "get": {
            "operationId": "getRoom",
            "summary": "A room and who is in it.",
            "responses": schemas.answers::<RoomDetail>("200", "The room.", &[no_room]),
        },
        "delete": {
            "operationId": "closeRoom",
            "summary": "Ends a room; everyone in it is told.",
            "security": [{ "admin": [] }],
            "responses": schemas.refusals(json!({ "204": { "description": "It is closed." } }), &[
                ("401", "The administrator's token is missing or wrong."),
                no_room,
                ("429", "Too many wrong tokens from this address."),
            ]),
        },
    }));
    paths.insert(
        "/api/v1/openapi.json".into(),
        json!({ "get": {
            "operationId": "getOpenApi",
            "summary": "This document.",
            "responses": { "200": { "description": "The document.", "content": {
                "application/json": { "schema": { "type": "object" } },
            }}},
        }}),
    );
    for (path, id, summary) in [
        ("/health/live", "live", "Whether the process turns over."),
        ("/health/ready", "ready", "Whether to send players here."),
        ("/health", "health", "The same, with what it is judged by."),
    ] {
        let health = schemas.content::<Health>();
        paths.insert(
            path.into(),
            json!({ "get": {
                "operationId": id,
                "summary": summary,
                "responses": {
                    "200": { "description": "Yes.", "content": health },
                    "503": { "description": "No.", "content": health },
                },
            }}),
        );
    }

    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Parlor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Games and rooms for programs that hold no socket. To play, a client opens a WebSocket at /ws.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.0.take_definitions(true),
            "securitySchemes": { "admin": { "type": "http", "scheme": "bearer" } },
        },
    })
}

struct Schemas(SchemaGenerator);

impl Schemas {
    fn of<T: JsonSchema>(&mut self) -> Value {
        json!(self.0.subschema_for::<T>())
    }

    fn content<T: JsonSchema>(&mut self) -> Value {
        json!({ "application/json": { "schema": self.of::<T>() } })
    }

    /// An answer that grants, and those that refuse.
    fn answers<T: JsonSchema>(
        &mut self,
        status: &str,
        description: &str,
        refusals: &[(&str, &str)],
    ) -> Value {
        let granted = json!({ "description": description, "content": self.content::<T>() });
        self.refusals(json!({ status: granted }), refusals)
    }

    fn opened(&mut self, refusals: &[(&str, &str)]) -> Value {
        let mut answers = self.answers::<OpenedRoom>("201", "The room.", refusals);
        answers["201"]["headers"] = json!({ "Location": {
            "description": "Where the room is to be read.", "schema": { "type": "string" },
        }});
        answers
    }

    fn refusals(&mut self, mut answers: Value, refusals: &[(&str, &str)]) -> Value {
        for (status, description) in refusals {
            answers[*status] =
                json!({ "description": description, "content": self.content::<Refused>() });
        }
        answers
    }
}
