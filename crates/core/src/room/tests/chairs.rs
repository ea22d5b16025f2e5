//! Who may come in, in which role, and who is sent away.

use super::probe::{Action, Options};
use super::{P1, P2, P3, Table, add_bot, join, kick, newcomer, secs, token, update, watch};
use crate::{Command, Digest, Join, Phase, PlayerId, Refusal, Scalar, SeatKind, SettingsChanges};

#[test]
fn player_numbers_are_never_given_again() {
    let mut table = Table::with(&["Ada", "Bob"]);
    table.must(Command::Leave(P2));
    assert_eq!(table.join("Bob"), P3);
    assert_eq!(table.ids(), [1, 3]);
}

#[test]
fn taken_name_gets_a_number() {
    let mut table = Table::with(&["Ada"]);
    assert_eq!(table.must(join("Ada")).told, ["joined 2 Ada 2"]);
}

#[test]
fn seats_and_spectators_places_are_bounded_apart() {
    let options = Options { players_max: 2, spectators_max: 1, ..Options::default() };
    let mut table = Table::seated(options, &["Ada"]);
    assert!(table.seen().is_joinable(&table.room.charter().rules));
    table.must(add_bot("waits"));
    assert!(!table.seen().is_joinable(&table.room.charter().rules));
    assert_eq!(table.refused(join("Cid")), Refusal::Full);
    assert_eq!(table.refused(add_bot("waits")), Refusal::Full);
    table.must(watch("Eve"));
    assert_eq!(table.refused(watch("Fay")), Refusal::Full);
    assert_eq!(table.refused(Command::SetSpectator(P1, true)), Refusal::Full);
    assert_eq!(table.refused(Command::SetSpectator(P3, false)), Refusal::Full);
    let seen = table.seen();
    let count = [SeatKind::Human, SeatKind::Bot, SeatKind::Spectator].map(|kind| seen.count(kind));
    assert_eq!((count, seen.seats_taken()), ([1, 1, 1], 2));
}

#[test]
fn game_without_places_for_spectators_takes_none() {
    let options = Options { spectators_max: 0, ..Options::default() };
    let mut table = Table::seated(options, &["Ada"]);
    assert_eq!(table.refused(watch("Eve")), Refusal::SpectatorsNotAllowed);
    let turn = Command::SetSpectator(P1, true);
    assert_eq!(table.refused(turn), Refusal::SpectatorsNotAllowed);
}

#[test]
fn nobody_sits_down_during_play_but_where_the_game_allows_it() {
    let mut table = Table::playing(&["Ada"]);
    assert_eq!(table.refused(join("Bob")), Refusal::InProgress);
    assert_eq!(table.refused(add_bot("waits")), Refusal::InProgress);
    table.must(watch("Eve"));
    assert_eq!(table.refused(Command::SetSpectator(P2, false)), Refusal::InProgress);
    assert_eq!(table.refused(Command::SetSpectator(P1, true)), Refusal::InProgress);

    let options = Options { late_join: true, ..Options::default() };
    let mut table = Table::begun(options, &["Ada"]);
    assert!(table.seen().is_joinable(&table.room.charter().rules));
    let bob = table.join("Bob");
    table.act(bob, Action::Add(1));
    table.must(Command::SetSpectator(bob, true));
    assert_eq!(table.calls().last(), Some(&"on_leave"));
    table.must(Command::SetSpectator(bob, false));
    assert_eq!(table.calls().last(), Some(&"on_join"));
    table.act(bob, Action::Add(1));
}

#[test]
fn nobody_sits_down_after_the_end_but_spectators_come() {
    let mut table = Table::finished(&["Ada"]);
    assert_eq!(table.refused(join("Bob")), Refusal::Over);
    table.must(watch("Eve"));
    assert_eq!(table.refused(Command::SetSpectator(P2, false)), Refusal::Over);
    assert!(!table.seen().is_joinable(&table.room.charter().rules));
}

#[test]
fn role_changed_is_told_as_a_seat_and_heard_by_the_game() {
    let mut table = Table::with(&["Ada", "Bob"]);
    table.must(Command::SetReady(P2, true));
    assert_eq!(table.must(Command::SetSpectator(P2, true)).told, ["joined 2 Bob"]);
    assert_eq!(table.seat(P2).kind(), SeatKind::Spectator);
    assert!(!table.seat(P2).is_ready());
    assert_eq!(table.calls().last(), Some(&"on_leave"));
    assert!(table.must(Command::SetSpectator(P2, true)).told.is_empty(), "as it is already");
    table.must(Command::SetSpectator(P2, false));
    assert_eq!(table.calls().last(), Some(&"on_join"));
}

#[test]
fn locked_room_takes_nobody_new() {
    let mut table = Table::with(&["Ada", "Bob"]);
    let lock = |locked| SettingsChanges { locked: Some(locked), ..SettingsChanges::default() };
    assert_eq!(table.must(update(lock(true))).told, ["updated"]);
    assert!(!table.seen().is_joinable(&table.room.charter().rules));
    assert_eq!(table.refused(join("Cid")), Refusal::Locked);
    assert_eq!(table.refused(watch("Eve")), Refusal::Locked);
    table.must(Command::Disconnect(P2));
    table.must(Command::Reconnect(P2));
    table.must(update(lock(false)));
    table.join("Cid");
}

