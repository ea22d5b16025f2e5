//! Whole games of tic-tac-toe in real rooms.

use parlor_core::{Bounded, Command, Game as _, Phase, PlayerId, Refusal, Scalar};
use parlor_testkit::{BotGames, Playroom, check_game};
use serde_json::json;

use super::{Action, Options, Outcome, Square, TicTacToe};

pub(super) fn at(row: i64, col: i64) -> Action {
    Action { row: Bounded::new(row).unwrap(), col: Bounded::new(col).unwrap() }
}

/// A game that has just begun, and its players: X, then O.
fn game(seed: u64) -> (Playroom<TicTacToe>, [PlayerId; 2]) {
    let mut room = Playroom::new(Options {}, seed);
    room.join("Ada");
    room.join("Bob");
    let players = players(&room);
    (room, players)
}

fn players(room: &Playroom<TicTacToe>) -> [PlayerId; 2] {
    let symbols = room.view().symbols;
    [Square::X, Square::O].map(|mark| *symbols.iter().find(|(_, other)| **other == mark).unwrap().0)
}

/// Plays `cells` from the start in turn, and compares how it ends: with X, O or nobody winning.
#[track_caller]
fn check_ending(cells: &[(i64, i64)], winner: Option<Square>) {
    let (mut room, [x, o]) = game(1);
    for (player, (row, col)) in [x, o].into_iter().cycle().zip(cells) {
        assert_eq!(room.outcome(), None);
        room.act(player, at(*row, *col)).unwrap();
    }
    let winner = winner.map(|mark| if mark == Square::X { x } else { o });
    assert_eq!(room.outcome(), Some(&Outcome { winner }));
    let view = room.view();
    assert_eq!((view.turn, view.winner, view.draw), (None, winner, winner.is_none()));
}

#[test]
fn game_starts_by_itself_when_both_seats_are_taken() {
    let mut room = Playroom::<TicTacToe>::new(Options {}, 1);
    room.join("Ada");
    assert_eq!(room.phase(), Phase::Lobby);
    assert_eq!(
        serde_json::to_value(room.view()).unwrap(),
        json!({
            "board": [["", "", ""], ["", "", ""], ["", "", ""]],
            "symbols": {}, "turn": null, "winner": null, "draw": false,
        })
    );

    room.join("Bob");
    assert_eq!(room.phase(), Phase::Playing);
}

#[test]
fn view_shows_the_board_the_marks_and_whose_turn_it_is() {
    let (mut room, [x, o]) = game(1);
    room.act(x, at(0, 2)).unwrap();
    room.act(o, at(1, 1)).unwrap();
    assert_eq!(
        serde_json::to_value(room.view()).unwrap(),
        json!({
            "board": [["", "", "X"], ["", "O", ""], ["", "", ""]],
            "symbols": { x.to_string(): "X", o.to_string(): "O" },
            "turn": x.0, "winner": null, "draw": false,
        })
    );
}

#[test]
fn lots_decide_who_moves_first() {
    let firsts: Vec<PlayerId> = (0..20).map(|seed| game(seed).1[0]).collect();
    assert!(firsts.contains(&PlayerId(1)) && firsts.contains(&PlayerId(2)), "{firsts:?}");
}

#[test]
fn three_in_a_row_win() {
    check_ending(&[(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)], Some(Square::X));
    check_ending(&[(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 1)], Some(Square::O));
    check_ending(&[(0, 0), (0, 1), (1, 1), (1, 0), (2, 2)], Some(Square::X));
    check_ending(&[(2, 0), (0, 1), (1, 1), (1, 0), (0, 2)], Some(Square::X));
}

#[test]
fn full_board_without_three_in_a_row_is_a_draw() {
    let cells = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 0), (1, 2), (2, 1), (2, 0), (2, 2)];
    check_ending(&cells, None);
}

#[test]
fn ninth_mark_that_makes_a_line_wins() {
    let cells = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 1), (2, 0), (2, 2)];
    check_ending(&cells, Some(Square::X));
}

