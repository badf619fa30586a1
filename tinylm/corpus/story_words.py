"""What all stories share: how they begin, the words by class, and the facts about words that make them fit each other.

Remembered words come from small classes, so that a small model soon learns to copy them (assets/results/notes.md).
"""

GIRLS = "Mia Anna Lily Emma Ella Rosa Nora Lucy Clara Zoe Ruby Ida".split()
BOYS = "Tom Ben Max Leo Jack Sam Finn Oscar Noah Paul Theo Otto".split()

SHE = "Dot Clover Hazel Poppy Willow Pebble".split()
HE = "Pip Bramble Button Biscuit Tuft Rusty".split()
"""Names of animals that are awake at night."""
BEASTS = "hedgehog mouse rabbit squirrel mole badger".split()
COCKS = "Bruno Carlo Caesar Hector Rufus Victor".split()

SHARED = """
begin
    {opening} {then} <he> {event}
    {one_day} {name:hero} {news}
opening
    Once upon a time there was a {child:kind} called {kind.name:hero} who {who}.
    Once upon a time a {child:kind} called {kind.name:hero} lived {home}. <He> {who}.
    Once upon a time, {home}, there lived a {child:kind} called {kind.name:hero} who {who}.
    Once there was a {child:kind} called {kind.name:hero}, and <he> {who}.
    There was once a {small} {child:kind} called {kind.name:hero} who {who}.
    {Place} there lived a {child:kind} called {kind.name:hero} who {who}.
    {name:hero} lived {home}. <He> {who}.
    {name:hero} was {age} years old, and <he> {who}.
    Little {name:hero} {who}.
    This is the story of {name:hero}, who {who}.
    Do you know {name:hero}? <He> {who}.
    Not long ago there lived a {child:kind} called {kind.name:hero} who {who}.
then
    One {weather} {daypart}
    One day
    Then, one {weekday},
    On {a weather} {weekday}
one_day
    One day
    One {weather} {daypart}
    It was {a weather} {daypart}, and
    On the first day of {season}
    Last {season}
    On {weekday}
child
    girl
    boy
small
    little
    small
    young
    clever
    cheerful
    curious
    lively
    freckled
age
    four
    five
    six
    seven
    eight
daypart
    morning
    afternoon
    day
weekday
    Monday
    Tuesday
    Wednesday
    Thursday
    Friday
    Saturday
    Sunday
season
    spring
    summer
    autumn
weather
    sunny
    bright
    warm
    cloudy
    mild
    cool
    fine
    quiet
    golden
    hazy
    lazy
    crisp
Place
    In a village by the sea
    In a small town
    On a farm
    On an island
    At the edge of a wood
    Far away in the hills
    In the house next to the mill
    In a hut by the river
    On the top floor of a tall house
    In a village with only one shop
    Behind the seven hills
    In a house full of clocks
home
    in a white house by the sea
    in a village at the foot of a hill
    at the edge of a wood
    above a bakery
    in a cottage beside a mill
    in a tall house with a blue door
    in a valley full of apple trees
    at the end of a long lane
    next to a school
    in a house with a squeaky gate
    near an old castle
    in a street full of cats
    in a hut on stilts
    behind the post office
    by a wide river
    in a village with only one shop
elder
    mother
    father
    grandmother
    grandfather
    aunt
    uncle
    cousin
neighbour
    miller
    farmer
    tailor
    baker
    fisherman
    gardener
    postman
    blacksmith
    potter
    beekeeper
soundly
    soundly
    like a stone
    until noon
    with a smile
    better than ever
treat
    cake
    jam
    pancakes
    strawberries
    ice cream
    honey
    chocolate
    apple pie
    cherries
    buns
    toffee
    gingerbread
    custard
    marzipan
    popcorn
    fudge
    plum pudding
    raspberries
toy
    red ball
    rag doll
    tin drum
    toy boat
    wooden train
    clockwork robot
animal
    hen
    cat
    dog
    owl
    goat
    mouse
    frog
    duck
    pig
    rabbit
oddment
    an old sock
    three marbles
    half a biscuit
    a brass button
    a bent spoon
    one mitten
    a dusty toffee
    a feather
    a lost letter
    two pencils
    a ball of string
    a pair of dice
    a rusty key
    a shell
    a chestnut
    a very surprised spider
    a lost tooth
    a playing card
    a pine cone
    two buttons
    an acorn
    a piece of chalk
    a cork
    a tin soldier
    a sleeping bee
    a train ticket
"""
"""Shared rules, which refer to rules of each plot: `who`, `event` and `news` say of the hero what begins the plot."""

