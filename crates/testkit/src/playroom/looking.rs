//! What can be looked at in a room: from outside as a viewer, and from inside as a test.

use std::collections::BTreeMap;
use std::sync::Arc;

use parlor_core::{
    Audience, Game, Phase, PlayerId, Refusal, Room, Seat, Snapshot, ViewKey, Viewer,
};
use serde::Serialize;
use serde_json::Value;

use super::Playroom;
use crate::mishap::Mishap;
use crate::record::{Sent, SentKind, Who};
use crate::{encoding, secret};

impl<G: Game> Playroom<G> {
    /// What everyone sees: the view of one who only watches, whether or not there is one.
    #[track_caller]
    pub fn view(&self) -> G::View {
        self.view_of(Viewer::Spectator)
    }

    /// What `viewer` sees: a [`PlayerId`], or [`Viewer::Spectator`].
    #[track_caller]
    pub fn view_of(&self, viewer: impl Into<Viewer>) -> G::View {
        self.look(&self.current, viewer.into())
    }

    /// What `viewer` saw before the last change.
    #[track_caller]
    pub fn view_before(&self, viewer: impl Into<Viewer>) -> G::View {
        self.look(&self.before, viewer.into())
    }

    /// The room before the last change.
    pub fn before(&self) -> &Snapshot<G> {
        &self.before
    }

    /// The game's state, secrets included.
    pub fn state(&self) -> &G::State {
        &self.current.state
    }

    /// Where the room is between waiting and the end.
    pub fn phase(&self) -> Phase {
        self.current.phase
    }

    /// How the game ended, if it has; gone when the next one begins.
    pub fn outcome(&self) -> Option<&G::Outcome> {
        self.outcome.as_ref()
    }

    /// The ids of the players and bots, rising.
    pub fn players(&self) -> Vec<PlayerId> {
        self.current.roster.players().map(Seat::id).collect()
    }

    /// The room itself: its roster, settings, rules, chat.
    pub fn room(&self) -> &Room<G> {
        &self.room
    }

    /// How many changes the room has been through.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// What the game has told since this was last called, whoever was told.
    #[track_caller]
    pub fn take_events(&mut self) -> Vec<G::Event> {
        self.check_has_all_events();
        self.told.drain(..).map(|told| told.event).collect()
    }

    /// What the game has told `viewer` since events were last taken, in order.
    #[track_caller]
    pub fn events_of(&self, viewer: impl Into<Viewer>) -> Vec<&G::Event> {
        self.check_has_all_events();
        let who = Who::from(viewer.into());
        let heard = self.told.iter().filter(|told| match who {
            Who::Seat(player) => told.heard_by.contains(&player),
            Who::Watcher => any_spectator_hears(told.audience),
        });
        heard.map(|told| &told.event).collect()
    }

    /// The actions that waited for a step and were refused then, since this was last called.
    pub fn take_refused(&mut self) -> Vec<(PlayerId, Refusal)> {
        std::mem::take(&mut self.refused)
    }

    /// What went wrong since this was last called, in a [tolerant](Self::tolerant) room.
    pub fn take_mishaps(&mut self) -> Vec<Mishap> {
        std::mem::take(&mut self.mishaps)
    }

    // Leaks.

    /// Everything that `viewer` was sent, or would have been had it asked: its view after every change, the
    /// events it heard, the outcome, and what it was refused for.
    ///
    /// A seat's record goes on while nobody is connected to it, for who comes back is sent what it missed.
    #[track_caller]
    pub fn sent_to(&self, viewer: impl Into<Viewer>) -> &[Sent] {
        self.record().get(&viewer.into().into()).map_or(&[], Vec::as_slice)
    }

    /// Fails if the secret is in anything that `viewer` was sent: as a value, as part of a text or of a list, or
    /// as the name of a field.
    ///
    /// Fails also when this would prove nothing: when the secret is neither in the state nor was sent to anyone,
    /// or is such that it may be found anywhere. A small number is found by accident: take one that is not, such as
    /// the whole hand, or use [`twins`](Self::twins).
    #[track_caller]
    pub fn assert_never_sent(&self, viewer: impl Into<Viewer>, secret: &(impl Serialize + ?Sized)) {
        let secret = self.secret(secret);
        self.look_through(viewer.into().into(), &secret);
    }

