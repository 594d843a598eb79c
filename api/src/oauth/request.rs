//! What a token request says, and how one is refused (RFC 6749 §5.2). Pure: nobody is looked up here.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::client::Scope;
use domain::json::Json;
use percent_encoding::percent_decode_str;

use crate::http::problem::Problem;
use crate::http::query;

/// A request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// As whom.
    pub credentials: Credentials,
    /// With which scopes; none: all that the client has.
    pub scopes: Option<Vec<Scope>>,
}

/// A client's id and secret, and how they came.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The client's id.
    pub id: String,
    /// The secret, as each way of reading the header has it.
    pub secrets: Vec<String>,
}

/// Without the secret.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The error codes of RFC 6749 §5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Malformed.
    InvalidRequest,
    /// The client is not known, or did not prove to be who it says.
    InvalidClient,
    /// Another grant type than client credentials.
    UnsupportedGrantType,
    /// A scope that is not known, or that the client has not.
    InvalidScope,
    /// Too many at once, or too many failures (RFC 6749 §4.1.2.1 has the word).
    TemporarilyUnavailable,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::TemporarilyUnavailable => StatusCode::TOO_MANY_REQUESTS,
            Self::InvalidRequest | Self::UnsupportedGrantType | Self::InvalidScope => StatusCode::BAD_REQUEST,
        }
    }
}

/// A refusal in the RFC's form.
pub fn refusal(code: Code, description: &str) -> Problem {
    in_rfc_form(Problem::new(code.status(), description), code)
}

/// A problem of ours in the RFC's form: the human `error` becomes the description.
pub fn in_rfc_form(mut problem: Problem, code: Code) -> Problem {
    let description = problem.body.get("error").and_then(Json::as_text).unwrap_or_default().to_owned();
    problem.body = Json::object([("error", code.name().to_owned()), ("error_description", description)]);
    problem = problem.header(header::CACHE_CONTROL, "no-store");
    match code {
        Code::InvalidClient => problem.header(header::WWW_AUTHENTICATE, "Basic realm=\"cxengage\""),
        _ => problem,
    }
}

impl TokenRequest {
    /// Reads a request from its `Authorization` header and its form.
    ///
    /// # Errors
    /// The RFC's refusals.
    pub fn read(headers: &HeaderMap, form: &[u8]) -> Result<Self, Problem> {
        let invalid = |description: &str| refusal(Code::InvalidRequest, description);
        let form = std::str::from_utf8(form)
            .ok()
            .and_then(|text| query::pairs(text).ok())
            .ok_or_else(|| invalid("the form is not UTF-8"))?;
        let field = |name: &str| -> Result<Option<&str>, Problem> {
            let mut values = form.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
            let first = values.next();
            if values.next().is_some() {
                return Err(invalid(&format!("{name} is given twice")));
            }
            // RFC 6749 §3.2: without a value is as if left out.
            Ok(first.filter(|value| !value.is_empty()))
        };
        match field("grant_type")? {
            Some("client_credentials") => {}
            None => return Err(invalid("grant_type is missing; it has to be client_credentials")),
            Some(other) => {
                let shown: String = other.chars().take(64).collect();
                let description = format!("grant_type has to be client_credentials; found {shown:?}");
                return Err(refusal(Code::UnsupportedGrantType, &description));
            }
        }
        let scopes = field("scope")?.map(scopes).transpose()?;
        let credentials = match (basic(headers)?, field("client_id")?, field("client_secret")?) {
            (Some(_), _, Some(_)) => {
                return Err(invalid("give the client's secret by HTTP Basic or in the form, not both"));
            }
            (Some(basic), Some(id), None) if basic.id != id => {
                return Err(invalid("client_id differs from the one in the Authorization header"));
            }
            (Some(basic), ..) => basic,
            (None, Some(id), Some(secret)) => {
                Credentials { id: id.to_owned(), secrets: vec![secret.to_owned()] }
            }
            (None, ..) => {
                return Err(refusal(
                    Code::InvalidClient,
                    "give the client's id and secret by HTTP Basic, or as client_id and client_secret in the form",
                ));
            }
        };
        Ok(Self { credentials, scopes })
    }
}

