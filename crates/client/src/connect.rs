//! From an address to an open socket that has been greeted.

use std::io;

use futures_util::StreamExt;
use parlor_protocol::{
    BadServerMessage, ErrorDetail, EventType, FieldErrors, PROTOCOL_VERSION, ServerMessage,
    Welcome, read_server_message,
};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{Response, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::client::Options;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is none that a client can connect to. Trying again does not help.
    #[error("not an address of the form ws://host:port/path: {0}")]
    Address(String),
    /// Nobody answers there, or what answered was cut off. Trying again may help.
    #[error("cannot reach the server: {0}")]
    Unreachable(#[from] io::Error),
    /// The server answered, with a refusal. 503 passes; the others do not.
    #[error("refused by the server with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server says, if it is a Parlor server's.
        error: Option<ErrorDetail>,
    },
    /// The server opens no WebSocket that speaks this codec.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The first message is no greeting. Trying again does not help.
    #[error("the server did not greet: {0}")]
    Greeting(String),
    /// The server speaks another version of the protocol.
    #[error("the server speaks version {0} of the protocol, this client {PROTOCOL_VERSION}")]
    Version(u32),
    /// It took longer than [`Options::connect_time_max`]. Trying again may help.
    #[error("connecting took too long")]
    Timeout,
}

impl ConnectError {
    /// Whether trying again may help.
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Timeout => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::Address(_) | Self::Handshake(_) | Self::Greeting(_) | Self::Version(_) => false,
        }
    }
}

/// Reads an address.
pub(crate) fn parse(url: &str) -> Result<Uri, ConnectError> {
    let uri: Uri = url.parse().map_err(|error| ConnectError::Address(format!("{url}: {error}")))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("ws"), Some(host)) if !host.is_empty() => Ok(uri),
        _ => Err(ConnectError::Address(url.to_owned())),
    }
}

/// Host and port, as one names them to connect.
pub(crate) fn authority(uri: &Uri) -> String {
    format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80))
}

/// Opens a WebSocket over `stream` and reads the greeting.
pub(crate) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    uri: Uri,
    options: &Options,
) -> Result<(WebSocketStream<S>, Welcome), ConnectError> {
    let mut request = ClientRequestBuilder::new(uri).with_sub_protocol(options.codec.subprotocol());
    if let Some(token) = &options.access_token {
        request = request.with_header("Authorization", format!("Bearer {}", token.expose()));
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(options.message_bytes_max))
        .max_frame_size(Some(options.message_bytes_max));
    let (mut socket, _) =
        client_async_with_config(request, stream, Some(config)).await.map_err(handshake_error)?;

    let greeting = match socket.next().await {
        Some(Ok(Message::Text(text))) => text.into(),
        Some(Ok(Message::Binary(bytes))) => bytes,
        Some(Ok(other)) => return Err(ConnectError::Greeting(format!("it sent {other:?}"))),
        Some(Err(error)) => return Err(handshake_error(error)),
        None => return Err(ConnectError::Unreachable(io::ErrorKind::UnexpectedEof.into())),
    };
    let welcome = read_welcome(options, &greeting)?;
    Ok((socket, welcome))
}

fn read_welcome(options: &Options, greeting: &[u8]) -> Result<Welcome, ConnectError> {
    let bad_message = |error: BadServerMessage| ConnectError::Greeting(error.to_string());
    let bad_field = |error: FieldErrors| ConnectError::Greeting(error.to_string());
    match read_server_message(options.codec, greeting).map_err(bad_message)? {
        ServerMessage::Event { kind, data, .. } if kind == EventType::Welcome.as_str() => {
            // Another version may greet with other fields, but says which it is.
            let Version { protocol } = data.decode().map_err(bad_field)?;
            if protocol != PROTOCOL_VERSION {
                return Err(ConnectError::Version(protocol));
            }
            data.decode().map_err(bad_field)
        }
        other => Err(ConnectError::Greeting(format!("it sent {other:?}"))),
    }
}

#[derive(Deserialize)]
struct Version {
    protocol: u32,
}

fn handshake_error(error: tungstenite::Error) -> ConnectError {
    match error {
        tungstenite::Error::Http(response) => refused(&response),
        tungstenite::Error::Io(error) => ConnectError::Unreachable(error),
        // Cut off on the way.
        tungstenite::Error::Protocol(
            ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake,
        )
        | tungstenite::Error::ConnectionClosed => {
            ConnectError::Unreachable(io::ErrorKind::UnexpectedEof.into())
        }
        other => ConnectError::Handshake(other.to_string()),
    }
}

fn refused(response: &Response<Option<Vec<u8>>>) -> ConnectError {
    #[derive(Deserialize)]
    struct Body {
        error: ErrorDetail,
    }
    let body = response.body().as_deref().unwrap_or_default();
    let error = serde_json::from_slice(body).ok().map(|Body { error }| error);
    ConnectError::Refused { status: response.status().as_u16(), error }
}

/// Most messages are far smaller, and a load generator holds thousands of clients.
const READ_BUFFER_BYTES: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expect: Option<&str>) {
        assert_eq!(parse(url).ok().as_ref().map(authority).as_deref(), expect, "{url}");
    }

    #[test]
    fn addresses_that_can_be_connected_to_are_read_and_others_refused() {
        check("ws://127.0.0.1:8080/ws", Some("127.0.0.1:8080"));
        check("ws://games.example/ws", Some("games.example:80"));
        check("ws://[::1]:8080/ws", Some("[::1]:8080"));
        check("wss://games.example/ws", None);
        check("http://games.example/ws", None);
        check("games.example", None);
        check("ws://", None);
        check("", None);
    }
}
