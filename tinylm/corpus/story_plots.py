"""The plots of the stories: scenes of the grammar (`grammar.py` explains the marks).

A story of a plot goes through the stages that its first rule names. In each stage something else may happen; what is
remembered is what the story is about: the hero, the thing, the helper. Rules that are not here are in `story_words.py`.

A model of two minutes is to learn all of it: no plot has more than 500 words, and all remember words of the same few
classes, so that each teaches the copying that the others need (assets/results/notes.md).
"""

PLOTS: dict[str, str] = {}

PLOTS["the lost toy"] = """
story
    {begin} {search}|{meet} {answer} {end}
who
    was very fond of <his> {look} {thing:thing}
    had never lent <his> {thing:thing} to anybody
    loved <his> {thing:thing} more than {treat}
    told all <his> secrets to <his> {thing:thing}
event
    came home from {errand}, and the <thing> was gone.
    woke up early and could not find the <thing>.
    felt under the pillow, and the <thing> was not there.
news
    lost <his> {look} {thing:thing}.
    came home from {errand} without <his> {thing:thing}.
errand
    school
    the market
    the beach
    a picnic
    the dentist
    a party
    the swimming pool
    the circus
    the barber
    a walk in the rain
    the museum
    a wedding
    the library
    a trip to the mountains
    choir practice
    the skating rink
search
    <hero> looked under the {furniture} and found {oddment}, but no <thing>.
    "Where did you have it last?" asked <his> {elder}. "In my hand," said <hero>, and that did not help.
    <hero> looked behind the {furniture}, inside the {vessel}, and even in the soup. There was no <thing>.
    <hero> asked the goldfish, who knew nothing, and the parrot, who only said good day.
vessel
    teapot
    bathtub
    laundry basket
    flour bin
    vase
    mailbox
    bread bin
    umbrella stand
    watering can
    coal bucket
    kettle
    washing machine
    cookie jar
    oven
    picnic basket
    sugar bowl
meet
    In the {yard} <he> met {a animal:helper}. "Have you seen my <thing>?" asked <hero>.
    Outside <he> met {a animal:helper}. "Did you see my <thing>?" asked <hero>.
    So <hero> went to the {animal:helper} next door. "Do you know where my <thing> is?" asked <hero>.
yard
    garden
    yard
    orchard
    meadow
    lane
    street
    park
    vegetable patch
    field
    farmyard
    alley
    square
answer
    "Yes, a fox ran off with it," said the <helper>. <hero> found the fox {den}, with the <thing> between its paws.
        {swap}
    "Look up," said the <helper>. There was the <thing>, {roof}. {climb}
    "Something went splash in the {water}," said the <helper>. <hero> fished for it with {net}. Out came {oddment}, then
        an angry fish, and then the <thing>.
    "The baby has it," said the <helper>. And so it was. The baby lay in its cradle and held the <thing> tight. {baby}
    "A stork took it for an egg," said the <helper>. And up on the {chimney} sat the stork, keeping the <thing> warm.
        {hatch}
den
    under the stairs
    behind the barn
    in a heap of leaves
    in the dog basket
    under a hedge
    in a ditch
swap
    "Will you take {snack} for it?" asked <hero>. It did, and both were content.
    It only wanted somebody to play with. So they played until {dusk}.
snack
    a sausage
    a biscuit
    a pear
    a fishcake
    a cheese rind
    a chop
    an egg
dusk
    supper
    the moon came up
    both were tired
    it began to rain
    the bats came out
    midnight
roof
    on top of the hen house
    high up in the apple tree
    on the edge of the roof
    on the garden wall
    on the washing line
    above the front door
climb
    <hero> fetched a ladder, but it was too short. So the <helper> stood on <his> head, and that was enough.
    A gust of wind came along and threw it straight into <his> arms. "Thank you, wind," said <hero>.
water
    pond
    well
    brook
    rain barrel
    ditch
    canal
net
    a rake
    an umbrella
    a butterfly net
    a soup ladle
    a bent coat hanger
    a garden fork
baby
    <hero> sang a song, and when the baby was asleep, <he> took the <thing> back very softly.
    <hero> held out a spoon, and the baby liked the spoon even better.
chimney
    chimney
    school roof
    tall pine
    church tower
    windmill
    lamp post
hatch
    "It will not hatch," called <hero>. "One never knows," said the stork, but it moved over.
    <hero> offered it a boiled egg instead, and the stork thought that it had made a good bargain.
end
    "I shall never lose you again," <he> told the <thing>. Then they had {treat}, and went to bed.
    From then on {a colour} ribbon was tied to the <thing>, so that it could not get away.
    At home <hero> wrote <his> name on the <thing>, in large {colour} letters.
    That evening <hero> told the <thing> all that had happened, for it had missed most of it.
"""

