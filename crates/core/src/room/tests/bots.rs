//! Bots: asked about what is published, one decision at a time, in their own time.

use super::probe::{Action, BOT_TOTAL_MAX, Options, THINKING_TIME};
use super::{Done, P1, P2, Table, add_bot, millis, secs};
use crate::{
    AfterGrace, Bot as _, BotTurn, CloseReason, Command, Effort, Fault, Refusal, SeatKind,
};

use super::Probe;

/// In play: Ada is player 1, the bot player 2, which has not been asked yet.
fn with_bot(level: &str) -> Table {
    let mut table = Table::with(&["Ada"]);
    table.must(add_bot(level));
    table.must(Command::Start(P1));
    table
}

impl Table {
    /// The one bot that is due now.
    #[track_caller]
    fn due(&mut self) -> BotTurn<Probe> {
        let mut turns = self.room.due_bots(self.now);
        assert_eq!(turns.len(), 1, "one bot is due");
        turns.remove(0)
    }

    fn is_quiet(&mut self) -> bool {
        self.room.due_bots(self.now).is_empty()
    }

    fn answer(&mut self, turn: BotTurn<Probe>) -> Result<Option<Done>, Refusal> {
        let (bot, seen) = (turn.player(), turn.version());
        let action = turn.decide();
        let commit = self.room.answer(self.now, bot, seen, action)?;
        Ok(commit.map(|commit| self.publish(commit)))
    }
}

#[test]
fn bot_thinks_before_it_acts_and_then_thinks_again() {
    let mut table = with_bot("adds");
    assert_eq!(table.room.wake_at(), Some(table.now + THINKING_TIME));
    table.pass(THINKING_TIME - millis(1));
    assert!(table.is_quiet());
    table.pass(millis(1));

    let turn = table.due();
    assert_eq!((turn.player(), turn.version()), (P2, table.seen().version));
    assert!(table.is_quiet(), "one that is deciding is not asked again");
    assert_eq!(table.room.wake_at(), None);
    assert!(table.answer(turn).unwrap().is_some());
    assert!(table.state().total > 0);
    assert_eq!(table.room.wake_at(), Some(table.now + THINKING_TIME));
}

#[test]
fn change_while_a_bot_thinks_does_not_make_it_think_longer() {
    let mut table = with_bot("adds");
    let due = table.room.wake_at();
    table.pass(millis(300));
    table.act(P1, Action::Add(1));
    assert_eq!(table.room.wake_at(), due);
}

#[test]
fn bot_does_not_think_before_the_start_or_after_the_end() {
    let mut table = Table::with(&["Ada"]);
    table.must(add_bot("adds"));
    assert_eq!(table.room.wake_at(), None);
    table.must(Command::Start(P1));
    assert!(table.room.wake_at().is_some());
    table.act(P1, Action::Finish);
    table.pass(secs(5));
    assert!(table.is_quiet());
}

#[test]
fn bot_that_waits_rests_until_the_state_changes() {
    let mut table = with_bot("waits");
    table.pass(THINKING_TIME);
    let turn = table.due();
    assert!(table.answer(turn).unwrap().is_none());
    table.must(super::chat(P1, "your turn"));
    table.pass(secs(60));
    assert!(table.is_quiet(), "a word is no change of the state");
    table.act(P1, Action::Add(1));
    table.pass(THINKING_TIME);
    table.due();
}

#[test]
fn bot_is_asked_only_about_published_states() {
    let mut table = with_bot("adds");
    table.pass(THINKING_TIME);
    let held = table.decide(super::act(P1, Action::Add(1))).unwrap();
    let turn = table.due();
    assert_eq!(turn.version() + 1, held.snapshot().version);

    // What it decides is stale, and there is nothing new to ask it about before the publication.
    assert_eq!(table.answer(turn).err(), Some(Refusal::Stale));
    table.pass(secs(1));
    assert!(table.is_quiet());
    table.publish(held);
    table.pass(THINKING_TIME);
    let turn = table.due();
    assert!(table.answer(turn).unwrap().is_some());
}

