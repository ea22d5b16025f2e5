//! Sitting down, losing the connection, coming back, leaving.

use std::sync::Arc;

use super::draft::Draft;
use crate::roster::Known;
use crate::{
    Ctx, Digest, Game, GameError, Join, LeaveReason, Phase, PlayerId, Refusal, RoomEvent, Seat,
    SeatKind, Time,
};

impl<G: Game> Draft<'_, G> {
    pub(super) fn join(&mut self, join: Join) -> Result<(), Refusal> {
        let Join { name, token, spectator, password, subject, profile } = join;
        if subject.is_none() && self.charter.rules.accounts_only {
            return Err(Refusal::Unknown);
        }
        if self.settings().password.is_some() && self.settings().password != password {
            return Err(Refusal::WrongPassword);
        }
        // Under the name it asks for and under the one it would get: a ban is on what was shown.
        let given = self.roster().free_name(&name);
        if [&*name, &*given].iter().any(|name| self.books().banned.contains(&name.to_lowercase())) {
            return Err(Refusal::Banned);
        }
        if self.settings().locked {
            return Err(Refusal::Locked);
        }
        self.check_place(spectator)?;
        self.sit_down(
            |id, name| Seat {
                id,
                name,
                spectator,
                bot: None,
                token: Some(token),
                connected: true,
                ready: false,
                grace_until: None,
                forfeited: false,
                known: Known::new(subject, profile),
            },
            &name,
        )
    }

    /// Whether one more player or spectator may be there now.
    pub(super) fn check_place(&self, spectator: bool) -> Result<(), Refusal> {
        let rules = &self.charter.rules;
        if spectator {
            let watching =
                self.roster().seats().filter(|seat| seat.kind() == SeatKind::Spectator).count();
            return match usize::from(rules.spectators_max) {
                0 => Err(Refusal::SpectatorsNotAllowed),
                max if watching >= max => Err(Refusal::Full),
                _ => Ok(()),
            };
        }
        match self.phase() {
            Phase::Lobby => {}
            Phase::Playing if rules.late_join => {}
            Phase::Playing => return Err(Refusal::InProgress),
            Phase::Finished => return Err(Refusal::Over),
        }
        if self.roster().players().count() >= usize::from(rules.players_max) {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Gives a new number and a free name to a new seat, and tells the game if it plays.
    pub(super) fn sit_down(
        &mut self,
        make: impl FnOnce(PlayerId, Arc<str>) -> Seat,
        wanted_name: &str,
    ) -> Result<(), Refusal> {
        let name = self.roster().free_name(wanted_name);
        let id = self.books().next_player;
        self.books_mut().next_player = id.next();

        let seat = make(id, name);
        let plays = !seat.spectator;
        self.roster_mut().add(seat);
        self.tell_seat(id, RoomEvent::Joined);
        self.seated = Some(id);
        if plays {
            self.call("on_join", |game, state, ctx| game.on_join(state, id, ctx))?;
        }
        Ok(())
    }

    pub(super) fn disconnect(&mut self, player: PlayerId) -> Result<(), Refusal> {
        let seat = self.seat(player)?;
        if !seat.connected {
            return Ok(());
        }
        let plays = !seat.spectator && !seat.forfeited;
        let grace = match self.phase() {
            Phase::Playing if plays => self.charter.rules.grace_in_play,
            Phase::Playing | Phase::Lobby | Phase::Finished => self.charter.rules.grace_in_lobby,
        };
        let until = self.now + grace;
        // One who has given up the game holds its seat until the game has ended.
        let holds_anyway = seat.forfeited && self.phase() == Phase::Playing;
        self.roster_mut().change(player, |seat| {
            seat.connected = false;
            seat.grace_until = if holds_anyway { None } else { Some(until) };
        });
        self.tell(RoomEvent::Disconnected(player, until));
        if plays {
            self.call_in_game("on_disconnect", |game, state, ctx| {
                game.on_disconnect(state, player, ctx)
            })?;
        }
        Ok(())
    }

    pub(super) fn reconnect(&mut self, player: PlayerId) -> Result<(), Refusal> {
        let seat = self.seat(player)?;
        if seat.token.is_none() {
            return Err(Refusal::NoSuchPlayer);
        }
        if seat.connected {
            return Ok(());
        }
        let plays = !seat.spectator && !seat.forfeited;
        let had_stand_in = seat.bot.is_some();
        self.roster_mut().change(player, |seat| {
            seat.connected = true;
            seat.grace_until = None;
            seat.bot = None;
        });
        if had_stand_in {
            self.tell_seat(player, RoomEvent::Replaced);
        } else {
            self.tell(RoomEvent::Reconnected(player));
        }
        if plays {
            self.call_in_game("on_reconnect", |game, state, ctx| {
                game.on_reconnect(state, player, ctx)
            })?;
        }
        Ok(())
    }

    pub(super) fn renew_token(&mut self, player: PlayerId, token: Digest) -> Result<(), Refusal> {
        let old = self.seat(player)?.token.ok_or(Refusal::NoSuchPlayer)?;
        // A token that still holds the seat has not departed.
        if old != token {
            self.departed.push(old);
            self.roster_mut().change(player, |seat| seat.token = Some(token));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, player: PlayerId, reason: LeaveReason) -> Result<(), Refusal> {
        let seat = self.seat(player)?;
        // One who has forfeited has left the game already.
        let plays = !seat.spectator && !seat.forfeited;
        self.departed.extend(seat.token);
        self.left.push(player);
        self.roster_mut().remove(player);
        self.tell(RoomEvent::Left(player, reason));
        if plays {
            self.call_in_game("on_leave", |game, state, ctx| game.on_leave(state, player, ctx))?;
        }
        Ok(())
    }

    pub(super) fn set_spectator(&mut self, player: PlayerId, watch: bool) -> Result<(), Refusal> {
        let seat = self.seat(player)?;
        if seat.spectator == watch {
            return Ok(());
        }
        // To stop playing is as much a change of the game's seats as to begin.
        match self.phase() {
            Phase::Lobby => {}
            Phase::Playing if self.charter.rules.late_join => {}
            Phase::Playing => return Err(Refusal::InProgress),
            Phase::Finished => return Err(Refusal::Over),
        }
        self.check_place(watch)?;
        let plays = !self.seat(player)?.forfeited;
        self.roster_mut().change(player, |seat| {
            seat.spectator = watch;
            seat.ready = false;
            seat.forfeited = false;
        });
        // Roster events are upserts: the same event that brought the seat changes it.
        self.tell_seat(player, RoomEvent::Joined);
        if !watch {
            self.call("on_join", |game, state, ctx| game.on_join(state, player, ctx))
        } else if plays {
            self.call("on_leave", |game, state, ctx| game.on_leave(state, player, ctx))
        } else {
            // The game hears nothing of it, and still there is another view to be shown.
            self.show_whole_state();
            Ok(())
        }
    }

    pub(super) fn set_ready(&mut self, player: PlayerId, ready: bool) -> Result<(), Refusal> {
        let seat = self.seat(player)?;
        if seat.spectator {
            return Err(Refusal::NotAPlayer);
        }
        match self.phase() {
            Phase::Lobby => {}
            Phase::Playing => return Err(Refusal::InProgress),
            Phase::Finished => return Err(Refusal::Over),
        }
        if seat.ready != ready {
            self.roster_mut().change(player, |seat| seat.ready = ready);
            self.tell(RoomEvent::Ready(player, ready));
        }
        Ok(())
    }

    /// Tells of a seat as it is now.
    pub(super) fn tell_seat(&mut self, player: PlayerId, event: fn(Arc<Seat>) -> RoomEvent<G>) {
        let seat = self.roster().seat(player).expect("the caller has just changed it").clone();
        self.tell(event(Arc::new(seat)));
    }

    /// Runs a callback unless the game is over: a final state stays as it is.
    fn call_in_game(
        &mut self,
        callback: &'static str,
        run: impl FnOnce(&G, &mut G::State, &mut Ctx<'_, G>) -> Result<(), GameError>,
    ) -> Result<(), Refusal> {
        match self.phase() {
            Phase::Lobby | Phase::Playing => self.call(callback, run),
            Phase::Finished => Ok(()),
        }
    }

    /// Puts `grace` on every seat without a human, as after the end of a game.
    pub(super) fn put_grace_on_absent(&mut self, until: Time) {
        let absent: Vec<PlayerId> = self
            .roster()
            .seats()
            .filter(|seat| !seat.connected && seat.token.is_some() && seat.bot.is_none())
            .filter(|seat| seat.grace_until.is_none())
            .map(Seat::id)
            .collect();
        for player in absent {
            self.roster_mut().change(player, |seat| seat.grace_until = Some(until));
        }
    }
}
