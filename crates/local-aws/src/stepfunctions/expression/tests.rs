use super::*;

fn evaluate(expression: &str) -> Result<Value, String> {
    let input =
        json!({"name": "Ann", "list": [1, 2, 3], "n": 4, "json": "{\"a\": [true]}", "o": {"a": 1, "b": 2}});
    let context = json!({"Execution": {"Name": "run-1"}});
    let data = Data {
        input: &input,
        context: &context,
    };
    let expression = Expression::parse(expression)?;
    expression.evaluate(data).map_err(|failure| failure.error)
}

#[test]
fn intrinsic_functions_compute_what_step_functions_computes() {
    for (expression, expected) in [
        ("$.n", json!(4)),
        (
            "States.Format('Hi {}, {} of {}', $.name, $.n, $.list)",
            json!("Hi Ann, 4 of [1,2,3]"),
        ),
        (
            r"States.Format('it\'s \{{}\} \\', $.name)",
            json!(r"it's {Ann} \"),
        ),
        (
            "States.Format('{}-{}', $$.Execution.Name, States.Format('{}', true))",
            json!("run-1-true"),
        ),
        ("States.StringToJson($.json)", json!({"a": [true]})),
        ("States.JsonToString($.o)", json!("{\"a\":1,\"b\":2}")),
        (
            "States.Array('a, b)', 2, null, $['name'])",
            json!(["a, b)", 2, null, "Ann"]),
        ),
        ("States.Array()", json!([])),
        ("States.ArrayLength($.list)", json!(3)),
        ("States.ArrayGetItem($.list, 2)", json!(3)),
        ("States.MathAdd($.n, -5)", json!(-1)),
        ("States.MathAdd(1.6, 1)", json!(3)),
        (
            "States.Hash('abc', 'SHA-256')",
            json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ),
        ("States.Base64Decode(States.Base64Encode('ä 😀'))", json!("ä 😀")),
        (
            "States.JsonMerge($.o, States.StringToJson($.json), false)",
            json!({"a": [true], "b": 2}),
        ),
        ("States.ArrayLength(States.Array(States.UUID()))", json!(1)),
    ] {
        assert_eq!(evaluate(expression), Ok(expected), "{expression}");
    }
}

#[test]
fn what_does_not_fit_fails_by_name() {
    for (expression, error) in [
        ("$.absent", "States.ParameterPathFailure"),
        ("States.Format('{}')", "States.IntrinsicFailure"),
        ("States.Format('{}', 1, 2)", "States.IntrinsicFailure"),
        ("States.Format('{x}', 1)", "States.IntrinsicFailure"),
        ("States.StringToJson('{')", "States.IntrinsicFailure"),
        ("States.ArrayGetItem($.list, 3)", "States.IntrinsicFailure"),
        ("States.MathAdd('1', 2)", "States.IntrinsicFailure"),
        ("States.Base64Decode('?')", "States.IntrinsicFailure"),
        ("States.JsonMerge($.o, $.o, true)", "States.IntrinsicFailure"),
        ("States.ArrayLength($.name)", "States.IntrinsicFailure"),
    ] {
        assert_eq!(evaluate(expression), Err(error.to_owned()), "{expression}");
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (expression, reason) in [
        (
            "States.MathRandom(1, 2)",
            "the intrinsic function States.MathRandom is not supported",
        ),
        ("States.Hash($.n, 'MD5')", "States.Hash with MD5 is not supported"),
        ("States.UUID(1)", "States.UUID does not take 1 arguments"),
        ("States.Array(1", "the arguments of States.Array are not closed"),
        ("States.Array('a)", "`'a)` lacks a closing quote"),
        ("States.Array(a)", "`a` is no argument of an intrinsic function"),
        (
            "States.UUID() x",
            "`States.UUID() x` is neither a path nor an intrinsic function",
        ),
        ("'text'", "`'text'` is neither a path nor an intrinsic function"),
        (
            "$.a[*]",
            "the path `$.a[*]` is not supported, only $, $.name, $['name'] and $.list[0]",
        ),
    ] {
        assert_eq!(evaluate(expression), Err(reason.to_owned()), "{expression}");
    }
}

#[test]
fn calls_are_nested_ten_deep_and_no_deeper() {
    let nested = |depth| format!("{}1{}", "States.Array(".repeat(depth), ")".repeat(depth));

    assert_eq!(
        evaluate(&nested(10)).map(|value| value.to_string()).as_deref(),
        Ok("[[[[[[[[[[1]]]]]]]]]]")
    );
    for depth in [11, 100_000] {
        let refused = Err("more than 10 intrinsic functions are nested".to_owned());
        assert_eq!(evaluate(&nested(depth)), refused, "{depth}");
    }
}

#[test]
fn a_template_computes_the_members_that_end_in_a_dollar_at_any_depth() {
    let template = json!({"a": 1, "b.$": "$.x", "c": [{"d.$": "$$.Id"}, "$.x"]});
    let template = Template::try_from(template).expect("a template");
    let data = Data {
        input: &json!({"x": [5]}),
        context: &json!({"Id": "i"}),
    };

    let filled = template.fill(data);

    assert_eq!(filled, Ok(json!({"a": 1, "b": [5], "c": [{"d": "i"}, "$.x"]})));
    assert!(template.uses_context());
    assert!(Template::try_from(json!({"a.$": 1})).is_err());
}
