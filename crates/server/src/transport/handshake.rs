//! Who may open a WebSocket, and what is then spoken.
//!
//! Checks a request against RFC 6455 and the rule on origins before anything is upgraded, and
//! chooses the subprotocol. It answers nothing itself.

use base64::{Engine, engine::general_purpose::STANDARD};
use fastwebsockets::upgrade::is_upgrade_request;
use hyper::{
    Request, StatusCode, Version,
    header::{
        AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    },
};

use parlor_protocol::Secret;

use crate::config::Origin;

/// The subprotocol for a request that may be upgraded: the first of `known` in the order of the
/// offer, or `None` when nothing was offered.
pub(crate) fn check<B>(
    request: &Request<B>,
    known: &[&'static str],
    allowed_origins: &[Origin],
) -> Result<Option<&'static str>, Refusal> {
    let headers = request.headers();
    if request.version() != Version::HTTP_11 {
        return Err(Refusal::HttpVersion);
    }
    if !is_upgrade_request(request) {
        return Err(Refusal::NotAnUpgrade);
    }
    if only(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refusal::WebSocketVersion);
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY).and_then(|key| STANDARD.decode(key).ok());
    if key.is_none_or(|key| key.len() != KEY_BYTES) {
        return Err(Refusal::Key);
    }
    if !origin_is_allowed(headers, allowed_origins) {
        return Err(Refusal::Origin);
    }
    choose(headers, known)
}

/// The access token that a request bears: in `Authorization`, or behind `access_token` among the subprotocols that
/// it offers, which is the only place where a browser can put one.
pub(crate) fn access_token(headers: &HeaderMap) -> Option<Secret> {
    if let Some(token) = bearer(headers) {
        return Some(Secret::new(token));
    }
    let mut offered = subprotocols(headers).skip_while(|name| *name != ACCESS_TOKEN);
    offered.nth(1).map(Secret::new)
}

/// The token of `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, &AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Why a request is not upgraded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("WebSockets need HTTP/1.1")]
    HttpVersion,
    #[error("this address speaks WebSocket only")]
    NotAnUpgrade,
    #[error("only version 13 of WebSocket is spoken here")]
    WebSocketVersion,
    #[error("Sec-WebSocket-Key is not 16 bytes in base64")]
    Key,
    #[error("this origin may not connect")]
    Origin,
    #[error("none of the offered subprotocols is known")]
    Subprotocol,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::HttpVersion | Self::Key | Self::Subprotocol => StatusCode::BAD_REQUEST,
            Self::NotAnUpgrade | Self::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }
}

fn choose(headers: &HeaderMap, known: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    subprotocols(headers)
        .find_map(|name| known.iter().find(|known| **known == name))
        .map(|known| Some(*known))
        .ok_or(Refusal::Subprotocol)
}

/// Those that are offered, in their order.
fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    offers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// Whether the page that opens the socket is one of ours. Programs name no origin: what they do
/// is not done with a visitor's browser.
fn origin_is_allowed(headers: &HeaderMap, allowed: &[Origin]) -> bool {
    let is_listed =
        || only(headers, &ORIGIN).is_some_and(|origin| allowed.iter().any(|one| one.is(origin)));
    !headers.contains_key(ORIGIN) || is_listed() || is_own_origin(headers)
}

/// Whether a page of the address that was asked asks.
pub(crate) fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = only(headers, &ORIGIN) else { return false };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    only(headers, &HOST).is_some_and(|host| {
        let host = host.strip_suffix(default_port).unwrap_or(host);
        let authority = authority.strip_suffix(default_port).unwrap_or(authority);
        !host.is_empty() && host.eq_ignore_ascii_case(authority)
    })
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

