//! Games that go on by themselves: steps at their times, what waits for them, and who is late.

use super::probe::How::{Errs, Panics};
use super::probe::{Action, Options, THINKING_TIME};
use super::{Done, P1, P2, Table, Wish, act, add_bot, millis, secs};
use crate::{
    Actions, Command, GATHERED_PER_PLAYER_MAX, Phase, Refusal, Room, STEPS_BEHIND_MAX, StartRule,
    Tick,
};

/// A table that steps ten times a second, begun.
fn stepping(names: &[&str]) -> Table {
    Table::begun(Options { tick: Some(Tick::hz(10)), ..Options::default() }, names)
}

fn gathering(names: &[&str]) -> Table {
    let tick = Tick { actions: Actions::Gathered, ..Tick::hz(10) };
    Table::begun(Options { tick: Some(tick), ..Options::default() }, names)
}

fn skipped(done: &[Done]) -> u64 {
    done.iter().map(|done| done.steps_skipped).sum()
}

fn steps(table: &Table) -> u64 {
    table.state().steps
}

#[test]
fn steps_come_at_their_own_times_from_the_start_to_the_end() {
    let lobby = Options { tick: Some(Tick::hz(10)), ..Options::default() };
    let mut table = Table::seated(lobby, &["Ada"]);
    assert!(table.pass(secs(1)).is_empty(), "not before the start");

    let start = table.now;
    table.must(Command::Start(P1));
    let done = table.pass(millis(350));
    let times: Vec<u64> = done.iter().map(|done| done.at.as_millis() - start.as_millis()).collect();
    assert_eq!(times, [100, 200, 300]);
    assert_eq!(steps(&table), 3);

    table.act(P1, Action::Finish);
    assert!(table.pass(millis(350)).is_empty(), "not after the end");
    table.must(Command::Rematch(P1));
    table.must(Command::Start(P1));
    table.pass(millis(100));
    assert_eq!(steps(&table), 1, "a rematch counts from one");
}

/// How often the room is called must not matter to the game.
#[test]
fn room_called_seldom_takes_the_same_steps_as_one_called_often() {
    let (mut often, mut seldom) = (stepping(&["Ada"]), stepping(&["Ada"]));
    for _ in 0..400 {
        often.pass(millis(1));
    }
    seldom.pass(millis(400));
    assert_eq!(steps(&seldom), 4);
    assert!(often.bytes() == seldom.bytes());
}

#[test]
fn room_too_far_behind_lets_steps_go_and_says_how_many() {
    let mut table = stepping(&["Ada"]);
    assert_eq!(skipped(&table.pass(millis(699))), 0);
    assert_eq!(steps(&table), STEPS_BEHIND_MAX + 1, "the one that is due and those made up for");

    let done = table.pass(secs(10));
    assert_eq!(skipped(&done), 100 - STEPS_BEHIND_MAX - 1);
    assert_eq!(steps(&table), 2 * (STEPS_BEHIND_MAX + 1), "steps are numbered without gaps");
    table.pass(millis(100));
    assert_eq!(steps(&table), 2 * (STEPS_BEHIND_MAX + 1) + 1, "and go on at their rate");
}

#[test]
fn failing_step_is_counted_and_the_next_one_comes() {
    for how in [Errs, Panics] {
        let mut table = stepping(&["Ada"]);
        table.room.game().arm("on_tick", how);
        let done = table.pass(millis(100));
        assert_eq!(done[0].failure.as_ref().map(|failure| failure.callback), Some("on_tick"));
        assert_eq!(steps(&table), 0, "it has changed nothing");

        table.room.game().disarm();
        table.pass(millis(100));
        assert_eq!(steps(&table), 2);
    }
}

#[test]
fn step_put_back_is_due_again() {
    let mut table = stepping(&["Ada"]);
    let before = table.bytes();
    let commit = table.room.advance(table.now + millis(100)).expect("a step is due");
    table.room.put_back(commit);
    assert!(table.bytes() == before);
    assert_eq!(table.pass(millis(100)).len(), 1);
}

#[test]
fn saved_room_goes_on_stepping_where_it_stood() {
    let mut table = stepping(&["Ada"]);
    table.pass(millis(250));
    let saved = rmp_serde::from_slice(&table.bytes()).unwrap();
    let mut restored = Table {
        room: Room::restore(std::sync::Arc::clone(table.room.game()), saved),
        now: table.now,
    };
    for table in [&mut table, &mut restored] {
        table.pass(millis(250));
        assert_eq!(steps(table), 5);
    }
    assert!(table.bytes() == restored.bytes());
}

