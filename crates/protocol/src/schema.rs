//! JSON Schema of every message, generated from the types.
//!
//! What a game defines (options, actions, views, events, results) is any object or any value here.
//! The file in `docs/schema/` is [`protocol_schema`], and a test holds it to that.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::data::{
    AddBot, Authenticate, Chat, CreateRoom, JoinRoom, KickPlayer, ListRooms, NoData, OneGame,
    OnePlayer, QuickMatch, Reconnect, SetReady, SetRole, UpdateRoom,
};
use crate::error::ErrorDetail;
use crate::event::{
    ActionRefused, EventType, GameEvent, GameFinished, HostChanged, PlayerDisconnected, PlayerLeft,
    PlayerReady, PlayerReconnected, RoomClosed, RoomListUpdate, RoomPatch, RoomState,
    ServerDraining, ServerNotice, Welcome,
};
use crate::ids::RequestId;
use crate::limits::{BATCH_REQUESTS_MAX, INTEGER_MAX};
use crate::request::RequestType;
use crate::result::{
    AddedBot, Authenticated, GameList, Joined, Pong, Resumed, RoomList, RoomSubscription, Seq,
    StateSnapshot,
};
use crate::room::{ChatMessage, Object, Player, RoomInfo};

/// One document: what a client sends (`Frame`), what a server sends (`ServerMessage`), and under
/// `$defs` each message (`request.chat`, `response.chat`, `event.chat_message`) and each shape.
pub fn protocol_schema() -> Value {
    // One set of shapes serves both directions. As read, a field with a default may be left out,
    // which is how requests work; servers leave out nothing else.
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let error = generator.subschema_for::<ErrorDetail>();
    let id = generator.subschema_for::<RequestId>();
    let mut messages = Map::new();

    for kind in RequestType::ALL {
        let data = json!(request_data(*kind, &mut generator));
        let (data, required) =
            if requires_data(*kind) { (data, true) } else { (or_null(data), false) };
        let request = object(
            &[("type", json!({ "const": kind })), ("data", data)],
            &[("id", or_null(json!(id)))],
            required,
        );
        messages.insert(format!("request.{kind}"), request);

        let name = json!({ "const": kind.result_name() });
        let result = json!(result_data(*kind, &mut generator));
        let success = object(
            &[("type", name.clone()), ("success", json!({ "const": true })), ("data", result)],
            &[("id", json!(id))],
            true,
        );
        messages.insert(
            format!("response.{kind}"),
            json!({ "oneOf": [success, refusal(name, &error, &id)] }),
        );
    }
    let unreadable = refusal(json!({ "const": "error" }), &error, &id);
    messages.insert("response.error".to_owned(), unreadable);
    for kind in EventType::ALL {
        let data = json!(event_data(*kind, &mut generator));
        let name = json!({ "const": kind });
        let seq = json!({ "type": "integer", "minimum": 1, "maximum": INTEGER_MAX });
        let event = if kind.has_seq() {
            object(&[("type", name), ("seq", seq), ("data", data)], &[], true)
        } else {
            object(&[("type", name), ("data", data)], &[], true)
        };
        messages.insert(format!("event.{kind}"), event);
    }

    let mut defs = generator.take_definitions(true);
    let requests = refs(&messages, "request.");
    let from_server: Vec<Value> =
        [refs(&messages, "response."), refs(&messages, "event.")].concat();
    defs.extend(messages);
    defs.insert("Request".to_owned(), json!({ "oneOf": requests }));
    defs.insert(
        "Frame".to_owned(),
        json!({
            "description": "One WebSocket message from a client.",
            "oneOf": [
                { "$ref": "#/$defs/Request" },
                {
                    "type": "array",
                    "items": { "$ref": "#/$defs/Request" },
                    "minItems": 1,
                    "maxItems": BATCH_REQUESTS_MAX,
                },
            ],
        }),
    );
    defs.insert(
        "ServerMessage".to_owned(),
        json!({ "description": "One WebSocket message from a server.", "oneOf": from_server }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Parlor wire protocol, version 1",
        "anyOf": [{ "$ref": "#/$defs/Frame" }, { "$ref": "#/$defs/ServerMessage" }],
        "$defs": defs,
    })
}

fn request_data(kind: RequestType, generator: &mut SchemaGenerator) -> Schema {
    match kind {
        RequestType::Ping
        | RequestType::ListGames
        | RequestType::LeaveRoom
        | RequestType::GetState
        | RequestType::StartGame
        | RequestType::Rematch => of::<NoData>(generator),
        RequestType::Authenticate => of::<Authenticate>(generator),
        RequestType::ListRooms => of::<ListRooms>(generator),
        RequestType::SubscribeRooms | RequestType::UnsubscribeRooms => of::<OneGame>(generator),
        RequestType::CreateRoom => of::<CreateRoom>(generator),
        RequestType::JoinRoom => of::<JoinRoom>(generator),
        RequestType::QuickMatch => of::<QuickMatch>(generator),
        RequestType::Reconnect => of::<Reconnect>(generator),
        RequestType::GameAction => of::<Object>(generator),
        RequestType::SetReady => of::<SetReady>(generator),
        RequestType::SetRole => of::<SetRole>(generator),
        RequestType::Chat => of::<Chat>(generator),
        RequestType::AddBot => of::<AddBot>(generator),
        RequestType::RemoveBot | RequestType::SetHost => of::<OnePlayer>(generator),
        RequestType::KickPlayer => of::<KickPlayer>(generator),
        RequestType::UpdateRoom => of::<UpdateRoom>(generator),
    }
}

