//! What whoever runs the server sees and does: every room, also private ones, with all that players are not shown,
//! and every connection.
//!
//! Looking is for people who look now and then: it reads every room there is, and takes each room's lock for a
//! moment where sockets are concerned. Call it where blocking is allowed.

use std::collections::HashMap;
use std::sync::Arc;

use parlor_core::{PlayerId, Time};
use parlor_protocol::{
    CloseCode, Codec, ErrorCode, ErrorDetail, EventType, Player, PlayerId as WirePlayerId,
    RoomCode, RoomInfo, ServerNotice,
};
use serde::Serialize;
use serde_json::Value;

use crate::encode::Outlet;
use crate::gateway::Gateway;
use crate::identity::Identity;
use crate::outbox::Outbox;
use crate::quotas::AddressKey;
use crate::room::AnyRoom;

/// The powers of whoever runs the server. None of it asks who may: that is for whoever calls it to know.
#[derive(Clone, Debug)]
pub struct Operators {
    gateway: Arc<Gateway>,
}

/// A socket as the gateway has it in its list.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) outlet: Outlet,
    pub(crate) address: Option<AddressKey>,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) since: Time,
}

/// Some rooms, newest first.
#[derive(Clone, Debug, Serialize)]
pub struct RoomPage {
    rooms: Vec<Listed>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// How many there are on all pages.
    total: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    info: RoomInfo,
    private: bool,
}

/// One room, whole. **Not for players**: it holds what they may not see.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// What a listing says.
    pub room: RoomInfo,
    /// Whether listings leave it out.
    pub private: bool,
    /// Who is in it.
    pub players: Vec<Player>,
    /// Who is host.
    pub host: Option<WirePlayerId>,
    /// The version of the state.
    pub version: u64,
    /// The number of the last event.
    pub seq: u64,
    /// The game's whole state.
    pub state: Value,
    /// The last events, whomever they went to, oldest first.
    pub events: Vec<Value>,
}

/// Some connections, in the order in which they came.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionPage {
    connections: Vec<Connected>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// How many there are on all pages.
    total: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Connected {
    connection: u64,
    address: Option<String>,
    subject: Option<Arc<str>>,
    codec: &'static str,
    since: u64,
    room_id: Option<RoomCode>,
    player_id: Option<WirePlayerId>,
    /// Messages in its outbox.
    waiting: u64,
    queued: u64,
    written: u64,
}

impl Gateway {
    /// What whoever runs the server can see and do.
    pub fn operators(self: &Arc<Self>) -> Operators {
        Operators { gateway: Arc::clone(self) }
    }
}

