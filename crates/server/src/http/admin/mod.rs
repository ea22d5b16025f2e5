//! What the operators' page asks, and who may ask it.
//!
//! Whoever has the administrator's token logs in once and then has a cookie, which scripts cannot read and other
//! sites' pages cannot send. What changes something is asked in JSON, which no form of another site can, and by a
//! page of our own, if the browser says whose page it is.

mod figures;
mod samples;
mod sessions;

use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Incoming,
    header::{COOKIE, HeaderValue, ORIGIN, SET_COOKIE},
};
use parlor_core::CloseReason;
use parlor_gateway::Operators;
use parlor_protocol::{
    Authenticate, ErrorCode, ErrorDetail, KickPlayer, NoData, RoomCode, ServerNotice, read_query,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::spawn_blocking;
use url::form_urlencoded;
use validator::Validate;

pub(crate) use self::{figures::Figures, samples::Samples, sessions::Sessions};

use super::{
    Answer, Api,
    answer::{self, Refusal},
    api::{no_such_room, unauthorized},
    body, wrong_method,
};
use crate::{live::Live, transport::handshake::is_own_origin, visitor::Visitor};

/// What can be asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum AdminRoute {
    Login,
    Logout,
    Overview,
    Rooms,
    Room,
    Kick,
    CloseRoom,
    Connections,
    CloseConnection,
    Notice,
    Drain,
}

impl AdminRoute {
    pub(super) const ALL: [(&str, Self); 11] = [
        ("/admin/login", Self::Login),
        ("/admin/logout", Self::Logout),
        ("/admin/api/overview", Self::Overview),
        ("/admin/api/rooms", Self::Rooms),
        ("/admin/api/rooms/{room}", Self::Room),
        ("/admin/api/rooms/{room}/kick", Self::Kick),
        ("/admin/api/rooms/{room}/close", Self::CloseRoom),
        ("/admin/api/connections", Self::Connections),
        ("/admin/api/connections/{connection}/close", Self::CloseConnection),
        ("/admin/api/notice", Self::Notice),
        ("/admin/api/drain", Self::Drain),
    ];

    const fn method(self) -> Method {
        match self {
            Self::Overview | Self::Rooms | Self::Room | Self::Connections => Method::GET,
            Self::Login
            | Self::Logout
            | Self::Kick
            | Self::CloseRoom
            | Self::CloseConnection
            | Self::Notice
            | Self::Drain => Method::POST,
        }
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize, Validate)]
struct Page {
    #[validate(length(max = 100))]
    #[serde(default)]
    search: String,
    #[validate(range(min = 1, max = 200))]
    #[serde(default)]
    limit: Option<u32>,
    #[validate(length(max = 100))]
    #[serde(default)]
    cursor: Option<String>,
}

/// Who asks, and what stands in its path.
pub(super) struct Asking<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) live: &'a Live,
    /// The room's code or the connection's number.
    pub(super) name: &'a str,
}

impl Api {
    /// Answers an operator.
    pub(super) async fn admin(
        &self,
        route: AdminRoute,
        request: Request<Incoming>,
        asking: Asking<'_>,
    ) -> Answer {
        if *request.method() != route.method() {
            return wrong_method(if route.method() == Method::GET { "GET" } else { "POST" });
        }
        let is_login = matches!(route, AdminRoute::Login);
        if let Err(error) = self.check_operator(&request, &asking, is_login) {
            return unauthorized(error);
        }
        let granted = match route {
            AdminRoute::Login => self.log_in(request, &asking).await,
            AdminRoute::Logout => Ok(self.log_out(&request)),
            AdminRoute::Overview => Ok(answer::json(StatusCode::OK, &self.overview())),
            AdminRoute::Rooms => self.list(&request, Operators::rooms).await,
            AdminRoute::Room => self.inspect(asking.name),
            AdminRoute::Kick => self.kick(request, asking.name).await,
            AdminRoute::CloseRoom => self.close(request, asking.name).await,
            AdminRoute::Connections => self.list(&request, Operators::connections).await,
            AdminRoute::CloseConnection => self.close_connection(request, asking.name).await,
            AdminRoute::Notice => self.notice(request).await,
            AdminRoute::Drain => self.begin_drain(request).await,
        };
        granted.unwrap_or_else(Refusal::answer)
    }