/// Whether the empty object, and so nothing at all, is never good data for this request.
const fn requires_data(kind: RequestType) -> bool {
    match kind {
        RequestType::Ping
        | RequestType::ListGames
        | RequestType::ListRooms
        | RequestType::LeaveRoom
        | RequestType::GetState
        | RequestType::GameAction
        | RequestType::StartGame
        | RequestType::Rematch
        | RequestType::AddBot
        | RequestType::UpdateRoom => false,
        RequestType::Authenticate
        | RequestType::SubscribeRooms
        | RequestType::UnsubscribeRooms
        | RequestType::CreateRoom
        | RequestType::JoinRoom
        | RequestType::QuickMatch
        | RequestType::Reconnect
        | RequestType::SetReady
        | RequestType::SetRole
        | RequestType::Chat
        | RequestType::RemoveBot
        | RequestType::KickPlayer
        | RequestType::SetHost => true,
    }
}

fn result_data(kind: RequestType, generator: &mut SchemaGenerator) -> Schema {
    match kind {
        RequestType::Ping => of::<Pong>(generator),
        RequestType::Authenticate => of::<Authenticated>(generator),
        RequestType::ListGames => of::<GameList>(generator),
        RequestType::ListRooms => of::<RoomList>(generator),
        RequestType::SubscribeRooms | RequestType::UnsubscribeRooms => {
            of::<RoomSubscription>(generator)
        }
        RequestType::CreateRoom | RequestType::JoinRoom | RequestType::QuickMatch => {
            of::<Joined<Value>>(generator)
        }
        RequestType::Reconnect => of::<Resumed<Value>>(generator),
        RequestType::GetState => of::<StateSnapshot<Value>>(generator),
        RequestType::AddBot => of::<AddedBot>(generator),
        RequestType::LeaveRoom
        | RequestType::GameAction
        | RequestType::SetReady
        | RequestType::SetRole
        | RequestType::Chat
        | RequestType::StartGame
        | RequestType::Rematch
        | RequestType::RemoveBot
        | RequestType::KickPlayer
        | RequestType::SetHost
        | RequestType::UpdateRoom => of::<Seq>(generator),
    }
}

fn event_data(kind: EventType, generator: &mut SchemaGenerator) -> Schema {
    match kind {
        EventType::Welcome => of::<Welcome>(generator),
        EventType::RoomState => of::<RoomState<Value>>(generator),
        EventType::RoomPatch => of::<RoomPatch>(generator),
        EventType::ActionRefused => of::<ActionRefused>(generator),
        EventType::GameEvent => of::<GameEvent<Value>>(generator),
        EventType::PlayerJoined | EventType::PlayerReplaced => of::<Player>(generator),
        EventType::PlayerLeft => of::<PlayerLeft>(generator),
        EventType::PlayerDisconnected => of::<PlayerDisconnected>(generator),
        EventType::PlayerReconnected => of::<PlayerReconnected>(generator),
        EventType::PlayerReady => of::<PlayerReady>(generator),
        EventType::HostChanged => of::<HostChanged>(generator),
        EventType::GameStarted => of::<NoData>(generator),
        EventType::GameFinished => of::<GameFinished<Value>>(generator),
        EventType::ChatMessage => of::<ChatMessage>(generator),
        EventType::RoomUpdated => of::<RoomInfo>(generator),
        EventType::RoomClosed => of::<RoomClosed>(generator),
        EventType::RoomListUpdate => of::<RoomListUpdate>(generator),
        EventType::ServerDraining => of::<ServerDraining>(generator),
        EventType::ServerNotice => of::<ServerNotice>(generator),
    }
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

fn refusal(name: Value, error: &Schema, id: &Schema) -> Value {
    object(
        &[("type", name), ("success", json!({ "const": false })), ("error", json!(error))],
        &[("id", json!(id))],
        true,
    )
}

fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// An object with these fields. All of `fields` are required, the last only if `last_required`.
fn object(fields: &[(&str, Value)], optional: &[(&str, Value)], last_required: bool) -> Value {
    let required = &fields[..fields.len() - usize::from(!last_required)];
    let required: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = fields
        .iter()
        .chain(optional)
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn refs(messages: &Map<String, Value>, prefix: &str) -> Vec<Value> {
    let names = messages.keys().filter(|name| name.starts_with(prefix));
    names.map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect()
}
