"""The words of the stories by class, and facts about them.

Short words in large classes make many bits per byte (a draw from 128 words has 7 bits), so that the stories are not
cheap to predict. Draws are uniform and every class is used in many sentences, so a small model meets each word hundreds
of times. All words of a class fit wherever the class is used: any `look` goes with any thing, animal or place.
"""

GIRLS = "Ada Amy Cora Ella Eva Ivy Kate Lily Lucy Maya Meg Nora Rita Rosa Ruby Zoe".split()

BOYS = "Abe Adam Ben Carl Dan Eli Finn Gus Hugo Ian Jack Leo Max Noah Otto Tom".split()

WORDS: dict[str, tuple[str, ...]] = {
    "name": (*GIRLS, *BOYS),
    "look": tuple(
        """
        red blue tan pink gray teal gold black white brown green big wee tiny huge long tall wide thin fat
        flat slim old new neat dusty dirty muddy wet dry damp warm cool bent worn dull shiny pale dark odd
        plain fine cute ugly lucky quiet noisy rusty mossy wild posh rare tidy oily weak strong curly wavy
        nice great cozy slow loud cheap heavy light soggy stiff tame bald dim sleek drab lame limp lean puny
        rosy torn trim vast wiry zany icy glum snug hardy leafy round rough royal sharp short silky small
        smart solid sooty spare stout tough weird bumpy lumpy fuzzy hairy gaudy bulky hefty jumbo nifty
        perky plump rigid dandy dinky inky lofty baggy boxy chic daft dizzy fit gruff itchy keen loose fake
        slick spiky swift tubby
        """.split()
    ),
    "stuff": tuple(
        """
        tin oak wool clay silk iron wax zinc bone cork jade felt lace pine reed lead ash elm cane fir teak
        wire chalk steel glass straw brass stone paper cotton ivory coal hemp foil suede denim tweed satin
        maple cedar birch onyx opal slate amber coral linen beech
        """.split()
    ),
    "thing": tuple(
        """
        kettle drum kite bell ring book map cup pot jar clock flute box broom comb shell bowl brush doll fan
        flag plate pan purse spoon mug quilt vase bead belt crown dish fork harp horn jug mask pin pen stool
        toy tray trunk wagon badge ball card chain chair charm chest coin crib easel gem globe gong hoop
        lens lid lute mat pearl pipe pouch quill rug stamp sword drill tile towel tub tuba urn wand watch
        whisk wig lock bolt knob dart dice disk bag sack sail oar bow arrow cog wheel bin can keg vat rod
        reel sign sling bib loom mop peg pail rake spade tag flask cone cube coil dial gear glove hose kit
        knot orb pad plug prop puck rack sock boot shoe spur sofa desk lyre banjo bugle
        """.split()
    ),
    "animal": tuple(
        """
        bat bug eel elk emu gnat gull hawk jay lark mink moose moth newt ox pup ram seal slug stork tiger
        wasp worm wren yak calf chick colt crane dove lynx panda finch heron koala llama mule camel eagle
        fly gecko hippo rhino shrew skunk snake ape asp boa cod doe dodo fawn foal gnu hog ibis loon mare
        mite orca pug rook stag tern tick vole whale
        """.split()
    ),
    # Words that a story returns to have a class of their own: to recall one is to find the one word of its class.
    "helper": tuple(
        """
        fox hen cat dog owl goat mouse bear frog duck hare crow pig horse goose wolf mole snail otter toad
        """.split()
    ),
    "prize": tuple(
        """
        mirror locket puppet violin basket pillow button carpet whistle medal puzzle cradle anchor compass
        helmet necklace lantern teapot trumpet ribbon
        """.split()
    ),
    "part": tuple(
        """
        boards nails bricks sticks pegs glue paint string beams screws springs hinges rivets tar plaster
        cogs
        """.split()
    ),
    "land": tuple(
        """
        hill sea farm town wood moor lake barn park yard heath snow river cave sand mud rock bush dune bog
        bay fen glen cove reef dale city roof attic field creek marsh street desert shore wharf mesa isle
        delta steppe
        """.split()
    ),
    "fruit": tuple(
        """
        fig plum pear apple nut bean pea egg grape date lemon lime melon beet yam leek kale corn oat rice
        fish ham beef mint olive onion mango kiwi honey cheese butter milk cream bacon berry peach cherry
        rye soy tuna herb sage garlic carrot turnip pepper ginger dill
        """.split()
    ),
    "dish": tuple(
        """
        soup pie cake jam bread stew tart salad toast sauce jelly mash dip fudge pasta curry broth hash
        gruel flan pizza chips rolls buns bars bites balls chili salsa gravy candy slaw
        """.split()
    ),
    "taste": tuple(
        """
        hot sour sweet cold raw salty spicy crisp stale fresh tasty juicy burnt mild thick runny tangy gooey
        chewy mushy soft hard rich bitter
        """.split()
    ),
    "spot": tuple(
        """
        gate tree door wall shed pond stump log path arch ditch fort post pump porch cabin tent stall mound
        ruin swing lift hive tomb dock kiln maze altar plow trough fence barge den nest pier ramp silo sty
        vault yurt igloo hall shack booth crypt moat lodge mast
        """.split()
    ),
    "cloth": tuple(
        """
        hat coat cap scarf shirt cape apron vest robe cloak hood gown sash tie cowl toga tunic shawl kilt
        smock fez parka beret cravat
        """.split()
    ),
    "craft": tuple("hut sled bed cage coach ferry plane rocket robot canoe scooter kayak".split()),
    "kin": tuple("friend cousin twin pal boss guest tutor nurse".split()),
    "good": tuple(
        """
        glad happy pleased cheery hopeful joyful content excited amazed eager charmed elated thankful smug
        relieved thrilled
        """.split()
    ),
    "bad": tuple(
        """
        sad cross lonely tired sorry afraid upset worried angry weary ashamed puzzled jealous bored scared
        nervous
        """.split()
    ),
    "number": tuple(
        """
        two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty
        """.split()
    ),
    "weekday": tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
}

