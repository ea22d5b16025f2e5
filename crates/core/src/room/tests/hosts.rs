//! Who is host, and how the room is handed over.

use super::{P1, P2, P3, Table, add_bot, join, kick, millis, secs};
use crate::{Command, Refusal};

fn set_host(player: crate::PlayerId) -> Command {
    Command::SetHost { by: P1, player }
}

#[test]
fn first_human_is_host() {
    let mut table = Table::new(super::Options::default());
    assert_eq!(table.must(super::watch("Eve")).told, ["joined 1 Eve"], "a spectator is not");
    assert_eq!(table.must(join("Ada")).told, ["joined 2 Ada", "host 2"]);
    assert_eq!(table.must(join("Bob")).told, ["joined 3 Bob"]);
}

#[test]
fn host_who_leaves_is_followed_by_the_connected_human_with_the_lowest_number() {
    let mut table = Table::with(&["Ada", "Bob", "Cid"]);
    table.must(Command::Disconnect(P2));
    assert_eq!(table.must(Command::Leave(P1)).told, ["left 1 Left", "host 3"]);
    table.must(Command::Reconnect(P2));
    assert_eq!(table.host(), Some(P3), "a lower number that comes back takes nothing away");
}

#[test]
fn host_who_is_kicked_by_its_successor_stays_host_no_longer() {
    let mut table = Table::with(&["Ada", "Bob"]);
    assert_eq!(table.must(set_host(P2)).told, ["host 2"]);
    assert_eq!(table.refused(kick(P2, false)), Refusal::NotHost);
    let done = table.must(Command::Kick { by: Some(P2), player: P1, ban: false });
    assert_eq!(done.told, ["left 1 Kicked"]);
    assert_eq!(table.host(), Some(P2));
}

#[test]
fn host_who_is_away_for_ten_seconds_is_followed() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    table.must(Command::Disconnect(P1));
    assert!(table.told_within(millis(9_999)).is_empty());
    assert_eq!(table.told_within(millis(1)), ["host 2"]);
    table.must(Command::Reconnect(P1));
    assert_eq!(table.host(), Some(P2));
}

#[test]
fn host_who_is_back_in_ten_seconds_stays_host_and_has_ten_more_next_time() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    table.must(Command::Disconnect(P1));
    table.pass(secs(9));
    table.must(Command::Reconnect(P1));
    table.must(Command::Disconnect(P1));
    assert!(table.told_within(secs(9)).is_empty());
    assert_eq!(table.told_within(secs(1)), ["host 2"]);
}

#[test]
fn comings_and_goings_of_others_give_the_absent_host_no_more_time() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    table.must(Command::Disconnect(P1));
    table.pass(secs(9));
    table.must(super::watch("Eve"));
    table.must(Command::Disconnect(P3));
    assert_eq!(table.told_within(secs(1)), ["host 2"]);
}

#[test]
fn nobody_is_host_while_no_human_is_there_and_who_comes_back_is() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    table.must(Command::Disconnect(P2));
    table.must(Command::Disconnect(P1));
    assert_eq!(table.told_within(secs(10)), ["host nobody"]);
    assert_eq!(table.refused(add_bot("adds")), Refusal::NotHost);
    assert_eq!(table.must(Command::Reconnect(P2)).told, ["reconnected 2", "host 2"]);
}

#[test]
fn host_who_turns_to_watching_or_is_stood_in_for_is_host_no_longer() {
    let mut table = Table::with(&["Ada", "Bob"]);
    let done = table.must(Command::SetSpectator(P1, true));
    assert_eq!(done.told, ["joined 1 Ada", "host 2"]);

    let after_grace = crate::AfterGrace::StandIn { level: "waits".into() };
    let options = super::Options { after_grace, ..super::Options::default() };
    let mut table = Table::begun(options, &["Ada"]);
    table.must(Command::Disconnect(P1));
    assert_eq!(table.told_within(secs(60))[..2], ["host nobody", "replaced 1 Bot"]);
    let done = table.must(Command::Reconnect(P1));
    assert_eq!(done.told, ["replaced 1 Human", "host 1"]);
}

#[test]
fn host_hands_over_to_a_connected_human_only() {
    let mut table = Table::with(&["Ada", "Bob"]);
    table.must(add_bot("adds"));
    table.must(super::watch("Eve"));
    for player in [P3, super::P4, crate::PlayerId(9)] {
        assert_eq!(table.refused(set_host(player)), Refusal::NoSuchPlayer);
    }
    table.must(Command::Disconnect(P2));
    let refusal = Refusal::NotReady("Bob is not connected".into());
    assert_eq!(table.refused(set_host(P2)), refusal);
    assert!(table.must(set_host(P1)).told.is_empty(), "to itself changes nothing");
}

/// The clock for the absent host is the host's own: it does not run on against the next one.
#[test]
fn new_host_does_not_inherit_the_old_hosts_deadline() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    table.must(Command::Disconnect(P1));
    table.pass(secs(5));
    table.must(Command::Leave(P1));
    assert_eq!(table.host(), Some(P2));
    assert!(table.told_within(secs(60)).is_empty());
}

#[test]
fn whoever_runs_the_server_sends_away_also_the_host() {
    let mut table = Table::with(&["Ada", "Bob"]);
    table.must(Command::Kick { by: None, player: P1, ban: true });
    assert_eq!(table.room.head().roster.host(), Some(P2));
    assert_eq!(table.refused(join("Ada")), Refusal::Banned);
    assert_eq!(
        table.refused(Command::Kick { by: None, player: P1, ban: true }),
        Refusal::NoSuchPlayer
    );
}
