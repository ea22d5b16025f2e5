//! Sitting down and coming back: where a socket gets hold of a seat.
//!
//! Whatever brings it there, a socket is attached between its greeting, which is the response and
//! what it missed, and the first event of the change that it causes.

use std::sync::Arc;

use parlor_core::{
    Command, Commit, Game, Join, PlayerId, Refusal, Seat, Snapshot, SyncMode, Time, Viewer,
};
use parlor_protocol::{
    ErrorCode, ErrorDetail, EventType, Joined, Replayed, RequestType, Resumed, RoomState, Secret,
};
use serde::Serialize;

use super::Returning;
use super::game_room::{GameRoom, Inner, look, not_encodable};
use crate::encode::{Answering, Link, encode_answer, encode_event};
use crate::feed::{Feed, Hold, Holds, Missed};
use crate::outbox::Class;
use crate::seating::{NewToken, Newcomer};
use crate::to_wire;
use crate::tree::Tree;

/// What a socket is sent before anything else of a room.
struct Greeting {
    /// The request that its first message answers.
    answers: RequestType,
    messages: Vec<(Arc<[u8]>, Class)>,
    /// What it tells the socket of the state.
    holds: Holds,
}

impl<G: Game> GameRoom<G> {
    pub(super) fn seat_newcomer(
        &self,
        inner: &mut Inner<G>,
        now: Time,
        newcomer: Newcomer,
        to: Answering,
        link: &Link,
    ) -> Result<Hold, Refusal> {
        let Newcomer { name, token, spectator, password, subject, profile } = newcomer;
        let NewToken { shown, digest } = token;
        let commit = inner.room.apply(
            now,
            Command::Join(Join { name, token: digest, spectator, password, subject, profile }),
        )?;
        let player = commit.seated.expect("a join gives a seat");
        let hold = self.seat(inner, commit, player, None, link, |inner, snapshot| {
            let joined = self.picture(inner, snapshot, player, Some(shown), link)?;
            greeting(link, to, &joined, told_whole(&inner.feed, &joined, true))
        })?;
        self.shared.sessions.seated(digest, self.code);
        Ok(hold)
    }

