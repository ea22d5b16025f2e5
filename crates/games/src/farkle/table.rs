//! The table: who plays in which order, whose turn it is, what each has, and how it ends.

use parlor_core::{Audience, Ctx, GameError, PlayerId, PlayerMap, Time};
use serde::{Deserialize, Serialize};

use super::hand::{Hand, Keep};
use super::messages::{Event, Outcome, TargetScore, Timer, View};
use super::{Action, Farkle};

/// Everything about a game of farkle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    target: TargetScore,
    /// In the order of turns; empty before the start.
    players: Vec<Player>,
    /// The turn being played: there is one from the start to the end.
    turn: Option<Turn>,
    /// How many turns have been played.
    turns: u32,
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
    /// Whether its last turn is over.
    done: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Turn {
    /// Whose it is: an index into the players.
    place: usize,
    deadline: Time,
    hand: Hand,
}

impl State {
    /// A table that nobody plays at yet.
    pub(super) fn new(target: TargetScore) -> Self {
        Self { target, players: Vec::new(), turn: None, turns: 0, final_round: false, winner: None }
    }

    /// Seats the players in this order and gives the dice to the first.
    pub(super) fn start(&mut self, order: Vec<PlayerId>, ctx: &mut Ctx<'_, Farkle>) {
        self.players = order
            .into_iter()
            .map(|id| Player { id, score: 0, scored_in_turn: 0, done: false })
            .collect();
        self.pass_to(0, ctx);
    }

    /// Does what `player` wants, if it is its turn and the rules allow it.
    pub(super) fn act(
        &mut self,
        player: PlayerId,
        action: Action,
        ctx: &mut Ctx<'_, Farkle>,
    ) -> Result<(), GameError> {
        let players = &self.players;
        let turn = self.turn.as_mut().filter(|turn| players[turn.place].id == player);
        let hand = &mut turn.ok_or_else(GameError::not_your_turn)?.hand;
        match action {
            Action::Roll => {
                hand.roll(ctx.rng())?;
                tell(ctx, Event::Rolled { player_id: player, dice: hand.dice.clone() });
                if hand.is_bust() {
                    tell(ctx, Event::Busted { player_id: player, lost: hand.points });
                    self.end_turn(0, ctx);
                }
            }
            Action::Keep { dice } => {
                let Keep { dice, points } = hand.keep(&dice)?;
                tell(ctx, Event::Kept { player_id: player, dice, points });
            }
            Action::Bank => {
                let points = hand.bankable()?;
                self.end_turn(points, ctx);
            }
        }
        Ok(())
    }

    /// Plays on for a player whose time is up: banks where that is allowed, passes otherwise.
    pub(super) fn time_out(&mut self, ctx: &mut Ctx<'_, Farkle>) {
        if let Some(turn) = &self.turn {
            let points = turn.hand.bankable().unwrap_or(0);
            tell(ctx, Event::TimedOut { player_id: self.players[turn.place].id });
            self.end_turn(points, ctx);
        }
    }

    /// Goes on without `player`. Who is left alone has won.
    pub(super) fn remove(&mut self, player: PlayerId, ctx: &mut Ctx<'_, Farkle>) {
        let Some(place) = self.players.iter().position(|other| other.id == player) else {
            return;
        };
        self.players.remove(place);
        if self.players.len() == 1 {
            self.finish(ctx);
            return;
        }
        if let Some(turn) = &mut self.turn {
            if turn.place == place {
                // The one who was next has moved up into this place.
                self.pass_to(place, ctx);
            } else if turn.place > place {
                turn.place -= 1;
            }
        }
    }

    pub(super) fn view(&self) -> View {
        let hand = self.turn.as_ref().map(|turn| turn.hand.clone()).unwrap_or_default();
        View {
            target_score: self.target,
            players: self.players.iter().map(|player| player.id).collect(),
            scores: self.scores(),
            turn: self.turn.as_ref().map(|turn| self.players[turn.place].id),
            stage: hand.stage,
            dice: hand.dice,
            kept: hand.kept,
            turn_points: hand.points,
            deadline: self.turn.as_ref().map(|turn| turn.deadline),
            final_round: self.final_round,
            winner: self.winner,
        }
    }

    /// Ends the turn with `points` for its player, and passes the dice on.
    fn end_turn(&mut self, points: u64, ctx: &mut Ctx<'_, Farkle>) {
        let place = self.turn.as_ref().expect("only called during a turn").place;
        let player = &mut self.players[place];
        self.turns += 1;
        // Nobody banks nothing: a kept die scores.
        if points > 0 {
            player.score += points;
            player.scored_in_turn = self.turns;
            tell(ctx, Event::Banked { player_id: player.id, points, total: player.score });
            if !self.final_round && player.score >= self.target.get().unsigned_abs() {
                self.final_round = true;
                tell(ctx, Event::FinalRound { player_id: player.id });
            }
        }
        player.done = self.final_round;
        self.pass_to(place + 1, ctx);
    }

    /// Gives the dice to the first from `place` on, all the way round, who may still play.
    fn pass_to(&mut self, place: usize, ctx: &mut Ctx<'_, Farkle>) {
        let count = self.players.len();
        let next = (place..place + count)
            .map(|place| place % count)
            .find(|place| !self.players[*place].done);
        match next {
            Some(place) => {
                let deadline = ctx.set_timer(Timer::TurnOver, ctx.options().turn_time());
                self.turn = Some(Turn { place, deadline, hand: Hand::default() });
            }
            None => self.finish(ctx),
        }
    }

    /// Ends the game for the highest total; of equal ones, for who had it first.
    fn finish(&mut self, ctx: &mut Ctx<'_, Farkle>) {
        let winner = self
            .players
            .iter()
            .max_by_key(|player| (player.score, std::cmp::Reverse(player.scored_in_turn)))
            .expect("the last player cannot leave: it has won")
            .id;
        self.turn = None;
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
