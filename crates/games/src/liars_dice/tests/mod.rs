//! The rules of liar's dice, each in a real room whose dice are laid out as needed.

mod secrecy;
mod whole_games;

use std::time::Duration;

use parlor_core::{
    Bounded, Command, Game as _, GameError, Phase, PlayerId, PlayerMap, Refusal, Scalar, Viewer,
};
use parlor_testkit::Playroom;
use serde_json::json;

use super::{Action, BIDS_SHOWN_MAX, Bid, DICE, Event, LiarsDice, Options, Outcome, Reveal, View};

/// The view of player 1 with these dice, against player 2 who has five, at the beginning of a round.
pub(super) fn view(turn: PlayerId, dice: &[u8]) -> View {
    let own = u8::try_from(dice.len()).unwrap();
    View {
        ones_wild: true,
        players: vec![PlayerId(1), PlayerId(2)],
        dice_counts: [(PlayerId(1), own), (PlayerId(2), 5)].into_iter().collect(),
        dice: dice.to_vec(),
        round: 1,
        bid: None,
        bids: Vec::new(),
        turn: Some(turn),
        bank_from: None,
        deadline: None,
        last_reveal: None,
        winner: None,
    }
}

pub(super) fn bid_of(player_id: PlayerId, count: u8, face: u8) -> Bid {
    Bid { player_id, count, face }
}

fn bid(count: i64, face: i64) -> Action {
    Action::Bid { count: Bounded::new(count).unwrap(), face: Bounded::new(face).unwrap() }
}

/// A game that has just begun, and its players in the order of turns.
fn game_with(options: Options, players: usize) -> (Playroom<LiarsDice>, Vec<PlayerId>) {
    let mut room = Playroom::<LiarsDice>::new(options, 1);
    let host = room.join("Ada");
    for name in ["Bob", "Cyd", "Dee", "Eve", "Fay"].iter().take(players - 1) {
        room.join(name);
    }
    room.command(Command::Start(host)).unwrap();
    let order = room.view().players;
    room.take_events();
    (room, order)
}

fn game(players: usize) -> (Playroom<LiarsDice>, Vec<PlayerId>) {
    game_with(Options::default(), players)
}

/// Each of `players` bids on sixes, one die more than the one before.
fn bid_in_turn(room: &mut Playroom<LiarsDice>, players: &[PlayerId]) {
    for (count, player) in (1..).zip(players) {
        room.act(*player, bid(count, 6)).unwrap();
    }
}

/// Lays out what is under each cup, in the order of turns.
fn lay_out(room: &mut Playroom<LiarsDice>, cups: &[&[u8]]) {
    room.arrange(|state| {
        for (place, dice) in cups.iter().enumerate() {
            state["players"][place]["dice"] = json!(dice);
        }
    });
}

/// What `player` sees.
fn seen_by(room: &Playroom<LiarsDice>, player: PlayerId) -> View {
    room.room().look(room.room().head(), Viewer::Player(player)).unwrap()
}

