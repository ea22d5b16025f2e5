//! Players who choose at the same time, each without knowing what the others choose.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{GameError, PlayerId, PlayerMap};

/// One choice of each of several players, hidden until all are made and then shown together.
///
/// A view may say [who is awaited](Self::awaited) and tell a player its [own choice](Self::own). The
/// other choices come out of it by [`reveal`](Self::reveal) alone, so keep the value itself out of views.
/// Its `Debug` hides the choices too.
///
/// ```
/// use parlor_core::{PlayerId, Simultaneous};
///
/// let [ada, bob] = [1, 2].map(PlayerId);
/// let mut hands = Simultaneous::new([ada, bob]);
/// hands.submit(bob, "rock")?;
/// assert_eq!(hands.reveal(), None);
/// assert_eq!(hands.awaited().collect::<Vec<_>>(), [ada]);
///
/// hands.submit(ada, "paper")?;
/// let shown = hands.reveal().expect("nobody is awaited");
/// assert_eq!(shown.iter().collect::<Vec<_>>(), [(&ada, &"paper"), (&bob, &"rock")]);
/// # Ok::<(), parlor_core::SubmitError>(())
/// ```
///
/// Time is up, or someone plays on without being there? [`Simultaneous::give_up`] stops waiting.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Simultaneous<T>(PlayerMap<Choice<T>>);

/// An `Option` would not tell a missing choice from a choice that is written as nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice<T> {
    Awaited,
    Made(T),
}

/// Why a choice was not taken. Nothing has changed, and the same player will be refused again until
/// its choice is withdrawn or it is asked anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// This player has nothing to choose, or is waited for no more.
    #[error("it is not your turn")]
    NotAsked,
    /// This player has chosen already.
    #[error("you have chosen already")]
    AlreadyMade,
}

impl<T> Simultaneous<T> {
    /// Awaits a choice of each of `players`. Who is named twice chooses once.
    pub fn new(players: impl IntoIterator<Item = PlayerId>) -> Self {
        Self(players.into_iter().map(|player| (player, Choice::Awaited)).collect())
    }

    /// Takes the choice of `player`, for good unless it is [withdrawn](Self::withdraw).
    pub fn submit(&mut self, player: PlayerId, value: T) -> Result<(), SubmitError> {
        match self.0.get_mut(&player) {
            None => Err(SubmitError::NotAsked),
            Some(Choice::Made(_)) => Err(SubmitError::AlreadyMade),
            Some(choice) => {
                *choice = Choice::Made(value);
                Ok(())
            }
        }
    }

    /// Gives the choice of `player` back to it, which is awaited again.
    ///
    /// `None`, and nothing changes, when it has made none.
    pub fn withdraw(&mut self, player: PlayerId) -> Option<T> {
        let choice = self.0.get_mut(&player)?;
        match std::mem::replace(choice, Choice::Awaited) {
            Choice::Made(value) => Some(value),
            Choice::Awaited => None,
        }
    }

    /// What `player` has chosen: for its own view, and nobody else's.
    pub fn own(&self, player: PlayerId) -> Option<&T> {
        match self.0.get(&player)? {
            Choice::Made(value) => Some(value),
            Choice::Awaited => None,
        }
    }

    /// Who has still to choose, by rising id.
    pub fn awaited(&self) -> impl Iterator<Item = PlayerId> + '_ {
        self.0.iter().filter(|(_, choice)| choice.is_awaited()).map(|(player, _)| *player)
    }

    /// Who has chosen, by rising id.
    pub fn submitted(&self) -> impl Iterator<Item = PlayerId> + '_ {
        self.0.iter().filter(|(_, choice)| !choice.is_awaited()).map(|(player, _)| *player)
    }

    /// Whether nobody is awaited, so that [`reveal`](Self::reveal) gives the choices. Also when nobody
    /// was asked.
    pub fn is_complete(&self) -> bool {
        self.awaited().next().is_none()
    }

    /// Takes `player` out, awaited or not, for one who leaves: it chooses no more, and a choice that it
    /// has made is returned and will not be revealed.
    pub fn remove(&mut self, player: PlayerId) -> Option<T> {
        match self.0.remove(&player)? {
            Choice::Made(value) => Some(value),
            Choice::Awaited => None,
        }
    }

    /// Waits no more for those who have not chosen, and returns them by rising id: their time is up.
    ///
    /// They are missing from what is revealed. To choose for them instead, [`submit`](Self::submit)
    /// for each who is awaited.
    pub fn give_up(&mut self) -> Vec<PlayerId> {
        let missing: Vec<PlayerId> = self.awaited().collect();
        self.0.retain(|_, choice| !choice.is_awaited());
        missing
    }

    /// All choices at once, by rising id of those who made them; `None` as long as anyone is awaited.
    ///
    /// They are taken out: after that nobody is asked until there is a [new](Self::new) one. When
    /// nobody was asked or all were given up, the map is empty.
    pub fn reveal(&mut self) -> Option<PlayerMap<T>> {
        if !self.is_complete() {
            return None;
        }
        let choices = std::mem::take(&mut *self.0);
        let made = choices.into_iter().filter_map(|(player, choice)| match choice {
            Choice::Made(value) => Some((player, value)),
            Choice::Awaited => None,
        });
        Some(made.collect())
    }
}

