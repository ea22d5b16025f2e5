//! The rules of farkle, each in a real room whose dice are laid out as needed.

mod whole_games;

use std::time::Duration;

use parlor_core::{Bounded, Command, Game as _, Phase, PlayerId, PlayerMap, Refusal};
use parlor_testkit::{Playroom, check_game};
use serde_json::json;

use super::{Action, DICE, Event, Farkle, Options, Outcome, Stage, View, score};

/// The view of a player at the beginning of its turn, among two without points.
pub(super) fn view(turn: PlayerId) -> View {
    View {
        target_score: Options::default().target_score,
        players: vec![PlayerId(1), PlayerId(2)],
        scores: [(PlayerId(1), 0), (PlayerId(2), 0)].into_iter().collect(),
        turn: Some(turn),
        stage: Stage::Ready,
        dice: Vec::new(),
        kept: Vec::new(),
        turn_points: 0,
        deadline: None,
        final_round: false,
        winner: None,
    }
}

/// A game that has just begun, and its players in the order of turns.
fn game(players: usize) -> (Playroom<Farkle>, Vec<PlayerId>) {
    let mut room = Playroom::<Farkle>::new(Options::default(), 1);
    for name in &["Ada", "Bob", "Cyd", "Dee", "Eve", "Fay"][..players] {
        room.join(name);
    }
    room.start();
    let order = room.view().players;
    (room, order)
}

/// Lays out the hand of the turn being played.
fn lay_out(room: &mut Playroom<Farkle>, stage: Stage, dice: &[u8], kept: &[u8], points: u64) {
    room.arrange(|state| {
        state["turn"]["hand"] =
            json!({ "stage": stage, "dice": dice, "kept": kept, "points": points });
    });
}

fn set_score(room: &mut Playroom<Farkle>, place: usize, score: u64, scored_in_turn: u32) {
    room.arrange(|state| {
        state["players"][place]["score"] = json!(score);
        state["players"][place]["scored_in_turn"] = json!(scored_in_turn);
    });
}

/// Lets the player whose turn it is bank `points`.
fn bank(room: &mut Playroom<Farkle>, points: u64) {
    let player = room.view().turn.unwrap();
    lay_out(room, Stage::Kept, &[2, 3, 4, 6], &[1, 1], points);
    room.act(player, Action::Bank).unwrap();
}

fn turn_time() -> Duration {
    Options::default().turn_time()
}

#[test]
fn only_the_host_starts_and_not_alone() {
    let mut room = Playroom::<Farkle>::new(Options::default(), 1);
    let ada = room.join("Ada");
    assert!(matches!(room.command(Command::Start(ada)), Err(Refusal::NotReady(_))));
    let bob = room.join("Bob");
    assert_eq!(room.command(Command::Start(bob)), Err(Refusal::NotHost));
    assert_eq!(room.phase(), Phase::Lobby);
    room.start();
    assert_eq!(room.phase(), Phase::Playing);
}

#[test]
fn view_before_the_start_is_an_empty_table() {
    let room = Playroom::<Farkle>::new(Options::default(), 1);
    assert_eq!(
        serde_json::to_value(room.view()).unwrap(),
        json!({
            "targetScore": 10000, "players": [], "scores": {}, "turn": null, "stage": "ready",
            "dice": [], "kept": [], "turnPoints": 0, "deadline": null, "finalRound": false,
            "winner": null,
        })
    );
}

#[test]
fn view_in_a_turn_shows_the_dice_the_points_and_the_clock() {
    let (mut room, order) = game(2);
    set_score(&mut room, 1, 10_000, 1);
    lay_out(&mut room, Stage::Kept, &[2, 3, 4, 6], &[5, 1], 150);
    room.arrange(|state| state["final_round"] = json!(true));
    assert_eq!(
        serde_json::to_value(room.view()).unwrap(),
        json!({
            "targetScore": 10000, "players": order,
            "scores": { order[0].to_string(): 0, order[1].to_string(): 10000 },
            "turn": order[0], "stage": "kept", "dice": [2, 3, 4, 6], "kept": [5, 1],
            "turnPoints": 150, "deadline": (room.now() + turn_time()).as_millis(),
            "finalRound": true, "winner": null,
        })
    );
}

