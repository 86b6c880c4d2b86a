use proptest::prelude::*;
use serde_json::json;

use super::*;

fn html(template: &str, input: &Value) -> String {
    render_html(template, input, "n0nce").expect("template renders").0
}

#[test]
fn output_is_escaped_unless_the_template_says_otherwise() {
    let input = json!({ "text": "James & the \"Giant\" <b>Peach</b>", "done": "A &amp; B" });

    assert_eq!(
        html("{{ task.input.text }}", &input),
        "James &amp; the &quot;Giant&quot; &lt;b&gt;Peach&lt;/b&gt;"
    );
    assert_eq!(
        html("{{ task.input.text | escape }}", &input),
        html("{{ task.input.text }}", &input)
    );
    assert_eq!(html("{{ task.input.done | escape_once }}", &input), "A &amp; B");
    assert_eq!(html("{{ task.input.done }}", &input), "A &amp;amp; B");
    assert_eq!(
        html("{{ task.input.text | skip_autoescape }}", &input),
        "James & the \"Giant\" <b>Peach</b>"
    );
    assert_eq!(
        html("{{ task.input.text | escape | upcase }}", &json!({ "text": "<" })),
        "&amp;LT;"
    );
}

#[test]
fn json_is_safe_in_scripts_and_in_attributes() {
    let input = json!({ "labels": ["World", "</script><script>alert(1)</script>", "a\"b'c"] });

    assert_eq!(
        html("{{ task.input.labels | to_json }}", &input),
        r#"["World","\u003c/script\u003e\u003cscript\u003ealert(1)\u003c/script\u003e","a\"b\u0027c"]"#
    );
    assert_eq!(
        html(
            "<p categories=\"{{ task.input.labels | to_json | escape }}\">",
            &json!({ "labels": ["a\"b"] })
        ),
        "<p categories=\"[&quot;a\\&quot;b&quot;]\">"
    );
}

#[test]
fn a_text_that_a_template_writes_as_json_is_marked_and_one_that_is_only_quoted_is_not() {
    let input = json!({ "text": "\"Quoted\"" });
    let plain = "<crowd-input initial-value=\"{{ task.input.text }}\">";
    let as_json = "<crowd-input initial-value = '{{ task.input.text | to_json | escape }}'>";
    let elsewhere = "<p data-initial-value='{{ task.input.text | to_json | escape }}'>{{ task.input.text | to_json }}</p>";

    assert_eq!(
        html(plain, &input),
        "<crowd-input initial-value=\"&quot;Quoted&quot;\">"
    );
    assert_eq!(
        html(as_json, &input),
        "<crowd-input json-initial-value initial-value = '&quot;\\&quot;Quoted\\&quot;&quot;'>"
    );
    assert!(!html(elsewhere, &input).contains("json-"));
    let script = "<crowd-form></crowd-form><script>const header = {{ task.input.text | to_json }};</script>";
    let other = "<crowd-input subheader='{{ task.input.text | to_json | escape }}'>";
    for template in [script, other] {
        assert!(!html(template, &input).contains("json-"), "{template}");
    }
}

#[test]
fn unknown_variables_print_nothing_and_loops_over_them_run_zero_times() {
    let input = json!({ "items": [{ "id": "a" }], "nothing": null });
    let template = "[{{ task.input.absent }}{{ absent.deeper.still }}{{ task.input.nothing.deeper }}\
        {% for item in task.input.items %}{{ item.id }}{{ item.absent }}{{ item.absent.deeper | times: 100 | round }}{% endfor %}\
        {% for item in task.input.absent %}x{% endfor %}{% for item in task.input.nothing %}x{% endfor %}\
        {% if task.input.absent == \"x\" %}x{% endif %}{% if task.input.absent.deeper %}x{% endif %}\
        {% assign copy = task.input.absent.deeper %}{{ copy }}{% case task.input.absent %}{% when 1 %}x{% endcase %}]";

    assert_eq!(html(template, &input), "[a]");
}

#[test]
fn quotes_braces_trims_and_verbatim_blocks_are_understood() {
    let input = json!({ "text": "<t>" });

    assert_eq!(html("{{ \"a }} b | c\" }}", &input), "a }} b | c");
    assert_eq!(html("x  {{- task.input.text -}}  y", &input), "x&lt;t&gt;y");
    assert_eq!(
        html(
            "{% raw %}{{ task.input.text }}{% endraw %}{{ task.input.text }}",
            &input
        ),
        "{{ task.input.text }}&lt;t&gt;"
    );
    assert_eq!(
        html(
            "{% comment %}don't {{ task.input.text {% endcomment %}{{task.input.text}}",
            &input
        ),
        "&lt;t&gt;"
    );
    assert_eq!(html("{% cycle task.input.text, 'b' %}", &input), "&lt;t&gt;");
    assert_eq!(
        html(
            "{% capture c %}{{ task.input.text }}{% endcapture %}{{ c | skip_autoescape }}",
            &input
        ),
        "&lt;t&gt;"
    );
}

