use super::*;

fn values(html: &str) -> Vec<(String, Values)> {
    let fields = read_form(html).fields.into_iter();
    fields.map(|field| (field.name, field.values)).collect()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn the_categories_are_read_in_every_notation_that_templates_use() {
    for categories in [
        r#""[&quot;It&#39;s A&quot;, &quot;B \&quot;q\&quot;&quot;]""#,
        r#"'["It&#39;s A", "B \"q\""]'"#,
        r#""['It\'s A', 'B &quot;q&quot;']""#,
        r#""['It\'s A', 'B &quot;q&quot;', ]""#,
    ] {
        let html = format!("<crowd-classifier name='c' categories={categories}></crowd-classifier>");
        assert_eq!(
            values(&html),
            [(
                "c".to_owned(),
                Values::Classifier(strings(&["It's A", "B \"q\""]))
            )],
            "{html}"
        );
    }
    assert_eq!(
        relaxed_json("{ text: 'None, it\\'s \"other\"', }"),
        Some(serde_json::json!({"text": "None, it's \"other\""}))
    );
}

#[test]
fn every_entity_is_read_as_a_browser_reads_it() {
    for (html, label) in [
        (
            "<crowd-classifier name=c categories=\"[&#x27;It&#x2019;s A&#x27;]\"></crowd-classifier>",
            "It\u{2019}s A",
        ),
        (
            "<crowd-classifier name=c categories='[&#34;Caf&#233;&#34;]'></crowd-classifier>",
            "Café",
        ),
        (
            "<crowd-classifier name=c categories='[&quot;A &amp;amp; B&quot;]'></crowd-classifier>",
            "A &amp; B",
        ),
    ] {
        let read = Values::Classifier(strings(&[label]));
        assert_eq!(values(html), [("c".to_owned(), read)], "{html}");
    }
    let html = "<select name=s><option>Caf&eacute;<option value='R&D'>R&amp;D<option value='a?b=1&copy=2'>x<option>&euro;5\
                </select><input name=t value='&NotAnEntity; &lt;&#0060;'>";
    assert_eq!(
        values(html),
        [
            (
                "s".to_owned(),
                Values::Select(strings(&["Café", "R&D", "a?b=1&copy=2", "€5"]))
            ),
            ("t".to_owned(), Values::Text("&NotAnEntity; <<".to_owned())),
        ]
    );
}

#[test]
fn markup_in_scripts_and_comments_is_no_field() {
    let html = "<!-- <input name=a> --><script>'<input name=b>'</script><STYLE><input name=c></STYLE>\
        <input name=d disabled><input name=portal:csrf><INPUT NAME=e value=\"1 > 0\"><a href=/x>";
    assert_eq!(values(html), [("e".to_owned(), Values::Text("1 > 0".to_owned()))]);
}

#[test]
fn elements_that_the_portal_does_not_have_are_named() {
    let form =
        read_form("<crowd-form><crowd-line name='x'></crowd-line><crowd-tab></crowd-tab></crowd-form>");

    assert_eq!(
        form.unknown_elements.into_iter().collect::<Vec<_>>(),
        ["crowd-line"]
    );
    assert_eq!(form.fields, []);
}

#[test]
fn a_text_begins_as_its_initial_value_whatever_is_in_it() {
    let quoted = "&quot;A \\&quot;quoted\\&quot; text&quot;";
    for (html, begins_as) in [
        (
            "<crowd-text-area name=t initial-value='One&#39;s &lt;b&gt; &amp;lt;'></crowd-text-area>",
            "One's <b> &lt;",
        ),
        (
            "<crowd-input name=t initial-value=\"&quot;&gt;&lt;input name=x&gt;\"></crowd-input>",
            "\"><input name=x>",
        ),
        (
            &format!("<crowd-input name=t json-initial-value initial-value=\"{quoted}\"></crowd-input>"),
            "A \"quoted\" text",
        ),
        (
            "<crowd-input name=t initial-value=\"&quot;Quoted as a whole&quot;\"></crowd-input>",
            "\"Quoted as a whole\"",
        ),
        (
            "<crowd-input name=t value=first initial-value=second></crowd-input>",
            "first",
        ),
        (
            "<crowd-input name=t value='' initial-value=second></crowd-input>",
            "second",
        ),
        (
            "<crowd-text-area name=t initial-value=second> third </crowd-text-area>",
            "second",
        ),
        (
            "<crowd-text-area name=t> third &amp; last </crowd-text-area>",
            "third & last",
        ),
        ("<crowd-text-area name=t></crowd-text-area>", ""),
        (
            "<crowd-input name=t initial-value=\"&quot;\"></crowd-input>",
            "\"",
        ),
    ] {
        assert_eq!(
            values(html),
            [("t".to_owned(), Values::Text(begins_as.to_owned()))],
            "{html}"
        );
    }
}

#[test]
fn a_category_of_its_own_that_no_label_fits_is_known_by_the_field_unless_it_is_a_label() {
    let html = "<crowd-classifier name=a categories='[\"World\"]' exclusion-category=\"{ text: 'Keine davon' }\"></crowd-classifier>\
        <crowd-classifier-multi-select name=b categories='[\"World\"]' exclusion-category=\"{ text: 'It\\'s none' }\">\
        </crowd-classifier-multi-select><crowd-classifier name=c categories='[\"World\",\"Other\"]' exclusion-category=other>\
        </crowd-classifier><crowd-classifier name=d categories='[\"World\"]' exclusion-category=''></crowd-classifier>\
        <crowd-classifier categories='[\"World\"]' exclusion-category=nameless></crowd-classifier>";

    let found: Vec<(String, String)> = read_form(html).exclusions.into_iter().collect();

    let expected = [("a", "Keine davon"), ("b", "It's none")];
    assert_eq!(
        found,
        expected.map(|(name, word)| (name.to_owned(), word.to_owned()))
    );
}