#[track_caller]
fn check_refused(outcome: Result<(), GameError>, rule: &'static str, details: &[(&str, i64)]) {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "INVALID_MOVE");
    assert_eq!(error.details().get("rule"), Some(&Scalar::from(rule)));
    for (name, value) in details {
        assert_eq!(error.details().get(*name), Some(&Scalar::Int(*value)), "{name}");
    }
    assert_eq!(error.details().len(), 1 + details.len());
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How long a first turn takes whose player does nothing.
fn whole_time() -> Duration {
    Options::default().turn_time() + Options::default().bank()
}

#[test]
fn only_the_host_starts_and_not_alone() {
    let mut room = Playroom::<LiarsDice>::new(Options::default(), 1);
    let ada = room.join("Ada");
    assert!(matches!(room.command(Command::Start(ada)), Err(Refusal::NotReady(_))));
    let bob = room.join("Bob");
    assert_eq!(room.command(Command::Start(bob)), Err(Refusal::NotHost));
    room.command(Command::Start(ada)).unwrap();
    assert_eq!(room.room().head().phase, Phase::Playing);
}

#[test]
fn view_before_the_start_is_an_empty_table() {
    let room = Playroom::<LiarsDice>::new(Options::default(), 1);
    assert_eq!(
        serde_json::to_value(room.view()).unwrap(),
        json!({
            "onesWild": true, "players": [], "diceCounts": {}, "dice": [], "round": 0,
            "bid": null, "bids": [], "turn": null, "bankFrom": null, "deadline": null,
            "lastReveal": null, "winner": null,
        })
    );
}

#[test]
fn view_shows_the_own_dice_how_many_the_others_have_the_bids_and_the_clock() {
    let (mut room, order) = game(3);
    lay_out(&mut room, &[&[1, 2, 3, 4, 5], &[6, 6], &[]]);
    room.act(order[0], bid(2, 3)).unwrap();
    let now = room.now();
    let mut expect = json!({
        "onesWild": true, "players": order,
        "diceCounts": {
            order[0].to_string(): 5, order[1].to_string(): 2, order[2].to_string(): 0,
        },
        "dice": [6, 6], "round": 1,
        "bid": { "playerId": order[0], "count": 2, "face": 3 },
        "bids": [{ "playerId": order[0], "count": 2, "face": 3 }],
        "turn": order[1], "bankFrom": (now + secs(30)).as_millis(),
        "deadline": (now + secs(90)).as_millis(), "lastReveal": null, "winner": null,
    });
    assert_eq!(serde_json::to_value(seen_by(&room, order[1])).unwrap(), expect);

    expect["dice"] = json!([]);
    assert_eq!(serde_json::to_value(room.view()).unwrap(), expect, "as a spectator sees it");
}

#[test]
fn everyone_begins_with_five_dice_of_which_each_sees_its_own_by_rising_face() {
    for players in 2..=6 {
        let mut room = Playroom::<LiarsDice>::new(Options::default(), 5);
        let host = room.join("Ada");
        for name in ["Bob", "Cyd", "Dee", "Eve", "Fay"].iter().take(players - 1) {
            room.join(name);
        }
        room.command(Command::Start(host)).unwrap();
        let view = room.view();
        assert_eq!(room.take_events(), [Event::NewRound { round: 1, player_id: view.players[0] }]);
        assert_eq!((view.players.len(), view.turn), (players, Some(view.players[0])));
        for player in view.players {
            assert_eq!(view.dice_counts[&player], 5);
            let dice = seen_by(&room, player).dice;
            assert!(dice.len() == DICE && dice.is_sorted(), "{dice:?}");
            assert!(dice.iter().all(|die| (1..=6).contains(die)));
        }
    }
}

#[test]
fn dice_show_every_face_about_as_often() {
    let mut counts = [0_u32; 7];
    for seed in 0..100 {
        let mut room = Playroom::<LiarsDice>::new(Options::default(), seed);
        let host = room.join("Ada");
        room.join("Bob");
        room.command(Command::Start(host)).unwrap();
        for player in room.view().players {
            for die in seen_by(&room, player).dice {
                counts[usize::from(die)] += 1;
            }
        }
    }
    // 167 expected, standard deviation 12.
    assert!(counts[1..].iter().all(|count| (110..230).contains(count)), "{counts:?}");
}

#[test]
fn bid_is_told_and_the_next_player_has_its_turn() {
    let (mut room, order) = game(2);
    for (turn, count, face) in [(0, 1, 4), (1, 1, 5), (0, 2, 1), (1, 10, 6)] {
        room.act(order[turn], bid(count, face)).unwrap();
        let made = bid_of(order[turn], count as u8, face as u8);
        assert_eq!(room.take_events(), [Event::Bid(made)]);
        let view = room.view();
        assert_eq!((view.bid, view.bids.last()), (Some(made), Some(&made)));
        assert_eq!(view.turn, Some(order[1 - turn]));
    }
    assert_eq!(room.view().bids.len(), 4);
}

#[test]
fn bid_that_breaks_a_rule_names_it_and_changes_nothing() {
    let (mut room, order) = game(2);
    check_refused(room.act(order[0], bid(11, 1)), "more_than_all_dice", &[("dice", 10)]);
    check_refused(room.act(order[0], Action::Challenge), "nothing_to_challenge", &[]);
    room.act(order[0], bid(3, 4)).unwrap();

    let before = serde_json::to_value(room.room().save()).unwrap();
    for (count, face) in [(3, 4), (3, 3), (2, 6), (1, 1)] {
        let outcome = room.act(order[1], bid(count, face));
        check_refused(outcome, "bid_too_low", &[("count", 3), ("face", 4)]);
    }
    check_refused(room.act(order[1], bid(11, 6)), "more_than_all_dice", &[("dice", 10)]);
    check_refused(room.act(order[1], bid(100, 6)), "more_than_all_dice", &[("dice", 10)]);
    assert_eq!(serde_json::to_value(room.room().save()).unwrap(), before);
}

#[test]
fn dice_that_are_lost_may_not_be_bid_on() {
    let (mut room, order) = game(2);
    lay_out(&mut room, &[&[2, 3], &[4]]);
    check_refused(room.act(order[0], bid(4, 2)), "more_than_all_dice", &[("dice", 3)]);
    room.act(order[0], bid(3, 2)).unwrap();
}

#[test]
fn action_out_of_turn_is_refused() {
    let (mut room, order) = game(3);
    for player in [order[1], order[2]] {
        for action in [bid(1, 1), Action::Challenge] {
            assert_eq!(room.act(player, action).unwrap_err().code(), "NOT_YOUR_TURN");
        }
    }
}

/// Whether a bid holds, by the dice under both cups.
#[test]
fn challenge_costs_the_bidder_a_die_if_there_are_fewer_and_else_the_challenger() {
    for (ones_wild, cups, (count, face), actual) in [
        (true, [&[2, 2, 3][..], &[2, 5][..]], (3, 2), 3),
        (true, [&[2, 2, 3], &[2, 5]], (4, 2), 3),
        (true, [&[2, 2, 3], &[2, 5]], (2, 2), 3),
        (true, [&[1, 2, 3], &[1, 5]], (3, 2), 3),
        (true, [&[1, 2, 3], &[1, 5]], (3, 5), 3),
        (true, [&[1, 2, 3], &[1, 5]], (3, 4), 2),
        (true, [&[1, 2, 3], &[1, 5]], (2, 1), 2),
        (true, [&[1, 2, 3], &[1, 5]], (3, 1), 2),
        (false, [&[1, 2, 3], &[1, 5]], (2, 2), 1),
        (false, [&[1, 2, 3], &[1, 5]], (2, 1), 2),
        (false, [&[2, 3, 4], &[5, 5]], (1, 6), 0),
    ] {
        let options = Options { ones_wild, ..Options::default() };
        let (mut room, order) = game_with(options, 2);
        lay_out(&mut room, &cups);
        room.act(order[0], bid(count, face)).unwrap();
        room.take_events();
        room.act(order[1], Action::Challenge).unwrap();

        let holds = i64::from(actual) >= count;
        let loser = if holds { 1 } else { 0 };
        let made = bid_of(order[0], count as u8, face as u8);
        let reveal = Reveal {
            round: 1,
            bid: made,
            challenger: order[1],
            dice: order.iter().copied().zip(cups.map(<[u8]>::to_vec)).collect(),
            actual,
            loser: order[loser],
        };
        let left = u8::try_from(cups[loser].len()).unwrap() - 1;
        assert_eq!(
            room.take_events(),
            [
                Event::Challenged { player_id: order[1], bidder_id: order[0] },
                Event::Revealed(reveal.clone()),
                Event::DieLost { player_id: order[loser], left },
                Event::NewRound { round: 2, player_id: order[loser] },
            ],
            "{count} of {face}, ones wild: {ones_wild}"
        );
        let view = room.view();
        assert_eq!((view.round, view.bid, view.bids.len()), (2, None, 0));
        assert_eq!((view.turn, view.last_reveal), (Some(order[loser]), Some(reveal)));
        assert_eq!(view.dice_counts[&order[loser]], left);
        assert_eq!(usize::from(view.dice_counts[&order[1 - loser]]), cups[1 - loser].len());
    }
}

#[test]
fn bid_of_one_earlier_than_the_last_cannot_be_challenged_any_more() {
    let (mut room, order) = game(3);
    lay_out(&mut room, &[&[2, 2], &[3, 3], &[4, 4]]);
    room.act(order[0], bid(5, 6)).unwrap();
    room.act(order[1], bid(6, 3)).unwrap();
    room.act(order[2], Action::Challenge).unwrap();
    assert_eq!(room.view().last_reveal.unwrap().loser, order[1]);
}

#[test]
fn loser_begins_the_next_round_wherever_it_sits() {
    for (loser, challenger) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
        let (mut room, order) = game(4);
        lay_out(&mut room, &[&[2, 2], &[2, 2], &[2, 2], &[2, 2]]);
        bid_in_turn(&mut room, &order[..=loser]);
        room.act(order[challenger], Action::Challenge).unwrap();
        assert_eq!(room.view().turn, Some(order[loser]));
        assert_eq!(room.view().dice_counts[&order[loser]], 1);
    }
}

