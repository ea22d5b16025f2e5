//! The table: who plays in which order, whose turn it is, what each has, and how it ends.

use parlor_core::{Audience, Ctx, GameError, PlayerId, PlayerMap, Removal, TurnClock, TurnOrder};
use serde::{Deserialize, Serialize};

use super::hand::{Hand, Keep};
use super::messages::{Event, Options, Outcome, TargetScore, Timer, View};
use super::{Action, Farkle};

/// Everything about a game of farkle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    target: TargetScore,
    /// In the order of turns; empty before the start.
    players: Vec<Player>,
    /// Those who still have a turn to come: nobody before the start and after the end.
    order: TurnOrder,
    turn: Turn,
    /// Someone has reached the target.
    final_round: bool,
    winner: Option<PlayerId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Player {
    id: PlayerId,
    score: u64,
    /// In which of the game's turns the score was reached. No two players bank in one turn.
    scored_in_turn: u32,
}

/// What the player at turn has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Turn {
    clock: TurnClock,
    hand: Hand,
}

impl State {
    /// A table that nobody plays at yet.
    pub(super) fn new(options: &Options) -> Self {
        Self {
            target: options.target_score,
            players: Vec::new(),
            order: TurnOrder::default(),
            turn: Turn { clock: TurnClock::new(options.turn_time()), hand: Hand::default() },
            final_round: false,
            winner: None,
        }
    }

    /// Seats the players in this order and gives the dice to the first.
    pub(super) fn start(&mut self, order: Vec<PlayerId>, ctx: &mut Ctx<'_, Farkle>) {
        self.order = TurnOrder::new(order);
        self.players =
            self.order.players().map(|id| Player { id, score: 0, scored_in_turn: 0 }).collect();
        self.begin_turn(ctx);
    }

    /// Does what `player` wants, if it is its turn and the rules allow it.
    pub(super) fn act(
        &mut self,
        player: PlayerId,
        action: Action,
        ctx: &mut Ctx<'_, Farkle>,
    ) -> Result<(), GameError> {
        self.order.check_turn(player)?;
        let hand = &mut self.turn.hand;
        match action {
            Action::Roll => {
                hand.roll(ctx.rng())?;
                tell(ctx, Event::Rolled { player_id: player, dice: hand.dice.clone() });
                if hand.is_bust() {
                    tell(ctx, Event::Busted { player_id: player, lost: hand.points });
                    self.end_turn(player, 0, ctx);
                }
            }
            Action::Keep { dice } => {
                let Keep { dice, points } = hand.keep(&dice)?;
                tell(ctx, Event::Kept { player_id: player, dice, points });
            }
            Action::Bank => {
                let points = hand.bankable()?;
                self.end_turn(player, points, ctx);
            }
        }
        Ok(())
    }

    /// Plays on for a player whose time is up: banks where that is allowed, passes otherwise.
    pub(super) fn time_out(&mut self, ctx: &mut Ctx<'_, Farkle>) {
        if let Some(player) = self.order.current() {
            tell(ctx, Event::TimedOut { player_id: player });
            self.end_turn(player, self.turn.hand.bankable().unwrap_or(0), ctx);
        }
    }

    /// Goes on without `player`. Who is left alone has won.
    pub(super) fn remove(&mut self, player: PlayerId, ctx: &mut Ctx<'_, Farkle>) {
        self.players.retain(|other| other.id != player);
        let removal = self.order.remove(player);
        if self.players.len() == 1 {
            self.finish(ctx);
        } else if removal == Removal::InTurn {
            self.begin_turn(ctx);
        }
    }

    pub(super) fn view(&self) -> View {
        let Hand { stage, dice, kept, points } = self.turn.hand.clone();
        View {
            target_score: self.target,
            players: self.players.iter().map(|player| player.id).collect(),
            scores: self.scores(),
            turn: self.order.current(),
            stage,
            dice,
            kept,
            turn_points: points,
            deadline: self.turn.clock.deadline(),
            final_round: self.final_round,
            winner: self.winner,
        }
    }

    /// Ends the turn of `id` with `points`, and passes the dice on.
    fn end_turn(&mut self, id: PlayerId, points: u64, ctx: &mut Ctx<'_, Farkle>) {
        self.order.advance();
        let player = self.players.iter_mut().find(|player| player.id == id);
        let player = player.expect("who is at turn is at the table");
        // Nobody banks nothing: a kept die scores.
        if points > 0 {
            player.score += points;
            player.scored_in_turn = self.order.turns_over();
            tell(ctx, Event::Banked { player_id: id, points, total: player.score });
            if !self.final_round && player.score >= self.target.get().unsigned_abs() {
                self.final_round = true;
                tell(ctx, Event::FinalRound { player_id: id });
            }
        }
        if self.final_round {
            let _: Removal = self.order.remove(id);
        }
        self.begin_turn(ctx);
    }

    /// Gives the dice to the one at turn; when nobody has one left, the game is over.
    fn begin_turn(&mut self, ctx: &mut Ctx<'_, Farkle>) {
        let Some(player) = self.order.current() else { return self.finish(ctx) };
        self.turn.hand = Hand::default();
        ctx.set_timer(Timer::TurnOver, self.turn.clock.begin(player, ctx.now()));
    }

    /// Ends the game for the highest total; of equal ones, for who had it first.
    fn finish(&mut self, ctx: &mut Ctx<'_, Farkle>) {
        let winner = self
            .players
            .iter()
            .max_by_key(|player| (player.score, std::cmp::Reverse(player.scored_in_turn)))
            .expect("the last player cannot leave: it has won")
            .id;
        self.order = TurnOrder::default();
        self.turn.clock.end(ctx.now());
        self.turn.hand = Hand::default();
        self.winner = Some(winner);
        ctx.finish(Outcome { winner, scores: self.scores() });
    }

    fn scores(&self) -> PlayerMap<u64> {
        self.players.iter().map(|player| (player.id, player.score)).collect()
    }
}

/// There is nothing to hide.
fn tell(ctx: &mut Ctx<'_, Farkle>, event: Event) {
    ctx.emit(Audience::Everyone, event);
}