PLOTS["the hat and the wind"] = """
story
    {begin} {flight}|{landing} {end}
who
    was proud of <his> {hat_look} hat
    had got {a hat_look} hat for <his> birthday
    wore <his> {hat_look} hat even in the bath
    thought that {a hat_look} hat made <him> look taller
hat_look
    straw
    red
    woolly
    green
    felt
    black
    white
    yellow
    checked
    striped
    blue
    velvet
weather
    windy
    stormy
    breezy
    blustery
    wild
    gusty
event
    was {walking} when the wind took the hat.
    was {walking} when the wind pulled the hat off <his> head.
    went out without holding on to the hat, and the wind was waiting for that.
news
    was {walking} when the wind blew <his> {hat_look} hat away.
    was {walking}. The wind came round a corner and stole <his> {hat_look} hat.
walking
    crossing the bridge
    walking to school
    feeding the sheep
    buying bread
    picking daisies
    going up the hill
    waiting for the bus
    eating {treat} on a bench
    looking at a beetle
    saying good day to the {neighbour}
    carrying eggs home
    watching the trains
    throwing stones into the river
    counting clouds
    leaning out of a window
    posting a letter
flight
    It flew over the {church} and past a {surprised} stork.
    "Stop!" shouted <hero>, but the wind does not listen to anybody.
    <hero> ran after it, over a fence, through a hedge, and twice round the {church}.
    It danced along the street, and three {dancers} danced behind it.
church
    church
    school
    bakery
    town hall
    windmill
    pump
    post office
    castle
    museum
    station
surprised
    surprised
    sleepy
    fat
    grumpy
    thin
    polite
dancers
    dogs
    leaves
    newspapers
    geese
    boys
    policemen
landing
    It stuck in the top of {a tree}, where nobody could reach it. {nest}
    It came down on the horns of a cow. "This suits me," said the cow. {cow}
    It came down on the head of a scarecrow, and it fitted well. {scarecrow}
    It fell into the river and floated away like a boat. {river}
    It came down on the head of the mayor, who was just making a speech. {mayor}
tree
    oak
    pear tree
    pine
    willow
    chestnut tree
    birch
    poplar
    lime tree
nest
    A blackbird laid three blue eggs in it. "Keep it until they hatch," said <hero>, and so it did.
    "What will you give me for it?" asked a squirrel. "A pocket full of nuts," said <hero>, and down it came.
cow
    "I can make you something nicer," said <hero>, and wove a crown of {flower}. The cow ate it and gave the hat back.
    "But you cannot see the grass under it," said <hero>. The cow thought for a long time and gave the hat back.
flower
    daisies
    clover
    buttercups
    poppies
    dandelions
    violets
    bluebells
    cornflowers
scarecrow
    The crows saw it and flew away at last. "Let it keep that," said the farmer, "and you shall have {basket}."
    Its old straw head looked happy. So <hero> left it there, and <his> {elder} knitted <him> a new one.
basket
    a basket of plums
    a bag of corn
    a dozen eggs
    a pumpkin
    a jar of honey
    a pound of butter
    a pail of milk
    a round cheese
river
    A fish put its head in and called itself a captain. At the {bridge} it gave the hat back, with a bow.
    <hero> caught it at the {bridge} with a long stick. It was full of water, and in the water was a crab.
bridge
    bridge
    landing stage
    weir
    willows
    ferry
    mill wheel
mayor
    "Whose is this?" asked the mayor. "Mine," called <hero>, "but it looks good on you." Then even the mayor laughed.
    The mayor went on speaking, and nobody had ever listened so well. Afterwards <hero> got it back.
end
    "Next time," said <hero>, "I shall put a stone in my pocket and another on my head."
    And the wind went off to look for somebody with {a umbrella}.
    From that day on <hero> tied every hat under <his> chin with {a colour} ribbon.
    After that <hero> said good morning to the wind every {weekday}, to be on the safe side.
umbrella
    umbrella
    newspaper
    wig
    tablecloth
    shopping list
    nightshirt
    long beard
    parasol
"""

PLOTS["the noise in the night"] = """
story
    {begin} {fright}|{brave} {found} {end}
who
    was afraid of the dark
    had one fear, and that was the dark
    looked under the bed every night, for fear of the dark
    slept with the door open, because of the dark
then
    One {weather} night
    Late one evening
    In the middle of the night
one_day
    One {weather} night
    Late one evening
    It was {a weather} night, and
weather
    dark
    stormy
    windy
    cold
    still
    moonless
    rainy
    black
    frosty
    foggy
event
    woke up because of {a strange} noise in the {room}.
    heard {a strange} noise from the {room}.
    sat up in bed. There was {a strange} noise in the {room}.
news
    heard {a strange} noise from the {room}.
    could not sleep. There was {a strange} noise in the {room}.
strange
    strange
    soft
    scary
    rustling
    munching
    grumbling
    snuffling
    bumping
    scraping
    humming
    rattling
    ticking
    splashing
    whispering
    crunching
    creaking
room
    kitchen
    attic
    cellar
    hall
    pantry
    workshop
    bathroom
    cupboard
fright
    <hero> hid under the blanket and counted to {ten}, but the noise did not stop.
    "It is only the wind," <hero> told <his> pillow. But the wind does not {cough}.
    The heart of <hero> was beating fast. What if it was {a monster}?
    <hero> called <his> {elder}, but so softly that nobody could hear.
ten
    ten
    twenty
    fifty
    a hundred
    thirty
    a thousand
cough
    cough
    giggle
    hum
    burp
    sneeze
    snore
    chew
    whistle
monster
    pirate
    tiger
    burglar
    ghost
    witch
    lion
    vampire
    crocodile
brave
    At last <hero> took {a thing:weapon} in one hand and a candle in the other, and went down on tiptoe.
    "Somebody has to look," thought <hero>, and there was nobody else. So <he> took {a thing:weapon} and opened the
        door.
    <hero> was frightened, but <he> was even more curious. <He> picked up {a thing:weapon} and crept down the stairs.
found
    There sat a hedgehog with its nose in a jar of {jam}, and could not get it out again. {jar}
    There stood the {neighbour} in pyjamas, eating {treat}. {snack}
    There ten mice were having a party, and the oldest one was dancing on {floor}. {party}
    A burglar was standing there in {socks} with a sack on his back. {burglar}
    The tap was dripping, and under it sat a toad with {a umbrella}. {tap}
jam
    jam
    honey
    syrup
    gherkins
    mustard
    marmalade
    mayonnaise
    pickles
jar
    <hero> put down the <weapon> and pulled. Plop! The hedgehog thanked <him> and asked for a spoon.
    <hero> put the <weapon> under <his> arm and turned the jar like a screw. Out came the hedgehog, very sticky and very
        glad.
snack
    "I thought you were a burglar!" they both cried, and <hero> dropped the <weapon>.
    "Do not tell anybody," begged the guest. "I will not," said <hero>, "if I may have some."
floor
    a plate
    a tin lid
    a hatbox
    the cheese
    a cushion
    the bread
party
    "Are we too loud?" they asked. "A little," said <hero>, put down the <weapon>, and danced too.
    When they saw the <weapon>, they stopped. "Go on," said <hero>. "I only came to look."
socks
    his socks
    pyjamas
    one shoe
    yellow gloves
    a false beard
    red slippers
burglar
    "Put everything back," said <hero>, and held up the <weapon>. He did, and even dusted the shelf.
    But he was more afraid than <hero> was. He saw the <weapon> and ran off, and in the sack were only {sandwiches}.
sandwiches
    sandwiches
    potatoes
    old newspapers
    teddy bears
    feathers
    onions
umbrella
    umbrella
    towel
    newspaper
    sponge
    bathing cap
    bar of soap
tap
    "I am counting the drops," it said. "{Nine} thousand so far." So <hero> took the <weapon> and went away on tiptoe.
    "Leave it on, please," it said. "It is my lullaby." So <hero> left it on and held the <weapon> still.
Nine
    Nine
    Six
    Eleven
    Twenty
    Seven
    Forty
end
    After that <hero> was not afraid any more. <He> knew now who was awake in the dark.
    In the morning <he> thought it was a dream. But the <weapon> was still lying on the stairs.
    Then <hero> went back to bed, put the <weapon> under the pillow, and slept {soundly}.
    "Who was it?" <his> family asked in the morning. "Nobody," said <hero>, "only the night."
"""

