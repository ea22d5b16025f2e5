//! What a room has answered to each seat, so that a request sent again is not applied again.
//!
//! Plain data, and no part of a change: a request is remembered when its outcome is published.
//! Which requests are remembered, and what of a request makes up its fingerprint, is for the
//! caller to say; [`Room::recall`](crate::Room::recall) is where it asks.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{PlayerId, PlayerMap, Refusal, Time};

/// Answers that are kept for one seat. One more pushes out that with the lowest id.
pub const ANSWERS_PER_SEAT_MAX: usize = 64;

/// How long the answers of a seat outlive it, for the one who leaves and does not hear of it.
pub const ANSWERS_AFTER_LEAVING: Duration = Duration::from_secs(60);

/// Seats given up whose answers are kept. One more pushes out the one that was given up first.
pub const DEPARTED_MAX: usize = 64;

/// What a room has answered to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The number of the last event when it answered.
    pub seq: u64,
    /// Whom the request gave a seat, if anyone; or why it was refused.
    pub outcome: Result<Option<PlayerId>, Box<Refusal>>,
}

/// What is known of a request, by its id and its fingerprint.
#[derive(Clone, Debug, PartialEq)]
pub enum Recall {
    /// Nothing: it is to be decided.
    New,
    /// It was answered so, and is not to be decided again.
    Known(Answer),
    /// The id was another request's.
    Reused,
    /// The id is too old to say.
    Stale,
}

/// The answers of all seats of a room.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answers {
    /// Of those who have answers at all.
    seats: PlayerMap<Memory>,
    /// At most [`DEPARTED_MAX`], in the order in which they left.
    departed: VecDeque<Departed>,
}

/// A request with its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) id: u64,
    pub(crate) fingerprint: u64,
    pub(crate) answer: Answer,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Departed {
    player: PlayerId,
    until: Time,
    memory: Memory,
}

/// The last answers of one seat, at most [`ANSWERS_PER_SEAT_MAX`], by rising id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Memory(VecDeque<Answered>);

impl Answers {
    pub(crate) fn recall(&self, now: Time, player: PlayerId, id: u64, fingerprint: u64) -> Recall {
        let departed = || {
            let seat = self.departed.iter().find(|seat| seat.player == player && seat.until > now);
            seat.map(|seat| &seat.memory)
        };
        match self.seats.get(&player).or_else(departed) {
            Some(memory) => memory.recall(id, fingerprint),
            None => Recall::New,
        }
    }

    /// Keeps an answer, unless it may be another the next time or the id has one already.
    pub(crate) fn remember(
        &mut self,
        now: Time,
        player: PlayerId,
        is_seated: bool,
        answered: Answered,
    ) {
        if answered.answer.outcome.as_ref().is_err_and(|refusal| !refusal.is_lasting()) {
            return;
        }
        let memory = if is_seated {
            self.seats.entry(player).or_default()
        } else {
            self.memory_of_departed(now, player)
        };
        memory.remember(answered);
    }

    /// The highest id that is remembered of a seat that is still there; 0 before the first.
    pub(crate) fn last_id(&self, player: PlayerId) -> u64 {
        self.seats.get(&player).and_then(Memory::last_id).unwrap_or_default()
    }

    /// Takes note that `player` has left: from now on its answers' days are numbered.
    pub(crate) fn depart(&mut self, now: Time, player: PlayerId) {
        if let Some(memory) = self.seats.remove(&player) {
            self.forget_departed(now);
            self.keep_for_a_while(now, player, memory);
        }
    }

    fn memory_of_departed(&mut self, now: Time, player: PlayerId) -> &mut Memory {
        self.forget_departed(now);
        let place = match self.departed.iter().position(|seat| seat.player == player) {
            Some(place) => place,
            None => {
                // Its first request was to leave.
                self.keep_for_a_while(now, player, Memory::default());
                self.departed.len() - 1
            }
        };
        &mut self.departed[place].memory
    }

    fn forget_departed(&mut self, now: Time) {
        self.departed.retain(|seat| seat.until > now);
    }

    fn keep_for_a_while(&mut self, now: Time, player: PlayerId, memory: Memory) {
        if self.departed.len() == DEPARTED_MAX {
            self.departed.pop_front();
        }
        self.departed.push_back(Departed { player, until: now + ANSWERS_AFTER_LEAVING, memory });
    }
}

impl Memory {
    fn recall(&self, id: u64, fingerprint: u64) -> Recall {
        match self.place(id) {
            Ok(place) if self.0[place].fingerprint == fingerprint => {
                Recall::Known(self.0[place].answer.clone())
            }
            Ok(_) => Recall::Reused,
            Err(0) if self.0.len() == ANSWERS_PER_SEAT_MAX => Recall::Stale,
            Err(_) => Recall::New,
        }
    }

    fn remember(&mut self, answered: Answered) {
        let Err(mut place) = self.place(answered.id) else { return };
        if self.0.len() == ANSWERS_PER_SEAT_MAX {
            if place == 0 {
                return;
            }
            self.0.pop_front();
            place -= 1;
        }
        self.0.insert(place, answered);
    }

