"""Index one normal form of words on PostgreSQL, made by a function: one index in place of two."""
# ruff: noqa: RUF001

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# As in chatdb/primitives/word_characters.py of its time.
REMOVED = (
    r"\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7"
    r"\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7-\u06e8"
    r"\u06ea-\u06ed\u08d3-\u08e1\u08e3-\u08ff\u180b-\u180f\u1ab0-\u1ace\u1dc0-\u1dff\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u20d0-\u20f0\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\U000e0000-\U000e01ef"
)
"""Marks of Latin, Greek, Cyrillic, Arabic and Hebrew; soft hyphens, joiners and directions."""
COMPOSED = r"\u0900-\u1cff\u3099\u309a\U00011000-\U000113ff"
"""Where a text has one of these after it was decomposed, some of it is composed again."""
UNSPACED = (
    r"\u00a2-\u00a6\u00a9\u00ac\u00ae\u00b0-\u00b1\u00d7\u00f7\u0e01-\u0e3a\u0e3f-\u0e4e"
    r"\u0e50-\u0e59\u0e81-\u0e82\u0e84\u0e86-\u0e8a\u0e8c-\u0ea3\u0ea5\u0ea7-\u0ebd\u0ec0-\u0ec4"
    r"\u0ec6\u0ec8-\u0ecd\u0ed0-\u0ed9\u0edc-\u0edf\u0f00-\u0f03\u0f13\u0f15-\u0f39\u0f3e-\u0f47"
    r"\u0f49-\u0f6c\u0f71-\u0f84\u0f86-\u0f97\u0f99-\u0fbc\u0fbe-\u0fcc\u0fce-\u0fcf\u0fd5-\u0fd8"
    r"\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17d7\u17db-\u17dd\u17e0-\u17e9\u17f0-\u17f9"
    r"\u1950-\u196d\u1970-\u1974\u1980-\u19ab\u19b0-\u19c9\u19d0-\u19da\u19de-\u19df\u1a20-\u1a5e"
    r"\u1a60-\u1a7c\u1a7f-\u1a89\u1a90-\u1a99\u1aa7\u20a0-\u20cf\u2100-\u214f\u218a-\u2211\u2213-\u2307"
    r"\u230c-\u2328\u232b-\u2767\u2776-\u27c4\u27c7-\u27e5\u27f0-\u2982\u2999-\u29d7\u29dc-\u29fb"
    r"\u29fe-\u2bff\u2e80-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5\u2ff0-\u2ffb\u3005-\u3007\u3021-\u3029"
    r"\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    r"\u3400-\ua48c\ua490-\ua4c6\ua980-\ua9c0\ua9cf-\ua9d9\uaa60-\uaa7f\uf900-\ufa6d\ufa70-\ufad9"
    r"\U0001b000-\U0001b2ff\U0001f000-\U0001fbff\U00020000-\U0003ffff"
)
"""What is found without blanks around it: scripts written without any, and symbols."""
WORDS = (
    r"\u00a2-\u00a6\u00a9-\u00aa\u00ac\u00ae\u00b0-\u00b3\u00b5\u00b9-\u00ba\u00bc-\u00be"
    r"\u00c0-\u02c1\u02c6-\u02d1\u02e0-\u02e4\u02ec\u02ee\u0300-\u0374\u0376-\u0377\u037a-\u037d"
    r"\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u0483-\u052f"
    r"\u0531-\u0556\u0559\u0560-\u0588\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7"
    r"\u05d0-\u05ea\u05ef-\u05f2\u0610-\u061a\u0620-\u0669\u066e-\u06d3\u06d5-\u06dc\u06df-\u06e8"
    r"\u06ea-\u06fc\u06ff\u0710-\u074a\u074d-\u07b1\u07c0-\u07f5\u07fa\u07fd\u0800-\u082d"
    r"\u0840-\u085b\u0860-\u086a\u0870-\u0887\u0889-\u088e\u0898-\u08e1\u08e3-\u0963\u0966-\u096f"
    r"\u0971-\u0983\u0985-\u098c\u098f-\u0990\u0993-\u09a8\u09aa-\u09b0\u09b2\u09b6-\u09b9"
    r"\u09bc-\u09c4\u09c7-\u09c8\u09cb-\u09ce\u09d7\u09dc-\u09dd\u09df-\u09e3\u09e6-\u09f1"
    r"\u09f4-\u09f9\u09fc\u09fe\u0a01-\u0a03\u0a05-\u0a0a\u0a0f-\u0a10\u0a13-\u0a28\u0a2a-\u0a30"
    r"\u0a32-\u0a33\u0a35-\u0a36\u0a38-\u0a39\u0a3c\u0a3e-\u0a42\u0a47-\u0a48\u0a4b-\u0a4d\u0a51"
    r"\u0a59-\u0a5c\u0a5e\u0a66-\u0a75\u0a81-\u0a83\u0a85-\u0a8d\u0a8f-\u0a91\u0a93-\u0aa8"
    r"\u0aaa-\u0ab0\u0ab2-\u0ab3\u0ab5-\u0ab9\u0abc-\u0ac5\u0ac7-\u0ac9\u0acb-\u0acd\u0ad0"
    r"\u0ae0-\u0ae3\u0ae6-\u0aef\u0af9-\u0aff\u0b01-\u0b03\u0b05-\u0b0c\u0b0f-\u0b10\u0b13-\u0b28"
    r"\u0b2a-\u0b30\u0b32-\u0b33\u0b35-\u0b39\u0b3c-\u0b44\u0b47-\u0b48\u0b4b-\u0b4d\u0b55-\u0b57"
    r"\u0b5c-\u0b5d\u0b5f-\u0b63\u0b66-\u0b6f\u0b71-\u0b77\u0b82-\u0b83\u0b85-\u0b8a\u0b8e-\u0b90"
    r"\u0b92-\u0b95\u0b99-\u0b9a\u0b9c\u0b9e-\u0b9f\u0ba3-\u0ba4\u0ba8-\u0baa\u0bae-\u0bb9"
    r"\u0bbe-\u0bc2\u0bc6-\u0bc8\u0bca-\u0bcd\u0bd0\u0bd7\u0be6-\u0bf2\u0c00-\u0c0c\u0c0e-\u0c10"
    r"\u0c12-\u0c28\u0c2a-\u0c39\u0c3c-\u0c44\u0c46-\u0c48\u0c4a-\u0c4d\u0c55-\u0c56\u0c58-\u0c5a"
    r"\u0c5d\u0c60-\u0c63\u0c66-\u0c6f\u0c78-\u0c7e\u0c80-\u0c83\u0c85-\u0c8c\u0c8e-\u0c90"
    r"\u0c92-\u0ca8\u0caa-\u0cb3\u0cb5-\u0cb9\u0cbc-\u0cc4\u0cc6-\u0cc8\u0cca-\u0ccd\u0cd5-\u0cd6"
    r"\u0cdd-\u0cde\u0ce0-\u0ce3\u0ce6-\u0cef\u0cf1-\u0cf2\u0d00-\u0d0c\u0d0e-\u0d10\u0d12-\u0d44"
    r"\u0d46-\u0d48\u0d4a-\u0d4e\u0d54-\u0d63\u0d66-\u0d78\u0d7a-\u0d7f\u0d81-\u0d83\u0d85-\u0d96"
    r"\u0d9a-\u0db1\u0db3-\u0dbb\u0dbd\u0dc0-\u0dc6\u0dca\u0dcf-\u0dd4\u0dd6\u0dd8-\u0ddf"
    r"\u0de6-\u0def\u0df2-\u0df3\u0e01-\u0e3a\u0e3f-\u0e4e\u0e50-\u0e59\u0e81-\u0e82\u0e84"
    r"\u0e86-\u0e8a\u0e8c-\u0ea3\u0ea5\u0ea7-\u0ebd\u0ec0-\u0ec4\u0ec6\u0ec8-\u0ecd\u0ed0-\u0ed9"
    r"\u0edc-\u0edf\u0f00-\u0f03\u0f13\u0f15-\u0f39\u0f3e-\u0f47\u0f49-\u0f6c\u0f71-\u0f84"
    r"\u0f86-\u0f97\u0f99-\u0fbc\u0fbe-\u0fcc\u0fce-\u0fcf\u0fd5-\u0fd8\u1000-\u1049\u1050-\u10c5"
    r"\u10c7\u10cd\u10d0-\u10fa\u10fc-\u1248\u124a-\u124d\u1250-\u1256\u1258\u125a-\u125d"
    r"\u1260-\u1288\u128a-\u128d\u1290-\u12b0\u12b2-\u12b5\u12b8-\u12be\u12c0\u12c2-\u12c5"
    r"\u12c8-\u12d6\u12d8-\u1310\u1312-\u1315\u1318-\u135a\u135d-\u135f\u1369-\u137c\u1380-\u138f"
    r"\u13a0-\u13f5\u13f8-\u13fd\u1401-\u166c\u166f-\u167f\u1681-\u169a\u16a0-\u16ea\u16ee-\u16f8"
    r"\u1700-\u1715\u171f-\u1734\u1740-\u1753\u1760-\u176c\u176e-\u1770\u1772-\u1773\u1780-\u17d3"
    r"\u17d7\u17db-\u17dd\u17e0-\u17e9\u17f0-\u17f9\u180b-\u180d\u180f-\u1819\u1820-\u1878"
    r"\u1880-\u18aa\u18b0-\u18f5\u1900-\u191e\u1920-\u192b\u1930-\u193b\u1946-\u196d\u1970-\u1974"
    r"\u1980-\u19ab\u19b0-\u19c9\u19d0-\u19da\u19de-\u19df\u1a00-\u1a1b\u1a20-\u1a5e\u1a60-\u1a7c"
    r"\u1a7f-\u1a89\u1a90-\u1a99\u1aa7\u1ab0-\u1ace\u1b00-\u1b4c\u1b50-\u1b59\u1b6b-\u1b73"
    r"\u1b80-\u1bf3\u1c00-\u1c37\u1c40-\u1c49\u1c4d-\u1c7d\u1c80-\u1c88\u1c90-\u1cba\u1cbd-\u1cbf"
    r"\u1cd0-\u1cd2\u1cd4-\u1cfa\u1d00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57"
    r"\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc"
    r"\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2070-\u2071\u2074-\u2079"
    r"\u207f-\u2089\u2090-\u209c\u20a0-\u20f0\u2100-\u2211\u2213-\u2307\u230c-\u2328\u232b-\u2767\u2776-\u27c4"
    r"\u27c7-\u27e5\u27f0-\u2982\u2999-\u29d7\u29dc-\u29fb\u29fe-\u2ce4\u2ceb-\u2cf3\u2cfd"
    r"\u2d00-\u2d25\u2d27\u2d2d\u2d30-\u2d67\u2d6f\u2d7f-\u2d96\u2da0-\u2da6\u2da8-\u2dae"
    r"\u2db0-\u2db6\u2db8-\u2dbe\u2dc0-\u2dc6\u2dc8-\u2dce\u2dd0-\u2dd6\u2dd8-\u2dde\u2de0-\u2dff"
    r"\u2e2f\u2e80-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5\u2ff0-\u2ffb\u3005-\u3007\u3021-\u302f"
    r"\u3031-\u3035\u3038-\u303c\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    r"\u3131-\u318e\u3192-\u3195\u31a0-\u31bf\u31f0-\u31ff\u3220-\u3229\u3248-\u324f\u3251-\u325f"
    r"\u3280-\u3289\u32b1-\u32bf\u3400-\ua48c\ua490-\ua4c6\ua4d0-\ua4fd\ua500-\ua60c\ua610-\ua62b"
    r"\ua640-\ua672\ua674-\ua67d\ua67f-\ua6f1\ua717-\ua71f\ua722-\ua788\ua78b-\ua7ca\ua7d0-\ua7d1"
    r"\ua7d3\ua7d5-\ua7d9\ua7f2-\ua827\ua82c\ua830-\ua835\ua840-\ua873\ua880-\ua8c5\ua8d0-\ua8d9"
    r"\ua8e0-\ua8f7\ua8fb\ua8fd-\ua92d\ua930-\ua953\ua960-\ua97c\ua980-\ua9c0\ua9cf-\ua9d9"
    r"\ua9e0-\ua9fe\uaa00-\uaa36\uaa40-\uaa4d\uaa50-\uaa59\uaa60-\uaac2\uaadb-\uaadd\uaae0-\uaaef"
    r"\uaaf2-\uaaf6\uab01-\uab06\uab09-\uab0e\uab11-\uab16\uab20-\uab26\uab28-\uab2e\uab30-\uab5a"
    r"\uab5c-\uab69\uab70-\uabea\uabec-\uabed\uabf0-\uabf9\uac00-\ud7a3\ud7b0-\ud7c6\ud7cb-\ud7fb"
    r"\uf900-\ufa6d\ufa70-\ufad9\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufb28\ufb2a-\ufb36\ufb38-\ufb3c"
    r"\ufb3e\ufb40-\ufb41\ufb43-\ufb44\ufb46-\ufbb1\ufbd3-\ufd3d\ufd50-\ufd8f\ufd92-\ufdc7"
    r"\ufdf0-\ufdfb\ufe00-\ufe0f\ufe20-\ufe2f\ufe70-\ufe74\ufe76-\ufefc\uff10-\uff19\uff21-\uff3a"
    r"\uff41-\uff5a\uff66-\uffbe\uffc2-\uffc7\uffca-\uffcf\uffd2-\uffd7\uffda-\uffdc"
    r"\U00010000-\U0001cbff\U0001d400-\U0001efff\U0001f000-\U0001fbff\U00020000-\U0003ffff"
)
"""What is part of a word, `UNSPACED` included, beside ASCII letters and digits."""
CAPITALS = (
    "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏ"
    "ԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖÆÐØÞĐĦŁŊŒŦẞ"
)
"""A database in the C locale lowers none but ASCII letters."""
SMALL = CAPITALS.lower()
SEPARATORS = (
    "\n\t\r!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'\u00a0\u2013\u2014\u2018\u2019\u201c\u201d\u2026"
)
ACCENTED, UNACCENTED = "àáäåçèéêíñóöúüё", "aaaaceeeinoouuе"
RARELY, UNRARELY = "âãëìîïòôõùûýÿ", "aaeiiiooouuyy"
AS_THEY_ARE = r"а-яєіїўґα-ρστ-ω"
"""What many texts have of other letters, in small."""
PARTS = {
    "REMOVED": REMOVED,
    "CAPITALS": CAPITALS,
    "SMALL": SMALL,
    "SIGMA": "\u03c3",
    "SHORT_I": "\u0438\u0306",
    "YI": "\u0456\u0308",
    "SHORT_U": "\u0443\u0306",
    "COMPOSED": COMPOSED,
    "WORDS": WORDS,
    "UNSPACED": UNSPACED,
}
NORMAL_FORM = r"""
CREATE OR REPLACE FUNCTION chatdb_search_text(content text, attached text, for_index boolean)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
DECLARE
  t text := left(content || coalesce(' ' || attached, ''), 100000);
  has_runs boolean := false;
BEGIN
  t := lower(t);
  IF t !~ '[^{QUICK}{ACCENTED}{RARELY}{AS_THEY_ARE}]' THEN
    t := ' ' || {PARTED} || ' ';
    IF octet_length(t) <> length(t) THEN
      t := {PLAIN};
      IF t ~ '[{RARELY}]' THEN
        t := {PLAINER};
      END IF;
    END IF;
  ELSE
    t := normalize(replace(replace(t, '™', ' '), '℠', ' '), NFKD);
    t := lower(t);
    IF t ~ '[{CAPITALS}]' THEN
      t := translate(t, '{CAPITALS}', '{SMALL}');
    END IF;
    t := replace(replace(replace(t, '{SHORT_I}', 'й'), '{YI}', 'ї'), '{SHORT_U}', 'ў');
    t := left(regexp_replace(t, '[{REMOVED}]+', '', 'g'), 100000);
    IF t ~ '[{COMPOSED}]' THEN
      t := normalize(t, NFC);
    END IF;
    IF t ~ '[ßæœıłđøħŧς]' THEN
      t := replace(replace(replace(t, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
      t := translate(t, 'ıłđøħŧς', 'ildoht{SIGMA}');
    END IF;
    t := regexp_replace(' ' || t || ' ', '[^a-z0-9{WORDS}]+', ' ', 'g');
    has_runs := t ~ '[{UNSPACED}]';
    IF has_runs THEN
      t := regexp_replace(t, '[{UNSPACED}]+', ' \& ', 'g');
    END IF;
  END IF;
  IF NOT for_index OR has_runs THEN
    t := regexp_replace(t, ' {2,}', ' ', 'g');
  END IF;
  -- A word of more than 510 characters fills one of these parts: to look for it would take longer.
  FOR part IN 1 .. CASE WHEN length(t) > 510 THEN length(t) / 255 ELSE 0 END LOOP
    IF strpos(substr(t, part * 255 - 254, 255), ' ') = 0 THEN
      t := regexp_replace(t, '([^ {UNSPACED}]{255}[^ {UNSPACED}]{255})[^ {UNSPACED}]+', '\1', 'g');
      EXIT;
    END IF;
  END LOOP;
  IF for_index AND has_runs THEN
    t := concat(regexp_replace(t, '[{UNSPACED}]+', '', 'g'), (
      SELECT string_agg(concat(one, ' ', one || next), ' ')
      FROM regexp_matches(left(t, 50000), '[{UNSPACED}]+', 'g') AS run,
        string_to_array(run[1], NULL) AS letters, unnest(letters, letters[2:]) AS pair(one, next)));
  END IF;
  RETURN t;
END
$body$
"""