impl Operators {
    /// Up to `limit` rooms whose code, game or one of whose players' names has `search` in it, beginning at
    /// `cursor`, which an earlier page has given. Refused for another.
    pub fn rooms(
        &self,
        search: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<RoomPage, ErrorDetail> {
        let below = cursor.map_or(Ok(u64::MAX), number)?;
        let search = search.trim().to_lowercase();
        let mut found: Vec<Arc<dyn AnyRoom>> = Vec::new();
        self.gateway.shared.rooms.for_each_shared(|room| {
            let fits = |text: &str| text.to_lowercase().contains(&search);
            if search.is_empty()
                || fits(room.code().as_str())
                || fits(room.game_type())
                || room.players().iter().any(|player| fits(&player.name))
            {
                found.push(Arc::clone(room));
            }
        });
        found.sort_unstable_by_key(|room| std::cmp::Reverse(room.number()));
        let total = found.len();
        let mut page: Vec<_> = found.into_iter().filter(|room| room.number() < below).collect();
        let is_last = page.len() <= limit;
        page.truncate(limit);
        let cursor = if is_last { None } else { page.last().map(|room| room.number().to_string()) };
        let listed =
            |room: &Arc<dyn AnyRoom>| Listed { info: room.info(), private: room.is_private() };
        Ok(RoomPage { rooms: page.iter().map(listed).collect(), cursor, total })
    }

    /// All of a room. `None` when it is not open.
    pub fn room(&self, code: RoomCode) -> Option<Inspection> {
        self.gateway.shared.rooms.get(code).map(|room| room.inspect(EVENTS_MAX))
    }

    /// Up to `limit` connections whose address, account, room or codec has `search` in it, beginning at `cursor`,
    /// which an earlier page has given. Refused for another.
    pub fn connections(
        &self,
        search: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<ConnectionPage, ErrorDetail> {
        let after = cursor.map_or(Ok(0), number)?;
        let search = search.trim().to_lowercase();
        let shared = &self.gateway.shared;
        let mut seats: HashMap<*const Outbox, (RoomCode, PlayerId)> = HashMap::new();
        shared.rooms.for_each_shared(|room| {
            room.for_each_socket(&mut |player, outbox| {
                seats.insert(Arc::as_ptr(outbox), (room.code(), player));
            });
        });
        let mut connections = Vec::new();
        let (mut total, mut is_last) = (0, true);
        shared.connections.for_each_entry(|number, peer| {
            let seat = seats.get(&Arc::as_ptr(&peer.outlet.outbox)).copied();
            let connected = Connected::new(number, peer, seat);
            if !search.is_empty() && !connected.has(&search) {
                return;
            }
            total += 1;
            if number <= after {
                return;
            }
            if connections.len() == limit {
                is_last = false;
            } else {
                connections.push(connected);
            }
        });
        let last = connections.last().map(|connected: &Connected| connected.connection.to_string());
        Ok(ConnectionPage { cursor: if is_last { None } else { last }, connections, total })
    }

    /// Sends a player away, and keeps its name from coming back if it is to be banned. Refused with
    /// `ROOM_NOT_FOUND` or `NO_SUCH_PLAYER`.
    pub fn kick(&self, code: RoomCode, player: WirePlayerId, ban: bool) -> Result<(), ErrorDetail> {
        let shared = &self.gateway.shared;
        let room = shared
            .rooms
            .get(code)
            .ok_or_else(|| ErrorDetail::new(ErrorCode::ROOM_NOT_FOUND, "no room has this code"))?;
        room.kick(shared.clock.now(), PlayerId(player.0), ban)
    }

    /// Closes a connection with 1000, after what is queued for it. `false` when there is none with this number.
    pub fn close_connection(&self, number: u64) -> bool {
        let peer = self.gateway.shared.connections.get(&number);
        peer.inspect(|peer| {
            peer.outlet.outbox.close(CloseCode::Normal.as_u16(), "closed by an operator");
        })
        .is_some()
    }

    /// Says something to everyone who is connected, and to how many.
    pub fn notice(&self, text: &str) -> usize {
        let notice = ServerNotice { text: text.to_owned() };
        let mut told = 0;
        self.gateway.shared.connections.for_each(|peer| {
            peer.outlet.tell(EventType::ServerNotice, &notice);
            peer.outlet.outbox.wake();
            told += 1;
        });
        told
    }
}

impl Connected {
    fn new(connection: u64, peer: &Peer, seat: Option<(RoomCode, PlayerId)>) -> Self {
        let outbox = &peer.outlet.outbox;
        let totals = outbox.totals();
        Self {
            connection,
            address: peer.address.map(|key| key.address().to_string()),
            subject: peer.identity.as_ref().map(|identity| Arc::clone(&identity.subject)),
            codec: match peer.outlet.codec {
                Codec::Json => "json",
                Codec::MsgPack => "msgpack",
            },
            since: peer.since.as_millis(),
            room_id: seat.map(|(room, _)| room),
            player_id: seat.map(|(_, player)| WirePlayerId(player.0)),
            waiting: outbox.len() as u64,
            queued: totals.queued,
            written: totals.written,
        }
    }

    fn has(&self, search: &str) -> bool {
        let texts = [
            self.address.as_deref(),
            self.subject.as_deref(),
            self.room_id.as_ref().map(RoomCode::as_str),
            Some(self.codec),
        ];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(search))
    }
}

fn number(cursor: &str) -> Result<u64, ErrorDetail> {
    cursor.parse().map_err(|_| crate::gateway::unknown_cursor())
}

/// Events of a room that are shown.
const EVENTS_MAX: usize = 200;