#[test]
fn the_nonce_goes_to_tags_of_the_template_and_never_to_those_of_the_data() {
    let input = json!({ "text": "<script>alert(1)</script>" });
    let template = "<SCRIPT src=\"https://assets.crowd.aws/crowd-html-elements.js\"></SCRIPT>\
        <style>p {}</style><scripty>{{ task.input.text | skip_autoescape }}";

    assert_eq!(
        html(template, &input),
        "<SCRIPT nonce=n0nce src=\"crowd-html-elements.js\"></SCRIPT>\
        <style nonce=n0nce>p {}</style><scripty><script>alert(1)</script>"
    );
}

#[test]
fn a_template_that_is_wrong_is_an_error_not_a_page() {
    for template in [
        "{{ task.input | no_such_filter }}",
        "{% for %}",
        "{% include 'x' %}",
        "{{ 'x' | times: 2 }}",
    ] {
        assert!(render_html(template, &json!({}), "n0nce").is_err(), "{template}");
    }
}

#[test]
fn links_to_objects_are_left_for_later_without_trusting_the_data() {
    let input = json!({ "image": "s3://bucket/a&b.png", "fake": "s3-link-other-0-" });

    let (html, uris) = render_html(
        "<img src=\"{{ task.input.image | grant_read_access }}\">{{ task.input.fake }}",
        &input,
        "n0nce",
    )
    .expect("template renders");

    assert_eq!(html, "<img src=\"s3-link-n0nce-0-\">s3-link-other-0-");
    assert_eq!(uris, ["s3://bucket/a&b.png"]);
}

proptest! {
    #[test]
    fn no_text_gets_a_tag_or_a_quote_through(text in "[<>&\"'a-z;{}%|\\\\ \\n]{0,40}") {
        let input = json!({ "text": text, "items": [text] });
        let template = "{{ task.input.text }}{{ task.input.text | escape }}{{ task.input.text | escape_once }}\
            {{ task.input.text | upcase | strip }}{{ task.input.text | escape | truncate: 9 }}{{ task.input.items }}\
            {% for item in task.input.items %}{{ item }}{% cycle item, 'a' %}{% endfor %}\
            {% assign copy = task.input.text %}{{ copy }}{{ task.input.items | join: ', ' }}";

        let html = html(template, &input);

        prop_assert!(!html.contains(['<', '>', '"', '\'']), "{}", html);
    }

    #[test]
    fn json_never_ends_a_script(text in any::<String>()) {
        let json = html("{{ task.input | to_json }}", &json!({ "text": text }));

        let unsafe_characters = ['<', '>', '&', '\'', '\u{2028}', '\u{2029}'];
        prop_assert!(!json.contains(unsafe_characters), "{}", json);
        let back: Value = serde_json::from_str(&json).expect("it is JSON");
        prop_assert_eq!(&back["text"], &Value::String(text));
    }

    #[test]
    fn text_outside_of_markup_is_left_as_it_is(text in "[^{}]{0,60}") {
        let text = text.replace('<', "");
        prop_assert_eq!(html(&text, &json!({})), text);
    }
}

proptest! {
    // What is wrong here is rare.
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_template_makes_the_renderer_panic(template in "[{}%|a-z'\" .\\-]{0,40}") {
        let _ = render_html(&template, &json!({ "a": 1 }), "n0nce");
    }
}

#[test]
fn an_end_that_lies_in_the_opening_itself_ends_nothing() {
    for template in [
        "{%}", "{{}", "{%}%}", "{{}}}", "a {%'}", "{%-}", "{%-%}", "{{-}}", "{{--}}",
    ] {
        let rendered = render_html(template, &json!({}), "n0nce");
        let said = rendered.map_or_else(|error| error.to_string(), |(html, _)| html);
        assert!(!said.contains("print"), "{template}: {said}");
    }
}

fn refusal(template: &str, input: &Value) -> String {
    let error = render_html(template, input, "n0nce").expect_err("it is refused");
    error.to_string()
}

