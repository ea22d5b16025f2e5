//! What each request does: one small file for each area.
//!
//! A handler turns a request's data into what the domain understands and passes it on. Who may
//! do what, and when, is the room's to decide.

mod bots;
mod chat;
mod game;
mod host;
mod joining;
mod lobby;
mod seats;

use parlor_core::Time;
use parlor_protocol::Request;

use crate::connection::Connection;
use crate::encode::Answering;

pub(crate) use joining::{Slow, handle_slow};

/// Handles a request, or gives it back when it has to wait for a store.
pub(crate) fn handle(
    connection: &mut Connection,
    request: Request<'_>,
    to: Answering,
    now: Time,
) -> Option<Slow> {
    match request {
        Request::CreateRoom(data) => return Some(Slow::CreateRoom(to, data)),
        Request::JoinRoom(data) => return Some(Slow::JoinRoom(to, data)),
        Request::QuickMatch(data) => return Some(Slow::QuickMatch(to, data)),
        Request::Reconnect(data) => return Some(Slow::Reconnect(to, data)),

        Request::Authenticate(data) => return Some(Slow::Authenticate(to, data)),

        Request::Ping => lobby::ping(connection, to, now),
        Request::ListGames => lobby::list_games(connection, to),
        Request::ListRooms(data) => lobby::list_rooms(connection, to, data),
        Request::SubscribeRooms(data) => lobby::subscribe_rooms(connection, to, &data),
        Request::UnsubscribeRooms(data) => lobby::unsubscribe_rooms(connection, to, &data),

        Request::GameAction(data) => game::action(connection, to, now, data),
        Request::GetState => game::get_state(connection, to, now),
        Request::StartGame => game::start(connection, to, now),
        Request::Rematch => game::rematch(connection, to, now),

        Request::LeaveRoom => seats::leave(connection, to, now),
        Request::SetReady(data) => seats::set_ready(connection, to, now, data),
        Request::SetRole(data) => seats::set_role(connection, to, now, data),

        Request::KickPlayer(data) => host::kick_player(connection, to, now, data),
        Request::SetHost(data) => host::set_host(connection, to, now, data),
        Request::UpdateRoom(data) => host::update_room(connection, to, now, data),

        Request::AddBot(data) => bots::add(connection, to, now, data),
        Request::RemoveBot(data) => bots::remove(connection, to, now, data),

        Request::Chat(data) => chat::chat(connection, to, now, data),
    }
    None
}

impl Connection {
    /// Asks the room for something that it decides on, as the player of this connection's seat.
    fn command(
        &mut self,
        to: Answering,
        now: Time,
        command: impl FnOnce(parlor_core::PlayerId) -> parlor_core::Command,
    ) {
        let Some(player) = self.seat.here().map(|seat| seat.hold.player) else {
            self.refuse_unattached(to, now);
            return;
        };
        self.ask_room(crate::room::SeatRequest::Command(command(player)), to, now);
    }
}
