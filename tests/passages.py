"""Short passages in many languages, written for the tests of encodings."""

PASSAGES = {
    "Czech": (
        "Když stařec otevřel dveře, na prahu ležel dopis bez jména. Vzal ho do třesoucích se rukou a dlouho "
        "se díval z okna. Venku už padal sníh a děti se vracely ze školy. „Možná je to od ní,“ řekl tiše a "
        "posadil se ke stolu. Celý život čekal na jedinou větu, kterou teď nedokázal přečíst. Pes zvedl "
        "hlavu, zívl a zase usnul u kamen."
    ),
    "Slovak": (
        "Môj starý otec mal za dedinou včelín a veľkú záhradu plnú jabloní. Každé ráno vstával skôr než "
        "slnko a kŕmil sliepky. Hovorieval, že kto sa bojí dažďa, nech nechodí do poľa. Dnes tam rastie iba "
        "žihľava a vŕba pri potoku. Ľudia odišli do miest a domy zostali prázdne, no ja sa tam vraciam vždy "
        "na jeseň."
    ),
    "Polish": (
        "Na skraju wsi stała stara kuźnia, w której od lat nikt już nie pracował. Dzieci bały się tam "
        "chodzić, bo mówiono, że nocą słychać uderzenia młota. Pewnego wieczoru Zośka wzięła latarnię i "
        "poszła sama. Drzwi zaskrzypiały, pająk uciekł w kąt, a ona zobaczyła kota, który przewrócił żelazną "
        "miskę. Śmiała się z tego całą drogę."
    ),
    "Hungarian": (
        "A kertész minden reggel megöntözte a rózsákat, és közben halkan fütyörészett. Az öreg kőfal tövében "
        "egy sündisznó lakott, akinek tejet vitt egy törött csészében. Egyszer azt kérdezte tőle a szomszéd "
        "fiú, hogy miért beszél az állatokhoz. „Mert ők nem kérdezősködnek” – felelte, és nevetve "
        "továbbment. Délután fölűzte a felhőket a szél."
    ),
    "Romanian": (
        "Bunica punea seara lampa în fereastră, ca să găsim drumul spre casă. Câinele lătra la fiecare "
        "umbră, iar noi fugeam râzând peste câmpul ud. Într-o zi n-am mai văzut lumina şi ne-am speriat. Uşa "
        "era încuiată, vântul bătea, dar ea dormea liniştită lângă sobă, cu mâinile în poală. De atunci ştiu "
        "că şi lămpile obosesc, ca viaţa."
    ),
    "Croatian": (
        "Ribar je svako jutro ispraćao sunce na pučinu i vraćao se tek uvečer. Žena ga je čekala na molu s "
        "vrućom juhom i šalom oko vrata. Rekao joj je da je vidio dupine kako plešu oko čamca. Nije mu "
        "vjerovala, ali se smješkala. Kad je došla oluja, upravo su dupini gurali njegovu lađu prema luci, "
        "među hridi."
    ),
    "Russian": (
        "Поезд опаздывал уже на два часа, и на перроне почти никого не осталось. Девушка в сером пальто "
        "читала одну и ту же страницу и всё поглядывала на часы. Сторож вынес ей стакан чаю и молча сел "
        "рядом. «Приедет», — сказал он наконец. Где-то далеко загудел паровоз, и снег на рельсах вдруг стал "
        "розовым. Она встала, не веря своим глазам."
    ),
    "Ukrainian": (
        "Дід сидів під грушею й лагодив старі граблі, а бджоли гули над його брилем. Онука принесла йому "
        "глечик холодного молока та шматок пирога. «Їж, бо ще довго до вечора», — сказала вона і сіла поруч. "
        "За городом шуміло жито, і десь у лузі кричав деркач. Їм обом здавалося, що літо ніколи не "
        "скінчиться."
    ),
    "Bulgarian": (
        "Къщата на хълма беше празна от много години и прозорците ѝ гледаха към морето. Вечер рибарите "
        "разказваха, че там живеел един учител, който свирел на цигулка. Когато заваляваше, звукът се чуваше "
        "чак до пристанището. Аз не вярвах, докато веднъж не се качих горе и не намерих скъсана струна върху "
        "прага."
    ),
    "Serbian": (
        "Воденица крај реке ћутала је целе зиме, а у пролеће је опет почела да меље. Ђорђе је носио џакове и "
        "певушио нешто што је чуо од мајке. Његова кћи је трчала за лептирима и враћала се с пуним рукама "
        "цвећа. Људи су говорили да ту вода памти имена. Још увек не знам да ли је то истина."
    ),
    "Greek": (
        "Ο γέρος καπετάνιος καθόταν κάθε απόγευμα στο ίδιο τραπέζι και κοίταζε τα καΐκια που γύριζαν. Κανείς "
        "δεν ήξερε πόσα ταξίδια είχε κάνει ούτε γιατί δεν μιλούσε πια για τη θάλασσα. Ένα βράδυ ένα παιδί "
        "τού έφερε μια μπουκάλα με ένα γράμμα μέσα. Την άνοιξε, διάβασε, χαμογέλασε και ύστερα παρήγγειλε "
        "κρασί για όλους."
    ),
    "Turkish": (
        "Küçük kasabanın tek saatçisi, dükkânını her sabah aynı dakikada açardı. Duvarda asılı otuz saatin "
        "hiçbiri doğru göstermezdi ama o bunu önemsemezdi. Bir gün yağmurdan kaçan bir kız içeri girdi ve "
        "saatin kaç olduğunu sordu. “İstediğin kadar,” dedi yaşlı adam gülümseyerek. Şimdi o kız dükkânı "
        "işletiyor, saatler hâlâ şaşkın."
    ),
    "Hebrew": (
        "הספרנית הזקנה ידעה היכן עומד כל ספר, גם בלי להדליק את האור. בלילות חורף נשארה עד מאוחר וקראה "
        "לחתולים שנכנסו מן הרחוב. פעם שכח שם ילד מכתב בין הדפים, והיא שמרה אותו שלושים שנה. כשחזר כאדם "
        "מבוגר, הושיטה לו את המעטפה בלי לומר מילה. הוא פתח, צחק, ואחר כך בכה קצת."
    ),
    "Arabic": (
        "كان الخباز العجوز يفتح دكانه قبل الفجر بساعة كاملة، ويترك الباب مواربا لمن لا يملك ثمن الرغيف. في "
        "ليلة باردة جاءت طفلة تحمل عصفورا مكسور الجناح وسألته إن كان الطيور تأكل الخبز الساخن. ضحك ووضع "
        "العصفور قرب الفرن، وفي الصباح طار فوق سطوح المدينة وهو يغني."
    ),
    "Thai": (
        "ยายปลูกมะม่วงไว้หลังบ้านตั้งแต่ก่อนฉันเกิด ทุกหน้าร้อนเด็กในหมู่บ้านจะมานั่งรอใต้ต้นไม้ใหญ่ต้นนั้น "
        "เมื่อลมพัดแรงผลไม้ก็หล่นลงมา แล้วพวกเราก็วิ่งแย่งกันเสียงดัง "
        "ยายหัวเราะและเล่าเรื่องผีให้ฟังจนไม่มีใครกล้ากลับบ้านคนเดียว ตอนนี้ต้นไม้ยังอยู่ แต่ยายไม่อยู่แล้ว"
    ),
    "Japanese": (
        "祖父の時計は毎晩九時になると必ず止まった。修理に出しても原因は分からないままだった。ある夜、弟がこっ"
        "そり起きて見ていると、小さな猫が窓から入ってきて、針の前にちょこんと座った。猫が帰ると時計はまた動き"
        "始めたという。祖父は笑って、「あいつは静かな夜が好きなんだ」と言い、それからもうネジを巻かなかった。"
    ),
    "Chinese": (
        "老邮递员每天骑着自行车穿过三座桥，把信送到山脚下的小村子。有一年冬天雪下得很大，大家都以为他不会来了"
        "。傍晚的时候，远处却响起了熟悉的铃声。他笑着说，车轮冻住了，所以他是走来的。孩子们围着火炉听他讲路上"
        "遇见的狐狸，谁也不想去睡觉。"
    ),
    "Chinese, traditional": (
        "老郵差每天騎著腳踏車穿過三座橋，把信送到山腳下的小村子。有一年冬天雪下得很大，大家都以為他不會來了。"
        "傍晚的時候，遠處卻響起了熟悉的鈴聲。他笑著說，車輪凍住了，所以他是走來的。孩子們圍著火爐聽他講路上遇"
        "見的狐狸，誰也不想去睡覺。"
    ),
    "Korean": (
        "할아버지는 저녁마다 강가에 나가 낡은 라디오를 들었다. 노래가 끝나면 언제나 같은 배가 "
        "지나갔고, 뱃사공은 손을 흔들었다. 어느 날 라디오가 고장 나서 나는 몰래 새것을 사다 "
        "놓았다. 그런데 할아버지는 켜지도 않고 웃기만 하셨다. 이제는 강물 소리가 더 잘 들린다고 말씀하셨다."
    ),
    "Vietnamese": (
        "Mỗi sáng bà tôi quét sân rồi ngồi dưới gốc cây khế nhìn ra con đường làng. Bà bảo rằng ngày xưa ông "
        "đã đi qua lối ấy và không ngoảnh lại. Tôi còn bé, chỉ nghĩ đến những quả khế chín vàng và tiếng "
        "chim gọi nhau. Sau này lớn lên tôi mới hiểu vì sao bà cứ để cửa mở suốt đêm."
    ),
    "Lithuanian": (
        "Senelė kiekvieną rudenį džiovino obuolius ir kabino juos virš krosnies. Kambarys kvepėdavo medumi, "
        "o už lango staugė vėjas. Mažasis Jonukas klausėsi pasakų apie žalčius ir užkeiktą ežerą, kol "
        "užmigdavo ant suolo. Šiandien jis pats sekė tą pačią istoriją savo dukrai, tačiau pabaigą pakeitė."
    ),
    "Latvian": (
        "Vecais bākas sargs katru vakaru aizdedzināja gaismu un uzvārīja tēju diviem. Otrā krūze vienmēr "
        "palika pilna, jo brālis bija aizbraucis pāri jūrai. Kādā miglainā naktī pie durvīm pieklauvēja "
        "svešinieks ar slapju cepuri. Viņi nesacīja ne vārda, tikai dzēra tēju, un ārā ķērca kaijas."
    ),
    "French": (
        "Le facteur s’arrêtait toujours devant la même grille, même quand il n’avait rien à y déposer. "
        "Derrière les volets fermés, quelqu’un jouait du piano, très mal, mais avec gaieté. Un jour d’août, "
        "il trouva un mot accroché à la boîte : « Merci d’écouter ». Dès lors, il mangea son goûter là, "
        "assis près du fossé, et le cœur léger, il sifflait."
    ),
    "German": (
        "Der Müller schlief schlecht, seit das Rad nachts von selbst zu laufen begann. Zuerst hörte er nur "
        "ein Ächzen, dann lief Wasser über die Schwelle. „Wer mahlt denn um diese Stunde?“, rief er und "
        "griff zur Öllampe. Unten saß seine Großmutter, gemütlich wie früher, und süßte ihren Tee. Er "
        "wünschte ihr eine gute Nacht und schloss die Tür."
    ),
    "Spanish": (
        "La señora Muñoz abría la panadería antes del amanecer y cantaba canciones que nadie más recordaba. "
        "El niño del tercer piso bajaba corriendo y pedía un pan pequeño, todavía caliente. ¿Por qué cantas "
        "tan temprano?, preguntó una mañana. «Porque así el día se levanta contento», respondió ella, y le "
        "regaló además un corazón de azúcar."
    ),
    "Portuguese": (
        "O avô guardava as estações numa caixa de botões e não deixava ninguém abri-la. Quando chegava o "
        "verão, tirava um botão amarelo e cosia-o ao casaco. A irmã mais nova não acreditava, até que numa "
        "manhã de março encontrou a caixa vazia. Lá fora, o céu tinha três cores e as andorinhas já voavam "
        "sobre o chão molhado."
    ),
    "Italian": (
        "Nella piazza c’era un orologio che suonava sempre tredici volte, e perciò nessuno si fidava più del "
        "tempo. Il sindaco voleva ripararlo, però la gente si oppose: così ognuno aveva un’ora in più per "
        "sé. «È l’unica città felice», scriveva un viaggiatore. Forse esagerava, ma chi può dirlo? Da lassù, "
        "la libertà pareva già vicina."
    ),
    "Swedish": (
        "Fyrvaktaren hade en höna som följde honom upp för alla trapporna. Där uppe, när lampan tändes, lade "
        "hon sitt ägg och kacklade så att det hördes ända till byn. På vintern frös viken och båtarna låg "
        "stilla. Då gick de båda över isen för att hälsa på prästen, som alltid bjöd på kaffe och små kakor."
    ),
    "Danish": (
        "På en ø langt ude boede en smed, som kun lavede nøgler. Ingen vidste, hvilke døre de passede til, "
        "men han hængte dem op under loftet, hvor de sang i blæsten. En aften kom en pige sejlende og "
        "spurgte efter en ganske særlig nøgle. Smeden rødmede, rakte den frem, og siden så man dem aldrig på "
        "øen igen."
    ),
    "Finnish": (
        "Metsän reunassa asui vanha kellonsoittaja, joka ei enää kuullut mitään. Silti hän kiipesi joka "
        "sunnuntai torniin ja tunsi, miten kivi tärisi jalkojen alla. Lapset heiluttivat hänelle pihalta ja "
        "hän heilutti takaisin. Yhtenä päivänä kello jäi soimatta, ja koko kylä lähti yhdessä kiipeämään "
        "ylös portaita."
    ),
    "Icelandic": (
        "Afi átti gráan hest sem þekkti allar leiðir yfir heiðina, jafnvel í þoku. Eitt haustið týndist ég "
        "við ána og sá ekki handa minna skil. Þá heyrði ég hófatak og fann heitan andardrátt við vangann. "
        "Við töluðum ekki um það heima, en hesturinn fékk sykur og ég nýja vettlinga úr ull."
    ),
    "English": (
        "“You’re late,” said the clockmaker, and he didn’t look up from the tiny wheels on his bench. The "
        "girl shook the rain from her coat and waited. She’d walked all night – past the mill, past the "
        "silent fair – to bring him a single screw. He held it to the light… and smiled. “That’s the one,” "
        "he whispered. “Now it’ll never stop.”"
    ),
}