FACTS = """
hen | said: clucked | doing: pecking at crumbs / scratching in the dust / sitting on an egg
cat | said: purred | doing: washing its paws / dozing on a wall / watching a fly
dog | said: barked | doing: chewing a bone / chasing its own tail / scratching its ear
owl | said: hooted | doing: blinking in a tree / cleaning its feathers / turning its head round and round
goat | said: bleated | doing: nibbling at a hedge / standing on a barrel / tasting a shirt
mouse | said: squeaked | doing: gnawing at a nut / brushing its whiskers / carrying a crumb
frog | said: croaked | doing: sitting on a wet stone / looking for flies / practising long jumps
duck | said: quacked | doing: splashing in a puddle / waddling along the path / shaking its tail
pig | said: grunted | doing: rolling in the mud / looking for acorns / dozing in the sun
rabbit | said: said | doing: munching a carrot / digging a hole / counting cabbages

duckling | call: Quack | mother: duck | home: pond
kitten | call: Miaow | mother: cat | home: barn
lamb | call: Baa | mother: sheep | home: meadow
puppy | call: Woof | mother: dog | home: farmyard
chick | call: Cluck | mother: hen | home: hen house
piglet | call: Oink | mother: sow | home: pigsty
gosling | call: Honk | mother: goose | home: river
foal | call: Neigh | mother: mare | home: stable
owlet | call: Hoo | mother: owl | home: church tower

cow | children: Mine are bigger than you
bat | children: Mine sleep upside down
mole | children: Mine never come out by day
snail | children: Mine carry their houses on their backs
frog | children: Mine cannot even sit yet, they only swim
fish | children: Mine would never go out in such dry air
hedgehog | children: Mine are not so nice to stroke
parrot | children: Mine are green and use bad words
stork | children: Mine are up on the roof, and they never stop eating

swim | did: swam across the pond and back | fail: sank like a stone / swallowed half the pond / got stuck in the reeds
whistle | did: whistled so well that three dogs came | fail: blew only air / sprayed crumbs on the tablecloth /
    sounded like a kettle
skate | did: skated round the lake with one foot in the air | fail: sat down hard / slid under a bench / took the
    snowman along
dance | did: danced until the lamps shook | fail: trod on every toe / fell over the dog / got tangled up in the
    curtain
juggle | did: kept four apples in the air | fail: hit the lamp / dropped an egg on the cat / got a lemon in the eye
row a boat | did: rowed to the island in a straight line | fail: went round in circles / lost both oars / rowed into a
    swan
ride a bicycle | did: rode down the street and waved | fail: rode into a hedge / landed in the nettles / knocked over
    a fruit stall
play the trumpet | did: played a tune, and people opened their windows | fail: made a noise like a sick cow /
    frightened the hens / blew a moth out of it
walk on stilts | did: walked along the street and looked in at every window | fail: fell into a rose bush / sat in the
    fountain / came down on a policeman


whistle | sound: a shrill note
alarm clock | sound: a loud ticking
little bell | sound: a soft ringing
music box | sound: a slow waltz
mouth organ | sound: a merry chord
radio | sound: the evening news
rattle | sound: a cheerful clatter
"""
"""What goes with a word: the word, then facts by name, whose options are separated by slashes."""

_SHE = "he: she | He: She | him: her | his: her | His: Her | himself: herself"
_HE = "he: he | He: He | him: him | his: his | His: His | himself: himself"
_PEOPLE = (
    *(f"{name} | child: girl | {_SHE}" for name in GIRLS),
    *(f"{name} | child: boy | {_HE}" for name in BOYS),
    *(f"{name} | {_SHE}" for name in SHE),
    *(f"{name} | {_HE}" for name in (*HE, *COCKS)),
    f"girl | name: {' / '.join(GIRLS)}",
    f"boy | name: {' / '.join(BOYS)}",
    *(f"{kind} | name: {' / '.join((*SHE, *HE))}" for kind in BEASTS),
)
FACTS += "\n".join(_PEOPLE)
SHARED += "name\n" + "\n".join(f"    {name}" for name in (*GIRLS, *BOYS))
