//! When a state is shown: at every change, at a rate, at steps, or only at the turns of a game.

use super::probe::How::Panics;
use super::probe::{Action, Options};
use super::{Done, P1, Table, millis, secs};
use crate::{Command, FAILURES_IN_A_ROW_MAX, Sync, Tick};

fn begun(tick: Option<Tick>, sync: Sync) -> Table {
    let mut table = Table::begun(Options { tick, sync, ..Options::default() }, &["Ada"]);
    table.pass(secs(0));
    table
}

fn shown(done: &[Done]) -> usize {
    done.iter().filter(|done| done.shows_state).count()
}

#[test]
fn state_is_shown_at_every_change_by_default() {
    let mut table = begun(None, Sync::states());
    for _ in 0..3 {
        let done = table.act(P1, Action::Add(1));
        assert!(done.shows_state && done.views == 1);
    }
    assert!(!table.must(super::chat(P1, "nothing new")).shows_state);
}

#[test]
fn change_before_its_time_is_shown_when_its_time_has_come() {
    let mut table = begun(None, Sync::states().at_hz(10));
    table.pass(secs(1));
    assert!(table.act(P1, Action::Add(1)).shows_state, "the first at once");
    table.pass(millis(20));
    for _ in 0..3 {
        let done = table.act(P1, Action::Add(1));
        assert!(!done.shows_state && done.views == 0);
    }
    let done = table.pass(millis(79));
    assert_eq!(shown(&done), 0);
    let done = table.pass(millis(1));
    assert_eq!((shown(&done), done[0].views), (1, 1), "all three in one");
    assert!(table.pass(secs(5)).is_empty(), "and nothing when nothing changes");
}

#[test]
fn game_that_steps_shows_its_state_at_steps_only() {
    let mut table = begun(Some(Tick::hz(10)), Sync::patches());
    assert!(!table.act(P1, Action::Add(1)).shows_state);
    assert_eq!(shown(&table.pass(secs(1))), 10 - skipped_of_ten());

    let mut table = begun(Some(Tick::hz(30)), Sync::patches().at_hz(20));
    let mut count = 0;
    for _ in 0..1000 {
        count += shown(&table.pass(millis(10)));
    }
    assert!((199..=201).contains(&count), "20 a second for 10 s: {count}");
}

/// A room that is called once for a whole second lets the steps go that are too far behind.
fn skipped_of_ten() -> usize {
    10 - 1 - usize::try_from(crate::STEPS_BEHIND_MAX).unwrap()
}

#[test]
fn game_of_events_shows_its_state_at_its_start_its_end_and_a_rematch_alone() {
    let options = Options { sync: Sync::events(), ..Options::default() };
    let mut table = Table::seated(options, &["Ada"]);
    assert!(table.must(Command::Start(P1)).shows_state);
    assert!(!table.act(P1, Action::Add(1)).shows_state);
    assert!(table.pass(secs(5)).is_empty());
    assert!(table.act(P1, Action::Finish).shows_state);
    assert!(table.must(Command::Rematch(P1)).shows_state);
}

/// The change itself was accepted when there was nothing to show yet.
#[test]
fn view_that_breaks_down_later_is_counted_as_the_failure_of_what_shows_it() {
    let mut table = begun(None, Sync::states().at_hz(10));
    table.act(P1, Action::Add(1));
    table.act(P1, Action::Add(1));
    table.room.game().arm("view", Panics);
    let done = table.pass(millis(100));
    assert_eq!(done[0].failure.as_ref().map(|failure| failure.callback), Some("view"));
    assert_eq!(shown(&done), 0);

    table.room.game().disarm();
    let done = table.pass(millis(100));
    assert_eq!(shown(&done), 1, "it is tried again a period later");

    table.act(P1, Action::Add(1));
    table.room.game().arm("view", Panics);
    table.pass(secs(60));
    assert!(table.closed().is_some(), "{FAILURES_IN_A_ROW_MAX} in a row close the room");
}