#[test]
fn time_stands_still_while_nobody_is_connected_if_the_rules_say_so() {
    for pause_when_empty in [true, false] {
        let tick = Tick { pause_when_empty, ..Tick::hz(10) };
        let mut table = Table::begun(Options { tick: Some(tick), ..Options::default() }, &["Ada"]);
        table.pass(millis(150));
        table.must(Command::Disconnect(P1));
        for _ in 0..5 {
            table.pass(secs(1));
        }
        let paused = steps(&table);
        assert_eq!(paused == 1, pause_when_empty);

        table.must(Command::Reconnect(P1));
        table.pass(millis(99));
        assert_eq!(steps(&table) == paused, pause_when_empty, "a pause ends with a whole step");
        table.pass(millis(1));
        assert_eq!(steps(&table), paused + 1);
    }
}

#[test]
fn gathered_actions_are_applied_right_before_the_step_in_the_order_they_came() {
    let mut table = gathering(&["Ada", "Bob"]);
    table.act(P2, Action::Add(2));
    table.act(P1, Action::Add(1));
    assert_eq!(table.state().total, 0, "they wait");

    table.pass(millis(100));
    assert_eq!(table.state().total, 3);
    let calls = &table.state().calls;
    let last: Vec<_> =
        calls[calls.len() - 3..].iter().map(|call| (call.callback.as_str(), call.player)).collect();
    assert_eq!(last, [("on_action", Some(P2)), ("on_action", Some(P1)), ("on_tick", None)]);
}

#[test]
fn gathered_action_that_is_refused_takes_no_other_with_it_and_its_player_is_told() {
    let mut table = gathering(&["Ada"]);
    for (request, action) in [(Some(7), Action::Refuse), (None, Action::Add(1))] {
        let commit =
            table.room.act(table.now, P1, action, crate::Origin::Request(request)).unwrap();
        table.publish(commit);
    }
    assert_eq!(table.told_within(millis(100)), ["refused 1 Some(7): refused, as asked"]);
    assert_eq!((table.state().total, steps(&table)), (1, 1));

    table.act(P1, Action::Add(1));
    table.room.game().arm("on_action", Panics);
    assert_eq!(table.told_within(millis(100)), ["refused 1 None: a callback failed"]);
}

#[test]
fn gathered_actions_that_the_end_overtakes_are_refused_aloud() {
    let mut table = gathering(&["Ada"]);
    table.act(P1, Action::Finish);
    table.act(P1, Action::Add(1));
    let told = table.told_within(millis(100));
    assert_eq!(told, ["refused 1 None: the game is over", "finished 0"]);
    assert_eq!(table.phase(), Phase::Finished);
}

#[test]
fn one_gathered_action_more_than_the_bound_is_refused_until_the_next_step() {
    let mut table = gathering(&["Ada", "Bob"]);
    table.pass(millis(130));
    for _ in 0..GATHERED_PER_PLAYER_MAX {
        table.act(P1, Action::Add(1));
    }
    let refused = table.refused(act(P1, Action::Add(1)));
    assert_eq!(refused, Refusal::TooManyActions { retry_after: millis(70) });
    table.act(P2, Action::Add(1));
    table.pass(millis(100));
    assert_eq!(table.state().total, GATHERED_PER_PLAYER_MAX as i64 + 1);
    table.act(P1, Action::Add(1));
}

/// All bots are asked on the same state, and what one does must not void what the others decided.
#[test]
fn bots_decide_at_steps_at_their_own_pace_and_what_they_decide_holds() {
    let options =
        Options { tick: Some(Tick::hz(10)), start: StartRule::Host, ..Options::default() };
    let mut table = Table::seated(options, &["Ada"]);
    table.must(add_bot("adds"));
    table.must(add_bot("adds"));
    table.must(Command::Start(P1));

    let mut decisions = 0;
    for _ in 0..100 {
        table.pass(millis(100));
        let turns = table.room.due_bots(table.now);
        for turn in turns {
            let (bot, version) = (turn.player(), turn.version());
            let action = turn.decide();
            let commit = table.room.answer(table.now, bot, version, action).expect("it holds");
            table.publish(commit.expect("it acts"));
            decisions += 1;
        }
    }
    let at_most = 2 * secs(10).as_millis() / THINKING_TIME.as_millis();
    assert_eq!(decisions, at_most);
    let wake_at = table.room.wake_at().expect("a step is to come");
    assert_eq!(wake_at, table.now + millis(100), "bots need no calls of their own");
}

#[test]
fn bot_whose_seat_its_player_took_back_no_longer_decides_for_it() {
    let mut table = stepping(&["Ada"]);
    table.pass(millis(100));
    let version = table.room.head().version;
    let stale =
        table.refused(Wish::Act { player: P1, action: Action::Add(1), seen: Some(version) });
    assert_eq!(stale, Refusal::Stale);
}