/// Reads a list of scopes.
///
/// # Errors
/// `invalid_scope` for a word that is none.
fn scopes(text: &str) -> Result<Vec<Scope>, Problem> {
    let mut scopes = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let scope = Scope::from_name(word).ok_or_else(|| {
            let known = Scope::ALL.map(Scope::name).join(", ");
            let shown: String = word.chars().take(64).collect();
            refusal(Code::InvalidScope, &format!("{shown:?} is not a scope; there are {known}"))
        })?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn basic(headers: &HeaderMap) -> Result<Option<Credentials>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let malformed = || {
        let description = "the Authorization header has to be Basic with base64 of id:secret";
        refusal(Code::InvalidClient, description)
    };
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = decoded.as_deref().and_then(|text| text.split_once(':')).ok_or_else(malformed)?;
    // RFC 6749 §2.3.1 has both form-encoded; `curl -u` sends them as they are. An id has nothing to decode.
    let mut secrets = vec![secret.to_owned()];
    let spaced = secret.replace('+', " ");
    secrets.extend(
        percent_decode_str(&spaced)
            .decode_utf8()
            .ok()
            .filter(|decoded| decoded != secret)
            .map(std::borrow::Cow::into_owned),
    );
    Ok(Some(Credentials { id: id.to_owned(), secrets }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: Option<&str>, form: &str) -> Result<TokenRequest, (u16, String)> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        TokenRequest::read(&headers, form.as_bytes()).map_err(|problem| {
            let error = problem.body.get("error").unwrap().as_text().unwrap().to_owned();
            assert!(problem.headers.iter().any(|(name, _)| name == header::CACHE_CONTROL));
            (problem.status.as_u16(), error)
        })
    }

    const GRANT: &str = "grant_type=client_credentials";

    #[test]
    fn a_client_says_who_it_is_in_one_way() {
        let basic = format!("Basic {}", STANDARD.encode("shop:s%20e"));
        let request = read(Some(&basic), GRANT).unwrap();
        assert_eq!(request.credentials.id, "shop");
        assert_eq!(request.credentials.secrets, ["s%20e", "s e"]);
        let form = format!("{GRANT}&client_id=shop&client_secret=s%2Be&scope=read+events+read&more=1");
        let request = read(None, &form).unwrap();
        assert_eq!(request.credentials.secrets, ["s+e"]);
        assert_eq!(request.scopes, Some(vec![Scope::Read, Scope::Events]));
        assert!(read(Some(&basic), &format!("{GRANT}&client_id=shop")).is_ok());
        let refused = |authorization, form: &str| read(authorization, form).unwrap_err();
        let invalid = (400, "invalid_request".to_owned());
        assert_eq!(refused(Some(&basic), &form), invalid);
        assert_eq!(refused(Some(&basic), &format!("{GRANT}&client_id=other")), invalid);
        assert_eq!(refused(None, &format!("{GRANT}&{GRANT}")), invalid);
        assert_eq!(refused(None, "scope=%ff"), invalid);
        for nobody in [None, Some("Basic"), Some("Basic %%"), Some("Bearer x"), Some("Basic eA==")] {
            assert_eq!(refused(nobody, GRANT), (401, "invalid_client".to_owned()), "{nobody:?}");
        }
    }

    #[test]
    fn another_grant_type_or_scope_is_refused_with_the_right_words() {
        let form = "grant_type=client_credential&client_id=a&client_secret=b";
        let problem = TokenRequest::read(&HeaderMap::new(), form.as_bytes()).unwrap_err();
        let description = problem.body.get("error_description").unwrap().as_text().unwrap();
        assert!(description.contains("client_credentials"), "{description}");
        assert_eq!(read(None, form).unwrap_err(), (400, "unsupported_grant_type".to_owned()));
        assert_eq!(read(None, "").unwrap_err(), (400, "invalid_request".to_owned()));
        let form = format!("{GRANT}&client_id=a&client_secret=b&scope=root");
        assert_eq!(read(None, &form).unwrap_err(), (400, "invalid_scope".to_owned()));
        let form = format!("{GRANT}&client_id=a&client_secret=b&scope=");
        assert_eq!(read(None, &form).unwrap().scopes, None);
    }
}
