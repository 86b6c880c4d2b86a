//! Tests of what is found and what stays.

use proptest::prelude::*;

use super::*;

fn masked(text: &str) -> String {
    mask(text).text.into_owned()
}

#[test]
fn every_kind_is_found_in_the_forms_in_which_people_write_it() {
    for (text, expected) in [
        (
            "write to Jane.Doe+shop@mail.example.co.uk, please",
            "write to [EMAIL], please",
        ),
        ("мария@почта.рф schrieb", "[EMAIL] schrieb"),
        (
            "IBAN DE89 3704 0044 0532 0130 00 bitte",
            "IBAN [INTERNATIONAL_BANK_ACCOUNT_NUMBER] bitte",
        ),
        ("gb82west12345698765432.", "[INTERNATIONAL_BANK_ACCOUNT_NUMBER]."),
        (
            "card 4111 1111 1111 1111 was charged",
            "card [CREDIT_DEBIT_NUMBER] was charged",
        ),
        (
            "5500-0000-0000-0004 and 378282246310005",
            "[CREDIT_DEBIT_NUMBER] and [CREDIT_DEBIT_NUMBER]",
        ),
        (
            "from 203.0.113.7 and 2001:db8::8a2e:370:7334",
            "from [IP_ADDRESS] and [IP_ADDRESS]",
        ),
        (
            "ring +49 30 1234567 or +1 (555) 234-5678",
            "ring [PHONE] or [PHONE]",
        ),
        (
            "Tel. 0049-30-123456, 030/1234567, 0171 2345678",
            "Tel. [PHONE], [PHONE], [PHONE]",
        ),
        ("(030) 123 45 67; 555-234-5678", "[PHONE]; [PHONE]"),
        ("a@b.de,+4930123456", "[EMAIL],[PHONE]"),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn a_card_number_is_found_before_a_date_of_expiry_and_a_security_code() {
    for (text, expected) in [
        ("4111 1111 1111 1111 12/27", "[CREDIT_DEBIT_NUMBER] 12/27"),
        ("4111111111111111 03/28", "[CREDIT_DEBIT_NUMBER] 03/28"),
        ("4111 1111 1111 1111 123", "[CREDIT_DEBIT_NUMBER] 123"),
        ("4111111111111111 123", "[CREDIT_DEBIT_NUMBER] 123"),
        ("4111111111111111-737", "[CREDIT_DEBIT_NUMBER]-737"),
        ("4111-1111-1111-1111-737", "[CREDIT_DEBIT_NUMBER]-737"),
        ("4111 1111 1111 1111 12/27 737", "[CREDIT_DEBIT_NUMBER] 12/27 737"),
        ("4111 1111 1111 1111 2027-12", "[CREDIT_DEBIT_NUMBER] 2027-12"),
        ("3782 822463 10005 12/27", "[CREDIT_DEBIT_NUMBER] 12/27"),
        ("378282246310005 1234", "[CREDIT_DEBIT_NUMBER] 1234"),
        ("3056 930902 5904 12/27", "[CREDIT_DEBIT_NUMBER] 12/27"),
        ("4222 222 222 222 12/27", "[CREDIT_DEBIT_NUMBER] 12/27"),
        ("4222222222222 12/27", "[CREDIT_DEBIT_NUMBER] 12/27"),
        ("6304 0000 0000 0000 00 12/27", "[CREDIT_DEBIT_NUMBER] 12/27"),
        (
            "4111111111111111 5500000000000004",
            "[CREDIT_DEBIT_NUMBER] [CREDIT_DEBIT_NUMBER]",
        ),
        ("4111111111111111 0171 2345678", "[CREDIT_DEBIT_NUMBER] [PHONE]"),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn phone_numbers_are_found_as_people_write_them_in_several_countries() {
    for number in [
        "01701234567",
        "08912345678",
        "0170 12 34 567",
        "0170 / 12 34 567",
        "0170/1234567",
        "(089) 12 34 56 78",
        "040-12 34 56-0",
        "+49 (0)30 / 123 45 67",
        "+49 30 / 1234567",
        "+49 30 1234567-89",
        "0 30/12 34 56",
        "+43 1 5880",
        "01 23 45 67 89",
        "06.12.34.56.78",
        "1-800-555-0199",
        "555-123-4567",
        "555.123.4567",
        "(555) 123-4567",
        "+1 555 123 4567",
        "020 7946 0958",
        "+33 6 12 34 56 78",
        "＋４９ １７０ １２３４５６７",
        "٠١٧٠١٢٣٤٥٦٧",
        "+49\u{a0}170\u{a0}1234567",
        "0170–1234567",
        "0171\u{200b}2345678",
    ] {
        assert_eq!(
            masked(&format!("please ring {number} today")),
            "please ring [PHONE] today",
            "{number}"
        );
        assert_eq!(masked(number), "[PHONE]", "{number}");
    }
    assert_eq!(masked("Meine Nr. 0171 2345678"), "Meine Nr. [PHONE]");
    assert_eq!(masked("Telefonnummer: 0171 2345678"), "Telefonnummer: [PHONE]");
    // Words that only begin like those of other things, and people.
    for before in [
        "Artur", "Lotte", "Casey", "Partner", "Refik", "Kunde:", "Customer", "nummer",
    ] {
        let text = format!("{before} 0171 2345678");
        assert_eq!(masked(&text), format!("{before} [PHONE]"));
    }
    assert_eq!(masked("+49 171 5556688 12345 Berlin"), "[PHONE] 12345 Berlin");
}

#[test]
fn a_number_whose_country_stands_in_brackets_is_found_whole() {
    for number in [
        "(+44) 20 7946 0958",
        "(+44)2079460958",
        "(+49) 30 901820",
        "(+49)30901820",
        "[+49] 30 901820",
        "(+49)-30-901820",
        "(+49) (0)30 901820",
        "(+49)(30)901820",
        "(+33)6 12 34 56 78",
        "(+91) 98765 43210",
        "(+86) 138 0013 8000",
        "(+1) 202-555-0143",
        "(+1) (202) 555-0143",
        "(+1-202) 555-0143",
        "(0049) 30 901820",
        "[0044] 20 7946 0958",
        "(+44 20) 7946 0958",
        "(+4930) 901820",
        "( +49 ) 30 901820",
        "+(49) 30 901820",
        "+(1) 202-555-0143",
        "00(49) 30 901820",
        "（＋４４） 20 7946 0958",
        "(+43) 1 5880",
    ] {
        assert_eq!(
            masked(&format!("Call {number} now")),
            "Call [PHONE] now",
            "{number}"
        );
        assert_eq!(masked(number), "[PHONE]", "{number}");
    }
    assert_eq!(masked("(+49 30 901820)"), "([PHONE])");
    assert_eq!(masked("24/7 (+49) 30 901820"), "24/7 [PHONE]");
    for other in [
        "(+5) 120 30",
        "a score of (+1) 3:2",
        "[+1] 2",
        "(+44)",
        "f(00) 12",
    ] {
        assert_eq!(masked(other), other);
    }
}

#[test]
fn what_is_written_in_an_unusual_way_is_found_whole() {
    for (text, expected) in [
        ("mail p.o'brien@mail.example.ie", "mail [EMAIL]"),
        ("max%40example.com", "[EMAIL]"),
        ("user＠example.com", "[EMAIL]"),
        ("us\u{200b}er@exam\u{ad}ple.com!", "[EMAIL]!"),
        ("5500.0000.0000.0004", "[CREDIT_DEBIT_NUMBER]"),
        ("4111 1111\n1111 1111", "[CREDIT_DEBIT_NUMBER]"),
        (
            "IBAN DE 89 3704 0044 0532 0130 00",
            "IBAN [INTERNATIONAL_BANK_ACCOUNT_NUMBER]",
        ),
        ("from fe80::1%eth0", "from [IP_ADDRESS]%eth0"),
        ("server 10.4.2.1, please", "server [IP_ADDRESS], please"),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn a_number_after_a_time_a_date_or_another_number_is_found() {
    for (text, expected) in [
        ("We answer 24/7 +49 30 1234567", "We answer 24/7 [PHONE]"),
        ("on 11/28 555-123-4567", "on 11/28 [PHONE]"),
        ("Seit 2024 0171 2345678", "Seit 2024 [PHONE]"),
        ("1 0171 2345678", "1 [PHONE]"),
        ("2026-11-28 0171 2345678", "2026-11-28 [PHONE]"),
        ("um 10:30 0171 2345678", "um 10:30 [PHONE]"),
        ("um 10:30 (030) 123 45 67", "um 10:30 [PHONE]"),
        ("room 4 5 +1 555 123 4567", "room 4 5 [PHONE]"),
        ("2024 0049 30 123456", "2024 [PHONE]"),
        (
            "at 10:30 203.0.113.7 logged in",
            "at 10:30 [IP_ADDRESS] logged in",
        ),
        ("2026-11-28 203.0.113.7", "2026-11-28 [IP_ADDRESS]"),
        ("2026-11-28 2001:db8::8a2e:370:7334", "2026-11-28 [IP_ADDRESS]"),
        ("10.0.0.1-10.0.0.9", "[IP_ADDRESS]-[IP_ADDRESS]"),
        // Not parts of longer numbers.
        ("DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
        ("4567-0171 2345678", "4567-0171 2345678"),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn letters_that_are_written_without_blanks_hide_nothing_and_stay() {
    for (text, expected) in [
        ("卡号4111111111111111请退款", "卡号[CREDIT_DEBIT_NUMBER]请退款"),
        ("電話03-1234-5678まで", "電話[PHONE]まで"),
        ("電話+81312345678まで", "電話[PHONE]まで"),
        ("地址203.0.113.7登录", "地址[IP_ADDRESS]登录"),
        ("地址2001:db8::8a2e:370:7334登录", "地址[IP_ADDRESS]登录"),
        (
            "账号DE89370400440532013000谢谢",
            "账号[INTERNATIONAL_BANK_ACCOUNT_NUMBER]谢谢",
        ),
        ("card_4111111111111111", "card_[CREDIT_DEBIT_NUMBER]"),
        ("tel_0171 2345678_x", "tel_[PHONE]_x"),
        ("order_0123 456789", "order_0123 456789"),
        ("请联系jane@example.com谢谢", "请联系[EMAIL]谢谢"),
        ("jane@example.com으로 보내", "[EMAIL]으로 보내"),
        ("請聯絡jane@例子.公司", "[EMAIL]"),
        ("用户@example.com谢谢", "[EMAIL]谢谢"),
        ("мария@почта.рф", "[EMAIL]"),
        (
            "x4111111111111111, 4111111111111111x",
            "x4111111111111111, 4111111111111111x",
        ),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn numbers_that_words_call_another_thing_stay() {
    for text in [
        "Version 10.4.2.1",
        "Firmware 1.2.3.4",
        "Kapitel 3.2.1.4",
        "Artikel 030 123456",
        "Seriennummer 0123 456 789",
        "Rechnung 0221-4711-2025",
        "Bestellung Nr. 01234/567890",
        "order number: 0123456789",
        "Kundennummer 0123 456789",
        "Rechnungs-Nr. 0221-4711-2025",
        "Bestell-Nr. 01234/567890",
        "Auftrags-Nr.: 0221 4711",
        "customer no. 0123 456789",
        "Zimmer 0815 4711",
        "ISBN 0306406152",
        "clone git@github.com:name/project",
        "on 01-02-2026 and 01.02.2026, 05/2026",
        "1.2.3.4.5",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn what_only_looks_alike_stays() {
    for text in [
        "no digits here",
        "order 4111 1111 1111 1112 (wrong checksum)",
        "order 4111 1111 1111 1112 12/27, 4111111111111112 03/28, 41111111111111112-737",
        "order 4567-2026-1128-10 of 2026-11-28 10:30:45, version 4.11.1-20261128",
        "orders 20261128001 and 20261128002 from 2026-11-27 to 2026-11-28, 500 of 1000",
        "DE88 3704 0044 0532 0130 00 has a wrong checksum",
        "version 1.2.3, at 10:30, 12:30:45 on 2026-11-28",
        "300.1.2.3 is no address",
        "it cost 1,299.00 EUR on 01.02.2026, order no. 20261128",
        "between 1990-2000 and 10-20, 3 x 4",
        "follow @jane or mail me @ noon",
        "a ratio of 16:9",
    ] {
        assert_eq!(masked(text), text);
        assert!(mask(text).kinds.is_empty());
    }
}

#[test]
fn a_parameter_that_is_none_of_three_is_refused() {
    assert_eq!("comprehend".parse(), Ok(Treatment::Comprehend));
    assert_eq!("mask".parse(), Ok(Treatment::Mask));
    assert_eq!("keep".parse(), Ok(Treatment::Keep));
    assert!("off".parse::<Treatment>().is_err());
}

#[test]
fn overlapping_pieces_are_replaced_once() {
    let pieces = [(0..4, "NAME"), (2..6, "ADDRESS"), (7..9, "AGE")];

    assert_eq!(replace("abcdefghijk", &pieces), "[NAME]g[AGE]jk");
}

/// A number beside one that is found for itself has another form alone than with it.
#[test]
fn what_is_left_beside_a_number_that_was_found_is_searched_again() {
    assert_eq!(
        masked("0+1000000-2418396-462436"),
        "0[PHONE]-[CREDIT_DEBIT_NUMBER]"
    );
    assert_eq!(
        masked("41111111-11111111 0049 30 901820"),
        "[CREDIT_DEBIT_NUMBER] [PHONE]"
    );
}

proptest! {
    #[test]
    fn a_masked_text_is_not_changed_again(text in "[a-z0-9@. :+()/\\-]{0,60}") {
        let once = masked(&text);
        prop_assert_eq!(masked(&once), once);
    }

    #[test]
    fn masked_numbers_hide_no_others(text in "([0-9]{1,7}[ ./:_卡+\\-]?){0,12}") {
        let once = masked(&text);
        prop_assert_eq!(masked(&once), once);
    }

    #[test]
    fn any_text_is_masked_without_harm_to_the_rest(text in any::<String>()) {
        for found in find(&text) {
            prop_assert!(text.is_char_boundary(found.begin) && text.is_char_boundary(found.end));
        }
    }
}

#[test]
fn round_amounts_and_paragraphs_are_nobody_s_numbers() {
    for text in [
        "1 000 000 000 EUR",
        "1\u{202f}000\u{202f}000\u{202f}000 €",
        "10 000 000 000 Ft",
        "+12 000 000 people",
        "+1 000 000 km, up +250 000 000 since",
        "§ 10.1.2.3",
    ] {
        assert_eq!(mask(text).text, text);
    }
    for (text, masked) in [
        ("+420 602 123 456", "[PHONE]"),
        ("call +1 800 200 3000", "call [PHONE]"),
        ("0800 000 000", "[PHONE]"),
    ] {
        assert_eq!(mask(text).text, masked, "{text}");
    }
}