PLOTS["the birthday cake"] = """
story
    {begin} {missing}|{ask} {errand} {baking} {end}
who
    was nearly as good at baking as a baker
    had learned baking from a book with {ten} spots on every page
    liked baking more than anything
    wanted to try baking all alone
ten
    three
    ten
    twelve
    forty
    a hundred
    five
event
    began to bake {a flavour} cake for <his> {elder:elder}, whose birthday it was.
    wanted to surprise <his> {elder:elder} with {a flavour} cake.
    remembered the birthday of <his> {elder:elder}, and began to bake {a flavour} cake.
news
    wanted to bake {a flavour} cake for <his> {elder:elder}, whose birthday it was.
    got up before everybody else to bake {a flavour} cake for <his> {elder:elder}.
flavour
    apple
    carrot
    lemon
    plum
    honey
    cherry
    cheese
    nut
    chocolate
    poppy seed
    ginger
    coffee
missing
    But there was no {need} in the house, and <his> <elder> was coming at {four}.
    There were eggs, and there was a bowl, but <his> <elder> had used up the {need}.
    <hero> opened the jar for the {need}, and <his> <elder> had put {oddment} into it.
    But <his> <elder> had hidden the {need} from the beetles, and nobody knew where.
four
    three
    four
    five
    noon
    half past two
    a quarter past six
need
    flour
    butter
    sugar
    milk
    cream
    cinnamon
    yeast
    salt
ask
    So <hero> ran next door to the {neighbour}. "Can you lend me some for my <elder>?" asked <hero>.
    Over the fence <hero> saw the {neighbour}. "Have you got some for my <elder>?" asked <hero>.
    <hero> knocked at the house of the {neighbour}. "Please may I have some for my <elder>?" asked <hero>.
errand
    "Yes, if you catch my {turkey} first," was the answer. It ran {chase} and sat down in <his> cup.
    "Only if I get a piece," was the answer. "A big one," said <hero>, and got it at once.
    "Yes, if you find my glasses," was the answer. They were in the {fridge}, next to the butter dish.
    "Gladly, but I am stuck in my {jumper}," was the answer. <hero> pulled and pulled, and it helped.
turkey
    turkey
    goose
    piglet
    donkey
    parrot
    tortoise
    monkey
    calf
chase
    three times round the house
    under the table and over the chair
    up the stairs and down again
    through the washing
    across the beans
    along the shelf
fridge
    fridge
    bread bin
    bathroom
    kettle
    mousetrap
    piano
jumper
    jumper
    chair
    boots
    window
    barrel
    bath
baking
    Soon the cake was in the oven. It rose and rose until it pushed the oven door open.
    The cake came out as flat as a plate. So <hero> put {topping} on it, and more on top of that.
    While it was baking, <hero> fell asleep. A smell woke <him>, just before <his> <elder> came.
    On the way to the table <hero> fell. The cake flew through the air, and <he> caught it on <his> head.
topping
    cream
    cherries
    candles
    berries
    sugar hearts
    whipped cream
    almonds
    jelly beans
    raisins
    walnuts
    lemon peel
    sprinkles
end
    "This is the best cake of my life," said <his> <elder>, and ate {pieces}.
    "And where is mine?" called a voice at the door. The cake had been smelled as far as the {church}.
    Then they all sang, and <his> <elder> blew out the {colour} candles with one puff.
    "It leans a little to one side," said <his> <elder>, "but so do I."
pieces
    two pieces
    three pieces
    four pieces
    every crumb
    the candles too
    until bedtime
church
    church
    station
    harbour
    school
    river
    next village
"""

PLOTS["somebody's baby"] = """
story
    {begin} {cry}|{wrong} {wrong_again} {way} {end}
who
    was kind to everything small and lost
    had often found something small and lost
    looked after everything small and lost
    never walked past anything small and lost
event
    found a very small {animal:baby} {spot}.
    heard a small voice {spot}. It was a very small {animal:baby}, all alone.
news
    found a very small {animal:baby} {spot}.
    nearly stepped on a very small {animal:baby} {spot}.
spot
    in a flowerpot
    under a rhubarb leaf
    behind the post office
    in a wheelbarrow
    on the doormat
    in the tall grass
    next to the railway
    in a shopping basket
    under a park bench
    at the bus stop
    in the library
    between two cabbages
    in an old boot
    beside a milestone
    in a telephone box
    on the stairs
cry
    "Where is your mother?" asked <hero>. "I followed {lure}," said the <baby>, "and then I was here."
    "Why are you crying?" asked <hero>. "I only stopped to look at {lure}," said the <baby>.
    "Are you my mother?" asked the <baby>. "No," said <hero>, "but I will help you to find her."
    "Have you lost your way?" asked <hero>. "No," said the <baby>. "It has lost me."
lure
    a butterfly
    a snail
    a yellow leaf
    a bee
    a paper bag
    a ladybird
    a rolling apple
    a brass band
    the moon
    a red balloon
    a soap bubble
    a fire engine
wrong
    First they met a cow. "Is this your child?" asked <hero>. "No," said the cow. "Mine are bigger than you."
    First they met a bat. "Is this your child?" asked <hero>. "No," said the bat. "Mine sleep upside down."
    First they met a snail. "Is this your child?" asked <hero>. "No," said the snail. "Mine carry their houses."
    First they met a stork. "Is this your child?" asked <hero>. "No," said the stork. "Mine never stop eating."
wrong_again
    Then the <baby> ran up to {a scarecrow}. "Mother!" it cried. But nothing moved.
    The <baby> was tired, so <hero> gave it {milk} and let it sleep a little.
    "What does your mother look like?" asked <hero>. "Like me, but more," said the <baby>.
    They came to {a puddle}. The <baby> looked in and said, "There is another one who is lost."
scarecrow
    scarecrow
    bus
    snowman
    statue
    wheelbarrow
    bush
    lamp post
    fountain
milk
    some milk
    a bit of bun
    half a pear
    a drop of water
    a spoonful of porridge
    two raisins
puddle
    puddle
    rain barrel
    shop window
    well
    mirror
    clear brook
way
    "Be quiet for a moment," said <hero>. Far off somebody called, and the <baby> ran.
    There were tracks in the mud. <hero> followed them to the {home_of}.
    The <baby> sneezed. And from behind a hedge somebody said, "Bless you, my dear!"
    <hero> put the <baby> down and waited. It turned round three times, and then it knew the way.
home_of
    barn
    stable
    old mill
    forge
    chapel
    brick kiln
    greenhouse
    woodpile
end
    There stood a big <baby>, and she laughed and cried at once. {thanks}
    Out came a big <baby>. "I have looked under every stone!" she said. {thanks}
    There a big <baby> was counting her children, and it never came out right until now. {thanks}
thanks
    "You may come and play with us every {weekday}," she told <hero>, and gave <him> {treat}.
    The <baby> gave <him> a kiss on the nose. It was a bit wet.
    And <hero> went home alone, a little sad, and had {treat} for supper.
"""

