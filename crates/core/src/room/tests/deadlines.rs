//! Deadlines: in order, each at its own time, and time never goes back.

use super::probe::{Action, Options};
use super::{P1, P2, Table, act, millis, secs};
use crate::{AfterGrace, Command, StartRule, Time};

#[test]
fn deadlines_fire_in_order_each_at_its_own_time_before_a_later_command() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    let start = table.now;
    for (id, after_ms) in [(3, 3000), (1, 1000), (2, 2000), (9, 9000)] {
        table.act(P1, Action::Timer { id, after_ms });
    }
    table.must(Command::Disconnect(P1));

    let all = table.pass(secs(12));
    let times: Vec<u64> = all.iter().map(|done| done.at.since(start).as_secs()).collect();
    assert_eq!(times, [1, 2, 3, 9, 10], "four timers, and the host who is away for 10 s");
    assert_eq!(all[4].told, ["host 2"]);

    table.act(P2, Action::Add(1));
    let heard: Vec<u64> =
        table.state().calls.iter().rev().map(|call| call.at.since(start).as_secs()).collect();
    assert_eq!(heard[..5], [12, 9, 3, 2, 1], "the game heard the same times");
}

#[test]
fn timers_due_together_fire_in_the_order_they_were_set() {
    let mut table = Table::playing(&["Ada"]);
    for id in [20, 10, 30] {
        table.act(P1, Action::Timer { id, after_ms: 500 });
    }
    let mut totals = Vec::new();
    table.now = table.now + millis(500);
    while let Some(commit) = table.room.advance(table.now) {
        table.publish(commit);
        totals.push(table.state().total);
    }
    assert_eq!(totals, [20, 30, 60]);
}

#[test]
fn nothing_fires_a_millisecond_early() {
    let mut table = Table::playing(&["Ada"]);
    table.act(P1, Action::Timer { id: 1, after_ms: 500 });
    assert_eq!(table.room.wake_at(), Some(table.now + millis(500)));
    assert!(table.pass(millis(499)).is_empty());
    assert_eq!(table.pass(millis(1)).len(), 1);
    assert_eq!(table.room.wake_at(), None);
}

#[test]
fn timer_moved_or_cancelled_does_not_fire_at_its_old_time() {
    let mut table = Table::playing(&["Ada"]);
    table.act(P1, Action::Timer { id: 1, after_ms: 500 });
    table.act(P1, Action::Timer { id: 1, after_ms: 900 });
    table.act(P1, Action::Timer { id: 2, after_ms: 600 });
    table.act(P1, Action::Cancel { id: 2 });
    assert!(table.pass(millis(899)).is_empty());
    assert_eq!(table.pass(millis(1)).len(), 1);
    assert!(table.pass(secs(5)).is_empty());
}

/// A timer for "at once" would otherwise be able to fire for ever within one instant.
#[test]
fn timer_for_at_once_fires_a_millisecond_later() {
    let mut table = Table::playing(&["Ada"]);
    table.act(P1, Action::Timer { id: 1, after_ms: 0 });
    assert!(table.pass(secs(0)).is_empty());
    assert_eq!(table.pass(millis(1)).len(), 1);
}

#[test]
fn time_never_goes_back_for_the_game() {
    let mut table = Table::playing(&["Ada"]);
    table.pass(secs(5));
    table.act(P1, Action::Add(1));
    let latest = table.now;

    table.now = Time::from_millis(latest.as_millis() - 3000);
    let done = table.act(P1, Action::Timer { id: 1, after_ms: 1000 });
    assert_eq!(done.at, latest);
    assert_eq!(table.state().calls.last().unwrap().at, latest);
    assert_eq!(table.room.wake_at(), Some(latest + secs(1)));
}

#[test]
fn timers_end_with_the_game() {
    let mut table = Table::playing(&["Ada"]);
    table.act(P1, Action::Timer { id: 1, after_ms: 500 });
    table.act(P1, Action::Finish);
    assert!(table.pass(secs(5)).is_empty());

    table.must(Command::Rematch(P1));
    table.must(Command::Start(P1));
    assert!(table.pass(secs(5)).is_empty(), "nor do they come back with the rematch");
}

/// Whatever is pending, the driver is told the next time and never a past one, once it has called.
#[test]
fn room_asks_to_be_called_at_its_next_deadline_and_never_in_the_past() {
    let options = Options { after_grace: AfterGrace::Forfeit, ..Options::default() };
    let mut table = Table::begun(options, &["Ada", "Bob", "Cid"]);
    table.act(P1, Action::Timer { id: 1, after_ms: 25_000 });
    table.must(Command::Disconnect(P2));
    table.pass(secs(5));
    table.must(Command::Disconnect(P1));

    let start = table.now;
    let mut wakes = Vec::new();
    while let Some(at) = table.room.wake_at() {
        assert!(at > table.now && wakes.len() < 10);
        wakes.push(at.since(start).as_secs());
        table.pass(at.since(table.now));
    }
    assert_eq!(wakes, [10, 20, 55, 60], "the host, the timer, two graces");
}

#[test]
fn automatic_start_is_a_change_of_its_own_at_the_time_of_the_last_one() {
    let options = Options { start: StartRule::WhenFull, players_max: 2, ..Options::default() };
    let mut table = Table::new(options);
    table.join("Ada");
    table.pass(secs(3));
    let done = table.must(super::join("Bob"));
    assert_eq!((done.told.as_slice(), done.at), (&["joined 2 Bob".to_owned()][..], table.now));
    assert_eq!(table.room.wake_at(), Some(table.now));

    let met = table.now;
    let all = table.pass(secs(2));
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].told.as_slice(), all[0].at), (&["started".to_owned()][..], met));
    table.must(act(P1, Action::Add(1)));
}