#[test]
fn loops_without_end_and_endless_text_are_errors() {
    let input = json!({ "n": 1_000_000_000_000_i64, "items": vec![0; 400], "text": "x".repeat(1_000) });
    let nested = "{% for a in task.input.items %}{% for b in task.input.items %}{% continue %}{% endfor %}{% endfor %}";
    let text = format!("{{% for i in (1..99000) %}}{}{{% endfor %}}", "x".repeat(1_000));
    let captured = format!("{{% capture c %}}{text}{{% endcapture %}}");
    let doubled =
        "{% assign s = task.input.text %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}";

    for endless in [
        "{% for i in (1..task.input.n) %}{% endfor %}",
        "{%- for i in (1..1000000000) -%} {%- endfor -%}",
        "{% tablerow i in (-9223372036854775808..9223372036854775807) %}{% endtablerow %}",
        nested,
    ] {
        assert!(refusal(endless, &input).contains("turns"), "{endless}");
    }
    for too_much in [&captured, doubled] {
        assert!(refusal(too_much, &input).contains("too much text"));
    }
    assert!(!refusal(&text, &input).is_empty());
}

#[test]
fn what_makes_the_library_panic_is_an_error() {
    let input = json!({ "items": [1, 2], "least": i64::MIN, "most": i64::MAX });

    for template in [
        "{% tablerow i in task.input.items cols:0 %}{{ i }}{% endtablerow %}",
        "{{ task.input.most | plus: 1 | plus: task.input.most }}",
        "{{ task.input.least | abs }}",
        "{{ task.input.least | divided_by: -1 }}",
        "{{ task.input.most | times: task.input.most }}",
    ] {
        // Either way: it is answered.
        let _ = render_html(template, &input, "n0nce");
    }
    refusal(
        "{% tablerow i in task.input.items cols:0 %}{{ i }}{% endtablerow %}",
        &input,
    );
}

#[test]
fn blocks_that_are_too_deep_are_an_error() {
    let deep = format!("{}{}", "{% if true %}".repeat(5_000), "{% endif %}".repeat(5_000));

    assert!(refusal(&deep, &json!({})).contains("deep"));
}

#[test]
fn counting_changes_nothing_of_what_a_loop_writes() {
    let input = json!({ "items": ["a", "b"], "n": 2, "inner": { "n": 3 } });

    for (template, expected) in [
        ("{% for i in task.input.items %} {{ i }} {% endfor %}", " a  b "),
        (
            "x {%- for i in task.input.items -%} {{ i }} {%- endfor -%} y",
            "xaby",
        ),
        (
            "x {%- for i in (1..task.input.n) %}, {{ i }}{% endfor %}",
            "x, 1, 2",
        ),
        (
            "{% for i in (1..task.input.inner.n) %}{{ i }}{% else %}none{% endfor %}",
            "123",
        ),
        ("{% for i in (3..1) %}{{ i }}{% else %}none{% endfor %}", "none"),
        (
            "{% raw %}{% for i in (1..9) %}{% endraw %}",
            "{% for i in (1..9) %}",
        ),
        (
            "{% for i in task.input.items %}{% if i == 'a' %}{% continue %}{% endif %}{{ i }}{% endfor %}",
            "b",
        ),
        (
            "{% for a in task.input.items %}{% for b in (1..2) %}{{ a }}{{ b }}{% endfor %}{% endfor %}",
            "a1a2b1b2",
        ),
    ] {
        assert_eq!(html(template, &input), expected, "{template}");
    }
}

#[test]
fn what_is_wrong_with_a_template_is_told_of_the_template_itself() {
    for template in [
        "<p>{% for %}</p>",
        "{% for a in task.input.b %}{% if %}{% endif %}{% endfor %}",
    ] {
        let error = render_html(template, &json!({}), "n0")
            .expect_err("it is wrong")
            .to_string();

        assert!(!error.contains("count_turn"), "{error}");
    }
}

#[test]
fn an_error_quotes_the_template_as_it_was_written_and_nothing_that_was_put_into_it() {
    for broken in [
        "<script></script>{% for %}{{ l }}{% endfor %}",
        "{% for i in (1..task.input.n) %}{{ i | nofilter }}{% endfor %}",
        "{%- for i in task.input.items -%}{{- i | escape | nofilter -}}{% endfor %}",
        "{% for i in task.input.items %}{{ l }}{% endif %}",
        "{% if %}{{ l }}",
        "{{ l | append }}",
        "{% tablerow %}{{ a }}{% endtablerow %}",
        "{% for a in b %}{% for i in (1..3) %}{{ a }",
    ] {
        let said = refusal(broken, &json!({ "n": 3, "items": [1] }));

        for own in ["count_turn", "check_range", "print", "nonce", "n0nce"] {
            assert!(!said.contains(own), "{broken}\n{said}");
        }
        assert!(!said.is_empty() && !said.starts_with("liquid: liquid"), "{said}");
    }
    let said = refusal("{% for %}{{ l }}{% endfor %}", &json!({}));
    assert!(said.contains("{% for %}{{ l }}{% endfor %}"), "{said}");
    assert!(said.contains("--> line 1\n"), "{said}");
}
