/** A database address without its password, fit for logs. */
export const masked = (url: string): string => url.replace(/(:\/\/[^:@/]*:)[^@]*@/, '$1***@')
