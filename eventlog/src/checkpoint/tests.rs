use super::*;

fn row(key: &str, value: &str) -> Row {
    (key.into(), value.into())
}

fn set(key: &str, value: &str) -> Change {
    (key.into(), Some(value.into()))
}

#[tokio::test]
async fn rows_and_position_are_committed_together_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path()).unwrap();
    assert_eq!(checkpoints.load("engine").await.unwrap(), None);
    checkpoints.commit("engine", Position(3), vec![set("b", "2"), set("a", "1")]).await.unwrap();
    checkpoints.commit("other", Position(1), vec![set("a", "x")]).await.unwrap();
    checkpoints.commit("engine", Position(5), vec![(b"b".to_vec(), None), set("c", "3")]).await.unwrap();
    drop(checkpoints);

    let checkpoints = Checkpoints::open(folder.path()).unwrap();
    let expected = vec![row("a", "1"), row("c", "3")];
    assert_eq!(checkpoints.load("engine").await.unwrap(), Some((Position(5), expected)));
    assert_eq!(checkpoints.position("engine").await.unwrap(), Some(Position(5)));
    let rows = checkpoints.rows("engine").unwrap();
    assert_eq!((rows.get(b"c").unwrap(), rows.get(b"b").unwrap()), (Some(b"3".to_vec()), None));
    checkpoints.forget("engine").await.unwrap();
    assert_eq!(checkpoints.load("engine").await.unwrap(), None);
    assert_eq!(checkpoints.load("other").await.unwrap(), Some((Position(1), vec![row("a", "x")])));
}

#[tokio::test]
async fn whatever_was_changed_behind_its_back_is_noticed() {
    for (change, row_is_told) in [
        ("UPDATE checkpoint_row_v2 SET value = x'32' WHERE key = x'61'", true),
        ("UPDATE checkpoint_row_v2 SET key = x'63' WHERE key = x'61'", false),
        ("DELETE FROM checkpoint_row_v2 WHERE key = x'61'", false),
        ("UPDATE checkpoint_v2 SET position = position + 1", false),
        ("UPDATE checkpoint_v2 SET rows = rows - 1", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        checkpoints.commit("engine", Position(1), vec![set("a", "1"), set("b", "2")]).await.unwrap();
        let other = Connection::open(folder.path().join(VIEWS_FILE)).unwrap();
        other.execute(change, []).unwrap();
        assert!(matches!(checkpoints.load("engine").await, Err(Error::Damaged(_))), "{change}");
        let single = checkpoints.rows("engine").unwrap().get(b"a");
        assert_eq!(matches!(single, Err(Error::Damaged(_))), row_is_told, "{change}");
        // And it does not become sound by being written to.
        let again = checkpoints.commit("engine", Position(2), vec![set("b", "3")]).await;
        assert!(again.is_err() || checkpoints.load("engine").await.is_err(), "{change}");
    }
}

#[tokio::test]
async fn a_torn_file_of_the_engines_own_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(ENGINE_FILE);
    std::fs::write(&path, [7; 10_000]).unwrap();
    let checkpoints = Checkpoints::open_engine(folder.path()).unwrap();
    let large = vec![(b"a".to_vec(), Some(vec![1; 100_000]))];
    checkpoints.commit("engine", Position(1), large).await.unwrap();
    drop(checkpoints);
    let mut bytes = std::fs::read(&path).unwrap();
    let from = bytes.len().min(4_096);
    bytes[from..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let checkpoints = Checkpoints::open_engine(folder.path()).unwrap();
    let load = checkpoints.load("engine").await;
    assert!(matches!(load, Ok(None) | Err(Error::Damaged(_))), "{load:?}");
    checkpoints.forget("engine").await.unwrap();
    checkpoints.commit("engine", Position(2), vec![set("a", "1")]).await.unwrap();
    assert_eq!(checkpoints.load("engine").await.unwrap(), Some((Position(2), vec![row("a", "1")])));
}