PLOTS["two friends and one thing"] = """
story
    {begin} {quarrel}|{turn} {end}
who
    was never without <his> friend {name:friend}
    had always shared everything with <his> friend {name:friend}
    did everything together with <his> friend {name:friend}
    lived next door to <his> friend {name:friend}
event
    and <friend> found {a look} {thing:thing} {spot}.
    and <friend> saw {a look} {thing:thing} lying {spot}.
    and <friend> were given {a look} {thing:thing} by the {neighbour}.
news
    and <his> friend {name:friend} found {a look} {thing:thing} {spot}.
    and <his> cousin {name:friend} were given {a look} {thing:thing} by the {neighbour}.
spot
    on a rubbish heap
    behind the station
    in the attic
    under the bridge
    in the long grass
    at the side of the road
    in an empty barn
    in a ditch
    behind the theatre
    on the beach
    in a cornfield
    under a fir tree
quarrel
    "I saw the <thing> first," said <hero>. "But I touched it first," said <friend>. They both pulled.
    "The <thing> is mine," said <hero>. "The <thing> is mine," said <friend>. They said it {many} times, and it did not
        get any truer.
    "Let me have the <thing> first," said <hero>. "Why you?" asked <friend>, and that was a hard question.
    "I am older," said <hero>. "I am taller," said <friend>, and they both pulled at the <thing>.
many
    ten
    twenty
    forty
    a hundred
    sixty
    ninety
turn
    There was a loud crack, and the <thing> was in two pieces. {broken}
    While they shouted, a {robber} came and took the <thing> away. {robbed}
    They did not speak to each other for {days}, and the <thing> lay out in the rain. {apart}
    Then a {stranger} came by. "You have found my <thing>!" said the stranger. {owner}
    The <thing> slipped from their hands and rolled down the hill, right into the {pond}. {rolled}
broken
    They looked at it, and at each other. "Have you got any {glue}?" asked <friend>. "Yes," said <hero>.
    Now each had half of it, and half of it was good for nothing. So they put the <thing> together with {glue}.
glue
    glue
    string
    nails
    wire
    sticking plaster
    tape
robber
    magpie
    monkey
    big bear
    donkey
    crow
    fox
    wolf
robbed
    "After it!" they cried, and ran side by side. It took both of them to get the <thing> back.
    They stood there with empty hands. "That serves us right," said <friend>, and they began to laugh.
days
    three days
    two days
    a whole week
    five days
    a month
    an hour
apart
    "It is dull without you," said <hero> at last. "It is twice as dull here," said <friend>.
    Then each of them wrote a letter. The letters said the same, and it was "Sorry."
stranger
    clown
    sailor
    lady in green
    knight
    pedlar
    giant
    wizard
owner
    They gave the <thing> back and had nothing to quarrel about. "Here is {treat} for you both," said the stranger.
    "Can you show us how it works?" asked <friend>. The stranger could, and taught them both.
pond
    pond
    swamp
    sea
    river
    mud
    nettles
rolled
    They made a chain, <hero> in front and <friend> behind, and pulled it out together.
    There sat a toad on top of the <thing>. "Now there are three of us," said <friend>.
end
    After that <hero> and <friend> never asked who saw the <thing> first.
    And every {weekday} <hero> and <friend> eat {treat} together, and each gets half.
    "What shall we quarrel about tomorrow?" asked <friend>. "Nothing," said <hero>. "Tomorrow is {weekday}."
    And whenever <hero> and <friend> thought of the <thing>, they had to laugh.
"""

PLOTS["a visit to the sick"] = """
story
    {begin} {first} {second}|{arrive} {play} {end}
who
    was the favourite of <his> old {elder:elder}
    had promised to look after <his> old {elder:elder}
    visited <his> old {elder:elder} every {weekday}
    wrote to <his> old {elder:elder} every {weekday}
event
    heard that <his> <elder> was ill in bed. <He> packed {food} and set out.
    set out with {food} for <his> <elder>, who had a cold.
    took {food} to <his> <elder>, who had a bad {knee}.
news
    set out with {food} for <his> {elder:elder}, who was ill.
    packed {food}, for <his> {elder:elder} was ill in bed.
food
    a pot of soup
    a basket of buns
    a jug of cocoa
    a bowl of porridge
    a plate of pancakes
    a can of tea
    a dish of noodles
    a pan of rice
    six dumplings
    a meat pie
knee
    knee
    tooth
    back
    cough
    foot
    stomach
    throat
    ear
first
    Soon <hero> met {a animal:first}. "I have had nothing since {weekday}," it said. So <hero> gave it half.
    On the bridge stood {a animal:first}. "Nobody crosses without paying," it said. <hero> paid with half of the food.
    "Where are you going with that?" asked {a animal:first}. "To my <elder>, who is ill," said <hero>. "I feel ill too,"
        it
        said, and got half of it.
    Behind {a bush} sat {a animal:first}, crying. "I am so hungry," it said. So <hero> gave it half.
bush
    bush
    stone
    haystack
    fence
    signpost
    beech
second
    Then {a poor} soldier asked for a bite, and that was the end of the food.
    Then <hero> stumbled over {a root}, and the rest fell into the {mud}.
    Then <hero> took the wrong path, and then the right one, and each time <he> ate a bit.
    Then a big bird came down from the sky, and the other half was gone.
poor
    poor
    thin
    ragged
    hungry
    lame
    tired
root
    root
    stone
    tortoise
    milk can
    molehill
    log
mud
    mud
    brook
    nettles
    ditch
    sand
    bog
arrive
    "I have nothing left," said <hero> at the bed. "But you are here," said <his> <elder>, and sat up.
    <His> <elder> was not in bed at all, but {busy}. "Being ill was so dull that I stopped," said <his> <elder>.
    But behind <him> came the <first>, with {gift}. "You gave me half," it said. "Now it is my turn."
    The bed was empty. "Here I am," called <his> <elder> from under it. "I was looking for {oddment}."
busy
    up on a ladder, picking cherries
    on the roof, mending a hole
    in the shed, painting a boat
    in the garden, standing on one leg
    on the lawn, teaching the geese to dance
    at the stove, singing
    at the pump, with wet hair
    on the table, changing a bulb
gift
    six eggs
    a bag of nuts
    a fat turnip
    a jar of honey
    a pail of milk
    a basket of plums
    a round cheese
    a loaf of bread
play
    They played {cards} until dark, and both of them cheated.
    They cooked {treat} and ate it in bed, crumbs and all.
    They looked at old pictures, and in every picture somebody was making a face.
    They told each other stories, and <his> <elder> told the best lies.
cards
    cards
    dominoes
    chess
    marbles
    snap
    ludo
    draughts
    pirates
end
    "I am much better now," said <his> <elder>. "It must have been the company."
    The <first> was waiting outside, and they went a part of the way home together.
    "What was the matter with you?" asked <hero>. "Nobody had laughed in here for {days}," said <his> <elder>.
    When <hero> left, <his> <elder> waved for so long that <he> had to go backwards.
days
    ten days
    two weeks
    a month
    a whole winter
    half a year
    ages
"""

