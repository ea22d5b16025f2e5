//! How many games bots play in a test that plays many.

/// `PARLOR_BOT_GAMES` if it is set, as `scripts/nightly` does, and otherwise `by_default`.
pub(crate) fn bot_games(by_default: u32) -> u32 {
    std::env::var("PARLOR_BOT_GAMES")
        .map_or(by_default, |games| games.parse().expect("PARLOR_BOT_GAMES is a number of games"))
}
