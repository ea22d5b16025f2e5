//! Before a room: which games and rooms there are, and whether the server is there at all.

use parlor_core::Time;
use parlor_protocol::limits::LIST_ROOMS_MAX;
use parlor_protocol::{
    ErrorDetail, FieldErrors, GameList, ListRooms, OneGame, Pong, RoomList, RoomSubscription,
};

use crate::connection::Connection;
use crate::encode::Answering;
use crate::opening::unknown_game;

pub(super) fn ping(connection: &Connection, to: Answering, now: Time) {
    let pong = Pong { server_time: now.as_millis() };
    connection.link.answer(to, &pong).expect("a number can be encoded");
}

pub(super) fn list_games(connection: &Connection, to: Answering) {
    let games = connection.gateway.games.values().map(|game| game.summary()).collect();
    connection.link.answer(to, &GameList { games }).expect("our own data is plain");
}

pub(super) fn list_rooms(connection: &Connection, to: Answering, data: ListRooms) {
    if let Some(game_type) = &data.game_type
        && !connection.gateway.games.contains_key(game_type.as_str())
    {
        connection.link.refuse(to, &unknown_game());
        return;
    }
    let below = match data.cursor.as_deref().map(str::parse::<u64>) {
        None => None,
        Some(Ok(number)) => Some(number),
        Some(Err(_)) => {
            let fields = FieldErrors::of("cursor", "cursor", "is not one that this server gave");
            connection.link.refuse(to, &ErrorDetail::validation_failed(&fields));
            return;
        }
    };
    let limit = data.limit() as usize;
    let page = connection.shared().listings.page(data.game_type.as_deref(), limit, below);
    let list = RoomList { rooms: page.rooms, cursor: page.next.map(|number| number.to_string()) };
    connection.link.answer(to, &list).expect("our own data is plain");
}

pub(super) fn subscribe_rooms(connection: &mut Connection, to: Answering, data: &OneGame) {
    let Some(game_type) = known_game(connection, to, data) else { return };
    let (link, limit) = (&connection.link, LIST_ROOMS_MAX as usize);
    connection.shared().listings.subscribe(game_type, connection.number, link, to, limit);
    connection.subscriptions.insert(game_type);
}

pub(super) fn unsubscribe_rooms(connection: &mut Connection, to: Answering, data: &OneGame) {
    let Some(game_type) = known_game(connection, to, data) else { return };
    connection.shared().listings.unsubscribe(game_type, connection.number);
    connection.subscriptions.remove(game_type);
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
