//! Sitting down and coming back: where a socket gets hold of a seat.

use std::sync::Arc;

use parlor_core::{
    Command, Commit, Digest, Failure, Fault, Game, Join, PlayerId, Refusal, Seat, Snapshot, Time,
    Viewer,
};
use parlor_protocol::{Joined, Resumed, Secret};

use super::Newcomer;
use super::game_room::{GameRoom, Inner};
use crate::encode::{Answering, Link, Unencodable, encode_answer};
use crate::feed::Hold;
use crate::outbox::Class;
use crate::{secrets, to_wire};

impl<G: Game> GameRoom<G> {
    pub(super) fn seat_newcomer(
        &self,
        inner: &mut Inner<G>,
        now: Time,
        newcomer: Newcomer,
        to: Answering,
        link: &Link,
    ) -> Result<Hold, Refusal> {
        let Newcomer { name, token, spectator, password } = newcomer;
        let digest = secrets::token_digest(&token);
        let password = password.map(|password| secrets::password_digest(self.code, &password));
        let commit = inner
            .room
            .apply(now, Command::Join(Join { name, token: digest, spectator, password }))?;
        let player = commit.seated.expect("a join gives a seat");
        let answer = |joined: Joined<G::View>| encode_answer(link.codec, to, &joined);
        let hold = self.seat(inner, commit, player, Some(token), link, answer)?;
        self.shared.sessions.seated(digest, self.code);
        Ok(hold)
    }

    /// Gives the seat of `token` to another socket: after a loss, or from one that is still there.
    pub(super) fn seat_again(
        &self,
        inner: &mut Inner<G>,
        now: Time,
        token: &Digest,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Hold>, Refusal> {
        let Some(player) = inner.room.seat_by_token(token).map(Seat::id) else { return Ok(None) };

        let answer = |joined| encode_answer(link.codec, to, &Resumed::Snapshot(Box::new(joined)));
        if inner.feed.is_attached(player) {
            // A takeover changes the room in nothing.
            let snapshot = Arc::clone(inner.room.head());
            let response = self.answer(inner, &snapshot, player, None, answer)?;
            link.push(response, Class::Reliable);
            return Ok(Some(inner.feed.attach(player, viewer_of(&snapshot, player), link.clone())));
        }
        let commit = inner.room.apply(now, Command::Reconnect(player))?;
        self.seat(inner, commit, player, None, link, answer).map(Some)
    }

    /// Shows a commit that brings `player`, and attaches its socket in between: after the response
    /// and before the first event.
    fn seat(
        &self,
        inner: &mut Inner<G>,
        commit: Commit<G>,
        player: PlayerId,
        token: Option<Secret>,
        link: &Link,
        answer: impl FnOnce(Joined<G::View>) -> Result<Arc<[u8]>, Unencodable>,
    ) -> Result<Hold, Refusal> {
        let commit = self.stage(inner, commit, Some(link.codec))?;
        // The picture is made before anything is shown: a view that breaks down refuses the join.
        let snapshot = Arc::clone(commit.snapshot());
        let response = match self.answer(inner, &snapshot, player, token, answer) {
            Ok(response) => response,
            Err(refusal) => {
                inner.feed.unstage();
                inner.room.put_back(commit);
                return Err(refusal);
            }
        };
        let mut hold = None;
        self.show(inner, commit, |feed| {
            link.push(response, Class::Reliable);
            hold = Some(feed.attach(player, viewer_of(&snapshot, player), link.clone()));
        });
        Ok(hold.expect("a commit that is shown attaches"))
    }

    /// The response that brings `player` the whole room.
    fn answer(
        &self,
        inner: &Inner<G>,
        snapshot: &Snapshot<G>,
        player: PlayerId,
        token: Option<Secret>,
        encode: impl FnOnce(Joined<G::View>) -> Result<Arc<[u8]>, Unencodable>,
    ) -> Result<Arc<[u8]>, Refusal> {
        let joined = self.picture(inner, snapshot, player, token)?;
        encode(joined).map_err(|error| {
            let fault = Fault::NotEncodable(error.to_string());
            Refusal::Failed(Failure { callback: "view", fault })
        })
    }

    /// The whole room as `player` sees it, at the number before what follows from its coming.
    fn picture(
        &self,
        inner: &Inner<G>,
        snapshot: &Snapshot<G>,
        player: PlayerId,
        token: Option<Secret>,
    ) -> Result<Joined<G::View>, Refusal> {
        let state =
            inner.room.look(snapshot, viewer_of(snapshot, player)).map_err(Refusal::Failed)?;
        Ok(Joined {
            room_id: self.code,
            game_type: G::GAME_TYPE.into(),
            player_id: to_wire::player_id(player),
            session_token: token,
            epoch: inner.feed.epoch.clone(),
            seq: inner.feed.seq(),
            // Requests are not remembered yet, so that any id is above.
            last_id: 0,
            version: snapshot.version,
            phase: to_wire::phase(snapshot.phase),
            host: snapshot.roster.host().map(to_wire::player_id),
            players: snapshot.roster.seats().map(to_wire::player).collect(),
            state,
            chat: inner.room.chat().map(to_wire::chat_message).collect(),
        })
    }
}

fn viewer_of<G: Game>(snapshot: &Snapshot<G>, player: PlayerId) -> Viewer {
    snapshot.roster.seat(player).map_or(Viewer::Spectator, Seat::viewer)
}
