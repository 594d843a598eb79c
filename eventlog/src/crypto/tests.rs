//! What sealing promises: a payload opens in its own place and nowhere else, and not at all once it is erased.

use async_trait::async_trait;
use domain::ids::Position;
use zeroize::Zeroizing;

use super::keys::{tenant_bound, wrap};
use super::*;
use crate::record::sqlite::Keys;
use crate::record::{Expect, Layer, Metadata, NewEvent, Select, StreamId, StreamKind, Write};
use crate::testing::{MASTER, TempRecord};

/// Appends a payload that was sealed for a customer.
async fn append(
    temp: &TempRecord,
    tenant: &TenantId,
    customer: &Customer,
    sealed: (Vec<u8>, Option<NewKey>),
) -> Outcome {
    let (payload, key) = sealed;
    let write = Write {
        stream: StreamId::new(tenant, StreamKind::Customer, customer.id.to_string()),
        expect: Expect::Any,
        customer: Some(customer.id),
        partition: Some(customer.partition),
        events: vec![NewEvent {
            event_type: "seen",
            event_version: 1,
            payload,
            event_id: None,
            configures: false,
        }],
    };
    let item = Item { writes: vec![write], keys: key.into_iter().collect(), ..Item::default() };
    temp.record.append(vec![item]).await.unwrap().remove(0)
}

async fn last(temp: &TempRecord) -> Recorded {
    temp.record.read_before(Select::All, None, 1).await.unwrap().remove(0)
}

#[tokio::test]
async fn what_was_sealed_opens_under_the_same_master_key_only() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let vault = temp.vault();
    assert!(!Vault::has_master_key(&*temp.record).await.unwrap());
    vault.check_master_key().await.unwrap();
    assert!(Vault::has_master_key(&*temp.record).await.unwrap());
    let customer = vault.customer(&acme, "1234").await.unwrap();
    let (sealed, key) = vault.seal(&acme, customer.id, "seen", b"hello").await.unwrap();
    assert!(!sealed.windows(5).any(|window| window == b"hello"));
    let (again, _) = vault.seal(&acme, customer.id, "seen", b"hello").await.unwrap();
    assert_ne!(sealed, again, "the same text twice must not look the same");
    append(&temp, &acme, &customer, (sealed, key)).await;
    let row = last(&temp).await;
    for vault in [&vault, &temp.vault()] {
        assert_eq!(vault.open(&row).await.unwrap(), Opened::Clear(b"hello".to_vec()));
        vault.check_master_key().await.unwrap();
    }
    let other = Vault::new(temp.record.clone(), [8; 32]);
    assert!(matches!(other.check_master_key().await, Err(Error::MasterKey)));
    assert!(matches!(other.open(&row).await, Err(Error::MasterKey)));
}

