"""The plots of the stories: scenes of the grammar (`grammar.py` explains the marks).

A story of a plot goes through the stages that its first rule names. In each stage something else may happen; what is
remembered is what the story is about: the hero, the thing, the helper. Rules that are not here are in `story_words.py`.
"""

PLOTS: dict[str, str] = {}

PLOTS["the lost toy"] = """
story
    {begin} {search}|{meet} {answer} {end}
who
    had {a toy:thing} and took it everywhere
    loved <his> {toy:thing} more than {treat}
    never went to sleep without <his> {toy:thing}
    told all <his> secrets to {a toy:thing}
    got {a toy:thing} for <his> birthday
    would not lend <his> {toy:thing} to anybody
event
    put a hand in <his> bag, and the <thing.short> was not there.
    came home from {errand}, and the <thing.short> was gone.
    woke up early and could not find the <thing.short>.
    wanted to play, but the <thing.short> was nowhere to be seen.
    felt under the pillow, and the <thing.short> was not there.
news
    lost <his> {toy:thing}.
    came home from {errand} without <his> {toy:thing}.
    could not find <his> {toy:thing}.
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
search
    <He> looked under the bed and found {oddment}, but no <thing.short>.
    <He> turned out all <his> pockets and found {oddment:odd} and {oddment}, but nothing else.
    "Where did you have it last?" asked <his> {elder}. "In my hand," said <hero>, and that did not help.
    "It will be where you left it," said <his> {elder}. But <he> had forgotten where that was.
    <He> looked behind the {furniture}, inside the {vessel}, and even in the soup. There was no <thing.short>.
    <He> asked the goldfish, who knew nothing, and the clock, which only ticked.
    <He> lay down flat and looked along the floor. There was dust, and there was {oddment}, but no <thing.short>.
    <His> {elder} lifted up the whole {furniture}. Below it was {oddment}, and nothing else.
    <He> made a list of all the places where it could be. The list was {long}, and it was in none of them.
furniture
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
vessel
    teapot
    bathtub
    laundry basket
    flour bin
    vase
    mailbox
    bread bin
    umbrella stand
    clock
    watering can
meet
    In the {yard} <he> met {a animal:helper} that was {helper.doing}. "Have you seen my <thing>?" asked <hero>.
    Outside, {a animal:helper} was {helper.doing}. "Did you see my <thing>?" asked <hero>.
    So <hero> went to the {animal:helper}, who was {helper.doing}. "Do you know where my <thing> is?" asked <hero>.
yard
    garden
    yard
    orchard
    meadow
    lane
    street
    park
    vegetable patch
answer
    "Yes, {a thief:thief} ran off with it," <helper.said> the <helper>. <He> found the <thief> {den}, with the
        <thing.short> between its paws. {swap}
    "Look up," <helper.said> the <helper>. There was the <thing.short>, {roof}. {climb}
    "Something went splash in the {water}," <helper.said> the <helper>. <He> fished for it with {net}. Out came
        {oddment}, then an angry fish, and then the <thing.short>. {dry}
    "Do you mean the one in your hood?" asked the <helper>. <hero> put up a hand, and there it was. <He> went as red
        as a tomato, and they both laughed until {laugh}.
    "The baby has it," <helper.said> the <helper>. And so it was. The baby lay in the {cradle} and held the
        <thing.short> tight. {baby}
    "A {stork:stork} took it for an egg," <helper.said> the <helper>. And up on the {chimney} sat the <stork>,
        keeping the <thing.short> warm. {hatch}
    "It is being sold at the {fair}," <helper.said> the <helper>. <hero> ran. A {lady} had just picked it up. {sale}
    "I have it myself," <helper.said> the <helper>. "It lay in the grass, and nobody was playing with it." {mine}
    "I heard something cry under the {bridge}," <helper.said> the <helper>. There lay the <thing.short>, face down
        in the {leaves}. {under}
thief
    puppy
    kitten
    fox cub
    raccoon
den
    under the stairs
    behind the barn
    in a heap of leaves
    in the dog basket
swap
    "Will you take {a snack} for it?" asked <hero>. It did, and both were content.
    It only wanted somebody to play with. So they played until {dusk}.
    When it saw <him>, it dropped the <thing.short> and looked very sorry. <hero> tickled it behind the ears.
    It would not let go, so <he> pulled, and it pulled, and then both sat down with a bump and laughed.
snack
    sausage
    biscuit
    pear
    fishcake
    cheese rind
dusk
    supper
    the moon came up
    both were tired
    it began to rain
roof
    on top of the hen house
    high up in the apple tree
    on the edge of the roof
    on the garden wall
climb
    <hero> fetched a ladder, but it was too short. So the <helper> stood on <his> head, and together they were tall
        enough.
    <hero> shook and shook, and down came the <thing.short>, right on the nose of the <helper>.
    A gust of wind came along and threw it straight into <his> arms. "Thank you, wind," said <hero>.
water
    pond
    well
    brook
    rain barrel
    ditch
net
    a rake
    an umbrella
    a butterfly net
    a soup ladle
    a bent coat hanger
dry
    <hero> hung it on the line to dry, between two socks.
    It was wet but whole, and <he> wrapped it in a towel.
    The fish asked if it could borrow it on Sundays.
laugh
    it hurt
    they fell over
    they had hiccups
    the hens joined in
cradle
    cradle
    pram
    playpen
    cot
baby
    <hero> sang a song, and when the baby was asleep, <he> took the <thing.short> back very softly.
    When <hero> pulled, the baby howled. When <he> made a funny face, the baby laughed and let go.
    The baby smiled so sweetly that <hero> let it play until supper.
    <hero> held out a spoon, and the baby liked the spoon even better.
end
    "I shall never lose you again," <he> told the <thing.short>. It lay next to <him> all night.
    That night the <thing.short> lay beside <him> on the pillow, and <hero> slept {soundly}.
    From then on a little bell was tied to the <thing.short>, so that it could always be heard.
    At home <he> wrote <his> name on the <thing.short>, in very large letters.
    And what did <he> learn from it? To look in the {odd_place} first.
    "Where have you been?" <he> whispered to the <thing.short> in bed. It did not say, and <he> did not ask again.
    That evening <hero> told the <thing.short> all that had happened, for it had missed most of it.
odd_place
    strangest place
    nearest place
    last place
long
    two pages long
    very long
    longer than <he> was
stork
    stork
    swan
    pelican
    heron
    turkey
chimney
    chimney
    school roof
    tall pine
    clock tower
hatch
    "It will not hatch," called <hero>. "One never knows," said the <stork>, but it moved over.
    <hero> offered it a boiled egg instead, and the <stork> thought that it had made a good bargain.
    <hero> waited until the <stork> went to fish, and then <he> climbed up and took it back.
fair
    fair
    flea market
    bazaar
    street corner
lady
    lady
    sailor
    girl with pigtails
    gentleman
    nun
sale
    "That is mine," said <hero>. "It has a scratch under its left side." They looked, and so it had.
    "Please do not buy it," panted <hero>. "It would be homesick." That nobody could deny.
    It cost {pennies}. <He> had only a button, but it was a very fine button.
pennies
    two pennies
    half a crown
    a shilling
    three pennies
mine
    "May I play with you, then?" asked <hero>. That was what it had been waiting for.
    "You can have my {snack} for it," said <hero>. "Done," said the <helper>.
    They sat down side by side, and each of them said what was so good about it. In the end the <helper> gave it back.
bridge
    bridge
    bench
    cart
    bushes
leaves
    leaves
    mud
    grass
    sand
under
    <hero> picked it up, and it seemed to <him> that it had stopped crying.
    A beetle had moved in under it. <He> built the beetle a house of bark, and then <he> took it home.
    It was wet and cold, so <he> put it under <his> shirt, next to <his> heart.
"""

PLOTS["the hat and the wind"] = """
story
    {begin} {flight}|{landing} {end}
who
    was proud of <his> {hat:hat}
    got {a hat:hat} from <his> {elder}
    wore <his> {hat:hat} even in the bath
    thought that {a hat:hat} made <him> look taller
weather
    windy
    stormy
    breezy
    blustery
    wild
event
    was {walking} when the wind took the <hat.short>.
    was {walking} when the wind pulled the <hat.short> off <his> head.
    went out without holding on to the <hat.short>, and the wind was waiting for that.
news
    was {walking} when the wind blew <his> {hat:hat} away.
    was {walking}. The wind came round a corner and stole <his> {hat:hat}.
hat
    straw hat
    top hat
    sun hat
    red hat
    woolly cap
    blue cap
walking
    crossing the bridge
    walking to school
    feeding the hens
    buying bread
    picking daisies
    going up the hill
    waiting for the bus
    eating {treat} on a bench
    looking at a beetle
    saying good day to the {neighbour}
    carrying eggs home
flight
    It flew over the {church} and past {a surprised} {gull}.
    "Stop!" shouted <hero>, but the wind does not listen to anybody.
    <He> ran after it, over a fence, through a hedge, and twice round the {church}.
    The <hat.short> turned over three times in the air, as if it was enjoying itself.
    It danced along the street, and three dogs danced behind it.
    <He> jumped for it, once, twice, and landed in {a puddle}.
    "Where is it going?" asked {a boy_word} with a hoop. "I wish I knew," panted <hero>.
    For a moment it hung in the air above {church_too}, and a sleepy {gull} said good day to it.
church
    church
    school
    bakery
    town hall
    windmill
    pump
surprised
    surprised
    sleepy
    fat
    grumpy
gull
    gull
    pigeon
    stork
    sparrow
landing
    It stuck in the top of {a tree:tree}. {throw} {nest}
    It came down on the horns of a cow. "This suits me," said the cow. {cow}
    It came down on the head of a scarecrow, and it fitted well. {scarecrow}
    It fell into the river and floated away like a boat. {frog}
    It blew down a chimney, and out of the door came {a cheerful} woman with the <hat.short> in her hand. {woman}
    It came down on the head of the mayor, who was just making a speech. {mayor}
    It blew in at the window of a train, and the train left. {train}
    It rolled into the open door of {a shop}, right to the feet of the {neighbour:keeper}. {shop_end}
    It fell on {a sleeper} that was asleep in the grass, and covered it completely. {sleeper_end}
tree
    oak
    pear tree
    pine
    willow
    chestnut tree
    birch
throw
    <hero> threw a shoe at it, and then the shoe was up there too.
    <hero> shook the <tree>, but only a cross caterpillar fell down.
    <hero> climbed up, branch by branch, and did not look down.
    <hero> jumped and jumped, but <he> was far too small.
nest
    Then a blackbird looked out of the <hat.short>. It had laid three blue eggs there. "Keep it until they hatch,"
        said <hero>. In {month} the blackbird brought it back.
    "What will you give me for it?" asked a squirrel from above. "A pocket full of nuts," said <hero>, and down it
        came.
    <hero> sat down and waited. In the evening the wind changed its mind and blew the <hat.short> back down.
    A tall man came by on stilts, lifted it down with two fingers, and walked on without a word.
    A boy with a slingshot shot it down at the third try, and shook <hero> by the hand.
month
    May
    June
    July
    four weeks
cow
    "I can make you something nicer," said <hero>, and wove a crown of {flower}. The cow liked that much better, and
        ate it.
    "But you cannot see the grass under it," said <hero>. The cow thought about that for a long time, and gave it
        back.
    "You may wear it until milking time," said <hero>, and the cow walked up and down before the other cows.
flower
    daisies
    clover
    buttercups
    poppies
    dandelions
scarecrow
    The crows saw it and flew away at last. "Let it keep that," said the farmer, "and you shall have {basket} every
        week."
    Its old straw head looked happy. So <hero> left it there, and <his> {elder} knitted <him> a new one.
    "May I have it back?" asked <hero>. A mouse in the straw said, "Only if you leave us a mitten to sleep in." So
        <he> did.
basket
    a basket of plums
    a bag of corn
    a dozen eggs
    a pumpkin
    a jar of honey
frog
    A frog jumped in. "I am a captain now," it said. At the {mill} the <hat.short> sank, and the captain swam ashore
        and gave it back.
    A duck thought it was a nest and sat down in it. <He> had to run along the bank until the duck {left}.
    At the {mill} <he> caught it with a long stick. It was full of water, and in the water was a small fish. <hero>
        put the fish back first.
mill
    mill
    bridge
    landing stage
    weir
    willows
left
    felt hungry
    got bored
    saw another duck
    wanted to stretch
cheerful
    tiny
    old
    sooty
    cheerful
woman
    "It fell into my {stew}," she said. So <he> stayed for supper, and the <hat.short> smelled good for a month.
    "I asked for a pan, not this," she said. <hero> ran and fetched her a pan, and she was pleased.
    "Is this yours? Mine blew away last year," she said. So <he> gave it to her, and she gave <him> {treat}.
    "Sit down," she said, "and hold this." So <he> held her wool, and got the <hat.short> back with a pompom on it.
stew
    stew
    soup
    porridge
    jam
end
    "Next time," said <hero>, "I shall put a stone in my pocket and another on my head."
    When the wind blew that night, <hero> pulled <his> blanket up and held it tight.
    And the wind went off to look for somebody with {a umbrella}.
    The next day <hero> brought the wind a present, an old {umbrella}, and it was happy for a week.
    From that day on <hero> tied every hat under <his> chin.
    "What is the wind like?" asked <his> {elder}. "Like me," said <hero>. "It cannot leave things alone."
    After that <hero> always said good morning to the wind, to be on the safe side.
umbrella
    umbrella
    newspaper
    kite
    wig
    tablecloth
puddle
    puddle
    flower bed
    wheelbarrow
    haystack
boy_word
    boy
    girl
    man
church_too
    the pond
    the market
    the railway
    the roofs
mayor
    "Whose is this?" asked the mayor. "Mine," called <hero>, "but it looks good on you." Then even the mayor laughed.
    The mayor went on speaking, and nobody had ever listened so well. Afterwards <hero> got it back, with a bow.
train
    A week later it came back by post, with sand in it and a note: "It has seen the sea."
    <hero> sat down at the station and waited. In the evening it came back, next to the driver, who had it on.
    "Run!" called the guard and held it out of the window. <He> ran as never before, and just caught it.
shop
    shop
    barber's
    stable
    bank
shop_end
    "We are closed," said the <keeper>, "but hats may come in." They drank cocoa until the wind was tired.
    "What luck," said the <keeper>. "I was going to ask somebody to taste {treat}." So it was a good wind after all.
sleeper
    cat
    hen
    tortoise
    lamb
    piglet
sleeper_end
    "Good night," it said, since it was dark now. <He> lifted the <hat.short> a little and said, "Good morning."
    Up it got, and walked away under the <hat.short>. It looked as if the <hat.short> had legs.
    <hero> did not want to wake it. So <he> lay down beside it, and when they woke up, the wind was gone.
"""

