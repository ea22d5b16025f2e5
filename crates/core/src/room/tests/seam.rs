//! Between a decision and its publication: what is put back has never been.

use super::probe::Action;
use super::{Done, P1, P2, P3, Table, Wish, act, join, secs};
use crate::{Command, Failure, Fault, Phase, Refusal};

/// Publication of three commits is held back and the last two are put back. Nobody has seen
/// anything, and the room goes on exactly as one in which the two were never asked for.
#[test]
fn commits_put_back_have_never_been() {
    let table = || {
        let mut table = Table::playing(&["Ada", "Bob"]);
        table.act(P1, Action::Timer { id: 4, after_ms: 5000 });
        table
    };
    let undone: [[Wish; 2]; 4] = [
        [act(P2, Action::Add(9)), act(P1, Action::Finish)],
        [Command::Leave(P2).into(), act(P1, Action::Timer { id: 1, after_ms: 10 })],
        [Command::Disconnect(P1).into(), act(P2, Action::Cancel { id: 4 })],
        [super::chat(P2, "hello").into(), super::watch("Eve").into()],
    ];
    for [second, third] in undone {
        let (mut held, mut straight) = (table(), table());
        let reader = held.room.view();
        let before = reader.snapshot();

        let first = held.decide(act(P1, Action::Add(1))).unwrap();
        let second = held.decide(second).unwrap();
        let third = held.decide(third).unwrap();
        assert!(std::sync::Arc::ptr_eq(&reader.snapshot(), &before), "nothing is seen");

        held.room.put_back(third);
        held.room.put_back(second);
        held.publish(first);
        straight.act(P1, Action::Add(1));
        assert!(held.bytes() == straight.bytes());
        assert_eq!(reader.snapshot().state, straight.seen().state);

        // The same draws, the same numbers, the same timers.
        for room in [&mut held, &mut straight] {
            room.act(P2, Action::Add(3));
            room.must(super::watch("Zoe"));
            assert_eq!(room.ids(), [1, 2, 3]);
            assert_eq!(room.pass(secs(20)).len(), 1, "the timer that was set before");
        }
        assert!(held.bytes() == straight.bytes());
        assert_eq!(reader.snapshot().state, straight.seen().state);
    }
}

#[test]
fn deadline_put_back_is_due_again() {
    let mut table = Table::playing(&["Ada"]);
    table.act(P1, Action::Timer { id: 4, after_ms: 1000 });
    let before = table.bytes();
    let due = table.now + secs(1);

    let commit = table.room.advance(due).expect("the timer is due");
    table.room.put_back(commit);
    assert!(table.bytes() == before);
    let again = Done::of(&table.room.advance(due).expect("it is due again"));
    assert_eq!((again.at, again.game_events.len()), (due, 1));
}

#[test]
fn nobody_sees_a_commit_before_it_is_published() {
    let mut table = Table::with(&["Ada"]);
    let reader = table.room.view();
    let commit = table.decide(Command::Start(P1)).unwrap();
    assert_eq!(reader.snapshot().phase, Phase::Lobby);
    assert_eq!(commit.snapshot().phase, Phase::Playing);
    table.room.publish(commit);
    assert_eq!(reader.snapshot().phase, Phase::Playing);
}

#[test]
fn request_whose_outcome_cannot_be_encoded_is_refused() {
    let mut table = Table::playing(&["Ada"]);
    let before = table.bytes();
    let commit = table.decide(act(P1, Action::Add(5))).unwrap();
    let refusal = table.room.drop_game_part(commit, "a map with odd keys".to_owned()).unwrap_err();

    assert_eq!(refusal, Refusal::Failed(not_encodable()));
    assert!(table.bytes() == before);
}

#[test]
fn fact_whose_outcome_cannot_be_encoded_stands_without_the_games_part() {
    let mut table = Table::playing(&["Ada", "Bob"]);
    let callbacks = table.state().callbacks;
    let commit = table.decide(Command::Leave(P2)).unwrap();
    let commit = table.room.drop_game_part(commit, "a map with odd keys".to_owned()).unwrap();
    let done = table.publish(commit);

    assert_eq!(done.told, ["left 2 Left"]);
    assert_eq!(done.failure, Some(not_encodable()));
    assert!(done.game_events.is_empty());
    assert_eq!((table.state().callbacks, table.room.head.failures), (callbacks, 1));

    table.act(P1, Action::Timer { id: 1, after_ms: 1000 });
    let due = table.now + secs(1);
    let commit = table.room.advance(due).unwrap();
    let commit = table.room.drop_game_part(commit, "a map with odd keys".to_owned()).unwrap();
    assert_eq!(table.publish(commit).at, due);
    assert!(table.room.advance(due).is_none(), "the timer is consumed");
}

fn not_encodable() -> Failure {
    let fault = Fault::NotEncodable("a map with odd keys".to_owned());
    Failure { callback: "serialize", fault }
}

/// A join that was put back gives its number to the next who joins: nobody has seen it.
#[test]
fn number_of_a_join_put_back_is_given_to_the_next() {
    let mut table = Table::with(&["Ada", "Bob"]);
    let commit = table.decide(join("Cid")).unwrap();
    assert_eq!(commit.seated, Some(P3));
    table.room.put_back(commit);
    assert_eq!(table.join("Dan"), P3);
}
