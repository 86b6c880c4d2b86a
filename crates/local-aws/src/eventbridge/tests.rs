use super::*;

#[test]
fn a_rule_whose_pattern_is_refused_today_leaves_the_others_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(Store::open(folder.path()).expect("a free folder"));
    let transaction = store.index.begin_write().expect("a transaction");
    {
        let mut table = transaction.open_table(RULES).expect("a table");
        // As the version before kept them, whose targets had fewer members.
        for (name, pattern) in [("now", r#"{"source": ["a"]}"#), ("before", r#"{"detail": {}}"#)] {
            let rule = json!({"name": name, "bus": "default", "pattern": pattern, "description": null, "enabled": true,
                "targets": {"t": {"arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "input": null, "input_path": null}}});
            let json = rule.to_string();
            table
                .insert(format!("default/{name}").as_str(), json.as_bytes())
                .expect("kept");
        }
    }
    transaction.commit().expect("kept");
    let queue = InvocationQueue::new(store.clone());

    let opened = EventBridge::new(store, Arc::default(), queue, "us-east-1".to_owned()).expect("readable");

    let state = opened.state.read().unwrap_or_else(PoisonError::into_inner);
    let names: Vec<&str> = state.rules.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["now"]);
    let target = &state.rules[&("default".to_owned(), "now".to_owned())]
        .spec
        .targets["t"];
    assert_eq!(target.retry, RetryPolicy::default());
}