PLOTS["the noise in the night"] = """
story
    {begin} {fright}|{brave} {found} {end}
who
    was afraid of the dark
    always slept with the lamp on
    looked under the bed every night before <he> got in
    slept in a little room under the roof
    was not afraid of anything, except at night
    slept alone for the first time
    had a room with a door that creaked
    was brave by day
then
    One {weather} night
    Late one evening
    In the middle of the night
one_day
    One {weather} night
    Late one evening
    It was {a weather} night, and
    On the longest night of the year
weather
    dark
    stormy
    windy
    cold
    still
    moonless
    rainy
event
    woke up because of {a strange} noise in the {room:room}.
    heard {a strange} noise from the {room:room}.
    sat up in bed. There was {a strange} noise in the {room:room}.
news
    heard {a strange} noise from the {room:room}.
    could not sleep. There was {a strange} noise in the {room:room}.
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
room
    kitchen
    attic
    cellar
    hall
    pantry
    workshop
fright
    <He> hid under the blanket and counted to {ten}, but the noise did not stop.
    "It is only the wind," <he> told <his> pillow. But the wind does not {cough}.
    "Did you hear that?" <he> asked <his> {toy}. It did not say a word.
    <His> heart went like a drum. What if it was {a monster}?
    <He> wished that the {dog} was here. But the {dog} lay under the bed already.
    "One, two, three, and it is gone," said <hero>. It was still there at four.
    <He> called <his> {elder}, but so softly that nobody could hear.
ten
    ten
    twenty
    fifty
    a hundred
cough
    cough
    giggle
    hum
    burp
    sneeze
monster
    pirate
    tiger
    burglar
    ghost
    witch
    lion
brave
    At last <hero> took {weapon:weapon} in one hand and a candle in the other, and went down on tiptoe.
    "Somebody has to look," thought <hero>, and there was nobody else. So <he> took {weapon:weapon} and opened the
        door.
    <He> was frightened, but <he> was even more curious. <He> picked up {weapon:weapon} and crept to the <room>.
    Then <hero> said to <himself>, "It is only a noise." <He> took {weapon:weapon}, for the noise might not know that.
    When it came again, <he> jumped out of bed, took {weapon:weapon}, and ran there before <he> could think.
weapon
    a slipper
    an umbrella
    a frying pan
    a pillow
    a walking stick
    a hairbrush
found
    There sat a hedgehog with its nose in a jar of {jam}. It could not get it out again, and it was {noise_of}. {jar}
    There sat <his> {elder:who} in pyjamas, eating {treat}. {snack}
    There ten mice were having a party. They had {feast}, and the oldest one was dancing on {floor}. {mice}
    There was nobody, only a window that was not shut. Then something touched <his> foot. It was {a stray}, wet from
        the rain. {stray_end}
    A little owl had fallen down the chimney and was black all over. It was more afraid than <hero> was. {owl}
    There was nobody but the old {clock}, and out of it came that noise. Inside sat a beetle, reading a tiny
        newspaper. {beetle}
    The dog from next door lay there, snoring. {snore}
    A burglar was standing there in {socks} with a sack on his back. {burglar}
    The tap was dripping, and under it sat a frog. {tap}
    On the table stood {a jelly_word}, and it wobbled. {jelly}
    A {parcel} lay there, with holes in it, and it moved. {parcel_end}
noise_of
    crying
    spinning round and round
    walking into the wall
jam
    jam
    honey
    syrup
    gherkins
    mustard
jar
    <hero> put down the <weapon.short> and pulled. Plop! The hedgehog thanked <him> and asked for a spoon.
    <hero> turned the jar like a screw, and out came the hedgehog, very sticky and very glad.
snack
    "Are you hungry too?" asked <his> <who>. "Yes," said <hero>, and they ate the rest together.
    "I thought you were a burglar!" they both cried, and then they had to laugh.
    "Do not tell anybody," said <his> <who>. "I will not," said <hero>, "if I may have some."
feast
    a candle
    a cheese as round as the moon
    music from a comb
    paper hats
    lemonade in thimbles
floor
    a drum
    a plate
    a tin lid
    a hatbox
mice
    "Sorry, are we too loud?" they asked. "A little," said <hero>, "but may I dance too?"
    "It is my birthday," said the oldest one. So <he> put down the <weapon.short> and fetched {treat}.
    When they saw the <weapon.short>, they stopped. "Go on," said <hero>. "I only came to look."
stray
    kitten
    puppy
    lamb
    rabbit
stray_end
    <hero> put down the <weapon.short> and dried it with a towel. It stayed that night, and the next one too.
    "Come in," said <hero>, and shared <his> blanket with it.
    <hero> shut the window and warmed it some milk.
owl
    <hero> washed it in the sink, and it flew off, white as snow.
    "I took the wrong door," it said. <hero> put down the <weapon.short> and opened the right one.
    <hero> held up the candle, so that it could see the window.
clock
    clock
    radio
    piano
    wardrobe
beetle
    "Is there any news?" asked <hero>. "Rain on {weekday}," said the beetle, and turned the page.
    "Could you turn the pages more quietly?" asked <hero>. "Gladly," said the beetle, "if you let me have the candle."
end
    After that <hero> was not afraid any more. <He> knew now who was awake in the dark.
    When <hero> was back in bed, the dark felt as soft as a blanket.
    And the next time there was a noise, <he> only said, "Good night, whoever you are."
    In the morning <he> thought it was a dream. But the <weapon.short> was still in the <room>.
    Then <hero> went back to bed and slept {soundly}.
    "Who was it?" asked <his> {elder} in the morning. "Nobody," said <hero>, "only the night."
    From that night on <he> left the door open a little, so that company could come in.
dog
    dog
    cat
socks
    his socks
    pyjamas
    one shoe
    yellow gloves
snore
    <hero> pulled a blanket over it. "Good night," <he> said, and it wagged its tail in its sleep.
    It had dug its way in, because it was alone over there. So <hero> lay down beside it for a while.
    "Quiet!" said <hero>. It opened one eye, said sorry, and snored more softly.
burglar
    "Put everything back," said <hero>, and held up the <weapon.short>. He did, and even dusted the shelf.
    "Do not shout," he begged. "I am new at this." <hero> made him some tea, and in the morning he looked for other
        work.
    But he was more afraid than <hero> was. He ran off and left the sack, and in the sack were only sandwiches.
tap
    "I count the drops," it said. "{Nine} thousand so far." <hero> brought it a bucket, which was louder still.
    "Leave it on, please," it said. "It is my lullaby." So <hero> shut the door softly and went away.
Nine
    Nine
    Six
    Eleven
    Twenty
jelly_word
    jelly
    pudding
    sponge cake
    cheese
jelly
    A beetle was using it as a trampoline. "Five more minutes," said the beetle.
    Each time a cart went by outside, it began again. <hero> ate it up, and then all was quiet.
    Behind it sat the cat with a spoon. Neither of them ever spoke about it.
parcel
    parcel
    suitcase
    hatbox
    basket
parcel_end
    In it sat two white mice, a present for <his> birthday. <He> shut it again and said nothing until {weekday}.
    "At last," said the tortoise inside. "I have been knocking since {weekday}."
"""

PLOTS["the birthday cake"] = """
story
    {begin} {missing}|{ask} {errand} {baking} {end}
who
    liked baking more than anything
    could bake as well as a baker, or nearly
    had a cookbook with {ten} spots on every page
    wanted to bake a cake all alone
ten
    three
    ten
    twelve
    forty
event
    began to bake {a cake:cake} for <his> {elder:elder}, whose birthday it was.
    put on an apron. <He> was going to bake {a cake:cake} for <his> {elder:elder}.
    wanted to surprise <his> {elder:elder} with {a cake:cake}.
    remembered that it was the birthday of <his> {elder:elder}, and began to bake {a cake:cake}.
news
    wanted to bake {a cake:cake} for <his> {elder:elder}, whose birthday it was.
    got up before everybody else to bake {a cake:cake} for <his> {elder:elder}.
cake
    apple cake
    carrot cake
    lemon cake
    plum tart
    honey cake
    cherry pie
missing
    But there was no {need:need} in the house.
    There were eggs, and there was a bowl, but the {need:need} was all gone.
    <He> opened the jar, and instead of {need:need} there was only {oddment} in it.
    The mice had eaten the {need:need} and left a note that said, "Sorry."
    <He> opened the tin with the {need:need}. A moth flew out, and that was all there was.
    "One pound of {need:need}," said the book. But <he> had only a spoonful.
need
    flour
    butter
    sugar
    milk
    cream
    cinnamon
ask
    So <hero> ran to the {neighbour:helper}. "Can you lend me some <need>?" asked <hero>.
    Next door lived the {neighbour:helper}. "Do you have any <need>?" asked <hero>.
    <He> knocked at the door of the {neighbour:helper}. "Please may I have some <need>?" asked <hero>.
    Over the fence <he> saw the {neighbour:helper}. "Have you got some <need> for me?" asked <hero>.
errand
    "Yes, if you find my glasses," said the <helper>. At last <he> saw them, on the nose of the <helper>.
    "Yes, if you catch my {hen:hen} first," said the <helper>. The <hen> ran {chase} and sat down in <his> cup.
    "Take as much as you like," said the <helper>, "but do not wake the {hen:hen}." <He> went on tiptoe and did not
        sneeze until <he> was outside.
    "Only if I get a piece," said the <helper>. "A big one," said <hero>, and got the <need> at once.
    "Gladly, but I am stuck in my {jumper}," said the <helper>. <He> pulled and pulled, and it helped.
    "If you hold my ladder," said the <helper>. Then a wasp came. Down fell the <helper>, into the compost, and
        still gave <him> the <need>.
    "Sing me something first," said the <helper>. <hero> sang {song}, and the <helper> cried a little and filled the
        cup.
    "Help me with the {piano} first," said the <helper>. It got stuck in the door, and <he> had to climb out over it
        with the <need>.
    "I have just used up mine," said the <helper>, "but you can have half of my own cake." So <he> scraped off the
        icing, and it was nearly the same.
    "What?" asked the <helper>, who was a little deaf, and brought {oddment}. At the {third} try it was <need>.
hen
    hen
    goose
    piglet
    cat
    turkey
chase
    three times round the house
    under the table and over the chair
    up the stairs and down again
    through the washing
jumper
    jumper
    chair
    boots
    window
    barrel
baking
    Soon the <cake.short> was in the oven. It rose and rose until it pushed the oven door open.
    The <cake.short> came out as flat as a plate. So <he> put {topping} on it, and more on top of that.
    In a hurry <he> took salt instead of sugar. Luckily <he> tasted the spoon, made a face, and began again.
    While it was baking, <he> fell asleep. A smell woke <him>, just in time.
    When it was done, the {eater} took one bite, and then another. "At least it tastes good," said <hero>, and cut
        it so that nobody could see.
    On the way to the table <he> tripped over the {eater}. The <cake.short> flew through the air, and <he> caught it
        on <his> head.
    <hero> stirred until <his> arm hurt, and licked the spoon until <his> {stomach} hurt.
    It went in white and came out black. So <he> scraped off the black, and made a second, smaller one.
    While it stood at the window to cool, {ten} sparrows sat round it. <He> made a scarecrow out of {forks}.
    The dough was so good that half of it was gone before it got to the oven. It became a very small <cake.short>.
topping
    cream
    cherries
    candles
    berries
    sugar hearts
    whipped cream
    almonds
    chocolate
    jelly beans
end
    "This is the best <cake.short> of my life," said <his> <elder>, and ate {pieces}.
    "How did you know that I wanted <a cake.short>?" asked <his> <elder>. "You say so every year," said <hero>.
    "And where is mine?" called a voice at the door. It was the <helper>, with a fork.
    Then they all sang, and <his> <elder> blew out the candles with one puff.
    <His> <elder> was so pleased that a tear ran down into the <cake.short>. It did not hurt the taste at all.
    "It leans a little to one side," said <his> <elder>, "but so do I."
    There was one piece too few. So everybody gave <hero> a bite.
    "Next year I shall bake for you," said <his> <elder>, and so it was.
pieces
    two pieces
    three pieces
    four pieces
    every crumb
song
    all the songs about rain
    a sad one
    the one about the sailor
    a lullaby
piano
    piano
    sofa
    wardrobe
    bathtub
third
    third
    fourth
    sixth
eater
    dog
    cat
    goat
stomach
    stomach
    tooth
    tongue
forks
    two forks
    a spoon and an apron
    a paper bag
"""

PLOTS["somebody's baby"] = """
story
    {begin} {cry}|{wrong} {wrong_again} {way} {end}
who
    wanted a pet more than anything
    could talk with animals, though nobody believed it
    looked under every leaf
    was good at finding things
    never walked past anybody who was crying
    liked small animals better than big people
    was the youngest at home and wanted to look after somebody
event
    found {a baby:baby} {spot}.
    heard a small voice {spot}. It was {a baby:baby}, all alone.
news
    found {a baby:baby} {spot}.
    nearly stepped on {a baby:baby} {spot}.
baby
    duckling
    kitten
    lamb
    puppy
    chick
    piglet
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
cry
    "Where is your mother?" asked <hero>. "I followed {lure}," said the <baby>, "and then I was here."
    "Why are you crying?" <he> asked. "I only stopped to look at {lure}," said the <baby>.
    "Are you my mother?" asked the <baby>. "No," said <hero>, "but I will help you to find her."
    "Have you lost your way?" <he> asked. "No," said the <baby>. "It has lost me."
    "Can you walk?" <he> asked. "Yes," said the <baby>, "but I do not know where to."
lure
    a butterfly
    a snail
    a yellow leaf
    a bee
    a paper bag
    a ladybird
    a rolling apple
    a dandelion clock
    a brass band
    the moon
    a red balloon
wrong
    First they met {a other:other}. "Is this yours?" asked <hero>. "No. {other.children}."
    In the {field} stood {a other:other}. "Are you its mother?" asked <hero>. "No. {other.children}," it said.
    They asked {a other:other}. "Certainly not," said the <other>. "{other.children}."
field
    field
    lane
    wood
    middle of the road
other
    cow
    bat
    mole
    snail
    frog
    stork
wrong_again
    Then the <baby> ran up to {a scarecrow}. "Mother!" it cried. But the {thing} did not move.
    It began to rain, and <he> carried the <baby> under <his> coat, where it was warm.
    The <baby> was tired, so <he> gave it {milk} and let it sleep a little.
    "What does your mother look like?" asked <hero>. "Like me, but more," said the <baby>.
    "Does she have {ears}?" asked <hero>. "The most beautiful ones in the world," said the <baby>.
    A fox came along and licked its lips. <hero> put the <baby> into <his> hood and whistled a march.
    "Sing me what your mother sings," said <hero>. The <baby> began to sing, and forgot the end.
    They came to {a puddle}. The <baby> looked in and said, "There is another one who is lost."
    To cheer it up, <he> walked on <his> hands, and lost {oddment}.
scarecrow
    scarecrow
    bus
    snowman
    statue
    wheelbarrow
thing
    big thing
    strange thing
    poor thing
milk
    some milk
    a bit of bun
    half a pear
    a drop of water
ears
    ears
    knees
    eyes
    freckles
way
    "Be quiet for a moment," said <hero>. Far off somebody called, and the <baby> ran.
    <hero> climbed on {a fence} and called "<baby.call>!" From the <baby.home> somebody called back.
    There were tracks in the mud. <He> followed them to the <baby.home>.
    "I know who lives in the <baby.home>," said <hero> at last. "Why did I not think of that before?"
    The <baby> sneezed. And from behind a hedge somebody said, "Bless you, my dear!"
    "By the <baby.home> somebody is crying as well," said the {neighbour}. Then they ran.
    A {bell} rang somewhere. "That is the bell of the <baby.home>!" cried the <baby>.
    <hero> put the <baby> down and waited. It turned round three times, and then it knew the way.
fence
    fence
    barrel
    tree stump
    milestone
    haystack
end
    There was the <baby.mother>, and she laughed and cried at once. {thanks}
    Out came the <baby.mother>. "I have looked under every stone!" she said. {thanks}
    The <baby.mother> was counting her children, and it never came out right until now. {thanks}
    By the <baby.home> sat the <baby.mother> with a wet handkerchief. "We played hide and seek," she sobbed. {thanks}
    "Where have you been?" called the <baby.mother>. "With <hero>," said the <baby>. {thanks}
thanks
    "You may come and play with us whenever you like," she told <hero>.
    And every {weekday} the <baby> came to play with <hero>.
    "May I stroke your baby once more?" asked <hero>. That was easily done.
    The <baby> gave <him> a kiss on the nose. It was a bit wet.
    <hero> went home alone, a little sad and very glad.
    <hero> was asked to stay for supper. But what they ate there was not to <his> taste.
    On the way home something was missing in <his> hood, something warm.
puddle
    puddle
    pond
    rain barrel
    shop window
bell
    bell
    big bell
    small bell
"""

