//! Before a room: which games and rooms there are, and whether the server is there at all.

use parlor_core::Time;
use parlor_protocol::limits::LIST_ROOMS_MAX;
use parlor_protocol::{ListRooms, OneGame, Pong, RoomSubscription};

use crate::connection::Connection;
use crate::encode::Answering;
use crate::opening::unknown_game;

pub(super) fn ping(connection: &Connection, to: Answering, now: Time) {
    let pong = Pong { server_time: now.as_millis() };
    connection.link.answer(to, &pong).expect("a number can be encoded");
}

pub(super) fn list_games(connection: &Connection, to: Answering) {
    let games = connection.gateway.list_games();
    connection.link.answer(to, &games).expect("our own data is plain");
}

pub(super) fn list_rooms(connection: &Connection, to: Answering, data: ListRooms) {
    match connection.gateway.list_rooms(&data) {
        Ok(list) => connection.link.answer(to, &list).expect("our own data is plain"),
        Err(error) => connection.link.refuse(to, &error),
    }
}

pub(super) fn subscribe_rooms(connection: &mut Connection, to: Answering, data: &OneGame) {
    let Some(game_type) = known_game(connection, to, data) else { return };
    let (link, limit) = (&connection.link, LIST_ROOMS_MAX as usize);
    connection.shared().listings.subscribe(game_type, connection.number, link, to, limit);
    connection.subscriptions.get_or_insert_default().insert(game_type);
}

pub(super) fn unsubscribe_rooms(connection: &mut Connection, to: Answering, data: &OneGame) {
    let Some(game_type) = known_game(connection, to, data) else { return };
    connection.shared().listings.unsubscribe(game_type, connection.number);
    if let Some(subscriptions) = &mut connection.subscriptions {
        subscriptions.remove(game_type);
    }
    connection.link.answer(to, &RoomSubscription::default()).expect("our own data is plain");
}

/// The game's own name, which lives as long as the server; otherwise the request is refused.
fn known_game(connection: &Connection, to: Answering, data: &OneGame) -> Option<&'static str> {
    let known = connection.gateway.games.get_key_value(data.game_type.as_str());
    if known.is_none() {
        connection.link.refuse(to, &unknown_game());
    }
    known.map(|(game_type, _)| *game_type)
}
