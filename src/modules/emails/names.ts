/** Longer names are omitted, not cut. */
const MAX_NAME_LENGTH = 64
/** Maximum length at an unverified address. */
const MAX_PLAIN_LENGTH = 40
const MAX_PLAIN_WORDS = 3
/** More digits could be a phone number. */
const MAX_DIGITS = 4

/** Letters of any script, and the punctuation of names. */
const LETTERS = /^[\p{L}\p{M}'’ʼ. -]+$/u
/** Names use one script. Only common scripts are allowed: some others have letters that look like a dot (Lisu). */
const ONE_SCRIPT = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Hebrew', 'Arabic', 'Devanagari', 'Bengali', 'Tamil'].map(
  (script) => new RegExp(`^[\\p{sc=${script}}\\p{Mn}\\p{Mc}'’ʼ. -]+$`, 'u'),
)
/** In scripts without spaces and case, a sentence looks like a word, so names are limited to a few characters. */
const FEW_CHARACTERS =
  /^(?:[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}ー ]{1,6}|[\p{sc=Hangul} ]{1,6}|[\p{sc=Thai}]{1,10})$/u

/** A capital and lower-case letters, up to twice (McDonald, Mary-Jane), or letters without case. */
const PROPER = /^(?:(?:\p{Lu}['’ʼ])?(?:[\p{Lu}\p{Lt}][\p{Ll}\p{M}'’ʼ]+-?){1,2}|[\p{Lo}\p{M}'’ʼ-]{2,16})$/u
/** A single word may also be all lower case or all upper case. */
const SINGLE = /^(?:[\p{Ll}\p{M}]+|[\p{Lu}\p{M}]+)$/u
const INITIALS = /^(?:\p{Lu}\.?|(?:\p{Lu}\.){2,3})$/u
/** Lower-case particles in the middle of a name. */
const PARTICLE =
  /^(?:al|bin|da|das|de|del|della|den|der|di|dos|du|el|ibn|la|le|ter|van|von|ибн|кызы|оглы|фон|де|ван|аль)$/u

/** Characters that programs or readers may take for a dot. */
const DOT_LIKE = /[.․。‧·•∙⋅⸱⸳⸰◦᛫⠄⠂⠠⡀܁܂۔։꘎ꓸꓺ˙]/gu
const DOT = '(?:\\.|[\\[({<]\\s*(?:\\.|dot|точка)\\s*[\\])}>])'
/** Top-level domains that are recognized in any spelling. */
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

/** Returns the first word of a name for the greeting, or undefined if the name may contain a link or a phone number. */
export function greetingName(name: string): string | undefined {
  if (!name || [...name].length > MAX_NAME_LENGTH || couldBeLink(name)) return undefined
  const [first = ''] = name.trim().split(/\s+/u)
  const isInitial = first.endsWith('.') || [...first].length < 2
  return isInitial ? name : first
}

/**
 * Returns the name for an e-mail to an unverified address, or an empty string if it does not have the form of a name:
 * names must not carry messages to other people (docs/decisions/0017).
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

/** Returns whether an e-mail client or a reader could take a text for a link or a phone number. */
function couldBeLink(text: string): boolean {
  // Invisible characters do not separate words.
  const visible = text.normalize('NFKC').replace(/[\p{Cf}\p{M}\u115F\u1160\u3164\uFFA0]/gu, '')
  const dotted = visible.replace(DOT_LIKE, '.')
  return (dotted.match(/\p{N}/gu)?.length ?? 0) > MAX_DIGITS || LINK_LIKE.some((pattern) => pattern.test(dotted))
}