#[test]
fn move_out_of_turn_is_refused() {
    let (mut room, [x, o]) = game(1);
    assert_eq!(room.act(o, at(0, 0)).unwrap_err().code(), "NOT_YOUR_TURN");
    room.act(x, at(0, 0)).unwrap();
    assert_eq!(room.act(x, at(0, 1)).unwrap_err().code(), "NOT_YOUR_TURN");
}

#[test]
fn taken_cell_is_refused_by_name_and_stays_as_it_was() {
    let (mut room, [x, o]) = game(1);
    room.act(x, at(2, 1)).unwrap();
    let before = room.view();

    let error = room.act(o, at(2, 1)).unwrap_err();
    assert_eq!(error.code(), "INVALID_MOVE");
    let details: Vec<(&str, &Scalar)> =
        error.details().iter().map(|(name, value)| (&**name, value)).collect();
    assert_eq!(
        details,
        [("col", &Scalar::Int(1)), ("row", &Scalar::Int(2)), ("rule", &Scalar::from("cell_taken"))]
    );
    assert_eq!(room.view(), before);
}

#[test]
fn cell_off_the_board_does_not_read_and_is_named_by_its_path() {
    for (json, path) in [
        (r#"{"row":3,"col":0}"#, "row"),
        (r#"{"row":0,"col":-1}"#, "col"),
        (r#"{"row":0,"col":"left"}"#, "col"),
        (r#"{"row":0.5,"col":0}"#, "row"),
    ] {
        let mut reader = serde_json::Deserializer::from_str(json);
        let error = serde_path_to_error::deserialize::<_, Action>(&mut reader).unwrap_err();
        assert_eq!(error.path().to_string(), path, "{json}");
    }
}

#[test]
fn who_leaves_during_play_has_lost() {
    for leaves in [0, 1] {
        let (mut room, players) = game(1);
        room.act(players[0], at(0, 0)).unwrap();
        room.leave(players[leaves]);
        assert_eq!(room.outcome(), Some(&Outcome { winner: Some(players[1 - leaves]) }));
        assert_eq!(room.view().turn, None);
    }
}

#[test]
fn who_leaves_before_the_start_has_lost_nothing() {
    let mut room = Playroom::<TicTacToe>::new(Options {}, 1);
    let ada = room.join("Ada");
    room.leave(ada);
    assert_eq!((room.outcome(), room.phase()), (None, Phase::Lobby));
}

#[test]
fn rematch_is_a_new_game_on_an_empty_board() {
    let (mut room, [x, o]) = game(1);
    for (player, col) in [(x, 0), (o, 0), (x, 1), (o, 1), (x, 2)] {
        room.act(player, at(if player == x { 0 } else { 1 }, col)).unwrap();
    }
    room.rematch();

    assert_eq!(room.phase(), Phase::Playing, "both are still there");
    let view = room.view();
    assert_eq!((view.board.marks(), view.winner), (0, None));
    assert!(room.act(players(&room)[0], at(1, 1)).is_ok());
}

#[test]
fn every_level_that_is_offered_has_a_bot_and_no_other() {
    for level in TicTacToe.about().bot_levels {
        assert!(TicTacToe.bot(level).is_some(), "{level}");
    }
    assert!(TicTacToe.bot("middling").is_none());

    let mut room = Playroom::<TicTacToe>::new(Options {}, 1);
    let by = room.join("Ada");
    let level = Some("middling".to_owned());
    let refusal = room.command(Command::AddBot { by, name: None, level }).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownBotLevel { known: &["easy", "perfect"] });
}

/// Half of the games the easy one begins, by lot.
#[test]
fn perfect_bot_loses_no_game_in_a_room_and_wins_most() {
    let outcomes = BotGames::<TicTacToe>::new(Options {}).bots(["easy", "perfect"]).run(|room| {
        if room.outcome().is_some() {
            room.check_replays();
        }
    });
    let won = |id| outcomes.iter().filter(|end| end.winner == Some(PlayerId(id))).count();
    assert_eq!(won(1), 0);
    assert!(won(2) * 10 > outcomes.len() * 6, "won {} against chance", won(2));
}

#[test]
fn whatever_holds_for_every_game_holds() {
    check_game(TicTacToe, Options {});
}