def _replaced(text: str, letters: str, by: str) -> str:
    for letter, other in zip(letters, by, strict=True):
        quoted = f"'{letter}'" if letter.isprintable() else f"E'\\u{ord(letter):04x}'"
        text = f"replace({text}, {'chr(39)' if letter == chr(39) else quoted}, '{other}')"
    return text


def _normal_form() -> str:
    """Nested replace() takes a third of the time of a regular expression."""
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in SEPARATORS)
    parts = {
        "QUICK": f"a-z0-9 {escaped}",
        "ACCENTED": ACCENTED,
        "AS_THEY_ARE": AS_THEY_ARE,
        "PARTED": _replaced("t", SEPARATORS, " " * len(SEPARATORS)),
        "PLAIN": _replaced("t", ACCENTED, UNACCENTED),
        "PLAINER": _replaced("t", RARELY, UNRARELY),
        "RARELY": RARELY,
        **PARTS,
    }
    text = NORMAL_FORM
    for name, value in parts.items():
        text = text.replace("{" + name + "}", value)
    return text


QUERY = """
CREATE OR REPLACE FUNCTION chatdb_search_query(words text) RETURNS tsquery
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $body$
BEGIN
  RETURN array_to_string(
    string_to_array(btrim(chatdb_search_text(words, NULL, true)), ' '), ' & ')::tsquery;
END
$body$
"""
"""What an application asks `chatdb_search_hits` for: all the words of a text."""
INDEX = "ix_messages_search"
FORMER_SEPARATORS = "-./<&+~\u201c\u201d\u2018\u2019\u2014\u2013\u2026"
"""As in revision 0002, for the way back."""


