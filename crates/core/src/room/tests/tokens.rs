//! A seat's token changes and nothing else does.

use super::probe::{How, Options};
use super::{Done, P1, P2, P3, P4, Table, secs, token};
use crate::{AfterGrace, Command, PlayerId, Refusal, StartRule};

fn renew(player: PlayerId, name: &str) -> Command {
    Command::RenewToken { player, token: token(name) }
}

fn holder(table: &Table, name: &str) -> Option<PlayerId> {
    table.room.seat_by_token(&token(name)).map(|seat| seat.id())
}

/// A token that a room takes for new, and the digests that hold a seat no more.
#[track_caller]
fn renewed(table: &mut Table, player: PlayerId, name: &str) -> Vec<crate::Digest> {
    let commit = table.decide(renew(player, name)).expect("the seat is a human's");
    let departed = commit.departed.clone();
    table.publish(commit);
    assert_eq!(holder(table, name), Some(player));
    departed
}

#[test]
fn new_token_holds_the_seat_and_the_old_one_departs() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    assert_eq!(renewed(&mut table, P2, "new"), [token("Bob")]);
    assert_eq!(holder(&table, "Bob"), None);

    let commit = table.decide(Command::Leave(P2)).unwrap();
    assert_eq!(commit.departed, [token("new")]);
}

#[test]
fn nobody_hears_of_a_new_token() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    let (version, wake_at) = (table.seen().version, table.room.wake_at());
    let Done { told, game_events, views, whole_state, seated, failure, .. } =
        table.must(renew(P2, "new"));
    assert!(told.is_empty() && game_events.is_empty() && failure.is_none());
    assert_eq!((views, whole_state, seated), (0, false, None));
    assert_eq!((table.seen().version, table.room.wake_at()), (version, wake_at));
    assert_eq!(table.calls().last(), Some(&"on_start"));
}

#[test]
fn token_that_is_the_seats_already_does_not_depart() {
    let mut table = Table::with(&["Ada", "Bob"]);
    assert!(renewed(&mut table, P2, "Bob").is_empty());
}

#[test]
fn new_token_put_back_leaves_the_old_one_in_place() {
    let mut table = Table::with(&["Ada", "Bob"]);
    let before = table.bytes();
    let commit = table.decide(renew(P2, "new")).unwrap();
    table.room.put_back(commit);
    assert!(table.bytes() == before);
    assert_eq!((holder(&table, "Bob"), holder(&table, "new")), (Some(P2), None));
}

#[test]
fn every_humans_seat_can_have_a_new_token_and_no_bots() {
    let stand_in = AfterGrace::StandIn { level: "adds".into() };
    let options = Options { after_grace: stand_in, ..Options::default() };
    let mut table = Table::seated(options, &["Ada", "Bob"]);
    table.must(super::watch("Eve"));
    table.must(super::add_bot("waits"));
    table.must(Command::Start(P1));
    table.must(Command::Disconnect(P2));
    assert_eq!(table.told_within(secs(60)), ["replaced 2 Bot"]);

    assert_eq!(renewed(&mut table, P2, "back soon"), [token("Bob")]);
    assert_eq!(table.seat(P2).kind(), crate::SeatKind::Bot, "it still sits in");
    assert_eq!(renewed(&mut table, P3, "watches"), [token("Eve")]);
    assert_eq!(table.refused(renew(P4, "new")), Refusal::NoSuchPlayer);
    assert_eq!(table.refused(renew(PlayerId(9), "new")), Refusal::NoSuchPlayer);
}

/// It is tried again when the roster changes; who sits in it is what counts.
#[test]
fn new_token_is_no_reason_to_try_a_failed_start_again() {
    let options = Options { start: StartRule::WhenFull, players_max: 2, ..Options::default() };
    let mut table = Table::seated(options, &["Ada", "Bob"]);
    table.room.game().arm("on_start", How::Errs);
    assert_eq!(table.pass(secs(0)).len(), 1, "the start fails once");
    table.room.game().disarm();

    table.must(renew(P2, "new"));
    assert!(table.pass(secs(1)).is_empty());
    table.must(Command::Disconnect(P2));
    table.must(Command::Reconnect(P2));
    assert_eq!(table.told_within(secs(0)), ["started"]);
}
