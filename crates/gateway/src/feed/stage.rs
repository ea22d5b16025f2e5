//! A commit's messages, numbered and encoded before anyone gets them.

use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;
use parlor_core::{Audience, Commit, Game, LeaveReason, PlayerId, RoomEvent, ViewKey, Viewer};
use parlor_protocol as wire;
use parlor_protocol::{Codec, EventType, RoomCode, RoomInfo};
use serde::Serialize;

use super::{Feed, Member};
use crate::encode::{Unencodable, encode_event};
use crate::outbox::Class;
use crate::to_wire;

/// A message with its number and its bytes.
pub(super) struct Staged {
    pub(super) seq: u64,
    pub(super) to: To,
    payloads: Payloads,
}

/// A message's bytes by codec; empty where no socket uses it.
pub(super) type Payloads = [Option<Arc<[u8]>>; Codec::ALL.len()];

/// The encodings of a state by group of viewers, in the order of the room's seats.
#[derive(Default)]
pub(super) struct Views(Vec<(ViewKey, Payloads)>);

impl Views {
    fn of(groups: usize) -> Self {
        Self(Vec::with_capacity(groups))
    }

    /// The encodings for `key`, which mostly is where it was before.
    fn find(&self, key: ViewKey, likely_place: usize) -> Option<&Payloads> {
        let likely = self.0.get(likely_place).filter(|(other, _)| *other == key);
        let found = likely.or_else(|| self.0.iter().find(|(other, _)| *other == key));
        found.map(|(_, payloads)| payloads)
    }
}

/// A state being staged, beside its messages.
pub(super) struct StagedState {
    pub(super) views: Views,
    /// The number it takes, if anyone sees a difference.
    pub(super) seq: Option<u64>,
    pub(super) version: u64,
}

/// Who gets a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    /// Every socket.
    Everyone,
    /// Every socket, of which this player's is closed after it.
    Kicked(PlayerId),
    /// Whom the game named.
    Audience(Audience),
    /// Those who share this view.
    View(ViewKey),
}

impl To {
    /// Whether `member`, who shares the view `key`, is among them.
    pub(super) fn includes(self, member: &Member, key: Option<ViewKey>) -> bool {
        match self {
            Self::View(of) => key == Some(of),
            Self::Everyone | Self::Kicked(_) | Self::Audience(_) => {
                self.is_heard_by(member.hold.player, member.viewer)
            }
        }
    }

    /// Whether it is an event that `player` hears. A state is no event.
    pub(super) fn is_heard_by(self, player: PlayerId, viewer: Viewer) -> bool {
        match self {
            Self::Everyone | Self::Kicked(_) => true,
            Self::Audience(audience) => audience.includes(player, viewer),
            Self::View(_) => false,
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

    pub(super) fn class(&self) -> Class {
        match self.to {
            To::View(_) => Class::State,
            To::Everyone | To::Kicked(_) | To::Audience(_) => Class::Reliable,
        }
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
        if outcome.is_err() {
            self.unstage();
        }
        outcome
    }

    /// Takes back what was staged: its commit will not be published.
    pub(crate) fn unstage(&mut self) {
        self.staged.clear();
        self.staged_state = None;
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
        if commit.whole_state || commit.snapshot().version != self.feed.version {
            self.state(commit)?;
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
                self.event(all, EventType::ChatMessage, &to_wire::chat_message(line))
            }
            RoomEvent::Closed(reason) => {
                let data =
                    wire::RoomClosed { room_id: room, reason: to_wire::close_reason(*reason) };
                self.event(all, EventType::RoomClosed, &data)
            }
        }
    }

    /// The new state to each group of viewers that sees a difference. One number for all of them.
    fn state<G: Game>(&mut self, commit: &Commit<G>) -> Result<(), Unencodable> {
        let snapshot = commit.snapshot();
        let (version, phase) = (snapshot.version, to_wire::phase(snapshot.phase));
        // Who changes roles has not seen what the others in the new role have.
        let whole_state = commit.whole_state || self.feed.has_new_role(&snapshot.roster);
        let seq = self.seq + 1;
        let mut views = Views::of(commit.views.len());
        for (place, (key, view)) in commit.views.iter().enumerate() {
            let data = wire::RoomState { version, phase, state: view };
            let mut payloads = self.encode(EventType::RoomState, seq, &data)?;
            views.0.push((*key, payloads.clone()));
            if !whole_state && let Some(former) = self.feed.views.find(*key, place) {
                for codec in Codec::ALL {
                    let (new, old) = (&mut payloads[codec as usize], &former[codec as usize]);
                    if let (Some(state), Some(old)) = (&*new, old)
                        && state_of(codec, state) == state_of(codec, old)
                    {
                        *new = None;
                    }
                }
            }
            if payloads.iter().any(Option::is_some) {
                self.feed.staged.push(Staged { seq, to: To::View(*key), payloads });
                self.seq = seq;
            }
        }
        // Those who are away cannot be compared with: they may see a difference.
        if self.seq < seq && self.feed.is_anyone_away() {
            self.seq = seq;
        }
        let seq = (self.seq == seq).then_some(seq);
        self.feed.staged_state = Some(StagedState { views, seq, version });
        Ok(())
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

/// The part of an encoded `room_state` from its field `state` on, which is the last: what is left
/// when the number and the version are taken away.
fn state_of(codec: Codec, message: &[u8]) -> &[u8] {
    // Made once: to prepare a search costs more than to search so short a message.
    static JSON: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"state\":"));
    static MSGPACK: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\xa5state"));
    let key = match codec {
        Codec::Json => &JSON,
        Codec::MsgPack => &MSGPACK,
    };
    let start = key.find(message).expect("a room_state has a state");
    &message[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room_state(codec: Codec, seq: u64, version: u64, state: &str) -> Arc<[u8]> {
        let data = wire::RoomState { version, phase: wire::Phase::Playing, state };
        encode_event(codec, EventType::RoomState, Some(seq), &data).unwrap()
    }

    #[test]
    fn states_are_compared_without_their_numbers() {
        for codec in Codec::ALL {
            let one = room_state(codec, 1, 1, "\"state\":");
            let same = room_state(codec, 165, 1 << 40, "\"state\":");
            let other = room_state(codec, 1, 1, "other");
            assert_eq!(state_of(codec, &one), state_of(codec, &same));
            assert_ne!(state_of(codec, &one), state_of(codec, &other));
        }
    }
}
