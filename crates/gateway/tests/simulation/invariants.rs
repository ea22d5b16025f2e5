//! What must hold after each step.

use std::collections::BTreeMap;

use parlor_core::{PlayerId, Viewer};
use serde_json::{Value, json};

use crate::game::BOT_NUMBERS;
use crate::model::Room;
use crate::world::{Seating, World};

impl World {
    pub(crate) fn check(&mut self) {
        self.learn_codes();
        self.check_sockets();
        self.check_holders();
        self.check_clients();
        self.check_histories();
        let complaints = self.complaints.0.lock().unwrap();
        assert!(complaints.is_empty(), "logged: {}", String::from_utf8_lossy(&complaints));
    }

    /// Every message is accounted for, and who must be closed is, and nobody else.
    fn check_sockets(&self) {
        for (socket, line) in self.sockets.iter().enumerate() {
            let Some(line) = line else { continue };
            let outbox = line.connection.outbox();
            let totals = outbox.totals();
            let waiting = outbox.len() as u64;
            let gone = totals.written + totals.coalesced + totals.unsent + waiting;
            assert_eq!(
                totals.queued, gone,
                "messages of socket {socket}: {totals:?}, {waiting} wait"
            );
            match (outbox.is_closed(), outbox.close_code(), line.must_close) {
                (false, _, None) => {}
                (false, _, Some(code)) => panic!("socket {socket} is not closed with {code}"),
                // It was too slow: as much waited as may, or as many bytes.
                (true, 4002, _) => assert!(
                    totals.unsent + 1 >= self.limits.messages_max as u64
                        || self.limits.bytes_max < 64 * 1024,
                    "socket {socket} was closed as slow with {} messages waiting",
                    totals.unsent,
                ),
                (true, code, must) => assert_eq!(Some(code), must, "the close of socket {socket}"),
            }
            if !outbox.is_closed() && outbox.is_empty() {
                assert!(line.expected.is_empty(), "socket {socket} waits for {:?}", line.expected);
                assert!(!line.must_hear_of_drain, "socket {socket} has not heard of the drain");
            }
        }
        let sockets = self.sockets.iter().flatten().count();
        assert_eq!(self.gateway.connection_count(), sockets, "connections");
    }

    /// Each seat has one socket that is open at most, and it is the one it must be.
    fn check_holders(&self) {
        for (socket, line) in self.sockets.iter().enumerate() {
            let Some(line) = line.as_ref().filter(|line| !line.connection.outbox().is_closed())
            else {
                continue;
            };
            if let Seating::Held { room, player } = line.seating {
                let holder = self.rooms[room].seats.get(&player).and_then(|seat| seat.holder);
                assert_eq!(holder, Some(socket), "who holds seat {player} of room {room}");
            }
            assert_eq!(
                line.connection.idle_max().is_none(),
                matches!(line.seating, Seating::Held { .. }),
                "whether socket {socket} has a seat",
            );
        }
    }

    /// Whoever has read everything has everything, and as it is.
    fn check_clients(&self) {
        for client in &self.clients {
            let Some(session) = &client.session else { continue };
            let Some(line) = session.socket.and_then(|socket| self.sockets[socket].as_ref()) else {
                continue;
            };
            let outbox = line.connection.outbox();
            let (room, player) = (session.room, session.player);
            if outbox.is_closed()
                || !outbox.is_empty()
                || line.seating != (Seating::Held { room, player })
            {
                continue;
            }
            let (mirror, room) = (&session.mirror, &self.rooms[session.room]);
            let who = format!("{} in room {}", client.name, session.room);
            assert_eq!(mirror.me, player);
            let roster: Value = mirror.roster.values().cloned().collect();
            assert_eq!(roster, room.roster(), "the seats that {who} knows");
            assert_eq!(mirror.host, json!(room.host), "the host that {who} knows");
            assert_eq!(mirror.phase, room.phase.name(), "the phase that {who} knows");
            assert!(mirror.chat.iter().eq(&room.chat), "the chat that {who} knows");

            let is_spectator = room.seats[&player].spectator;
            let viewer =
                if is_spectator { Viewer::Spectator } else { Viewer::Player(PlayerId(player)) };
            let view = self.witness.view(room.options.tag, viewer).expect("a room that is seen");
            assert_eq!(mirror.view, view, "the view that {who} has");
            let entered: Vec<u64> = serde_json::from_value(view["entered"].clone()).unwrap();
            let entered = entered.into_iter().filter(|number| *number < BOT_NUMBERS);
            let must = room.entered.get(&player).cloned().unwrap_or_default();
            assert!(entered.clone().eq(must.iter().copied()), "{who} entered {must:?}: {view}");
            if let Some(seq) = self.ledgers[session.room].for_all_after(mirror.last_seq) {
                panic!("{who} has read everything, but not event {seq}");
            }
        }
    }

    /// What one has heard and everyone must, nobody has gone on without.
    fn check_histories(&mut self) {
        for (room, ledger) in self.ledgers.iter_mut().enumerate() {
            for seq in std::mem::take(&mut ledger.unchecked) {
                let sessions = self.clients.iter().filter_map(|client| client.session.as_ref());
                for session in sessions.filter(|session| session.room == room) {
                    assert!(
                        !session.mirror.has_missed(seq),
                        "player {} of room {room} has missed event {seq}",
                        session.player,
                    );
                }
            }
        }
    }

    /// A room whose creator never heard of it is in the listings all the same.
    fn learn_codes(&mut self) {
        assert_eq!(
            self.gateway.room_count(),
            self.rooms.iter().filter(|room| !room.closed).count(),
            "rooms that are open",
        );
        if self.rooms.iter().any(|room| room.code.is_none() && !room.closed) {
            for listed in self.list() {
                let room = self
                    .rooms
                    .iter_mut()
                    .find(|room| listed["options"]["tag"] == room.options.tag)
                    .expect("a room that somebody made");
                room.code = Some(listed["roomId"].as_str().unwrap().into());
            }
        }
    }

    /// The listing shows the rooms as they are.
    pub(crate) fn check_listing(&mut self) {
        let listed = self.list();
        let public: Vec<&Room> =
            self.rooms.iter().rev().filter(|room| !room.closed && !room.private).collect();
        assert_eq!(listed.len(), public.len(), "rooms in the listing");
        for (info, room) in listed.iter().zip(public) {
            assert_eq!(info["roomId"].as_str(), room.code.as_deref(), "newest first");
            for (field, value) in room.listed().as_object().unwrap() {
                assert_eq!(info[field], *value, "{field} in the listing: {info}");
            }
        }
    }

    /// The rooms of the listing that can be joined.
    pub(crate) fn joinable(&mut self) -> BTreeMap<String, Value> {
        joinable(self.list())
    }

    /// The same, as far as the observer was told.
    pub(crate) fn followed(&self) -> BTreeMap<String, Value> {
        let followed = self.observer.as_ref().map(|observer| observer.followed.values().cloned());
        joinable(followed.into_iter().flatten().collect())
    }
}

fn joinable(rooms: Vec<Value>) -> BTreeMap<String, Value> {
    let joinable = rooms.into_iter().filter(|room| room["joinable"] == true);
    joinable.map(|room| (room["roomId"].as_str().unwrap().to_owned(), room)).collect()
}