#[test]
fn lots_decide_the_order_of_turns() {
    let firsts: Vec<PlayerId> = (0..30)
        .map(|seed| {
            let mut room = Playroom::<Farkle>::new(Options::default(), seed);
            room.join("Ada");
            room.join("Bob");
            room.join("Cyd");
            room.start();
            let view = room.view();
            assert_eq!(view.turn, Some(view.players[0]));
            view.players[0]
        })
        .collect();
    assert!((1..=3).all(|id| firsts.contains(&PlayerId(id))), "{firsts:?}");
}

#[test]
fn roll_shows_everyone_six_dice_and_a_keep_moves_some_aside() {
    let (mut room, order) = game(2);
    room.act(order[0], Action::Roll).unwrap();
    let view = room.view();
    // With another seed this might bust: choose one that does not.
    assert_eq!((view.stage, view.dice.len(), view.turn), (Stage::Rolled, DICE, Some(order[0])));
    assert_eq!(
        room.take_events(),
        [Event::Rolled { player_id: order[0], dice: view.dice.clone() }]
    );

    lay_out(&mut room, Stage::Rolled, &[2, 1, 3, 5, 4, 4], &[], 0);
    room.act(order[0], Action::Keep { dice: vec![3, 1] }).unwrap();
    let view = room.view();
    assert_eq!((view.stage, view.turn_points), (Stage::Kept, 150));
    assert_eq!((&view.dice[..], &view.kept[..]), (&[2, 3, 4, 4][..], &[5, 1][..]));
    assert_eq!(
        room.take_events(),
        [Event::Kept { player_id: order[0], dice: vec![5, 1], points: 150 }]
    );
}

#[test]
fn bank_adds_the_points_and_passes_the_dice_on() {
    let (mut room, order) = game(3);
    bank(&mut room, 350);
    bank(&mut room, 100);
    bank(&mut room, 500);
    room.take_events();
    bank(&mut room, 150);

    assert_eq!(
        room.take_events(),
        [Event::Banked { player_id: order[0], points: 150, total: 500 }]
    );
    let view = room.view();
    assert_eq!((view.turn, view.stage, view.turn_points), (Some(order[1]), Stage::Ready, 0));
    assert_eq!(view.scores, order.iter().copied().zip([500, 100, 500]).collect());
}

/// A single die busts two times in three, so that one of 40 tries does.
#[test]
fn roll_with_nothing_to_keep_loses_the_points_of_the_turn_and_nothing_else() {
    let (mut room, order) = game(2);
    set_score(&mut room, 0, 700, 1);
    for _ in 0..40 {
        lay_out(&mut room, Stage::Kept, &[3], &[1, 1, 1, 5, 5], 1100);
        room.take_events();
        room.act(order[0], Action::Roll).unwrap();
        if room.view().turn != Some(order[0]) {
            break;
        }
        assert!(score::can_score(&room.view().dice));
    }

    let events = room.take_events();
    let [Event::Rolled { dice, .. }, busted] = &events[..] else { panic!("{events:?}") };
    assert!(!score::can_score(dice));
    assert_eq!(*busted, Event::Busted { player_id: order[0], lost: 1100 });
    let view = room.view();
    assert_eq!((view.turn, view.scores[&order[0]]), (Some(order[1]), 700));
}

#[test]
fn action_out_of_turn_is_refused() {
    let (mut room, order) = game(2);
    for action in [Action::Roll, Action::Keep { dice: vec![0] }, Action::Bank] {
        let error = room.act(order[1], action).unwrap_err();
        assert_eq!(error.code(), "NOT_YOUR_TURN");
    }
}

