//! Every way to say no is said, and changes nothing.

use std::collections::BTreeSet;

use super::probe::{Action, How, Options};
use super::{P1, P2, Table, Wish, act, add_bot, join, kick, update, watch};
use crate::{
    Actions, CloseReason, Command, Digest, GATHERED_PER_PLAYER_MAX, Refusal, SettingsChanges,
    StartRule, Tick,
};

/// Numbers the variants. Without a wildcard arm, so that a new one must be given here; its test
/// then misses it until a command below is refused with it.
fn number(refusal: &Refusal) -> u32 {
    match refusal {
        Refusal::Closed => 0,
        Refusal::Full => 1,
        Refusal::Locked => 2,
        Refusal::WrongPassword => 3,
        Refusal::Banned => 4,
        Refusal::SpectatorsNotAllowed => 5,
        Refusal::BotsNotSupported => 6,
        Refusal::UnknownBotLevel { .. } => 7,
        Refusal::NotReady(_) => 8,
        Refusal::StartsByItself => 9,
        Refusal::AlreadyStarted => 10,
        Refusal::InProgress => 11,
        Refusal::NotStarted => 12,
        Refusal::Over => 13,
        Refusal::NotHost => 14,
        Refusal::NotAPlayer => 15,
        Refusal::NoSuchPlayer => 16,
        Refusal::Yourself => 17,
        Refusal::Stale => 18,
        Refusal::Game(_) => 19,
        Refusal::Failed(_) => 20,
        Refusal::TooManyActions { .. } => 21,
        Refusal::Unknown => 22,
    }
}

const REFUSALS: u32 = 23;

#[test]
fn every_refusal_is_given_and_changes_nothing() {
    let mut given = BTreeSet::from([without_bots::refusal()].map(|refusal| number(&refusal)));
    let mut say_no = |table: &mut Table, wish: Wish| {
        given.insert(number(&table.refused(wish)));
    };

    let small = Options { players_min: 2, players_max: 2, spectators_max: 0, ..Options::default() };
    let mut table = Table::seated(small, &["Ada"]);
    say_no(&mut table, Command::Start(P1).into());
    say_no(&mut table, watch("Eve").into());
    say_no(&mut table, act(P1, Action::Add(1)));
    say_no(&mut table, add_bot("best").into());
    say_no(&mut table, kick(P1, false).into());
    say_no(&mut table, kick(P2, false).into());
    table.join("Bob");
    say_no(&mut table, join("Cid").into());
    say_no(&mut table, Command::Start(P2).into());
    table.must(kick(P2, true));
    say_no(&mut table, join("Bob").into());
    let password = Some(Some(Digest([1; 32])));
    table.must(update(SettingsChanges { password, ..SettingsChanges::default() }));
    say_no(&mut table, join("Cid").into());
    let changes =
        SettingsChanges { locked: Some(true), password: Some(None), ..Default::default() };
    table.must(update(changes));
    say_no(&mut table, join("Cid").into());
    table.must(Command::Close(CloseReason::Admin));
    say_no(&mut table, join("Cid").into());

    let mut table = Table::new(Options { accounts_only: true, ..Options::default() });
    say_no(&mut table, join("Ada").into());

    let mut table = Table::playing(&["Ada"]);
    table.must(watch("Eve"));
    say_no(&mut table, Command::Start(P1).into());
    say_no(&mut table, join("Cid").into());
    say_no(&mut table, act(P2, Action::Add(1)));
    say_no(&mut table, act(P1, Action::Refuse));
    say_no(&mut table, Wish::Act { player: P1, action: Action::Add(1), seen: Some(77) });
    table.room.game().arm("on_action", How::Panics);
    say_no(&mut table, act(P1, Action::Add(1)));
    table.room.game().disarm();
    table.act(P1, Action::Finish);
    say_no(&mut table, act(P1, Action::Add(1)));

    let by_itself = Options { start: StartRule::WhenFull, ..Options::default() };
    say_no(&mut Table::seated(by_itself, &["Ada"]), Command::Start(P1).into());

    let tick = Tick { actions: Actions::Gathered, ..Tick::hz(1) };
    let gathering = Options { tick: Some(tick), ..Options::default() };
    let mut table = Table::begun(gathering, &["Ada"]);
    for _ in 0..GATHERED_PER_PLAYER_MAX {
        table.act(P1, Action::Add(1));
    }
    say_no(&mut table, act(P1, Action::Add(1)));

    assert_eq!(given, (0..REFUSALS).collect());
}

#[test]
fn refusals_of_strangers_are_all_the_same() {
    let mut table = Table::playing(&["Ada"]);
    let strangers = [
        Command::Reconnect(P2),
        Command::Disconnect(P2),
        Command::Leave(P2),
        Command::SetReady(P2, true),
        Command::SetSpectator(P2, true),
        super::chat(P2, "hello"),
    ];
    for command in strangers {
        assert_eq!(table.refused(command), Refusal::NoSuchPlayer);
    }
    assert_eq!(table.refused(act(P2, Action::Add(1))), Refusal::NoSuchPlayer);
}

/// The smallest game there is: all defaults, and so without bots.
pub(super) mod without_bots {
    use std::sync::Arc;

    use crate::{
        About, Command, Ctx, Game, GameError, Never, PlayerId, Refusal, Room, Rules, Seed, Setup,
        Time, Viewer,
    };

    pub(in super::super) struct Bare;

    impl Game for Bare {
        const GAME_TYPE: &'static str = "bare";
        type Options = ();
        type State = ();
        type Action = ();
        type Event = Never;
        type View = ();
        type Timer = Never;
        type Outcome = ();

        fn about(&self) -> About {
            About::new("Bare", 1, 2)
        }

        fn rules(&self, (): &()) -> Rules {
            Rules::seats(1, 2)
        }

        fn setup(&self, (): &(), _: &mut Ctx<'_, Self>) -> Result<(), GameError> {
            Ok(())
        }

        fn on_action(
            &self,
            (): &mut (),
            _: PlayerId,
            (): (),
            _: &mut Ctx<'_, Self>,
        ) -> Result<(), GameError> {
            Ok(())
        }

        fn view(&self, (): &(), _: Viewer) {}
    }

    pub(in super::super) fn room() -> Room<Bare> {
        let setup = Setup::new((), Seed([1; 32]), Time::from_millis(0));
        Room::create(Arc::new(Bare), setup).unwrap()
    }

    pub(super) fn refusal() -> Refusal {
        let mut room = room();
        let joined = room.apply(Time::from_millis(0), Command::Join(super::super::newcomer("Ada")));
        room.publish(joined.unwrap());
        let add_bot = Command::AddBot { by: super::P1, name: None, level: None };
        let refusal = room.apply(Time::from_millis(0), add_bot).unwrap_err();
        assert_eq!(refusal, Refusal::BotsNotSupported);
        refusal
    }
}