PLOTS["the rooster and the sun"] = """
story
    {begin}|{missed} {awake} {search} {end}
begin
    Once upon a time there was {a proud} rooster called {cock:hero} who {who}. {then} <he> {event}
    {Place} there lived {a proud} rooster called {cock:hero} who {who}. {then} <he> {event}
    Once there was {a proud} rooster called {cock:hero} who {who}. {then} <he> {event}
    There was once {a proud} rooster called {cock:hero} who {who}. {then} <he> {event}
    Not long ago there lived {a proud} rooster called {cock:hero} who {who}. {then} <he> {event}
    One day a rooster called {cock:hero}, who {who}, {event}
then
    One morning
    One {weather} morning
    One day
proud
    proud
    handsome
    noisy
    vain
    fat
    brave
    splendid
    red
who
    thought that the sun came up because <he> crowed
    believed that without <him> there would be no morning
    told all the chicks that <he> made the day
    wanted to be thanked for every sunrise
event
    had {a cold}, and could not crow.
    ate too much corn and fell asleep in the {trough}.
    had looked at the {stars} all night, and slept until ten.
    wanted to know what would happen if <he> did not crow.
cold
    cold
    sore throat
    pea in the throat
    toothache
    cough
    bad dream
trough
    trough
    hay
    barn
    cabbages
    wheelbarrow
    cellar
    laundry basket
    coal shed
stars
    stars
    moon
    fireflies
    comet
    clouds
    fireworks
missed
    "Now it will be dark for ever," thought <hero>. But the sky turned pink, and then the sun came up, all alone.
    When <hero> opened one eye, the sun stood over the {hill}, as round as ever. "Who did that?" cried <hero>.
    <hero> waited for the great darkness. But a little light came in, and then a lot of it.
    "Let us see," thought <hero>. What <he> saw was the sun. It was even a little early.
hill
    barn
    church
    windmill
    dunghill
    hill
    roof
    forest
    pigsty
awake
    "So nobody needs me," said <hero>, and one big tear ran down <his> beak.
    "You did that without asking!" <he> shouted at the sun, and the sun said nothing.
    The {animal} laughed at <him>. "The sun does not even know your name," it said.
    <hero> sat down on the dunghill and felt as small as an egg.
search
    But in the house nobody was up. {late} "Where were you?" they all cried. "We need you!"
    Then the farmer came running, with one boot on. "Why did nobody wake me?" he shouted. {late}
    Then the children came and looked for <him> in every corner. {late} "We do not want the sun," they said. "We want
        you."
    At noon the mayor himself came. {late} "The sun is bright," said the mayor, "but it makes no noise."
late
    The cows had not been milked, and the teacher was still {snoring}.
    The children missed {school}, and the train left without a driver.
    The bees had overslept, and the flowers were waiting.
    Nobody had lit a fire, and the porridge was cold.
corn
    corn
    lettuce
    bread
    barley
    cress
    grass
    bran
    oats
snoring
    snoring
    dreaming
    asleep
    yawning
    in bed
    in the bath
school
    school
    breakfast
    the bus
    a test
    their swimming lesson
    the fair
end
    The next morning <hero> crowed again, louder than ever, but now <he> said "please" first.
    From then on <hero> crowed not for the sun, but for <his> friends.
    "Well," said <hero>, and ate some {corn}, "then the sun and I shall do it together."
    And <hero> was a little less proud after that, but only on {weekday}.
"""

PLOTS["the snowman"] = """
story
    {begin} {alive}|{trouble} {end}
month
    December
    January
    February
season
    winter
    December
    January
    February
who
    was waiting for snow
    had the warmest mittens for the snow
    liked snow more than {treat}
    never came in when there was snow
weather
    snowy
    frosty
    white
    icy
    clear
    freezing
one_day
    One day
    One {weather} {daypart}
    It was {a weather} {daypart}, and
    Last {season}
event
    made a snowman with {a nose} for a nose.
    went out and built a snowman. For a nose it got {a nose}.
    rolled three big balls of snow, and soon there was a snowman with {a nose} for a nose.
news
    made a snowman with {a nose} for a nose.
    built the biggest snowman in the street. For a nose it got {a nose}.
nose
    carrot
    pine cone
    potato
    parsnip
    cork
    chestnut
    turnip
    beetroot
    candle
    clothes peg
alive
    "Good evening," said the snowman when the moon came up. "I have a few questions for you, <hero>."
    <hero> gave it <his> {scarf}, so that it would not be cold. "Thank you, but I like the cold," said the snowman.
    "What shall I call you?" asked <hero>. "Call me {sirname}," said the snowman, "but not before breakfast."
    Its eyes were two buttons, and when <hero> looked away, one of them winked.
scarf
    scarf
    coat
    shawl
    jacket
    cap
    blanket
    jumper
    gloves
sirname
    Albert
    Gustav
    Mister Cold
    Edwin
    Captain Frost
    Ferdinand
    Old White
    Mister Button
    Theodore
    Grandfather Ice
    Professor Snow
    Humphrey
trouble
    In the morning the nose was gone. {tracks}
    In the morning there were two snowmen. {two}
    Then it grew warm, and the snowman began to drip. {drip}
    At night a storm came, and the snowman knocked at the window. {window}
    Then the big boys came with snowballs and knocked off its {head}. {boys}
tracks
    Small tracks led under a hedge, and there {some_animals} were eating it. "We were so hungry," they said. So <hero>
        brought them cabbage too.
    "I sneezed," said the snowman, "and it flew over the {fence}." <hero> looked for it until noon.
some_animals
    five hares
    seven voles
    three weasels
    two deer
    four badgers
    nine moles
fence
    fence
    roof
    garage
    wall
    hedge
    railway
two
    "This is my brother," said the snowman. "He has come to visit, and he would like a nose like mine."
    "I was bored," said the snowman, "so I built myself {a companion}. What do you think, <hero>?"
dream
    snow
    penguins
    sledges
    reindeer
    the North Pole
    ice
    skates
    polar bears
companion
    child
    friend
    wife
    cousin
    neighbour
    servant
drip
    "I am going away," it said, "but keep my nose for me." <hero> put it into a drawer.
    <hero> fetched a sledge and pulled it into the shade of the {church}. "Much better," said the snowman.
church
    church
    barn
    town hall
    north wall
    cellar
    pine trees
window
    "May I come in?" it asked. "You would melt," said <hero>, and held {a umbrella} over it until morning.
    "The wind has blown off my head," it called. <hero> ran out in pyjamas and put it on again.
umbrella
    umbrella
    table
    sheet
    washtub
    carpet
    tray
head
    head
    arm
    ear
    shoulder
    hand
    stomach
boys
    "Leave it alone!" cried <hero>, and all at once <he> was not small any more. In the end the boys helped to mend it.
    Then a snowball came back, very hard, and nobody knew who had thrown it. The boys ran home.
end
    When winter came again, the snowman stood before the {house} and said, "Well, where were we?"
    "Until next year," said the snowman. "I shall know you by your {mittens}."
    That night <hero> put on <his> mittens in bed and dreamed of {dream}.
    "Winter is too short," said <hero>. "And every other time is too long," said the snowman.
house
    house
    door
    window
    gate
    garage
    kitchen
mittens
    mittens
    freckles
    red nose
    laugh
    boots
    whistle
"""