    /// Whether whoever asks may, and it is no other site that lets a browser ask.
    fn check_operator(
        &self,
        request: &Request<Incoming>,
        asking: &Asking<'_>,
        is_login: bool,
    ) -> Result<(), ErrorDetail> {
        let headers = request.headers();
        let Some(token) = asking.live.admin_token() else {
            let message = "there is no administrator here";
            return Err(ErrorDetail::new(ErrorCode::UNAUTHORIZED, message));
        };
        if headers.contains_key(ORIGIN) && !is_own_origin(headers) {
            return Err(ErrorDetail::new(ErrorCode::FORBIDDEN, "another site's page may not ask"));
        }
        if is_login || cookie(headers).is_some_and(|cookie| self.sessions.know(cookie, token)) {
            return Ok(());
        }
        self.check_admin(headers, asking.live, asking.visitor)
    }

    async fn log_in(
        &self,
        request: Request<Incoming>,
        asking: &Asking<'_>,
    ) -> Result<Answer, Refusal> {
        let key = asking.visitor.key;
        self.gateway.check_guesses(key)?;
        let Authenticate { token } = self.body(request).await?;
        if !asking.live.is_admin_token(token.expose()) {
            self.gateway.guessed_wrong(key);
            tracing::warn!(address = ?key.map(|key| key.address()), "somebody failed to log in");
            let message = "this is not the admin token";
            return Err(ErrorDetail::new(ErrorCode::UNAUTHORIZED, message).into());
        }
        let session = self.sessions.open(token.expose());
        let secure = if asking.visitor.is_secure { "; Secure" } else { "" };
        let cookie = format!(
            "{COOKIE_NAME}={session}; Path=/admin; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
            sessions::LIFETIME.as_secs()
        );
        tracing::info!("an operator has logged in");
        Ok(with_cookie(&cookie))
    }

    fn log_out(&self, request: &Request<Incoming>) -> Answer {
        if let Some(cookie) = cookie(request.headers()) {
            self.sessions.close(cookie);
        }
        with_cookie(&format!("{COOKIE_NAME}=; Path=/admin; HttpOnly; SameSite=Strict; Max-Age=0"))
    }

    fn overview(&self) -> impl Serialize + use<> {
        let figures = Figures::read(&self.metrics);
        json!({
            "server": super::health::SERVER,
            "startedAt": self.samples.started_at(),
            "now": samples::now_millis(),
            "draining": self.gateway.is_draining(),
            "connections": figures.sum("parlor_connections"),
            "rooms": figures.sum("parlor_rooms"),
            "players": figures.sum_where("parlor_players", "kind", |kind| kind != "bot"),
            "bots": figures.sum_where("parlor_players", "kind", |kind| kind == "bot"),
            "memoryBytes": figures.value("process_resident_memory_bytes"),
            "messages": {
                "queued": figures.sum("parlor_messages_queued_total"),
                "written": figures.sum("parlor_messages_written_total"),
                "coalesced": figures.sum("parlor_messages_coalesced_total"),
                "replayed": figures.sum("parlor_messages_replayed_total"),
                "unsent": figures.by_label("parlor_messages_unsent_total", "code"),
            },
            "requests": figures.requests(),
            "samples": self.samples.all(),
        })
    }

