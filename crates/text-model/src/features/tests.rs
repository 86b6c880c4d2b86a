use super::*;

fn words(text: &str) -> String {
    letters(text).into_iter().collect()
}

#[test]
fn case_punctuation_and_compatibility_forms_make_no_difference() {
    let plain = Features::of("the fine profit of 5 firms");

    assert_eq!(Features::of("The “ﬁne” PROFIT of ５ firms!"), plain);
    assert_eq!(Features::of("the fine   profit: of 5 -- firms"), plain);
}

#[test]
fn entities_and_markup_leave_no_trace() {
    let plain = words("it's a bold move 3 < 4");

    for copy in [
        "it#39;s a &lt;b&gt;bold&lt;/b&gt; move 3 &lt; 4",
        "It&#x27;s a <b>bold</b> move<br /> 3 < 4",
        "<p class=\"x\">it&apos;s&nbsp;a bold move 3 < 4</p>",
    ] {
        assert_eq!(words(copy), plain, "{copy}");
    }
    assert_eq!(words("<<<a"), " a ");
}

#[test]
fn plain_and_other_texts_are_read_alike() {
    let plain = "Rates rise: 3.5% more, says J.P. Morgan_x";

    assert_eq!(words(&format!("{plain} \u{2014}")), words(plain));
}

#[test]
fn word_order_makes_a_difference() {
    assert_ne!(Features::of("dog bites man"), Features::of("man bites dog"));
}

#[test]
fn characters_of_unsegmented_scripts_are_words() {
    let shared = Features::of("北京天气很好").similarity(&Features::of("明天北京天气"));
    let other = Features::of("北京天气很好").similarity(&Features::of("股票市场上涨"));

    assert_eq!(words("iPhone手机"), " iphone 手机 ");
    assert!(shared > 0.3 && other == 0.0, "{shared} {other}");
    assert!(Features::of("อากาศวันนี้ดี").similarity(&Features::of("วันนี้อากาศร้อน")) > 0.3);
    assert_eq!(words("हिन्दी में"), " हिन्दी में ");
}

#[test]
fn signs_are_features() {
    for (text, other) in [
        ("great 👍", "great 👎"),
        ("it is good", "it is good?"),
        ("minus -12", "minus 12"),
        ("5 €", "5 %"),
        ("F", "F#"),
    ] {
        assert_ne!(Features::of(text), Features::of(other), "{text} {other}");
    }
    assert_eq!(Features::of("🎉🎉").len(), 1);
}

#[test]
fn text_without_letters_digits_or_signs_has_no_features() {
    for text in ["", " \t\n", "\0", "!…", "—"] {
        assert_eq!(Features::of(text).len(), 0, "{text:?}");
    }
}

#[test]
fn similarity_of_a_text_with_itself_is_one() {
    for text in ["a", "goal goal", &"word ".repeat(9_000)] {
        let features = Features::of(text);
        assert!(
            (features.similarity(&features) - 1.0).abs() < 1e-5,
            "{}",
            features.similarity(&features)
        );
    }
}
