/** A longer name is left out, not cut. */
const MAX_NAME_LENGTH = 64
/** The same for an address that nobody has verified. */
const MAX_PLAIN_LENGTH = 40
const MAX_PLAIN_WORDS = 3
/** More digits could be a telephone number. */
const MAX_DIGITS = 4

/** Scripts have signs and digits of their own. */
const LETTERS = /^[\p{L}\p{M}'’ʼ. -]+$/u
/** Whole names are in one script. The list is short on purpose: one of Lisu's letters, for example, looks like a dot. */
const ONE_SCRIPT = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Hebrew', 'Arabic', 'Devanagari', 'Bengali', 'Tamil'].map(
  (script) => new RegExp(`^[\\p{sc=${script}}\\p{Mn}\\p{Mc}'’ʼ. -]+$`, 'u'),
)
/** A sentence in a script without spaces or capitals looks like a word: names in these have a few characters. */
const FEW_CHARACTERS =
  /^(?:[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}ー ]{1,6}|[\p{sc=Hangul} ]{1,6}|[\p{sc=Thai}]{1,10})$/u

/** A capital and small letters, twice at most (McDonald, Mary-Jane), or letters that have no case. */
const PROPER = /^(?:(?:\p{Lu}['’ʼ])?(?:[\p{Lu}\p{Lt}][\p{Ll}\p{M}'’ʼ]+-?){1,2}|[\p{Lo}\p{M}'’ʼ-]{2,16})$/u
/** One word alone may also be all small or all capital. */
const SINGLE = /^(?:[\p{Ll}\p{M}]+|[\p{Lu}\p{M}]+)$/u
const INITIALS = /^(?:\p{Lu}\.?|(?:\p{Lu}\.){2,3})$/u
/** What begins small in the middle of a name. */
const PARTICLE =
  /^(?:al|bin|da|das|de|del|della|den|der|di|dos|du|el|ibn|la|le|ter|van|von|ибн|кызы|оглы|фон|де|ван|аль)$/u

/** What stands for a dot in an address, for a program or for a person who reads it. */
const DOT_LIKE = /[.․。‧·•∙⋅⸱⸳⸰◦᛫⠄⠂⠠⡀܁܂۔։꘎ꓸꓺ˙]/gu
const DOT = '(?:\\.|[\\[({<]\\s*(?:\\.|dot|точка)\\s*[\\])}>])'
/** Ends of addresses that are recognised however they are written. */
const DOMAIN =
  '(?:com|net|org|info|biz|app|dev|io|ai|me|cc|co|tv|xyz|top|site|online|shop|store|club|link|click|live|pro|ru|su|рф|рус|by|kz|ua|uk|us|eu|de|fr|cn|jp|in|ly|gg|gl|to)'
const LINK_LIKE = [
  /[/\\@:|∕⁄⧸]/u,
  /www|hxxp|https?|xn--/iu,
  new RegExp(`${DOT}[\\p{L}\\p{N}]{2}`, 'iu'), // evil.com, evil .com, evil[.]com
  new RegExp(`${DOT}\\s+\\p{Ll}{2}`, 'u'), // evil. com, but not Dr. Smith
  new RegExp(`${DOT}\\s*${DOMAIN}(?![\\p{L}\\p{N}])`, 'iu'), // evil. COM
  /(?<![\p{L}\p{N}])(?:dot|точка|slash|слэш)(?![\p{L}\p{N}])/iu, // evil dot com
]
const ENDS_LIKE_DOMAIN = new RegExp(`\\s${DOMAIN}$`, 'iu')

/**
 * The name to greet with, its first word, or nothing: whoever a mail goes to, it repeats no link and no telephone number
 * from a name.
 */
export function greetingName(name: string): string | undefined {
  if (!name || [...name].length > MAX_NAME_LENGTH || couldBeLink(name)) return undefined
  const [first = ''] = name.trim().split(/\s+/u)
  const isInitial = first.endsWith('.') || [...first].length < 2
  return isInitial ? name : first
}

/**
 * The name for a mail to an address that nobody has verified, or an empty one: whoever enters a stranger's address must
 * not be able to write to that stranger. It is told by the form that names have, for no list of words is long enough.
 */
export function plainName(name: string): string {
  const text = name.normalize('NFKC').trim()
  if ([...text].length > MAX_PLAIN_LENGTH || couldBeLink(text) || ENDS_LIKE_DOMAIN.test(text)) return ''
  if (!LETTERS.test(text)) return ''
  if (FEW_CHARACTERS.test(text)) return text
  const words = text.split(' ')
  const proper = words.filter((word) => !PARTICLE.test(word) && !INITIALS.test(word))
  const isPlain =
    ONE_SCRIPT.some((script) => script.test(text)) &&
    ((words.length === 1 && SINGLE.test(text)) ||
      (proper.every((word) => PROPER.test(word)) &&
        proper.length > 0 &&
        proper.length <= MAX_PLAIN_WORDS &&
        words.length <= MAX_PLAIN_WORDS + 2))
  return isPlain ? text : ''
}

/** Whether a mail program or a person could take a text for an address, or for a number to call. */
function couldBeLink(text: string): boolean {
  // What cannot be seen divides nothing.
  const visible = text.normalize('NFKC').replace(/[\p{Cf}\p{M}\u115F\u1160\u3164\uFFA0]/gu, '')
  const dotted = visible.replace(DOT_LIKE, '.')
  return (dotted.match(/\p{N}/gu)?.length ?? 0) > MAX_DIGITS || LINK_LIKE.some((pattern) => pattern.test(dotted))
}
