//! What a room remembers of requests: while the seat is there, a while longer, and when written down.

use std::sync::Arc;

use super::{P1, P2, P3, P4, Table, kick, millis, secs};
use crate::{
    ANSWERS_AFTER_LEAVING, ANSWERS_PER_SEAT_MAX, Answer, Command, DEPARTED_MAX, GameError,
    PlayerId, Recall, Refusal, Room,
};

/// The fingerprint of all requests here but where another is told from them.
const PRINT: u64 = u64::MAX;

fn answer(outcome: Result<Option<PlayerId>, Refusal>) -> Answer {
    Answer { seq: 9, outcome: outcome.map_err(Box::new) }
}

fn known() -> Recall {
    Recall::Known(answer(Ok(None)))
}

impl Table {
    fn remember(&mut self, player: PlayerId, id: u64) {
        self.room.remember(self.now, player, id, PRINT, answer(Ok(None)));
    }

    fn recall(&self, player: PlayerId, id: u64) -> Recall {
        self.room.recall(self.now, player, id, PRINT)
    }

    /// Leaves as by a request with this id.
    fn leave(&mut self, player: PlayerId, id: u64) {
        self.must(Command::Leave(player));
        self.remember(player, id);
    }
}

#[test]
fn answers_stay_with_a_seat_through_a_lost_connection() {
    let mut table = Table::with(&["Ada", "Bob"]);
    table.remember(P2, 4);
    table.must(Command::Disconnect(P2));
    table.pass(secs(14));
    table.must(Command::Reconnect(P2));
    table.pass(secs(6000));
    assert_eq!(table.recall(P2, 4), known());
    assert_eq!(table.room.recall(table.now, P2, 4, 0), Recall::Reused);
    assert_eq!((table.room.last_id(P1), table.room.last_id(P2)), (0, 4));
}

#[test]
fn one_who_leaves_twice_gets_the_same_answer_for_a_minute() {
    for had_asked_before in [true, false] {
        let mut table = Table::with(&["Ada", "Bob"]);
        if had_asked_before {
            table.remember(P2, 1);
            table.pass(secs(100));
        }
        table.leave(P2, 2);
        assert_eq!(table.room.last_id(P2), 0, "it has no seat");

        table.pass(ANSWERS_AFTER_LEAVING - millis(1));
        assert_eq!(table.recall(P2, 2), known());
        assert_eq!(table.recall(P2, 1), if had_asked_before { known() } else { Recall::New });
        table.pass(millis(1));
        assert_eq!(table.recall(P2, 2), Recall::New);
        assert_eq!(table.recall(P2, 1), Recall::New);
    }
}

/// The room holds nothing more of it than of one who never asked for anything.
#[test]
fn answers_of_those_who_were_sent_away_go_too_when_the_next_leaves() {
    let table = |asks: bool| {
        let mut table = Table::with(&["Ada", "Bob", "Cid", "Dan"]);
        table.remember(P4, 1);
        if asks {
            table.remember(P2, 1);
            table.remember(P3, 1);
        }
        table.must(kick(P2, false));
        table.must(Command::Disconnect(P3));
        assert_eq!(table.told_within(secs(15)), ["left 3 Timeout"]);
        assert_eq!(table.recall(P2, 1) == known(), asks);
        assert_eq!(table.recall(P3, 1) == known(), asks);
        table.pass(ANSWERS_AFTER_LEAVING);
        table.must(Command::Leave(P4));
        table
    };
    assert!(table(true).bytes() == table(false).bytes());
}

#[test]
fn one_seat_given_up_too_many_pushes_out_the_first() {
    let mut table = Table::with(&["Ada"]);
    let mut left = Vec::new();
    for _ in 0..DEPARTED_MAX {
        let player = table.join("Guest");
        table.leave(player, 1);
        left.push(player);
    }
    assert_eq!(table.recall(left[0], 1), known());

    let one_more = table.join("Guest");
    table.leave(one_more, 1);
    assert_eq!(table.recall(left[0], 1), Recall::New);
    assert_eq!(table.recall(left[1], 1), known());
    assert_eq!(table.recall(one_more, 1), known());
}

#[test]
fn commit_put_back_leaves_its_request_new_and_the_answers_with_their_seat() {
    let mut table = Table::with(&["Ada", "Bob"]);
    table.remember(P2, 1);
    let before = table.bytes();
    let commit = table.decide(Command::Leave(P2)).unwrap();
    table.room.put_back(commit);

    assert!(table.bytes() == before);
    assert_eq!(table.recall(P2, 2), Recall::New);
    table.pass(ANSWERS_AFTER_LEAVING);
    assert_eq!((table.recall(P2, 1), table.room.last_id(P2)), (known(), 1));
}

/// Every kind of answer that is kept, of a seat that is full, of one and of none, and of one that
/// is gone.
#[test]
fn answers_survive_being_written_down_in_either_format() {
    let mut table = Table::with(&["Ada", "Bob", "Cid"]);
    let refusals = [
        Refusal::Closed,
        Refusal::Full,
        Refusal::Locked,
        Refusal::WrongPassword,
        Refusal::Banned,
        Refusal::SpectatorsNotAllowed,
        Refusal::BotsNotSupported,
        Refusal::NotReady("Ada is not connected".into()),
        Refusal::StartsByItself,
        Refusal::AlreadyStarted,
        Refusal::InProgress,
        Refusal::NotStarted,
        Refusal::Over,
        Refusal::NotHost,
        Refusal::NotAPlayer,
        Refusal::NoSuchPlayer,
        Refusal::Yourself,
        Refusal::Stale,
        Refusal::Game(GameError::invalid_move("taken").with("row", 1_i64)),
    ];
    let outcomes = refusals.into_iter().map(Err).chain([Ok(None), Ok(Some(P2))]);
    let answers: Vec<(u64, Answer)> =
        (u64::MAX - 100..).zip(outcomes).map(|(id, outcome)| (id, answer(outcome))).collect();
    for (id, answer) in &answers {
        table.room.remember(table.now, P1, *id, PRINT, answer.clone());
    }
    for id in 1..=u64::try_from(ANSWERS_PER_SEAT_MAX).unwrap() + 1 {
        table.remember(P2, id);
    }
    table.remember(P3, 1);
    table.leave(P3, 2);
    // What could not be written down is not kept in the first place.
    let unknown_level = table.refused(super::add_bot("nobody"));
    table.room.remember(table.now, P1, 7, PRINT, answer(Err(unknown_level)));

    let json = serde_json::to_vec(&table.room.save()).unwrap();
    let packed = table.bytes();
    for saved in [serde_json::from_slice(&json).unwrap(), rmp_serde::from_slice(&packed).unwrap()] {
        let room = Room::restore(Arc::clone(table.room.game()), saved);
        let mut restored = Table { room, now: table.now };
        assert!(restored.bytes() == packed);
        for (id, answer) in &answers {
            assert_eq!(restored.recall(P1, *id), Recall::Known(answer.clone()));
        }
        assert_eq!(restored.recall(P1, 7), Recall::New);
        assert_eq!((restored.recall(P2, 1), restored.recall(P2, 2)), (Recall::Stale, known()));
        assert_eq!(restored.room.recall(restored.now, P2, 2, 0), Recall::Reused);
        assert_eq!((restored.recall(P3, 1), restored.recall(P3, 2)), (known(), known()));
        restored.pass(ANSWERS_AFTER_LEAVING);
        assert_eq!(restored.recall(P3, 2), Recall::New);
    }
}