PLOTS["two friends and one thing"] = """
story
    {begin} {quarrel}|{turn} {end}
who
    did everything together with <his> friend {name:friend}
    had one good friend, whose name was {name:friend}
    shared every bun with <his> friend {name:friend}
    had never quarrelled with <his> friend {name:friend}
    went everywhere with <his> friend {name:friend}
    lived next door to <his> best friend {name:friend}
event
    and <friend> found {a prize:thing} {spot}.
    and <friend> saw {a prize:thing} lying {spot}.
    and <friend> were given {a prize:thing} by the {neighbour}.
news
    and <his> friend {name:friend} found {a prize:thing} {spot}.
    was out with <his> friend {name:friend}, and they found {a prize:thing} {spot}.
prize
    sledge
    kite
    drum
    telescope
    wheelbarrow
    bicycle
    hammock
    tent
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
quarrel
    "I saw it first," said <hero>. "But I picked it up," said <friend>. They both pulled.
    "It is mine," said <hero>. "It is mine," said <friend>. They said it {many} times, and it did not get any truer.
    Both wanted the <thing>, and neither would let go. They grew as red as {beetroots}.
    <hero> drew a line on the ground. "This side is mine," <he> said. But the <thing> lay across it.
    "Let me try it first," said <hero>. "Why you?" asked <friend>, and that was a hard question.
    They wanted to toss a coin for it. Then they quarrelled about whose coin.
    "I am older," said <hero>. "I am taller," said <friend>. Neither of these was much of a reason.
    <friend> sat down on the <thing>. <hero> sat down on <friend>. Then nobody could move.
many
    ten
    twenty
    forty
    a hundred
beetroots
    beetroots
    tomatoes
    lobsters
    poppies
turn
    There was a loud crack, and the <thing> was in two pieces. {broken}
    While they shouted, {a robber:robber} came and took the <thing> away. {robbed}
    They did not speak to each other for {days}, and the <thing> stood out in the rain. {apart}
    Then {a stranger:stranger} came by. "You have found my <thing>!" said the <stranger>. {owner}
    The <thing> slipped from their hands and rolled down the hill, faster and faster, into the {pond}. {rolled}
    "Whoever gets to the {tree_word} first shall have it," said <friend>. They ran. {race}
    Rain began to fall, and there was only one dry place, and it was under the <thing>. {dry}
    Under the <thing> something squeaked. It was {a mouse} with {six} children, who lived there. {lodgers}
    "What is that noise?" asked the {neighbour:judge}. Each told it differently, and the <judge> listened to both.
        {verdict}
broken
    They looked at it, and at each other. "Have you got any {glue}?" asked <friend>. "Yes," said <hero>, "and I am
        sorry."
    Now each had half of it, and half of it was good for nothing. So they put it together with {glue}.
    "Half <a thing> is no good," said <hero>. "No," said <friend>, "but half a bun is." And they shared one.
glue
    glue
    string
    nails
    wire
    sticking plaster
robber
    goat
    magpie
    monkey
    big dog
    donkey
    crow
robbed
    "After it!" they cried, and ran side by side. It took both of them to get the <thing> back.
    "You go left, and I go right!" called <hero>. They met in the middle, with the <robber> between them.
    They stood there with empty hands. "That serves us right," said <friend>, and they began to laugh.
days
    three days
    two days
    a whole week
    five days
apart
    Then <hero> took {treat:gift} and went to see <friend>. Halfway <he> met <friend>, who was coming with {treat}
        to see <him>.
    "It is dull without you," said <hero> at last, over the fence. "It is twice as dull here," said <friend>.
    Then each of them wrote a letter. The letters said the same, and it was "Sorry."
    "You may have it on {school_day:one}, and I on {school_day}," said <hero> at last. "And on Sunday?" asked
        <friend>. "On Sunday we are both there."
    Then <friend> was ill, and <hero> climbed in at the window with the <thing> and a bag of plums.
stranger
    clown
    sailor
    lady in green
    farmer
    circus rider
owner
    They gave it back and had nothing to quarrel about. "Here is {treat} for you both," said the <stranger>. They
        shared it.
    "Can you show us how it works?" asked <friend>. The <stranger> could, and taught them both.
pond
    pond
    duck pond
    swamp
    sea
rolled
    They made a chain, <hero> in front and <friend> behind, and pulled it out together.
    There sat a frog on top of it. "Finders keepers," said the frog. "Now there are three of us," said <friend>.
    It was so cold in there that their teeth chattered, and so funny that they laughed all the same.
end
    After that they never asked who saw a thing first.
    And they are friends to this day, if they have not quarrelled since.
    "What shall we quarrel about tomorrow?" asked <friend>. "Nothing," said <hero>. "Tomorrow is {school_day}."
    When they tell it now, each of them says that the other one was right.
    "Shall we go and find something else?" asked <friend>. "Yes," said <hero>, "but that is yours."
    On the way home they had only one bun, and it broke into two halves all by itself.
    "I would rather have you than <a thing>," said <hero>. "Much rather," said <friend>.
school_day
    Monday
    Tuesday
    Wednesday
    Thursday
    Friday
tree_word
    old oak
    mill
    well
    crossroads
race
    Halfway <friend> fell and hurt a knee. <hero> turned back, and they walked the rest arm in arm.
    They got there at the same moment and fell into each other's arms, quite out of breath.
    When they came back, a snail was sitting on the <thing>. "I was first," it said.
dry
    So they crept under it, close together. By the time it was dry, they had forgotten what it was about.
    "There is room for two," said <hero> after a while. There was, if they held their breath.
mouse
    mouse
    hedgehog
    wren
    shrew
six
    six
    five
    nine
lodgers
    "Are you moving in as well?" it asked. They looked at each other and put the <thing> back very softly.
    They said sorry, both at once, and helped it to move to a better place.
verdict
    "Then I shall take it," said the <judge>, "until you two agree." They agreed very quickly.
    "Then saw it in two," said the <judge>. "No!" they both cried. So they got it back in one piece.
"""

PLOTS["learning"] = """
story
    {begin} {laughed}|{teacher} {practice} {end}
who
    could not {skill:skill}, though everybody else could
    wanted to learn to {skill:skill}
    dreamed every night that <he> could {skill:skill}
    told everybody that <he> could {skill:skill}, and it was not true
    had to learn to {skill:skill}, for all <his> family could
    had read a book on how to {skill:skill}
event
    wanted to show that <he> could do it, and {skill.fail:fail}.
    tried to <skill>, all alone. <He> {skill.fail:fail}.
    said, "Today I will do it," and {skill.fail:fail}.
    thought that it could not be hard, and {skill.fail:fail}.
news
    tried to {skill:skill} for the first time. <He> {skill.fail:fail}.
    wanted to {skill:skill} like the big children. <He> {skill.fail:fail}.
skill
    swim
    whistle
    skate
    dance
    juggle
    row a boat
    ride a bicycle
laughed
    "That was a good beginning," said <his> {elder}. "Beginning of what?" asked <hero>.
    "I shall never learn it," said <hero>, and kicked {a stone}. Now <his> foot hurt too.
    Two big boys laughed. "Can you do that again?" they asked. <He> walked home in a rage.
    <He> tried again, and {skill.fail} as well.
    "Once more," <he> said, with <his> teeth together. <He> {skill.fail}. "Enough for today," <he> said.
    "Did anybody see that?" asked <hero>. Everybody had, and the {neighbour} had even called the others.
    <His> {elder:watcher} clapped. "I have never seen it done like that," said <his> <watcher>.
stone
    stone
    bucket
    tree
    tin
    bench
teacher
    Then {a animal:teacher} that was {teacher.doing} lifted its head. "You {mistake}," it said.
    "May I say something?" asked somebody. It was {a animal:teacher}. "You {mistake}."
    Then <hero> asked {a animal:teacher} what was wrong. "You {mistake}," <teacher.said> the <teacher>.
mistake
    look at your feet all the time
    hold your breath
    think too much
    are in too much of a hurry
    shut your eyes
    are afraid before it begins
    want to do it all at once
    look at the others
    talk too much while you do it
    do it like somebody who is angry
practice
    So <hero> practised {when} behind the {barn}, where only the <teacher> could see <him>. {at_last}
    "How often must I try?" asked <hero>. "Once more than you fall," said the <teacher>. {at_last}
    "Can you do it?" asked <hero>. "No," said the <teacher>, "but I have watched a lot of people." {at_last}
    "Sing while you do it," said the <teacher>, "then you forget the rest." <He> sang {song}. {at_last}
    "Is there a trick?" asked <hero>. "Yes," said the <teacher>, "but it takes a year to learn it." {at_last}
    The <teacher> sat down beside <him>, {when}, and counted "one, two, one, two". {at_last}
    So they made a bargain. <hero> had to bring {treat}, and the <teacher> would look the other way. {at_last}
    "Do it as if you could," said the <teacher>. <He> thought about that for {three} days. {at_last}
when
    every morning
    before school
    after supper
    in the rain
    all week
    at six in the morning
    every evening
    each time the sun shone
barn
    barn
    hedge
    boathouse
    gasworks
    cowshed
    stable
    bathing hut
    station
    garden wall
song
    about a frog
    very loud
    the same song ten times
    all the songs <he> knew
at_last
    On the {third} day it went a little better, and on the next <he> <skill.did>.
    Then {a bee} came along, and <he> forgot to be afraid. <He> <skill.did>.
    It went wrong {nine} times. Then, all at once, <he> <skill.did>.
    <hero> counted to three, thought of {treat}, and <skill.did>.
    At last <hero> lost <his> temper and did not care any more, and at that moment <he> <skill.did>.
    "Look, a comet!" called the <teacher>. <He> looked up, and without noticing it, <he> <skill.did>.
    Little by little it came. One {weekday} <he> <skill.did>, just like that.
third
    third
    fifth
    eighth
    twelfth
bee
    wasp
    puppy
    butterfly
    brass band
nine
    nine
    nineteen
    thirty
    ninety-nine
end
    "I knew it," said the <teacher>. "So did I," said <hero>, "but only afterwards."
    Everybody clapped, and the two big boys asked if <he> would teach them.
    "And now I want to learn to {skill}," said <hero>.
    "Now you teach me," said the <teacher>. So <he> did, and that took much longer.
    <hero> ran home to tell it, and told it so often that they all knew it by heart.
    "What was the trick?" <he> was asked. "You have to fall in the right direction," said <hero>.
    The <teacher> wiped its eyes. "It must be the wind," it said.
    "So it was not hard at all," said <hero>, who had forgotten the rest.
three
    two
    three
    four
"""

