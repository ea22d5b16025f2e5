//! A server that this tool has not started: which of its games is played, and how often a client may ask.

use std::io;
use std::net::SocketAddr;

use parlor_client::{Client, Options};

use super::crowd::Voice;
use super::echo::GAME_TYPE;

/// What such a server lets clients do.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    pub(super) voice: Voice,
    pub(super) room_players_max: usize,
    /// Requests of one client a second.
    pub(super) requests_per_second: f64,
}

/// Asks it.
///
/// A server that does not have this tool's game is spoken to by chat, which every room of every game has, in rooms
/// of the game with the most seats.
pub(super) fn look(server: SocketAddr) -> io::Result<Foreign> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, _events) = Client::connect(&format!("ws://{server}/ws"), Options::default())
            .await
            .map_err(io::Error::other)?;
        let requests_per_second = f64::from(client.welcome().limits.messages_per_second);
        let games = client.list_games().await.map_err(io::Error::other)?.games;
        client.close().await;
        let own = games.iter().find(|game| &*game.game_type == GAME_TYPE);
        let largest = games.iter().max_by_key(|game| game.max_players);
        let game = own.or(largest).ok_or_else(|| io::Error::other("the server has no games"))?;
        let voice = Voice { game_type: (&*game.game_type).into(), is_chat: own.is_none() };
        Ok(Foreign {
            voice,
            room_players_max: usize::try_from(game.max_players).unwrap_or(usize::MAX),
            requests_per_second,
        })
    })
}
