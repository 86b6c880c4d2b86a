#!/usr/bin/env python3
"""Makes three sets of labelled texts that no one wrote: what people come with, of three kinds.

Usage: make.py FOLDER. Writes tickets.csv (short support tickets, English and German), reviews.csv (product
reviews with emoji) and mails.csv (long mails of which a sentence or two matter), each as `label,text` without a
header line. The same files every time.

They are not easy on purpose. Wording follows Zipf's law, so that some ways of saying a thing are rare. Classes
share words. Some texts are about two things, of which one counts. There are misspellings, and in each set a
share of labels is wrong, as people's labels are.
"""

import csv
import pathlib
import random
import sys

# Share of the labels that are another class's.
WRONG_LABELS = 0.03


class Writer:
    """Chance that is the same every time, with the habits of people who write."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, share):
        return self.random.random() < share

    def one(self, things):
        """Chooses: the first things often, the last seldom."""
        weights = [1 / (rank + 2) ** 0.8 for rank in range(len(things))]
        return self.random.choices(things, weights)[0]

    def any(self, things):
        return things[int(self.random.random() * len(things))]

    def number(self, low, high):
        return low + int(self.random.random() * (high - low + 1))

    def misspelt(self, text, share):
        """Swaps, drops or doubles letters of some words."""
        words = text.split(" ")
        for at, word in enumerate(words):
            if len(word) > 4 and word.isalpha() and self.chance(share):
                cut = self.number(1, len(word) - 3)
                words[at] = self.any([
                    word[:cut] + word[cut + 1] + word[cut] + word[cut + 2:],
                    word[:cut] + word[cut + 1:],
                    word[:cut] + word[cut] + word[cut:],
                ])
        return " ".join(words)


# What is said of each class, in the two languages; `{x}` is a thing that any class may be about.
TICKETS = {
    "billing": (
        ["I was charged twice for {x}", "the invoice for {x} is wrong", "please send me a receipt",
         "refund still not on my account", "why is the amount higher than the offer",
         "you took the money two times",
         "VAT id is missing on the bill", "my credit card was declined but debited",
         "the discount code was not applied",
         "can I pay in instalments", "direct debit bounced, what now", "dunning letter although I paid {x}",
         "price on the statement does not match", "overpaid, I want the difference back"],
        ["mir wurde {x} doppelt berechnet", "die Rechnung zu {x} stimmt nicht", "bitte Quittung schicken",
         "Erstattung ist noch nicht da", "warum ist der Betrag höher als im Angebot",
         "Lastschrift wurde zurückgebucht",
         "die USt-IdNr. fehlt auf der Rechnung", "Gutschein wurde nicht abgezogen",
         "kann ich in Raten zahlen",
         "Mahnung bekommen, obwohl {x} bezahlt ist", "zu viel überwiesen",
         "Kreditkarte abgelehnt, aber belastet"],
    ),
    "delivery": (
        ["where is {x}", "the parcel has not moved for days", "tracking says delivered but nothing came",
         "courier left it with a neighbour I do not know", "please change the address of {x}",
         "when will {x} arrive",
         "it was supposed to be here on Monday", "shipment is stuck in customs", "driver did not ring",
         "only half of the boxes came", "can you send it to a pick-up point", "express was paid, took a week",
         "the van drove past my house again"],
        ["wo bleibt {x}", "das Paket bewegt sich seit Tagen nicht",
         "laut Sendungsverfolgung zugestellt, nichts da",
         "der Bote hat nicht geklingelt", "bitte andere Adresse für {x}", "wann kommt {x} an",
         "sollte am Montag hier sein", "hängt beim Zoll fest", "nur ein Karton von zweien kam an",
         "beim Nachbarn abgegeben, den ich nicht kenne", "geht auch eine Packstation",
         "Express bezahlt, kam nach acht Tagen"],
    ),
    "login": (
        ["I cannot sign in", "the reset mail never arrives", "my account is locked",
         "wrong password although it is right",
         "two-factor code expired before I could type it", "lost the phone with my authenticator",
         "the app logs me out every hour", "captcha does not load", "it says this user does not exist",
         "cannot confirm my e-mail", "still the old address in my profile, cannot get in",
         "passkey is not accepted"],
        ["ich komme nicht rein", "Mail zum Zurücksetzen kommt nicht an", "mein Konto ist gesperrt",
         "Passwort falsch, obwohl es stimmt", "Code ist abgelaufen, bevor ich ihn tippen kann",
         "Handy mit Authenticator verloren", "App meldet mich jede Stunde ab", "Captcha lädt nicht",
         "angeblich gibt es den Benutzer nicht", "Bestätigungslink ist ungültig",
         "Passkey wird nicht angenommen"],
    ),
    "return": (
        ["I want to send {x} back", "how do I get a return label", "wrong size, please exchange",
         "changed my mind about {x}", "is the return free", "sent it back two weeks ago, no answer",
         "can I swap it for the blue one", "it does not fit", "within how many days can I give it back",
         "the shop would not take it back", "got it twice as a present, one has to go"],
        ["ich möchte {x} zurückschicken", "wo finde ich das Retourenetikett",
         "falsche Größe, bitte umtauschen",
         "gefällt mir doch nicht", "ist die Rücksendung kostenlos",
         "vor zwei Wochen zurückgeschickt, keine Antwort",
         "kann ich gegen das blaue tauschen", "passt nicht", "wie lange kann ich widerrufen",
         "die Filiale nimmt es nicht zurück"],
    ),
    "defect": (
        ["{x} does not turn on", "screen has a crack", "it makes a strange noise",
         "battery dies after an hour",
         "a screw is missing", "the hinge broke on day two", "it smells of burnt plastic",
         "stopped working after the update",
         "leaks water at the bottom", "button is stuck", "charging port is loose", "the seam came apart",
         "overheats"],
        ["{x} geht nicht an", "Display hat einen Riss", "macht komische Geräusche",
         "Akku ist nach einer Stunde leer",
         "es fehlt eine Schraube", "Scharnier am zweiten Tag gebrochen", "riecht verschmort",
         "seit dem Update geht nichts mehr", "läuft unten aus", "Taste klemmt", "Naht ist aufgegangen",
         "wird zu heiß"],
    ),
    "contract": (
        ["I want to cancel", "when does my subscription end", "please delete my data",
         "switch me to the small plan",
         "did not agree to the renewal", "how long is the notice period",
         "put the contract in my wife's name",
         "pause it over the summer", "which tariff am I on", "confirm that it is terminated",
         "stop the newsletter too"],
        ["ich möchte kündigen", "wann endet mein Abo", "bitte alle meine Daten löschen",
         "in den kleinen Tarif wechseln",
         "der Verlängerung nicht zugestimmt", "wie lang ist die Kündigungsfrist",
         "Vertrag auf meine Frau umschreiben",
         "über den Sommer pausieren", "in welchem Tarif bin ich", "Bestätigung der Kündigung fehlt"],
    ),
}
THINGS = (
    ["my order", "order {n}", "the headphones", "the kettle", "the blue jacket", "both items",
     "the present for my mother",
     "the subscription box", "the laptop stand", "my last purchase", "the router", "item {n}"],
    ["meine Bestellung", "Bestellung {n}", "der Kopfhörer", "der Wasserkocher", "die blaue Jacke",
     "beide Artikel",
     "das Geschenk für meine Mutter", "die Abo-Box", "der Laptopständer", "mein letzter Einkauf",
     "der Router", "Artikel {n}"],
)
BEFORE = (
    ["", "", "", "hi, ", "hello ", "URGENT: ", "again: ", "second mail. ", "question: ", "sorry to bother, "],
    ["", "", "", "hallo, ", "guten Tag, ", "DRINGEND: ", "nochmal: ", "zweite Mail. ", "Frage: ", "moin, "],
)
BEHIND = (
    ["", "", "", ", thanks", "!!", ", please help", ", it is about the account of {x}",
     ", customer {n}", ", for a week now", ", this is about {x}", ". no one answers the phone"],
    ["", "", "", ", danke", "!!", ", bitte helfen", ", es geht um das Konto zu {x}",
     ", Kundennr. {n}", ", seit einer Woche", ", es geht um {x}", ". telefonisch niemand erreichbar"],
)
ALSO = ([". by the way ", ", and also ", ". last time "], [". übrigens ", ", außerdem ", ". letztes Mal "])


def ticket(w, label):
    language = int(w.chance(0.45))
    text = w.one(TICKETS[label][language])
    # The first thing counts; the second is in passing.
    if w.chance(0.12):
        other = w.any([name for name in TICKETS if name != label])
        text += w.any(ALSO[language]) + w.one(TICKETS[other][language])
    text = w.any(BEFORE[language]) + text + w.any(BEHIND[language])
    while "{x}" in text:
        text = text.replace("{x}", w.one(THINGS[language]), 1)
    while "{n}" in text:
        text = text.replace("{n}", str(w.number(10_000, 99_999)), 1)
    text = w.misspelt(text, 0.06)
    return text.upper() if w.chance(0.04) else text.lower() if w.chance(0.3) else text


GOOD = ["love it", "works like a charm", "exceeded my expectations", "worth every cent", "my kids adore it",
        "sturdier than it looks", "would buy again", "best purchase of the year", "no complaints so far",
        "cannot imagine life without it", "not bad at all", "finally one that lasts", "the old one can go",
        "even my husband uses it", "was sceptical, now I am a fan", "bought a second one for the office"]
BAD = ["broke after a day", "complete waste of money", "stopped charging", "looks nothing like the photo",
    "smells awful",
       "sent it straight back", "never again", "cheap plastic", "not worth half of it",
       "instructions are a joke",
       "fell apart in my hands", "customer service hung up on me", "works only when it wants to",
       "louder than a tractor",
       "scratched out of the box", "my cat does a better job", "I regret not reading the other reviews"]
MIDDLE = ["it does what it should, no more", "okay for the price", "good idea, so-so quality",
    "neither great nor terrible",
          "fine once you get used to it", "three stars because it is late",
          "half of the functions are useless, the rest is okay",
          "would be perfect with a longer cable", "average", "my sister likes hers, I do not use mine much",
          "it is a kettle, what can I say", "solid, but loud", "nice colour, weak motor",
          "works, but the app is poor",
          "decent, though not what I hoped for"]
REVIEWS = {"positive": GOOD, "negative": BAD, "mixed": MIDDLE}
EMOJI = {
    "positive": ["😍", "👍", "🎉", "❤️", "🙌", "😊", "💯", "✨", "👌🏽", "🥰"],
    "negative": ["😡", "👎", "🤬", "💸", "🗑️", "😤", "😭", "🤮", "🙄", "🚮"],
    "mixed": ["🤷", "😐", "🤔", "🙃", "😕", "👌🏽", "🙂"],
}
PRODUCTS = ["the blender", "this vacuum", "the lamp", "the backpack", "these earbuds", "the tent",
    "the charger", "this toaster",
            "the yoga mat", "the drone", "the pan", "the pillow", "this watch", "the desk", "the bike light"]
PLAIN = ["Bought {p} in {m}.", "Got {p} as a present.", "Second week with {p}.",
    "We have had {p} since {m}.", "Colour is as shown.",
         "It came in a big box.", "I use it every morning.", "Delivered on a {d}.", "Size M.",
         "My neighbour has the same.",
         "Replaces the one from the other brand.", "Used it twice so far.", "For the balcony."]
MONTHS = ["January", "March", "May", "July", "August", "October", "December"]
DAYS = ["Monday", "Tuesday", "Friday", "Saturday"]


def review(w, label):
    said = [w.one(REVIEWS[label])]
    if w.chance(0.35):
        said.append(w.one(REVIEWS[label]))
    # Praise before the blame, or the other way round: the end decides.
    if label != "mixed" and w.chance(0.22):
        other = "negative" if label == "positive" else "positive"
        said.insert(0, w.one(REVIEWS[other]) + w.any([", they said. well:", " was my fear, but",
        " at first, then"]))
    sentences = [" ".join(said)]
    for _ in range(w.number(0, 3)):
        plain = w.one(PLAIN).replace("{p}", w.any(PRODUCTS)).replace("{m}", w.any(MONTHS)).replace("{d}",
        w.any(DAYS))
        sentences.insert(w.number(0, len(sentences)), plain)
    text = w.misspelt(". ".join(sentences).replace("..", "."), 0.04)
    for _ in range(w.number(0, 3)):
        # Irony, or the wrong key.
        mood = w.any(list(EMOJI)) if w.chance(0.2) else label
        text += w.any(["", " "]) + w.one(EMOJI[mood])
    return text.lower() if w.chance(0.4) else text


MAILS = {
    "complaint": [
        "I must tell you that your technician left the basement under water.",
        "This is the third time that nobody kept the date.",
        "I expect a statement on how this could happen.",
        "The noise at night is unbearable, and your office does not react.",
        "Your colleague was rude to my mother on the phone.",
        "I have photographs of the damage and will go to the ombudsman.",
        "For that price one may expect that somebody cleans up afterwards.",
        "We are disappointed, to put it mildly.",
        "The lift has been out of order for nine days now.", "I ask you to take this seriously for once."],
    "order": [
        "we would like to order forty chairs of the model in your catalogue.",
        "Please let us have an offer for 300 brochures, A5, folded.",
        "Could you deliver two pallets by the end of the month?",
        "Attached is our purchase order; kindly confirm quantity and price.",
        "We need the same as last year, with ten more of the large ones.",
        "Is there a rebate from a hundred pieces on?",
        "What would it cost with our logo on the lid?", "Please put us down for the spring edition as well.",
        "How long does it take you to make a sample?"],
    "appointment": [
        "would Thursday at ten suit you for the handover?",
        "I have to move our meeting to the week after next.",
        "Could somebody come and read the meter in the afternoon?",
        "Shall we say half past two, at your place?",
        "I shall be a quarter of an hour late tomorrow.",
        "Please call me back so that we find a date for the inspection.",
        "The doctor has nothing free before the 14th, is that enough?",
        "Let us skip the call on Friday, most of us are away.",
        "Is the slot on Tuesday still free?"],
    "application": [
        "I read your advertisement and would be glad to join your workshop.",
        "For six years I have run the stock of a hardware shop.",
        "My certificates are attached, references on request.",
        "I could begin on the first of the month after next.",
        "During my studies I worked nights at the front desk of a hotel.",
        "I am looking for a place as a trainee from September on.",
        "What I bring is patience, a driving licence and two languages.",
        "I would like to know whether the position is still open.",
        "My notice period is four weeks to the end of the month."],
    "payment": [
        "according to our books the amount of 412.80 is still open.",
        "Kindly transfer the balance within ten days.",
        "This is our second reminder concerning invoice 20731.",
        "We have not been able to match your remittance to an account.",
        "Please find enclosed the corrected credit note.", "As of next month our bank details change.",
        "You deducted two percent although the term had passed.",
        "I paid this in March, the statement is attached.",
        "Would you agree to three equal rates?"],
}
OPENINGS = ["Dear Sir or Madam,", "Dear Ms Keller,", "Good morning,", "Hello everybody,", "Dear Mr Osei,",
    "Hi Tom,", "To whom it may concern,"]
SMALL_TALK = [
    "I hope you had a good start into the week.", "Thank you for your friendly words the other day.",
    "It was a pleasure to talk to you at the fair.", "As you know, we moved to the new building in spring.",
    "I write on behalf of our small association, which has some sixty members.",
    "We have been customers for more than eleven years.",
    "My wife, who usually sees to these things, is on a cure at present.",
    "The weather here has been dreadful, I trust yours is better.",
    "I tried to reach you on the phone, but the line was busy each time.",
    "A colleague gave me your address.",
    "You may remember me from the meeting in the town hall.", "Forgive me for writing at such length.",
    "Between ourselves, the last months were not easy for any of us.",
    "I have put my brother in copy, since he knows the matter better.",
    "Please excuse that I answer only now, I was away.",
    "There is no hurry, but I would not like to forget it."]
CLOSINGS = [
    "I look forward to hearing from you.", "Many thanks for your trouble.",
    "Please do not hesitate to call.", "With kind regards",
    "Yours sincerely", "Best wishes to your team", "Have a nice weekend."]
NAMES = ["Ada Berger", "J. Okafor", "Mireille Blanc", "Tomasz Nowak", "S. Lindqvist", "Chen Wei",
    "Priya Raman", "Luis Ortega"]
DISCLAIMERS = [
    "This message is confidential. If you are not the intended recipient, please delete it and tell the sender.",
    "Before you print this mail, think of the trees.",
    "Registered office: Harbour Street 12. Managing directors: A. Hart, L. Moreau.",
    "Our office is closed on Mondays. Deliveries at the back entrance only. "
    "Invoices to the accounts department, please.",
    "Sent from my phone, please excuse mistakes. Appointments by telephone only."]


def mail(w, label):
    sentences = []
    for _ in range(w.number(3, 9)):
        sentences.append(w.any(SMALL_TALK))
    for _ in range(w.number(1, 3)):
        sentences.insert(w.number(1, len(sentences)), w.one(MAILS[label]))
    parts = [w.any(OPENINGS), " ".join(sentences), " ".join([w.any(CLOSINGS), w.any(CLOSINGS)]), w.any(NAMES)]
    if w.chance(0.6):
        parts.append("--\n" + " ".join(w.any(DISCLAIMERS) for _ in range(w.number(1, 3))))
    # What was written before, about something else as often as not.
    if w.chance(0.3):
        other = w.any(list(MAILS))
        quoted = [w.any(SMALL_TALK), w.one(MAILS[other]), w.any(SMALL_TALK)]
        parts.append(f"On {w.any(DAYS)} {w.any(NAMES)} wrote:\n> " + "\n> ".join(quoted))
    return w.misspelt("\n\n".join(parts), 0.01)


def write(path, make, classes, shares, count, seed):
    w = Writer(seed)
    rows, seen = [], set()
    while len(rows) < count:
        label = w.random.choices(classes, shares)[0]
        text = make(w, label)
        if text in seen:
            continue
        seen.add(text)
        if w.chance(WRONG_LABELS):
            label = w.any([other for other in classes if other != label])
        rows.append((label, text))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    print(f"{path}: {len(rows)} texts of {len(classes)} classes")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "tickets.csv", ticket, list(TICKETS), [28, 24, 16, 13, 12, 7], 2_400, 1)
    write(folder / "reviews.csv", review, list(REVIEWS), [55, 27, 18], 2_400, 2)
    write(folder / "mails.csv", mail, list(MAILS), [22, 26, 22, 9, 21], 1_600, 3)


if __name__ == "__main__":
    main()