def _words(text: str) -> str:
    expression = f"left({text}, 100000)"
    for separator in FORMER_SEPARATORS:
        expression = f"replace({expression}, '{separator}', ' ')"
    return f"to_tsvector('simple'::regconfig, {expression})"


OWN = _words("content")
JOINED = _words("content || ' ' || attached_text")
FORMER = ("ix_messages_content_search", "ix_messages_attached_search")
CREATE_FORMER = [
    f"CREATE INDEX {FORMER[0]} ON messages USING gin ({OWN})",
    f"CREATE INDEX {FORMER[1]} ON messages USING gin ({JOINED}) WHERE attached_text IS NOT NULL",
]
ORGANIZATION = (
    "(SELECT CASE WHEN current_setting('app.organization_id', true)"
    " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
    " THEN current_setting('app.organization_id', true)::uuid END)"
)
USER = "(SELECT nullif(current_setting('app.user_id', true), ''))"
OWN_ROW = """CASE WHEN person IS NULL THEN true ELSE EXISTS (SELECT FROM conversations c
              WHERE c.organization_id = m.organization_id AND c.id = m.conversation_id
                AND c.user_id = person) END"""
HITS = """
    SELECT m.created_at, m.conversation_id, m.id FROM messages m
    WHERE {condition}
      AND CASE WHEN by_words THEN m.organization_id IS NOT DISTINCT FROM organization
        ELSE m.organization_id = organization END
      AND m.created_at >= coalesce(since, '-infinity')
      AND m.created_at <= coalesce(until, 'infinity')
      AND {own}"""
