//! How a room ends.

use super::probe::{Action, Options};
use super::{P1, P2, Table, add_bot, chat, join, millis, secs, watch};
use crate::{AfterGrace, CloseReason, Command, Refusal};

#[test]
fn room_that_nobody_enters_closes_after_its_empty_time() {
    let mut table = Table::new(Options::default());
    assert!(table.told_within(millis(9_999)).is_empty());
    assert_eq!(table.told_within(millis(1)), ["closed Empty"]);
    assert_eq!(table.refused(join("Ada")), Refusal::Closed);
    assert_eq!(table.room.wake_at(), None);
}

#[test]
fn room_whose_last_human_has_left_closes_unless_somebody_comes() {
    let mut table = Table::with(&["Ada"]);
    table.must(add_bot("waits"));
    table.must(watch("Eve"));
    table.must(Command::Leave(P1));
    assert!(table.told_within(secs(9)).is_empty());
    table.join("Bob");
    assert!(table.told_within(secs(100)).is_empty());

    table.must(Command::Leave(super::P4));
    assert_eq!(table.told_within(secs(10)), ["closed Empty"], "bot and spectator do not keep it");
}

#[test]
fn spectator_who_comes_to_an_empty_room_does_not_prolong_it() {
    let mut table = Table::with(&["Ada"]);
    table.must(Command::Leave(P1));
    table.pass(secs(9));
    table.must(watch("Eve"));
    assert_eq!(table.told_within(secs(1)), ["closed Empty"]);
}

#[test]
fn player_in_grace_keeps_the_room_and_no_longer() {
    let mut table = Table::playing(&["Ada"]);
    table.must(Command::Disconnect(P1));
    assert_eq!(table.told_within(millis(69_999)), ["host nobody", "left 1 Timeout"]);
    assert_eq!(table.told_within(millis(1)), ["closed Empty"]);
}

#[test]
fn absent_players_whose_grace_is_over_do_not_keep_the_room() {
    for after_grace in [AfterGrace::Forfeit, AfterGrace::StandIn { level: "waits".into() }] {
        let options = Options { after_grace, ..Options::default() };
        let mut table = Table::begun(options, &["Ada"]);
        table.must(Command::Disconnect(P1));
        table.pass(secs(70));
        assert_eq!(table.closed(), Some(CloseReason::Empty));
    }
}

#[test]
fn finished_room_closes_when_nobody_says_anything() {
    let mut table = Table::finished(&["Ada"]);
    assert!(table.told_within(secs(599)).is_empty());
    table.must(chat(P1, "good game"));
    assert!(table.told_within(secs(599)).is_empty());
    assert_eq!(table.told_within(secs(1)), ["closed Finished"]);
}

#[test]
fn rematch_keeps_the_room() {
    let mut table = Table::finished(&["Ada"]);
    table.pass(secs(599));
    table.must(Command::Rematch(P1));
    assert!(table.told_within(secs(1000)).is_empty());
    table.must(chat(P1, "still here"));
    assert!(table.told_within(secs(1000)).is_empty());
}

#[test]
fn closing_is_final_and_cancels_what_was_pending() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    table.act(P1, Action::Timer { id: 1, after_ms: 1000 });
    table.must(Command::Disconnect(P2));
    let done = table.must(Command::Close(CloseReason::Admin));
    assert_eq!(done.told, ["closed Admin"]);
    assert_eq!(table.closed(), Some(CloseReason::Admin));
    assert_eq!(table.refused(Command::Close(CloseReason::Expired)), Refusal::Closed);
    assert!(table.told_within(secs(1000)).is_empty());
}