PLOTS["the feared stranger"] = """
story
    {begin} {fear}|{visit} {trouble} {end}
who
    was not afraid of dragons
    had read every book about dragons
    did not believe in dragons
    always asked questions about dragons
event
    heard that {a monster} dragon had moved into the {cave}.
    came home and said, "There is {a monster} dragon in the {cave}."
news
    heard that {a monster} dragon had moved into the {cave}.
    was told not to go near the {cave}, because {a monster} dragon lived there now.
monster
    green
    huge
    terrible
    red
    wild
    black
    purple
    foreign
    hungry
    fiery
school
    school
    the beach
    the market
    the circus
    the woods
    the swimming pool
    the library
    the lake
cave
    cave
    old mill
    ruin
    dark wood
    tower
    quarry
    empty castle
    mine
fear
    Everybody locked the door. "It eats {boots} for breakfast," said the {neighbour}.
    "Somebody should talk to it," said the mayor, and looked at everybody else.
    People put {traps} in front of their doors, and fell over them.
    At night there was such a howling that the {spoons} shook in the drawers.
boots
    boots
    umbrellas
    children
    bicycles
    doors
    hats
    nails
    pianos
    sheep
    bricks
spoons
    spoons
    forks
    cups
    needles
    knives
    pencils
traps
    buckets
    rakes
    flowerpots
    mousetraps
    ropes
    jars
visit
    But <his> {ball} landed in there, and <hero> went after it.
    "I shall go and ask," said <hero>, and took {treat} along, just in case.
    "I am too small to be eaten," said <hero>. "It would not be worth it." And off <he> went.
    Then a letter came for the dragon. Nobody dared to take it there, and so <hero> did.
ball
    hoop
    cart
    best marble
    arrow
    paper plane
    balloon
    shoe
    spinning top
trouble
    There sat the dragon with a swollen cheek. "I have a toothache," it sobbed. {tooth}
    There sat the dragon, knitting. "Go away," it said. "Everybody is so scary here." {scary}
    "Do not come in!" cried the dragon. "There is {a spider} in here!" It stood on a chair and trembled. {spider_end}
    The dragon could not sleep. That was why it howled. {sleep}
    "It is my birthday," said the dragon, "and nobody has come." Its table was laid for {twenty}. {party}
tooth
    <hero> tied one end of a string to the tooth and the other to the door. Bang! "That is better," said the dragon.
    "Open wide," said <hero>, and there was a whole {boot} between its teeth. Out it came.
boot
    boot
    bicycle
    fence post
    garden gate
    wheel
    anchor
scary
    "Me?" asked <hero>. "You are all so small and so many," said the dragon. It took {a cup} of tea to calm it.
    "I am not scary at all," said <hero>. "Look, I have lost two teeth." Then the dragon had to laugh.
cup
    cup
    pot
    bucket
    barrel
    bathtub
    jug
spider
    spider
    moth
    beetle
    wasp
    worm
    caterpillar
spider_end
    <hero> took it in both hands and carried it out. "You are brave," said the dragon.
    "It is more afraid of you," said <hero>. "Poor thing," said the dragon, and climbed down to say sorry.
sleep
    <hero> told it a story, then another one. In the middle of the {third} it began to snore.
    "Have you got a pillow?" asked <hero>. It had only {a stone}. So <hero> brought it three.
third
    third
    fourth
    fifth
    sixth
    ninth
    tenth
stone
    stone
    log
    turnip
    suitcase
    brick
    saddle
twenty
    twenty
    ten
    thirty
    a hundred
    fifty
    sixteen
party
    <hero> ran back and fetched everybody, and those who did not want to come were the first to dance.
    <hero> sat down, put on a paper hat, and sang for all the others.
end
    From then on the dragon carried the children to {school} on its back.
    "What does it eat?" asked the {neighbour}. "The same as we do," said <hero>, "and most of all {treat}."
    On {weekday} the whole village came to tea, and the mayor brought {treat}.
    When people ask <hero> if <he> was afraid, <he> says, "Yes, and so was the dragon."
"""