SEARCH = """
CREATE OR REPLACE FUNCTION chatdb_search_hits(
  words tsquery, most integer DEFAULT NULL,
  since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
  guide tsquery DEFAULT NULL)
RETURNS TABLE (created_at timestamptz, conversation_id uuid, id uuid)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = 'force_custom_plan'
SET work_mem = '64MB' SET jit = 'off' SET enable_seqscan = 'off'
AS $body$
DECLARE
  organization constant uuid := {organization};
  person constant text := {user};
  plan json; by_words boolean; expected float8; everything float8; steps bigint;
  times timestamptz[]; conversations_found uuid[]; ids uuid[];
BEGIN
  IF organization IS NULL OR words IS NULL THEN
    RETURN;
  END IF;
  EXECUTE format($query$EXPLAIN (FORMAT JSON) SELECT FROM messages
    WHERE {words} @@ %L::tsquery$query$, coalesce(guide, words)) INTO plan;
  expected := (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
  by_words := expected <= 20000;
  IF most IS NOT NULL THEN
    SELECT c.reltuples INTO everything FROM pg_class c WHERE c.oid = 'messages'::regclass;
    steps := greatest(500, 3 * most * everything / greatest(expected, 1));
    IF expected >= 500 AND 12 * steps < expected THEN
      SELECT array_agg(f.created_at), array_agg(f.conversation_id), array_agg(f.id)
      INTO times, conversations_found, ids FROM (
        SELECT w.* FROM (
          SELECT m.created_at, m.conversation_id, m.id, m.content{columns} FROM messages m
          WHERE m.organization_id = organization
            AND m.created_at >= coalesce(since, '-infinity')
            AND m.created_at <= coalesce(until, 'infinity')
            AND {own}
          ORDER BY m.created_at DESC, m.conversation_id DESC, m.id DESC LIMIT steps) AS w
        WHERE {either}
        ORDER BY w.created_at DESC, w.conversation_id DESC, w.id DESC LIMIT most) AS f;
      IF cardinality(ids) = most THEN
        RETURN QUERY SELECT * FROM unnest(times, conversations_found, ids);
        RETURN;
      END IF;
    END IF;
  END IF;
  RETURN QUERY WITH hits AS MATERIALIZED ({hits})
  SELECT h.created_at, h.conversation_id, h.id FROM hits h
  ORDER BY h.created_at DESC, h.conversation_id DESC, h.id DESC LIMIT most;
END
$body$
"""
"""As in revision 0008, with the hits of one index or of two."""
OWN_PATH = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"
LEXEMES = "chatdb_search_text(content, attached_text, true)::tsvector"
CREATE_INDEX = f"CREATE INDEX {INDEX} ON messages USING gin (({LEXEMES}))"

