//! A callback that fails or panics changes nothing of its own, and the room goes on.

use std::sync::Arc;

use super::probe::How::{self, Errs, Panics};
use super::probe::{Action, Options, Probe};
use super::{P1, P2, Table, Wish, act, add_bot, join, kick, millis, secs};
use crate::{
    AfterGrace, CloseReason, Command, CreateError, FAILURES_IN_A_ROW_MAX, Failure, Fault,
    GameError, Phase, Refusal, Room, Seed, Setup, StartRule, Time,
};

/// Springs the trap in `callback` under `wish`, which can be refused, and compares the room with
/// one in which that never happened: at once, and again when the same command has succeeded.
#[track_caller]
fn check_refused<W: Into<Wish>>(
    callback: &'static str,
    ways: &[How],
    table: impl Fn() -> Table,
    wish: impl Fn() -> W,
) {
    for &how in ways {
        let (mut tried, mut untried) = (table(), table());
        tried.room.game().arm(callback, how);
        assert_eq!(tried.refused(wish()), refusal(callback, how), "{callback} {how:?}");

        tried.room.game().disarm();
        tried.must(wish());
        untried.must(wish());
        assert!(tried.bytes() == untried.bytes(), "{callback} {how:?} has left a trace");
    }
}

fn refusal(callback: &'static str, how: How) -> Refusal {
    match how {
        Errs => Refusal::Game(trapped(callback)),
        Panics => Refusal::Failed(panicked(callback, callback)),
    }
}

fn trapped(callback: &'static str) -> GameError {
    GameError::new("TRAPPED", callback).with("callback", callback)
}

/// The panic of the trap in `trap`, met while `callback` was run.
fn panicked(callback: &'static str, trap: &str) -> Failure {
    Failure { callback, fault: Fault::Panicked(format!("trapped in {trap}")) }
}

#[test]
fn failing_on_join_joins_nobody() {
    check_refused("on_join", &[Errs, Panics], || Table::with(&["Ada"]), || join("Bob"));
    check_refused("on_join", &[Errs, Panics], || Table::with(&["Ada"]), || add_bot("adds"));
}

#[test]
fn failing_on_action_does_nothing() {
    let playing = || Table::playing(&["Ada"]);
    check_refused("on_action", &[Errs, Panics], playing, || act(P1, Action::Add(5)));
    check_refused("on_action", &[Errs, Panics], playing, || act(P1, Action::Finish));
    let timer = || act(P1, Action::Timer { id: 3, after_ms: 50 });
    check_refused("on_action", &[Errs, Panics], playing, timer);
}

#[test]
fn failing_on_start_that_the_host_asked_for_starts_nothing() {
    check_refused("on_start", &[Errs, Panics], || Table::with(&["Ada"]), || Command::Start(P1));
}

#[test]
fn failing_setup_or_on_join_keeps_the_finished_game_on_the_table() {
    for callback in ["setup", "on_join"] {
        let finished = || Table::finished(&["Ada", "Bob"]);
        check_refused(callback, &[Errs, Panics], finished, || Command::Rematch(P1));
    }
}

#[test]
fn failing_callback_keeps_a_spectator_watching_and_a_player_playing() {
    check_refused(
        "on_join",
        &[Errs, Panics],
        || {
            let mut table = Table::with(&["Ada", "Bob"]);
            table.must(Command::SetSpectator(P2, true));
            table
        },
        || Command::SetSpectator(P2, false),
    );
    let lobby = || Table::with(&["Ada", "Bob"]);
    check_refused("on_leave", &[Errs, Panics], lobby, || Command::SetSpectator(P2, true));
}

/// The views that a commit needs are made inside the transaction.
#[test]
fn panicking_view_refuses_the_command_that_needs_it() {
    for trap in ["view", "view_key"] {
        let mut table = Table::playing(&["Ada"]);
        table.room.game().arm(trap, Panics);
        let refusal = table.refused(act(P1, Action::Add(1)));
        assert_eq!(refusal, Refusal::Failed(panicked("view", trap)));
        table.room.game().disarm();
        table.act(P1, Action::Add(1));
    }
    check_refused("view", &[Panics], || Table::playing(&["Ada"]), || act(P1, Action::Finish));
    check_refused("view", &[Panics], || Table::with(&["Ada"]), || join("Bob"));
}

#[test]
fn panicking_bot_constructor_adds_no_bot() {
    check_refused("bot", &[Panics], || Table::with(&["Ada"]), || add_bot("adds"));
}

#[test]
fn look_reports_a_panicking_view() {
    let table = Table::with(&["Ada"]);
    table.room.game().arm("view", Panics);
    let looked = table.room.look(&table.seen(), table.seat(P1).viewer());
    assert_eq!(looked, Err(panicked("view", "view")));
}