    fn last_id(&self) -> Option<u64> {
        self.0.back().map(|last| last.id)
    }

    /// Where `id` is, or where it would be.
    fn place(&self, id: u64) -> Result<usize, usize> {
        // Ids nearly always rise, so that most belong at the end.
        if self.last_id().is_none_or(|last| last < id) {
            return Err(self.0.len());
        }
        self.0.binary_search_by_key(&id, |answered| answered.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Failure, Fault, GameError};

    const ADA: PlayerId = PlayerId(1);

    /// The answers of one seat, that has these ids.
    fn with_ids(ids: impl IntoIterator<Item = u64>) -> Answers {
        let mut answers = Answers::default();
        for id in ids {
            answers.remember(at(0), ADA, true, answered(id, id, Ok(None)));
        }
        answers
    }

    /// An answer that differs from id to id.
    fn answered(id: u64, fingerprint: u64, outcome: Result<Option<PlayerId>, Refusal>) -> Answered {
        let answer = Answer { seq: 1000 + id, outcome: outcome.map_err(Box::new) };
        Answered { id, fingerprint, answer }
    }

    #[track_caller]
    fn check(answers: &Answers, id: u64, expect: Recall) {
        assert_eq!(answers.recall(at(0), ADA, id, id), expect, "id {id}");
    }

    fn known(id: u64) -> Recall {
        Recall::Known(answered(id, id, Ok(None)).answer)
    }

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn most() -> u64 {
        u64::try_from(ANSWERS_PER_SEAT_MAX).unwrap()
    }

    #[test]
    fn request_is_new_once_and_known_from_then_on() {
        let mut answers = Answers::default();
        check(&answers, 7, Recall::New);
        assert_eq!(answers.last_id(ADA), 0);
        answers.remember(at(0), ADA, true, answered(7, 7, Ok(None)));
        check(&answers, 7, known(7));
        check(&answers, 8, Recall::New);
        assert_eq!(answers.last_id(ADA), 7);
        assert_eq!(answers.recall(at(0), PlayerId(2), 7, 7), Recall::New, "another seat's id");
    }

    #[test]
    fn id_of_another_request_is_reused_and_keeps_its_answer() {
        let mut answers = with_ids([7]);
        assert_eq!(answers.recall(at(0), ADA, 7, 8), Recall::Reused);
        answers.remember(at(0), ADA, true, answered(7, 8, Ok(Some(ADA))));
        check(&answers, 7, known(7));
    }

    #[test]
    fn unknown_id_below_the_lowest_is_new_until_as_many_are_kept_as_can_be() {
        let few = with_ids(2..=most());
        check(&few, 1, Recall::New);
        let all = with_ids(2..=most() + 1);
        check(&all, 1, Recall::Stale);
        check(&all, 2, known(2));
    }

    #[test]
    fn one_answer_more_than_the_bound_pushes_out_that_with_the_lowest_id() {
        let mut answers = with_ids(1..=most());
        check(&answers, 1, known(1));
        answers.remember(at(0), ADA, true, answered(most() + 1, most() + 1, Ok(None)));
        check(&answers, 1, Recall::Stale);
        for id in 2..=most() + 1 {
            check(&answers, id, known(id));
        }
        assert_eq!(answers.last_id(ADA), most() + 1);
    }

    /// Requests that were not to be remembered leave gaps, and are tried again under their ids.
    #[test]
    fn id_in_a_gap_is_new_and_takes_its_place() {
        let mut answers = with_ids((1..=most()).map(|n| 2 * n));
        check(&answers, 5, Recall::New);
        answers.remember(at(0), ADA, true, answered(5, 5, Ok(None)));
        check(&answers, 5, known(5));
        check(&answers, 4, known(4));
        check(&answers, 2, Recall::Stale);
        check(&answers, 3, Recall::Stale);
    }

    #[test]
    fn id_below_all_that_are_kept_is_not_remembered_any_more() {
        let mut answers = with_ids(2..=most() + 1);
        answers.remember(at(0), ADA, true, answered(1, 1, Ok(None)));
        check(&answers, 1, Recall::Stale);
        check(&answers, 2, known(2));
    }

    #[test]
    fn refusal_is_remembered_unless_it_says_to_try_again() {
        let breakdown = Failure { callback: "on_action", fault: Fault::Panicked(String::new()) };
        for (refusal, is_kept) in [
            (Refusal::NotHost, true),
            (Refusal::NotReady("too few".into()), true),
            (Refusal::Game(GameError::not_your_turn()), true),
            (Refusal::UnknownBotLevel { known: &["easy"] }, false),
            (Refusal::Failed(breakdown), false),
        ] {
            let mut answers = Answers::default();
            let answered = answered(1, 1, Err(refusal));
            answers.remember(at(0), ADA, true, answered.clone());
            let expect = if is_kept { Recall::Known(answered.answer) } else { Recall::New };
            check(&answers, 1, expect);
        }
    }

    /// A queue that grows by doubling ends at its bound exactly.
    #[test]
    fn full_memory_takes_no_more_room_than_its_answers() {
        let answers = with_ids(1..=10 * most());
        assert_eq!(answers.seats[&ADA].0.capacity(), ANSWERS_PER_SEAT_MAX);
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Asks under an id this far below the highest so far, and if that is new, decides.
        Ask {
            player: PlayerId,
            below: u64,
            fingerprint: u64,
            outcome: Option<PlayerId>,
        },
        Depart(PlayerId),
        Pass {
            millis: u64,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let player = || (1..=2u32).prop_map(PlayerId);
        // Above all, mostly; else a little way back, or as far as what is forgotten.
        let below = prop_oneof![6 => Just(0), 2 => 0..9u64, 2 => 50..90u64];
        let outcome = prop::option::of((1..9u32).prop_map(PlayerId));
        prop_oneof![
            120 => (player(), below, 0..2u64, outcome).prop_map(
                |(player, below, fingerprint, outcome)| {
                    Step::Ask { player, below, fingerprint, outcome }
                }
            ),
            1 => player().prop_map(Step::Depart),
            2 => prop_oneof![Just(1), 20_000..=60_000u64].prop_map(|millis| Step::Pass { millis }),
        ]
    }

    /// The same promises in the plainest way: everything in one list, in no order.
    #[derive(Default)]
    struct Model {
        kept: Vec<(PlayerId, Answered)>,
        departed: Vec<(PlayerId, Time)>,
    }

    impl Model {
        fn of(&self, player: PlayerId) -> impl Iterator<Item = &Answered> {
            self.kept.iter().filter(move |(owner, _)| *owner == player).map(|(_, kept)| kept)
        }

        fn recall(&self, player: PlayerId, id: u64, fingerprint: u64) -> Recall {
            match self.of(player).find(|kept| kept.id == id) {
                Some(kept) if kept.fingerprint == fingerprint => Recall::Known(kept.answer.clone()),
                Some(_) => Recall::Reused,
                None if self.of(player).filter(|kept| kept.id > id).count() < 64 => Recall::New,
                None => Recall::Stale,
            }
        }

        fn remember(&mut self, now: Time, player: PlayerId, answered: Answered, is_seated: bool) {
            if !is_seated && self.departed.iter().all(|(gone, _)| *gone != player) {
                self.departed.push((player, now + Duration::from_secs(60)));
            }
            self.kept.push((player, answered));
            if self.of(player).count() > 64 {
                let lowest = self.of(player).map(|kept| kept.id).min();
                self.kept.retain(|(owner, kept)| *owner != player || Some(kept.id) != lowest);
            }
        }

        fn forget(&mut self, now: Time) {
            for (player, _) in self.departed.iter().filter(|(_, until)| *until <= now) {
                self.kept.retain(|(owner, _)| owner != player);
            }
            self.departed.retain(|(_, until)| *until > now);
        }
    }

    const CASES: u32 = if cfg!(miri) { 2 } else { 128 };

    proptest! {
        // A seed on disk would be a file that the build leaves in the sources.
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(CASES)
        })]