PLOTS["the seed"] = """
story
    {begin} {plant}|{wait} {grow} {end}
who
    had a garden no bigger than a tablecloth
    wanted to grow something very big
    kept everything that <he> found
    could not wait for anything
    had never grown anything but tall
    thought that all plants were dull
event
    found {a tiny} seed {spot}.
    bought {a tiny} seed from {seller} for {price}.
    got {a tiny} seed from {seller}.
news
    found {a tiny} seed {spot}.
    swapped {oddment} for {a tiny} seed.
tiny
    tiny
    round
    black
    striped
    golden
    wrinkled
    flat
    spotted
    heart-shaped
    crooked
    blue
spot
    in <his> pocket
    in a crack of the wall
    between two pages of a book
    in an old coat
    on the stairs
    in the bottom of a basket
    under the doormat
    in <his> sandwich
seller
    an old woman
    a pedlar
    the gardener
    a man with a parrot
    a talking crow
    the beekeeper
    a sailor
    a lady with a cart
price
    a penny
    two pennies
    a kiss
    a button
    a dance
    an old coin
    a hair from <his> head
plant
    <He> put it into {a pot:pot} and gave it water. "Good night, seed," <he> said.
    <He> planted it in {a pot:pot}, since there was nothing better.
    Into {a pot:pot} it went, with a bit of earth on top, and <he> sat down in front of it.
    "Where shall you live?" <he> asked it. In the end it got {a pot:pot} of its own.
    <He> filled {a pot:pot} with earth and pushed the seed in with one finger.
pot
    flowerpot
    boot
    teapot
    bucket
    saucepan
    bathtub
wait
    A week went by, and nothing happened. <He> sang to it. {more}
    "Is it dead?" asked <hero>. "It is only thinking," said <his> {elder}. {more}
    <He> dug it up to see if it was growing. "Shut the door, it is cold," said the seed. {more}
    Every morning <he> looked, and every morning there was only earth. {more}
    <He> put it in the sun, and <he> put it in the shade, and it did not seem to mind. {more}
    The hen wanted to eat it, the dog wanted to bury it, and <hero> kept watch. {more}
    "It takes time," said <his> {elder}. "How much?" asked <hero>. "All of it," was the answer. {more}
more
    Then it rained for {days}, and a green tip came out.
    Then <hero> told it {tale}, and that helped.
    Then a worm came up and said, "It was upside down. I have turned it round."
    Then <hero> forgot all about it, and that was what it had waited for.
    Then the moon shone on it all night, and there was a leaf.
    Then <hero> cried, because of something else, and a tear fell on it.
    Then it sneezed, and there it stood, green and a little surprised.
days
    two days
    a day and a night
    three days
    an hour
tale
    a joke
    a secret
    a fairy tale
    its own story
    a riddle
    the news
grow
    It grew into a sunflower as tall as {tall}. {sunflower}
    It grew and grew and became a pumpkin, too big for the door. {pumpkin}
    A beanstalk climbed out of the <pot>, over the wall, and into the window of the {grumpy} {neighbour:helper}.
        {bean}
    It was no flower at all. It was a thistle, and it pricked. {thistle}
    It became a little tree, and on the tree hung one {apple:harvest}. {tree}
    It grew one single leaf, but what a leaf! {leaf}
    It became a turnip that would not come out of the ground. {turnip}
    It became a cabbage, and when <he> opened it, somebody was at home. {cabbage}
    It became a bush, and the berries on it made people {sing:do}. {berries}
tall
    the roof
    a lamp post
    two men
    the church
    three ladders
    a horse on a table
sunflower
    The bees came from far away to look at it.
    At night it shone so brightly that the whole street could read in bed.
    A wren built a nest in it and paid the rent in songs.
    A lame sparrow used it as a ladder to the sky.
    It turned its head all day, and people set their watches by it.
pumpkin
    "How shall we eat all that?" asked <his> {elder}. They cooked soup, and the whole street came with spoons.
    <hero> cut a door into it and two windows, and the mice moved in.
    It rolled down the hill and stopped at the school, and nobody could get in for {days}.
    A coachman came by and asked if it was for sale, but <he> was not going to any ball.
grumpy
    grumpy
    lonely
    grey
    silent
bean
    "Who has put beans into my bedroom?" called the <helper>. Then the <helper> tasted one, and smiled for the first
        time.
    The <helper> sent a basket down on it, with {treat} inside. So they became friends.
    "May I pick some?" asked the <helper>. "Half of them are yours," said <hero>.
    "It is as high as my window," said the <helper>. "Climb in, then you can water it from here."
thistle
    "Ugly thing," said everybody. But {a animal} came and said that it had never eaten anything so good.
    <hero> was sad, until it opened its purple flower and forty butterflies came.
    "I like it," said <hero>. "It knows how to look after itself."
    "Do not touch me," it said. "I was not going to," said <hero>, and that was how they became friends.
apple
    apple
    pear
    plum
    lemon
    peach
tree
    <hero> cut the <harvest> into {five} pieces, one for each in the house.
    "Eat it," said <his> {elder}. But <he> gave it to a child who had never had <a harvest>.
    A blackbird wanted the <harvest> as well. "The red side for me, the green one for you," said <hero>.
    It was so sour that <he> made a face, and the face stayed until {weekday}.
five
    four
    five
    six
    seven
end
    In autumn there were new seeds, and <he> gave one to everybody who could wait.
    And the <pot> was never used for anything else.
    "What did you do to make it grow?" people asked. "Nothing," said <hero>, "but for a very long time."
    In winter <he> kept one {tiny} seed in a matchbox and said good night to it.
    "Well, seed," said <hero>, "I never thought that you had that in you."
    Since then <hero> looks at every crumb twice before <he> eats it.
leaf
    When it rained, the whole class stood under it.
    A frog made a roof of it, and <hero> was asked to supper.
    <hero> tied it to a boat, and it was the best sail on the {lake}.
lake
    lake
    river
    canal
turnip
    <hero> pulled, and <his> {elder} pulled, and the dog pulled. Then a mouse helped, and out it came.
    "Leave me here," said the turnip. "It is so cosy." So <he> let it be, and sat on it in the evenings.
cabbage
    It was a caterpillar with a suitcase. "I am only staying until I can fly," it said.
    "Can you not knock?" asked a snail. <hero> shut the leaves again, one after another.
sing
    sing
    dance
    giggle
    sneeze
    yawn
berries
    The {neighbour} ate ten of them and had to <do> for two days.
    <hero> took a bowl of them to school. The teacher was the first who had to <do>.
"""

PLOTS["a visit to the sick"] = """
story
    {begin} {first} {second}|{arrive} {end}
who
    visited <his> {elder:elder} every {weekday}
    had {a elder:elder} who lived on the other side of the wood
    loved <his> old {elder:elder} very much
    wrote a letter to <his> {elder:elder} every week
    had promised to look after <his> {elder:elder}
    was the favourite of <his> {elder:elder}
event
    heard that <his> <elder> was ill in bed. <He> packed {a food:food} and set out.
    set out with {a food:food} for <his> <elder>, who had a cold.
    took {a food:food} to <his> <elder>, who had a bad {knee}.
    had to bring {a food:food} to <his> <elder>, who was not well.
news
    set out with {a food:food} for <his> {elder:elder}, who was ill.
    packed {a food:food}, for <his> {elder:elder} was ill in bed.
food
    pot of soup
    basket of buns
    jug of cocoa
    bowl of porridge
    plate of pancakes
    can of tea
knee
    knee
    tooth
    back
    cough
    foot
    stomach
    throat
first
    Under {a tree} sat {a animal:first}. "That smells good," it said. "May I have some?" <hero> gave it half.
    Soon <he> met {a animal:first}. "I have had nothing since {weekday}," it said. So <hero> gave it half of the
        <food.short>.
    On the bridge stood {a animal:first}. "Nobody crosses without paying," it said. <hero> paid with half of the
        <food.short>.
    "Where are you going with that?" asked {a animal:first} by the road. "To somebody who is ill," said <hero>. "I
        feel ill too," it said, and got half of it.
    "Carry me a little way," said {a animal:first}. "I am so hungry that I cannot walk." <hero> did, and gave it half.
    Behind {a bush} sat {a animal:first}, crying. "I always cry when I smell that," it said. So <hero> gave it half.
tree
    oak
    pine
    beech
    bush
    signpost
second
    Then {a poor} {soldier} asked for a bite, and that was the end of the <food.short>.
    Then it began to pour. <He> waited under {a roof}, grew hungry, and finished the other half.
    Then <hero> stumbled over {a root}, and the rest fell into the {mud}.
    Then came a steep hill. <He> put everything down to rest, and the rest of the <food.short> rolled back to the
        bottom.
    Then a wind came up, and rain fell into everything. The <food.short> tasted of nothing but water.
    Then <hero> took the wrong path, and then the right one, and each time <he> ate a bit for comfort.
    Then <hero> jumped over a brook, but the <food.short> did not jump as far.
    Then a big bird came down from the sky, and the other half was gone.
poor
    poor
    thin
    ragged
    hungry
soldier
    soldier
    beggar
    student
    fiddler
roof
    roof
    bridge
    hay cart
    big leaf
root
    root
    stone
    tortoise
    milk can
mud
    mud
    brook
    nettles
    ditch
arrive
    "I have nothing left," said <hero> at the bed. "But you are here," said <his> <elder>, and sat up. {play}
    <His> <elder> was not in bed at all, but {busy}. "Being ill was so dull that I stopped," said <his> <elder>.
        {play}
    <His> <elder> had not even a cold, only hiccups. <hero> came in so suddenly that they were gone. {play}
    But behind <him> came the <first>, with {gift}. "You gave me half," it said. "Now it is my turn." {play}
    "I heard that you were ill, so I was just going to bring you {a food}," said <his> <elder>. "Me?" asked <hero>.
        {play}
    <His> <elder> had lost nothing but a pair of glasses. "I thought that I was going blind," said <his> <elder>.
        They were in the bread. {play}
    In the house sat five {neighbours_word}, and each had brought {treat}. "I am not hungry," said <his> <elder>,
        "but I was lonely." {play}
    The bed was empty. "Here I am," called <his> <elder> from under it. "I was looking for {oddment}, and then I
        fell asleep." {play}
    The doctor was just leaving. "No food today," said the doctor. "How lucky," said <hero>. {play}
busy
    up on a ladder, picking cherries
    on the roof, mending a hole
    in the shed, painting a boat
    in the garden, standing on one leg
    on the lawn, teaching the dog to dance
    at the stove, singing
    at the pump, with wet hair
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
    They sang all the songs that have no end.
    They built a house of blankets, and <his> <elder> was the bear.
    They told each other stories, and <his> <elder> told the best lies.
    They looked out of the window and guessed where people were going.
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
    "I am much better now," said <his> <elder>. "It must have been the <food.short>."
    "Come again when I am well," said <his> <elder>, "and bring {a food}."
    The <first> was waiting outside, and they went a part of the way home together.
    And the next time <he> took two bags, one for the road and one for <his> <elder>.
    "What was the matter with you?" asked <hero>. "Nobody had laughed in here for {days}," said <his> <elder>.
    "That was better than any medicine," said <his> <elder>, and the doctor had to agree.
    When <hero> left, <his> <elder> waved for so long that <he> had to go backwards.
days
    ten days
    two weeks
    a month
    a whole winter
bush
    bush
    stone
    haystack
    fence
neighbours_word
    neighbours
    aunts
    old friends
"""

PLOTS["the rooster and the sun"] = """
story
    {begin}|{missed} {awake} {search} {end}
begin
    Once upon a time there was a rooster called {cock:hero} who {who}. {then} <he> {event}
    {Place} there lived a rooster called {cock:hero} who {who}. {then} <he> {event}
    There was once {a proud} rooster called {cock:hero} who {who}. {then} <he> {event}
    One day a rooster called {cock:hero}, who {who}, {event}
cock
    Bruno
    Carlo
    Caesar
    Hector
    Rufus
    Victor
then
    One morning
    One {weather} morning
    One day
    Then, one {weekday},
proud
    proud
    handsome
    noisy
    vain
    fat
who
    thought that the sun came up because <he> crowed
    believed that without <him> there would be no morning
    was sure that the sun would never rise without <him>
    told all the hens that <he> made the day
    had never once slept late, because of the sun
    wanted to be thanked for every sunrise
event
    had {a cold}, and could not crow.
    ate too much corn and fell asleep in the {trough}.
    was angry with the hens. "No crowing, no sun," <he> said, and hid in the {trough}.
    stayed up all night to look at the {stars}, and then <he> slept until ten.
    ate {a pepper}, and after that no sound came out.
    wanted to know what would happen if <he> did not crow.
    was shut in the {trough} by mistake, where nobody could hear <him>.
cold
    cold
    sore throat
    pea in the throat
    toothache
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
missed
    "Now it will be dark for ever," <he> thought. But the sky turned pink, and then the sun came up, all alone.
    When <hero> opened one eye, the sun stood over the {barn}, as round as ever. "Who did that?" cried <hero>.
    It grew light. <He> looked once, <he> looked twice, and there could be no doubt: it was the sun.
    <He> waited for the great darkness. But a little {light} came in, and then a lot of it.
    First the sky was grey, then it was yellow, and then the sun looked over the {barn} as if nothing was wrong.
    "Let us see," thought <hero>. What <he> saw was the sun. It was even a little early.
barn
    barn
    church
    windmill
    dunghill
    hill
    roof
    forest
    pigsty
light
    light
    gold
    sunshine
    red
awake
    "So nobody needs me," said <hero>, and one big tear ran down <his> beak.
    "You did that without asking!" <he> shouted at the sun, and the sun said nothing.
    The {duck} laughed at <him>. "The sun does not even know your name," it said.
    <hero> hung <his> head so low that <his> comb was in the dust.
    "There must be some mistake," said <hero>, and crowed a little, much too late.
    <hero> sat down on the dunghill and felt as small as an egg.
    "How long has it been doing that?" asked <hero>. "Always," said the {duck}.
duck
    duck
    goose
    turkey
    goat
    pigeon
    cat
    donkey
search
    But in the house nobody was up. {late} "Where were you?" they all cried. "We need you!"
    Then the farmer came running, with one boot on. "Why did nobody wake me?" <he> shouted. {late}
    But what a day that was! {late} The sun had come up, but nobody had noticed.
    "Look around you," said the old {hen:hen}. {late} "The sun makes the day, and you make us get up," said the <hen>.
    Just then the farmer's wife came out in her nightgown. {late} "Poor thing, are you ill?" she asked <hero>, and
        she cooked <him> some soup.
    Then the children came and looked for <him> in every corner. {late} "We do not want the sun," they said. "We
        want you."
    At noon the mayor himself came. {late} "The sun is bright," said the mayor, "but it makes no noise."
hen
    hen
    dog
    horse
    sheep
late
    The cows had not been milked, and the baker was still {snoring}.
    The children missed {school}, and the train left without a driver.
    The postman had gone to bed in <his> hat and was still {snoring} in it.
    The farmer put salt into <his> coffee, and milked the {horse}.
    The hens had laid no eggs, since they thought it was still {weekday}.
    The bees had overslept, and the flowers were waiting.
    The school bell had not rung, and the teacher was still in bed.
    Nobody had lit a fire, and the porridge was cold.
    The fox had overslept as well, which was the only good thing.
snoring
    snoring
    dreaming
    asleep
    yawning
    lying
    grumbling
school
    school
    breakfast
    the bus
    a test
    their swimming lesson
    the fair
horse
    horse
    bull
    dog
    pig
end
    The next morning <he> crowed again, louder than ever, but now <he> said "please" first.
    From then on <hero> crowed not for the sun, but for <his> friends.
    Since that day <he> says good morning to the sun, and sometimes <he> thinks that it winks.
    "Well," said <hero>, "then the sun and I shall do it together."
    And <he> was a little less proud after that, but only on {weekday}.
    "Cock-a-doodle-doo," said <hero>, "and good morning to you too, sun."
    Now <he> and the sun get up at the same time, and neither says who was first.
    "I do not make the morning," <he> told the chicks, "but I am the first to like it."
pepper
    frog
    hot pepper
    spoonful of glue
    wasp
"""

