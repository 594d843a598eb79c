//! A request as a handler gets it: authorised, its tenant known, its body taken in.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use domain::ids::TenantId;
use domain::json::{Json, Limits};
use eventlog::record::Metadata;
use hyper::upgrade::OnUpgrade;

use super::body::{self, Taken};
use super::fields::Fields;
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use crate::oauth::bearer::Grant;
use crate::server::Held;

/// A request.
pub struct Call {
    /// The rest of the system.
    pub state: Arc<State>,
    /// What its token allows; none on an open path.
    pub grant: Option<Arc<Grant>>,
    /// The path's tenant; `""` where it names none.
    pub tenant: TenantId,
    /// The path's other parameters.
    pub params: Vec<(String, String)>,
    /// The query.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Taken,
    /// The request's id.
    pub id: String,
    /// Where it comes from.
    pub address: IpAddr,
    /// The way to another protocol on its connection, if the client asks for one by GET.
    pub upgrade: Option<Upgrade>,
}

/// A connection that can go on in another protocol.
pub struct Upgrade {
    /// The connection, once the answer has gone out.
    pub on: OnUpgrade,
    /// Its place among all connections, and how it learns that the server stops.
    pub held: Held,
}

impl Call {
    /// A parameter of the path; empty if the path has none of that name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Author and request, for what is appended because of this call.
    pub fn metadata(&self) -> Metadata {
        let by = self.grant.as_ref().map(|grant| grant.client.to_string());
        Metadata { cause: None, by, request: Some(self.id.clone()) }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 400 with the place of what is wrong.
    pub async fn json(&self, limits: Limits) -> Result<Json, Problem> {
        body::parse(self.body.bytes.clone(), limits).await
    }

    /// The body as an object, to be read field by field.
    ///
    /// # Errors
    /// 400 for what is no JSON object.
    pub async fn fields(&self) -> Result<Fields, Problem> {
        Fields::of(self.json(Limits::BODY).await?)
    }
}