#[tokio::test]
async fn a_payload_does_not_open_in_another_place() {
    let temp = TempRecord::new();
    let vault = temp.vault();
    let (acme, other) = (temp.tenant("acme", "id").await, temp.tenant("other", "id").await);
    let (one, two) = (vault.customer(&acme, "1").await.unwrap(), vault.customer(&acme, "2").await.unwrap());
    for customer in [&one, &two] {
        let sealed = vault.seal(&acme, customer.id, "seen", b"x").await.unwrap();
        append(&temp, &acme, customer, sealed).await;
    }
    let theirs = vault.customer(&other, "1").await.unwrap();
    assert_ne!(theirs.id, one.id, "a customer must not be recognised across tenants");
    let sealed = vault.seal(&other, theirs.id, "seen", b"x").await.unwrap();
    append(&temp, &other, &theirs, sealed).await;
    let theirs = last(&temp).await;
    let rows = temp.record.read_after(Select::CustomerEvents(acme.clone()), Position(0), 9).await.unwrap();
    let [row, neighbour] = rows.as_slice() else { panic!("two rows") };

    let with = |change: &dyn Fn(&mut Recorded)| {
        let mut row = row.clone();
        change(&mut row);
        row
    };
    // The key itself is another's: its id says so, as if this customer's key had gone.
    for payload in [&neighbour.payload, &theirs.payload] {
        let swapped = vault.open(&with(&|row| row.payload.clone_from(payload))).await;
        assert_eq!(swapped.unwrap(), Opened::Erased);
    }
    // Even one who can write key rows cannot make one customer's key serve another, or another tenant's.
    let forged = |row: &Recorded, payload: &[u8]| {
        let own_id = row.payload[1..9].to_vec();
        let mut forged = row.clone();
        forged.payload = payload.to_vec();
        forged.payload[1..9].copy_from_slice(&own_id);
        forged
    };
    for row in [
        forged(row, &neighbour.payload),
        forged(row, &theirs.payload),
        with(&|row| row.event_type = "heard".into()),
        with(&|row| row.payload[12] ^= 1),
        with(&|row| row.payload.truncate(row.payload.len() - 1)),
        with(&|row| row.payload.truncate(5)),
        with(&|row| row.payload[0] = 9),
    ] {
        assert!(matches!(vault.open(&row).await, Err(Error::Damaged(_))), "{row:?}");
    }
    let key = temp.record.key(&acme, Some(two.id)).await.unwrap().unwrap();
    temp.record.erase(&acme, one.id).await.unwrap();
    let put = NewKey { tenant: acme.clone(), customer: Some(one.id), wrapped: key };
    temp.record.append(vec![Item { keys: vec![put], ..Item::default() }]).await.unwrap();
    assert!(matches!(temp.vault().open(row).await, Err(Error::Damaged(_))));
}

#[tokio::test]
async fn an_erased_customer_stays_erased_when_they_come_back() {
    let temp = TempRecord::new();
    let vault = temp.vault();
    let acme = temp.tenant("acme", "id").await;
    let customer = vault.customer(&acme, "1").await.unwrap();
    let sealed = vault.seal(&acme, customer.id, "seen", b"old").await.unwrap();
    append(&temp, &acme, &customer, sealed).await;
    let old = last(&temp).await;
    assert!(vault.erase(&acme, customer.id, Metadata::default()).await.unwrap().is_some());
    assert_eq!(vault.open(&old).await.unwrap(), Opened::Erased);
    let sealed = vault.seal(&acme, customer.id, "seen", b"new").await.unwrap();
    append(&temp, &acme, &customer, sealed).await;
    let rows = [old, last(&temp).await];
    for vault in [&vault, &temp.vault()] {
        let opened = vault.open_all(&rows).await.unwrap();
        assert_eq!(opened, [Opened::Erased, Opened::Clear(b"new".to_vec())]);
    }
}

#[tokio::test]
async fn a_new_key_goes_along_until_it_is_stored_and_gives_way_to_one_that_was_first() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let (vault, rival) = (temp.vault(), temp.vault());
    let customer = vault.customer(&acme, "1").await.unwrap();
    let first = vault.seal(&acme, customer.id, "seen", b"1").await.unwrap();
    let second = vault.seal(&acme, customer.id, "seen", b"2").await.unwrap();
    assert!(first.1.is_some());
    assert_eq!(first.1, second.1, "two first events at once must share one key");
    let theirs = rival.seal(&acme, customer.id, "seen", b"3").await.unwrap();
    assert!(matches!(append(&temp, &acme, &customer, theirs).await, Outcome::Appended { .. }));
    assert_eq!(append(&temp, &acme, &customer, first).await, Outcome::KeyTaken);
    let again = vault.seal(&acme, customer.id, "seen", b"1").await.unwrap();
    assert_eq!(again.1, None);
    append(&temp, &acme, &customer, again).await;
    assert_eq!(rival.open(&last(&temp).await).await.unwrap(), Opened::Clear(b"1".to_vec()));
}

#[tokio::test]
async fn a_tenant_without_a_key_is_damage_and_customers_are_what_they_always_were() {
    let temp = TempRecord::new();
    assert!(matches!(temp.vault().customer(&TenantId::from("nobody"), "1").await, Err(Error::Damaged(_))));
    // A fixed tenant key: what is derived from it is in every stored row.
    let acme = TenantId::from("acme");
    let wrapped = wrap(&Zeroizing::new(MASTER), &tenant_bound(&acme), &Zeroizing::new([3; 32]));
    let key = NewKey { tenant: acme.clone(), customer: None, wrapped };
    temp.record.append(vec![Item { keys: vec![key], ..Item::default() }]).await.unwrap();
    let customer = temp.vault().customer(&acme, "1234").await.unwrap();
    assert_eq!(
        (customer.id.to_string().as_str(), customer.partition.0),
        ("702b2da2f0964bc34f9b00884f84365a", 49)
    );
}