PLOTS["a letter from the sea"] = """
story
    {begin} {reading}|{reply} {waiting}|{answer} {end}
who
    walked along the beach every day
    collected everything that the sea brought
    had never had a letter
    often felt alone
    lived in the last house before the sea
    could hear the sea in <his> bed at night
    had a boat, but was not allowed to row alone
Place
    In a village by the sea
    On an island
    In a harbour town
    On a long white beach
home
    in a white house by the sea
    in a lighthouse
    behind the dunes
    above the fish market
    in an old boat on the beach
event
    found {a green} bottle in the {seaweed}. There was a letter in it.
    saw something {glittering} in the {seaweed}. It was a bottle with a letter in it.
news
    found a bottle on the beach with a letter in it.
    pulled {a green} bottle out of the {seaweed}. There was a letter in it.
green
    green
    blue
    brown
    dusty
seaweed
    seaweed
    sand
    waves
    rocks
    foam
    nets
    dunes
    mud
glittering
    glittering
    shining
    bobbing
    rolling
    drifting
    blinking
    green
reading
    "I live on a ship and have nobody to play with," it said. "Please write back. {name:friend}."
    "Whoever you are, send me something funny," it said. "It is so quiet here. {name:friend}."
    "Help! I am on an island, and I have read all my books," it said. "{name:friend}."
    It said, "Today I am {age} years old, and nobody knows it but you. {name:friend}."
    It was so wet that only one word could be read, and the word was "{name:friend}".
    "If you find this, we are friends," it said. "I am {age} years old. {name:friend}."
    "Do not be frightened, I am not a pirate," it said. "I only write like one. {name:friend}."
    "To the first person who can read," it said. "Do you like {treat} too? {name:friend}."
reply
    <hero> wrote back at once, {page}, and threw the bottle as far as <he> could.
    <He> thought about it all day. Then <he> put {present} into the bottle as well, and gave it to the sea.
    "How shall I send the answer?" asked <hero>. "I fly that way," said {a gull}, and took it in its beak.
    <He> drew a picture of {drawing}, wrote <his> name under it, and sent it off with the tide.
    <He> ran home, looked for a pencil, found {oddment}, and wrote, "Dear <friend>, I am here."
    <He> wrote so much that it would not go into the bottle. It had to go into {a keg}.
    A captain was just sailing, and <hero> gave the answer to him.
page
    two pages
    in red ink
    with many spots
    in big letters
    on both sides
    with a map
    on wallpaper
present
    a shell
    a toffee
    a tooth
    a stamp
    a lucky penny
    a button
    a feather
    a blue stone
gull
    gull
    pelican
    swan
    heron
    puffin
    cormorant
    tern
drawing
    <his> house
    a crab
    the lighthouse
    <his> whole family
    a whale
    the house with the red roof
    <himself>
waiting
    For {days} nothing came, only {flotsam}.
    Every morning <he> ran down to the water, and every evening <he> came back with wet feet.
    It was a stormy {season}. <He> thought that the bottle was at the bottom of the sea.
    "The sea is slow, but it forgets nothing," said <his> {elder}.
    <hero> asked every fish, but fish do not say what they know.
    One morning there was a bottle! But it was only {a lemonade}, and it was empty.
    The moon got round, and thin, and round again. No answer came.
    "Perhaps <friend> cannot swim," said <his> {elder}. "Letters cannot swim either," said <hero>.
days
    three weeks
    ten days
    half a year
    two months
flotsam
    a boot
    a broken oar
    two corks
    a wooden leg
    jellyfish
    a crate of onions
    a rubber duck
    three planks
    a sailor's cap
answer
    Then a ship came round the {rock}. At the rail stood somebody who waved and waved. It was <friend>. {meeting}
    Then there was another bottle. "Dear <hero>," said the letter, "I got it. Now I am not alone." {letters}
    Then there was a knock at the door. "Are you <hero>?" asked a <friend.child> with a wet letter. "I am <friend>."
        {meeting}
    Then {a gull} brought a parcel. In it was {a gift} and a note: "For <hero>, from <friend>." {letters}
    Then <hero> saw smoke far out. <His> {elder} rowed and <hero> steered, and there, on a rock, sat <friend>.
        {meeting}
    Then, at low tide, somebody came over the sand with a suitcase. It was <friend>. {meeting}
    Then a fisherman caught a big fish, and in the fish was a letter for <hero>. It was a bit slimy. {letters}
    Then a balloon came over the water. "Is this where <hero> lives?" called <friend> from the basket. {meeting}
    Then a whole row of bottles came in with the tide, numbered from one to {seven}. {letters}
rock
    rock
    lighthouse
    cape
    island
gift
    coconut
    pearl
    parrot feather
    compass
    telescope
    pineapple
    monkey's tooth
    carved whale
meeting
    They did not know what to say, and so they built {a sandcastle}.
    "I thought you would be taller," said <friend>. "I thought so too," said <hero>.
    They ate {treat} on the {pier} and talked until the stars were out.
    <friend> had brought {a gift}, and <hero> had no present but the beach.
    First they shook hands. Then they ran into the sea with all their clothes on.
sandcastle
    sandcastle
    raft
    dam
    kite
    fire
    hut
    castle of shells
pier
    pier
    steps
    sand
    quay
letters
    <hero> read it so often that it fell to pieces.
    So it went, back and forth, and the sea never lost a letter.
    <hero> ran through the house and read it to everybody, and to the cat.
    <hero> put it under <his> pillow, and in the night it smelled of salt.
    "Come and see me," it said at the end. "It is only two days by whale."
    At once <he> sat down and wrote the next one.
end
    Since then <hero> and <friend> write to each other every {weekday}.
    "You throw very well," said <friend> later. "So do you," said <hero>.
    And when <he> sees an empty bottle now, <he> looks for a pencil.
    It was not a big sea, <he> found, when there was somebody on the other side.
    And what the first letter said, nobody has been told but the sea.
    "There is a sea between us," wrote <hero> later, "and so we have much to tell."
keg
    barrel
    milk can
    rubber boot
    teapot
lemonade
    lemonade bottle
    vinegar bottle
    ketchup bottle
seven
    seven
    nine
    twelve
"""

PLOTS["the snowman"] = """
story
    {begin} {alive}|{trouble} {end}
season
    winter
    December
    January
who
    liked winter best
    waited every morning for snow
    had no brother and no sister
    had the warmest mittens in the street
    had no one to play with
    never wanted to come in when it snowed
    had never seen so much snow
weather
    snowy
    frosty
    white
    icy
    clear
one_day
    One day
    One {weather} {daypart}
    It was {a weather} {daypart}, and
    Last {season}
event
    made a snowman with {a nose:nose} for a nose.
    went out and built a snowman. For a nose it got {a nose:nose}.
    rolled three big balls of snow, and soon there was a snowman with {a nose:nose} for a nose.
    put on two coats and built a snowman. It got {a nose:nose} in the middle of its face.
news
    made a snowman with {a nose:nose} for a nose.
    built the biggest snowman in the street. For a nose it got {a nose:nose}.
nose
    carrot
    pine cone
    potato
    parsnip
    cork
    chestnut
alive
    "Good evening," said the snowman when the moon came up. "I have a few questions."
    <He> gave it <his> {scarf}, so that it would not be cold. "Thank you, but I like the cold," said the snowman.
    When <hero> said good night to it that evening, it lifted its hat.
    It looked so lonely out there that <he> made it {a dog} of snow as well.
    "What shall I call you?" <he> asked. "Call me {sirname}," said the snowman, "but not before breakfast."
    "You may come in if you are cold," <he> said. It shook its head, very carefully.
    Its eyes were two buttons, and when <he> looked away, one of them winked.
    That evening <hero> brought it a bowl of cold soup, and in the morning the bowl was empty.
scarf
    scarf
    hat
    coat
    shawl
    jacket
    cap
    blanket
dog
    dog
    cat
    wife
    penguin
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
trouble
    In the morning the <nose> was gone. {tracks}
    In the morning there were two snowmen. {two}
    Then it grew warm, and the snowman began to drip. {drip}
    At night a storm came, and the snowman knocked at the window. {window}
    The snowman looked at the house and said, "What is that yellow light in there?" {stove}
    The dog from next door took it for a stranger and bit it in the {leg}. {dog_end}
    In the night the snowman went for a walk. {walk}
    Then the big boys came with snowballs and knocked off its {head}. {boys}
    A real {policeman:guest} came down the street and stopped in front of it. {guest_end}
    It snowed and snowed for {snow_days} days, until only the <nose> could be seen. {snowed_in}
tracks
    Small tracks led under a hedge. There sat a rabbit with five children, and all were eating. "We were so hungry,"
        it said. <hero> brought them cabbage too.
    "Who took it?" asked <hero>. "I sneezed," said the snowman, "and it flew over the {fence}." They looked for it
        until noon.
    A crow was playing with it on the {fence}. <He> swapped it for {a spoon}, and the crow thought that it had won.
    "I have lent it to a mole," said the snowman. "He has a cold, and his own is no good." By noon it was back.
fence
    fence
    roof
    garage
    wall
spoon
    silver spoon
    ring
    bit of tinsel
    thimble
two
    "Where do you come from?" <hero> asked the new one. "From next door," it said. "It is so dull there." Behind it
        stood {a child} with red cheeks. So they all played together.
    "This is my brother," said the snowman. "He has come to visit, and he would like <a nose> like mine."
drip
    "I am going away," it said, "but keep my <nose> for me." <He> put it into a drawer.
    <hero> fetched a sledge and pulled it into the shade of the {church}. "Much better," said the snowman.
    "Do not be sad," it said. "I shall be in the brook, and then in the sea, and then in a cloud."
    "Tell me something cold," it begged. <hero> told it about the North Pole, and it stopped at once.
church
    church
    barn
    town hall
    north wall
window
    "May I come in?" it asked. "You would melt," said <hero>, and held an umbrella over it until morning.
    "The wind has blown off my head," it called. <He> ran out in pyjamas and put it on again.
    "I am afraid," it said. So <hero> sat at the open window in three blankets and told it stories.
stove
    "That is the stove," said <hero>. "May I meet it?" asked the snowman. "Only from a long way off," said <hero>,
        and opened the door a crack.
    "That is my lamp," said <hero>, and brought it out. They looked at a book together, until the pages froze.
end
    When winter came again, the snowman stood before the door and said, "Well, where were we?"
    In spring there was a puddle there, and in the puddle lay the <nose>.
    "Until next year," said the snowman. "I shall know you by your {mittens}."
    And <he> told nobody, since nobody would have believed it.
    That night <hero> put on <his> mittens in bed and dreamed of snow.
    "Winter is too short," said <hero>. "And every other time is too long," said the snowman.
    On the last cold day they shook hands, and <his> glove stayed wet for a week.
    Then <hero> went in to warm <his> hands, and waved from the window until it was dark.
mittens
    mittens
    freckles
    red nose
    laugh
leg
    leg
    stomach
    elbow
    behind
dog_end
    "That is cold!" howled the dog, and never bit anybody again.
    <hero> filled the hole with snow, and the dog brought a bone to say sorry.
walk
    There was a track from the garden to the {church}, and another one back. "I wanted to see the stars from there,"
        it said.
    <hero> found it at the {bakery}, with its <nose> against the window. "It is so warm in there," it said, and
        sighed.
bakery
    bakery
    skating rink
    ice cream shop
    station
head
    head
    arm
    hat
boys
    "Leave it alone!" cried <hero>, and all at once <he> was not small any more. In the end they helped to mend it.
    Then a snowball came back, very hard, and nobody knew who had thrown it. The boys ran home.
policeman
    policeman
    king
    bishop
    general
guest_end
    They looked at each other for a long time. "You have a better hat than I," said the <guest>, and went on.
    "Papers, please," said the <guest>. "It has only <a nose>," said <hero>. "That will do," said the <guest>.
snow_days
    two
    three
    four
snowed_in
    <hero> dug for two hours. "Thank you," said the snowman, "but I did not mind at all."
    A robin sat on top of it and sang, so <hero> knew where to dig.
"""

PLOTS["the feared stranger"] = """
story
    {begin} {fear}|{visit} {trouble} {end}
who
    always wanted to know everything
    was the smallest in the village
    could not leave a thing alone
    believed nothing that <he> had not seen
    had once said good day to a thunderstorm
    was afraid of many things, but not of meeting somebody
    liked strangers
event
    heard that {a monster:monster} had moved into the {cave:cave}.
    came home and said, "There is {a monster:monster} in the {cave:cave}."
    was not allowed out any more, since {a monster:monster} had moved into the {cave:cave}.
news
    heard that {a monster:monster} had moved into the {cave:cave}.
    was told not to go near the {cave:cave}, because {a monster:monster} lived there now.
monster
    giant
    dragon
    troll
    bear
    wolf
    ogre
cave
    cave
    old mill
    ruin
    dark wood
    tower
    quarry
fear
    Everybody locked the door. "It eats {boots} for breakfast," said the {neighbour}.
    The {neighbour:teller} had heard it roar, and the {neighbour} had seen its teeth, or so they said.
    At night there was such a howling that the {spoons} shook in the drawers.
    "Somebody should talk to it," said the mayor, and looked at everybody else.
    "It is as big as {four} houses," said the {neighbour:teller}, who had seen only its shadow.
    The hens laid no more eggs, and the church was full even on {weekday}.
    People put {traps} in front of their doors, and fell over them.
    The {neighbour} wrote a sign that said, "No entry, please." But perhaps it could not read.
boots
    boots
    umbrellas
    children
    bicycles
    doors
    hats
    nails
spoons
    spoons
    forks
    cups
    needles
visit
    But <his> {ball} landed in there, and <hero> went after it.
    "I shall go and ask," said <hero>, and took {treat} along, just in case.
    So <hero> went there, with knees like jelly, and knocked.
    One night <he> crept up to it and looked through a crack.
    Then a letter came for the <monster>. Nobody dared to take it there, and so <hero> did.
    Then somebody had to say who was afraid, and nobody put up a hand. So <hero> went.
    "I am too small to be eaten," said <hero>. "It would not be worth it." And off <he> went.
ball
    ball
    hoop
    cart
    best marble
    kite
    arrow
    paper plane
trouble
    There sat the <monster> with a swollen cheek. "I have a toothache," it sobbed. {tooth}
    There sat the <monster>, knitting. "Go away," it said. "Everybody is so scary here." {scary}
    The <monster> was sitting on a suitcase and crying. "I miss my mother," it said. {mother}
    "Do not come in!" cried the <monster>. "There is {a mouse:mouse} in here!" It stood on a chair and trembled.
        {mouse_end}
    The <monster> could not sleep. That was why it howled. {sleep}
    The <monster> had burnt its supper and was looking into the pan. {supper}
    A fishbone was stuck in the throat of the <monster>. It could only point. {bone}
    The <monster> was practising the {tuba}. That was the noise. {horn_end}
    "It is my birthday," said the <monster>, "and nobody has come." Its table was laid for {twenty}. {party}
    The <monster> was hanging up its washing, and among it was {blanket} with flowers on it. {washing}
    The <monster> was so shy that it hid behind its own {tail_word}. {shy}
tooth
    <hero> tied one end of a string to the tooth and the other to the door. Bang! "Oh," said the <monster>, "that is
        better."
    "Do you brush them?" asked <hero>. "With what?" said the <monster>. So <he> brought it a broom.
    "Open wide," said <hero>, and there was a whole {boot} between its teeth. <He> pulled it out.
scary
    "Me?" asked <hero>. "You are all so small and so many," said the <monster>. It took {a cup} of tea to calm it.
    "I am not scary at all," said <hero>. "Look, I have lost two teeth." Then the <monster> had to laugh.
    "We have heard you roar," said <hero>. "I have a cold," said the <monster>, and roared once more, into a
        handkerchief.
cup
    cup
    pot
    bucket
    barrel
mother
    "Then write to her," said <hero>. It could not write, so <he> wrote the letter, and it put a paw print under it.
    <hero> lent it <his> own for a while. She gave it {treat} and told it to wash its ears.
    "Is she like you?" asked <hero>. "Bigger," it sobbed, "and even nicer." So they looked at a picture of her.
mouse
    mouse
    spider
    moth
    beetle
mouse_end
    <hero> took the <mouse> in both hands and carried it out. "You are brave," said the <monster>.
    "It is more afraid of you," said <hero>. "Poor thing," said the <monster>, and climbed down to say sorry.
sleep
    <hero> told it a story, then another one. In the middle of the {third} it began to snore.
    "Have you got a pillow?" asked <hero>. It had only {a stone}. The next day <he> brought it three.
    They counted sheep together, and when they ran out of sheep, they counted {hens}.
third
    second
    third
    fourth
stone
    stone
    log
    turnip
    suitcase
end
    From then on the <monster> carried the children to school on its back.
    "What is it like?" asked the people. "Like us," said <hero>, "only more so."
    On {weekday} the whole village came to tea, and the mayor brought {treat}.
    Now nobody locks the door any more, and the <monster> waters the flowers when people are away.
    And if you hear a roar from the <cave>, it is only the <monster>, laughing.
    "Why did nobody come before?" asked the <monster>. <hero> did not know what to say to that.
    The people were a little ashamed, and the sign at the <cave> now says, "Welcome."
    When <hero> is asked if <he> was afraid, <he> says, "Yes, and so was the <monster>."
four
    three
    four
    ten
traps
    buckets
    rakes
    flowerpots
    mousetraps
supper
    "One has to stir," said <hero>. They made {treat} together, and the <monster> wore an apron.
    "That happens to us too," said <hero>. "We give it to the hens." The <monster> had no hens, so they ate it.
bone
    <hero> put <his> whole arm down its throat, shut <his> eyes, and pulled. Out came the bone.
    "Bread," said <hero>, "a lot of bread." The {neighbour} had to bake all night, and then it went down.
tuba
    tuba
    violin
    trombone
    bagpipes
horn_end
    "You hold it the wrong way round," said <hero>. After that it sounded much better.
    "Can you play something slow?" asked <hero>. They played until the windows shook, and then it was no longer alone.
twenty
    twenty
    ten
    thirty
party
    <hero> ran back and fetched everybody, and those who did not want to come were the first to dance.
    <hero> sat down, put on a paper hat, and sang for {nineteen}.
nineteen
    all the others
    an hour
    two
blanket
    a nightshirt
    a blanket
    a bonnet
washing
    "Nice," said <hero>. "My grandmother made it," said the <monster>, and blew its nose.
    <hero> held the pegs for it. Who holds the pegs for somebody is not afraid any more.
tail_word
    tail
    paws
    umbrella
    beard
shy
    <hero> looked the other way and talked about the weather, until it came out by itself.
    "I am shy too," said <hero>. So they both said nothing for an hour, and it was very pleasant.
boot
    boot
    bicycle
    fence post
hens
    hens
    teachers
    clouds
"""