    /// The same for everyone but those who `may_know`: all other players, those who have left, and
    /// spectators.
    #[track_caller]
    pub fn assert_sent_to_nobody_but(
        &self,
        may_know: impl IntoIterator<Item = PlayerId>,
        secret: &(impl Serialize + ?Sized),
    ) {
        let secret = self.secret(secret);
        let may_know: Vec<Who> = may_know.into_iter().map(Who::Seat).collect();
        for who in self.record().keys() {
            if !may_know.contains(who) {
                self.look_through(*who, &secret);
            }
        }
    }

    /// Forgets what was sent up to now, so that checks are about what follows. Each viewer's next view counts
    /// whether or not it has changed.
    pub fn forget_sent(&mut self) {
        self.record.forget();
    }

    #[track_caller]
    fn secret(&self, secret: &(impl Serialize + ?Sized)) -> Value {
        let secret = match serde_json::to_value(secret) {
            Ok(secret) => secret,
            Err(error) => self.fail(&format!("the secret cannot be written as JSON: {error}")),
        };
        if let Some(why) = secret::is_too_common(&secret) {
            self.fail(&format!("{secret} cannot be looked for, since {why}: use `twins`"));
        }
        let state = match serde_json::to_value(self.state()) {
            Ok(state) => state,
            Err(error) => self.fail(&format!("the state cannot be written as JSON: {error}")),
        };
        let is_known = secret::find(&state, &secret).is_some()
            || self.record().values().flatten().any(|sent| is_in(sent, &secret));
        if !is_known {
            self.fail(&format!(
                "{secret} is not in the state and nobody was ever sent it: looking for it proves nothing"
            ));
        }
        secret
    }

    #[track_caller]
    fn look_through(&self, who: Who, secret: &Value) {
        let Some(sent) = self.record().get(&who) else {
            self.fail(&format!("{who} was never sent anything"))
        };
        let Some(leak) = sent.iter().find(|sent| is_in(sent, secret)) else { return };
        let place = secret::find(&leak.tree(), secret).unwrap_or_default();
        self.fail(&format!("{who} was sent the secret {secret}, at {place} in the {leak:?}"));
    }

    #[track_caller]
    pub(crate) fn record(&self) -> &BTreeMap<Who, Vec<Sent>> {
        match self.record.all() {
            Ok(record) => record,
            Err(why) => self.fail(why),
        }
    }

    pub(crate) fn keep_sent(&mut self) {
        self.record.turn_on();
    }

    /// Keeps nothing of what is sent, to save time in games that are only played.
    pub(crate) fn keep_nothing_sent(&mut self) {
        self.record.turn_off();
    }

    /// Whether all is looked at closely: for the first changes, or long games would take too long.
    pub(super) fn is_thorough(&self) -> bool {
        self.is_thorough && self.changes <= THOROUGH_CHANGES_MAX
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.changes + self.attempts
    }

    // What everyone sees at a change.

    /// Takes note of what each viewer sees now, and looks at one of them more closely: a different one each
    /// time, or all of them in a thorough room.
    #[track_caller]
    pub(super) fn show(&mut self) {
        let viewers = self.viewers();
        let mut by_key: Vec<(ViewKey, Viewer, Arc<str>)> = Vec::new();
        let close_look = usize::try_from(self.changes).unwrap_or_default() % viewers.len();
        for (place, (who, viewer)) in viewers.into_iter().enumerate() {
            let key = self.beginning.game.view_key(viewer);
            let shared = by_key.iter().find(|(other, ..)| *other == key);
            let shared = shared.map(|(_, first, text)| (*first, Arc::clone(text)));
            let is_close = place == close_look || self.is_thorough();
            let text = match (shared, is_close) {
                (Some((_, text)), false) => text,
                (None, false) if self.record.is_off() => continue,
                (shared, _) => match self.seen_by(viewer, is_close) {
                    Ok(text) => {
                        self.compare_with_key(who, viewer, key, &text, shared);
                        by_key.push((key, viewer, Arc::clone(&text)));
                        text
                    }
                    Err(mishap) => {
                        self.mishap(mishap);
                        continue;
                    }
                },
            };
            self.record.put(who, SentKind::View, self.changes, &text);
        }
    }

