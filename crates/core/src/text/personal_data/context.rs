//! What the words before a number say that it is.

/// Words before the number of a phone, or beginnings of them.
const PHONE: &[&str] = &[
    "tel",
    "tél",
    "phone",
    "fon",
    "fax",
    "handy",
    "mobil",
    "mobile",
    "cell",
    "móvil",
    "celular",
    "ruf",
    "call",
    "anruf",
    "whatsapp",
    "sms",
    "durchwahl",
];

/// Words before the number of another thing.
const THINGS: &[&str] = &[
    "aktenzeichen",
    "angebot",
    "art",
    "article",
    "artikel",
    "artículo",
    "auftrag",
    "barcode",
    "batch",
    "bestellung",
    "bestellungen",
    "build",
    "case",
    "charge",
    "commande",
    "contract",
    "ean",
    "factura",
    "facture",
    "fattura",
    "invoice",
    "invoices",
    "isbn",
    "item",
    "lot",
    "model",
    "modell",
    "order",
    "orders",
    "ordine",
    "paket",
    "parcel",
    "part",
    "pedido",
    "policy",
    "product",
    "produkt",
    "raum",
    "rechnung",
    "rechnungen",
    "ref",
    "reference",
    "referenz",
    "room",
    "sendung",
    "serial",
    "shipment",
    "sku",
    "ticket",
    "tracking",
    "upc",
    "vertrag",
    "vorgang",
    "zimmer",
];

/// Words whose number is of another thing only where `no.` or `Nr.` says so: those of people, `customer no.`, and first
/// parts of compounds, `Rechnungs-Nr.`.
const NUMBERED: &[&str] = &[
    "account",
    "auftrags",
    "bestell",
    "client",
    "customer",
    "konto",
    "kunde",
    "kunden",
    "liefer",
    "member",
    "mitglied",
    "mitglieds",
    "rechnungs",
    "sendungs",
    "serien",
    "vertrags",
    "vorgangs",
];

/// Words before the number of a device, a SIM card or goods, which may have the checksum of a card.
const IDS: &[&str] = &[
    "barcode",
    "ean",
    "gtin",
    "iccid",
    "imei",
    "isbn",
    "meid",
    "seriennummer",
    "serial",
    "sendungsnummer",
    "sku",
    "trackingnummer",
    "tracking",
    "upc",
];

/// Ends of words that say it themselves: `Kundennummer`, unless they are those of a phone.
const ENDS: &[&str] = &["nummer", "nr", "number"];

/// Words before a version or the number of a section.
const VERSIONS: &[&str] = &[
    "abschnitt",
    "build",
    "chapter",
    "driver",
    "firmware",
    "kapitel",
    "paragraph",
    "patch",
    "release",
    "revision",
    "section",
    "treiber",
    "update",
    "v",
    "ver",
    "version",
    "versión",
    "versione",
    "§",
    "§§",
];

/// Words that stand between such a word and its number.
const BETWEEN: &[&str] = &[
    "#", "code", "id", "is", "ist", "n", "no", "nr", "num", "number", "nummer", "n°", "nº",
];

/// Words that are looked at.
const WORDS: usize = 3;

/// Returns whether the words before a number say that it is not one of a phone: `Bestellung Nr.`, `Seriennummer`.
pub(super) fn is_number_of_a_thing(before: &str) -> bool {
    let is_phone = last_words(before).any(|word| PHONE.iter().any(|known| word.starts_with(known)));
    let is_between = |word: &String| BETWEEN.contains(&word.as_str());
    let is_said = last_words(before).next().is_some_and(|word| is_between(&word));
    let is_thing = |word: String| {
        THINGS.contains(&word.as_str())
            || is_said && NUMBERED.contains(&word.as_str())
            || ENDS.iter().any(|end| word.ends_with(end))
    };
    !is_phone
        && last_words(before)
            .find(|word| !is_between(word))
            .is_some_and(is_thing)
}

/// Returns whether the word before a number says that it is not one of a card: `IMEI:`, `Serial number`.
pub(super) fn is_id_of_a_thing(before: &str) -> bool {
    let mut words = last_words(before).filter(|word| !BETWEEN.contains(&word.as_str()));
    words.next().is_some_and(|word| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        IDS.contains(&word)
    })
}

/// Returns whether the word before four numbers with dots between says that they are no address: `Version`.
pub(super) fn is_version(before: &str) -> bool {
    let mut words = last_words(before).filter(|word| !BETWEEN.contains(&word.as_str()));
    words.next().is_some_and(|word| VERSIONS.contains(&word.as_str()))
}

/// Returns the last words of a line in lower case, the nearest first.
fn last_words(before: &str) -> impl Iterator<Item = String> + '_ {
    let line = before.rsplit('\n').next().unwrap_or_default();
    let words =
        line.split(|c: char| c.is_whitespace() || matches!(c, ':' | '.' | ',' | '(' | '=' | '-' | '/' | '_'));
    let words = words.filter(|word| !word.is_empty()).rev();
    words.take(WORDS).map(str::to_lowercase)
}