PLOTS["the wishing fish"] = """
story
    {begin} {bargain}|{wish} {back} {end}
who
    went fishing every {weekday} and never caught anything
    was never content
    had more wishes than {buttons}
    wished for something new every day
    wanted everything that <he> saw
    could never make up <his> mind
    wished on every star, and got nothing
buttons
    buttons
    freckles
    socks
    hairs
event
    caught {a golden} fish.
    threw out <his> line and pulled up {a golden} fish.
    felt a pull at the line, and up came {a golden} fish.
news
    caught {a golden} fish in the {river}.
    pulled {a golden} fish out of the {river}.
golden
    golden
    silver
    rainbow
    talking
    polite
    tiny
    crooked
    striped
    purple
    shivering
    laughing
river
    river
    lake
    sea
    millpond
    canal
    fountain
    rain barrel
bargain
    "Let me go, and you may wish for something," said the fish.
    "If you do not eat me, you have one wish," it said. "Think first."
    "Please put me back," said the fish. "I can pay with a wish."
    "You would not like me," said the fish. "I taste of mud. But I can give you one wish."
    "One wish, and we are quits," said the fish, who was in a hurry.
    "I have children," said the fish. "I have a frying pan," said <hero>. "Then wish for something better," said the
        fish.
wish
    "I wish for as many {dishes} as I can eat," said <hero>. {food}
    "I wish I was as tall as {a tree}," said <hero>. {tall}
    "I wish I could talk with {cats}," said <hero>. {talk}
    "I wish it was {weekday:dayname} every day," said <hero>. {same_day}
    "I wish everything that I touch was made of {chocolate:stuff}," said <hero>. {touch}
    "I wish that nobody could see me," said <hero>. {unseen}
    "I wish to be the {fastest} child in the world," said <hero>. {fast}
    "I wish I had {a brother:copy} who looks just like me," said <hero>. {twin}
    "I wish that nobody ever says no to me," said <hero>. {yes}
    "I wish I was grown up," said <hero>. {grown}
    "I wish that it never rains again," said <hero>. {dry}
    "I wish I could fly," said <hero>. {fly}
dishes
    pancakes
    sausages
    doughnuts
    waffles
    dumplings
    cream puffs
    apple fritters
    meatballs
food
    There was a plate of them on the table, and then ten, and then they came in at the windows.
    They rained from the sky and would not stop. The {hens} had to swim in them.
    After the third plate they did not taste of anything, and there were still {nine} hundred to come.
hens
    hens
    cows
    firemen
    neighbours
tree
    church tower
    tree
    lighthouse
    chimney
tall
    It was fine up there, but <his> bed was too short and <his> friends were too far down. A {gull} sat on <his> ear.
    <hero> bumped into a cloud and got wet. Nobody heard what <he> said.
    People came with ladders to ask <him> for the weather. "Wet," said <hero>, for <he> had a cloud in <his> hair.
gull
    gull
    stork
    pigeon
    swallow
cats
    cats
    horses
    hens
    dogs
    donkeys
    sparrows
    pigs
talk
    But all day long they talked of food, and at night too. "Is it supper now?" they asked. "And now?"
    They had a lot to say, and most of it was about <him>. It was not very polite.
    They told <him> where it itched, and where it itched next, and whose fault it was.
same_day
    The first one was wonderful. The second was like it. On the {tenth}, <he> knew what everybody was going to say.
    There was the same {soup} every day, and the birthday that <he> waited for never came.
tenth
    tenth
    fifth
    twentieth
    ninth
soup
    soup
    fish pie
    porridge
    spinach
chocolate
    chocolate
    gold
    sugar
    glass
    rubber
    marzipan
touch
    <His> chair, <his> bed, and even <his> bath water were <stuff>. Then the cat jumped on <his> knees, and <he>
        only just pulled back <his> hands.
    First <he> was happy. But then <his> {elder} wanted to hug <him>, and <he> had to run away.
    The first bite broke <his> tooth, and <he> was still hungry. How can one eat a bun of <stuff>?
unseen
    <hero> won at hide and seek, {ten} times. Then everybody went home, because nobody had found <him>.
    People sat down on <him>, and at supper nobody gave <him> a plate.
    <hero> ate a whole cake, and the dog got the blame.
ten
    two
    three
    four
    ten
back
    So <hero> ran to the water and called. "I thought so," said the fish.
    "Fish, dear fish, take it back!" cried <hero>. "Gladly," said the fish. "They all come back."
    For three days <hero> sat at the water with bread crumbs before the fish came up. "Enough?" it asked. "Enough,"
        said <hero>.
    <hero> put a note on the hook, and on it stood "Please". The fish came up at once.
    "Can I give it back?" <he> called across the water. "Only if you laugh about it," said the fish. So <he> did.
    It took all night to find the fish. It had been waiting under the {bridge}.
end
    "And what do you want instead?" asked the fish. "Nothing," said <hero>, "only to sit here with you."
    When <hero> got home, there was {treat} on the table, just enough.
    Since then <hero> fishes without a hook.
    "What did you wish for?" asked <his> {elder} in the evening. "Too much," said <hero>.
    And everything was as before, only that <he> liked it now.
    "Next time," said the fish, "catch a carp. They know nothing."
    <hero> and the fish have been friends ever since, and they talk about the weather.
    "Was it not nice at all?" asked the fish. "It was," said <hero>, "for a moment."
fastest
    fastest
    strongest
    cleverest
    richest
fast
    Everybody was so amazed that nobody wanted to play with <him>.
    Soon there came a child from every country to see if it was true. <He> never had time for supper.
brother
    brother
    sister
twin
    But the <copy> wanted the bed as well, and the last piece of cake, and was never wrong.
    They could not tell any more which of them had been there first.
yes
    "May I stay up all night?" asked <hero>. "Yes," they said. At three in the morning <he> begged them to say no.
    "May I jump off the roof?" asked <hero>, only to see. "Yes," said <his> {elder}. Then <he> was frightened.
grown
    <hero> had to go to the office at once, and there were {sums} on the table as high as a house.
    Nobody carried <him> to bed that night, and <his> shoes pinched.
sums
    sums
    papers
    letters
dry
    First everybody went swimming. Then the {pond} was empty, and the apples were as small as peas.
    The flowers hung their heads. "What have we done to you?" they asked.
pond
    pond
    well
    river
fly
    <hero> flew up like a feather, but <he> had not thought about how to come down.
    A flock of geese took <him> along, half the way to Africa, and talked of nothing but feet.
nine
    nine
    four
    six
bridge
    bridge
    jetty
    same stone
"""

PLOTS["lost in the fog"] = """
story
    {begin} {fog}|{lost} {sign} {end}
who
    knew every path in the wood, or thought so
    was told never to leave the path
    was never back in time for supper
    walked about all day with {a basket}
    walked faster than anybody else
    had never been lost before
    had never been in the wood alone
basket
    basket
    stick
    dog
    cap
weather
    misty
    grey
    damp
    cool
    cloudy
    still
event
    went into the wood for {berry:fruit}.
    wanted to bring home a basket of {berry:fruit}.
    was picking {berry:fruit} far from home.
    looked for {berry:fruit} where the wood is darkest.
news
    went to pick {berry:fruit} in the wood.
    was picking {berry:fruit} and went deeper and deeper into the wood.
berry
    blackberries
    blueberries
    mushrooms
    hazelnuts
    raspberries
    chestnuts
fog
    Then a fog came down, as thick as {porridge}, and <he> could not see <his> own {feet}.
    When <hero> looked up, the path was gone. There was nothing but fog, white and still.
    <He> only looked at the <fruit>, and so <he> did not see the fog that came between the trees.
    First one tree was gone, then two, and then the whole wood was gone. That was the fog.
    The birds fell silent. From the {marsh} came a fog, and it swallowed everything.
porridge
    porridge
    milk
    wool
    smoke
    soup
    cotton wool
    whipped cream
feet
    feet
    hands
    basket
    knees
    nose
    shoes
    shadow
lost
    <He> walked for an hour and came upon footprints. They were <his> own. {scared}
    "Hello!" called <hero>. "Hello," said the echo. "Where are you?" asked <hero>. "Where are you?" asked the echo.
        {scared}
    <He> climbed a tree to see the way. From the top there was only more fog. {scared}
    Something big stood before <him> with its arms out. "Good evening," said <hero>. But it was only {a trunk}.
        {scared}
    <He> went left, and there was a swamp. <He> went right, and there was a cliff. {scared}
    <He> asked {a animal} for the way. "I am lost myself," it said, so now there were two of them. {scared}
    "Moss grows on the north side," <he> remembered. But here it grew on every side. {scared}
    Two green eyes looked at <him> out of a bush. They belonged to {a kitten}, who was more lost than <he> was.
        {scared}
trunk
    dead tree
    signpost without a sign
    broken gate
    scarecrow
    haystack
    stone cross
    bear of wood
    juniper bush
scared
    "I am not crying," said <hero>. "It is only the fog in my eyes."
    It was getting dark, and <he> sat down on {a stump}.
    To be less afraid, <he> ate {fruit_count} <fruit>.
    <hero> thought of {treat} on the table at home, and grew sadder and sadder.
    <hero> sang a song, first loudly, and then not so loudly.
    "If I stand still, I cannot get more lost," thought <hero>.
    <hero> told <himself> a story in which somebody was lost and was found.
    Somewhere a twig cracked. <He> did not breathe for a whole minute.
stump
    stump
    stone
    mossy log
    root
    fallen tree
    milestone
fruit_count
    three
    five
    ten
sign
    Then a cowbell rang, quite near. <He> took hold of the tail of the cow, and cows always know the way home.
    Then {a animal} came by. "I will show you the way," it said, "for half of your <fruit>." <hero> gave it half,
        and in five minutes they were there.
    Then <hero> heard a brook. "You run to the {mill}," said <hero>, "so I shall walk with you." And the brook led
        <him> out.
    Then there was a smell of {treat} in the air. <He> shut <his> eyes and went after <his> nose, step by step.
    Then a light came swinging through the trees. It was <his> {elder:finder} with a lantern. "I only followed the
        <fruit> that you dropped," said the <finder>.
    Then the fog lifted, and <he> saw where <he> was: ten steps from <his> own door.
    Then the wind came and blew a hole in the fog, and through the hole <he> saw the {church}.
    Then <hero> bumped into somebody. It was the {neighbour:finder}, who was lost as well, but had a compass. "What
        luck," said the <finder>. "Can you read it?" <hero> could.
    Then a swarm of fireflies came and flew ahead of <him>, like a string of lamps.
    Then somebody played the {fiddle}, very far away and very badly. "That is my {elder}," cried <hero>, and
        followed every wrong note.
    Then <hero> felt a wet nose in <his> hand. It was <his> own dog, who had come to fetch <him>.
    Then <hero> remembered what <he> had in <his> pocket: {oddment}. But it was the moon that helped, when it came up.
mill
    mill
    village
    bridge
    sawmill
    inn
    old bridge
    pond
end
    At home they made a pie from the <fruit>, and <hero> slept with the lamp on.
    "Were you afraid?" they asked at home. "The fog was," said <hero>, "but I stayed with it."
    From that day on <hero> carried {a whistle} in <his> pocket.
    There were not many <fruit> left in the basket, but nobody minded.
    And the next day <hero> went back and tied a red thread to every {tree}.
    "Where is the fog now?" <he> asked at supper. "In your hair," said <his> {elder}.
    That night <hero> dreamed of fog, but in the dream there was a rope.
    After that <hero> told everybody that <he> had only gone for a walk.
    The <fruit> tasted better than ever, for they came from so far away.
tree
    tree
    tenth tree
    other tree
    fence
    bush by the path
whistle
    whistle
    compass
    candle
    horn
    cowbell
    map
    torch
marsh
    marsh
    river
    hills
    lake
kitten
    kitten
    fawn
    young owl
    lamb
church
    church
    chimney at home
    school
    old castle
fiddle
    fiddle
    trumpet
    flute
    drum
"""

