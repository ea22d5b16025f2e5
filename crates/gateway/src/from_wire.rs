//! From the wire to the domain. With `to_wire`, the only place where the two meet.

use std::collections::BTreeMap;

use parlor_core::{Command, PlayerId, Scalar, SettingsChanges};
use parlor_protocol as wire;
use parlor_protocol::{Change, Object, RoomCode};
use serde_json::Value;

use crate::secrets::password_digest;

pub(crate) fn player_id(player: wire::PlayerId) -> PlayerId {
    PlayerId(player.0)
}

pub(crate) fn add_bot(by: PlayerId, data: wire::AddBot) -> Command {
    let name = data.name.map(|name| name.as_str().to_owned());
    Command::AddBot { by, name, level: data.level }
}

pub(crate) fn remove_bot(by: PlayerId, data: wire::OnePlayer) -> Command {
    Command::RemoveBot { by, bot: player_id(data.player_id) }
}

pub(crate) fn kick(by: PlayerId, data: wire::KickPlayer) -> Command {
    Command::Kick { by: Some(by), player: player_id(data.player_id), ban: data.ban }
}

pub(crate) fn set_host(by: PlayerId, data: wire::OnePlayer) -> Command {
    Command::SetHost { by, player: player_id(data.player_id) }
}

pub(crate) fn update_room(room: RoomCode, by: PlayerId, data: wire::UpdateRoom) -> Command {
    let wire::UpdateRoom { locked, private, password, metadata } = data;
    let changes = SettingsChanges {
        locked,
        private,
        password: match password {
            Change::Keep => None,
            Change::Clear => Some(None),
            Change::Set(password) => Some(Some(password_digest(room, &password))),
        },
        metadata: match metadata {
            Change::Keep => None,
            Change::Clear => Some(BTreeMap::new()),
            Change::Set(object) => Some(self::metadata(object)),
        },
    };
    Command::Update { by, changes }
}

/// Metadata, which the protocol has found to be flat.
pub(crate) fn metadata(object: Object) -> BTreeMap<String, Scalar> {
    object.into_iter().map(|(name, value)| (name, scalar(value))).collect()
}

fn scalar(value: Value) -> Scalar {
    match value {
        Value::Null => Scalar::Null,
        Value::Bool(value) => Scalar::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Scalar::Int(integer),
            None => Scalar::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Scalar::Text(text.into()),
        Value::Array(values) => Scalar::List(values.into_iter().map(scalar).collect()),
        Value::Object(_) => Scalar::Null,
    }
}
