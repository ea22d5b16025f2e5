//! How many games bots play in a test that plays many.

/// `by_default`, or `PARLOR_GAMES` times as many, as with [`parlor_testkit::BotGames`].
pub(crate) fn bot_games(by_default: u32) -> u32 {
    let times = std::env::var("PARLOR_GAMES")
        .map_or(1, |times| times.parse().expect("PARLOR_GAMES is a number"));
    by_default.saturating_mul(times)
}
