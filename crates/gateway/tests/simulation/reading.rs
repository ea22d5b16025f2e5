//! How clients read: each message is held against what was promised, and followed.

use std::task::{Context, Poll, Waker};

use memchr::memmem;
use parlor_gateway::outbox::{Message, Taken};
use parlor_protocol::Codec;
use serde_json::Value;

use crate::ask::Ask;
use crate::game::SECRET;
use crate::mirror::Mirror;
use crate::model::Socket;
use crate::world::{Expected, Reading, Session, What, World};

impl World {
    /// Lets everyone read as it does, until nobody has anything to read or to hear of.
    pub(crate) fn read_all(&mut self) {
        // Who reads a close loses its socket, of which the others hear.
        let mut budgets: Vec<usize> = self.sockets.iter().map(|_| usize::MAX).collect();
        for (socket, budget) in budgets.iter_mut().enumerate() {
            *budget = match self.sockets[socket].as_ref().map(|line| line.reading) {
                Some(Reading::Everything) => usize::MAX,
                Some(Reading::Some(max)) => max,
                Some(Reading::Nothing) | None => 0,
            };
        }
        loop {
            let mut has_read = false;
            for (socket, budget) in budgets.iter_mut().enumerate() {
                if *budget > 0 {
                    let read = self.read(socket, *budget);
                    *budget = budget.saturating_sub(if *budget == usize::MAX { 0 } else { read });
                    has_read |= read > 0;
                }
            }
            if !has_read {
                return;
            }
        }
    }

    /// Reads up to so many messages; a close counts as one. Gives how many there were.
    pub(crate) fn read(&mut self, socket: Socket, max: usize) -> usize {
        let mut read = 0;
        while read < max {
            let Some(line) = &mut self.sockets[socket] else { break };
            let mut cx = Context::from_waker(Waker::noop());
            let mut taken = Vec::new();
            let outcome =
                line.connection.outbox().poll_take(&mut cx, (max - read).min(16), &mut taken);
            read += taken.len();
            for message in taken {
                self.receive(socket, &message);
            }
            match outcome {
                Poll::Ready(Taken::Messages { .. }) => {}
                Poll::Ready(Taken::Close { code, .. }) => {
                    self.hear_close(socket, code);
                    return read + 1;
                }
                Poll::Pending => break,
            }
        }
        read
    }

    fn hear_close(&mut self, socket: Socket, code: u16) {
        self.journal.note(|| format!("  {socket} < close {code}"));
        let line = self.line(socket);
        if code != 4002 {
            assert!(line.expected.is_empty(), "closed without an answer to {:?}", line.expected);
        }
        let client = line.client;
        self.lose_after_close(socket, client, code);
    }

    fn lose_after_close(&mut self, socket: Socket, client: Option<usize>, code: u16) {
        if let Some(client) = client.map(|client| &mut self.clients[client])
            && matches!(code, 4003 | 4004)
            && client.session.as_ref().is_some_and(|session| session.socket == Some(socket))
        {
            client.session = None;
            client.unanswered.clear();
        }
        self.lose(socket);
    }

    fn receive(&mut self, socket: Socket, message: &Message) {
        self.counts.messages += 1;
        let line = self.sockets[socket].as_mut().expect("it was just read from");
        assert_eq!(message.kind, line.codec.frame_kind());
        let bytes = &message.payload;
        let value: Value = match line.codec {
            Codec::Json => serde_json::from_slice(bytes).unwrap(),
            Codec::MsgPack => rmp_serde::from_slice(bytes).unwrap(),
        };
        self.journal.note(|| format!("  {socket} < {value}"));
        self.check_secrets(socket, bytes);

        let line = self.line(socket);
        let kind = value["type"].as_str().unwrap();
        let is_first = !std::mem::replace(&mut line.is_greeted, true);
        assert_eq!(is_first, kind == "welcome", "the greeting is the first message");
        if is_first {
            return;
        }
        if kind == "server_draining" {
            let must_hear = std::mem::take(&mut line.must_hear_of_drain);
            assert!(must_hear, "it was told of a drain that is none, or twice");
        } else if kind == "room_list_update" {
            self.follow_listing(&value["data"]);
        } else if value.get("success").is_some() {
            let expected = line.expected.pop_front();
            let expected = expected.unwrap_or_else(|| panic!("an answer to nothing: {value}"));
            self.hear_answer(socket, expected, &value);
        } else {
            self.hear_event(socket, &value);
        }
    }

    /// Nothing of another's is in any byte.
    fn check_secrets(&self, socket: Socket, bytes: &[u8]) {
        for place in memmem::find_iter(bytes, SECRET) {
            let line = self.sockets[socket].as_ref().expect("it was just read from");
            let is_own = line.seats.iter().any(|(room, player)| {
                let own = format!("{SECRET}{}-{player}-", self.rooms[*room].options.tag);
                bytes[place..].starts_with(own.as_bytes())
            });
            assert!(is_own, "another's secret");
        }
    }

    fn hear_event(&mut self, socket: Socket, event: &Value) {
        let Some(client) = self.line(socket).client else { panic!("an event for the observer") };
        let Some(session) = &mut self.clients[client].session else { return };
        if session.socket == Some(socket) {
            session.mirror.apply(event, &mut self.ledgers[session.room]);
        }
    }