PLOTS["the pet that ate everything"] = """
story
    {begin} {where}|{trouble} {out} {end}
who
    was the owner of {a animal:pet} that ate everything
    had {a animal:pet} that ate everything
    kept {a animal:pet} that ate everything
    fed {a animal:pet} that ate everything
event
    saw that the <pet> was chewing. It had eaten {a noisy:thing}.
    looked for {a noisy:thing} and found only the <pet>, who licked its lips.
    turned round for a moment, and the <pet> swallowed {a noisy:thing}.
news
    noticed that the {animal:pet} had eaten {a noisy:thing}.
    was feeding the {animal:pet}. It took the corn, and then {a noisy:thing}.
noisy
    drum
    bell
    clock
    horn
where
    "Open your mouth," said <hero>. It did, and one could hear the <thing>.
    From then on one could hear the <thing> whenever it {breathed}.
    "Give it back," said <hero>. The <pet> shook its head, and one could hear the <thing>.
    "What was that?" asked <his> {elder}. It was the <thing>, and it came from the <pet>.
breathed
    breathed
    yawned
    jumped
    hiccupped
    laughed
    took a step
    lay down
    wagged its tail
    turned round
    sneezed
trouble
    At school the teacher asked, "Who is doing that?" {school}
    At night a burglar climbed in at the window. Then the <pet> {got_up}. {burglar}
    The whole village came to hear it, and the brass band came as well. {band}
    The {neighbour} could not sleep for the noise. "Away with that <pet>!" was the cry. {neighbour_end}
    A man from the circus heard of it and offered {a_sack} of money. {circus}
got_up
    got up
    turned round
    opened its mouth
    coughed
    stretched
    woke up
school
    All the children pointed at each other. Under a desk sat the <pet>, who wanted to learn something too.
    "It is the <pet>," said <hero>. "It sits very still," said the teacher, "and that is more than you do."
burglar
    "The police!" cried the burglar, and jumped out again, into the {barrel}.
    The burglar dropped the {spoons}, ran away, and never came back.
barrel
    rain barrel
    rose bush
    dustbin
    fish pond
    compost
    manure
spoons
    spoons
    lamps
    candlesticks
    sack
    jewels
    teapot
band
    They played together until late, and nobody was ever out of time.
    "We need somebody who can do that," said the {drummer}. Now the <pet> marches in front.
drummer
    drummer
    trumpeter
    conductor
    major
    piper
    bugler
neighbour_end
    But the next night it was so quiet that nobody in the street could sleep at all.
    "Give it {treat}," said <hero>. The <pet> fell asleep, and there was peace.
a_sack
    a sack
    a hatful
    a cartload
    a barrel
    a bucket
    a chest
circus
    "It is not for sale," said <hero>, "but you can come and listen." So the circus came to them.
    <hero> thought about it for one second and said no. The <pet> gave <him> a kiss that smelled of {onions}.
onions
    onions
    hay
    old shoes
    cabbage
    cheese
    soap
out
    Then <hero> tickled its nose with {pepper}. It sneezed, and out flew the <thing>.
    The <thing> is in there to this day.
    Then it ate {thing_two} on top of that, and after that it was quiet.
    Then <hero> and the <pet> jumped up and down together until the <thing> came out.
pepper
    pepper
    a feather
    a straw
    a paintbrush
    a blade of grass
    a leaf
thing_two
    a cushion
    a sock
    a loaf
    two towels
    a wet sponge
    three candles
    a woolly hat
    a jar of glue
    a bag of feathers
    a pillow
end
    "Good <pet>," said <hero>, and put <his> {colour} {garment} on the very top shelf.
    And the next day the <pet> ate {a last_meal}, but that is another story.
    To this day they call it the singing <pet>, and it looks up when it hears that.
    "The <pet> has a good heart," said <hero>. "And a big stomach," said everybody else.
last_meal
    hat
    doormat
    newspaper
    geranium
    broom
    chess set
    candle
    belt
"""

PLOTS["the present"] = """
story
    {begin} {shop}|{earn} {lose} {give} {gift}
who
    was saving for a present for <his> {elder:elder}
    had no money for a present for <his> {elder:elder}
    wanted to give <his> {elder:elder} a beautiful present
    needed a present for <his> {elder:elder}
event
    emptied <his> money box. There were {pennies} in it.
    counted <his> money. It came to {pennies}.
    went to town to buy the present, with {pennies} in <his> pocket.
news
    wanted to buy a present for <his> {elder:elder}. <He> had {pennies}.
    counted <his> money to buy a present for <his> {elder:elder}. It came to {pennies}.
pennies
    two pennies
    three pennies
    four pennies and a button
    five pennies
    six pennies
    one penny and a trouser button
    two foreign coins
    seven pennies
    half a crown
    eight pennies
shop
    <His> <elder> had always wanted {a thing:present}. But the <present> cost {ten} times as much.
    "My <elder> would like that {thing:present}," <he> said in the shop. But the <present> cost {ten} times as much.
    In the catalogue was {a thing:present} for <his> <elder>. But the <present> cost {ten} times as much.
ten
    ten
    twenty
    a hundred
    fifty
    sixty
    forty
earn
    So <hero> {work} for the {neighbour}, and got {pay} for it.
    "Then I must work," said <hero>, and {work} for the {neighbour} for {pay}.
    All week <hero> {work}. The {neighbour} gave <him> {pay}, and <his> <elder> knew nothing about it.
work
    swept the yard
    peeled potatoes
    held the ladder
    washed the windows
    stacked wood
    walked the dogs
    picked beans
    polished the boots
    shelled peas
    chased the crows away
    carried water
    read the paper aloud
    painted the fence
    turned the mangle
    minded the geese
    dug the garden
    brushed the horses
    sorted buttons
    beat the carpets
    wound wool
pay
    nine pennies
    a whole shilling
    ten pennies and a plum
    a silver coin
    a handful of coins
    two shillings
    eleven pennies
    a gold coin
lose
    On the way <he> met {a poor} without {shoes}. So <hero> gave the money away and bought no <present>.
    But there was a hole in <his> pocket. There was no money for the <present>, only {oddment}.
    <hero> ran to the shop with it. "The <present>?" said the man. "A {lady} has just bought it."
    But on the way <he> watched {a puppet}, and when <he> came to the shop, the <present> was gone.
poor
    boy
    girl
    beggar
    man
    sailor
    woman
    soldier
    juggler
shoes
    shoes
    a coat
    supper
    a bed
    a roof
    gloves
    bread
    socks
lady
    lady
    sailor
    gentleman
    clown
    nun
    general
puppet
    puppet
    magician
    toy railway
    snake
    tightrope walker
    carousel
give
    So <hero> sat up half the night, and in the morning <he> gave <his> <elder> {a paper} star.
    Then <hero> had an idea. <He> took what there was and made <his> <elder> {a paper} star.
    "What do I have?" thought <hero>. Two hands. With them <he> made <his> <elder> {a paper} star.
paper
    paper
    wooden
    clay
    cardboard
    straw
    tin
    silver
    glass
gift
    "You made this for me?" asked <his> <elder>. "With my own hands," said <hero>. "A <present> can be bought," said
        <his> <elder>, "but where could I buy this?"
    <His> <elder> looked at the star and had to wipe away a tear. And nobody thought of the <present> any more.
    "It is too beautiful," said <his> <elder>, and took the star everywhere, to the market, to church, and even to
        the dentist.
    "Who told you that I had no star?" asked <his> <elder>. "I just thought so," said <hero>. "And next year I shall
        start in {month}."
month
    January
    March
    May
    April
    June
    July
"""

