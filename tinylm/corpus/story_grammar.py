"""The grammar of the stories: rules by name, each a tuple of alternatives; `stories.py` explains the marks.

No drawn or remembered word begins a line or a speech: after a space it always has the same token, so that repeating it
is plain copying, which is easier for a small model.
"""

RULES: dict[str, tuple[str, ...]] = {
    # Every story: who and where, the one who waits at home, and then one of seven plots.
    "story": ("{intro} {home}\nOne {weather:sky} {weekday:day} <he> {plot}\n{end}\n",),
    "intro": (
        "Once {name:hero} was {a trait} {land} <child> from {a look} {land} {place}.",
        "Here {name:hero}, {a trait} {land} <child>, lived by {a look} {land} {place}.",
        "Little {name:hero}, {a trait} <child> in {a look} {stuff} {cloth}, lived by {a look} {place}.",
    ),
    "home": (
        "<He> had {item}, {item}, {beast}, and {a look} {kin:dear}.",
        "<He> {made} {meal}, {meal}, and {meal} with <his> {look} {kin:dear}.",
        "<He> fed {meal} and {meal} to {beast} and <his> {look} {kin:dear}.",
        "<He> loved {meal}, {item}, and <his> {look} {kin:dear}.",
    ),
    "plot": (
        "{lose} {hunt}\n{trip} {meet} {ask} {clue}\n{fetch}",
        "{wish}\n{trip} {meet} {bargain} {work}\n{reward}",
        "{sell} {swap} {swap_again}\n{meet} {offer}\n{sum_up}",
        "{hear} {plead}\n{seek} {free}\n{repay}",
        "{find} {mine} {fall}\n{meet} {borrow}\n{share}",
        "{plan} {need}\n{trip} {meet} {parts}\n{make}",
        "{invite} {guests}\n{late} {plea} {welcome}\n{play}",
    ),
    "end": (
        "At home <he> and <his> <dear> {ate} {meal}, {meal}, and {meal}.",
        "That night <he> dreamed of {beast}, {beast}, and {item}.",
        "<His> <dear> was {good} and {gave} <him> {item} and {item}.",
        "Later <he> told <his> <dear> about <helper.the>, {item}, and {beast}.",
        "Never lend {item} to {beast}.",
        "Always keep {meal} and {item} for {beast}.",
        "If you meet {a trait} {land} {animal}, ask about {item}.",
        "<helper.The> kept {item} and {item} from that <sky> <day>.",
    ),
    # A journey, and a helper at the end of it: shared by most plots.
    "trip": (
        "So <he> {went} past {site} to {a look} {land} {place}.",
        "Then <he> packed {meal}, {meal}, and {item}, and {went} to {a look} {place}.",
        "In the {look} <sky.air> <he> {went} past {site} to {a look} {land} {place}.",
        "Now <he> {went} {number} {look} miles with {item} to {a look} {land} {place}.",
    ),
    "meet": (
        "{By} {site} sat {a trait} {land} {helper:helper} in {a look} {stuff} {cloth}.",
        "Here <he> met {a trait} {land} {helper:helper} with {meal} and {item}.",
        "There {a trait} {land} {helper:helper} {held} {item} and {item}.",
        "There {a trait} {land} {helper:helper} {ate} {meal} with {beast}.",
    ),
    # A trap holds a thing or an animal, and some tools help there: shared by three plots.
    "trapped": ("{where:where} {a look} {where.trap:trap}",),
    # Something is lost.
    "lose": (
        "lost <his> {look} {stuff:stuff} {prize:prize}.",
        "left <his> {look} {stuff:stuff} {prize:prize} {by} {site}, and it was gone.",
    ),
    "hunt": (
        "<He> found {item}, {item}, and {meal}, but no <prize>.",
        "<He> {looked} {by} {site} and {by} {site}, but saw only {beast}.",
        "<His> <dear> found only {item}, {item}, and {beast}.",
        "{By} {site} <he> saw only {beast} with {meal}.",
    ),
    "ask": (
        '"I want my <stuff> <prize>, not {item}," {said} <he> {way}.',
        '"Did {beast} take my <stuff> <prize>?" asked <he> {way}.',
        '"I will give {meal} and {item} for my <prize>," {said} <he> {way}.',
    ),
    "clue": (
        '"It is {trapped}," {said} <helper.the>. "Take my {look} {stuff} {trap.tool:tool} and {item}."',
        '"It is stuck {trapped}, so take my {stuff} {trap.tool:tool} and {meal}," {said} <helper.the>.',
        '"I saw {beast} with it {trapped}," {said} <helper.the>, and {gave} <him> {a look} {stuff} {trap.tool:tool}.',
    ),
    "fetch": (
        "With the <tool> <he> got <his> <prize>, {item}, and {item}.",
        "Then <he> used the <tool>, and {beast} {gave} <him> the <prize> and {meal}.",
        "Soon <he> found <his> <prize> between {item} and {beast}.",
    ),
    # Something is wished for and earned.
    "wish": (
        "wished for {a look} {stuff:stuff} {prize:prize} to show to {beast}.",
        "saw {a look} {stuff:stuff} {prize:prize} {by} {site} and wanted one too.",
        "wanted {a look} {stuff:stuff} {prize:prize} more than {meal} or {item}.",
    ),
    "bargain": (
        '"First {task:task} my {look} {land} {spot:job} for the <prize>," {said} <helper.the> {way}.',
        '"I have <a stuff> <prize>," {said} <helper.the>. "First {task:task} my {look} {land} {spot:job}."',
        '"Get me {meal} and {task:task} my {look} {land} {spot:job}," {said} <helper.the> {way}.',
    ),
    "work": (
        "So <he> <task.did> the <job> for {number} {look} {hours} and {ate} {meal}.",
        "<He> <task.did> the <job> with {item} and {item}.",
        "<helper.The> {ate} {meal} and {meal}, and <he> <task.did> the <job>.",
    ),
    "reward": (
        "<helper.The> {gave} <him> the <stuff> <prize>, {item}, and {meal}.",
        '"Here is the <prize>, {item}, and {item}," {said} <helper.the>.',
        "So <he> got the <stuff> <prize>, {item}, and {item}.",
    ),
    # One thing is traded for another, and that for the next.
    "sell": (
        "took <his> {look} {stuff} {prize:first} and {meal} to {a look} {land} {place}.",
        "grew tired of <his> {look} {stuff} {prize:first} and {went} to {a look} {land} {place}.",
    ),
    "swap": (
        "There {beast} {gave} <him> {a look} {stuff} {prize:second} for it.",
        "There <he> swapped it with {beast} for {a look} {stuff} {prize:second}.",
    ),
    "swap_again": (
        "Then {beast} {gave} <him> {a look} {stuff} {prize:third} and {meal} for the <second>.",
        "Then <he> swapped the <second> with {beast} for {a look} {stuff} {prize:third}.",
    ),
    "offer": (
        '"I need that <third>," {said} <helper.the>. "Take my {look} {stuff} {prize:prize} and {meal}."',
        '"Take {a look} {stuff} {prize:prize} and {item} for the <third>," {said} <helper.the> {way}.',
        "<He> sold <helper.the> the <third> for {a look} {prize:prize}, {item}, and {number} {look} coins.",
    ),
    "sum_up": (
        '"I had <a first>, <a second>, <a third>, and now <a prize>," {said} <he> {way}.',
        "The <first> was now <a prize>, and <he> {ate} {meal} and {meal}.",
        "Then <he> put the <prize> between {item} and {item}.",
    ),
    # An animal is stuck and set free.
    "hear": (
        "heard {a trait} {land} {helper:helper} {crying} {trapped}.",
        "met {a trait} {land} {helper:helper} {trapped} with {item}.",
    ),
    "plead": (
        '"I am {bad}, {bad}, and stuck with {item}," {said} <helper.the> {way}.',
        '"I came for {meal} and {meal} and got stuck," {said} <helper.the> {way}.',
        '"Help, I ran from {beast} with {item}," {said} <helper.the> {way}.',
    ),
    "seek": (
        "At {a look} {land} {place} {beast} sold <him> {a look} {stuff} {trap.tool:tool} and {item}.",
        "<His> <dear> found {a look} {stuff} {trap.tool:tool} {by} {site}, next to {item}.",
        "Then {beast} {gave} <him> {a look} {stuff} {trap.tool:tool} for {meal} and {item}.",
    ),
    "free": (
        "With the <tool> <he> got <helper.the> out, and they {ate} {meal} and {meal}.",
        "<He> used the <tool>, and <helper.the> came out with {item} and {item}.",
        "The {look} <tool> worked, and <helper.the> came out with {item}.",
    ),
    "repay": (
        '"Take my {look} {stuff} {thing}, {item}, and {item}," {said} <helper.the> {way}.',
        "<helper.The> {gave} <him> {item}, {item}, and {number} {look} coins.",
        '"Have my {look} {stuff} {thing} and {meal}," {said} <helper.the> {way}.',
    ),
    # Two friends quarrel and make up.
    "find": ("and {trait} {name:friend} found {a look} {stuff} {prize:prize} near {a look} {land} {place}.",),
    "mine": (
        '"It is for {beast}," {said} <he>. "No, it is for {beast}," {said} <friend> {way}.',
        '"Take {item} and {item}, but not this," {said} <friend> {way}.',
        '"I need it for {beast} and {beast}," {said} <he> {way}, and <friend> was {bad}.',
    ),
    "fall": (
        "They pulled, and it landed {trapped} with {item}.",
        "Then {beast} with {item} left it {trapped}.",
        "<friend> kicked it, and it landed {trapped} with {beast}.",
    ),
    "borrow": (
        "<helper.The> lent <him> {a look} {stuff} {trap.tool:tool} and {a look} {stuff} {cloth}.",
        '"Take my {look} {stuff} {trap.tool:tool} and {item}," {said} <helper.the>.',
        "<He> paid {meal} and {item} for {a look} {stuff} {trap.tool:tool}.",
    ),
    "share": (
        "With the <tool> they got the <prize>, and <friend> {gave} <him> {item} and {meal}.",
        "They got the <prize>, {item}, and {item}, and <friend> was {good}.",
        '"Let us share the <prize>," {said} <friend>, and they {ate} {meal} and {meal}.',
    ),
    # Something is built from two parts that others have.
    "plan": (
        "began to build {a look} {land} {craft:prize} for <his> <dear> and {beast}.",
        "drew {a look} {land} {craft:prize} with {item} and {item} in it.",
    ),
    "need": (
        "<He> needed {part:one}, {part:two}, and {item}.",
        '"I need {part:one}, {part:two}, and {item}," {said} <he> {way}.',
        "It took {part:one} and {part:two}, but <he> had only {meal} and {item}.",
    ),
    "parts": (
        "<helper.The> {gave} <him> {look} <one> and {look} <two> for {meal} and {item}.",
        '"Take my {look} <one> and {look} <two>," {said} <helper.the> {way}.',
        "<He> paid {meal} and {item} for {look} <one> and {look} <two>.",
    ),
    "make": (
        "Then <he> worked for {number} {look} {hours}, and <his> <dear> put {item} in the <prize>.",
        "Soon it was done, and <his> <dear> put {item} and {item} in the <prize>.",
    ),
    # A party, and one who stands outside.
    "invite": (
        "gave {a look} {feast} for <his> <dear>, {beast}, and {beast}.",
        "planned {a look} {land} {feast} with {item} and {item}.",
    ),
    "guests": (
        "{name:one} {brought} {meal}, {name:two} {brought} {meal}, and {name:three} {brought} {a look} {prize:prize}.",
        "First came {name:one} with {meal}, {name:two} with {item}, and {name:three} with {a look} {prize:prize}.",
    ),
    "late": (
        "Then {a trait} {land} {helper:helper} in {a look} {stuff} {cloth} came with {meal}.",
        "In the {look} <sky.air> stood {a trait} {land} {helper:helper} with {item}.",
        "{By} {site} <he> saw {a trait} {land} {helper:helper} with {meal}.",
    ),
    "plea": (
        '"I am {bad}, {bad}, and have only {item}," {said} <helper.the> {way}.',
        '"May I have {meal} with <two>?" asked <helper.the> {way}.',
        '"I have {meal} and {item}," {said} <helper.the> {way}.',
    ),
    "welcome": (
        '"Look, <one> has {meal} and {meal} for you," {said} <he>.',
        "So <one> gave {meal}, <two> gave {item}, and <three> gave the <prize>.",
        '"Sit by <three>, {beast}, and {beast}," {said} <he>.',
    ),
    "play": (
        "They told {look} tales of {beast} and {beast}, and <helper.the> was {good}.",
        "<helper.The> danced with <one>, and <his> <dear> danced with {beast} and {beast}.",
        "Then <three> {gave} <helper.the> the <prize> for {item} and {meal}.",
    ),
    # Noun phrases.
    "item": ("{a look} {stuff} {thing}", "{a look} {thing}", "{a look} {look} {thing}"),
    "beast": ("{a look} {land} {animal}", "{a look} {animal}", "{a look} {look} {animal}"),
    "meal": ("{taste} {fruit} {dish}", "{fruit} {dish}", "{fruit} {fruit} {dish}"),
    "site": ("{a look} {land} {spot}", "{a look} {spot}", "{a land} {spot}"),
    # Little words.
    "by": tuple("by near behind beside below above".split()),
    "By": tuple("By Near Behind Beside Below Above".split()),
    "brought": ("brought", "baked", "found", "chose"),
    "said": tuple("said called sang cried sighed laughed yelled joked".split()),
    "gave": ("gave", "tossed", "handed", "sent"),
    "ate": ("ate", "had", "shared", "tried"),
    "made": ("made", "sold", "cooked", "loved"),
    "went": tuple(
        """
        walked ran hurried marched skipped crept rode raced strolled hiked trotted rushed limped danced drove hopped
        """.split()
    ),
    "held": tuple("held washed mended drew cleaned hid sold shook".split()),
    "looked": ("looked", "peeked", "searched", "dug"),
    "hours": ("hours", "days", "weeks", "months"),
    "crying": ("crying", "sobbing", "calling", "howling"),
    "feast": ("feast", "party", "picnic", "dinner"),
}