    fn hear_answer(&mut self, socket: Socket, expected: Expected, answer: &Value) {
        let Expected { kind, id, what } = expected;
        assert_eq!(answer["type"], format!("{}_result", kind.as_str()), "the next answer");
        assert_eq!(answer["id"], id, "the next answer");
        let refused = match &what {
            What::Verdict { verdict, .. } => verdict.outcome.err(),
            What::Refused(code) => Some(*code),
            What::Joined { .. } | What::Resumed { .. } | What::Listing => None,
        };
        assert_eq!(answer["success"], refused.is_none(), "answer {answer} to {what:?}");
        assert_eq!(answer["error"]["code"].as_str(), refused, "answer {answer} to {what:?}");

        let data = &answer["data"];
        let Some(client) = self.line(socket).client else {
            self.observer.as_mut().expect("who else").hear(kind.as_str(), data);
            return;
        };
        self.clients[client].unanswered.remove(&id);
        match what {
            What::Listing => unreachable!("only the observer lists"),
            What::Refused(code) => {
                let client = &mut self.clients[client];
                if kind.as_str() == "reconnect" && matches!(code, "SESSION_INVALID" | "ROOM_CLOSED")
                {
                    client.session = None;
                    client.unanswered.clear();
                }
            }
            What::Verdict { ask, verdict, seat } => {
                if let Some((room, player)) = seat.filter(|_| verdict.is_decided) {
                    let first = self.answers.entry((room, player, id));
                    let first = first.or_insert_with(|| answer.clone());
                    assert_eq!(first, answer, "another answer to the same request");
                }
                let client = &mut self.clients[client];
                let Some(session) = &mut client.session else { return };
                if session.socket != Some(socket) || refused.is_some() {
                    return;
                }
                match ask {
                    Ask::State => {
                        session.mirror.take_view(data, &mut self.ledgers[session.room]);
                    }
                    Ask::AddBot => assert_eq!(
                        data["playerId"].as_u64(),
                        verdict.outcome.unwrap().map(u64::from)
                    ),
                    _ => {}
                }
                if verdict.is_new {
                    session.mirror.hear_response(data["seq"].as_u64().unwrap());
                }
                if matches!(ask, Ask::Leave) {
                    client.session = None;
                    client.unanswered.clear();
                }
            }
            What::Joined { room, player, token_number, picture } => {
                assert_eq!(data["playerId"], player, "the seat that a join gives");
                if self.rooms[room].code.is_none() {
                    self.rooms[room].code = Some(data["roomId"].as_str().unwrap().into());
                }
                assert_eq!(data["roomId"].as_str(), self.rooms[room].code.as_deref());
                let mirror = Mirror::from_picture(data, &picture, &mut self.ledgers[room]);
                let token = data["sessionToken"].as_str().expect("a token").to_owned();
                let client = &mut self.clients[client];
                if client.socket == Some(socket) {
                    client.unanswered.clear();
                    let socket = Some(socket);
                    let session = Session { room, player, token, token_number, mirror, socket };
                    client.session = Some(session);
                }
            }
            What::Resumed { room, player, picture, must_be_snapshot } => {
                let is_replay = data["resumed"] == "replayed";
                assert!(!(is_replay && must_be_snapshot), "a replay of what cannot be continued");
                assert_eq!(data["playerId"], player, "the seat of the token");
                assert!(data["sessionToken"].is_null(), "a token is told once");
                self.counts.replays += u64::from(is_replay);
                self.counts.snapshots += u64::from(!is_replay);
                let of = &mut self.clients[client];
                let session = of.session.as_mut().filter(|_| of.socket == Some(socket));
                let Some(session) = session.filter(|s| (s.room, s.player) == (room, player)) else {
                    return;
                };
                session.socket = Some(socket);
                if is_replay {
                    session.mirror.resume(data, &picture);
                } else {
                    session.mirror = Mirror::from_picture(data, &picture, &mut self.ledgers[room]);
                }
                // What was not answered is asked again, with the same ids.
                let again: Vec<(u64, Ask)> =
                    of.unanswered.iter().map(|(id, ask)| (*id, *ask)).collect();
                for request in again {
                    if self.is_open(socket) {
                        self.ask(client, socket, &[request]);
                    }
                }
            }
        }
    }

    fn follow_listing(&mut self, data: &Value) {
        let observer = self.observer.as_mut().expect("only the observer subscribes");
        for room in data["removed"].as_array().unwrap() {
            observer.followed.remove(room.as_str().unwrap());
        }
        observer.follow(data["changed"].as_array().unwrap());
    }
}

impl crate::world::Observer {
    fn hear(&mut self, kind: &str, data: &Value) {
        let rooms = data["rooms"].as_array().unwrap();
        match kind {
            "subscribe_rooms" => self.follow(rooms),
            "list_rooms" => self.rooms = rooms.clone(),
            other => panic!("the observer does not ask {other}"),
        }
    }

    fn follow(&mut self, rooms: &[Value]) {
        for room in rooms {
            self.followed.insert(room["roomId"].as_str().unwrap().into(), room.clone());
        }
    }
}
