//! Which words deny, doubt or turn what stands beside them, in the languages of which that is known here.
//!
//! In every other language no small change is trusted: only the form counts there.

use whatlang::Lang;

/// How sure the detector must be of a language. Measured on 6,161 English news items and on sentences in 40 languages:
/// of languages that it does not know it is less sure than this, or takes them for one that is not here.
const MIN_CONFIDENCE: f64 = 0.3;

/// Where the detector is not sure, as with a text full of names, two different ones of these words make it English:
/// common ones that are hardly words of other languages as well. So does a word with `'s` beside one of them.
const ENGLISH_WORDS: &str = "the and to with that from by are has have will it its said says which this their his after about \
    against because before between could despite him looks now she they through up wants when where while who would you your";
const MIN_ENGLISH_WORDS: usize = 2;

/// Words of tags that say where a text comes from, or that there is more of it: they deny nothing beside a text of any
/// language.
const OF_SOURCES: &str = "agency report reports press release newswire wire correspondent correspondents full story article here \
    read more source sources from our reader readers staff desk agentur agence agencia agência agenzia agencja агентство \
    ajans ap afp dpa reuters upi ansa apa efe itar kyodo lusa ntb pap sda tass xinhua yonhap";

/// Words that deny, doubt, restrict or turn into a joke what stands beside them, in words of their own.
const DENIALS: &[(Lang, &str)] = &[
    (
        Lang::Eng,
        "no not never none nothing nobody neither nor without false fake wrong untrue lie lies hoax denied \
         denies deny cancelled canceled unless but however except isn't wasn't aren't weren't don't doesn't \
         didn't can't cannot couldn't won't wouldn't shouldn't hasn't haven't hadn't ain't hardly barely \
         scarcely rarely seldom allegedly supposedly joke joking kidding sarcasm sarcastic sarcastically \
         irony ironic ironically satire parody retracted withdrawn refuted debunked rumour rumor lol jk",
    ),
    (
        Lang::Deu,
        "nein nicht nichts niemand kein keine keinen keiner keinem keines nie niemals ohne aber falsch \
         sondern jedoch außer kaum selten angeblich ironie ironisch sarkasmus sarkastisch witz scherz \
         satire unwahr gelogen lüge weder noch",
    ),
    (
        Lang::Fra,
        "non ne pas jamais rien personne aucun aucune sans mais faux ni sauf guère rarement sinon cependant \
         pourtant ironie ironique sarcasme blague satire mensonge démenti prétendument soi-disant",
    ),
    (
        Lang::Spa,
        "no nunca jamás nada nadie ningún ninguna ninguno sin pero falso mentira ni salvo excepto apenas \
         sino supuestamente tampoco ironía irónico sarcasmo broma sátira desmentido",
    ),
    (
        Lang::Por,
        "não nunca jamais nada ninguém nenhum nenhuma nem sem mas falso mentira exceto salvo senão apenas \
         supostamente tampouco porém ironia irônico sarcasmo brincadeira piada sátira",
    ),
    (
        Lang::Ita,
        "no non mai niente nulla nessuno nessuna né senza ma però falso bugia tranne eccetto appena \
         raramente altrimenti presunto neanche nemmeno ironia ironico sarcasmo scherzo satira smentito",
    ),
    (
        Lang::Nld,
        "nee niet niets niemand geen nooit maar zonder onwaar leugen behalve nauwelijks zelden zogenaamd \
         tenzij echter noch ironie ironisch sarcasme grap satire",
    ),
    (
        Lang::Pol,
        "nie nigdy nic nikt żaden żadna żadne bez ale lecz jednak fałsz kłamstwo oprócz ledwo rzekomo ani \
         chyba ironia sarkazm żart satyra",
    ),
    (
        Lang::Rus,
        "не нет ни никогда ничего ничто никто никак без но однако ложь неправда фейк кроме едва вряд якобы \
         ирония сарказм шутка сатира нельзя",
    ),
    (
        Lang::Ara,
        "لا ليس ليست لم لن ما غير بدون دون لكن ولكن ولا ولم ولن وليس إلا أبدا كاذب كذب خطأ مزحة سخرية \
         بالكاد",
    ),
    (
        Lang::Hin,
        "नहीं मत न ना बिना लेकिन मगर पर परंतु किंतु कभी झूठ गलत शायद वरना मज़ाक व्यंग्य",
    ),
];

/// The same in scripts and languages that write it together with other words.
const DENYING_PARTS: &[(Lang, &str)] = &[
    (Lang::Eng, "n't"),
    (
        Lang::Cmn,
        "不 没 沒 无 無 非 未 别 別 但 却 卻 假 否 反 讽 諷 玩笑",
    ),
    (
        Lang::Jpn,
        "ない ません なかった ず ぬ が けど しかし でも 嘘 偽 否 不 無 未 非 冗談 皮肉",
    ),
    (
        Lang::Kor,
        "않 못 없 아니 안 말고 지만 그러나 하지만 거짓 가짜 농담",
    ),
    (Lang::Tha, "ไม่ แต่ มิ ไร้ อย่า เท็จ ปลอม ล้อเล่น ประชด"),
];