#[test]
fn failing_rules_or_setup_make_no_room() {
    let create = |trap, how| {
        let game = Arc::new(Probe::default());
        game.arm(trap, how);
        let setup = Setup::new(Options::default(), Seed([1; 32]), Time::from_millis(0));
        Room::create(game, setup).map(|_| ()).unwrap_err()
    };
    assert_eq!(create("rules", Panics), CreateError::Failed(panicked("rules", "rules")));
    assert_eq!(create("setup", Panics), CreateError::Failed(panicked("setup", "setup")));
    assert_eq!(create("setup", Errs), CreateError::Game(trapped("setup")));
}

/// Lets `happen` take place with the trap armed: the fact it is stands, told as `told`, and nothing
/// of the game's has moved.
#[track_caller]
fn check_fact(
    callback: &'static str,
    ways: &[How],
    mut table: impl FnMut() -> Table,
    happen: impl Fn(&mut Table) -> super::Done,
    told: &[&str],
) {
    for &how in ways {
        let mut table = table();
        let before = table.room.head().clone();
        let random = table.room.head.books.random;
        let timers = table.room.head.books.timers.next();
        table.room.game().arm(callback, how);
        let done = happen(&mut table);
        let case = format!("{callback} {how:?}");

        assert_eq!(done.told, told, "{case}");
        let failure = done.failure.expect("the failure is reported");
        assert!(failure.callback.contains(callback), "{case}: {failure}");
        match how {
            Errs => assert_eq!(failure.fault, Fault::Refused(trapped(callback)), "{case}"),
            Panics => assert_eq!(failure.fault, panicked(callback, callback).fault, "{case}"),
        }
        assert_eq!(table.room.head.failures, 1, "{case}");

        let after = table.room.head();
        assert!(Arc::ptr_eq(&before.state, &after.state), "{case}: the state has moved");
        assert_eq!((after.version, after.phase), (before.version, before.phase), "{case}");
        assert_eq!((done.game_events.len(), done.views), (0, 0), "{case}");
        assert_eq!(format!("{:?}", table.room.head.books.random), format!("{random:?}"), "{case}");
        let timers_now = table.room.head.books.timers.next();
        assert!(timers_now == timers || callback == "on_timer", "{case}: a timer was set");

        table.room.game().disarm();
        assert!(table.ask(join("Zoe")).is_ok() || table.phase() == Phase::Playing);
        assert_eq!(table.closed(), None, "{case}: the room goes on");
    }
}

fn ask(command: impl Fn() -> Command) -> impl Fn(&mut Table) -> super::Done {
    move |table| table.must(command())
}

/// The one change that comes of letting time pass.
fn only_change_within(seconds: u64) -> impl Fn(&mut Table) -> super::Done {
    move |table| {
        let mut all = table.pass(secs(seconds));
        assert_eq!(all.len(), 1);
        all.remove(0)
    }
}

#[test]
fn player_whose_on_leave_fails_has_left() {
    let (both, table) = (&[Errs, Panics], || Table::with(&["Ada", "Bob"]));
    check_fact("on_leave", both, table, ask(|| Command::Leave(P2)), &["left 2 Left"]);
    check_fact("on_leave", both, table, ask(|| Command::Leave(P1)), &["left 1 Left", "host 2"]);
    check_fact("on_leave", both, table, ask(|| kick(P2, false)), &["left 2 Kicked"]);
    check_fact("view", &[Panics], table, ask(|| Command::Leave(P2)), &["left 2 Left"]);
}

#[test]
fn bot_whose_on_leave_fails_is_out() {
    let table = || {
        let mut table = Table::with(&["Ada"]);
        table.must(add_bot("adds"));
        table
    };
    let remove = ask(|| Command::RemoveBot { by: P1, bot: P2 });
    check_fact("on_leave", &[Errs, Panics], table, remove, &["left 2 Removed"]);
}

#[test]
fn lost_connection_whose_callback_fails_is_lost_and_a_return_is_a_return() {
    let both = &[Errs, Panics];
    let table = || Table::playing(&["Ada", "Bob"]);
    let lose = ask(|| Command::Disconnect(P2));
    check_fact("on_disconnect", both, table, lose, &["disconnected 2"]);

    let away = || {
        let mut table = Table::playing(&["Ada", "Bob"]);
        table.must(Command::Disconnect(P2));
        table
    };
    let come_back = ask(|| Command::Reconnect(P2));
    check_fact("on_reconnect", both, away, come_back, &["reconnected 2"]);
}

/// Player 2 is away from a game in play, with 60 s of grace.
fn away(after_grace: AfterGrace) -> impl Fn() -> Table {
    move || {
        let options = Options { after_grace: after_grace.clone(), ..Options::default() };
        let mut table = Table::begun(options, &["Ada", "Bob"]);
        table.must(Command::Disconnect(P2));
        table
    }
}

#[test]
fn end_of_grace_stands_whatever_fails_in_it() {
    let both = &[Errs, Panics];
    let over = only_change_within(60);
    check_fact("on_leave", both, away(AfterGrace::Remove), &over, &["left 2 Timeout"]);

    check_fact("on_forfeit", both, away(AfterGrace::Forfeit), &over, &[]);
    let mut table = away(AfterGrace::Forfeit)();
    table.room.game().arm("on_forfeit", Panics);
    table.pass(secs(60));
    assert!(table.seat(P2).has_forfeited());

    let stand_in = AfterGrace::StandIn { level: "adds".into() };
    check_fact("bot", &[Panics], away(stand_in), &over, &["left 2 Timeout"]);
}