#[test]
fn who_loses_its_last_die_is_out_and_the_next_one_begins() {
    for (loser, next) in [(0, 1), (1, 2), (2, 0)] {
        let (mut room, order) = game(3);
        let mut cups: [&[u8]; 3] = [&[2, 2]; 3];
        cups[loser] = &[2];
        lay_out(&mut room, &cups);
        bid_in_turn(&mut room, &order[..=loser]);
        room.take_events();
        room.act(order[next], Action::Challenge).unwrap();

        let events = room.take_events();
        assert_eq!(
            events[2..],
            [
                Event::DieLost { player_id: order[loser], left: 0 },
                Event::Eliminated { player_id: order[loser] },
                Event::NewRound { round: 2, player_id: order[next] },
            ]
        );
        let view = room.view();
        assert_eq!((view.turn, view.players), (Some(order[next]), order.clone()));
        assert_eq!(view.dice_counts[&order[loser]], 0);
        // It is passed over, and sees no dice.
        room.act(order[next], bid(1, 2)).unwrap();
        assert_ne!(room.view().turn, Some(order[loser]));
        assert!(seen_by(&room, order[loser]).dice.is_empty());
        let error = room.act(order[loser], bid(2, 2)).unwrap_err();
        assert_eq!(error.code(), "NOT_YOUR_TURN");
    }
}