#[test]
fn password_is_asked_for_until_it_is_taken_away() {
    let secret = Digest([9; 32]);
    let mut table = Table::with(&["Ada"]);
    let set = |password| SettingsChanges { password, ..SettingsChanges::default() };
    table.must(update(set(Some(Some(secret)))));
    assert_eq!(table.refused(join("Bob")), Refusal::WrongPassword);
    let knowing = |digest| Command::Join(Join { password: Some(digest), ..newcomer("Bob") });
    assert_eq!(table.refused(knowing(Digest([8; 32]))), Refusal::WrongPassword);
    table.must(knowing(secret));

    table.must(update(set(None)));
    assert_eq!(table.refused(join("Cid")), Refusal::WrongPassword, "left as it was");
    table.must(update(set(Some(None))));
    table.join("Cid");
}

#[test]
fn settings_change_one_by_one_and_by_the_host_alone() {
    let mut table = Table::with(&["Ada", "Bob"]);
    let metadata = Some([("map".to_owned(), Scalar::from("desert"))].into());
    table.must(update(SettingsChanges { metadata, ..SettingsChanges::default() }));
    table.must(update(SettingsChanges { private: Some(true), ..SettingsChanges::default() }));
    let seen = table.seen();
    assert!(seen.settings.private && !seen.settings.locked);
    assert_eq!(seen.settings.metadata["map"], Scalar::from("desert"));

    let changes = SettingsChanges::default();
    assert_eq!(table.refused(Command::Update { by: P2, changes }), Refusal::NotHost);
}

#[test]
fn kicked_player_may_come_back_and_a_banned_name_may_not() {
    let mut table = Table::with(&["Ada", "Bob"]);
    assert_eq!(table.must(kick(P2, false)).told, ["left 2 Kicked"]);
    assert_eq!(table.room.seat_by_token(&token("Bob")).map(|seat| seat.id()), None);
    assert_eq!(table.join("Bob"), P3);

    table.must(kick(P3, true));
    for name in ["Bob", "bOB"] {
        assert_eq!(table.refused(join(name)), Refusal::Banned);
        assert_eq!(table.refused(watch(name)), Refusal::Banned);
    }
    table.join("Bobby");
}

/// Who was shown as "Ada 2" may not be shown as that again, and the other Ada may.
#[test]
fn ban_is_on_the_name_that_was_shown() {
    let mut table = Table::with(&["Ada", "Ada"]);
    table.must(kick(P2, true));
    assert_eq!(table.refused(join("Ada")), Refusal::Banned, "it would be shown as Ada 2");
    assert_eq!(table.refused(join("Ada 2")), Refusal::Banned);
    table.join("Bob");
}

#[test]
fn only_the_host_sends_away_and_only_others() {
    let mut table = Table::with(&["Ada", "Bob"]);
    table.must(add_bot("waits"));
    table.must(watch("Eve"));
    let by_bob = Command::Kick { by: Some(P2), player: P1, ban: false };
    assert_eq!(table.refused(by_bob), Refusal::NotHost);
    assert_eq!(table.refused(kick(P1, false)), Refusal::Yourself);
    assert_eq!(table.refused(kick(P3, false)), Refusal::NoSuchPlayer, "a bot is removed");
    assert_eq!(table.refused(kick(PlayerId(77), true)), Refusal::NoSuchPlayer);
    assert_eq!(table.must(kick(super::P4, false)).told, ["left 4 Kicked"], "a spectator too");

    let remove = |by, bot| Command::RemoveBot { by, bot };
    assert_eq!(table.refused(remove(P2, P3)), Refusal::NotHost);
    assert_eq!(table.refused(remove(P1, P2)), Refusal::NoSuchPlayer, "no bot");
    assert_eq!(table.must(remove(P1, P3)).told, ["left 3 Removed"]);
}

#[test]
fn bot_is_named_after_its_level_and_of_the_first_by_default() {
    let mut table = Table::with(&["Ada"]);
    let first = Command::AddBot { by: P1, name: None, level: None };
    assert_eq!(table.must(first).told, ["joined 2 Bot (adds)"]);
    let named = Command::AddBot { by: P1, name: Some("Ada".to_owned()), level: None };
    assert_eq!(table.must(named).told, ["joined 3 Ada 2"]);
    let known = &["adds", "waits", "refused", "breaks", "searches"];
    assert_eq!(table.refused(add_bot("best")), Refusal::UnknownBotLevel { known });
}

/// A bot has no connection to lose or find: nobody can turn its seat into a human's.
#[test]
fn nobody_comes_back_to_the_seat_of_a_bot() {
    let mut table = Table::with(&["Ada"]);
    table.must(add_bot("waits"));
    assert_eq!(table.refused(Command::Reconnect(P2)), Refusal::NoSuchPlayer);
    assert!(table.must(Command::Disconnect(P2)).told.is_empty());
    assert_eq!((table.seat(P2).kind(), table.phase()), (SeatKind::Bot, Phase::Lobby));
    assert!(table.told_within(secs(60)).is_empty());
}
