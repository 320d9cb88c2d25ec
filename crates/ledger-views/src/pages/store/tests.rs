use super::*;

const PAGE: PageId = PageId::States { subscription: 1, block: 2 };

fn store() -> (tempfile::TempDir, PageStore) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let tree = sled::open(dir.path()).expect("it opens").open_tree("t").expect("it opens");
    (dir, PageStore::new(tree))
}

/// Bytes that no compression makes much smaller.
fn page(seed: u8, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| byte()).collect()
}

fn read(store: &PageStore, versions: &Versions) -> Option<Vec<u8>> {
    store.read(&PAGE, versions).expect("it reads")
}

/// Writes the page in the next version, and makes that valid.
fn replace(store: &PageStore, versions: &Versions, page: &[u8]) -> Versions {
    let (begun, version) = versions.begin();
    store.write(&PAGE, version, page).expect("it is written");
    assert_eq!(read(store, versions), read(store, &begun), "it is not valid yet");
    let old = store.older(&PAGE, version).expect("it reads");
    let finished = begun.finish();
    old.iter().for_each(|old| store.remove(old).expect("it is written"));
    finished
}

#[test]
fn pages_of_any_length_read_back_and_leave_nothing_of_their_older_versions() {
    let (_dir, store) = store();
    let mut versions = Versions::default();
    for (seed, len) in (0..).zip([0, 1, 96 * 1024 - 20, 96 * 1024 + 20, 500_000, 5, 200_000]) {
        let page = page(seed, len);
        versions = replace(&store, &versions, &page);
        assert_eq!(read(&store, &versions).as_deref(), Some(page.as_slice()), "{len}");
        assert!(store.tree.iter().values().all(|value| value.expect("it reads").len() <= value::PART_MAX_BYTES));
    }
    assert_eq!(store.tree.len(), 3, "200 kB lie in three parts");
}

#[test]
fn what_a_crash_left_is_passed_over_also_where_it_lies_in_parts() {
    let (_dir, store) = store();
    let first = replace(&store, &Versions::default(), b"first");
    let (crashed, version) = first.begin();
    store.write(&PAGE, version, &page(1, 300_000)).expect("it is written");
    let reopened = crashed.reopened();
    assert_eq!(read(&store, &reopened).as_deref(), Some(&b"first"[..]));
    let (begun, version) = reopened.begin();
    store.write(&PageId::States { subscription: 1, block: 3 }, version, b"another").expect("it is written");
    let finished = begun.finish();
    assert_eq!(read(&store, &finished).as_deref(), Some(&b"first"[..]), "a newer version does not make it valid");
    let last = replace(&store, &finished, b"last");
    assert_eq!(read(&store, &last).as_deref(), Some(&b"last"[..]));
    assert_eq!(store.tree.len(), 2, "what the crash left is gone with the older version");
}

#[test]
fn scopes_are_found_in_order_and_days_too() {
    let (_dir, store) = store();
    let workspace = |id: &str| ledger_event::WorkspaceId::parse(id).expect("it is an id");
    let subscription = |ws: &str, id: &str| {
        let subscription_id = ledger_event::SubscriptionId::parse(id).expect("it is an id");
        ScopeName::Subscription(crate::SubscriptionKey { workspace_id: workspace(ws), subscription_id })
    };
    let mut names = vec![
        subscription("a", "s"),
        subscription("a", "t"),
        subscription("bb", "s"),
        ScopeName::Workspace(workspace("a")),
        ScopeName::Workspace(workspace("bb")),
    ];
    for name in &names {
        store.write(&PageId::Scope(name.clone()), 1, &page(1, 200_000)).expect("it is written");
        store.write(&PageId::Scope(name.clone()), 2, b"newer").expect("it is written");
    }
    let mut found = Vec::new();
    while let Some(name) = store.scope_after(found.last()).expect("it reads") {
        found.push(name);
    }
    found.sort();
    names.sort();
    assert_eq!(found, names);
    for day in [-3, 0, 20_000] {
        store.write(&PageId::Day { scope: 7, day }, 1, b"day").expect("it is written");
        store.write(&PageId::Day { scope: 8, day }, 1, b"day").expect("it is written");
    }
    assert_eq!(store.days_of(7).expect("it reads"), [-3, 0, 20_000]);
}
