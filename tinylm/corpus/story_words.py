"""What all stories share: how they begin, the words by class, and the facts about words that make them fit each other.

What a story remembers is a name, a thing, an animal or somebody of the family. Each class is small, the same in all
plots, and of frequent words: so a small model learns to copy from all plots at once (assets/results/notes.md).
"""

GIRLS = "Mia Anna Lily Emma Ella Rosa Nora Lucy Clara Zoe Ruby Ida".split()
BOYS = "Tom Ben Max Leo Jack Sam Finn Oscar Noah Paul Theo Otto".split()

SHARED = """
begin
    {opening} {then} <he> {event}
    {one_day} {name:hero} {news}
opening
    Once upon a time there was a {child:kind} called {kind.name:hero} who {who}.
    Once upon a time a {child:kind} called {kind.name:hero} lived {home}. <He> {who}.
    Once upon a time, {home}, there lived a {child:kind} called {kind.name:hero} who {who}.
    Once there was a {child:kind} called {kind.name:hero}, and <he> {who}.
    There was once a {small} {child:kind} with {colour} {garment} called {kind.name:hero} who {who}.
    {Place} there lived a {child:kind} called {kind.name:hero} who {who}.
    {name:hero} lived {home}. <He> {who}.
    {name:hero} was {age} years old and lived {home}. <He> {who}.
    Little {name:hero} with the {colour} {garment} {who}.
    This is the story of {name:hero} with the {colour} {garment}, who {who}.
    Do you know {name:hero}, who lives {home}? <He> {who}.
    Not long ago there lived a {child:kind} called {kind.name:hero} who {who}.
then
    One {weather} {daypart}
    One day
    Then, one {weather} {weekday},
    On {a weather} {weekday} in {month}
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
    kind
    shy
    merry
    bright
    dreamy
    tidy
    patient
    stubborn
age
    four
    five
    six
    seven
    eight
    nine
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
month
    January
    February
    March
    April
    May
    June
    July
    August
    September
    October
    November
    December
colour
    red
    blue
    green
    yellow
    white
    black
    brown
    grey
    purple
    orange
    pink
    striped
    spotted
    silver
    violet
    checked
garment
    boots
    shoes
    trousers
    socks
    mittens
    gloves
    pyjamas
    stockings
    braces
    slippers
    sandals
    ribbons
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
    windless
    pleasant
    lovely
    calm
    fresh
    drowsy
    glorious
    hot
    ordinary
    gentle
    rosy
    beautiful
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
    In a country without a king
    At the end of the world
    On the other side of the mountain
    Under the roof of an old inn
    In the middle of a noisy city
    Between two lakes
    In a caravan with green wheels
    At the foot of a glacier
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
    in a street full of cafes
    in a hut on stilts
    behind the post office
    by a wide river
    in a village with only one shop
    on a houseboat
    in a lighthouse
    opposite the fire station
    over a shoe shop
    among vineyards
    in a crooked house without a cellar
    beside a waterfall
    under a huge walnut tree
elder
    mother
    father
    grandmother
    grandfather
    aunt
    uncle
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
thing
    ball
    doll
    kite
    book
    drum
    bell
    clock
    horn
look
    little
    old
    red
    blue
    green
    yellow
    white
    fine
    pretty
    plain
    painted
    lovely
    beautiful
    wonderful
    brown
    black
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
    plumber
    barber
    carpenter
    shoemaker
    butcher
    grocer
    librarian
    dentist
    cook
    painter
    weaver
    cobbler
    milkman
    shepherd
    ferryman
    teacher
    chemist
    watchmaker
    innkeeper
    forester
    banker
    florist
soundly
    soundly
    like a stone
    until noon
    with a smile
    better than ever
    without a dream
furniture
    bed
    sofa
    cupboard
    piano
    curtains
    stove
    wardrobe
    bookcase
    armchair
    carpet
    chest of drawers
    sideboard
    desk
    bench
    mirror
    fireplace
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
    waffles
    jelly
    lemonade
    roast chestnuts
    peaches
    melon
    shortbread
    doughnuts
    nougat
    liquorice
    macaroons
    muffins
    cinnamon rolls
    rice pudding
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
    some string
    a wooden dice
    a rusty key
    a shell
    a chestnut
    a very surprised spider
    a lost tooth
    a playing card
    a pine cone
    two hairpins
    an acorn
    a piece of chalk
    a cork
    a tin soldier
    a sleeping bee
    a train ticket
    a broken comb
    a dead wasp
    a glass eye
    one earring
    a paintbrush
    a thimble
    a walnut shell
    a foreign stamp
    four paper clips
    a dried rose
    an empty matchbox
    a horseshoe
    a rubber band
    a postcard
    a wishbone
    a candle end
    an egg cup
    a shoelace
    a magnet
    a safety pin
    seven beads
    a pebble
"""
"""Shared rules, which refer to rules of each plot: `who`, `event` and `news` say of the hero what begins the plot."""

_SHE = "he: she | He: She | him: her | his: her | His: Her | himself: herself"
_HE = "he: he | He: He | him: him | his: his | His: His | himself: himself"
_PEOPLE = (
    *(f"{name} | child: girl | {_SHE}" for name in GIRLS),
    *(f"{name} | child: boy | {_HE}" for name in BOYS),
    f"girl | name: {' / '.join(GIRLS)}",
    f"boy | name: {' / '.join(BOYS)}",
)
FACTS = "\n".join(_PEOPLE)
"""What goes with a word: the word, then facts by name, whose options are separated by slashes."""

for rule, words in (("name", (*GIRLS, *BOYS)), ("cock", BOYS)):
    SHARED += "\n".join([rule, *(f"    {word}" for word in words), ""])