    /// Some of a list, which is put together where blocking is allowed.
    async fn list<T: Serialize + Send + 'static>(
        &self,
        request: &Request<Incoming>,
        look: fn(&Operators, &str, usize, Option<&str>) -> Result<T, ErrorDetail>,
    ) -> Result<Answer, Refusal> {
        let Page { search, limit, cursor } = page(request)?;
        let operators = self.gateway.operators();
        let limit = limit.unwrap_or(PAGE_DEFAULT) as usize;
        let looked = spawn_blocking(move || look(&operators, &search, limit, cursor.as_deref()));
        let page = looked.await.map_err(|_| broken())??;
        Ok(answer::json(StatusCode::OK, &page))
    }

    fn inspect(&self, code: &str) -> Result<Answer, Refusal> {
        let room = RoomCode::parse(code).and_then(|code| self.gateway.operators().room(code));
        let room = room.ok_or_else(no_such_room)?;
        let mut told = json!(room);
        told["room"]["private"] = room.private.into();
        Ok(answer::json(StatusCode::OK, &told))
    }

    async fn kick(&self, request: Request<Incoming>, code: &str) -> Result<Answer, Refusal> {
        let KickPlayer { player_id, ban } = self.body(request).await?;
        let code = RoomCode::parse(code).ok_or_else(no_such_room)?;
        self.gateway.operators().kick(code, player_id, ban)?;
        tracing::info!(room = %code, player = player_id.0, ban, "an operator sent a player away");
        Ok(answer::no_content())
    }

    async fn close(&self, request: Request<Incoming>, code: &str) -> Result<Answer, Refusal> {
        let NoData {} = self.body(request).await?;
        let closed = RoomCode::parse(code)
            .is_some_and(|code| self.gateway.rooms().close(code, CloseReason::Admin));
        if !closed {
            return Err(no_such_room().into());
        }
        tracing::info!(room = code, "an operator closed a room");
        Ok(answer::no_content())
    }

    async fn close_connection(
        &self,
        request: Request<Incoming>,
        number: &str,
    ) -> Result<Answer, Refusal> {
        let NoData {} = self.body(request).await?;
        let closed =
            number.parse().is_ok_and(|number| self.gateway.operators().close_connection(number));
        if closed { Ok(answer::no_content()) } else { Err(no_such_connection()) }
    }

    async fn notice(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let ServerNotice { text } = self.body(request).await?;
        let told = self.gateway.operators().notice(&text);
        tracing::info!(told, "an operator told everyone something");
        Ok(answer::json(StatusCode::OK, &json!({ "told": told })))
    }

    async fn begin_drain(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let NoData {} = self.body(request).await?;
        tracing::info!("an operator stops the server");
        self.gateway.drain(crate::server::RECONNECT_AFTER);
        Ok(answer::json(StatusCode::ACCEPTED, &json!({})))
    }

    async fn body<T: serde::de::DeserializeOwned + Validate>(
        &self,
        request: Request<Incoming>,
    ) -> Result<T, Refusal> {
        let (head, body) = request.into_parts();
        body::json(&head.headers, body, &self.limits).await
    }
}

fn page(request: &Request<Incoming>) -> Result<Page, Refusal> {
    let query = request.uri().query().unwrap_or_default();
    let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let given = parameters.iter().filter(|(name, value)| name != "cursor" || !value.is_empty());
    let pairs = given.map(|(name, value)| (name.as_ref(), value.as_ref()));
    Ok(read_query(pairs, &["limit"])?)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}

fn with_cookie(cookie: &str) -> Answer {
    let mut answer = answer::no_content();
    let cookie = HeaderValue::from_str(cookie).expect("it is made of letters and digits");
    answer.headers_mut().insert(SET_COOKIE, cookie);
    answer
}

fn no_such_connection() -> Refusal {
    let error = ErrorDetail::new(super::NOT_FOUND, "no connection has this number");
    Refusal::new(StatusCode::NOT_FOUND, error)
}

fn broken() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::INTERNAL, "the rooms could not be looked at")
}

const COOKIE_NAME: &str = "parlor_admin";
/// Entries of a list that does not say how many it wants.
const PAGE_DEFAULT: u32 = 50;