OFF = "WHERE key = 'search_index_statements'"
BUILT_LATER = f"UPDATE chatdb_settings SET value = to_jsonb(:statements)::text {OFF}"


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    op.execute(_normal_form())
    op.execute(OWN_PATH)
    op.execute(QUERY)
    _make([CREATE_INDEX], instead_of=FORMER)
    op.execute(OWN_PATH)
    op.execute(_search_function(LEXEMES, [f"{LEXEMES} @@ words"]))


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    _make(CREATE_FORMER, instead_of=(INDEX,))
    arms = [f"attached_text IS NULL AND {OWN} @@ words"]
    arms.append(f"attached_text IS NOT NULL AND {JOINED} @@ words")
    op.execute(OWN_PATH)
    op.execute(_search_function(OWN, arms))
    op.execute("DROP FUNCTION IF EXISTS chatdb_search_query")
    op.execute("DROP FUNCTION IF EXISTS chatdb_search_text")


def _is_off() -> bool:
    """Tell whether the index is off, or an import has yet to build it."""
    if op.get_context().as_sql:
        return False
    return bool(op.get_bind().scalar(sa.text(f"SELECT 1 FROM chatdb_settings {OFF}")))


def _make(statements: list[str], *, instead_of: tuple[str, ...]) -> None:
    if _is_off():
        value = sa.bindparam("statements", statements, ARRAY(sa.Text))
        op.get_bind().execute(sa.text(BUILT_LATER).bindparams(value))
    else:
        for statement in statements:
            op.execute(statement)
    # Last: from here on nobody can read the table until the end of the transaction.
    for name in instead_of:
        op.execute(f"DROP INDEX IF EXISTS {name}")


def _search_function(words: str, arms: list[str]) -> str:
    return SEARCH.format(
        organization=ORGANIZATION,
        user=USER,
        words=words,
        columns=", m.attached_text",
        own=OWN_ROW,
        either=" OR ".join(arms),
        hits=" UNION ALL ".join(HITS.format(condition=arm, own=OWN_ROW) for arm in arms),
    )
