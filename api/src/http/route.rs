//! The shape of the one table: method, path, who may, what comes in, and who answers.
//!
//! Routing, authorisation, `Allow`, limits and metrics all read it; nothing is reachable that is not in it.
//! The table itself is [`super::routes`].

use std::future::Future;
use std::pin::Pin;

use axum::http::Method;
use domain::client::Scope;

use super::answer::Answer;
use super::body::Payload;
use super::call::Call;
use super::problem::Problem;

/// A row of the table.
pub struct Route {
    /// The method; GET stands for HEAD too.
    pub method: Method,
    /// The path, without version: `/tenants/{tid}/patterns/{id}`.
    pub path: &'static str,
    /// Under which prefixes.
    pub reach: Reach,
    /// Who may.
    pub access: Access,
    /// What comes in.
    pub payload: Payload,
    /// Who answers.
    pub handler: Handler,
    /// The handler's name, under which it is described.
    pub name: &'static str,
}

/// A handler, boxed so that all have one type.
pub type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

/// Under which prefixes a path is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// With `/1.0` and without: the seeds' own paths.
    Both,
    /// With `/1.0` only: what goes beyond the seeds.
    Versioned,
    /// As it stands.
    Exact,
    /// As it stands, on every listener.
    Everywhere,
    /// Health and metrics: not part of the API, on whichever listener the operator says.
    Operator,
}

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// A third party: its signature stands in for a token, and the handler checks it.
    Signed,
    /// A client of the path's tenant that has the scope.
    Tenant(Scope),
    /// The same on paths of an older form, which answer 422 where there is no such tenant.
    OlderTenant(Scope),
    /// An admin.
    Admin,
}

impl Access {
    /// Whether it takes a token.
    pub fn takes_token(self) -> bool {
        !matches!(self, Self::Open | Self::Signed)
    }
}

/// The version prefix.
const VERSION: &str = "/1.0";

impl Route {
    /// The paths as they are served, all of them.
    pub fn urls(&self) -> Vec<String> {
        let prefixes: &[&str] = match self.reach {
            Reach::Both | Reach::Operator => &["", VERSION],
            Reach::Versioned => &[VERSION],
            Reach::Exact | Reach::Everywhere => &[""],
        };
        prefixes
            .iter()
            .flat_map(|prefix| ["", "/"].map(|slash| format!("{prefix}{}{slash}", self.path)))
            .collect()
    }
}

/// The value of `Allow` for rows of one path.
pub fn allow(rows: &[&Route]) -> String {
    let mut methods = Vec::new();
    for row in rows {
        methods.push(row.method.as_str());
        if row.method == Method::GET {
            methods.push(Method::HEAD.as_str());
        }
    }
    methods.join(", ")
}

/// The row for a method among those of one path.
pub fn row<'a>(rows: &[&'a Route], method: &Method) -> Option<&'a Route> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    rows.iter().find(|row| row.method == method).copied()
}