PLOTS["the pet that ate everything"] = """
story
    {begin} {where}|{trouble} {out} {end}
who
    had {a pet:pet} that ate everything
    had {a pet:pet}, and it was always hungry
    kept {a pet:pet} that was not very clever
    was proud of {a pet:pet} that ate everything
    fed {a pet:pet} five times a day, and it was never enough
    shared <his> bread with {a pet:pet} that had no manners
pet
    goat
    pig
    dog
    donkey
    goose
    cow
event
    saw that the <pet> was chewing. <His> {elder} was looking for {a thing:thing}.
    looked for {a thing:thing} and found only <a pet> that licked its lips.
    gave the <pet> its breakfast. It ate the bowl, the spoon, and {a thing:thing} that lay beside them.
    turned round for a moment, and the <pet> swallowed {a thing:thing}.
news
    noticed that the {pet:pet} had eaten {a thing:thing}.
    was feeding the {pet:pet}. It took the corn, and then {a thing:thing}.
thing
    whistle
    alarm clock
    little bell
    music box
    mouth organ
    radio
where
    "Open your mouth," said <hero>. It did, and <thing.sound> came out.
    From then on <thing.sound> could be heard whenever it {breathed}.
    "Give it back," said <hero>. The <pet> shook its head, and inside it <thing.sound> could be heard.
    "What was that?" asked <his> {elder}. It was <thing.sound>, and it came from the <pet>.
    The <pet> looked surprised. Each time it {breathed}, <thing.sound> came out.
    <He> put <his> ear to its stomach. There was <thing.sound> in there.
breathed
    breathed
    yawned
    jumped
    hiccupped
    laughed
    took a step
    lay down
    wagged its tail
trouble
    At school the teacher asked, "Who is doing that?" {school}
    At night a burglar climbed in at the window. Then the <pet> {got_up}. {burglar}
    The whole village came to hear it, and the brass band came as well. {band}
    The {neighbour:neighbour} could not sleep for the noise. "Away with that <pet>!" said the <neighbour>.
        {neighbour_end}
    That {weekday} there was a wedding, and the organ was broken. {wedding}
    On {weekday} the teacher of music came for tea and listened with both eyes shut. {music}
    The other animals in the yard held a meeting about it. {meeting}
    A man from the circus heard of it and offered {a_sack} of money. {circus}
    In the fog a ship had lost its way. The <pet> stood on the beach and could be heard for miles. {ship}
    At the {station} people looked round whenever it came by. {station_end}
    Then the <pet> ran away, and it was dark. {away}
got_up
    got up
    turned round
    opened its mouth
    coughed
school
    All the children pointed at each other. Under a desk sat the <pet>, who wanted to learn something too.
    "It is the <pet>," said <hero>. "It is sitting very still," said the teacher, "and that is more than you do."
burglar
    "The police!" cried the burglar, and jumped out again, into the rain barrel.
    The burglar dropped the {spoons}, ran away, and never came back.
spoons
    silver spoons
    lamp
    candlesticks
    sack
band
    They played together until late, and nobody was ever out of time.
    "We are looking for somebody who can do that," said the {drummer}. Now the <pet> marches in front.
drummer
    drummer
    trumpeter
    conductor
neighbour_end
    But the next night it was so quiet that nobody in the street could sleep at all.
    "Give it {treat}," said <hero>. The <pet> fell asleep on its {left} side, and there was peace.
left
    left
    right
    other
wedding
    So the <pet> stood in front of the church, and the {bride} danced to it.
    "Do you know anybody who can play?" asked the {bride}. "In a way," said <hero>.
bride
    bride
    parson
    best man
    grandmother
out
    Then <hero> tickled its nose with {pepper}. It sneezed, and out flew the <thing>.
    "It will come out in its own time," said the doctor, and so it did.
    The <thing> is in there to this day.
    Then it ate {thing_two} on top of that, and after that it was quiet.
    Then <hero> and the <pet> jumped up and down together until the <thing> came out.
    Then it ran down by itself, and nobody was sadder about it than the <pet>.
    Then it ate so much {treat} that one could hear it only on quiet evenings.
pepper
    pepper
    a feather
    a straw
    a peacock feather
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
end
    "I shall buy a new one," said <his> {elder}. The <pet> pricked up its ears.
    "Good <pet>," said <hero>, and put <his> shoes on the very top shelf.
    And the next day it ate {a last_meal}, but that is another story.
    Nobody was cross for long. How can you be cross with such <a pet>?
    To this day they call it the singing <pet>, and it looks up when it hears that.
    When <hero> is asked where the <thing> is, <he> says, "Close by."
    "It has a good heart," said <hero>. "And a big stomach," said <his> {elder}.
last_meal
    hat
    doormat
    newspaper
    geranium
a_sack
    a sack
    a hatful
    a cartload
music
    "What a talent!" said the teacher. "Which of you is it?" Since then the <pet> has a lesson every week.
    "It is a little too high," said the teacher, and patted the <pet> until it was right.
meeting
    "It keeps us awake," said the hens. "It keeps the fox away," said the duck. So it was allowed to stay.
    "We want one too," said the cow. And so <hero> had to hide everything that made a noise.
circus
    "It is not for sale," said <hero>, "but you can come and listen." So the circus came to them.
    <hero> thought about it for one second and said no. The <pet> gave <him> a kiss that smelled of {onions}.
onions
    onions
    hay
    old shoes
ship
    "There is the land!" cried the sailors. They gave the <pet> an anchor, and it tried to eat that too.
    The captain came ashore to say thank you, and bowed to the <pet>.
station
    station
    market
    post office
    library
station_end
    A lady jumped into the wrong train because of it, and met the man whom she later married.
    Somebody put a coin into <his> cap, and then somebody else. It was enough for a new one.
away
    Luckily it could be heard from far off. <hero> found it in the cabbages of the {neighbour}.
    <hero> stood still and listened. There, very softly, behind the barn!
"""

PLOTS["the present"] = """
story
    {begin} {shop}|{earn} {lose}|{give} {end}
who
    wanted to give <his> {elder:elder} a beautiful present
    saved every penny for a present for <his> {elder:elder}
    had no money, and the birthday of <his> {elder:elder} was near
    had already drawn a card for <his> {elder:elder}, but had no present yet
    had forgotten the birthday of <his> {elder:elder}, and it was tomorrow
event
    emptied <his> money box. There were {pennies} in it.
    counted <his> money. It came to {pennies}.
    went to town to buy the present, with {pennies} in <his> pocket.
    turned <his> piggy bank upside down, and out fell {pennies}.
news
    wanted to buy a present for <his> {elder:elder}. <He> had {pennies}.
    counted <his> money to buy a present for <his> {elder:elder}. It came to {pennies}.
    broke open <his> piggy bank to buy something for <his> {elder:elder}. In it were {pennies}.
pennies
    two pennies
    three pennies
    four pennies and a button
    five pennies
    six pennies
    one penny and a trouser button
    two foreign coins
shop
    In the shop window there was {a nice:present}. It cost {ten} times as much.
    "What does that {nice:present} cost?" <he> asked in the shop. "More than that," said the man kindly.
    <His> <elder> had always wanted {a nice:present}. But that was far too dear.
    In the catalogue was {a nice:present}. <He> counted the zeros and shut it again.
    <His> <elder> had wished for {a nice:present}, and that was a lot of money.
nice
    teapot
    necklace
    clock
    umbrella
    parrot
    picture
ten
    ten
    twenty
    a hundred
earn
    So <hero> {work} for the {neighbour}, and got {pay} for it.
    "Then I must work," said <hero>, and {work} for the {neighbour} for {pay}.
    All week <hero> {work}. The {neighbour} gave <him> {pay}.
    For three days <hero> {work}, and the {neighbour} counted {pay} into <his> hand.
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
pay
    six pennies
    a whole shilling
    seven pennies and a plum
    a silver coin
    nine pennies
    eight pennies
    a handful of coins
    half a crown
lose
    On the way <he> met {a poor} without {shoes}. <hero> looked at the money, and gave it away.
    But there was a hole in <his> pocket. The money was gone, and only {oddment} was left.
    When <hero> came to the shop, the <present> was sold.
    <hero> ran to the shop with it. "The <present>?" said the man. "A {lady} has just bought it."
    A gust of wind took the paper money, and it flew off over the {roofs}.
    But on the way <he> watched {a puppy}, and when <he> looked up again, the shop was closed.
    A man on the corner played so sadly that <hero> put all the money into his hat.
    <hero> lent it to a friend, and the friend had a friend, and so on.
    The shop had burnt down. The man sat before it, and <hero> gave him the money.
lady
    lady
    sailor
    gentleman
    clown
shoes
    shoes
    a coat
    supper
    a bed
    a roof
    gloves
    bread
poor
    boy
    girl
    dog
    man
    sailor
    woman
    soldier
give
    So <hero> sat up half the night, and in the morning there was {a made:made}. {gift}
    Then <hero> had an idea. <He> took what there was and made {a made:made}. {gift}
    "I have nothing but this," <he> said the next day, and gave <his> <elder> {a made:made}. {gift}
    "What do I have?" thought <hero>. Two hands. With them <he> made {a made:made}. {gift}
    There was {oddment} in <his> pocket, and that gave <him> an idea. <He> made {a made:made}. {gift}
made
    paper star
    nutshell boat
    clay bird
    cardboard crown
    chestnut horse
    wooden spoon
gift
    "You made this for me?" asked <his> <elder>. "With my own hands," said <hero>.
    <His> <elder> looked at the <made> and had to wipe away a tear.
    "Who told you that I had no <made.short>?" asked <his> <elder>. "I just thought so," said <hero>.
    <His> <elder> put on both pairs of glasses to see the <made> properly.
    "It is too beautiful," said <his> <elder>, and touched it with one finger.
    It was a little crooked, and <his> <elder> turned <his> head until it was straight.
end
    There is no <present> in the house, but the <made> stands on the shelf to this day.
    Many years later the <made> was still there, and nobody was allowed to dust it.
    "A <present> can be bought," said <his> <elder>, "but where could I buy this?"
    <His> <elder> took the <made> everywhere, to the market, to church, and even to the dentist.
    And the <present>? "I never liked those," said <his> <elder>.
    "And next year?" asked <his> <elder>. "Next year I shall start in {month}," said <hero>.
    That evening they sat side by side and looked at the <made>, and nobody thought of <a present>.
roofs
    roofs
    river
    market
    fields
puppy
    puppy
    magician
    toy railway
    snake
month
    January
    March
    May
"""

PLOTS["the school play"] = """
story
    {begin} {worry}|{stage} {end}
who
    was so shy that <he> {hid}
    spoke so softly that only the cat understood <him>
    went red whenever somebody looked at <him>
    liked to stand at the back
    had never said a word in front of the class
    never put up a hand, although <he> knew the answer
hid
    hid behind doors
    hid when the bell rang
    talked only to the {cat}
    greeted people with <his> eyes shut
    looked at <his> shoes
    wore a big hat
    whispered even at home
cat
    cat
    flowers
    stork
event
    was chosen to be the {part:part} in the school play.
    got a part in the school play. <He> was to be the {part:part}.
    was told by the teacher, "You will be the {part:part} in our play."
news
    was chosen to be the {part:part} in the school play.
    got the part of the {part:part}, in front of the whole school.
part
    moon
    king
    queen
    wolf
    north wind
    tree
worry
    <He> practised in the {barn} before {animals}. They {chewed} and said nothing.
    "What if I forget my words?" <he> asked at home. "Then say other ones," said <his> {elder}, and that was a
        comfort.
    Every night <he> dreamed that <he> stood on the stage in {pyjamas}, and every night it was a little worse.
    "I have a stomach ache," said <hero> on the day of the play. "So have I," said the teacher, who had written it.
    "Look at me and at nobody else," said <his> {elder}. "I shall sit in the {third} row and wear my hat."
    <He> said the words to the mirror, but the mirror got them wrong, and they both had to begin again.
    <He> wanted to be ill. But the thermometer said that <he> was not, and it was never wrong.
    "Think that they are all cabbages," said <his> {elder}. But <hero> was a little afraid of cabbages too.
    The costume was much too big, and it smelled of {mothballs}, and one could not sit down in it.
barn
    barn
    hen house
    cellar
    bathroom
    garden
    boiler room
    attic
animals
    eleven hens
    two cows
    a row of jam jars
    nine cabbages
    four rubber ducks
    a hundred cabbages
    three pigs
    the washing
    a very old horse
chewed
    looked at <him>
    kept quite still
    listened
pyjamas
    pyjamas
    one sock
    a bathtub
    a nightshirt
    a pot of soup
    the snow
third
    first
    second
    third
    last
    fourth
    front
    back
stage
    Then the curtain went up, and <he> had forgotten every word. {rescue}
    Then <hero> stepped out, and <his> {beard} fell off. People laughed. {rescue}
    In the middle of the play the lights went out. {dark}
    <He> had only one sentence, and just then <he> got the hiccups. {hiccups}
    On the stage the {wall} fell down, and everybody stood there with an open mouth. {wall_end}
    Then <hero> came on from the wrong side, in the wrong act. {rescue}
    The one before <him> did not come out, for he was asleep behind the {wall}. {asleep}
    A moth flew into <his> mouth just as <he> began. {moth}
    <He> looked down, and there sat two hundred people. {rescue}
    When <his> turn came, the {child:kid} with the biggest part ran off the stage and would not come back. {instead}
    The curtain would not open. {curtain}
beard
    beard
    crown
    nose
    tail
    shoe
    moustache
    wig
    left ear
    trousers
rescue
    Then a cat walked onto the stage and lay down. "That is how tired I am," said the <part>, and people clapped.
    From below somebody whispered. "Louder!" said <hero>, and everybody laughed, and so did <he>.
    <hero> took a deep breath and said what came into <his> head. It was better than what was in the book.
    For a moment it was quite still. Then <he> saw <his> {elder} nod, and all the words came back.
    "Wait," said <hero>, "I know this one." People laughed so much that <he> had time to remember it.
    <hero> put one hand on <his> heart and sang, although it was no song.
    "I have forgotten it," said <hero> aloud. "So what do you think the <part> would say?" Everybody called something.
    A baby in the {third} row called <his> name. Then <he> was not afraid any more.
dark
    Children began to cry. Then <hero> sang in the dark, softly at first, and one after another they all sang with
        <him>.
    "Do not be afraid," said <hero>. "It is only night in the play." And <he> went on as if nothing was wrong.
hiccups
    "I am, hic, the <part>," said <hero>. From then on the people hiccupped with <him>.
    <hero> waited. The people waited. Then <he> bowed, and that was the biggest laugh of the evening.
wall
    wall
    castle
    forest
    moon
wall_end
    "That was the storm," said <hero> loudly. "Now help me to build it up again." So the play had one more part.
    <hero> held it up with both arms to the end, and played the <part> like that.
end
    "You were not shy at all," said the teacher. "I was," said <hero>, "but the <part> was not."
    On the way home <hero> bowed to every {lamp}.
    "What will you be next year?" they asked. "Something bigger," said <hero>.
    Afterwards <his> {elder} asked for <his> name on a piece of paper.
    That night the {cat} heard the whole play once more, from the beginning.
    And the next day in class a hand went up. It was the hand of <hero>.
    "I was the one with the cough," said <his> {elder} proudly.
    <hero> kept the costume, and wears it when <he> has to be brave.
lamp
    lamp post
    tree
    hen
    letterbox
    dog
    chimney
    bush
    policeman
mothballs
    mothballs
    goat
    cellar
asleep
    So <hero> said both parts, once with a high voice and once with a deep one.
    "He is dead," said <hero>. From then on it was a sad play, and the people wept.
moth
    <hero> swallowed it and said, "Delicious." That was the line that everybody remembered.
    <hero> coughed, and it flew out again, three times round the lamp, like {a star}.
star
    star
    snowflake
    comet
instead
    <hero> knew all the words, for <he> had listened from the back. So <he> played that part as well.
    "Come," said <hero>, and went to fetch the <kid>. They came back hand in hand and did it together.
curtain
    So they played in front of it, with the noses of the first row between their knees.
    <hero> crept out under it and told the people the whole story, with all the voices.
"""