/// What takes a whole text back wherever it stands behind it, in normal form with bars between: that it was a joke, or that all
/// is settled.
const RETRACTIONS: &[&str] = &[
    "kidding|just joking|only joking|april fool|april fools|scrap that|scratch that|opposite day|in my dream|in my dreams|/ s|\
     edit solved|problem solved|never mind|disregard|ignore this|ignore that|ignore my|forget it|forget this|forget what|false alarm|\
     all good now|no longer needed|sorted now|sorted itself",
    "scherz|aprilscherz|nur spass|witz|ironie|erledigt|gelöst|fehlalarm|vergessen sie|vergesst|vergiss|hinfällig",
    "plaisante|plaisantais|plaisanterie|blague|poisson d'avril|affaire classée|tout est réglé|réglé|résolu|oubliez|oublie|\
     fausse alerte",
    "broma|inocentada|resuelto|solucionado|olviden|olvídenlo|olvidadlo|falsa alarma|ya está arreglado",
    "brincadeira|resolvido|esqueçam|esqueça|alarme falso|solucionado",
    "scherzo|scherzavo|pesce d'aprile|risolto|dimenticate|falso allarme",
    "grapje|opgelost|laat maar|vals alarm|vergeet",
    "żart|żartuję|rozwiązane|nieaktualne|fałszywy alarm|zapomnijcie",
    "шутка|шучу|вопрос снят|вопрос решён|вопрос решен|уже решено|отбой|неактуально|ложная тревога|забудьте",
    "مزحة|أمزح|تم الحل|انسوا",
    "मज़ाक|मजाक|हल हो गया",
];

/// The same in a rest of few words: in a longer one they may speak of something else.
const RETRACTING_FEW: [&str; 6] = ["solved", "resolved", "sorted", "edit", "nevermind", "joking"];
/// Words of such a rest at most.
const FEW: usize = 4;

/// The same where words stand without spaces, or hold their endings.
const RETRACTING_PARTS: &str =
    "开玩笑 開玩笑 愚人节 已解决 已解決 搞定了 冗談 解決しました 解決済み 농담 해결됐 해결되었 ล้อเล่น แก้ไขแล้ว";

/// Returns whether something in what follows a text, in normal form, takes the whole of it back, in any of the languages.
pub(super) fn retracts(rest: &str) -> bool {
    let words: String = rest
        .split_whitespace()
        .filter(|word| *word != ",")
        .fold(String::from(" "), |words, word| words + word + " ");
    let holds = |phrase: &str| words.contains(&format!(" {phrase} "));
    let is_short = words.split_whitespace().count() <= FEW;
    let are_few = || {
        words
            .split_whitespace()
            .any(|word| RETRACTING_FEW.contains(&word))
    };
    (is_short && are_few())
        || RETRACTIONS.iter().flat_map(|list| list.split('|')).any(holds)
        || RETRACTING_PARTS.split(' ').any(|part| words.contains(part))
}

/// Returns whether the words of a text's language that deny are known here; the text is in normal form.
pub(super) fn is_known(text: &str) -> bool {
    let Some(info) = whatlang::detect(text) else {
        return false;
    };
    let is_listed = DENIALS
        .iter()
        .chain(DENYING_PARTS)
        .any(|(lang, _)| *lang == info.lang());
    let is_sure = info.confidence() >= MIN_CONFIDENCE;
    is_sure && is_listed || !info.is_reliable() && has_english_words(text)
}

fn has_english_words(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let found = ENGLISH_WORDS
        .split_whitespace()
        .filter(|word| words.contains(word));
    let has_genitive = words.iter().any(|word| word.ends_with("'s"));
    found.count() + usize::from(has_genitive) >= MIN_ENGLISH_WORDS
}

/// Returns whether a word of a tag, in normal form, names a source, whatever the language of the text.
pub(super) fn names_source(word: &str) -> bool {
    OF_SOURCES.split_whitespace().any(|source| source == word)
}

/// Returns whether a word in normal form denies, doubts or restricts, in any of the languages.
pub(super) fn denies(word: &str) -> bool {
    let is_listed = |list: &str| list.split(' ').any(|denial| denial == word);
    let has_part = |list: &str| list.split(' ').any(|part| word.contains(part));
    DENIALS.iter().any(|(_, list)| is_listed(list)) || DENYING_PARTS.iter().any(|(_, list)| has_part(list))
}
