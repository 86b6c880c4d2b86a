use serde_json::json;

use super::*;

fn event() -> Value {
    json!({
        "source": "active-learning",
        "detail-type": "Prediction Reviewed",
        "resources": ["arn:a", "arn:b"],
        "detail": {
            "status": "answered",
            "label": "Sports",
            "votes": 3,
            "agreement": 0.75,
            "review": null,
            "labels": ["Sports", "Science"],
            "parts": [{"kind": "a", "size": 1}, {"kind": "b", "size": 2}],
        },
    })
}

fn matches(pattern: Value) -> bool {
    let pattern = Pattern::parse(&pattern.to_string()).expect("a pattern");
    pattern.matches(&event())
}

fn of_detail(field: &str, leaf: Value) -> bool {
    matches(json!({"detail": {field: leaf}}))
}

#[test]
fn all_fields_must_match_and_one_value_of_each() {
    assert!(matches(
        json!({"source": ["other", "active-learning"], "detail": {"votes": [3]}})
    ));
    assert!(!matches(
        json!({"source": ["active-learning"], "detail": {"votes": [4]}})
    ));
    assert!(
        matches(json!({"resources": ["arn:b"]})),
        "one of a list is enough"
    );
    assert!(of_detail("review", json!([null])));
    assert!(!of_detail("votes", json!(["3"])), "a number is no text");
    assert!(!matches(json!({"account": ["1"]})));
}

#[test]
fn texts_match_by_beginning_end_wildcard_and_whatever_their_case() {
    for right in [
        json!([{"prefix": "Sp"}]),
        json!([{"prefix": {"equals-ignore-case": "sP"}}]),
        json!([{"suffix": "rts"}]),
        json!([{"suffix": {"equals-ignore-case": "RTS"}}]),
        json!([{"equals-ignore-case": "SPORTS"}]),
        json!([{"wildcard": "S*or*s"}]),
        json!([{"wildcard": "Sports"}]),
    ] {
        assert!(of_detail("label", right.clone()), "{right}");
    }
    for wrong in [
        json!([{"prefix": "po"}]),
        json!([{"wildcard": "S*x*s"}]),
        json!([{"wildcard": "Spor"}]),
    ] {
        assert!(!of_detail("label", wrong.clone()), "{wrong}");
    }
}

#[test]
fn numbers_are_compared_with_one_bound_or_two() {
    assert!(of_detail("votes", json!([{"numeric": [">", 2, "<=", 3]}])));
    assert!(!of_detail("votes", json!([{"numeric": [">", 3]}])));
    assert!(of_detail("agreement", json!([{"numeric": ["=", 0.75]}])));
    assert!(!of_detail("label", json!([{"numeric": [">=", 0]}])));
}

#[test]
fn anything_but_needs_a_value_that_is_not_excluded() {
    assert!(of_detail("status", json!([{"anything-but": "abandoned"}])));
    assert!(!of_detail(
        "status",
        json!([{"anything-but": ["abandoned", "answered"]}])
    ));
    assert!(!of_detail("status", json!([{"anything-but": {"prefix": "ans"}}])));
    assert!(!of_detail(
        "status",
        json!([{"anything-but": {"suffix": ["x", "red"]}}])
    ));
    assert!(!of_detail("absent", json!([{"anything-but": "x"}])));
}

#[test]
fn a_field_is_asked_to_be_there_or_not_also_within_what_is_not_there() {
    assert!(of_detail("label", json!([{"exists": true}])));
    assert!(of_detail("absent", json!([{"exists": false}])));
    assert!(!of_detail("label", json!([{"exists": false}])));
    assert!(of_detail("review", json!([{"exists": true}])), "null is a value");
    assert!(matches(json!({"absent": {"deeper": [{"exists": false}]}})));
}

#[test]
fn one_object_of_a_list_must_match_as_a_whole_and_one_of_several_patterns() {
    assert!(of_detail("parts", json!({"kind": ["b"], "size": [2]})));
    assert!(!of_detail("parts", json!({"kind": ["b"], "size": [1]})));
    assert!(matches(
        json!({"$or": [{"source": ["x"]}, {"detail": {"votes": [3]}}]})
    ));
    assert!(!matches(
        json!({"$or": [{"source": ["x"]}, {"detail": {"votes": [9]}}]})
    ));
}

#[test]
fn a_pattern_that_is_none_is_refused_with_what_is_wrong() {
    for wrong in [
        "[]",
        "{}",
        "no JSON",
        r#"{"source": "a"}"#,
        r#"{"source": []}"#,
        r#"{"source": ["a"], "detail": {}}"#,
        r#"{"source": ["a"], "detail": {"b": {}}}"#,
        r#"{"$or": []}"#,
        r#"{"$or": [{"source": ["a"]}, {}]}"#,
        r#"{"source": [{"anything-but": []}]}"#,
        r#"{"source": [{"anything-but": {}}]}"#,
        r#"{"source": [{"anything-but": {"prefix": []}}]}"#,
        r#"{"source": [["a"]]}"#,
        r#"{"source": [{"prefix": "a", "suffix": "b"}]}"#,
        r#"{"source": [{"begins": "a"}]}"#,
        r#"{"source": [{"exists": "yes"}]}"#,
        r#"{"source": [{"numeric": [">"]}]}"#,
        r#"{"source": [{"cidr": "10.0.0.0/8"}]}"#,
        r#"{"source": [{"anything-but": [{"exists": true}]}]}"#,
    ] {
        assert!(Pattern::parse(wrong).is_err(), "{wrong}");
    }
}