#[tokio::test]
async fn a_credential_opens_at_its_place_and_at_no_other() {
    let temp = TempRecord::new();
    let (acme, other) = (temp.tenant("acme", "id").await, temp.tenant("other", "id").await);
    let vault = temp.vault();
    let sealed = vault.seal_credential(&acme, "twilio/password", "canary").await.unwrap();
    assert!(!sealed.0.contains("canary"));
    let opened = temp.vault().open_credential(&acme, "twilio/password", &sealed).await.unwrap();
    assert_eq!(*opened, "canary");
    let mut bent = sealed.clone();
    bent.0.replace_range(20..21, if sealed.0.as_bytes()[20] == b'A' { "B" } else { "A" });
    for (tenant, place, sealed) in [
        (&other, "twilio/password", &sealed),
        (&acme, "pusher/secret", &sealed),
        (&acme, "twilio/password", &bent),
        (&acme, "twilio/password", &domain::integration::Sealed("?".into())),
    ] {
        let refused = vault.open_credential(tenant, place, sealed).await;
        assert!(matches!(refused, Err(Error::Damaged(_))), "{tenant} {place}");
    }
}

/// A record in which a customer is erased between a reading of their key and its answer.
struct ErasedMeanwhile {
    inner: Arc<dyn Record>,
    whom: Mutex<Option<(Arc<Vault>, CustomerId)>>,
}

#[async_trait]
impl Layer for ErasedMeanwhile {
    fn inner(&self) -> &dyn Record {
        &*self.inner
    }

    async fn keys(
        &self,
        tenant: &TenantId,
        customers: &[Option<CustomerId>],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let keys = self.inner.keys(tenant, customers).await?;
        let whom = self.whom.lock().unwrap().take_if(|(_, customer)| customers.contains(&Some(*customer)));
        if let Some((vault, customer)) = whom {
            vault.erase(tenant, customer, Metadata::default()).await?;
        }
        Ok(keys)
    }
}

#[tokio::test]
async fn a_key_that_was_read_before_an_erasure_is_not_kept_after_it() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let customer = temp.vault().customer(&acme, "1").await.unwrap();
    let sealed = temp.vault().seal(&acme, customer.id, "seen", b"old").await.unwrap();
    append(&temp, &acme, &customer, sealed).await;
    let row = last(&temp).await;
    let record = Arc::new(ErasedMeanwhile { inner: temp.record.clone(), whom: Mutex::default() });
    let vault = Arc::new(Vault::new(record.clone(), MASTER));
    vault.customer(&acme, "1").await.unwrap();
    *record.whom.lock().unwrap() = Some((Arc::clone(&vault), customer.id));
    assert_eq!(vault.open(&row).await.unwrap(), Opened::Clear(b"old".to_vec()), "it was read before");
    assert!(record.whom.lock().unwrap().is_none(), "and then destroyed");
    assert_eq!(vault.open(&row).await.unwrap(), Opened::Erased);
}