SKIES = {
    "windy": "wind",
    "rainy": "rain",
    "sunny": "sun",
    "foggy": "fog",
    "snowy": "snow",
    "frosty": "frost",
    "stormy": "storm",
    "misty": "mist",
    "breezy": "breeze",
    "hazy": "haze",
    "chilly": "chill",
    "drizzly": "drizzle",
}

# Where a thing or an animal can be out of reach, and the tools that help there.
TRAPS = {
    "in": {
        "pit": "rope ladder pole",
        "well": "rope bucket hook",
        "cave": "lamp torch candle",
        "tree": "ladder pole net",
    },
    "behind": {"wall": "ladder rope plank", "gate": "key hammer saw", "hedge": "axe saw knife"},
    "on": {"cliff": "rope hook pick", "ledge": "ladder pole net"},
    "across": {"river": "raft boat plank", "swamp": "raft plank pole"},
}

# Tasks, and their past tense.
TASKS = {
    "paint": "painted",
    "scrub": "scrubbed",
    "sweep": "swept",
    "wash": "washed",
    "guard": "guarded",
    "fix": "fixed",
    "move": "moved",
    "draw": "drew",
}

# The keys of these tables are classes of words too.
WORDS |= {
    "trait": tuple(
        """
        shy bold kind merry wise grumpy lazy polite clever proud brave gloomy nosy silly calm vain rude meek
        jolly stern sly frank tender timid
        """.split()
    ),
    "way": tuple(
        """
        softly loudly gently brightly slowly crossly sleepily nicely quickly grandly firmly sadly eagerly
        wildly quietly sweetly sharply weakly gaily coldly smoothly plainly warmly faintly
        """.split()
    ),
    "weather": tuple(SKIES),
    "place": tuple(
        """
        farm mill inn castle harbor market school abbey forest garden beach hill town bakery forge mine
        stable library camp circus tower dairy shop island
        """.split()
    ),
    "where": tuple(TRAPS),
    "task": tuple(TASKS),
}
