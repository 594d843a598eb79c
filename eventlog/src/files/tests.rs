//! Files go in and out piece by piece, sealed, each for its place.

use super::*;
use crate::record::Record;
use crate::testing::TempRecord;

async fn write(store: &FileStore, tenant: &TenantId, content: &[u8]) -> String {
    let mut writer = store.create(tenant);
    for part in content.chunks(300_001) {
        writer.push(part).await.unwrap();
    }
    let (id, bytes) = writer.end().await.unwrap();
    assert_eq!(bytes, content.len() as u64);
    id
}

async fn read(store: &FileStore, tenant: &TenantId, file: &str) -> Vec<u8> {
    let mut content = Vec::new();
    let mut number = 0;
    while let Some(piece) = store.piece(tenant, file, number).await.unwrap() {
        content.extend(piece);
        number += 1;
    }
    content
}

#[tokio::test]
async fn a_file_comes_out_as_it_went_in_and_is_nowhere_in_clear() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let store = temp.file_store();
    let content: Vec<u8> = b"canary,".iter().copied().cycle().take(2 * PIECE + 5).collect();
    let file = write(&store, &acme, &content).await;
    let exact = write(&store, &acme, &content[..PIECE]).await;
    assert_eq!(read(&store, &acme, &file).await, content);
    assert_eq!(read(&store, &acme, &exact).await, content[..PIECE]);
    let other = temp.tenant("other", "id").await;
    assert_eq!(store.piece(&other, &file, 0).await.unwrap(), None);
    for entry in std::fs::read_dir(temp.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(13).any(|window| window == b"canary,canary"));
    }
    let temp = {
        drop(store);
        temp.reopen()
    };
    assert_eq!(read(&temp.file_store(), &acme, &file).await, content);
}

#[tokio::test]
async fn a_piece_opens_in_its_own_place_only() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let store = temp.file_store();
    let file = write(&store, &acme, &vec![b'x'; PIECE + 1]).await;
    let first = temp.record.piece(&acme, &file, 0).await.unwrap().unwrap();
    temp.record.put_piece(&acme, "elsewhere", 0, first.clone()).await.unwrap();
    temp.record.put_piece(&acme, &file, 2, first).await.unwrap();
    for (file, number) in [("elsewhere", 0), (file.as_str(), 2)] {
        assert!(matches!(store.piece(&acme, file, number).await, Err(Error::Damaged(_))));
    }
}

#[tokio::test]
async fn what_nothing_names_is_swept_up_once_it_is_old() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let store = temp.file_store();
    let (kept, litter) = (write(&store, &acme, b"a").await, write(&store, &acme, b"b").await);
    temp.clock.advance(1_000);
    let fresh = write(&store, &acme, b"c").await;
    let given_up = store.create(&acme);
    given_up.give_up().await;
    store.sweep(temp.record.now(), |_, file| file == kept).await.unwrap();
    for (file, there) in [(&kept, true), (&litter, false), (&fresh, true)] {
        assert_eq!(store.piece(&acme, file, 0).await.unwrap().is_some(), there);
    }
    store.let_go(&acme, &kept).await;
    assert_eq!(store.piece(&acme, &kept, 0).await.unwrap(), None);
}