/// The challenger can be the one to go, too; then the next is the one behind it.
#[test]
fn challenger_who_loses_its_last_die_is_followed_by_the_next() {
    let (mut room, order) = game(3);
    lay_out(&mut room, &[&[2, 2], &[3], &[4, 4]]);
    room.act(order[0], bid(1, 2)).unwrap();
    room.act(order[1], Action::Challenge).unwrap();
    assert_eq!((room.view().turn, room.view().dice_counts[&order[1]]), (Some(order[2]), 0));
}

#[test]
fn last_one_with_dice_wins() {
    let (mut room, order) = game(2);
    lay_out(&mut room, &[&[2], &[3, 5, 6]]);
    room.act(order[0], bid(2, 2)).unwrap();
    room.take_events();
    room.act(order[1], Action::Challenge).unwrap();
    assert!(matches!(room.take_events().last(), Some(Event::Eliminated { .. })));
    let outcome = Outcome { winner: order[1], dice_left: 3, rounds: 1 };
    assert_eq!(room.outcome(), Some(&outcome));
    let view = room.view();
    assert_eq!((view.turn, view.deadline, view.bank_from), (None, None, None));
    assert_eq!((view.winner, view.last_reveal.unwrap().actual), (Some(order[1]), 1));
}

#[test]
fn bids_shown_are_the_last_ones_and_bounded() {
    let (mut room, order) = game(6);
    let all = (1..=30).flat_map(|count| (1..=6).map(move |face| (count, face)));
    for (made, (count, face)) in all.enumerate() {
        room.act(order[made % 6], bid(count, face)).unwrap();
        let view = room.view();
        assert_eq!(view.bids.len(), (made + 1).min(BIDS_SHOWN_MAX));
        assert_eq!(view.bids.last(), view.bid.as_ref());
        assert!(view.bids.windows(2).all(|pair| pair[1].outbids(&pair[0])));
    }
    // Nothing is higher than thirty sixes: only a challenge is left.
    check_refused(room.act(order[0], bid(30, 6)), "bid_too_low", &[("count", 30), ("face", 6)]);
    room.act(order[0], Action::Challenge).unwrap();
}

#[test]
fn clock_makes_the_lowest_bid_where_there_is_none_and_challenges_otherwise() {
    let (mut room, order) = game(2);
    lay_out(&mut room, &[&[2, 3, 4, 5, 6], &[2, 3, 4, 5, 6]]);
    room.wait(whole_time() - Duration::from_millis(1));
    assert_eq!((room.view().turn, room.take_events()), (Some(order[0]), vec![]));
    room.wait(Duration::from_millis(1));
    assert_eq!(
        room.take_events(),
        [Event::TimedOut { player_id: order[0] }, Event::Bid(bid_of(order[0], 1, 1))]
    );

    room.wait(whole_time());
    let events = room.take_events();
    assert_eq!(
        events[..2],
        [
            Event::TimedOut { player_id: order[1] },
            Event::Challenged { player_id: order[1], bidder_id: order[0] },
        ]
    );
    assert_eq!((room.view().round, room.view().turn), (2, Some(order[0])), "there is no one");
}