#[tokio::test]
async fn an_erasure_names_the_key_that_went_and_touches_no_later_one() {
    let temp = TempRecord::new();
    let vault = temp.vault();
    let acme = temp.tenant("acme", "id").await;
    let customer = vault.customer(&acme, "1").await.unwrap();
    let first = vault.seal(&acme, customer.id, "seen", b"old").await.unwrap();
    let (late, key) = (first.clone(), first.1.clone().unwrap());
    append(&temp, &acme, &customer, first).await;
    let old = last(&temp).await;
    assert_eq!(temp.record.key(&acme, Some(customer.id)).await.unwrap().as_ref(), Some(&key.wrapped));
    let by = || Metadata { by: Some("client".into()), ..Metadata::default() };
    let noted = vault.erase(&acme, customer.id, by()).await.unwrap().unwrap();
    let note = temp.record.read_at(&[noted]).await.unwrap().pop().unwrap();
    assert_eq!((note.event_type.as_str(), note.metadata, note.customer), (ERASED, by(), None));
    assert_eq!(vault.erase(&acme, customer.id, by()).await.unwrap(), None, "nothing is left to erase");

    // What was sealed before and comes late does not bring the key back.
    assert_eq!(append(&temp, &acme, &customer, late).await, Outcome::KeyTaken);
    let again = vault.seal(&acme, customer.id, "seen", b"new").await.unwrap();
    assert_ne!(again.1, Some(key.clone()));
    append(&temp, &acme, &customer, again).await;
    let new = last(&temp).await;

    // The erasure done again, as after a crash or on an older copy: the later key stays, the same one goes.
    let erasures = erasures(&*temp.record, &acme).await.unwrap();
    assert_eq!(erasures.len(), 1);
    assert_eq!(finish_erasures(&*temp.record, &acme, &erasures).await.unwrap(), 0);
    assert_eq!(temp.vault().open(&new).await.unwrap(), Opened::Clear(b"new".to_vec()));

    let older = TempRecord::new();
    older.tenant("acme", "id").await;
    older.record.append(vec![Item { keys: vec![key.clone()], ..Item::default() }]).await.unwrap();
    for (taken, known) in [(1, 1), (0, 1)] {
        let done = take_over_erasures(&*older.record, &acme, &erasures).await.unwrap();
        assert_eq!(
            (done, all_erasures(&*older.record).await.unwrap()),
            (taken, vec![(acme.clone(), erasures.clone())])
        );
        assert_eq!(erasures.len(), known);
    }
    assert_eq!(older.record.key(&acme, Some(customer.id)).await.unwrap(), None);
    assert_eq!(vault.open(&old).await.unwrap(), Opened::Erased);
}

