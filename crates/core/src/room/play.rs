//! The game itself: acting, starting, playing again, talking. And who decides on each command.

use std::sync::Arc;

use super::draft::Draft;
use crate::chat::ChatLog;
use crate::{
    Actions, ChatLine, Command, Game, Origin, Phase, PlayerId, Refusal, RoomEvent, Seat, SeatKind,
    Signal, StartRule,
};

impl<G: Game> Draft<'_, G> {
    /// Decides on a command that may be refused.
    pub(super) fn decide(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Join(join) => self.join(join),
            Command::RenewToken { player, token } => self.renew_token(player, token),
            Command::SetReady(player, ready) => self.set_ready(player, ready),
            Command::SetSpectator(player, watch) => self.set_spectator(player, watch),
            Command::Chat(player, text) => self.chat(player, text),
            Command::Start(by) => self.start_on_request(by),
            Command::Rematch(by) => self.rematch(by),
            Command::AddBot { by, name, level } => self.add_bot(by, name, level.as_deref()),
            Command::SetHost { by, player } => self.set_host(by, player),
            Command::Update { by, changes } => self.update(by, changes),
            Command::Signal(signal) => self.signal(signal),
            Command::Reconnect(_)
            | Command::Disconnect(_)
            | Command::Leave(_)
            | Command::Kick { .. }
            | Command::RemoveBot { .. }
            | Command::Close(_) => unreachable!("these are facts, which `settle` makes so"),
        }
    }

    pub(super) fn act(
        &mut self,
        player: PlayerId,
        action: G::Action,
        origin: Origin,
    ) -> Result<(), Refusal> {
        self.check_plays(player)?;
        let tick = self.charter.rules.tick;
        let request = match origin {
            Origin::Request(id) => id,
            Origin::Bot(version) => {
                // The version alone does not tell when a stand-in's player came back: the game may have
                // failed to hear of it. In a game that steps all move at once, and none waits.
                let has_passed = version != self.version() && tick.is_none();
                if has_passed || self.seat(player)?.bot.is_none() {
                    return Err(Refusal::Stale);
                }
                None
            }
        };
        match tick.map(|tick| tick.actions) {
            Some(Actions::Gathered) => self.gather(player, request, action),
            Some(Actions::AsTheyCome) | None => self.run_action(player, action),
        }
    }

    /// Whether `player` may act now.
    pub(super) fn check_plays(&self, player: PlayerId) -> Result<(), Refusal> {
        let seat = self.seat(player)?;
        if seat.spectator || seat.forfeited {
            return Err(Refusal::NotAPlayer);
        }
        match self.phase() {
            Phase::Playing => Ok(()),
            Phase::Lobby => Err(Refusal::NotStarted),
            Phase::Finished => Err(Refusal::Over),
        }
    }

    pub(super) fn run_action(
        &mut self,
        player: PlayerId,
        action: G::Action,
    ) -> Result<(), Refusal> {
        self.call("on_action", |game, state, ctx| game.on_action(state, player, action, ctx))
    }

    fn signal(&mut self, signal: Signal) -> Result<(), Refusal> {
        match self.phase() {
            Phase::Lobby | Phase::Playing => {
                self.call("on_signal", |game, state, ctx| game.on_signal(state, signal, ctx))
            }
            Phase::Finished => Err(Refusal::Over),
        }
    }

    fn chat(&mut self, player: PlayerId, text: String) -> Result<(), Refusal> {
        let seat = self.seat(player)?;
        let name = Arc::clone(&seat.name);
        let is_aside = seat.spectator
            && self.phase() == Phase::Playing
            && !self.charter.rules.spectators_heard;
        let line = Arc::new(ChatLine { player, name, text, at: self.now, is_aside });
        let finished_until = self.now + self.charter.rules.close_finished_after;
        let books = self.books_mut();
        ChatLog::push(Arc::make_mut(&mut books.chat), Arc::clone(&line));
        if books.finished_until.is_some() {
            books.finished_until = Some(finished_until);
        }
        self.tell(RoomEvent::Chat(line));
        Ok(())
    }

    fn start_on_request(&mut self, by: PlayerId) -> Result<(), Refusal> {
        self.check_host(by)?;
        match self.charter.rules.start {
            StartRule::Host => {}
            StartRule::WhenFull | StartRule::AllReady => return Err(Refusal::StartsByItself),
        }
        match self.phase() {
            Phase::Lobby => {}
            Phase::Playing => return Err(Refusal::AlreadyStarted),
            Phase::Finished => return Err(Refusal::Over),
        }
        let min = self.charter.rules.players_min;
        if self.roster().players().count() < usize::from(min) {
            return Err(Refusal::NotReady(format!("at least {min} players are needed").into()));
        }
        if let Some(absent) = self.roster().players().find(|seat| !seat.is_present()) {
            let message = format!("{} is not connected", absent.name());
            return Err(Refusal::NotReady(message.into()));
        }
        self.start()
    }

    /// When the game refuses a start that nobody asked for, the room stays in its lobby until its
    /// roster changes: a game that has not begun has no turn to wait for.
    pub(super) fn start_by_itself(&mut self) -> Result<(), Refusal> {
        if self.with_game {
            return self.start();
        }
        self.books_mut().start_failed = true;
        Ok(())
    }

    fn start(&mut self) -> Result<(), Refusal> {
        self.set_phase(Phase::Playing);
        self.tell(RoomEvent::Started);
        self.call("on_start", |game, state, ctx| game.on_start(state, ctx))
    }

    /// A new setup with the same seats and options. Numbers go on.
    fn rematch(&mut self, by: PlayerId) -> Result<(), Refusal> {
        self.check_host(by)?;
        match self.phase() {
            Phase::Finished => {}
            Phase::Lobby => return Err(Refusal::NotStarted),
            Phase::Playing => return Err(Refusal::InProgress),
        }
        self.set_phase(Phase::Lobby);
        self.books_mut().finished_until = None;

        let were_ready: Vec<PlayerId> =
            self.roster().players().filter(|seat| seat.ready).map(Seat::id).collect();
        for player in were_ready {
            self.roster_mut().change(player, |seat| seat.ready = false);
            // A bot is ready all the same.
            if !self.seat(player)?.is_ready() {
                self.tell(RoomEvent::Ready(player, false));
            }
        }
        let forfeited: Vec<PlayerId> =
            self.roster().players().filter(|seat| seat.forfeited).map(Seat::id).collect();
        for player in forfeited {
            self.roster_mut().change(player, |seat| seat.forfeited = false);
        }
        self.put_grace_on_absent(self.now + self.charter.rules.grace_in_lobby);

        self.set_up_anew()?;
        let players: Vec<PlayerId> = self.roster().players().map(Seat::id).collect();
        for player in players {
            self.call("on_join", |game, state, ctx| game.on_join(state, player, ctx))?;
        }
        Ok(())
    }

    pub(super) fn is_human(&self, player: PlayerId) -> bool {
        self.roster().seat(player).is_some_and(|seat| seat.kind() == SeatKind::Human)
    }
}