        /// Two seats, each of which may be given up once; requests of both as they come.
        #[test]
        fn answers_are_those_of_a_list_of_everything(
            steps in prop::collection::vec(step(), 1..400),
        ) {
            let (mut answers, mut model) = (Answers::default(), Model::default());
            let (mut now, mut highest) = (at(0), [100u64; 2]);
            let mut gone: Vec<PlayerId> = Vec::new();
            for step in steps {
                match step {
                    Step::Ask { player, below, fingerprint, outcome } => {
                        let highest = &mut highest[if player == ADA { 0 } else { 1 }];
                        *highest += 1;
                        let id = *highest - below;
                        let recall = answers.recall(now, player, id, fingerprint);
                        prop_assert_eq!(&recall, &model.recall(player, id, fingerprint), "{}", id);
                        if recall == Recall::New {
                            let answered = answered(id, fingerprint, Ok(outcome));
                            let is_seated = !gone.contains(&player);
                            answers.remember(now, player, is_seated, answered.clone());
                            model.remember(now, player, answered, is_seated);
                        }
                    }
                    Step::Depart(player) => {
                        if !gone.contains(&player) {
                            gone.push(player);
                            answers.depart(now, player);
                            if model.of(player).next().is_some() {
                                model.departed.push((player, now + Duration::from_secs(60)));
                            }
                        }
                    }
                    Step::Pass { millis } => {
                        now = now + Duration::from_millis(millis);
                        model.forget(now);
                    }
                }
                for player in [ADA, PlayerId(2)] {
                    let kept = model.of(player).filter(|_| !gone.contains(&player));
                    let last_id = kept.map(|kept| kept.id).max().unwrap_or(0);
                    prop_assert_eq!(answers.last_id(player), last_id);
                }
            }
        }
    }
}
