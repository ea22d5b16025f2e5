//! The game itself: acting, looking, beginning.

use parlor_core::{Command, Time};
use parlor_protocol::RawData;

use crate::connection::Connection;
use crate::encode::Answering;
use crate::room::SeatRequest;

pub(super) fn action(connection: &mut Connection, to: Answering, now: Time, data: RawData<'_>) {
    connection.ask_room(SeatRequest::Action(data), to, now);
}

pub(super) fn get_state(connection: &mut Connection, to: Answering, now: Time) {
    connection.ask_room(SeatRequest::State, to, now);
}

pub(super) fn start(connection: &mut Connection, to: Answering, now: Time) {
    connection.command(to, now, Command::Start);
}

pub(super) fn rematch(connection: &mut Connection, to: Answering, now: Time) {
    connection.command(to, now, Command::Rematch);
}