impl<T> Choice<T> {
    fn is_awaited(&self) -> bool {
        matches!(self, Self::Awaited)
    }
}

/// Nobody is asked.
impl<T> Default for Simultaneous<T> {
    fn default() -> Self {
        Self(PlayerMap::new())
    }
}

/// Who has chosen, not what: a log is read by people who play.
impl<T> fmt::Debug for Simultaneous<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simultaneous")
            .field("awaited", &self.awaited().collect::<Vec<_>>())
            .field("submitted", &self.submitted().collect::<Vec<_>>())
            .finish()
    }
}

/// So that `?` in `on_action` tells the player: `NOT_YOUR_TURN`, or `INVALID_MOVE` with the rule
/// `already_chosen`.
impl From<SubmitError> for GameError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::NotAsked => Self::not_your_turn(),
            SubmitError::AlreadyMade => {
                Self::invalid_move(error.to_string()).with("rule", "already_chosen")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const A: PlayerId = PlayerId(1);
    const B: PlayerId = PlayerId(2);
    const C: PlayerId = PlayerId(3);

    fn ids(players: impl Iterator<Item = PlayerId>) -> Vec<PlayerId> {
        players.collect()
    }

    #[test]
    fn choices_come_out_together_by_player_and_only_when_all_are_made() {
        let mut choices = Simultaneous::new([C, A, B, A]);
        for (player, left) in [(C, &[A, B][..]), (A, &[B])] {
            choices.submit(player, player.0 * 10).unwrap();
            assert_eq!(ids(choices.awaited()), left);
            assert_eq!((choices.is_complete(), choices.reveal()), (false, None));
        }
        choices.submit(B, 20).unwrap();
        assert!(choices.is_complete());
        let shown = choices.reveal().unwrap();
        assert_eq!(shown.into_iter().collect::<Vec<_>>(), [(&A, &10), (&B, &20), (&C, &30)]);
    }

    #[test]
    fn after_the_reveal_nobody_is_asked() {
        let mut choices = Simultaneous::new([A]);
        choices.submit(A, 1).unwrap();
        choices.reveal().unwrap();
        assert_eq!(choices, Simultaneous::default());
        assert_eq!(choices.submit(A, 2), Err(SubmitError::NotAsked));
        assert_eq!(choices.reveal(), Some(PlayerMap::new()));
    }

    #[test]
    fn choice_stands_until_it_is_withdrawn() {
        let mut choices = Simultaneous::new([A, B]);
        assert_eq!(choices.withdraw(A), None);
        choices.submit(A, 1).unwrap();
        assert_eq!(choices.submit(A, 2), Err(SubmitError::AlreadyMade));
        assert_eq!((choices.own(A), choices.own(B), choices.own(C)), (Some(&1), None, None));

        assert_eq!(choices.withdraw(A), Some(1));
        assert_eq!(ids(choices.awaited()), [A, B]);
        choices.submit(A, 2).unwrap();
        assert_eq!(choices.own(A), Some(&2));
    }

    #[test]
    fn refusals_reach_the_player_with_a_code_and_a_rule() {
        let error = GameError::from(SubmitError::NotAsked);
        assert_eq!(error, GameError::not_your_turn());
        assert_eq!(error.message(), SubmitError::NotAsked.to_string());
        let error = GameError::from(SubmitError::AlreadyMade);
        assert_eq!(error.code(), "INVALID_MOVE");
        assert_eq!(error.details()["rule"], "already_chosen".into());
    }

    #[test]
    fn those_given_up_are_told_and_missing_from_the_reveal() {
        let mut choices = Simultaneous::new([A, B, C]);
        choices.submit(B, 7).unwrap();
        assert_eq!(choices.give_up(), [A, C]);
        assert_eq!(choices.give_up(), []);
        assert_eq!(choices.submit(A, 1), Err(SubmitError::NotAsked));
        assert_eq!(choices.reveal(), Some([(B, 7)].into_iter().collect()));
    }

    #[test]
    fn who_leaves_is_not_waited_for_and_its_choice_not_shown() {
        let mut choices = Simultaneous::new([A, B, C]);
        choices.submit(A, 1).unwrap();
        choices.submit(B, 2).unwrap();
        assert_eq!(
            (choices.remove(A), choices.remove(C), choices.remove(C)),
            (Some(1), None, None)
        );
        assert_eq!(choices.reveal(), Some([(B, 2)].into_iter().collect()));
    }

    #[test]
    fn choices_are_not_in_what_debug_writes() {
        let mut choices = Simultaneous::new([A, B]);
        choices.submit(B, "a secret").unwrap();
        assert_eq!(
            format!("{choices:?}"),
            "Simultaneous { awaited: [PlayerId(1)], submitted: [PlayerId(2)] }"
        );
    }

    /// A choice of nothing, such as to pass, is a choice.
    #[test]
    fn choice_that_is_written_as_nothing_survives_bytes() {
        let mut choices = Simultaneous::<Option<u8>>::new([A, B]);
        choices.submit(A, None).unwrap();
        let json = serde_json::to_string(&choices).unwrap();
        assert_eq!(serde_json::from_str::<Simultaneous<Option<u8>>>(&json).unwrap(), choices);
        let packed = rmp_serde::to_vec_named(&choices).unwrap();
        assert_eq!(rmp_serde::from_slice::<Simultaneous<Option<u8>>>(&packed).unwrap(), choices);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Submit(PlayerId, u8),
        Withdraw(PlayerId),
        Remove(PlayerId),
        GiveUp,
        Reveal,
    }

    fn step() -> impl Strategy<Value = Step> {
        let player = || (1..=5_u32).prop_map(PlayerId);
        prop_oneof![
            6 => (player(), any::<u8>()).prop_map(|(player, value)| Step::Submit(player, value)),
            2 => player().prop_map(Step::Withdraw),
            1 => player().prop_map(Step::Remove),
            1 => Just(Step::GiveUp),
            2 => Just(Step::Reveal),
        ]
    }

    const CASES: u32 = if cfg!(miri) { 2 } else { 256 };

    proptest! {
        // A seed on disk would be a file that the build leaves in the sources.
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(CASES)
        })]

        #[test]
        fn nothing_is_revealed_but_the_last_choice_of_each_who_stayed(
            players in 0..=4_u32,
            steps in prop::collection::vec(step(), 1..40),
        ) {
            let mut choices = Simultaneous::new((1..=players).map(PlayerId));
            let mut model: BTreeMap<PlayerId, Option<u8>> =
                (1..=players).map(|id| (PlayerId(id), None)).collect();
            for step in steps {
                match step {
                    Step::Submit(player, value) => {
                        let expect = match model.get_mut(&player) {
                            None => Err(SubmitError::NotAsked),
                            Some(Some(_)) => Err(SubmitError::AlreadyMade),
                            Some(slot) => {
                                *slot = Some(value);
                                Ok(())
                            }
                        };
                        prop_assert_eq!(choices.submit(player, value), expect);
                    }
                    Step::Withdraw(player) => {
                        let expect = model.get_mut(&player).and_then(Option::take);
                        prop_assert_eq!(choices.withdraw(player), expect);
                    }
                    Step::Remove(player) => {
                        let expect = model.remove(&player).flatten();
                        prop_assert_eq!(choices.remove(player), expect);
                    }
                    Step::GiveUp => {
                        choices.give_up();
                        model.retain(|_, value| value.is_some());
                    }
                    Step::Reveal => {
                        let all: Option<PlayerMap<u8>> =
                            model.iter().map(|(id, value)| value.map(|value| (*id, value))).collect::<Option<Vec<_>>>()
                                .map(|made| made.into_iter().collect());
                        prop_assert_eq!(choices.reveal(), all.clone());
                        if all.is_some() {
                            model.clear();
                        }
                    }
                }
                let waiting = model.iter().filter(|(_, value)| value.is_none());
                prop_assert_eq!(ids(choices.awaited()), ids(waiting.map(|(id, _)| *id)));
            }
        }
    }
}