#[test]
fn refused_action_draws_no_number_and_changes_nothing() {
    let (mut room, order) = game(2);
    lay_out(&mut room, Stage::Rolled, &[1, 2, 3, 3, 4, 6], &[], 0);
    let before = serde_json::to_value(room.room().save()).unwrap();
    for action in [Action::Roll, Action::Keep { dice: vec![0, 1] }, Action::Bank] {
        assert_eq!(room.act(order[0], action).unwrap_err().code(), "INVALID_MOVE");
    }
    assert_eq!(serde_json::to_value(room.room().save()).unwrap(), before);
}

#[test]
fn target_reached_gives_each_other_player_one_last_turn() {
    let (mut room, order) = game(3);
    bank(&mut room, 200);
    room.take_events();
    bank(&mut room, 10_000);
    assert_eq!(
        room.take_events(),
        [
            Event::Banked { player_id: order[1], points: 10_000, total: 10_000 },
            Event::FinalRound { player_id: order[1] },
        ]
    );
    assert!(room.view().final_round);

    bank(&mut room, 300);
    assert_eq!((room.outcome(), room.view().turn), (None, Some(order[0])));
    bank(&mut room, 9_850);
    let scores: PlayerMap<u64> = order.iter().copied().zip([10_050, 10_000, 300]).collect();
    assert_eq!(room.outcome(), Some(&Outcome { winner: order[0], scores }));
    let view = room.view();
    assert_eq!((view.turn, view.deadline, view.winner), (None, None, Some(order[0])));
}

#[test]
fn last_round_is_announced_once() {
    let (mut room, _) = game(3);
    bank(&mut room, 10_000);
    room.take_events();
    bank(&mut room, 10_500);
    assert!(matches!(room.take_events()[..], [Event::Banked { .. }]));
}

#[test]
fn one_point_short_of_the_target_is_not_the_last_round() {
    let (mut room, _) = game(2);
    bank(&mut room, 9_950);
    assert!(!room.view().final_round);
}

#[test]
fn equal_totals_are_won_by_who_had_it_first() {
    for (banks, winner) in [(&[10_000, 10_200, 10_200][..], 1), (&[500, 10_000, 10_200, 9_700], 2)]
    {
        let (mut room, order) = game(3);
        banks.iter().for_each(|points| bank(&mut room, *points));
        let outcome = room.outcome().unwrap();
        assert_eq!(outcome.winner, order[winner], "{banks:?}");
        assert_eq!(outcome.scores.values().filter(|score| **score == 10_200).count(), 2);
    }
}

/// Whoever is at the roll has not kept anything of it and so loses what was gathered before.
#[test]
fn clock_banks_what_may_be_banked_and_passes_otherwise() {
    for (stage, dice, kept, banked) in [
        (Stage::Ready, &[][..], &[][..], 0),
        (Stage::Rolled, &[1, 2, 3, 4], &[1, 5], 0),
        (Stage::Kept, &[2, 3, 4, 4], &[1, 5], 150),
    ] {
        let (mut room, order) = game(2);
        let points = if stage == Stage::Ready { 0 } else { 150 };
        lay_out(&mut room, stage, dice, kept, points);
        room.wait(turn_time() - Duration::from_millis(1));
        assert_eq!((room.view().turn, room.take_events()), (Some(order[0]), vec![]));

        room.wait(Duration::from_millis(1));
        let view = room.view();
        assert_eq!((view.turn, view.scores[&order[0]]), (Some(order[1]), banked), "{stage:?}");
        let mut told = vec![Event::TimedOut { player_id: order[0] }];
        if banked > 0 {
            told.push(Event::Banked { player_id: order[0], points: banked, total: banked });
        }
        assert_eq!(room.take_events(), told);
    }
}

#[test]
fn each_turn_has_its_whole_time_whenever_the_last_one_ended() {
    let (mut room, order) = game(2);
    assert_eq!(room.view().deadline, Some(room.now() + turn_time()));
    room.wait(turn_time() / 2);
    bank(&mut room, 100);
    let deadline = room.now() + turn_time();
    assert_eq!(room.view().deadline, Some(deadline));

    room.wait(turn_time() - Duration::from_millis(1));
    assert_eq!((room.view().turn, room.view().deadline), (Some(order[1]), Some(deadline)));
}

