"""How plausible a text is as one of many languages, by its letters: tells which encoding its bytes are in.

Read in the wrong encoding, bytes give letters that no one language uses together, capitals inside words, and symbols
between letters. The log-likelihood of a text measures all three.
"""

import math
import re
import unicodedata
from collections import Counter
from functools import cache

_LETTERS = {
    "French": "esaitnrulodcpmévqfbghjàxèyêzçôùâûîœkwïëüæÿ",
    "German": "enisratdhulcgmobwfkzpvüäßöjyxqé",
    "English": "etaoinshrdlucmwfgypbvkjxqzéëïçè",
    "Spanish": "eaosrnidlctumpbgvyqóíhfzájéñxúükw",
    "Portuguese": "eaosridnmutclpvgqbfhãçáézjxíóêõúâôà",
    "Italian": "eaionlrtscdpumvghfbqzèàòùéìkxw",
    "Catalan": "easrlitnoudcmpvqàgbéèhfóíòjxçúïüz",
    "Dutch": "enatirodslghvkmubpwjczfxyëéïöüó",
    "Swedish": "eantrsildomgkväfhupåöcbjyxéz",
    "Danish": "erntiadslogkmfvubhpåyøæcjéz",
    "Finnish": "aintesloukämvrjhypdögbfcåé",
    "Icelandic": "arniesltuðgmkfhvoádjþíæböypóúéýx",
    "Estonian": "aeistlunkdmrvogphjäõüböfšž",
    "Polish": "iaeoznscwryłdktmpujlgębąhżśóćfńź",
    "Czech": "oeantvsilkrdpímuázjyěcbéhřýžčšůfgúxňwóťď",
    "Slovak": "oaeinstvrkldmpuchjbázyíčéšýžúťľgfňôäóďĺŕx",
    "Hungarian": "eatlnskiomzrgáédybvhjőfupöóücíúűx",
    "Romanian": "eiarnutclsodpmăfvîbgşâţșțzhjxk",
    "Croatian": "aioensrjtudklvmpgzbčcšžhćfđ",
    "Albanian": "etëiarnshkudompljgbqfyvçzx",
    "Turkish": "aeinrlıdkmyutsboüşzgçhğvcöpfjâîû",
    "Lithuanian": "iastenruokmlpvdjgbyėžšzųįcąūčęhf",
    "Latvian": "aisterunākomlpdvzījbēgūcšžņļfķģhč",
    "Esperanto": "aieonlsrtkjudpmvgfbcĝzĉŭhŝĵĥ",
    # As Windows-1258 writes it: the tone is a mark after the vowel.
    "Vietnamese": "nhitgcauom\u0300l\u0301r\u0323đvyưôbơpeêdâk\u0309qsx\u0303ăàáéèíìóòúùýãõ",
    "Russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "Ukrainian": "оаниівтерсклудмпзяьбгчхйжшєїцющфґ",
    "Belarusian": "анірсолтеывякдупмзьгцбхчўжшэюйёф",
    "Bulgarian": "аоиетнрсвлкдпмзгябъучцжшщйхюфь",
    "Serbian": "аоиенрсјтудквлпмзгбчшжцћхфђњљџ",
    "Macedonian": "аоеитнрсвдклпмузјгбчшцжќњфѓљџхѕ",
    "Greek": "αοιετνσηυςρπκμλίόάωγέήώθδχύφβξζψϊϋΐΰ",
    "Hebrew": "יוהלאמרתבשנעםדקפחכטצזגןסךףץ\u05b8\u05b7\u05b4\u05bc\u05b6\u05b0\u05b5\u05b9\u05bb",
    "Arabic": "اليمونرتبعدهفسقكأةحجشصىطخضإذزثئظغءآؤ",
    "Persian": "اينردمهوتبسشلکكگزفقعخجپحصطضچغآذژئظثأ",
    "Thai": (
        "านรอกเง\u0e48มยลวดทสต\u0e49\u0e31บ\u0e35\u0e34คปแ\u0e38หพะ"
        "\u0e37ไโจ\u0e39ใ\u0e4cช\u0e33ข\u0e47\u0e36ถผณศษซธภญฟฉฝๆ"
    ),
    "Japanese": (
        "のいしたてにとかるをはがなでられっれうんすまりこもきくさそつおあけめだよえみどわせやちろじばねげほびひむゆへぶべ"
        "ずごょゃゅふぼぎざぐづぞぬーンスルトイアクリラシドマタレコロカフテナサメプニッジバキバオミャ"
        "人一日大年出本中子見国言上分生手自行者二間事思時気会十家女三前的方入小地合後目長場代私下立部学物月田何来今"
        "道山水川花木雨雪空風朝夜春夏秋冬猫犬魚鳥村町駅東京父母兄弟友先心話聞書読食飲車電男名高新古白黒赤青石火金土"
        "元気少多明暗海森林庭窓門声音色形遠近早遅始終開閉待歩走帰住知作使持取切着起寝休死力正真実社同体世界動働教"
    ),
    "Chinese": (
        "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家"
        "种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十"
        "民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯"
        "月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女"
        "变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基"
        "眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今"
        "春夏秋冬风雨雪花树木鸟鱼河湖村城桥窗灯夜晚早晨孩父母爱笑哭唱歌吃喝睡醒红黄蓝绿黑石火土云月星"
    ),
    "Chinese, traditional": (
        "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家"
        "種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十"
        "民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯"
        "月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打女"
        "變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基"
        "眼書非則聽白卻界達光放強即像難且權思王象完設式色路記南品住告類求據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今"
        "春夏秋冬風雨雪花樹木鳥魚河湖村城橋窗燈夜晚早晨孩父母愛笑哭唱歌吃喝睡醒紅黃藍綠黑石火土雲月星"
    ),
    "Korean": (
        "이다는을가의에고하지나사한로를그은도기어아자리있시정대서으인라들게해일수보만부것전주여구원오상스면장제우소과성조선"
        "공동었마비거미내모세신생말때안문요했음와및없람국람계화적년중물경방작무연영치용할개관회분되진교학업바간집길눈물꽃산강"
        "바람나무새벽밤낮봄여름가을겨울아이들어머니버지친구마을창문노래책이야기았였었습니까네던며려러니데저두세더같은속위앞뒤"
        "르트드크를트레터입출명실반살식운발태금양차달월호심예현재유각결급단복력형처직번표품천남여난행불석찾걸린른쪽큰작많좋"
    ),
}
"""The letters of each language, the most frequent first, from common knowledge and texts of our own.

For languages with thousands of characters, the few hundred that are used most.
"""