#[test]
fn automatic_start_that_fails_waits_for_the_roster_to_change() {
    for how in [Errs, Panics] {
        let options = Options { start: StartRule::WhenFull, players_max: 2, ..Options::default() };
        let mut table = Table::seated(options, &["Ada", "Bob"]);
        table.room.game().arm("on_start", how);

        let all = table.pass(secs(1));
        assert_eq!(all.len(), 1);
        assert!(all[0].told.is_empty() && all[0].failure.is_some());
        assert_eq!(table.phase(), Phase::Lobby);
        assert_eq!(table.pass(secs(1)).len(), 0, "it does not try again by itself");

        table.room.game().disarm();
        table.must(Command::Leave(P2));
        table.join("Cid");
        assert_eq!(table.told_within(secs(0)), ["started"]);
    }
}

#[test]
fn due_timer_that_fails_is_consumed_and_does_not_spin() {
    let table = || {
        let mut table = Table::playing(&["Ada"]);
        table.act(P1, Action::Timer { id: 1, after_ms: 1000 });
        table
    };
    check_fact("on_timer", &[Errs, Panics], table, only_change_within(1), &[]);

    let mut table = table();
    table.act(P1, Action::Timer { id: 2, after_ms: 2000 });
    table.room.game().arm("on_timer", Panics);
    let second = table.now + secs(2);
    assert_eq!(table.pass(millis(1500)).len(), 1);
    assert_eq!(table.room.wake_at(), Some(second), "the next one is the other timer");
}

#[test]
fn leave_whose_callback_panics_leaves_no_ghost() {
    let mut table = Table::with(&["Ada", "Bob"]);
    table.room.game().arm("on_leave", Panics);
    table.must(Command::Leave(P2));
    table.room.game().disarm();

    let seen = table.seen();
    assert!(seen.roster.seat(P2).is_none());
    assert!(table.room.seat_by_token(&super::token("Bob")).is_none());
    assert_eq!(table.refused(Command::SetReady(P2, true)), Refusal::NoSuchPlayer);
    assert_eq!(table.must(join("Bob")).told, ["joined 3 Bob"], "the name is free, the number not");

    table.room.game().arm("on_leave", Panics);
    table.must(Command::Leave(super::P3));
    table.must(Command::Leave(P1));
    assert_eq!(table.told_within(secs(10)), ["closed Empty"]);
}

/// A room that cannot do what was asked fails for the one who asked, not for all.
#[test]
fn refused_actions_never_close_a_room() {
    let mut table = Table::playing(&["Ada"]);
    table.room.game().arm("on_action", Panics);
    for _ in 0..2 * FAILURES_IN_A_ROW_MAX {
        table.refused(act(P1, Action::Add(1)));
    }
    assert!(table.pass(secs(1)).is_empty());
    assert_eq!(table.closed(), None);
}

#[test]
fn ten_failures_in_a_row_close_the_room() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    fail(&mut table, FAILURES_IN_A_ROW_MAX);
    assert_eq!(table.told_within(secs(0)), ["closed Error"]);
    assert_eq!(table.closed(), Some(CloseReason::Error));
    assert_eq!(table.refused(Command::Leave(P1)), Refusal::Closed);
    assert_eq!(table.room.wake_at(), None);
}

#[test]
fn nine_failures_and_a_success_do_not_close_the_room() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    for _ in 0..3 {
        fail(&mut table, FAILURES_IN_A_ROW_MAX - 1);
        table.act(P1, Action::Add(1));
        assert!(table.pass(secs(0)).is_empty());
    }
    assert_eq!(table.closed(), None);
}

/// The tenth failure is undone by a success that a clock gone back lets in before the close. The
/// room must not go on asking to be called for a close that will not come.
#[test]
fn close_that_a_success_has_averted_does_not_keep_the_driver_busy() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    fail(&mut table, FAILURES_IN_A_ROW_MAX);
    let due = table.now;
    table.now = Time::from_millis(due.as_millis() - 1000);
    assert!(table.pass(secs(0)).is_empty(), "the close is not due by this clock");
    // One that touches nothing but the state: everything else would settle the time anew anyway.
    table.act(P1, Action::Quiet);

    assert!(table.pass(secs(5)).is_empty());
    assert!(table.room.wake_at().is_none_or(|at| at > table.now));
}

/// Lets `on_disconnect` and `on_reconnect` of player 2 fail, `count` times in all.
fn fail(table: &mut Table, count: u32) {
    for _ in 0..count {
        let (trap, command) = if table.seat(P2).is_present() {
            ("on_disconnect", Command::Disconnect(P2))
        } else {
            ("on_reconnect", Command::Reconnect(P2))
        };
        table.room.game().arm(trap, Panics);
        assert!(table.must(command).failure.is_some());
    }
    table.room.game().disarm();
}
