//! What the host may do to the room and to the others in it.

use parlor_core::Time;
use parlor_protocol::{KickPlayer, OnePlayer, UpdateRoom};

use crate::connection::Connection;
use crate::encode::Answering;
use crate::from_wire;

pub(super) fn kick_player(connection: &mut Connection, to: Answering, now: Time, data: KickPlayer) {
    connection.command(to, now, |by| from_wire::kick(by, data));
}

pub(super) fn set_host(connection: &mut Connection, to: Answering, now: Time, data: OnePlayer) {
    connection.command(to, now, |by| from_wire::set_host(by, data));
}

pub(super) fn update_room(connection: &mut Connection, to: Answering, now: Time, data: UpdateRoom) {
    let Some(room) = connection.seat.here().map(|seat| seat.room.code()) else {
        connection.refuse_unattached(to, now);
        return;
    };
    connection.command(to, now, |by| from_wire::update_room(room, by, data));
}