_CJK = {"Japanese", "Chinese", "Chinese, traditional", "Korean"}

_COVERED = 0.7
"""Share of a text in a language with thousands of characters that those above make up."""

_FOREIGN = "éèáàäöüóíçñêôúâîãõßåøæëïûùòìýœ"
"""Letters that turn up in other languages' names and loan words, as in café and Müller."""

# Log-probabilities in nats: rough magnitudes, set by hand.
_OTHER_SCRIPT = -4.0
"""A language that is not written in Latin letters; without it, two odd signs would be Cyrillic words."""
_LOAN = math.log(3e-4)
_OUTSIDE = math.log(5e-5)
"""A letter that the language does not use, or a rare one of thousands."""

_SIGNS = {
    "q": math.log(5e-3),
    "t": math.log(5e-3),
    "c": math.log(3e-4),
    "s": math.log(3e-5),
    "f": math.log(3e-5),
    "b": math.log(1e-6),
}
"""Signs beyond ASCII, by kind."""

_ODD = (
    (re.compile("lu"), math.log(2e-3)),  # a capital inside a word
    (re.compile("(?<![lu])u"), math.log(0.2)),  # a capital at its beginning
    (re.compile("(?<=u)u"), math.log(0.7)),
    (re.compile("(?<![luo])o(?![luo])"), math.log(0.02)),  # a word of one letter, in a script without capitals
    (re.compile("(?<=f)f"), math.log(1000)),  # tables of lines and blocks, as DOS drew them
    (re.compile("[lu]o|o[lu]"), math.log(0.05)),  # a word in two scripts
    (re.compile("(?<=[luo])[qc](?=[luo])"), math.log(0.01)),  # a quotation mark inside a word
    (re.compile("(?<=[luo])s|s(?=[luo])"), math.log(0.05)),  # a symbol beside a letter
)
"""What an order of kinds changes in the log-probability, in nats for each time that it occurs."""

