//! A lost connection: the seat is held, and what follows when nobody comes back.

use super::probe::{Action, Options};
use super::{P1, P2, P3, Table, act, millis, secs};
use crate::{AfterGrace, Command, Phase, Refusal, SeatKind};

fn away(after_grace: AfterGrace) -> Table {
    let options = Options { after_grace, ..Options::default() };
    let mut table = Table::begun(options, &["Ada", "Bob"]);
    table.must(Command::Disconnect(P2));
    table
}

fn stand_in() -> AfterGrace {
    AfterGrace::StandIn { level: "adds".into() }
}

#[test]
fn player_back_in_time_keeps_seat_number_and_game() {
    let mut table = away(AfterGrace::Remove);
    assert_eq!(table.seat(P2).grace_until(), Some(table.now + secs(60)));
    assert!(table.told_within(millis(59_999)).is_empty());

    assert_eq!(table.must(Command::Reconnect(P2)).told, ["reconnected 2"]);
    assert_eq!(table.seat(P2).grace_until(), None);
    assert!(table.told_within(secs(600)).is_empty());
    assert!(table.calls().ends_with(&["on_disconnect", "on_reconnect"]));
    table.act(P2, Action::Add(1));
}

#[test]
fn losing_what_is_lost_and_finding_what_is_there_change_nothing() {
    let mut table = away(AfterGrace::Remove);
    table.pass(secs(30));
    let until = table.seat(P2).grace_until();
    assert!(table.must(Command::Disconnect(P2)).told.is_empty());
    assert_eq!(table.seat(P2).grace_until(), until, "grace does not begin anew");
    assert!(table.must(Command::Reconnect(P1)).told.is_empty());
}

#[test]
fn removed_player_has_left_with_reason_timeout() {
    let mut table = away(AfterGrace::Remove);
    assert_eq!(table.told_within(secs(60)), ["left 2 Timeout"]);
    assert_eq!(table.calls().last(), Some(&"on_leave"));
    assert_eq!(table.refused(Command::Reconnect(P2)), Refusal::NoSuchPlayer);
}

#[test]
fn grace_in_the_lobby_and_of_a_spectator_is_short_and_ends_in_removal() {
    let options = Options { after_grace: stand_in(), ..Options::default() };
    let mut table = Table::seated(options, &["Ada", "Bob"]);
    table.must(Command::Disconnect(P2));
    assert!(table.told_within(millis(14_999)).is_empty());
    assert_eq!(table.told_within(millis(1)), ["left 2 Timeout"]);

    table.must(super::watch("Eve"));
    table.must(Command::Start(P1));
    table.must(Command::Disconnect(P3));
    let calls = table.calls().len();
    assert_eq!(table.told_within(secs(15)), ["left 3 Timeout"]);
    assert_eq!(table.calls().len(), calls, "the game never heard of the spectator");
}

#[test]
fn forfeited_player_keeps_the_seat_may_look_and_may_not_act() {
    let mut table = away(AfterGrace::Forfeit);
    assert!(table.told_within(secs(60)).is_empty());
    assert_eq!(table.calls().last(), Some(&"on_forfeit"));
    assert!(table.seat(P2).has_forfeited());

    assert_eq!(table.must(Command::Reconnect(P2)).told, ["reconnected 2"]);
    assert_eq!(table.calls().last(), Some(&"on_forfeit"), "the game hears no more of it");
    assert_eq!(table.refused(act(P2, Action::Add(1))), Refusal::NotAPlayer);

    // Away again, the seat waits for the end of the game, however long that takes.
    table.must(Command::Disconnect(P2));
    assert!(table.told_within(secs(6000)).is_empty());
    table.must(Command::Leave(P2));
    assert_eq!(table.calls().last(), Some(&"on_forfeit"), "it has left the game already");
}

#[test]
fn forfeited_player_who_is_away_at_the_end_has_grace_again_and_then_goes() {
    let mut table = away(AfterGrace::Forfeit);
    table.pass(secs(60));
    table.act(P1, Action::Finish);
    assert_eq!(table.seat(P2).grace_until(), Some(table.now + secs(15)));
    assert_eq!(table.told_within(secs(15)), ["left 2 Timeout"]);
}

#[test]
fn forfeited_player_plays_again_in_the_rematch() {
    let mut table = away(AfterGrace::Forfeit);
    table.pass(secs(60));
    table.must(Command::Reconnect(P2));
    table.act(P1, Action::Finish);
    table.must(Command::Rematch(P1));
    table.must(Command::Start(P1));
    table.act(P2, Action::Add(1));
}

/// The game was told by `on_forfeit`; to be told of the same player again would be once too often.
#[test]
fn forfeited_player_who_turns_to_watching_does_not_leave_the_game_twice() {
    let options =
        Options { after_grace: AfterGrace::Forfeit, late_join: true, ..Options::default() };
    let mut table = Table::begun(options, &["Ada", "Bob"]);
    table.must(Command::Disconnect(P2));
    table.pass(secs(60));
    table.must(Command::Reconnect(P2));

    table.must(Command::SetSpectator(P2, true));
    assert_eq!(table.calls().last(), Some(&"on_forfeit"));
    table.must(Command::SetSpectator(P2, false));
    assert_eq!(table.calls().last(), Some(&"on_join"));
    table.act(P2, Action::Add(1));
}

#[test]
fn bot_sits_in_until_the_player_is_back() {
    let mut table = away(stand_in());
    assert_eq!(table.told_within(secs(60)), ["replaced 2 Bot"]);
    assert_eq!(table.seat(P2).kind(), SeatKind::Bot);
    assert_eq!(table.seat(P2).name(), "Bob");
    assert_eq!(table.room.seat_by_token(&super::token("Bob")).map(|seat| seat.id()), Some(P2));

    assert_eq!(table.must(Command::Reconnect(P2)).told, ["replaced 2 Human"]);
    assert_eq!(table.calls().last(), Some(&"on_reconnect"));
    assert_eq!(table.seat(P2).kind(), SeatKind::Human);
    table.act(P2, Action::Add(1));

    table.must(Command::Disconnect(P2));
    assert_eq!(table.told_within(secs(60)), ["replaced 2 Bot"], "and again");
}

#[test]
fn unknown_level_of_stand_in_ends_in_removal() {
    let mut table = away(AfterGrace::StandIn { level: "nobody".into() });
    assert_eq!(table.told_within(secs(60)), ["left 2 Timeout"]);
    assert_eq!(table.calls().last(), Some(&"on_leave"));
}

#[test]
fn losing_the_connection_after_the_end_does_not_touch_the_final_state() {
    let mut table = Table::finished(&["Ada", "Bob"]);
    let version = table.seen().version;
    table.must(Command::Disconnect(P2));
    table.must(Command::Reconnect(P2));
    table.must(Command::Disconnect(P2));
    assert_eq!(table.told_within(secs(15)), ["left 2 Timeout"]);
    assert_eq!((table.seen().version, table.phase()), (version, Phase::Finished));
}
