//! Steps of a game that goes on by itself, and the actions that wait for them.

use std::sync::Arc;

use super::Room;
use super::draft::Draft;
use crate::commit::GatheredAction;
use crate::{Commit, GATHERED_PER_PLAYER_MAX, Game, PlayerId, Refusal, RoomEvent, Time};

impl<G: Game> Draft<'_, G> {
    /// Lets steps go, for which the room is too late. Those that are left are as long as ever.
    pub(super) fn skip_steps(&mut self, steps: u64) {
        self.steps_skipped = steps;
        if let Some(ticks) = &mut self.ticks {
            ticks.skip(steps);
        }
    }

    pub(super) fn take_step(&mut self) -> Result<(), Refusal> {
        let Some(ticks) = &mut self.ticks else { return Ok(()) };
        self.step_due = ticks.next();
        self.may_show = true;
        let step = ticks.take_step();
        self.call("on_tick", |game, state, ctx| game.on_tick(state, step, ctx))
    }

    /// Lets an action wait for the next step.
    pub(super) fn gather(
        &mut self,
        player: PlayerId,
        request: Option<u64>,
        action: G::Action,
    ) -> Result<(), Refusal> {
        let gathered = Arc::make_mut(self.gathered.get_or_insert_default());
        let waiting = gathered.iter().filter(|waiting| waiting.player == player).count();
        if waiting >= GATHERED_PER_PLAYER_MAX {
            let next = self.ticks.and_then(|ticks| ticks.next()).unwrap_or(self.now);
            return Err(Refusal::TooManyActions { retry_after: next.since(self.now) });
        }
        gathered.push(Arc::new(GatheredAction { player, request, action }));
        Ok(())
    }

    /// Takes out the action that has waited longest.
    fn take_gathered(&mut self) -> Option<Arc<GatheredAction<G>>> {
        let gathered = Arc::make_mut(self.gathered.as_mut()?);
        let first = (!gathered.is_empty()).then(|| gathered.remove(0));
        if gathered.is_empty() {
            self.gathered = None;
        }
        first
    }
}

impl<G: Game> Room<G> {
    /// Applies the action that has waited longest for the step that is due at `now`: a change of its
    /// own, so that one that is refused takes nothing else with it.
    pub(super) fn apply_gathered(&mut self, now: Time) -> Commit<G> {
        let applied = self.transact(now, |draft| {
            let Some(waiting) = draft.take_gathered() else { return Ok(()) };
            draft.check_plays(waiting.player)?;
            draft.run_action(waiting.player, waiting.action.clone())
        });
        let refused = match applied {
            Ok(commit) => return commit,
            Err(refusal) => refusal,
        };
        let told = self.transact(now, |draft| {
            draft.with_game = false;
            let Some(waiting) = draft.take_gathered() else { return Ok(()) };
            let (player, request) = (waiting.player, waiting.request);
            draft.tell(RoomEvent::ActionRefused { player, request, refusal: refused });
            Ok(())
        });
        told.unwrap_or_else(|refusal| unreachable!("to say so cannot be refused: {refusal}"))
    }
}
