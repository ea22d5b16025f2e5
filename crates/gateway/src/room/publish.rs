//! The only way out of a room: a commit is staged, shown to readers, and told to everyone.

use std::sync::Arc;

use parlor_core::{Commit, Game, PlayerId, Refusal, SeatKind, Snapshot};
use parlor_protocol::{CloseCode, Codec, RoomInfo};

use super::game_room::{GameRoom, Inner};
use crate::feed::Feed;
use crate::listing::Offer;
use crate::opening::give_back;
use crate::{lifecycle, secrets, to_wire};

impl<G: Game> GameRoom<G> {
    /// Shows `commit` to readers and tells everyone. Gives the player whom it seated.
    ///
    /// `detach` may let go of a socket before anyone is told.
    pub(super) fn publish(
        &self,
        inner: &mut Inner<G>,
        commit: Commit<G>,
        detach: impl FnOnce(&mut Feed),
    ) -> Result<Option<PlayerId>, Refusal> {
        let commit = self.stage(inner, commit, None)?;
        let seated = commit.seated;
        self.show(inner, commit, detach);
        Ok(seated)
    }

    /// Makes `commit` ready to be shown, without its game's part if that cannot be encoded. Refused
    /// when nothing would be left of it.
    ///
    /// `joining` is the codec of a socket that will be attached before anyone is told.
    pub(super) fn stage(
        &self,
        inner: &mut Inner<G>,
        mut commit: Commit<G>,
        joining: Option<Codec>,
    ) -> Result<Commit<G>, Refusal> {
        let info = |commit: &Commit<G>| self.info_of(commit.snapshot());
        if let Err(error) = inner.feed.stage(self.code, &commit, joining, || info(&commit)) {
            commit = inner.room.drop_game_part(commit, error.to_string())?;
            if let Err(error) = inner.feed.stage(self.code, &commit, joining, || info(&commit)) {
                // Without the game's part it is our own plain data.
                tracing::error!(game_type = G::GAME_TYPE, %error, "a room's event was not encoded");
            }
        }
        if let Some(failure) = &commit.failure {
            let reference = secrets::new_reference();
            tracing::error!(game_type = G::GAME_TYPE, reference, %failure, "a callback failed");
            self.shared.metrics.callback_failed(G::GAME_TYPE);
        }
        Ok(commit)
    }

    /// Shows a staged commit to readers and tells everyone: the only way out of a room.
    ///
    /// `attach` may add or remove a socket after the commit is published and before anyone is told.
    pub(super) fn show(
        &self,
        inner: &mut Inner<G>,
        commit: Commit<G>,
        attach: impl FnOnce(&mut Feed),
    ) {
        for token in &commit.departed {
            self.shared.sessions.forget(*token);
        }
        if commit.changes_roster() {
            inner.feed.follow_roster(&commit.snapshot().roster);
        }
        let news = if self.shared.newsroom.is_followed() {
            lifecycle::changes(&commit)
        } else {
            Vec::new()
        };
        let at = commit.time();
        let relisted = commit.changes_listing().then(|| Arc::clone(commit.snapshot()));
        let closed = commit.closed();

        inner.room.publish(commit);
        for what in news {
            self.shared.newsroom.tell(at, self.code, G::GAME_TYPE, what);
        }
        attach(&mut inner.feed);
        inner.feed.deliver(&**inner.room.game(), at);

        if closed.is_some() {
            self.forget(inner);
        } else if let Some(snapshot) = relisted {
            self.shared.listings.put(self.offer(&snapshot));
        }
    }

    /// The room has closed: nobody finds it any more.
    fn forget(&self, inner: &mut Inner<G>) {
        inner.feed.close(CloseCode::RoomClosed, "room closed");
        self.vanish(inner);
        give_back(&self.shared, self.code);
    }

    /// Another node has the room: nobody finds it here any more.
    pub(super) fn let_go(&self, inner: &mut Inner<G>) {
        inner.feed.close(CloseCode::OwnerLost, "another node has this room");
        self.vanish(inner);
    }

    fn vanish(&self, inner: &mut Inner<G>) {
        self.shared.rooms.remove(&self.code);
        self.shared.listings.remove(G::GAME_TYPE, self.code);
        for token in inner.room.tokens() {
            self.shared.sessions.room_closed(&token);
        }
        if let Some(at) = inner.scheduled.take() {
            self.shared.driver.cancel(self.number, at);
        }
    }

    pub(super) fn offer(&self, snapshot: &Snapshot<G>) -> Offer {
        Offer {
            game_type: G::GAME_TYPE,
            number: self.number,
            is_public: !snapshot.settings.private,
            info: self.info_of(snapshot),
        }
    }

    pub(super) fn info_of(&self, snapshot: &Snapshot<G>) -> RoomInfo {
        let rules = &self.view.charter().rules;
        let count = |kind| u32::try_from(snapshot.count(kind)).unwrap_or(u32::MAX);
        let (humans, bots) = (count(SeatKind::Human), count(SeatKind::Bot));
        RoomInfo {
            room_id: self.code,
            game_type: G::GAME_TYPE.into(),
            player_count: humans + bots,
            bot_count: bots,
            max_players: rules.players_max.into(),
            spectator_count: count(SeatKind::Spectator),
            phase: to_wire::phase(snapshot.phase),
            has_password: snapshot.settings.password.is_some(),
            locked: snapshot.settings.locked,
            joinable: snapshot.is_joinable(rules),
            options: Arc::clone(&self.options),
            metadata: to_wire::metadata(&snapshot.settings.metadata),
            created_at: to_wire::millis(self.view.charter().created_at),
        }
    }
}
