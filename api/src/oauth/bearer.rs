//! Bearer tokens: who holds one, and what it lets them do.
//!
//! Grants that were looked up are remembered; those of a client that was deleted die with it, at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use domain::client::Scope;
use domain::ids::{ClientId, TenantId};
use domain::time::Stamp;

use super::secret::token_hash;
use crate::http::problem::Problem;
use crate::http::state::State;

/// What a token lets its bearer do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whose token it is.
    pub client: ClientId,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The tenants that the client is bound to, with their other names.
    pub tenants: Vec<(TenantId, String)>,
    /// Until when.
    pub expires: Stamp,
}

impl Grant {
    /// The tenant of that id or uuid, if the client is bound to it.
    pub fn bound_to(&self, name: &str) -> Option<&TenantId> {
        let found =
            self.tenants.iter().find(|(id, uuid)| id.as_str() == name || uuid.eq_ignore_ascii_case(name));
        found.map(|(id, _)| id)
    }

    /// Whether it is an admin's that is bound to no tenant. One that is bound stays within its walls.
    pub fn is_admin_of_all(&self) -> bool {
        self.tenants.is_empty() && self.scopes.contains(&Scope::Admin)
    }
}

/// The token of a request.
///
/// # Errors
/// 401 if there is none.
pub fn token(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token)
    } else {
        Err(Problem::unauthorized("a token is needed: Authorization: Bearer …; POST /token for one"))
    }
}

/// How many grants are remembered at most.
const REMEMBERED: usize = 10_000;

/// Grants that were looked up lately, and clients that were deleted here.
#[derive(Default)]
pub struct Grants(Mutex<Known>);

#[derive(Default)]
struct Known {
    grants: HashMap<[u8; 32], Arc<Grant>>,
    /// A client's id is never used again, so this never has to be taken back.
    deleted: HashSet<ClientId>,
}

impl Grants {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Whole at every moment, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a token grants now; none if it is not known, over, or its client is gone.
    ///
    /// # Errors
    /// The read models'.
    pub async fn of(&self, state: &State, token: &str) -> Result<Option<Arc<Grant>>, Problem> {
        let hash = token_hash(token);
        let remembered = self.known().grants.get(&hash).cloned();
        let grant = match remembered {
            Some(grant) => Some(grant),
            None => look_up(state, &hash).await?.and_then(|grant| self.remember(hash, grant)),
        };
        Ok(grant.filter(|grant| state.record.now() < grant.expires))
    }

    /// Remembers a grant, unless its client was deleted while it was looked up.
    fn remember(&self, hash: [u8; 32], grant: Grant) -> Option<Arc<Grant>> {
        let mut known = self.known();
        if known.deleted.contains(&grant.client) {
            return None;
        }
        if known.grants.len() >= REMEMBERED {
            known.grants.clear();
        }
        let grant = Arc::new(grant);
        known.grants.insert(hash, grant.clone());
        Some(grant)
    }

    /// A client was deleted: its tokens grant nothing from now on.
    pub fn revoke(&self, client: &ClientId) {
        let mut known = self.known();
        known.grants.retain(|_, grant| grant.client != *client);
        known.deleted.insert(client.clone());
    }
}

async fn look_up(state: &State, hash: &[u8; 32]) -> Result<Option<Grant>, Problem> {
    let hash = hex::encode(hash);
    let mut found = state.views.token(&hash).await?;
    if found.is_none() && state.shared.is_some() {
        // Another server may have issued it a moment ago.
        state.catch_up().await?;
        found = state.views.token(&hash).await?;
    }
    let Some(token) = found else { return Ok(None) };
    let mut tenants = Vec::new();
    for id in token.tenants {
        if let Some(tenant) = state.views.tenant(&id).await? {
            tenants.push((tenant.id, tenant.uuid));
        }
    }
    Ok(Some(Grant { client: token.client, scopes: token.scopes, tenants, expires: token.expires }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_client_knows_its_tenants_by_both_names_and_no_other() {
        let uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned();
        let grant = Grant {
            client: "shop".into(),
            scopes: vec![Scope::Admin],
            tenants: vec![("acme".into(), uuid.clone())],
            expires: Stamp(0),
        };
        assert_eq!(grant.bound_to("acme"), Some(&"acme".into()));
        assert_eq!(grant.bound_to(&uuid.to_uppercase()), Some(&"acme".into()));
        assert_eq!(grant.bound_to("ACME"), None);
        assert!(!grant.is_admin_of_all(), "walls hold for admins that are bound");
    }

    #[test]
    fn a_deleted_client_is_granted_nothing_more() {
        let grants = Grants::default();
        let grant = Grant { client: "shop".into(), scopes: vec![], tenants: vec![], expires: Stamp(9) };
        assert!(grants.remember([1; 32], grant.clone()).is_some());
        grants.revoke(&"shop".into());
        assert!(grants.known().grants.is_empty());
        assert!(grants.remember([1; 32], grant.clone()).is_none(), "looked up before, remembered after");
        assert!(grants.remember([2; 32], Grant { client: "other".into(), ..grant }).is_some());
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            token(&headers).map(str::to_owned).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(read("bearer abc"), Ok("abc".into()));
        for bad in ["abc", "Bearer", "Bearer ", "Basic abc"] {
            assert_eq!(read(bad), Err(401), "{bad}");
        }
        assert_eq!(token(&HeaderMap::new()).unwrap_err().status.as_u16(), 401);
    }
}
