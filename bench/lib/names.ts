/** Latin first and last names, and Cyrillic ones with their spelling in Latin letters, for e-mail addresses. */
export const latin = {
  first: words(`James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan
    Joseph Jessica Thomas Karen Charles Sarah Lukas Emma Jürgen Chloé José Beatriz Søren Ingrid Łukasz Zofia`),
  last: words(`Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson
    Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Müller Schmidt Dubois Østergård Nowak
    Kowalski Rossi Bianchi Silva Santos Novák Horvat Yılmaz O’Brien Vandenberg`),
}

export const cyrillic = {
  first: words(`Александр Мария Дмитрий Анна Максим Елена Сергей Ольга Андрей Наталья Алексей Екатерина Иван Татьяна
    Михаил Ирина Никита Юлия Артём Светлана Егор Дарья Кирилл Полина Матвей Ксения Тимур Алина Ярослав Людмила`),
  last: words(`Иванов Смирнов Кузнецов Попов Васильев Петров Соколов Михайлов Новиков Фёдоров Морозов Волков Алексеев
    Лебедев Семёнов Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин Захаров Шевченко Бондаренко
    Ткачук Щукин Гаврилюк Жуков Цветков Чернышёв Юдин Яковлев Хабибуллин Эйдельман Кравец Дроздов Ильин`),
}

/** What people type when they look for somebody: frequent, rare and absent. */
export const latinTerms = words('smi son and mar lee ell bro rez wil bar lov nic iva jam ric qzx')
export const cyrillicTerms = words('ива ова сме куз пет сок мих дми льг ксе щук юди хаб анн ёдо ъьъ')

function words(text: string): string[] {
  return text.split(/\s+/)
}

const letters: Record<string, string> = {
  ...Object.fromEntries(
    Array.from('абвгдезийклмнопрстуфыэ', (from, index) => [from, 'abvgdeziyklmnoprstufye'[index] ?? '']),
  ),
  ...{ ё: 'e', ж: 'zh', х: 'kh', ц: 'ts', ч: 'ch', ш: 'sh', щ: 'shch', ъ: '', ь: '', ю: 'yu', я: 'ya' },
  ...{ ł: 'l', ø: 'o', ı: 'i', '’': '' },
}

/** A name as an e-mail address spells it: `Щукин` → `shchukin`, `Müller` → `muller`. */
export function transliterate(name: string): string {
  const composed = Array.from(name.toLowerCase().normalize('NFC'), (letter) => letters[letter] ?? letter).join('')
  return composed.normalize('NFD').replace(/\p{M}/gu, '')
}
