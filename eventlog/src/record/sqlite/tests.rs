//! What is this home's own: locks, formats, damage, a full disk. The port's rules are in the contract suite.

use super::*;

#[tokio::test]
async fn a_second_server_is_refused_and_told_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteRecord::open(folder.path(), Options::default()).unwrap();
    let Err(Error::Locked(owner)) = SqliteRecord::open(folder.path(), Options::default()) else {
        panic!("a second writer was let in");
    };
    assert_eq!(owner, format!("process {}", std::process::id()));
    drop(first);
    SqliteRecord::open(folder.path(), Options::default()).unwrap();
}