_REPEATED = re.compile(r"([^\W\d_\x00-\x7f])\1{2,}")
_REPETITION = math.log(0.05)
"""For each of three or more equal letters in a row: most often they are a line of a table."""

_QUOTES = frozenset("‘“”„‚«»‹›…–\u00a0")
"""Signs that stand before or after a word, not inside."""
_TYPOGRAPHY = frozenset("’—·¡¿€、。，！？：；「」『』（）《》【】〈〉・～\u3000")
_COMMON_SYMBOLS = frozenset("°£§©®™²³½¼±×")


def log_likelihood(text: str) -> float:
    """The log-probability (nats) of the letters of a text, of its other characters beyond ASCII, and of their order.

    The language is the one in which the letters are most probable. ASCII's own signs and digits count nothing: they are
    the same in nearly all encodings. So the text should hold little but words with other characters.
    """
    counts = Counter(text.lower().replace("\u0307", ""))  # the dot that is left of Turkish \u0130
    kinds = {character: _kind(character) for character in set(text) | counts.keys()}
    signs = sum(number * _SIGNS.get(kinds[character], 0.0) for character, number in counts.items())
    letters = [(character, number) for character, number in counts.items() if kinds[character] in "luo"]
    best = max(
        prior + sum(number * table.get(character, _OUTSIDE) for character, number in letters)
        for prior, table in _tables()
    )
    return best + signs + _order(text, kinds)


@cache
def _tables() -> tuple[tuple[float, dict[str, float]], ...]:
    """Of each language the log-probability, but for a constant, and those of its letters.

    The shares of letters follow from their ranks by the law of Gusein-Zade: letter r of n has ln((n + 1) / r) / n.
    """
    tables = []
    for language, letters in _LETTERS.items():
        is_latin = letters[0].isascii()
        n = len(letters)
        covered = _COVERED if language in _CJK else 1.0
        table = dict.fromkeys(_FOREIGN, _LOAN) if is_latin else {}
        for rank, letter in enumerate(dict.fromkeys(letters), start=1):
            table[letter] = math.log(covered * math.log((n + 1) / rank) / n)
        tables.append((0.0 if is_latin else _OTHER_SCRIPT, table))
    return tuple(tables)


@cache
def _kind(character: str) -> str:
    """The kind of a character, a letter.

    l(ower case), u(pper case), o(ther letter), q(uotation mark), t(ypography), c(ommon symbol),
    other s(ymbol), f(rame), b(ad), - (ASCII).
    """
    if character.isascii():
        return "l" if character.islower() else "u" if character.isupper() else "-"
    if character in _QUOTES:
        return "q"
    if character in _TYPOGRAPHY:
        return "t"
    if character in _COMMON_SYMBOLS:
        return "c"
    category = unicodedata.category(character)
    if category in ("Lu", "Lt"):
        return "u"
    if category == "Lo":
        return "o"
    if category[0] in "LM":
        return "l"
    if character == "\ufffd" or category[0] == "C":
        return "b"
    return "f" if "\u2500" <= character <= "\u259f" else "s"


def _order(text: str, kinds: dict[str, str]) -> float:
    """The log-probability (nats) of the order of capitals, small letters and signs."""
    shape = text.translate({ord(character): kind for character, kind in kinds.items()})
    repeated = sum(len(run[0]) for run in _REPEATED.finditer(text))
    return sum(len(pattern.findall(shape)) * cost for pattern, cost in _ODD) + repeated * _REPETITION
