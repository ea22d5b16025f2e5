//! One step of a game in its room: the draft, `on_tick`, the commit, its publication. By the size of the
//! state in KiB, which is copied for each step: into the retired snapshot's memory when no reader holds
//! that, into new memory when one does.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use parlor_core::{
    About, Command, Ctx, Digest, Game, GameError, Join, Never, PlayerId, Room, Rules, Seed, Setup,
    Snapshot, StartRule, Step, Sync, Tick, Time, Viewer,
};
use serde::{Deserialize, Serialize};

fn main() {
    divan::main();
}

/// A flat state of any size, of which each step changes one number.
struct Field;

#[derive(Clone, Serialize, Deserialize)]
struct Options {
    kib: usize,
}

#[derive(Serialize, Deserialize)]
struct State {
    cells: Vec<u64>,
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self { cells: self.cells.clone() }
    }

    // So that the copy of a large state takes the memory of the last one.
    fn clone_from(&mut self, source: &Self) {
        self.cells.clone_from(&source.cells);
    }
}

impl Game for Field {
    const GAME_TYPE: &'static str = "field";
    type Options = Options;
    type State = State;
    type Action = ();
    type Event = Never;
    type View = u64;
    type Timer = Never;
    type Outcome = Never;

    fn about(&self) -> About {
        About::new("Field", 1, 1)
    }

    fn rules(&self, _: &Options) -> Rules {
        let mut rules = Rules::seats(1, 1);
        rules.start = StartRule::Host;
        rules.tick = Some(Tick::hz(100));
        // What is measured here is the step, not what is sent of it.
        rules.sync = Sync::events();
        rules
    }

    fn setup(&self, options: &Options, _: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State { cells: vec![0; options.kib * 1024 / size_of::<u64>()] })
    }

    fn on_action(
        &self,
        _: &mut State,
        _: PlayerId,
        (): (),
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    fn on_tick(
        &self,
        state: &mut State,
        step: Step,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let place = step.number() as usize % state.cells.len();
        state.cells[place] += 1;
        Ok(())
    }

    fn view(&self, state: &State, _: Viewer) -> u64 {
        state.cells[0]
    }
}

/// A room in play, and the time in it.
struct Playing {
    room: Room<Field>,
    now: Time,
    /// What a reader holds of the room.
    held: Option<Arc<Snapshot<Field>>>,
}

impl Playing {
    fn new(kib: usize) -> Self {
        let now = Time::from_millis(0);
        let setup = Setup::new(Options { kib }, Seed([1; 32]), now);
        let mut room = Room::create(Arc::new(Field), setup).expect("it sets up");
        for command in
            [Command::Join(Join::new("Ada", Digest([1; 32]))), Command::Start(PlayerId::FIRST)]
        {
            let commit = room.apply(now, command).expect("it is allowed");
            room.publish(commit);
        }
        Self { room, now, held: None }
    }

    fn step(&mut self) {
        self.now = self.now + Duration::from_millis(10);
        let commit = self.room.advance(self.now).expect("a step is due");
        self.room.publish(commit);
    }
}

#[divan::bench(args = [1, 64, 1024])]
fn nobody_reads(bencher: Bencher<'_, '_>, kib: usize) {
    let playing = RefCell::new(Playing::new(kib));
    bencher.bench_local(|| playing.borrow_mut().step());
}

#[divan::bench(args = [1, 64, 1024])]
fn a_reader_holds_each_state(bencher: Bencher<'_, '_>, kib: usize) {
    let playing = RefCell::new(Playing::new(kib));
    bencher.bench_local(|| {
        let mut playing = playing.borrow_mut();
        playing.held = Some(playing.room.view().snapshot());
        playing.step();
    });
}
