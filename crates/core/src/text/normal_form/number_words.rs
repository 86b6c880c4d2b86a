//! Words that are numbers, in the languages that are written most here. In others a minus before a number in words is taken
//! for the dash of a list.

/// Numbers in words, as they stand in a plain text: without articles, which are words of every other sentence.
const NUMBER_WORDS: [&str; 10] = [
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen \
     eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half",
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf sech sieb zwanzig dreissig vierzig fünfzig \
     sechzig siebzig achtzig neunzig hundert tausend million millionen milliarde milliarden",
    "deux trois quatre cinq six sept huit neuf dix onze douze treize quinze vingt trente quarante cinquante soixante \
     cent cents mille million millions milliard milliards",
    "dos tres cuatro cinco seis siete ocho nueve diez once doce quince veinte treinta cuarenta cincuenta cien ciento \
     mil millón millones",
    "due tre quattro cinque sei sette otto nove dieci undici dodici venti trenta quaranta cinquanta cento mille milione",
    "dois três quatro cinco seis sete oito nove dez onze doze vinte trinta quarenta cinquenta cem mil milhão milhões",
    "twee drie vier vijf zes zeven acht negen tien elf twaalf twintig dertig veertig vijftig honderd duizend miljoen",
    "dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć dwadzieścia sto tysiąc milion",
    "два две три четыре пять шесть семь восемь девять десять двадцать тридцать сорок пятьдесят сто тысяча тысяч миллион",
    "två tre fyra fem sex sju åtta nio tio tjugo trettio hundra tusen miljon",
];

/// Words that stand between the parts of a number that is written as one word: `fünfundzwanzig`, `vijfentwintig`.
const JOINTS: [&str; 3] = ["und", "en", "ën"];

/// Returns whether a word in lower case is a number, or several that are written as one word.
pub(super) fn is_number_word(word: &str) -> bool {
    let mut words = NUMBER_WORDS.iter().flat_map(|words| words.split(' '));
    words.any(|number| match word.strip_prefix(number) {
        None => false,
        Some("") => true,
        Some(rest) => {
            let mut joints = JOINTS.iter().filter_map(|joint| rest.strip_prefix(joint));
            is_number_word(rest) || joints.any(is_number_word)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words_are_known_also_where_several_are_one_word() {
        for number in [
            "five",
            "fünf",
            "fünfundzwanzig",
            "zwölftausend",
            "vijfentwintig",
            "cinq",
            "пять",
        ] {
            assert!(is_number_word(number), "{number}");
        }
        for other in ["", "fifth", "often", "tennis", "fünfte", "ein", "une", "rates"] {
            assert!(!is_number_word(other), "{other}");
        }
    }
}