PLOTS["the clock that stopped"] = """
story
    {begin} {muddle}|{climb} {found} {end}
who
    lived opposite the clock tower
    was never late
    liked to know how things work
    took apart everything that had a screw
    swept the steps of the town hall every {weekday}
    was always too early
    had a watch without hands
event
    looked up at the tower, and the hands of the clock stood still at {eight:hour}.
    listened for the bell, but the clock on the tower had stopped at {eight:hour}.
news
    saw that the clock on the tower had stopped at {eight:hour}.
    looked up at the clock on the tower. It said {eight:hour}, and it went on saying it.
eight
    eight
    nine
    ten
    noon
    half past two
    a quarter to four
muddle
    The {baker} got up at midnight, and the {barber} went to bed at lunch. Nobody knew what day it was.
    The children stayed at school until it was dark, because it was never time to go home.
    "It is still <hour>," said the {baker} after every hour, and put the kettle on once more.
    The train did not leave, the shops did not open, and the hens laid their eggs just anywhere.
    At first it was like a holiday. But then the {baker} came to work in a nightshirt, and the soup was never done.
    "Good morning," said the {baker}. "Good night," said the {barber}. Both of them were wrong.
    The rooster crowed whenever it liked, and people came to church one by one.
    There were {three} lunches that day, and no supper.
baker
    baker
    barber
    butcher
    mayor
    milkman
    judge
    banker
    shoemaker
    doctor
barber
    chemist
    policeman
    parson
    dentist
    painter
    night watchman
climb
    "Somebody has to go up," said <hero>, and began to climb the two hundred steps.
    The key of the tower hung at the mayor's, behind {oddment}. <hero> took it and a lantern and went up.
    <He> climbed up the outside, from window to window, and on every sill sat a pigeon that said "Good day".
    The door was locked, but there was a hole in it for cats, and <hero> was small.
    A dove flew out at the top. "Aha," said <hero>, and ran up the stairs.
    The mayor was too fat for the stairs, and the clockmaker was too old. <hero> was just right.
    <He> took {treat} for the way and climbed up, and the stairs went round and round.
found
    Between the wheels {a jackdaw:bird} had built its nest. {nest}
    In the dark something hung from the big wheel. It was a bat, fast asleep. {bat}
    At the top sat an old man in his socks. "I am Time," he said. "I only wanted to rest for a moment." {time}
    A mouse had got its {tail} caught between two wheels. {mouse}
    The big wheel only squeaked. It was dry, and it was thirsty. {wheel}
    A kite was caught on the big hand, and at the end of the kite hung {a child:kid}. {kite}
    Two wheels were not speaking to each other. {quarrel}
    There was {oddment} between the two biggest wheels. {thing_end}
    A spider had spun a net from the big hand to the small one. {spider}
jackdaw
    jackdaw
    dove
    swift
    starling
    robin
    wagtail
nest
    "Three more weeks," said the <bird>, "then they can fly." So <hero> turned the hands by hand, every evening.
    <hero> wove a basket, hung it at the window, and carried the eggs over, one by one. "A better view," said the
        <bird>.
bat
    "Is it summer?" it asked. "Not yet," said <hero>, and moved it very gently to a beam.
    <hero> tickled its foot. "Wrong number," said the bat, and flew off.
time
    <hero> shared {treat} with him. Then he stood up and said, "Now I can go on for a hundred years."
    "May I rest with you?" asked <hero>. They looked down on the roofs, and that was the longest minute of <his> life.
tail
    tail
    scarf
    skirt
    whiskers
    nightcap
    umbrella
mouse
    "I wanted to stop the time," it wept, "because tomorrow I have a test." <hero> set it free and taught it to count.
    One turn back, and it was out. "I owe you a cheese," it said, and it paid.
wheel
    <hero> took the butter from <his> bread and rubbed it in. "Ah," said the wheel, and went round.
    There was a drop of oil left in the lantern. It was enough, but <he> had to go down in the dark.
end
    "Tick," said the clock, and then, after a while, "tock". Down in the street they threw their hats in the air.
    The clock goes again now, but it is always {three} minutes late, and nobody has the heart to tell it.
    "How did you do it?" asked the mayor. "I asked what was wrong," said <hero>.
    And when it struck, it struck {thirteen}, from joy.
    Since then <hero> has had a key to the tower, and goes up every {weekday}.
    "What time is it?" they called from below. <hero> looked around and said, "It is now."
    When the bell rang again, two people came to school who had been waiting since {weekday}.
three
    two
    three
    four
    seven
    five
    six
thirteen
    thirteen
    fifteen
    twenty-two
    nineteen
    forty
kite
    <hero> pulled the <kid> in by the foot. "I wanted to know what time it was up here," said the <kid>.
    "Do not look down," called <hero>, and held out a broom. Then they untied the kite together.
quarrel
    "She always pushes me," said one. "He is always in my way," said the other. "That is what you are for," said
        <hero>.
    <hero> told each of them what the other had said about it, only nicer. Then they went round again.
thing_end
    <hero> pulled it out and put it into <his> pocket, and nobody ever learned how it had got there.
    "So that is where it was," said <hero>, who had lost it in {season}.
spider
    "Only this one evening," begged the spider. "I have guests." So time stood still until the guests had gone.
    <hero> showed her a place by the window, with more flies. She packed up and moved.
"""

PLOTS["the moon in the pond"] = """
story
    {begin}|{alarm} {plan} {saved} {end}
begin
    Once upon a time there was {a small} {beast:kind} called {kind.name:hero} who {who}. {night} <he> {event}
    Once there was {a beast:kind} called {kind.name:hero}, and <he> {who}. {night} <he> {event}
    In the {reeds} there lived {a beast:kind} called {kind.name:hero} who {who}. {night} <he> {event}
    One night {a small} {beast:kind} called {kind.name:hero} {event}
    One {clear} night in {season} {a beast:kind} called {kind.name:hero} {event}
beast
    hedgehog
    mouse
    rabbit
    squirrel
    mole
    badger
reeds
    reeds
    tall grass
    hedge by the pond
    roots of a willow
    nettles
    bank of the pond
    thick moss
night
    One night
    One {clear} night
    On the first night of {season}
clear
    clear
    still
    warm
    mild
who
    slept all day and was up all night
    was afraid of nothing but frogs
    wanted to be useful
    believed everything that <he> saw
    loved the moon more than {treat}
    had a good heart and a small head
    could not see anybody in trouble
    was the first to hear every piece of news
event
    came to the pond to drink, and there lay the moon in the water.
    looked into the pond. In it swam the moon, round and {pale}.
    went for a walk by the pond. The moon had fallen in.
    wanted to wash before supper. There was the moon, between the water lilies.
    bent down to catch a fly and saw the moon at the bottom of the pond.
pale
    pale
    cold
    yellow
    wet
alarm
    "Help!" cried <hero>. "The moon is drowning!" {neighbours}
    "Somebody has dropped it," said <hero>, and called the others. {neighbours}
    "Hold on, moon!" called <hero>. "I shall get you out." {neighbours}
    "Poor thing," said <hero>, "it must be freezing down there." {neighbours}
    <He> ran three times round the pond and shouted, "Man overboard!" {neighbours}
neighbours
    The {frog:first} came, and the {duck:second} came, and they all looked at it and shook their heads.
    "It will catch cold," said the {frog:first}. "And it cannot swim," said the {duck:second}.
    "I can see it too," said the {frog:first}. "I see it twice," said the {duck:second}, who had a squint.
    "Who has been on watch?" asked the {frog:first}. "I only blinked," said the {duck:second}.
    "Without the moon there is no night," said the {frog:first}. "Then we could never go to bed," wept the
        {duck:second}.
frog
    beaver
    water rat
    frog
    newt
    wild duck
duck
    heron
    swan
    coot
    goose
    crane
    moorhen
plan
    The <first> fetched a net. They threw it, and pulled, and got {oddment}. {worse}
    "We must drink up the pond," said <hero>. They drank until they {burst}. {worse}
    The <first> held the <second> by the tail, and the <second> held <hero>, and <he> reached for it. Splash! {worse}
    <hero> held out {cheese} on a stick. Only a fish came. {worse}
    They made a raft of {bark} and rowed out. When they got there, the moon had moved on. {worse}
    They threw in a rope and called, "Take hold!" The moon did not take hold. {worse}
    The <second> dived down, stayed down for a long time, and came up with mud on its head. {worse}
    "Let us dig a ditch," said the <first>, "then the water will run away." They dug until {one} o'clock. {worse}
    They fished for it with {a sieve}, and thought that they had it, and then it ran out again. {worse}
burst
    could not move
    had to lie down
    sloshed when they walked
    were as round as balls
    hiccupped
cheese
    cheese
    bread
    apple
    cake
    pie
    toast
bark
    bark
    reeds
    two old doors
    lily leaves
    planks
    an old cradle
    corks
worse
    The water shook, and the moon broke into a thousand pieces. "Now it is broken!" they cried.
    A cloud came by, and the moon went out. "Now we have lost it," said the <second>.
    They sat on the bank, wet and sad. "Poor moon," said the <first>.
    Then it was half as big as before. "We have hurt it," said the <first>.
    "It does not want to come," said <hero>. "Maybe it is offended."
saved
    Then the {owl:wise} laughed. "Look up," said the <wise>. There it hung in the sky, whole and dry.
    <hero> lay down on <his> back, quite worn out. And what did <he> see up there? The moon!
    "What are you doing?" asked the {owl:wise}. "Saving the moon," said <hero>. "Well done," said the <wise>. "It is
        back in its place."
    Then the wind dropped, the water grew still, and the moon looked up at them as if nothing had happened.
    Then the sun came up, and the pond was empty. "It has got out by itself," said <hero>.
    Then a cloud moved away, and everything was bright. High up over the {trees} hung the moon.
    "Who is making such a noise?" asked somebody from above. It was the moon, and it was quite dry.
owl
    owl
    nightingale
    old stork
    bat
end
    "We have pulled so hard that it flew back up," said <hero> proudly, and the others thought so too.
    Since then <hero> looks into the pond every evening, to see that nobody has fallen in.
    "Thank you," said the moon, very softly. But only <hero> heard it.
    And if you come to that pond at night, there are two moons, one for you and one for <hero>.
    They told it to everybody, and with every telling the pond got deeper.
    "It only wanted to bathe," said the <first>, and they all went to bed.
    The next night <he> brought a towel to the pond, just in case.
one
    one
    two
    three
sieve
    sieve
    bonnet
    basket
    straw hat
trees
    trees
    hill
    mill
    fields
"""

PLOTS["the king's trouble"] = """
story
    {begin} {tried}|{idea} {cure} {end}
who
    worked in the kitchen of a king
    was the {youngest} child of the king's gardener
    carried the letters to the castle
    herded the geese of a king
    cleaned the windows of a royal castle
    sold {eggs} at the gate of a castle
    was taken on to polish the king's {spoons}
youngest
    youngest
    smallest
    only
event
    heard that the king {could_not}.
    found everybody running about in the castle. The king {could_not}.
    met the doctor, who was shaking his head. The king {could_not}.
    brought something up to the castle and heard sighs in every room. The king {could_not}.
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
    A {general:other} made a speech, and a doctor gave him {pills}. It did not help.
    A {general:other} had come from far away, but the king only got a headache.
    A {general:other} danced before him, and the queen sang. It only got worse.
    "Stand on your head," said the {general:other}. The king did, and his crown rolled under the bed.
    A {general:other} read to him from a book with a thousand pages. It only made things worse.
    "It comes from the moon," said the {general:other}, and shut all the curtains. It did not help.
    A {general:other} tickled him with a peacock feather, and was thrown out.
general
    general
    juggler
    professor
    duke
    poet
    magician
pills
    green pills
    cod-liver oil
    a cold bath
    bitter tea
    nine drops of vinegar
    a hot brick
    a kiss on the hand
idea
    "May I try?" asked <hero>. They all laughed, but the king said, "Let the <child> come in."
    <hero> went in by the kitchen door and stood before the king with muddy shoes. "And what can you do?" asked the
        king.
    Nobody asked <hero>. So <he> simply walked in and sat down on the king's bed.
    "I know what it is," said <hero>, a little too loud. Then it was very quiet in the hall.
    <hero> waited until the doctors were asleep, and then <he> knocked at the king's door.
cure
    "Come with me," said <hero>, and took him out to {dig}. The king had never done that. {after}
    "When did you last play?" asked <hero>. "I am a king," said the king. "{hide}?" asked <hero>. The king was found
        behind {curtain}. {after}
    "What is wrong with you?" asked <hero>. "Nobody has ever asked me that," said the king, and talked until {dawn}.
        {after}
    <hero> let {a goose} into the throne room. It ate the <other>'s notes and bit the <other> in the leg. {after}
    "I do not know either," said <hero>, "but my {elder} makes {treat} when it is like that." They made it together,
        and the king licked the {spoon}. {after}
    <hero> put a frog on the throne. "Who is that?" asked the king. "That is you, on a bad day," said <hero>. {after}
    <hero> took away the seven pillows and the crown, and gave him {snack}. {after}
    "Show me your hands," said <hero>. They had never been dirty. So they made {mud_pies} in the royal garden. {after}
    "What would you do if you were me?" asked the king. "I would go {fishing}," said <hero>. So they went. {after}
    <hero> told him of <his> {elder}, who had it too, and for the same reason. Here the king pricked up his ears.
        {after}
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
hide
    Hide and seek
    Tag
    Blind man's buff
curtain
    a curtain
    the throne
    a suit of armour
    the royal laundry
dawn
    dawn
    supper
    the candles went out
    the cook was asleep
goose
    goose
    goat
    piglet
    ram
    monkey
    puppy
spoon
    spoon
    bowl
    pot
after
    An hour later the king was as well as a fish in water.
    Then the king looked up, and all was well again.
    And before the king knew it, his trouble was gone.
    Then the king smiled for the first time, and the rest went well by itself.
    After that there was nothing more for the doctors to do.
end
    "What do you want for it?" asked the king. "A day off," said <hero>, "for both of us."
    "You shall be my {minister}," said the king. But <hero> wanted to be home for supper.
    Since then the king comes down to the kitchen every {weekday}.
    The <other> wrote a thick book about it, in which <hero> does not appear.
    And the king gave <him> {a reward}, which <he> still has.
    When people ask the king who cured him, he says, "Somebody with muddy shoes."
    "Was it hard?" asked <his> {elder} at home. "No," said <hero>. "He is just like us, only with a crown."
minister
    minister
    doctor
    general
    chancellor
reward
    pony
    medal
    gold button
    spare crown
    pair of silk socks
    golden whistle
    white goose
    box of sugared almonds
eggs
    eggs
    cress
    matches
    ribbons
spoons
    spoons
    boots
    crowns
snack
    an apple
    bread and cheese
    a bowl of porridge
    a boiled egg
mud_pies
    mud pies
    a dam
    a mud castle
fishing
    fishing
    swimming
    for a walk
    sledging
    home
"""