    /// Gives the seat of a newcomer that asks for it once more to its new socket, with a new token.
    /// `None` when the seat is gone.
    pub(super) fn seat_once_more(
        &self,
        inner: &mut Inner<G>,
        now: Time,
        player: PlayerId,
        token: NewToken,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Hold>, Refusal> {
        if inner.room.head().roster.seat(player).is_none() {
            return Ok(None);
        }
        let NewToken { shown, digest } = token;
        let hold = self.come_back(inner, now, player, None, link, |inner, snapshot| {
            let joined = self.picture(inner, snapshot, player, Some(shown), link)?;
            greeting(link, to, &joined, told_whole(&inner.feed, &joined, true))
        })?;
        // Last, for the old token is void from here on: a refusal must leave it as it was.
        let commit = inner.room.apply(now, Command::RenewToken { player, token: digest })?;
        self.publish(inner, commit, |_| {})?;
        self.shared.sessions.seated(digest, self.code);
        Ok(Some(hold))
    }

    /// Gives the seat of a token to another socket: after a loss, or from one that is still there.
    /// `None` when the token holds no seat.
    pub(super) fn seat_again(
        &self,
        inner: &mut Inner<G>,
        now: Time,
        returning: &Returning,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Hold>, ErrorDetail> {
        let Some(seat) = inner.room.seat_by_token(&returning.token) else { return Ok(None) };
        check_subject(seat, returning.subject.as_deref())?;
        let player = seat.id();
        let held_by = inner.feed.holder(player).and_then(|holder| holder.attempt);
        if returning.attempt.zip(held_by).is_some_and(|(attempt, held_by)| attempt < held_by) {
            let message = "a later attempt has taken this session";
            return Err(ErrorDetail::new(ErrorCode::STALE_REQUEST, message));
        }

        let refused = |refusal| to_wire::refusal(&refusal, G::GAME_TYPE);
        let replay = self.replay(inner, player, returning, to, link).map_err(refused)?;
        let metrics = &self.shared.metrics;
        let resumes = if replay.is_some() { &metrics.replays } else { &metrics.snapshots };
        let hold =
            self.come_back(inner, now, player, returning.attempt, link, |inner, snapshot| {
                match replay {
                    Some(greeting) => Ok(greeting),
                    None => {
                        let joined = self.picture(inner, snapshot, player, None, link)?;
                        let holds = told_whole(&inner.feed, &joined, false);
                        greeting(link, to, &Resumed::Snapshot(Box::new(joined)), holds)
                    }
                }
            });
        if hold.is_ok() {
            resumes.inc();
        }
        hold.map(Some).map_err(refused)
    }

    /// Attaches a socket to a seat that is there. From another socket it takes the seat over, which
    /// changes the room in nothing.
    fn come_back(
        &self,
        inner: &mut Inner<G>,
        now: Time,
        player: PlayerId,
        attempt: Option<u64>,
        link: &Link,
        greet: impl FnOnce(&Inner<G>, &Snapshot<G>) -> Result<Greeting, Refusal>,
    ) -> Result<Hold, Refusal> {
        if inner.feed.holder(player).is_some() {
            let snapshot = Arc::clone(inner.room.head());
            let greeting = greet(inner, &snapshot)?;
            let holds = greeting.holds;
            send(link, greeting);
            let viewer = viewer_of(&snapshot, player);
            return Ok(inner.feed.attach(player, viewer, attempt, holds, link.outlet.clone()));
        }
        let commit = inner.room.apply(now, Command::Reconnect(player))?;
        self.seat(inner, commit, player, attempt, link, greet)
    }

    /// Shows a commit that brings `player`, and attaches its socket in between.
    fn seat(
        &self,
        inner: &mut Inner<G>,
        commit: Commit<G>,
        player: PlayerId,
        attempt: Option<u64>,
        link: &Link,
        greet: impl FnOnce(&Inner<G>, &Snapshot<G>) -> Result<Greeting, Refusal>,
    ) -> Result<Hold, Refusal> {
        let commit = self.stage(inner, commit, Some(link.outlet.codec))?;
        // The greeting is made before anything is shown: a view that breaks down refuses the join.
        let snapshot = Arc::clone(commit.snapshot());
        let greeting = match greet(inner, &snapshot) {
            Ok(greeting) => greeting,
            Err(refusal) => {
                inner.feed.unstage();
                inner.room.put_back(commit);
                return Err(refusal);
            }
        };
        let mut hold = None;
        self.show(inner, commit, |feed| {
            let holds = greeting.holds;
            send(link, greeting);
            let viewer = viewer_of(&snapshot, player);
            hold = Some(feed.attach(player, viewer, attempt, holds, link.outlet.clone()));
        });
        Ok(hold.expect("a commit that is shown attaches"))
    }

    /// What brings a returning player up to the present: the response, every event it missed, and
    /// of the states the newest, at its place. `None` when it needs the whole room.
    ///
    /// A state that has moved on since it was last shown has no place among the events: it is left to the
    /// next one, which is shown soon, and where none is shown in play the whole room is told.
    fn replay(
        &self,
        inner: &Inner<G>,
        player: PlayerId,
        returning: &Returning,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Greeting>, Refusal> {
        let Some((epoch, last_seq)) = &returning.seen else { return Ok(None) };
        let snapshot = inner.room.head();
        let viewer = viewer_of(snapshot, player);
        let missed = inner.feed.missed(epoch, *last_seq, player, viewer, link.outlet.codec);
        let Some(Missed { events, state_seq }) = missed else { return Ok(None) };
        let then = inner.feed.then(viewer);
        let is_shown = then.is_some() || inner.feed.has_shown(snapshot.version);
        let version = then.map_or(snapshot.version, |then| then.version);
        let shows_in_play = inner.room.charter().rules.sync.mode != SyncMode::Events;
        if state_seq.is_some() && !is_shown && !shows_in_play {
            return Ok(None);
        }
        let state_seq = state_seq.filter(|_| is_shown);
        let resumed: Resumed<Tree> = Resumed::Replayed(Replayed {
            room_id: self.code,
            game_type: G::GAME_TYPE.into(),
            player_id: to_wire::player_id(player),
            epoch: inner.feed.epoch.clone(),
            seq: *last_seq,
            last_id: inner.room.last_id(player),
            url: self.shared.direct_url(&link.outlet),
        });
        // Whatever it holds, the next state that it gets is whole.
        let holds = Holds {
            seq: (*last_seq).max(then.map_or(0, |then| then.seq)),
            version: is_shown.then_some(version),
            is_current: is_shown,
            takes_patch: false,
        };
        let mut greeting = greeting(link, to, &resumed, holds)?;
        let messages = &mut greeting.messages;
        let mut state = match state_seq {
            Some(seq) => {
                let (phase, state) = match then {
                    Some(then) => (then.phase, then.tree.clone()),
                    None => {
                        let state = look(&inner.room, snapshot, viewer)?;
                        (to_wire::phase(snapshot.phase), state)
                    }
                };
                let data = RoomState { version, phase, state };
                let encoded =
                    encode_event(link.outlet.codec, EventType::RoomState, Some(seq), &data);
                Some((seq, encoded.map_err(not_encodable)?))
            }
            None => None,
        };
        self.shared.traffic.replayed(events.len() + usize::from(state.is_some()));
        for (seq, event) in events {
            if let Some((_, state)) = state.take_if(|(state_seq, _)| *state_seq < seq) {
                messages.push((state, Class::State));
            }
            messages.push((event, Class::Reliable));
        }
        messages.extend(state.map(|(_, state)| (state, Class::State)));
        Ok(Some(greeting))
    }

    /// The whole room as `player` sees it, at the number before what follows from its coming.
    fn picture(
        &self,
        inner: &Inner<G>,
        snapshot: &Snapshot<G>,
        player: PlayerId,
        token: Option<Secret>,
        link: &Link,
    ) -> Result<Joined<Tree>, Refusal> {
        let viewer = viewer_of(snapshot, player);
        let (seq, version, phase, roster, state, chat) = match inner.feed.then(viewer) {
            Some(then) => {
                let chat = then.chat.iter().cloned().collect();
                (then.seq, then.version, then.phase, &then.roster, then.tree.clone(), chat)
            }
            None => {
                let state = look(&inner.room, snapshot, viewer)?;
                let phase = to_wire::phase(snapshot.phase);
                let chat = inner.room.chat(viewer).map(to_wire::chat_message).collect();
                (inner.feed.seq(), snapshot.version, phase, &snapshot.roster, state, chat)
            }
        };
        Ok(Joined {
            room_id: self.code,
            game_type: G::GAME_TYPE.into(),
            player_id: to_wire::player_id(player),
            session_token: token,
            epoch: inner.feed.epoch.clone(),
            seq,
            last_id: inner.room.last_id(player),
            version,
            phase,
            host: roster.host().map(to_wire::player_id),
            players: roster.seats().map(to_wire::player).collect(),
            state,
            chat,
            url: self.shared.direct_url(&link.outlet),
        })
    }
}

fn send(link: &Link, Greeting { answers, messages, .. }: Greeting) {
    link.metrics.granted(answers);
    let bytes = messages.iter().map(|(payload, _)| payload.len()).sum();
    link.outlet.outbox.expect_greeting(messages.len(), bytes);
    for (payload, class) in messages {
        link.outlet.push(payload, class);
    }
}

/// A greeting that so far is the response alone.
fn greeting(
    link: &Link,
    to: Answering,
    response: &impl Serialize,
    holds: Holds,
) -> Result<Greeting, Refusal> {
    let response = encode_answer(link.outlet.codec, to, response).map_err(not_encodable)?;
    Ok(Greeting { answers: to.kind, messages: vec![(response, Class::Reliable)], holds })
}

/// What a socket holds that was told the whole room.
fn told_whole(feed: &Feed, joined: &Joined<Tree>, takes_patch: bool) -> Holds {
    let Joined { seq, version, .. } = *joined;
    Holds { seq, version: Some(version), is_current: feed.has_shown(version), takes_patch }
}

/// A seat that was taken by someone who had shown who it is goes to nobody else, whoever has its token.
pub(super) fn check_subject(seat: &Seat, subject: Option<&str>) -> Result<(), ErrorDetail> {
    match seat.subject() {
        Some(owner) if subject != Some(owner) => {
            let message = "this seat is someone's: show who you are first";
            Err(ErrorDetail::new(ErrorCode::UNAUTHORIZED, message))
        }
        Some(_) | None => Ok(()),
    }
}

fn viewer_of<G: Game>(snapshot: &Snapshot<G>, player: PlayerId) -> Viewer {
    snapshot.roster.seat(player).map_or(Viewer::Spectator, Seat::viewer)
}