#[tokio::test]
async fn an_erased_key_s_bytes_are_in_no_file_any_more() {
    let temp = TempRecord::new();
    let vault = temp.vault();
    let acme = temp.tenant("acme", "id").await;
    let mut wrapped = Vec::new();
    for key in 0..200 {
        let customer = vault.customer(&acme, &key.to_string()).await.unwrap();
        let sealed = vault.seal(&acme, customer.id, "seen", b"x").await.unwrap();
        wrapped.push((customer.id, sealed.1.clone().unwrap().wrapped));
        append(&temp, &acme, &customer, sealed).await;
    }
    let there = |wrapped: &[u8]| {
        std::fs::read_dir(temp.folder()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(wrapped.len()).any(|window| window == wrapped)
        })
    };
    // In whatever order they came and go: a page that was divided keeps nothing of what has moved away from it.
    for (n, (customer, gone)) in wrapped.iter().enumerate().filter(|(n, _)| n % 7 == 0) {
        assert!(there(gone), "the search works");
        vault.erase(&acme, *customer, Metadata::default()).await.unwrap().unwrap();
        assert!(!there(gone), "{n}");
        assert!(there(&wrapped[n + 1].1), "and nothing else is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn under_a_new_master_key_all_opens_as_before_and_the_old_one_opens_nothing() {
    let temp = TempRecord::new();
    let tenants = [temp.tenant("acme", "id").await, temp.tenant("other", "id").await];
    let vault = temp.vault();
    vault.check_master_key().await.unwrap();
    let (mut sealed, mut ids) = (Vec::new(), Vec::new());
    for tenant in &tenants {
        let customer = vault.customer(tenant, "1").await.unwrap();
        append(&temp, tenant, &customer, vault.seal(tenant, customer.id, "seen", b"hello").await.unwrap())
            .await;
        let credential = vault.seal_credential(tenant, "twilio/password", "token").await.unwrap();
        let address = vault.receipt_secret(tenant, "twilio").await.unwrap();
        sealed.push((tenant, last(&temp).await, credential, address));
        ids.push(customer.id);
    }
    let cursor_key = vault.cursor_key().await.unwrap();
    let [old, new] = [MASTER, [8; 32]].map(Zeroizing::new);
    let stored = Keys::open(temp.folder()).unwrap();
    check(&stored, &[new.clone(), old.clone()]).await.unwrap();
    assert!(!stored.is_alone(), "the record is open");
    let known = [old.clone()];
    assert_eq!(rotate(&stored, &known, &new).await.unwrap(), 3, "two tenants and the mark");
    assert_eq!(rotate(&stored, &known, &new).await.unwrap(), 0, "twice is once");
    assert!(matches!(check(&stored, &known).await, Err(Error::MasterKey)));
    let cursors = vault.cursor_key().await;
    assert!(matches!(cursors, Err(Error::MasterKey)), "it has not been told of the new key");
    assert_eq!(vault.customer(&tenants[0], "1").await.unwrap().id, ids[0], "what it has open stays open");
    let vault = Vault::new(temp.record.clone(), *new);
    vault.check_master_key().await.unwrap();
    assert_eq!(vault.cursor_key().await.unwrap(), cursor_key);
    for (tenant, row, credential, address) in &sealed {
        assert_eq!(vault.open(row).await.unwrap(), Opened::Clear(b"hello".to_vec()));
        let opened = vault.open_credential(tenant, "twilio/password", credential).await.unwrap();
        assert_eq!(opened.as_str(), "token");
        assert_eq!(vault.receipt_secret(tenant, "twilio").await.unwrap(), *address, "it was told to others");
    }
    // What comes now is under the new one.
    let created = vault.new_tenant_key(&TenantId::from("third")).await.unwrap();
    assert!(TenantKeys::unwrap(&new, &created.tenant, 0, &created.wrapped).is_some());
    let before = Vault::new(temp.record.clone(), *old);
    assert!(matches!(before.check_master_key().await, Err(Error::MasterKey)));
    assert!(matches!(before.open(&sealed[0].1).await, Err(Error::MasterKey)));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_open_leaves_all_of_them_as_they_were() {
    let temp = TempRecord::new();
    temp.tenant("acme", "id").await;
    let vault = temp.vault();
    vault.check_master_key().await.unwrap();
    let stored = Keys::open(temp.folder()).unwrap();
    let [ours, new, theirs] = [MASTER, [8; 32], [9; 32]].map(Zeroizing::new);
    assert!(matches!(rotate(&stored, std::slice::from_ref(&theirs), &new).await, Err(Error::MasterKey)));
    // One of them, put there under another key: it comes last.
    let stray = new_tenant_key(&theirs, &TenantId::from("zebra"));
    vault.append_key(stray).await.unwrap();
    assert!(matches!(rotate(&stored, std::slice::from_ref(&ours), &new).await, Err(Error::MasterKey)));
    let vault = temp.vault();
    vault.check_master_key().await.unwrap();
    vault.customer(&TenantId::from("acme"), "1").await.unwrap();
    // With the key that it is under it is taken along: what a server made under the old key at the last moment.
    assert_eq!(rotate(&stored, &[ours, theirs], &new).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_vault_goes_with_the_rotation_by_its_file_and_makes_keys_under_the_marks_master_key() {
    let temp = TempRecord::new();
    temp.tenant("acme", "id").await;
    temp.vault().check_master_key().await.unwrap();
    let file = temp.folder().join("keys");
    let [old, new] = [MASTER, [8; 32]].map(Zeroizing::new);
    put_master_keys(&file, std::slice::from_ref(&old)).unwrap();
    let vault = Vault::new(temp.record.clone(), MasterKeys::at(&file).unwrap());
    let third = TenantId::from("third");
    let is_under =
        |master: &Secret, made: &NewKey| TenantKeys::unwrap(master, &made.tenant, 0, &made.wrapped).is_some();
    put_master_keys(&file, &[old.clone(), new.clone()]).unwrap();
    assert!(is_under(&old, &vault.new_tenant_key(&third).await.unwrap()), "as long as the others are");
    rotate(&Keys::open(temp.folder()).unwrap(), &[old], &new).await.unwrap();
    assert!(is_under(&new, &vault.new_tenant_key(&third).await.unwrap()), "without being told");
    put_master_keys(&file, &[new]).unwrap();
    vault.customer(&TenantId::from("acme"), "1").await.unwrap();
}