#[test]
fn stale_decision_is_refused_and_the_bot_asked_again_at_once() {
    let mut table = with_bot("adds");
    table.pass(THINKING_TIME);
    let turn = table.due();
    table.act(P1, Action::Add(1));
    let before = table.bytes();
    assert_eq!(table.answer(turn).err(), Some(Refusal::Stale));
    assert!(table.bytes() == before);
    let turn = table.due();
    assert_eq!(turn.version(), table.seen().version);
    assert!(table.answer(turn).unwrap().is_some());
}

/// A search takes longer than the game takes to change: started anew for each change, searches
/// would pile up without bound.
#[test]
fn slow_bot_in_a_fast_game_has_one_decision_to_make_at_a_time() {
    let mut table = with_bot("searches");
    table.pass(THINKING_TIME);
    let turn = table.due();
    assert_eq!(turn.effort(), Effort::Searching);
    for _ in 0..5 {
        table.act(P1, Action::Add(1));
        table.pass(secs(1));
        assert!(table.is_quiet());
    }
    assert_eq!(table.answer(turn).err(), Some(Refusal::Stale));
    table.due();
}

#[test]
fn answer_to_a_question_of_the_last_game_does_not_disturb_this_one() {
    let mut table = with_bot("searches");
    table.pass(THINKING_TIME);
    let old = table.due();
    table.act(P1, Action::Finish);
    table.must(Command::Rematch(P1));
    table.must(Command::Start(P1));
    table.pass(THINKING_TIME);
    let new = table.due();
    assert_eq!(table.answer(old).err(), Some(Refusal::Stale));
    assert!(table.is_quiet(), "the new question stands");
    assert!(table.answer(new).unwrap().is_some());
}

#[test]
fn answer_after_the_end_wakes_nobody() {
    let mut table = with_bot("searches");
    table.pass(THINKING_TIME);
    let turn = table.due();
    table.act(P1, Action::Finish);
    assert_eq!(table.answer(turn).err(), Some(Refusal::Over));
    assert!(table.is_quiet());
}

#[test]
fn bot_that_panics_or_is_refused_rests_and_the_room_goes_on() {
    for level in ["breaks", "refused"] {
        let mut table = with_bot(level);
        table.pass(THINKING_TIME);
        let turn = table.due();
        let before = table.bytes();
        let answered = table.answer(turn);
        assert_eq!(answered.is_err(), level == "refused");
        assert!(table.bytes() == before, "{level}");
        table.pass(secs(60));
        assert!(table.is_quiet(), "it would decide the same again");
        table.act(P1, Action::Add(1));
        table.pass(THINKING_TIME);
        table.due();
    }
}

#[test]
fn bot_whose_view_panics_decides_nothing() {
    let mut table = with_bot("adds");
    table.pass(THINKING_TIME);
    let turn = table.due();
    table.room.game().arm("view", super::probe::How::Panics);
    assert!(table.answer(turn).unwrap().is_none());
}

#[test]
fn breakdown_of_a_bot_or_its_view_is_told_to_who_asks_for_it() {
    for (level, callback) in [("breaks", "decide"), ("adds", "view")] {
        let mut table = with_bot(level);
        table.pass(THINKING_TIME);
        let turn = table.due();
        if callback == "view" {
            table.room.game().arm("view", super::probe::How::Panics);
        }
        let failure = turn.try_decide().unwrap_err();
        assert_eq!(failure.callback, callback);
        assert!(matches!(failure.fault, Fault::Panicked(_)), "{failure}");
    }
}

#[test]
fn same_view_and_seed_give_the_same_decision() {
    let decide = || {
        let mut table = with_bot("adds");
        table.pass(THINKING_TIME);
        table.due().decide()
    };
    assert_eq!(decide(), decide());
    assert!(matches!(decide(), Some(Action::Add(1..=6))));
}

