//! The host: who it is, and what only the host may do.

use std::sync::Arc;

use super::HOST_AWAY_MAX;
use super::draft::{Draft, guarded};
use crate::roster::NAME_CHARS_MAX;
use crate::{
    Failure, Game, LeaveReason, PlayerId, Refusal, RoomEvent, Seat, SeatKind, SettingsChanges, Time,
};

/// The most names that a room keeps out. One more pushes out the oldest.
pub const BANS_MAX: usize = 256;

impl<G: Game> Draft<'_, G> {
    pub(super) fn check_host(&self, player: PlayerId) -> Result<(), Refusal> {
        if self.roster().host() == Some(player) { Ok(()) } else { Err(Refusal::NotHost) }
    }

    /// Keeps the rule after a roster change: the host is a human, and an absent one has
    /// [`HOST_AWAY_MAX`] to come back.
    pub(super) fn choose_host(&mut self) {
        let until = match self.roster().host() {
            Some(host) if !self.is_human(host) => {
                self.hand_over();
                return;
            }
            Some(host) => {
                let is_here = self.roster().seat(host).is_some_and(|seat| seat.connected);
                let running = self.books().host_until;
                if is_here { None } else { running.or(Some(self.now + HOST_AWAY_MAX)) }
            }
            None => {
                self.hand_over();
                return;
            }
        };
        self.set_host_until(until);
    }

    /// Makes the connected human with the lowest id host, or nobody.
    pub(super) fn hand_over(&mut self) {
        let next = self.roster().next_host();
        self.set_host_until(None);
        self.appoint(next);
    }

    fn appoint(&mut self, host: Option<PlayerId>) {
        if self.roster().host() != host {
            self.roster_mut().host = host;
            self.tell(RoomEvent::HostChanged(host));
        }
    }

    fn set_host_until(&mut self, until: Option<Time>) {
        if self.books().host_until != until {
            self.books_mut().host_until = until;
        }
    }

    pub(super) fn add_bot(
        &mut self,
        by: PlayerId,
        name: Option<String>,
        level: Option<&str>,
    ) -> Result<(), Refusal> {
        self.check_host(by)?;
        let known = guarded(|| Ok(self.game.about().bot_levels))
            .map_err(|fault| Refusal::Failed(Failure { callback: "about", fault }))?;
        let level = match (level, known.first()) {
            (_, None) => return Err(Refusal::BotsNotSupported),
            (Some(level), Some(_)) => level,
            (None, Some(first)) => first,
        };
        if !self.has_bot(level)? {
            return Err(Refusal::UnknownBotLevel { known });
        }
        self.check_place(false)?;
        let name =
            name.unwrap_or_else(|| format!("Bot ({level})").chars().take(NAME_CHARS_MAX).collect());
        let level: Arc<str> = level.into();
        self.sit_down(
            |id, name| Seat {
                id,
                name,
                spectator: false,
                bot: Some(level),
                token: None,
                connected: false,
                ready: true,
                grace_until: None,
                forfeited: false,
                known: None,
            },
            &name,
        )
    }

    pub(super) fn remove_bot(&mut self, by: PlayerId, bot: PlayerId) -> Result<(), Refusal> {
        self.check_host(by)?;
        match self.seat(bot)?.kind() {
            SeatKind::Bot => self.leave(bot, LeaveReason::Removed),
            SeatKind::Human | SeatKind::Spectator => Err(Refusal::NoSuchPlayer),
        }
    }

    pub(super) fn kick(
        &mut self,
        by: Option<PlayerId>,
        player: PlayerId,
        ban: bool,
    ) -> Result<(), Refusal> {
        if let Some(by) = by {
            self.check_host(by)?;
        }
        if by == Some(player) {
            return Err(Refusal::Yourself);
        }
        let seat = self.seat(player)?;
        if seat.token.is_none() {
            return Err(Refusal::NoSuchPlayer);
        }
        if ban {
            let name = seat.name().to_lowercase();
            let banned = Arc::make_mut(&mut self.books_mut().banned);
            if banned.len() == BANS_MAX {
                banned.remove(0);
            }
            banned.push(name);
        }
        self.leave(player, LeaveReason::Kicked)
    }

    pub(super) fn set_host(&mut self, by: PlayerId, player: PlayerId) -> Result<(), Refusal> {
        self.check_host(by)?;
        if !self.is_human(player) {
            return Err(Refusal::NoSuchPlayer);
        }
        let seat = self.seat(player)?;
        if !seat.connected {
            return Err(Refusal::NotReady(format!("{} is not connected", seat.name()).into()));
        }
        self.appoint(Some(player));
        Ok(())
    }

    pub(super) fn update(&mut self, by: PlayerId, changes: SettingsChanges) -> Result<(), Refusal> {
        self.check_host(by)?;
        let SettingsChanges { locked, private, password, metadata } = changes;
        let settings = self.settings_mut();
        if let Some(locked) = locked {
            settings.locked = locked;
        }
        if let Some(private) = private {
            settings.private = private;
        }
        if let Some(password) = password {
            settings.password = password;
        }
        if let Some(metadata) = metadata {
            settings.metadata = metadata;
        }
        self.tell(RoomEvent::Updated);
        Ok(())
    }
}
