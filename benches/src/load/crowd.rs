//! Players in rooms: connects them, lets them sit down, and keeps what they need to come back.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;
use parlor_protocol::Codec;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::echo::{GAME_TYPE, Say};
use super::fleet::{Fleet, Happening};
use super::stamp::Stamp;

/// Who is to sit where.
#[derive(Clone, Debug)]
pub(super) struct Seating {
    pub(super) server: SocketAddr,
    pub(super) codec: Codec,
    pub(super) voice: Voice,
    /// Whether there are seats at all: a bare hub has rooms that are only a path.
    pub(super) has_seats: bool,
    pub(super) players: usize,
    pub(super) room_players: usize,
    /// Clients on their way at a time.
    pub(super) joining_max: usize,
}

/// How players make themselves heard.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    /// The game that they sit down to.
    pub(super) game_type: Arc<str>,
    /// By chat, which every game's rooms have, and not by the game's actions.
    pub(super) is_chat: bool,
}

impl Default for Voice {
    fn default() -> Self {
        Self { game_type: GAME_TYPE.into(), is_chat: false }
    }
}

/// Players, the first of each room first: player number `n` is in room `n / room_players`.
pub(super) struct Crowd {
    pub(super) fleet: Fleet,
    seating: Seating,
    pub(super) seats: Vec<Seat>,
    /// The codes of the rooms that are open.
    rooms: Vec<Option<String>>,
}

/// What a player has to remember.
#[derive(Clone, Debug, Default)]
pub(super) struct Seat {
    pub(super) is_seated: bool,
    pub(super) token: String,
    pub(super) epoch: String,
    /// The highest number of an event that it has seen.
    pub(super) seq: u64,
    /// The last id that it has given a request.
    pub(super) id: u64,
}

/// What is said, as a request.
#[derive(Serialize)]
struct Speech<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: u64,
    data: T,
}

/// A line of chat.
#[derive(Serialize)]
struct Line {
    text: Stamp,
}

/// Why they do not sit.
#[derive(Debug, thiserror::Error)]
pub enum CrowdError {
    /// The system's.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server would not have somebody.
    #[error("the server refused a player: {0}")]
    Refused(String),
    /// Connections broke.
    #[error("{lost} connections were lost while players sat down: {why}")]
    Lost {
        /// How many.
        lost: u64,
        /// What the first ones say.
        why: String,
    },
    /// It takes too long.
    #[error("after {waited:?} only {seated} of {players} players had a seat")]
    TooSlow {
        /// How many had.
        seated: usize,
        /// Of how many.
        players: usize,
        /// For how long.
        waited: Duration,
    },
}

impl Crowd {
    /// Connects all of them and waits until everyone has a seat.
    pub(super) fn seat(seating: Seating) -> Result<Self, CrowdError> {
        let mut crowd = Self {
            fleet: Fleet::new()?,
            seats: vec![Seat::default(); seating.players],
            rooms: vec![None; seating.players.div_ceil(seating.room_players)],
            seating,
        };
        crowd.sit_down()?;
        Ok(crowd)
    }

