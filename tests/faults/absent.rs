//! What is shipped has no faults in it.

use system_tests::harness::{self, binary};

fn contains(binary: &[u8], text: &str) -> bool {
    binary.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn the_binary_that_is_shipped_knows_no_point_and_breaks_no_promise() {
    let [shipped, faulty] =
        [harness::SHIPPED, harness::WITH_FAULTS].map(|name| std::fs::read(binary(name)).unwrap());
    let names = harness::faults();
    assert!(names.len() > 30, "{names:?}");
    for name in names.iter().map(|(_, name)| name.as_str()).chain(["CXENGAGE_FAULTS", "fault on order"]) {
        assert!(contains(&faulty, name), "{name} is not even in the binary with faults");
        assert!(!contains(&shipped, name), "{name} is in the binary that is shipped");
    }
}