#[test]
fn bots_play_a_game_out_and_then_rest() {
    let mut table = Table::with(&["Ada"]);
    for level in ["adds", "searches", "waits"] {
        table.must(add_bot(level));
    }
    table.must(Command::Start(P1));
    let mut rounds = 0;
    while let Some(at) = table.room.wake_at() {
        table.pass(at.since(table.now));
        for turn in table.room.due_bots(table.now) {
            // Two are due together: the first makes the second's decision stale.
            if let Err(refusal) = table.answer(turn) {
                assert_eq!(refusal, Refusal::Stale);
            }
        }
        rounds += 1;
        assert!(rounds < 2000, "the bots spin");
    }
    assert!((BOT_TOTAL_MAX..BOT_TOTAL_MAX + 6).contains(&table.state().total));
}

#[test]
fn removed_bot_is_not_asked_and_its_answer_not_heard() {
    let mut table = with_bot("searches");
    table.pass(THINKING_TIME);
    let turn = table.due();
    table.must(Command::RemoveBot { by: P1, bot: P2 });
    assert_eq!(table.answer(turn).err(), Some(Refusal::NoSuchPlayer));
    table.act(P1, Action::Add(1));
    table.pass(secs(5));
    assert!(table.is_quiet());
}

/// Ada is away and a bot of this level sits in for her.
fn stood_in(level: &'static str) -> Table {
    let after_grace = AfterGrace::StandIn { level: level.into() };
    let options = Options { after_grace, ..Options::default() };
    let mut table = Table::begun(options, &["Ada", "Bob"]);
    table.must(Command::Disconnect(P1));
    table.pass(secs(60));
    assert_eq!(table.seat(P1).kind(), SeatKind::Bot);
    table
}

#[test]
fn stand_in_begins_to_think_at_once_and_stops_when_the_player_is_back() {
    let mut table = stood_in("adds");
    table.pass(THINKING_TIME);
    let turn = table.due();
    assert_eq!(turn.player(), P1);
    assert!(table.answer(turn).unwrap().is_some());

    table.must(Command::Reconnect(P1));
    table.pass(secs(5));
    assert!(table.is_quiet());
}

/// The version alone would let it through: `on_reconnect` panics, so the state has not moved.
#[test]
fn decision_of_a_stand_in_is_not_made_for_the_player_who_is_back() {
    let mut table = stood_in("searches");
    table.pass(THINKING_TIME);
    let turn = table.due();
    table.room.game().arm("on_reconnect", super::probe::How::Panics);
    table.must(Command::Reconnect(P1));
    table.room.game().disarm();
    assert_eq!(turn.version(), table.seen().version);
    assert_eq!(table.answer(turn).err(), Some(Refusal::Stale));
}

/// Its action has never been, and what it waits for would never come.
#[test]
fn bot_whose_action_is_put_back_is_asked_again() {
    let mut table = with_bot("adds");
    table.pass(THINKING_TIME);
    let turn = table.due();
    let (seen, first) = (turn.version(), turn.decide());
    let commit = table.room.answer(table.now, P2, seen, first.clone()).unwrap().unwrap();
    table.room.put_back(commit);

    table.pass(THINKING_TIME);
    let again = table.due();
    assert_eq!((again.version(), again.decide()), (seen, first));
}

#[test]
fn closed_room_asks_no_bots() {
    let mut table = with_bot("adds");
    table.must(Command::Close(CloseReason::Admin));
    assert_eq!(table.room.wake_at(), None);
    table.pass(secs(5));
    assert!(table.is_quiet());
}

#[test]
fn defaults_of_a_bot_are_what_its_documentation_says() {
    struct Plain;
    impl crate::Bot<Probe> for Plain {
        fn decide(
            &self,
            _: &super::probe::View,
            _: crate::PlayerId,
            _: &mut crate::GameRng,
        ) -> Option<Action> {
            None
        }
    }
    assert_eq!((Plain.thinking_time(), Plain.effort()), (millis(700), Effort::Inline));
}
