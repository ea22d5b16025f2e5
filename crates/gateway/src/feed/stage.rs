//! A commit's messages, numbered and encoded before anyone gets them.

use std::sync::Arc;

use parlor_core::{Audience, Commit, Game, LeaveReason, PlayerId, RoomEvent, Viewer};
use parlor_protocol as wire;
use parlor_protocol::{Codec, EventType, RequestId, RoomCode, RoomInfo};
use serde::Serialize;

use super::Feed;
use super::delay::Late;
use super::states::Payloads;
use crate::encode::{Unencodable, encode_event};
use crate::to_wire;

/// A message with its number and its bytes. A copy shares the bytes.
#[derive(Clone)]
pub(super) struct Staged {
    pub(super) seq: u64,
    pub(super) to: To,
    payloads: Payloads,
}

/// Who gets a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    /// Every socket.
    Everyone,
    /// Every socket, of which this player's is closed after it.
    Kicked(PlayerId),
    /// Whom the game, or a rule of the room's, names.
    Audience(Audience),
}

impl To {
    /// Whether `player` hears it.
    pub(super) fn is_heard_by(self, player: PlayerId, viewer: Viewer) -> bool {
        match self {
            Self::Everyone | Self::Kicked(_) => true,
            Self::Audience(audience) => audience.includes(player, viewer),
        }
    }
}

impl Staged {
    pub(super) fn payload(&self, codec: Codec) -> Option<&Arc<[u8]>> {
        self.payloads[codec as usize].as_ref()
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let payloads = self.payloads.iter().flatten().map(|payload| payload.len());
        payloads.sum::<usize>() + size_of::<Self>()
    }
}

impl Feed {
    /// Numbers and encodes what `commit` has to tell, also for the codec of someone who is about to
    /// be attached. On failure nothing is staged and no number is used.
    ///
    /// `info` says what a listing says of the room after the commit.
    pub(crate) fn stage<G: Game>(
        &mut self,
        room: RoomCode,
        commit: &Commit<G>,
        joining: Option<Codec>,
        info: impl FnOnce() -> RoomInfo,
    ) -> Result<(), Unencodable> {
        // What a breakdown may have left behind belongs to a change that never was.
        self.unstage();
        // Those who are away count: what they miss is kept for them.
        let codecs = Codec::ALL.map(|codec| {
            joining == Some(codec) || self.desks.iter().any(|desk| desk.codec == codec)
        });
        let mut stage = Stage { feed: self, codecs, seq: 0 };
        stage.seq = stage.feed.seq;
        let outcome = stage.commit(room, commit, info);
        self.staged_late = self.delay.as_ref().map(|delay| Box::new(Late::of(commit, delay)));
        if outcome.is_err() {
            self.unstage();
        }
        outcome
    }

    /// Takes back what was staged: its commit will not be published.
    pub(crate) fn unstage(&mut self) {
        self.staged.clear();
        self.staged_state = None;
        self.staged_late = None;
    }
}

/// A commit being staged.
struct Stage<'a> {
    feed: &'a mut Feed,
    /// Which codecs are in use.
    codecs: [bool; Codec::ALL.len()],
    /// The last number given.
    seq: u64,
}

impl Stage<'_> {
    fn commit<G: Game>(
        &mut self,
        room: RoomCode,
        commit: &Commit<G>,
        info: impl FnOnce() -> RoomInfo,
    ) -> Result<(), Unencodable> {
        let mut info = Some(info);
        for event in &commit.room_events {
            self.room_event(room, event, &mut info)?;
        }
        for (audience, event) in &commit.game_events {
            self.event(To::Audience(*audience), EventType::GameEvent, event)?;
        }
        if commit.shows_state && self.feed.stage_state(commit, self.seq + 1)? {
            self.seq += 1;
        }
        Ok(())
    }

    fn room_event<G: Game>(
        &mut self,
        room: RoomCode,
        event: &RoomEvent<G>,
        info: &mut Option<impl FnOnce() -> RoomInfo>,
    ) -> Result<(), Unencodable> {
        let player_id = to_wire::player_id;
        let all = To::Everyone;
        match event {
            RoomEvent::Joined(seat) => {
                self.event(all, EventType::PlayerJoined, &to_wire::player(seat))
            }
            RoomEvent::Replaced(seat) => {
                self.event(all, EventType::PlayerReplaced, &to_wire::player(seat))
            }
            RoomEvent::Left(player, reason) => {
                let to = match reason {
                    LeaveReason::Kicked => To::Kicked(*player),
                    LeaveReason::Left | LeaveReason::Timeout | LeaveReason::Removed => all,
                };
                let (player_id, reason) = (player_id(*player), to_wire::leave_reason(*reason));
                self.event(to, EventType::PlayerLeft, &wire::PlayerLeft { player_id, reason })
            }
            RoomEvent::Disconnected(player, until) => self.event(
                all,
                EventType::PlayerDisconnected,
                &wire::PlayerDisconnected {
                    player_id: player_id(*player),
                    grace_until: to_wire::millis(*until),
                },
            ),
            RoomEvent::Reconnected(player) => {
                let player_id = player_id(*player);
                let data = wire::PlayerReconnected { player_id };
                self.event(all, EventType::PlayerReconnected, &data)
            }
            RoomEvent::Ready(player, ready) => {
                let data = wire::PlayerReady { player_id: player_id(*player), ready: *ready };
                self.event(all, EventType::PlayerReady, &data)
            }
            RoomEvent::HostChanged(host) => {
                let data = wire::HostChanged { player_id: host.map(player_id) };
                self.event(all, EventType::HostChanged, &data)
            }
            RoomEvent::Updated => match info.take() {
                Some(info) => self.event(all, EventType::RoomUpdated, &info()),
                // One change updates a room once.
                None => Ok(()),
            },
            RoomEvent::Started => self.event(all, EventType::GameStarted, &wire::NoData {}),
            RoomEvent::Finished(result) => {
                self.event(all, EventType::GameFinished, &wire::GameFinished { result })
            }
            RoomEvent::Chat(line) => {
                let to = if line.is_aside { To::Audience(Audience::Spectators) } else { all };
                self.event(to, EventType::ChatMessage, &to_wire::chat_message(line))
            }
            RoomEvent::ActionRefused { player, request, refusal } => {
                let data = wire::ActionRefused {
                    request_id: request.and_then(RequestId::new),
                    error: to_wire::refusal(refusal, G::GAME_TYPE),
                };
                self.event(To::Audience(Audience::Player(*player)), EventType::ActionRefused, &data)
            }
            RoomEvent::Closed(reason) => {
                let data =
                    wire::RoomClosed { room_id: room, reason: to_wire::close_reason(*reason) };
                self.event(all, EventType::RoomClosed, &data)
            }
        }
    }

    fn event<T: Serialize>(
        &mut self,
        to: To,
        kind: EventType,
        data: &T,
    ) -> Result<(), Unencodable> {
        let seq = self.seq + 1;
        let payloads = self.encode(kind, seq, data)?;
        self.feed.staged.push(Staged { seq, to, payloads });
        self.seq = seq;
        Ok(())
    }

    fn encode<T: Serialize>(
        &self,
        kind: EventType,
        seq: u64,
        data: &T,
    ) -> Result<Payloads, Unencodable> {
        let mut payloads = Payloads::default();
        for codec in Codec::ALL {
            if self.codecs[codec as usize] {
                payloads[codec as usize] = Some(encode_event(codec, kind, Some(seq), data)?);
            }
        }
        Ok(payloads)
    }
}
