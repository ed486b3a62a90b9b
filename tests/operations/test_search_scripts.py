# ruff: noqa: RUF001
"""Which words find which texts, script by script: the same on both databases."""

import unicodedata
from typing import Any

import pytest

from chatdb.db.connect import driver_connection
from chatdb.db.database import Database
from chatdb.operations.searching.search import SearchOptions, search
from tests.operations.conversation_rows import add_conversation


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


FOUND: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # A text, what finds it, what does not.
    ("\ue203Saltpan keeps\ue204 brine.", ("saltpan", "keeps", '"saltpan keeps"'), ("salt",)),
    ("Mossland\ue200cite\ue202turn9view2\ue201 is wet.", ("mossland", '"turn9view2 is"'), ()),
    (decomposed("Le fiancé étonné"), ("fiancé", "FIANCE", decomposed("fiancé"), "etonne"), ()),
    ("la première marée", (decomposed("première"), "premiere", '"premiere maree"'), ("premi",)),
    (decomposed("한국문학 읽기"), ("한국문학", decomposed("한국문학"), "한국*"), ("국문학",)),
    ("좋은문장 저장소", (decomposed("좋은문장"), "저장소"), ()),
    ("ｶﾞﾗｽ窓を開ける", ("ガラス", "ｶﾞﾗｽ", "ガラス窓", "窓"), ("ガス",)),
    ("型番ＸＹＺ９８ です", ("xyz98", "ＸＹＺ９８", "型番"), ("xyz",)),
    ("用Kubernetes运行MySQL服务器", ("kubernetes", "mysql", "运行", "服务器", "用"), ("器服",)),
    ("𠮟られた子供", ("𠮟", "𠮟られ", "子供"), ("叱",)),
    ("プリンターのドライバを入れる", ("ドライバ", "プリンター", "入れる"), ("バド",)),
    ("ผมชอบอาหารไทยมาก", ("อาหารไทย", "ชอบ", "ไทย"), ("ไทยชอบ",)),
    ("ຂ້ອຍຮັກເມືອງລາວ", ("ເມືອງ", "ລາວ"), ()),
    ("ខ្ញុំស្រឡាញ់កម្ពុជា", ("កម្ពុជា",), ()),
    ("မြန်မာစာ လေ့လာ", ("မြန်မာ", "လေ့လာ"), ()),
    ("བོད་ཡིག་སློབ", ("ཡིག", "སློབ"), ()),
    ("क्षेत्र में पानी", ("क्षेत्र", "पानी", "क्षे*"), ("क्ष",)),
    ("বাংলা ভাষার গান", ("ভাষার", "গান"), ()),
    ("தமிழ் பாடல்", ("தமிழ்", "பாடல்"), ()),
    ("قَرَأَ الوَلَدُ", ("قرا", "قَرَأَ", "الولد"), ()),
    ("مــرحبا بالعالم", ("مرحبا", "بالعالم"), ()),
    ("תּוֹדָה רבה", ("תודה", "תּוֹדָה", "רבה"), ()),
    ("İZMİR sıcak DIŞ", ("izmir", "İzmir", "sicak", "sıcak", "dış", "DIS"), ()),
    ("Θάλασσα ΝΗΣΟΣ", ("θαλασσα", "νήσος", "ΝΗΣΟΣ", "νησοσ"), ()),
    ("Зелёный ещё чай", ("зеленый", "ЗЕЛЁНЫЙ", "еще", decomposed("чай")), ("чаи",)),
    ("Rinder\u00adbraten\u00adsoße", ("rinderbratensoße", "Rinderbratensosse"), ()),
    ("hippo\u200bpotamus \ufeffarticle", ("hippopotamus", "article"), ("hippo",)),
    ("left\u200eright \u202eodd\u202c", ("leftright", "odd"), ("left",)),
    ("well\u2011known ten\u2212one", ("well-known", "known", '"ten one"'), ("wellknown",)),
    ("oﬀice ﬂow ﬁfth", ("office", "flow", "fifth"), ()),
    ("nova\u00a0comet\u202fdwarf\u3000giant", ("nova", "giant", '"nova comet"'), ()),
    ("def __len__(self): pass", ("__len__", "len", "self"), ()),
    ("call set_user_name(y_2)", ("set_user_name", "user_name", "y_2"), ("username",)),
    ("HTMLElement querySelector", ("htmlelement", "query*"), ("selector",)),
    (".NET 9 and Vue.js v3.2.1-rc.7", (".NET", "vue.js", "v3.2", "v3.2.1-rc.7"), ("vuejs",)),
    (r"open D:\Work\bea\notes_1.txt", (r"D:\Work\bea", "notes_1.txt"), ()),
    ("export $PATH_X/.cfg/id_key ${BAR:-baz}", ("$PATH_X", "id_key", "${BAR:-baz}"), ()),
    ("see #4711, @beasmith, cafe4242", ("#4711", "@beasmith", "cafe42*"), ("cafe",)),
    ("https://сайт.рф/путёвка?q=сад#top", ("https://сайт.рф/путёвка", "путевка", "сад"), ()),
    ("mail bea.c+box@sub.example.net", ("bea.c+box@sub.example.net", "box@sub"), ()),
    ("sum 7,654,321.09 at 10.1.2.3:81 ⅓ ⑤", ("7,654,321.09", "10.1.2.3:81", "1/3", "5"), ()),
    ("team 👨🏾‍🚀 lands ✈️ now", ("👨🏾‍🚀", "👨", "✈", "✈️", '"lands ✈ now"'), ("🚁",)),
    ("ok✔then🔥fire", ("then", "fire", "ok", "✔", "🔥"), ("okthen",)),
    ("🇳🇴 fjord", ("🇳🇴", "fjord"), ("🇸🇪",)),
    ("∮ y³ ≥ δεζ and 25 °C or £9", ("∮", "≥", "δεζ", "y3", '"25 °C"', "£9"), ()),
    ("l’hiver d'Orsay", ("l'hiver", "hiver", "d’Orsay"), ()),
    ("**thickword**_slantword_`codeish`", ("thickword", "slantword", "codeish"), ()),
    (r"\sqrt{gamma}$z_k$", ("gamma", r"\sqrt{gamma}"), ()),
    ('{"statusText":"E_LOST_9","ok":true}', ("E_LOST_9", "statustext"), ()),
    ('<p class="introText">Inside</p>', ("introtext", "inside"), ("intro",)),
    ("Żółć, čeština, ňadra", ("zolc", "żółć", "cestina", "NADRA"), ()),
    ("Tiếng Huế đẹp", ("tieng hue", "tiếng", "dep", "ĐẸP"), ()),
    ("blåbærsyltetøy på Røst", ("blabaersyltetoy", "blåbærsyltetøy", "rost"), ()),
    ("ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ", ("ᠮᠣᠩᠭᠣᠯ",), ()),
    ("ሰላም፡ወዳጄ", ("ሰላም", "ወዳጄ"), ()),
    ("ꆈꌠꁱꂷ", ("ꆈꌠ", "ꁱꂷ"), ("ꌠꂷ",)),
    ("Հայերեն ԲԱՐԵՎ", ("հայերեն", "բարեվ"), ()),
    ("ქართული ენა", ("ქართული", "ენა"), ()),
    ("q" * 2_000 + " tailword", ("tailword", "q" * 1_500), ("q" * 200,)),
    (
        "r" * 511 + " endword",
        ('"' + "r" * 511 + ' endword"', "r" * 520),
        ('"endword ' + "r" * 511 + '"',),
    ),
    ("Trade™mark and ℠ign", ("trade", "mark", "ign"), ("trademark",)),
    ("a\u0378b \ufffdlost", ("lost",), ("ab",)),
    ("学习 学习者 学者", ("学习者", "学者", '"学习 学习者"'), ("习学",)),
)


def look(database: Database, query: str, **options: Any) -> set[int]:
    wanted = SearchOptions(limit=200, **options)
    page = search(database, query, organization_key="default", options=wanted)
    return {hit.message_id.int - 1_000_000 for hit in page.hits if hit.message_id is not None}


@pytest.fixture
def library(database: Database) -> Database:
    add_conversation(database, [text for text, _, _ in FOUND])
    return database


def missed(library: Database) -> list[tuple[str, str]]:
    """Return what is not found, or found without reason."""
    wrong = [(t, q) for n, (t, qs, _) in enumerate(FOUND) for q in qs if n not in look(library, q)]
    not_for = [(t, q) for n, (t, _, qs) in enumerate(FOUND) for q in qs if n in look(library, q)]
    return wrong + not_for


def test_each_text_is_found_by_its_words(library: Database) -> None:
    assert sum(len(words) for _, words, _ in FOUND) > 150
    assert missed(library) == []


@pytest.mark.large
def test_they_are_found_without_the_index_too(library: Database) -> None:
    with library.transaction(write=True) as connection:
        driver_connection(connection).execute(
            "INSERT INTO chatdb_settings (key, value) VALUES ('search_index', 'off')"
        )

    assert missed(library) == []