    fn sit_down(&mut self) -> Result<(), CrowdError> {
        let began = Instant::now();
        let patience = PATIENCE
            + Duration::from_millis(5) * u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        let mut happened = VecDeque::new();
        // Who has a connection and waits for its room to be opened.
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); self.rooms.len()];
        let (mut on_their_way, mut seated) = (0, 0);
        while seated < self.seats.len() {
            while on_their_way < self.seating.joining_max && self.fleet.len() < self.seats.len() {
                self.connect()?;
                on_their_way += 1;
            }
            let codec = self.seating.codec;
            self.fleet.turn(TURN, |number, happening| match happening {
                Happening::Open => happened.push_back((number, None)),
                Happening::Message(payload) => {
                    if is_answer_to_joining(payload)
                        && let Some(answer) = Answer::read(codec, payload)
                    {
                        happened.push_back((number, Some(answer)));
                    }
                }
                Happening::Lost => {}
            })?;
            if self.fleet.lost > 0 {
                let why = self.fleet.losses.join(", ");
                return Err(CrowdError::Lost { lost: self.fleet.lost, why });
            }
            for (number, answer) in happened.drain(..) {
                let room = number / self.seating.room_players;
                if let Some(answer) = answer {
                    self.seated(number, answer)?;
                    on_their_way -= 1;
                    seated += 1;
                    for guest in std::mem::take(&mut waiting[room]) {
                        self.ask_for_seat(guest);
                    }
                } else if !self.seating.has_seats {
                    self.seats[number].is_seated = true;
                    on_their_way -= 1;
                    seated += 1;
                } else if number % self.seating.room_players == 0 || self.rooms[room].is_some() {
                    self.ask_for_seat(number);
                } else {
                    waiting[room].push(number);
                }
            }
            if began.elapsed() > patience {
                let (players, waited) = (self.seats.len(), began.elapsed());
                return Err(CrowdError::TooSlow { seated, players, waited });
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> io::Result<()> {
        let room = self.fleet.len() / self.seating.room_players;
        let path = if self.seating.has_seats { "/ws".to_owned() } else { format!("/room/{room}") };
        self.fleet.connect(self.seating.server, &path, self.seating.codec).map(drop)
    }

    fn ask_for_seat(&mut self, number: usize) {
        let name = format!("Player {number}");
        let room = number / self.seating.room_players;
        let request = match &self.rooms[room] {
            None => {
                // The last room may be a smaller one.
                let left = self.seats.len() - room * self.seating.room_players;
                let seats = self.seating.room_players.min(left).max(2);
                let data = json!({"gameType": &*self.seating.voice.game_type, "playerName": name, "maxPlayers": seats});
                json!({"type": "create_room", "id": 1, "data": data})
            }
            Some(code) => {
                json!({"type": "join_room", "id": 1, "data": {"roomId": code, "playerName": name}})
            }
        };
        self.ask(number, &request);
    }

    /// Sends a request for a player.
    pub(super) fn ask(&mut self, number: usize, request: &Value) {
        let message = self.seating.codec.encode(request).expect("a tree can be encoded");
        self.fleet.send(number, &message);
    }

    /// Lets a player act. `message` is only there to be used again.
    pub(super) fn act(&mut self, number: usize, at: Stamp, message: &mut Vec<u8>) {
        let seat = &mut self.seats[number];
        seat.id += 1;
        message.clear();
        let (codec, id) = (self.seating.codec, seat.id);
        let encoded = if self.seating.voice.is_chat {
            codec.encode_into(&Speech { kind: "chat", id, data: Line { text: at } }, message)
        } else {
            codec.encode_into(&Speech { kind: "game_action", id, data: Say { at } }, message)
        };
        encoded.expect("plain data can be encoded");
        self.fleet.send(number, message);
    }

    fn seated(&mut self, number: usize, answer: Answer) -> Result<(), CrowdError> {
        if !answer.success {
            return Err(CrowdError::Refused(answer.error.to_string()));
        }
        let Told { session_token, epoch, seq, room_id, .. } = answer.data;
        self.seats[number] = Seat { is_seated: true, token: session_token, epoch, seq, id: 1 };
        let room = number / self.seating.room_players;
        self.rooms[room].get_or_insert(room_id);
        Ok(())
    }

    /// Players in a player's room.
    pub(super) fn companions(&self, number: usize) -> usize {
        let first = number / self.seating.room_players * self.seating.room_players;
        self.seating.room_players.min(self.seats.len() - first)
    }

    pub(super) fn seating(&self) -> &Seating {
        &self.seating
    }

    /// Reads and drops what is sent until nothing more comes, for some time at most.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let until = Instant::now() + SETTLE_MAX;
        let mut quiet_since = Instant::now();
        while Instant::now() < until && quiet_since.elapsed() < QUIET {
            self.fleet.turn(TURN, |_, _| quiet_since = Instant::now())?;
        }
        Ok(())
    }
}

/// Whether a message answers a request for a seat.
pub(super) fn is_answer_to_joining(payload: &[u8]) -> bool {
    // The type comes first in what the server sends.
    let start = &payload[..payload.len().min(48)];
    memmem::find(start, b"_room_result").is_some()
        || memmem::find(start, b"reconnect_result").is_some()
}

/// What of an answer has to be known. The rest, such as a list of a thousand players, is passed over: reading all
/// of it would cost the generator more than it cost the server to write.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) success: bool,
    pub(super) data: Told,
    error: Value,
}

/// What an answer to a join, to a return or to `get_state` tells.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Told {
    room_id: String,
    session_token: String,
    epoch: String,
    pub(super) seq: u64,
    /// How a player came back.
    pub(super) resumed: Option<String>,
}

impl Answer {
    /// `None` for what is no answer.
    pub(super) fn read(codec: Codec, payload: &[u8]) -> Option<Self> {
        match codec {
            Codec::Json => serde_json::from_slice(payload).ok(),
            Codec::MsgPack => rmp_serde::from_slice(payload).ok(),
        }
    }
}

const TURN: Duration = Duration::from_millis(20);
const QUIET: Duration = Duration::from_millis(200);
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// How long players may take to sit down, and five milliseconds for each of them beside.
const PATIENCE: Duration = Duration::from_secs(20);