const KEY_BYTES: usize = 16;
/// The subprotocol that is none: an access token follows it.
const ACCESS_TOKEN: &str = "access_token";

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["b.v1", "a.v1"];
    const ALLOWED: &str = "https://games.example";

    /// A request that may be upgraded, with headers changed: `None` removes one.
    fn request(changes: &[(&str, Option<&str>)]) -> Request<()> {
        let mut request = Request::get("/ws").body(()).unwrap();
        let headers = [
            ("host", "play.example"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let originals = headers.into_iter().map(|(name, value)| (name, Some(value)));
        for (name, value) in originals.chain(changes.iter().copied()) {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().remove(&name);
            if let Some(value) = value {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        request
    }

    #[track_caller]
    fn check_changed(
        changes: &[(&str, Option<&str>)],
        expected: Result<Option<&'static str>, Refusal>,
    ) {
        assert_eq!(check(&request(changes), KNOWN, &[ALLOWED.parse().unwrap()]), expected);
    }

    #[test]
    fn request_as_in_the_rfc_is_accepted() {
        check_changed(&[], Ok(None));
    }

    #[test]
    fn http_1_0_is_refused() {
        let mut request = request(&[]);
        *request.version_mut() = Version::HTTP_10;
        assert_eq!(check(&request, KNOWN, &[]), Err(Refusal::HttpVersion));
    }

    #[test]
    fn request_that_asks_for_no_upgrade_is_refused() {
        for changes in [
            [("connection", None)],
            [("connection", Some("keep-alive"))],
            [("upgrade", None)],
            [("upgrade", Some("h2c"))],
        ] {
            check_changed(&changes, Err(Refusal::NotAnUpgrade));
        }
    }

    #[test]
    fn other_versions_are_refused() {
        for version in [None, Some("8"), Some("14"), Some("13, 8"), Some("")] {
            check_changed(&[("sec-websocket-version", version)], Err(Refusal::WebSocketVersion));
        }
    }

    #[test]
    fn key_has_to_be_16_bytes() {
        for key in
            [None, Some(""), Some("AAAA"), Some("no base64!"), Some("dGhlIHNhbXBsZSBub25jZTE=")]
        {
            check_changed(&[("sec-websocket-key", key)], Err(Refusal::Key));
        }
    }

    #[test]
    fn origin_is_absent_or_the_host_or_listed() {
        for origin in [
            None,
            Some("http://play.example"),
            Some("https://PLAY.example"),
            Some("https://play.example:443"),
            Some(ALLOWED),
        ] {
            check_changed(&[("origin", origin)], Ok(None));
        }
        check_changed(
            &[("host", Some("127.0.0.1:8080")), ("origin", Some("http://127.0.0.1:8080"))],
            Ok(None),
        );
        for origin in [
            "null",
            "",
            "https://evil.example",
            "https://play.example.evil.example",
            "https://play.example:8443",
            "http://games.example",
            "file://play.example",
            "play.example",
        ] {
            check_changed(&[("origin", Some(origin))], Err(Refusal::Origin));
        }
        check_changed(
            &[("host", None), ("origin", Some("http://play.example"))],
            Err(Refusal::Origin),
        );
    }

    #[test]
    fn two_origins_are_refused_even_if_one_is_allowed() {
        let mut request = request(&[("origin", Some(ALLOWED))]);
        request.headers_mut().append(ORIGIN, ALLOWED.parse().unwrap());
        assert_eq!(check(&request, KNOWN, &[ALLOWED.parse().unwrap()]), Err(Refusal::Origin));
    }

    #[test]
    fn access_token_is_in_the_authorization_or_behind_its_name_among_the_subprotocols() {
        let token = |changes: &[(&str, Option<&str>)]| {
            access_token(request(changes).headers()).map(|token| token.expose().to_owned())
        };
        let (authorization, protocol) = ("authorization", "sec-websocket-protocol");
        assert_eq!(token(&[]), None);
        assert_eq!(token(&[(authorization, Some("Bearer a.b.c"))]).as_deref(), Some("a.b.c"));
        assert_eq!(token(&[(authorization, Some("bearer  a.b.c "))]).as_deref(), Some("a.b.c"));
        assert_eq!(token(&[(authorization, Some("Basic a.b.c"))]), None);
        let offer = [(protocol, Some("a.v1, access_token, x.y.z, b.v1"))];
        assert_eq!(token(&offer).as_deref(), Some("x.y.z"));
        check_changed(&offer, Ok(Some("a.v1")));
        assert_eq!(token(&[(protocol, Some("a.v1, access_token"))]), None);
    }

    #[test]
    fn first_known_subprotocol_of_the_offer_is_chosen() {
        let name = "sec-websocket-protocol";
        check_changed(&[(name, Some("x, a.v1, b.v1"))], Ok(Some("a.v1")));
        check_changed(&[(name, Some("b.v1"))], Ok(Some("b.v1")));
        check_changed(&[(name, Some("x, A.V1"))], Err(Refusal::Subprotocol));
        check_changed(&[(name, Some(""))], Err(Refusal::Subprotocol));

        let mut request = request(&[(name, Some("x"))]);
        request.headers_mut().append(name, "b.v1".parse().unwrap());
        assert_eq!(check(&request, KNOWN, &[]), Ok(Some("b.v1")), "over several headers too");
    }
}
