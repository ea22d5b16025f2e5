//! The HTTP API: games and rooms for programs that hold no socket.
//!
//! It says what the socket says, in the same shapes and with the same refusals. What a player may not see
//! stays unseen here too: of a room there is what a listing says of it, and who is in it.

use std::sync::Arc;

use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Incoming,
    header::{HOST, HeaderValue, LOCATION, WWW_AUTHENTICATE},
};
use parlor_gateway::{Gateway, NewRoom};
use parlor_protocol::{
    ErrorCode, ErrorDetail, ListRooms, OpenRoom, OpenedRoom, RoomCode, RoomDetail, RoomInfo,
    limits::FrameLimits, read_query,
};
use prometheus_client::registry::Registry;
use url::form_urlencoded;

use super::{
    Answer,
    admin::{Samples, Sessions},
    answer, body, wrong_method,
};
use crate::{config::is_host_byte, live::Live, transport::handshake::bearer, visitor::Visitor};

/// What the addresses under `/api` stand on.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) limits: FrameLimits,
    /// Where players reach this server, if it is not where they asked.
    pub(crate) public_url: Option<String>,
    pub(crate) metrics: Arc<Registry>,
    /// Operators who are logged in.
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) samples: Arc<Samples>,
}

impl Api {
    pub(super) fn games(&self) -> Answer {
        answer::json(StatusCode::OK, &self.gateway.list_games())
    }

    pub(super) async fn rooms(&self, request: Request<Incoming>, visitor: &Visitor) -> Answer {
        match *request.method() {
            Method::POST => self.open_room(request, visitor).await,
            Method::GET | Method::HEAD => {
                self.list_rooms(request.uri().query().unwrap_or_default())
            }
            _ => wrong_method("GET, HEAD, POST"),
        }
    }

    pub(super) async fn room(
        &self,
        method: &Method,
        headers: &HeaderMap,
        code: &str,
        live: &Live,
        visitor: &Visitor,
    ) -> Answer {
        let code = RoomCode::parse(code);
        match *method {
            Method::GET | Method::HEAD => self.show_room(code, visitor).await,
            Method::DELETE => match self.check_admin(headers, live, visitor) {
                Ok(()) => self.close_room(code).await,
                Err(error) => unauthorized(error),
            },
            _ => wrong_method("DELETE, GET, HEAD"),
        }
    }

    async fn show_room(&self, code: Option<RoomCode>, visitor: &Visitor) -> Answer {
        if let Err(error) = self.gateway.check_guesses(visitor.key) {
            return answer::refusal(error);
        }
        let found = match code {
            Some(code) => self.gateway.rooms().find_anywhere(code).await,
            None => Ok(None),
        };
        match found {
            Err(error) => answer::refusal(error),
            Ok(Some((room, players))) => {
                answer::json(StatusCode::OK, &RoomDetail { room, players })
            }
            Ok(None) => {
                self.gateway.guessed_wrong(visitor.key);
                answer::refusal(no_such_room())
            }
        }
    }

    /// Whether a request bears the administrator's token. Wrong ones are counted.
    pub(super) fn check_admin(
        &self,
        headers: &HeaderMap,
        live: &Live,
        visitor: &Visitor,
    ) -> Result<(), ErrorDetail> {
        self.gateway.check_guesses(visitor.key)?;
        let unauthorized = |message| ErrorDetail::new(ErrorCode::UNAUTHORIZED, message);
        match bearer(headers) {
            None => Err(unauthorized("an admin token is needed")),
            Some(token) if live.is_admin_token(token) => Ok(()),
            Some(_) => {
                self.gateway.guessed_wrong(visitor.key);
                Err(unauthorized("this is not the admin token"))
            }
        }
    }

    fn list_rooms(&self, query: &str) -> Answer {
        let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let pairs = parameters.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let page = read_query::<ListRooms>(pairs, &["limit"])
            .and_then(|wanted| self.gateway.list_rooms(&wanted));
        match page {
            Ok(page) => answer::json(StatusCode::OK, &page),
            Err(error) => answer::refusal(error),
        }
    }

    async fn open_room(&self, request: Request<Incoming>, visitor: &Visitor) -> Answer {
        let (head, body) = request.into_parts();
        let asked = match body::json::<OpenRoom, _>(&head.headers, body, &self.limits).await {
            Ok(asked) => asked,
            Err(refused) => return refused.answer(),
        };
        match self.gateway.rooms().create_for(visitor.key, NewRoom::from(asked)).await {
            Ok(room) => {
                let location = format!("/api/v1/rooms/{}", room.room_id);
                let join_url = self.join_url(&room, &head.headers, visitor);
                let opened = OpenedRoom { room, join_url };
                let mut answer = answer::json(StatusCode::CREATED, &opened);
                if let Ok(location) = HeaderValue::try_from(location) {
                    answer.headers_mut().insert(LOCATION, location);
                }
                answer
            }
            Err(error) => answer::refusal(error),
        }
    }

    async fn close_room(&self, code: Option<RoomCode>) -> Answer {
        let Some(code) = code else { return answer::refusal(no_such_room()) };
        match self.gateway.rooms().close_anywhere(code).await {
            Ok(true) => answer::no_content(),
            Ok(false) => answer::refusal(no_such_room()),
            Err(error) => answer::refusal(error),
        }
    }

    /// The page on which to join the room, where whoever asked has found this server.
    fn join_url(&self, room: &RoomInfo, headers: &HeaderMap, visitor: &Visitor) -> String {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| !host.is_empty() && host.bytes().all(is_host_byte));
        let base = match (&self.public_url, host) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(host)) if visitor.is_secure => format!("https://{host}"),
            (None, Some(host)) => format!("http://{host}"),
            (None, None) => String::new(),
        };
        let game: String = form_urlencoded::byte_serialize(room.game_type.as_bytes()).collect();
        format!("{base}/play/{game}?room={}", room.room_id)
    }
}

pub(super) fn unauthorized(error: ErrorDetail) -> Answer {
    let mut answer = answer::refusal(error);
    if answer.status() == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

pub(super) fn no_such_room() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::ROOM_NOT_FOUND, "no room has this code")
}
