//! How many events a second a tenant may send: a bucket each, that holds two seconds' worth.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::ids::TenantId;
use tokio::time::Instant;

/// A burst may be this many seconds' worth.
const BURST: f64 = 2.0;

/// The tenants' buckets. There is one for each tenant that has ever sent, and tenants are made by admins only.
pub struct Rates {
    per_second: u32,
    buckets: Mutex<HashMap<TenantId, Bucket>>,
}

/// Why events may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Not yet: after so long they would have been let in.
    Wait(Duration),
    /// Never: more at once than this many are not let in.
    Never(usize),
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Rates {
    /// So many events a second for each tenant; 0: no limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second, buckets: Mutex::default() }
    }

    /// Takes `events` out of a tenant's bucket: all or none.
    ///
    /// # Errors
    /// How long to wait, or that waiting does not help.
    pub fn take(&self, tenant: &TenantId, events: usize) -> Result<(), Over> {
        if self.per_second == 0 {
            return Ok(());
        }
        let (rate, wanted, now) = (f64::from(self.per_second), events as f64, Instant::now());
        if wanted > rate * BURST {
            return Err(Over::Never((rate * BURST) as usize));
        }
        // Whole at every moment, so a panic elsewhere does not spoil it.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(tenant) {
            buckets.insert(tenant.clone(), Bucket { tokens: rate * BURST, filled: now });
        }
        let Some(bucket) = buckets.get_mut(tenant) else { return Ok(()) };
        let filled = bucket.tokens + (now - bucket.filled).as_secs_f64() * rate;
        bucket.tokens = filled.min(rate * BURST);
        bucket.filled = now;
        if wanted <= bucket.tokens {
            bucket.tokens -= wanted;
            return Ok(());
        }
        Err(Over::Wait(Duration::from_secs_f64((wanted - bucket.tokens) / rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tenant_may_burst_for_two_seconds_and_holds_up_nobody_else() {
        let rates = Rates::new(100);
        let (a, b) = (TenantId::from("a"), TenantId::from("b"));
        assert!(rates.take(&a, 200).is_ok());
        assert!(rates.take(&a, 1).is_err());
        assert!(rates.take(&b, 200).is_ok());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(rates.take(&a, 150), Err(Over::Wait(Duration::from_millis(500))), "refused whole");
        assert!(rates.take(&a, 100).is_ok(), "a refusal takes nothing");
        assert_eq!(rates.take(&a, 201), Err(Over::Never(200)), "more than a bucket never fits");
        assert!(Rates::new(0).take(&a, usize::MAX).is_ok());
    }
}