#[test]
fn bank_is_drawn_on_for_slow_turns_and_not_filled_again() {
    let (mut room, order) = game(2);
    assert_eq!(room.view().bank_from, Some(room.now() + secs(30)));
    assert_eq!(room.view().deadline, Some(room.now() + secs(90)));
    room.wait(secs(70));
    room.act(order[0], bid(1, 1)).unwrap();
    room.wait(secs(10));
    room.act(order[1], bid(1, 2)).unwrap();
    assert_eq!(room.view().deadline, Some(room.now() + secs(50)), "40 s of the bank are gone");
    room.act(order[0], bid(1, 3)).unwrap();
    assert_eq!(room.view().deadline, Some(room.now() + secs(90)), "the other has its own");
}

#[test]
fn chosen_times_are_those_of_the_clock() {
    let options = Options {
        turn_seconds: Bounded::new(5).unwrap(),
        bank_seconds: Bounded::new(0).unwrap(),
        ..Options::default()
    };
    let (mut room, order) = game_with(options, 2);
    assert_eq!(room.view().deadline, Some(room.now() + secs(5)));
    assert_eq!(room.view().bank_from, room.view().deadline);
    room.wait(secs(5));
    assert_eq!(room.view().turn, Some(order[1]));
}

#[test]
fn turn_of_one_who_is_away_has_no_bank_until_it_is_back() {
    let (mut room, order) = game(2);
    room.command(Command::Disconnect(order[1])).unwrap();
    room.act(order[0], bid(1, 1)).unwrap();
    assert_eq!(room.view().deadline, Some(room.now() + secs(30)));
    room.wait(secs(20));
    room.command(Command::Reconnect(order[1])).unwrap();
    let deadline = room.now() + secs(70);
    assert_eq!(room.view().deadline, Some(deadline));
    room.wait(secs(70) - Duration::from_millis(1));
    assert_eq!(room.view().turn, Some(order[1]));
    room.wait(Duration::from_millis(1));
    assert_eq!(room.view().round, 2, "the clock has challenged");
}

#[test]
fn connection_lost_in_the_middle_of_a_turn_leaves_the_turn_its_time() {
    let (mut room, order) = game(2);
    room.command(Command::Disconnect(order[0])).unwrap();
    room.wait(secs(45));
    assert_eq!(room.view().turn, Some(order[0]));
    room.command(Command::Reconnect(order[0])).unwrap();
    room.act(order[0], bid(1, 1)).unwrap();
}

/// The grace is a minute, a turn of one who is away half of that.
#[test]
fn bot_sits_in_for_one_who_does_not_come_back_and_plays_its_dice() {
    let (mut room, order) = game(2);
    room.command(Command::Disconnect(order[1])).unwrap();
    room.wait(secs(60));
    room.act(order[0], bid(1, 1)).unwrap();
    room.take_events();
    room.step();
    let events = room.take_events();
    let acted = match events[0] {
        Event::Bid(bid) => bid.player_id,
        Event::Challenged { player_id, .. } => player_id,
        ref other => panic!("{other:?}"),
    };
    assert_eq!((acted, room.view().players.len()), (order[1], 2));
    room.command(Command::Reconnect(order[1])).unwrap();
    assert_eq!(
        seen_by(&room, order[1]).dice.len(),
        usize::from(room.view().dice_counts[&order[1]])
    );
}