    /// Takes note of what everyone sees without a change.
    #[track_caller]
    pub(crate) fn show_all(&mut self) {
        self.show();
    }

    /// What `viewer` sees, as it is written.
    fn seen_by(&self, viewer: Viewer, is_close: bool) -> Result<Arc<str>, Mishap> {
        let view = self.room.look(&self.current, viewer).map_err(Mishap::Callback)?;
        if is_close {
            encoding::alike(&view)
                .map_err(|error| Mishap::Unsendable(format!("the view of {viewer:?} {error}")))?;
        }
        let text = serde_json::to_string(&view).map_err(|error| {
            Mishap::Unsendable(format!("the view of {viewer:?} cannot be written as JSON: {error}"))
        })?;
        Ok(text.into())
    }

    #[track_caller]
    fn compare_with_key(
        &mut self,
        who: Who,
        viewer: Viewer,
        key: ViewKey,
        text: &Arc<str>,
        shared: Option<(Viewer, Arc<str>)>,
    ) {
        // Without a record, or first of its key: compare with one of those who share it.
        let (other, other_text) = match shared {
            Some(shared) => shared,
            None => {
                let others = self.viewers();
                let other = others
                    .into_iter()
                    .map(|(_, viewer)| viewer)
                    .find(|other| *other != viewer && self.beginning.game.view_key(*other) == key);
                let Some(other) = other.filter(|_| self.record.is_off()) else { return };
                match self.seen_by(other, false) {
                    Ok(text) => (other, text),
                    Err(mishap) => return self.mishap(mishap),
                }
            }
        };
        if *other_text != **text {
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            let told = encoding::difference(&read(&other_text), &read(text)).unwrap_or_default();
            let mishap = Mishap::ViewKey(format!("{who} and {other:?} have {key:?}, but {told}"));
            self.mishap(mishap);
        }
    }

    /// Everyone who may look: each seat, and one who only watches.
    fn viewers(&self) -> Vec<(Who, Viewer)> {
        let seats = self.current.roster.seats();
        let seats = seats.map(|seat| (Who::Seat(seat.id()), seat.viewer()));
        seats.chain([(Who::Watcher, Viewer::Spectator)]).collect()
    }

    /// The views of everyone, as they are written.
    pub(crate) fn all_views(&self) -> Result<Vec<Arc<str>>, Mishap> {
        self.viewers().into_iter().map(|(_, viewer)| self.seen_by(viewer, false)).collect()
    }

    #[track_caller]
    fn look(&self, snapshot: &Snapshot<G>, viewer: Viewer) -> G::View {
        let viewer = match viewer {
            Viewer::Player(player) => match snapshot.roster.seat(player) {
                Some(seat) => seat.viewer(),
                None => self.fail(&format!("player {player} is not in the room")),
            },
            Viewer::Spectator => Viewer::Spectator,
        };
        match self.room.look(snapshot, viewer) {
            Ok(view) => view,
            Err(failure) => self.fail(&format!("a callback failed: {failure}")),
        }
    }

    #[track_caller]
    fn check_has_all_events(&self) {
        if self.has_lost_events {
            self.fail("more events were told than are kept (EVENTS_KEPT_MAX): take them earlier");
        }
    }
}

/// Changes of a room at each of which all is looked at closely, where that is wanted.
const THOROUGH_CHANGES_MAX: u64 = 1000;

/// Whether one who only watches is among them, whoever that is.
pub(super) fn any_spectator_hears(audience: Audience) -> bool {
    match audience {
        Audience::Everyone | Audience::Spectators | Audience::AllBut(_) => true,
        Audience::Players | Audience::Player(_) => false,
    }
}

fn is_in(sent: &Sent, secret: &Value) -> bool {
    secret::find(&sent.tree(), secret).is_some()
}