#[test]
fn chosen_time_is_the_time_of_a_turn() {
    let options = Options { turn_seconds: Bounded::new(5).unwrap(), ..Options::default() };
    let mut room = Playroom::<Farkle>::new(options, 1);
    room.join("Ada");
    room.join("Bob");
    room.start();
    assert_eq!(room.view().deadline, Some(room.now() + Duration::from_secs(5)));
}

#[test]
fn clock_plays_for_one_who_is_away_and_back_in_time_it_plays_on() {
    let (mut room, order) = game(2);
    room.disconnect(order[0]);
    room.wait(turn_time() - Duration::from_secs(1));
    assert_eq!(room.view().turn, Some(order[0]));
    room.reconnect(order[0]);
    room.wait(Duration::from_secs(1));
    assert_eq!((room.view().turn, room.view().players), (Some(order[1]), order.clone()));

    bank(&mut room, 100);
    room.act(order[0], Action::Roll).unwrap();
}

#[test]
fn who_leaves_in_its_turn_passes_the_dice_to_the_next() {
    for place in 0..3 {
        let (mut room, order) = game(3);
        for _ in 0..place {
            bank(&mut room, 100);
        }
        room.leave(order[place]);
        let view = room.view();
        assert_eq!(view.turn, Some(order[(place + 1) % 3]));
        assert_eq!((view.stage, view.turn_points), (Stage::Ready, 0));
        assert_eq!(view.deadline, Some(room.now() + turn_time()));
        assert!(!view.players.contains(&order[place]) && !view.scores.contains_key(&order[place]));
    }
}

#[test]
fn who_leaves_out_of_turn_disturbs_nobody() {
    for (turn, leaves) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let (mut room, order) = game(3);
        for _ in 0..turn {
            bank(&mut room, 100);
        }
        lay_out(&mut room, Stage::Kept, &[2, 3, 4, 4], &[1, 5], 150);
        let before = room.view();
        room.wait(Duration::from_secs(1));
        room.leave(order[leaves]);

        let mut expect = before;
        expect.players.retain(|player| *player != order[leaves]);
        expect.scores.remove(&order[leaves]);
        assert_eq!(room.view(), expect, "{leaves} leaves while {turn} plays");
    }
}

#[test]
fn who_is_left_alone_has_won() {
    let (mut room, order) = game(3);
    bank(&mut room, 1_000);
    room.leave(order[0]);
    assert_eq!(room.outcome(), None);
    room.leave(order[1]);
    let outcome = room.outcome().unwrap();
    assert_eq!((outcome.winner, outcome.scores.len()), (order[2], 1));
}

/// The one who reached the target goes, then the one whose last turn it is, who is the last.
#[test]
fn last_round_ends_also_when_players_leave_in_it() {
    let (mut room, order) = game(4);
    bank(&mut room, 10_000);
    room.leave(order[0]);
    bank(&mut room, 400);
    bank(&mut room, 300);
    assert_eq!((room.outcome(), room.view().turn), (None, Some(order[3])));
    room.leave(order[3]);
    let outcome = room.outcome().unwrap();
    assert_eq!((outcome.winner, outcome.scores.len()), (order[1], 2));
}

#[test]
fn who_leaves_the_lobby_is_not_missed_at_the_start() {
    let mut room = Playroom::<Farkle>::new(Options::default(), 1);
    let ada = room.join("Ada");
    let bob = room.join("Bob");
    let cyd = room.join("Cyd");
    room.leave(bob);
    room.start();
    let mut players = room.view().players;
    players.sort_unstable();
    assert_eq!(players, [ada, cyd]);
}

#[test]
fn every_level_that_is_offered_has_a_bot_and_no_other() {
    for level in Farkle.about().bot_levels {
        assert!(Farkle.bot(level).is_some(), "{level}");
    }
    assert!(Farkle.bot("reckless").is_none());
}

#[test]
fn whatever_holds_for_every_game_holds() {
    check_game(Farkle, Options::default());
}