/// By who leaves and whose turn it is, in a round with bids.
#[test]
fn who_leaves_with_dice_makes_the_round_void_and_the_one_at_turn_begins() {
    for (turn, leaves) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
        let (mut room, order) = game(3);
        bid_in_turn(&mut room, &order[..turn]);
        lay_out(&mut room, &[&[7; 5], &[7; 4], &[7; 3]]);
        room.take_events();
        room.wait(secs(5));
        room.command(Command::Leave(order[leaves])).unwrap();

        let begins = if turn == leaves { order[(turn + 1) % 3] } else { order[turn] };
        assert_eq!(room.take_events(), [Event::NewRound { round: 2, player_id: begins }]);
        let view = room.view();
        assert_eq!((view.turn, view.bid, view.bids.len()), (Some(begins), None, 0));
        assert_eq!(view.last_reveal, None, "the dice of who leaves stay unseen");
        assert_eq!(view.deadline, Some(room.now() + secs(90)));
        assert!(!view.players.contains(&order[leaves]));
        assert_eq!(view.dice_counts.len(), 2);
        let saved = serde_json::to_value(&room.room().head().state).unwrap();
        let bank = saved["clock"]["players"].get(order[leaves].to_string());
        assert_eq!(bank, None, "its bank is forgotten");
        for (player, count) in [(order[0], 5), (order[1], 4), (order[2], 3)] {
            let dice = seen_by(&room, player).dice;
            if player == order[leaves] {
                assert!(dice.is_empty());
            } else {
                assert_eq!((dice.len(), view.dice_counts[&player]), (count.into(), count));
                assert!(!dice.contains(&7), "all roll anew");
            }
        }
    }
}

#[test]
fn who_leaves_when_it_is_out_disturbs_nobody() {
    let (mut room, order) = game(4);
    lay_out(&mut room, &[&[2], &[2, 2], &[2, 2], &[2, 2]]);
    room.act(order[0], bid(1, 6)).unwrap();
    room.act(order[1], Action::Challenge).unwrap();
    room.act(order[1], bid(1, 2)).unwrap();
    room.take_events();
    let before = room.view();
    room.wait(secs(5));
    room.command(Command::Leave(order[0])).unwrap();

    let mut expect = before;
    expect.players.remove(0);
    expect.dice_counts.remove(&order[0]);
    assert_eq!((room.view(), room.take_events()), (expect, vec![]));
}

#[test]
fn who_is_left_alone_has_won_though_others_who_are_out_look_on() {
    let (mut room, order) = game(3);
    lay_out(&mut room, &[&[2], &[2, 2], &[2, 2]]);
    room.act(order[0], bid(1, 6)).unwrap();
    room.act(order[1], Action::Challenge).unwrap();
    assert_eq!(room.outcome(), None);
    room.command(Command::Leave(order[1])).unwrap();
    let outcome = Outcome { winner: order[2], dice_left: 2, rounds: 2 };
    assert_eq!(room.outcome(), Some(&outcome));
    assert_eq!((room.view().turn, room.view().winner), (None, Some(order[2])));
}

#[test]
fn who_leaves_the_lobby_is_not_missed_at_the_start() {
    let mut room = Playroom::<LiarsDice>::new(Options::default(), 1);
    let host = room.join("Ada");
    let bob = room.join("Bob");
    let cyd = room.join("Cyd");
    room.command(Command::Leave(bob)).unwrap();
    room.command(Command::Start(host)).unwrap();
    let mut players = room.view().players;
    players.sort_unstable();
    assert_eq!(players, [host, cyd]);
}

#[test]
fn rematch_is_a_new_game_with_all_dice() {
    let (mut room, order) = game(2);
    lay_out(&mut room, &[&[2], &[3]]);
    room.act(order[0], bid(2, 2)).unwrap();
    room.act(order[1], Action::Challenge).unwrap();
    let host = room.room().head().roster.host().unwrap();
    room.command(Command::Rematch(host)).unwrap();
    room.command(Command::Start(host)).unwrap();
    let view = room.view();
    let counts: PlayerMap<u8> = order.iter().map(|player| (*player, 5)).collect();
    assert_eq!((view.dice_counts, view.round, view.last_reveal), (counts, 1, None));
}

#[test]
fn lots_decide_the_order_of_turns() {
    let firsts: Vec<PlayerId> = (0..30)
        .map(|seed| {
            let mut room = Playroom::<LiarsDice>::new(Options::default(), seed);
            let host = room.join("Ada");
            room.join("Bob");
            room.join("Cyd");
            room.command(Command::Start(host)).unwrap();
            room.view().players[0]
        })
        .collect();
    assert!((1..=3).all(|id| firsts.contains(&PlayerId(id))), "{firsts:?}");
}

#[test]
fn every_level_that_is_offered_has_a_bot_and_no_other() {
    for level in LiarsDice.about().bot_levels {
        assert!(LiarsDice.bot(level).is_some(), "{level}");
    }
    assert!(LiarsDice.bot("pathological").is_none());
}