PLOTS["the school play"] = """
story
    {begin} {worry}|{stage} {end}
who
    was so shy at school that <he> {hid}
    had hardly said a word at school
    went red at school whenever somebody looked at <him>
    spoke so softly at school that nobody understood <him>
hid
    hid behind doors
    hid when the bell rang
    talked only to flowers
    greeted people with <his> eyes shut
    looked at <his> shoes
    wore a big hat
    whispered even at home
event
    was chosen to be the {animal:part} in the school play.
    got a part in the school play. <He> was to be the {animal:part}.
    was told by the teacher, "You will be the {animal:part} in our play."
news
    was chosen to be the {animal:part} in the school play.
    got the part of the {animal:part}, in front of the whole school.
worry
    <hero> practised in the {barn} before {cabbages}, and nobody clapped.
    "What if I forget my words?" <hero> asked at home. "Then say other ones," said <his> {elder}, and that was a
        comfort.
    Every night <hero> dreamed that <he> stood on the stage in {pyjamas}, and every night it was a little worse.
    "I have a stomach ache," said <hero> on the day of the play. "So have I," said the teacher, who had written it.
barn
    barn
    hen house
    cellar
    bathroom
    garden
    boiler room
    attic
    shed
cabbages
    eleven turnips
    two cows
    a row of jam jars
    nine cabbages
    four rubber boots
    a hundred beans
    three scarecrows
    the washing
    a very old horse
pyjamas
    pyjamas
    one sock
    a bathtub
    a nightshirt
    a pot of soup
    the snow
stage
    Then the curtain went up, and <hero> had forgotten every word. {rescue}
    Then <hero> stepped out, and <his> {beard} fell off. People laughed. {rescue}
    In the middle of the play the lights went out. {dark}
    On the stage the {wall} fell down, and everybody stood there with an open mouth. {wall_end}
    A moth flew into <his> mouth just as <he> began. {moth}
beard
    tail
    nose
    shoe
    moustache
    wig
    left ear
    coat
    belt
    mask
rescue
    <hero> took a deep breath and said what came into <his> head. It was better than what was in the book.
    "I have forgotten it," said <hero> aloud. "What do you think the <part> would say?" Everybody called something.
    "Wait," said <hero>, "I know this one." People laughed so much that <he> had time to remember it.
dark
    Children began to cry. Then <hero> sang in the dark, and one after another they all sang with <him>.
    "Do not be afraid," said <hero>. "It is only night in the play." And <he> went on as if nothing was wrong.
wall
    wall
    castle
    forest
    moon
    stable
    palace
wall_end
    "That was the storm," said <hero> loudly. "Now help me to build it up again." So the play had one more part.
    <hero> held it up with both arms to the end, and played the <part> like that.
moth
    <hero> swallowed it and said, "Delicious." That was the line that everybody remembered.
    <hero> coughed, and it flew out again, three times round the {lantern}.
lantern
    lantern
    piano
    teacher
    curtain
    mayor
    chandelier
end
    "You were not shy at all," said the {neighbour}. "I was," said <hero>, "but the <part> was not."
    On the way home <hero> bowed to every {lamp}, and thought that it bowed back.
    "What will you be next year?" they asked. "Something bigger than the <part>," said <hero>.
    And the next day in class a hand went up. It was the hand of <hero>.
lamp
    lamp post
    tree
    letterbox
    chimney
    bush
    policeman
    sparrow
    gate
"""

PLOTS["the king's trouble"] = """
story
    {begin} {tried}|{idea} {cure} {after} {end}
who
    was working in the kitchen of a king
    had to herd the geese of a king
    sold {eggs} at the gate of a king
    cleaned the windows of a king
eggs
    eggs
    cress
    matches
    ribbons
    brooms
    buns
    candles
    parsley
event
    heard that the king {could_not}.
    found everybody running about in the castle. The king {could_not}.
    met the doctor, who was shaking his head. The king {could_not}.
news
    heard that the king {could_not}.
    came past a castle where the king {could_not}.
could_not
    could not sleep
    could not laugh any more
    could not stop yawning
    did not want to eat
    was bored to tears
    had the hiccups
    could not remember his own name
    was afraid of his own shadow
    could not stop sighing
    had forgotten how to whistle
tried
    <hero> saw a {general} make a speech, and a doctor gave the king {pills}. It did not help.
    <hero> saw a {general} who had come from far away, but the king only got a headache.
    "Stand on your head," said a {general}. The king did, and his crown rolled up to <hero>.
    <hero> saw a {general} who tickled the king with a peacock feather and was thrown out.
general
    general
    juggler
    professor
    duke
    poet
    magician
    bishop
    painter
    lawyer
    princess
pills
    green pills
    cod-liver oil
    a cold bath
    bitter tea
    nine drops of vinegar
    a hot brick
    a kiss on the hand
    a spoonful of tar
idea
    "May I try?" asked <hero>. They all laughed, but the king said, "Let <him> come in."
    <hero> went in by the kitchen door and stood before the king. "I have come to help," said <hero>.
    Nobody asked <hero>. So <he> simply walked in and sat down on the king's bed.
cure
    "Come with me," said <hero>, and took him out to {dig}. The king had never done that.
    "When did you last play?" asked <hero>. "I am a king," said the king. So they played, and the king hid behind
        {curtain}.
    "What is wrong with you?" asked <hero>. "Nobody has ever asked me that," said the king, and talked until {dawn}.
    <hero> took away the seven pillows and the crown, and gave him {snack}.
    "What would you do if you were me?" asked the king. "I would go {fishing}," said <hero>. So they went.
dig
    dig potatoes
    milk the cow
    feed the pigs
    pick cherries
    chop wood
    wash the dog
    clean the stable
    ride a donkey
    sweep the yard
    shear a sheep
curtain
    a curtain
    the throne
    a suit of armour
    the royal laundry
    a fat duke
    a cannon
dawn
    dawn
    supper
    the candles went out
    the cook was asleep
    the birds sang
    midnight
snack
    an apple
    bread and cheese
    a bowl of porridge
    a boiled egg
    a raw carrot
    a baked potato
fishing
    fishing
    swimming
    for a walk
    sledging
    home
    dancing
after
    An hour later the king was as well as a fish in water.
    Then the king looked up, and all was well again.
    And before the king knew it, his trouble was gone.
end
    "What do you want for it?" asked the king. "A day off," said <hero>, "for both of us."
    "You shall be my {minister}," said the king. But <hero> wanted to be home for supper.
    And the king gave <him> {a reward}, which <hero> still has.
    "Was it hard?" asked <his> {elder} at home. "No," said <hero>. "He is just like us, only with a crown."
minister
    minister
    doctor
    general
    chancellor
    treasurer
    admiral
reward
    pony
    medal
    gold button
    spare crown
    pair of silk socks
    golden whistle
    white goose
    box of sugared almonds
    ring
    velvet cloak
"""
